//! What is asked of whoever calls, before any handler runs. A route cannot be added without saying so: [`Routes`] takes it with the route.
//!
//! ```text
//! request ─► who? ─ a token that is not good ─► 401
//!             │ a token, or nobody: whoever sits at this computer, on which alone the web is heard
//!             ▼
//!           may that role? ─ no ─► 403, with the roles that may
//!             │ yes
//!             ▼
//!           limited to a site? lists are of that site; a thing of another site is not there ─► 404
//! ```

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use axum::{
    RequestExt, Router,
    extract::{FromRequestParts, MatchedPath, Query, RawPathParams, Request, State},
    handler::Handler,
    http::{HeaderValue, Method, Uri, header, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{MethodFilter, on},
};
use lobby_contract::SiteId;
use lobby_domain::{
    access::{Grant, Need},
    alert::AlertId,
    matchers::{Field, Matchers},
    restraint::{Kind, RestraintId},
    ticket::{Action, WaitingFor},
};
use uuid::Uuid;

use super::{App, error::ApiError};
use crate::{findings::Domain, token};

/// What a request is about, by which it is known of which site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// Nothing that belongs to a site.
    Nothing,
    /// All sites at once: nobody who is limited to one may have it.
    AllSites,
    /// The site in the path.
    Site,
    /// A list that `site` in the query limits to one.
    List,
    /// The ticket in the path.
    Ticket,
    /// A step of the ticket in the path; what it needs follows from the step.
    TicketStep,
    /// The alert in the path.
    Alert,
    /// A step about the alert in the path; what it needs follows from the step.
    AlertStep,
    /// The device whose code is in the path.
    Device,
    /// The silence or maintenance window in the path.
    Restraint,
    /// What only its handler can tell, which looks.
    Handler,
}

/// What a route asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    /// What its caller must be allowed to do.
    pub need: Need,
    /// What it is about.
    pub about: About,
}

impl Policy {
    /// Of what anybody may have who reaches the hub.
    pub(super) const PUBLIC: Self = Self { need: Need::Nothing, about: About::Nothing };

    /// Of what is to be read.
    pub(super) const fn read(about: About) -> Self {
        Self { need: Need::Read, about }
    }

    /// Of what is to be done.
    pub(super) const fn to(need: Need, about: About) -> Self {
        Self { need, about }
    }
}

/// Routes, each with what it asks.
#[derive(Default)]
pub(super) struct Routes {
    router: Router<App>,
    policies: Policies,
}

/// What each route asks, by its path and method.
pub(super) type Policies = HashMap<(Box<str>, Method), Policy>;

impl Routes {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn get<H: Handler<T, App>, T: 'static>(self, path: &str, policy: Policy, handler: H) -> Self {
        self.route(Method::GET, path, policy, handler)
    }

    pub(super) fn post<H: Handler<T, App>, T: 'static>(self, path: &str, policy: Policy, handler: H) -> Self {
        self.route(Method::POST, path, policy, handler)
    }

    pub(super) fn put<H: Handler<T, App>, T: 'static>(self, path: &str, policy: Policy, handler: H) -> Self {
        self.route(Method::PUT, path, policy, handler)
    }

    pub(super) fn patch<H: Handler<T, App>, T: 'static>(self, path: &str, policy: Policy, handler: H) -> Self {
        self.route(Method::PATCH, path, policy, handler)
    }

    pub(super) fn delete<H: Handler<T, App>, T: 'static>(self, path: &str, policy: Policy, handler: H) -> Self {
        self.route(Method::DELETE, path, policy, handler)
    }

    fn route<H: Handler<T, App>, T: 'static>(mut self, method: Method, path: &str, policy: Policy, handler: H) -> Self {
        let filter = MethodFilter::try_from(method.clone()).expect("a method that axum routes");
        self.router = self.router.route(path, on(filter, handler));
        let before = self.policies.insert((path.into(), method), policy);
        assert!(before.is_none(), "{path} has one policy for each method");
        self
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.policies.extend(other.policies);
        self
    }

    /// The same routes, wrapped or with answers for what is no route.
    pub(super) fn with(mut self, change: impl FnOnce(Router<App>) -> Router<App>) -> Self {
        self.router = change(self.router);
        self
    }

    /// What each of them asks.
    #[cfg(test)]
    pub(super) const fn policies(&self) -> &Policies {
        &self.policies
    }

    /// The routes behind the gate.
    pub(super) fn guarded(self, app: &App) -> Router<App> {
        let gate = Gate { app: app.clone(), policies: Arc::new(self.policies) };
        self.router.layer(from_fn_with_state(gate, check))
    }
}

