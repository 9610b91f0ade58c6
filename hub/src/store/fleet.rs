//! What a restart goes on from: agents with what they have delivered, devices with their last record, and rules that are not at rest.

use std::collections::{BTreeMap, HashMap};

use lobby_contract::{AgentId, DeviceId, SiteId};
use lobby_domain::{
    agent::{Agent, Clock},
    alert::{AlertId, Subject},
    condition::Sample,
    device::{Device, Last, Life},
    flaps::Flaps,
    rule::{Kept, Phase},
    said::Said,
    site::{OpenAlert, Stored},
    time::{Span, Timestamp},
    trace::Received,
};

use uuid::Uuid;

use super::{
    Store, StoreError, Tx, on,
    records::{Forms, reach_from},
    statements,
};

statements! {
    SITES = "SELECT DISTINCT site FROM agent ORDER BY site";
    UPSERT_AGENT = "INSERT INTO agent (site, id, version, epoch, session, queued, heartbeat_ms, last_seen, stopped, clock_behind_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (site, id) DO UPDATE SET version = excluded.version, epoch = excluded.epoch, session = excluded.session,
            queued = excluded.queued, heartbeat_ms = excluded.heartbeat_ms, last_seen = excluded.last_seen,
            stopped = excluded.stopped, clock_behind_ms = excluded.clock_behind_ms
        RETURNING no";
    AGENT_NO = "SELECT no FROM agent WHERE site = $1 AND id = $2";
    AGENTS = "SELECT no, id, version, epoch, session, queued, heartbeat_ms, last_seen, stopped, clock_behind_ms
        FROM agent WHERE site = $1 ORDER BY id";
    UPSERT_DEVICE = "INSERT INTO device (site, id, code, kind, name, place, agent, every_ms, announced, life)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (site, id) DO UPDATE SET kind = excluded.kind, name = excluded.name, place = excluded.place,
            agent = excluded.agent, every_ms = excluded.every_ms, announced = excluded.announced,
            life = excluded.life
        RETURNING no";
    DEVICE_NO = "SELECT no FROM device WHERE site = $1 AND id = $2";
    DEVICES = "SELECT no, id, kind, name, place, agent, every_ms, announced, life FROM device WHERE site = $1 ORDER BY id";
    CODES = "SELECT code, site, id FROM device";
    CODE = "SELECT code FROM device WHERE site = $1 AND id = $2";
    // A printed label leads to the device that it was bound to, or that its item is.
    BY_CODE = "SELECT site, id FROM device WHERE code = $1
        UNION ALL SELECT site, device FROM register_label WHERE code = $1 AND device IS NOT NULL AND NOT voided
        UNION ALL SELECT l.site, i.device FROM register_label l JOIN register_item i ON i.site = l.site AND i.nth = l.nth
            WHERE l.code = $1 AND i.device IS NOT NULL AND NOT l.voided LIMIT 1";
    NEWEST_RECORDS = "SELECT d.no, CAST(r.agent_no AS BIGINT) AS agent_no, r.epoch, r.seq, r.at, r.lag, CAST(r.reach AS BIGINT) AS reach,
            CAST(r.form AS BIGINT) AS form, r.measured
        FROM device d JOIN record r ON r.device_no = d.no AND r.at = (SELECT MAX(at) FROM record WHERE device_no = d.no)
        WHERE d.site = $1";
    // A clock that is set makes a later record look older: what counts is the order in which the agent made them.
    LATEST_RECORDS = "SELECT CAST(r.device_no AS BIGINT) AS no, CAST(r.agent_no AS BIGINT) AS agent_no, r.epoch, r.seq, r.at, r.lag,
            CAST(r.reach AS BIGINT) AS reach, CAST(r.form AS BIGINT) AS form, r.measured
        FROM record r WHERE r.agent_no = $1 ORDER BY r.epoch DESC, r.seq DESC LIMIT 300";
    PAST_RECORDS = "SELECT CAST(r.device_no AS BIGINT) AS no, CAST(r.agent_no AS BIGINT) AS agent_no, r.epoch, r.seq, r.at, r.lag,
            CAST(r.reach AS BIGINT) AS reach, CAST(r.form AS BIGINT) AS form, r.measured
        FROM record r WHERE r.agent_no = $1 AND r.epoch = $2 AND r.seq <= $3 ORDER BY r.seq DESC LIMIT $4";
    NEWEST_RECORD = "SELECT d.no, CAST(r.agent_no AS BIGINT) AS agent_no, r.epoch, r.seq, r.at, r.lag, CAST(r.reach AS BIGINT) AS reach,
            CAST(r.form AS BIGINT) AS form, r.measured
        FROM device d JOIN (SELECT * FROM record WHERE device_no = $1 AND agent_no = $2
            ORDER BY at DESC, epoch DESC, seq DESC LIMIT 1000) r ON r.device_no = d.no
        WHERE r.lag <= $3 ORDER BY r.at DESC, r.epoch DESC, r.seq DESC LIMIT 1";
    SET_PHASE = "INSERT INTO rule_phase (site, subject, rule, phase, since, better, held_ms, bad_samples, flaps)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (site, subject, rule) DO UPDATE SET phase = excluded.phase, since = excluded.since, better = excluded.better,
            held_ms = excluded.held_ms, bad_samples = excluded.bad_samples, flaps = excluded.flaps";
    REST = "DELETE FROM rule_phase WHERE site = $1 AND subject = $2 AND rule = $3";
    PHASES = "SELECT subject, rule, phase, since, better, held_ms, bad_samples, flaps FROM rule_phase WHERE site = $1";
    // What people report, and stock, is in no rule's memory: nothing there would clear it, or keep it open.
    OPEN_ALERTS = "SELECT id, subject, rule, since, opened_at, ticket IS NOT NULL, victim_of FROM alert
        WHERE site = $1 AND cleared_at IS NULL AND rule NOT LIKE '%/%'";
}

