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

-- Since when anybody can agree to statements, where stock was kept before that: what was due earlier is asked of nobody.
CREATE TABLE statement_since (
    at BIGINT NOT NULL
);
INSERT INTO statement_since (at) SELECT CAST(extract(epoch FROM now()) * 1000 AS BIGINT) WHERE EXISTS (SELECT 1 FROM stock_entry);
