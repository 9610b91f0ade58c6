-- What people report. A report is an alert that no rule raises and no data clear.

ALTER TABLE alert ADD COLUMN reported INTEGER NOT NULL DEFAULT 0;

CREATE TABLE report (
    id       BLOB    PRIMARY KEY,     -- what is sent twice is one report
    site     TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    thing    TEXT    NOT NULL,        -- what is no device, and where it is, in words
    what     TEXT    NOT NULL,        -- fault, damage or loss
    source   TEXT    NOT NULL,        -- guest, person or program
    reporter TEXT    NOT NULL,        -- by name; empty if not known
    post     TEXT    NOT NULL,        -- what the reporter is; empty if not known
    phone    TEXT    NOT NULL,
    symptoms TEXT    NOT NULL,        -- by name, as the pack had them
    words_zh TEXT    NOT NULL,        -- the symptoms in words
    words_en TEXT    NOT NULL,
    note     TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    alert    BLOB    NOT NULL REFERENCES alert (id),
    ticket   TEXT    REFERENCES ticket (number)
) STRICT;
CREATE INDEX report_by_ticket ON report (ticket, at);
CREATE INDEX report_by_alert ON report (alert, at);

-- Photos: JPEG made by the hub, never the file that was sent.
CREATE TABLE photo (
    id     TEXT    PRIMARY KEY,       -- of what it shows and where it belongs: what is sent twice is there once
    site   TEXT    NOT NULL,
    ticket TEXT    REFERENCES ticket (number),
    report BLOB    REFERENCES report (id),
    stage  TEXT    NOT NULL,          -- report, before or after
    sender TEXT    NOT NULL,          -- by name; empty if not known
    at     INTEGER NOT NULL,
    width  INTEGER NOT NULL,
    height INTEGER NOT NULL,
    jpeg   BLOB    NOT NULL
) STRICT;
CREATE INDEX photo_by_ticket ON photo (ticket, at);
CREATE INDEX photo_by_report ON photo (report, at);
