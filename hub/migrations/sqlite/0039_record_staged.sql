-- Records come in here, in the order of their arrival, and are merged into `record` many at a time. There each agent's records end on a
-- page of their own, and each device's in the index on another: a record that were put there by itself would have both written anew.
CREATE TABLE record_staged (
    n         INTEGER PRIMARY KEY, -- the part of the table that its device belongs to, then the order of arrival
    agent_no  INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    device_no INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    lag       INTEGER NOT NULL,
    reach     INTEGER NOT NULL,
    suspect   INTEGER NOT NULL,
    stated    INTEGER,
    form      INTEGER NOT NULL,
    measured  BLOB    NOT NULL
) STRICT;
