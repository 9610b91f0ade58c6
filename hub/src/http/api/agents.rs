//! Agents: whether they are there, and what has become of their records.

use axum::{Json, extract::State};
use lobby_contract::{AgentId, SiteId};
use lobby_domain::{
    agent::{self, Agent, Link},
    delivery::Stream,
    ledger,
    site::Site,
    time::{Span, Timestamp},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{About, ApiError, App, Page, Path, Policy, Query, Routes, cursor, limit, name};
use crate::store::{Cursor, LostRow};

/// Most epochs that are told one by one, the newest first.
const EPOCHS: usize = 20;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/agents", Policy::read(About::List), list_agents)
        .get("/api/v1/agents/{site}/{id}", Policy::read(About::Site), show_agent)
        .get("/api/v1/agents/{site}/{id}/lost", Policy::read(About::Site), list_lost)
}

/// An agent and the delivery of its records.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct AgentReport {
    site: String,
    id: String,
    /// unverified, up, suspect or down.
    link: &'static str,
    /// Since when, in ms since 1970 UTC; for `down` since it was last heard of.
    since: Option<i64>,
    /// When it was last heard of.
    last_seen: Option<i64>,
    version: String,
    /// Its current run.
    epoch: u64,
    /// Its current connection.
    session: u32,
    /// The shortest heartbeat of its devices.
    heartbeat_ms: i64,
    /// How far its clock is behind the hub's; negative if ahead.
    clock_behind_ms: i64,
    /// Whether it is too far off to be believed.
    clock_suspect: bool,
    /// How many devices it announces.
    devices: u64,
    /// About how many records it holds that are not in the database; null until its first birth since the hub's start.
    backlog: Option<u64>,
    /// The mean of the last five minutes; null during the first.
    records_per_minute: Option<f64>,
    ledger: Ledger,
    /// Its last runs one by one, the newest first. Only where one agent is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    epochs: Vec<EpochLedger>,
}

/// What has become of records. `produced = stored + missing + lost + unreadable`.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Ledger {
    /// Records the agent is known to have made.
    produced: u64,
    /// Those in the database.
    stored: u64,
    /// Those that are waited for.
    missing: u64,
    /// Since when something has been missing without a break.
    missing_since: Option<i64>,
    /// Those the agent no longer has.
    lost: u64,
    /// Those that came and could not be read.
    unreadable: u64,
    /// Repeats refused.
    duplicates: u64,
    /// How often the agent was asked to send something again.
    resends: u64,
    /// The longest time from a probe to its record's receipt.
    longest_delay_ms: i64,
    /// The same of the last day.
    longest_delay_day_ms: i64,
}

/// The ledger of one run of an agent.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct EpochLedger {
    epoch: u64,
    /// The highest number heard of.
    heard: u64,
    /// The number up to which nothing is missing; null while the first one is still open.
    committed: Option<u64>,
    ledger: Ledger,
}

/// Records that will never come.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct LostRange {
    epoch: i64,
    /// The first.
    from: i64,
    /// The last.
    to: i64,
    /// gone or unreadable.
    reason: &'static str,
    /// When the hub learnt of it.
    told_at: i64,
    /// The probe of the stored record before them: they were made no earlier. Null if there is none.
    not_before: Option<i64>,
    /// They were made no later.
    not_after: i64,
}

/// Which agents are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct AgentQuery {
    /// Of this site only.
    site: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Items of a page, 1 to 1000, usually 100.
    limit: Option<i64>,
}

/// Which part of a list is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct LostQuery {
    /// The `next` of the page before.
    after: Option<String>,
    /// Items of a page, 1 to 1000, usually 100.
    limit: Option<i64>,
}

impl From<ledger::Ledger> for Ledger {
    fn from(ledger: ledger::Ledger) -> Self {
        Self {
            produced: ledger.produced,
            stored: ledger.stored,
            missing: ledger.missing,
            missing_since: ledger.missing_since.map(Timestamp::millis),
            lost: ledger.lost,
            unreadable: ledger.unreadable,
            duplicates: ledger.duplicates,
            resends: ledger.resends,
            longest_delay_ms: ledger.longest_delay.millis(),
            longest_delay_day_ms: ledger.longest_delay_day.millis(),
        }
    }
}

impl EpochLedger {
    fn of(epoch: u64, stream: &Stream, now: Timestamp) -> Self {
        let heard = stream.tally().heard;
        Self { epoch, heard, committed: stream.committed(), ledger: stream.ledger(now).into() }
    }
}

