//! Whether a computer or display is there at all: does it answer on any of its TCP ports?
//!
//! A refused connection is an answer too: only a living network stack refuses. So the probe needs no service on
//! the device, no credentials and no privileges.

use std::{collections::BTreeMap, io, net::IpAddr, net::SocketAddr, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use lobby_contract::Reach;
use serde::Deserialize;
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};

use super::{ProbeError, Reading};

/// Most ports of one device.
const MAX_PORTS: usize = 32;
/// Most addresses tried of a name that has several.
const MAX_ADDRESSES: usize = 4;
/// Longest time a probe may be told to wait, in ms.
const MAX_TIMEOUT_MS: u64 = 60_000;

/// What to ask, and where.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The device's IP address or host name.
    pub address: String,
    /// The TCP ports to try; those of the usual services of a laptop or display if not given.
    #[serde(default = "default_ports")]
    pub ports: Vec<u16>,
    /// How long to wait for an answer, in ms; 2000 if not given.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
}

fn default_ports() -> Vec<u16> {
    vec![22, 80, 135, 139, 443, 445, 3389, 5900]
}

fn default_timeout_ms() -> u64 {
    2000
}

/// The probe.
#[derive(Debug)]
pub struct Tcp {
    config: Config,
    /// The port that answered last: asked first and alone, so that `answered_port` does not change with who wins a race.
    settled: Option<u16>,
}

/// The first sign of life among several ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The port that answered.
    pub(crate) port: u16,
    /// How long it took.
    pub(crate) after: Duration,
}

impl Tcp {
    /// A probe of `config`; [`ProbeError::Own`] says which value cannot be used.
    pub fn new(config: Config) -> Result<Self, ProbeError> {
        if config.address.trim().is_empty() {
            return Err(ProbeError::Own("`address` is empty: give the device's IP address or host name".into()));
        }
        if config.ports.is_empty() || config.ports.len() > MAX_PORTS || config.ports.contains(&0) {
            return Err(ProbeError::Own(format!("`ports` must be 1 to {MAX_PORTS} port numbers other than 0")));
        }
        if config.timeout_ms == 0 || config.timeout_ms > MAX_TIMEOUT_MS {
            return Err(ProbeError::Own(format!("`timeout_ms` must be 1 to {MAX_TIMEOUT_MS}")));
        }
        Ok(Self { config, settled: None })
    }

    /// Asks once. Facts: `latency_ms` and `answered_port`.
    ///
    /// [`ProbeError::Unreachable`]: no port answered. [`ProbeError::Own`]: the name has no address, or this computer
    /// has no way to the network.
    pub async fn probe(&mut self) -> Result<Reading, ProbeError> {
        let addresses = self.addresses().await?;
        let answer = match self.settled_answer(&addresses).await {
            Some(answer) => answer,
            None => first_answer(&addresses, &self.config.ports, self.patience())
                .await
                .map_err(|error| self.no_answer(&addresses, &error))?,
        };
        self.settled = Some(answer.port);
        let facts = BTreeMap::from([
            ("latency_ms".into(), whole_ms(answer.after).into()),
            ("answered_port".into(), f64::from(answer.port).into()),
        ]);
        Ok(Reading { reach: Reach::Ok, facts, faults: Vec::new() })
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.config.timeout_ms)
    }

    async fn addresses(&self) -> Result<Vec<IpAddr>, ProbeError> {
        let address = self.config.address.trim();
        let looked_up = timeout(self.patience(), lookup_host((address, 0)))
            .await
            .map_err(|_| ProbeError::Own(format!("looking up `{address}` took too long: check the DNS server")))?
            .map_err(|error| {
                ProbeError::Own(format!("looking up `{address}`: {error}; check the name or give an IP address"))
            })?;
        let mut addresses = Vec::new();
        for ip in looked_up.map(|socket| socket.ip()) {
            if !addresses.contains(&ip) && addresses.len() < MAX_ADDRESSES {
                addresses.push(ip);
            }
        }
        if addresses.is_empty() {
            return Err(ProbeError::Own(format!("looking up `{address}`: the name has no address")));
        }
        Ok(addresses)
    }

    /// Half the patience, so that a port that fell silent leaves time to ask the others within the device's timeout.
    async fn settled_answer(&self, addresses: &[IpAddr]) -> Option<Answer> {
        let port = self.settled?;
        first_answer(addresses, &[port], self.patience() / 2).await.ok()
    }

    fn no_answer(&self, addresses: &[IpAddr], error: &io::Error) -> ProbeError {
        let address = &self.config.address;
        if is_from_afar(error) {
            ProbeError::Unreachable(format!(
                "{address} ({}) answered on none of its {} ports within {} ms: {error}",
                addresses[0],
                self.config.ports.len(),
                self.config.timeout_ms
            ))
        } else {
            ProbeError::Own(format!("connecting to {address} ({}) from this computer: {error}", addresses[0]))
        }
    }
}

