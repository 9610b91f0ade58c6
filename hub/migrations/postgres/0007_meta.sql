-- Whose database this is, so that another one, or an empty one, is never taken for it. One row.
CREATE TABLE meta (
    one          BIGINT PRIMARY KEY CHECK (one = 1),
    installation UUID   NOT NULL,
    created_at   BIGINT NOT NULL,
    written_by   TEXT   NOT NULL, -- the version of the product that last wrote here
    starts       BIGINT NOT NULL  -- grows by one at each start: an old copy has fewer
);
