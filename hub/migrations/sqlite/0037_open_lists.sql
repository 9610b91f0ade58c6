-- What is open is listed, counted and put in order, of a site and of all, without reading what ever was.
CREATE INDEX alert_open_by_time ON alert (opened_at, id) WHERE cleared_at IS NULL;
CREATE INDEX alert_open_of_site ON alert (site, opened_at, id, severity, since) WHERE cleared_at IS NULL;
CREATE INDEX ticket_open_by_time ON ticket (opened_at, number) WHERE state <> 'closed';
