//! The internet as this site sees it, step by step from the cable to the web page, so that the first step that fails
//! says whom to call: the house (`link`, `gateway`), the provider (`dns`, `tcp`) or the owner of the Wi-Fi (`http`).
//!
//! Every step is made at each probe and is a fact; none of them makes the probe fail. Steps run at once and each takes
//! at most twice the configured patience.

mod connect;
mod gateway;
mod http;
mod link;
mod names;
mod ping;
mod target;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use hickory_resolver::proto::rr::Name;
use lobby_contract::{FactValue, Reach};
use serde::Deserialize;

pub use self::http::{Expect, HttpCheck};
use self::{
    connect::Connections,
    http::{Page, Web},
    link::{Kernel, Link},
    names::Names,
    target::Target,
};
use super::{ProbeError, Reading, tcp::whole_ms};

/// Most entries of any list in the configuration.
const MAX_ENTRIES: usize = names::MAX_RESOLVERS;
/// Most connections to one target at one probe.
const MAX_ATTEMPTS: u32 = 10;
/// The port of DNS.
const DNS: u16 = 53;

/// What to ask, and whom. Everything has a default that works in most networks in China.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The interface to look at; if not given, the one of the default route.
    pub interface: Option<String>,
    /// The router's IP address; if not given, the one of the default route.
    pub gateway: Option<IpAddr>,
    /// The TCP ports on which the router is asked; an answer on one is enough, even a refusal.
    pub gateway_ports: Vec<u16>,
    /// DNS servers as `ip` or `ip:port`; if none is given, those of this computer.
    pub resolvers: Vec<String>,
    /// A name that every DNS server knows.
    pub known_name: String,
    /// A domain below which there is no wildcard entry: a name invented below it must not have an address.
    pub absent_domain: String,
    /// Hosts on the internet as `host:port`, at least two, of different owners. IP addresses keep this step
    /// independent of DNS.
    pub tcp_targets: Vec<String>,
    /// How often each of them is connected to at each probe, 1 to 10.
    pub tcp_attempts: u32,
    /// Pages whose content is known.
    pub http_checks: Vec<HttpCheck>,
    /// How long each step waits for an answer, in ms, 100 to 10000. A whole probe takes at most about twice as long.
    pub step_timeout_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        let check = |url: &str, expect| HttpCheck { url: url.into(), expect };
        Self {
            interface: None,
            gateway: None,
            gateway_ports: vec![53, 80, 443],
            resolvers: Vec::new(),
            known_name: "www.baidu.com".into(),
            absent_domain: "example.com".into(),
            tcp_targets: vec!["223.5.5.5:443".into(), "1.12.12.12:443".into()],
            tcp_attempts: 3,
            http_checks: vec![
                check("http://connect.rom.miui.com/generate_204", Expect::NoContent),
                check("http://connectivitycheck.platform.hicloud.com/generate_204", Expect::NoContent),
                check("http://www.msftconnecttest.com/connecttest.txt", Expect::Body("Microsoft Connect Test".into())),
                check("http://captive.apple.com/hotspot-detect.html", Expect::Contains("Success".into())),
            ],
            step_timeout_ms: 2000,
        }
    }
}

/// The probe.
#[derive(Debug)]
pub struct Network {
    kernel: Kernel,
    interface: Option<String>,
    gateway: Option<IpAddr>,
    gateway_ports: Vec<u16>,
    /// Empty: those of this computer.
    resolvers: Vec<SocketAddr>,
    known_name: Name,
    absent_domain: Name,
    targets: Vec<Target>,
    attempts: u32,
    pages: Vec<Page>,
    patience: Duration,
}

impl Network {
    /// A probe of `config`; [`ProbeError::Own`] says which value cannot be used.
    pub fn new(config: Config) -> Result<Self, ProbeError> {
        check_bounds(&config).map_err(ProbeError::Own)?;
        let target = |text: &str| Target::parse(text).ok_or("is not `host:port`");
        Ok(Self {
            kernel: Kernel::at(Path::new("/")),
            resolvers: each("resolvers", &config.resolvers, server)?,
            known_name: name("known_name", &config.known_name)?,
            absent_domain: name("absent_domain", &config.absent_domain)?,
            targets: each("tcp_targets", &config.tcp_targets, target)?,
            attempts: config.tcp_attempts,
            pages: config
                .http_checks
                .iter()
                .map(|check| Page::new(check).map_err(|wrong| ProbeError::Own(format!("in `http_checks`: {wrong}"))))
                .collect::<Result<_, _>>()?,
            patience: Duration::from_millis(config.step_timeout_ms),
            interface: config.interface,
            gateway: config.gateway,
            gateway_ports: config.gateway_ports,
        })
    }

