//! Modbus equipment made of pymodbus, over TCP or a serial line.

use std::{path::Path, time::Duration};

use anyhow::Result;

use crate::{process::Process, program};

/// A Modbus server whose registers the test sets.
pub struct Equipment {
    process: Process,
    port: u16,
}

impl Equipment {
    /// Starts one on TCP, if there is a Python for it.
    pub fn tcp() -> Result<Option<Self>> {
        Self::start(&["--port", "0"])
    }

    /// Starts one on a serial port.
    pub fn serial(path: &Path) -> Result<Option<Self>> {
        Self::start(&["--serial", &path.to_string_lossy()])
    }

    fn start(arguments: &[&str]) -> Result<Option<Self>> {
        let Some(python) = program::python()? else { return Ok(None) };
        let mut command = program::script(&python, "peers/modbus_server.py");
        let mut process = Process::start("modbus equipment", command.args(arguments))?;
        let port = process.line("ready", Duration::from_secs(20), |line| {
            let rest = line.strip_prefix("ready")?;
            Some(rest.trim().parse().unwrap_or(0))
        })?;
        Ok(Some(Self { process, port }))
    }

    /// Where it listens, for equipment on TCP.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sets a value of a unit, such as `set(5, "discrete", 1, 1)`; the units are told at the head of the server's script.
    pub fn set(&mut self, unit: u8, table: &str, address: u16, value: u16) -> Result<()> {
        self.process.tell(&format!("unit {unit}"))?;
        self.process.tell(&format!("set {table} {address} {value}"))
    }
}
