//! What people do with tickets: plain forms, guarded by the ticket's version and by where they come from.

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use lobby_domain::{
    device::Life,
    site::LifeError,
    ticket::{Action, WaitingFor},
};
use serde::Deserialize;

use super::{
    App, PageError, Path, Reader,
    answer::{is_local, refuse, see},
    device,
};
use crate::{
    fleet::Changed,
    ingest::{Decision, DecisionError},
    store::{ActError, Deed},
};

/// The longest name, in bytes.
pub(super) const LONGEST_NAME: usize = 200;
/// The longest note, in bytes.
pub(super) const LONGEST_NOTE: usize = 4000;

/// The form.
#[derive(Debug, Deserialize)]
pub(super) struct Act {
    /// The version of the ticket that the person saw.
    version: i64,
    /// Who does it.
    #[serde(default)]
    by: String,
    /// What is to be said about it.
    #[serde(default)]
    note: String,
    /// What is waited for, where somebody waits.
    waiting_for: Option<WaitingFor>,
    /// The priority to be set, where one is.
    priority: Option<String>,
    /// Where to go on; the ticket's own page if not given.
    back: Option<String>,
}

/// The form that moves a device to another stage of its life.
#[derive(Debug, Deserialize)]
pub(super) struct NewLife {
    life: Life,
    back: Option<String>,
}

/// Moves a device to another stage of its life and goes back to where the person was.
pub(super) async fn set_life(
    State(app): State<App>,
    reader: Reader,
    Path(code): Path<String>,
    headers: HeaderMap,
    form: Result<Form<NewLife>, FormRejection>,
) -> Response {
    match life_set(&app, &reader, &code, &headers, form).await {
        Ok(place) => see(&place),
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn life_set(
    app: &App,
    reader: &Reader,
    code: &str,
    headers: &HeaderMap,
    form: Result<Form<NewLife>, FormRejection>,
) -> Result<String, PageError> {
    let Form(NewLife { life, back }) = ours(headers, form)?;
    let (site, device) = device::named(app, reader, code).await?;
    let back = back.filter(|back| is_local(back)).unwrap_or_else(|| format!("/d/{device}?site={site}"));
    let notice = match app.desk.decide(site, Decision::Life { device, life }).await {
        Ok(()) => "saved",
        Err(DecisionError::Life(LifeError::NotNow { .. }) | DecisionError::Clear(_)) => "step",
        Err(DecisionError::NoSite | DecisionError::Life(LifeError::NotFound)) => return Err(PageError::NotFound),
        Err(DecisionError::Stopping) => return Err(PageError::Stopping),
    };
    Ok(noticed(&back, notice))
}

/// The form, if it comes from one of our own pages.
pub(super) fn ours<T>(headers: &HeaderMap, form: Result<Form<T>, FormRejection>) -> Result<Form<T>, PageError> {
    if !is_ours(headers) {
        return Err(PageError::CrossSite);
    }
    form.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => PageError::TooLarge,
        _ => PageError::BadRequest,
    })
}

/// Moves a ticket and goes back to where the person was.
pub(super) async fn act(
    State(app): State<App>,
    reader: Reader,
    Path((no, verb)): Path<(String, String)>,
    headers: HeaderMap,
    form: Result<Form<Act>, FormRejection>,
) -> Response {
    match moved(&app, &no, &verb, &headers, form).await {
        Ok(place) => see(&place),
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn moved(
    app: &App,
    no: &str,
    verb: &str,
    headers: &HeaderMap,
    form: Result<Form<Act>, FormRejection>,
) -> Result<String, PageError> {
    let Form(act) = ours(headers, form)?;
    let (by, note) = (act.by.trim(), act.note.trim());
    if by.len() > LONGEST_NAME || note.len() > LONGEST_NOTE {
        return Err(PageError::TooLarge);
    }
    let deed = Deed { version: act.version, by, note, at: app.clock.now() };
    let setup = app.fleet.setup();
    let done = if let Some(priority) = act.priority.as_deref().filter(|_| verb == "priority") {
        app.store.set_priority(no, priority, deed, &setup).await
    } else {
        let action = Action::from_text(verb, act.waiting_for).ok_or(PageError::NotFound)?;
        app.store.act_on_ticket(no, action, deed, &setup).await
    };
    let notice = match done {
        Ok(ticket) => {
            app.fleet.tell(Changed { site: ticket.site, device: None });
            "saved"
        }
        Err(ActError::Conflict { .. }) => "conflict",
        Err(ActError::Refused(_) | ActError::Closed) => "step",
        Err(ActError::NoPriority { .. }) => return Err(PageError::BadRequest),
        Err(ActError::NotFound) => return Err(PageError::NotFound),
        Err(ActError::Store(error)) => return Err(error.into()),
    };
    let back = act.back.filter(|back| is_local(back)).unwrap_or_else(|| format!("/t/{no}"));
    Ok(noticed(&back, notice))
}

/// `back` with what became of the action.
pub(super) fn noticed(back: &str, notice: &str) -> String {
    let back = back.split('#').next().unwrap_or(back);
    let joint = if back.contains('?') { '&' } else { '?' };
    format!("{back}{joint}notice={notice}")
}

/// Whether a request comes from one of our own pages, or from no page at all. Browsers say so; other programs need not.
pub(super) fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return false;
    }
    let Some(origin) = text(header::ORIGIN.as_str()) else { return true };
    let named = origin.split_once("://").map(|(_, host)| host);
    named.is_some_and(|host| text(header::HOST.as_str()).is_some_and(|ours| ours.eq_ignore_ascii_case(host)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::no_browser(&[("host", "hub:8080")], true)]
    #[case::our_page(&[("host", "hub:8080"), ("origin", "http://hub:8080"), ("sec-fetch-site", "same-origin")], true)]
    #[case::typed(&[("host", "hub"), ("sec-fetch-site", "none")], true)]
    #[case::other_site(&[("host", "hub"), ("sec-fetch-site", "cross-site")], false)]
    #[case::sibling(&[("host", "hub"), ("sec-fetch-site", "same-site")], false)]
    #[case::other_origin(&[("host", "hub:8080"), ("origin", "http://other.example")], false)]
    #[case::other_port(&[("host", "hub:8080"), ("origin", "http://hub:8081")], false)]
    #[case::hidden_origin(&[("host", "hub"), ("origin", "null")], false)]
    #[case::no_host(&[("origin", "http://hub")], false)]
    fn only_our_own_pages_may_act(#[case] headers: &[(&'static str, &'static str)], #[case] ours: bool) {
        let headers = headers
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), header::HeaderValue::from_static(value)));
        assert_eq!(is_ours(&headers.collect()), ours);
    }

    #[rstest]
    #[case("/concierge", "/concierge?notice=saved")]
    #[case("/d/led?site=hz", "/d/led?site=hz&notice=saved")]
    #[case("/t/1#note", "/t/1?notice=saved")]
    fn a_notice_is_added_to_the_page_gone_back_to(#[case] back: &str, #[case] place: &str) {
        assert_eq!(noticed(back, "saved"), place);
    }
}
