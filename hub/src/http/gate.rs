//! What is asked of whoever calls, before any handler runs. A route cannot be added without saying so: [`Routes`] takes it with the route.
//!
//! ```text
//! request ─► who? ─ a token that is not good ─► 401
//!             │ a token, a session, or nobody: that is whoever sits at this computer, while no account exists and the web is heard
//!             │ nowhere else
//!             ▼
//!           a session asks for a change from another site's page ─► 403
//!             ▼
//!           may one of their roles? ─ no ─► 403, with the roles that may
//!             │ yes
//!             ▼
//!           of which site is it? what they hold there counts from here on; held at other sites alone: it is not there ─► 404
//! ```

mod caller;

use std::{collections::HashMap, sync::Arc};

use axum::{
    RequestExt, Router,
    extract::{MatchedPath, Query, RawPathParams, Request, State},
    handler::Handler,
    http::{HeaderMap, Method, Uri, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{MethodFilter, on},
};
use lobby_contract::SiteId;
use lobby_domain::{
    access::Need,
    alert::AlertId,
    check::{Deed, stands_at},
    restraint::RestraintId,
    ticket::{Action, Rejection, WaitingFor},
};
use uuid::Uuid;

pub(super) use self::caller::Caller;
use self::caller::recognised;
use super::{App, error::ApiError, pages};

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
    /// The same; and whoever is not known may have it too, if the path holds the code that stands on the device's label.
    Label,
    /// The silence or maintenance window in the path.
    Restraint,
    /// The round in the path.
    Round,
    /// A step of the round in the path: whoever is at its post, or takes over, and their superiors.
    RoundStep,
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

async fn check(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let asking = pages::Asking::of(&request);
    match admitted(&gate, request).await {
        Ok(request) => next.run(request).await,
        Err((caller, error)) => match asking {
            Some(asking) => asking.refused(&gate.app, &caller, error),
            None => error.into_response(),
        },
    }
}

/// The request with who makes it, or why they may not.
async fn admitted(gate: &Gate, mut request: Request) -> Result<Request, (Caller, ApiError)> {
    let policy = gate.policy(&request);
    let caller = match recognised(&gate.app, request.headers(), policy).await {
        Ok(caller) => caller,
        Err(error) => return Err((Caller::Nobody, error)),
    };
    match allow(&gate.app, policy, &caller, &mut request).await {
        Ok(caller) => request.extensions_mut().insert(caller),
        Err(error) => return Err((caller, error)),
    };
    Ok(request)
}

impl Gate {
    /// What the route of a request asks; what is no route leads to nothing but a word about that.
    fn policy(&self, request: &Request) -> Option<Policy> {
        let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
        let path = request.extensions().get::<MatchedPath>().map(|path| Box::from(path.as_str()));
        path.and_then(|path| self.policies.get(&(path, method)).copied())
    }
}

/// The caller as far as what it holds counts for a request, if it may make it.
async fn allow(app: &App, policy: Option<Policy>, caller: &Caller, request: &mut Request) -> Result<Caller, ApiError> {
    if !request.method().is_safe() && !is_meant(caller, request.headers()) {
        return Err(ApiError::CrossSite);
    }
    let Some(policy) = policy else { return Ok(caller.clone()) };
    let params = Params(request.extract_parts().await.ok());
    let need = match policy.about {
        About::TicketStep => need_of_step(params.get(&["action", "verb"])),
        About::AlertStep => need_of_alert(params.get(&["verb"])),
        _ => policy.need,
    };
    if policy.about == About::Label && caller.is_nobody() && is_of_label(app, &params).await? {
        // A form of another site's page could be sent by any guest's browser.
        let meant = request.method().is_safe() || says_ours(request.headers()) == Some(true);
        return if meant { Ok(caller.clone()) } else { Err(ApiError::CrossSite) };
    }
    if !caller.may_somewhere(need) {
        return Err(if caller.is_nobody() { ApiError::SignIn } else { ApiError::Role(need) });
    }
    let caller = narrowed(app, caller.asking(need), (policy.about, need), &params, request).await?;
    if policy.about == About::RoundStep {
        is_at_post(app, &caller, &params).await?;
    }
    Ok(caller)
}

/// The caller at the site of what is asked about, so that what it holds there alone decides. What is not there and what is not theirs look
/// the same; who holds something else there is told which roles may.
async fn narrowed(
    app: &App,
    caller: Caller,
    (about, need): (About, Need),
    params: &Params,
    request: &mut Request,
) -> Result<Caller, ApiError> {
    let Some(held) = caller.held() else { return Ok(caller) };
    let confined = held.sites();
    if need == Need::Nothing || (confined.is_none() && held.all().len() == 1) {
        return Ok(caller);
    }
    let id = || params.get(&["id"]).parse::<Uuid>().ok();
    let site = match about {
        About::AllSites if confined.is_some() => return Err(caller.other_site()),
        About::AllSites => return Ok(caller),
        About::List => return of_list(&caller, need, request),
        About::Nothing | About::Handler => {
            let only = caller.only_site().cloned();
            return Ok(only.map_or(caller.clone(), |only| caller.at(&only)));
        }
        About::Site => params.get(&["site"]).parse().ok(),
        About::Ticket | About::TicketStep => app.store.site_of_ticket(params.get(&["number", "no"])).await?,
        About::Alert | About::AlertStep => match id() {
            Some(id) => site_of_alert(app, AlertId(id)).await?,
            None => None,
        },
        // What is no code may be a device's name: then it is looked for at one of their sites alone.
        About::Device | About::Label => match app.store.device_by_code(params.get(&["code"])).await? {
            Some((site, _)) => Some(site),
            None => match app.store.label(params.get(&["code"])).await? {
                Some(label) => Some(label.site),
                None => named_site(request.uri()).filter(|site| held.reaches(site)).or(held.first_site().cloned()),
            },
        },
        About::Round | About::RoundStep => match id() {
            Some(id) => app.store.round(id).await?.map(|round| round.site),
            None => None,
        },
        About::Restraint => {
            let row = match id() {
                Some(id) => app.store.restraint(RestraintId(id)).await?,
                None => None,
            };
            let is_theirs = match &row {
                Some(row) => caller.reaches_restraint(app, &row.kind).await?,
                None => confined.is_none(),
            };
            let reads = caller.asking(Need::Read);
            return match row {
                _ if is_theirs => Ok(caller),
                Some(row) if reads.reaches_restraint(app, &row.kind).await? => Err(ApiError::Role(need)),
                _ => Err(ApiError::NotFound("thing at your site")),
            };
        }
    };
    match site {
        Some(site) if held.reaches(&site) => Ok(caller.at(&site)),
        Some(site) if held.knows(&site) => Err(ApiError::Role(need)),
        None if confined.is_none() => Ok(caller),
        _ => Err(ApiError::NotFound("thing at your site")),
    }
}

/// The one site that the query of an address names.
fn named_site(uri: &Uri) -> Option<SiteId> {
    let Query(asked) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    let mut sites = asked.iter().filter(|(name, _)| name == "site").map(|(_, site)| site);
    let (first, more) = (sites.next()?, sites.next());
    first.parse().ok().filter(|_| more.is_none())
}

/// The caller at the site of a list. A list without a site is of all of them; for whoever may not know of all of them it is of their only
/// one. Whoever has several gets the page of the first, which says so and leads to the others; a program that asks is told to name one,
/// because it would take what it gets for all.
fn of_list(caller: &Caller, need: Need, request: &mut Request) -> Result<Caller, ApiError> {
    let Some(held) = caller.held() else { return Ok(caller.clone()) };
    let Some(confined) = held.sites() else {
        let site = named_site(request.uri());
        return Ok(site.map_or_else(|| caller.clone(), |site| caller.at(&site)));
    };
    let Query(asked) = Query::<Vec<(String, String)>>::try_from_uri(request.uri())?;
    let mut named = asked.iter().filter(|(name, _)| name == "site");
    match (named.next(), named.next()) {
        (None, _) => {
            let is_program = request.uri().path().starts_with("/api/");
            let first = held.first_site().filter(|_| confined.len() == 1 || !is_program);
            let Some(first) = first else {
                let all: Vec<&str> = confined.into_iter().map(SiteId::as_str).collect();
                return Err(ApiError::WhichSite(all.join("`, `")));
            };
            *request.uri_mut() = limited(request.uri(), first);
            Ok(caller.at(first))
        }
        (Some((_, site)), None) => match site.parse::<SiteId>() {
            Ok(site) if held.reaches(&site) => Ok(caller.at(&site)),
            Ok(site) if held.knows(&site) => Err(ApiError::Role(need)),
            _ => Err(ApiError::NotFound("site")),
        },
        (Some(_), Some(_)) => Err(ApiError::NotFound("site")),
    }
}

/// Refuses a step of a round to whoever is neither at the post that takes it nor above it. What is no round is left to the handler.
async fn is_at_post(app: &App, caller: &Caller, params: &Params) -> Result<(), ApiError> {
    let Ok(id) = params.get(&["id"]).parse::<Uuid>() else { return Ok(()) };
    let round = app.store.round(id).await?.filter(|round| caller.reaches(&round.site));
    let Some(round) = round else { return Ok(()) };
    let takes_over = matches!(Deed::from_text(params.get(&["verb"])), Some(Deed::SignIn | Deed::Dispute));
    let post = if takes_over { round.takes_over.unwrap_or(round.post) } else { round.post };
    if caller.at(&round.site).any(|role| stands_at(role, &post)) { Ok(()) } else { Err(ApiError::Post(post)) }
}

/// Whether the path holds the code that stands on the label of a device or an item. It has 40 random bits, so whoever has it has seen the
/// label. A label that is on nothing yet says nothing to guests.
async fn is_of_label(app: &App, params: &Params) -> Result<bool, ApiError> {
    let code = params.get(&["code"]);
    if app.store.device_by_code(code).await?.is_some() {
        return Ok(true);
    }
    Ok(app.store.label(code).await?.is_some_and(|label| label.target.is_some() && !label.voided))
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

/// Whether whoever calls means what is asked, rather than a page of another site that they look at. A browser sends its cookies along with
/// what such a page asks, and says from where that comes; it sends no token.
fn is_meant(caller: &Caller, headers: &HeaderMap) -> bool {
    match caller {
        Caller::Program { .. } => true,
        Caller::Person { .. } => says_ours(headers) == Some(true),
        Caller::Nobody | Caller::Here => says_ours(headers) != Some(false),
    }
}

/// What a request says of the page that it comes from; `None` if nothing.
fn says_ours(headers: &HeaderMap) -> Option<bool> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text("sec-fetch-site").map(|site| site == "same-origin" || site == "none");
    let origin = text(header::ORIGIN.as_str()).map(|origin| {
        let named = origin.split_once("://").map(|(_, host)| host);
        named.is_some_and(|host| text(header::HOST.as_str()).is_some_and(|ours| ours.eq_ignore_ascii_case(host)))
    });
    match (site, origin) {
        (None, None) => None,
        (site, origin) => Some(site != Some(false) && origin != Some(false)),
    }
}

/// The address of a list that names no site, limited to one.
fn limited(uri: &Uri, only: &SiteId) -> Uri {
    let query = uri.query().unwrap_or_default();
    let joint = if query.is_empty() { "" } else { "&" };
    let address = format!("{}?{query}{joint}site={only}", uri.path());
    address.parse().expect("an address with a site's name in its query is one")
}

/// What a step of a ticket needs. One that is not known needs the least: its handler says that it is none.
fn need_of_step(step: &str) -> Need {
    match Action::from_text(step, Some(WaitingFor::Parts), Some(Rejection::OutOfScope)) {
        Some(action) => action.need(),
        None if step == "priority" => Need::Repair,
        None => Need::Answer,
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
