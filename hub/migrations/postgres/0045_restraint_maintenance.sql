-- A maintenance window that ended is looked for by its end, where another one may have gone on from it.
CREATE INDEX restraint_maintenance ON restraint (ends_at) WHERE kind = 'maintenance';
