-- Reports of months that were made: one for each site and month, whatever restarts.
CREATE TABLE month_report (
    site  TEXT    NOT NULL,
    month TEXT    NOT NULL,        -- such as 2026-11
    at    INTEGER NOT NULL,
    PRIMARY KEY (site, month)
) STRICT;

-- The messages that carry them; they go the way of every message, and are kept as long.
CREATE TABLE month_report_message (
    site    TEXT NOT NULL,
    month   TEXT NOT NULL,
    message BLOB NOT NULL,
    channel TEXT NOT NULL,
    PRIMARY KEY (site, month, message)
) STRICT;

-- What waits for its channel to be free.
CREATE INDEX message_waiting ON message (channel, next_at) WHERE state = 'queued';
