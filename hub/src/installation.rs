//! The identity file of a data folder: which database belongs to it, and how the hub left it. A database that is missing, empty, older
//! or another installation's is told from the right one by this file, never by chance.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

const NAME: &str = "installation.json";

/// What the data folder knows of its database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// The installation; the database says the same.
    pub id: Uuid,
    /// The starts that the database had counted when it was last seen. A database with fewer is an old copy.
    pub starts: i64,
    /// How the hub left the file of a SQLite database; `None` for PostgreSQL, and where it is not known.
    pub left: Option<Left>,
}

/// How a hub left its SQLite file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Left {
    /// Open: the process runs, or was ended without being asked.
    Open {
        /// Which start of the computer it ran in.
        boot: String,
    },
    /// Everything is in the file, and its log is empty; what the file looked like was not noted.
    Checkpointed,
    /// Closed, and looking like this.
    Sealed(Seal),
    /// Found to be damaged.
    Damaged {
        /// What was found.
        finding: String,
    },
}

/// What a file looked like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Its length.
    pub bytes: u64,
    /// The digest of its content (XXH3, 128 bits, hexadecimal).
    pub digest: String,
}

/// Why the identity file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum InstallationError {
    /// The disk.
    #[error("{path}: the identity file of the data folder cannot be {doing}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Its content is not what was written.
    #[error(
        "{path}: the identity file of the data folder is damaged; if the database beside it is the right one, remove the file and the \
         database is taken as it is"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

/// What stands in the file: the rest, and a digest of it.
#[derive(Serialize, Deserialize)]
struct Signed {
    installation: Installation,
    digest: String,
}

impl Installation {
    /// Reads the file of a data folder; `None` if it has none.
    pub fn read(folder: &Path) -> Result<Option<Self>, InstallationError> {
        let path = folder.join(NAME);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(InstallationError::Disk { path, doing: "read", source }),
        };
        match serde_json::from_slice::<Signed>(&text) {
            Ok(signed) if signed.installation.digest() == signed.digest => Ok(Some(signed.installation)),
            _ => Err(InstallationError::Damaged { path }),
        }
    }

    /// Writes the file, so that it is there or as before, whatever happens meanwhile.
    pub fn write(&self, folder: &Path) -> Result<(), InstallationError> {
        let path = folder.join(NAME);
        let signed = Signed { installation: self.clone(), digest: self.digest() };
        let text = serde_json::to_vec_pretty(&signed).expect("an identity is plain data");
        replace(&path, &text).map_err(|source| InstallationError::Disk { path, doing: "written", source })
    }

    /// Removes the file of a data folder, if it has one.
    pub fn remove(folder: &Path) -> Result<(), InstallationError> {
        let path = folder.join(NAME);
        match fs::remove_file(&path).and_then(|()| sync_folder(folder)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(InstallationError::Disk { path, doing: "removed", source })
            }
            _ => Ok(()),
        }
    }

    fn digest(&self) -> String {
        let text = serde_json::to_vec(self).expect("an identity is plain data");
        format!("{:032x}", xxh3_128(&text))
    }
}

/// Puts `content` in the place of a file: written beside it, synced, renamed, and the rename synced.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Makes renames and removals in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// Which start of the computer this is: what was written but not synced survives the end of a process, but not of the computer.
pub(crate) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Installation {
        let seal = Seal { bytes: 4096, digest: format!("{:032x}", 7) };
        Installation { id: Uuid::from_u128(7), starts: 3, left: Some(Left::Sealed(seal)) }
    }

    #[test]
    fn what_was_written_is_read_again_and_a_folder_without_it_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Installation::read(folder.path()).unwrap(), None);
        sample().write(folder.path()).unwrap();
        assert_eq!(Installation::read(folder.path()).unwrap(), Some(sample()));
        Installation::remove(folder.path()).unwrap();
        assert_eq!(Installation::read(folder.path()).unwrap(), None);
    }

    proptest! {
        #[test]
        fn a_changed_byte_never_makes_another_identity(place in any::<prop::sample::Index>(), flip in 1u8..) {
            let folder = tempfile::tempdir().unwrap();
            sample().write(folder.path()).unwrap();
            let path = folder.path().join(NAME);
            let mut bytes = fs::read(&path).unwrap();
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
            fs::write(&path, bytes).unwrap();
            match Installation::read(folder.path()) {
                Ok(read) => prop_assert_eq!(read, Some(sample()), "white space may change"),
                Err(error) => {
                    let damaged = matches!(error, InstallationError::Damaged { .. });
                    prop_assert!(damaged, "{}", error);
                }
            }
        }
    }
}
