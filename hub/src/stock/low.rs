//! Looks every minute at what runs low. What was told is in the database, so a restart tells nothing twice and forgets nothing.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use lobby_contract::SiteId;
use lobby_domain::{
    alert::Subject,
    calendar::Window,
    label::Label,
    stock::low::{Low, Machine, clock},
    time::Timestamp,
};

use super::{ItemStock, MachineStock, of_site};
use crate::{
    clock::Clock,
    fleet::{Changed, Fleet},
    lifecycle::Lifecycle,
    store::{LowAlert, Store, StoreError},
};

/// How late anybody may be told.
const EVERY: Duration = Duration::from_mins(1);

/// Starts the task that tells what runs low.
pub fn start(store: &Store, fleet: &Arc<Fleet>, clock: &Arc<dyn Clock>, lifecycle: &Lifecycle) {
    let (store, fleet, clock) = (store.clone(), Arc::clone(fleet), Arc::clone(clock));
    lifecycle.repeat("stock", EVERY, move || {
        let (store, fleet, now) = (store.clone(), Arc::clone(&fleet), clock.now());
        async move { look(&store, &fleet, now).await }
    });
}

/// Looks at every site that has machines or a ledger.
pub(crate) async fn look(store: &Store, fleet: &Fleet, now: Timestamp) -> Result<(), StoreError> {
    let mut sites: BTreeSet<SiteId> = store.kept_books().await?.into_iter().map(|(site, _)| site).collect();
    for (id, site) in fleet.read().iter() {
        let hands_out =
            site.devices().any(|device| device.watch.kind().is_some_and(|kind| kind.kind.dispenses.is_some()));
        if hands_out {
            sites.insert(id.clone());
        }
    }
    for site in sites {
        look_at(store, fleet, &site, now).await?;
    }
    Ok(())
}

/// Tells what runs low at a site, and that it does no more.
pub async fn look_at(store: &Store, fleet: &Fleet, site: &SiteId, now: Timestamp) -> Result<(), StoreError> {
    let open = store.open_low(site).await?;
    let setup = fleet.setup();
    let calendar = setup.calendar(site);
    let is_open = Window::Ready.includes(calendar.part_of_day(now));
    let (mut raise, mut held) = (Vec::new(), Vec::new());
    for stock in of_site(store, fleet, site, now).await? {
        let was = |low: Low, subject: &Subject| {
            let rule = low.rule_id(&stock.id);
            open.iter().any(|(about, of)| about == subject && *of == rule)
        };
        let told = |low: Low, subject: Subject, tell, evidence| LowAlert {
            subject,
            rule: low.rule(&stock.id, &stock.item),
            evidence,
            tell,
        };
        if stock.book.kept && stock.room.is_low(was(Low::Room, &Subject::Site)) {
            raise.push(told(Low::Room, Subject::Site, true, of_room(&stock)));
        }
        for machine in &stock.machines {
            let subject = Subject::Device(machine.device.clone());
            // Of a machine of which nothing fresh is known nothing is told, and nothing is taken back.
            let Some(left) = machine.left().filter(|_| machine.known) else {
                held.push(subject);
                continue;
            };
            let is = Machine {
                left,
                low_at: machine.low_at,
                expected: machine.expected,
                speaks: machine.said.is_some(),
                open: is_open,
            };
            if is.is_low(was(Low::Machine, &subject)) {
                let evidence = of_machine(machine, left, now, calendar.zone());
                raise.push(told(Low::Machine, subject.clone(), machine.told, evidence));
            }
            if is.is_empty() {
                let evidence = Label::new(format!("账面剩 {left}"), format!("{left} left by the ledger"));
                raise.push(told(Low::Empty, subject, machine.told, evidence));
            }
        }
    }
    let is_raised = |(subject, rule): &(Subject, String)| {
        raise.iter().any(|low: &LowAlert| low.subject == *subject && *low.rule.id == **rule)
    };
    let over: Vec<(Subject, String)> =
        open.iter().filter(|open| !is_raised(open) && !held.contains(&open.0)).cloned().collect();
    let is_new = |low: &LowAlert| !open.iter().any(|(about, of)| *about == low.subject && **of == *low.rule.id);
    raise.retain(is_new);
    if raise.is_empty() && over.is_empty() {
        return Ok(());
    }
    store.tell_low(site, &raise, &over, &setup, now).await?;
    fleet.tell(Changed { site: site.clone(), device: None });
    Ok(())
}

/// Why a store room is low.
fn of_room(stock: &ItemStock) -> Label {
    let (room, days) = (&stock.room, stock.levels.lead_days);
    let (there, coming, min) = (room.on_hand, room.arriving, room.min);
    let expected = room.expected.round();
    Label::new(
        format!("库房 {there}，在途 {coming}，{days} 天内预计用 {expected}，最低 {min}"),
        format!(
            "{there} in the store room, {coming} on order in time, {expected} expected to be used in {days} d; the least is {min}"
        ),
    )
}

/// Why a machine is to be refilled.
fn of_machine(machine: &MachineStock, left: i64, now: Timestamp, zone: &jiff::tz::TimeZone) -> Label {
    let closes = clock(machine.closes, now, zone);
    let Label { zh, en } = why(machine, left, &closes, now, zone);
    let Some(refill) = machine.refill else { return Label::new(zh, en) };
    let (by, pieces) = (clock(refill.by, now, zone), refill.pieces);
    Label::new(
        format!("{zh}；请在 {by} 前补货，至少 {pieces}"),
        format!("{en}; refill it before {by}, with {pieces} at least"),
    )
}

fn why(machine: &MachineStock, left: i64, closes: &str, now: Timestamp, zone: &jiff::tz::TimeZone) -> Label {
    match machine.runs_out.as_ref().filter(|out| out.likely < machine.closes) {
        Some(out) => {
            let out = clock(out.likely, now, zone);
            Label::new(
                format!("剩 {left}，预计 {out} 用完，早于 {closes} 结束"),
                format!("{left} left, likely to be used up at {out}, before the end at {closes}"),
            )
        }
        None => Label::new(
            format!("剩 {left}，到 {closes} 预计用 {}", machine.expected.round()),
            format!("{left} left, {} expected to be used until {closes}", machine.expected.round()),
        ),
    }
}
