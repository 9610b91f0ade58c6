//! Reads registers of a device over Modbus, on TCP or a serial bus, and reports them as facts.

mod counter;
pub(crate) mod dial;
mod master;
mod plan;
mod preset;
mod register;
mod serial;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
    time::Duration,
};

use lobby_contract::{FactValue, Reach};
use serde::Deserialize;
use tracing::warn;

pub use self::{
    counter::CounterConfig,
    preset::Preset,
    register::{Function, Kind, Register, WordOrder},
    serial::Parity,
};
use self::{
    master::{Link, Master, Reply},
    plan::{Block, Extent},
    register::{Point, Raw, Values},
    serial::Settings,
};
use super::{ProbeError, Reading};

/// Most facts of one device: as many as a record may hold.
const MAX_FACTS: usize = 128;
/// Most registers of one device that are fault codes; a record may hold 64, and a few are the device's exceptions.
const MAX_FAULT_CODES: usize = 48;
/// Highest address of a unit on a serial bus; TCP allows 255 for "the device itself".
const MAX_SERIAL_UNIT: u8 = 247;
/// Longest time one response may be waited for, in ms.
const MAX_TIMEOUT_MS: u64 = 60_000;
/// Most repetitions of one request.
const MAX_RETRIES: u8 = 10;

/// A device that speaks Modbus: where it is, and what to read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// For Modbus TCP, where the device or gateway listens: `host` or `host:port`; the port is 502 unless given.
    #[serde(default)]
    pub address: Option<String>,
    /// For Modbus RTU, the serial port, such as `/dev/ttyUSB0`. All devices of a port must write its path alike.
    #[serde(default)]
    pub serial: Option<PathBuf>,
    /// Bits per second of the serial port; 9600 if not given.
    #[serde(default)]
    pub baud: Option<u32>,
    /// Parity of the serial port: `none`, `even` or `odd`; `none` if not given.
    #[serde(default)]
    pub parity: Option<Parity>,
    /// Stop bits of the serial port: 1 or 2; 1 if not given.
    #[serde(default)]
    pub stop_bits: Option<u8>,
    /// The device's unit address; 1 if not given.
    #[serde(default = "default_unit")]
    pub unit: u8,
    /// How long to wait for each response, in ms, on a serial port beyond the time its bytes take; 500 if not given.
    #[serde(default = "default_response_timeout_ms")]
    pub response_timeout_ms: u64,
    /// How often a request without a sensible response is repeated; 2 if not given.
    #[serde(default = "default_retries")]
    pub retries: u8,
    /// A device whose registers are known: `ebyte-me31`, `adam-6050`, `sdm120` or `ddsu666`.
    #[serde(default)]
    pub preset: Option<Preset>,
    /// Other names for facts of the preset, such as `{ count1 = "covers_dispensed", di1 = "jam" }`.
    #[serde(default)]
    pub rename: BTreeMap<Box<str>, Box<str>>,
    /// Whether only the facts in `rename` are read; true if not given and there are any.
    #[serde(default)]
    pub only_renamed: Option<bool>,
    /// Registers to read, besides those of the preset.
    #[serde(default)]
    pub register: Vec<Register>,
}

fn default_unit() -> u8 {
    1
}

fn default_response_timeout_ms() -> u64 {
    500
}

fn default_retries() -> u8 {
    2
}

/// The probe of one device.
///
/// Its facts are those of the registers in [`Config`]; a register that the device does not have is left out. Faults: the fact of each
/// register that is a `fault_code` and not 0, and `EX` with two digits (such as `EX04`) if the device answers a request with the
/// exception that it has failed.
///
/// A unit that does not respond is [`ProbeError::Unreachable`]; a serial port that cannot be used is [`ProbeError::Own`].
pub struct Modbus {
    master: Master,
    points: Vec<Point>,
    extents: Vec<Extent>,
    /// The requests that worked in the last probe; empty if it failed or was given up, or before the first.
    plan: Vec<Block>,
    /// Registers whose absence has been logged.
    missing: BTreeSet<usize>,
}

impl Modbus {
    /// The probe of the device in `config`; [`ProbeError::Own`] says which value cannot be used.
    pub fn new(config: Config) -> Result<Self, ProbeError> {
        let link = link(&config).map_err(ProbeError::Own)??;
        let highest = if matches!(link, Link::Serial(_)) { MAX_SERIAL_UNIT } else { u8::MAX };
        if config.unit > highest || (config.unit == 0 && highest == MAX_SERIAL_UNIT) {
            return Err(ProbeError::Own("`unit` must be 1 to 247 on a serial port, 0 to 255 on TCP".into()));
        }
        if config.response_timeout_ms == 0 || config.response_timeout_ms > MAX_TIMEOUT_MS {
            return Err(ProbeError::Own(format!("`response_timeout_ms` must be 1 to {MAX_TIMEOUT_MS}")));
        }
        if config.retries > MAX_RETRIES {
            return Err(ProbeError::Own(format!("`retries` must be 0 to {MAX_RETRIES}")));
        }
        let patience = Duration::from_millis(config.response_timeout_ms);
        let master = Master { link, unit: config.unit, patience, retries: config.retries };
        let points = points(config).map_err(ProbeError::Own)?;
        let extents = points.iter().map(Point::extent).collect();
        Ok(Self { master, points, extents, plan: Vec::new(), missing: BTreeSet::new() })
    }

