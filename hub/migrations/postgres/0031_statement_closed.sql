-- Statements of an item's month that somebody has looked at and agreed to.
CREATE TABLE statement_closed (
    site  TEXT    NOT NULL,
    item  TEXT    NOT NULL,
    month TEXT    NOT NULL,        -- such as 2026-11
    who   TEXT    NOT NULL,        -- by name; empty if not known
    post  TEXT    NOT NULL,        -- what they are; empty if not known
    at    BIGINT NOT NULL,
    PRIMARY KEY (site, item, month)
);
