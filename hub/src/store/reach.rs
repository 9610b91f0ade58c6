//! The first connection to PostgreSQL. What keeps it from being made is told so that a person can mend it: which database is meant, what
//! is wrong, and what to do.

use std::{fmt, io::ErrorKind, time::Duration};

use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};
use tokio::time::{Instant, sleep, timeout_at};

use super::{BUSY, StoreError};

/// Between two attempts while the server may just be starting.
const AGAIN: Duration = Duration::from_millis(250);

/// A database on a PostgreSQL server as people call it: HOST:PORT/NAME, without user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server(String);

impl Server {
    fn of(options: &PgConnectOptions) -> Self {
        let name = options.get_database().unwrap_or(options.get_username());
        match options.get_socket() {
            Some(socket) => Self(format!("{}/{name}", socket.display())),
            None => Self(format!("{}:{}/{name}", options.get_host(), options.get_port())),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes a connection. A server that does not listen yet, as both are started together, is waited for.
pub(crate) async fn reach(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    let until = Instant::now() + BUSY;
    let mut last = None;
    loop {
        let error = match timeout_at(until, options.connect()).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => last.take().unwrap_or_else(|| sqlx::Error::Io(ErrorKind::TimedOut.into())),
        };
        if !may_pass(&error) || Instant::now() + AGAIN >= until {
            let (what, advice) = (cause(&error), advice(&error, options));
            return Err(StoreError::Unreachable { server: Server::of(options), what, advice });
        }
        last = Some(error);
        sleep(AGAIN).await;
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// Whether it may be over in a moment.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => matches!(
            error.kind(),
            ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::NotFound
        ),
        // It is starting, or stopping.
        error => code(error).is_some_and(|code| code.starts_with("57P")),
    }
}

fn cause(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        sqlx::Error::Io(error) if error.kind() == ErrorKind::TimedOut => {
            format!("no answer within {} s", BUSY.as_secs())
        }
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Database(error) => error.message().to_owned(),
        error => format!("{error:#}"),
    }
}

fn advice(error: &sqlx::Error, options: &PgConnectOptions) -> String {
    match (error, code(error).as_deref()) {
        (sqlx::Error::Io(_), _) => {
            "see that PostgreSQL runs there and listens at that address, that no firewall is between, and that `database_url` names it"
                .to_owned()
        }
        (_, Some("28P01" | "28000")) => format!(
            "give the right password of user `{}` in `database_url`, PGPASSWORD or ~/.pgpass, and see that pg_hba.conf lets the user in",
            options.get_username()
        ),
        (_, Some("3D000")) => format!(
            "make it, for instance with `createdb --owner={} {}`, or name the right one in `database_url`",
            options.get_username(),
            options.get_database().unwrap_or(options.get_username())
        ),
        (_, Some("53300")) => "raise `max_connections` of the server, or end what holds its connections".to_owned(),
        (sqlx::Error::Tls(_) | sqlx::Error::Configuration(_), _) => {
            "see what `sslmode` and `sslrootcert` of `database_url` ask for, and what the server offers".to_owned()
        }
        _ => "the server's log says more".to_owned(),
    }
}
