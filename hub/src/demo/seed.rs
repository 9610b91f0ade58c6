//! Stores the demonstration's made-up month before the hub starts, as if its agents had reported it in an earlier epoch.

use std::{collections::BTreeMap, sync::Arc};

use lobby_contract::{AgentId, DeviceId, Record};
use lobby_domain::{
    agent::Agent,
    delivery::Stream,
    device::Device,
    pack::Pack,
    site::{Changes, NewRecord},
    time::Timestamp,
};

use super::{Demo, agents, history};
use crate::{
    config::{File, SiteConfig},
    store::{Batch, Store, StoreError, Writer},
};

/// The epoch of the made-up month: agents count theirs from 1.
const EPOCH: u64 = 0;

/// The configuration of a hub that shows the demonstration.
pub fn settings() -> File {
    let demo = Demo::default();
    let site = SiteConfig { name: Some(demo.name.zh.to_string()), hours: None };
    File { zone: Some("Asia/Shanghai".to_owned()), site: BTreeMap::from([(demo.site, site)]), ..File::default() }
}

/// Stores the month up to `now` in one transaction. `code` makes the codes of devices' pages.
pub async fn store_history(
    store: &Store,
    pack: &Arc<Pack>,
    code: fn() -> String,
    now: Timestamp,
) -> Result<(), StoreError> {
    let demo = Demo::default();
    let mut changes = Changes::default();
    let mut agents: BTreeMap<AgentId, Agent> = BTreeMap::new();
    let mut devices: BTreeMap<DeviceId, Device> = BTreeMap::new();
    for made_up in history(now) {
        let id = agents::watching(&made_up.device);
        let agent = agents.entry(id.clone()).or_insert_with(|| Agent::new(id.clone(), now));
        let stream = agent.streams.entry(EPOCH).or_insert_with(|| Stream::restored(0, 0));
        let seq = stream.committed().unwrap_or(0) + 1;
        stream.take(seq);
        devices.entry(made_up.device.clone()).or_insert_with(|| Device::new(made_up.device.clone(), id.clone()));
        let record = Record {
            seq,
            at: made_up.at.millis(),
            device: made_up.device,
            reach: made_up.reach,
            facts: made_up.facts,
            faults: Vec::new(),
        };
        changes.records.push(NewRecord { agent: id, epoch: EPOCH, record, received_at: made_up.at, at: made_up.at });
    }
    changes.agents.extend(agents.keys().cloned());
    changes.devices.extend(devices.keys().cloned());
    changes.streams.extend(agents.keys().map(|agent| (agent.clone(), EPOCH)));
    let batch = Batch {
        site: demo.site,
        zone: demo.calendar.zone().clone(),
        changes,
        agents: agents.into_values().collect(),
        devices: devices.into_values().collect(),
    };
    Writer::new(store.clone(), Arc::clone(pack), code).commit(&[batch], now).await.map(drop)
}
