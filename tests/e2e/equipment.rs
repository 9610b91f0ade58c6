//! The configuration of devices, as an installer writes it, for the equipment that tests start.

use std::path::Path;

/// A shoe-cover machine on Modbus. `line` is its transport: `address = "…"` or `serial = "…"`.
pub fn covers(id: &str, line: &str, unit: u8) -> String {
    format!(
        r#"
[[device]]
id = "{id}"
kind = "shoe-cover-machine"
name = "鞋套机 {id}"
place = "样板房入口"
every = "500ms"
timeout = "450ms"
heartbeat = "5s"
facts = {{ capacity = 500, low_at = 50 }}
[device.probe]
type = "modbus"
{line}
unit = {unit}
response_timeout_ms = 200
[[device.probe.register]]
fact = "jam"
function = "holding"
address = {JAM}
bit = 0
[[device.probe.register]]
fact = "covers_left"
function = "holding"
address = {LEFT}
"#
    )
}

/// The registers of [`covers`].
pub const JAM: u16 = 0;
/// See [`JAM`].
pub const LEFT: u16 = 1;

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
