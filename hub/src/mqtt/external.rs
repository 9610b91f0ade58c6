//! The client of an external broker: takes in what agents send, settles it after the commit, and sends what the hub says.

use std::sync::{Arc, Mutex, PoisonError};

use lobby_contract::{HUB_TOPIC, HubState, Topic, encode};
use rumqttc::v5::{
    AsyncClient,
    mqttbytes::{QoS, v5::Publish},
};
use tokio::sync::{mpsc, watch};
use tracing::debug;

use self::{connection::Dialler, consumer::Consumer, publisher::Sender, settings::ExternalSettings};
use super::{Addresses, BrokerState, Entrance, Link, LinkError, Mqtt, StartError, inlet::Inlet};
use crate::{clock::Clock, lifecycle::Lifecycle};

mod connection;
mod consumer;
mod publisher;
pub(super) mod settings;

/// How many messages more than it was told a broker may send unacknowledged. Mosquitto does so: from the first acknowledgement on
/// it follows its own setting instead of the hub's.
const BEYOND: usize = 1000;

/// What is needed to acknowledge one message, on its own connection.
pub(super) struct PendingAck {
    message: Publish,
    client: AsyncClient,
}

impl PendingAck {
    fn new(message: &Publish, client: AsyncClient) -> Self {
        let mut stub = Publish::new("", message.qos, Vec::new(), None);
        stub.pkid = message.pkid;
        Self { message: stub, client }
    }

    pub(super) fn settle(self) {
        if self.client.try_ack(&self.message).is_err() {
            debug!("a message came on a connection that is gone; the broker will send it again");
        }
    }
}

/// Whether the hub says that it is online, and to whom it can say it.
pub(super) struct Presence {
    clock: Arc<dyn Clock>,
    now: Mutex<(bool, Option<AsyncClient>)>,
}

impl Presence {
    fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, now: Mutex::new((true, None)) }
    }

    fn now(&self) -> std::sync::MutexGuard<'_, (bool, Option<AsyncClient>)> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The broker is there: it is told at once what was to be said.
    fn present(&self, client: AsyncClient) {
        let mut now = self.now();
        now.1 = Some(client);
        self.tell(&now);
    }

    fn absent(&self) {
        self.now().1 = None;
    }

    fn say(&self, online: bool) {
        let mut now = self.now();
        now.0 = online;
        self.tell(&now);
    }

    fn tell(&self, (online, client): &(bool, Option<AsyncClient>)) {
        let Some(client) = client else { return };
        let state = encode(&HubState { online: *online, at: self.clock.now().millis() });
        if client.try_publish(HUB_TOPIC, QoS::AtLeastOnce, true, state).is_err() {
            debug!("the hub's state cannot be said now; it is said again at the next connection");
        }
    }
}

/// The way from the hub to agents through an external broker.
#[derive(Clone)]
pub(super) struct Outlet {
    sender: Sender,
    presence: Arc<Presence>,
}

impl Outlet {
    pub(super) fn publish(&self, to: &Topic, payload: Vec<u8>) -> Result<(), LinkError> {
        self.sender.publish(to, payload)
    }

    pub(super) fn hub_state(&self, online: bool) {
        self.presence.say(online);
    }
}

/// Starts connecting; that the broker is away is no error, as it may come later.
pub(super) fn start(
    settings: ExternalSettings,
    lifecycle: &Lifecycle,
    clock: Arc<dyn Clock>,
    inbound: Entrance,
) -> Result<Mqtt, StartError> {
    let receive_maximum = usize::from(settings.receive_maximum);
    let dialler = Dialler::new(settings, lifecycle.clone())?;
    let inlet = Arc::new(Inlet::new(inbound, Arc::clone(&clock)));
    let presence = Arc::new(Presence::new(clock));
    let sender = Sender::default();
    let (state, events) = watch::channel(BrokerState::default());
    let (arrivals, arrived) = mpsc::channel(receive_maximum + BEYOND);

    let outlet = Outlet { sender: sender.clone(), presence: Arc::clone(&presence) };
    let counters = Arc::clone(&inlet.counters);
    let consumer = Consumer { dialler: dialler.clone(), inlet: Arc::clone(&inlet), arrivals, state, presence };
    lifecycle.supervise("mqtt reader", consumer::read(arrived, inlet, lifecycle.stop_token()));
    lifecycle.supervise("mqtt consumer", consumer.run(lifecycle.stop_token()));
    lifecycle.supervise("mqtt publisher", publisher::run(dialler, sender, lifecycle.stop_token()));
    Ok(Mqtt {
        link: Link(super::Outlet::External(outlet)),
        counters,
        addresses: Addresses::default(),
        events,
        users: None,
    })
}
