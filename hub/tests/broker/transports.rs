//! 3.1.1 and 5, over TCP, TLS and WebSocket.

use std::{path::Path, sync::Arc};

use lobby_hub::mqtt::{EmbeddedSettings, Settings, TlsListener, WebSocketListener};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rstest::rstest;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    client_async,
    tungstenite::{client::IntoClientRequest, http::HeaderValue},
};

use crate::support::{Hub, SOON, connect_packet, death, exchange, on_loopback, topic};

/// A certificate authority and what it has signed.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    /// PEM of a certificate for `name` and of its key.
    pub fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Writes the authority and a server's certificate: `ca.pem`, `cert.pem`, `key.pem`.
    pub fn write(&self, directory: &Path) {
        let (certificate, key) = self.sign("localhost");
        for (name, text) in [("ca.pem", self.pem()), ("cert.pem", certificate), ("key.pem", key)] {
            std::fs::write(directory.join(name), text).unwrap();
        }
    }
}

async fn hub_with_tls(authority: &Authority, client_ca: bool, secure_websocket: bool) -> Hub {
    let directory = tempfile::tempdir().unwrap();
    authority.write(directory.path());
    let any = vec!["127.0.0.1:0".parse().unwrap()];
    let tls = TlsListener {
        listen: any.clone(),
        cert_file: directory.path().join("cert.pem"),
        key_file: directory.path().join("key.pem"),
        client_ca_file: client_ca.then(|| directory.path().join("ca.pem")),
    };
    let websocket = Some(WebSocketListener { listen: any, secure: secure_websocket });
    Hub::start(Settings::Embedded(EmbeddedSettings { tls: Some(tls), websocket, ..on_loopback() })).await
}

