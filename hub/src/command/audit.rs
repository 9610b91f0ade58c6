//! `audit`: what people and programs have changed.

use std::fmt::Write as _;

use anyhow::anyhow;
use clap::{Args, Subcommand};

use super::Stored;
use crate::{
    audit::Entry,
    backup::Say,
    store::{AuditFilter, Store},
};

/// Verifies and lists the audit log of what people and programs have changed.
#[derive(Debug, Args)]
pub struct Audit {
    #[command(subcommand)]
    what: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Walks through the whole log, and prints its last number and hash or the first entry that is not as it was written; then the exit
    /// code is 1
    Verify {
        #[command(flatten)]
        place: Stored,
    },
    /// Prints the newest entries, the oldest of them first, with times in UTC
    List {
        /// How many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        last: u32,
        #[command(flatten)]
        place: Stored,
    },
}

impl Audit {
    /// Does it.
    pub async fn run(self, say: Say<'_>) -> anyhow::Result<()> {
        match self.what {
            AuditCommand::Verify { place } => {
                let end = place.with(async |store: &Store| Ok(store.verify_audit().await?)).await?;
                let end = end.map_err(|broken| anyhow!("the audit log is not whole: {broken}"))?;
                let (count, hash) = (end.no, end.hash);
                say(&format!("{count} entries of the audit log are whole; the last hash is {hash}"));
            }
            AuditCommand::List { last, place } => {
                let filter = AuditFilter::default();
                let read = async |store: &Store| Ok(store.audit_log(&filter, None, i64::from(last)).await??.0);
                for entry in place.with(read).await?.iter().rev() {
                    say(&line(entry));
                }
            }
        }
        Ok(())
    }
}

/// An entry on one line, whatever the texts in it hold.
fn line(entry: &Entry) -> String {
    let at = jiff::Timestamp::from_millisecond(entry.at.millis()).unwrap_or_default();
    let site = entry.site.as_deref().unwrap_or("-");
    let mut line = format!(
        "{}  {}  {} {:?}  {site:?}  {} {:?}",
        entry.no,
        at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        entry.actor_kind,
        entry.actor,
        entry.action,
        entry.subject
    );
    for (word, text) in [("before", &entry.before), ("after", &entry.after)] {
        if let Some(text) = text {
            // Writing into a text cannot fail.
            let _ = write!(line, "  {word} {text:?}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Mutex};

    use clap::Parser;

    use super::*;
    use crate::command::Token;

    /// The command line after `lobby-hub`.
    #[derive(Debug, Parser)]
    enum Line {
        Audit(Audit),
        Token(Token),
    }

    async fn run(line: &str, data: &Path) -> anyhow::Result<String> {
        let words = ["lobby-hub"].into_iter().chain(line.split(' ')).map(Into::into);
        let line = Line::parse_from(words.chain(["--data-dir".into(), data.as_os_str().to_owned()]));
        let said = Mutex::new(String::new());
        let say = |text: &str| said.lock().unwrap().extend([text, "\n"]);
        match line {
            Line::Audit(audit) => audit.run(&say).await?,
            Line::Token(token) => token.run(&say).await?,
        }
        Ok(said.into_inner().unwrap())
    }

    #[tokio::test]
    async fn a_log_is_verified_and_listed_and_what_was_done_to_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        let none = run("audit verify", data).await.unwrap();
        assert!(none.starts_with("0 entries of the audit log are whole; the last hash is 000000"), "{none}");
        for name in ["one", "two", "three"] {
            run(&format!("token create --role viewer --site demo --name {name}"), data).await.unwrap();
        }
        let whole = run("audit verify", data).await.unwrap();
        assert!(whole.starts_with("3 entries of the audit log are whole; the last hash is "), "{whole}");
        let listed = run("audit list --last 2", data).await.unwrap();
        let lines: Vec<&str> = listed.lines().collect();
        assert!(lines.len() == 2 && lines[0].starts_with("2  20") && lines[1].starts_with("3  20"), "{listed}");
        assert!(lines[1].contains("command \"uid ") && lines[1].contains("after \"three: viewer\""), "{listed}");

        let store = Store::open(&format!("sqlite://{}", data.join("lobby.db").display())).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let damage = "DROP TRIGGER audit_is_not_changed; UPDATE audit SET actor = 'nobody' WHERE no = 2";
        crate::store::on!(&mut tx, "damage the log", conn => sqlx::raw_sql(damage).execute(conn).await.map(drop))
            .unwrap();
        tx.commit().await.unwrap();
        store.close().await;
        // What is not written in the data folder by a hub would be told as such.
        std::fs::remove_file(data.join("installation.json")).unwrap();
        let refused = run("audit verify", data).await.unwrap_err();
        assert!(
            format!("{refused:#}").contains("the audit log is not whole: entry 2 is not what was written"),
            "{refused:#}"
        );
    }
}
