//! The configurations of the demonstration's two agents: files like any other agent's, with the addresses filled in.

use std::{net::SocketAddr, path::Path};

use anyhow::Context;
use lobby_agent::config::{Config, Hub, HubUrl};
use lobby_contract::{AgentId, DeviceId};

use super::Places;

const LOBBY_BOX: &str = include_str!("lobby-box.toml");
const RECREATION_BOX: &str = include_str!("recreation-box.toml");

/// The agents with the names of their tasks. The one in the lobby reports straight to the broker at `mqtt`, the other one over the line
/// that can be cut.
pub(super) fn configs(
    places: &Places,
    mqtt: SocketAddr,
    state_dir: &Path,
) -> anyhow::Result<[(&'static str, Config); 2]> {
    let boxes = [
        ("demo agent lobby-box", LOBBY_BOX, "demo/lobby-box.toml", mqtt),
        ("demo agent recreation-box", RECREATION_BOX, "demo/recreation-box.toml", places.uplink),
    ];
    let [lobby, recreation] = boxes.map(|(task, text, origin, hub)| -> anyhow::Result<_> {
        let mut config =
            Config::parse(&filled(text, places), origin).context("reading a configuration of the demonstration")?;
        config.state_dir = state_dir.join("agents").join(config.id.as_str());
        config.hub = Hub::at(HubUrl { tls: false, host: hub.ip().to_string(), port: hub.port() });
        Ok((task, config))
    });
    Ok([lobby?, recreation?])
}

/// The agent that watches a device.
pub(super) fn watching(device: &DeviceId) -> AgentId {
    let agent = if LOBBY_BOX.contains(&format!("id = \"{device}\"")) { "lobby-box" } else { "recreation-box" };
    agent.parse().expect("the agents' ids are names")
}

fn filled(text: &str, places: &Places) -> String {
    [
        ("{entrance-led}", places.entrance_led.to_string()),
        ("{lift-tv}", places.lift_tv.to_string()),
        ("{lobby-gateway}", places.lobby_gateway.to_string()),
        ("{recreation-gateway}", places.recreation_gateway.to_string()),
        ("{laptop-port}", places.laptop.port().to_string()),
    ]
    .iter()
    .fold(text.to_owned(), |text, (name, place)| text.replace(name, place))
}

/// The kind of each device.
#[cfg(test)]
pub(super) fn kinds() -> std::collections::BTreeMap<String, Box<str>> {
    let any = SocketAddr::from(([127, 0, 0, 1], 1));
    let places = Places {
        entrance_led: any,
        lift_tv: any,
        lobby_gateway: any,
        recreation_gateway: any,
        laptop: any,
        uplink: any,
    };
    let configs = configs(&places, any, Path::new("/nowhere")).unwrap();
    let devices = configs.into_iter().flat_map(|(_, config)| config.devices);
    devices.map(|device| (device.id.as_str().to_owned(), device.kind)).collect()
}
