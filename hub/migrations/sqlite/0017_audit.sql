-- What people and programs have changed. Each entry has a hash over itself and the entry before, and none is changed or taken away.

CREATE TABLE audit (
    no         INTEGER PRIMARY KEY,   -- 1, 2, 3 … without gaps
    at         INTEGER NOT NULL,
    actor      TEXT    NOT NULL,      -- by name
    actor_kind TEXT    NOT NULL,      -- person, program, here or command
    actor_id   TEXT    NOT NULL,      -- of the person or token
    site       TEXT,                  -- none for what is of all sites or of none
    action     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    before     TEXT,
    after      TEXT,
    hash       BLOB    NOT NULL       -- SHA-256
) STRICT;
CREATE INDEX audit_by_site ON audit (site, no);

-- The last entry. Whoever writes the next one takes this row first, so that no two follow the same one.
CREATE TABLE audit_head (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    no   INTEGER NOT NULL,
    hash BLOB    NOT NULL
) STRICT;
INSERT INTO audit_head (one, no, hash) VALUES (1, 0, zeroblob(32));

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'an entry of the audit log cannot be changed');
END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'an entry of the audit log cannot be taken away');
END;
