//! The list of agents, and the page of one: its link, its ledger, and what it has lost.

use axum::{extract::State, response::Response};
use lobby_contract::{AgentId, SiteId};
use lobby_dashboards::{AgentPage, AgentsPage, Delivery, Loss, Page};
use lobby_domain::{
    agent::{Agent, Link},
    time::Timestamp,
};

use super::{App, Html, Open, PageError, Path, Reader, Scene, alerts::further, answer, engineering};
use crate::store::{Cursor, LostReason, LostRow};

/// Agents of one part of the list.
const AGENTS: usize = 100;
/// Lost ranges of one part of the list.
const LOSSES: i64 = 50;

/// The list.
pub(super) async fn list(State(app): State<App>, reader: Reader) -> Response {
    answer::answer(&app, &reader, async { agents(&app, &reader) }).await
}

/// One agent.
pub(super) async fn show(
    State(app): State<App>,
    reader: Reader,
    Path((site, agent)): Path<(String, String)>,
) -> Response {
    answer::answer(&app, &reader, agent_page(&app, &reader, &site, &agent)).await
}

fn agents(app: &App, reader: &Reader) -> Result<String, PageError> {
    let after = reader.asked.after.as_deref().filter(|after| !after.is_empty());
    // Neither name can hold a `.`, and both orders are those of the text.
    let after = after.map(|after| after.split_once('.').ok_or(PageError::BadRequest)).transpose()?;
    let nothing = Open::default();
    let page = Scene::with(app, reader, reader.site()?, &nothing, |scene| {
        let all = || scene.shown().flat_map(|site| site.agents().map(move |agent| (site, agent)));
        let count = |test: fn(&Agent) -> bool| {
            u32::try_from(all().filter(|(_, agent)| test(agent)).count()).unwrap_or(u32::MAX)
        };
        let part =
            all().filter(|(site, agent)| after.is_none_or(|after| (site.id.as_str(), agent.id.as_str()) > after));
        let mut part: Vec<_> = part.take(AGENTS + 1).collect();
        let more = part.len() > AGENTS;
        part.truncate(AGENTS);
        let last = part.last().filter(|_| more).map(|(site, agent)| format!("{}.{}", site.id, agent.id));
        Ok(AgentsPage {
            up: count(|agent| agent.link == Link::Up),
            down: count(|agent| matches!(agent.link, Link::Down { .. })),
            unverified: count(|agent| matches!(agent.link, Link::Suspect { .. } | Link::Unverified { .. })),
            agents: part.into_iter().map(|(site, agent)| engineering::row(scene, site, agent)).collect(),
            next: last.map(|last| further(reader, &last)),
            chrome: scene.chrome(Page::Agents),
        })
    })?;
    page.html(reader.fragment)
}

async fn agent_page(app: &App, reader: &Reader, site: &str, agent: &str) -> Result<String, PageError> {
    let (Ok(site), Ok(id)) = (site.parse::<SiteId>(), agent.parse::<AgentId>()) else {
        return Err(PageError::NotFound);
    };
    let after = reader.asked.after.as_deref().map(str::parse::<Cursor>).transpose()?;
    let (rows, next) = app.store.lost(&site, &id, after.as_ref(), LOSSES).await??;
    let nothing = Open::default();
    let page = Scene::with(app, reader, Some(site.clone()), &nothing, |scene| {
        let site = scene.site(&site).ok_or(PageError::NotFound)?;
        let agent = site.agent(&id).ok_or(PageError::NotFound)?;
        Ok(AgentPage {
            agent: engineering::row(scene, site, agent),
            epoch: agent.epoch,
            session: agent.session,
            delivery: delivery(scene, agent),
            losses: rows.iter().map(|row| loss(scene, row)).collect(),
            next: next.map(|next| further(reader, &next)),
            chrome: scene.chrome(Page::Agent),
        })
    })?;
    page.html(reader.fragment)
}

fn delivery(scene: &Scene<'_>, agent: &Agent) -> Delivery {
    let ledger = agent.ledger(scene.now);
    Delivery {
        produced: ledger.produced,
        stored: ledger.stored,
        missing: ledger.missing,
        missing_since: ledger.missing_since.map(|at| scene.when(at)),
        lost: ledger.lost,
        unreadable: ledger.unreadable,
        duplicates: ledger.duplicates,
        resends: ledger.resends,
        longest_delay_ms: ledger.longest_delay.millis(),
        longest_delay_day_ms: ledger.longest_delay_day.millis(),
        per_minute: agent.rate.per_minute(scene.now),
    }
}

fn loss(scene: &Scene<'_>, row: &LostRow) -> Loss {
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    Loss {
        epoch: number(row.epoch),
        first: number(row.from),
        last: number(row.to),
        unreadable: row.reason == LostReason::Unreadable,
        from: row.not_before.map(|at| scene.when(at)),
        to: scene.when(row.not_after),
    }
}

/// What was lost from `from` on, as far as it can be told when that was.
pub(super) fn losses(scene: &Scene<'_>, rows: &[LostRow], from: Timestamp) -> Vec<Loss> {
    let within = |row: &&LostRow| row.not_before.is_some() && row.not_after >= from;
    rows.iter().filter(within).map(|row| loss(scene, row)).collect()
}
