//! The third step: are names looked up, and truthfully? Each resolver is asked for a known name and for one that cannot
//! exist; whoever knows an address for the latter puts its own pages in place of the internet's.

use std::{net::IpAddr, net::SocketAddr, time::Duration};

use futures_util::future::join_all;
use hickory_resolver::{
    TokioResolver,
    config::{LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::rr::{Name, RData, RecordType},
    system_conf::read_system_conf,
};
use tokio::time::{Instant, timeout};

/// Most resolvers asked.
pub(super) const MAX_RESOLVERS: usize = 8;

/// What the resolvers said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// At least one knew the known name and none the invented one. With the time the first of them took.
    Ok(Duration),
    /// At least one gave an address for a name that does not exist.
    Hijacked(Option<Duration>),
    /// None knew the known name.
    Failed,
}

/// What one resolver said.
#[derive(Debug, Clone, Copy)]
struct Said {
    /// How long the known name took.
    known: Option<Duration>,
    /// Whether it gave an address for the invented name.
    invented: bool,
}

/// The resolvers this computer uses; none if the system does not say.
pub(super) fn system_resolvers() -> Vec<SocketAddr> {
    let config = match read_system_conf() {
        Ok((config, _)) => config,
        Err(error) => {
            tracing::debug!(%error, "reading the system's DNS settings");
            return Vec::new();
        }
    };
    let mut servers: Vec<SocketAddr> = Vec::new();
    for server in config.name_servers() {
        let port = server.connections.first().map_or(53, |connection| connection.port);
        let address = SocketAddr::new(server.ip, port);
        if !servers.contains(&address) && servers.len() < MAX_RESOLVERS {
            servers.push(address);
        }
    }
    servers
}

/// One client of `servers`. Built anew for each probe, so that no answer comes from a cache.
/// `None` if that fails, which is logged.
pub(super) fn client(servers: &[SocketAddr], patience: Duration) -> Option<TokioResolver> {
    let name_servers = servers.iter().map(|address| {
        let mut server = NameServerConfig::udp_and_tcp(address.ip());
        for connection in &mut server.connections {
            connection.port = address.port();
        }
        server
    });
    let config = ResolverConfig::from_parts(None, Vec::new(), name_servers.collect());
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
    // One repetition fits, so that one lost datagram is not a failure.
    options.timeout = patience / 2;
    options.attempts = 1;
    // Elsewhere than on Windows, a port chosen at random; there it would make the firewall ask the user.
    options.os_port_selection = cfg!(windows);
    builder.build().inspect_err(|error| tracing::warn!(%error, "making a DNS client")).ok()
}

/// Asks every resolver, each by a client of its own, for both names at once.
pub(super) async fn check(
    resolvers: &[TokioResolver],
    known: &Name,
    absent_domain: &Name,
    patience: Duration,
) -> Names {
    let Some(invented) = invented_name(absent_domain) else { return Names::Failed };
    let said = join_all(resolvers.iter().map(|resolver| ask(resolver, known, &invented, patience))).await;
    let known = said.iter().find_map(|said| said.known);
    if said.iter().any(|said| said.invented) {
        return Names::Hijacked(known);
    }
    known.map_or(Names::Failed, Names::Ok)
}

/// The first address of `name`.
pub(super) async fn address(client: &TokioResolver, name: &Name, patience: Duration) -> Option<IpAddr> {
    let looked_up = timeout(patience, client.lookup_ip(name.clone())).await.ok()?;
    looked_up.inspect_err(|error| tracing::debug!(%name, %error, "looking up a target")).ok()?.iter().next()
}

async fn ask(resolver: &TokioResolver, known: &Name, invented: &Name, patience: Duration) -> Said {
    let asked_at = Instant::now();
    let known = async { has_address(resolver, known, patience).await.then(|| asked_at.elapsed()) };
    let (known, invented) = tokio::join!(known, has_address(resolver, invented, patience));
    Said { known, invented }
}

async fn has_address(client: &TokioResolver, name: &Name, patience: Duration) -> bool {
    match timeout(patience, client.lookup(name.clone(), RecordType::A)).await {
        Ok(Ok(lookup)) => lookup.answers().iter().any(|record| matches!(record.data, RData::A(_))),
        Ok(Err(error)) => {
            tracing::debug!(%name, %error, "no address");
            false
        }
        Err(_) => false,
    }
}

/// A name nobody has registered. `None` if the system has no random numbers or `domain` is too long to be prefixed.
fn invented_name(domain: &Name) -> Option<Name> {
    let number = getrandom::u64().ok()?;
    let mut name = domain.prepend_label(format!("x{number:016x}")).ok()?;
    name.set_fqdn(true);
    Some(name)
}

#[cfg(test)]
pub(super) mod tests {
    use std::{net::Ipv4Addr, str::FromStr};

    use hickory_resolver::proto::{
        op::{Message, MessageType, ResponseCode},
        rr::{Record, rdata::A},
    };
    use tokio::{net::UdpSocket, task::JoinHandle};

    use super::*;
    use crate::probe::tcp::tests::LOOPBACK;

