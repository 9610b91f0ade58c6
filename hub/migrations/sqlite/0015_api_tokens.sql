-- Tokens of programs. The token itself is nowhere: what is kept is its SHA-256, from which it cannot be found.

CREATE TABLE api_token (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    hash         BLOB NOT NULL UNIQUE,
    role         TEXT NOT NULL,
    site         TEXT,             -- the only site it is for
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER               -- to the minute
) STRICT;