/// The most records of one stream that are looked at again: what began before them is taken to have begun with them.
const MOST_PAST: i64 = 3000;
/// A stream of which nothing came for so long before its agent's last word is done with.
const DONE_AFTER: Span = Span::from_mins(10);

type AgentRaw = (i64, String, String, i64, i64, i64, i64, Option<i64>, bool, Option<i64>);
type DeviceRaw = (i64, String, String, String, String, String, i64, bool, String);
type PhaseRaw = (String, String, String, i64, Option<i64>, i64, i64, i64);
type OpenAlertRaw = (Uuid, String, String, i64, i64, bool, Option<Uuid>);

/// A record that may be its device's last.
#[derive(sqlx::FromRow)]
struct LastRaw {
    no: i64,
    agent_no: i64,
    epoch: i64,
    seq: i64,
    at: i64,
    lag: i64,
    reach: i64,
    form: i64,
    measured: Vec<u8>,
}

fn bad(table: &'static str, id: &str, what: &impl ToString) -> StoreError {
    StoreError::Inconsistent { table, id: id.to_owned(), what: what.to_string() }
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Numbers above what a signed 64-bit integer holds are refused by the contract's decoder.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn phase_from(phase: &str, since: i64, better: Option<i64>) -> Option<Phase> {
    let since = Timestamp::from_millis(since);
    match (phase, better) {
        ("pending", _) => Some(Phase::Pending { since }),
        ("firing", _) => Some(Phase::Firing { since }),
        ("recovering", Some(better)) => Some(Phase::Recovering { since, better: Timestamp::from_millis(better) }),
        _ => None,
    }
}

impl Tx {
    pub(super) async fn upsert_agent(&mut self, site: &SiteId, agent: &Agent) -> Result<i64, StoreError> {
        on!(self, "store an agent", conn => sqlx::query_scalar(UPSERT_AGENT)
            .bind(site.as_str()).bind(agent.id.as_str()).bind(&*agent.version).bind(signed(agent.epoch))
            .bind(i64::from(agent.session)).bind(signed(agent.queued)).bind(agent.heartbeat.millis())
            .bind(agent.last_seen.map(Timestamp::millis)).bind(agent.stopped).bind(agent.clock.noted())
            .fetch_one(conn).await)
    }

    pub(super) async fn agent_no(&mut self, site: &SiteId, agent: &AgentId) -> Result<Option<i64>, StoreError> {
        on!(self, "look up an agent", conn => sqlx::query_scalar(AGENT_NO).bind(site.as_str()).bind(agent.as_str())
            .fetch_optional(conn).await)
    }

