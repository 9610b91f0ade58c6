-- Who is on duty, at which post of a site, from when until when.

-- Sites that were given a roster. An import holds its site's row, so that one comes after the other.
CREATE TABLE roster (
    site         TEXT PRIMARY KEY,
    changed_at   BIGINT NOT NULL
);

CREATE TABLE duty (
    site         TEXT NOT NULL,
    day          TEXT NOT NULL,         -- at the site, such as 2026-12-01: the day whose shift it is
    post         TEXT NOT NULL,
    person       TEXT NOT NULL REFERENCES person (id),
    starts_at    BIGINT NOT NULL,
    ends_at      BIGINT NOT NULL,
    place        BIGINT NOT NULL,      -- among those of its day and post: the first answers for the post
    PRIMARY KEY (site, day, post, person, starts_at),
    CHECK (starts_at < ends_at)
);

CREATE INDEX duty_of_site ON duty (site, ends_at);
