//! The broker inside the hub: the protocol is a library's, the doors, the rules and the way to ingest are ours.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use lobby_contract::{HUB_TOPIC, HubState, encode};
use mqtt5::{
    QoS,
    broker::{
        auth::AuthProvider,
        config::BrokerConfig,
        events::BrokerEventHandler,
        resource_monitor::{ResourceLimits, ResourceMonitor},
        router::MessageRouter,
        storage::{DynamicStorage, MemoryBackend, QueueLimits, StorageBackend},
        sys_topics::BrokerStats,
    },
    packet::publish::PublishPacket,
};
use rustls::{ServerConfig, crypto::ring, server::WebPkiClientVerifier};
use tokio::{
    net::TcpListener,
    sync::{broadcast, mpsc, watch},
    time::{Instant, MissedTickBehavior},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use self::{
    access::Access,
    hook::Hook,
    listener::{Broker, Dress, MAX_PACKET},
    login::Gate,
    settings::{EmbeddedSettings, TlsListener},
    users::Users,
    wills::Wills,
};
use super::{Addresses, BrokerState, Entrance, Link, Mqtt, StartError, inlet::Inlet};
use crate::{clock::Clock, door::Door, lifecycle::Lifecycle, pem};

mod access;
mod hook;
mod listener;
pub(super) mod login;
mod pubacks;
pub(super) mod settings;
pub(super) mod users;
mod wills;

/// Messages the broker keeps for one slow or absent client; then the oldest goes. They are acknowledgements, of which the newest
/// says all, and commands, which are given again.
const KEPT: QueueLimits = QueueLimits { max_messages: 1000, max_bytes: 1024 * 1024 };
/// Messages on their way to one client before they are kept.
const LANE: usize = 64;
/// Messages of one client that may be unanswered.
const IN_FLIGHT: u16 = 50;
/// How long the broker keeps the session of a client that is gone.
const SESSION: Duration = Duration::from_hours(1);
/// How often ended sessions are cleared away.
const SWEEP: Duration = Duration::from_mins(1);

/// The way from the hub to agents through the embedded broker.
#[derive(Clone)]
pub(super) struct Outlet {
    router: Arc<MessageRouter>,
    clock: Arc<dyn Clock>,
}

impl Outlet {
    /// Routes a message. The deadline is now: a client that does not read gets its messages later, and nobody waits for it.
    pub(super) async fn publish(&self, topic: String, payload: Vec<u8>, retain: bool) {
        let mut publish = PublishPacket::new(topic, payload, QoS::AtLeastOnce);
        publish.retain = retain;
        self.router.route_message_with_deadline(&publish, None, Instant::now()).await;
    }

    pub(super) async fn hub_state(&self, online: bool) {
        let state = HubState { online, at: self.clock.now().millis() };
        self.publish(HUB_TOPIC.to_owned(), encode(&state), true).await;
    }
}

/// Binds every listener, then serves. Nothing is served if one of them cannot be bound.
pub(super) async fn start(
    settings: EmbeddedSettings,
    lifecycle: &Lifecycle,
    clock: Arc<dyn Clock>,
    inbound: Entrance,
) -> Result<Mqtt, StartError> {
    settings.check()?;
    let inlet = Arc::new(Inlet::new(inbound, Arc::clone(&clock)));
    let (gone, leavers) = mpsc::unbounded_channel();
    let users = settings.users_file.as_deref().map(|path| Users::open(path, gone)).transpose();
    let users = users.map_err(StartError::Users)?;
    let acceptor = settings.tls.as_ref().map(acceptor).transpose()?;
    let mut addresses = Addresses::default();
    let listeners = bind(&settings, acceptor, &mut addresses).await?;

    let broker = assemble(&settings, &inlet, users.clone())?;
    let wills = Wills::subscribe(Arc::clone(&broker.router), Arc::clone(&inlet), settings.max_clients).await?;
    let outlet = Outlet { router: Arc::clone(&broker.router), clock };
    outlet.hub_state(true).await;

    let counters = Arc::clone(&inlet.counters);
    let (state, events) = watch::channel(BrokerState { up: true, connects: 1 });
    let caretaker = Caretaker { broker: Arc::clone(&broker), wills, leavers, state };
    lifecycle.supervise("mqtt broker", caretaker.run(lifecycle.stop_token()));
    for (listener, dress) in listeners {
        let (broker, stop) = (Arc::clone(&broker), lifecycle.stop_token());
        lifecycle.supervise("mqtt listener", broker.listen(listener, dress, lifecycle.clone(), stop));
    }
    info!(
        mqtt = ?addresses.mqtt, tls = ?addresses.tls, websocket = ?addresses.websocket, users = ?users.as_ref().map(Users::len),
        "the embedded MQTT broker listens"
    );
    Ok(Mqtt { link: Link(super::Outlet::Embedded(outlet)), counters, addresses, events, users })
}

fn assemble(settings: &EmbeddedSettings, inlet: &Arc<Inlet>, users: Option<Users>) -> Result<Arc<Broker>, StartError> {
    let door = Arc::new(Door::default());
    let gate = Gate::new().map_err(|error| StartError::Broker(error.to_string()))?;
    let hook: Arc<dyn BrokerEventHandler> = Arc::new(Hook(Arc::clone(inlet)));
    let access: Arc<dyn AuthProvider> =
        Arc::new(Access { inlet: Arc::clone(inlet), door: Arc::clone(&door), users, gate });
    let storage = Arc::new(DynamicStorage::Memory(MemoryBackend::with_queue_limits(KEPT)));
    let stats = Arc::new(BrokerStats::new());
    inlet.counters.watch(Arc::clone(&stats));
    Ok(Arc::new(Broker {
        config: Arc::new(config(settings, Arc::clone(&hook))),
        router: Arc::new(MessageRouter::with_storage(Arc::clone(&storage)).with_fallback_queue_limits(KEPT)),
        access,
        storage,
        stats,
        resources: Arc::new(ResourceMonitor::new(unlimited(settings.max_clients))),
        stop: broadcast::channel(1).0,
        door,
        handshake: Duration::from_millis(settings.handshake.millis().unsigned_abs()),
        counters: Arc::clone(&inlet.counters),
    }))
}

fn config(settings: &EmbeddedSettings, hook: Arc<dyn BrokerEventHandler>) -> BrokerConfig {
    BrokerConfig {
        bind_addresses: Vec::new(),
        max_clients: settings.max_clients,
        session_expiry_interval: SESSION,
        max_packet_size: MAX_PACKET,
        topic_alias_maximum: 16,
        max_subscriptions_per_client: 16,
        client_channel_capacity: LANE,
        max_outbound_inflight: IN_FLIGHT,
        server_receive_maximum: Some(IN_FLIGHT),
        sys_topics_enabled: false,
        event_handler: Some(hook),
        ..BrokerConfig::default()
    }
}

/// Connections are limited at our own door, and messages by the inbound queue.
fn unlimited(max_connections: usize) -> ResourceLimits {
    ResourceLimits {
        max_connections,
        max_connections_per_ip: max_connections,
        max_message_rate_per_client: 0,
        max_bandwidth_per_client: 0,
        max_connection_rate: u32::MAX,
        rate_limit_window: Duration::from_secs(1),
    }
}

async fn bind(
    settings: &EmbeddedSettings,
    acceptor: Option<TlsAcceptor>,
    addresses: &mut Addresses,
) -> Result<Vec<(TcpListener, Dress)>, StartError> {
    let mut bound = Vec::new();
    for address in &settings.listen {
        bound.push((listen(*address, &mut addresses.mqtt).await?, Dress::Plain));
    }
    for address in settings.tls.iter().flat_map(|tls| &tls.listen) {
        let acceptor = acceptor.clone().ok_or(StartError::NoCertificate)?;
        bound.push((listen(*address, &mut addresses.tls).await?, Dress::Tls(acceptor)));
    }
    if let Some(websocket) = &settings.websocket {
        let dress = if websocket.secure {
            Dress::SecureWebSocket(acceptor.clone().ok_or(StartError::NoCertificate)?)
        } else {
            Dress::WebSocket
        };
        for address in &websocket.listen {
            bound.push((listen(*address, &mut addresses.websocket).await?, dress.clone()));
        }
    }
    Ok(bound)
}

async fn listen(address: SocketAddr, addresses: &mut Vec<SocketAddr>) -> Result<TcpListener, StartError> {
    let refused = |source| StartError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    addresses.push(listener.local_addr().map_err(refused)?);
    Ok(listener)
}

fn acceptor(settings: &TlsListener) -> Result<TlsAcceptor, StartError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(StartError::Tls)?;
    let builder = match &settings.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(pem::roots(path).map_err(StartError::Pem)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
            builder.with_client_cert_verifier(verifier.map_err(StartError::ClientCa)?)
        }
    };
    let certificates = pem::certificates(&settings.cert_file).map_err(StartError::Pem)?;
    let key = pem::private_key(&settings.key_file).map_err(StartError::Pem)?;
    Ok(TlsAcceptor::from(Arc::new(builder.with_single_cert(certificates, key).map_err(StartError::Tls)?)))
}

/// What goes on beside the connections.
struct Caretaker {
    broker: Arc<Broker>,
    wills: Wills,
    leavers: mpsc::UnboundedReceiver<String>,
    /// Held so that whoever watches it sees it up until the stop.
    state: watch::Sender<BrokerState>,
}

impl Caretaker {
    async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(will) = self.wills.next() => self.wills.hand_on(will).await,
                Some(client) = self.leavers.recv() => self.broker.router.disconnect_client(&client).await,
                _ = sweep.tick() => self.sweep().await,
            }
        }
        // First nobody listens to wills any more, then the connections end: an agent must not be taken for lost because the hub
        // stops. That the hub is offline need not be said: its broker goes with it, and every client sees that.
        drop(self.wills);
        self.state.send_replace(BrokerState { up: false, connects: 1 });
        // Nobody connected is no error.
        let _ = self.broker.stop.send(());
        Ok(())
    }

    async fn sweep(&self) {
        if let Err(error) = self.broker.storage.cleanup_expired().await {
            debug!(%error, "ended MQTT sessions could not be cleared away");
        }
        self.broker.router.sweep_sessions().await;
    }
}
