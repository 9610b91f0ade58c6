//! Credentials: read from a file or the environment at the moment of use, and never shown.

use std::{env, fmt, fs, io, path::PathBuf};

use serde::Deserialize;

/// Longest secret, in bytes: a wrong path must not read a disk image into memory.
const MAX_LEN: usize = 4096;

/// Where a secret is kept: `{ file = "path" }` or `{ env = "NAME" }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum SecretSource {
    /// In this file; one newline at its end is not part of the secret.
    File(PathBuf),
    /// In the environment variable of this name.
    Env(String),
}

/// A secret that has been read. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

/// Why a secret cannot be read. Never holds any of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("read the secret in {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The environment variable is not set, or not UTF-8.
    #[error("the environment variable `{0}` is not set to a text: set it, or use `{{ file = … }}`")]
    Env(String),
    /// The secret is empty.
    #[error("the secret in {0} is empty")]
    Empty(String),
    /// The secret is longer than any credential is.
    #[error("the secret in {0} has more than {MAX_LEN} bytes: is it the right one?")]
    TooLong(String),
}

impl SecretSource {
    /// Reads the secret now, so that a rotated one is taken up without a restart.
    pub fn read(&self) -> Result<Secret, SecretError> {
        let text = match self {
            Self::File(path) => {
                let failed = |source| SecretError::File { path: path.clone(), source };
                // The limit covers a longest secret and its line end, and one byte to see that there is more.
                let file = fs::File::open(path).map_err(failed)?;
                io::read_to_string(io::Read::take(file, MAX_LEN as u64 + 3)).map_err(failed)?
            }
            Self::Env(name) => env::var(name).map_err(|_| SecretError::Env(name.clone()))?,
        };
        let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        match text.len() {
            0 => Err(SecretError::Empty(self.to_string())),
            len if len > MAX_LEN => Err(SecretError::TooLong(self.to_string())),
            _ => Ok(Secret(text.into())),
        }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Env(name) => write!(f, "the environment variable `{name}`"),
        }
    }
}

impl Secret {
    /// The secret itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn in_file(content: &str) -> Result<Secret, SecretError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), content).unwrap();
        SecretSource::File(file.path().to_owned()).read()
    }

    #[rstest]
    #[case::bare("s3 cret")]
    #[case::unix_line("s3 cret\n")]
    #[case::windows_line("s3 cret\r\n")]
    fn a_secret_is_the_file_without_its_line_end(#[case] content: &str) {
        assert_eq!(in_file(content).unwrap().expose(), "s3 cret");
    }

    #[test]
    fn a_secret_of_the_greatest_length_is_accepted_and_a_longer_one_refused() {
        let longest = "x".repeat(MAX_LEN);
        assert_eq!(in_file(&format!("{longest}\r\n")).unwrap().expose(), longest);
        assert!(matches!(in_file(&format!("{longest}x")), Err(SecretError::TooLong(_))));
        assert!(matches!(in_file("\n"), Err(SecretError::Empty(_))));
    }

    #[test]
    fn debug_output_and_errors_show_nothing_of_a_secret() {
        let secret = in_file("hunter2").unwrap();
        assert!(!format!("{secret:?}").contains("hunter2"));
        let error = in_file(&"hunter2".repeat(1000)).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }

    #[test]
    fn an_unset_variable_is_named_in_the_error() {
        let error = SecretSource::Env("LOBBY_NO_SUCH_VARIABLE".into()).read().unwrap_err();
        assert!(error.to_string().contains("LOBBY_NO_SUCH_VARIABLE"));
    }
}
