-- Records in few bytes, and what is left of them when they are gone.
-- Times are ms since 1970 UTC.

-- What records say, without what they measure: once for all records alike.
CREATE TABLE form (
    no   INTEGER PRIMARY KEY,
    hash BLOB    NOT NULL UNIQUE,
    text TEXT    NOT NULL
) STRICT;

ALTER TABLE record RENAME TO record_before;
DROP INDEX record_by_device;

-- A record is stored once, whatever repeats.
CREATE TABLE record (
    agent_no  INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    device_no INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    lag       INTEGER NOT NULL, -- from `at` until it was received
    reach     INTEGER NOT NULL,
    suspect   INTEGER NOT NULL, -- whether its agent's clock was not to be believed
    stated    INTEGER,          -- from `at` to the agent's own time, where that is another
    form      INTEGER NOT NULL,
    measured  BLOB    NOT NULL, -- what fills the form
    PRIMARY KEY (agent_no, epoch, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO form (hash, text)
SELECT randomblob(16), body
FROM (SELECT DISTINCT '{"facts":' || facts || ',"faults":' || faults || '}' AS body FROM record_before) AS said;
CREATE INDEX form_by_text ON form (text);
INSERT INTO record (agent_no, epoch, seq, device_no, at, lag, reach, suspect, stated, form, measured)
SELECT r.agent_no, r.epoch, r.seq, r.device_no, r.at, r.received_at - r.at, r.reach, 0, NULL, f.no, x''
FROM record_before r JOIN form f ON f.text = '{"facts":' || r.facts || ',"faults":' || r.faults || '}'
ORDER BY r.agent_no, r.epoch, r.seq;
DROP INDEX form_by_text;
DROP TABLE record_before;
CREATE INDEX record_by_device ON record (device_no, at);

-- A device's hours (grain 0) and days (grain 1, of its site's zone): for how long it was in which state, in all and while the site was
-- open, and how often, from where to where its numbers were measured.
CREATE TABLE rollup (
    device_no     INTEGER NOT NULL,
    grain         INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    records       INTEGER NOT NULL,
    normal        INTEGER NOT NULL,
    abnormal      INTEGER NOT NULL,
    offline       INTEGER NOT NULL,
    unknown       INTEGER NOT NULL,
    open_normal   INTEGER NOT NULL,
    open_abnormal INTEGER NOT NULL,
    open_offline  INTEGER NOT NULL,
    open_unknown  INTEGER NOT NULL,
    figures       TEXT    NOT NULL,
    PRIMARY KEY (device_no, grain, at)
) STRICT, WITHOUT ROWID;

-- Hours whose records have changed since they were rolled up.
CREATE TABLE rollup_due (
    at        INTEGER NOT NULL,
    device_no INTEGER NOT NULL,
    PRIMARY KEY (at, device_no)
) STRICT, WITHOUT ROWID;
INSERT INTO rollup_due (at, device_no) SELECT DISTINCT at - at % 3600000, device_no FROM record;

-- When something was wrong with a subject.
CREATE INDEX alert_since ON alert (site, subject, since);
