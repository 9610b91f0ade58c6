//! What the configuration says about the embedded broker, and what it may not say.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use lobby_domain::time::Span;
use serde::Deserialize;

use crate::mqtt::StartError;

/// The embedded broker. Without any setting it listens on `127.0.0.1:1883` and asks nobody for a password; as soon as one listener
/// can be reached from other computers, `users_file` is required and everybody logs in.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddedSettings {
    /// Addresses of plain MQTT; may be empty if there are others. Port 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    /// MQTT over TLS.
    pub tls: Option<TlsListener>,
    /// MQTT over WebSocket.
    pub websocket: Option<WebSocketListener>,
    /// TOML file of `[[agent]]` entries with `site`, `id` and `password_hash`. An agent logs in as `{site}/{id}` with the client
    /// id `{site}.{id}`.
    pub users_file: Option<PathBuf>,
    /// Most clients connected at once (1 to 100000).
    pub max_clients: usize,
    /// How long a connection may take to introduce itself (`100ms` to `10s`).
    pub handshake: Span,
}

/// MQTT over TLS, 1.2 or later.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsListener {
    /// Addresses; usually port 8883. May be empty if only `websocket.secure` uses the certificate.
    pub listen: Vec<SocketAddr>,
    /// PEM file of the server's certificate and its chain.
    pub cert_file: PathBuf,
    /// PEM file of its private key.
    pub key_file: PathBuf,
    /// PEM file of the authorities of client certificates. With it, a client without such a certificate is refused; it logs in
    /// with its password all the same.
    #[serde(default)]
    pub client_ca_file: Option<PathBuf>,
}

/// MQTT over WebSocket, on the path `/mqtt`. Browsers are refused: they name an `Origin`, and a page of a stranger, opened on this
/// computer, must not be able to report in an agent's name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebSocketListener {
    /// Addresses.
    pub listen: Vec<SocketAddr>,
    /// Whether to use the certificate of `tls`.
    #[serde(default)]
    pub secure: bool,
}

impl Default for EmbeddedSettings {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 1883))],
            tls: None,
            websocket: None,
            users_file: None,
            max_clients: 10_000,
            handshake: Span::from_secs(10),
        }
    }
}

impl EmbeddedSettings {
    /// Every address, of whatever kind.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let tls = self.tls.iter().flat_map(|tls| &tls.listen);
        let websocket = self.websocket.iter().flat_map(|websocket| &websocket.listen);
        self.listen.iter().chain(tls).chain(websocket).copied()
    }

    /// What would be unsafe or cannot work.
    pub(crate) fn mistakes(&self) -> Vec<StartError> {
        let mut wrong = Vec::new();
        if self.addresses().next().is_none() {
            wrong.push(StartError::NoListener);
        }
        let open = self.addresses().find(|address| !address.ip().is_loopback());
        if let (Some(open), None) = (open, &self.users_file) {
            wrong.push(StartError::Open(open));
        }
        if self.websocket.as_ref().is_some_and(|websocket| websocket.secure) && self.tls.is_none() {
            wrong.push(StartError::NoCertificate);
        }
        if !(1..=100_000).contains(&self.max_clients) {
            let found = self.max_clients as u64;
            wrong.push(StartError::Bounds { key: "max_clients", found, wanted: "1 to 100000" });
        }
        if !(100..=10_000).contains(&self.handshake.millis()) {
            let found = self.handshake.millis().unsigned_abs();
            wrong.push(StartError::Bounds { key: "handshake", found, wanted: "100 to 10000 ms" });
        }
        wrong
    }

    /// Refuses what would be unsafe or cannot work.
    pub(super) fn check(&self) -> Result<(), StartError> {
        self.mistakes().into_iter().next().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("listen = ['0.0.0.0:1883']")]
    #[case::any_v6("listen = ['[::]:1883']")]
    #[case::beside_loopback("listen = ['127.0.0.1:1883', '192.168.1.2:1883']")]
    #[case::tls("[tls]\nlisten = ['0.0.0.0:8883']\ncert_file = 'c'\nkey_file = 'k'")]
    #[case::websocket("[websocket]\nlisten = ['10.0.0.1:80']")]
    fn a_listener_that_others_reach_needs_users(#[case] text: &str) {
        let mut settings: EmbeddedSettings = toml::from_str(text).unwrap();
        let refused = settings.check().unwrap_err();
        assert!(matches!(refused, StartError::Open(_)));
        assert!(refused.to_string().contains("users_file"), "{refused}");
        settings.users_file = Some("users.toml".into());
        assert!(settings.check().is_ok());
    }

    #[rstest]
    #[case::nothing("listen = []")]
    #[case::secure_without_certificate("[websocket]\nlisten = ['127.0.0.1:0']\nsecure = true")]
    #[case::nobody("max_clients = 0")]
    #[case::no_time("handshake = '0s'")]
    #[case::too_much_time("handshake = '1h'")]
    fn what_cannot_work_is_refused(#[case] text: &str) {
        assert!(toml::from_str::<EmbeddedSettings>(text).unwrap().check().is_err());
    }
}
