//! The hot path: everything that follows from a batch of messages, in one transaction.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::tz::TimeZone;
use lobby_contract::{AgentId, DeviceId, Lost, SiteId};
use lobby_domain::{
    agent::Agent,
    alert::{ClearReason, Raise, Step},
    device::Device,
    form,
    site::{AlertChange, Changes, NewRecord},
    time::Timestamp,
};

use tokio::time::Instant;

use super::{
    LostReason, Store, StoreError, Trouble, Tx,
    delivery::StreamRow,
    records::{RecordInsert, reach_code},
    rollup,
    staged::{AT_ONCE, Staging},
};
use crate::{audit::Change, failpoint, fleet::Setup};

/// Most forms whose numbers are remembered.
const MOST_FORMS: usize = 10_000;
/// Bytes that a record's measured values usually need at most.
const MEASURED: usize = 24;
/// How long a commit may take. After that its outcome is unknown, and it is tried again on another connection.
const PATIENCE: Duration = Duration::from_secs(15);

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
    /// What people have changed, for the audit log.
    pub told: Vec<Change>,
}

/// What a commit did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// Records that were new to the database; of those that are staged, all.
    pub records: u64,
    /// Alerts raised.
    pub raised: u64,
    /// Alerts cleared.
    pub cleared: u64,
}

/// Where the time of commits has gone since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Making rows of records.
    pub encode: Duration,
    /// Executing statements.
    pub execute: Duration,
    /// Making them durable.
    pub commit: Duration,
    /// Sorting and merging what is staged.
    pub merge: Duration,
}

impl Spent {
    /// What grows with the number of records.
    pub fn work(self) -> Duration {
        self.encode + self.execute
    }
}

/// Stores batches, one at a time. Remembers the numbers by which the database knows agents, devices and forms.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    setup: Arc<Setup>,
    known: Known,
    staging: Option<Staging>,
    spent: Spent,
    code: fn() -> String,
    /// Who this is in `batch`, and the number of the batch under way.
    id: String,
    no: i64,
    /// Whether records could not be stored, as far as is known, and have not been stored since.
    failed: bool,
    /// Whether the last batch met a disk that failed or could not be written.
    troubled: bool,
}

/// Numbers that the database has given.
#[derive(Debug, Default)]
struct Known {
    sites: HashMap<SiteId, KnownSite>,
    forms: HashMap<Box<str>, i64>,
    /// Devices with the hour that has not ended and is noted to be rolled up.
    due: HashMap<i64, i64>,
}

#[derive(Debug, Default)]
struct KnownSite {
    agents: HashMap<AgentId, i64>,
    devices: HashMap<DeviceId, i64>,
}

impl Writer {
    /// A writer that takes the codes of new devices from `code`.
    pub fn new(store: Store, setup: Arc<Setup>, code: fn() -> String) -> Self {
        let mut random = [0; 8];
        getrandom::fill(&mut random).expect("the operating system has random numbers");
        let id = format!("{:016x}", u64::from_le_bytes(random));
        let (known, spent) = (Known::default(), Spent::default());
        Self { store, setup, known, staging: None, spent, code, id, no: 1, failed: false, troubled: false }
    }

    /// Where the time of commits has gone.
    pub fn spent(&self) -> Spent {
        self.spent
    }

    /// Stores batches in one transaction. On failure nothing of them is stored, or, if no answer came, perhaps all. Trying again with
    /// the same batches stores them once.
    pub async fn commit(&mut self, batches: &[Batch], now: Timestamp) -> Result<Committed, StoreError> {
        let done = match tokio::time::timeout(PATIENCE, self.attempt(batches, now)).await {
            Ok(done) => done,
            Err(_) => Err(StoreError::Late { doing: "store a batch", seconds: PATIENCE.as_secs() }),
        };
        if done.is_ok() {
            self.no += 1;
            if std::mem::take(&mut self.troubled) {
                // Others may have opened connections while the disk could only be read: those would never write.
                self.store.reopen();
            }
        }
        let has_records = batches.iter().any(|batch| !batch.changes.records.is_empty());
        self.failed = done.is_err() || (self.failed && !has_records);
        if let Err(error) = &done {
            self.beware(error);
            // Numbers learnt in a transaction that did not happen are no one's.
            self.known = Known::default();
            self.staging = None;
        }
        done
    }

