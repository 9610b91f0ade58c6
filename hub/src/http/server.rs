//! How the web is served: plain or over TLS, and under which names.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use anyhow::Context;
use axum::{
    Router,
    extract::connect_info::IntoMakeServiceWithConnectInfo,
    http::{HeaderValue, header},
};
use lobby_domain::time::Timestamp;
use tokio::net::TcpListener;
use tower_http::set_header::SetResponseHeaderLayer;
use tracing::info;

use super::{
    App, Hosts, hosts,
    peer::Peer,
    router,
    tls::{Loaded, Tls, TlsError, TlsListener},
};
use crate::{config::Config, findings::OwnWeb, lifecycle::Lifecycle};

/// For how long a browser that has been here asks over TLS only, in seconds.
const STRICT: &str = "max-age=31536000";

/// What the web is served with, before it listens.
pub(crate) struct Server {
    listen: SocketAddr,
    tls: Option<Secured>,
    /// The names by which it answers.
    pub(crate) hosts: Arc<Hosts>,
}

struct Secured {
    by: Tls,
    loaded: Loaded,
    file: PathBuf,
}

impl Server {
    /// Reads or makes the certificate.
    pub(crate) fn prepare(config: &Config, now: Timestamp) -> Result<Self, TlsError> {
        let (listen, computer) = (config.listen_http, hosts::this_computer());
        let tls = config.http_tls.clone().map(|by| {
            let public = config.notify.public_url.as_deref().and_then(hosts::host_of);
            let loaded = by.load(&config.data_dir, own_names(listen.ip(), computer.clone(), public), now)?;
            Ok(Secured { file: by.certificate(&config.data_dir), by, loaded })
        });
        let tls: Option<Secured> = tls.transpose()?;
        let of_certificate = tls.iter().flat_map(|tls| tls.loaded.dns_names());
        let hosts = Arc::new(Hosts::new(of_certificate.chain(computer)));
        Ok(Self { listen, tls, hosts })
    }

    /// Whether it is served over TLS.
    pub(crate) const fn is_https(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether only programs on this computer reach it.
    pub(crate) const fn is_local(&self) -> bool {
        self.listen.ip().is_loopback()
    }

    /// The file of its certificate (PEM), if it has one.
    pub(crate) fn certificates(&self) -> Vec<PathBuf> {
        self.tls.iter().map(|tls| tls.file.clone()).collect()
    }

    /// Listens and serves; returns where, and how it is asked.
    pub(crate) async fn start(self, app: App, lifecycle: &Lifecycle) -> anyhow::Result<OwnWeb> {
        let listener = TcpListener::bind(self.listen).await.with_context(|| {
            format!("cannot listen on {} for the web: is it taken by another program?", self.listen)
        })?;
        let at = listener.local_addr().context("asking for the web server's address")?;
        let web = OwnWeb { at, tls: self.tls.as_ref().map(|tls| tls.loaded.connector()) };
        let (stop, router) = (lifecycle.stop_token(), router(app));
        lifecycle.supervise("http", async move {
            match self.tls {
                None => axum::serve(listener, known(router)).with_graceful_shutdown(stop.cancelled_owned()).await,
                Some(tls) => {
                    let listener = TlsListener::new(listener, tls.loaded.acceptor());
                    let router = tls.dressed(router);
                    axum::serve(listener, known(router)).with_graceful_shutdown(stop.cancelled_owned()).await
                }
            }
            .context("serving the web")
        });
        Ok(web)
    }
}

/// The routes, which are told who is at the other end.
fn known(router: Router) -> IntoMakeServiceWithConnectInfo<Router, Peer> {
    router.into_make_service_with_connect_info()
}

/// Where people on this computer, or on those that reach it, find the pages of a web that listens at `listen`.
pub(crate) fn address(listen: SocketAddr, https: bool) -> String {
    let scheme = if https { "https" } else { "http" };
    let named = || Some(format!("{scheme}://{}:{}", hosts::this_computer()?, listen.port()));
    let unnamed = || format!("{scheme}://{listen}");
    if listen.ip().is_unspecified() { named().unwrap_or_else(unnamed) } else { unnamed() }
}

impl Secured {
    /// The routes with what a certificate of this kind adds to every answer.
    fn dressed(&self, router: Router) -> Router {
        match self.by {
            Tls::Files { .. } => router.layer(SetResponseHeaderLayer::overriding(
                header::STRICT_TRANSPORT_SECURITY,
                HeaderValue::from_static(STRICT),
            )),
            // Nobody has vouched for it, so people confirm it in the browser. After this header a browser would let nobody confirm
            // anything for that name any more: the next certificate, or the end of this one, would lock everybody out.
            Tls::SelfMade => {
                info!(sha256 = self.loaded.fingerprint(), file = %self.file.display(), "the web's certificate is self-made: compare its fingerprint in the browser");
                router
            }
        }
    }
}

/// What a certificate of our own is for: this computer, and the names and the address by which others reach it.
fn own_names(listen: IpAddr, computer: Option<String>, public: Option<String>) -> Vec<String> {
    let here = ["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string(), Ipv6Addr::LOCALHOST.to_string()];
    let specific = (!listen.is_unspecified()).then(|| listen.to_string());
    let mut names: Vec<String> = Vec::new();
    for name in here.into_iter().chain(computer).chain(specific).chain(public) {
        let name = name.trim_matches(['[', ']']).to_ascii_lowercase();
        // An address has more than one spelling, and a certificate keeps none of them.
        let name = name.parse::<IpAddr>().map_or(name, |address| address.to_string());
        if name.is_ascii() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_of_our_own_is_for_every_name_that_leads_here_and_for_each_once() {
        let of = |listen: &str, public: &str| {
            own_names(listen.parse().unwrap(), Some("lobby-box".to_owned()), hosts::host_of(public)).join(" ")
        };
        let here = "localhost 127.0.0.1 ::1 lobby-box";
        assert_eq!(of("0.0.0.0", "https://Lobby.example:8443"), format!("{here} lobby.example"));
        assert_eq!(of("192.168.1.2", "https://192.168.1.2"), format!("{here} 192.168.1.2"));
        assert_eq!(of("::", "https://[fd00:0::2]/"), format!("{here} fd00::2"));
    }
}
