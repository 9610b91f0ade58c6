//! How somebody is told themselves: their address, and what they want to be told.

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::StatusCode,
    response::Response,
};
use lobby_dashboards::{PersonalMistake, PersonalPart};
use lobby_domain::{
    label::Lang,
    notice::{Preferences, QuietHours, QuietHoursError},
    rule::Severity,
    time::Span,
};
use serde::Deserialize;

use super::{
    App, PageError, Reader,
    account::{Shown, page, signed_in},
    act::{filled, noticed},
    answer::{document, refuse, see},
};
use crate::{
    notify::AskError,
    store::{ContactError, PersonRow, PreferenceRow, channel_of},
};

/// The form of an address.
#[derive(Deserialize)]
pub(super) struct Address {
    address: String,
}

/// The form of a code.
#[derive(Deserialize)]
pub(super) struct Code {
    code: String,
}

/// The form of what somebody wants to be told.
#[derive(Deserialize)]
pub(super) struct Wishes {
    #[serde(default)]
    lang: String,
    least: String,
    held_only: Option<String>,
    #[serde(default)]
    from: String,
    #[serde(default)]
    until: String,
    day1: Option<String>,
    day2: Option<String>,
    day3: Option<String>,
    day4: Option<String>,
    day5: Option<String>,
    day6: Option<String>,
    day7: Option<String>,
}

impl Wishes {
    fn days(&self) -> [bool; 7] {
        [&self.day1, &self.day2, &self.day3, &self.day4, &self.day5, &self.day6, &self.day7].map(Option::is_some)
    }

    fn row(&self) -> Result<Result<PreferenceRow, QuietHoursError>, PageError> {
        let lang = match self.lang.as_str() {
            "" => None,
            "zh" => Some(Lang::Zh),
            "en" => Some(Lang::En),
            _ => return Err(PageError::NotFound),
        };
        let least = Severity::from_text(&self.least).ok_or(PageError::NotFound)?;
        let quiet = if self.from.is_empty() && self.until.is_empty() {
            None
        } else {
            match QuietHours::new(&self.from, &self.until, self.days()) {
                Ok(quiet) => Some(quiet),
                Err(error) => return Ok(Err(error)),
            }
        };
        let told = Preferences { least, held_only: self.held_only.is_some(), quiet };
        Ok(Ok(PreferenceRow { lang, told }))
    }
}

/// What the account page shows of it; `None` where no channel sends personal mail.
pub(super) async fn part(
    app: &App,
    person: &PersonRow,
    mistake: Option<PersonalMistake>,
    typed: Option<&Wishes>,
) -> Result<Option<PersonalPart>, PageError> {
    if app.notify.settings().personal_of(person.sites().as_deref()).is_none() {
        return Ok(None);
    }
    let (contact, chosen) = (app.store.contact(&person.id).await?, app.store.preference(&person.id).await?);
    let refused = app.store.last_refused(&channel_of(&person.id)).await?.filter(|_| contact.address.is_some());
    let quiet = chosen.told.quiet.as_ref();
    let part = PersonalPart {
        address: contact.address,
        asked: contact.asked,
        refused,
        lang: match chosen.lang {
            None => "",
            Some(Lang::Zh) => "zh",
            Some(Lang::En) => "en",
        }
        .to_owned(),
        least: chosen.told.least.as_str().to_owned(),
        held_only: chosen.told.held_only,
        quiet: quiet.map(QuietHours::times).unwrap_or_default(),
        days: quiet.map_or([true; 7], QuietHours::days),
        mistake,
    };
    // What was typed stays there to be mended.
    Ok(Some(match typed {
        None => part,
        Some(typed) => PersonalPart {
            lang: typed.lang.clone(),
            least: typed.least.clone(),
            held_only: typed.held_only.is_some(),
            quiet: [typed.from.clone(), typed.until.clone()],
            days: typed.days(),
            ..part
        },
    }))
}

/// What becomes of a form.
enum Done {
    Saved,
    Mistaken(PersonalMistake, Option<Box<Wishes>>),
}

