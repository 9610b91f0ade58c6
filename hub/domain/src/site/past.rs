//! What records that came late tell of the devices of a site.

use std::sync::Arc;

use lobby_contract::DeviceId;

use super::Site;
use crate::{
    alert::Subject,
    changes::Changes,
    condition::Sample,
    late::{Replay, Told},
    time::Timestamp,
    watch::Scene,
};

impl Site {
    /// Judges a record of the past beside the live state.
    pub(super) fn replay(
        &mut self,
        id: &DeviceId,
        order: (u64, u64),
        sample: &Sample,
        at: Timestamp,
        changes: &mut Changes,
    ) {
        let Some(device) = self.devices.get_mut(id) else { return };
        let Some(rules) = device.watch.kind().filter(|_| device.life.is_judged()) else { return };
        let told = Told { order, sample, fresh_for: device.fresh_for() };
        let scene =
            Scene { site: &self.id, part: self.calendar.part_of_day(at), now: at, is_new: true, explained: &[] };
        let replay = device.replay.get_or_insert_with(|| Box::new(Replay::new(Some(Arc::clone(rules)))));
        replay.record(&Subject::Device(id.clone()), told, scene, &mut changes.late);
    }

    /// The last record, a live one, goes on from the past that was told late, and so does what is wrong.
    pub(super) fn catch_up(
        &mut self,
        id: &DeviceId,
        order: (u64, u64),
        sample: &Sample,
        at: Timestamp,
        changes: &mut Changes,
    ) {
        let Some(device) = self.devices.get_mut(id) else { return };
        let told = Told { order, sample, fresh_for: device.fresh_for() };
        let Some(replay) = &mut device.replay else { return };
        let scene =
            Scene { site: &self.id, part: self.calendar.part_of_day(at), now: at, is_new: true, explained: &[] };
        replay.record(&Subject::Device(id.clone()), told, scene, &mut changes.late);
        for (rule, since) in replay.wrong() {
            device.watch.backdate(rule, since);
        }
    }

    /// What the live rules have raised is theirs; a past in which nothing is left open is done with.
    pub(super) fn settle_replay(&mut self, id: &DeviceId) {
        let Some(device) = self.devices.get_mut(id) else { return };
        let Some(replay) = &mut device.replay else { return };
        replay.leave_to(&device.watch);
        if !replay.is_open() {
            device.replay = None;
        }
    }
}
