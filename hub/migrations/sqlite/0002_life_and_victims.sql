-- Where a device stands in its life, and alerts that are consequences of others.
ALTER TABLE device ADD COLUMN life TEXT NOT NULL DEFAULT 'live';

-- The alert whose ticket this one shares, as its consequence.
ALTER TABLE alert ADD COLUMN victim_of BLOB;
CREATE INDEX alert_by_cause ON alert (victim_of) WHERE victim_of IS NOT NULL;