async fn answered(app: &App, reader: &Reader, done: Result<Done, PageError>) -> Response {
    let response = async {
        match done? {
            Done::Saved => Ok(see(&noticed("/account", "saved"))),
            Done::Mistaken(mistake, typed) => {
                let html = page(app, reader, Shown { personal: (Some(mistake), typed.as_deref()), ..Shown::default() })
                    .await?;
                Ok(document(StatusCode::UNPROCESSABLE_ENTITY, html))
            }
        }
    };
    match response.await {
        Ok(response) => response,
        Err(error) => refuse(app, reader, error),
    }
}

/// Minutes to be waited, the last one begun.
fn minutes(wait: Span) -> i64 {
    (wait.millis() + 59_999) / 60_000
}

fn mistaken(error: ContactError) -> Result<Done, PageError> {
    match error {
        ContactError::TooOften(wait) => Ok(Done::Mistaken(PersonalMistake::TooOften(minutes(wait)), None)),
        ContactError::Code => Ok(Done::Mistaken(PersonalMistake::Code, None)),
        ContactError::Store(error) => Err(error.into()),
    }
}

/// Sends a code to an address.
pub(super) async fn ask(
    State(app): State<App>,
    reader: Reader,
    form: Result<Form<Address>, FormRejection>,
) -> Response {
    let done = async {
        let Form(form) = filled(form)?;
        let (person, _) = signed_in(&reader)?;
        let chosen = app.store.preference(&person.id).await?.lang;
        let lang = chosen.unwrap_or(match reader.lang {
            lobby_dashboards::Lang::Zh => Lang::Zh,
            lobby_dashboards::Lang::En => Lang::En,
        });
        match app.notify.ask(person, &form.address, lang).await {
            Ok(()) => Ok(Done::Saved),
            Err(AskError::NoChannel) => Err(PageError::NotFound),
            Err(AskError::Address) => Ok(Done::Mistaken(PersonalMistake::Address, None)),
            Err(AskError::TooSoon(_)) => Ok(Done::Mistaken(PersonalMistake::TooSoon, None)),
            Err(AskError::Refused(answer)) => Ok(Done::Mistaken(PersonalMistake::Refused(answer), None)),
            Err(AskError::Contact(error)) => mistaken(error),
        }
    };
    answered(&app, &reader, done.await).await
}

/// Takes an address on by its code.
pub(super) async fn confirm(
    State(app): State<App>,
    reader: Reader,
    form: Result<Form<Code>, FormRejection>,
) -> Response {
    let done = async {
        let Form(form) = filled(form)?;
        let (person, _) = signed_in(&reader)?;
        match app.notify.confirm(person, &form.code).await {
            Ok(()) => Ok(Done::Saved),
            Err(error) => mistaken(error),
        }
    };
    answered(&app, &reader, done.await).await
}

/// Sends somebody nothing more.
pub(super) async fn remove(State(app): State<App>, reader: Reader) -> Response {
    let done = async {
        let (person, _) = signed_in(&reader)?;
        app.store.remove_contact(person, app.clock.now()).await?;
        Ok(Done::Saved)
    };
    answered(&app, &reader, done.await).await
}

/// Keeps what somebody wants to be told.
pub(super) async fn prefer(
    State(app): State<App>,
    reader: Reader,
    form: Result<Form<Wishes>, FormRejection>,
) -> Response {
    let done = async {
        let Form(form) = filled(form)?;
        let (person, _) = signed_in(&reader)?;
        let mistake = match form.row()? {
            Ok(chosen) => {
                app.store.prefer(person, &chosen, app.clock.now()).await?;
                return Ok(Done::Saved);
            }
            Err(QuietHoursError::Time) => PersonalMistake::Time,
            Err(QuietHoursError::Empty) => PersonalMistake::Empty,
            Err(QuietHoursError::NoDay) => PersonalMistake::NoDay,
        };
        Ok(Done::Mistaken(mistake, Some(Box::new(form))))
    };
    answered(&app, &reader, done.await).await
}
