-- Agents, their delivery, devices, records, alerts, tickets, outbox.
-- Times are ms since 1970 UTC. Uniqueness that the product promises stands here, so that no race can break it.

CREATE TABLE agent (
    no           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site         TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    version      TEXT    NOT NULL,
    epoch        BIGINT NOT NULL,
    session      BIGINT NOT NULL,
    queued       BIGINT NOT NULL,
    heartbeat_ms BIGINT NOT NULL,
    last_seen    BIGINT,
    UNIQUE (site, id)
);

-- What has been taken in of each epoch: nothing above `base` and up to `committed` is missing.
CREATE TABLE stream (
    agent_no  BIGINT NOT NULL REFERENCES agent (no),
    epoch     BIGINT NOT NULL,
    base      BIGINT NOT NULL,
    committed BIGINT NOT NULL,
    PRIMARY KEY (agent_no, epoch)
);

-- Ranges of records that their agent no longer has.
CREATE TABLE lost (
    agent_no BIGINT NOT NULL REFERENCES agent (no),
    epoch    BIGINT NOT NULL,
    from_seq BIGINT NOT NULL,
    to_seq   BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (agent_no, epoch, from_seq)
);

CREATE TABLE device (
    no        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site      TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    code      TEXT    NOT NULL UNIQUE, -- what its page and its label call it; not to be guessed
    kind      TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    place     TEXT    NOT NULL,
    agent     TEXT    NOT NULL,
    every_ms  BIGINT NOT NULL,
    announced BOOLEAN NOT NULL,
    UNIQUE (site, id)
);

-- A record is stored once, whatever repeats.
CREATE TABLE record (
    agent_no    BIGINT NOT NULL,
    epoch       BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    device_no   BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    reach       BIGINT NOT NULL,
    facts       TEXT    NOT NULL,
    faults      TEXT    NOT NULL,
    PRIMARY KEY (agent_no, epoch, seq)
);
CREATE INDEX record_by_device ON record (device_no, at);

-- Rules that are not at rest, so that a restart forgets none.
CREATE TABLE rule_phase (
    site    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    rule    TEXT    NOT NULL,
    phase   TEXT    NOT NULL,
    since   BIGINT NOT NULL,
    better  BIGINT,
    PRIMARY KEY (site, subject, rule)
);

CREATE TABLE alert (
    id           UUID    PRIMARY KEY,
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
    since        BIGINT NOT NULL,
    opened_at    BIGINT NOT NULL,
    cleared_at   BIGINT,
    clear_reason TEXT,
    ticket       TEXT
);
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
    version      BIGINT NOT NULL,
    owner        TEXT    NOT NULL,
    opened_at    BIGINT NOT NULL,
    respond_by   BIGINT NOT NULL,
    arrive_by    BIGINT NOT NULL,
    complete_by  BIGINT NOT NULL,
    accepted_at  BIGINT,
    started_at   BIGINT,
    fixed_at     BIGINT,
    closed_at    BIGINT
);
-- An incident has at most one open ticket.
CREATE UNIQUE INDEX ticket_open ON ticket (site, subject, fault_class) WHERE state <> 'closed';
CREATE INDEX ticket_by_time ON ticket (opened_at, number);
CREATE INDEX ticket_by_subject ON ticket (site, subject, opened_at);

-- How many tickets each month has had, for their numbers.
CREATE TABLE ticket_count (
    month TEXT    PRIMARY KEY,
    count BIGINT NOT NULL
);

CREATE TABLE ticket_event (
    no     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket TEXT    NOT NULL REFERENCES ticket (number),
    at     BIGINT NOT NULL,
    what   TEXT    NOT NULL,
    actor  TEXT    NOT NULL,
    note   TEXT    NOT NULL
);
CREATE INDEX ticket_event_by_ticket ON ticket_event (ticket, no);

-- What is to be told to whom: written with the change it tells of, sent later.
CREATE TABLE outbox (
    event      TEXT    NOT NULL,
    post       TEXT    NOT NULL,
    site       TEXT    NOT NULL,
    alert      UUID    NOT NULL,
    created_at BIGINT NOT NULL,
    state      TEXT    NOT NULL,
    PRIMARY KEY (event, post)
);
