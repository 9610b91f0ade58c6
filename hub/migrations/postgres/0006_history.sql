-- Records in few bytes, and what is left of them when they are gone.
-- Times are ms since 1970 UTC.

-- What records say, without what they measure: once for all records alike.
CREATE TABLE form (
    no   INT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash UUID NOT NULL UNIQUE,
    text TEXT NOT NULL
);

ALTER TABLE record RENAME TO record_before;
DROP INDEX record_by_device;
ALTER TABLE record_before DROP CONSTRAINT record_pkey;

-- A record is stored once, whatever repeats.
CREATE TABLE record (
    epoch     BIGINT   NOT NULL,
    seq       BIGINT   NOT NULL,
    at        BIGINT   NOT NULL,
    lag       BIGINT   NOT NULL, -- from `at` until it was received
    agent_no  INT      NOT NULL,
    device_no INT      NOT NULL,
    form      INT      NOT NULL,
    reach     SMALLINT NOT NULL,
    suspect   BOOLEAN  NOT NULL, -- whether its agent's clock was not to be believed
    stated    BIGINT,            -- from `at` to the agent's own time, where that is another
    measured  BYTEA    NOT NULL, -- what fills the form
    PRIMARY KEY (agent_no, epoch, seq)
);

INSERT INTO form (hash, text)
SELECT gen_random_uuid(), body
FROM (SELECT DISTINCT '{"facts":' || facts || ',"faults":' || faults || '}' AS body FROM record_before) AS said;
INSERT INTO record (agent_no, epoch, seq, device_no, at, lag, reach, suspect, stated, form, measured)
SELECT r.agent_no, r.epoch, r.seq, r.device_no, r.at, r.received_at - r.at, r.reach, FALSE, NULL, f.no, ''::bytea
FROM record_before r JOIN form f ON f.text = '{"facts":' || r.facts || ',"faults":' || r.faults || '}'
ORDER BY r.agent_no, r.epoch, r.seq;
DROP TABLE record_before;
CREATE INDEX record_by_device ON record (device_no, at);

-- A device's hours (grain 0) and days (grain 1, of its site's zone): for how long it was in which state, in all and while the site was
-- open, and how often, from where to where its numbers were measured.
CREATE TABLE rollup (
    device_no     BIGINT NOT NULL,
    grain         BIGINT NOT NULL,
    at            BIGINT NOT NULL,
    records       BIGINT NOT NULL,
    normal        BIGINT NOT NULL,
    abnormal      BIGINT NOT NULL,
    offline       BIGINT NOT NULL,
    unknown       BIGINT NOT NULL,
    open_normal   BIGINT NOT NULL,
    open_abnormal BIGINT NOT NULL,
    open_offline  BIGINT NOT NULL,
    open_unknown  BIGINT NOT NULL,
    figures       TEXT NOT NULL,
    PRIMARY KEY (device_no, grain, at)
);

-- Hours whose records have changed since they were rolled up.
CREATE TABLE rollup_due (
    at        BIGINT NOT NULL,
    device_no BIGINT NOT NULL,
    PRIMARY KEY (at, device_no)
);
INSERT INTO rollup_due (at, device_no) SELECT DISTINCT at - at % 3600000, device_no FROM record;

-- When something was wrong with a subject.
CREATE INDEX alert_since ON alert (site, subject, since);
