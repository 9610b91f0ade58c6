-- What the device of an answer said in figures at that moment: JSON, by fact. Nothing if it was about none, or nothing was known of it.
ALTER TABLE check_answer ADD COLUMN readings TEXT;
