//! The hot path: everything that follows from a batch of messages, in one transaction.

use std::{collections::HashMap, sync::Arc};

use jiff::tz::TimeZone;
use lobby_contract::{AgentId, DeviceId, SiteId};
use lobby_domain::{
    agent::Agent,
    alert::{ClearReason, Raise, Step},
    device::Device,
    pack::Pack,
    site::{AlertChange, Changes},
    time::Timestamp,
};

use super::{
    Store, StoreError, Tx,
    records::{RecordInsert, reach_code},
};

/// What is to be stored of one site.
#[derive(Debug)]
pub struct Batch {
    /// The site.
    pub site: SiteId,
    /// Its time zone, for ticket numbers.
    pub zone: TimeZone,
    /// What follows from its messages.
    pub changes: Changes,
    /// The agents of `changes`, as they are now.
    pub agents: Vec<Agent>,
    /// The devices of `changes`, as they are now.
    pub devices: Vec<Device>,
}

/// What a commit did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// Records that were new to the database.
    pub records: u64,
    /// Alerts raised.
    pub raised: u64,
    /// Alerts cleared.
    pub cleared: u64,
}

/// Stores batches, one at a time. Remembers the numbers by which the database knows agents and devices.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    pack: Arc<Pack>,
    agents: HashMap<(SiteId, AgentId), i64>,
    devices: HashMap<(SiteId, DeviceId), i64>,
    code: fn() -> String,
}

impl Writer {
    /// A writer that takes the codes of new devices from `code`.
    pub fn new(store: Store, pack: Arc<Pack>, code: fn() -> String) -> Self {
        Self { store, pack, agents: HashMap::new(), devices: HashMap::new(), code }
    }

    /// Stores batches in one transaction. On failure nothing of them is stored; trying again is safe.
    pub async fn commit(&mut self, batches: &[Batch], now: Timestamp) -> Result<Committed, StoreError> {
        let mut tx = self.store.begin().await?;
        let written = self.write(&mut tx, batches, now).await;
        let done = match written {
            Ok(done) => tx.commit().await.map(|()| done),
            Err(error) => Err(error),
        };
        if done.is_err() {
            // Numbers learnt in a transaction that did not happen are no one's.
            self.agents.clear();
            self.devices.clear();
        }
        done
    }

    async fn write(&mut self, tx: &mut Tx, batches: &[Batch], now: Timestamp) -> Result<Committed, StoreError> {
        let mut done = Committed::default();
        let mut rows = Vec::with_capacity(batches.iter().map(|batch| batch.changes.records.len()).sum());
        for batch in batches {
            self.write_fleet(tx, batch).await?;
            for new in &batch.changes.records {
                let record = &new.record;
                rows.push(RecordInsert {
                    agent_no: self.agent_no(tx, &batch.site, &new.agent).await?,
                    epoch: i64::try_from(new.epoch).unwrap_or(i64::MAX),
                    seq: i64::try_from(record.seq).unwrap_or(i64::MAX),
                    device_no: self.device_no(tx, &batch.site, &record.device).await?,
                    at: new.at.millis(),
                    received_at: new.received_at.millis(),
                    reach: reach_code(record.reach),
                    facts: json(&record.facts),
                    faults: if record.faults.is_empty() { "[]".to_owned() } else { json(&record.faults) },
                });
            }
        }
        done.records = tx.insert_records(&rows).await?;
        for batch in batches {
            self.write_delivery(tx, batch, now).await?;
            self.write_alerts(tx, batch, &mut done).await?;
        }
        Ok(done)
    }

    async fn write_fleet(&mut self, tx: &mut Tx, batch: &Batch) -> Result<(), StoreError> {
        for agent in batch.agents.iter().filter(|agent| batch.changes.agents.contains(&agent.id)) {
            let no = tx.upsert_agent(&batch.site, agent).await?;
            self.agents.insert((batch.site.clone(), agent.id.clone()), no);
        }
        for device in &batch.devices {
            let no = tx.upsert_device(&batch.site, device, &(self.code)()).await?;
            self.devices.insert((batch.site.clone(), device.id.clone()), no);
        }
        Ok(())
    }

    async fn write_delivery(&mut self, tx: &mut Tx, batch: &Batch, now: Timestamp) -> Result<(), StoreError> {
        for (agent, epoch) in &batch.changes.streams {
            let no = self.agent_no(tx, &batch.site, agent).await?;
            let stream =
                batch.agents.iter().find(|known| known.id == *agent).and_then(|known| known.streams.get(epoch));
            if let Some(stream) = stream {
                tx.store_stream(no, *epoch, stream).await?;
            }
        }
        for (agent, lost) in &batch.changes.lost {
            let no = self.agent_no(tx, &batch.site, agent).await?;
            tx.store_lost(no, lost, now).await?;
        }
        for ((subject, rule), phase) in &batch.changes.phases {
            tx.store_phase(&batch.site, subject, rule, *phase).await?;
        }
        Ok(())
    }

    async fn write_alerts(&mut self, tx: &mut Tx, batch: &Batch, done: &mut Committed) -> Result<(), StoreError> {
        for change in &batch.changes.alerts {
            match change {
                AlertChange::Raise(raise) => {
                    if !tx.raise_alert(&batch.site, raise).await? {
                        continue;
                    }
                    done.raised += 1;
                    self.take_step(tx, batch, raise).await?;
                }
                AlertChange::Follow(follow) => {
                    if follow.tell {
                        tx.tell(&batch.site, follow).await?;
                    }
                    self.take_step(tx, batch, follow).await?;
                }
                AlertChange::Clear(clear) => {
                    let Some(cleared) = tx.clear_alert(&batch.site, clear).await? else { continue };
                    done.cleared += 1;
                    if let Some(number) = &cleared.ticket
                        && clear.reason == ClearReason::Recovered
                    {
                        tx.ticket_recovered(number, clear.at).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn take_step(&self, tx: &mut Tx, batch: &Batch, raise: &Raise) -> Result<(), StoreError> {
        match (raise.step, &raise.rule.ticket) {
            (Step::Open, Some(rule)) => {
                let number = tx.ticket_for(&batch.site, &batch.zone, &self.pack, raise, rule).await?;
                tx.attach_alert(raise.id, &number).await
            }
            (Step::Victim(source), _) => tx.attach_victim(raise, source).await,
            (Step::Open, None) | (Step::None | Step::Later, _) => Ok(()),
        }
    }

    async fn agent_no(&mut self, tx: &mut Tx, site: &SiteId, agent: &AgentId) -> Result<i64, StoreError> {
        let key = (site.clone(), agent.clone());
        if let Some(no) = self.agents.get(&key) {
            return Ok(*no);
        }
        let no = tx.agent_no(site, agent).await?.ok_or_else(|| missing("agent", site, agent))?;
        self.agents.insert(key, no);
        Ok(no)
    }

    async fn device_no(&mut self, tx: &mut Tx, site: &SiteId, device: &DeviceId) -> Result<i64, StoreError> {
        let key = (site.clone(), device.clone());
        if let Some(no) = self.devices.get(&key) {
            return Ok(*no);
        }
        let no = tx.device_no(site, device).await?.ok_or_else(|| missing("device", site, device))?;
        self.devices.insert(key, no);
        Ok(no)
    }
}

fn missing(table: &'static str, site: &SiteId, id: &dyn std::fmt::Display) -> StoreError {
    StoreError::Inconsistent { table, id: format!("{site}/{id}"), what: "the row is gone".to_owned() }
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("facts have string keys and finite numbers only")
}
