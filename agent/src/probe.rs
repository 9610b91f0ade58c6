//! From the outside world to a [`Reading`]: one file per protocol, all behind [`Probe`].

use std::collections::BTreeMap;

use lobby_contract::{FactValue, Reach};

/// What one probe of one device found. The agent never judges it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Whether the device answered.
    pub reach: Reach,
    /// What it said of itself.
    pub facts: BTreeMap<Box<str>, FactValue>,
    /// Its own fault codes, as it says them.
    pub faults: Vec<Box<str>>,
}

/// Why a probe has no reading of an answering device.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The device was asked and did not answer, or not sensibly: reported as `unreachable`.
    #[error("{0}")]
    Unreachable(String),
    /// The agent could not ask, for instance because its serial port is gone: reported as `unknown`.
    #[error("{0}")]
    Own(String),
}
