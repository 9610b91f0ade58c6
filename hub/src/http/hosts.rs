//! The names by which the web server answers beside IP addresses and `localhost`.

use std::{fs, net::IpAddr};

/// Names, in lower case; `*.` at the beginning stands for one label.
#[derive(Debug, Default)]
pub struct Hosts(Vec<Box<str>>);

impl Hosts {
    /// This computer's name, and those of a certificate.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().map(|name| name.to_ascii_lowercase().into()).collect())
    }

    /// Whether the server answers to what a request names as its host, which may have a port. `public_url` is where people reach it.
    pub(super) fn answer_to(&self, host: &str, public_url: Option<&str>) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let address = name.trim_start_matches('[').trim_end_matches(']');
        let name = name.to_ascii_lowercase();
        let is_public = || public_url.and_then(host_of).is_some_and(|public| public.eq_ignore_ascii_case(&name));
        let matches = |known: &str| match known.strip_prefix("*.") {
            Some(parent) => name.split_once('.').is_some_and(|(first, rest)| !first.is_empty() && rest == parent),
            None => *known == name,
        };
        name == "localhost"
            || address.parse::<IpAddr>().is_ok()
            || is_public()
            || self.0.iter().any(|known| matches(known))
    }
}

/// The host of an address of pages.
pub(crate) fn host_of(url: &str) -> Option<String> {
    url.parse::<hyper::Uri>().ok()?.host().map(str::to_owned)
}

/// This computer's name.
pub(crate) fn this_computer() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    // What is no name cannot be asked for either, and no certificate can be for it.
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (!name.is_empty() && name.bytes().all(is_name) && name != "(none)").then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::localhost("LocalHost:8080", true)]
    #[case::address("192.168.1.2", true)]
    #[case::address_of_version_6("[fe80::1]:8443", true)]
    #[case::this_computer("Lobby-Box:8443", true)]
    #[case::public("lobby.example.com", true)]
    #[case::one_label("pages.hotel.example", true)]
    #[case::two_labels("a.pages.hotel.example", false)]
    #[case::no_label(".hotel.example", false)]
    #[case::parent("hotel.example", false)]
    #[case::a_name_that_leads_here("lobby-box.evil.example", false)]
    #[case::ends_alike("evil-lobby-box", false)]
    #[case::begins_alike("lobby.example.com.evil.example", false)]
    #[case::nothing("", false)]
    fn it_answers_to_its_own_names_only(#[case] host: &str, #[case] answers: bool) {
        let hosts = Hosts::new(["lobby-box".to_owned(), "*.Hotel.example".to_owned()]);
        assert_eq!(hosts.answer_to(host, Some("https://Lobby.example.com:8443/pages")), answers);
    }

    #[test]
    fn without_names_of_its_own_it_answers_to_addresses_and_localhost() {
        let hosts = Hosts::default();
        assert!(hosts.answer_to("127.0.0.1:1", None) && !hosts.answer_to("lobby-box", None));
    }
}
