//! Rounds: what a post looks at each day, one round with its form or its record, and whether a site is ready to open.

pub(crate) mod texts;

use askama::Template;
use lobby_domain::access::Need;

use crate::{
    alert::Clause,
    chrome::{Choice, Chrome, Notice, page},
    photo::PhotoLine,
    restraints::SelectOption,
    state::{State, Verdict},
    texts::fill,
    tile::Fact,
    time::When,
};

/// How far a round is, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoundState {
    /// Its time has not come.
    Scheduled,
    /// It may be begun.
    Open,
    /// Something is answered.
    InProgress,
    /// Who takes over has not signed.
    SignedOut,
    /// Who takes over does not agree.
    Disputed,
    /// Nobody has done it in time.
    Missed,
    /// Nobody could: the hub was not running.
    Excused,
    /// It is done.
    Done,
    /// It was done after its time.
    DoneLate,
}

impl RoundState {
    pub(crate) fn word(self, w: &texts::Texts) -> &'static str {
        match self {
            Self::Scheduled => w.check_scheduled,
            Self::Open => w.check_open,
            Self::InProgress => w.check_in_progress,
            Self::SignedOut => w.check_signed_out,
            Self::Disputed => w.check_disputed,
            Self::Missed => w.check_missed,
            Self::Excused => w.check_excused,
            Self::Done => w.check_done,
            Self::DoneLate => w.check_done_late,
        }
    }

    /// As devices are shown: a shape and a colour for each.
    pub(crate) const fn shape(self) -> State {
        match self {
            Self::Done | Self::DoneLate => State::Normal,
            Self::Missed | Self::Disputed => State::Abnormal,
            Self::Excused => State::Unknown,
            Self::Open | Self::InProgress | Self::SignedOut => State::Offline,
            Self::Scheduled => State::Maintenance,
        }
    }

    /// Whether somebody has something to do.
    const fn is_waiting(self) -> bool {
        matches!(self, Self::Open | Self::InProgress | Self::SignedOut | Self::Disputed)
    }
}

/// A round in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundLine {
    /// Where it is; nowhere before its time.
    pub href: Option<String>,
    /// What people call it.
    pub label: String,
    /// The site, where several are shown together.
    pub site: Option<String>,
    /// The post that makes it.
    pub post: String,
    /// The post that takes over.
    pub takes_over: Option<String>,
    /// Who is on duty there.
    pub people: Vec<String>,
    /// From when it may be made.
    pub opens: When,
    /// By when.
    pub due: When,
    /// How far it is.
    pub state: RoundState,
    /// How many items are answered, and how many there are.
    pub progress: (usize, usize),
}

/// `/checks`: is everything of today looked at?
#[derive(Debug, Clone, Template)]
#[template(path = "checks.html", blocks = ["main", "lamp"])]
pub struct ChecksPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The posts to choose from.
    pub posts: Vec<Choice>,
    /// Today's rounds, what is missing first.
    pub today: Vec<RoundLine>,
    /// Earlier ones, the newest first.
    pub past: Vec<RoundLine>,
    /// The form by which one is started now; nothing where the reader has none to start.
    pub start: Option<RoundStart>,
}

/// The form by which a round is started before guests play, or where no opening hours say when it is due: `key`, `checklist`.
#[derive(Debug, Clone)]
pub struct RoundStart {
    /// Where it is sent.
    pub action: String,
    /// Tells this wish from any other.
    pub key: String,
    /// The rounds to choose from.
    pub lists: Vec<SelectOption>,
}

page!(ChecksPage);

impl ChecksPage {
    /// Whether the reader may see how the standards are kept: by all, or by their own post.
    fn sees_compliance(&self) -> bool {
        self.chrome.may(Need::OwnDuties)
    }

    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let w = self.chrome.w();
        let count = |is: fn(RoundState) -> bool| self.today.iter().filter(|line| is(line.state)).count();
        let (missed, waiting) = (count(|state| state == RoundState::Missed), count(RoundState::is_waiting));
        match (missed, waiting) {
            _ if self.today.is_empty() => Verdict::new(State::Unknown, w.checks_none),
            (0, 0) => Verdict::new(State::Normal, w.checks_done),
            (0, waiting) => Verdict::new(State::Offline, fill(w.checks_waiting, &waiting.to_string())),
            (missed, _) => Verdict::new(State::Abnormal, fill(w.checks_missed, &missed.to_string())),
        }
    }
}

/// What somebody said of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemSaid {
    /// It is as it should be.
    Pass,
    /// It is not.
    Fail,
    /// So many are there.
    Count(u32),
    /// It cannot be looked at.
    NotApplicable,
}

/// What a device says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemStated {
    /// It is well.
    Fine,
    /// Something is wrong.
    Faulty,
    /// Nothing is known of it.
    Unknown,
}

/// Why an answer is to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemFlag {
    /// Ticked fine while nothing was known of the device.
    TickedUnknown,
    /// Ticked fine while the device says that something is wrong.
    TickedFaulty,
    /// Said to be faulty while the device says that it is well.
    DeviceFine,
}

/// Whether a photo is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PhotoWanted {
    /// No.
    None,
    /// One may be sent.
    Optional,
    /// One must be sent.
    Required,
}