    /// Makes all steps once. Always [`Reach::Ok`]: the device is this view of the internet, and it was there to look.
    ///
    /// Facts: `link`, `interface`, `gateway`, `gateway_ms`, `dns`, `dns_ms`, `tcp`, `tcp_ms`, `loss_percent`,
    /// `latency_ms`, `jitter_ms`, `http`, `http_ms`; a time is absent when nothing answered, and a step is absent
    /// where this system does not tell (`link`) or there is nothing to ask (`gateway`).
    pub async fn probe(&mut self) -> Result<Reading, ProbeError> {
        let link = self.kernel.link(self.interface.as_deref());
        let gateway = self.gateway.or_else(|| link.as_ref()?.gateway.map(IpAddr::V4));
        let servers = if self.resolvers.is_empty() { names::system_resolvers() } else { self.resolvers.clone() };
        // Made before anything is timed: making them costs more than a connection within the house takes.
        let client = names::client(&servers, self.patience);
        let resolvers: Vec<_> = servers.iter().filter_map(|&one| names::client(&[one], self.patience)).collect();
        let (gateway_answer, names, connections, web) = tokio::join!(
            self.gateway_answer(gateway),
            names::check(&resolvers, &self.known_name, &self.absent_domain, self.patience),
            connect::check(&self.targets, self.attempts, client.as_ref(), self.patience),
            http::check(&self.pages, client.as_ref(), self.patience),
        );
        let mut facts = Facts::default();
        facts.link(link);
        if gateway.is_some() {
            facts.gateway(gateway_answer);
        }
        facts.names(names);
        facts.connections(connections);
        facts.web(web);
        Ok(Reading { reach: Reach::Ok, facts: facts.0, faults: Vec::new() })
    }

    async fn gateway_answer(&self, gateway: Option<IpAddr>) -> Option<Duration> {
        gateway::answer(gateway?, &self.gateway_ports, self.patience).await
    }
}

fn check_bounds(config: &Config) -> Result<(), String> {
    let lists = [
        ("gateway_ports", config.gateway_ports.len(), 1),
        ("resolvers", config.resolvers.len(), 0),
        ("tcp_targets", config.tcp_targets.len(), 2),
        ("http_checks", config.http_checks.len(), 1),
    ];
    for (field, entries, least) in lists {
        if !(least..=MAX_ENTRIES).contains(&entries) {
            return Err(format!("`{field}` has {entries} entries: give {least} to {MAX_ENTRIES}"));
        }
    }
    if !(1..=MAX_ATTEMPTS).contains(&config.tcp_attempts) {
        return Err(format!("`tcp_attempts` must be 1 to {MAX_ATTEMPTS}"));
    }
    if !(100..=10_000).contains(&config.step_timeout_ms) {
        return Err("`step_timeout_ms` must be 100 to 10000".into());
    }
    // The name is read from a folder of this name.
    let is_file_name = |name: &String| !name.is_empty() && name.len() < 64 && !name.contains(['/', '\\', '.']);
    if config.interface.as_ref().is_some_and(|interface| !is_file_name(interface)) {
        return Err("`interface` must be an interface's name, such as `eth0`".into());
    }
    Ok(())
}

fn each<T>(
    field: &str,
    texts: &[String],
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<Vec<T>, ProbeError> {
    let parse =
        |text: &String| parse(text.trim()).map_err(|wrong| ProbeError::Own(format!("in `{field}`: `{text}` {wrong}")));
    texts.iter().map(parse).collect()
}

fn server(text: &str) -> Result<SocketAddr, &'static str> {
    let alone = |_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, DNS));
    text.parse().or_else(alone).map_err(|_| "is not an IP address, alone or with a port")
}

fn name(field: &str, text: &str) -> Result<Name, ProbeError> {
    target::full_name(text).ok_or_else(|| ProbeError::Own(format!("`{field}`: `{text}` is not a domain name")))
}

