-- Whose database this is, so that another one, or an empty one, is never taken for it. One row.
CREATE TABLE meta (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    installation BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    written_by   TEXT    NOT NULL, -- the version of the product that last wrote here
    starts       INTEGER NOT NULL  -- grows by one at each start: an old copy of the file has fewer
) STRICT;
