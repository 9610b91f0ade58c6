//! Keys, passwords and addresses that hold keys: kept in a file, in the environment or, for an address, in the configuration itself;
//! read at the moment of use, so that a changed one is taken up, and never shown.

use std::{
    env, fmt, fs, io,
    path::{Path, PathBuf},
};

/// The longest, in bytes: a wrong path must not read a disk image into memory.
const LONGEST: usize = 4096;

/// Where a secret is kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Kept {
    /// In the configuration.
    Here(Box<str>),
    /// In this file; the line end after it is not part of it.
    File(PathBuf),
    /// In the environment variable of this name.
    Env(String),
}

/// Why a secret cannot be read. Holds nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("{} cannot be read", shown(path))]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The variable is not set, or is no text.
    #[error("the environment variable {0} is not set to a text")]
    Env(String),
    /// It is empty, or longer than any secret.
    #[error("the secret in {0} is empty, or has more than {LONGEST} bytes")]
    Length(String),
}

/// The name of a file; not one that is an address, put there by mistake.
fn shown(path: &Path) -> String {
    let name = path.display().to_string();
    if name.contains("://") { "an address in the place of a file's name".to_owned() } else { name }
}

impl Kept {
    /// Reads it now.
    pub fn read(&self) -> Result<String, SecretError> {
        let text = match self {
            Self::Here(text) => return Ok(text.to_string()),
            Self::File(path) => {
                let failed = |source| SecretError::File { path: path.clone(), source };
                let file = fs::File::open(path).map_err(failed)?;
                io::read_to_string(io::Read::take(file, LONGEST as u64 + 3)).map_err(failed)?
            }
            Self::Env(name) => env::var(name).map_err(|_| SecretError::Env(name.clone()))?,
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() || text.len() > LONGEST {
            return Err(SecretError::Length(format!("{self:?}")));
        }
        Ok(text.to_owned())
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(_) => f.write_str("…"),
            Self::File(path) => f.write_str(&shown(path)),
            Self::Env(name) => write!(f, "the environment variable {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_from_its_file_without_the_line_end_and_is_shown_nowhere() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "hunter2\r\n").unwrap();
        assert_eq!(Kept::File(file.path().into()).read().unwrap(), "hunter2");
        assert!(!format!("{:?}", Kept::Here("hunter2".into())).contains("hunter2"));
        fs::write(file.path(), "hunter2".repeat(1000)).unwrap();
        let error = Kept::File(file.path().into()).read().unwrap_err();
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{error}");
        assert!(Kept::Env("LOBBY_NO_SUCH_VARIABLE".into()).read().is_err());
    }
}
