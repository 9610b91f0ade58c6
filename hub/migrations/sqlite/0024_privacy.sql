-- What is kept of people no longer than it is needed.

CREATE INDEX report_with_phone ON report (at) WHERE phone <> '';
