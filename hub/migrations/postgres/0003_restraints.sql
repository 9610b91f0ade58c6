-- Silences and maintenance windows; acknowledgement of alerts. What was restrained and when is never rewritten.

CREATE TABLE restraint (
    id             UUID    PRIMARY KEY,
    kind           TEXT    NOT NULL, -- silence, until_resolved or maintenance
    matchers       TEXT,             -- JSON; none for a silence until one alert is resolved
    alert          UUID,             -- the alert whose end is its end
    include_firing BOOLEAN NOT NULL,
    starts_at      BIGINT NOT NULL,
    ends_at        BIGINT,          -- none while its alert is open
    author         TEXT    NOT NULL,
    comment        TEXT    NOT NULL,
    created_at     BIGINT NOT NULL,
    changed_by     TEXT    NOT NULL,
    replaces       UUID,
    request        UUID,             -- what was asked for under an idempotency key
    version        BIGINT NOT NULL,
    settled        BOOLEAN NOT NULL  -- whether its end has been told
);
CREATE INDEX restraint_by_time ON restraint (created_at, id);
CREATE INDEX restraint_unsettled ON restraint (ends_at) WHERE settled = FALSE;
CREATE INDEX restraint_by_alert ON restraint (alert) WHERE alert IS NOT NULL;

ALTER TABLE alert ADD COLUMN acked_at BIGINT;
ALTER TABLE alert ADD COLUMN acked_by TEXT;
ALTER TABLE alert ADD COLUMN hits BIGINT NOT NULL DEFAULT 1;
ALTER TABLE alert ADD COLUMN last_seen BIGINT NOT NULL DEFAULT 0;
ALTER TABLE alert ADD COLUMN previous UUID;
ALTER TABLE alert ADD COLUMN cleared_by TEXT NOT NULL DEFAULT '';
UPDATE alert SET last_seen = opened_at;
CREATE INDEX alert_by_subject ON alert (site, subject, rule, opened_at);
