//! Stores the demonstration's made-up month before the hub starts, as if its agents had reported it in an earlier epoch.

use std::{collections::BTreeMap, sync::Arc};

use jiff::tz::TimeZone;
use lobby_contract::{AgentId, DeviceId, Record};
use lobby_domain::{
    agent::Agent,
    delivery::Stream,
    device::Device,
    site::{Changes, NewRecord},
    time::{Span, Timestamp},
};

use super::{Demo, HistoryRecord, agents, history, staff::Fillings};
use crate::{
    config::{File, SiteConfig, Zone},
    fleet::Setup,
    store::{Batch, Store, Writer},
};

/// The epoch of the made-up month: agents count theirs from 1.
const EPOCH: u64 = 0;
/// The month has a record of each device every ten minutes.
const PAST_GAP: Span = Span::from_mins(12);
/// Records of one commit.
const PART: usize = 2000;

/// The configuration of a hub that shows the demonstration.
pub fn settings() -> File {
    let demo = Demo::default();
    let site = SiteConfig { name: Some(demo.name.zh.to_string()), least_gap: PAST_GAP, ..SiteConfig::default() };
    File {
        zone: TimeZone::get("Asia/Shanghai").ok().map(Zone),
        site: BTreeMap::from([(demo.site, site)]),
        ..File::default()
    }
}

/// Stores the month up to `now`, with the ledger of what was filled into the machines, a part at a time: as a whole it would take the memory of a hub with ten thousand devices. `code` makes
/// the codes of devices' pages.
pub async fn store_history(
    store: &Store,
    setup: Arc<Setup>,
    code: fn() -> String,
    now: Timestamp,
) -> anyhow::Result<()> {
    let mut writer = Writer::new(store.clone(), setup, code);
    let (mut month, mut fillings) = (Month::default(), Fillings::default());
    for made_up in history(now) {
        fillings.see(&made_up);
        month.add(made_up, now);
        if month.changes.records.len() == PART {
            writer.commit(&[month.part()], now).await?;
        }
    }
    writer.commit(&[month.part()], now).await?;
    Ok(fillings.enter(store).await?)
}

/// What has been made up of the month.
#[derive(Default)]
struct Month {
    changes: Changes,
    agents: BTreeMap<AgentId, Agent>,
    devices: BTreeMap<DeviceId, Device>,
}

impl Month {
    fn add(&mut self, made_up: HistoryRecord, now: Timestamp) {
        let id = agents::watching(&made_up.device);
        let agent = self.agents.entry(id.clone()).or_insert_with(|| Agent::new(id.clone(), now));
        let stream = agent.streams.entry(EPOCH).or_insert_with(|| Stream::restored(0, 0));
        let seq = stream.committed().unwrap_or(0) + 1;
        stream.take(seq);
        self.devices.entry(made_up.device.clone()).or_insert_with(|| Device::new(made_up.device.clone(), id.clone()));
        let record = Record {
            seq,
            at: made_up.at.millis(),
            device: made_up.device,
            reach: made_up.reach,
            facts: made_up.facts,
            faults: Vec::new(),
        };
        self.changes.records.push(NewRecord {
            agent: id,
            epoch: EPOCH,
            record,
            received_at: made_up.at,
            at: made_up.at,
            clock_suspect: false,
        });
    }

    /// What has been added since the last part.
    fn part(&mut self) -> Batch {
        let demo = Demo::default();
        let mut changes = std::mem::take(&mut self.changes);
        changes.agents.extend(self.agents.keys().cloned());
        changes.devices.extend(self.devices.keys().cloned());
        changes.streams.extend(self.agents.keys().map(|agent| (agent.clone(), EPOCH)));
        Batch {
            site: demo.site,
            zone: demo.calendar.zone().clone(),
            changes,
            agents: self.agents.values().cloned().collect(),
            devices: self.devices.values().cloned().collect(),
            told: Vec::new(),
        }
    }
}