async fn tls_to(
    address: std::net::SocketAddr,
    trusted: &Authority,
    own: Option<(String, String)>,
) -> std::io::Result<TlsStream<TcpStream>> {
    use rustls_pki_types::pem::PemObject;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.pem().as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// Speaks MQTT 3.1.1 over `stream` up to the CONNACK.
async fn greet(mut stream: TlsStream<TcpStream>) -> std::io::Result<[u8; 4]> {
    stream.write_all(&connect_packet(4, "s.a")).await?;
    let mut answer = [0; 4];
    timeout(SOON, stream.read_exact(&mut answer)).await.expect("an answer in time")?;
    Ok(answer)
}

#[tokio::test]
async fn a_client_of_3_1_1_is_served_like_one_of_5() {
    let mut hub = Hub::open().await;
    let address = hub.address();
    let mut options = MqttOptions::new("s.old", address.ip().to_string(), address.port());
    options.set_inflight(10);
    let (client, mut events) = AsyncClient::new(options, 10);
    client.subscribe(topic("old", "ack"), QoS::AtLeastOnce).await.unwrap();
    client.publish(topic("old", "death"), QoS::AtLeastOnce, false, death(1)).await.unwrap();
    client.publish(topic("old", "death"), QoS::ExactlyOnce, false, death(2)).await.unwrap();
    let answered = async {
        let (mut once, mut exactly) = (false, false);
        while !(once && exactly) {
            match events.poll().await.unwrap() {
                Event::Incoming(Packet::PubAck(_)) => once = true,
                Event::Incoming(Packet::PubComp(_)) => exactly = true,
                _ => {}
            }
        }
    };
    timeout(SOON, answered).await.unwrap();
    assert_eq!((hub.next_death().await.1, hub.next_death().await.1), (1, 2));
    assert_eq!(hub.mqtt.counters.clients(), 1);
}

#[rstest]
#[case::v3_1_1(4, &[0x20, 2, 0, 0])]
#[case::v5(5, &[0x20])]
#[case::v3_1(3, &[0x20])]
#[tokio::test]
async fn each_version_gets_the_answer_it_understands(#[case] version: u8, #[case] answer: &[u8]) {
    let hub = Hub::open().await;
    let mut stream = TcpStream::connect(hub.address()).await.unwrap();
    assert_eq!(exchange(&mut stream, &connect_packet(version, "s.a"), answer.len()).await.unwrap(), answer);
}

#[tokio::test]
async fn tls_serves_those_who_trust_it_and_refuses_plain_text_and_strangers_certificates() {
    let authority = Authority::new();
    let hub = hub_with_tls(&authority, false, false).await;
    let address = hub.mqtt.addresses.tls[0];
    assert_eq!(greet(tls_to(address, &authority, None).await.unwrap()).await.unwrap(), [0x20, 2, 0, 0]);
    let mut plain = TcpStream::connect(address).await.unwrap();
    assert_ne!(exchange(&mut plain, &connect_packet(4, "s.a"), 1).await.ok(), Some(vec![0x20]));
    assert!(tls_to(address, &Authority::new(), None).await.is_err());
}

#[tokio::test]
async fn with_client_certificates_only_those_of_the_authority_are_served() {
    let authority = Authority::new();
    let hub = hub_with_tls(&authority, true, false).await;
    let address = hub.mqtt.addresses.tls[0];
    let own = authority.sign("agent");
    assert_eq!(greet(tls_to(address, &authority, Some(own)).await.unwrap()).await.unwrap(), [0x20, 2, 0, 0]);
    for refused in [None, Some(Authority::new().sign("agent"))] {
        // With TLS 1.3 the client learns of the refusal at its first read.
        let greeted = match tls_to(address, &authority, refused).await {
            Ok(stream) => greet(stream).await,
            Err(error) => Err(error),
        };
        assert!(greeted.is_err());
    }
}

#[tokio::test]
async fn stalled_handshakes_hold_up_nobody() {
    let authority = Authority::new();
    let hub = hub_with_tls(&authority, false, false).await;
    let mut stalled = Vec::new();
    for address in [hub.mqtt.addresses.tls[0], hub.mqtt.addresses.websocket[0]] {
        for _ in 0..20 {
            stalled.push(TcpStream::connect(address).await.unwrap());
        }
    }
    let served = async {
        let stream = tls_to(hub.mqtt.addresses.tls[0], &authority, None).await.unwrap();
        assert_eq!(greet(stream).await.unwrap(), [0x20, 2, 0, 0]);
        websocket(&hub, false, |_| ()).await.unwrap();
    };
    timeout(std::time::Duration::from_secs(3), served).await.expect("an honest handshake waits for no stalled one");
}

/// CONNACK's first byte over WebSocket.
async fn websocket(
    hub: &Hub,
    tls: bool,
    change: impl FnOnce(&mut tokio_tungstenite::tungstenite::handshake::client::Request),
) -> Result<u8, String> {
    use futures_util::{SinkExt, StreamExt};
    let address = hub.mqtt.addresses.websocket[0];
    let mut request =
        format!("ws{}://localhost:{}/mqtt", if tls { "s" } else { "" }, address.port()).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("mqtt"));
    change(&mut request);
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut socket, response) = client_async(request, stream).await.map_err(|error| error.to_string())?;
    assert_eq!(response.headers()["sec-websocket-protocol"], "mqtt");
    socket.send(tokio_tungstenite::tungstenite::Message::binary(connect_packet(5, "s.ws"))).await.unwrap();
    let answer = timeout(SOON, socket.next()).await.unwrap().unwrap().map_err(|error| error.to_string())?;
    Ok(answer.into_data()[0])
}

#[tokio::test]
async fn websocket_serves_agents_and_refuses_browsers() {
    let hub = hub_with_tls(&Authority::new(), false, false).await;
    assert_eq!(websocket(&hub, false, |_| ()).await, Ok(0x20));
    let page = websocket(&hub, false, |request| {
        request.headers_mut().insert("origin", HeaderValue::from_static("https://evil.example"));
    });
    assert!(page.await.unwrap_err().contains("403"));
    let elsewhere = websocket(&hub, false, |request| *request.uri_mut() = "ws://localhost/other".parse().unwrap());
    assert!(elsewhere.await.unwrap_err().contains("404"));
    let nothing = websocket(&hub, false, |request| {
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("chat"));
    });
    assert!(nothing.await.unwrap_err().contains("400"));
}

#[tokio::test]
async fn websocket_over_tls_is_served() {
    use futures_util::{SinkExt, StreamExt};
    let authority = Authority::new();
    let hub = hub_with_tls(&authority, false, true).await;
    let stream = tls_to(hub.mqtt.addresses.websocket[0], &authority, None).await.unwrap();
    let mut request = "wss://localhost/mqtt".into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("mqtt"));
    let (mut socket, _) = client_async(request, stream).await.unwrap();
    socket.send(tokio_tungstenite::tungstenite::Message::binary(connect_packet(4, "s.wss"))).await.unwrap();
    let answer = timeout(SOON, socket.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(&answer.into_data()[..], [0x20, 2, 0, 0]);
}
