//! By what the chats know people, for messages in their groups that mention whoever has to see to something.

use std::collections::BTreeMap;

use lobby_domain::{
    notice::{Chat, ChatIds},
    time::Timestamp,
};

use super::{PersonError, Store, StoreError, Tx, on, statements};
use crate::audit::{Actor, Change};

statements! {
    CHAT_IDS = "SELECT person, chat, id FROM chat_id WHERE CAST($1 AS TEXT) IS NULL OR person = $1 ORDER BY person, chat";
    SET_CHAT_ID = "INSERT INTO chat_id (person, chat, id) VALUES ($1, $2, $3) ON CONFLICT (person, chat) DO UPDATE SET id = excluded.id";
    FORGET_CHAT_IDS = "DELETE FROM chat_id WHERE person = $1";
    // Whoever may sign in no longer is not rung up any more.
    MENTION = "SELECT c.id FROM chat_id c JOIN person p ON p.id = c.person
        WHERE c.person = $1 AND c.chat = $2 AND p.disabled_at IS NULL";
}

/// Which chats somebody has given an id of, for the audit log: the ids are nobody else's business for ever.
fn described(ids: &ChatIds) -> String {
    let masked = |chat: Chat, id: &str| {
        let first: String = id.chars().take(if chat == Chat::Feishu { 4 } else { 1 }).collect();
        format!("{} {first}…", chat.as_str())
    };
    if ids.is_empty() {
        return "none".to_owned();
    }
    ids.iter().map(|(chat, id)| masked(*chat, id)).collect::<Vec<_>>().join(", ")
}

impl Tx {
    async fn read_chat_ids(&mut self, person: Option<&str>) -> Result<BTreeMap<String, ChatIds>, StoreError> {
        let rows: Vec<(String, String, String)> = on!(self, "read ids of chats", conn => sqlx::query_as(CHAT_IDS)
            .bind(person).fetch_all(conn).await)?;
        let mut all: BTreeMap<String, ChatIds> = BTreeMap::new();
        for (person, chat, id) in rows {
            let known = Chat::ALL.into_iter().find(|known| known.as_str() == chat);
            let bad =
                || StoreError::Inconsistent { table: "chat_id", id: person.clone(), what: format!("chat `{chat}`") };
            let known = known.ok_or_else(bad)?;
            all.entry(person).or_default().insert(known, id.into());
        }
        Ok(all)
    }

    /// Forgets by what the chats know somebody.
    pub(super) async fn forget_chat_ids(&mut self, person: &str) -> Result<(), StoreError> {
        on!(self, "forget ids of chats", conn => sqlx::query(FORGET_CHAT_IDS).bind(person).execute(conn).await.map(drop))
    }
}

impl Store {
    /// By what the chats know everybody, by person.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn all_chat_ids(&self) -> Result<BTreeMap<String, ChatIds>, StoreError> {
        self.read().await?.read_chat_ids(None).await
    }

    /// By what the chats know somebody.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn chat_ids(&self, person: &str) -> Result<ChatIds, StoreError> {
        let mut all = self.read().await?.read_chat_ids(Some(person)).await?;
        Ok(all.remove(person).unwrap_or_default())
    }

    /// Sets by what some chats know somebody; without an id that is forgotten, and chats that are not named stay as they are. The same
    /// once more changes nothing.
    ///
    /// # Errors
    ///
    /// If there is nobody of that id, they were erased, or the database fails.
    pub async fn set_chat_ids(
        &self,
        person: &str,
        given: &BTreeMap<Chat, Option<Box<str>>>,
        now: Timestamp,
        actor: &Actor,
    ) -> Result<(), PersonError> {
        let mut tx = self.begin().await?;
        tx.hold_person(person).await?;
        let row = tx.present(person).await?;
        let before = tx.read_chat_ids(Some(person)).await?.remove(person).unwrap_or_default();
        let mut after = before.clone();
        for (chat, id) in given {
            match id {
                Some(id) => drop(after.insert(*chat, id.clone())),
                None => drop(after.remove(chat)),
            }
        }
        if before == after {
            return Ok(tx.commit().await?);
        }
        tx.forget_chat_ids(person).await?;
        for (chat, id) in &after {
            on!(&mut tx, "keep the id of a chat", conn => sqlx::query(SET_CHAT_ID).bind(person).bind(chat.as_str())
                .bind(&**id).execute(conn).await.map(drop))?;
        }
        let change = Change::new(actor, now, "person.chat_ids", person).of_site(row.grant.site.as_ref());
        Ok(tx.commit_with(&change.before(described(&before)).after(described(&after))).await?)
    }

    /// By what a chat knows somebody who may sign in.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn mention_of(&self, person: &str, chat: Chat) -> Result<Option<String>, StoreError> {
        let mut tx = self.read().await?;
        on!(&mut tx, "look whom a message mentions", conn => sqlx::query_scalar(MENTION).bind(person).bind(chat.as_str())
            .fetch_optional(conn).await)
    }
}
