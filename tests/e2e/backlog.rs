//! Records that an agent has gathered while it was offline, as they lie in its spool before it starts.

use anyhow::Result;
use lobby_contract::Record;
use lobby_tests::{agent::Draft, clock, load::display_record, reports::Script, spool};

/// The epoch of the records.
pub const EPOCH: u64 = 5;
/// Between two records, in ms.
const STEP: i64 = 10;
/// How long before now the last of them was made, in ms.
const AGE: i64 = 3_600_000;

/// A backlog.
#[derive(Debug, Clone, Copy)]
pub struct Backlog {
    count: u64,
    first_at: i64,
}

impl Backlog {
    /// Puts `count` records of ten displays into the spool of an agent that is about to start.
    pub fn of(agent: &Draft, count: u64) -> Result<Self> {
        let span = i64::try_from(count)? * STEP;
        let this = Self { count, first_at: clock::now_ms() - AGE - span };
        // Only the facts are taken from it.
        let mut script = Script::new("any", "any");
        let records = (1..=count).map(|seq| Record {
            seq,
            at: this.at(seq),
            ..display_record(&mut script, &format!("led-{}", seq % 10), seq)
        });
        spool::fill(&agent.state_dir(), EPOCH, records)?;
        Ok(this)
    }

    /// When a record was made.
    pub fn at(self, seq: u64) -> i64 {
        self.first_at + i64::try_from(seq).unwrap_or(0) * STEP
    }

    /// When the last record was made.
    pub fn last_at(self) -> i64 {
        self.at(self.count)
    }

    /// The numbers that must be there in the end.
    pub fn marks(self) -> spool::Watermarks {
        [(EPOCH, self.count)].into()
    }
}
