//! Opens TCP connections to devices, and tells the device's silence from the agent's own trouble.

use std::{fmt, io, net::Ipv6Addr, str::FromStr, time::Duration};

use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use crate::probe::ProbeError;

/// Where a device listens: `host`, `host:port`, `[v6]:port`, or an IPv6 address alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    host: Box<str>,
    port: Option<u16>,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("`{text}` is not an address: write `host`, `host:port` or `[ipv6]:port`");
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => match rest.split_once(']').ok_or_else(refused)? {
                (host, "") => (host, None),
                (host, port) => (host, Some(port.strip_prefix(':').ok_or_else(refused)?)),
            },
            None if text.matches(':').count() == 1 => {
                text.split_once(':').map(|(host, port)| (host, Some(port))).ok_or_else(refused)?
            }
            None => (text, None),
        };
        // Colons are left only in an IPv6 address, whose zone (`%eth0`) is the resolver's business.
        let v6 = host.split('%').next().is_some_and(|host| host.parse::<Ipv6Addr>().is_ok());
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '/' || (c == ':' && !v6)) {
            return Err(refused());
        }
        let port = port.map(|port| port.parse().ok().filter(|port| *port != 0).ok_or_else(refused)).transpose()?;
        Ok(Self { host: host.into(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, " port {port}"))
    }
}

/// Connects to `address`, on `port` if it names none.
pub(crate) async fn connect(address: &Address, port: u16, limit: Duration) -> Result<TcpStream, ProbeError> {
    let target = (&*address.host, address.port.unwrap_or(port));
    let attempt = async {
        let mut found =
            lookup_host(target).await.map_err(|error| ProbeError::Own(format!("resolve {address}: {error}")))?;
        let first = found.next().ok_or_else(|| ProbeError::Own(format!("resolve {address}: it has no address")))?;
        TcpStream::connect(first).await.map_err(|error| {
            let message = format!("connect to {address}: {error}");
            if is_own(&error) { ProbeError::Own(message) } else { ProbeError::Unreachable(message) }
        })
    };
    let stream = timeout(limit, attempt).await.unwrap_or_else(|_| {
        Err(ProbeError::Unreachable(format!("connect to {address}: no answer within {} ms", limit.as_millis())))
    })?;
    // Requests are a few bytes each and wait for their answer: Nagle's algorithm would only delay them.
    stream.set_nodelay(true).map_err(|error| ProbeError::Own(format!("set up the socket to {address}: {error}")))?;
    Ok(stream)
}

/// Whether a failed connect says something about this machine only: no route, no interface, no permission, no socket left.
fn is_own(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, TimedOut, UnexpectedEof,
    };
    !matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | ConnectionAborted | HostUnreachable | TimedOut | UnexpectedEof
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::name("projector.lan", "projector.lan", None)]
    #[case::v4_and_port("10.0.0.7:1502", "10.0.0.7", Some(1502))]
    #[case::v6("fe80::1", "fe80::1", None)]
    #[case::v6_and_port("[::1]:4352", "::1", Some(4352))]
    #[case::v6_in_brackets("[::1]", "::1", None)]
    fn an_address_is_a_host_with_or_without_a_port(#[case] text: &str, #[case] host: &str, #[case] port: Option<u16>) {
        assert_eq!(text.parse(), Ok(Address { host: host.into(), port }));
    }

    #[rstest]
    #[case::empty("")]
    #[case::no_host(":502")]
    #[case::no_port("host:")]
    #[case::port_zero("host:0")]
    #[case::port_too_large("host:70000")]
    #[case::open_bracket("[::1")]
    #[case::url("http://host:80")]
    #[case::path("host/x")]
    fn any_other_text_is_refused(#[case] text: &str) {
        assert!(text.parse::<Address>().unwrap_err().contains(text));
    }

    #[tokio::test]
    async fn a_refused_connection_is_the_device_and_an_unknown_name_is_our_own_trouble() {
        let port = {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap().port()
        };
        let limit = Duration::from_secs(5);
        let refused = connect(&"127.0.0.1".parse().unwrap(), port, limit).await.unwrap_err();
        assert!(matches!(refused, ProbeError::Unreachable(_)), "{refused}");
        let unknown = connect(&"no-such-host.invalid".parse().unwrap(), port, limit).await.unwrap_err();
        assert!(matches!(unknown, ProbeError::Own(_)), "{unknown}");
    }
}
