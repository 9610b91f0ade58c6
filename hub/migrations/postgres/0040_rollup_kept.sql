-- Whether all records of an hour are still there, so that it can be made from them anew. They are deleted together, and whatever comes for
-- the hour later is added to what is known of it. Of a day it says nothing.
ALTER TABLE rollup ADD COLUMN kept BOOLEAN NOT NULL DEFAULT FALSE;

UPDATE rollup SET kept = TRUE
WHERE grain = 0 AND (
    records = 0
    OR at >= (SELECT MIN(r.at) - 3599999 FROM record r WHERE r.device_no = rollup.device_no)
        AND records <= (SELECT COUNT(*) FROM record r
            WHERE r.device_no = rollup.device_no AND r.at >= rollup.at AND r.at < rollup.at + 3600000)
);