impl ItemSaid {
    pub(crate) fn word(self, w: &texts::Texts) -> &'static str {
        match self {
            Self::Pass | Self::Count(_) => w.check_pass,
            Self::Fail => w.check_fail,
            Self::NotApplicable => w.check_not_applicable,
        }
    }
}

impl ItemStated {
    pub(crate) fn word(self, w: &texts::Texts) -> &'static str {
        match self {
            Self::Fine => w.check_device_fine,
            Self::Faulty => w.check_device_faulty,
            Self::Unknown => w.check_device_unknown,
        }
    }
}

impl ItemFlag {
    pub(crate) fn word(self, w: &texts::Texts) -> &'static str {
        match self {
            Self::TickedUnknown => w.check_flag_unknown,
            Self::TickedFaulty => w.check_flag_faulty,
            Self::DeviceFine => w.check_flag_fine,
        }
    }
}

/// One item of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemLine {
    /// Its name in the form.
    pub id: String,
    /// What must be so.
    pub label: String,
    /// How many must be there.
    pub count: Option<u32>,
    /// Whether a photo is asked for.
    pub photo: PhotoWanted,
    /// What was said of it.
    pub said: Option<ItemSaid>,
    /// The remark.
    pub note: String,
    /// What the device says itself: at that moment, or now if nothing was said yet.
    pub stated: Option<ItemStated>,
    /// The same in figures.
    pub readings: Vec<Fact>,
    /// Why the answer is to be looked at again.
    pub flag: Option<ItemFlag>,
    /// The ticket that it opened or joined.
    pub ticket: Option<String>,
    /// Who said so, and when.
    pub by: Option<Signed>,
    /// The photos of it.
    pub photos: Vec<PhotoLine>,
    /// Whether something lacks before the round can be signed.
    pub lacking: bool,
}

impl ItemLine {
    /// Whether an answer stands chosen: the one that was given, or the one that the device suggests.
    fn is_chosen(&self, said: ItemSaid) -> bool {
        match (self.said, self.stated) {
            (Some(given), _) => given == said,
            (None, Some(ItemStated::Fine)) => said == ItemSaid::Pass,
            (None, Some(ItemStated::Faulty)) => said == ItemSaid::Fail,
            (None, _) => false,
        }
    }

    fn there(&self) -> String {
        if let Some(ItemSaid::Count(there)) = self.said { there.to_string() } else { String::new() }
    }

    /// Whether it stands out in a record.
    fn is_wrong(&self) -> bool {
        match (self.said, self.count) {
            (Some(ItemSaid::Fail), _) => true,
            (Some(ItemSaid::Count(there)), Some(expected)) => there < expected,
            _ => false,
        }
    }
}

/// Who signed, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Who.
    pub by: String,
    /// When.
    pub at: When,
}

/// What whoever takes over is handed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passed {
    /// Open tickets, by number.
    pub tickets: Vec<String>,
    /// Silences, in words.
    pub silences: Vec<String>,
    /// What is to be refilled, in words.
    pub refills: Vec<String>,
}

impl Passed {
    fn is_empty(&self) -> bool {
        self.tickets.is_empty() && self.silences.is_empty() && self.refills.is_empty()
    }
}

/// `/checks/{id}`: one round. The form sends, with `key`, for each item `said.ID` (`pass`, `fail` or `not_applicable`), `count.ID`, `note.ID` and
/// `photo.ID`; whoever takes over sends `key`, `by` and `note`.
#[derive(Debug, Clone, Template)]
#[template(path = "round.html", blocks = ["main", "lamp"])]
pub struct RoundPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The round.
    pub round: RoundLine,
    /// Its own address.
    pub action: String,
    /// The clauses that ask for it.
    pub clauses: Vec<Clause>,
    /// Its items.
    pub items: Vec<ItemLine>,
    /// The key of a form that is sent, made with the page.
    pub key: String,
    /// Whether the reader may answer and sign.
    pub may_answer: bool,
    /// Whether the reader may take over.
    pub may_take: bool,
    /// Whether the reader says who they are: nobody is signed in.
    pub asks_name: bool,
    /// Who signed as who made it.
    pub signed_out: Option<Signed>,
    /// Who signed as who takes over.
    pub signed_in: Option<Signed>,
    /// With what whoever takes over does not agree.
    pub dispute: String,
    /// What passes on, if it is a handover.
    pub passed: Option<Passed>,
}

page!(RoundPage);

impl RoundPage {
    fn marks_lacking(&self) -> bool {
        self.chrome.notice == Some(Notice::Lacking)
    }
}

/// What lacks before a site can open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
    /// Who has it: the post, and who is on duty there.
    pub who: String,
    /// Where it is.
    pub href: String,
}

/// Whether a site is ready to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// The site, where several are shown together.
    pub site: Option<String>,
    /// What lacks.
    pub lacks: Vec<Lack>,
}

impl Readiness {
    pub(crate) const fn state(&self) -> State {
        if self.lacks.is_empty() { State::Normal } else { State::Abnormal }
    }

    pub(crate) fn sentence(&self, w: &texts::Texts) -> String {
        if self.lacks.is_empty() { w.ready_yes.to_owned() } else { fill(w.ready_no, &self.lacks.len().to_string()) }
    }
}
