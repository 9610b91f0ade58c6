-- By how many ms an agent's clock was behind when that was last plain: after a restart of the hub, messages that waited in the broker look like
-- those of a slow clock.
ALTER TABLE agent ADD COLUMN clock_behind_ms BIGINT;
