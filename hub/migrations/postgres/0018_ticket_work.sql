-- What people say and find is noted in a ticket's history, and a ticket that is no repair is rejected with a reason.

ALTER TABLE ticket_event ADD COLUMN key UUID; -- of a note: what is sent twice is noted once
CREATE UNIQUE INDEX ticket_event_once ON ticket_event (key) WHERE key IS NOT NULL;

-- Of a repair: why it failed, what was used (a line each), and what it cost in fen (CNY 0.01); NULL where nothing was said.
ALTER TABLE ticket_event ADD COLUMN cause TEXT;
ALTER TABLE ticket_event ADD COLUMN materials TEXT;
ALTER TABLE ticket_event ADD COLUMN cost_fen BIGINT;

-- Why it was closed without a repair: `no_fault_found`, `out_of_scope` or `duplicate`; empty if it was not.
ALTER TABLE ticket ADD COLUMN rejected TEXT NOT NULL DEFAULT '';
ALTER TABLE ticket ADD COLUMN duplicate_of TEXT NOT NULL DEFAULT ''; -- the ticket that has its faults now
