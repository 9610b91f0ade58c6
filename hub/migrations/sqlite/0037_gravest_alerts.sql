-- The gravest open alerts are found, of a site and of all, without reading each.
CREATE INDEX alert_gravest ON alert (site, severity, since, id) WHERE cleared_at IS NULL;