/// What the gate works with.
#[derive(Clone)]
struct Gate {
    app: App,
    policies: Arc<Policies>,
}

/// Who calls.
#[derive(Debug, Clone)]
pub(super) enum Caller {
    /// Whoever sits at this computer, where the web listens on nothing else.
    Here,
    /// A program with a token.
    Program {
        /// What its token is called.
        name: Box<str>,
        /// What it may do, and where.
        grant: Grant,
    },
}

impl Caller {
    fn may(&self, need: Need) -> bool {
        match self {
            Self::Here => true,
            Self::Program { grant, .. } => grant.role.may(need),
        }
    }

    /// The only site it may know of; all if there is none.
    pub(super) const fn only_site(&self) -> Option<&SiteId> {
        match self {
            Self::Here => None,
            Self::Program { grant, .. } => grant.site.as_ref(),
        }
    }

    /// Whether it may know of a site.
    pub(super) fn reaches(&self, site: &SiteId) -> bool {
        match self {
            Self::Here => true,
            Self::Program { grant, .. } => grant.reaches(site),
        }
    }

    /// The name under which something is noted that it does: the one it gives, or that of its token.
    pub(super) fn signs(&self, given: String) -> String {
        match self {
            Self::Program { name, .. } if given.trim().is_empty() => name.to_string(),
            _ => given,
        }
    }

    /// Whether what these matchers keep quiet is of no site that it may not know of.
    fn reaches_all(&self, matchers: &Matchers) -> bool {
        self.only_site().is_none_or(|only| matchers.is_only(Field::Site, only.as_str()))
    }

    /// The same of a silence or maintenance window.
    pub(super) async fn reaches_restraint(&self, app: &App, kind: &Kind) -> Result<bool, ApiError> {
        match kind {
            Kind::Silence(matchers) | Kind::Maintenance { matchers, .. } => Ok(self.reaches_all(matchers)),
            Kind::UntilResolved(alert) => {
                Ok(self.only_site().is_none()
                    || site_of_alert(app, *alert).await?.is_some_and(|site| self.reaches(&site)))
            }
        }
    }

    /// Refuses matchers that would keep alerts of other sites quiet.
    pub(super) fn check_matchers(&self, matchers: &Matchers) -> Result<(), ApiError> {
        self.allowed(self.reaches_all(matchers))
    }

    /// Refuses a silence or maintenance window that would.
    pub(super) async fn check_restraint(&self, app: &App, kind: &Kind) -> Result<(), ApiError> {
        self.allowed(self.reaches_restraint(app, kind).await?)
    }

