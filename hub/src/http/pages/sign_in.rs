//! Signing in and out, and choosing a password by a link.

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use lobby_dashboards::{Mistake, Page, SetupPage, SignInPage};
use lobby_domain::{
    access::{Grant, Role},
    time::Span,
};
use serde::Deserialize;

use super::{
    App, PageError, Path, Reader,
    act::filled,
    answer::{Html, answer, bare, document, is_local, refuse, see},
};
use crate::{
    account::{AccountError, SignIn, SignInError},
    http::{cookies, peer::Peer},
    password::Weak,
    store::{LinkFor, PersonError},
};

/// The form by which somebody signs in.
#[derive(Deserialize)]
pub(super) struct SignInForm {
    login: String,
    password: String,
    remember: Option<String>,
    back: Option<String>,
}

/// The form by which somebody chooses a password.
#[derive(Deserialize)]
pub(super) struct SetupForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    login: String,
    password: String,
    again: String,
}

/// The page where somebody signs in.
pub(super) async fn show(State(app): State<App>, reader: Reader) -> Response {
    if reader.caller.person().is_some() {
        return see("/");
    }
    answer(&app, &reader, async { entry(&app, &reader, "", reader.asked.back.as_deref(), None).await }).await
}

async fn entry(
    app: &App,
    reader: &Reader,
    login: &str,
    back: Option<&str>,
    mistake: Option<Mistake>,
) -> Result<String, PageError> {
    let chrome = bare(app, reader, Page::SignIn);
    let (back, is_new) = (back.filter(|back| is_local(back)).unwrap_or_default(), app.accounts.is_new().await?);
    SignInPage { chrome, login: login.to_owned(), back: back.to_owned(), mistake, is_new }.html(false)
}

