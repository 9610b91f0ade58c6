-- The register of goods and equipment: items, their labels, stock-takes and moves.

-- How many items a site has had: their numbers are never given again.
CREATE TABLE register_site (
    site  TEXT    PRIMARY KEY,
    items INTEGER NOT NULL
) STRICT;

CREATE TABLE register_item (
    site       TEXT    NOT NULL,
    nth        INTEGER NOT NULL,     -- the asset number without its check digit
    id         BLOB    NOT NULL UNIQUE,     -- what is sent twice is one item
    device     TEXT,                 -- the monitored device that it is, unless it is written off
    fields     TEXT    NOT NULL,     -- JSON: the fold over its events
    counted_at INTEGER,              -- by a stock-take
    version    INTEGER NOT NULL,     -- how many events there are: what is decided on something older is refused
    PRIMARY KEY (site, nth),
    UNIQUE (site, device)
) STRICT;

-- What happened to an item. Nothing is ever changed.
CREATE TABLE register_event (
    site    TEXT    NOT NULL,
    nth     INTEGER NOT NULL,
    version INTEGER NOT NULL,        -- 1, 2, 3 …
    deed    TEXT    NOT NULL,        -- add, edit, photo, write-off, count or move
    fields  TEXT    NOT NULL,        -- JSON: what it set
    reason  TEXT    NOT NULL,
    cause   BLOB,                    -- the stock-take or the move
    who     TEXT    NOT NULL,        -- by name; empty if not known
    post    TEXT    NOT NULL,        -- what they are; empty if not known
    at      INTEGER NOT NULL,
    PRIMARY KEY (site, nth, version),
    FOREIGN KEY (site, nth) REFERENCES register_item (site, nth)
) STRICT;

-- Printed labels, each of nothing yet, of an item or of a device.
CREATE TABLE register_label (
    code    TEXT    PRIMARY KEY,
    site    TEXT    NOT NULL,
    sheet   BLOB,                    -- with which it was printed; none for the code that an item has from the start
    nth     INTEGER,                 -- its item
    device  TEXT,                    -- or its device
    voided  INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE INDEX register_label_by_sheet ON register_label (site, sheet);
CREATE INDEX register_label_by_item ON register_label (site, nth);

CREATE TABLE register_label_event (
    code    TEXT    NOT NULL REFERENCES register_label (code),
    version INTEGER NOT NULL,
    deed    TEXT    NOT NULL,        -- print, bind or void
    target  TEXT    NOT NULL,        -- asset number or device; empty for none
    reason  TEXT    NOT NULL,
    who     TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (code, version)
) STRICT;

CREATE TABLE register_move (
    id          BLOB    PRIMARY KEY,     -- what is asked for twice is one move
    site        TEXT    NOT NULL,
    nth         INTEGER NOT NULL,
    way         TEXT    NOT NULL,        -- out or back
    pieces      INTEGER NOT NULL,
    place       TEXT    NOT NULL,        -- where to
    reason      TEXT    NOT NULL,
    wanted      TEXT    NOT NULL,        -- the day; empty for any
    state       TEXT    NOT NULL,        -- asked, approved, refused or done
    asked_id    TEXT    NOT NULL,        -- who asked, by id; empty if none is known
    asked_who   TEXT    NOT NULL,
    asked_at    INTEGER NOT NULL,
    decided_who TEXT    NOT NULL,
    decided_at  INTEGER,
    decided_why TEXT    NOT NULL,
    done_who    TEXT    NOT NULL,
    done_at     INTEGER,
    FOREIGN KEY (site, nth) REFERENCES register_item (site, nth)
) STRICT;
CREATE INDEX register_move_by_time ON register_move (site, asked_at);

CREATE TABLE stock_take (
    id          BLOB    PRIMARY KEY,
    site        TEXT    NOT NULL,
    place       TEXT    NOT NULL,        -- empty for the whole site
    lines       TEXT    NOT NULL,        -- JSON: what the register said when it began
    started_id  TEXT    NOT NULL,
    started_who TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    closed_who  TEXT    NOT NULL,
    closed_at   INTEGER,
    seen_who    TEXT    NOT NULL,        -- the manager who has seen the result
    seen_at     INTEGER,
    version     INTEGER NOT NULL
) STRICT;
CREATE INDEX stock_take_by_time ON stock_take (site, started_at);

-- Answers are never changed: the newest of an item counts.
CREATE TABLE stock_take_answer (
    take    BLOB    NOT NULL REFERENCES stock_take (id),
    nth     INTEGER NOT NULL,
    version INTEGER NOT NULL,        -- the stock-take's by which it came
    seen    TEXT    NOT NULL,        -- found, elsewhere, damaged or missing
    count   INTEGER NOT NULL,
    place   TEXT    NOT NULL,
    note    TEXT    NOT NULL,
    who     TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (take, nth, version)
) STRICT;

ALTER TABLE photo ADD COLUMN item INTEGER;
CREATE INDEX photo_by_item ON photo (site, item, at);
