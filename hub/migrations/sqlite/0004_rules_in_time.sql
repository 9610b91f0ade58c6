-- Timers that outlive a restart, how agents were heard in the past, and faults that are discovered late.

ALTER TABLE rule_phase ADD COLUMN held_ms INTEGER NOT NULL DEFAULT 0; -- how much time has counted towards leaving the phase
ALTER TABLE rule_phase ADD COLUMN bad_samples INTEGER NOT NULL DEFAULT 0; -- a bit for each of the last samples, the newest lowest

-- Began and ended before the hub heard of it: nobody was told, no ticket was opened.
ALTER TABLE alert ADD COLUMN late INTEGER NOT NULL DEFAULT 0;

-- What the link of an agent became, and when the hub knew.
CREATE TABLE link_event (
    site  TEXT    NOT NULL,
    agent TEXT    NOT NULL,
    at    INTEGER NOT NULL,
    link  TEXT    NOT NULL,
    PRIMARY KEY (site, agent, at)
) STRICT, WITHOUT ROWID;
