-- What is kept of people no longer than it is needed.

CREATE INDEX report_with_phone ON report (at) WHERE phone <> '';

-- Somebody who was erased keeps a row, without anything that names them, because history refers to it.
ALTER TABLE person ADD COLUMN erased_at BIGINT;
