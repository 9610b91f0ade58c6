//! The stages of a device's life, as people move it through them.

use lobby_contract::DeviceId;

use super::{Changes, Site};
use crate::{
    alert::{ClearReason, Subject},
    changes::AlertChange,
    device::Life,
    time::Timestamp,
};

/// Why a device cannot be moved to another stage of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LifeError {
    /// There is no such device.
    #[error("the site has no device of that name")]
    NotFound,
    /// The stages do not follow one another.
    #[error("a device that is {} cannot become {}", from.as_str(), to.as_str())]
    NotNow {
        /// Where it stands.
        from: Life,
        /// Where it was to go.
        to: Life,
    },
}

impl Site {
    /// A person moves a device to another stage of its life.
    pub fn set_life(
        &mut self,
        id: &DeviceId,
        to: Life,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<(), LifeError> {
        let device = self.devices.get_mut(id).ok_or(LifeError::NotFound)?;
        let from = device.life;
        if from != to && !from.may_become(to) {
            return Err(LifeError::NotNow { from, to });
        }
        device.life = to;
        let mut outcomes = Vec::new();
        if !to.is_judged() {
            device.replay = None;
            device.watch.abandon(&Subject::Device(id.clone()), now, ClearReason::Retired, &mut outcomes);
        }
        let subject = Subject::Device(id.clone());
        self.collect(&subject, outcomes, now, changes);
        if to.pages() && !from.pages() {
            changes.alerts.extend(self.incidents.may_be_told(&subject).map(|alert| AlertChange::Unmuted(alert, now)));
        }
        changes.devices.insert(id.clone());
        self.evaluate_device(id, now, changes);
        Ok(())
    }
}
