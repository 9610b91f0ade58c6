//! Asks a projector or display over PJLink (class 1 and 2): one short connection per probe, as many devices allow only one.

mod facts;
mod session;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use lobby_contract::{FactValue, Reach};
use serde::Deserialize;
use tokio::time::Instant;

use self::{facts::Found, session::Session, wire::Answer};
use super::{ProbeError, Reading, modbus::dial::Address};
use crate::secret::SecretSource;

/// Queries of every class, in the order asked: `POWR` first, because the others are understood by it.
const STATE: [&str; 5] = ["POWR", "ERST", "INPT", "AVMT", "LAMP"];
/// Queries that only class 2 knows.
const STATE_2: [&str; 3] = ["IRES", "FREZ", "FILT"];
/// Texts that hardly ever change.
const TEXTS: [&str; 3] = ["NAME", "INF1", "INF2"];
/// Texts that only class 2 knows.
const TEXTS_2: [&str; 2] = ["SNUM", "SVER"];
/// How long texts are kept before they are asked again.
const TEXTS_FOR: Duration = Duration::from_hours(1);

/// Longest time a probe may be told to wait, in ms.
const MAX_TIMEOUT_MS: u64 = 60_000;

/// A device that speaks PJLink.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where it listens: `host` or `host:port`; the port is 4352 unless given.
    pub address: String,
    /// Its PJLink password, if it has one: `{ file = "path" }` or `{ env = "NAME" }`.
    #[serde(default)]
    pub password: Option<SecretSource>,
    /// Longest wait for a connection, in ms; 3000 if not given.
    #[serde(default = "connect_timeout_ms")]
    pub connect_timeout_ms: u64,
}

fn connect_timeout_ms() -> u64 {
    3000
}

/// The probe of one device.
///
/// Facts: `pjlink_class`, `power` (on, standby, warming, cooling), `fan`, `lamp`, `temperature`, `cover`, `filter` and `hardware` (ok,
/// warning, fault), `input` (such as `digital 1`), `video_mute`, `lamp_hours` (of the oldest lamp), `device_name`, `maker`, `model`;
/// of class 2 also `signal` (ok, none), `resolution`, `freeze`, `filter_hours`, `serial`, `firmware`. What the device does not know, or
/// cannot say in standby, is left out.
///
/// Faults: `ERST:` and the part (`fan`, `lamp`, `temperature`, `cover`, `filter`, `other`) for each part in error, and `ERR4:` and the
/// query for each query that the device answers with its own failure.
pub struct Pjlink {
    address: Address,
    password: Option<SecretSource>,
    connect_timeout: Duration,
    memory: Memory,
}

/// What one probe leaves for the next. A probe that fails or is given up leaves nothing.
#[derive(Default)]
struct Memory {
    /// Its class.
    class: Option<u8>,
    /// Queries that the device does not know.
    unknown: BTreeSet<&'static str>,
    /// Its texts.
    texts: BTreeMap<Box<str>, FactValue>,
    /// When it last gave all of them.
    texts_at: Option<Instant>,
}

impl Pjlink {
    /// The probe of the device in `config`.
    ///
    /// Refuses an address that is none with [`ProbeError::Own`].
    pub fn new(config: Config) -> Result<Self, ProbeError> {
        let address = config.address.parse().map_err(ProbeError::Own)?;
        if config.connect_timeout_ms == 0 || config.connect_timeout_ms > MAX_TIMEOUT_MS {
            return Err(ProbeError::Own(format!("`connect_timeout_ms` must be 1 to {MAX_TIMEOUT_MS}")));
        }
        Ok(Self {
            address,
            password: config.password,
            connect_timeout: Duration::from_millis(config.connect_timeout_ms),
            memory: Memory::default(),
        })
    }

    /// Asks the device everything it knows. May be dropped at any time; the next call then starts afresh.
    ///
    /// A missing or refused password is [`ProbeError::Own`]: the device works, but tells this agent nothing.
    pub async fn probe(&mut self) -> Result<Reading, ProbeError> {
        let mut memory = std::mem::take(&mut self.memory);
        let mut session = Session::open(&self.address, self.password.as_ref(), self.connect_timeout).await?;
        let mut found = Found::default();

        let class = class(&mut session, &mut memory.class, &mut found).await?;
        ask(&mut session, 1, &STATE, &mut memory.unknown, &mut found).await?;
        if class == 2 {
            ask(&mut session, 2, &STATE_2, &mut memory.unknown, &mut found).await?;
        }
        if memory.texts_at.is_none_or(|at| at.elapsed() >= TEXTS_FOR) {
            texts(&mut session, class, &mut memory, &mut found).await?;
        }
        found.facts.extend(memory.texts.iter().map(|(fact, value)| (fact.clone(), value.clone())));
        self.memory = memory;
        Ok(Reading { reach: Reach::Ok, facts: found.facts, faults: found.faults })
    }
}

/// The device's class: the last known where it cannot say now, and 1 where it never said, as that class is older than the query.
async fn class(session: &mut Session<'_>, known: &mut Option<u8>, found: &mut Found) -> Result<u8, ProbeError> {
    match session.ask(1, "CLSS").await? {
        Answer::Value(value) => *known = Some(if &*value == "2" { 2 } else { 1 }),
        Answer::Undefined => *known = Some(1),
        Answer::NotNow => {}
        Answer::Failure => found.faults.push("ERR4:CLSS".into()),
    }
    if let Some(class) = *known {
        found.set("pjlink_class", f64::from(class));
    }
    Ok(known.unwrap_or(1))
}

/// Asks for the texts. One that the device cannot give now is asked again in the next probe.
async fn texts(session: &mut Session<'_>, class: u8, memory: &mut Memory, found: &mut Found) -> Result<(), ProbeError> {
    let mut texts = Found::default();
    let mut all = ask(session, 1, &TEXTS, &mut memory.unknown, &mut texts).await?;
    if class == 2 {
        all &= ask(session, 2, &TEXTS_2, &mut memory.unknown, &mut texts).await?;
    }
    memory.texts.append(&mut texts.facts);
    memory.texts_at = all.then(Instant::now);
    found.faults.append(&mut texts.faults);
    Ok(())
}

/// Asks `commands`, except those `unknown` to the device, and says whether every one was answered for good.
async fn ask(
    session: &mut Session<'_>,
    class: u8,
    commands: &[&'static str],
    unknown: &mut BTreeSet<&'static str>,
    found: &mut Found,
) -> Result<bool, ProbeError> {
    let mut all = true;
    for &command in commands {
        if unknown.contains(command) {
            continue;
        }
        match session.ask(class, command).await? {
            Answer::Value(value) => found.take(command, &value),
            Answer::Undefined => {
                unknown.insert(command);
            }
            Answer::NotNow => all = false,
            Answer::Failure => {
                all = false;
                found.faults.push(format!("ERR4:{command}").into());
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
