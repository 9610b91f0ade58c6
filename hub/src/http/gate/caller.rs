//! Who calls, and what that lets them do.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use lobby_contract::SiteId;
use lobby_domain::{
    access::{Grant, Need, Role},
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
    },
    /// A program with a token.
    Program {
        /// Its token.
        id: Box<str>,
        /// What its token is called.
        name: Box<str>,
        /// What it may do, and where.
        grant: Grant,
    },
}

impl Caller {
    pub(in crate::http) fn may(&self, need: Need) -> bool {
        match self {
            Self::Nobody => need == Need::Nothing,
            Self::Here => true,
            Self::Person { .. } | Self::Program { .. } => self.grant().is_some_and(|grant| grant.role.may(need)),
        }
    }

    /// Whether the token or session of the request stands for the same as when it came. It is believed to while the database is away.
    pub(in crate::http) async fn is_still(&self, app: &App, headers: &HeaderMap) -> bool {
        match recognised(app, headers, None).await {
            Ok(now) => now == *self,
            Err(error) => !matches!(error, ApiError::Token),
        }
    }

    /// What it was granted, if it is limited at all.
    fn grant(&self) -> Option<&Grant> {
        match self {
            Self::Nobody | Self::Here => None,
            Self::Person { person, .. } => Some(&person.grant),
            Self::Program { grant, .. } => Some(grant),
        }
    }

    /// What it is; whoever sits here before anybody was entered is nothing in particular.
    pub(in crate::http) fn role(&self) -> Option<Role> {
        self.grant().map(|grant| grant.role)
    }

    /// Who is signed in.
    pub(in crate::http) fn person(&self) -> Option<&Arc<PersonRow>> {
        if let Self::Person { person, .. } = self { Some(person) } else { None }
    }

    /// Who is signed in, and by which session.
    pub(in crate::http) fn session(&self) -> Option<(&Arc<PersonRow>, &str)> {
        if let Self::Person { person, session } = self { Some((person, session)) } else { None }
    }

    /// Whether nothing may be shown to it that is not shown to everybody.
    pub(in crate::http) const fn is_nobody(&self) -> bool {
        matches!(self, Self::Nobody)
    }

    /// The only site it may know of; all if there is none.
    pub(in crate::http) fn only_site(&self) -> Option<&SiteId> {
        self.grant().and_then(|grant| grant.site.as_ref())
    }

    /// Whether it may know of a site.
    pub(in crate::http) fn reaches(&self, site: &SiteId) -> bool {
        !self.is_nobody() && self.only_site().is_none_or(|only| only == site)
    }

    /// Whether it may let somebody have such a role there. Who cannot sign in yet makes the first administrator and nobody else.
    pub(in crate::http) fn may_give(&self, wanted: &Grant) -> bool {
        match self.grant() {
            Some(own) => own.may_give(wanted),
            None => !self.is_nobody() && *wanted == Grant { role: Role::Admin, site: None },
        }
    }

    /// Whether it may take notice of an alert: of damage and loss the superior does.
    pub(in crate::http) fn may_acknowledge(&self, alert: &AlertRow) -> bool {
        alert.superior().is_none_or(|superior| is_superior(self.role(), superior))
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

    /// Whether what these matchers keep quiet is of no site that it may not know of.
    fn reaches_all(&self, matchers: &Matchers) -> bool {
        self.only_site().is_none_or(|only| matchers.is_only(Field::Site, only.as_str()))
    }

    /// The same of a silence or maintenance window.
    pub(in crate::http) async fn reaches_restraint(&self, app: &App, kind: &Kind) -> Result<bool, ApiError> {
        match kind {
            Kind::Silence(matchers) | Kind::Maintenance { matchers, .. } => Ok(self.reaches_all(matchers)),
            Kind::UntilResolved(alert) => {
                Ok(self.only_site().is_none()
                    || site_of_alert(app, *alert).await?.is_some_and(|site| self.reaches(&site)))
            }
        }
    }

    /// Refuses matchers that would keep alerts of other sites quiet.
    pub(in crate::http) fn check_matchers(&self, matchers: &Matchers) -> Result<(), ApiError> {
        self.allowed(self.reaches_all(matchers))
    }

    /// Refuses a silence or maintenance window that would.
    pub(in crate::http) async fn check_restraint(&self, app: &App, kind: &Kind) -> Result<(), ApiError> {
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
        return Ok(Caller::Person { person: Arc::new(person), session: session.id.into() });
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
    Ok(Caller::Program { id: row.id.into(), name: row.name.into(), grant: row.grant })
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
