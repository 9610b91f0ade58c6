-- Silences and maintenance windows; acknowledgement of alerts. What was restrained and when is never rewritten.

CREATE TABLE restraint (
    id             BLOB    PRIMARY KEY,
    kind           TEXT    NOT NULL, -- silence, until_resolved or maintenance
    matchers       TEXT,             -- JSON; none for a silence until one alert is resolved
    alert          BLOB,             -- the alert whose end is its end
    include_firing INTEGER NOT NULL,
    starts_at      INTEGER NOT NULL,
    ends_at        INTEGER,          -- none while its alert is open
    author         TEXT    NOT NULL,
    comment        TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    changed_by     TEXT    NOT NULL,
    replaces       BLOB,
    request        BLOB,             -- what was asked for under an idempotency key
    version        INTEGER NOT NULL,
    settled        INTEGER NOT NULL  -- whether its end has been told
) STRICT;
CREATE INDEX restraint_by_time ON restraint (created_at, id);
CREATE INDEX restraint_unsettled ON restraint (ends_at) WHERE settled = FALSE;
CREATE INDEX restraint_by_alert ON restraint (alert) WHERE alert IS NOT NULL;

ALTER TABLE alert ADD COLUMN acked_at INTEGER;
ALTER TABLE alert ADD COLUMN acked_by TEXT;
ALTER TABLE alert ADD COLUMN hits INTEGER NOT NULL DEFAULT 1;
ALTER TABLE alert ADD COLUMN last_seen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alert ADD COLUMN previous BLOB;
ALTER TABLE alert ADD COLUMN cleared_by TEXT NOT NULL DEFAULT '';
UPDATE alert SET last_seen = opened_at;
CREATE INDEX alert_by_subject ON alert (site, subject, rule, opened_at);
