-- A restart forgets no turns: an alert that comes and goes is not told as unstable once more.

ALTER TABLE rule_phase ADD COLUMN flaps INTEGER NOT NULL DEFAULT 0; -- a bit for each of the last 20 samples, whether it turned, and above them whether it flaps