    /// Sorts and merges what is due of what is staged, after a batch of so many records: somewhat more than was stored.
    pub async fn merge(&mut self, stored: usize) -> Result<(), StoreError> {
        let Some(staging) = &mut self.staging else { return Ok(()) };
        let begun = Instant::now();
        let mut moved = 0;
        while moved <= stored {
            let most = stored - moved + AT_ONCE;
            let late = |_| StoreError::Late { doing: "merge staged records", seconds: PATIENCE.as_secs() };
            match tokio::time::timeout(PATIENCE, self.store.move_due(staging, most)).await.map_err(late).flatten() {
                Ok(Some(rows)) => moved += rows,
                Ok(None) => break,
                Err(error) => {
                    self.beware(&error);
                    return Err(error);
                }
            }
        }
        self.spent.merge += begun.elapsed();
        Ok(())
    }

    /// What a connection remembers of a file is not to be trusted after that.
    fn beware(&mut self, error: &StoreError) {
        if matches!(error.trouble(), Trouble::Disk | Trouble::ReadOnly | Trouble::Full) {
            self.store.reopen();
            self.troubled = true;
        }
    }

    /// Merges all that is staged, at the end.
    pub async fn merge_all(&self) -> Result<(), StoreError> {
        self.store.merge_all().await
    }

    /// How many records are staged at most.
    pub fn staged(&self) -> usize {
        self.staging.as_ref().map_or(0, Staging::total)
    }

    async fn attempt(&mut self, batches: &[Batch], now: Timestamp) -> Result<Committed, StoreError> {
        failpoint::pass("storing");
        if self.failed && batches.iter().any(|batch| !batch.changes.records.is_empty()) {
            // By and by, so that little is left to be merged with the batch, and what is done is not done again if that fails.
            self.store.merge_all().await?;
        }
        let mut tx = self.store.begin_batch().await?;
        let hour = rollup::hour_of(now.millis());
        // The key of an old record may be gone by the time that it is tried again.
        let is_old = |new: &NewRecord| rollup::hour_of(new.at.millis()) < hour;
        let once = batches.iter().any(|batch| {
            !batch.changes.alerts.is_empty() || !batch.told.is_empty() || batch.changes.records.iter().any(is_old)
        });
        if once && !tx.claim_batch(&self.id, self.no, now).await? {
            return Ok(Committed::default());
        }
        let (begun, encode) = (Instant::now(), self.spent.encode);
        let done = self.write(&mut tx, batches, now).await?;
        self.spent.execute += begun.elapsed().saturating_sub(self.spent.encode.saturating_sub(encode));
        let begun = Instant::now();
        failpoint::pass("commit");
        tx.commit().await?;
        failpoint::pass("committed");
        self.spent.commit += begun.elapsed();
        Ok(done)
    }

    /// Goes on by `setup`. If its standards are others, open alerts are given the severity that their rules have now.
    pub async fn go_by(&mut self, setup: Arc<Setup>, now: Timestamp) -> Result<(), StoreError> {
        if !Arc::ptr_eq(&self.setup.pack, &setup.pack) {
            self.store.regrade_alerts(&setup, now).await?;
        }
        self.setup = setup;
        Ok(())
    }

    async fn write(&mut self, tx: &mut Tx, batches: &[Batch], now: Timestamp) -> Result<Committed, StoreError> {
        let mut done = Committed::default();
        let count: usize = batches.iter().map(|batch| batch.changes.records.len()).sum();
        let mut rows = Vec::with_capacity(count);
        if count > 0 {
            if self.failed {
                // They may be stored all the same, and staged: once they are merged, they are known by their key.
                tx.merge_all().await?;
            } else if self.staging.is_none() {
                self.staging = tx.staging().await?;
            }
        }
        for batch in batches {
            self.write_fleet(tx, batch).await?;
            self.encode(tx, batch, &mut rows).await?;
        }
        if let Some(staging) = &mut self.staging {
            for row in &mut rows {
                row.staged_as = Some(staging.place(row.device_no, count));
            }
        }
        failpoint::pass("fleet_written");
        done.records = tx.insert_records(&rows, self.staging.is_some()).await?;
        failpoint::pass("records_written");
        let ended = rollup::hour_of(now.millis()).max(self.store.taken() + 1);
        let due = self.known.newly_due(rows.iter().map(|row| (row.device_no, row.at)), ended);
        tx.note_due(&due).await?;
        let mut alerts = batches.iter().flat_map(|batch| &batch.changes.alerts);
        if alerts.any(|change| !matches!(change, AlertChange::Clear(_))) {
            tx.await_openers().await?;
        }
        self.write_streams(tx, batches).await?;
        for batch in batches {
            self.write_delivery(tx, batch, now).await?;
            self.write_alerts(tx, batch, &mut done).await?;
            for unstable in &batch.changes.unstable {
                tx.alert_unstable(&batch.site, unstable).await?;
            }
            // After the alerts of the present, which tell of the same faults better.
            for late in &batch.changes.late {
                if tx.late_alert(&batch.site, late).await? {
                    // Up to its end: those hours may have been rolled up as if nothing had been wrong.
                    let lasted = Raise { at: late.cleared_at, ..late.raise.clone() };
                    tx.note_alert_due(&batch.site, &lasted).await?;
                }
            }
        }
        // Last: see there.
        for change in batches.iter().flat_map(|batch| &batch.told) {
            tx.audit(change).await?;
        }
        Ok(done)
    }

