//! One hub per data folder: two would tell agents different things.

use std::{fs::File, path::Path};

use anyhow::{Context, bail};

/// Held as long as the hub runs; the operating system releases it however the process ends.
#[derive(Debug)]
pub struct DataDirLock(#[expect(dead_code, reason = "held for its lock")] File);

impl DataDirLock {
    /// Takes the lock of a data folder.
    pub fn take(folder: &Path) -> anyhow::Result<Self> {
        match Self::try_take(folder)? {
            Some(lock) => Ok(lock),
            None => bail!(
                "{}: another hub uses this data folder; stop it, or name another one with --data-dir",
                folder.display()
            ),
        }
    }

    /// Takes the lock of a data folder; `None` if a hub uses it.
    pub fn try_take(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join("lock");
        let file = File::create(&path).with_context(|| format!("{}: cannot be written", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(cause)) => {
                Err(cause).with_context(|| format!("{}: cannot be locked", path.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_hub_on_the_same_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDirLock::take(folder.path()).unwrap();
        let error = DataDirLock::take(folder.path()).unwrap_err().to_string();
        assert!(error.contains("another hub"), "{error}");
        drop(first);
        DataDirLock::take(folder.path()).unwrap();
    }
}
