-- Agents, their delivery, devices, records, alerts, tickets, outbox.
-- Times are ms since 1970 UTC. Uniqueness that the product promises stands here, so that no race can break it.

CREATE TABLE agent (
    no           INTEGER PRIMARY KEY,
    site         TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    version      TEXT    NOT NULL,
    epoch        INTEGER NOT NULL,
    session      INTEGER NOT NULL,
    queued       INTEGER NOT NULL,
    heartbeat_ms INTEGER NOT NULL,
    last_seen    INTEGER,
    UNIQUE (site, id)
) STRICT;

-- What has been taken in of each epoch: nothing above `base` and up to `committed` is missing.
CREATE TABLE stream (
    agent_no  INTEGER NOT NULL REFERENCES agent (no),
    epoch     INTEGER NOT NULL,
    base      INTEGER NOT NULL,
    committed INTEGER NOT NULL,
    PRIMARY KEY (agent_no, epoch)
) STRICT, WITHOUT ROWID;

-- Ranges of records that their agent no longer has.
CREATE TABLE lost (
    agent_no INTEGER NOT NULL REFERENCES agent (no),
    epoch    INTEGER NOT NULL,
    from_seq INTEGER NOT NULL,
    to_seq   INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (agent_no, epoch, from_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    no        INTEGER PRIMARY KEY,
    site      TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    code      TEXT    NOT NULL UNIQUE, -- what its page and its label call it; not to be guessed
    kind      TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    place     TEXT    NOT NULL,
    agent     TEXT    NOT NULL,
    every_ms  INTEGER NOT NULL,
    announced INTEGER NOT NULL,
    UNIQUE (site, id)
) STRICT;

-- A record is stored once, whatever repeats.
CREATE TABLE record (
    agent_no    INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    device_no   INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    reach       INTEGER NOT NULL,
    facts       TEXT    NOT NULL,
    faults      TEXT    NOT NULL,
    PRIMARY KEY (agent_no, epoch, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_by_device ON record (device_no, at);

-- Rules that are not at rest, so that a restart forgets none.
CREATE TABLE rule_phase (
    site    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    rule    TEXT    NOT NULL,
    phase   TEXT    NOT NULL,
    since   INTEGER NOT NULL,
    better  INTEGER,
    PRIMARY KEY (site, subject, rule)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert (
    id           BLOB    PRIMARY KEY,
    site         TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    rule         TEXT    NOT NULL,
    clauses      TEXT    NOT NULL,
    severity     TEXT    NOT NULL,
    department   TEXT,
    tells        TEXT    NOT NULL,
    title_zh     TEXT    NOT NULL,
    title_en     TEXT    NOT NULL,
    evidence_zh  TEXT    NOT NULL,
    evidence_en  TEXT    NOT NULL,
    since        INTEGER NOT NULL,
    opened_at    INTEGER NOT NULL,
    cleared_at   INTEGER,
    clear_reason TEXT,
    ticket       TEXT
) STRICT;
-- An incident has at most one open alert.
CREATE UNIQUE INDEX alert_open ON alert (site, subject, rule) WHERE cleared_at IS NULL;
CREATE INDEX alert_by_time ON alert (opened_at, id);
CREATE INDEX alert_by_ticket ON alert (ticket);

CREATE TABLE ticket (
    number       TEXT    PRIMARY KEY,
    site         TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    fault_class  TEXT    NOT NULL,
    rule         TEXT    NOT NULL,
    clauses      TEXT    NOT NULL,
    department   TEXT    NOT NULL,
    priority     TEXT    NOT NULL,
    confirmed_by TEXT    NOT NULL,
    title_zh     TEXT    NOT NULL,
    title_en     TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    owner        TEXT    NOT NULL,
    opened_at    INTEGER NOT NULL,
    respond_by   INTEGER NOT NULL,
    arrive_by    INTEGER NOT NULL,
    complete_by  INTEGER NOT NULL,
    accepted_at  INTEGER,
    started_at   INTEGER,
    fixed_at     INTEGER,
    closed_at    INTEGER
) STRICT, WITHOUT ROWID;
-- An incident has at most one open ticket.
CREATE UNIQUE INDEX ticket_open ON ticket (site, subject, fault_class) WHERE state <> 'closed';
CREATE INDEX ticket_by_time ON ticket (opened_at, number);
CREATE INDEX ticket_by_subject ON ticket (site, subject, opened_at);

-- How many tickets each month has had, for their numbers.
CREATE TABLE ticket_count (
    month TEXT    PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE ticket_event (
    no     INTEGER PRIMARY KEY,
    ticket TEXT    NOT NULL REFERENCES ticket (number),
    at     INTEGER NOT NULL,
    what   TEXT    NOT NULL,
    actor  TEXT    NOT NULL,
    note   TEXT    NOT NULL
) STRICT;
CREATE INDEX ticket_event_by_ticket ON ticket_event (ticket, no);

-- What is to be told to whom: written with the change it tells of, sent later.
CREATE TABLE outbox (
    event      TEXT    NOT NULL,
    post       TEXT    NOT NULL,
    site       TEXT    NOT NULL,
    alert      BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    PRIMARY KEY (event, post)
) STRICT, WITHOUT ROWID;