    async fn write_fleet(&mut self, tx: &mut Tx, batch: &Batch) -> Result<(), StoreError> {
        for agent in batch.agents.iter().filter(|agent| batch.changes.agents.contains(&agent.id)) {
            let no = tx.upsert_agent(&batch.site, agent).await?;
            self.known.site(&batch.site).agents.insert(agent.id.clone(), no);
        }
        for device in &batch.devices {
            let no = tx.upsert_device(&batch.site, device, &(self.code)()).await?;
            self.known.site(&batch.site).devices.insert(device.id.clone(), no);
        }
        Ok(())
    }

    /// Makes the rows of a batch's records.
    async fn encode(&mut self, tx: &mut Tx, batch: &Batch, rows: &mut Vec<RecordInsert>) -> Result<(), StoreError> {
        let mut form = String::new();
        let mut begun = Instant::now();
        for new in &batch.changes.records {
            let NewRecord { agent, epoch, record, received_at, at, clock_suspect } = new;
            let mut measured = Vec::with_capacity(MEASURED);
            form.clear();
            form::write(&record.facts, &record.faults, &mut form, &mut measured);
            let found = self.known.find(&batch.site, agent, &record.device, &form);
            let (agent_no, device_no, form) = if let Some(found) = found {
                found
            } else {
                self.spent.encode += begun.elapsed();
                let agent = self.agent_no(tx, &batch.site, agent).await?;
                let device = self.device_no(tx, &batch.site, &record.device).await?;
                let form = self.form_no(tx, &form).await?;
                begun = Instant::now();
                (agent, device, form)
            };
            rows.push(RecordInsert {
                staged_as: None,
                agent_no,
                epoch: i64::try_from(*epoch).unwrap_or(i64::MAX),
                seq: i64::try_from(record.seq).unwrap_or(i64::MAX),
                device_no,
                at: at.millis(),
                lag: received_at.millis().saturating_sub(at.millis()),
                reach: reach_code(record.reach),
                suspect: *clock_suspect,
                stated: Some(record.at.saturating_sub(at.millis())).filter(|apart| *apart != 0),
                form,
                measured,
            });
        }
        self.spent.encode += begun.elapsed();
        Ok(())
    }

    /// What agents of all sites have delivered.
    async fn write_streams(&mut self, tx: &mut Tx, batches: &[Batch]) -> Result<(), StoreError> {
        let mut streams = Vec::new();
        for batch in batches {
            let agents: HashMap<&AgentId, &Agent> = batch.agents.iter().map(|agent| (&agent.id, agent)).collect();
            for (agent, epoch) in &batch.changes.streams {
                let no = self.agent_no(tx, &batch.site, agent).await?;
                if let Some(stream) = agents.get(agent).and_then(|agent| agent.streams.get(epoch)) {
                    streams.extend(StreamRow::of(no, *epoch, stream));
                }
            }
        }
        tx.store_streams(&streams).await
    }

