//! `roster`: who is on duty.

use std::{fs, path::PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use jiff::{
    ToSpan,
    civil::{Date, Time},
};
use lobby_contract::SiteId;
use lobby_domain::{
    calendar::local,
    roster::{Changes, Duty, instant},
};

use super::Stored;
use crate::{
    audit::Actor,
    backup::Say,
    clock::{Clock, SystemClock},
    config::{Config, File, Overrides},
    fleet::Setup,
    roster::{Words, stretch},
    store::Store,
};

/// Imports, lists and checks who is on duty at which post
#[derive(Debug, Args)]
pub struct Roster {
    #[command(subcommand)]
    what: RosterCommand,
}

#[derive(Debug, Subcommand)]
enum RosterCommand {
    /// Imports a table: what it says of its days and posts holds from now on, instead of what was planned for them
    ///
    /// The table is CSV in UTF-8 with the heading `date,post,shift,person` (or 日期,岗位,班次,人员), and a line for each duty such as
    /// `2026-12-01,concierge,early,wang.li`. A shift is one of `[site.SITE.shifts]` in the configuration, or its hours such as
    /// `22:00-06:00`. A person is named by what they sign in with. A line without shift and person says that nobody is there that day.
    /// What has been is never changed.
    Import {
        /// The table
        file: PathBuf,
        /// The site
        #[arg(long)]
        site: SiteId,
        /// Says what would change, and changes nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        place: Stored,
    },
    /// Lists who is on duty
    List {
        /// The site [default: all that have a roster]
        #[arg(long)]
        site: Option<SiteId>,
        /// The first day, such as 2026-12-01 [default: today]
        #[arg(long)]
        from: Option<Date>,
        /// The last day [default: six days after the first]
        #[arg(long)]
        until: Option<Date>,
        #[command(flatten)]
        place: Stored,
    },
    /// Says when a post has nobody in the next 7 days; the exit code is 1 if there is such a time
    Check {
        /// The site
        #[arg(long)]
        site: SiteId,
        /// A post that must have somebody, and may be given several times [default: all that the roster names]
        #[arg(long)]
        post: Vec<String>,
        #[command(flatten)]
        place: Stored,
    },
}

/// What the configuration says of sites and standards.
fn setup(place: &Stored) -> anyhow::Result<Setup> {
    let file = place.config.as_deref().map_or_else(|| Ok(File::default()), File::read)?;
    let config = Config::new(file, Overrides::default())?;
    Ok(Setup { pack: config.pack, sites: config.sites, zone: config.zone })
}

/// Refuses a site that neither the configuration nor the database knows.
async fn known(store: &Store, setup: &Setup, site: &SiteId) -> anyhow::Result<()> {
    if setup.sites.contains_key(site) || store.sites().await?.contains(site) {
        return Ok(());
    }
    bail!(
        "there is no site `{site}`: it stands neither in the configuration as [site.{site}], nor has anything reported from it"
    )
}

impl Roster {
    /// Does it.
    pub async fn run(self, say: Say<'_>) -> anyhow::Result<()> {
        match self.what {
            RosterCommand::Import { file, site, dry_run, place } => import(say, place, &site, &file, dry_run).await,
            RosterCommand::List { site, from, until, place } => list(say, place, site, (from, until)).await,
            RosterCommand::Check { site, post, place } => check(say, place, &site, post).await,
        }
    }
}

async fn import(say: Say<'_>, place: Stored, site: &SiteId, file: &PathBuf, dry_run: bool) -> anyhow::Result<()> {
    let (setup, now) = (setup(&place)?, SystemClock.now());
    let table = fs::read(file).with_context(|| format!("{}: the file cannot be read", file.display()))?;
    let done = async |store: &Store| {
        known(store, &setup, site).await?;
        let words = Words::of(store, &setup, site).await?;
        let plan = words.read(&table).map_err(|mistakes| {
            let lines: Vec<String> = mistakes.iter().map(|mistake| format!("{}:{mistake}", file.display())).collect();
            anyhow::anyhow!("nothing was imported:\n{}", lines.join("\n"))
        })?;
        let changes = if dry_run {
            store.roster_changes(site, &plan, now).await?
        } else {
            store.import_roster(site, &plan, now, &Actor::command()).await?
        };
        Ok((words, changes))
    };
    let (words, changes) = place.with(done).await?;
    tell(say, &words, &changes);
    let how = if dry_run { " would be" } else { "" };
    if changes.is_empty() {
        say("no change");
    } else {
        say(&format!("{} duties{how} added, {}{how} taken away", changes.begins.len(), changes.ends.len()));
    }
    Ok(())
}

fn tell(say: Say<'_>, words: &Words, changes: &Changes) {
    for (sign, duties) in [('-', &changes.ends), ('+', &changes.begins)] {
        for duty in duties {
            say(&format!("{sign} {}", line(words, duty)));
        }
    }
    if changes.over > 0 {
        say(&format!("{} duties of the table are over and were left out: what has been is not changed", changes.over));
    }
}

fn line(words: &Words, duty: &Duty) -> String {
    let (day, from, until) = stretch(&words.zone, duty.from, duty.until);
    format!("{day}  {from} - {until}  {}  {}", duty.post, duty.who.name)
}

async fn list(
    say: Say<'_>,
    place: Stored,
    site: Option<SiteId>,
    (from, until): (Option<Date>, Option<Date>),
) -> anyhow::Result<()> {
    let (setup, now) = (setup(&place)?, SystemClock.now());
    let read = async |store: &Store| {
        let sites = match site {
            Some(site) => [site].into(),
            None => store.sites_with_roster().await?,
        };
        let mut lists = Vec::new();
        for site in sites {
            known(store, &setup, &site).await?;
            let words = Words::of(store, &setup, &site).await?;
            let first = from.unwrap_or_else(|| local(now, &words.zone).date());
            let last = until.unwrap_or_else(|| first.saturating_add(6.days()));
            let [begin, end] =
                [first, last.saturating_add(1.day())].map(|day| instant(day, Time::midnight(), &words.zone));
            let (Some(begin), Some(end)) = (begin, end) else { bail!("these days are beyond every calendar") };
            lists.push((store.duties(&site, begin, end).await?, words, site));
        }
        Ok(lists)
    };
    let lists = place.with(read).await?;
    if lists.iter().all(|(rows, ..)| rows.is_empty()) {
        say("nobody is on duty");
    }
    for (rows, words, site) in lists {
        for row in rows {
            let gone = if row.disabled_at.is_some() { "  (disabled)" } else { "" };
            say(&format!("{site}  {}{gone}", line(&words, &row.duty)));
        }
    }
    Ok(())
}

async fn check(say: Say<'_>, place: Stored, site: &SiteId, posts: Vec<String>) -> anyhow::Result<()> {
    let (setup, now) = (setup(&place)?, SystemClock.now());
    if let Some(unknown) = posts.iter().find(|post| !setup.pack.posts.contains_key(post.as_str())) {
        let known: Vec<&str> = setup.pack.posts.keys().map(|post| &**post).collect();
        bail!("there is no post `{unknown}`: use {}", known.join(", "));
    }
    let posts: Vec<Box<str>> = posts.into_iter().map(Into::into).collect();
    let look = async |store: &Store| {
        known(store, &setup, site).await?;
        Ok(store.coming(site, &posts, now).await?)
    };
    let Some(coming) = place.with(look).await? else {
        bail!("{site} has no roster: `lobby-hub roster import` makes one");
    };
    let zone = setup.zone_of(site);
    for gap in &coming.gaps {
        let (day, from, until) = stretch(&zone, gap.from, gap.until);
        say(&format!("{day}  {from} - {until}  {}", gap.post));
    }
    match coming.gaps.len() {
        0 => say(&format!("somebody is on duty at {} for 7 days", coming.posts.join(", "))),
        gaps => bail!("times in the next 7 days without anybody on duty at a post: {gaps}"),
    }
    Ok(())
}
