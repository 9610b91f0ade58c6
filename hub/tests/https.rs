//! The web over TLS, by the program itself: who is served, who is not, and who is harmed by neither.

#![expect(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped is a failure")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use lobby_hub::clock::{Clock, SystemClock};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use ring::digest::{SHA256, digest};
use rustls::{ClientConfig, RootCertStore, crypto::ring as provider, version};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStderr, ChildStdout, Command},
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// Longest wait for anything that should happen.
const SOON: Duration = Duration::from_secs(20);
const SELF_MADE: &str =
    "[http]\nlisten = '0.0.0.0:0'\npublic_url = 'https://lobby.example'\n[http.tls]\nself_made = true\n";

/// A running hub.
struct Hub {
    process: Child,
    log: Lines<BufReader<ChildStderr>>,
    _said: Lines<BufReader<ChildStdout>>,
    at: SocketAddr,
}

impl Hub {
    async fn start(folder: &Path, config: &str) -> Self {
        let file = folder.join("hub.toml");
        std::fs::write(&file, config).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_lobby-hub"))
            .args(["serve", "--listen-mqtt", "127.0.0.1:0", "--log-format", "json"])
            .arg("--data-dir")
            .arg(folder.join("data"))
            .arg("--config")
            .arg(file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let Some(line) = timeout(SOON, said.next_line()).await.expect("a line in time").unwrap() else {
            let mut told = String::new();
            while let Some(line) = log.next_line().await.unwrap() {
                told.push_str(&line);
            }
            panic!("the hub ended: {told}");
        };
        let at: SocketAddr = line.strip_prefix("https listening on ").expect("it says where").parse().unwrap();
        Self { process, log, _said: said, at: (Ipv4Addr::LOCALHOST, at.port()).into() }
    }

    /// The first line of the log that says so.
    async fn logged(&mut self, what: &str) -> String {
        let search = async {
            loop {
                let line = self.log.next_line().await.unwrap().unwrap_or_else(|| panic!("the log ends without {what}"));
                if line.contains(what) {
                    return line;
                }
            }
        };
        timeout(SOON, search).await.unwrap_or_else(|_| panic!("in the log in time: {what}"))
    }

    /// The whole answer to a request that names `host`, over a connection to `name`.
    async fn get(&self, trusted: &Path, name: &str, host: &str) -> std::io::Result<String> {
        self.ask(trusted, name, host, "/livez").await
    }

    async fn ask(&self, trusted: &Path, name: &str, host: &str, path: &str) -> std::io::Result<String> {
        let stream = TcpStream::connect(self.at).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut stream = TlsConnector::from(Arc::new(client(trusted))).connect(name, stream).await?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        timeout(SOON, stream.read_to_string(&mut answer)).await.expect("an answer in time")?;
        Ok(answer)
    }

    /// Waits until a page holds `what`.
    async fn until_it_says(&self, trusted: &Path, path: &str, what: &str) {
        let said = async {
            while !self.ask(trusted, "localhost", "localhost", path).await.unwrap().contains(what) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(SOON, said).await.unwrap_or_else(|_| panic!("{path} in time: {what}"));
    }

    /// Stops when asked, and cleanly.
    async fn stop(mut self) {
        let asked = Command::new("kill").arg(self.process.id().unwrap().to_string()).status().await.unwrap();
        assert!(asked.success());
        let ended = timeout(SOON, self.process.wait()).await.expect("it ends in time").unwrap();
        assert!(ended.success(), "{ended}");
    }
}

fn client(trusted: &Path) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_protocol_versions(&[&version::TLS12, &version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// What the hub sends back to bytes that are no TLS, until it closes.
async fn answer_to(hub: &Hub, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(hub.at).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // Whether it closes or resets the connection does not matter.
    let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.expect("it closes in time");
    answer
}

fn is_well(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 200 ")
}

/// The first bytes of a client that knows nothing newer than TLS 1.1, and in whom nothing else is wrong.
fn hello_of_tls_1_1() -> Vec<u8> {
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    // No session; ECDHE_ECDSA with AES-128, of 1.2 and of before; no compression.
    hello.extend([0, 0, 4, 0xc0, 0x2b, 0xc0, 0x09, 1, 0]);
    // P-256, uncompressed, signed by ECDSA with SHA-256.
    let extensions = [0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3];
    hello.extend([0, u8::try_from(extensions.len()).unwrap()]);
    hello.extend(extensions);
    let length = u8::try_from(hello.len()).unwrap();
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat()
}

#[tokio::test]
async fn a_self_made_certificate_serves_other_computers_and_stays_the_same_over_restarts() {
    let folder = TempDir::new().unwrap();
    let (data, config) = (folder.path().join("data"), SELF_MADE);
    let mut hub = Hub::start(folder.path(), config).await;
    let (certificate, key) = (data.join("web-certificate.pem"), data.join("web-key.pem"));
    let made = CertificateDer::from_pem_file(&certificate).unwrap();
    let fingerprint = digest(&SHA256, &made);
    let fingerprint = fingerprint.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
    hub.logged(&fingerprint).await;
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    for (name, host) in
        [("localhost", "localhost"), ("127.0.0.1", "127.0.0.1"), ("lobby.example", "lobby.example:8443")]
    {
        let answer = hub.get(&certificate, name, host).await.unwrap();
        assert!(is_well(&answer), "{name}: {answer}");
        assert!(!answer.to_ascii_lowercase().contains("strict-transport-security"), "{answer}");
    }
    hub.stop().await;
    let mut hub = Hub::start(folder.path(), config).await;
    hub.logged(&fingerprint).await;
    assert!(is_well(&hub.get(&certificate, "localhost", "localhost").await.unwrap()));
    hub.stop().await;
}

#[tokio::test]
async fn a_name_that_only_leads_here_is_refused() {
    let folder = TempDir::new().unwrap();
    let hub = Hub::start(folder.path(), SELF_MADE).await;
    let certificate = folder.path().join("data/web-certificate.pem");
    let computer = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert!(is_well(&hub.get(&certificate, "localhost", computer.trim()).await.unwrap()), "{computer}");
    for host in ["evil.example", "lobby.example.evil.example", ""] {
        let answer = hub.get(&certificate, "localhost", host).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 421 ") && answer.contains("public_url"), "{host}: {answer}");
    }
    hub.stop().await;
}

#[tokio::test]
async fn those_who_speak_no_tls_or_an_old_one_or_say_nothing_get_nothing_and_keep_nobody_waiting() {
    let folder = TempDir::new().unwrap();
    let hub = Hub::start(folder.path(), SELF_MADE).await;
    let certificate = folder.path().join("data/web-certificate.pem");
    // More than may be silent at once, some in the midst of their first message.
    let mut silent = Vec::new();
    for n in 0..300 {
        let mut stream = TcpStream::connect(hub.at).await.unwrap();
        if n % 2 == 0 {
            stream.write_all(&hello_of_tls_1_1()[..20]).await.unwrap();
        }
        silent.push(stream);
    }
    let served = timeout(SOON, hub.get(&certificate, "localhost", "localhost")).await.expect("it is served in time");
    assert!(is_well(&served.unwrap()));
    let plain = answer_to(&hub, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(!plain.windows(4).any(|bytes| bytes == b"HTTP") && !plain.contains(&b'<'), "{plain:?}");
    // An alert (21) that is fatal (2): the version is not supported (70).
    let old = answer_to(&hub, &hello_of_tls_1_1()).await;
    assert!(matches!(old[..], [21, 3, _, 0, 2, 2, 70]), "{old:?}");
    // Each of them is closed by the hub, some at once to make room and the others when their time is over.
    for mut stream in silent {
        let mut end = Vec::new();
        let _ = timeout(SOON, stream.read_to_end(&mut end)).await.expect("it is closed in time");
    }
    assert!(is_well(&hub.get(&certificate, "localhost", "localhost").await.unwrap()));
    // One more does not hold up the end.
    let _open = TcpStream::connect(hub.at).await.unwrap();
    hub.stop().await;
}

#[tokio::test]
async fn a_certificate_from_files_is_served_for_its_names_and_browsers_are_told_to_stay_with_tls() {
    let folder = TempDir::new().unwrap();
    let made = rcgen::generate_simple_self_signed(["pages.example".to_owned(), "*.hotel.example".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("web.pem"), folder.path().join("web.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (cert_file, key_file) = (certificate.display(), key.display());
    let tls = format!("cert_file = '{cert_file}'\nkey_file = '{key_file}'");
    let hub = Hub::start(folder.path(), &format!("[http]\nlisten = '0.0.0.0:0'\n[http.tls]\n{tls}\n")).await;
    for (host, status) in
        [("pages.example", 200), ("lobby.hotel.example", 200), ("localhost", 200), ("other.example", 421)]
    {
        let answer = hub.get(&certificate, "pages.example", host).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
        assert!(answer.contains("strict-transport-security: max-age=31536000\r\n"), "{host}: {answer}");
    }
    assert!(!folder.path().join("data/web-key.pem").exists());
    hub.stop().await;
}

#[tokio::test]
async fn the_hub_watches_its_own_web_server_over_tls_too() {
    let folder = TempDir::new().unwrap();
    let hub = Hub::start(folder.path(), "[http]\nlisten = '127.0.0.1:0'\n[http.tls]\nself_made = true\n").await;
    let certificate = folder.path().join("data/web-certificate.pem");
    // It is there as soon as the hub has had an answer.
    hub.until_it_says(&certificate, "/metrics", r#"{part="web"}"#).await;
    hub.stop().await;
}

#[tokio::test]
async fn a_certificate_of_the_web_that_ends_soon_is_a_finding() {
    let folder = TempDir::new().unwrap();
    let ends = jiff::Timestamp::from_millisecond(SystemClock.now().millis()).unwrap()
        + 10 * jiff::SignedDuration::from_hours(24);
    let ends = ends.to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(ends.year().into(), ends.month().unsigned_abs(), ends.day().unsigned_abs());
    let made = KeyPair::generate().unwrap();
    let (certificate, key) = (folder.path().join("web.pem"), folder.path().join("web.key"));
    std::fs::write(&certificate, params.self_signed(&made).unwrap().pem()).unwrap();
    std::fs::write(&key, made.serialize_pem()).unwrap();
    let tls = format!("cert_file = '{}'\nkey_file = '{}'", certificate.display(), key.display());
    let hub = Hub::start(folder.path(), &format!("[http]\nlisten = '127.0.0.1:0'\n[http.tls]\n{tls}\n")).await;
    hub.until_it_says(&certificate, "/api/v1/findings", "certificate_ending").await;
    hub.stop().await;
}

#[tokio::test]
async fn what_the_web_is_served_with_is_told_by_the_check_which_makes_nothing() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("hub.toml");
    let check = async |text: &str| {
        std::fs::write(&file, text).unwrap();
        let program = env!("CARGO_BIN_EXE_lobby-hub");
        Command::new(program).args(["check-config", "--config"]).arg(&file).output().await.unwrap()
    };
    let data = folder.path().join("data");
    let told = check(&format!("data_dir = '{}'\n{SELF_MADE}", data.display())).await;
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("\nweb: https on 0.0.0.0:0, with a certificate that the hub makes\n"), "{told}");
    assert!(!data.exists());
    let told = String::from_utf8(check("").await.stdout).unwrap();
    assert!(told.contains("\nweb: http on 127.0.0.1:8080\n"), "{told}");
    let refused = check("[http]\nlisten = '0.0.0.0:80'").await;
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(told.contains("hub.toml:2:10: [http] `listen`: 0.0.0.0:80: other computers can reach this"), "{told}");
}
