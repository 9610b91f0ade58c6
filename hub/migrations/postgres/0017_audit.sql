-- What people and programs have changed. Each entry has a hash over itself and the entry before, and none is changed or taken away.

CREATE TABLE audit (
    no         BIGINT PRIMARY KEY,    -- 1, 2, 3 … without gaps
    at         BIGINT NOT NULL,
    actor      TEXT   NOT NULL,       -- by name
    actor_kind TEXT   NOT NULL,       -- person, program, here or command
    actor_id   TEXT   NOT NULL,       -- of the person or token
    site       TEXT,                  -- none for what is of all sites or of none
    action     TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    before     TEXT,
    after      TEXT,
    hash       BYTEA  NOT NULL        -- SHA-256
);
CREATE INDEX audit_by_site ON audit (site, no);

-- The last entry. Whoever writes the next one takes this row first, so that no two follow the same one.
CREATE TABLE audit_head (
    one  BIGINT PRIMARY KEY CHECK (one = 1),
    no   BIGINT NOT NULL,
    hash BYTEA  NOT NULL
);
INSERT INTO audit_head (one, no, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'));

-- There may be one of tables that were moved aside.
CREATE OR REPLACE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an entry of the audit log cannot be changed or taken away';
END
$$;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_is_kept();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept();
