-- What was followed up is found by its ticket and by its site and time without reading all that ever was: the figures of a month ask for it.
CREATE INDEX escalation_by_ticket ON escalation (ticket);
CREATE INDEX escalation_by_site ON escalation (site, started_at);
