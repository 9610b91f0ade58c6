-- Timers that outlive a restart, how agents were heard in the past, and faults that are discovered late.

ALTER TABLE rule_phase ADD COLUMN held_ms BIGINT NOT NULL DEFAULT 0; -- how much time has counted towards leaving the phase
ALTER TABLE rule_phase ADD COLUMN bad_samples BIGINT NOT NULL DEFAULT 0; -- a bit for each of the last samples, the newest lowest

-- Began and ended before the hub heard of it: nobody was told, no ticket was opened.
ALTER TABLE alert ADD COLUMN late BOOLEAN NOT NULL DEFAULT FALSE;

-- What the link of an agent became, and when the hub knew.
CREATE TABLE link_event (
    site  TEXT    NOT NULL,
    agent TEXT    NOT NULL,
    at    BIGINT NOT NULL,
    link  TEXT    NOT NULL,
    PRIMARY KEY (site, agent, at)
);
