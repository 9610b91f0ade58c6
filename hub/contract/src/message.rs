//! Messages: what each channel's payload holds, and how it is read and written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{fact::FactValue, name::DeviceId, topic::Channel};

/// Largest payload, in bytes.
pub const MAX_PAYLOAD: usize = 256 * 1024;

/// Most facts in one record.
const MAX_FACTS: usize = 128;
/// Most fault codes in one record.
const MAX_FAULTS: usize = 64;
/// Longest text inside a message, in bytes.
const MAX_TEXT: usize = 1024;
/// Most devices in one birth.
const MAX_DEVICES: usize = 1000;
/// Latest time a record may carry: the end of the year 9999.
const MAX_TIME: i64 = 253_402_300_799_999;

/// Who an agent is and what it watches; sent first in each session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Birth {
    /// Grows by one at each start of the agent, and is kept on its disk.
    pub epoch: u64,
    /// Grows by one at each MQTT connect.
    pub session: u32,
    /// The agent's clock when it sent this, in ms since 1970 UTC.
    pub sent_at: i64,
    /// The agent's program.
    pub agent: AgentInfo,
    /// Records in its spool that the hub has not yet acknowledged.
    #[serde(default)]
    pub queued: u64,
    /// Those of them that are in the agent's memory only, because its disk takes none at present; at least 1 while that is so. An
    /// agent says so in a birth of its own when that begins and when it ends.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unsaved: u64,
    /// The devices it watches.
    pub devices: Vec<DeviceInfo>,
    /// Entries of `devices` that could not be read; the others stand.
    #[serde(skip)]
    pub refused: Vec<RefusedDevice>,
}

/// An entry of a birth's `devices` that is not a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedDevice {
    /// Its place in the message, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub reason: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// An agent's program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentInfo {
    /// Its version.
    pub version: Box<str>,
}

/// One device as its agent announces it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// Its name in topics and addresses.
    pub id: DeviceId,
    /// Its kind in the standards pack, such as `led-display`.
    pub kind: Box<str>,
    /// What people call it.
    #[serde(default)]
    pub name: Box<str>,
    /// Where it stands.
    #[serde(default)]
    pub place: Box<str>,
    /// The longest time between two of its records (the heartbeat), in ms.
    pub every_ms: u64,
}

/// Whether the agent reached the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// The device answered.
    Ok,
    /// The device was asked and did not answer.
    Unreachable,
    /// The agent cannot tell, for instance because its own bus or network is down.
    Unknown,
}

/// What one probe of one device found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Grows by one per record within an epoch, from 1.
    pub seq: u64,
    /// The agent's clock at the probe, in ms since 1970 UTC.
    pub at: i64,
    /// The device probed.
    pub device: DeviceId,
    /// Whether it answered.
    pub reach: Reach,
    /// What it said of itself, typed by its kind.
    #[serde(default)]
    pub facts: BTreeMap<Box<str>, FactValue>,
    /// Its own fault codes, as it says them.
    #[serde(default)]
    pub faults: Vec<Box<str>>,
}

/// Records of one agent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Data {
    /// The epoch in which the records were made.
    pub epoch: u64,
    /// The session in which they are sent.
    pub session: u32,
    /// The agent's clock when it sent this, in ms since 1970 UTC.
    pub sent_at: i64,
    /// The lowest `seq` of this epoch that the agent still holds. Whatever is below it and not in the database is lost, so the
    /// hub need not wait for it; of an epoch of which it knows nothing, that is where it begins. So an agent that lost the first records
    /// of an epoch says 1 until that is acknowledged. Agents that say nothing are asked to `resend`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<u64>,
    /// The records.
    pub records: Vec<Record>,
    /// Entries of `records` that could not be read; the others stand.
    #[serde(skip)]
    pub refused: Vec<RefusedRecord>,
}

