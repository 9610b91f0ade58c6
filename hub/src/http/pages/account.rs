//! One's own account: where one is signed in, and the password.

use std::sync::Arc;

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    response::Response,
};
use lobby_dashboards::{AccountPage, Mistake, Page, PersonalMistake, SessionLine};
use lobby_domain::access::{Grant, Role};
use serde::Deserialize;

use super::{
    App, Open, PageError, Path, Reader, Scene,
    act::{filled, noticed},
    answer::{Html, answer, document, refuse, see},
    chats::{self, ChatForm},
    personal::{self, Wishes},
    sign_in::{mistaken, told},
};
use crate::{http::peer::Peer, store::PersonRow};

/// The form by which somebody changes their password.
#[derive(Deserialize)]
pub(super) struct ChangeForm {
    present: String,
    password: String,
    again: String,
}

/// One's own account.
pub(super) async fn show(State(app): State<App>, reader: Reader) -> Response {
    answer(&app, &reader, page(&app, &reader, Shown::default())).await
}

/// Who is signed in, by which session. Programs, and whoever sits here before anybody was entered, have no account.
pub(super) fn signed_in(reader: &Reader) -> Result<(&Arc<PersonRow>, &str), PageError> {
    reader.caller.session().ok_or(PageError::NotFound)
}

/// What the page shows besides what is kept.
#[derive(Default)]
pub(super) struct Shown<'a> {
    /// What was wrong with a password.
    pub mistake: Option<Mistake>,
    /// What was wrong with how they want to be told, and what they typed there.
    pub personal: (Option<PersonalMistake>, Option<&'a Wishes>),
    /// What they typed as ids of chats, if some of it is none.
    pub chats: Option<&'a ChatForm>,
}

/// The page.
pub(super) async fn page(
    app: &App,
    reader: &Reader,
    Shown { mistake, personal: (of_personal, typed), chats: typed_chats }: Shown<'_>,
) -> Result<String, PageError> {
    let (person, this) = signed_in(reader)?;
    let personal = personal::part(app, person, of_personal, typed).await?;
    let chats = chats::part(app, &app.store.chat_ids(&person.id).await?, typed_chats);
    let sessions = app.store.sessions_of(&person.id, app.clock.now()).await?;
    let open = Open::default();
    let page = Scene::with(app, reader, None, &open, |scene| {
        let line = |row: &crate::store::SessionRow| SessionLine {
            id: row.id.clone(),
            browser: browser_word(&row.browser),
            used: scene.when(row.last_used_at),
            ends: scene.when(row.expires_at),
            is_this: row.id == this,
        };
        Ok(AccountPage {
            chrome: scene.chrome(Page::Account),
            name: person.name.clone(),
            login: person.login.clone(),
            posts: person.grants().map(|grant| held(scene, grant)).collect(),
            sessions: sessions.iter().map(line).collect(),
            personal,
            chats,
            mistake,
        })
    })?;
    page.html(reader.fragment)
}

/// A role, and where it is held.
fn held(scene: &Scene<'_>, grant: &Grant) -> (Role, Option<String>) {
    (grant.role, grant.site.as_ref().map(|site| scene.name_of(site)))
}

/// A browser as people know it, such as `Chrome · Android`, by what it calls itself; else what it calls itself.
fn browser_word(name: &str) -> String {
    // The first that fits: each claims to be those after it too.
    const BROWSERS: [(&str, &str); 8] = [
        ("wxwork", "WeCom"),
        ("MicroMessenger", "WeChat"),
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 7] = [
        ("HarmonyOS", "HarmonyOS"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let known =
        |words: &[(&str, &'static str)]| words.iter().find(|(sign, _)| name.contains(sign)).map(|(_, word)| *word);
    match (known(&BROWSERS), known(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} · {system}"),
        (Some(word), None) | (None, Some(word)) => word.to_owned(),
        (None, None) => name.to_owned(),
    }
}

/// Changes one's password; one's other sessions end.
pub(super) async fn change_password(
    State(app): State<App>,
    reader: Reader,
    peer: Peer,
    form: Result<Form<ChangeForm>, FormRejection>,
) -> Response {
    match changed(&app, &reader, peer, form).await {
        Ok(response) => response,
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn changed(
    app: &App,
    reader: &Reader,
    Peer(from): Peer,
    form: Result<Form<ChangeForm>, FormRejection>,
) -> Result<Response, PageError> {
    let Form(form) = filled(form)?;
    let (person, session) = signed_in(reader)?;
    let change = app.accounts.change((person, session), from, &form.present, [&form.password, &form.again]).await;
    let (status, mistake) = match change {
        Ok(Ok(())) => return Ok(see(&noticed("/account", "saved"))),
        Ok(Err(error)) => (axum::http::StatusCode::UNPROCESSABLE_ENTITY, mistaken(error)?),
        Err(error) => told(error)?,
    };
    Ok(document(status, page(app, reader, Shown { mistake: Some(mistake), ..Shown::default() }).await?))
}

/// Ends one of one's sessions.
pub(super) async fn end(State(app): State<App>, reader: Reader, Path(id): Path<String>) -> Response {
    ended(&app, &reader, async |person, _| app.store.end_session(person, &id, app.clock.now()).await).await
}

/// Ends all of one's sessions but this.
pub(super) async fn end_others(State(app): State<App>, reader: Reader) -> Response {
    ended(&app, &reader, async |person, this| app.store.end_other_sessions(person, this, app.clock.now()).await).await
}

async fn ended(
    app: &App,
    reader: &Reader,
    end: impl AsyncFnOnce(&PersonRow, &str) -> Result<(), crate::store::StoreError>,
) -> Response {
    let done = async {
        let (person, this) = signed_in(reader)?;
        Ok::<(), PageError>(end(person, this).await?)
    };
    match done.await {
        Ok(()) => see(&noticed("/account", "saved")),
        Err(error) => refuse(app, reader, error),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/131.0.0.0 Mobile Safari/537.36",
        "Chrome · Android"
    )]
    #[case(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36 Edg/131.0",
        "Edge · Windows"
    )]
    #[case(
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1 MicroMessenger/8.0.50",
        "WeChat · iPhone"
    )]
    #[case("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox · Linux")]
    #[case("curl/7.88.1", "curl/7.88.1")]
    fn a_browser_is_told_as_people_know_it(#[case] name: &str, #[case] word: &str) {
        assert_eq!(browser_word(name), word);
    }
}