/// The facts of a reading, in the vocabulary of the kind `network`.
#[derive(Debug, Default)]
struct Facts(BTreeMap<Box<str>, FactValue>);

impl Facts {
    fn set(&mut self, name: &str, value: impl Into<FactValue>) {
        self.0.insert(name.into(), value.into());
    }

    fn set_ms(&mut self, name: &str, duration: Option<Duration>) {
        if let Some(duration) = duration {
            self.set(name, whole_ms(duration));
        }
    }

    fn link(&mut self, link: Option<Link>) {
        let Some(link) = link else { return };
        self.set("link", if link.up { "up" } else { "down" });
        if let Some(interface) = link.interface {
            self.set("interface", interface);
        }
    }

    fn gateway(&mut self, answered: Option<Duration>) {
        self.set("gateway", if answered.is_some() { "ok" } else { "unreachable" });
        self.set_ms("gateway_ms", answered);
    }

    fn names(&mut self, names: Names) {
        let (word, after) = match names {
            Names::Ok(after) => ("ok", Some(after)),
            Names::Hijacked(after) => ("hijacked", after),
            Names::Failed => ("failed", None),
        };
        self.set("dns", word);
        self.set_ms("dns_ms", after);
    }

    fn connections(&mut self, connections: Connections) {
        self.set("tcp", if connections.typical.is_some() { "ok" } else { "failed" });
        self.set_ms("tcp_ms", connections.typical);
        self.set_ms("latency_ms", connections.latency);
        self.set_ms("jitter_ms", connections.jitter);
        self.set("loss_percent", connections.loss_percent);
    }