    pub(super) async fn upsert_device(
        &mut self,
        site: &SiteId,
        device: &Device,
        code: &str,
    ) -> Result<i64, StoreError> {
        on!(self, "store a device", conn => sqlx::query_scalar(UPSERT_DEVICE)
            .bind(site.as_str()).bind(device.id.as_str()).bind(code).bind(&*device.kind).bind(&*device.name)
            .bind(&*device.place).bind(device.agent.as_str()).bind(device.every.millis()).bind(device.announced).bind(device.life.as_str())
            .fetch_one(conn).await)
    }

    pub(super) async fn device_no(&mut self, site: &SiteId, device: &DeviceId) -> Result<Option<i64>, StoreError> {
        on!(self, "look up a device", conn => sqlx::query_scalar(DEVICE_NO).bind(site.as_str()).bind(device.as_str())
            .fetch_optional(conn).await)
    }

    pub(super) async fn store_phase(
        &mut self,
        site: &SiteId,
        subject: &Subject,
        rule: &str,
        kept: Kept,
    ) -> Result<(), StoreError> {
        let (name, since, better) = match kept.phase {
            Phase::Ok => {
                return on!(self, "forget a rule's phase", conn => sqlx::query(REST).bind(site.as_str())
                    .bind(subject.to_string()).bind(rule).execute(conn).await.map(drop));
            }
            Phase::Pending { since } => ("pending", since, None),
            Phase::Firing { since } => ("firing", since, None),
            Phase::Recovering { since, better } => ("recovering", since, Some(better.millis())),
        };
        on!(self, "store a rule's phase", conn => sqlx::query(SET_PHASE).bind(site.as_str()).bind(subject.to_string())
            .bind(rule).bind(name).bind(since.millis()).bind(better).bind(kept.held.millis()).bind(i64::from(kept.bad))
            .bind(i64::from(kept.flaps.packed())).execute(conn).await.map(drop))
    }

    async fn load_agent(&mut self, raw: AgentRaw) -> Result<Agent, StoreError> {
        let (no, id, version, epoch, session, queued, heartbeat, last_seen, stopped, clock_behind) = raw;
        let name: AgentId = id.parse().map_err(|error| bad("agent", &id, &error))?;
        let mut agent = Agent::new(name, Timestamp::default());
        agent.version = version.into();
        agent.epoch = unsigned(epoch);
        agent.session = u32::try_from(session).unwrap_or(u32::MAX);
        agent.queued = unsigned(queued);
        agent.heartbeat = Span::from_millis(heartbeat);
        agent.last_seen = last_seen.map(Timestamp::from_millis);
        agent.stopped = stopped;
        agent.clock = Clock::restored(clock_behind);
        self.load_streams(no, &mut agent).await?;
        Ok(agent)
    }

    async fn load_device(
        &mut self,
        raw: DeviceRaw,
        agents: &HashMap<AgentId, i64>,
        newest: &BTreeMap<i64, Vec<LastRaw>>,
        forms: &mut Forms,
    ) -> Result<Device, StoreError> {
        let (no, id, kind, name, place, agent, every, announced, life) = raw;
        let wrong = |error| bad("device", &id, &error);
        let mut device =
            Device::new(id.parse().map_err(wrong)?, agent.parse().map_err(|error| bad("device", &id, &error))?);
        (device.kind, device.name, device.place) = (kind.into(), name.into(), place.into());
        (device.every, device.announced) = (Span::from_millis(every), announced);
        device.life = Life::from_text(&life).ok_or_else(|| bad("device", &id, &format!("life `{life}`")))?;
        let Some(agent_no) = agents.get(&device.agent).copied() else { return Ok(device) };
        let newest = newest.get(&no).map_or(&[][..], Vec::as_slice);
        // What was long on its way never told the present, and does not now.
        let longest = device.fresh_for().millis();
        let counts = |raw: &&LastRaw| raw.agent_no == agent_no && raw.lag <= longest;
        let mut found;
        let mut last = newest.iter().filter(counts).max_by_key(|raw| (raw.epoch, raw.seq));
        if last.is_none() && !newest.is_empty() {
            // What came later was late, or another agent stated it.
            found = on!(self, "read a device's last record", conn => sqlx::query_as::<_, LastRaw>(NEWEST_RECORD).bind(no)
                .bind(agent_no).bind(longest).fetch_optional(conn).await)?;
            last = found.as_mut().map(|raw| &*raw);
        }
        if let Some(raw) = last {
            forms.read(self, &[raw.form]).await?;
            let Received { order, at, received_at, sample } = raw.received(forms)?;
            device.last = Some(Last { order, at, received_at, said: Said::new(&sample) });
        }
        Ok(device)
    }
}

