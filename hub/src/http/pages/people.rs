//! Who may sign in: entered, given a new link, disabled and enabled by whoever runs a site, or all of them.

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::StatusCode,
    response::Response,
};
use lobby_contract::SiteId;
use lobby_dashboards::{ChatPart, HeldLine, Mistake, Page, PeoplePage, PersonLine, PersonState, SelectOption};
use lobby_domain::access::{Grant, Role};
use serde::Deserialize;

use super::{
    App, Open, PageError, Path, Reader, Scene,
    act::{filled, noticed},
    answer::{Html, answer, document, refuse, see},
    chats::{self, ChatForm},
    sign_in::mistaken,
};
use crate::{
    account::{self, AccountError},
    http::{
        address::Origin,
        people::{GrantError, Turn, is_seen, is_theirs, may_erase, seen, turn},
    },
    store::{PersonError, PersonRow},
};

/// The form by which somebody is entered.
#[derive(Debug, Deserialize)]
pub(super) struct NewPerson {
    name: String,
    login: String,
    role: String,
    #[serde(default)]
    site: String,
}

/// The form about somebody who was entered.
#[derive(Debug, Deserialize)]
pub(super) struct Change {
    what: What,
    /// What they sign in with, typed once more by whoever erases them.
    #[serde(default)]
    login: String,
    /// The role that is given or taken away.
    #[serde(default)]
    role: String,
    /// The only site at which it holds; all of them if it is empty.
    #[serde(default)]
    site: String,
    /// By what the chats are to know them.
    #[serde(flatten)]
    chats: ChatForm,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Grant,
    Revoke,
    Chats,
    Link,
    Disable,
    Enable,
    Erase,
}

/// What is shown besides the list.
#[derive(Default)]
struct Shown {
    link: Option<(String, String)>,
    typed: (String, String),
    /// Whose ids of chats were typed, and are none.
    chats: Option<(String, ChatForm)>,
    mistake: Option<Mistake>,
}

/// Who may sign in.
pub(super) async fn show(State(app): State<App>, reader: Reader) -> Response {
    answer(&app, &reader, page(&app, &reader, Shown::default())).await
}

async fn page(app: &App, reader: &Reader, shown: Shown) -> Result<String, PageError> {
    let caller = &reader.caller;
    let (people, chats) = (app.store.people().await?, app.store.all_chat_ids().await?);
    let chats = |row: &PersonRow| {
        if row.erased_at.is_some() || !is_theirs(caller, row) {
            return ChatPart::default();
        }
        let typed = shown.chats.as_ref().filter(|(id, _)| *id == row.id).map(|(_, form)| form);
        chats::part(app, &chats.get(&row.id).cloned().unwrap_or_default(), typed)
    };
    let open = Open::default();
    let page = Scene::with(app, reader, None, &open, |scene| {
        let line = |row: &PersonRow| PersonLine {
            id: row.id.clone(),
            name: row.name.clone(),
            login: row.login.clone(),
            held: row.grants().filter(|grant| caller.may_give(grant)).map(|grant| held(scene, row, grant)).collect(),
            holds_more: !is_theirs(caller, row),
            chats: chats(row),
            state: match (row.disabled_at, row.has_password) {
                (Some(_), _) if row.erased_at.is_some() => PersonState::Erased,
                (Some(_), _) => PersonState::Disabled,
                (None, true) => PersonState::Active,
                (None, false) => PersonState::Invited,
            },
        };
        let all_sites = |role| caller.may_give(&Grant { role, site: None });
        let somewhere = |role: &Role| {
            all_sites(*role)
                || scene.all_sites().any(|(id, _)| caller.may_give(&Grant { role: *role, site: Some(id.clone()) }))
        };
        let site = |(id, _): (&SiteId, _)| SelectOption {
            value: id.to_string(),
            label: scene.name_of(id),
            chosen: caller.only_site() == Some(id),
        };
        let may_choose = |(id, _): &(&SiteId, _)| {
            Role::ALL.iter().any(|role| caller.may_give(&Grant { role: *role, site: Some((*id).clone()) }))
        };
        Ok(PeoplePage {
            chrome: scene.chrome(Page::People),
            people: people.iter().filter(|row| is_seen(caller, row)).map(line).collect(),
            roles: Role::ALL.into_iter().filter(somewhere).collect(),
            sites: scene.all_sites().filter(may_choose).map(site).collect(),
            all_sites: Role::ALL.into_iter().any(all_sites),
            may_erase: may_erase(caller),
            link: shown.link,
            typed: shown.typed,
            mistake: shown.mistake,
        })
    })?;
    page.html(reader.fragment)
}

/// A role that somebody holds. One who holds nothing else is disabled rather than left with nothing.
fn held(scene: &Scene<'_>, row: &PersonRow, grant: &Grant) -> HeldLine {
    HeldLine {
        role: grant.role,
        site: grant.site.as_ref().map(|site| (site.to_string(), scene.name_of(site))),
        may_take: !row.further.is_empty() && row.erased_at.is_none(),
    }
}

