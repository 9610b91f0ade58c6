//! What is in stock at a site: the ledger, what machines say of themselves, and how long both will last (SHO-D4, BAR-D5). It is looked at
//! every minute; what runs low is told once.

mod low;
pub mod month;
mod outlook;

use std::{collections::BTreeMap, sync::Arc};

use lobby_contract::{DeviceId, FactValue, SiteId};
use lobby_domain::{
    calendar::{Calendar, local},
    device::{Device, Life},
    forecast::RunOut,
    kind::Dispenses,
    pack::Item,
    site::Site,
    stock::{
        Kind, Place,
        levels::Levels,
        low::{Coming, Room, in_time},
        refill::{Filling, Refill, Shift, days},
    },
    time::{Span, Timestamp},
};

pub use self::low::{look_at, start};
use self::outlook::Outlook;
use crate::{
    fleet::{Fleet, Setup},
    store::{Book, Counter, Dispensed, Store, StoreError},
};

/// How far back use is looked at to say how it will go on.
const LEARNT: Span = Span::from_mins(12 * 7 * 24 * 60);
/// How far ahead is looked where nobody has said when the site closes.
const AHEAD: Span = Span::from_mins(12 * 60);

/// What is in stock of one item at a site.
#[derive(Debug, Clone)]
pub struct ItemStock {
    /// Its name in the standards.
    pub id: Box<str>,
    /// What the standards say of it.
    pub item: Item,
    /// How much of it the site wants to have.
    pub levels: Levels,
    /// The ledger.
    pub book: Book,
    /// The store room and what is to come.
    pub room: Room,
    /// When the store room is used up, if use goes on as it did.
    pub runs_out: Option<RunOut>,
    /// The machines that hand it out.
    pub machines: Vec<MachineStock>,
}

/// What is in a machine.
#[derive(Debug, Clone)]
pub struct MachineStock {
    /// The machine.
    pub device: DeviceId,
    /// What people call it.
    pub name: String,
    /// How many are left, as it says itself.
    pub said: Option<i64>,
    /// How many are left by the ledger, if anybody has ever counted it: what was in it before is not known.
    pub booked: Option<i64>,
    /// How many it holds when full.
    pub capacity: Option<i64>,
    /// Below how many it is to be refilled.
    pub low_at: Option<i64>,
    /// What it has handed out.
    pub dispensed: Dispensed,
    /// What it has handed out since midnight.
    pub today: i64,
    /// When it is empty, if use goes on as it did.
    pub runs_out: Option<RunOut>,
    /// What is expected to be used until the site closes.
    pub expected: f64,
    /// When the site closes.
    pub closes: Timestamp,
    /// By when it is to be refilled, if it is.
    pub refill: Option<Refill>,
    /// Whether anything fresh is known of it.
    pub known: bool,
    /// When its agent last said anything about it.
    pub seen: Option<Timestamp>,
    /// Whether the posts concerned are told of it.
    pub told: bool,
}

impl MachineStock {
    /// How many are left: what it says itself, or else what the ledger says.
    pub fn left(&self) -> Option<i64> {
        self.said.or(self.booked)
    }
}

/// A machine as it is in memory.
struct Snapshot {
    device: DeviceId,
    name: String,
    in_use: bool,
    life: Life,
    known: bool,
    seen: Option<Timestamp>,
    said: Option<i64>,
    capacity: Option<i64>,
    low_at: Option<i64>,
    dispenses: Dispenses,
}

/// The machines of a site that hand something out, also those that are not in use any more: what they have handed out stays in the ledger.
fn machines(site: &Site, now: Timestamp) -> Vec<Snapshot> {
    let snapshot = |device: &Device| {
        let dispenses = device.watch.kind()?.kind.dispenses.clone()?;
        let known = device.known(site.link_of(device), now);
        let number = |fact: Option<&str>| match device.last.as_ref()?.said.fact(fact?)? {
            FactValue::Number(number) if number.abs() < 9e15 => {
                #[expect(clippy::cast_possible_truncation, reason = "it is within bounds")]
                let pieces = number.round() as i64;
                Some(pieces)
            }
            _ => None,
        };
        Some(Snapshot {
            device: device.id.clone(),
            name: if device.name.is_empty() { device.id.to_string() } else { device.name.to_string() },
            in_use: device.announced && device.life.is_judged(),
            life: device.life,
            known: known.is_some(),
            seen: device.last.as_ref().map(|last| last.received_at),
            said: number(dispenses.left.as_deref()),
            capacity: number(dispenses.capacity.as_deref()),
            low_at: number(dispenses.low.as_deref()),
            dispenses,
        })
    };
    site.devices().filter_map(snapshot).collect()
}

/// The machines of a site whose counters are in its ledger.
pub fn counters(fleet: &Fleet, site: &SiteId, now: Timestamp) -> Vec<Counter> {
    let sites = fleet.read();
    let machines = sites.get(site).map(|site| machines(site, now)).unwrap_or_default();
    machines.into_iter().map(|machine| Counter { device: machine.device, dispenses: machine.dispenses }).collect()
}

/// How much of an item a site wants to have.
pub fn levels(setup: &Setup, site: &SiteId, item: &str) -> Levels {
    let settings = setup.sites.get(site);
    settings.and_then(|settings| settings.stock.get(item)).cloned().unwrap_or_default()
}

