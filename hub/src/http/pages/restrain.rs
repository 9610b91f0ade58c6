//! What people do about alerts on pages: take notice, ask for silence, plan maintenance, and end either. Plain forms of our own pages.

use axum::{
    Form,
    extract::{Path, State, rejection::FormRejection},
    http::HeaderMap,
    response::Response,
};
use jiff::{civil::DateTime, tz::TimeZone};
use lobby_domain::{
    alert::AlertId,
    matchers::{Field, Matchers},
    restraint::{Changed, Kind, Restraint, RestraintId, State as Standing},
    time::Timestamp,
};
use serde::Deserialize;

use super::{
    App, PageError, Reader,
    act::{LONGEST_NAME, LONGEST_NOTE, noticed, ours},
    answer::{is_local, refuse, see},
};
use crate::{
    fleet,
    restraints::new_id,
    store::{ChangeError, Made},
};

/// What a form about an alert, or the end of a restraint, says.
#[derive(Debug, Deserialize)]
pub(super) struct Act {
    /// Who does it.
    #[serde(default)]
    by: String,
    /// Where to go on.
    back: Option<String>,
}

/// What the form of a new silence or maintenance window says. What is empty is not limited.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    site: String,
    device: String,
    place: String,
    kind: String,
    rule: String,
    severity: String,
    starts: String,
    ends: String,
    include_firing: Option<String>,
    comment: String,
    by: String,
    back: Option<String>,
}

type Filled<T> = Result<Form<T>, FormRejection>;

/// Takes notice of an alert, or silences it until it is resolved.
pub(super) async fn act_on_alert(
    State(app): State<App>,
    reader: Reader,
    Path((id, verb)): Path<(String, String)>,
    headers: HeaderMap,
    form: Filled<Act>,
) -> Response {
    go_on(&app, &reader, acted(&app, &id, &verb, &headers, form).await)
}

/// Makes a silence.
pub(super) async fn make_silence(
    State(app): State<App>,
    reader: Reader,
    headers: HeaderMap,
    form: Filled<Wish>,
) -> Response {
    go_on(&app, &reader, made(&app, false, &headers, form).await)
}

/// Makes a maintenance window.
pub(super) async fn make_maintenance(
    State(app): State<App>,
    reader: Reader,
    headers: HeaderMap,
    form: Filled<Wish>,
) -> Response {
    go_on(&app, &reader, made(&app, true, &headers, form).await)
}

/// Ends a silence.
pub(super) async fn end_silence(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    headers: HeaderMap,
    form: Filled<Act>,
) -> Response {
    go_on(&app, &reader, ended(&app, false, &id, &headers, form).await)
}

/// Ends a maintenance window.
pub(super) async fn end_maintenance(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    headers: HeaderMap,
    form: Filled<Act>,
) -> Response {
    go_on(&app, &reader, ended(&app, true, &id, &headers, form).await)
}

fn go_on(app: &App, reader: &Reader, place: Result<String, PageError>) -> Response {
    match place {
        Ok(place) => see(&place),
        Err(error) => refuse(app, reader, error),
    }
}

/// A text that a person typed.
fn text(text: &str, longest: usize) -> Result<Box<str>, PageError> {
    let text = text.trim();
    if text.contains('\0') {
        return Err(PageError::BadRequest);
    }
    if text.len() > longest { Err(PageError::TooLarge) } else { Ok(text.into()) }
}

pub(super) fn back(wanted: Option<String>, usual: &str, notice: &str) -> String {
    noticed(&wanted.filter(|back| is_local(back)).unwrap_or_else(|| usual.to_owned()), notice)
}

async fn acted(app: &App, id: &str, verb: &str, headers: &HeaderMap, form: Filled<Act>) -> Result<String, PageError> {
    let Form(act) = ours(headers, form)?;
    let (id, by) = (AlertId(id.parse().map_err(|_| PageError::NotFound)?), text(&act.by, LONGEST_NAME)?);
    let now = app.clock.now();
    let notice = match verb {
        "ack" => {
            let row = app.store.acknowledge(id, &by, now).await?.ok_or(PageError::NotFound)?;
            app.fleet.tell(fleet::Changed { site: row.site, device: None });
            "saved"
        }
        "silence" => {
            if app.store.alert(id).await?.ok_or(PageError::NotFound)?.cleared_at.is_some() {
                return Ok(back(act.back, "/alerts", "over"));
            }
            let silent =
                |silence: &Restraint| silence.kind == Kind::UntilResolved(id) && silence.state(now) == Standing::Active;
            // Whoever asks twice means the same silence.
            if app.restraints.all().iter().any(silent) {
                return Ok(back(act.back, "/alerts", "saved"));
            }
            let silence = restraint(Kind::UntilResolved(id), now, None, by, "".into(), now);
            match app.restraints.make(&silence, None).await? {
                Made::New => "saved",
                Made::Repeat(_) | Made::Other | Made::NotOpen | Made::TooMany => "over",
            }
        }
        _ => return Err(PageError::NotFound),
    };
    Ok(back(act.back, "/alerts", notice))
}