    const PATIENCE: Duration = Duration::from_millis(600);

    /// How a resolver of these tests behaves.
    #[derive(Clone, Copy)]
    pub(in super::super) enum Manners {
        /// Knows `known.test` and `localhost.test`, denies the rest.
        Honest,
        /// Has an address for everything.
        Hijacking,
        /// Denies everything.
        Denying,
        /// Receives and says nothing.
        Silent,
        /// Answers with bytes that are no message.
        Garbled,
        /// Says nothing to the first datagram of each name.
        Lossy,
    }

    /// A resolver on loopback; ends with the test's runtime.
    pub(in super::super) async fn resolver(manners: Manners) -> (SocketAddr, JoinHandle<()>) {
        let socket = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        #[expect(clippy::disallowed_methods, reason = "a peer of the test, not a task of the product")]
        let task = tokio::spawn(async move {
            let mut buffer = [0; 1500];
            let mut heard = Vec::new();
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let Ok(request) = Message::from_vec(&buffer[..length]) else { continue };
                let name = request.queries[0].name().clone();
                let first = !heard.contains(&name);
                heard.push(name);
                let answer = match manners {
                    Manners::Silent => continue,
                    Manners::Lossy if first => continue,
                    Manners::Garbled => b"\xff\xff not a message".to_vec(),
                    _ => answer(manners, &request).to_vec().unwrap(),
                };
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        (address, task)
    }

    fn answer(manners: Manners, request: &Message) -> Message {
        let query = &request.queries[0];
        let name = query.name().to_ascii().to_ascii_lowercase();
        let known = ["known.test.", "localhost.test."].contains(&name.as_str());
        let mut message = Message::response(request.metadata.id, request.metadata.op_code);
        assert_eq!(message.metadata.message_type, MessageType::Response);
        message.add_query(query.clone());
        match manners {
            Manners::Hijacking => {}
            Manners::Honest | Manners::Lossy if known => {}
            _ => message.metadata.response_code = ResponseCode::NXDomain,
        }
        if message.metadata.response_code == ResponseCode::NoError && query.query_type() == RecordType::A {
            let address = RData::A(A(Ipv4Addr::LOCALHOST));
            message.add_answer(Record::from_rdata(query.name().clone(), 60, address));
        }
        message
    }

    fn name(text: &str) -> Name {
        Name::from_str(text).unwrap()
    }

    async fn checked(manners: &[Manners]) -> Names {
        let mut servers = Vec::new();
        for &manners in manners {
            servers.push(resolver(manners).await.0);
        }
        checked_at(&servers).await
    }

    async fn checked_at(servers: &[SocketAddr]) -> Names {
        let clients: Vec<_> = servers.iter().map(|&server| client(&[server], PATIENCE).unwrap()).collect();
        check(&clients, &name("known.test."), &name("absent.test."), PATIENCE).await
    }

    #[tokio::test]
    async fn an_honest_resolver_is_ok() {
        let Names::Ok(after) = checked(&[Manners::Honest]).await else { panic!("not ok") };
        assert!(after < PATIENCE);
    }

    #[tokio::test]
    async fn an_address_for_a_name_that_cannot_exist_is_hijacking_even_beside_an_honest_resolver() {
        assert!(matches!(checked(&[Manners::Hijacking]).await, Names::Hijacked(Some(_))));
        assert!(matches!(checked(&[Manners::Honest, Manners::Hijacking]).await, Names::Hijacked(Some(_))));
    }

    #[tokio::test]
    async fn silence_denial_and_garbage_are_failures() {
        for manners in [Manners::Silent, Manners::Denying, Manners::Garbled] {
            assert_eq!(checked(&[manners]).await, Names::Failed);
        }
        assert_eq!(checked(&[]).await, Names::Failed);
    }

    #[tokio::test]
    async fn one_working_resolver_of_two_is_enough() {
        assert!(matches!(checked(&[Manners::Silent, Manners::Honest]).await, Names::Ok(_)));
    }

    #[tokio::test]
    async fn one_lost_datagram_is_not_a_failure() {
        assert!(matches!(checked(&[Manners::Lossy]).await, Names::Ok(_)));
    }

    #[tokio::test]
    async fn the_second_answer_is_asked_for_again_and_not_remembered() {
        let (server, task) = resolver(Manners::Honest).await;
        let clients = [client(&[server], PATIENCE).unwrap()];
        let (known, absent) = (name("known.test."), name("absent.test."));
        assert!(matches!(check(&clients, &known, &absent, PATIENCE).await, Names::Ok(_)));
        task.abort();
        assert!(task.await.is_err());
        assert_eq!(check(&clients, &known, &absent, PATIENCE).await, Names::Failed);
    }

    #[test]
    fn invented_names_differ_and_lie_below_the_domain() {
        let domain = name("example.com.");
        let (first, second) = (invented_name(&domain).unwrap(), invented_name(&domain).unwrap());
        assert_ne!(first, second);
        assert!(domain.zone_of(&first) && first.is_fqdn());
    }
}
