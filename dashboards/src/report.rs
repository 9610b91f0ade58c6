//! What people report: the page behind a device's label, the forms, and how a report is shown.

use askama::Template;

use crate::{
    chrome::{Choice, Chrome, page},
    photo::{PhotoLine, PhotoMistake},
    restraints::SelectOption,
    state::State,
    texts::{Texts, fill, fill2, filled},
    ticket::TicketStep,
    tile::DeviceRef,
    time::When,
};

/// Why a report was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportMistake {
    /// Neither a symptom nor a word is given.
    Nothing,
    /// No word is given, where there are no symptoms to choose from.
    NoWords,
    /// Nothing is said of what it is about.
    NoThing,
    /// The number is no phone number.
    Phone,
    /// A text is too long.
    TooLong,
    /// A photo was not taken.
    Photo(PhotoMistake),
    /// Too many reports came from there; so many minutes are to be waited.
    Wait(i64),
}

impl ReportMistake {
    pub(crate) fn words(&self, t: &Texts) -> String {
        match self {
            Self::Nothing => t.report_nothing.to_owned(),
            Self::NoWords => t.report_no_words.to_owned(),
            Self::NoThing => t.report_no_thing.to_owned(),
            Self::Phone => t.report_bad_phone.to_owned(),
            Self::TooLong => t.report_too_long.to_owned(),
            Self::Photo(mistake) => mistake.words(t).to_owned(),
            Self::Wait(minutes) => filled(t.report_wait, minutes),
        }
    }
}

/// What can be reported, as a form says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reported {
    /// 故障.
    #[default]
    Fault,
    /// 损坏.
    Damage,
    /// 丢失.
    Loss,
}

impl Reported {
    /// Everything that can be reported.
    pub const ALL: [Self; 3] = [Self::Fault, Self::Damage, Self::Loss];

    /// As a form says it.
    pub fn value(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Damage => "damage",
            Self::Loss => "loss",
        }
    }

    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Fault => t.report_fault,
            Self::Damage => t.report_damage,
            Self::Loss => t.report_loss,
        }
    }
}

/// Who reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reporter {
    /// A guest.
    Guest,
    /// Somebody of the staff.
    Person,
    /// A program.
    Program,
}

impl Reporter {
    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Guest => t.source_guest,
            Self::Person => t.source_person,
            Self::Program => t.source_program,
        }
    }
}

/// Who fills in a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ReportReader {
    /// Somebody of the staff who is signed in.
    #[default]
    SignedIn,
    /// Somebody of the staff, while nobody can sign in: they say who they are.
    Unnamed,
    /// A guest: they report nothing but faults, and may leave their number.
    Guest,
    /// A guest who reports that an item is damaged or lost.
    GuestOfItem,
}

/// A form by which something is reported, and what was filled in before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportForm {
    /// Where it is sent.
    pub action: String,
    /// Tells the report from any other.
    pub key: String,
    /// Who fills it in.
    pub reader: ReportReader,
    /// Whether it is about a thing that is no device, which has to be named.
    pub asks_thing: bool,
    /// The site that is chosen, and others that may be; none where there is no choice.
    pub sites: Vec<SelectOption>,
    /// What is reported.
    pub what: Reported,
    /// The symptoms.
    pub symptoms: Vec<SelectOption>,
    /// The thing, and where it is.
    pub thing: String,
    /// In their own words.
    pub note: String,
    /// Where they can be called.
    pub phone: String,
    /// Who they are.
    pub by: String,
    /// Whether a repair is wanted.
    pub repair: bool,
    /// What was wrong with that.
    pub mistake: Option<ReportMistake>,
}

impl ReportForm {
    pub(crate) fn is_guests(&self) -> bool {
        matches!(self.reader, ReportReader::Guest | ReportReader::GuestOfItem)
    }

    /// What is asked for in their own words: all there is to be said of an item.
    pub(crate) fn note_label(&self, t: &Texts) -> &'static str {
        if self.reader == ReportReader::GuestOfItem { t.report_what_is_wrong } else { t.report_note }
    }

    /// Whether somebody asks for a repair by sending it.
    pub(crate) fn asks_repair(&self) -> bool {
        self.reader == ReportReader::Guest
    }

    pub(crate) fn asks_name(&self) -> bool {
        self.reader == ReportReader::Unnamed
    }
}