    /// Reads every register. May be dropped at any time; the next call then starts afresh.
    pub async fn probe(&mut self) -> Result<Reading, ProbeError> {
        let mut plan = std::mem::take(&mut self.plan);
        if plan.is_empty() {
            plan = plan::plan(&self.extents);
        }
        let mut queue = VecDeque::from(plan);
        let mut worked = Vec::with_capacity(queue.len());
        let mut read = Vec::with_capacity(self.points.len());
        let mut failed = BTreeSet::new();
        while let Some(block) = queue.pop_front() {
            match self.master.read(&block).await? {
                Reply::Values(values) => {
                    self.pick(&block, &values, &mut read);
                    worked.push(block);
                }
                Reply::Failed(code) => {
                    failed.insert(code);
                    worked.push(block);
                }
                Reply::Refused => match block.split(&self.extents) {
                    Some(parts) => parts.into_iter().rev().for_each(|part| queue.push_front(part)),
                    None => self.note_missing(&block),
                },
            }
        }
        // Nothing is awaited from here on, so a probe that is given up has moved no counter.
        self.plan = worked;
        Ok(self.reading(read, &failed))
    }

    fn pick(&self, block: &Block, values: &Values, read: &mut Vec<(usize, Raw)>) {
        let found = block.members.iter().filter_map(|member| {
            let start = usize::from(self.extents[*member].address - block.address);
            self.points[*member].raw(values, start).map(|raw| (*member, raw))
        });
        read.extend(found);
    }

    /// A register that the device does not have costs its own fact only, and is asked again when the device was away.
    fn note_missing(&mut self, block: &Block) {
        for member in &block.members {
            if self.missing.insert(*member) {
                let (fact, function) = (self.points[*member].fact(), block.function.word());
                warn!(
                    fact,
                    function,
                    address = block.address,
                    "{} has no {function} {} for `{fact}`: check the register's address",
                    self.master,
                    block.address,
                );
            }
        }
    }

    fn reading(&mut self, read: Vec<(usize, Raw)>, failed: &BTreeSet<u8>) -> Reading {
        let mut facts: BTreeMap<Box<str>, FactValue> = BTreeMap::new();
        let mut faults = failed.iter().map(|code| format!("EX{code:02}").into()).collect::<Vec<Box<str>>>();
        for (member, raw) in read {
            let point = &mut self.points[member];
            if point.is_fault(raw) {
                faults.push(point.fact().into());
            }
            point.take(raw, |fact, value| {
                facts.insert(fact.into(), value);
            });
        }
        Reading { reach: Reach::Ok, facts, faults }
    }
}

/// The outer error is a slip in the configuration, the inner one a bus that other devices use otherwise.
fn link(config: &Config) -> Result<Result<Link, ProbeError>, String> {
    let settings = (config.baud, config.parity, config.stop_bits);
    match (&config.address, &config.serial) {
        (Some(_), None) if settings != (None, None, None) => {
            Err("`baud`, `parity` and `stop_bits` are for `serial`, not for `address`".into())
        }
        (Some(address), None) => Ok(Ok(Link::Tcp(address.parse()?, None))),
        (None, Some(path)) => {
            let baud = config.baud.unwrap_or(9600);
            let stop_bits = config.stop_bits.unwrap_or(1);
            if !(300..=1_000_000).contains(&baud) {
                return Err("`baud` must be 300 to 1000000".into());
            }
            if !(1..=2).contains(&stop_bits) {
                return Err("`stop_bits` must be 1 or 2".into());
            }
            let settings = Settings { baud, parity: config.parity.unwrap_or_default(), stop_bits };
            Ok(serial::shared(path, settings).map(Link::Serial))
        }
        _ => Err("give either `address` (Modbus TCP) or `serial` (Modbus RTU)".into()),
    }
}

/// The registers of the preset under their new names, and the others.
fn points(config: Config) -> Result<Vec<Point>, String> {
    let mut registers = config.preset.map(Preset::registers).unwrap_or_default();
    for name in config.rename.keys() {
        if !registers.iter().any(|register| register.fact == *name) {
            let known = registers.iter().map(|register| &*register.fact).collect::<Vec<_>>().join(", ");
            return Err(format!("`rename` names `{name}`, which is no fact of the preset ({known})"));
        }
    }
    if config.only_renamed.unwrap_or(!config.rename.is_empty()) {
        registers.retain(|register| config.rename.contains_key(&register.fact));
    }
    for register in &mut registers {
        if let Some(name) = config.rename.get(&register.fact) {
            register.fact.clone_from(name);
        }
    }
    registers.extend(config.register);
    let fault_codes = registers.iter().filter(|register| register.fault_code).count();
    let points = registers.into_iter().map(Point::new).collect::<Result<Vec<_>, _>>()?;
    let mut names = BTreeSet::new();
    if let Some(twice) = points.iter().find(|point| !names.insert(point.fact())) {
        return Err(format!("two registers become the fact `{}`", twice.fact()));
    }
    let facts = points.iter().map(Point::facts).sum::<usize>();
    if facts == 0 || facts > MAX_FACTS {
        return Err(format!("the registers make {facts} facts: give a `preset` or `register`s for 1 to {MAX_FACTS}"));
    }
    if fault_codes > MAX_FAULT_CODES {
        return Err(format!("{fault_codes} registers are fault codes, the limit is {MAX_FAULT_CODES}"));
    }
    Ok(points)
}

#[cfg(test)]
mod tests;