/// An entry of a `data` message that is not a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRecord {
    /// Its place in the message, from 0.
    pub index: usize,
    /// Its `seq`, if at least that could be read and can be one.
    pub seq: Option<u64>,
    /// What is wrong with it.
    pub reason: String,
}

/// The session has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// The epoch of the session that ended.
    pub epoch: u64,
    /// The session that ended. The hub ignores a death of any but the current one.
    pub session: u32,
    /// Why.
    pub reason: DeathReason,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeathReason {
    /// The connection broke: said by the broker, in the agent's name.
    Lost,
    /// The agent stops on purpose.
    Stopping,
    /// A reason of a later minor version.
    #[serde(other)]
    Other,
}

/// Records the agent no longer has, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// The epoch of the records.
    pub epoch: u64,
    /// The first `seq` lost.
    pub from: u64,
    /// The last `seq` lost.
    pub to: u64,
}

/// Everything up to `committed` is in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The epoch of the records.
    pub epoch: u64,
    /// The highest `seq` up to which nothing is missing.
    pub committed: u64,
}

/// Something the hub asks of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Names this command in its [`CommandResult`].
    pub id: Box<str>,
    /// What to do.
    #[serde(flatten)]
    pub order: Order,
}

/// What a [`Command`] asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum Order {
    /// Publish the birth again.
    Rebirth,
    /// Send the records from `from` to `to` again, or say that they are [`Lost`].
    Resend {
        /// The epoch meant; without it, the current one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<u64>,
        /// The first `seq` wanted.
        from: u64,
        /// The last `seq` wanted.
        to: u64,
    },
    /// Probe one device now.
    Probe {
        /// The device.
        device: DeviceId,
    },
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandResult {
    /// The command's id.
    pub id: Box<str>,
    /// Whether it was done.
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<str>>,
}

/// The hub's own state, retained on [`crate::HUB_TOPIC`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubState {
    /// Whether it takes in records.
    pub online: bool,
    /// The hub's clock, in ms since 1970 UTC.
    pub at: i64,
}

/// A message of an agent, read.
#[derive(Debug, Clone, PartialEq)]
pub enum FromAgent {
    /// See [`Birth`].
    Birth(Birth),
    /// See [`Data`].
    Data(Data),
    /// See [`Death`].
    Death(Death),
    /// See [`Lost`].
    Lost(Lost),
    /// See [`CommandResult`].
    Result(CommandResult),
}

/// A message of the hub to one agent, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToAgent {
    /// See [`Ack`].
    Ack(Ack),
    /// See [`Command`].
    Command(Command),
}

/// Why a payload is not a message of its channel.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Larger than [`MAX_PAYLOAD`].
    #[error("the payload has {0} bytes, the limit is {MAX_PAYLOAD}")]
    TooLarge(usize),
    /// Not the JSON of this message; the source says line and column.
    #[error("the payload is not a `{channel}` message")]
    Json {
        /// The channel on which it came.
        channel: Channel,
        /// What is wrong, and where.
        #[source]
        source: serde_json::Error,
    },
    /// JSON of the right shape with a value out of bounds.
    #[error("{0}")]
    Bounds(String),
    /// A message that travels in the other direction.
    #[error("`{0}` is not a message of this direction")]
    Direction(Channel),
}

/// The JSON of a message.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    serde_json::to_vec(message).expect("messages have string keys and finite numbers only")
}

fn read<T: DeserializeOwned>(channel: Channel, payload: &[u8]) -> Result<T, DecodeError> {
    serde_json::from_slice(payload).map_err(|source| DecodeError::Json { channel, source })
}

impl FromAgent {
    /// Reads what an agent published on `channel`.
    pub fn decode(channel: Channel, payload: &[u8]) -> Result<Self, DecodeError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(DecodeError::TooLarge(payload.len()));
        }
        match channel {
            Channel::Birth => Birth::decode(payload).map(Self::Birth),
            Channel::Data => Data::decode(payload).map(Self::Data),
            Channel::Death => read::<Death>(channel, payload).and_then(Death::checked).map(Self::Death),
            Channel::Lost => read::<Lost>(channel, payload).and_then(Lost::checked).map(Self::Lost),
            Channel::Result => read(channel, payload).map(Self::Result),
            Channel::Ack | Channel::Command => Err(DecodeError::Direction(channel)),
        }
    }
}

