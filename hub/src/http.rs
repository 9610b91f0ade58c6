//! The web: API, pages, live events, health and metrics. A handler reads its input, makes one call, and answers.

mod address;
mod api;
mod arrival;
mod conditional;
mod cookies;
mod error;
mod events;
mod gate;
mod health;
mod hosts;
mod metrics;
mod openapi;
mod pages;
mod peer;
mod people;
mod sent;
mod server;
mod tls;
mod trace;

use std::sync::Arc;

use axum::{Router, middleware};
use tokio_util::sync::CancellationToken;

use self::gate::Routes;
pub use self::{
    hosts::Hosts,
    openapi::document as openapi,
    tls::{Tls, TlsError},
};
pub(crate) use self::{
    server::{Server, address},
    tls::from_files,
};
use crate::{
    account::Accounts,
    audit::{Actor, Change},
    backup,
    clock::Clock,
    findings::{Domain, Finding, Findings},
    fleet::Fleet,
    ingest::{Counters, Desk},
    mqtt::Mqtt,
    notify::Notify,
    progress::Progress,
    reports::Reports,
    restraints::Restraints,
    store::{Store, StoreError},
};

/// What handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub store: Store,
    /// The live state.
    pub fleet: Arc<Fleet>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What ingest has counted.
    pub counters: Arc<Counters>,
    /// Where people's decisions about devices and alerts go.
    pub desk: Desk,
    /// The product's own troubles.
    pub findings: Arc<Findings>,
    /// Whether the hub's loops get on.
    pub progress: Arc<Progress>,
    /// Silences and maintenance windows.
    pub restraints: Arc<Restraints>,
    /// What MQTT has counted, and whether the broker is up.
    pub mqtt: Arc<Mqtt>,
    /// Ends every open response.
    pub stop: CancellationToken,
    /// Whether what is shown is a demonstration.
    pub demo: bool,
    /// How backups stand.
    pub backups: backup::Status,
    /// Channels, and what is sent through them.
    pub notify: Arc<Notify>,
    /// Who may sign in.
    pub accounts: Arc<Accounts>,
    /// Whether the web is served over TLS.
    pub https: bool,
    /// The names by which it answers.
    pub hosts: Arc<Hosts>,
    /// What is needed to take what people report.
    pub reports: Arc<Reports>,
}

impl App {
    /// Lets `actor` ignore a finding until it is gone, which the audit log is told first. `None` if there is no such finding.
    async fn ignore_finding(&self, domain: &str, id: &str, actor: &Actor) -> Result<Option<Finding>, StoreError> {
        let Some(domain) = Domain::named(domain) else { return Ok(None) };
        if self.findings.is_heeded(domain, id) {
            let subject = format!("{}/{id}", domain.as_str());
            self.store.note(&Change::new(actor, self.clock.now(), "finding.ignore", subject)).await?;
        }
        let ignored = self.findings.ignore(domain, id);
        // What was answered is there after a restart too.
        self.store.store_findings(&self.findings.to_store()).await?;
        Ok(ignored)
    }
}

/// Every route.
pub fn router(app: App) -> Router {
    routes()
        .with(|router| router.fallback(pages::no_such_page))
        .guarded(&app)
        .layer(middleware::from_fn_with_state(app.clone(), error::own_host_only))
        .with_state(app)
}

/// Every route with what it asks of whoever calls.
fn routes() -> Routes {
    Routes::new()
        .merge(api::routes())
        .merge(openapi::routes())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(events::routes())
        .merge(pages::routes())
}
