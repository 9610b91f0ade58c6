//! The month of an item that is used up (SHO-D4): its statement, and what is bought for the next one.

mod sheet;

use askama::Template;

pub use self::sheet::{PlanSheet, StatementSheet};
use crate::{
    chrome::{Chrome, page},
    restraints::SelectOption,
    state::{State, Verdict},
    stock::StockMistake,
    texts::{MonthTexts, fill, fill2, fill3},
    time::When,
};

/// The month that a page is about, and the way to the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthOf {
    /// The month, such as 2026-12.
    pub month: String,
    /// The item in words.
    pub item: String,
    /// What its pieces are called.
    pub unit: String,
    /// The other items of the site.
    pub items: Vec<SelectOption>,
    /// The address of the month before.
    pub previous: String,
    /// The address of the month after, if there is anything to see of it.
    pub next: Option<String>,
    /// The address of the other page of this month: the plan's for a statement, the statement's for a plan.
    pub other: String,
    /// Where it is to be had as CSV.
    pub csv: String,
    /// Where it is to be had as a spreadsheet.
    pub xlsx: String,
    /// Where it is to be had on paper.
    pub print: String,
}

/// A month of a machine.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineMonth {
    /// What people call it.
    pub name: String,
    /// Pieces it handed out, by its counter.
    pub dispensed: i64,
    /// Pieces that its counter has told and that are not believed yet.
    pub held: i64,
    /// How often its counter was cleared without anybody saying so.
    pub unsure: u32,
    /// How often it was jammed.
    pub jams: u32,
    /// The same for each thousand pieces.
    pub jams_per_thousand: Option<f64>,
}

/// A day of a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayOfMonth {
    /// The day, such as 12-05.
    pub day: String,
    /// Pieces that each machine handed out.
    pub machines: Vec<i64>,
    /// Pieces handed out by hand.
    pub by_hand: i64,
    /// All of them.
    pub used: i64,
}

/// A month of a place: what is in the columns, added to `began`, is `ended`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceMonth {
    /// What people call it.
    pub name: String,
    /// Pieces when it began.
    pub began: i64,
    /// Received, refilled, by counter, by hand, thrown away, moved, found different: as they change what is there.
    pub changes: [i64; 7],
    /// Pieces when it ended.
    pub ended: i64,
}

/// A count that found another number than the books had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountDifference {
    /// When.
    pub at: When,
    /// Which place.
    pub place: String,
    /// Pieces by the books.
    pub booked: i64,
    /// Pieces that were counted.
    pub counted: i64,
    /// Why.
    pub reason: String,
    /// Who counted; empty if not known.
    pub who: String,
}

/// `/stock/statement/{month}`: what was used, and whether the books agree with the counts.
#[derive(Debug, Clone, Template)]
#[template(path = "statement.html", blocks = ["main", "lamp"])]
pub struct StatementPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The month.
    pub of: MonthOf,
    /// Whether the month is over.
    pub is_over: bool,
    /// Pieces that guests got.
    pub used: i64,
    /// Pieces thrown away or missing.
    pub lost: i64,
    /// What the used ones cost, such as ¥2,390.50, if the price is known.
    pub cost: Option<String>,
    /// The machines.
    pub machines: Vec<MachineMonth>,
    /// The days.
    pub days: Vec<DayOfMonth>,
    /// The places.
    pub places: Vec<PlaceMonth>,
    /// Counts that found a difference.
    pub differences: Vec<CountDifference>,
    /// Who has agreed to it, and when.
    pub agreed: Option<(String, When)>,
    /// Where the reader agrees to it, if they may.
    pub agree: Option<String>,
}

page!(StatementPage);

