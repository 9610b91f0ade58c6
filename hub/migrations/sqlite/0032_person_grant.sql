-- What people hold besides the role and site that stand with them in person, which are the first.
CREATE TABLE person_grant (
    person   TEXT NOT NULL REFERENCES person (id),
    role     TEXT NOT NULL,
    site     TEXT NOT NULL,            -- the only one it is for; empty: all
    given_at INTEGER NOT NULL,
    PRIMARY KEY (person, role, site)
) STRICT;
