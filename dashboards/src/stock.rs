//! What is in stock, and how long it lasts (SHO-D4, BAR-D5): the ledger, with a form for each movement.

mod refused;
mod texts;

use askama::Template;

use crate::{
    chrome::{Chrome, page},
    restraints::SelectOption,
    state::{State, Verdict},
    texts::{Texts, fill, fill2, fill3},
    time::{When, length},
};

pub use self::refused::StockRefused;

/// When something is used up, if use goes on as it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedUp {
    /// The most likely time.
    pub likely: When,
    /// How much earlier or later it may be, in ms; `None` if it may last much longer.
    pub give_or_take: Option<i64>,
}

impl UsedUp {
    /// "预计 16:40 用完（±35 分钟）".
    pub(crate) fn words(&self, t: &Texts) -> String {
        match self.give_or_take {
            Some(spread) => fill2(t.stock_used_up_about, &self.likely.local, &length(t, spread)),
            None => fill(t.stock_used_up, &self.likely.local),
        }
    }
}

/// What somebody did last, such as a refill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastDone {
    /// How many pieces.
    pub pieces: i64,
    /// When.
    pub at: When,
    /// Who; may be empty.
    pub who: String,
}

/// Pieces of an hour that are not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldPieces {
    /// When the hour begins.
    pub hour: When,
    /// How many.
    pub pieces: i64,
}

/// The form by which a machine is refilled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefillForm {
    /// The site.
    pub site: String,
    /// The item.
    pub item: String,
    /// The machine, as a place of the ledger.
    pub place: String,
    /// How many pieces are filled in: as many as the last time.
    pub amount: i64,
    /// Tells what is sent from anything else.
    pub key: String,
}

/// What is in a machine.
#[derive(Debug, Clone, PartialEq)]
pub struct StockMachine {
    /// What people call it.
    pub name: String,
    /// Its page.
    pub href: String,
    /// Its name in forms.
    pub device: String,
    /// How many are left: as it says itself, or else by the ledger.
    pub left: Option<i64>,
    /// How many it holds when full.
    pub capacity: Option<i64>,
    /// How many are left by the ledger, where the machine says something else.
    pub booked: Option<i64>,
    /// When it is empty.
    pub used_up: Option<UsedUp>,
    /// What it has handed out today.
    pub today: i64,
    /// The last refill.
    pub refilled: Option<LastDone>,
    /// The last count.
    pub counted: Option<LastDone>,
    /// Whether it is to be refilled soon.
    pub low: bool,
    /// Whether nothing fresh is known of it, or not how many are left.
    pub unknown: bool,
    /// When its agent last said anything about it.
    pub seen: Option<When>,
    /// Pieces that are not believed.
    pub held: Vec<HeldPieces>,
    /// The form, for whoever may use it.
    pub refill: Option<RefillForm>,
}

/// What is still to come of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockOrder {
    /// The order.
    pub id: String,
    /// Pieces still to come.
    pub pieces: i64,
    /// Pieces that were ordered.
    pub ordered: i64,
    /// When they are to come.
    pub due: When,
    /// Who entered it; may be empty.
    pub who: String,
}

/// A place of the site with what it holds, as forms choose it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockPlace {
    /// Its name in forms.
    pub place: String,
    /// What people call it.
    pub name: String,
    /// How many pieces, by the ledger.
    pub pieces: i64,
}

/// One item at the site.
#[derive(Debug, Clone, PartialEq)]
pub struct StockItem {
    /// Its name in forms.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// One piece.
    pub unit: String,
    /// Whether anybody keeps its ledger.
    pub kept: bool,
    /// Pieces in the store room.
    pub on_hand: i64,
    /// Pieces below which the store room runs low.
    pub min: i64,
    /// Whether it runs low.
    pub low: bool,
    /// When the store room is used up.
    pub used_up: Option<UsedUp>,
    /// The last count of the store room.
    pub counted: Option<LastDone>,
    /// What is still to come.
    pub orders: Vec<StockOrder>,
    /// The machines.
    pub machines: Vec<StockMachine>,
    /// The places of the site, the store room first.
    pub places: Vec<StockPlace>,
    /// From where pieces are handed out by hand.
    pub hand_out: String,
    /// How many an order is filled in with.
    pub order: i64,
    /// When an order made now would come, as the form has it: `2026-11-26`.
    pub due: String,
    /// The address of this month's statement.
    pub statement: String,
    /// The address of the next month's purchase.
    pub plan: String,
}

