-- The ledger of what is used up, and what machines have handed out by their counters.

-- One row for each item of a site of which a ledger is kept. An entry holds it, so that a count and another entry come one after the other.
CREATE TABLE stock_book (
    site       TEXT    NOT NULL,
    item       TEXT    NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (site, item)
) STRICT;

-- Movements. Nothing is ever changed: a mistake is corrected by a counter-entry.
CREATE TABLE stock_entry (
    id       BLOB    PRIMARY KEY,     -- what is sent twice is one entry
    site     TEXT    NOT NULL,
    item     TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    source   TEXT    NOT NULL,        -- the place from which
    target   TEXT    NOT NULL,        -- and to which
    pieces   INTEGER NOT NULL CHECK (pieces >= 0),
    counted  INTEGER,                 -- what a count found
    order_id BLOB,                    -- the order that it is of
    due      INTEGER,                 -- when what is ordered is to come
    corrects BLOB    UNIQUE REFERENCES stock_entry (id),
    reason   TEXT    NOT NULL,
    who      TEXT    NOT NULL,        -- by name; empty if not known
    post     TEXT    NOT NULL,        -- what they are; empty if not known
    at       INTEGER NOT NULL,
    said     TEXT    NOT NULL         -- what was asked, to tell a repetition from another entry with its id
) STRICT;
CREATE INDEX stock_entry_by_time ON stock_entry (site, at);
CREATE INDEX stock_entry_by_item ON stock_entry (site, item, source, target);
CREATE INDEX stock_entry_by_order ON stock_entry (order_id);

CREATE TRIGGER stock_entry_is_not_changed BEFORE UPDATE ON stock_entry
BEGIN
    SELECT RAISE(ABORT, 'an entry of the stock ledger cannot be changed: correct it by a counter-entry');
END;
CREATE TRIGGER stock_entry_is_not_deleted BEFORE DELETE ON stock_entry
BEGIN
    SELECT RAISE(ABORT, 'an entry of the stock ledger cannot be taken away: correct it by a counter-entry');
END;

-- What a machine has handed out in an hour, kept for ever. Made anew from the hour's records whenever one more of them is stored; what was
-- handed out before this schema is not in it.
CREATE TABLE stock_hour (
    device_no     INTEGER NOT NULL,
    at            INTEGER NOT NULL,   -- when the hour begins
    item          TEXT    NOT NULL,
    pieces        INTEGER NOT NULL,   -- from its first to its last record
    held          INTEGER NOT NULL,   -- of which not believed
    unsure        INTEGER NOT NULL,   -- clearings of the counter of which nobody said anything
    gap_pieces    INTEGER NOT NULL,   -- the same from the last record before it to its first
    gap_held      INTEGER NOT NULL,
    gap_unsure    INTEGER NOT NULL,
    first_reading TEXT    NOT NULL,
    last_reading  TEXT    NOT NULL,
    PRIMARY KEY (device_no, at)
) STRICT, WITHOUT ROWID;

-- What people have said of pieces that were not believed. It is about that number: once the hour has another one, they are asked again.
CREATE TABLE stock_verdict (
    device_no  INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    held       INTEGER NOT NULL,
    accepted   INTEGER NOT NULL,
    who        TEXT    NOT NULL,
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (device_no, at)
) STRICT, WITHOUT ROWID;