/// What is in stock at a site, item by item: of those that a machine hands out, or of which a ledger is kept or wanted.
pub async fn of_site(
    store: &Store,
    fleet: &Fleet,
    site: &SiteId,
    now: Timestamp,
) -> Result<Vec<ItemStock>, StoreError> {
    let setup = fleet.setup();
    let (machines, calendar) = {
        let sites = fleet.read();
        let live = sites.get(site);
        let machines = live.map(|site| machines(site, now)).unwrap_or_default();
        (machines, live.map_or_else(|| setup.calendar(site), |site| site.calendar.clone()))
    };
    let counter = |machine: &Snapshot| Counter { device: machine.device.clone(), dispenses: machine.dispenses.clone() };
    let counters: Vec<Counter> = machines.iter().map(counter).collect();
    let wanted = setup.sites.get(site).map(|settings| &settings.stock);
    let mut all = Vec::new();
    for (id, item) in &setup.pack.items {
        let book = store.book(site, id, &counters, (now - LEARNT, now)).await?;
        let of_item = || machines.iter().filter(|machine| machine.in_use && machine.dispenses.item == *id);
        if !book.kept && of_item().next().is_none() && wanted.is_none_or(|wanted| !wanted.contains_key(id)) {
            continue;
        }
        let levels = levels(&setup, site, id);
        let shifts = if of_item().next().is_some() {
            shifts(store, site, (&item.tells, &calendar), now).await?
        } else {
            Vec::new()
        };
        let machines = of_item().map(|machine| machine_stock(machine, &book, (&calendar, &shifts), now)).collect();
        let use_of_all = outlook::together(book.dispensed.values().map(|told| &told.hours[..]), &book.by_hand);
        let outlook = Outlook::of(&use_of_all, &calendar, now);
        let on_hand = book.balances.of(&Place::Store);
        let runs_out = outlook.runs_out(on_hand, now);
        let coming: Vec<Coming> =
            book.orders.iter().map(|order| Coming { pieces: order.pieces, due: order.due }).collect();
        let arriving = in_time(&coming, runs_out.as_ref().map(|out| out.likely));
        let expected = outlook.expected(now, now + levels.lead());
        let room = Room { on_hand, arriving, expected, min: levels.min };
        all.push(ItemStock { id: id.clone(), item: item.clone(), levels, book, room, runs_out, machines });
    }
    Ok(all)
}

/// The shifts of the posts that refill, as the roster plans them, or else the days of opening: those until the site closes.
async fn shifts(
    store: &Store,
    site: &SiteId,
    (posts, calendar): (&[Box<str>], &Calendar),
    now: Timestamp,
) -> Result<Vec<Shift>, StoreError> {
    let closes = calendar.closes_after(now).unwrap_or(now + AHEAD);
    let planned = store.duties(site, now, closes).await?;
    let theirs = planned.iter().filter(|row| row.disabled_at.is_none() && posts.contains(&row.duty.post));
    let shifts: Vec<Shift> = theirs.map(|row| (row.duty.from, row.duty.until)).collect();
    Ok(if shifts.is_empty() { days(calendar, now, closes) } else { shifts })
}

fn machine_stock(
    machine: &Snapshot,
    book: &Book,
    (calendar, shifts): (&Calendar, &[Shift]),
    now: Timestamp,
) -> MachineStock {
    let dispensed = book.dispensed.get(&machine.device).cloned().unwrap_or_default();
    let place = Place::Machine(machine.device.clone());
    let is_booked = book.last.contains_key(&(place.clone(), Kind::Count));
    let booked = is_booked.then(|| book.balances.of(&place));
    let outlook = Outlook::of(&dispensed.hours, calendar, now);
    let closes = calendar.closes_after(now).unwrap_or(now + AHEAD);
    let left = machine.said.or(booked);
    let midnight = midnight(now, calendar);
    let runs_out = left.and_then(|left| outlook.runs_out(left, now));
    let expected = outlook.expected(now, closes);
    let filling =
        |left| Filling { left, capacity: machine.capacity, low_at: machine.low_at, expected, runs_out, closes };
    MachineStock {
        device: machine.device.clone(),
        name: machine.name.clone(),
        said: machine.said,
        booked,
        capacity: machine.capacity,
        low_at: machine.low_at,
        today: dispensed.hours.iter().filter(|(at, _)| *at >= midnight).map(|(_, pieces)| pieces).sum(),
        runs_out,
        expected,
        closes,
        refill: left.and_then(|left| filling(left).due(shifts, now)),
        known: machine.known,
        seen: machine.seen,
        told: machine.life == Life::Live,
        dispensed,
    }
}

/// When the site's day began.
fn midnight(now: Timestamp, calendar: &Calendar) -> Timestamp {
    let start = local(now, calendar.zone()).start_of_day();
    start.map_or(now, |start| Timestamp::from_millis(start.timestamp().as_millisecond()))
}

/// What is in stock at several sites.
pub async fn of_sites(
    store: &Store,
    fleet: &Arc<Fleet>,
    sites: &[SiteId],
    now: Timestamp,
) -> Result<BTreeMap<SiteId, Vec<ItemStock>>, StoreError> {
    let mut all = BTreeMap::new();
    for site in sites {
        all.insert(site.clone(), of_site(store, fleet, site, now).await?);
    }
    Ok(all)
}
