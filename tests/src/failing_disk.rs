//! A disk that becomes read-only, fails to sync, or fails in a part of it while a program uses it, and is well again:
//! `tests/peers/failing_disk.c`, preloaded into that program. Who remounts a real disk read-only must first stop whoever has a file open
//! for writing, and only a broken one fails a sync.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::program;

/// How the disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// All is well.
    Well,
    /// Nothing can be written.
    ReadOnly,
    /// Writes succeed, and cannot be made durable.
    SyncsFail,
    /// Databases cannot be written, but their logs can.
    DatabasesFail,
}

/// The disk below one folder, as one program sees it.
pub struct FailingDisk {
    library: PathBuf,
    mode: PathBuf,
    _dir: TempDir,
}

impl FailingDisk {
    /// A disk that is well, if there is a C compiler.
    pub fn make() -> Result<Option<Self>> {
        let Some(compiler) = program::installed("cc")? else { return Ok(None) };
        let dir = tempfile::tempdir()?;
        let (library, mode) = (dir.path().join("failing_disk.so"), dir.path().join("mode"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/failing_disk.c");
        let built =
            Command::new(compiler).args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).output()?;
        ensure!(built.status.success(), "cc: {}", String::from_utf8_lossy(&built.stderr));
        let disk = Self { library, mode, _dir: dir };
        disk.set(Mode::Well)?;
        Ok(Some(disk))
    }

    /// Puts everything below `folder` on this disk, for the program that `command` starts.
    pub fn below(&self, folder: &Path, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("FAILING_FOLDER", folder).env("FAILING_MODE", &self.mode);
    }

    /// Lets it fail, or be well again.
    pub fn set(&self, mode: Mode) -> Result<()> {
        let letter = match mode {
            Mode::Well => "-",
            Mode::ReadOnly => "r",
            Mode::SyncsFail => "s",
            Mode::DatabasesFail => "d",
        };
        // Replaced at once: it is read at any time.
        let new = self.mode.with_extension("new");
        fs::write(&new, letter)?;
        Ok(fs::rename(new, &self.mode)?)
    }
}
