//! Why a backup was not made, not believed, or not restored.

use std::{io, path::PathBuf};

use crate::{installation::InstallationError, store::StoreError};

/// Why a backup was not made, not believed, or not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A database refused or did not answer.
    #[error("could not {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: sqlx::Error,
    },
    /// The disk.
    #[error("{path}: could not be {doing}")]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// There is a file of that name already.
    #[error("{0}: there is a file of that name already; name another one")]
    Exists(PathBuf),
    /// The disk is too full.
    #[error(
        "{folder}: the backup needs up to {needed_mb} MB, and {free_mb} MB are free: make room, or name another folder"
    )]
    NoSpace {
        /// Where it was to be.
        folder: PathBuf,
        /// What it needs.
        needed_mb: u64,
        /// What there is.
        free_mb: u64,
    },
    /// There is no file of that name.
    #[error("{0}: there is no such file")]
    NoFile(PathBuf),
    /// The file is none of ours.
    #[error("{0}: this is no backup of a hub")]
    NotABackup(PathBuf),
    /// The file is not what was written.
    #[error("{path}: the backup is damaged: {what}; take another one")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A newer program made it.
    #[error(
        "{path}: the backup has schema {schema}, written by version {product}; this is version {own}, which knows schemas up to {known}: \
         use the newer version"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        schema: i64,
        /// Who made it.
        product: String,
        /// This version.
        own: &'static str,
        /// The newest schema it knows.
        known: i64,
    },
    /// There is no database, or it has no tables.
    #[error("{0}: there is no database of a hub here; --data-dir, --database-url or --config say where it is")]
    NoDatabase(String),
    /// Something would be overwritten.
    #[error("{0}: there is a database already; with --replace it is moved aside first")]
    NotEmpty(String),
    /// A hub uses the database.
    #[error("{0} hubs or commands are connected to the database: stop them first")]
    InUse(i64),
    /// There is nothing to restore.
    #[error("{0}: there is no backup in this folder")]
    NoBackup(PathBuf),
    /// None of the backups is good.
    #[error("{folder}: none of the {count} backups is whole; the newest: {newest}")]
    NoneWhole {
        /// The folder.
        folder: PathBuf,
        /// How many there are.
        count: usize,
        /// What is wrong with the newest.
        newest: String,
    },
    /// A value that the format does not know.
    #[error("table `{table}`, column `{column}`: values of type {kind} cannot be backed up")]
    Type {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The type.
        kind: String,
    },
    /// What the database holds contradicts itself.
    #[error("{database}: {}", violations.join("; "))]
    Inconsistent {
        /// The database.
        database: String,
        /// What contradicts what.
        violations: Vec<String>,
    },
    /// What was written is not what was read.
    #[error("after restoring, table `{0}` is not as the backup says: nothing was changed")]
    NotTheSame(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The schema.
    #[error("could not make the schema")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// The identity file.
    #[error(transparent)]
    Installation(#[from] InstallationError),
}

pub(super) fn doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> BackupError {
    move |source| BackupError::Database { doing, source }
}

pub(super) fn disk(path: impl Into<PathBuf>, doing: &'static str) -> impl FnOnce(io::Error) -> BackupError {
    move |source| BackupError::Disk { path: path.into(), doing, source }
}
