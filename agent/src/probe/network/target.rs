//! Where a step connects to: an IP address or a name, and a port.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use hickory_resolver::{TokioResolver, proto::rr::Name};

use super::names;

/// An IP address or a name to look up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// Needs no resolver.
    Ip(IpAddr),
    /// A name, taken as complete: search domains are not tried.
    Name(Name),
}

/// A place to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: Host,
    pub(super) port: u16,
}

impl Host {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        bare.parse().map(Self::Ip).ok().or_else(|| full_name(text).map(Self::Name))
    }
}

impl Target {
    /// Reads `host:port`, with an IPv6 address in brackets.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let port = port.parse().ok().filter(|&port| port != 0)?;
        Some(Self { host: Host::parse(host)?, port })
    }

    /// Its address, looked up by `client` if it is a name.
    pub(super) async fn address(&self, client: Option<&TokioResolver>, patience: Duration) -> Option<SocketAddr> {
        let ip = match &self.host {
            Host::Ip(ip) => *ip,
            Host::Name(name) => names::address(client?, name, patience).await?,
        };
        Some(SocketAddr::new(ip, self.port))
    }
}

/// A domain name from the root, with or without the last dot.
pub(super) fn full_name(text: &str) -> Option<Name> {
    let mut name = Name::from_str(text).ok().filter(|name| name.num_labels() > 0)?;
    name.set_fqdn(true);
    Some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::v4("223.5.5.5:443", Host::Ip([223, 5, 5, 5].into()), 443)]
    #[case::v6("[::1]:80", Host::Ip("::1".parse().unwrap()), 80)]
    #[case::name("www.example.com:8080", Host::Name(Name::from_str("www.example.com.").unwrap()), 8080)]
    fn a_target_is_a_host_and_a_port(#[case] text: &str, #[case] host: Host, #[case] port: u16) {
        assert_eq!(Target::parse(text), Some(Target { host, port }));
    }

    #[rstest]
    fn anything_else_is_no_target(#[values("", "host", ":80", "host:", "host:0", "host:65536", "..:80")] text: &str) {
        assert_eq!(Target::parse(text), None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_target_or_none(text in "\\PC{0,80}") {
            let _ = Target::parse(&text);
        }
    }
}