/// The role and site that a form names.
fn named(role: &str, site: &str) -> Result<Grant, PageError> {
    let role: Role = role.parse().map_err(|_| PageError::BadRequest)?;
    let site: Option<SiteId> =
        (!site.is_empty()).then(|| site.parse()).transpose().map_err(|_| PageError::BadRequest)?;
    Ok(Grant { role, site })
}

/// Why nothing was changed, as a page says it.
fn refused(error: GrantError) -> PageError {
    match error {
        GrantError::Site => PageError::BadRequest,
        GrantError::NotTheirs => PageError::Forbidden,
        GrantError::Person(PersonError::Store(error)) => error.into(),
        GrantError::Nobody | GrantError::Person(_) => PageError::NotFound,
    }
}

/// Enters somebody, and shows the link by which they choose their password.
pub(super) async fn enter(
    State(app): State<App>,
    reader: Reader,
    origin: Origin,
    form: Result<Form<NewPerson>, FormRejection>,
) -> Response {
    match entered(&app, &reader, &origin, form).await {
        Ok(response) => response,
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn entered(
    app: &App,
    reader: &Reader,
    origin: &Origin,
    form: Result<Form<NewPerson>, FormRejection>,
) -> Result<Response, PageError> {
    let Form(NewPerson { name, login, role, site }) = filled(form)?;
    let grant = named(&role, &site)?;
    if !reader.caller.may_give(&grant) {
        return Err(PageError::Forbidden);
    }
    let (status, shown) =
        match account::enter(&app.store, (&login, &name), grant, app.clock.now(), &reader.caller.actor("")).await {
            Ok((row, link)) => {
                (StatusCode::OK, Shown { link: Some((row.name, origin.to_setup(&link))), ..Shown::default() })
            }
            Err(error) => {
                let mistake = Some(mistaken(error)?);
                (StatusCode::UNPROCESSABLE_ENTITY, Shown { typed: (name, login), mistake, ..Shown::default() })
            }
        };
    Ok(document(status, page(app, reader, shown).await?))
}

/// Gives somebody a new link, says by what the chats know them, lets them sign in no longer, or again, or erases them.
pub(super) async fn change(
    State(app): State<App>,
    reader: Reader,
    origin: Origin,
    Path(id): Path<String>,
    form: Result<Form<Change>, FormRejection>,
) -> Response {
    match changed(&app, &reader, &origin, &id, form).await {
        Ok(response) => response,
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn changed(
    app: &App,
    reader: &Reader,
    origin: &Origin,
    id: &str,
    form: Result<Form<Change>, FormRejection>,
) -> Result<Response, PageError> {
    let Form(Change { what, login, role, site, chats }) = filled(form)?;
    let row = seen(app, &reader.caller, id).await.map_err(refused)?;
    if !matches!(what, What::Grant | What::Revoke) && !is_theirs(&reader.caller, &row) {
        return Err(PageError::Forbidden);
    }
    let (now, actor) = (app.clock.now(), reader.caller.actor(""));
    let turned = async |way| match turn(app, &reader.caller, (id, &named(&role, &site)?), way).await {
        Ok(_) => Ok(Ok(())),
        Err(GrantError::Person(error)) => Ok(Err(error)),
        Err(error) => Err(refused(error)),
    };
    let done = match what {
        What::Grant => turned(Turn::Give).await?,
        What::Revoke => turned(Turn::Take).await?,
        What::Chats => {
            let Some(given) = chats.given() else {
                let shown = Shown { chats: Some((id.to_owned(), chats)), ..Shown::default() };
                return Ok(document(StatusCode::UNPROCESSABLE_ENTITY, page(app, reader, shown).await?));
            };
            app.store.set_chat_ids(id, &given, now, &actor).await
        }
        What::Link => match account::link(&app.store, id, now, &actor).await {
            Ok((row, link)) => {
                let shown = Shown { link: Some((row.name, origin.to_setup(&link))), ..Shown::default() };
                return Ok(document(StatusCode::OK, page(app, reader, shown).await?));
            }
            Err(error) => Err(error),
        },
        What::Disable => app.store.set_disabled(id, true, now, &actor).await,
        What::Enable => app.store.set_disabled(id, false, now, &actor).await,
        What::Erase if !may_erase(&reader.caller) => return Err(PageError::Forbidden),
        What::Erase if row.erased_at.is_none() && login.trim().to_ascii_lowercase() != row.login => {
            let shown = Shown { mistake: Some(Mistake::OtherLogin), ..Shown::default() };
            return Ok(document(StatusCode::UNPROCESSABLE_ENTITY, page(app, reader, shown).await?));
        }
        What::Erase => app.store.erase_person(id, now, &actor).await.map(drop),
    };
    match done {
        Ok(()) => Ok(see(&noticed("/people", "saved"))),
        Err(error) => {
            let mistake = Some(mistaken(AccountError::Person(error))?);
            let shown = Shown { mistake, ..Shown::default() };
            Ok(document(StatusCode::CONFLICT, page(app, reader, shown).await?))
        }
    }
}
