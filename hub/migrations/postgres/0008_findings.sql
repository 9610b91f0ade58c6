-- The product's own troubles, so that a restart forgets neither since when they last nor what somebody chose to ignore.

CREATE TABLE finding (
    domain     TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    severity   TEXT    NOT NULL,
    details    TEXT    NOT NULL,
    since      BIGINT  NOT NULL,
    persistent BOOLEAN NOT NULL,
    ignored    BOOLEAN NOT NULL,
    PRIMARY KEY (domain, id)
);

-- One row that is written when nothing else is, to see whether the database can be written.
CREATE TABLE pulse (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    at  BIGINT NOT NULL
);

-- The last batch with alerts of each writer: one whose commit was not answered is not stored twice when it is tried again.
CREATE TABLE batch (
    writer TEXT   PRIMARY KEY,
    no     BIGINT NOT NULL,
    at     BIGINT NOT NULL
);
