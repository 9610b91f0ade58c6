//! The monthly statement of an item (SHO-D4): what was used of it, by machine and day, and whether the books agree with what was counted.
//!
//! Of every place: what it held when the month began, and what was received, refilled, handed out, thrown away, moved and found different
//! by counts, give what it held when the month ended. There is no other figure in it, so nothing can be left out without being seen.

use std::collections::BTreeMap;

use jiff::civil::Date;
use lobby_contract::DeviceId;

use crate::{
    calendar::{Calendar, local},
    purchase::Month,
    stock::{Balances, Kind, Place, dispensed::Counted},
    time::Timestamp,
};

/// An entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What it is.
    pub kind: Kind,
    /// From where.
    pub from: Place,
    /// To where.
    pub to: Place,
    /// How many pieces.
    pub pieces: i64,
    /// How many were counted, if it is a count.
    pub counted: Option<i64>,
    /// Why, as somebody wrote it.
    pub reason: Box<str>,
    /// Who did it, by name; empty if not known.
    pub who: Box<str>,
}

/// What a machine handed out in an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispensed {
    /// The machine.
    pub machine: DeviceId,
    /// When the hour begins.
    pub at: Timestamp,
    /// What was counted.
    pub counted: Counted,
}

/// A month of a place. What came is more than zero, what went less: all of it added to `began` is `ended`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceLine {
    /// The place.
    pub place: Place,
    /// Pieces when the month began, by the books.
    pub began: i64,
    /// Pieces that came from outside.
    pub received: i64,
    /// Pieces that machines were refilled with: they leave the store room and come to the machine.
    pub refilled: i64,
    /// Pieces that guests took, by the machine's counter.
    pub dispensed: i64,
    /// Pieces that were handed to guests.
    pub handed_out: i64,
    /// Pieces that were thrown away.
    pub wasted: i64,
    /// Pieces that were moved from or to other places.
    pub moved: i64,
    /// By how much counts found more than the books.
    pub difference: i64,
    /// Pieces when the month ended, by the books.
    pub ended: i64,
}

/// A month of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineLine {
    /// The machine.
    pub machine: DeviceId,
    /// Pieces handed out on each day of the month, by its counter.
    pub days: Vec<i64>,
    /// Pieces handed out in the month, by its counter.
    pub dispensed: i64,
    /// Pieces that its counter has told and that are not believed yet.
    pub held: i64,
    /// How often its counter was cleared without anybody saying so.
    pub unsure: u32,
    /// How often it was jammed.
    pub jams: u32,
}

/// A count that found another number than the books had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// When.
    pub at: Timestamp,
    /// Which place.
    pub place: Place,
    /// Pieces by the books.
    pub booked: i64,
    /// Pieces that were counted.
    pub counted: i64,
    /// Why, as whoever counted wrote it.
    pub reason: Box<str>,
    /// Who counted, by name; empty if not known.
    pub who: Box<str>,
}

/// The monthly statement of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The month.
    pub month: Month,
    /// Every place in which something was or happened.
    pub places: Vec<PlaceLine>,
    /// Every machine that handed something out or was jammed.
    pub machines: Vec<MachineLine>,
    /// Pieces handed out by hand on each day of the month (SHO-S7).
    pub by_hand: Vec<i64>,
    /// Counts that found a difference, the first one first.
    pub differences: Vec<Difference>,
    /// What a piece costs, in fen, if known.
    pub price: Option<i64>,
}

