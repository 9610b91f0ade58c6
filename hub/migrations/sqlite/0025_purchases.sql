-- What is to be bought for a month, and its way along the chain of command.

CREATE TABLE purchase (
    site  TEXT    NOT NULL,
    item  TEXT    NOT NULL,
    month TEXT    NOT NULL,        -- such as 2026-12
    terms TEXT    NOT NULL,        -- what the figure was made of when somebody last edited or submitted it
    steps INTEGER NOT NULL,        -- how many there are: what is decided on something older is refused
    PRIMARY KEY (site, item, month)
) STRICT;

-- What was done with it. Nothing is ever changed.
CREATE TABLE purchase_step (
    site   TEXT    NOT NULL,
    item   TEXT    NOT NULL,
    month  TEXT    NOT NULL,
    no     INTEGER NOT NULL,       -- 1, 2, 3 …
    act    TEXT    NOT NULL,       -- edit, submit, approve or return
    pieces INTEGER NOT NULL,       -- to be bought, from then on
    reason TEXT    NOT NULL,
    who    TEXT    NOT NULL,       -- by name; empty if not known
    post   TEXT    NOT NULL,       -- what they are; empty if not known
    at     INTEGER NOT NULL,
    PRIMARY KEY (site, item, month, no),
    FOREIGN KEY (site, item, month) REFERENCES purchase (site, item, month)
) STRICT;
