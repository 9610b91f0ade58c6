-- Rounds: what a post looks at each day, what was answered, and who signed.

-- When a site's rounds were last looked at: what nobody could make while the hub was not running is excused.
CREATE TABLE check_watch (
    site      TEXT PRIMARY KEY,
    looked_at BIGINT
);

CREATE TABLE check_round (
    id            UUID    PRIMARY KEY,
    site          TEXT    NOT NULL,
    checklist     TEXT    NOT NULL,
    day           TEXT    NOT NULL,     -- at the site, such as 2026-12-01
    nth           BIGINT  NOT NULL,     -- among those of its day
    post          TEXT    NOT NULL,
    takes_over    TEXT,                 -- the post that takes over, if it is a handover
    label_zh      TEXT    NOT NULL,
    label_en      TEXT    NOT NULL,
    clauses       TEXT    NOT NULL,
    lines         TEXT    NOT NULL,     -- JSON: what is looked at, as it was when the round opened
    opens_at      BIGINT  NOT NULL,
    due_at        BIGINT  NOT NULL,
    closes_at     BIGINT  NOT NULL,
    state         TEXT    NOT NULL,     -- open, in_progress, signed_out, signed_in or disputed
    missed_at     BIGINT,               -- when it was found that nobody had done it in time
    excused       BOOLEAN NOT NULL,     -- nobody could: the hub was not running
    out_by        TEXT,                 -- who signed, by id (empty if none is known) and name
    out_name      TEXT,
    out_at        BIGINT,
    in_by         TEXT,
    in_name       TEXT,
    in_at         BIGINT,
    dispute       TEXT    NOT NULL,     -- with what whoever takes over does not agree
    passed_on     TEXT,                 -- JSON: what whoever took over was handed
    version       BIGINT  NOT NULL,
    UNIQUE (site, checklist, day, nth)
);
CREATE INDEX check_round_by_time ON check_round (site, due_at);
-- What may still be missed.
CREATE INDEX check_round_waiting ON check_round (site, closes_at) WHERE missed_at IS NULL;

-- What was sent, once however often it comes.
CREATE TABLE check_upload (
    id      UUID   PRIMARY KEY,
    round   UUID   NOT NULL REFERENCES check_round (id),
    deed    TEXT   NOT NULL,
    sender  TEXT   NOT NULL,            -- by name; empty if not known
    sent_at BIGINT,                     -- by the clock of the sender's device, if it said so
    at      BIGINT NOT NULL             -- when it came
);

-- Answers are never changed: the newest of a line counts.
CREATE TABLE check_answer (
    round  UUID   NOT NULL REFERENCES check_round (id),
    line   TEXT   NOT NULL,
    nth    BIGINT NOT NULL,             -- the round's version by which it came
    upload UUID   NOT NULL REFERENCES check_upload (id),
    said   TEXT   NOT NULL,             -- pass, fail, count or not_applicable
    count  BIGINT,
    note   TEXT   NOT NULL,
    stated TEXT,                        -- what the device said at that moment: fine, faulty or unknown
    flag   TEXT,                        -- ticked_unknown, ticked_faulty or device_fine
    ticket TEXT   REFERENCES ticket (number),
    PRIMARY KEY (round, line, nth)
);

ALTER TABLE photo ADD COLUMN round UUID REFERENCES check_round (id);
ALTER TABLE photo ADD COLUMN line TEXT;
CREATE INDEX photo_by_round ON photo (round, at);
