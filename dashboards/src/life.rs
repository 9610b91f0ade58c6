//! Where a device stands in its life, and where a person may move it.

use lobby_domain::device::Life;

use crate::{texts::Texts, tile::DeviceRef};

/// A device's stage of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LifeCard {
    /// Where it stands.
    pub now: Life,
}

/// A device that waits for a person to admit it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newcomer {
    /// The device.
    pub device: DeviceRef,
    /// Its kind, in the page's language.
    pub kind: String,
    /// The agent that reports it.
    pub agent: String,
}

/// Where a [`Newcomer`] stands.
pub(crate) const NEW: LifeCard = LifeCard { now: Life::Announced };

impl LifeCard {
    /// The stages a person may choose.
    pub(crate) fn choices(self) -> Vec<Life> {
        Life::ALL.into_iter().filter(|to| *to != self.now && self.now.may_become(*to)).collect()
    }

    /// Whether it is judged and told like any other device, so that nothing need be said.
    pub(crate) fn is_usual(self) -> bool {
        self.now == Life::Live
    }

    /// The stage in a word.
    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self.now {
            Life::Announced => t.life_announced,
            Life::Trial => t.life_trial,
            Life::Live => t.life_live,
            Life::Maintenance => t.life_maintenance,
            Life::Retired => t.life_retired,
        }
    }

    /// That nobody is told, because of the stage.
    pub fn quiet(self, t: &Texts) -> String {
        t.life_quiet.replace("{}", self.word(t))
    }

    /// What follows from the stage, in a sentence.
    pub(crate) fn meaning(self, t: &Texts) -> &'static str {
        meaning(self.now, t)
    }
}

/// What follows from a stage, in a sentence.
pub(crate) fn meaning(life: Life, t: &Texts) -> &'static str {
    match life {
        Life::Announced => t.life_announced_means,
        Life::Trial => t.life_trial_means,
        Life::Live => t.life_live_means,
        Life::Maintenance => t.life_maintenance_means,
        Life::Retired => t.life_retired_means,
    }
}

/// The button that moves a device there.
pub(crate) fn verb(life: Life, t: &Texts) -> &'static str {
    match life {
        Life::Announced => t.life_announced,
        Life::Trial => t.life_to_trial,
        Life::Live => t.life_to_live,
        Life::Maintenance => t.life_to_maintenance,
        Life::Retired => t.life_to_retired,
    }
}
