//! How a page leaves the hub: as HTML under strict headers, or as a page that says why it could not be shown.

use std::error::Error;

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::tz::TimeZone;
use lobby_dashboards::{
    AccountPage, AgentPage, AgentsPage, AlertPage, AlertsPage, AuditPage, Calendar, ChecksPage, Chrome, ClausePage,
    CompliancePage, ConciergePage, DeviceAlertsPage, DevicePage, EngineeringPage, ErrorPage, EscalationsPage,
    GuestPage, HealthPage, ItemGuestPage, ItemPage, LabelPage, MessagesPage, MonthSitePage, MovesPage, OutboxPage,
    OverviewPage, Page, PeoplePage, PlanPage, Problem, ReceptionPage, RegisterImportPage, RegisterPage, ReportPage,
    RestraintsPage, RosterPage, RoundPage, SetupPage, ShowflatPage, SignInPage, SitesPage, StatementPage, StockPage,
    TakePage, TicketPage, WhyPage,
};

use super::{App, Open, Reader, Scene};
use crate::http::sent::SentError;
use crate::store::{CursorError, StoreError};

/// Nothing comes from elsewhere, nothing runs in a page but the product's own script, and no other page may frame it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The headers of every answer. `same-origin` and not `no-referrer`, with which browsers would hide the origin of our own forms.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::VARY, "X-Fragment"),
];

/// Why a page could not be shown.
#[derive(Debug, thiserror::Error)]
pub(in crate::http) enum PageError {
    /// There is no such page, site, device or ticket.
    #[error("there is nothing at this address")]
    NotFound,
    /// The request is not one that our pages make.
    #[error("the request was not understood")]
    BadRequest,
    /// What was sent is larger than a form of ours.
    #[error("the form is too large")]
    TooLarge,
    /// Their role, or the site that they are limited to, does not allow it.
    #[error("this is not for the reader's role")]
    Forbidden,
    /// The request comes from another site's page.
    #[error("requests from pages of other sites are refused")]
    CrossSite,
    /// The link by which a password was to be chosen was used, or is over.
    #[error("the link is no longer good")]
    Link,
    /// What was sent has the key of something else.
    #[error("another request had this key")]
    KeyReused,
    /// The hub is stopping.
    #[error("the hub is stopping")]
    Stopping,
    /// The database.
    #[error("reading what a page shows")]
    Store(#[from] StoreError),
    /// A template.
    #[error("writing a page")]
    Render(#[source] Box<dyn Error + Send + Sync>),
}

impl From<CursorError> for PageError {
    fn from(_: CursorError) -> Self {
        Self::BadRequest
    }
}

impl From<SentError> for PageError {
    fn from(error: SentError) -> Self {
        match error {
            SentError::TooLarge => Self::TooLarge,
            SentError::Bad => Self::BadRequest,
        }
    }
}

impl PageError {
    fn problem(&self) -> Problem {
        match self {
            Self::NotFound => Problem::NotFound,
            Self::BadRequest | Self::KeyReused => Problem::BadRequest,
            Self::TooLarge => Problem::TooLarge,
            Self::Forbidden | Self::CrossSite => Problem::Forbidden,
            Self::Link => Problem::LinkOver,
            Self::Stopping | Self::Store(StoreError::Database { .. }) => Problem::Unavailable,
            Self::Store(_) | Self::Render(_) => Problem::Internal,
        }
    }
}

/// A page of the dashboards.
pub(super) trait Html {
    /// The whole document, or only what changes.
    fn html(&self, fragment: bool) -> Result<String, PageError>;
}

macro_rules! html {
    ($($page:ty),*) => {$(
        impl Html for $page {
            fn html(&self, fragment: bool) -> Result<String, PageError> {
                let html = if fragment { self.render_main() } else { self.render() };
                html.map_err(|error| PageError::Render(Box::new(error)))
            }
        }
    )*};
}

html!(
    AccountPage,
    AgentPage,
    AgentsPage,
    AlertPage,
    AlertsPage,
    AuditPage,
    ChecksPage,
    ClausePage,
    CompliancePage,
    EscalationsPage,
    ConciergePage,
    DeviceAlertsPage,
    DevicePage,
    EngineeringPage,
    ErrorPage,
    GuestPage,
    HealthPage,
    ItemGuestPage,
    ItemPage,
    LabelPage,
    MessagesPage,
    MovesPage,
    OutboxPage,
    MonthSitePage,
    OverviewPage,
    PeoplePage,
    PlanPage,
    ReceptionPage,
    RegisterImportPage,
    RegisterPage,
    ReportPage,
    RestraintsPage,
    RosterPage,
    RoundPage,
    SetupPage,
    ShowflatPage,
    SignInPage,
    SitesPage,
    StatementPage,
    StockPage,
    TakePage,
    TicketPage,
    WhyPage
);

/// The page, or the one that says why there is none.
pub(super) async fn answer(
    app: &App,
    reader: &Reader,
    page: impl Future<Output = Result<String, PageError>>,
) -> Response {
    match page.await {
        Ok(html) => document(StatusCode::OK, html),
        Err(error) => refuse(app, reader, error),
    }
}

/// The page that says why there is none. A cause goes to the log, never to the reader.
pub(super) fn refuse(app: &App, reader: &Reader, error: PageError) -> Response {
    let problem = error.problem();
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reference = status.is_server_error().then(|| format!("{:x}", app.clock.now().millis()));
    if let Some(reference) = &reference {
        let cause = format!("{:#}", anyhow::Error::from(error));
        tracing::error!(cause, path = reader.path, reference, "a page could not be shown");
    }
    let page = if reader.caller.is_nobody() {
        ErrorPage { chrome: bare(app, reader, Page::Error), problem, reference }.html(false)
    } else {
        let nothing = Open::default();
        Scene::with(app, reader, None, &nothing, |scene| {
            let chrome = scene.chrome(Page::Error);
            ErrorPage { chrome, problem, reference }.html(false)
        })
    };
    // Should even this page fail, the status still says it.
    document(status, page.unwrap_or_default())
}

/// What surrounds a page that shows nothing of any site.
pub(super) fn bare(app: &App, reader: &Reader, page: Page) -> Chrome {
    Chrome::bare(reader.lang, Calendar::new(app.clock.now().millis(), TimeZone::UTC), page, reader.path.clone())
}

/// A page as the answer.
pub(super) fn document(status: StatusCode, html: String) -> Response {
    let mut response = (status, axum::response::Html(html)).into_response();
    secure(&mut response);
    response
}

/// Sends the reader to `place`, a path of ours.
pub(super) fn see(place: &str) -> Response {
    let mut response = axum::response::Redirect::to(place).into_response();
    secure(&mut response);
    response
}

fn secure(response: &mut Response) {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}

/// Whether `path` leads to this hub, whatever a browser makes of it.
pub(super) fn is_local(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= 1000
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/", true)]
    #[case("/d/led?site=hz&range=7d", true)]
    #[case("", false)]
    #[case("concierge", false)]
    #[case("//other.example/", false)]
    #[case("/\\other.example/", false)]
    #[case("/a\r\nSet-Cookie: x=y", false)]
    #[case("/a\t/b", false)]
    #[case("https://other.example/", false)]
    fn only_a_path_of_ours_is_gone_back_to(#[case] path: &str, #[case] local: bool) {
        assert_eq!(is_local(path), local);
    }
}
