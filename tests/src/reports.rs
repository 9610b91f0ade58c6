//! What an agent would send, made by a test that plays one.

use lobby_contract::{AgentInfo, Birth, Data, DeviceId, DeviceInfo, FactValue, Reach, Record, encode};

use crate::clock;

/// The agent that a test plays.
#[derive(Debug, Clone)]
pub struct Script {
    site: String,
    agent: String,
    epoch: u64,
    session: u32,
    seq: u64,
    /// What is added to the time that it states, in ms.
    pub clock_error_ms: i64,
}

impl Script {
    /// An agent in its first epoch and session.
    pub fn new(site: &str, agent: &str) -> Self {
        Self { site: site.into(), agent: agent.into(), epoch: 1, session: 1, seq: 0, clock_error_ms: 0 }
    }

    /// The same agent in a later epoch.
    #[must_use]
    pub fn in_epoch(self, epoch: u64) -> Self {
        Self { epoch, seq: 0, ..self }
    }

    /// Begins its next session, as a connection that is made again does.
    pub fn reconnected(&mut self) {
        self.session += 1;
    }

    /// Its session.
    pub fn session(&self) -> u32 {
        self.session
    }

    /// Its epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Its topic of one kind, such as `data`.
    pub fn topic(&self, kind: &str) -> String {
        format!("lobby/v1/{}/{}/{kind}", self.site, self.agent)
    }

    /// The last `seq` that it has used.
    pub fn last_seq(&self) -> u64 {
        self.seq
    }

    /// A birth with devices of (id, kind).
    pub fn birth<'a>(&self, devices: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> Vec<u8> {
        encode(&Birth {
            epoch: self.epoch,
            session: self.session,
            sent_at: self.now(),
            agent: AgentInfo { version: "0.0.1".into() },
            queued: 0,
            unsaved: 0,
            refused: Vec::new(),
            devices: devices.into_iter().map(|(id, kind)| announced(id, kind)).collect(),
        })
    }

    /// Data with one new record.
    pub fn report(&mut self, device: &str, facts: &[(&str, FactValue)]) -> Vec<u8> {
        let record = self.record(device, facts);
        self.data(vec![record])
    }

    /// A new record.
    pub fn record(&mut self, device: &str, facts: &[(&str, FactValue)]) -> Record {
        self.seq += 1;
        Record {
            seq: self.seq,
            at: self.now(),
            device: device_id(device),
            reach: Reach::Ok,
            facts: facts.iter().map(|(name, value)| ((*name).into(), value.clone())).collect(),
            faults: Vec::new(),
        }
    }

    /// Data with the given records.
    pub fn data(&self, records: Vec<Record>) -> Vec<u8> {
        let sent_at = self.now();
        encode(&Data {
            epoch: self.epoch,
            session: self.session,
            sent_at,
            oldest: Some(1),
            records,
            refused: Vec::new(),
        })
    }

    fn now(&self) -> i64 {
        clock::now_ms() + self.clock_error_ms
    }
}

fn announced(id: &str, kind: &str) -> DeviceInfo {
    DeviceInfo { id: device_id(id), kind: kind.into(), name: id.into(), place: "大门口".into(), every_ms: 10_000 }
}

fn device_id(id: &str) -> DeviceId {
    id.parse().expect("tests name devices as the contract allows")
}
