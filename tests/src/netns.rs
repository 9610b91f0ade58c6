//! A network namespace with one cable to the rest of the machine, for agents whose cable is pulled out.

use std::{
    net::Ipv4Addr,
    process::{self, Command},
    sync::atomic::{AtomicU8, Ordering},
};

use anyhow::{Result, ensure};

use crate::program;

static COUNT: AtomicU8 = AtomicU8::new(0);

/// A namespace; it goes, with its cable, when this is dropped.
pub struct Namespace {
    name: String,
    cable: String,
    outside: Ipv4Addr,
}

impl Namespace {
    /// Makes one, if this runs as root and the kernel allows it.
    pub fn create() -> Result<Option<Self>> {
        if !program::is_root() {
            return program::skipped("network namespaces need root");
        }
        if program::installed("ip")?.is_none() {
            return Ok(None);
        }
        let (id, count) = (process::id(), COUNT.fetch_add(1, Ordering::Relaxed) % 4);
        let name = format!("lobby-{id}-{count}");
        let cable = format!("lt{}{count}", id % 1_000_000);
        // Each process has sixteen addresses of its own: four nets of four.
        let net = 0x0a80_0000 | (id % 0x7_ffff) << 4 | u32::from(count) << 2;
        let [outside, inside] = [1, 2].map(|end| Ipv4Addr::from(net | end));
        let this = Self { name, cable, outside };
        this.build(inside)?;
        Ok(Some(this))
    }

    fn build(&self, inside: Ipv4Addr) -> Result<()> {
        let Self { name, cable, outside } = self;
        let peer = format!("{cable}n");
        ip(&["netns", "add", name])?;
        ip(&["link", "add", cable, "type", "veth", "peer", "name", &peer, "netns", name])?;
        ip(&["addr", "add", &format!("{outside}/30"), "dev", cable])?;
        ip(&["link", "set", cable, "up"])?;
        ip(&["-n", name, "addr", "add", &format!("{inside}/30"), "dev", &peer])?;
        ip(&["-n", name, "link", "set", &peer, "up"])?;
        ip(&["-n", name, "link", "set", "lo", "up"])
    }

    /// Its name, for `ip netns exec`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of this machine at the outer end of the cable.
    pub fn outside(&self) -> Ipv4Addr {
        self.outside
    }

    /// Pulls the cable out, or puts it in again.
    pub fn plugged(&self, plugged: bool) -> Result<()> {
        ip(&["link", "set", &self.cable, if plugged { "up" } else { "down" }])
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The inner end of the cable takes the outer one along. What cannot be removed goes with the machine.
        let _ = ip(&["link", "del", &self.cable]);
        let _ = ip(&["netns", "del", &self.name]);
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), told.trim());
    Ok(())
}