impl AgentReport {
    fn of(site: &Site, agent: &Agent, now: Timestamp) -> Self {
        let devices = site.devices().filter(|device| device.announced && device.agent == agent.id).count();
        Self {
            site: site.id.to_string(),
            id: agent.id.to_string(),
            link: agent.link.word().as_str(),
            since: since(agent).map(Timestamp::millis),
            last_seen: agent.last_seen.map(Timestamp::millis),
            version: agent.version.to_string(),
            epoch: agent.epoch,
            session: agent.session,
            heartbeat_ms: Span::millis(agent.heartbeat),
            clock_behind_ms: agent.clock.behind_millis(),
            clock_suspect: agent.clock.is_suspect(),
            devices: u64::try_from(devices).unwrap_or(u64::MAX),
            backlog: agent.backlog(now),
            records_per_minute: agent.rate.per_minute(now),
            ledger: agent.ledger(now).into(),
            epochs: Vec::new(),
        }
    }
}

fn since(agent: &Agent) -> Option<Timestamp> {
    match agent.link {
        Link::Up => agent.up_since,
        agent::Link::Unverified { since } | Link::Suspect { since } | Link::Down { since } => Some(since),
    }
}

impl From<LostRow> for LostRange {
    fn from(row: LostRow) -> Self {
        Self {
            epoch: row.epoch,
            from: row.from,
            to: row.to,
            reason: row.reason.as_str(),
            told_at: row.told_at.millis(),
            not_before: row.not_before.map(Timestamp::millis),
            not_after: row.not_after.millis(),
        }
    }
}

/// Agents by site and name.
#[utoipa::path(get, path = "/api/v1/agents", tag = "agents", params(AgentQuery),
    responses((status = 200, body = Page<AgentReport>), (status = 400, description = "A parameter is not valid")))]
pub(in crate::http) async fn list_agents(
    State(app): State<App>,
    Query(query): Query<AgentQuery>,
) -> Result<Json<Page<AgentReport>>, ApiError> {
    let wanted: Option<SiteId> = name("site", query.site.as_deref())?;
    let limit = usize::try_from(limit(query.limit)?).unwrap_or(usize::MAX);
    let after = query.after.as_deref().filter(|after| !after.is_empty());
    // Neither name can hold a `.`, and both orders are those of the text.
    let after =
        after.map(|after| after.split_once('.').ok_or(ApiError::from(crate::store::CursorError))).transpose()?;
    let now = app.clock.now();
    let sites = app.fleet.read();
    let agents = sites
        .values()
        .filter(|site| wanted.as_ref().is_none_or(|wanted| *wanted == site.id))
        .flat_map(|site| site.agents().map(move |agent| (site, agent)))
        .filter(|(site, agent)| after.is_none_or(|after| (site.id.as_str(), agent.id.as_str()) > after));
    let mut items: Vec<AgentReport> =
        agents.take(limit + 1).map(|(site, agent)| AgentReport::of(site, agent, now)).collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| format!("{}.{}", last.site, last.id));
    Ok(Json(Page { items, next }))
}

/// One agent.
#[utoipa::path(get, path = "/api/v1/agents/{site}/{id}", tag = "agents",
    params(("site" = String, Path, description = "The site"), ("id" = String, Path, description = "The agent")),
    responses((status = 200, body = AgentReport), (status = 404, description = "There is no such agent")))]
pub(in crate::http) async fn show_agent(
    State(app): State<App>,
    Path((site, id)): Path<(String, String)>,
) -> Result<Json<AgentReport>, ApiError> {
    let now = app.clock.now();
    let sites = app.fleet.read();
    let site = site.parse::<SiteId>().ok().and_then(|site| sites.get(&site));
    let agent = id.parse::<AgentId>().ok().and_then(|id| site?.agent(&id));
    let (agent, site) = agent.zip(site).ok_or(ApiError::NotFound("agent"))?;
    let mut report = AgentReport::of(site, agent, now);
    let newest = agent.streams.iter().rev().take(EPOCHS);
    report.epochs = newest.map(|(epoch, stream)| EpochLedger::of(*epoch, stream, now)).collect();
    Ok(Json(report))
}

/// What an agent has lost, the newest first.
#[utoipa::path(get, path = "/api/v1/agents/{site}/{id}/lost", tag = "agents",
    params(("site" = String, Path, description = "The site"), ("id" = String, Path, description = "The agent"), LostQuery),
    responses((status = 200, body = Page<LostRange>), (status = 400, description = "A parameter is not valid"),
        (status = 404, description = "There is no such agent")))]
pub(in crate::http) async fn list_lost(
    State(app): State<App>,
    Path((site, id)): Path<(String, String)>,
    Query(query): Query<LostQuery>,
) -> Result<Json<Page<LostRange>>, ApiError> {
    let (Ok(site), Ok(id)) = (site.parse::<SiteId>(), id.parse::<AgentId>()) else {
        return Err(ApiError::NotFound("agent"));
    };
    if app.fleet.read().get(&site).and_then(|site| site.agent(&id)).is_none() {
        return Err(ApiError::NotFound("agent"));
    }
    let (rows, next) =
        app.store.lost(&site, &id, cursor(query.after.as_deref())?.as_ref(), limit(query.limit)?).await??;
    let items = rows.into_iter().map(LostRange::from).collect();
    Ok(Json(Page { items, next: next.as_ref().map(Cursor::to_string) }))
}
