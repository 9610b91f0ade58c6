-- Deadlines count in hours of service, stand still while others are waited for, and are recorded when they are passed.
-- Times are ms since 1970 UTC.

ALTER TABLE ticket ADD COLUMN waiting_for TEXT NOT NULL DEFAULT '';
ALTER TABLE ticket ADD COLUMN remind_at INTEGER; -- when the next reminder or breach is due; NULL while no clock runs
ALTER TABLE ticket ADD COLUMN reminded TEXT NOT NULL DEFAULT ''; -- the last reminder of each promise: "response:50 arrival:0 …"
CREATE INDEX ticket_by_reminder ON ticket (remind_at) WHERE remind_at IS NOT NULL;

-- Where the ticket stood from an entry on, and its priority; NULL where the entry changed nothing of it.
ALTER TABLE ticket_event ADD COLUMN state TEXT;
ALTER TABLE ticket_event ADD COLUMN priority TEXT;
UPDATE ticket_event SET state = CASE what
    WHEN 'opened' THEN 'new' WHEN 'reopened' THEN 'new' WHEN 'accept' THEN 'accepted' WHEN 'start' THEN 'in_progress'
    WHEN 'finish' THEN 'fixed' WHEN 'confirm' THEN 'closed' ELSE NULL END;
UPDATE ticket_event SET priority = (SELECT t.priority FROM ticket t WHERE t.number = ticket_event.ticket) WHERE what = 'opened';
-- Of what was not noted, where the ticket stands now is known.
UPDATE ticket_event SET state = (SELECT t.state FROM ticket t WHERE t.number = ticket_event.ticket)
    WHERE no = (SELECT MAX(last.no) FROM ticket_event last WHERE last.ticket = ticket_event.ticket);
UPDATE ticket SET remind_at = opened_at WHERE state <> 'closed';

-- Promises that were not kept: once each, and never taken back.
CREATE TABLE breach (
    ticket  TEXT    NOT NULL REFERENCES ticket (number),
    promise TEXT    NOT NULL,
    at      INTEGER  NOT NULL,
    holder  TEXT    NOT NULL, -- who worked the ticket then; empty if nobody had accepted it
    PRIMARY KEY (ticket, promise, at)
) STRICT, WITHOUT ROWID;
