-- What is followed up along the chain of command: who has it, and when it goes up. One row for each phase of a ticket, or for an alert
-- without one.

CREATE TABLE escalation (
    no          INTEGER PRIMARY KEY,
    site        TEXT    NOT NULL,
    ticket      TEXT    REFERENCES ticket (number), -- none of an alert that has none
    alert       BLOB    NOT NULL,                   -- of which notifications tell
    phase       TEXT    NOT NULL,                   -- repair, confirm or notice
    route       TEXT    NOT NULL,                   -- JSON: the posts and their times, as they were when it began
    state       TEXT    NOT NULL,                   -- triggered, held or paused
    level       INTEGER NOT NULL,                   -- the place in the route of the post that has it
    holder      TEXT,                               -- who of that post, where a roster says so
    holder_name TEXT,
    since       INTEGER NOT NULL,
    due         INTEGER,
    version     INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER
) STRICT;

-- An incident has one responsible at any time.
CREATE UNIQUE INDEX escalation_of_ticket ON escalation (ticket) WHERE ended_at IS NULL AND ticket IS NOT NULL;
CREATE UNIQUE INDEX escalation_of_alert ON escalation (alert) WHERE ended_at IS NULL AND ticket IS NULL;
CREATE INDEX escalation_due ON escalation (due) WHERE ended_at IS NULL;
