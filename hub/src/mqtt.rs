//! MQTT, from the hub's side: whatever agents send comes in through one bounded queue in which they take turns, and whatever the hub
//! says to them goes out through one [`Link`], whether the broker is embedded in this process or runs elsewhere.
//!
//! Owns: the embedded broker, the client of an external one, who may do what on them, and what is refused on arrival. Must not
//! know: rules, storage, pages.

use std::{fmt, net::SocketAddr, path::PathBuf, sync::Arc};

use lobby_contract::{AgentId, Channel, FromAgent, MAX_PAYLOAD, SiteId, Topic};
use lobby_domain::time::Timestamp;
use tokio::sync::watch;

pub use crate::pem::PemError;
use crate::{clock::Clock, lifecycle::Lifecycle};

mod counters;
mod embedded;
mod external;
mod inlet;
mod queue;
mod refusal;

pub use self::{
    counters::{Cause, MqttCounters},
    embedded::{
        settings::{EmbeddedSettings, TlsListener, WebSocketListener},
        users::{Users, UsersError},
    },
    external::settings::{ExternalSettings, ExternalTls},
    queue::{Entrance, Queue, queue},
    refusal::Refusal,
};

/// One message of an agent, read; in order of arrival per agent.
#[derive(Debug)]
pub struct Inbound {
    /// The agent's site.
    pub site: SiteId,
    /// The agent.
    pub agent: AgentId,
    /// The hub's clock when it came.
    pub received_at: Timestamp,
    /// When the hub was connected to the external broker on which it came. What was sent earlier waited there.
    pub connected_at: Option<Timestamp>,
    /// What the agent says.
    pub message: FromAgent,
    /// Length of the payload.
    pub bytes: usize,
    /// To be settled after the commit, or at once where there is no room: its agent keeps the records. Present with an external broker only.
    pub receipt: Option<Receipt>,
}

/// Tells an external broker that a message is in the database. A receipt that is dropped unsettled lets the broker deliver the
/// message again after the next reconnect.
pub struct Receipt(external::PendingAck);

impl Receipt {
    /// Sends the acknowledgement on the connection on which the message came. If that connection is gone this does nothing: the
    /// broker delivers the message again, and its records are known by then.
    pub fn settle(self) {
        self.0.settle();
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receipt")
    }
}

/// Which broker agents meet the hub on: the `[mqtt]` part of the configuration.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(tag = "broker", rename_all = "lowercase")]
pub enum Settings {
    /// `broker = "embedded"`: in this process.
    Embedded(EmbeddedSettings),
    /// `broker = "external"`: any MQTT 5 broker.
    External(ExternalSettings),
}

impl Settings {
    /// What would be unsafe or cannot work.
    pub fn mistakes(&self) -> Vec<StartError> {
        match self {
            Self::Embedded(settings) => settings.mistakes(),
            Self::External(settings) => settings.mistakes(),
        }
    }

    /// The files of our own listeners' certificates.
    pub fn certificates(&self) -> Vec<PathBuf> {
        match self {
            Self::Embedded(settings) => settings.tls.iter().map(|tls| tls.cert_file.clone()).collect(),
            Self::External(_) => Vec::new(),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::Embedded(EmbeddedSettings::default())
    }
}

impl Settings {
    /// Whether only programs on this computer can report.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Embedded(settings) => settings.addresses().all(|address| address.ip().is_loopback()),
            Self::External(settings) => {
                let host = settings.host.trim_matches(['[', ']']);
                host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
        }
    }
}

/// Whether agents can reach the hub through the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BrokerState {
    /// Whether the hub is connected and subscribed.
    pub up: bool,
    /// How often it has come up. Two values that differ mean that the connection was lost in between, even if that was not seen.
    pub connects: u64,
}

/// Where the embedded broker listens, with the ports the system chose; empty with an external broker.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// Plain MQTT.
    pub mqtt: Vec<SocketAddr>,
    /// MQTT over TLS.
    pub tls: Vec<SocketAddr>,
    /// MQTT over WebSocket, plain or over TLS as configured.
    pub websocket: Vec<SocketAddr>,
}

/// The running MQTT side.
#[derive(Debug)]
pub struct Mqtt {
    /// The way to agents.
    pub link: Link,
    /// What has been counted.
    pub counters: Arc<MqttCounters>,
    /// Where the embedded broker listens.
    pub addresses: Addresses,
    /// Changes whenever an external broker is lost or found. The embedded broker is always up.
    pub events: watch::Receiver<BrokerState>,
    /// Who may log in to the embedded broker, if it asks for credentials.
    pub users: Option<Users>,
}

