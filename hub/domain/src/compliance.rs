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

mod availability;
mod periodic;

use std::{collections::BTreeMap, ops::AddAssign};

use lobby_contract::DeviceId;
use uuid::Uuid;

pub use self::{
    availability::{Availability, meet, open_within, opening, settled},
    periodic::{OutTime, SEEN_ENOUGH, Stocked, ran_out, room_outs, stock_takes, supply_of},
};
use crate::{
    access::Role,
    alert::AlertId,
    check::stands_at,
    label::Label,
    pack::Pack,
    purchase::Month,
    report,
    time::{Span, Timestamp},
};

/// How soon the posts concerned are told of a fault, and its ticket is open (CON-S9, PAS-D6, SHO-D4: at once).
pub const AT_ONCE: Span = Span::from_mins(1);

/// The clause by which a post looks after the repair of what it reported, by post.
pub const CONFIRMS: [(&str, &str); 1] = [("showflat", "SHO-D2")];

/// The clause by which a machine never runs out, its use is checked against the books each month, and the next purchase is settled from it.
pub const SUPPLY: &str = "SHO-D4";
/// The clause by which whoever buys is told before anything runs out.
pub const WARNED: &str = "BAR-D5";
/// The clause by which stock is taken periodically, and nothing goes in or out without the manager's consent.
pub const REGISTER: &str = "SHO-S2";
/// The clauses by which emergencies reach the departments and people concerned at once.
pub const URGENT: [&str; 3] = ["CON-D4", "CON-S10", "PAS-D4"];
/// How long after a month somebody of the post has looked at its statement. The time is a suggestion of this product.
pub const STATEMENT_WITHIN: Span = Span::from_mins(7 * 24 * 60);

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
    /// What is bought for the next month is approved before it begins.
    Plan,
    /// The statement of the month is looked at, and agreed to.
    Statement,
    /// A machine, or the store room, does not run out while guests are there.
    Supply,
    /// Whoever refills and buys is told before something runs out.
    Warned,
    /// Stock is taken again before the last stock-take is too old.
    StockTake,
    /// The manager says whether an item may be moved.
    Consent,
    /// What may be moved is moved, and the register says so.
    Move,
    /// An urgent message reaches a channel at once.
    Message,
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
    /// For too much of the time nothing was known of the device.
    Unseen,
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
    /// What was sent of an alert, channel by channel.
    Messages(AlertId),
    /// A device.
    Device(DeviceId),
    /// What is bought of an item for a month.
    Plan(Box<str>, Month),
    /// What was used of an item in a month.
    Statement(Box<str>, Month),
    /// The register.
    Register,
    /// A stock-take.
    StockTake(Uuid),
    /// The moves of items.
    Moves,
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
    pub const ALL: [Self; 16] = [
        Self::Round,
        Self::Handover,
        Self::Told,
        Self::Response,
        Self::Arrival,
        Self::Completion,
        Self::Confirmation,
        Self::Chain,
        Self::Plan,
        Self::Statement,
        Self::Supply,
        Self::Warned,
        Self::StockTake,
        Self::Consent,
        Self::Move,
        Self::Message,
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
            Self::Plan => "plan",
            Self::Statement => "statement",
            Self::Supply => "supply",
            Self::Warned => "warned",
            Self::StockTake => "stock_take",
            Self::Consent => "consent",
            Self::Move => "move",
            Self::Message => "message",
        }
    }
}

impl Excuse {
    /// As it stands in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HubOff => "hub_off",
            Self::Quiet => "quiet",
            Self::Closed => "closed",
            Self::Unseen => "unseen",
        }
    }
}

impl Kept {
    /// As it stands in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Late => "late",
            Self::Missed => "missed",
            Self::Excused(_) => "excused",
            Self::Open => "open",
        }
    }

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

impl Instance {
    /// Whether a clause asks for it.
    pub fn is_of(&self, clause: &str) -> bool {
        self.clauses.iter().any(|id| **id == *clause)
    }
}

/// Of whom somebody sees how the standards are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// Of everybody.
    All,
    /// Of the posts of these roles, or of those for which a shift leader stands in: what they owed, and what their clauses ask.
    Posts(Vec<Role>),
}

impl Sight {
    /// Of whoever has these roles; whoever is nothing in particular runs the product.
    pub fn of(roles: Option<impl IntoIterator<Item = Role>>) -> Self {
        let Some(roles) = roles else { return Self::All };
        let roles: Vec<Role> = roles.into_iter().collect();
        let oversees = roles.iter().any(|role| role.may(crate::access::Need::Oversee));
        if oversees { Self::All } else { Self::Posts(roles) }
    }

    /// Whether it is of a post.
    pub fn is_of(&self, post: Option<&str>) -> bool {
        match self {
            Self::All => true,
            Self::Posts(roles) => post.is_some_and(|post| roles.iter().any(|role| stands_at(Some(*role), post))),
        }
    }

    /// Whether an instance is seen.
    pub fn sees(&self, pack: &Pack, instance: &Instance) -> bool {
        let is_theirs = |id: &str| pack.clauses.get(id).is_some_and(|clause| self.is_of(clause.post.as_deref()));
        self.is_of(instance.post.as_deref()) || instance.clauses.iter().any(|id| is_theirs(id))
    }

    /// Whether a clause is seen: one's own, everybody's, and what one owes by the clause of another post. `owed` is what is seen.
    pub fn shows(&self, pack: &Pack, id: &str, owed: &[Instance]) -> bool {
        let Some(clause) = pack.clauses.get(id) else { return false };
        clause.post.is_none()
            || self.is_of(clause.post.as_deref())
            || owed.iter().any(|instance| instance.is_of(id) && self.is_of(instance.post.as_deref()))
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
                || URGENT.contains(&id)
                || [SUPPLY, WARNED, REGISTER].contains(&id)
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
