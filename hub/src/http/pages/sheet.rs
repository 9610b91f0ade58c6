//! What printed documents have in common: where their QR codes lead, and what surrounds them.

use std::{convert::Infallible, net::IpAddr};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Uri, header, request::Parts},
};
use lobby_dashboards::Sheet;

use super::{App, Scene};

/// Where the hub's pages are for whoever scans a code: as configured, or else as the one who prints reached them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Origin {
    base: String,
    only_here: bool,
}

impl FromRequestParts<App> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let configured = app.notify.settings.borrow().public_url.clone();
        Ok(configured.map_or_else(|| Self::asked(&parts.uri, &parts.headers), |base| Self { base, only_here: false }))
    }
}

impl Origin {
    /// By the request, whose host has been found to be ours.
    fn asked(uri: &Uri, headers: &HeaderMap) -> Self {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        let scheme = uri.scheme_str().unwrap_or("http");
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let only_here = address.map_or(name.eq_ignore_ascii_case("localhost"), |address| address.is_loopback());
        Self { base: format!("{scheme}://{host}"), only_here }
    }

    /// What surrounds a document that is reached from `back`.
    pub(super) fn sheet(&self, scene: &Scene<'_>, back: String) -> Sheet {
        let reader = scene.reader;
        Sheet {
            lang: reader.lang,
            calendar: scene.calendar().clone(),
            path: reader.path.clone(),
            back,
            base: self.base.clone(),
            only_here: self.only_here,
        }
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
        let origin = Origin::asked(&Uri::from_static("/labels"), &headers);
        assert_eq!(origin, Origin { base: format!("http://{host}"), only_here });
    }
}