impl StatementPage {
    fn m(&self) -> &'static MonthTexts {
        self.chrome.lang.month_texts()
    }

    fn agreed_words(&self, who: &str, at: &When) -> String {
        let m = self.m();
        fill2(m.agreed, if who.is_empty() { m.agreed_somebody } else { who }, &at.full)
    }

    /// The words of what changes a place, in the order of its columns.
    fn columns(&self) -> [&'static str; 7] {
        PlaceMonth::words(self.m())
    }

    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let (m, used) = (self.m(), self.used.to_string());
        let below = self.places.iter().find(|place| place.ended < 0);
        let unsure = self.machines.iter().any(|machine| machine.held != 0 || machine.unsure > 0);
        let sentence = match &self.cost {
            Some(cost) => fill3(m.used_for, &used, &self.of.unit, cost),
            None => fill2(m.used, &used, &self.of.unit),
        };
        if self.lost != 0 {
            let lost = fill2(
                if self.lost > 0 { m.and_lost } else { m.and_found },
                &self.lost.abs().to_string(),
                &self.of.unit,
            );
            Verdict::new(State::Abnormal, sentence + &lost)
        } else if let Some(place) = below {
            Verdict::new(State::Unknown, sentence + &fill(m.and_below, &place.name))
        } else if unsure {
            Verdict::new(State::Unknown, sentence + m.and_unsure)
        } else {
            Verdict::new(State::Normal, sentence + m.and_agree)
        }
    }

    fn question(&self) -> String {
        format!("{} {} {}", self.of.item, self.chrome.t().separator, fill(self.m().statement, &self.of.month))
    }

    /// The most used on a day, for the bars.
    fn most(&self) -> i64 {
        self.days.iter().map(|day| day.used).max().unwrap_or_default().max(1)
    }

    /// How long a day's bar is, in percent.
    fn percent(&self, day: &DayOfMonth) -> i64 {
        (day.used.max(0) * 100 / self.most()).min(100)
    }
}

impl PlaceMonth {
    const fn words(m: &MonthTexts) -> [&'static str; 7] {
        [m.received, m.refilled, m.counter, m.by_hand, m.wasted, m.moved, m.difference]
    }

    /// What changed it, with the words of each; what changed nothing is left out.
    fn lines(&self, m: &MonthTexts) -> Vec<(&'static str, String)> {
        let changed = Self::words(m).into_iter().zip(self.changes).filter(|(_, pieces)| *pieces != 0);
        changed.map(|(word, pieces)| (word, format!("{pieces:+}").replace('-', "\u{2212}"))).collect()
    }
}

impl MachineMonth {
    fn rate(&self) -> Option<String> {
        self.jams_per_thousand.map(|rate| format!("{rate:.1}"))
    }
}

/// A term of a proposal's figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanTerm {
    /// What it is.
    pub label: String,
    /// How it came about.
    pub how: Option<String>,
    /// Pieces, as they go into the sum.
    pub pieces: i64,
}

impl PlanTerm {
    /// With the sign that a person would write.
    fn signed(&self) -> String {
        if self.pieces == 0 { "0".to_owned() } else { format!("{:+}", self.pieces).replace('-', "\u{2212}") }
    }
}

/// How well a month was forecast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanHindsight {
    /// The month.
    pub month: String,
    /// Pieces that were expected.
    pub expected: i64,
    /// Pieces that were used.
    pub used: i64,
    /// By how much it was wrong, such as +4.2 %.
    pub error: String,
}

/// What was done with a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanStep {
    /// In words, with the pieces.
    pub what: String,
    /// Who, and what they are.
    pub who: String,
    /// When.
    pub at: When,
    /// Why.
    pub reason: Option<String>,
}

/// How a plan stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanState {
    /// Nobody has submitted it.
    Open,
    /// It waits for a post.
    With(String),
    /// Everybody has approved it.
    Approved,
}

/// What the reader may do with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlanForm {
    /// Edit and submit it.
    pub edit: bool,
    /// Approve it, or send it back.
    pub approve: bool,
    /// They have approved it at a lower level: then they can only send it back.
    pub has_approved: bool,
}

/// The figure, and what it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// How it stands.
    pub state: PlanState,
    /// Pieces to be bought.
    pub pieces: i64,
    /// How many boxes that are, and of how many pieces.
    pub boxes: (i64, i64),
    /// What it costs, if the price is known.
    pub cost: Option<String>,
    /// What the figure is made of.
    pub terms: Vec<PlanTerm>,
    /// What that adds up to.
    pub need: i64,
    /// The same in whole boxes and not fewer than are sold: what is proposed.
    pub proposed: i64,
    /// How well the last months were forecast.
    pub hindsight: Vec<PlanHindsight>,
    /// What was done with it.
    pub steps: Vec<PlanStep>,
    /// The number of the steps, which the form sends along.
    pub seen: usize,
    /// What the reader may do.
    pub form: PlanForm,
}

