//! Mistakes that could be in the product, put into the simulation's own adapters: whether the checks find them is how they are checked.

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The hub acknowledges a batch before it is committed.
    AckBeforeCommit,
    /// The disk says that it has synced, and has not.
    SyncLies,
    /// A death is believed whatever session it is of.
    StaleWill,
    /// The database takes a record that it has.
    NoDedupe,
    /// After a start the hub believes that agents are there because they were.
    BelievesLinks,
    /// What arrives of an agent's present run puts off the repeat of what was lost of an earlier one.
    PutsOffBacklog,
}

impl Bug {
    /// Every one of them.
    pub const ALL: [Self; 6] = [
        Self::AckBeforeCommit,
        Self::SyncLies,
        Self::StaleWill,
        Self::NoDedupe,
        Self::BelievesLinks,
        Self::PutsOffBacklog,
    ];

    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AckBeforeCommit => "ack-before-commit",
            Self::SyncLies => "sync-lies",
            Self::StaleWill => "stale-will",
            Self::NoDedupe => "no-dedupe",
            Self::BelievesLinks => "believes-links",
            Self::PutsOffBacklog => "puts-off-backlog",
        }
    }
}
