//! By what the chats know somebody, so that messages in their groups can mention them: as they say it themselves, and as whoever enters
//! people does.

use std::collections::BTreeMap;

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::StatusCode,
    response::Response,
};
use lobby_dashboards::{ChatField, ChatPart};
use lobby_domain::notice::{Chat, ChatIds};
use serde::Deserialize;

use super::{
    App, PageError, Reader,
    account::{Shown, page, signed_in},
    act::{filled, noticed},
    answer::{document, refuse, see},
};
use crate::store::PersonError;

/// What was typed. A chat that the form does not ask for stays as it is.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct ChatForm {
    wecom: Option<String>,
    dingtalk: Option<String>,
    feishu: Option<String>,
}

/// What is to become of some chats' ids: without one it is forgotten.
pub(super) type Given = BTreeMap<Chat, Option<Box<str>>>;

impl ChatForm {
    fn typed(&self, chat: Chat) -> Option<&str> {
        match chat {
            Chat::Wecom => self.wecom.as_deref(),
            Chat::Dingtalk => self.dingtalk.as_deref(),
            Chat::Feishu => self.feishu.as_deref(),
        }
    }

    /// What it asks for; `None` if something of it is no id.
    pub(super) fn given(&self) -> Option<Given> {
        let typed = Chat::ALL.into_iter().filter_map(|chat| Some((chat, self.typed(chat)?)));
        typed
            .map(|(chat, text)| match text.trim() {
                "" => Some((chat, None)),
                text => Some((chat, Some(chat.id(text).ok()?))),
            })
            .collect()
    }
}

/// The fields of somebody: of the chats that have a channel, and of those of which an id is kept. What was typed stays there to be mended.
pub(super) fn part(app: &App, kept: &ChatIds, typed: Option<&ChatForm>) -> ChatPart {
    let has_channel = app.notify.settings().chats();
    let field = |chat: &Chat| {
        let text = typed.and_then(|form| form.typed(*chat));
        ChatField {
            chat: *chat,
            value: text.map_or_else(|| kept.get(chat).map(ToString::to_string).unwrap_or_default(), ToOwned::to_owned),
            mistaken: text.is_some_and(|text| !text.trim().is_empty() && chat.id(text).is_err()),
        }
    };
    let shown = |chat: &Chat| has_channel.contains(chat) || kept.contains_key(chat);
    ChatPart { fields: Chat::ALL.iter().filter(|chat| shown(chat)).map(field).collect() }
}

/// Keeps by what the chats know whoever is signed in.
pub(super) async fn set(
    State(app): State<App>,
    reader: Reader,
    form: Result<Form<ChatForm>, FormRejection>,
) -> Response {
    let done = async {
        let Form(form) = filled(form)?;
        let (person, _) = signed_in(&reader)?;
        let Some(given) = form.given() else {
            let shown = Shown { chats: Some(&form), ..Shown::default() };
            return Ok(document(StatusCode::UNPROCESSABLE_ENTITY, page(&app, &reader, shown).await?));
        };
        match app.store.set_chat_ids(&person.id, &given, app.clock.now(), &person.actor()).await {
            Ok(()) => Ok(see(&noticed("/account", "saved"))),
            Err(PersonError::Store(error)) => Err(error.into()),
            // They were erased a moment ago.
            Err(_) => Err(PageError::NotFound),
        }
    };
    match done.await {
        Ok(response) => response,
        Err(error) => refuse(&app, &reader, error),
    }
}
