//! Where people reach the pages, for links and codes that leave the hub.

use std::{convert::Infallible, net::IpAddr};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};

use super::App;

/// Where the hub's pages are for whoever follows a link or scans a code: as configured, or else as the one who made it reached them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// The address of the first page, without a slash at its end.
    pub base: String,
    /// Whether it leads nowhere but on this computer.
    pub only_here: bool,
}

impl FromRequestParts<App> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let configured = app.notify.settings.borrow().public_url.clone();
        let asked = || Self::asked(app.https, &parts.headers);
        Ok(configured.map_or_else(asked, |base| Self { base, only_here: false }))
    }
}

impl Origin {
    /// By the request, whose host has been found to be ours.
    fn asked(https: bool, headers: &HeaderMap) -> Self {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        let scheme = if https { "https" } else { "http" };
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let only_here = address.map_or(name.eq_ignore_ascii_case("localhost"), |address| address.is_loopback());
        Self { base: format!("{scheme}://{host}"), only_here }
    }

    /// The link by which a password is chosen.
    pub(super) fn to_setup(&self, link: &str) -> String {
        format!("{}/setup/{link}", self.base)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("localhost:8080", true)]
    #[case("127.0.0.1:8080", true)]
    #[case("[::1]:8080", true)]
    #[case("192.168.1.20:8080", false)]
    #[case("192.168.1.20", false)]
    fn a_code_leads_where_the_one_who_prints_came_from(#[case] host: &'static str, #[case] only_here: bool) {
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
        for (https, scheme) in [(false, "http"), (true, "https")] {
            let base = format!("{scheme}://{host}");
            assert_eq!(Origin::asked(https, &headers), Origin { base, only_here });
        }
    }
}
