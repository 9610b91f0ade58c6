//! The file of agents that may log in, read as a whole or not at all.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use argon2::password_hash::PasswordHashString;
use lobby_contract::{AgentId, SiteId};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::login::Account;

/// Why the file of users cannot be used. Never holds a hash.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// Not readable.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not TOML of `[[agent]]` entries.
    #[error("{} is not a file of users: {message} (line {line}, column {column})", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, without the text around it, which may hold hashes.
        message: String,
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// A hash that is not one.
    #[error("the `password_hash` of {user} in {} is not a hash of argon2id in PHC form", path.display())]
    Hash {
        /// The file.
        path: PathBuf,
        /// The agent.
        user: String,
    },
    /// An agent named twice.
    #[error("{user} stands twice in {}", path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// The agent.
        user: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    agent: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    site: SiteId,
    id: AgentId,
    password_hash: String,
}

type Accounts = HashMap<String, Arc<Account>>;

/// Who may log in to the embedded broker. Cheap to clone; clones share one state.
#[derive(Clone)]
pub struct Users(Arc<Inner>);

struct Inner {
    path: PathBuf,
    accounts: RwLock<Accounts>,
    gone: mpsc::UnboundedSender<String>,
}

impl Users {
    /// Reads the file. Client ids of agents that may no longer log in are sent to `gone` at each reload; their number is bounded by
    /// the file's.
    pub(super) fn open(path: &Path, gone: mpsc::UnboundedSender<String>) -> Result<Self, UsersError> {
        let accounts = RwLock::new(read(path)?);
        Ok(Self(Arc::new(Inner { path: path.into(), accounts, gone })))
    }

    /// Reads the file again, after an enrolment for instance. A file that cannot be used changes nothing. Agents that are gone
    /// from it, or whose password has changed, are disconnected.
    pub fn reload(&self) -> Result<(), UsersError> {
        let fresh = read(&self.0.path)?;
        let mut accounts = self.0.accounts.write().unwrap_or_else(PoisonError::into_inner);
        for (user, old) in accounts.iter() {
            if fresh.get(user).is_none_or(|new| !new.same_password(old)) {
                // The receiver ends with the broker, and then nobody is connected any more.
                let _ = self.0.gone.send(client_id(user));
            }
        }
        *accounts = fresh;
        Ok(())
    }

    /// How many agents may log in.
    pub fn len(&self) -> usize {
        self.0.accounts.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether nobody may log in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn account(&self, user: &str) -> Option<Arc<Account>> {
        self.0.accounts.read().unwrap_or_else(PoisonError::into_inner).get(user).cloned()
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("path", &self.0.path).field("agents", &self.len()).finish()
    }
}

/// The client id that belongs to a user name: `{site}.{agent}` for `{site}/{agent}`, as a client id must hold no `/`.
pub(super) fn client_id(user: &str) -> String {
    user.replacen('/', ".", 1)
}

fn read(path: &Path) -> Result<Accounts, UsersError> {
    let text = std::fs::read_to_string(path).map_err(|source| UsersError::Read { path: path.into(), source })?;
    let file: File = toml::from_str(&text).map_err(|error| {
        let (line, column) = position(&text, error.span().map_or(0, |span| span.start));
        UsersError::Parse { path: path.into(), message: error.message().to_owned(), line, column }
    })?;
    let mut accounts = Accounts::with_capacity(file.agent.len());
    for Entry { site, id, password_hash } in file.agent {
        let user = format!("{site}/{id}");
        let Some(account) = PasswordHashString::new(&password_hash).ok().and_then(Account::new) else {
            return Err(UsersError::Hash { path: path.into(), user });
        };
        if accounts.insert(user.clone(), Arc::new(account)).is_some() {
            return Err(UsersError::Twice { path: path.into(), user });
        }
    }
    Ok(accounts)
}

/// Line and column, from 1, of a byte of a text.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::hash_password;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn agent(id: &str, password: &str) -> String {
        let hash = hash_password(password).unwrap();
        format!("[[agent]]\nsite = \"s\"\nid = \"{id}\"\npassword_hash = \"{hash}\"\n")
    }

    #[test]
    fn a_bad_file_of_users_is_refused_with_its_place_and_without_its_secrets() {
        let (gone, _) = mpsc::unbounded_channel();
        let refused = Users::open(file("[[agent]]\nsite = \"s\"\nid = \"UPPER\"\n").path(), gone.clone()).unwrap_err();
        assert!(refused.to_string().contains("line 3, column 6"), "{refused}");
        let refused = Users::open(file("[[agent]]\nsite='s'\nid='a'\npassword_hash='hunter2'\n").path(), gone.clone())
            .unwrap_err();
        assert!(refused.to_string().contains("s/a") && !format!("{refused:?}").contains("hunter2"), "{refused}");
        let twice = agent("a", "x").repeat(2);
        assert!(matches!(Users::open(file(&twice).path(), gone).unwrap_err(), UsersError::Twice { .. }));
    }

    #[test]
    fn a_reload_names_who_is_gone_and_whose_password_changed_and_a_bad_file_changes_nothing() {
        let (gone, mut named) = mpsc::unbounded_channel();
        let keeps = agent("keeps", "1");
        let file = file(&format!("{keeps}{}{}", agent("leaves", "2"), agent("changes", "3")));
        let users = Users::open(file.path(), gone).unwrap();
        std::fs::write(file.path(), "[[agent]]\n").unwrap();
        assert!(users.reload().is_err());
        assert_eq!((users.len(), named.try_recv().is_err()), (3, true));

        std::fs::write(file.path(), format!("{keeps}{}", agent("changes", "4"))).unwrap();
        users.reload().unwrap();
        let mut gone = vec![named.try_recv().unwrap(), named.try_recv().unwrap()];
        gone.sort();
        assert_eq!((gone, named.try_recv().is_err()), (vec!["s.changes".to_owned(), "s.leaves".to_owned()], true));
    }
}
