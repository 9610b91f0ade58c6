//! What the hub stores is nobody else's to read.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::Path,
};

use tracing::warn;

/// Makes a folder that only this user may enter. A folder that was there keeps its content; it is closed to others if it is empty or
/// holds what a hub keeps, for it may as well be one that is shared with others.
pub fn folder(path: &Path) -> io::Result<()> {
    if !path.exists() {
        return fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    }
    let found = fs::metadata(path)?;
    if found.mode().trailing_zeros() >= 6 {
        return Ok(());
    }
    let ours = ["installation.json", "lobby.db"].iter().any(|name| path.join(name).exists())
        || fs::read_dir(path)?.next().is_none();
    let closed = ours && fs::set_permissions(path, fs::Permissions::from_mode(0o700)).is_ok();
    if !closed {
        warn!(folder = %path.display(), "others may enter the data folder: `chmod 700` closes it");
    }
    Ok(())
}

/// Closes a file of ours to others, if it is there.
pub(crate) fn file(path: &Path) {
    if let Ok(found) = fs::metadata(path)
        && found.mode() & 0o077 != 0
        && let Err(cause) = fs::set_permissions(path, fs::Permissions::from_mode(0o600))
    {
        warn!(file = %path.display(), %cause, "others may read a file of the hub");
    }
}

/// New files of this process are its user's alone, whoever makes them.
pub fn new_files() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}
