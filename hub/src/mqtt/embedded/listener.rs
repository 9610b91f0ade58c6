//! The doors of the embedded broker: each listener accepts, and each connection's handshake (TLS, WebSocket, CONNECT) runs in a
//! task of its own under one deadline, so that a stranger who stalls his handshake holds up nobody.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use lobby_contract::MAX_PAYLOAD;
use mqtt5::broker::{
    auth::AuthProvider, client_handler::ClientHandler, config::BrokerConfig, resource_monitor::ResourceMonitor,
    router::MessageRouter, storage::DynamicStorage, sys_topics::BrokerStats, tls_acceptor::TlsStreamWrapper,
    transport::BrokerTransport, websocket_server::WebSocketStreamWrapper,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::broadcast,
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        self,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderValue, StatusCode},
        protocol::WebSocketConfig,
    },
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::pubacks::Pubacks;
use crate::{
    door::{Door, Ticket},
    lifecycle::Lifecycle,
    mqtt::counters::MqttCounters,
};

/// Largest MQTT packet: the largest payload, its topic and its properties.
pub(super) const MAX_PACKET: usize = MAX_PAYLOAD + 4096;
/// The path and subprotocol of MQTT over WebSocket.
const PATH: &str = "/mqtt";
const SUBPROTOCOL: &str = "mqtt";
/// How long to wait when the system gives no connection, for want of file descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often a listener says that it is there.
const BEAT: Duration = Duration::from_secs(1);

/// What a connection wears over TCP.
#[derive(Clone)]
pub(super) enum Dress {
    Plain,
    Tls(TlsAcceptor),
    WebSocket,
    SecureWebSocket(TlsAcceptor),
}

/// The parts of the broker that a connection needs.
pub(super) struct Broker {
    pub(super) config: Arc<BrokerConfig>,
    pub(super) router: Arc<MessageRouter>,
    pub(super) access: Arc<dyn AuthProvider>,
    pub(super) storage: Arc<DynamicStorage>,
    pub(super) stats: Arc<BrokerStats>,
    pub(super) resources: Arc<ResourceMonitor>,
    pub(super) stop: broadcast::Sender<()>,
    pub(super) door: Arc<Door>,
    pub(super) handshake: Duration,
    pub(super) counters: Arc<MqttCounters>,
}

/// Why a connection never became one of MQTT.
#[derive(Debug, thiserror::Error)]
enum HandshakeError {
    #[error("the TLS handshake failed")]
    Tls(#[source] std::io::Error),
    #[error("the WebSocket handshake failed")]
    WebSocket(#[source] Box<tungstenite::Error>),
}

impl Broker {
    /// Accepts connections until the stop.
    pub(super) async fn listen(
        self: Arc<Self>,
        listener: TcpListener,
        dress: Dress,
        lifecycle: Lifecycle,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut beats = tokio::time::interval(BEAT);
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = beats.tick() => {
                    self.counters.beat();
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "cannot accept an MQTT connection; trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            if self.counters.clients() >= self.config.max_clients {
                self.counters.count_turned_away();
                continue;
            }
            let (broker, dress) = (Arc::clone(&self), dress.clone());
            // Entered here, not in the task: so that those waiting to run are counted, and the oldest goes first.
            let ticket = self.door.enter(peer);
            lifecycle.detach("mqtt connection", async move { broker.serve(stream, peer, dress, ticket).await });
        }
    }

    /// Serves one connection to its end.
    async fn serve(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, dress: Dress, ticket: Ticket) {
        let mut session = pin!(self.meet(stream, peer, dress));
        let introduced = tokio::select! {
            () = &mut session => {
                self.door.leave(peer);
                return;
            }
            verdict = ticket => verdict.is_ok(),
            () = tokio::time::sleep(self.handshake) => !self.door.leave(peer),
        };
        if introduced {
            session.await;
        } else {
            self.counters.count_evicted();
            debug!(%peer, "closed an MQTT connection that did not introduce itself");
        }
    }

    async fn meet(&self, stream: TcpStream, peer: SocketAddr, dress: Dress) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%peer, %error, "cannot send small MQTT packets at once");
        }
        let transport = match dressed(stream, dress).await {
            Ok(transport) => transport,
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                debug!(%peer, reason = %error, source, "an MQTT connection did not come about");
                return;
            }
        };
        let handler = ClientHandler::new(
            transport,
            peer,
            Arc::clone(&self.config),
            Arc::clone(&self.router),
            Arc::clone(&self.access),
            Some(Arc::clone(&self.storage)),
            Arc::clone(&self.stats),
            Arc::clone(&self.resources),
            self.stop.subscribe(),
        );
        if let Err(error) = handler.run().await {
            debug!(%peer, %error, "an MQTT connection ended");
        }
    }
}

async fn dressed(stream: TcpStream, dress: Dress) -> Result<BrokerTransport, HandshakeError> {
    Ok(match dress {
        // The kind that takes any stream.
        Dress::Plain => BrokerTransport::WebSocket(Box::new(Pubacks::on(stream))),
        Dress::Tls(acceptor) => {
            let stream = acceptor.accept(stream).await.map_err(HandshakeError::Tls)?;
            BrokerTransport::tls(TlsStreamWrapper::new(stream))
        }
        Dress::WebSocket => BrokerTransport::websocket(WebSocketStreamWrapper::new(upgraded(stream).await?)),
        Dress::SecureWebSocket(acceptor) => {
            let stream = acceptor.accept(stream).await.map_err(HandshakeError::Tls)?;
            BrokerTransport::websocket(WebSocketStreamWrapper::new(upgraded(stream).await?))
        }
    })
}

/// The WebSocket handshake, with the size of messages bound to that of packets: the library's own bound is 64 MiB a message, and a
/// stranger could fill it before he logs in.
async fn upgraded<S>(stream: S) -> Result<WebSocketStream<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * MAX_PACKET)
        .max_message_size(Some(MAX_PACKET))
        .max_frame_size(Some(MAX_PACKET));
    accept_hdr_async_with_config(stream, welcome, Some(limits))
        .await
        .map_err(|error| HandshakeError::WebSocket(Box::new(error)))
}

#[expect(clippy::result_large_err, reason = "the library's callback has this type")]
fn welcome(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let refused = |status: StatusCode, why: &str| {
        let mut refusal = ErrorResponse::new(Some(why.to_owned()));
        *refusal.status_mut() = status;
        Err(refusal)
    };
    if request.uri().path() != PATH {
        return refused(StatusCode::NOT_FOUND, "MQTT is served on /mqtt");
    }
    if request.headers().contains_key("origin") {
        return refused(StatusCode::FORBIDDEN, "pages in a browser may not speak MQTT to the hub");
    }
    let offered = request.headers().get_all("sec-websocket-protocol");
    let mut protocols = offered.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    if !protocols.any(|protocol| protocol.trim() == SUBPROTOCOL) {
        return refused(StatusCode::BAD_REQUEST, "the subprotocol must be mqtt");
    }
    response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
    Ok(response)
}