/// Signs somebody in, and shows what they wanted to see, or the page of their post.
pub(super) async fn sign_in(
    State(app): State<App>,
    reader: Reader,
    peer: Peer,
    headers: HeaderMap,
    form: Result<Form<SignInForm>, FormRejection>,
) -> Response {
    match signed_in(&app, &reader, peer, &headers, form).await {
        Ok(response) => response,
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn signed_in(
    app: &App,
    reader: &Reader,
    Peer(from): Peer,
    headers: &HeaderMap,
    form: Result<Form<SignInForm>, FormRejection>,
) -> Result<Response, PageError> {
    let Form(form) = filled(form)?;
    let browser_name = headers.get(header::USER_AGENT).and_then(|name| name.to_str().ok()).unwrap_or("?");
    let asked = SignIn {
        login: &form.login,
        password: &form.password,
        from,
        browser: cookies::browser(headers, app.https),
        browser_name,
        remember: form.remember.is_some(),
    };
    let signed_in = match app.accounts.sign_in(asked).await {
        Ok(signed_in) => signed_in,
        Err(error) => {
            // Without the name that was typed: in its place people type their password, too.
            tracing::info!(%from, %error, "a sign-in was refused");
            let (status, mistake) = told(error)?;
            let html = entry(app, reader, &form.login, form.back.as_deref(), Some(mistake.clone())).await?;
            let mut response = document(status, html);
            if let Mistake::Wait(minutes) = mistake {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(minutes.saturating_mul(60)));
            }
            return Ok(response);
        }
    };
    let back = form.back.filter(|back| is_local(back));
    let mut response = see(&back.unwrap_or_else(|| first_page(&signed_in.person.grant)));
    for cookie in [
        cookies::keep_session(&signed_in.session, signed_in.keep, app.https),
        cookies::keep_browser(&signed_in.browser, app.https),
    ] {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// What is told of why somebody was not signed in.
pub(super) fn told(error: SignInError) -> Result<(StatusCode, Mistake), PageError> {
    match error {
        SignInError::Wrong => Ok((StatusCode::UNAUTHORIZED, Mistake::WrongPassword)),
        SignInError::Wait(left) => Ok((StatusCode::TOO_MANY_REQUESTS, Mistake::Wait(minutes(left)))),
        SignInError::Busy => Ok((StatusCode::SERVICE_UNAVAILABLE, Mistake::Busy)),
        SignInError::Store(error) => Err(error.into()),
    }
}

/// Minutes, the last one begun counted in full.
fn minutes(left: Span) -> i64 {
    left.millis().saturating_add(59_999) / 60_000
}

/// The first page of whoever holds this.
pub(super) fn first_page(grant: &Grant) -> String {
    let home = home(grant.role);
    grant.site.as_ref().map_or_else(|| home.to_owned(), |site| format!("{home}?site={site}"))
}

/// The first page of whoever is of that role.
pub(super) fn home(role: Role) -> &'static str {
    match role {
        Role::Concierge => "/concierge",
        Role::Showflat => "/showflat",
        Role::Reception => "/reception",
        Role::Engineering => "/engineering",
        Role::Viewer
        | Role::Waterbar
        | Role::Passage
        | Role::Enquiry
        | Role::Leader
        | Role::Supervisor
        | Role::Manager
        | Role::Admin => "/",
    }
}

/// Signs out here.
pub(super) async fn sign_out(State(app): State<App>, reader: Reader) -> Response {
    if let Some((person, session)) = reader.caller.session()
        && let Err(error) = app.store.end_session(person, session, app.clock.now()).await
    {
        return refuse(&app, &reader, error.into());
    }
    let mut response = see("/sign-in");
    response.headers_mut().append(header::SET_COOKIE, cookies::forget_session(app.https));
    response
}

/// The page where a password is chosen.
pub(super) async fn setup(State(app): State<App>, reader: Reader, Path(link): Path<String>) -> Response {
    answer(&app, &reader, async {
        let of = app.accounts.link_for(&link).await?.ok_or(PageError::Link)?;
        choice(&app, &reader, &of, (String::new(), String::new()), None)
    })
    .await
}

fn choice(
    app: &App,
    reader: &Reader,
    of: &LinkFor,
    typed: (String, String),
    mistake: Option<Mistake>,
) -> Result<String, PageError> {
    let person = match of {
        LinkFor::FirstAdmin => None,
        LinkFor::Person(person) => Some((person.login.clone(), person.name.clone())),
    };
    SetupPage { chrome: bare(app, reader, Page::Setup), person, typed, mistake }.html(false)
}

/// Sets a password, and lets its owner sign in with it.
pub(super) async fn set_up(
    State(app): State<App>,
    reader: Reader,
    Path(link): Path<String>,
    form: Result<Form<SetupForm>, FormRejection>,
) -> Response {
    match chosen(&app, &reader, &link, form).await {
        Ok(response) => response,
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn chosen(
    app: &App,
    reader: &Reader,
    link: &str,
    form: Result<Form<SetupForm>, FormRejection>,
) -> Result<Response, PageError> {
    let Form(form) = filled(form)?;
    let of = app.accounts.link_for(link).await?.ok_or(PageError::Link)?;
    let passwords = [form.password.as_str(), &form.again];
    let done = match &of {
        LinkFor::FirstAdmin => app.accounts.set_up(link, (&form.login, &form.name), passwords).await,
        LinkFor::Person(person) => app.accounts.choose(link, person, passwords).await,
    };
    match done {
        Ok(()) => Ok(see("/sign-in")),
        Err(error) => {
            let mistake = mistaken(error)?;
            let html = choice(app, reader, &of, (form.name, form.login), Some(mistake))?;
            Ok(document(StatusCode::UNPROCESSABLE_ENTITY, html))
        }
    }
}

/// What is told of why somebody was not entered, or a password not set.
pub(super) fn mistaken(error: AccountError) -> Result<Mistake, PageError> {
    match error {
        AccountError::Login => Ok(Mistake::Login),
        AccountError::Name => Ok(Mistake::Name),
        AccountError::Weak(Weak::Length) => Ok(Mistake::ShortPassword),
        AccountError::Weak(Weak::Guessed) => Ok(Mistake::WeakPassword),
        AccountError::Differ => Ok(Mistake::Differ),
        AccountError::Busy | AccountError::Hash(_) => Ok(Mistake::Busy),
        AccountError::Person(PersonError::Taken(_)) => Ok(Mistake::Taken),
        AccountError::Person(PersonError::LastAdmin) => Ok(Mistake::LastAdmin),
        AccountError::Person(PersonError::Erased) => Ok(Mistake::Erased),
        AccountError::Person(PersonError::OnlyGrant) => Ok(Mistake::OnlyGrant),
        AccountError::Person(PersonError::Link) => Err(PageError::Link),
        AccountError::Person(PersonError::NotFound(_)) => Err(PageError::NotFound),
        AccountError::Person(PersonError::Store(error)) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