/// How far a repair is, for somebody who need not know more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Its step.
    pub step: TicketStep,
    /// The department that works it.
    pub department: String,
    /// When it is expected to be put right, or somebody to be there.
    pub due: Option<When>,
}

impl Progress {
    /// "已报修，工程部处理中，预计 15:20".
    fn sentence(&self, t: &Texts) -> String {
        let words = match self.step {
            TicketStep::AwaitingConfirmation => t.guest_repaired,
            TicketStep::Closed => t.guest_closed,
            TicketStep::Cancelled => t.guest_cancelled,
            TicketStep::Reported => t.guest_reported,
            TicketStep::Accepted | TicketStep::InProgress => t.guest_in_progress,
        };
        let words = fill(words, &self.department);
        match &self.due {
            Some(due) if self.step.is_worked() => fill2(t.guest_expected, &words, &due.local),
            _ => words,
        }
    }
}

/// `/d/{code}` for whoever scanned a label and is not signed in; `/d/{code}/report/{id}` after they reported something.
#[derive(Debug, Clone, Template)]
#[template(path = "guest.html", blocks = ["main", "lamp"])]
pub struct GuestPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The device's name.
    pub name: String,
    /// Where it stands; may be empty.
    pub place: String,
    /// Its state.
    pub state: State,
    /// How far its repair is, if there is one.
    pub progress: Option<Progress>,
    /// The form, unless they have just sent it.
    pub form: Option<ReportForm>,
    /// The address of the device's page.
    pub back: String,
}

page!(GuestPage);

/// An item of the register that is reported about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedItem {
    /// What people call it.
    pub name: String,
    /// Its asset number.
    pub number: String,
    /// Where it belongs.
    pub place: String,
    /// Where it is told of.
    pub href: String,
}

/// `/report` and `/d/{code}/report`: somebody of the staff reports something.
#[derive(Debug, Clone, Template)]
#[template(path = "report.html", blocks = ["main", "lamp"])]
pub struct ReportPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The device; none for other things.
    pub device: Option<DeviceRef>,
    /// The item of the register whose label was scanned.
    pub item: Option<ReportedItem>,
    /// The devices that may be chosen instead, by where they stand.
    pub devices: Vec<Choice>,
    /// The form.
    pub form: ReportForm,
}

page!(ReportPage);

/// A report on a ticket's page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportCard {
    /// Who reported.
    pub source: Reporter,
    /// Their name, if it is known.
    pub by: Option<String>,
    /// Their post, if it is known.
    pub post: Option<String>,
    /// Their number as the reader may see it.
    pub phone: Option<String>,
    /// Where they can be called by a tap, if the reader may.
    pub call: Option<String>,
    /// What was reported.
    pub what: Reported,
    /// The thing, and where it is.
    pub thing: String,
    /// The symptoms in words.
    pub symptoms: String,
    /// In their own words.
    pub note: String,
    /// When.
    pub at: When,
    /// What they sent with it.
    pub photos: Vec<PhotoLine>,
}

impl ReportCard {
    /// Who reported, in one line.
    pub fn reporter(&self, t: &Texts) -> String {
        let parts = [Some(self.source.word(t)), self.by.as_deref(), self.post.as_deref()];
        parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
    }

    /// What was said, in one line.
    pub fn said(&self, t: &Texts) -> String {
        let parts = [&self.thing, &self.symptoms, &self.note].map(String::as_str);
        let said: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let said = said.join(t.comma);
        if self.what == Reported::Fault { said } else { format!("{}{}{said}", self.what.word(t), t.label_gap) }
    }

    /// The same where the photos themselves have no room.
    pub fn said_with_photos(&self, t: &Texts) -> String {
        let said = self.said(t);
        match self.photos.len() {
            0 => said,
            count => format!("{said}{}{}", t.comma, filled(t.photos_of, count)),
        }
    }
}
