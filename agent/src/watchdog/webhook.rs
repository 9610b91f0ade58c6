//! The agent's own way to tell somebody: one HTTP request to a webhook that does not need the hub.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, StatusCode, Uri, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use jiff::{Timestamp, tz::TimeZone};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, InvalidDnsNameError, ServerName, pem, pem::PemObject};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::outage::Message;
use crate::{
    config::{Format, Watchdog, WebhookUrl, webhook_uri},
    secret::{SecretError, SecretSource},
};

/// How long connecting, and then the exchange, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of an answer that are looked at.
const MAX_ANSWER: usize = 16 * 1024;

/// Whom to tell, and how.
#[derive(Clone)]
pub(super) struct Webhook {
    url: WebhookUrl,
    format: Format,
    token: Option<SecretSource>,
    ca_file: Option<PathBuf>,
    zone: TimeZone,
}

/// Why a message was not taken. None of the texts shows the address, which may hold a key.
#[derive(Debug, thiserror::Error)]
pub(super) enum WebhookError {
    #[error("read the webhook's address or token")]
    Secret(#[from] SecretError),
    #[error("the webhook's address {0}")]
    Address(&'static str),
    #[error("read the certificates in {}", path.display())]
    Pem {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error("there are no usable certificates: set `[watchdog] ca_file`")]
    NoRoots,
    #[error("the webhook's host cannot be the name in a certificate")]
    Name(#[source] InvalidDnsNameError),
    #[error("connect to the webhook")]
    Connect(#[source] io::Error),
    #[error("the webhook could not be reached within {PATIENCE:?}")]
    Unreachable,
    #[error("write the request")]
    Request(#[source] hyper::http::Error),
    #[error("the webhook answered with status {0}")]
    Status(StatusCode),
    #[error("the chat robot answered with error {0}")]
    Robot(i64),
    #[error("the exchange with the webhook broke off")]
    Broken(#[source] hyper::Error),
    #[error("the webhook did not answer within {PATIENCE:?}")]
    NoAnswer,
}

impl WebhookError {
    /// Whether the message may have arrived all the same.
    pub(super) fn may_have_arrived(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::NoAnswer)
    }
}

impl Webhook {
    /// The webhook of a configuration that has one.
    pub(super) fn of(config: &Watchdog) -> Option<Self> {
        Some(Self {
            url: config.url.clone()?,
            format: config.format,
            token: config.token.clone(),
            ca_file: config.ca_file.clone(),
            zone: config.zone(),
        })
    }

    /// Sends `message` once; `Ok` when it was taken. Its id goes along, so that a repeat can be told.
    pub(super) async fn send(self, message: Message) -> Result<(), WebhookError> {
        let uri = webhook_uri(&self.url.read()?).map_err(WebhookError::Address)?;
        let request = self.request(&uri, &message)?;
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let encrypted = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        let stream = timeout(PATIENCE, self.connect(host, port, encrypted)).await;
        let stream = stream.map_err(|_| WebhookError::Unreachable)??;
        timeout(PATIENCE, exchange(stream, request, self.format)).await.map_err(|_| WebhookError::NoAnswer)?
    }

    async fn connect(&self, host: String, port: u16, encrypted: bool) -> Result<Box<dyn Stream>, WebhookError> {
        let stream = TcpStream::connect((host.as_str(), port)).await.map_err(WebhookError::Connect)?;
        if !encrypted {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host).map_err(WebhookError::Name)?;
        let connector = TlsConnector::from(self.tls()?);
        Ok(Box::new(connector.connect(name, stream).await.map_err(WebhookError::Connect)?))
    }

    fn request(&self, uri: &Uri, message: &Message) -> Result<Request<Full<Bytes>>, WebhookError> {
        let authority = uri.authority().map(hyper::http::uri::Authority::as_str).unwrap_or_default();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::post(path)
            .header(header::HOST, authority)
            .header(header::USER_AGENT, concat!("lobby-agent/", env!("CARGO_PKG_VERSION")))
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .header("idempotency-key", &message.id)
            .header(header::CONNECTION, "close");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.read()?.expose()));
        }
        let body = serde_json::to_vec(&self.body(message)).unwrap_or_default();
        request.body(Full::from(body)).map_err(WebhookError::Request)
    }

    fn body(&self, message: &Message) -> Value {
        let (zh, en) = texts(message, &self.zone);
        let both = format!("{zh}\n{en}");
        match self.format {
            Format::Json => {
                let mut body = json!(message);
                body["text"] = json!({ "zh": zh, "en": en });
                body
            }
            Format::Wecom | Format::Dingtalk => json!({ "msgtype": "text", "text": { "content": both } }),
            Format::Feishu => json!({ "msg_type": "text", "content": { "text": both } }),
        }
    }

    fn tls(&self) -> Result<Arc<ClientConfig>, WebhookError> {
        let mut roots = RootCertStore::empty();
        let found = match &self.ca_file {
            Some(path) => {
                let failed = |source| WebhookError::Pem { path: path.clone(), source };
                CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?
            }
            None => rustls_native_certs::load_native_certs().certs,
        };
        // A system's store may hold certificates that no longer parse; those are of no use and do no harm.
        roots.add_parsable_certificates(found);
        if roots.is_empty() {
            return Err(WebhookError::NoRoots);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports the default versions");
        Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn exchange(stream: Box<dyn Stream>, request: Request<Full<Bytes>>, format: Format) -> Result<(), WebhookError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(WebhookError::Broken)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(WebhookError::Broken)?;
        let status = response.status();
        if !status.is_success() {
            return Err(WebhookError::Status(status));
        }
        if format == Format::Json {
            return Ok(());
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        robot(&body.map(http_body_util::Collected::to_bytes).unwrap_or_default())
    };
    tokio::pin!(exchange);
    tokio::select! {
        ended = &mut exchange => ended,
        // The connection may end first; what it received is still there, and its error comes out there.
        _ = connection => exchange.await,
    }
}

/// A chat robot answers with status 200 even where it took nothing; the error stands in the body.
fn robot(body: &[u8]) -> Result<(), WebhookError> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    match answer.get("errcode").or_else(|| answer.get("code")).and_then(Value::as_i64) {
        Some(0) => Ok(()),
        Some(code) => Err(WebhookError::Robot(code)),
        None => Err(WebhookError::Robot(-1)),
    }
}

/// The message in Chinese and English.
fn texts(message: &Message, zone: &TimeZone) -> (String, String) {
    let Message { site, agent, queued, .. } = message;
    let clock = |ms| {
        let at = Timestamp::from_millisecond(ms).unwrap_or_default().to_zoned(zone.clone());
        at.strftime("%Y-%m-%d %H:%M %Z").to_string()
    };
    let since = clock(message.since);
    match message.until.map(clock) {
        None => (
            format!(
                "【案场 {site}】管理中心失联：采集端 {agent} 自 {since} 起得不到回应，{queued} 条记录在本机等待，恢复后补传。请检查中心服务器和网络。"
            ),
            format!(
                "[Site {site}] The hub is silent: agent {agent} has had no answer since {since}; {queued} records wait on it and are delivered afterwards. Please check the hub's server and the network."
            ),
        ),
        Some(until) => (
            format!("【案场 {site}】管理中心已恢复：采集端 {agent} 于 {until} 重新得到回应（失联发现于 {since}）。"),
            format!(
                "[Site {site}] The hub is back: agent {agent} has had answers again since {until} (it was found silent at {since})."
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{super::outage::Notice, *};

    #[rstest]
    #[case::wecom(r#"{"errcode":0,"errmsg":"ok"}"#, true)]
    #[case::too_often(r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#, false)]
    #[case::feishu(r#"{"code":0,"msg":"success"}"#, true)]
    #[case::feishu_refuses(r#"{"code":19024,"msg":"Key Words Not Found"}"#, false)]
    #[case::no_robot("<html>", false)]
    fn a_chat_robots_answer_is_in_its_body(#[case] body: &str, #[case] taken: bool) {
        assert_eq!(robot(body.as_bytes()).is_ok(), taken);
    }

    #[test]
    fn each_form_of_message_holds_both_languages_and_the_time_of_the_place() {
        let message = Message {
            notice: Notice { by: "box".parse().unwrap(), since: 1 },
            id: "demo.box.1".into(),
            event: "hub_silent",
            site: "demo".parse().unwrap(),
            agent: "box".parse().unwrap(),
            since: 1_795_418_400_000,
            until: None,
            queued: 12,
        };
        for format in [Format::Json, Format::Wecom, Format::Dingtalk, Format::Feishu] {
            let zone = TimeZone::get("Asia/Shanghai").unwrap();
            let url = WebhookUrl::Text("https://example.com/".into());
            let body = Webhook { url, format, token: None, ca_file: None, zone }.body(&message).to_string();
            for words in ["管理中心失联", "The hub is silent", "2026-11-23 15:20 CST", "12 条记录"] {
                assert!(body.contains(words), "{words} is not in {body}");
            }
        }
    }
}
