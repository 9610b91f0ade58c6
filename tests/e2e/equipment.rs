//! The configuration of devices, as an installer writes it, for the equipment that tests start.

use std::{net::TcpListener, path::Path, thread};

use anyhow::Result;
use lobby_tests::modbus::Equipment;

/// A shoe-cover machine with registers of its own: unit 5 of the Modbus equipment. `line` is its transport:
/// `address = "…"` or `serial = "…"`.
pub fn covers(id: &str, line: &str) -> String {
    format!(
        r#"{}
[device.probe]
type = "modbus"
{line}
unit = 5
response_timeout_ms = 200
[[device.probe.register]]
fact = "jam"
function = "discrete"
address = 1
[[device.probe.register]]
fact = "covers_left"
function = "holding"
address = 2
"#,
        machine(id)
    )
}

/// A machine whose contacts end at an EBYTE module, unit 1 of the Modbus equipment; its second input is the jam.
pub fn contacts(id: &str, line: &str) -> String {
    format!(
        r#"{}
[device.probe]
type = "modbus"
{line}
unit = 1
response_timeout_ms = 200
preset = "ebyte-me31"
rename = {{ count1 = "covers_dispensed", di2 = "jam" }}
"#,
        machine(id)
    )
}

fn machine(id: &str) -> String {
    format!(
        r#"
[[device]]
id = "{id}"
kind = "shoe-cover-machine"
name = "鞋套机 {id}"
place = "样板房入口"
every = "1s"
timeout = "900ms"
heartbeat = "5s"
facts = {{ capacity = 500, low_at = 50 }}"#
    )
}

/// Jams the machine of [`covers`], or frees it.
pub fn jam(equipment: &mut Equipment, jammed: bool) -> Result<()> {
    equipment.set(5, "discrete", 1, jammed.into())
}

/// Says how many covers the machine of [`covers`] holds.
pub fn fill(equipment: &mut Equipment, left: u16) -> Result<()> {
    equipment.set(5, "holding", 2, left)
}

/// A display on PJLink, whose password is in a file.
pub fn display(id: &str, kind: &str, address: &str, password: Option<&Path>) -> String {
    let password =
        password.map_or_else(String::new, |path| format!("password = {{ file = \"{}\" }}\n", path.display()));
    format!(
        r#"
[[device]]
id = "{id}"
kind = "{kind}"
name = "显示屏 {id}"
place = "大门口"
every = "1s"
timeout = "900ms"
heartbeat = "5s"
[device.probe]
type = "pjlink"
address = "{address}"
{password}"#
    )
}

/// This computer, as a laptop of the internet area.
pub fn this_computer(id: &str) -> String {
    format!(
        r#"
[[device]]
id = "{id}"
kind = "laptop"
name = "笔记本电脑"
place = "上网区"
every = "5s"
timeout = "4s"
heartbeat = "10s"
[device.probe]
type = "host"
"#
    )
}

/// The network as this computer sees it.
pub fn network(id: &str) -> String {
    format!(
        r#"
[[device]]
id = "{id}"
kind = "network"
name = "网络"
place = "上网区"
every = "10s"
timeout = "9s"
heartbeat = "20s"
[device.probe]
type = "network"
"#
    )
}

/// A laptop that is asked ten times a second whether it is there, and reported each time.
pub fn busy_laptop(id: &str, port: u16) -> String {
    format!(
        r#"
[[device]]
id = "{id}"
kind = "laptop"
name = "笔记本电脑 {id}"
place = "上网区"
every = "100ms"
timeout = "100ms"
heartbeat = "100ms"
[device.probe]
type = "tcp"
address = "127.0.0.1"
ports = [{port}]
"#
    )
}

/// A port that takes every connection, however many come, as long as the test lives.
pub fn laptop() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || listener.incoming().for_each(drop));
    Ok(port)
}
