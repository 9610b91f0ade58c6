//! Opens rounds when their time comes and marks those that nobody has done. What was there is kept in the database, so a restart forgets
//! none; what came and went while the hub was not running is excused.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lobby_contract::{Reach, SiteId};
use lobby_domain::{
    calendar::Calendar,
    check::{Checklist, Line, Readings, Stated},
    device::{Device, Life},
    kind::Kind,
    label::Label,
    pack::Pack,
    site::Site,
    time::Timestamp,
};

use crate::{
    clock::Clock,
    fleet::{Changed, Fleet},
    lifecycle::Lifecycle,
    store::{Looking, Store, StoreError},
};

/// How late a round may open or be missed.
const EVERY: Duration = Duration::from_secs(5);

/// Starts the task that looks at rounds.
pub fn start(store: &Store, fleet: &Arc<Fleet>, clock: &Arc<dyn Clock>, lifecycle: &Lifecycle) {
    let (store, fleet, clock) = (store.clone(), Arc::clone(fleet), Arc::clone(clock));
    lifecycle.repeat("rounds", EVERY, move || {
        let (store, fleet, now) = (store.clone(), Arc::clone(&fleet), clock.now());
        async move { look(&store, &fleet, now).await }
    });
}

/// Looks at the rounds of every site whose opening hours are known.
pub(crate) async fn look(store: &Store, fleet: &Fleet, now: Timestamp) -> Result<(), StoreError> {
    let setup = fleet.setup();
    let known = |site: &&SiteId| setup.sites[*site].calendar.as_ref().is_some_and(Calendar::is_known);
    for site in setup.sites.keys().filter(known) {
        let lines = {
            let sites = fleet.read();
            let lines = |list: &Checklist| (list.id.clone(), lines(sites.get(site), list));
            setup.pack.checklists.iter().map(lines).collect::<BTreeMap<_, _>>()
        };
        if store.look_at_rounds(Looking { site, setup: &setup, lines: &lines, now }).await? {
            fleet.tell(Changed { site: site.clone(), device: None });
        }
    }
    Ok(())
}

/// What is looked at of a checklist at a site as it is now: each item, and where devices make one, each of those that are in use.
pub(crate) fn lines(site: Option<&Site>, list: &Checklist) -> Vec<Line> {
    let mut lines = Vec::new();
    for item in &list.items {
        let line = |id: Box<str>, label: Label, device: Option<&Device>| Line {
            id,
            label,
            device: device.map(|device| device.id.clone()),
            count: item.count,
            photo: item.photo,
            department: item.department.clone(),
            priority: item.priority.clone(),
        };
        if item.devices.is_empty() {
            lines.push(line(item.id.clone(), item.label.clone(), None));
            continue;
        }
        let in_use = |device: &&Device| device.announced && device.life.is_judged();
        let devices = site.into_iter().flat_map(Site::devices).filter(in_use);
        for device in devices.filter(|device| item.devices.iter().any(|kind| **kind == *device.kind)) {
            let name = if device.name.is_empty() { device.id.as_str() } else { &device.name };
            let label = Label::new(format!("{name}：{}", item.label.zh), format!("{name}: {}", item.label.en));
            lines.push(line(format!("{}.{}", item.id, device.id).into(), label, Some(device)));
        }
    }
    lines
}

/// What the device of a line says itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Word<'p> {
    /// In one word.
    pub(crate) stated: Stated,
    /// In figures, by fact; nothing while nothing is known of it.
    pub(crate) readings: Readings,
    /// Its kind.
    pub(crate) kind: Option<&'p Kind>,
}

/// What the device of a line says itself at this moment; nothing if the line is about none.
pub(crate) fn word<'p>((site, pack): (Option<&Site>, &'p Pack), line: &Line, now: Timestamp) -> Option<Word<'p>> {
    let id = line.device.as_ref()?;
    let nothing = |kind| Some(Word { stated: Stated::Unknown, readings: Readings::new(), kind });
    let Some((site, device)) = site.and_then(|site| Some((site, site.device(id)?))) else { return nothing(None) };
    let kind = pack.kinds.get(&*device.kind).map(|kind| &kind.kind);
    // What a device under maintenance says of itself proves nothing.
    if device.life == Life::Maintenance {
        return nothing(kind);
    }
    let stated = device.verdict(site.link_of(device), site.part_of_day().expected(), now).state().into();
    if stated == Stated::Unknown {
        return nothing(kind);
    }
    let last = device.last.as_ref().filter(|last| last.said.reach() == Reach::Ok);
    let readings = last.map(|last| last.said.sample().facts).unwrap_or_default();
    Some(Word { stated, readings, kind })
}