/// `/stock/plan/{month}`: what is to be bought for a month.
#[derive(Debug, Clone, Template)]
#[template(path = "plan.html", blocks = ["main", "lamp"])]
pub struct PlanPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The month.
    pub of: MonthOf,
    /// The address that the form is sent to.
    pub action: String,
    /// The figure; none if nothing has ever been used.
    pub plan: Option<Plan>,
    /// The form that was not taken, if one was not.
    pub refused: Option<PlanRefused>,
}

/// A form of a plan that was not taken: it comes back with what was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRefused {
    /// Why.
    pub mistake: StockMistake,
    /// Which form: `edit`, `submit`, `approve` or `return`.
    pub act: String,
    /// How many, as it was typed.
    pub pieces: String,
    /// Why, as it was typed.
    pub reason: String,
}

page!(PlanPage);

impl PlanPage {
    fn m(&self) -> &'static MonthTexts {
        self.chrome.lang.month_texts()
    }

    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let m = self.m();
        let Some(plan) = &self.plan else { return Verdict::new(State::Unknown, m.plan_unknown) };
        let pieces = plan.pieces.to_string();
        match &plan.state {
            _ if plan.pieces == 0 => Verdict::new(State::Normal, m.plan_nothing),
            PlanState::Open => Verdict::new(State::Unknown, fill2(m.plan_open, &pieces, &self.of.unit)),
            PlanState::With(post) => Verdict::new(State::Maintenance, fill3(m.plan_with, &pieces, &self.of.unit, post)),
            PlanState::Approved => Verdict::new(State::Normal, fill2(m.plan_approved, &pieces, &self.of.unit)),
        }
    }

    /// The form of that act, if it was not taken.
    fn refused(&self, act: &str) -> Option<&PlanRefused> {
        self.refused.as_ref().filter(|refused| refused.act == act)
    }

    /// What stands in the field of the pieces: what was typed there, or the figure.
    fn pieces(&self, plan: &Plan) -> String {
        self.refused("edit").map_or_else(|| plan.pieces.to_string(), |refused| refused.pieces.clone())
    }

    /// What stands in the field of the reason.
    fn reason(&self, act: &str) -> &str {
        self.refused(act).map_or("", |refused| &refused.reason)
    }

    /// What is wrong with the pieces that were typed.
    fn wrong_pieces(&self) -> Option<&'static str> {
        let refused = self.refused("edit").filter(|refused| refused.mistake == StockMistake::Pieces)?;
        Some(refused.mistake.words(self.chrome.t()))
    }

    /// What is wrong with the reason that was typed.
    fn wrong_reason(&self, act: &str) -> Option<&'static str> {
        let refused = self.refused(act)?;
        (refused.mistake == StockMistake::Reason).then(|| self.m().act_no_reason)
    }

    fn boxes(&self, plan: &Plan) -> String {
        fill3(self.m().plan_boxes, &plan.boxes.0.to_string(), &plan.boxes.1.to_string(), &self.of.unit)
    }

    fn question(&self) -> String {
        format!("{} {} {}", self.of.item, self.chrome.t().separator, fill(self.m().plan, &self.of.month))
    }
}

/// `/stock/…` of several sites, none of which is chosen yet.
#[derive(Debug, Clone, Template)]
#[template(path = "month_site.html", blocks = ["main", "lamp"])]
pub struct MonthSitePage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The address without the site.
    pub path: String,
    /// The sites.
    pub sites: Vec<SelectOption>,
    /// Whether a site is chosen, at which nothing is kept in stock.
    pub is_empty: bool,
}

page!(MonthSitePage);

impl MonthSitePage {
    fn m(&self) -> &'static MonthTexts {
        self.chrome.lang.month_texts()
    }
}
