//! Why a database is not used, and what to do next.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use sqlx::migrate::MigrateError;
use uuid::Uuid;

use crate::{
    backup::Folder,
    clock::{Clock as _, SystemClock},
    store::StoreError,
};

/// What is wrong with a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// There is no file.
    #[error("it is missing")]
    Missing,
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// There is neither a file nor an identity, but backups.
    #[error("it is missing, although this folder has backups of one")]
    Forgotten,
    /// It is another installation's.
    #[error("it belongs to another installation: {found}, not {expected}")]
    Another {
        /// Whose it should be.
        expected: Uuid,
        /// Whose it is, if it says.
        found: Uuid,
    },
    /// It does not say whose it is, although it did.
    #[error("it does not say to which installation it belongs, and should belong to {0}")]
    Nameless(Uuid),
    /// It is a copy from the past.
    #[error("it is an old copy: it has counted {found} starts, and {expected} have been seen")]
    Old {
        /// The starts that were seen.
        expected: i64,
        /// The starts that it knows.
        found: i64,
    },
    /// It is not what was closed.
    #[error("its content is not what the hub left when it stopped")]
    Changed,
    /// The log of a file that was not closed.
    #[error("its write-ahead log `-wal` is missing: what was stored last stood there")]
    LogMissing,
    /// The log is broken where a power cut does not break it.
    #[error("its write-ahead log `-wal` is damaged: {0}")]
    Log(String),
    /// A check of its structure, or reading it, failed.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// A database that is not used. Its message names it, what was found, the newest backup and the one command that restores it.
#[derive(Debug, thiserror::Error)]
pub struct Refusal {
    database: String,
    /// What was found.
    pub finding: Finding,
    advice: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the database is not used, for {}. {}", self.database, self.finding, self.advice)
    }
}

/// What a refusal needs to know to advise.
#[derive(Debug, Clone)]
pub struct Place {
    /// The data folder.
    pub data_dir: PathBuf,
    /// The database.
    pub database_url: String,
    /// Where backups are.
    pub backups: PathBuf,
}

impl Place {
    /// The database in words, without a password.
    pub fn database(&self) -> String {
        crate::store::sqlite_path(&self.database_url)
            .map_or_else(|| "PostgreSQL".to_owned(), |path| path.display().to_string())
    }

    /// A refusal because of `finding`.
    pub fn refuse(&self, finding: Finding) -> Refusal {
        let newest =
            Folder::new(self.backups.clone()).list(SystemClock.now()).ok().and_then(|all| all.into_iter().next());
        let advice = match newest {
            Some(newest) => {
                format!("The newest verified backup is {}; restore it with: {}", newest.path.display(), self.command())
            }
            None => format!(
                "There is no backup in {}: put the right database in its place, or begin a new one on purpose with --new-database",
                self.backups.display()
            ),
        };
        let mine = matches!(finding, Finding::Changed | Finding::LogMissing | Finding::Old { .. });
        let accept = if mine {
            format!(
                " (If it was changed on purpose, remove {} and it is taken as it is.)",
                self.data_dir.join("installation.json").display()
            )
        } else {
            String::new()
        };
        Refusal { database: self.database(), finding, advice: advice + &accept }
    }

    fn command(&self) -> String {
        let mut command = format!("lobby-hub restore --latest --replace --data-dir {}", quoted(&self.data_dir));
        if self.backups != self.data_dir.join(crate::backup::FOLDER) {
            command.push_str(" --folder ");
            command.push_str(&quoted(&self.backups));
        }
        match crate::store::sqlite_path(&self.database_url) {
            Some(path) if path == self.data_dir.join("lobby.db") => {}
            Some(path) => {
                command.push_str(" --database-url sqlite://");
                command.push_str(&quoted(&path));
            }
            // It may hold a password.
            None => command.push_str(" --database-url \"$LOBBY_DATABASE_URL\""),
        }
        command
    }
}

fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:@".contains(&byte) || byte >= 0x80;
    if text.bytes().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Whether an error says that the database's content is damaged, or makes no sense, in words.
pub(crate) fn damage_in(error: &anyhow::Error) -> Option<String> {
    corruption_in(error).or_else(|| {
        error.chain().find_map(|cause| match cause.downcast_ref::<StoreError>()? {
            inconsistent @ StoreError::Inconsistent { .. } => Some(inconsistent.to_string()),
            _ => None,
        })
    })
}

/// Whether an error says that the database's file is damaged, in words.
pub(crate) fn corruption_in(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| match cause.downcast_ref::<StoreError>()? {
        StoreError::Database { source, .. }
        | StoreError::Migrate(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)) => {
            damage_of(source)
        }
        _ => None,
    })
}

/// The same of an error of SQLite: corrupt, not a database, or shorter than it says.
pub(crate) fn damage_of(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?;
    // PostgreSQL's codes have five characters.
    let code: i32 = error.code().filter(|code| code.len() < 5)?.parse().ok()?;
    (matches!(code & 0xff, 11 | 26) || code == 522).then(|| error.message().to_owned())
}
