//! What lies over an alert at a moment: computed when it is read, from what is active then, and never stored. So nothing has to be taken
//! back when a cause ends.

use uuid::Uuid;

use crate::{
    alert::AlertId,
    matchers::Labels,
    restraint::{Restraint, RestraintId},
    time::Timestamp,
};

/// What must be known of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts<'a> {
    /// Its id.
    pub id: AlertId,
    /// What can be matched of it.
    pub labels: Labels<'a>,
    /// When it was raised.
    pub opened_at: Timestamp,
    /// When it was cleared.
    pub cleared_at: Option<Timestamp>,
}

/// What is known of an alert from the live state of its site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Live {
    /// The alert that explains it, and since when; also one that has just ended, while nothing newer is known.
    pub inhibited: Option<(AlertId, Timestamp)>,
    /// Whether it comes and goes.
    pub flapping: bool,
    /// Whether nobody can tell at present if the fault is still there.
    pub unverified: bool,
}

/// What lies over an alert.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overlay {
    /// The alert that explains it.
    pub inhibited_by: Option<AlertId>,
    /// The active silences that are about it.
    pub silenced_by: Vec<RestraintId>,
    /// The active maintenance windows that are about it.
    pub maintenance_by: Vec<RestraintId>,
    /// Whether it comes and goes.
    pub flapping: bool,
    /// Whether nobody can tell at present if the fault is still there.
    pub unverified: bool,
}

/// What is to be told of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It was raised.
    Raised,
    /// What restrained it is over, and it is still there.
    Unmuted,
    /// Somebody has taken notice.
    Acknowledged,
    /// It was cleared.
    Cleared,
}

/// What keeps an event from being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Muted {
    /// What kind of thing.
    pub by: MutedBy,
    /// The alert, silence or maintenance window.
    pub id: Uuid,
}

/// What can keep an event from being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MutedBy {
    /// Another alert explains it.
    Inhibition,
    /// Work is done there.
    Maintenance,
    /// Somebody asked for silence.
    Silence,
}

impl MutedBy {
    /// As it stands in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inhibition => "inhibition",
            Self::Maintenance => "maintenance",
            Self::Silence => "silence",
        }
    }
}

/// What lies over an open alert at `now`; nothing lies over one that is cleared.
pub fn overlay(alert: &Facts<'_>, restraints: &[Restraint], live: Live, now: Timestamp) -> Overlay {
    if alert.cleared_at.is_some() {
        return Overlay::default();
    }
    let active = || restraints.iter().filter(|restraint| restraint.restrains(alert, now));
    let ids = |maintenance| {
        active()
            .filter(|restraint| restraint.kind.is_maintenance() == maintenance)
            .map(|restraint| restraint.id)
            .collect()
    };
    Overlay {
        inhibited_by: live.inhibited.map(|(cause, _)| cause),
        silenced_by: ids(false),
        maintenance_by: ids(true),
        flapping: live.flapping,
        unverified: live.unverified,
    }
}

/// What keeps `event` of an alert from being told at `now`, if anything.
///
/// The raising of an alert is muted as long as anything is active that is about it. Its end is muted only if nobody can have been told of
/// its raising, because something was active from then until the end: whoever was told of a fault is told of its end. So for an end
/// `restraints` must hold those that were active while the alert was open, even if they are over. That somebody has taken notice is never
/// muted.
pub fn muted(event: Event, alert: &Facts<'_>, restraints: &[Restraint], live: Live, now: Timestamp) -> Option<Muted> {
    match event {
        Event::Acknowledged => None,
        Event::Raised | Event::Unmuted => mute(alert, restraints, live, now).map(|(_, muted)| muted),
        Event::Cleared => {
            let cleared = alert.cleared_at.unwrap_or(now);
            let (mut until, first) = mute(alert, restraints, live, alert.opened_at)?;
            while until.is_some_and(|until| until < cleared) {
                (until, _) = mute(alert, restraints, live, until?)?;
            }
            Some(first)
        }
    }
}

/// What mutes an alert at `at`, and until when; `None` for no end. Where there are several, the one that lasts longest.
fn mute(alert: &Facts<'_>, restraints: &[Restraint], live: Live, at: Timestamp) -> Option<(Option<Timestamp>, Muted)> {
    if let Some((cause, _)) = live.inhibited.filter(|(_, since)| *since <= at) {
        return Some((None, Muted { by: MutedBy::Inhibition, id: cause.0 }));
    }
    let active = restraints.iter().filter(|restraint| restraint.restrains(alert, at));
    let by = |restraint: &Restraint| {
        if restraint.kind.is_maintenance() { MutedBy::Maintenance } else { MutedBy::Silence }
    };
    let lasting = |restraint: &&Restraint| restraint.ends.map_or(i64::MAX, Timestamp::millis);
    active.max_by_key(lasting).map(|restraint| (restraint.ends, Muted { by: by(restraint), id: restraint.id.0 }))
}

#[cfg(test)]
mod tests;
