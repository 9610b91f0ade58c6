-- An agent that said that it stops, and was not heard of since: after a restart of the hub too, its silence tells nothing of its site.
ALTER TABLE agent ADD COLUMN stopped BOOLEAN NOT NULL DEFAULT FALSE;
