//! Engineering's board: the queue of tickets, the open alerts, and the agents.

use lobby_dashboards::{Action, AgentRow, EngineeringPage, Link, Newcomer, Page, Priority, QueueTicket};
use lobby_domain::{
    agent::{self, Agent},
    alert::Subject,
    device::Life,
    site::Site,
    ticket::State,
};

use super::{Scene, alerts, incident};
use crate::store::TicketRow;

/// The most alerts listed; the page of alerts has all.
const MOST_ALERTS: usize = 30;

/// What must be done next?
pub(super) fn page(scene: &Scene<'_>) -> EngineeringPage {
    let mut gravest: Vec<_> = scene.open.alerts.iter().collect();
    gravest.sort_by_key(|alert| (incident::severity(&alert.severity), alert.since));
    let agents = scene.shown().flat_map(|site| site.agents().map(move |agent| (site, agent)));
    EngineeringPage {
        tickets: scene.open.tickets.iter().map(|ticket| queued(scene, ticket)).collect(),
        alerts: gravest.into_iter().take(MOST_ALERTS).map(|alert| alerts::row(scene, alert)).collect(),
        alerts_open: scene.open.alert_count,
        newcomers: scene.shown().flat_map(|site| newcomers(scene, site)).collect(),
        agents: agents.map(|(site, agent)| row(scene, site, agent)).collect(),
        chrome: scene.chrome(Page::Engineering),
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
        recovered: ticket.state == State::SelfRecovered,
        actions: next_action(scene, ticket).into_iter().collect(),
    }
}

/// What engineering may do next. The reporting post confirms, on its own board or on the ticket's page; engineering does where it is
/// that post.
fn next_action(scene: &Scene<'_>, ticket: &TicketRow) -> Option<Action> {
    if ticket.state == State::Waiting {
        return Some(Action::Resume);
    }
    let action = incident::step(ticket).next_action()?;
    let theirs = ticket.confirmed_by == "engineering" && !scene.open.is_faulty(ticket);
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
