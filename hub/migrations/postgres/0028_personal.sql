-- How people are told themselves, and of what.

-- Nothing but a code is sent to an address before whoever asked for it has shown that it is theirs.
CREATE TABLE contact (
    person       TEXT PRIMARY KEY REFERENCES person (id),
    address      TEXT,                     -- where they are told; confirmed
    confirmed_at BIGINT,
    asked        TEXT,                     -- the address to which a code was sent
    code         BYTEA,                     -- its SHA-256, with the person and the address
    code_until   BIGINT,
    tries        BIGINT NOT NULL,         -- wrong ones since
    sent         BIGINT NOT NULL,         -- codes since `sent_since`
    sent_since   BIGINT NOT NULL
);

CREATE TABLE preference (
    person       TEXT PRIMARY KEY REFERENCES person (id),
    lang         TEXT,                     -- none: as the channel has it
    least        TEXT NOT NULL,            -- severity
    held_only    BOOLEAN NOT NULL,
    quiet        TEXT                      -- `22:00-07:00 1111111`, the days from Monday
);

