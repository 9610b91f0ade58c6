-- What the outbox holds is sent: one delivery for each event, post and channel; messages that carry deliveries; attempts at messages.

-- Channels that are configured. What was queued before a channel was known is not sent to it.
CREATE TABLE channel (
    name         TEXT    PRIMARY KEY,
    since        INTEGER NOT NULL,
    disabled_at  INTEGER,          -- its receiver said that it is gone for good
    paused_until INTEGER,          -- its receiver asked for fewer messages
    answered_at  INTEGER,
    taken        INTEGER NOT NULL, -- whether the last attempt was taken
    answer       TEXT    NOT NULL  -- what came of it
) STRICT, WITHOUT ROWID;

-- A notification is delivered at least once to each channel; a repeat is the same message.
CREATE TABLE delivery (
    event      TEXT    NOT NULL,
    post       TEXT    NOT NULL,
    channel    TEXT    NOT NULL,
    site       TEXT    NOT NULL,
    alert      BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    state      TEXT    NOT NULL, -- queued, sending, retry, sent, digested, dead or cancelled
    why        TEXT    NOT NULL, -- of one that is cancelled
    message    BLOB,             -- what carries it
    told_at    INTEGER,          -- when the receiver may first have heard of it
    PRIMARY KEY (event, post, channel)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_by_state ON delivery (state, channel, created_at);
CREATE INDEX delivery_by_alert ON delivery (alert, channel);
CREATE INDEX delivery_by_message ON delivery (message);
CREATE INDEX delivery_by_time ON delivery (created_at, event, post, channel);

CREATE TABLE message (
    id          BLOB    PRIMARY KEY,
    channel     TEXT    NOT NULL,
    kind        TEXT    NOT NULL, -- single, group or digest
    letter      TEXT    NOT NULL, -- JSON
    created_at  INTEGER NOT NULL,
    state       TEXT    NOT NULL, -- sending, retry, sent, dead or cancelled
    attempts    INTEGER NOT NULL,
    next_at     INTEGER,          -- of one that is tried again
    lease_until INTEGER,          -- of one that is being sent: after that somebody else tries
    settled_at  INTEGER,
    answer      TEXT    NOT NULL
) STRICT;
-- A channel has one message under way: what follows waits for it, so that an end is never told before its beginning.
CREATE UNIQUE INDEX message_open ON message (channel) WHERE state IN ('sending', 'retry');
CREATE INDEX message_settled ON message (settled_at);

CREATE TABLE attempt (
    message BLOB    NOT NULL,
    nth     INTEGER NOT NULL,
    channel TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    took    INTEGER,          -- in ms; none for one that broke off with the hub
    outcome TEXT    NOT NULL,
    answer  TEXT    NOT NULL,
    PRIMARY KEY (message, nth)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_by_channel ON attempt (channel, at);

-- When each site's group was last told on a channel.
CREATE TABLE flush (
    channel TEXT    NOT NULL,
    site    TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (channel, site)
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_queued ON outbox (created_at) WHERE state = 'queued';
CREATE INDEX outbox_by_alert ON outbox (alert);