impl Tx {
    /// What an agent told of the past up to its last word: the last records of every stream that ends with what was long on its way.
    async fn past(
        &mut self,
        no: i64,
        agent: &Agent,
        devices: &BTreeMap<i64, (DeviceId, Span)>,
        forms: &mut Forms,
    ) -> Result<Vec<(DeviceId, Received)>, StoreError> {
        let mut ends = Vec::new();
        for (epoch, stream) in &agent.streams {
            if let Some(committed) = stream.committed() {
                ends.extend(self.past_records(no, *epoch, committed, 1).await?.pop());
            }
        }
        let last_word = ends.iter().map(LastRaw::received_at).max().unwrap_or_default();
        let is_late = |raw: &LastRaw| devices.get(&raw.no).is_some_and(|(_, fresh_for)| raw.lag > fresh_for.millis());
        let mut past = Vec::new();
        for end in ends.iter().filter(|end| is_late(end) && last_word.since(end.received_at()) <= DONE_AFTER) {
            let records = self.past_records(no, unsigned(end.epoch), unsigned(end.seq), MOST_PAST).await?;
            let numbers: Vec<i64> = records.iter().map(|raw| raw.form).collect();
            forms.read(self, &numbers).await?;
            for raw in records.iter().rev() {
                if let Some((device, _)) = devices.get(&raw.no) {
                    past.push((device.clone(), raw.received(forms)?));
                }
            }
        }
        Ok(past)
    }

    /// The records of a stream up to `seq`, the newest first.
    async fn past_records(&mut self, no: i64, epoch: u64, seq: u64, most: i64) -> Result<Vec<LastRaw>, StoreError> {
        on!(self, "read an agent's last records", conn => sqlx::query_as(PAST_RECORDS).bind(no).bind(signed(epoch))
            .bind(signed(seq)).bind(most).fetch_all(conn).await)
    }
}

impl LastRaw {
    fn received_at(&self) -> Timestamp {
        Timestamp::from_millis(self.at).shifted(self.lag)
    }

    fn received(&self, forms: &Forms) -> Result<Received, StoreError> {
        let (facts, faults) = forms.said(self.form, &self.measured)?;
        let at = Timestamp::from_millis(self.at);
        Ok(Received {
            order: (unsigned(self.epoch), unsigned(self.seq)),
            at,
            received_at: self.received_at(),
            sample: Sample { reach: reach_from(self.reach), facts, faults },
        })
    }
}

impl Store {
    /// The sites that agents have reported from.
    pub async fn sites(&self) -> Result<Vec<SiteId>, StoreError> {
        let mut tx = self.read().await?;
        let sites: Vec<String> =
            on!(&mut tx, "read the sites", conn => sqlx::query_scalar(SITES).fetch_all(conn).await)?;
        sites.into_iter().map(|site| site.parse().map_err(|error| bad("agent", &site, &error))).collect()
    }

