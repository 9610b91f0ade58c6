-- The ledger of what is used up, and what machines have handed out by their counters.

-- One row for each item of a site of which a ledger is kept. An entry holds it, so that a count and another entry come one after the other.
CREATE TABLE stock_book (
    site       TEXT    NOT NULL,
    item       TEXT    NOT NULL,
    changed_at BIGINT  NOT NULL,
    PRIMARY KEY (site, item)
);

-- Movements. Nothing is ever changed: a mistake is corrected by a counter-entry.
CREATE TABLE stock_entry (
    id       UUID    PRIMARY KEY,     -- what is sent twice is one entry
    site     TEXT    NOT NULL,
    item     TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    source   TEXT    NOT NULL,        -- the place from which
    target   TEXT    NOT NULL,        -- and to which
    pieces   BIGINT  NOT NULL CHECK (pieces >= 0),
    counted  BIGINT,                -- what a count found
    order_id UUID,                    -- the order that it is of
    due      BIGINT,                -- when what is ordered is to come
    corrects UUID    UNIQUE REFERENCES stock_entry (id),
    reason   TEXT    NOT NULL,
    who      TEXT    NOT NULL,        -- by name; empty if not known
    post     TEXT    NOT NULL,        -- what they are; empty if not known
    at       BIGINT  NOT NULL,
    said     TEXT    NOT NULL         -- what was asked, to tell a repetition from another entry with its id
);
CREATE INDEX stock_entry_by_time ON stock_entry (site, at);
CREATE INDEX stock_entry_by_item ON stock_entry (site, item, source, target);
CREATE INDEX stock_entry_by_order ON stock_entry (order_id);

CREATE OR REPLACE FUNCTION stock_entry_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an entry of the stock ledger cannot be changed or taken away: correct it by a counter-entry';
END
$$;
CREATE TRIGGER stock_entry_is_not_changed BEFORE UPDATE OR DELETE ON stock_entry
    FOR EACH ROW EXECUTE FUNCTION stock_entry_is_kept();

-- What a machine has handed out in an hour, kept for ever. Made anew from the hour's records whenever one more of them is stored; what was
-- handed out before this schema is not in it.
CREATE TABLE stock_hour (
    device_no     BIGINT  NOT NULL,
    at            BIGINT  NOT NULL,   -- when the hour begins
    item          TEXT    NOT NULL,
    pieces        BIGINT  NOT NULL,   -- from its first to its last record
    held          BIGINT  NOT NULL,   -- of which not believed
    unsure        BIGINT  NOT NULL,   -- clearings of the counter of which nobody said anything
    gap_pieces    BIGINT  NOT NULL,   -- the same from the last record before it to its first
    gap_held      BIGINT  NOT NULL,
    gap_unsure    BIGINT  NOT NULL,
    first_reading TEXT    NOT NULL,
    last_reading  TEXT    NOT NULL,
    PRIMARY KEY (device_no, at)
);

-- What people have said of pieces that were not believed. It is about that number: once the hour has another one, they are asked again.
CREATE TABLE stock_verdict (
    device_no  BIGINT  NOT NULL,
    at         BIGINT  NOT NULL,
    held       BIGINT  NOT NULL,
    accepted   BOOLEAN NOT NULL,
    who        TEXT    NOT NULL,
    decided_at BIGINT  NOT NULL,
    PRIMARY KEY (device_no, at)
);
