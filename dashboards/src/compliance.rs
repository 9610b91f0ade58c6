//! How the service standards were kept at a site in a month: each clause, each post and each device, with the way to what it is made of.

mod evidence;
mod sites;
pub(crate) mod texts;

use askama::Template;
use lobby_domain::compliance::{Availability, Duty, Excuse, Kept, Tally};

pub use self::{
    evidence::{DeviceAlertsPage, MessagesPage},
    sites::{SiteKept, SitesPage},
    texts::ComplianceTexts,
};
use crate::{
    chrome::{Chrome, page},
    outbox::DeliveryState,
    state::{State, Verdict},
    texts::{Lang, fill, fill3},
    time::{When, length},
};

/// The month that a page is about, and the way to the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComplianceMonth {
    /// The month, such as 2026-12.
    pub month: String,
    /// The address of the month before.
    pub previous: String,
    /// The address of the month after, if it has begun.
    pub next: Option<String>,
    /// Where it is to be had as CSV.
    pub csv: String,
    /// Where it is to be had as a spreadsheet.
    pub xlsx: String,
    /// Whether it is over.
    pub is_over: bool,
}

/// What was kept of something, and of the same a month before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLine {
    /// A clause's id; nothing for a post.
    pub id: String,
    /// What people call it: where a clause stands, or a post.
    pub name: String,
    /// What a clause asks; nothing for a post.
    pub asks: String,
    /// Where its instances are; nowhere for a post.
    pub href: Option<String>,
    /// This month.
    pub tally: Tally,
    /// The month before.
    pub before: Tally,
}

/// How long a device worked while its site was open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvailabilityLine {
    /// What people call it.
    pub name: String,
    /// Its page.
    pub href: String,
    /// Its alerts of the month.
    pub alerts: String,
    /// How long.
    pub availability: Availability,
}

/// A clause of which no figure is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unkept {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub reference: String,
    /// Why; nothing if nobody has said so.
    pub why: Option<String>,
    /// The page that serves it.
    pub page: Option<String>,
}

/// `/compliance/{month}`: were the standards kept?
#[derive(Debug, Clone, Template)]
#[template(path = "compliance.html", blocks = ["main", "lamp"])]
pub struct CompliancePage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The month.
    pub of: ComplianceMonth,
    /// The post whose duties alone are shown, in words; none if those of all are.
    pub own: Option<String>,
    /// All of it.
    pub total: Tally,
    /// All of the month before.
    pub before: Tally,
    /// Each post.
    pub posts: Vec<KeptLine>,
    /// Each clause.
    pub clauses: Vec<KeptLine>,
    /// Each device, displays first.
    pub devices: Vec<AvailabilityLine>,
    /// For how many hours the site was open until now.
    pub opening_hours: i64,
    /// Clauses without a figure.
    pub without: Vec<Unkept>,
    /// Rules without a clause.
    pub uncited: Vec<String>,
    /// What cannot be kept at this site now, in words.
    pub cannot: Vec<String>,
    /// To whom the month's report went.
    pub reports: Vec<ReportSent>,
}

page!(CompliancePage);

/// A month's report as it stands with one of those who are sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSent {
    /// Who, or which channel.
    pub to: String,
    /// How it stands.
    pub state: DeliveryState,
    /// Since when.
    pub at: When,
    /// Why it was not taken; empty if it was.
    pub answer: String,
}

/// One thing that was owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedLine {
    /// What kind of thing.
    pub duty: Duty,
    /// What it was, in words.
    pub title: String,
    /// Where it can be looked up.
    pub href: String,
    /// The post that owed it; the hub if none did.
    pub post: String,
    /// By when.
    pub due: When,
    /// When it was done.
    pub done: Option<When>,
    /// Who did it.
    pub by: String,
    /// How it was kept.
    pub kept: Kept,
}

/// `/compliance/{month}/{clause}`: what was owed by a clause.
#[derive(Debug, Clone, Template)]
#[template(path = "compliance_clause.html", blocks = ["main", "lamp"])]
pub struct ClausePage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The month.
    pub month: String,
    /// The address of the whole month.
    pub back: String,
    /// The clause.
    pub clause: KeptLine,
    /// Why no figure of it is kept, and the page that serves it.
    pub unkept: Option<Unkept>,
    /// What was owed, what was not kept first.
    pub owed: Vec<OwedLine>,
    /// Where the list goes on.
    pub next: Option<String>,
}

page!(ClausePage);

impl Lang {
    /// Its texts of how the standards are kept.
    pub fn compliance_texts(self) -> &'static ComplianceTexts {
        match self {
            Self::Zh => &texts::ZH,
            Self::En => &texts::EN,
        }
    }
}