    fn web(&mut self, web: Web) {
        let (word, after) = match web {
            Web::Ok(after) => ("ok", Some(after)),
            Web::Captive => ("captive", None),
            Web::Failed => ("failed", None),
        };
        self.set("http", word);
        self.set_ms("http_ms", after);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::{
        net::TcpListener,
        time::{Instant, timeout},
    };

    use super::*;
    use crate::probe::{
        network::{
            http::tests::{NO_CONTENT, REDIRECT, server as web_server},
            names::tests::{Manners, resolver},
        },
        tcp::tests::{closed_port, silent_port},
    };

    fn config(dns: SocketAddr, tcp: [u16; 2], web: u16) -> Config {
        Config {
            gateway: Some([127, 0, 0, 1].into()),
            gateway_ports: vec![tcp[0]],
            resolvers: vec![dns.to_string()],
            known_name: "known.test".into(),
            absent_domain: "absent.test".into(),
            tcp_targets: vec![format!("localhost.test:{}", tcp[0]), format!("127.0.0.1:{}", tcp[1])],
            tcp_attempts: 2,
            http_checks: vec![HttpCheck {
                url: format!("http://known.test:{web}/check?x=1"),
                expect: Expect::NoContent,
            }],
            step_timeout_ms: 500,
            ..Config::default()
        }
    }

    async fn probed(config: Config) -> Reading {
        let reading = Network::new(config).unwrap().probe().await.unwrap();
        assert_eq!(reading.reach, Reach::Ok);
        reading
    }

    fn words(reading: &Reading) -> [String; 4] {
        ["gateway", "dns", "tcp", "http"].map(|fact| reading.facts[fact].to_string())
    }

    fn number(reading: &Reading, fact: &str) -> Option<f64> {
        match reading.facts.get(fact) {
            Some(FactValue::Number(number)) => Some(*number),
            _ => None,
        }
    }

    #[tokio::test]
    async fn a_working_internet_is_ok_at_every_step_with_names_looked_up() {
        let (dns, _task) = resolver(Manners::Honest).await;
        let peers = [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
        let ports = peers.each_ref().map(|peer| peer.local_addr().unwrap().port());
        let reading = probed(config(dns, ports, web_server(NO_CONTENT, false).await)).await;
        assert_eq!(words(&reading), ["ok", "ok", "ok", "ok"]);
        assert_eq!(number(&reading, "loss_percent"), Some(0.0));
        for fact in ["gateway_ms", "dns_ms", "tcp_ms", "latency_ms", "jitter_ms", "http_ms"] {
            let value = number(&reading, fact).unwrap();
            assert!((0.0..500.0).contains(&value) && value.fract() == 0.0, "{fact} {value}");
        }
    }

    #[tokio::test]
    async fn a_captive_portal_hijacks_names_and_redirects_pages() {
        let (dns, _task) = resolver(Manners::Hijacking).await;
        let closed = closed_port().await;
        let reading = probed(config(dns, [closed; 2], web_server(REDIRECT, false).await)).await;
        assert_eq!(words(&reading), ["ok", "hijacked", "failed", "captive"]);
        assert_eq!(number(&reading, "loss_percent"), Some(100.0));
        assert_eq!(number(&reading, "latency_ms"), None);
    }

    #[tokio::test]
    async fn a_dead_provider_is_told_within_twice_the_patience() {
        let (dns, _task) = resolver(Manners::Silent).await;
        let silent = silent_port().await;
        let asked_at = Instant::now();
        let reading =
            probed(Config { gateway: Some([255, 255, 255, 255].into()), ..config(dns, [silent.port; 2], silent.port) })
                .await;
        assert!(asked_at.elapsed() < Duration::from_millis(1500), "{:?}", asked_at.elapsed());
        assert_eq!(words(&reading), ["unreachable", "failed", "failed", "failed"]);
    }

    #[tokio::test]
    async fn a_dropped_probe_leaves_the_next_one_whole() {
        let (dns, _task) = resolver(Manners::Honest).await;
        let silent = silent_port().await;
        let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = peer.local_addr().unwrap().port();
        let web = web_server(NO_CONTENT, false).await;
        let mut network = Network::new(config(dns, [port, silent.port], web)).unwrap();
        assert!(timeout(Duration::from_millis(50), network.probe()).await.is_err());
        let reading = network.probe().await.unwrap();
        assert_eq!(words(&reading), ["ok", "ok", "ok", "ok"]);
        assert_eq!(number(&reading, "loss_percent"), Some(50.0));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_interface_of_this_computer_is_named() {
        let (dns, _task) = resolver(Manners::Honest).await;
        let closed = closed_port().await;
        let interfaces = std::fs::read_dir("/sys/class/net").unwrap().count();
        let reading = probed(config(dns, [closed; 2], closed)).await;
        assert_eq!(reading.facts.contains_key("interface"), interfaces > 1, "{reading:?}");
        assert_eq!(reading.facts.contains_key("link"), interfaces > 1, "{reading:?}");
    }

    #[test]
    fn the_defaults_are_usable_and_a_file_may_say_everything() {
        assert!(Network::new(toml::from_str("").unwrap()).is_ok());
        let text = r#"
            interface = "eth0"
            gateway = "192.168.1.1"
            resolvers = ["223.5.5.5", "127.0.0.1:5353", "::1"]
            tcp_targets = ["a.test:443", "[::1]:443"]
            http_checks = [
                { url = "http://a.test/generate_204", expect = "204" },
                { url = "http://b.test/", expect = { body = "x" } },
                { url = "http://c.test:8080/", expect = { contains = "y" } },
            ]
            step_timeout_ms = 1000
        "#;
        let network = Network::new(toml::from_str(text).unwrap()).unwrap();
        assert_eq!(network.resolvers[0], SocketAddr::from(([223, 5, 5, 5], 53)));
        assert_eq!((network.resolvers.len(), network.pages.len()), (3, 3));
    }

    #[rstest]
    #[case::resolver(Config { resolvers: vec!["dns.test".into()], ..Config::default() }, "resolvers")]
    #[case::one_target(Config { tcp_targets: vec!["a:1".into()], ..Config::default() }, "tcp_targets")]
    #[case::target(Config { tcp_targets: vec!["a:1".into(), "b".into()], ..Config::default() }, "tcp_targets")]
    #[case::page(Config { http_checks: vec![HttpCheck { url: "https://a/".into(), expect: Expect::NoContent }],
        ..Config::default() }, "http_checks")]
    #[case::name(Config { known_name: "..".into(), ..Config::default() }, "known_name")]
    #[case::interface(Config { interface: Some("../x".into()), ..Config::default() }, "interface")]
    #[case::attempts(Config { tcp_attempts: 0, ..Config::default() }, "tcp_attempts")]
    #[case::patience(Config { step_timeout_ms: 20, ..Config::default() }, "step_timeout_ms")]
    fn a_value_that_cannot_be_used_is_named(#[case] config: Config, #[case] field: &str) {
        let error = Network::new(config).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
}
