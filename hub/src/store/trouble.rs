//! What kind of trouble a failed statement tells of, so that the hub can do the right thing about it.

use super::{Store, StoreError};

/// The kinds of trouble with a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// There is no room on its disk.
    Full,
    /// It may not be written.
    ReadOnly,
    /// Its disk failed to read, write or make durable. Nothing that this connection remembers of the file can be trusted.
    Disk,
    /// It does not answer, is not there, or is held by somebody else.
    Lost,
    /// Anything else.
    Other,
}

impl StoreError {
    /// What kind of trouble this is.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Database { source, .. } => of(source),
            Self::Late { .. } | Self::Unreachable { .. } => Trouble::Lost,
            Self::Migrate(_) | Self::Url(_) | Self::Inconsistent { .. } => Trouble::Other,
        }
    }
}

fn of(error: &sqlx::Error) -> Trouble {
    match error {
        sqlx::Error::Database(error) => error.code().map_or(Trouble::Other, |code| by_code(&code)),
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => Trouble::Full,
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Protocol(_) => {
            Trouble::Lost
        }
        _ => Trouble::Other,
    }
}

/// `SQLSTATE` has five characters; an extended result code of SQLite is a number of at most four, whose low byte is the kind.
fn by_code(code: &str) -> Trouble {
    if code.len() == 5 {
        return match code {
            "53100" => Trouble::Full,
            "25006" => Trouble::ReadOnly,
            "58030" => Trouble::Disk,
            _ if ["08", "57", "53", "55"].contains(&&code[..2]) => Trouble::Lost,
            _ => Trouble::Other,
        };
    }
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(13) => Trouble::Full,
        Ok(8) => Trouble::ReadOnly,
        Ok(10 | 14) => Trouble::Disk,
        Ok(5 | 6) => Trouble::Lost,
        _ => Trouble::Other,
    }
}

impl Store {
    /// Gives up all connections, so that the next statement opens the database anew. After a failed write or sync a connection must
    /// not go on with what it remembers of the file, nor may one that could be opened for reading only.
    pub fn reopen(&self) {
        match self {
            Self::Sqlite(pool) => pool.give_up(),
            Self::Postgres(pool) => pool.give_up(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::sqlite_full("13", Trouble::Full)]
    #[case::sqlite_read_only_after_a_remount("1544", Trouble::ReadOnly)]
    #[case::sqlite_fsync_failed("1034", Trouble::Disk)]
    #[case::sqlite_write_failed("778", Trouble::Disk)]
    #[case::sqlite_cannot_open("14", Trouble::Disk)]
    #[case::sqlite_locked("5", Trouble::Lost)]
    #[case::sqlite_constraint("2067", Trouble::Other)]
    #[case::postgres_full("53100", Trouble::Full)]
    #[case::postgres_read_only("25006", Trouble::ReadOnly)]
    #[case::postgres_shutting_down("57P01", Trouble::Lost)]
    #[case::postgres_starting("57P03", Trouble::Lost)]
    #[case::postgres_unique("23505", Trouble::Other)]
    fn a_code_tells_the_kind_of_trouble(#[case] code: &str, #[case] trouble: Trouble) {
        assert_eq!(by_code(code), trouble);
    }
}
