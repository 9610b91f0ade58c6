-- Records that were deleted by their age although what their stream has committed does not tell that they were stored: those beyond a gap,
-- those from before its first known one, and those of a stream of which nothing is stored yet. A repeat of one is refused by this alone.
CREATE TABLE record_gone (
    agent_no INTEGER NOT NULL REFERENCES agent (no),
    epoch    INTEGER NOT NULL,
    from_seq INTEGER NOT NULL,
    to_seq   INTEGER NOT NULL,
    PRIMARY KEY (agent_no, epoch, from_seq)
) STRICT, WITHOUT ROWID;