impl Statement {
    /// The statement of a month. `before` is what every place held when it began; entries and hours of other months are left out.
    pub fn make(
        month: Month,
        calendar: &Calendar,
        before: &Balances,
        entries: &[Entry],
        dispensed: &[Dispensed],
        jams: &BTreeMap<DeviceId, u32>,
        price: Option<i64>,
    ) -> Self {
        let (begins, ends) = (month.begins(calendar), month.next().begins(calendar));
        let within = |at: Timestamp| (begins..ends).contains(&at);
        let day = |at: Timestamp| usize::from(local(at, calendar.zone()).day().unsigned_abs()).saturating_sub(1);
        let length = month.days().count();
        let mut places = Places(before.ours().map(|(place, pieces)| (place.clone(), line(place, pieces))).collect());
        let (mut by_hand, mut differences) = (vec![0; length], Vec::new());
        for entry in entries.iter().filter(|entry| within(entry.at)) {
            places.take(entry, &mut differences);
            if entry.kind == Kind::HandOut {
                let handed_out = if entry.to == Place::Guests { entry.pieces } else { -entry.pieces };
                by_hand[day(entry.at)] += handed_out;
            }
        }
        let mut machines: BTreeMap<DeviceId, MachineLine> = BTreeMap::new();
        let mut machine = |id: &DeviceId, change: &mut dyn FnMut(&mut MachineLine)| {
            change(machines.entry(id.clone()).or_insert_with(|| MachineLine::empty(id, length)));
        };
        for hour in dispensed.iter().filter(|hour| within(hour.at)) {
            machine(&hour.machine, &mut |line| {
                line.days[day(hour.at)] += hour.counted.pieces;
                line.dispensed += hour.counted.pieces;
                line.held += hour.counted.held;
                line.unsure = line.unsure.saturating_add(hour.counted.unsure);
            });
            places.at(&Place::Machine(hour.machine.clone())).dispensed -= hour.counted.pieces;
        }
        for (id, jams) in jams {
            machine(id, &mut |line| line.jams = *jams);
        }
        let machines = machines.into_values().collect();
        Self { month, places: places.finished(), machines, by_hand, differences, price }
    }

    /// Pieces that guests got, by counters and by hand.
    pub fn used(&self) -> i64 {
        let dispensed: i64 = self.machines.iter().map(|machine| machine.dispensed).sum();
        dispensed + self.by_hand.iter().sum::<i64>()
    }

    /// Pieces that went without a guest: thrown away, or missing when somebody counted.
    pub fn lost(&self) -> i64 {
        -self.places.iter().map(|place| place.wasted + place.difference).sum::<i64>()
    }

    /// What so many pieces cost, in fen, if the price is known.
    pub fn cost(&self, pieces: i64) -> Option<i64> {
        self.price.and_then(|price| price.checked_mul(pieces))
    }

    /// Its days.
    pub fn days(&self) -> impl Iterator<Item = Date> + use<> {
        self.month.days()
    }
}

impl MachineLine {
    fn empty(machine: &DeviceId, days: usize) -> Self {
        Self { machine: machine.clone(), days: vec![0; days], dispensed: 0, held: 0, unsure: 0, jams: 0 }
    }

    /// How often it was jammed for each thousand pieces that it handed out; `None` if it handed out none.
    #[expect(clippy::cast_precision_loss, reason = "a month's use needs no more than 52 bits")]
    pub fn jams_per_thousand(&self) -> Option<f64> {
        (self.dispensed > 0).then(|| f64::from(self.jams) * 1000.0 / self.dispensed as f64)
    }
}

impl PlaceLine {
    /// What came less what went.
    fn change(&self) -> i64 {
        self.received + self.refilled + self.dispensed + self.handed_out + self.wasted + self.moved + self.difference
    }
}

struct Places(BTreeMap<Place, PlaceLine>);

impl Places {
    fn at(&mut self, place: &Place) -> &mut PlaceLine {
        self.0.entry(place.clone()).or_insert_with(|| line(place, 0))
    }

    fn take(&mut self, entry: &Entry, differences: &mut Vec<Difference>) {
        for (place, pieces) in [(&entry.from, -entry.pieces), (&entry.to, entry.pieces)] {
            if !place.is_ours() {
                continue;
            }
            let line = self.at(place);
            *match entry.kind {
                Kind::Receive | Kind::Order => &mut line.received,
                Kind::Refill => &mut line.refilled,
                Kind::HandOut => &mut line.handed_out,
                Kind::Count => &mut line.difference,
                Kind::Waste => &mut line.wasted,
                Kind::Transfer => &mut line.moved,
            } += pieces;
            if let Some(counted) = entry.counted.filter(|_| pieces != 0) {
                differences.push(Difference {
                    at: entry.at,
                    place: place.clone(),
                    booked: counted - pieces,
                    counted,
                    reason: entry.reason.clone(),
                    who: entry.who.clone(),
                });
            }
        }
    }

    fn finished(self) -> Vec<PlaceLine> {
        let ended = |line: PlaceLine| PlaceLine { ended: line.began + line.change(), ..line };
        self.0.into_values().map(ended).collect()
    }
}

fn line(place: &Place, began: i64) -> PlaceLine {
    PlaceLine {
        place: place.clone(),
        began,
        received: 0,
        refilled: 0,
        dispensed: 0,
        handed_out: 0,
        wasted: 0,
        moved: 0,
        difference: 0,
        ended: began,
    }
}

#[cfg(test)]
mod tests;
