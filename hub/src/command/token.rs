//! `token`: programs that use the API.

use anyhow::bail;
use clap::{Args, Subcommand};
use lobby_contract::SiteId;
use lobby_domain::{
    access::{Grant, Role},
    time::Span,
};

use super::{Stored, day};
use crate::{
    audit::Actor,
    backup::Say,
    clock::{Clock, SystemClock},
    store::Store,
    token,
};

/// The longest name of a token, in bytes.
const LONGEST_NAME: usize = 200;

/// Makes, lists and revokes the tokens with which programs use the API.
#[derive(Debug, Args)]
pub struct Token {
    #[command(subcommand)]
    what: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Makes a token, and prints it alone on the last line; it is never shown again
    Create {
        /// What it may do: viewer, concierge, showflat, reception, waterbar, passage, enquiry, engineering, leader, supervisor, manager or admin
        #[arg(long)]
        role: Role,
        /// The only site it is for [default: all]
        #[arg(long)]
        site: Option<SiteId>,
        /// What it is for, as lists and histories call it [default: the role]
        #[arg(long)]
        name: Option<String>,
        /// After how many days it is no longer good [default: never]
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3660))]
        days: Option<u32>,
        #[command(flatten)]
        place: Stored,
    },
    /// Lists the tokens, without themselves
    List {
        #[command(flatten)]
        place: Stored,
    },
    /// Revokes a token at once
    Revoke {
        /// Its id, as the list shows it
        id: String,
        #[command(flatten)]
        place: Stored,
    },
}

impl Token {
    /// Does it.
    pub async fn run(self, say: Say<'_>) -> anyhow::Result<()> {
        let (now, actor) = (SystemClock.now(), Actor::command());
        match self.what {
            TokenCommand::Create { role, site, name, days, place } => {
                let name = name.unwrap_or_else(|| role.to_string());
                if name.trim().is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
                    bail!("--name: use 1 to {LONGEST_NAME} bytes without control characters");
                }
                let expires_at = days.map(|days| now + Span::from_mins(days.saturating_mul(24 * 60)));
                let where_ = site.as_ref().map_or_else(|| "all sites".to_owned(), |site| format!("site {site}"));
                let grant = Grant { role, site };
                let made = async |store: &Store| Ok(token::create(store, name, grant, expires_at, now, &actor).await?);
                let (token, row) = place.with(made).await?;
                let until = row.expires_at.map_or_else(String::new, |until| format!(", until {}", day(until)));
                say(&format!("token {} for {role} at {where_}{until}; keep it, it is never shown again:", row.id));
                say(&token);
            }
            TokenCommand::List { place } => {
                let tokens = place.with(async |store: &Store| Ok(store.tokens().await?)).await?;
                if tokens.is_empty() {
                    say("no tokens");
                }
                for row in tokens {
                    let site = row.grant.site.as_ref().map_or("all sites", SiteId::as_str);
                    let state = match (row.revoked_at, row.expires_at) {
                        (Some(at), _) => format!("revoked {}", day(at)),
                        (None, Some(at)) if now >= at => format!("over since {}", day(at)),
                        (None, Some(at)) => format!("good until {}", day(at)),
                        (None, None) => "good".to_owned(),
                    };
                    let used =
                        row.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("used {}", day(at)));
                    say(&format!("{}  {}  {}  {site}  {state}  {used}", row.id, row.name, row.grant.role));
                }
            }
            TokenCommand::Revoke { id, place } => {
                if !place.with(async |store: &Store| Ok(store.revoke_token(&id, now, &actor).await?)).await? {
                    bail!("there is no token `{id}` to be revoked: `lobby-hub token list` shows them");
                }
                say(&format!("token {id} is revoked"));
            }
        }
        Ok(())
    }
}
