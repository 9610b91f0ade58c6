//! A device as a tile: its state, since when, and the few facts that matter most.

use std::collections::{BTreeMap, BTreeSet};

use lobby_contract::{FactValue, Reach};
use lobby_dashboards::{DeviceTile, Fact};
use lobby_domain::{
    device::Device,
    kind::{self, Domain},
    pack::KindRules,
    site::Site,
    time::Timestamp,
};

use super::{Scene, incident, overlay};
use crate::store::AlertRow;

/// The most facts on a tile; the device's own page has all.
const MOST_FACTS: usize = 6;
/// How a device is connected and supplied, which is no matter of a post's.
const TECHNICAL: [&str; 5] = ["latency_ms", "answered_port", "energy_kwh", "power_factor", "frequency_hz"];

/// The tile of a device.
pub(super) fn tile(scene: &Scene<'_>, site: &Site, device: &Device, kind: &KindRules) -> DeviceTile {
    DeviceTile {
        device: scene.device(site, device),
        state: scene.state_of(site, device),
        since: since(scene, site, device).map(|at| scene.when(at)),
        seen: device.last.as_ref().map(|last| scene.when(last.received_at)),
        facts: important(scene, site, device, kind),
        maintenance: overlay::of_device(scene, site, device),
        inference: None,
        incident: incident::of(scene, site, device, |_| true),
    }
}

/// Since when a device is in the state in which it is now; `None` while time has changed it and nothing has been told since.
pub(super) fn since(scene: &Scene<'_>, site: &Site, device: &Device) -> Option<Timestamp> {
    let now = scene.state_of(site, device);
    device.state_since.filter(|(state, _)| super::scene::state(*state) == now).map(|(_, since)| since)
}

/// The facts that rules look at, in the kind's order, and then others that are measured.
fn important(scene: &Scene<'_>, site: &Site, device: &Device, kind: &KindRules) -> Vec<Fact> {
    by_importance(kind).filter_map(|declared| fact(scene, site, device, declared)).take(MOST_FACTS).collect()
}

fn by_importance(kind: &KindRules) -> impl Iterator<Item = &kind::Fact> {
    let judged = judged(kind);
    let plain = |fact: &&kind::Fact| {
        fact.domain != Domain::Text && !TECHNICAL.contains(&&*fact.name) && !is_setting(kind, &fact.name)
    };
    let (first, rest): (Vec<&kind::Fact>, Vec<_>) =
        kind.kind.facts.iter().filter(plain).partition(|fact| judged.contains(&*fact.name));
    first.into_iter().chain(rest)
}

/// The facts that matter most of what a device of a kind said at some time.
pub(super) fn of_record(scene: &Scene<'_>, kind: &KindRules, said: &BTreeMap<Box<str>, FactValue>) -> Vec<Fact> {
    let fact = |declared: &kind::Fact| {
        let (value, unit) = shown(scene, declared, said.get(&declared.name)?);
        Some(Fact { label: scene.text(&declared.label), value, unit, at: None, notable: false })
    };
    by_importance(kind).filter_map(fact).take(MOST_FACTS).collect()
}

/// Every fact that a device has stated, in the kind's order.
pub(super) fn all(scene: &Scene<'_>, site: &Site, device: &Device, kind: &KindRules) -> Vec<Fact> {
    kind.kind.facts.iter().filter_map(|declared| fact(scene, site, device, declared)).collect()
}

/// The facts that the kind's rules look at.
pub(super) fn judged(kind: &KindRules) -> BTreeSet<&str> {
    kind.rules.iter().flat_map(|rule| rule.when.facts()).map(|(name, _)| name).collect()
}

/// Whether a fact is what others are measured against, such as a limit, and not measured itself.
fn is_setting(kind: &KindRules, name: &str) -> bool {
    use lobby_domain::condition::Operand;
    let mut tests = kind.rules.iter().flat_map(|rule| rule.when.facts()).filter_map(|(_, test)| test);
    tests.any(|test| matches!(test.operand(), Some(Operand::Fact(fact)) if **fact == *name))
}

fn fact(scene: &Scene<'_>, site: &Site, device: &Device, declared: &kind::Fact) -> Option<Fact> {
    let last = device.last.as_ref().filter(|last| last.said.reach() == Reach::Ok)?;
    let (value, unit) = shown(scene, declared, &last.said.fact(&declared.name)?);
    Some(Fact {
        label: scene.text(&declared.label),
        value,
        unit,
        at: Some(scene.when(last.at)),
        notable: is_notable(scene, site, device, &declared.name),
    })
}

/// A value as people read it, and its unit.
fn shown(scene: &Scene<'_>, declared: &kind::Fact, value: &FactValue) -> (Option<String>, String) {
    if *value == FactValue::Unknown {
        return (None, String::new());
    }
    let text = declared.show(value, scene.words());
    if let Domain::Number { unit, .. } = &declared.domain
        && let Some(number) = text.strip_suffix(unit.in_lang(scene.words())).and_then(|number| number.strip_suffix(' '))
    {
        return (Some(number.to_owned()), unit.in_lang(scene.words()).to_owned());
    }
    (Some(text), String::new())
}

/// Whether an open alert is about this fact.
fn is_notable(scene: &Scene<'_>, site: &Site, device: &Device, fact: &str) -> bool {
    let subject = lobby_domain::alert::Subject::Device(device.id.clone());
    scene.open.alerts_about(&site.id, &subject).any(|alert| is_about(scene, alert, fact))
}

/// Whether the rule behind an alert looks at a fact.
pub(super) fn is_about(scene: &Scene<'_>, alert: &AlertRow, fact: &str) -> bool {
    let rule = scene.pack.rule(&alert.rule);
    rule.is_some_and(|rule| rule.when.facts().iter().any(|(name, _)| *name == fact))
}

/// A number that a device has stated.
pub(super) fn number(device: &Device, fact: &str) -> Option<f64> {
    let last = device.last.as_ref().filter(|last| last.said.reach() == Reach::Ok)?;
    match last.said.fact(fact)? {
        FactValue::Number(number) => Some(number),
        _ => None,
    }
}