/// Asks all ports of all addresses at once; the first answer wins. Without one, the most telling error: silence of the
/// device before an error of this computer.
pub(crate) async fn first_answer(addresses: &[IpAddr], ports: &[u16], patience: Duration) -> io::Result<Answer> {
    let mut asked: FuturesUnordered<_> = addresses
        .iter()
        .flat_map(|&ip| ports.iter().map(move |&port| answer(SocketAddr::new(ip, port), patience)))
        .collect();
    let mut worst = io::Error::new(io::ErrorKind::InvalidInput, "no address or no port to ask");
    while let Some(outcome) = asked.next().await {
        match outcome {
            Ok(answer) => return Ok(answer),
            Err(error) if !is_from_afar(&worst) => worst = error,
            Err(_) => {}
        }
    }
    Err(worst)
}

/// Connects once; a refusal counts as an answer.
async fn answer(address: SocketAddr, patience: Duration) -> io::Result<Answer> {
    let asked_at = Instant::now();
    let outcome = timeout(patience, TcpStream::connect(address)).await;
    let answer = Answer { port: address.port(), after: asked_at.elapsed() };
    match outcome {
        Ok(Ok(_)) => Ok(answer),
        Ok(Err(error)) if is_refusal(&error) => Ok(answer),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | ConnectionAborted)
}

/// Whether the error says something of the device rather than of this computer: `NetworkUnreachable` is not among them,
/// because it means that this computer has no route.
fn is_from_afar(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable)
}

