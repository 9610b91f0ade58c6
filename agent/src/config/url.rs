//! The hub's broker as an address: `mqtt://host:1883` or, with TLS, `mqtts://host:8883`.

use std::{fmt, str::FromStr};

use serde::Deserialize;

/// Where the broker is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HubUrl {
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Host name or IP address; IPv6 without brackets.
    pub host: String,
    /// TCP port; 1883, or 8883 with TLS, if not given.
    pub port: u16,
}

/// Why a text is not the address of a broker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It starts otherwise.
    #[error("the hub's address must start with `mqtt://` or, for TLS, `mqtts://`")]
    Scheme,
    /// It holds a user or password.
    #[error("credentials do not belong in the address: use `username` and `password = {{ file = … }}`")]
    Credentials,
    /// Nothing, or something that is no name, stands for the host.
    #[error("the hub's address has no valid host: write it as `mqtt://host:1883`")]
    Host,
    /// What stands for the port is not one.
    #[error("the port of the hub's address must be a number from 1 to 65535")]
    Port,
}

impl FromStr for HubUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (tls, rest) = match (text.strip_prefix("mqtt://"), text.strip_prefix("mqtts://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(UrlError::Scheme),
        };
        if rest.contains('@') {
            return Err(UrlError::Credentials);
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or(UrlError::Host)?)),
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(is_name) {
            return Err(UrlError::Host);
        }
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(UrlError::Port)?,
            None if tls => 8883,
            None => 1883,
        };
        Ok(Self { tls, host: host.to_owned(), port })
    }
}

impl TryFrom<String> for HubUrl {
    type Error = UrlError;
    fn try_from(text: String) -> Result<Self, UrlError> {
        text.parse()
    }
}

impl fmt::Display for HubUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "{scheme}://{host}:{}", self.port)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("mqtt://hub.lan", "mqtt://hub.lan:1883")]
    #[case::encrypted("mqtts://hub.lan/", "mqtts://hub.lan:8883")]
    #[case::port("mqtt://127.0.0.1:2883", "mqtt://127.0.0.1:2883")]
    #[case::ipv6("mqtt://[::1]:2883", "mqtt://[::1]:2883")]
    fn an_address_has_its_usual_port_unless_it_names_one(#[case] text: &str, #[case] full: &str) {
        assert_eq!(text.parse::<HubUrl>().unwrap().to_string(), full);
    }

    #[rstest]
    #[case::web("http://hub", UrlError::Scheme)]
    #[case::credentials("mqtt://me:secret@hub", UrlError::Credentials)]
    #[case::no_host("mqtt://:1883", UrlError::Host)]
    #[case::path("mqtt://hub/x", UrlError::Host)]
    #[case::no_port("mqtt://hub:0", UrlError::Port)]
    fn any_other_text_is_refused_with_its_reason(#[case] text: &str, #[case] reason: UrlError) {
        assert_eq!(text.parse::<HubUrl>(), Err(reason));
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_that_reads_back_or_an_error(text in "(mqtts?://)?[ -~]{0,40}") {
            if let Ok(url) = text.parse::<HubUrl>() {
                prop_assert_eq!(url.to_string().parse(), Ok(url));
            }
        }
    }
}
