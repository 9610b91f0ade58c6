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
        self.0.get(&epoch).map_or(0, |numbers| numbers.range(..=last).count() as u64)
    }

    /// The highest number of each epoch.
    pub fn highest(&self) -> Watermarks {
        self.0.iter().filter_map(|(epoch, numbers)| Some((*epoch, *numbers.last()?))).collect()
    }
}

/// The place of the newest record of each device, by its name.
pub type Newest = BTreeMap<String, (u64, u64)>;

/// What became of every record of an agent, by the hub's own account; fails unless it adds up: each is stored once or said to be lost,
/// none is both, and none is missing. Returns how many are stored and how many are lost.
pub fn accounted(api: &Api, site: &str, agent: &str) -> Result<(u64, u64)> {
    let ledger = api.json(&format!("/api/v1/agents/{site}/{agent}"))?["ledger"].clone();
    let count = |name: &str| ledger[name].as_u64().with_context(|| format!("`{name}` in {ledger}"));
    let stored = Delivered::at(api, site, agent)?;
    let mut gone = 0;
    for range in api.all(&format!("/api/v1/agents/{site}/{agent}/lost"))? {
        let number = |name: &str| range[name].as_u64().with_context(|| format!("`{name}` in {range}"));
        let (epoch, from, to) = (number("epoch")?, number("from")?, number("to")?);
        let there = stored.count(epoch, to) - stored.count(epoch, from - 1);
        ensure!(range["reason"] == "gone" && there == 0, "lost and there: {range}");
        gone += to + 1 - from;
    }
    let there = stored.0.values().map(|numbers| numbers.len() as u64).sum();
    ensure!(count("stored")? == there, "{there} are there: {ledger}");
    ensure!(count("lost")? == gone, "{gone} were given up: {ledger}");
    ensure!(count("missing")? == 0 && count("unreadable")? == 0, "something is in neither count: {ledger}");
    ensure!(count("produced")? == there + gone, "produced is not stored and lost: {ledger}");
    Ok((there, gone))
}

/// Fails unless the newest record of each device is stored.
pub fn holds_newest(stored: &Delivered, newest: &Newest) -> Result<()> {
    for (device, (epoch, seq)) in newest {
        let there = stored.0.get(epoch).is_some_and(|numbers| numbers.contains(seq));
        ensure!(there, "the newest state of {device} is lost: record {seq} of epoch {epoch}");
    }
    Ok(())
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
