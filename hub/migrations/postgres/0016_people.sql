-- People who sign in. Secrets are nowhere: of a password there is its argon2id, of links, sessions and browsers their SHA-256.

CREATE TABLE person (
    id           TEXT PRIMARY KEY,
    login        TEXT NOT NULL UNIQUE,  -- what they sign in with, in lower case
    name         TEXT NOT NULL,
    role         TEXT NOT NULL,
    site         TEXT,                  -- the only site they work at
    password     TEXT,                  -- none until it is chosen by a setup link
    created_at   BIGINT NOT NULL,
    disabled_at  BIGINT
);

-- Links by which a password is chosen, each once.
CREATE TABLE setup_link (
    hash         BYTEA PRIMARY KEY,
    person       TEXT UNIQUE REFERENCES person (id),  -- none: whoever opens it becomes the first administrator
    expires_at   BIGINT                 -- none: until the first administrator is there
);

CREATE TABLE web_session (
    id           TEXT PRIMARY KEY,
    hash         BYTEA NOT NULL UNIQUE,
    person       TEXT NOT NULL REFERENCES person (id),
    browser      TEXT NOT NULL,         -- as it names itself, shortened
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL        -- to the minute
);

CREATE INDEX web_session_of_person ON web_session (person);

-- Browsers in which somebody has signed in: strangers who guess passwords cannot shut them out.
CREATE TABLE known_browser (
    hash         BYTEA NOT NULL,
    person       TEXT NOT NULL REFERENCES person (id),
    used_at      BIGINT NOT NULL,
    PRIMARY KEY (hash, person)
);
