//! What becomes of each notification that waits for a channel, and which message is the next.

use std::collections::BTreeMap;

use lobby_contract::SiteId;

use super::{Bucket, What};
use crate::{
    alert::AlertId,
    time::{Span, Timestamp},
};

/// A notification that waits for a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The alert.
    pub alert: AlertId,
    /// Its site.
    pub site: SiteId,
    /// What is told of it.
    pub what: What,
    /// Whether the alert is critical.
    pub critical: bool,
    /// Since when it waits.
    pub since: Timestamp,
    /// Whether the alert is open.
    pub open: bool,
    /// Whether it is silenced, under maintenance, out of use or explained by another alert just now.
    pub muted: bool,
    /// When the channel last heard of the alert, if it may have.
    pub told_at: Option<Timestamp>,
}

/// What becomes of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is told.
    Tell,
    /// It waits until nothing keeps it quiet.
    Hold,
    /// It was over before it was told.
    Over,
    /// The channel has not heard of the beginning, or has heard the same since.
    Needless,
    /// Whom it is for wants to be told of less.
    Unwanted,
}

/// When groups are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grouping {
    /// From the first notification of a group to its message.
    pub wait: Span,
    /// From one message of a group to the next.
    pub interval: Span,
    /// After which an alert that is still there is told again; `None` for never.
    pub repeat: Option<Span>,
}

/// Why notifications are in one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A critical alert on its own.
    Single,
    /// A group of one site.
    Group,
    /// Everything that was due, because the receiver takes no more messages.
    Digest,
}

/// A message to be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// Why these are in it.
    pub kind: Kind,
    /// Whether it may use what is kept for critical alerts.
    pub urgent: bool,
    /// The notifications by alert, in the order in which they are told. A message may hold as many alerts of the beginning as fit.
    pub alerts: Vec<Vec<usize>>,
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Notifications that will not be told, and why.
    pub dropped: Vec<(usize, Fate)>,
    /// Notifications that are kept quiet.
    pub held: Vec<usize>,
    /// The next message.
    pub telling: Option<Telling>,
    /// When there is something to do without anything else happening.
    pub look_at: Option<Timestamp>,
}

/// What becomes of one notification.
pub fn fate(waiting: &Waiting) -> Fate {
    match waiting.what {
        // Whoever was told the beginning is told the end, and nobody else.
        What::Cleared if waiting.told_at.is_some() => Fate::Tell,
        What::Cleared => Fate::Needless,
        // Also of what is over: that a repair is to be confirmed.
        What::Escalated => {
            if waiting.muted {
                Fate::Hold
            } else {
                Fate::Tell
            }
        }
        _ if !waiting.open => Fate::Over,
        // That somebody has taken notice, or will not act, is never muted.
        What::Acknowledged | What::Rejected if waiting.told_at.is_some() => Fate::Tell,
        What::Acknowledged | What::Rejected => Fate::Needless,
        // What was held has been told meanwhile.
        What::Unmuted(ended) if waiting.told_at.is_some_and(|told| told >= ended) => Fate::Needless,
        _ if waiting.muted => Fate::Hold,
        _ => Fate::Tell,
    }
}

/// Whether an alert that is open, that nobody has taken notice of and that nothing keeps quiet is to be told again.
pub fn is_due_again(grouping: &Grouping, told_at: Timestamp, now: Timestamp) -> bool {
    grouping.repeat.is_some_and(|repeat| now.since(told_at) >= repeat)
}

/// What of a group or a single alert makes one message if there is room.
struct Unit {
    urgent: bool,
    site: SiteId,
    due: Timestamp,
    first: Timestamp,
    alerts: Vec<Vec<usize>>,
}

/// Decides what to do with everything that waits for one channel. `flushed` says when each site's group was last told.
pub fn plan(
    waiting: &[Waiting],
    flushed: &BTreeMap<SiteId, Timestamp>,
    grouping: &Grouping,
    bucket: &Bucket,
    now: Timestamp,
) -> Plan {
    let mut plan = Plan::default();
    let mut told: Vec<usize> = Vec::new();
    for (index, one) in waiting.iter().enumerate() {
        match fate(one) {
            Fate::Tell => told.push(index),
            Fate::Hold => plan.held.push(index),
            fate @ (Fate::Over | Fate::Needless | Fate::Unwanted) => plan.dropped.push((index, fate)),
        }
    }
    let (due, later): (Vec<Unit>, Vec<Unit>) =
        units(waiting, &told, flushed, grouping, now).into_iter().partition(|unit| unit.due <= now);
    plan.look_at = later.iter().map(|unit| unit.due).min();
    let Some(first) = due.first() else { return plan };
    let urgent = first.urgent;
    let next = bucket.next(urgent, now);
    if next > now {
        plan.look_at = Some(plan.look_at.map_or(next, |at| at.min(next)));
        return plan;
    }
    let same = due.iter().filter(|unit| unit.urgent == urgent).count();
    let left = usize::try_from(bucket.left(urgent, now)).unwrap_or(usize::MAX);
    plan.telling = Some(if same > left {
        Telling { kind: Kind::Digest, urgent, alerts: due.into_iter().flat_map(|unit| unit.alerts).collect() }
    } else {
        let kind = if urgent { Kind::Single } else { Kind::Group };
        let alerts = due.into_iter().next().map(|unit| unit.alerts).unwrap_or_default();
        Telling { kind, urgent, alerts }
    });
    plan
}

/// Notifications by alert, in the order in which the alerts came up.
pub(super) fn by_alert(waiting: &[Waiting], told: &[usize]) -> Vec<(AlertId, Vec<usize>)> {
    let mut alerts: Vec<(AlertId, Vec<usize>)> = Vec::new();
    let mut by_alert: BTreeMap<AlertId, usize> = BTreeMap::new();
    for index in told {
        let alert = waiting[*index].alert;
        let place = *by_alert.entry(alert).or_insert_with(|| {
            alerts.push((alert, Vec::new()));
            alerts.len() - 1
        });
        alerts[place].1.push(*index);
    }
    alerts
}

/// What makes messages: each critical alert, then the group of each site; in the order in which they are due.
fn units(
    waiting: &[Waiting],
    told: &[usize],
    flushed: &BTreeMap<SiteId, Timestamp>,
    grouping: &Grouping,
    now: Timestamp,
) -> Vec<Unit> {
    let alerts = by_alert(waiting, told);
    let mut units: Vec<Unit> = Vec::new();
    for (_, of_alert) in alerts {
        let first = of_alert.iter().map(|index| waiting[*index].since).min().unwrap_or_default();
        // A clock that was set back must not make anything wait until it is there again.
        let first = if first > now { now - grouping.wait } else { first };
        let site = waiting[of_alert[0]].site.clone();
        let urgent = of_alert.iter().any(|index| waiting[*index].critical && waiting[*index].what.is_beginning());
        if urgent {
            units.push(Unit { urgent, site, due: first, first, alerts: vec![of_alert] });
        } else if let Some(group) = units.iter_mut().find(|unit| !unit.urgent && unit.site == site) {
            group.first = group.first.min(first);
            group.alerts.push(of_alert);
        } else {
            units.push(Unit { urgent, site, due: first, first, alerts: vec![of_alert] });
        }
    }
    for group in units.iter_mut().filter(|unit| !unit.urgent) {
        let last = flushed.get(&group.site).filter(|at| **at <= now);
        let after_last = last.map_or(group.first, |at| *at + grouping.interval);
        group.due = (group.first + grouping.wait).max(after_last);
    }
    units.sort_by_key(|unit| (!unit.urgent, unit.due));
    units
}

#[cfg(test)]
mod tests;