    async fn write_delivery(&mut self, tx: &mut Tx, batch: &Batch, now: Timestamp) -> Result<(), StoreError> {
        for (agent, lost) in &batch.changes.lost {
            let no = self.agent_no(tx, &batch.site, agent).await?;
            tx.store_lost(no, lost, LostReason::Gone, now).await?;
        }
        for (agent, epoch, seq) in &batch.changes.unreadable {
            let no = self.agent_no(tx, &batch.site, agent).await?;
            let one = Lost { epoch: *epoch, from: *seq, to: *seq };
            tx.store_lost(no, &one, LostReason::Unreadable, now).await?;
        }
        for ((subject, rule), kept) in &batch.changes.phases {
            tx.store_phase(&batch.site, subject, rule, *kept).await?;
        }
        for link in &batch.changes.links {
            tx.store_link(&batch.site, link).await?;
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
                    tx.note_alert_due(&batch.site, raise).await?;
                    self.take_step(tx, batch, raise).await?;
                }
                AlertChange::Follow(follow) => {
                    if follow.tell {
                        tx.tell(&batch.site, follow).await?;
                    }
                    self.take_step(tx, batch, follow).await?;
                }
                AlertChange::Unmuted(id, at) => {
                    if let Some(alert) = tx.alert(*id).await?.filter(|alert| alert.cleared_at.is_none()) {
                        tx.unmute(&alert, (*at, *at), &self.setup, true).await?;
                    }
                }
                AlertChange::Clear(clear) => {
                    let Some(cleared) = tx.clear_alert(&batch.site, clear).await? else { continue };
                    done.cleared += 1;
                    if let Some(number) = &cleared.ticket
                        && clear.reason != ClearReason::RuleRemoved
                    {
                        tx.ticket_recovered(number, &self.setup, clear.at).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn take_step(&self, tx: &mut Tx, batch: &Batch, raise: &Raise) -> Result<(), StoreError> {
        match (raise.step, &raise.rule.ticket) {
            (Step::Open, Some(rule)) => {
                let place = (&batch.site, &batch.zone);
                tx.put_on_ticket(raise.id, place, &self.setup, raise, rule).await.map(drop)
            }
            (Step::Victim(source), _) => tx.attach_victim(raise, source).await,
            (Step::None, _) => tx.follow_alert(&batch.site, raise, &self.setup).await,
            (Step::Open, None) | (Step::Later, _) => Ok(()),
        }
    }

    async fn agent_no(&mut self, tx: &mut Tx, site: &SiteId, agent: &AgentId) -> Result<i64, StoreError> {
        if let Some(no) = self.known.site(site).agents.get(agent) {
            return Ok(*no);
        }
        let no = tx.agent_no(site, agent).await?.ok_or_else(|| missing("agent", site, agent))?;
        self.known.site(site).agents.insert(agent.clone(), no);
        Ok(no)
    }

    async fn device_no(&mut self, tx: &mut Tx, site: &SiteId, device: &DeviceId) -> Result<i64, StoreError> {
        if let Some(no) = self.known.site(site).devices.get(device) {
            return Ok(*no);
        }
        let no = tx.device_no(site, device).await?.ok_or_else(|| missing("device", site, device))?;
        self.known.site(site).devices.insert(device.clone(), no);
        Ok(no)
    }

    async fn form_no(&mut self, tx: &mut Tx, form: &str) -> Result<i64, StoreError> {
        if let Some(no) = self.known.forms.get(form) {
            return Ok(*no);
        }
        let no = tx.form_no(form).await?;
        if self.known.forms.len() >= MOST_FORMS {
            self.known.forms.clear();
        }
        self.known.forms.insert(form.into(), no);
        Ok(no)
    }
}

impl Known {
    fn site(&mut self, id: &SiteId) -> &mut KnownSite {
        if !self.sites.contains_key(id) {
            self.sites.insert(id.clone(), KnownSite::default());
        }
        self.sites.get_mut(id).expect("it has just been put in")
    }

    /// The numbers of an agent, a device and a form, if all are known.
    fn find(&self, site: &SiteId, agent: &AgentId, device: &DeviceId, form: &str) -> Option<(i64, i64, i64)> {
        let site = self.sites.get(site)?;
        Some((*site.agents.get(agent)?, *site.devices.get(device)?, *self.forms.get(form)?))
    }

    /// The hours in which these devices' records lie and which are not noted yet. One that began before `ended` is noted each time,
    /// because it may have been rolled up meanwhile.
    fn newly_due(&mut self, records: impl Iterator<Item = (i64, i64)>, ended: i64) -> Vec<(i64, i64)> {
        let mut due = BTreeSet::new();
        for (device, at) in records {
            let hour = rollup::hour_of(at);
            if hour < ended || self.due.insert(device, hour) != Some(hour) {
                due.insert((hour, device));
            }
        }
        due.into_iter().collect()
    }
}

fn missing(table: &'static str, site: &SiteId, id: &dyn std::fmt::Display) -> StoreError {
    StoreError::Inconsistent { table, id: format!("{site}/{id}"), what: "the row is gone".to_owned() }
}
