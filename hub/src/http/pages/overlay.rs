//! What lies over an alert or a device, in plain words: why nobody is being told, and until when.

use lobby_dashboards::LifeCard;
use lobby_domain::{
    device::Device,
    maintenance::{Covered, covered},
    matchers::Labels,
    overlay::overlay,
    restraint::{Restraint, RestraintId},
    site::Site,
    time::Timestamp,
};

use super::Scene;
use crate::store::AlertRow;

/// What lies over an alert, if anything does.
pub(super) fn words(scene: &Scene<'_>, alert: &AlertRow) -> Option<String> {
    let (t, facts) = (scene.texts(), alert.facts());
    let live =
        scene.site(&alert.site).map(|site| site.live(&alert.subject, &alert.rule, scene.now)).unwrap_or_default();
    let found = overlay(&facts, &scene.restraints, live, scene.now);
    let mut words = Vec::new();
    if alert.late {
        words.push(scene.pick("事后发现", "discovered late").to_owned());
    }
    if !live.life.pages() {
        words.push(LifeCard { now: live.life }.quiet(t));
    }
    if !found.maintenance_by.is_empty() {
        let until = covered(&scene.restraints, &facts.labels, scene.now).map(|Covered { until, .. }| until);
        words.extend(until.map(|until| until_when(scene, t.under_maintenance, until)));
    }
    if !found.silenced_by.is_empty() {
        let ends = |id: &RestraintId| named(&scene.restraints, *id).map(|silence| silence.ends);
        let longest =
            found.silenced_by.iter().filter_map(ends).map(|ends| ends.map_or(i64::MAX, Timestamp::millis)).max();
        words.push(match longest {
            Some(i64::MAX) | None => t.silenced_until_resolved.to_owned(),
            Some(ends) => until_when(scene, t.silenced_until, Timestamp::from_millis(ends)),
        });
    }
    let plain =
        [(found.inhibited_by.is_some(), t.inhibited), (found.flapping, t.flapping), (found.unverified, t.unverified)];
    words.extend(plain.into_iter().filter(|(holds, _)| *holds).map(|(_, words)| words.to_owned()));
    (!words.is_empty()).then(|| words.join(t.comma))
}

/// That a device is under maintenance, and until when, if it is.
pub(super) fn of_device(scene: &Scene<'_>, site: &Site, device: &Device) -> Option<String> {
    let found = covered(&scene.restraints, &Labels::of_device(&site.id, device), scene.now)?;
    Some(until_when(scene, scene.texts().under_maintenance, found.until))
}

fn named(restraints: &[Restraint], id: RestraintId) -> Option<&Restraint> {
    restraints.iter().find(|restraint| restraint.id == id)
}

fn until_when(scene: &Scene<'_>, words: &str, until: Timestamp) -> String {
    words.replace("{}", &scene.when(until).local)
}