/// What a movement is, in words and numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockEntry {
    /// Its id.
    pub id: String,
    /// What was done.
    pub what: String,
    /// Of what.
    pub item: String,
    /// From where.
    pub from: String,
    /// To where.
    pub to: String,
    /// How many pieces.
    pub pieces: i64,
    /// Why; may be empty.
    pub reason: String,
    /// Who; may be empty.
    pub who: String,
    /// When.
    pub at: When,
    /// Whether it undoes another one.
    pub corrects: bool,
    /// Whether another one undoes it.
    pub corrected: bool,
}

/// `/stock`: what is there, and how long will it last?
///
/// Its forms send to `/stock/{site}` with `key`, `item`, `kind`, `pieces`, and as the kind asks `place`, `to`, `order`, `due`, `reason`, `by`;
/// to `/stock/{site}/correct` with `key`, `of`, `reason`, `by`; and to `/stock/{site}/held` with `device`, `hour`, `pieces` and `accept`.
#[derive(Debug, Clone, Template)]
#[template(path = "stock.html", blocks = ["main", "lamp"])]
pub struct StockPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The sites to choose from, where none is chosen yet.
    pub sites: Vec<SelectOption>,
    /// The items.
    pub items: Vec<StockItem>,
    /// The newest movements.
    pub entries: Vec<StockEntry>,
    /// Where older ones are.
    pub next: Option<String>,
    /// Tells what is sent from anything else.
    pub key: String,
    /// What was sent and not entered, if that is why it is shown.
    pub refused: Option<StockRefused>,
}

page!(StockPage);

/// What cannot be entered, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StockMistake {
    /// No number of pieces.
    Pieces,
    /// A difference without a reason.
    Reason,
    /// A reason that is too long.
    LongReason,
    /// No such place.
    Place,
    /// Nothing of the order is still to come.
    Arrived,
    /// It was corrected already.
    Corrected,
    /// The machine or the item is not there any more.
    Gone,
    /// No day.
    Day,
    /// They have approved it at a lower level.
    Twice,
}

impl StockMistake {
    /// Every mistake.
    pub const ALL: [Self; 9] = [
        Self::Pieces,
        Self::Reason,
        Self::LongReason,
        Self::Place,
        Self::Arrived,
        Self::Corrected,
        Self::Gone,
        Self::Day,
        Self::Twice,
    ];

    /// Its name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pieces => "stock-pieces",
            Self::Reason => "stock-reason",
            Self::LongReason => "stock-long",
            Self::Place => "stock-place",
            Self::Arrived => "stock-arrived",
            Self::Corrected => "stock-corrected",
            Self::Gone => "stock-gone",
            Self::Day => "stock-day",
            Self::Twice => "plan-twice",
        }
    }

    /// The mistake of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mistake| mistake.name() == name)
    }

    pub(crate) fn words(self, t: &Texts) -> &'static str {
        match self {
            Self::Pieces => t.stock_no_pieces,
            Self::Reason => t.stock_no_reason,
            Self::LongReason => t.stock_long_reason,
            Self::Place => t.stock_no_place,
            Self::Arrived => t.stock_arrived,
            Self::Corrected => t.stock_corrected,
            Self::Gone => t.stock_gone,
            Self::Day => t.stock_no_day,
            Self::Twice => t.stock_twice,
        }
    }
}

impl StockMachine {
    /// "剩 120 / 500 片".
    fn level(&self, t: &Texts, unit: &str) -> String {
        match (self.left, self.capacity) {
            (None, _) => t.covers_unknown.to_owned(),
            (Some(left), None) => fill2(t.stock_left, &left.to_string(), unit),
            (Some(left), Some(capacity)) => fill3(t.stock_left_of, &left.to_string(), &capacity.to_string(), unit),
        }
    }
}

impl StockPage {
    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let t = self.chrome.t();
        let mut machines = self.items.iter().flat_map(|item| &item.machines);
        if let Some(machine) = machines.find(|machine| machine.low) {
            return Verdict::new(State::Abnormal, fill(t.stock_refill_soon, &machine.name));
        }
        if let Some(item) = self.items.iter().find(|item| item.low) {
            return Verdict::new(State::Abnormal, fill2(t.stock_room_low, &item.name, &item.on_hand.to_string()));
        }
        if let Some(item) = self.items.iter().find(|item| !item.kept) {
            return Verdict::new(State::Unknown, fill(t.stock_unkept, &item.name));
        }
        let mut machines = self.items.iter().flat_map(|item| &item.machines);
        match machines.find(|machine| machine.unknown) {
            Some(machine) => Verdict::new(State::Unknown, fill(t.showflat_unknown, &machine.name)),
            None if self.items.is_empty() => Verdict::new(State::Unknown, t.stock_none),
            None => Verdict::new(State::Normal, t.stock_enough),
        }
    }
}
