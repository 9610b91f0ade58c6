-- How it was shown that whoever repairs has reached the device; empty where nobody asked yet, and of what has no label.
ALTER TABLE ticket ADD COLUMN arrival TEXT NOT NULL DEFAULT '';
ALTER TABLE ticket_event ADD COLUMN arrival TEXT NOT NULL DEFAULT '';
