//! What people do about alerts on pages: take notice, ask for silence, plan maintenance, and end either. Plain forms of our own pages.

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::StatusCode,
    response::Response,
};
use jiff::{civil::DateTime, tz::TimeZone};
use lobby_dashboards::Restrained;
use lobby_domain::{
    alert::AlertId,
    matchers::{Field, Matchers},
    restraint::{Changed, Kind, Restraint, RestraintId, State as Standing},
    time::Timestamp,
};
use serde::Deserialize;

use super::{
    App, PageError, Path, Reader,
    act::{LONGEST_NAME, LONGEST_NOTE, filled, noticed},
    answer::{document, is_local, refuse, see},
    restraints,
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
    pub(super) site: String,
    pub(super) device: String,
    pub(super) place: String,
    pub(super) kind: String,
    pub(super) rule: String,
    pub(super) severity: String,
    /// A whole site is meant, and not something forgotten.
    pub(super) whole: Option<String>,
    pub(super) starts: String,
    pub(super) ends: String,
    pub(super) include_firing: Option<String>,
    pub(super) comment: String,
    pub(super) by: String,
    pub(super) back: Option<String>,
}

impl Wish {
    /// What was chosen in the field of that name.
    pub(super) fn selected(&self, field: &str) -> &str {
        match field {
            "site" => &self.site,
            "device" => &self.device,
            "place" => &self.place,
            "kind" => &self.kind,
            "rule" => &self.rule,
            "severity" => &self.severity,
            _ => "",
        }
    }
}

type Filled<T> = Result<Form<T>, FormRejection>;

/// Takes notice of an alert, or silences it until it is resolved.
pub(super) async fn act_on_alert(
    State(app): State<App>,
    reader: Reader,
    Path((id, verb)): Path<(String, String)>,
    form: Filled<Act>,
) -> Response {
    go_on(&app, &reader, acted(&app, &reader, (&id, &verb), form).await)
}

/// Makes a silence.
pub(super) async fn make_silence(State(app): State<App>, reader: Reader, form: Filled<Wish>) -> Response {
    made(&app, &reader, Restrained::Silences, form).await.unwrap_or_else(|error| refuse(&app, &reader, error))
}

/// Makes a maintenance window.
pub(super) async fn make_maintenance(State(app): State<App>, reader: Reader, form: Filled<Wish>) -> Response {
    made(&app, &reader, Restrained::Maintenance, form).await.unwrap_or_else(|error| refuse(&app, &reader, error))
}

/// Ends a silence.
pub(super) async fn end_silence(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    form: Filled<Act>,
) -> Response {
    go_on(&app, &reader, ended(&app, &reader, false, &id, form).await)
}

/// Ends a maintenance window.
pub(super) async fn end_maintenance(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    form: Filled<Act>,
) -> Response {
    go_on(&app, &reader, ended(&app, &reader, true, &id, form).await)
}

fn go_on(app: &App, reader: &Reader, place: Result<String, PageError>) -> Response {
    match place {
        Ok(place) => see(&place),
        Err(error) => refuse(app, reader, error),
    }
}

/// A text that a person typed.
pub(super) fn text(text: &str, longest: usize) -> Result<Box<str>, PageError> {
    let text = text.trim();
    if text.contains('\0') {
        return Err(PageError::BadRequest);
    }
    if text.len() > longest { Err(PageError::TooLarge) } else { Ok(text.into()) }
}

pub(super) fn back(wanted: Option<String>, usual: &str, notice: &str) -> String {
    noticed(&wanted.filter(|back| is_local(back)).unwrap_or_else(|| usual.to_owned()), notice)
}

async fn acted(app: &App, reader: &Reader, (id, verb): (&str, &str), form: Filled<Act>) -> Result<String, PageError> {
    let Form(act) = filled(form)?;
    let id = AlertId(id.parse().map_err(|_| PageError::NotFound)?);
    let by = text(&reader.caller.signs(act.by), LONGEST_NAME)?;
    let actor = reader.caller.actor(&by);
    let now = app.clock.now();
    let notice = match verb {
        "ack" => {
            let alert = app.store.alert(id).await?.ok_or(PageError::NotFound)?;
            if !reader.caller.may_acknowledge(&alert) {
                return Err(PageError::Forbidden);
            }
            let row =
                app.store.acknowledge(id, &by, now, &actor, &app.fleet.setup()).await?.ok_or(PageError::NotFound)?;
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
            match app.restraints.make(&silence, None, &actor).await? {
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

async fn made(app: &App, reader: &Reader, which: Restrained, form: Filled<Wish>) -> Result<Response, PageError> {
    let Form(wish) = filled(form)?;
    let maintenance = which == Restrained::Maintenance;
    let (by, comment) =
        (text(&reader.caller.signs(wish.by.clone()), LONGEST_NAME)?, text(&wish.comment, LONGEST_NOTE)?);
    let (now, actor) = (app.clock.now(), reader.caller.actor(&by));
    let zone = zone(app, &wish.site);
    let wanted = wanted(&wish, maintenance, &zone, now)
        .and_then(|(kind, starts, ends)| restraint(kind, starts, Some(ends), by, comment, now).made(now).ok());
    // The form comes back as it was filled in, so that nobody has to type it again.
    let Some(wanted) = wanted else {
        let html = restraints::refused(app, reader, which, &wish).await?;
        return Ok(document(StatusCode::UNPROCESSABLE_ENTITY, html));
    };
    let notice = match app.restraints.make(&wanted, None, &actor).await? {
        Made::New => "saved",
        Made::Repeat(_) | Made::Other | Made::NotOpen | Made::TooMany => "over",
    };
    Ok(see(&back(wish.back, if maintenance { "/maintenance" } else { "/silences" }, notice)))
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
    // A page of one site names it by itself: that alone keeps nothing quiet.
    if wish.whole.is_none() && named.clone().all(|(field, _)| field == Field::Site) {
        return None;
    }
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
    reader: &Reader,
    maintenance: bool,
    id: &str,
    form: Filled<Act>,
) -> Result<String, PageError> {
    let Form(act) = filled(form)?;
    let by = text(&reader.caller.signs(act.by), LONGEST_NAME)?;
    let actor = reader.caller.actor(&by);
    let id = RestraintId(id.parse().map_err(|_| PageError::NotFound)?);
    let row = app.store.restraint(id).await?;
    row.filter(|row| row.kind.is_maintenance() == maintenance).ok_or(PageError::NotFound)?;
    let now = app.clock.now();
    let notice = match app.restraints.change(id, &actor, |row| Ok(Changed::Same(row.end(by, now)?))).await {
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
        let whole = Wish { site: "hz-01".into(), ..wish };
        assert_eq!(wanted(&whole, true, &TimeZone::UTC, Timestamp::default()), None, "a site that nobody chose");
        let wish = Wish { whole: Some("yes".into()), ..whole };
        assert!(wanted(&wish, true, &TimeZone::UTC, Timestamp::default()).is_some());
        let wish = Wish { kind: "tv".into(), ends: wish.ends, ..Wish::default() };
        assert!(wanted(&wish, true, &TimeZone::UTC, Timestamp::default()).is_some());
    }
}
