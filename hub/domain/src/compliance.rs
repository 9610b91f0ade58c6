//! How the service standards are kept: what was owed at a site, whether it was done in time, and how long its equipment was known to work.
//!
//! ```text
//! owed ─► done in time ─► met
//!      ├► done later ───► late      percentage = met / (met + late + missed)
//!      ├► never done ───► missed
//!      ├► nobody could ─► excused   shown beside it, never counted
//!      └► time is left ─► open      shown beside it, never counted
//! ```
//!
//! Where nothing was owed there is no percentage: that is never 100 %.

use std::{collections::BTreeMap, ops::AddAssign};

use jiff::civil::{Date, Time};
use uuid::Uuid;

use crate::{
    alert::AlertId,
    calendar::Calendar,
    label::Label,
    pack::Pack,
    past::Times,
    purchase::Month,
    report,
    time::{Span, Timestamp},
};

/// How soon the posts concerned are told of a fault, and its ticket is open (CON-S9, PAS-D6, SHO-D4: at once).
pub const AT_ONCE: Span = Span::from_mins(1);

/// The clause by which a post looks after the repair of what it reported, by post.
pub const CONFIRMS: [(&str, &str); 1] = [("showflat", "SHO-D2")];

/// What kind of thing is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Duty {
    /// A round of a post.
    Round,
    /// A handover from one post or shift to the next.
    Handover,
    /// The posts concerned are told of a fault at once.
    Told,
    /// The department accepts a ticket.
    Response,
    /// Somebody is there.
    Arrival,
    /// It works again.
    Completion,
    /// The post concerned confirms a repair.
    Confirmation,
    /// What goes up the chain of command is answered at its first step.
    Chain,
}

/// Why something that was owed does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Excuse {
    /// The hub was not running.
    HubOff,
    /// It was the consequence of another fault, was kept quiet on purpose, or is too old for the record of who was told.
    Quiet,
    /// The ticket was closed without this step: it was over by itself, or was rejected.
    Closed,
}

/// How something that was owed was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kept {
    /// In time.
    Met,
    /// After its time.
    Late,
    /// Not at all.
    Missed,
    /// It does not count.
    Excused(Excuse),
    /// There is time left.
    Open,
}

/// Where it can be looked up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// A round.
    Round(Uuid),
    /// A ticket, by number.
    Ticket(Box<str>),
    /// An alert.
    Alert(AlertId),
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// Nobody, or it is not known who.
    Nobody,
    /// The hub itself.
    Hub,
    /// Somebody, by name.
    Person(Box<str>),
}

/// One thing that was owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// What kind of thing.
    pub duty: Duty,
    /// The clauses that ask for it.
    pub clauses: Vec<Box<str>>,
    /// The post that owed it; none if the hub did.
    pub post: Option<Box<str>>,
    /// What it was, in words.
    pub title: Label,
    /// By when.
    pub due: Timestamp,
    /// When it was done.
    pub done: Option<Timestamp>,
    /// Who did it.
    pub by: By,
    /// How it was kept.
    pub kept: Kept,
    /// Where it can be looked up.
    pub evidence: Evidence,
}

/// How often what was owed was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// In time.
    pub met: u32,
    /// After its time.
    pub late: u32,
    /// Not at all.
    pub missed: u32,
    /// Does not count.
    pub excused: u32,
    /// Still has time.
    pub open: u32,
}

/// How long a device was known to work while its site was open, in ms. The three parts make up the opening hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Availability {
    /// It worked, and data said so.
    pub good: i64,
    /// It did not work, or did not answer.
    pub bad: i64,
    /// Nobody can tell: never counted as good.
    pub unknown: i64,
}

/// What the clauses and what serves them leave open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gaps {
    /// Clauses that nothing cites.
    pub unserved: Vec<Box<str>>,
    /// Rules, and checklists, that cite no clause.
    pub uncited: Vec<Label>,
}

impl Duty {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Round,
        Self::Handover,
        Self::Told,
        Self::Response,
        Self::Arrival,
        Self::Completion,
        Self::Confirmation,
        Self::Chain,
    ];

    /// As it stands in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Round => "round",
            Self::Handover => "handover",
            Self::Told => "told",
            Self::Response => "response",
            Self::Arrival => "arrival",
            Self::Completion => "completion",
            Self::Confirmation => "confirmation",
            Self::Chain => "chain",
        }
    }
}

impl Kept {
    /// Of something that is due at a moment, and was done or not.
    pub fn by_time(due: Timestamp, done: Option<Timestamp>, now: Timestamp) -> Self {
        match done {
            Some(done) if done <= due => Self::Met,
            Some(_) => Self::Late,
            None if now <= due => Self::Open,
            None => Self::Missed,
        }
    }