fn restraint(
    kind: Kind,
    starts: Timestamp,
    ends: Option<Timestamp>,
    author: Box<str>,
    comment: Box<str>,
    now: Timestamp,
) -> Restraint {
    let id = new_id();
    Restraint { id, kind, starts, ends, author, comment, created_at: now, changed_by: "".into(), replaces: None }
}

async fn made(app: &App, maintenance: bool, headers: &HeaderMap, form: Filled<Wish>) -> Result<String, PageError> {
    let Form(wish) = ours(headers, form)?;
    let (by, comment) = (text(&wish.by, LONGEST_NAME)?, text(&wish.comment, LONGEST_NOTE)?);
    let now = app.clock.now();
    let zone = zone(app, &wish.site);
    let wanted = wanted(&wish, maintenance, &zone, now)
        .and_then(|(kind, starts, ends)| restraint(kind, starts, Some(ends), by, comment, now).made(now).ok());
    let notice = match wanted {
        None => "invalid",
        Some(wanted) => match app.restraints.make(&wanted, None).await? {
            Made::New => "saved",
            Made::Repeat(_) | Made::Other | Made::NotOpen | Made::TooMany => "over",
        },
    };
    Ok(back(wish.back, if maintenance { "/maintenance" } else { "/silences" }, notice))
}

/// The zone that the page showed its clock times in.
fn zone(app: &App, site: &str) -> TimeZone {
    let sites = app.fleet.read();
    let named = sites.get(site).or_else(|| sites.values().next());
    named.map_or(TimeZone::UTC, |site| site.calendar.zone().clone())
}

fn wanted(wish: &Wish, maintenance: bool, zone: &TimeZone, now: Timestamp) -> Option<(Kind, Timestamp, Timestamp)> {
    let fields = [
        (Field::Site, &wish.site),
        (Field::Device, &wish.device),
        (Field::Place, &wish.place),
        (Field::Kind, &wish.kind),
        (Field::Rule, &wish.rule),
        (Field::Severity, &wish.severity),
    ];
    let named = fields.into_iter().filter(|(_, value)| !value.is_empty());
    let matchers = Matchers::new(named.map(|(field, value)| (field, vec![value.as_str().into()]))).ok()?;
    let kind = if maintenance {
        Kind::Maintenance { matchers, include_firing: wish.include_firing.is_some() }
    } else {
        Kind::Silence(matchers)
    };
    let starts = if wish.starts.is_empty() { now } else { moment(&wish.starts, zone)? };
    Some((kind, starts, moment(&wish.ends, zone)?))
}

/// A moment as browsers send it: `2026-11-23T18:00`, in the clock time of `zone`.
fn moment(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let local: DateTime = text.parse().ok()?;
    let zoned = zone.to_zoned(local).ok()?;
    Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
}

async fn ended(
    app: &App,
    maintenance: bool,
    id: &str,
    headers: &HeaderMap,
    form: Filled<Act>,
) -> Result<String, PageError> {
    let Form(act) = ours(headers, form)?;
    let by = text(&act.by, LONGEST_NAME)?;
    let id = RestraintId(id.parse().map_err(|_| PageError::NotFound)?);
    let row = app.store.restraint(id).await?;
    row.filter(|row| row.kind.is_maintenance() == maintenance).ok_or(PageError::NotFound)?;
    let now = app.clock.now();
    let notice = match app.restraints.change(id, |row| row.end(by, now).map(Changed::Same)).await {
        Ok(_) => "saved",
        Err(ChangeError::Refused(_) | ChangeError::Conflict) => "over",
        Err(ChangeError::NotFound) => return Err(PageError::NotFound),
        Err(ChangeError::Store(error)) => return Err(error.into()),
    };
    Ok(back(act.back, if maintenance { "/maintenance" } else { "/silences" }, notice))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::as_browsers_send_it("2026-11-23T18:00", Some(1_795_428_000_000))]
    #[case::with_seconds("2026-11-23T18:00:30", Some(1_795_428_030_000))]
    #[case::nothing("", None)]
    #[case::words("tomorrow", None)]
    #[case::out_of_any_calendar("99999-01-01T00:00", None)]
    fn a_moment_of_a_form_is_in_the_clock_time_of_the_page(#[case] text: &str, #[case] expected: Option<i64>) {
        let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
        assert_eq!(moment(text, &shanghai).map(Timestamp::millis), expected);
    }

    #[test]
    fn a_form_that_limits_nothing_is_no_wish() {
        let wish = Wish { ends: "2026-11-23T18:00".into(), ..Wish::default() };
        assert_eq!(wanted(&wish, true, &TimeZone::UTC, Timestamp::default()), None);
        let wish = Wish { kind: "tv".into(), ..wish };
        assert!(wanted(&wish, true, &TimeZone::UTC, Timestamp::default()).is_some());
    }
}
