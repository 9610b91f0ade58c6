-- A photo small enough for a list; of those kept before, it is made when it is first asked for.
ALTER TABLE photo ADD COLUMN small BYTEA;