impl ToAgent {
    /// Reads what the hub published on `channel`.
    pub fn decode(channel: Channel, payload: &[u8]) -> Result<Self, DecodeError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(DecodeError::TooLarge(payload.len()));
        }
        match channel {
            Channel::Ack => read(channel, payload).map(Self::Ack),
            Channel::Command => read(channel, payload).map(Self::Command),
            _ => Err(DecodeError::Direction(channel)),
        }
    }
}

fn bounded(what: &str, text: &str) -> Result<(), DecodeError> {
    if text.len() > MAX_TEXT {
        return Err(DecodeError::Bounds(format!("`{what}` has {} bytes, the limit is {MAX_TEXT}", text.len())));
    }
    // PostgreSQL stores no NUL in a text: one that came in could never be stored, and would hold up everything behind it.
    if text.contains('\0') {
        return Err(DecodeError::Bounds(format!("`{}` holds the character NUL", what.replace('\0', "␀"))));
    }
    Ok(())
}

#[derive(Deserialize)]
struct BirthEnvelope<'a> {
    epoch: u64,
    session: u32,
    sent_at: i64,
    agent: AgentInfo,
    #[serde(default)]
    queued: u64,
    #[serde(default)]
    unsaved: u64,
    #[serde(borrow)]
    devices: Vec<&'a RawValue>,
}

impl Birth {
    /// Reads device by device, so that one bad device does not cost the others.
    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let read: BirthEnvelope =
            serde_json::from_slice(payload).map_err(|source| DecodeError::Json { channel: Channel::Birth, source })?;
        let BirthEnvelope { epoch, session, sent_at, agent, queued, unsaved, devices: raw } = read;
        if raw.len() > MAX_DEVICES {
            return Err(DecodeError::Bounds(format!(
                "the birth names {} devices, the limit is {MAX_DEVICES} an agent",
                raw.len()
            )));
        }
        check_epoch(epoch)?;
        in_time("sent_at", sent_at)?;
        bounded("agent.version", &agent.version)?;
        let (mut devices, mut refused) = (Vec::with_capacity(raw.len()), Vec::new());
        for (index, raw) in raw.into_iter().enumerate() {
            match read_entry(raw, DeviceInfo::check) {
                Ok(device) => devices.push(device),
                Err(reason) => refused.push(RefusedDevice { index, reason }),
            }
        }
        Ok(Self { epoch, session, sent_at, agent, queued, unsaved, devices, refused })
    }
}

impl DeviceInfo {
    fn check(&self) -> Result<(), DecodeError> {
        bounded("kind", &self.kind)?;
        bounded("name", &self.name)?;
        bounded("place", &self.place)
    }
}

/// Reads one entry of a list.
fn read_entry<T: DeserializeOwned>(raw: &RawValue, check: fn(&T) -> Result<(), DecodeError>) -> Result<T, String> {
    let entry: T = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
    check(&entry).map(|()| entry).map_err(|error| error.to_string())
}

fn check_epoch(epoch: u64) -> Result<(), DecodeError> {
    if epoch > MAX_SEQ {
        return Err(DecodeError::Bounds(format!("`epoch` is {epoch}, the limit is {MAX_SEQ}")));
    }
    Ok(())
}

impl Death {
    fn checked(self) -> Result<Self, DecodeError> {
        check_epoch(self.epoch).map(|()| self)
    }
}

impl Lost {
    fn checked(self) -> Result<Self, DecodeError> {
        check_epoch(self.epoch)?;
        if self.from == 0 || self.from > self.to || self.to > MAX_SEQ {
            return Err(DecodeError::Bounds(format!("`from` {} to `to` {} is not a range of seq", self.from, self.to)));
        }
        Ok(self)
    }
}

