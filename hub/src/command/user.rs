//! `user`: people who sign in.

use anyhow::Context;
use clap::{Args, Subcommand};
use lobby_contract::SiteId;
use lobby_domain::access::{Grant, Role};

use super::Stored;
use crate::{
    account,
    audit::Actor,
    backup::Say,
    clock::{Clock, SystemClock},
    store::{PersonError, PersonRow, Store},
};

/// Enters, lists, disables and enables the people who sign in, and grants them roles
#[derive(Debug, Args)]
pub struct User {
    #[command(subcommand)]
    what: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Enters somebody, and prints the link by which they choose their password alone on the last line; it is good once
    Create {
        /// What they sign in with: letters, digits, `.`, `-`, `_` and `@`
        #[arg(long)]
        login: String,
        /// What people call them [default: what they sign in with]
        #[arg(long)]
        name: Option<String>,
        /// What they are: viewer, concierge, showflat, reception, waterbar, passage, enquiry, engineering, leader, supervisor, manager or admin
        #[arg(long)]
        role: Role,
        /// The only site they work at [default: all]
        #[arg(long)]
        site: Option<SiteId>,
        #[command(flatten)]
        place: Stored,
    },
    /// Lists them
    List {
        #[command(flatten)]
        place: Stored,
    },
    /// Prints a new link by which somebody chooses a password, alone on the last line; an earlier link is no longer good
    Link {
        /// What they sign in with
        login: String,
        #[command(flatten)]
        place: Stored,
    },
    /// Lets somebody sign in no longer, and signs them out everywhere at once
    Disable {
        /// What they sign in with
        login: String,
        #[command(flatten)]
        place: Stored,
    },
    /// Erases somebody for good: their name, what they sign in with, password and sessions; what history has written down stays
    Erase {
        /// What they sign in with
        login: String,
        #[command(flatten)]
        place: Stored,
    },
    /// Grants somebody one more role, at one site or at all; what they hold already changes nothing
    Grant {
        /// What they sign in with
        login: String,
        #[command(flatten)]
        held: HeldArgs,
        #[command(flatten)]
        place: Stored,
    },
    /// Takes a role away that somebody holds, with all that it let them do, at once; what they do not hold changes nothing
    Revoke {
        /// What they sign in with
        login: String,
        #[command(flatten)]
        held: HeldArgs,
        #[command(flatten)]
        place: Stored,
    },
    /// Lets somebody sign in again
    Enable {
        /// What they sign in with
        login: String,
        #[command(flatten)]
        place: Stored,
    },
}

/// A role that somebody holds.
#[derive(Debug, Args)]
struct HeldArgs {
    /// The role: viewer, concierge, showflat, reception, waterbar, passage, enquiry, engineering, leader, supervisor, manager or admin
    #[arg(long)]
    role: Role,
    /// The only site at which it holds [default: all]
    #[arg(long)]
    site: Option<SiteId>,
}

impl HeldArgs {
    fn grant(&self) -> Grant {
        Grant { role: self.role, site: self.site.clone() }
    }
}

/// Who signs in with that name.
async fn named(store: &Store, login: &str) -> anyhow::Result<PersonRow> {
    let row = store.person_by_login(&account::login(login)?).await?;
    row.ok_or_else(|| PersonError::NotFound(login.to_owned())).context("`lobby-hub user list` shows everybody")
}

/// What somebody holds, in a line.
fn holds(row: &PersonRow) -> String {
    let held: Vec<String> = row.grants().map(ToString::to_string).collect();
    format!("{} is {}", row.name, held.join(", "))
}

impl User {
    /// Does it.
    pub async fn run(self, say: Say<'_>) -> anyhow::Result<()> {
        let (now, actor) = (SystemClock.now(), Actor::command());
        match self.what {
            UserCommand::Create { login, name, role, site, place } => {
                let (address, name) = (place.address()?, name.unwrap_or_else(|| login.clone()));
                let grant = Grant { role, site };
                let made = async |store: &Store| Ok(account::enter(store, (&login, &name), grant, now, &actor).await?);
                let (row, link) = place.with(made).await?;
                say(&format!(
                    "{} signs in as {}; by this link they choose their password within 3 days:",
                    row.name, row.login
                ));
                say(&format!("{address}/setup/{link}"));
            }
            UserCommand::List { place } => {
                let people = place.with(async |store: &Store| Ok(store.people().await?)).await?;
                if people.is_empty() {
                    say("nobody");
                }
                for row in people {
                    let state = match (row.disabled_at, row.has_password) {
                        (Some(_), _) if row.erased_at.is_some() => "erased",
                        (Some(_), _) => "disabled",
                        (None, true) => "can sign in",
                        (None, false) => "has not chosen a password",
                    };
                    let held = |grant: &Grant| {
                        format!("{}  {}", grant.role, grant.site.as_ref().map_or("all sites", SiteId::as_str))
                    };
                    let held = row.grants().map(held).collect::<Vec<_>>().join("  ");
                    say(&format!("{}  {}  {held}  {state}", row.login, row.name));
                }
            }
            UserCommand::Link { login, place } => {
                let address = place.address()?;
                let made = async |store: &Store| {
                    let row = named(store, &login).await?;
                    Ok(account::link(store, &row.id, now, &actor).await?)
                };
                let (row, link) = place.with(made).await?;
                say(&format!("by this link {} chooses a password within 3 days:", row.name));
                say(&format!("{address}/setup/{link}"));
            }
            UserCommand::Disable { login, place } => {
                let done = async |store: &Store| {
                    let row = named(store, &login).await?;
                    store.set_disabled(&row.id, true, now, &actor).await?;
                    Ok(row)
                };
                say(&format!("{} may no longer sign in", place.with(done).await?.name));
            }
            UserCommand::Erase { login, place } => {
                let done = async |store: &Store| {
                    let row = named(store, &login).await?;
                    Ok(store.erase_person(&row.id, now, &actor).await?)
                };
                say(&format!(
                    "from now on called {}; what history has written down stays as it was",
                    place.with(done).await?
                ));
            }
            UserCommand::Grant { login, held, place } => {
                let done = async |store: &Store| {
                    let row = named(store, &login).await?;
                    Ok(store.give_grant(&row.id, &held.grant(), now, &actor).await?)
                };
                say(&holds(&place.with(done).await?));
            }
            UserCommand::Revoke { login, held, place } => {
                let done = async |store: &Store| {
                    let row = named(store, &login).await?;
                    Ok(store.take_grant(&row.id, &held.grant(), now, &actor).await?)
                };
                say(&holds(&place.with(done).await?));
            }
            UserCommand::Enable { login, place } => {
                let done = async |store: &Store| {
                    let row = named(store, &login).await?;
                    store.set_disabled(&row.id, false, now, &actor).await?;
                    Ok(row)
                };
                say(&format!("{} may sign in again", place.with(done).await?.name));
            }
        }
        Ok(())
    }
}
