//! What of an agent's records is in the hub: all of it, once, and in order?

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{hub::Api, spool::Watermarks};

/// The numbers of one agent's records that are stored, by epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivered(BTreeMap<u64, BTreeSet<u64>>);

impl Delivered {
    /// Of the records of an agent; fails if one is there twice.
    pub fn of(records: &[Value], agent: &str) -> Result<Self> {
        let mut stored = Self::default();
        for record in records.iter().filter(|record| record["agent"] == agent) {
            let (epoch, seq) = place(record)?;
            let is_new = stored.0.entry(epoch).or_default().insert(seq);
            ensure!(is_new, "record {seq} of epoch {epoch} of {agent} is there twice");
        }
        Ok(stored)
    }

    /// Asks the hub for the records of an agent.
    pub fn at(api: &Api, site: &str, agent: &str) -> Result<Self> {
        Self::of(&api.records(site)?, agent)
    }

    /// Whether everything up to `marks` is there, without a gap.
    pub fn holds(&self, marks: &Watermarks) -> bool {
        marks.iter().all(|(epoch, last)| self.count(*epoch, *last) == *last)
    }

    /// How many of the first `last` records of an epoch are there.
    pub fn count(&self, epoch: u64, last: u64) -> u64 {
        self.0.get(&epoch).map_or(0, |numbers| numbers.range(1..=last).count() as u64)
    }

    /// The highest number of each epoch.
    pub fn highest(&self) -> Watermarks {
        self.0.iter().filter_map(|(epoch, numbers)| Some((*epoch, *numbers.last()?))).collect()
    }
}

fn place(record: &Value) -> Result<(u64, u64)> {
    let number = |name: &str| record[name].as_u64().with_context(|| format!("`{name}` in {record}"));
    Ok((number("epoch")?, number("seq")?))
}

/// Fails unless the records of each device, in the order in which its agent numbered them, are also in the order of their times.
pub fn in_order(records: &[Value]) -> Result<()> {
    let mut devices = BTreeMap::<&str, Vec<_>>::new();
    for record in records {
        let device = record["device"].as_str().context("a device")?;
        let at = record["at"].as_i64().context("a time")?;
        devices.entry(device).or_default().push((place(record)?, at));
    }
    for (device, mut records) in devices {
        records.sort_unstable();
        let wrong = records.windows(2).find(|pair: &&[((u64, u64), i64)]| pair[0].1 > pair[1].1);
        ensure!(wrong.is_none(), "the records of {device} are out of order: {wrong:?}");
    }
    Ok(())
}