/// Highest `seq` and `epoch`: up to here every reader of JSON knows whole numbers exactly (RFC 8259, section 6).
const MAX_SEQ: u64 = (1 << 53) - 1;

fn in_time(what: &str, at: i64) -> Result<(), DecodeError> {
    if (0..=MAX_TIME).contains(&at) {
        return Ok(());
    }
    Err(DecodeError::Bounds(format!("`{what}` is {at}, which is not a time in ms since 1970")))
}

impl Record {
    fn check(&self) -> Result<(), DecodeError> {
        if self.seq == 0 || self.seq > MAX_SEQ {
            return Err(DecodeError::Bounds(format!("`seq` is {}, it counts from 1 to {MAX_SEQ}", self.seq)));
        }
        in_time("at", self.at)?;
        if self.facts.len() > MAX_FACTS {
            return Err(DecodeError::Bounds(format!("{} facts, the limit is {MAX_FACTS}", self.facts.len())));
        }
        if self.faults.len() > MAX_FAULTS {
            return Err(DecodeError::Bounds(format!("{} faults, the limit is {MAX_FAULTS}", self.faults.len())));
        }
        for (name, value) in &self.facts {
            bounded("facts", name)?;
            if let FactValue::Text(text) = value {
                bounded(name, text)?;
            }
        }
        self.faults.iter().try_for_each(|code| bounded("faults", code))
    }
}

/// A message of which every entry is a record, as nearly all are: read in one go.
#[derive(Deserialize)]
struct PlainData {
    epoch: u64,
    session: u32,
    sent_at: i64,
    #[serde(default)]
    oldest: Option<u64>,
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct DataEnvelope<'a> {
    epoch: u64,
    session: u32,
    sent_at: i64,
    #[serde(default)]
    oldest: Option<u64>,
    #[serde(borrow)]
    records: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct SeqOnly {
    seq: u64,
}

impl Data {
    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        if let Ok(PlainData { epoch, session, sent_at, oldest, records }) = serde_json::from_slice(payload)
            && records.iter().all(|record| record.check().is_ok())
        {
            return Self { epoch, session, sent_at, oldest, records, refused: Vec::new() }.checked();
        }
        Self::decode_each(payload)
    }

    /// Reads record by record, so that one bad record does not cost its neighbours.
    fn decode_each(payload: &[u8]) -> Result<Self, DecodeError> {
        let envelope: DataEnvelope =
            serde_json::from_slice(payload).map_err(|source| DecodeError::Json { channel: Channel::Data, source })?;
        let mut data = Self {
            epoch: envelope.epoch,
            session: envelope.session,
            sent_at: envelope.sent_at,
            oldest: envelope.oldest,
            records: Vec::with_capacity(envelope.records.len()),
            refused: Vec::new(),
        };
        for (index, raw) in envelope.records.into_iter().enumerate() {
            match read_entry(raw, Record::check) {
                Ok(record) => data.records.push(record),
                Err(reason) => {
                    let seq = serde_json::from_str::<SeqOnly>(raw.get()).ok().map(|only| only.seq);
                    let seq = seq.filter(|seq| (1..=MAX_SEQ).contains(seq));
                    data.refused.push(RefusedRecord { index, seq, reason });
                }
            }
        }
        data.checked()
    }

    fn checked(self) -> Result<Self, DecodeError> {
        check_epoch(self.epoch)?;
        in_time("sent_at", self.sent_at)?;
        // An agent that holds nothing names the number that it gives next.
        if let Some(oldest) = self.oldest.filter(|oldest| !(1..=MAX_SEQ + 1).contains(oldest)) {
            return Err(DecodeError::Bounds(format!("`oldest` is {oldest}, it counts from 1 to {}", MAX_SEQ + 1)));
        }
        Ok(self)
    }
}
