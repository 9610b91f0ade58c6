-- The delivery ledger of each agent's epoch: what does not follow from which records are stored.

ALTER TABLE stream ADD COLUMN heard INTEGER NOT NULL DEFAULT 0; -- the highest seq heard of
ALTER TABLE stream ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stream ADD COLUMN unreadable INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stream ADD COLUMN duplicates INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stream ADD COLUMN resends INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stream ADD COLUMN missing_since INTEGER;
ALTER TABLE stream ADD COLUMN longest_delay_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stream ADD COLUMN delays TEXT NOT NULL DEFAULT ''; -- the longest of each hour of the last day: "hour:ms"

-- Why records were given up: 'gone' from their agent, or 'unreadable'.
ALTER TABLE lost ADD COLUMN reason TEXT NOT NULL DEFAULT 'gone';

-- Ranges that overlap count once.
UPDATE stream SET heard = committed, lost = COALESCE((
    SELECT SUM(CASE WHEN to_seq <= told THEN 0 WHEN from_seq > told THEN to_seq - from_seq + 1 ELSE to_seq - told END)
    FROM (
        SELECT agent_no, epoch, from_seq, to_seq, COALESCE(MAX(to_seq) OVER (
            PARTITION BY agent_no, epoch ORDER BY from_seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS told
        FROM lost
    ) AS ranges
    WHERE ranges.agent_no = stream.agent_no AND ranges.epoch = stream.epoch
), 0);
