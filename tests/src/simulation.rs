//! The pure cores of agent and hub under a seeded scheduler: virtual clocks, a network that drops, repeats, reorders and delays, disks
//! that forget what was not synced, and crashes at any step. After every step the promises are checked; at the end, when all faults are
//! healed, everything must have come out right.
//!
//! What runs is the product's own: the agent's spool and session, the hub's site and ticket decisions. What is around them is a model:
//! the disk, the broker, the hub's database. The same seed always gives the same run.

mod agent;
mod broker;
mod bug;
mod disk;
mod faults;
mod hub;
mod oracle;
mod store;
mod world;

use std::fmt;

pub use bug::Bug;

/// What to simulate.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Virtual hours with faults; some time to settle is added.
    pub hours: u32,
    /// A bug to plant.
    pub bug: Option<Bug>,
    /// Whether to keep a trace of everything.
    pub trace: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { hours: 24, bug: None, trace: false }
    }
}

/// What happened in a run that kept every promise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Steps of the scheduler.
    pub steps: u64,
    /// Records that agents made.
    pub records: u64,
    /// Records that agents said to be lost, their disk being full or damaged.
    pub lost: u64,
    /// Records that came to the hub more than once and were refused.
    pub duplicates: u64,
    /// Crashes of agents and of the hub.
    pub crashes: u64,
    /// Alerts raised.
    pub alerts: u64,
    /// A number made of everything that happened: the same for the same seed.
    pub digest: u64,
}

/// A promise that was broken.
#[derive(Debug, Clone)]
pub struct Breach {
    /// The seed of the run.
    pub seed: u64,
    /// When, in virtual ms since the beginning.
    pub at: i64,
    /// What was broken.
    pub what: String,
    /// What had happened, if it was kept.
    pub trace: Vec<String>,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        let (seconds, millis) = (self.at / 1000, self.at % 1000);
        write!(f, "seed {} at {seconds}.{millis:03} s: {}", self.seed, self.what)
    }
}

/// Runs one seed. A breach carries its trace only if [`Options::trace`] is set; running the seed again gives the same run.
pub fn run(seed: u64, options: Options) -> Result<Summary, Box<Breach>> {
    world::World::new(seed, options).run()
}
