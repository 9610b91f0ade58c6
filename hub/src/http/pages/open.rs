//! What is open in the database: alerts and tickets, read in one call each and found again by what they are about.

use std::collections::{BTreeMap, HashMap};

use lobby_contract::SiteId;
use lobby_domain::{
    alert::{AlertId, Subject},
    ticket::State,
    time::Timestamp,
};

use super::{PageError, rounds::OnDuty};
use crate::store::{AlertFilter, AlertRow, EscalationRow, QueueCounts, RoundRow, Store, TicketFilter, TicketRow};

/// The most alerts, tickets and things followed up that a page is made of: far more than are ever open.
const MOST: i64 = 10_000;

/// Alerts and tickets that are open.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// The open alerts, newest first.
    pub alerts: Vec<AlertRow>,
    /// How many alerts are open, listed or not.
    pub alert_count: u32,
    /// Whether more is open than was read: then a page says so, and draws no conclusion from what is not among it.
    pub is_cut: bool,
    /// The open tickets, newest first.
    pub tickets: Vec<TicketRow>,
    /// The rejected tickets whose faults are still there.
    pub rejected: Vec<TicketRow>,
    /// The rounds of today, where a page shows them.
    pub rounds: Vec<RoundRow>,
    /// Who is on duty, where a page shows it.
    pub on_duty: OnDuty,
    /// How many open tickets each site has, listed or not.
    pub queued: BTreeMap<SiteId, QueueCounts>,
    followed: Vec<EscalationRow>,
    found: Found,
}

/// Where in the lists a thing is: pages of many devices ask for each of them.
#[derive(Debug, Default)]
struct Found {
    /// The alerts about a subject.
    about: HashMap<(SiteId, Subject), Vec<usize>>,
    /// The tickets by number.
    tickets: HashMap<Box<str>, usize>,
    /// The tickets about a subject whose work is done or whose fault went by itself.
    done: HashMap<(SiteId, Subject), Vec<usize>>,
    /// What follows a ticket, and an alert without one.
    followed: HashMap<Box<str>, usize>,
    followed_alerts: HashMap<AlertId, usize>,
}

impl Open {
    /// What is open at one site, or at all.
    pub async fn read(store: &Store, site: Option<&SiteId>, now: Timestamp) -> Result<Self, PageError> {
        let filter = TicketFilter { site: site.cloned(), open: Some(true), ..TicketFilter::default() };
        let (tickets, more_tickets) = store.tickets(&filter, None, MOST).await??;
        let filter = AlertFilter { site: site.cloned(), open: Some(true), ..AlertFilter::default() };
        let (alerts, more_alerts) = store.alerts(&filter, None, MOST).await??;
        let mut open = Self::of(alerts, tickets);
        open.queued = store.queued(site, now).await?;
        open.rejected = store.rejected_tickets(site).await?;
        let (followed, more_followed) = store.escalations((site, None), None, MOST).await??;
        open.follow(followed);
        open.is_cut = more_alerts.or(more_tickets).or(more_followed).is_some();
        Ok(open)
    }

    /// These tickets of a queue, and the gravest alerts.
    pub async fn queue(
        store: &Store,
        site: Option<&SiteId>,
        tickets: Vec<TicketRow>,
        alerts: i64,
        now: Timestamp,
    ) -> Result<Self, PageError> {
        let mut open = Self::of(store.gravest_alerts(site, alerts).await?, tickets);
        open.alert_count = store.open_alerts(site).await?;
        open.queued = store.queued(site, now).await?;
        Ok(open)
    }

    /// Nothing but who is on duty.
    pub fn with(on_duty: OnDuty) -> Self {
        Self { on_duty, ..Self::default() }
    }

    /// What was read; only alerts and tickets that are open may be among it.
    pub fn of(alerts: Vec<AlertRow>, tickets: Vec<TicketRow>) -> Self {
        let mut found = Found::default();
        for (index, alert) in alerts.iter().enumerate() {
            found.about.entry((alert.site.clone(), alert.subject.clone())).or_default().push(index);
        }
        for (index, ticket) in tickets.iter().enumerate() {
            found.tickets.insert(ticket.number.as_str().into(), index);
            if matches!(ticket.state, State::Fixed | State::SelfRecovered) {
                found.done.entry((ticket.site.clone(), ticket.subject.clone())).or_default().push(index);
            }
        }
        let alert_count = u32::try_from(alerts.len()).unwrap_or(u32::MAX);
        Self { alerts, alert_count, tickets, found, ..Self::default() }
    }

    /// What is followed up beside it.
    fn follow(&mut self, rows: Vec<EscalationRow>) {
        for (index, row) in rows.iter().enumerate() {
            match &row.ticket {
                Some(number) => self.found.followed.entry(number.as_str().into()).or_insert(index),
                None => self.found.followed_alerts.entry(row.alert).or_insert(index),
            };
        }
        self.followed = rows;
    }

    /// The open alerts about a subject.
    pub fn alerts_about(&self, site: &SiteId, subject: &Subject) -> impl Iterator<Item = &AlertRow> {
        let found = self.found.about.get(&(site.clone(), subject.clone()));
        found.into_iter().flatten().map(|index| &self.alerts[*index])
    }

    /// The open ticket of that number.
    pub fn ticket(&self, number: &str) -> Option<&TicketRow> {
        self.found.tickets.get(number).map(|index| &self.tickets[*index])
    }

    /// How a ticket is followed up.
    pub fn followed(&self, number: &str) -> Option<&EscalationRow> {
        self.found.followed.get(number).map(|index| &self.followed[*index])
    }

    /// How an alert without a ticket is followed up.
    pub fn followed_alert(&self, id: AlertId) -> Option<&EscalationRow> {
        self.found.followed_alerts.get(&id).map(|index| &self.followed[*index])
    }

    /// The ticket about a subject that only waits to be confirmed.
    pub fn to_confirm(&self, site: &SiteId, subject: &Subject) -> Option<&TicketRow> {
        let done = self.found.done.get(&(site.clone(), subject.clone()));
        done.into_iter().flatten().map(|index| &self.tickets[*index]).find(|ticket| !ticket.faulty)
    }
}