    /// Of a promise of a ticket: what was not kept was noted when its time was over, as its clock stands still at times.
    pub const fn promise(breached: bool, done: bool, closed: bool) -> Self {
        match (breached, done) {
            (true, true) => Self::Late,
            (true, false) => Self::Missed,
            (false, true) => Self::Met,
            (false, false) if closed => Self::Excused(Excuse::Closed),
            (false, false) => Self::Open,
        }
    }
}

impl Tally {
    /// Notes one more.
    pub fn add(&mut self, kept: Kept) {
        match kept {
            Kept::Met => self.met += 1,
            Kept::Late => self.late += 1,
            Kept::Missed => self.missed += 1,
            Kept::Excused(_) => self.excused += 1,
            Kept::Open => self.open += 1,
        }
    }

    /// All that counts.
    pub const fn counted(&self) -> u32 {
        self.met + self.late + self.missed
    }

    /// How much of what counts was met, in tenths of a percent, rounded down: 100 % means all. Nothing where nothing was owed.
    pub fn tenths(&self) -> Option<u32> {
        let counted = u64::from(self.counted());
        (counted > 0).then(|| u32::try_from(u64::from(self.met) * 1000 / counted).unwrap_or(0))
    }

    /// Of all.
    pub fn of<'a>(instances: impl IntoIterator<Item = &'a Instance>) -> Self {
        let mut tally = Self::default();
        instances.into_iter().for_each(|instance| tally.add(instance.kept));
        tally
    }

    /// Of each clause.
    pub fn by_clause(instances: &[Instance]) -> BTreeMap<Box<str>, Self> {
        let mut all: BTreeMap<Box<str>, Self> = BTreeMap::new();
        for instance in instances {
            for clause in &instance.clauses {
                all.entry(clause.clone()).or_default().add(instance.kept);
            }
        }
        all
    }

    /// Of each post; what the hub owes stands under none.
    pub fn by_post(instances: &[Instance]) -> BTreeMap<Option<Box<str>>, Self> {
        let mut all: BTreeMap<Option<Box<str>>, Self> = BTreeMap::new();
        for instance in instances {
            all.entry(instance.post.clone()).or_default().add(instance.kept);
        }
        all
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.met += other.met;
        self.late += other.late;
        self.missed += other.missed;
        self.excused += other.excused;
        self.open += other.open;
    }
}

/// How long a site was open in a month until a moment, in ms. Where nobody has said when it is open, it counts as open around the clock.
pub fn opening(calendar: &Calendar, month: Month, until: Timestamp) -> i64 {
    let instant = |date: Date, time: Time| {
        let zoned = calendar.zone().to_zoned(date.to_datetime(time)).ok()?;
        Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
    };
    let hours = |date: Date| match (calendar.is_known(), calendar.on(date)) {
        (true, None) => None,
        (true, Some(day)) => Some((instant(date, day.open)?, instant(date, day.close)?)),
        (false, _) => Some((instant(date, Time::midnight())?, instant(date.tomorrow().ok()?, Time::midnight())?)),
    };
    let length = |(from, to): (Timestamp, Timestamp)| (to.min(until).millis() - from.millis()).max(0);
    month.days().filter_map(hours).map(length).sum()
}

impl Availability {
    /// Of a device that was seen in these states while its site was open, for `opening` ms in all. What nobody has seen is unknown.
    pub fn of(opening: i64, seen: Times) -> Self {
        let (good, bad) = (seen.normal, seen.abnormal + seen.offline);
        Self { good, bad, unknown: (opening - good - bad).max(0) }
    }

    /// All of it.
    pub const fn total(&self) -> i64 {
        self.good + self.bad + self.unknown
    }

    /// A part of it in tenths of a percent, rounded down; nothing if the site was never open.
    pub fn tenths(&self, part: i64) -> Option<i64> {
        (self.total() > 0).then(|| part * 1000 / self.total())
    }
}

impl Gaps {
    /// What a pack leaves open.
    pub fn of(pack: &Pack) -> Self {
        let rules = || pack.kinds.values().flat_map(|kind| &kind.rules);
        let cited = |id: &str| {
            let has = |clauses: &[Box<str>]| clauses.iter().any(|clause| **clause == *id);
            rules().any(|rule| has(&rule.clauses))
                || pack.checklists.iter().any(|list| has(&list.clauses))
                || pack.items.values().any(|item| has(&item.clauses))
                || has(&pack.chain.clauses)
                || report::CLAUSES.contains(&id)
                || CONFIRMS.iter().any(|(_, clause)| *clause == id)
        };
        let unserved = pack.clauses.keys().filter(|id| !cited(id)).cloned().collect();
        let without = rules().filter(|rule| rule.clauses.is_empty()).map(|rule| (&rule.id, &rule.title));
        let mut uncited: BTreeMap<&Box<str>, &Label> = without.collect();
        uncited
            .extend(pack.checklists.iter().filter(|list| list.clauses.is_empty()).map(|list| (&list.id, &list.label)));
        Self { unserved, uncited: uncited.into_values().cloned().collect() }
    }
}

#[cfg(test)]
mod tests;
