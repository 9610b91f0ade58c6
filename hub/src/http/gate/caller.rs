//! Who calls, and what that lets them do.

use std::{collections::BTreeSet, convert::Infallible, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use lobby_contract::SiteId;
use lobby_domain::{
    access::{Grant, Held, Need, Role, may_give},
    matchers::{Field, Matchers},
    report::is_superior,
    restraint::Kind,
};

use super::{Policy, site_of_alert};
use crate::{
    audit::Actor,
    findings::Domain,
    http::{App, cookies, error::ApiError},
    store::{AlertRow, PersonRow, StoreError},
    token,
};

/// Who calls.
#[derive(Debug, Clone)]
pub(in crate::http) enum Caller {
    /// Nobody who is known.
    Nobody,
    /// Whoever sits at this computer, where the web listens on nothing else and nobody can sign in yet.
    Here,
    /// Somebody who is signed in.
    Person {
        /// Who.
        person: Arc<PersonRow>,
        /// Their session, by its id.
        session: Box<str>,
        /// What they hold, as far as it counts for this request.
        held: Held,
    },
    /// A program with a token.
    Program {
        /// Its token.
        id: Box<str>,
        /// What its token is called.
        name: Box<str>,
        /// What it may do, and where, as far as it counts for this request.
        held: Held,
    },
}

impl Caller {
    /// Whether it may do this at the site that is asked about; at all sites if it is about none. Once the site is known to a handler that
    /// was not to the gate, [`Self::at`] is to be asked.
    pub(in crate::http) fn may(&self, need: Need) -> bool {
        match self {
            Self::Nobody => need == Need::Nothing,
            Self::Here => true,
            Self::Person { held, .. } | Self::Program { held, .. } => held.may(need),
        }
    }

    /// Whether the token or session of the request stands for the same as when it came. It is believed to while the database is away.
    pub(in crate::http) async fn is_still(&self, app: &App, headers: &HeaderMap) -> bool {
        match recognised(app, headers, None).await {
            // How much of what it holds counts is another matter with each request.
            Ok(now) => {
                now.session() == self.session() && now.all() == self.all() && now.is_nobody() == self.is_nobody()
            }
            Err(error) => !matches!(error, ApiError::Token),
        }
    }

    /// Whether it may do this somewhere.
    pub(super) fn may_somewhere(&self, need: Need) -> bool {
        self.held().map_or_else(|| self.may(need), |held| held.clone().asking(need).is_enough())
    }

    /// What it holds, if it is limited at all.
    pub(super) fn held(&self) -> Option<&Held> {
        match self {
            Self::Nobody | Self::Here => None,
            Self::Person { held, .. } | Self::Program { held, .. } => Some(held),
        }
    }

    /// The same caller, of whose roles other ones count.
    fn with(&self, change: impl FnOnce(Held) -> Held) -> Self {
        match self.clone() {
            Self::Person { person, session, held } => Self::Person { person, session, held: change(held) },
            Self::Program { id, name, held } => Self::Program { id, name, held: change(held) },
            other => other,
        }
    }

    /// The same caller, of whose roles those count that may do this.
    pub(super) fn asking(&self, need: Need) -> Self {
        self.with(|held| held.asking(need))
    }

    /// The same caller at a site: what it holds there counts.
    pub(in crate::http) fn at(&self, site: &SiteId) -> Self {
        self.with(|held| held.at(site.clone()))
    }

    /// What it is at the site that is asked about; `None` of whoever is nothing in particular: who sits here before anybody was entered.
    pub(in crate::http) fn roles(&self) -> Option<BTreeSet<Role>> {
        match self {
            Self::Nobody => Some(BTreeSet::new()),
            _ => self.held().map(Held::roles),
        }
    }

    /// Whether something is so of any role that it has at the site that is asked about. Whoever is nothing in particular is asked about as
    /// `None`.
    pub(in crate::http) fn any(&self, is_so: impl Fn(Option<Role>) -> bool) -> bool {
        match self.roles() {
            None => is_so(None),
            Some(roles) => roles.into_iter().any(|role| is_so(Some(role))),
        }
    }

    /// The most that it is at the site that is asked about: who reports to whom is decided by that.
    pub(in crate::http) fn role(&self) -> Option<Role> {
        self.held().and_then(Held::top)
    }

    /// The post as which something is noted that it does for `wanted`: that one if it has it there, or else the most that it is.
    pub(in crate::http) fn post_for(&self, wanted: &str) -> &'static str {
        let roles = self.roles().unwrap_or_default();
        let own = roles.iter().find(|role| role.as_str() == wanted);
        own.or(roles.last()).map_or("", |role| role.as_str())
    }

    /// Whether it is at a post of the site that is asked about.
    pub(in crate::http) fn is_at(&self, post: &str) -> bool {
        self.roles().is_some_and(|roles| roles.into_iter().any(|role| role.as_str() == post))
    }

    /// The post as which something is noted that it does.
    pub(in crate::http) fn post(&self) -> &'static str {
        self.post_for("")
    }

    /// Who is signed in.
    pub(in crate::http) fn person(&self) -> Option<&Arc<PersonRow>> {
        if let Self::Person { person, .. } = self { Some(person) } else { None }
    }

    /// Who is signed in, and by which session.
    pub(in crate::http) fn session(&self) -> Option<(&Arc<PersonRow>, &str)> {
        if let Self::Person { person, session, .. } = self { Some((person, session)) } else { None }
    }

    /// Whether nothing may be shown to it that is not shown to everybody.
    pub(in crate::http) const fn is_nobody(&self) -> bool {
        matches!(self, Self::Nobody)
    }

    /// The only site that it reads of if nothing else is said; `None` if that is every site, or if what it is about says so.
    pub(in crate::http) fn only_site(&self) -> Option<&SiteId> {
        let held = self.held()?;
        let sites = held.sites()?;
        held.here().or_else(|| sites.first().copied().filter(|_| sites.len() == 1))
    }

    /// Whether there are sites that it may not know of.
    pub(in crate::http) fn is_confined(&self) -> bool {
        self.all().is_some_and(|grants| grants.iter().all(|grant| grant.site.is_some()))
    }

    /// Every grant that it has, wherever; `None` of whoever is nothing in particular.
    pub(in crate::http) fn all(&self) -> Option<&[Grant]> {
        self.held().map(Held::all)
    }

    /// Whether it may do at a site what is asked.
    pub(in crate::http) fn reaches(&self, site: &SiteId) -> bool {
        match self {
            Self::Nobody => false,
            Self::Here => true,
            Self::Person { held, .. } | Self::Program { held, .. } => held.reaches(site),
        }
    }

    /// Whether it may let somebody have such a role there. Who cannot sign in yet makes the first administrator and nobody else.
    pub(in crate::http) fn may_give(&self, wanted: &Grant) -> bool {
        match self.all() {
            Some(own) => may_give(own, wanted),
            None => !self.is_nobody() && *wanted == Grant { role: Role::Admin, site: None },
        }
    }

    /// Whether it runs the product at all sites.
    pub(in crate::http) fn is_admin(&self) -> bool {
        self.all().is_some_and(|grants| grants.contains(&Grant { role: Role::Admin, site: None }))
    }

    /// Whether it may take notice of an alert: of damage and loss the superior does.
    pub(in crate::http) fn may_acknowledge(&self, alert: &AlertRow) -> bool {
        alert.superior().is_none_or(|superior| self.at(&alert.site).any(|role| is_superior(role, superior)))
    }

    /// The name under which something is noted that it does: that of who is signed in, the one it gives, or that of its token.
    pub(in crate::http) fn signs(&self, given: String) -> String {
        match self {
            Self::Person { person, .. } => person.name.clone(),
            Self::Program { name, .. } if given.trim().is_empty() => name.to_string(),
            _ => given,
        }
    }

    /// Who it is, as the audit log names it; `given` is believed of whoever sits here alone.
    pub(in crate::http) fn actor(&self, given: &str) -> Actor {
        match self {
            // Nothing but a report is taken from somebody unknown.
            Self::Nobody => Actor::guest(),
            Self::Here => Actor::here(given),
            Self::Person { person, .. } => person.actor(),
            Self::Program { id, name, .. } => Actor::program(id, name),
        }
    }

    /// The only sites at which it may do what is asked; `None` if that is every site.
    pub(super) fn sites(&self) -> Option<BTreeSet<&SiteId>> {
        self.held().and_then(Held::sites)
    }

    /// Whether what these matchers keep quiet is of one site at which it may.
    fn reaches_all(&self, matchers: &Matchers) -> bool {
        self.sites().is_none_or(|sites| sites.iter().any(|site| matchers.is_only(Field::Site, site.as_str())))
    }

    /// The same of a silence or maintenance window.
    pub(in crate::http) async fn reaches_restraint(&self, app: &App, kind: &Kind) -> Result<bool, ApiError> {
        match kind {
            Kind::Silence(matchers) | Kind::Maintenance { matchers, .. } => Ok(self.reaches_all(matchers)),
            Kind::UntilResolved(alert) => {
                Ok(self.sites().is_none() || site_of_alert(app, *alert).await?.is_some_and(|site| self.reaches(&site)))
            }
        }
    }

    /// Refuses matchers that would keep alerts of other sites quiet.
    pub(in crate::http) fn check_matchers(&self, matchers: &Matchers) -> Result<(), ApiError> {
        if self.reaches_all(matchers) { Ok(()) } else { Err(self.other_site()) }
    }

    /// Refuses a silence or maintenance window that would.
    pub(in crate::http) async fn check_restraint(&self, app: &App, kind: &Kind) -> Result<(), ApiError> {
        if self.reaches_restraint(app, kind).await? { Ok(()) } else { Err(self.other_site()) }
    }

    /// That it may do what is asked at some sites alone.
    pub(super) fn other_site(&self) -> ApiError {
        let sites = self.sites().unwrap_or_default();
        ApiError::OtherSite(sites.into_iter().map(SiteId::to_string).collect::<Vec<_>>().join("`, `"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().expect("every route is behind the gate"))
    }
}