/// A duration in whole ms, so that noise below that is no change.
pub(crate) fn whole_ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::Ipv4Addr;

    use lobby_contract::FactValue;
    use rstest::rstest;
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// A port on which nothing listens.
    pub(crate) async fn closed_port() -> u16 {
        let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        listener.local_addr().unwrap().port()
    }

    /// A port that neither connects nor refuses: its queue of connections is full, so the system drops what comes.
    pub(crate) struct SilentPort {
        pub(crate) port: u16,
        _listener: TcpListener,
        _queue: Vec<TcpStream>,
    }

    pub(crate) async fn silent_port() -> SilentPort {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((LOOPBACK, 0).into()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(Ok(stream)) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            queue.push(stream);
            assert!(queue.len() < 64, "the queue of a listener fills");
        }
        SilentPort { port: address.port(), _listener: listener, _queue: queue }
    }

    fn config(ports: Vec<u16>) -> Config {
        Config { address: "127.0.0.1".into(), ports, timeout_ms: 400 }
    }

    fn answered_port(reading: &Reading) -> Option<&FactValue> {
        reading.facts.get("answered_port")
    }

    #[tokio::test]
    async fn a_device_that_refuses_every_connection_is_there() {
        let port = closed_port().await;
        let reading = Tcp::new(config(vec![port])).unwrap().probe().await.unwrap();
        assert_eq!(reading.reach, Reach::Ok);
        assert_eq!(answered_port(&reading), Some(&FactValue::Number(f64::from(port))));
        let Some(FactValue::Number(latency)) = reading.facts.get("latency_ms") else { panic!("{reading:?}") };
        assert!((0.0..400.0).contains(latency) && latency.fract() == 0.0, "{latency}");
    }

    #[tokio::test]
    async fn one_open_port_among_silent_ones_is_enough_and_stays_the_answer() {
        let silent = silent_port().await;
        let listeners =
            [TcpListener::bind((LOOPBACK, 0)).await.unwrap(), TcpListener::bind((LOOPBACK, 0)).await.unwrap()];
        let mut ports = vec![silent.port];
        ports.extend(listeners.iter().map(|listener| listener.local_addr().unwrap().port()));
        let mut tcp = Tcp::new(config(ports)).unwrap();
        let first = tcp.probe().await.unwrap();
        for _ in 0..20 {
            assert_eq!(answered_port(&tcp.probe().await.unwrap()), answered_port(&first));
        }
    }

    #[tokio::test]
    async fn silence_is_unreachable_and_names_the_device() {
        let silent = silent_port().await;
        let error = Tcp::new(config(vec![silent.port])).unwrap().probe().await.unwrap_err();
        let ProbeError::Unreachable(message) = error else { panic!("{error:?}") };
        assert!(message.contains("127.0.0.1") && message.contains("400 ms"), "{message}");
    }

    #[tokio::test]
    async fn when_the_port_that_answered_last_falls_silent_another_one_answers() {
        let silent = silent_port().await;
        let open = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let port = open.local_addr().unwrap().port();
        let mut tcp = Tcp::new(config(vec![silent.port, port])).unwrap();
        tcp.settled = Some(silent.port);
        assert_eq!(answered_port(&tcp.probe().await.unwrap()), Some(&FactValue::Number(f64::from(port))));
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_the_agents_own_trouble() {
        let unknown = Config { address: "no such host".into(), ..config(vec![1]) };
        let error = Tcp::new(unknown).unwrap().probe().await.unwrap_err();
        assert!(matches!(error, ProbeError::Own(ref message) if message.contains("no such host")), "{error:?}");
    }

    #[tokio::test]
    async fn a_network_this_computer_has_no_way_to_is_the_agents_own_trouble() {
        // Nobody can connect to the broadcast address: the system refuses before anything is sent.
        let nowhere = Config { address: "255.255.255.255".into(), ..config(vec![80]) };
        let error = Tcp::new(nowhere).unwrap().probe().await.unwrap_err();
        assert!(matches!(error, ProbeError::Own(_)), "{error:?}");
    }

    #[tokio::test]
    async fn a_dropped_probe_leaves_the_next_one_whole() {
        let silent = silent_port().await;
        let open = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let mut tcp = Tcp::new(config(vec![open.local_addr().unwrap().port()])).unwrap();
        tcp.settled = Some(silent.port);
        assert!(timeout(Duration::from_millis(20), tcp.probe()).await.is_err());
        assert_eq!(tcp.probe().await.unwrap().reach, Reach::Ok);
    }

    #[rstest]
    #[case::no_address(Config { address: " ".into(), ..config(vec![80]) }, "address")]
    #[case::no_port(config(Vec::new()), "ports")]
    #[case::port_zero(config(vec![0]), "ports")]
    #[case::no_patience(Config { timeout_ms: 0, ..config(vec![80]) }, "timeout_ms")]
    fn a_value_that_cannot_be_used_is_named(#[case] config: Config, #[case] field: &str) {
        let error = Tcp::new(config).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }

    #[test]
    fn only_the_address_must_be_given_and_unknown_fields_are_refused() {
        let config: Config = toml::from_str("address = 'laptop-1.lan'").unwrap();
        assert_eq!((config.ports.len(), config.timeout_ms), (8, 2000));
        assert!(toml::from_str::<Config>("address = 'a'\nport = 80").is_err());
    }
}
