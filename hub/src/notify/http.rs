//! One HTTP request to a receiver: a connection of its own, to an address that was looked at, without following redirects.

use std::{fs, io, path::Path, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response, Uri, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use lobby_domain::time::Span;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{Channel, address::may_reach};

/// Most bytes of an answer that are looked at.
const MAX_ANSWER: usize = 16 * 1024;
/// A receiver may ask for this much patience at most.
const LONGEST_RETRY_AFTER: i64 = 86_400;

/// A request as a format makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Post {
    /// Where to.
    pub uri: Uri,
    /// Fields beside the usual ones.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// The status.
    pub status: u16,
    /// For how long the receiver wants nothing, as it says.
    pub retry_after: Option<Span>,
    /// The beginning of the body.
    pub body: String,
}

impl Reply {
    /// In words: its status, and its body if it has one.
    pub(super) fn said(&self) -> String {
        let status = format!("HTTP {}", self.status);
        if self.body.trim().is_empty() { status } else { format!("{status}: {}", self.body) }
    }
}

/// Why there is no answer. None of the texts holds the address, which may hold a key.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("the address is refused: {0}")]
    Refused(&'static str),
    #[error("the address cannot be used: {0}")]
    Address(&'static str),
    #[error("the certificates to trust cannot be read")]
    Roots(#[source] io::Error),
    #[error("no connection")]
    Connect(#[source] io::Error),
    #[error("no connection in time")]
    Unreachable,
    #[error("the request cannot be written")]
    Request(#[source] hyper::http::Error),
    #[error("the exchange broke off")]
    Broken(#[source] hyper::Error),
    #[error("no answer in time")]
    NoAnswer,
}

impl HttpError {
    /// Whether the receiver may have taken the request all the same.
    pub(super) const fn in_doubt(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::NoAnswer)
    }

    /// Whether another attempt may fare better.
    pub(super) const fn may_pass(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::Address(_) | Self::Request(_))
    }
}

/// Sends one request.
pub(super) async fn send(channel: &Channel, post: &Post, id: &str) -> Result<Reply, HttpError> {
    let request = request(post, id)?;
    let stream = timeout(channel.timeout, connect(channel, &post.uri)).await;
    let stream = stream.map_err(|_| HttpError::Unreachable)??;
    timeout(channel.timeout, exchange(stream, request)).await.map_err(|_| HttpError::NoAnswer)?
}

fn request(post: &Post, id: &str) -> Result<Request<Full<Bytes>>, HttpError> {
    let authority = post.uri.authority().map(hyper::http::uri::Authority::as_str).unwrap_or_default();
    let path = post.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::post(path)
        .header(header::HOST, authority)
        .header(header::USER_AGENT, concat!("lobby-hub/", env!("CARGO_PKG_VERSION")))
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header("idempotency-key", id)
        .header(header::CONNECTION, "close");
    for (name, value) in &post.headers {
        request = request.header(*name, value);
    }
    request.body(Full::from(post.body.clone())).map_err(HttpError::Request)
}

/// The addresses of a host and a port to which the channel may write. Asked for once: another answer later does not matter.
pub(super) async fn addresses(
    channel: &Channel,
    host: &str,
    port: u16,
) -> Result<Vec<std::net::SocketAddr>, HttpError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found: Vec<_> = lookup_host((bare, port)).await.map_err(HttpError::Connect)?.collect();
    for address in &found {
        may_reach(host, address.ip(), &channel.allow).map_err(HttpError::Refused)?;
    }
    Ok(found)
}

async fn connect(channel: &Channel, uri: &Uri) -> Result<Box<dyn Stream>, HttpError> {
    let host = uri.host().ok_or(HttpError::Address("it names no host"))?;
    let encrypted = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
    let addresses = addresses(channel, host, port).await?;
    let stream = TcpStream::connect(addresses.as_slice()).await.map_err(HttpError::Connect)?;
    if !encrypted {
        return Ok(Box::new(stream));
    }
    let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(name).map_err(|_| HttpError::Address("its host cannot be in a certificate"))?;
    let roots = roots(channel.ca_file.as_deref()).map_err(HttpError::Roots)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    Ok(Box::new(connector.connect(name, stream).await.map_err(HttpError::Connect)?))
}

/// The authorities in a file, or those of the system.
pub(super) fn roots(file: Option<&Path>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let found = match file {
        Some(path) => {
            let text = fs::read(path)?;
            CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?
        }
        None => rustls_native_certs::load_native_certs().certs,
    };
    // A system's store may hold certificates that no longer parse; those are of no use and do no harm.
    roots.add_parsable_certificates(found);
    if roots.is_empty() {
        return Err(io::Error::other("there are no certificates to trust: set `ca_file`"));
    }
    Ok(roots)
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn exchange(stream: Box<dyn Stream>, request: Request<Full<Bytes>>) -> Result<Reply, HttpError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(HttpError::Broken)?;
    let exchange = async { reply(sender.send_request(request).await.map_err(HttpError::Broken)?).await };
    tokio::pin!(exchange);
    tokio::select! {
        ended = &mut exchange => ended,
        // The connection may end first; what it received is still there, and its error comes out there.
        _ = connection => exchange.await,
    }
}

async fn reply(response: Response<Incoming>) -> Result<Reply, HttpError> {
    let status = response.status().as_u16();
    let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    // Only as seconds: a date would be by the receiver's clock.
    let retry_after = retry_after.and_then(|value| value.trim().parse::<i64>().ok());
    let retry_after = retry_after.map(|seconds| Span::from_millis(seconds.clamp(0, LONGEST_RETRY_AFTER) * 1000));
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    Ok(Reply { status, retry_after, body: String::from_utf8_lossy(&body).into_owned() })
}
