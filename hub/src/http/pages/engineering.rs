//! Engineering's board: the queue of tickets, the open alerts, and the agents.

use axum::{extract::State, response::Response};
use lobby_dashboards::{
    Action, AgentRow, EngineeringPage, Link, Newcomer, Page, Priority, QueueGroup, QueueStage, QueueTicket,
};
use lobby_domain::{
    agent::{self, Agent},
    alert::Subject,
    device::Life,
    site::Site,
    ticket::{self, queue::Group},
};

use super::{App, Html, Open, PageError, Reader, Scene, alerts, answer::answer, incident};
use crate::store::{QueueCounts, TicketRow};

/// The most alerts listed; the page of alerts has all.
const MOST_ALERTS: i64 = 30;
/// The most agents listed; the page of agents has all.
const MOST_AGENTS: usize = 30;

/// The most tickets of a group while all groups are listed.
const MOST_TICKETS: i64 = 20;
/// Tickets on one page of a group.
const PART: i64 = 100;

/// What must be done next?
pub(super) async fn show(State(app): State<App>, reader: Reader) -> Response {
    answer(&app, &reader, page(&app, &reader)).await
}

async fn page(app: &App, reader: &Reader) -> Result<String, PageError> {
    let (site, now) = (reader.site()?, app.clock.now());
    let only = reader.asked.state.as_deref().map(|name| Group::from_text(name).ok_or(PageError::BadRequest));
    let only = only.transpose()?;
    let skip = match (only, reader.asked.after.as_deref()) {
        (Some(_), Some(after)) => after.parse::<u32>().map_err(|_| PageError::BadRequest)?.into(),
        _ => 0,
    };
    let most = if only.is_some() { PART } else { MOST_TICKETS };
    let mut groups = Vec::new();
    for group in Group::ALL.into_iter().filter(|group| only.is_none_or(|only| only == *group)) {
        let tickets = app.store.queue(site.as_ref(), group, (skip, most), now).await?;
        groups.push((group, tickets.len(), tickets));
    }
    let tickets = groups.iter_mut().flat_map(|(.., tickets)| std::mem::take(tickets)).collect();
    let open = Open::queue(&app.store, site.as_ref(), tickets, MOST_ALERTS, now).await?;
    let page = Scene::with(app, reader, site, &open, |scene| {
        let mut tickets = scene.open.tickets.iter();
        let queue = groups.iter().map(|(group, count, _)| {
            let listed = tickets.by_ref().take(*count).map(|ticket| queued(scene, ticket)).collect();
            (*group, listed)
        });
        Ok(build(scene, queue.collect(), skip))
    })?;
    page.html(reader.fragment)
}

fn build(scene: &Scene<'_>, queue: Vec<(Group, Vec<QueueTicket>)>, skip: i64) -> EngineeringPage {
    let mut agents: Vec<_> = scene.shown().flat_map(|site| site.agents().map(move |agent| (site, agent))).collect();
    agents.sort_by_key(|(_, agent)| matches!(agent.link, agent::Link::Up));
    let counts = QueueCounts::sum(scene.open.queued.values());
    let chrome = scene.chrome(Page::Engineering);
    let group = |(group, tickets): (Group, Vec<QueueTicket>)| {
        let (count, seen) = (counts.of(group), skip + i64::try_from(tickets.len()).unwrap_or(i64::MAX));
        let site = scene.chosen().map(|site| format!("site={site}&")).unwrap_or_default();
        let more = format!("/engineering?{site}state={}&after={seen}", group.as_str());
        QueueGroup { stage: stage(group), count, tickets, more: (seen < count.into()).then_some(more) }
    };
    EngineeringPage {
        queue: queue.into_iter().map(group).collect(),
        counts: counts.groups,
        overdue: counts.overdue,
        alerts: scene.open.alerts.iter().map(|alert| alerts::row(scene, alert)).collect(),
        alerts_open: scene.open.alert_count,
        newcomers: scene.shown().flat_map(|site| newcomers(scene, site)).collect(),
        agents_known: u32::try_from(agents.len()).unwrap_or(u32::MAX),
        agents: agents.into_iter().take(MOST_AGENTS).map(|(site, agent)| row(scene, site, agent)).collect(),
        chrome,
    }
}

