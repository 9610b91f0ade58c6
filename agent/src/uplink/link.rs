//! One connection to the broker: made anew after every error, because what an old one still held is in the spool anyway.

use std::{future::pending, pin::Pin, time::Duration};

use anyhow::{Context, anyhow};
use lobby_contract::{Channel, Death, DeathReason, MAX_PAYLOAD, encode};
use rumqttc::{
    Outgoing,
    v5::{
        AsyncClient, ConnectionError, Event, EventLoop, MqttOptions,
        mqttbytes::{
            QoS,
            v5::{ConnectProperties, LastWill, Packet, PubAckReason, SubscribeReasonCode},
        },
    },
};
use tokio::{sync::mpsc, time::timeout};
use tracing::warn;

use super::Shared;
use crate::config::Hub;

/// How often the connection is tried out. A dead one is noticed within twice this time.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long connecting may take, in seconds.
const CONNECT_S: u64 = 12;
/// Messages sent and not yet taken by the broker.
const INFLIGHT: u16 = 50;
/// Requests to the event loop that may wait; when full, the session waits.
const REQUESTS: usize = 10;

/// How long the last words may take to leave.
const GOODBYE: Duration = Duration::from_secs(1);

/// Ends when a tunnel does, with the cause.
type Carried = Pin<Box<dyn Future<Output = anyhow::Error> + Send>>;

/// What the broker says to the session.
#[derive(Debug)]
pub(super) enum Inbound {
    /// The session has begun.
    Connected,
    /// A message has come.
    Message { topic: Box<str>, payload: bytes::Bytes },
}

/// A connection that is not yet made: polling it makes it.
pub(super) struct Link {
    pub client: AsyncClient,
    events: EventLoop,
    tunnel: Option<Carried>,
}

impl Link {
    /// Prepares a connection that is session `session` of `shared`'s agent.
    pub(super) fn new(shared: &Shared, session: u32) -> anyhow::Result<Self> {
        let hub = &shared.hub;
        let client_id = format!("{}.{}", shared.site, shared.agent);
        let (mut options, tunnel) = if hub.url.tls {
            let (options, tunnel) = encrypted(hub, client_id).context("prepare TLS")?;
            (options, Some(tunnel))
        } else {
            (plain(hub, client_id), None)
        };
        let death = Death { epoch: shared.spool.epoch(), session, reason: DeathReason::Lost };
        let will = LastWill::new(shared.topic(Channel::Death), encode(&death), QoS::AtLeastOnce, false, None);
        let largest = u32::try_from(MAX_PAYLOAD).expect("256 KiB fit into 32 bits") + 1024;
        options
            .set_clean_start(true)
            .set_keep_alive(KEEP_ALIVE)
            .set_connection_timeout(CONNECT_S)
            .set_outgoing_inflight_upper_limit(INFLIGHT)
            .set_connect_properties(ConnectProperties { max_packet_size: Some(largest), ..ConnectProperties::new() })
            .set_last_will(will);
        let own = || hub.password.as_ref().map(|_| format!("{}/{}", shared.site, shared.agent));
        if let Some(user) = hub.username.clone().or_else(own) {
            let password = match &hub.password {
                Some(source) => source.read().context("read the password for the broker")?.expose().to_owned(),
                None => String::new(),
            };
            options.set_credentials(user, password);
        }
        let (client, events) = AsyncClient::new(options, REQUESTS);
        Ok(Self { client, events, tunnel })
    }

    /// Splits off the client, by which the session speaks.
    pub(super) fn split(self) -> (AsyncClient, Poll) {
        (self.client, Poll { events: self.events, tunnel: self.tunnel })
    }
}

fn plain(hub: &Hub, client_id: String) -> MqttOptions {
    // The client joins host and port by a colon: an IPv6 address needs its brackets.
    let is_ipv6 = hub.url.host.contains(':');
    let host = if is_ipv6 { format!("[{}]", hub.url.host) } else { hub.url.host.clone() };
    let mut options = MqttOptions::new(client_id, host, hub.url.port);
    let mut network = options.network_options();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    options
}

#[cfg(unix)]
fn encrypted(hub: &Hub, client_id: String) -> anyhow::Result<(MqttOptions, Carried)> {
    let tunnel = super::tls::Tunnel::open(hub)?;
    let mut options = MqttOptions::new(client_id, tunnel.socket().display().to_string(), 0);
    options.set_transport(rumqttc::Transport::Unix);
    let carried = async {
        let closed = || anyhow!("the broker closed the connection");
        tunnel.carry().await.map_or_else(anyhow::Error::from, |()| closed())
    };
    Ok((options, Box::pin(carried)))
}

#[cfg(not(unix))]
fn encrypted(_: &Hub, _: String) -> anyhow::Result<(MqttOptions, Carried)> {
    anyhow::bail!("TLS needs a Unix system: use `mqtt://` within a protected network")
}

/// The half of a [`Link`] that only moves bytes and never waits for the session.
pub(super) struct Poll {
    events: EventLoop,
    tunnel: Option<Carried>,
}

impl Poll {
    /// Polls until the session has said goodbye (`Ok`) or the connection fails.
    pub(super) async fn run(mut self, inbox: mpsc::Sender<Inbound>) -> anyhow::Result<()> {
        let carried = async {
            match &mut self.tunnel {
                Some(tunnel) => tunnel.await,
                None => pending().await,
            }
        };
        let polled = tokio::select! {
            // The tunnel knows the true cause; the client sees only its end.
            biased;
            cause = carried => return Err(cause),
            polled = poll(&mut self.events, &inbox) => polled,
        };
        if let (Ok(()), Some(tunnel)) = (&polled, self.tunnel) {
            drop(self.events);
            // What was said last must still leave through the tunnel.
            let _ = timeout(GOODBYE, tunnel).await;
        }
        polled
    }
}

async fn poll(events: &mut EventLoop, inbox: &mpsc::Sender<Inbound>) -> anyhow::Result<()> {
    let (mut dropped, mut refused) = (0_u64, 0_u64);
    loop {
        let inbound = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => Inbound::Connected,
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let topic = String::from_utf8_lossy(&publish.topic).into_owned().into();
                Inbound::Message { topic, payload: publish.payload }
            }
            Ok(Event::Incoming(Packet::PubAck(ack)))
                if !matches!(ack.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers) =>
            {
                refused += 1;
                if refused.is_power_of_two() {
                    warn!(reason = ?ack.reason, refused, "the broker refuses messages of this agent: check its rights");
                }
                continue;
            }
            Ok(Event::Incoming(Packet::SubAck(ack)))
                if ack.return_codes.iter().any(|code| !matches!(code, SubscribeReasonCode::Success(_))) =>
            {
                warn!(codes = ?ack.return_codes, "the broker refuses a subscription of this agent: check its rights");
                continue;
            }
            Ok(Event::Outgoing(Outgoing::Disconnect)) => return Ok(()),
            Ok(_) => continue,
            Err(ConnectionError::RequestsDone) => return Err(anyhow!("the session ended")),
            Err(error) => return Err(error.into()),
        };
        // The loop must never wait for the session, which may be waiting for the loop. What is dropped here the hub says again.
        if inbox.try_send(inbound).is_err() {
            dropped += 1;
            if dropped.is_power_of_two() {
                warn!(dropped, "messages of the hub come faster than they are handled: some are dropped");
            }
        }
    }
}