impl ComplianceTexts {
    /// A kind of thing that is owed, in words.
    pub const fn duty(&self, duty: Duty) -> &'static str {
        match duty {
            Duty::Round => self.duty_round,
            Duty::Handover => self.duty_handover,
            Duty::Told => self.duty_told,
            Duty::Response => self.duty_response,
            Duty::Arrival => self.duty_arrival,
            Duty::Completion => self.duty_completion,
            Duty::Confirmation => self.duty_confirmation,
            Duty::Chain => self.duty_chain,
            Duty::Plan => self.duty_plan,
            Duty::Statement => self.duty_statement,
            Duty::Supply => self.duty_supply,
            Duty::Warned => self.duty_warned,
            Duty::StockTake => self.duty_stock_take,
            Duty::Consent => self.duty_consent,
            Duty::Move => self.duty_move,
            Duty::Message => self.duty_message,
        }
    }

    /// How something was kept, in words.
    pub fn kept(&self, kept: Kept) -> String {
        let why = match kept {
            Kept::Met => return self.met.to_owned(),
            Kept::Late => return self.late.to_owned(),
            Kept::Missed => return self.missed.to_owned(),
            Kept::Open => return self.open.to_owned(),
            Kept::Excused(Excuse::HubOff) => self.why_hub,
            Kept::Excused(Excuse::Quiet) => self.why_quiet,
            Kept::Excused(Excuse::Closed) => self.why_closed,
            Kept::Excused(Excuse::Unseen) => self.why_unseen,
        };
        format!("{}: {why}", self.excused)
    }

    /// The percentage of what was kept; in words where nothing counts.
    pub fn share(&self, tally: &Tally) -> String {
        match tally.tenths() {
            Some(tenths) => percent(i64::from(tenths)),
            None if tally.open > 0 => self.open.to_owned(),
            None if tally.excused > 0 => self.excused.to_owned(),
            None => self.not_owed.to_owned(),
        }
    }

    /// What was kept of a month, in a sentence.
    pub fn sentence(&self, tally: &Tally) -> String {
        let counted = tally.counted().to_string();
        let mut sentence = match tally.tenths() {
            None => self.nothing.to_owned(),
            Some(_) if tally.met == tally.counted() => fill(self.all_kept, &counted),
            Some(_) => fill3(self.some_kept, &counted, &tally.met.to_string(), &self.share(tally)),
        };
        if tally.open > 0 {
            sentence.push_str(&fill(self.and_open, &tally.open.to_string()));
        }
        sentence
    }
}

/// Tenths of a percent as people write them.
fn percent(tenths: i64) -> String {
    if tenths % 10 == 0 { format!("{} %", tenths / 10) } else { format!("{}.{} %", tenths / 10, tenths % 10) }
}

impl AvailabilityLine {
    /// How long it was under maintenance.
    pub fn maintenance(&self, lang: Lang) -> String {
        let ms = self.availability.maintenance;
        if ms == 0 { "-".to_owned() } else { length(lang.texts(), ms) }
    }

    /// A part of the opening hours in percent.
    fn part(&self, part: i64) -> String {
        self.availability.tenths(part).map_or_else(|| "-".to_owned(), percent)
    }

    /// Working, faulty and unknown, in percent.
    pub fn parts(&self) -> [String; 3] {
        let Availability { good, bad, unknown, .. } = self.availability;
        [self.part(good), self.part(bad), self.part(unknown)]
    }
}

/// How a tally is shown: a shape and a colour.
const fn state(tally: &Tally) -> State {
    match (tally.counted(), tally.missed + tally.late) {
        (0, _) => State::Unknown,
        (_, 0) => State::Normal,
        _ => State::Abnormal,
    }
}

impl OwedLine {
    /// As devices are shown.
    const fn shape(&self) -> State {
        match self.kept {
            Kept::Met => State::Normal,
            Kept::Late | Kept::Missed => State::Abnormal,
            Kept::Excused(_) => State::Maintenance,
            Kept::Open => State::Unknown,
        }
    }
}

impl CompliancePage {
    fn c(&self) -> &'static ComplianceTexts {
        self.chrome.lang.compliance_texts()
    }

    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        Verdict::new(state(&self.total), self.c().sentence(&self.total))
    }
}

impl ClausePage {
    fn c(&self) -> &'static ComplianceTexts {
        self.chrome.lang.compliance_texts()
    }

    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let (c, tally) = (self.c(), &self.clause.tally);
        let sentence = if *tally == Tally::default() { c.none_owed.to_owned() } else { c.sentence(tally) };
        Verdict::new(state(tally), sentence)
    }
}
