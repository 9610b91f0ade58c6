//! What lies over an alert at a moment: computed when it is read, from what is active then, and never stored. So nothing has to be taken
//! back when a cause ends.

use uuid::Uuid;

use crate::{
    alert::AlertId,
    device::Life,
    matchers::Labels,
    restraint::{Restraint, RestraintId, active},
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
    /// Where its subject stands in its life: nobody is told of what is on trial or under maintenance.
    pub life: Life,
    /// The alert that explains it; also one that has just ended, while nothing newer is known.
    pub inhibited: Option<AlertId>,
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

/// What keeps an alert from being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Muted {
    /// The device is not in use: it is on trial, or under maintenance.
    Life(Life),
    /// Another alert explains it.
    Inhibition(AlertId),
    /// Work is done there, in this window.
    Maintenance(RestraintId),
    /// Somebody asked for silence.
    Silence(RestraintId),
}

impl Muted {
    /// As it stands in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Life(_) => "life",
            Self::Inhibition(_) => "inhibition",
            Self::Maintenance(_) => "maintenance",
            Self::Silence(_) => "silence",
        }
    }

    /// The id of the alert, maintenance window or silence; none where it is the device's own life.
    pub const fn id(self) -> Option<Uuid> {
        match self {
            Self::Life(_) => None,
            Self::Inhibition(AlertId(id)) | Self::Maintenance(RestraintId(id)) | Self::Silence(RestraintId(id)) => {
                Some(id)
            }
        }
    }
}

/// What lies over an open alert at `now`; nothing lies over one that is cleared.
pub fn overlay(alert: &Facts<'_>, restraints: &[Restraint], live: Live, now: Timestamp) -> Overlay {
    if alert.cleared_at.is_some() {
        return Overlay::default();
    }
    let (maintenance, silences): (Vec<_>, Vec<_>) =
        active(restraints, alert, now).partition(|restraint| restraint.kind.is_maintenance());
    let ids = |found: Vec<&Restraint>| found.into_iter().map(|restraint| restraint.id).collect();
    Overlay {
        inhibited_by: live.inhibited,
        silenced_by: ids(silences),
        maintenance_by: ids(maintenance),
        flapping: live.flapping,
        unverified: live.unverified,
    }
}

/// What keeps an open alert from being told at `now`, if anything: of several restraints the one that lasts longest.
pub fn muted(alert: &Facts<'_>, restraints: &[Restraint], live: Live, now: Timestamp) -> Option<Muted> {
    if !live.life.pages() {
        return Some(Muted::Life(live.life));
    }
    if let Some(cause) = live.inhibited {
        return Some(Muted::Inhibition(cause));
    }
    let by = |restraint: &Restraint| {
        if restraint.kind.is_maintenance() { Muted::Maintenance(restraint.id) } else { Muted::Silence(restraint.id) }
    };
    let lasting = |restraint: &&Restraint| restraint.ends.map_or(i64::MAX, Timestamp::millis);
    active(restraints, alert, now).max_by_key(lasting).map(by)
}

#[cfg(test)]
mod tests;