const fn stage(group: Group) -> QueueStage {
    match group {
        Group::Due => QueueStage::Due,
        Group::Reported => QueueStage::Reported,
        Group::Working => QueueStage::Working,
        Group::Confirm => QueueStage::Confirm,
    }
}

/// Devices that wait for a person to admit them.
fn newcomers<'s>(scene: &'s Scene<'_>, site: &'s Site) -> impl Iterator<Item = Newcomer> + use<'s> {
    let waiting = site.devices().filter(|device| device.announced && device.life == Life::Announced);
    waiting.map(|device| Newcomer {
        device: scene.device(site, device),
        kind: device.watch.kind().map_or_else(|| device.kind.to_string(), |kind| scene.text(&kind.kind.label)),
        agent: device.agent.to_string(),
    })
}

/// A ticket in a list.
pub(super) fn queued(scene: &Scene<'_>, ticket: &TicketRow) -> QueueTicket {
    let caller = scene.reader.caller.at(&ticket.site);
    QueueTicket {
        no: ticket.number.to_string(),
        version: ticket.version,
        title: scene.text(&ticket.title),
        device: match &ticket.subject {
            Subject::Device(_) | Subject::Agent(_) => Some(scene.subject(&ticket.site, &ticket.subject)),
            Subject::Site => None,
        },
        site_name: scene.site_name(&ticket.site),
        priority: priority(&ticket.priority),
        step: incident::step(ticket),
        reported_at: scene.when(ticket.opened_at),
        deadline: incident::deadline(scene, ticket),
        owner: incident::person(ticket),
        waiting_for: incident::waiting_for(ticket),
        recovered: ticket.state == ticket::State::SelfRecovered,
        actions: next_action(ticket).filter(|action| caller.may(action.need())).into_iter().collect(),
    }
}

/// What engineering may do next. The reporting post confirms, on its own board or on the ticket's page; engineering does where it is
/// that post.
fn next_action(ticket: &TicketRow) -> Option<Action> {
    if ticket.state == ticket::State::Waiting {
        return Some(Action::Resume);
    }
    let action = incident::step(ticket).next_action()?;
    let theirs = ticket.confirmed_by == "engineering" && !ticket.faulty;
    (action != Action::Confirm || theirs).then_some(action)
}

/// A ticket's priority by its name in the standards pack.
pub(super) fn priority(name: &str) -> Priority {
    match name {
        "P1" => Priority::Urgent,
        "P2" => Priority::Normal,
        _ => Priority::Planned,
    }
}

/// An agent in a list.
pub(super) fn row(scene: &Scene<'_>, site: &Site, agent: &Agent) -> AgentRow {
    let (link, since) = match agent.link {
        agent::Link::Up => (Link::Up, agent.up_since),
        agent::Link::Suspect { since } => (Link::Suspect, Some(since)),
        agent::Link::Down { since } => (Link::Down, Some(since)),
        agent::Link::Unverified { since } => (Link::Unverified, Some(since)),
    };
    let devices = site.devices().filter(|device| device.announced && device.agent == agent.id).count();
    let ledger = agent.ledger(scene.now);
    AgentRow {
        site: site.id.clone(),
        id: agent.id.clone(),
        site_name: scene.site_name(&site.id),
        link,
        since: since.map(|at| scene.when(at)),
        seen: agent.last_seen.map(|at| scene.when(at)),
        version: agent.version.to_string(),
        devices: u32::try_from(devices).unwrap_or(u32::MAX),
        backlog: agent.backlog(scene.now),
        missing: ledger.missing,
        lost: ledger.lost,
        clock_offset_ms: (agent.link == agent::Link::Up).then(|| -agent.clock.behind_millis()),
        clock_suspect: agent.clock.is_suspect(),
    }
}
