//! The show flat's question (SHO-D4, SHO-S7): will the shoe covers last, and does a machine need our hands?

use askama::Template;

use crate::{
    chrome::{Chrome, page},
    incident::Incident,
    state::{State, Verdict},
    stock::{LastDone, RefillForm, UsedUp},
    texts::{Texts, fill, fill2},
    tile::{DeviceRef, Fact},
    time::When,
};

/// A shoe-cover machine that runs low.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LowStock {
    /// Since when it is low.
    pub since: When,
    /// Who must refill it.
    pub who: Option<String>,
    /// By when, and with how many; `None` if nothing tells.
    pub refill: Option<DueRefill>,
}

/// A refill that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRefill {
    /// By when: before the shift begins in which the machine may run out.
    pub by: When,
    /// How many pieces at least, so that it lasts until the site closes.
    pub pieces: i64,
}

/// A shoe-cover machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// The device.
    pub device: DeviceRef,
    /// Its state.
    pub state: State,
    /// Since when it is in this state.
    pub since: Option<When>,
    /// When its agent last said anything about it.
    pub seen: Option<When>,
    /// Until when it is under maintenance, in words; `None` if it is not.
    pub maintenance: Option<String>,
    /// Covers left, in pieces; `None` when not known.
    pub left: Option<u32>,
    /// Covers when full, in pieces.
    pub capacity: Option<u32>,
    /// The level below which it must be refilled, in pieces.
    pub low_level: Option<u32>,
    /// The low-stock warning, if one is open.
    pub low_stock: Option<LowStock>,
    /// When the covers will be used up, as forecast.
    pub runs_out: Option<UsedUp>,
    /// Covers dispensed today, in pieces.
    pub dispensed_today: Option<u32>,
    /// The last refill, as the ledger has it.
    pub refilled: Option<LastDone>,
    /// The form by which it is refilled, for whoever may.
    pub refill: Option<RefillForm>,
    /// Further facts, such as jams today.
    pub facts: Vec<Fact>,
    /// The open incident: covers are handed out by hand until it ends.
    pub incident: Option<Incident>,
}

impl DueRefill {
    /// In words.
    fn words(&self, t: &Texts) -> String {
        fill2(t.covers_refill_due, &self.by.local, &self.pieces.to_string())
    }
}

impl Machine {
    /// How full it is, in percent of the capacity.
    fn percent(&self) -> Option<u32> {
        let (left, capacity) = (u64::from(self.left?), u64::from(self.capacity.filter(|capacity| *capacity > 0)?));
        u32::try_from((left * 100 / capacity).min(100)).ok()
    }

    /// Where the low level lies on the bar, in percent of the capacity.
    fn low_percent(&self) -> Option<u32> {
        let capacity = u64::from(self.capacity.filter(|capacity| *capacity > 0)?);
        u32::try_from((u64::from(self.low_level?) * 100 / capacity).min(100)).ok()
    }

    /// "剩 120 / 500 只".
    fn level(&self, t: &Texts) -> String {
        match (self.left, self.capacity) {
            (None, _) => t.covers_unknown.to_owned(),
            (Some(left), None) => fill(t.covers_left, &left.to_string()),
            (Some(left), Some(capacity)) => fill2(t.covers_left_of, &left.to_string(), &capacity.to_string()),
        }
    }

    /// Whether guests cannot use it, so that covers are handed out by hand (SHO-S7).
    fn by_hand(&self) -> bool {
        matches!(self.state, State::Abnormal | State::Offline)
    }

    fn bar_class(&self) -> &'static str {
        if self.state == State::Unknown {
            "unknown"
        } else if self.low_stock.is_some() {
            "low"
        } else {
            "enough"
        }
    }
}

/// `/showflat`: will the shoe covers last, and does a machine need our hands?
#[derive(Debug, Clone, Template)]
#[template(path = "showflat.html", blocks = ["main", "lamp"])]
pub struct ShowflatPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The machines.
    pub machines: Vec<Machine>,
}

page!(ShowflatPage);

impl ShowflatPage {
    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let t = self.chrome.t();
        let find = |test: fn(&Machine) -> bool| self.machines.iter().find(|machine| test(machine));
        if self.machines.is_empty() {
            Verdict::new(State::Unknown, t.showflat_empty)
        } else if let Some(machine) = find(Machine::by_hand) {
            Verdict::new(machine.state, fill(t.showflat_by_hand, &machine.device.name))
        } else if let Some(machine) = find(|machine| machine.low_stock.is_some()) {
            let left = machine.left.map_or_else(|| t.unknown_value.to_owned(), |left| left.to_string());
            Verdict::new(State::Abnormal, fill2(t.showflat_low, &machine.device.name, &left))
        } else if let Some(machine) = find(|machine| machine.state == State::Unknown || machine.left.is_none()) {
            Verdict::new(State::Unknown, fill(t.showflat_unknown, &machine.device.name))
        } else if let Some(machine) = find(|machine| machine.state == State::Maintenance) {
            Verdict::new(State::Maintenance, fill2(t.device_is, &machine.device.name, machine.state.word(t)))
        } else {
            Verdict::new(State::Normal, fill(t.showflat_all_normal, &self.machines.len().to_string()))
        }
    }
}