    fn allowed(&self, reached: bool) -> Result<(), ApiError> {
        match self.only_site() {
            Some(only) if !reached => Err(ApiError::OtherSite(only.clone())),
            _ => Ok(()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().expect("every route is behind the gate"))
    }
}

async fn check(State(gate): State<Gate>, mut request: Request, next: Next) -> Result<Response, ApiError> {
    let given = request.headers().get(header::AUTHORIZATION).cloned();
    let caller = recognised(&gate.app, given).await?;
    let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
    let path = request.extensions().get::<MatchedPath>().map(|path| Box::from(path.as_str()));
    // What is no route leads to nothing but a word about that.
    if let Some(policy) = path.and_then(|path| gate.policies.get(&(path, method)).copied()) {
        let params = Params(request.extract_parts().await.ok());
        let need = match policy.about {
            About::TicketStep => need_of_step(params.get(&["action", "verb"])),
            About::AlertStep => need_of_alert(params.get(&["verb"])),
            _ => policy.need,
        };
        if !caller.may(need) {
            return Err(ApiError::Role(need));
        }
        if let Some(only) = caller.only_site().filter(|_| need != Need::Nothing) {
            if policy.about == About::List {
                *request.uri_mut() = limited(request.uri(), only)?;
            }
            keep_to(only, &caller, policy.about, &params, &gate.app).await?;
        }
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Refuses a caller who is limited to `only` what is not of that site. What is not there and what is not theirs look the same.
async fn keep_to(only: &SiteId, caller: &Caller, about: About, params: &Params, app: &App) -> Result<(), ApiError> {
    let id = || params.get(&["id"]).parse::<Uuid>().ok();
    let is_theirs = match about {
        About::Nothing | About::Handler | About::List => true,
        About::AllSites => return Err(ApiError::OtherSite(only.clone())),
        About::Site => params.get(&["site"]) == only.as_str(),
        About::Ticket | About::TicketStep => {
            app.store.site_of_ticket(params.get(&["number", "no"])).await?.as_ref() == Some(only)
        }
        About::Alert | About::AlertStep => match id() {
            Some(id) => site_of_alert(app, AlertId(id)).await?.as_ref() == Some(only),
            None => false,
        },
        // What is no code may be a device's name: then it is looked for at their site alone.
        About::Device => app.store.device_by_code(params.get(&["code"])).await?.is_none_or(|(site, _)| site == *only),
        About::Restraint => {
            let row = match id() {
                Some(id) => app.store.restraint(RestraintId(id)).await?,
                None => None,
            };
            match row {
                Some(row) => caller.reaches_restraint(app, &row.kind).await?,
                None => false,
            }
        }
    };
    if is_theirs { Ok(()) } else { Err(ApiError::NotFound("thing at your site")) }
}

/// The parameters in the path of a request.
struct Params(Option<RawPathParams>);

impl Params {
    /// The one that has any of these names; empty if there is none.
    fn get(&self, names: &[&str]) -> &str {
        let mut params = self.0.iter().flatten();
        params.find(|(name, _)| names.contains(name)).map(|(_, value)| value).unwrap_or_default()
    }
}

/// Who calls, by the `Authorization` of the request.
async fn recognised(app: &App, given: Option<HeaderValue>) -> Result<Caller, ApiError> {
    let Some(given) = given else { return Ok(Caller::Here) };
    let given = given.to_str().unwrap_or_default();
    let (scheme, token) = given.split_once(' ').unwrap_or((given, ""));
    if !scheme.eq_ignore_ascii_case("bearer") || !token::may_be(token.trim()) {
        return Err(ApiError::Token);
    }
    let now = app.clock.now();
    let row = app.store.token_by_hash(&token::hash(token.trim())).await?;
    let row = row.filter(|row| row.is_good(now)).ok_or(ApiError::Token)?;
    // That it was used is noted where it can be: nobody is kept from reading because a disk takes nothing.
    let is_writable = !app.findings.fails(Domain::Database) && !app.findings.fails(Domain::Storage);
    if is_writable && let Err(cause) = app.store.token_used(&row, now).await {
        tracing::warn!(
            cause = format!("{:#}", anyhow::Error::from(cause)),
            token = row.id,
            "its use could not be noted"
        );
    }
    Ok(Caller::Program { name: row.name.into(), grant: row.grant })
}

/// The address of a list, limited to one site.
fn limited(uri: &Uri, only: &SiteId) -> Result<Uri, ApiError> {
    let Query(asked) = Query::<Vec<(String, String)>>::try_from_uri(uri)?;
    match asked.iter().filter(|(name, _)| name == "site").collect::<Vec<_>>().as_slice() {
        [] => {}
        [(_, site)] if *site == only.as_str() => return Ok(uri.clone()),
        _ => return Err(ApiError::NotFound("site")),
    }
    let query = uri.query().unwrap_or_default();
    let joint = if query.is_empty() { "" } else { "&" };
    let address = format!("{}?{query}{joint}site={only}", uri.path());
    Ok(address.parse().expect("an address with a site's name in its query is one"))
}

/// What a step of a ticket needs. One that is not known needs the least: its handler says that it is none.
fn need_of_step(step: &str) -> Need {
    match Action::from_text(step, Some(WaitingFor::Parts)) {
        Some(Action::Confirm | Action::Reopen) => Need::Answer,
        None if step != "priority" => Need::Answer,
        _ => Need::Repair,
    }
}

/// What a step about an alert needs.
fn need_of_alert(step: &str) -> Need {
    match step {
        "clear" => Need::Equip,
        "silence" => Need::Restrain,
        _ => Need::Answer,
    }
}

/// The site of an alert.
async fn site_of_alert(app: &App, alert: AlertId) -> Result<Option<SiteId>, ApiError> {
    Ok(app.store.alert(alert).await?.map(|alert| alert.site))
}

#[cfg(test)]
mod tests;
