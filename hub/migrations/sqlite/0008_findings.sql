-- The product's own troubles, so that a restart forgets neither since when they last nor what somebody chose to ignore.

CREATE TABLE finding (
    domain     TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    severity   TEXT    NOT NULL,
    details    TEXT    NOT NULL,
    since      INTEGER NOT NULL,
    persistent INTEGER NOT NULL,
    ignored    INTEGER NOT NULL,
    PRIMARY KEY (domain, id)
) STRICT, WITHOUT ROWID;

-- One row that is written when nothing else is, to see whether the database can be written.
CREATE TABLE pulse (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at  INTEGER NOT NULL
) STRICT;

-- The last batch with alerts of each writer: one whose commit was not answered is not stored twice when it is tried again.
CREATE TABLE batch (
    writer TEXT    PRIMARY KEY,
    no     INTEGER NOT NULL,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
