//! From the outside world to a [`Reading`]: one file per protocol, all behind [`Probe`].

pub mod host;
pub mod modbus;
pub mod network;
pub mod pjlink;
pub mod tcp;

use std::collections::BTreeMap;

use lobby_contract::{FactValue, Reach};
use serde::Deserialize;

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

/// How a device is asked: `type = "…"` and what that protocol needs.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ProbeConfig {
    /// A display or projector by `PJLink`.
    Pjlink(pjlink::Config),
    /// A machine's registers by Modbus.
    Modbus(modbus::Config),
    /// The computer on which the agent runs.
    Host(host::Config),
    /// The way to the internet as the agent sees it.
    Network(network::Config),
    /// Whether something answers at an address.
    Tcp(tcp::Config),
}

impl ProbeConfig {
    /// The words for `type`.
    pub const TYPES: [&'static str; 5] = ["pjlink", "modbus", "host", "network", "tcp"];
}

/// A probe of one device, of whichever protocol.
pub enum Probe {
    /// See [`ProbeConfig::Pjlink`].
    Pjlink(Box<pjlink::Pjlink>),
    /// See [`ProbeConfig::Modbus`].
    Modbus(Box<modbus::Modbus>),
    /// See [`ProbeConfig::Host`].
    Host(Box<host::Host>),
    /// See [`ProbeConfig::Network`].
    Network(Box<network::Network>),
    /// See [`ProbeConfig::Tcp`].
    Tcp(Box<tcp::Tcp>),
}

impl Probe {
    /// A probe of `config`; [`ProbeError::Own`] says what in it cannot be.
    pub fn new(config: ProbeConfig) -> Result<Self, ProbeError> {
        Ok(match config {
            ProbeConfig::Pjlink(config) => Self::Pjlink(pjlink::Pjlink::new(config)?.into()),
            ProbeConfig::Modbus(config) => Self::Modbus(modbus::Modbus::new(config)?.into()),
            ProbeConfig::Host(config) => Self::Host(host::Host::new(config)?.into()),
            ProbeConfig::Network(config) => Self::Network(network::Network::new(config)?.into()),
            ProbeConfig::Tcp(config) => Self::Tcp(tcp::Tcp::new(config)?.into()),
        })
    }

    /// Asks the device once. May be dropped at any point; the next call starts afresh.
    pub async fn probe(&mut self) -> Result<Reading, ProbeError> {
        match self {
            Self::Pjlink(probe) => probe.probe().await,
            Self::Modbus(probe) => probe.probe().await,
            Self::Host(probe) => probe.probe().await,
            Self::Network(probe) => probe.probe().await,
            Self::Tcp(probe) => probe.probe().await,
        }
    }
}
