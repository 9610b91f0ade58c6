//! An item's month at a site: its statement, and what is to be bought for the next one (SHO-D4).

use std::collections::BTreeMap;

use lobby_contract::SiteId;
use lobby_domain::{
    calendar::{Calendar, local},
    pack::Item,
    purchase::{Month, Proposal, Stock},
    rule::Rule,
    statement::{Dispensed, Entry, Statement},
    stock::{Kind, Place, dispensed::Counted, levels::Levels},
    time::{Span, Timestamp},
};

use super::{counters, levels, outlook};
use crate::{
    fleet::Fleet,
    store::{Book, Counter, EntryFilter, EntryRow, PurchaseKey, PurchaseRow, Store, StoreError},
};

/// How far back use is looked at to propose a purchase: what the forecast learns from, and as much before each month of hindsight.
const LEARNT: Span = Span::from_mins(210 * 24 * 60);
/// Entries that are read at once.
const AT_ONCE: i64 = 500;
/// The fault class of alerts that count as jams.
const JAM: &str = "jam";

/// What is known of an item at a site, to make its month from.
#[derive(Debug, Clone)]
pub struct ItemMonth {
    /// What the standards say of it.
    pub item: Item,
    /// How much of it the site wants to have.
    pub levels: Levels,
    /// The site's opening hours and zone.
    pub calendar: Calendar,
    counters: Vec<Counter>,
}

impl ItemMonth {
    /// The item of that name at a site; `None` if the standards have none.
    pub fn of(fleet: &Fleet, site: &SiteId, item: &str, now: Timestamp) -> Option<Self> {
        let setup = fleet.setup();
        let known = setup.pack.items.get(item)?.clone();
        let calendar = fleet.read().get(site).map(|site| site.calendar.clone());
        let mut counters = counters(fleet, site, now);
        counters.retain(|counter| *counter.dispenses.item == *item);
        Some(Self {
            item: known,
            levels: levels(&setup, site, item),
            calendar: calendar.unwrap_or_else(|| setup.calendar(site)),
            counters,
        })
    }

    /// The month that it is at the site.
    pub fn present(&self, now: Timestamp) -> Month {
        Month::of(local(now, self.calendar.zone()).date())
    }

    /// The statement of a month.
    pub async fn statement(
        &self,
        store: &Store,
        fleet: &Fleet,
        (site, item): (&SiteId, &str),
        month: Month,
        now: Timestamp,
    ) -> Result<Statement, StoreError> {
        let (begins, ends) = (month.begins(&self.calendar), month.next().begins(&self.calendar));
        let book = store.book(site, item, &self.counters, (begins, now)).await?;
        let entries = entries(store, site, item, begins).await?;
        let dispensed = dispensed(&book);
        // What was there when the month began is what is there now, with all taken back that came since.
        let mut before = book.balances;
        for entry in &entries {
            before.moved(&entry.to, &entry.from, entry.pieces);
        }
        for hour in &dispensed {
            before.dispensed(&hour.machine, -hour.counted.pieces);
        }
        let setup = fleet.setup();
        let rules = setup.pack.kinds.values().flat_map(|kind| &kind.rules);
        let is_jam = |rule: &Rule| rule.ticket.as_ref().is_some_and(|ticket| *ticket.fault_class == *JAM);
        let jams: Vec<String> = rules.filter(|rule| is_jam(rule)).map(|rule| rule.id.to_string()).collect();
        let mut jams = store.alerts_of_devices(site, &jams, (begins, ends)).await?;
        jams.retain(|device, _| self.counters.iter().any(|counter| counter.device == *device));
        Ok(Statement::make(month, &self.calendar, &before, &entries, &dispensed, &jams, self.levels.price))
    }

    /// What is to be bought for a month: what somebody made of it, or as it looks now; `None` if nothing has ever been used.
    pub async fn plan(
        &self,
        store: &Store,
        (site, item): (&SiteId, &str),
        month: Month,
        now: Timestamp,
    ) -> Result<Option<PurchaseRow>, StoreError> {
        if let Some(row) = store.purchase(PurchaseKey { site, item, month }).await? {
            return Ok(Some(row));
        }
        let proposal = self.proposal(store, (site, item), month, now).await?;
        Ok(proposal.map(|terms| PurchaseRow { terms, steps: Vec::new() }))
    }

    /// What is to be bought for a month, as it looks now; `None` if nothing has ever been used.
    pub async fn proposal(
        &self,
        store: &Store,
        (site, item): (&SiteId, &str),
        month: Month,
        now: Timestamp,
    ) -> Result<Option<Proposal>, StoreError> {
        let book = store.book(site, item, &self.counters, (now - LEARNT, now)).await?;
        let used = outlook::together(book.dispensed.values().map(|told| &told.hours[..]), &book.by_hand);
        let used: Vec<(Timestamp, u32)> =
            used.into_iter().map(|(at, pieces)| (at, u32::try_from(pieces.max(0)).unwrap_or(u32::MAX))).collect();
        let stock = Stock {
            on_hand: book.balances.ours().filter(|(place, _)| is_known(&book, place)).map(|(_, pieces)| pieces).sum(),
            on_order: book.orders.iter().map(|order| order.pieces).sum(),
            pack: self.levels.pack,
            min_order: self.levels.min_order,
            lead_days: self.levels.lead_days,
            price: self.levels.price,
        };
        Ok(Proposal::make(month, &self.calendar, &used, stock, now))
    }
}

/// Whether it can be said what a place holds: nobody knows it of a machine that was never refilled or counted.
fn is_known(book: &Book, place: &Place) -> bool {
    let was = |kind| book.last.contains_key(&(place.clone(), kind));
    place.machine().is_none() || was(Kind::Refill) || was(Kind::Count)
}

/// The entries of an item since a time.
async fn entries(store: &Store, site: &SiteId, item: &str, from: Timestamp) -> Result<Vec<Entry>, StoreError> {
    let filter = EntryFilter { site: Some(site.clone()), item: Some(item.to_owned()), from: Some(from), until: None };
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        // A cursor that the store itself made is good.
        let Ok((rows, next)) = store.stock_entries(&filter, after.as_ref(), AT_ONCE).await? else { break };
        all.extend(rows.into_iter().map(entry));
        if next.is_none() {
            break;
        }
        after = next;
    }
    all.reverse();
    Ok(all)
}

fn entry(row: EntryRow) -> Entry {
    Entry {
        at: row.at,
        kind: row.movement.kind,
        from: row.movement.from,
        to: row.movement.to,
        pieces: row.movement.pieces,
        counted: row.movement.counted,
        reason: row.reason.into(),
        who: row.who.into(),
    }
}

/// What machines have handed out by the hour, with what of it is not believed.
fn dispensed(book: &Book) -> Vec<Dispensed> {
    let mut all = Vec::new();
    for (machine, told) in &book.dispensed {
        let mut hours: BTreeMap<Timestamp, Counted> = BTreeMap::new();
        for (at, pieces) in &told.hours {
            hours.entry(*at).or_default().pieces += pieces;
        }
        for (at, unsure) in &told.unsure_at {
            hours.entry(*at).or_default().unsure += unsure;
        }
        for (at, held) in &told.held {
            hours.entry(*at).or_default().held += held;
        }
        all.extend(hours.into_iter().map(|(at, counted)| Dispensed { machine: machine.clone(), at, counted }));
    }
    all
}
