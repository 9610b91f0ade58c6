//! What the configuration says about an external broker.

use std::{fmt, path::PathBuf};

use lobby_domain::time::Span;
use serde::Deserialize;

use crate::mqtt::StartError;

/// An MQTT 5 broker that runs elsewhere, such as Mosquitto or EMQX. The hub keeps two connections to it: one takes in, under
/// `client_id`, and one sends, under `client_id` with `-tx`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalSettings {
    /// Name or address of the broker.
    pub host: String,
    /// Its port; without it 1883, or 8883 with `tls`.
    #[serde(default)]
    pub port: Option<u16>,
    /// The hub's client id. It must stay the same, as the broker keeps what is not yet acknowledged under it, and it must be this
    /// hub's alone.
    #[serde(default = "client_id")]
    pub client_id: String,
    /// User name, if the broker asks for one.
    #[serde(default)]
    pub username: Option<String>,
    /// File that holds the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Environment variable that holds the password, if there is no file.
    #[serde(default)]
    pub password_env: Option<String>,
    /// TLS to the broker.
    #[serde(default)]
    pub tls: Option<ExternalTls>,
    /// Most messages the broker may send before the hub has stored the first of them (1 to 1000).
    #[serde(default = "receive_maximum")]
    pub receive_maximum: u16,
    /// How often a silent connection is tried (`5s` to `10m`).
    #[serde(default = "keep_alive")]
    pub keep_alive: Span,
    /// How long the broker keeps messages for a hub that is away (up to `30d`).
    #[serde(default = "session_expiry")]
    pub session_expiry: Span,
}

/// TLS to an external broker.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExternalTls {
    /// PEM file of the authorities to trust; without it, the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the hub's own certificate, if the broker asks for one.
    pub cert_file: Option<PathBuf>,
    /// PEM file of its private key.
    pub key_file: Option<PathBuf>,
    /// The name the broker's certificate must carry; without it, `host`.
    pub server_name: Option<String>,
}

fn client_id() -> String {
    "lobby-hub".to_owned()
}

const fn receive_maximum() -> u16 {
    100
}

const fn keep_alive() -> Span {
    // A frozen broker must be noticed before the silence of agents could be taken for theirs.
    Span::from_secs(5)
}

const fn session_expiry() -> Span {
    Span::from_mins(60)
}

/// User and password; shown nowhere.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl ExternalSettings {
    /// What is out of bounds.
    pub(crate) fn mistakes(&self) -> Vec<StartError> {
        let bounds = |key, value: i64, least: i64, most: i64, wanted| {
            let found = value.unsigned_abs();
            (!(least..=most).contains(&value)).then_some(StartError::Bounds { key, found, wanted })
        };
        let wrong = [
            bounds("receive_maximum", self.receive_maximum.into(), 1, 1000, "1 to 1000"),
            bounds("keep_alive", self.keep_alive.millis(), 5000, 600_000, "5000 to 600000 ms"),
            bounds("session_expiry", self.session_expiry.millis(), 0, 30 * 86_400_000, "up to 30 days in ms"),
        ];
        wrong.into_iter().flatten().collect()
    }

    pub(super) fn check(&self) -> Result<(), StartError> {
        self.mistakes().into_iter().next().map_or(Ok(()), Err)
    }

    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(if self.tls.is_some() { 8883 } else { 1883 })
    }

    /// The user with the password from its file or variable; a user without either has an empty password.
    pub(super) fn credentials(&self) -> Result<Option<Credentials>, StartError> {
        let Some(username) = self.username.clone() else { return Ok(None) };
        let password = match (&self.password_file, &self.password_env) {
            (Some(path), _) => std::fs::read_to_string(path)
                .map_err(|source| StartError::Password { place: path.display().to_string(), source })?,
            (None, Some(name)) => std::env::var(name).map_err(|error| StartError::Password {
                place: format!("the environment variable {name}"),
                source: std::io::Error::new(std::io::ErrorKind::NotFound, variable_trouble(&error)),
            })?,
            (None, None) => String::new(),
        };
        Ok(Some(Credentials { username, password: password.trim_end_matches(['\r', '\n']).to_owned() }))
    }
}

/// What is wrong with a variable, without its value, which the error would show.
fn variable_trouble(error: &std::env::VarError) -> &'static str {
    match error {
        std::env::VarError::NotPresent => "it is not set",
        std::env::VarError::NotUnicode(_) => "it is not UTF-8",
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_password_comes_from_its_file_and_is_shown_nowhere() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hunter2\n").unwrap();
        let text = format!("host = 'broker'\nusername = 'hub'\npassword_file = {:?}", file.path());
        let settings: ExternalSettings = toml::from_str(&text).unwrap();
        let credentials = settings.credentials().unwrap().unwrap();
        assert_eq!((credentials.username.as_str(), credentials.password.as_str()), ("hub", "hunter2"));
        assert!(!format!("{settings:?}{credentials:?}").contains("hunter2"));
    }

    #[rstest]
    #[case::nothing_at_once("receive_maximum = 0")]
    #[case::too_much_at_once("receive_maximum = 1001")]
    #[case::restless("keep_alive = '4s'")]
    #[case::for_ever("session_expiry = '31d'")]
    fn a_value_out_of_bounds_is_refused_by_name(#[case] line: &str) {
        let settings: ExternalSettings = toml::from_str(&format!("host = 'broker'\n{line}")).unwrap();
        let refused = settings.check().unwrap_err().to_string();
        assert!(refused.contains(line.split(' ').next().unwrap()), "{refused}");
    }
}