/// Why the MQTT side cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener that others can reach needs a file of users.
    #[error(
        "`mqtt.listen`: {0} can be reached from other computers, and without `mqtt.users_file` anybody there could report in an \
         agent's name: name a users file, or listen on 127.0.0.1 only"
    )]
    Open(SocketAddr),
    /// No listener is configured.
    #[error("`mqtt.listen`, `mqtt.tls` and `mqtt.websocket` are all empty: name at least one address")]
    NoListener,
    /// `websocket.secure` needs a certificate.
    #[error("`mqtt.websocket.secure` needs the certificate of `mqtt.tls`: add that part")]
    NoCertificate,
    /// A value is out of bounds.
    #[error("`mqtt.{key}` is {found}: use {wanted}")]
    Bounds {
        /// The setting.
        key: &'static str,
        /// Its value.
        found: u64,
        /// What is allowed.
        wanted: &'static str,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for MQTT: is it taken by another program, or not an address of this computer?")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The users file cannot be used.
    #[error("the MQTT users cannot be read")]
    Users(#[source] UsersError),
    /// A certificate or key cannot be read.
    #[error("MQTT over TLS cannot be set up")]
    Pem(#[source] PemError),
    /// The certificates and keys do not fit together.
    #[error("MQTT over TLS cannot be set up with these certificates and keys")]
    Tls(#[source] rustls::Error),
    /// The authority of client certificates cannot be used.
    #[error("`mqtt.tls.client_ca_file` cannot be used")]
    ClientCa(#[source] rustls::server::VerifierBuilderError),
    /// The server's name is not a name.
    #[error("`mqtt.tls.server_name` or `mqtt.host` `{0}` is not a name a certificate can carry")]
    ServerName(String),
    /// The password's file or variable cannot be read.
    #[error("the MQTT password cannot be read from {place}")]
    Password {
        /// The file or variable.
        place: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The embedded broker refused its own start.
    #[error("the embedded broker did not start: {0}")]
    Broker(String),
}

impl StartError {
    /// The setting of `[mqtt]` that it is about, if it is one.
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Self::Bounds { key, .. } => Some(key),
            Self::Open(_) | Self::NoListener => Some("listen"),
            Self::NoCertificate => Some("websocket"),
            _ => None,
        }
    }
}

/// Why something could not be said to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The broker is not connected.
    #[error("the MQTT broker is not connected")]
    Offline,
    /// More is waiting to be sent than the bound allows; try again.
    #[error("too many messages wait to be sent to the MQTT broker")]
    Busy,
    /// Not a channel on which the hub speaks.
    #[error("the hub does not publish on `{0}`")]
    Direction(Channel),
    /// Larger than [`MAX_PAYLOAD`].
    #[error("the payload has {0} bytes, the limit is {MAX_PAYLOAD}")]
    TooLarge(usize),
}

/// The way to agents. Cheap to clone.
#[derive(Clone)]
pub struct Link(Outlet);

#[derive(Clone)]
enum Outlet {
    Embedded(embedded::Outlet),
    External(external::Outlet),
}

impl Link {
    /// Publishes `payload` to one agent, at least once. It never waits for a slow agent; that it returns says nothing about receipt.
    pub async fn send(&self, to: &Topic, payload: Vec<u8>) -> Result<(), LinkError> {
        if !Channel::TO_AGENT.contains(&to.channel) {
            return Err(LinkError::Direction(to.channel));
        }
        if payload.len() > MAX_PAYLOAD {
            return Err(LinkError::TooLarge(payload.len()));
        }
        match &self.0 {
            Outlet::Embedded(outlet) => {
                outlet.publish(to.to_string(), payload, false).await;
                Ok(())
            }
            Outlet::External(outlet) => outlet.publish(to, payload),
        }
    }

    /// Says, retained, whether the hub takes in records. `start` says that it does, so this is for times in which it cannot, such
    /// as a database that does not answer. An external broker that is away hears it when it is back, and it is told, or says
    /// itself, that the hub is gone; the embedded one goes with the hub.
    pub async fn hub_state(&self, online: bool) {
        match &self.0 {
            Outlet::Embedded(outlet) => outlet.hub_state(online).await,
            Outlet::External(outlet) => outlet.hub_state(online),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Outlet::Embedded(_) => "Link(embedded)",
            Outlet::External(_) => "Link(external)",
        })
    }
}

/// Starts the broker or its client; every message read goes to `inbound`. When its queue is full, the embedded broker stops reading
/// from the agents whose messages wait, and an external one is not acknowledged to, so neither side grows.
pub async fn start(
    settings: Settings,
    lifecycle: &Lifecycle,
    clock: Arc<dyn Clock>,
    inbound: Entrance,
) -> Result<Mqtt, StartError> {
    match settings {
        Settings::Embedded(settings) => embedded::start(settings, lifecycle, clock, inbound).await,
        Settings::External(settings) => external::start(settings, lifecycle, clock, inbound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_configuration_the_broker_is_embedded_and_on_loopback_only() {
        let Settings::Embedded(settings) = Settings::default() else { panic!("the default is the embedded broker") };
        assert_eq!(settings.listen, ["127.0.0.1:1883".parse().unwrap()]);
        assert!(settings.users_file.is_none());
    }

    #[test]
    fn both_brokers_are_read_from_the_configuration() {
        let embedded: Settings = toml::from_str(
            "broker = 'embedded'\nlisten = ['0.0.0.0:1883']\nusers_file = 'users.toml'\nhandshake = '5s'\n[tls]\nlisten = \
             ['0.0.0.0:8883']\ncert_file = 'a'\nkey_file = 'b'\n",
        )
        .unwrap();
        assert!(matches!(embedded, Settings::Embedded(settings) if settings.tls.is_some()));
        let external: Settings =
            toml::from_str("broker = 'external'\nhost = 'mqtt.example'\nusername = 'hub'\n").unwrap();
        assert!(
            matches!(external, Settings::External(settings) if settings.port.is_none() && settings.receive_maximum == 100)
        );
    }

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        let refused = toml::from_str::<Settings>("broker = 'embedded'\nlissten = []\n").unwrap_err();
        assert!(refused.to_string().contains("lissten"), "{refused}");
    }
}
