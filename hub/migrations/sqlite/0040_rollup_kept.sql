-- Whether all records of an hour are still there, so that it can be made from them anew. They are deleted together, and whatever comes for
-- the hour later is added to what is known of it. Of a day it says nothing.
ALTER TABLE rollup ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;

INSERT INTO record (agent_no, epoch, seq, device_no, at, lag, reach, suspect, stated, form, measured)
SELECT agent_no, epoch, seq, device_no, at, lag, reach, suspect, stated, form, measured FROM record_staged
WHERE TRUE ORDER BY agent_no, epoch, seq, n ON CONFLICT DO NOTHING;
DELETE FROM record_staged;

UPDATE rollup SET kept = 1
WHERE grain = 0 AND (
    records = 0
    OR at >= (SELECT MIN(r.at) - 3599999 FROM record r WHERE r.device_no = rollup.device_no)
        AND records <= (SELECT COUNT(*) FROM record r
            WHERE r.device_no = rollup.device_no AND r.at >= rollup.at AND r.at < rollup.at + 3600000)
);