    /// What was stored of a site.
    pub async fn site(&self, site: &SiteId) -> Result<Stored, StoreError> {
        self.merge_all().await?;
        let mut tx = self.read().await?;
        let mut stored = Stored::default();
        let agents: Vec<AgentRaw> =
            on!(&mut tx, "read agents", conn => sqlx::query_as(AGENTS).bind(site.as_str()).fetch_all(conn).await)?;
        let mut numbers = HashMap::new();
        for raw in agents {
            let no = raw.0;
            let agent = tx.load_agent(raw).await?;
            numbers.insert(agent.id.clone(), no);
            stored.agents.push(agent);
        }
        let devices: Vec<DeviceRaw> =
            on!(&mut tx, "read devices", conn => sqlx::query_as(DEVICES).bind(site.as_str()).fetch_all(conn).await)?;
        let last: Vec<LastRaw> = on!(&mut tx, "read devices' last records", conn => sqlx::query_as(NEWEST_RECORDS)
            .bind(site.as_str()).fetch_all(conn).await)?;
        let mut newest: BTreeMap<i64, Vec<LastRaw>> = BTreeMap::new();
        for raw in last {
            newest.entry(raw.no).or_default().push(raw);
        }
        for agent in &mut stored.agents {
            let latest: Vec<LastRaw> = on!(&mut tx, "read an agent's last records", conn =>
                sqlx::query_as(LATEST_RECORDS).bind(numbers[&agent.id]).fetch_all(conn).await)?;
            // Its row is written when its session or link changes: its records tell of later.
            agent.last_seen = agent.last_seen.max(latest.iter().map(LastRaw::received_at).max());
            for raw in latest {
                newest.entry(raw.no).or_default().push(raw);
            }
        }
        let mut forms = Forms::default();
        let mut known: BTreeMap<AgentId, BTreeMap<i64, (DeviceId, Span)>> = BTreeMap::new();
        for raw in devices {
            let no = raw.0;
            let device = tx.load_device(raw, &numbers, &newest, &mut forms).await?;
            known.entry(device.agent.clone()).or_default().insert(no, (device.id.clone(), device.fresh_for()));
            stored.devices.push(device);
        }
        for agent in &stored.agents {
            if let (Some(no), Some(devices)) = (numbers.get(&agent.id), known.get(&agent.id)) {
                stored.past.extend(tx.past(*no, agent, devices, &mut forms).await?);
            }
        }
        let phases: Vec<PhaseRaw> = on!(&mut tx, "read rules' phases", conn =>
            sqlx::query_as(PHASES).bind(site.as_str()).fetch_all(conn).await)?;
        for (subject, rule, phase, since, better, held, bad_samples, flaps) in phases {
            let phase = phase_from(&phase, since, better).ok_or_else(|| bad("rule_phase", &rule, &phase))?;
            let subject = subject.parse().map_err(|error| bad("rule_phase", &rule, &error))?;
            let counted = |number| u32::try_from(number).map_err(|error| bad("rule_phase", &rule, &error));
            let (bad, flaps) = (counted(bad_samples)?, Flaps::from_packed(counted(flaps)?));
            stored.phases.push((subject, rule.into(), Kept { phase, held: Span::from_millis(held), bad, flaps }));
        }
        let open: Vec<OpenAlertRaw> = on!(&mut tx, "read open alerts", conn => sqlx::query_as(OPEN_ALERTS)
            .bind(site.as_str()).fetch_all(conn).await)?;
        for (id, subject, rule, since, opened_at, has_ticket, victim_of) in open {
            let subject = subject.parse().map_err(|error| bad("alert", &rule, &error))?;
            let (since, opened_at) = (Timestamp::from_millis(since), Timestamp::from_millis(opened_at));
            let (id, rule, victim_of) = (AlertId(id), rule.into(), victim_of.map(AlertId));
            stored.open_alerts.push(OpenAlert { id, subject, rule, since, opened_at, has_ticket, victim_of });
        }
        Ok(stored)
    }

    /// The code of every device, by site and name.
    pub async fn codes(&self) -> Result<BTreeMap<(String, String), String>, StoreError> {
        let mut tx = self.read().await?;
        let codes: Vec<(String, String, String)> =
            on!(&mut tx, "read devices' codes", conn => sqlx::query_as(CODES).fetch_all(conn).await)?;
        Ok(codes.into_iter().map(|(code, site, id)| ((site, id), code)).collect())
    }

    /// The code of one device.
    pub async fn code(&self, site: &SiteId, device: &DeviceId) -> Result<Option<String>, StoreError> {
        let mut tx = self.read().await?;
        on!(&mut tx, "read a device's code", conn => sqlx::query_scalar(CODE).bind(site.as_str()).bind(device.as_str())
            .fetch_optional(conn).await)
    }

    /// The device of that code.
    pub async fn device_by_code(&self, code: &str) -> Result<Option<(SiteId, DeviceId)>, StoreError> {
        let mut tx = self.read().await?;
        let found: Option<(String, String)> = on!(&mut tx, "look up a device's code", conn => sqlx::query_as(BY_CODE)
            .bind(code).fetch_optional(conn).await)?;
        let Some((site, id)) = found else { return Ok(None) };
        let device = id.parse().map_err(|error| bad("device", &id, &error))?;
        Ok(Some((site.parse().map_err(|error| bad("device", &id, &error))?, device)))
    }
}