/// Who calls, by the token or the session of the request.
pub(super) async fn recognised(app: &App, headers: &HeaderMap, policy: Option<Policy>) -> Result<Caller, ApiError> {
    if let Some(given) = headers.get(header::AUTHORIZATION) {
        return program(app, given).await;
    }
    let now = app.clock.now();
    if let Some(proof) = cookies::session(headers, app.https)
        && let Some((session, person)) = app.accounts.session(proof).await?
    {
        if is_writable(app)
            && let Err(cause) = app.store.session_used(&session, now).await
        {
            not_noted(cause, &session.id);
        }
        let held = person.held();
        return Ok(Caller::Person { person: Arc::new(person), session: session.id.into(), held });
    }
    // How the hub does is told whatever its database does.
    let is_public = policy.is_some_and(|policy| policy.need == Need::Nothing);
    Ok(if !is_public && app.accounts.is_open().await? { Caller::Here } else { Caller::Nobody })
}

async fn program(app: &App, given: &HeaderValue) -> Result<Caller, ApiError> {
    let given = given.to_str().unwrap_or_default();
    let (scheme, token) = given.split_once(' ').unwrap_or((given, ""));
    if !scheme.eq_ignore_ascii_case("bearer") || !token::may_be(token.trim()) {
        return Err(ApiError::Token);
    }
    let now = app.clock.now();
    let row = app.store.token_by_hash(&token::hash(token.trim())).await?;
    let row = row.filter(|row| row.is_good(now)).ok_or(ApiError::Token)?;
    if is_writable(app)
        && let Err(cause) = app.store.token_used(&row, now).await
    {
        not_noted(cause, &row.id);
    }
    Ok(Caller::Program { id: row.id.into(), name: row.name.into(), held: Held::new([row.grant]) })
}

/// Whether it can be noted that somebody was here: nobody is kept from reading because a disk takes nothing.
fn is_writable(app: &App) -> bool {
    !app.findings.fails(Domain::Database) && !app.findings.fails(Domain::Storage)
}

fn not_noted(cause: StoreError, id: &str) {
    tracing::warn!(
        cause = format!("{:#}", anyhow::Error::from(cause)),
        id,
        "the use of a token or session could not be noted"
    );
}
