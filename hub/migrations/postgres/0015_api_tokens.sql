-- Tokens of programs. The token itself is nowhere: what is kept is its SHA-256, from which it cannot be found.

CREATE TABLE api_token (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    hash         BYTEA NOT NULL UNIQUE,
    role         TEXT NOT NULL,
    site         TEXT,             -- the only site it is for
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    revoked_at   BIGINT,
    last_used_at BIGINT               -- to the minute
);
