//! What people do with tickets: plain forms, guarded by the ticket's version and by where they come from.

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::StatusCode,
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
    form: Result<Form<NewLife>, FormRejection>,
) -> Response {
    match life_set(&app, &reader, &code, form).await {
        Ok(place) => see(&place),
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn life_set(
    app: &App,
    reader: &Reader,
    code: &str,
    form: Result<Form<NewLife>, FormRejection>,
) -> Result<String, PageError> {
    let Form(NewLife { life, back }) = filled(form)?;
    let (site, device) = device::named(app, reader, code).await?;
    let back = back.filter(|back| is_local(back)).unwrap_or_else(|| format!("/d/{device}?site={site}"));
    let notice = match app.desk.decide(site, Decision::Life { device, life }, reader.caller.actor("")).await {
        Ok(()) => "saved",
        Err(DecisionError::Life(LifeError::NotNow { .. }) | DecisionError::Clear(_)) => "step",
        Err(DecisionError::NoSite | DecisionError::Life(LifeError::NotFound)) => return Err(PageError::NotFound),
        Err(DecisionError::Stopping) => return Err(PageError::Stopping),
    };
    Ok(noticed(&back, notice))
}

/// The form, as it was filled in.
pub(super) fn filled<T>(form: Result<Form<T>, FormRejection>) -> Result<Form<T>, PageError> {
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
    form: Result<Form<Act>, FormRejection>,
) -> Response {
    match moved(&app, &reader, (&no, &verb), form).await {
        Ok(place) => see(&place),
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn moved(
    app: &App,
    reader: &Reader,
    (no, verb): (&str, &str),
    form: Result<Form<Act>, FormRejection>,
) -> Result<String, PageError> {
    let Form(act) = filled(form)?;
    let (by, note) = (reader.caller.signs(act.by), act.note.trim());
    let by = by.trim();
    if by.len() > LONGEST_NAME || note.len() > LONGEST_NOTE {
        return Err(PageError::TooLarge);
    }
    let actor = reader.caller.actor(by);
    let deed = Deed { version: act.version, by, actor: &actor, note, at: app.clock.now() };
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/concierge", "/concierge?notice=saved")]
    #[case("/d/led?site=hz", "/d/led?site=hz&notice=saved")]
    #[case("/t/1#note", "/t/1?notice=saved")]
    fn a_notice_is_added_to_the_page_gone_back_to(#[case] back: &str, #[case] place: &str) {
        assert_eq!(noticed(back, "saved"), place);
    }
}
