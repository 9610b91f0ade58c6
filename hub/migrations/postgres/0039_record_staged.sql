-- Where SQLite takes records in before it merges them into `record`. PostgreSQL gathers what it writes by itself: here the table is there
-- so that either database takes the other's backup, and stays empty.
CREATE TABLE record_staged (
    n         BIGINT   PRIMARY KEY,
    agent_no  INT      NOT NULL,
    epoch     BIGINT   NOT NULL,
    seq       BIGINT   NOT NULL,
    device_no INT      NOT NULL,
    at        BIGINT   NOT NULL,
    lag       BIGINT   NOT NULL,
    reach     SMALLINT NOT NULL,
    suspect   BOOLEAN  NOT NULL,
    stated    BIGINT,
    form      INT      NOT NULL,
    measured  BYTEA    NOT NULL
);
