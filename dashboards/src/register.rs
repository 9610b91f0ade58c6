//! The register: the list of items, one item with its history, stock-takes, moves, and what a printed label is on.

mod refused;
pub(crate) mod texts;

use askama::Template;
use lobby_domain::register::{
    Deed, Field, State as ItemState,
    moving::{State as MoveState, Way},
    taking::Seen,
};

use crate::{
    check::Signed,
    chrome::{Choice, Chrome, page},
    photo::PhotoLine,
    report::ReportForm,
    restraints::SelectOption,
    roster::TableMistake,
    state::State,
    texts::{Lang, fill, fill2},
    time::When,
};
pub use refused::{ItemMistake, ItemRefused, MoveRefused};
pub use texts::Texts as RegisterTexts;

impl Lang {
    /// Its texts of the register.
    pub fn register_texts(self) -> &'static RegisterTexts {
        match self {
            Self::Zh => &texts::ZH,
            Self::En => &texts::EN,
        }
    }
}

/// An item in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterItem {
    /// Its asset number.
    pub number: String,
    /// Where it is told of.
    pub href: String,
    /// What people call it.
    pub name: String,
    /// Its category.
    pub kind: String,
    /// How many there are.
    pub quantity: u32,
    /// Where it is.
    pub place: String,
    /// In which state.
    pub state: ItemState,
    /// When a stock-take last counted it.
    pub counted: Option<When>,
    /// The newest photo of it, by its id, where lists show one.
    pub photo: Option<String>,
}

impl RegisterItem {
    const fn shape(&self) -> State {
        shape(self.state)
    }
}

/// As devices are shown: a shape and a colour for each.
const fn shape(state: ItemState) -> State {
    match state {
        ItemState::InUse => State::Normal,
        ItemState::InRepair => State::Maintenance,
        ItemState::Missing => State::Abnormal,
        ItemState::InStore | ItemState::Out | ItemState::WrittenOff => State::Offline,
    }
}

/// One field of the form of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemInput {
    /// Which.
    pub field: Field,
    /// What is in it.
    pub value: String,
    /// What can be chosen; anything, if nothing is named.
    pub options: Vec<SelectOption>,
    /// What is to be said beside it: why it was not taken, or what somebody else has put there meanwhile.
    pub note: Option<String>,
}

impl ItemInput {
    const fn kind(&self) -> &'static str {
        match self.field {
            // A browser shows nothing in a field of these kinds that does not hold what was typed.
            _ if self.note.is_some() => "text",
            Field::Quantity => "number",
            Field::Acquired => "date",
            _ => "text",
        }
    }

    const fn list(&self) -> Option<&'static str> {
        match self.field {
            Field::Place => Some("places"),
            Field::Kind => Some("kinds"),
            _ => None,
        }
    }
}

/// The form of an item: sends each field by its name, with `key` and, for one that is there, `seen` and `reason`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ItemForm {
    /// Where it is sent.
    pub action: String,
    /// Its fields.
    pub inputs: Vec<ItemInput>,
    /// Places in use.
    pub places: Vec<String>,
    /// Kinds in use.
    pub kinds: Vec<String>,
    /// The label that the new item gets, if it is made for one.
    pub label: String,
}

/// A stock-take in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeLink {
    /// Where it is.
    pub href: String,
    /// The place; nothing for the whole site.
    pub place: String,
    /// Who began it, and when.
    pub started: Signed,
    /// Whether it is closed.
    pub closed: bool,
    /// Whether the manager has seen it.
    pub seen: bool,
}

/// `/register`: what belongs to the site, and where is it? `POST /register/{site}` adds an item; `…/labels` makes `count` blank labels;
/// `…/stock-takes` begins one of `place`.
#[derive(Debug, Clone, Template)]
#[template(path = "register.html", blocks = ["main", "lamp"])]
pub struct RegisterPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The sites to choose from, where none is chosen.
    pub sites: Vec<SelectOption>,
    /// Places to choose from.
    pub places: Vec<Choice>,
    /// The items.
    pub items: Vec<RegisterItem>,
    /// How many of the site are missing.
    pub missing: usize,
    /// How many moves wait for the reader.
    pub waiting: usize,
    /// The stock-takes, the newest first.
    pub takes: Vec<TakeLink>,
    /// After how many days a stock-take is due that is overdue.
    pub due_after: Option<i64>,
    /// The key of a form that is sent, made with the page.
    pub key: String,
    /// The form of a new item.
    pub form: ItemForm,
}

page!(RegisterPage);

/// What happened to an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemEventLine {
    /// What.
    pub deed: Deed,
    /// Each field, what it said before, and what it says from then on.
    pub changes: Vec<(Field, String, String)>,
    /// Why.
    pub reason: String,
    /// The stock-take by which it happened.
    pub cause: Option<String>,
    /// Who, and when.
    pub by: Signed,
}

/// A label was stuck on an item, or came off it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemLabelLine {
    /// The label.
    pub code: String,
    /// Whether it is on the item from then on.
    pub on: bool,
    /// What it is on since it came off; empty if it is void.
    pub elsewhere: String,
    /// Why; may be empty.
    pub reason: String,
    /// Who, and when.
    pub by: Signed,
}

impl ItemLabelLine {
    /// "贴在这里", "改贴到 00002-6" or "已作废".
    fn words(&self, w: &RegisterTexts) -> String {
        match (self.on, self.elsewhere.as_str()) {
            (true, _) => w.label_on.to_owned(),
            (false, "") => w.label_void.to_owned(),
            (false, elsewhere) => fill(w.label_off, elsewhere),
        }
    }
}

/// A move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveLine {
    /// Where its steps are sent: `{action}/approve`, `refuse` or `confirm`.
    pub action: String,
    /// The item, and where it is told of.
    pub item: (String, String),
    /// Out or back.
    pub way: Way,
    /// How many.
    pub pieces: u32,
    /// Where to.
    pub place: String,
    /// Why.
    pub reason: String,
    /// On which day, if it matters.
    pub wanted: String,
    /// How far it is.
    pub state: MoveState,
    /// Whether it is open for too long.
    pub overdue: bool,
    /// Who asked, and when.
    pub asked: Signed,
    /// Who decided and when, and why.
    pub decided: Option<(Signed, String)>,
    /// Who carried it out, and when.
    pub done: Option<Signed>,
    /// Whether the reader asked for it.
    pub own: bool,
    /// The reader's decision that was not taken.
    pub refused: Option<MoveRefused>,
}

impl MoveLine {
    /// Whether the item may be missing in the register of another site: one site knows nothing of another's.
    fn is_to_be_entered(&self) -> bool {
        self.way == Way::Out && matches!(self.state, MoveState::Approved | MoveState::Done)
    }

    fn wrong(&self, lang: Lang) -> Option<&'static str> {
        self.refused.as_ref().map(|_| RegisterTexts::no_reason(lang))
    }

    fn words(&self, w: &RegisterTexts) -> String {
        let words = if self.way == Way::Out { w.move_out_of } else { w.move_back_to };
        fill2(words, &self.pieces.to_string(), &self.place)
    }

    const fn word(&self, w: &RegisterTexts) -> &'static str {
        match self.state {
            MoveState::Asked => w.move_asked,
            MoveState::Approved => w.move_approved,
            MoveState::Refused => w.move_refused,
            MoveState::Done => w.move_done,
        }
    }
}

/// `/register/{site}/{number}`: what is it, where, and what happened to it? `POST …/edit` sends its fields, `…/photo` photos, `…/write-off` a
/// reason, `…/move` `way`, `pieces`, `place`, `wanted` and `reason`.
#[derive(Debug, Clone, Template)]
#[template(path = "item.html", blocks = ["main", "lamp"])]
pub struct ItemPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The item.
    pub item: RegisterItem,
    /// What else the register says of it.
    pub facts: Vec<(Field, String)>,
    /// The page of the device that it is.
    pub device: Option<String>,
    /// Its photos.
    pub photos: Vec<PhotoLine>,
    /// What happened to it, the newest first.
    pub events: Vec<ItemEventLine>,
    /// Its moves, the newest first.
    pub moves: Vec<MoveLine>,
    /// The labels that were stuck on it and came off it, the newest first.
    pub labels: Vec<ItemLabelLine>,
    /// The stock-take that looks for it: where that is told.
    pub take: Option<String>,
    /// Where its label is printed.
    pub label: String,
    /// Where it is reported that it is damaged or lost, by a label that is on it.
    pub report: Option<String>,
    /// The key of a form that is sent, made with the page.
    pub key: String,
    /// How many events there are.
    pub version: i64,
    /// The form by which it is changed; none if it is no more.
    pub form: Option<ItemForm>,
    /// The form that was not taken.
    pub refused: Option<ItemRefused>,
}

page!(ItemPage);

/// `/register/moves`: what is to go in or out?
#[derive(Debug, Clone, Template)]
#[template(path = "moves.html", blocks = ["main", "lamp"])]
pub struct MovesPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The moves, the newest first.
    pub moves: Vec<MoveLine>,
}

page!(MovesPage);

/// A line of a stock-take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeLine {
    /// Names it in the form: `seen.N`, `count.N`, `place.N`, `note.N`.
    pub nth: u32,
    /// Its asset number.
    pub number: String,
    /// Where the item is told of.
    pub href: String,
    /// What people call it.
    pub name: String,
    /// Where it should be.
    pub place: String,
    /// How many there should be.
    pub quantity: u32,
    /// What was said: what was seen, how many, where, and the explanation.
    pub said: Option<(Seen, u32, String, String)>,
    /// Who said so, and when.
    pub by: Option<Signed>,
    /// Whether something lacks before it can be closed.
    pub lacks: bool,
    /// Whether it differs from the register.
    pub differs: bool,
}

impl TakeLine {
    fn is(&self, seen: Seen) -> bool {
        self.said.as_ref().is_some_and(|said| said.0 == seen)
    }

    fn count(&self) -> String {
        self.said.as_ref().map_or_else(|| self.quantity.to_string(), |said| said.1.to_string())
    }

    fn elsewhere(&self) -> &str {
        self.said.as_ref().map(|said| said.2.as_str()).unwrap_or_default()
    }

    fn note(&self) -> &str {
        self.said.as_ref().map(|said| said.3.as_str()).unwrap_or_default()
    }
}

/// `/register/{site}/stock-takes/{id}`: is everything there? `POST …/answer`, `…/close`, `…/see`.
#[derive(Debug, Clone, Template)]
#[template(path = "stock_take.html", blocks = ["main", "lamp"])]
pub struct TakePage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// Its own address.
    pub action: String,
    /// The place; nothing for the whole site.
    pub place: String,
    /// Who began it, and when.
    pub started: Signed,
    /// Who closed it, and when.
    pub closed: Option<Signed>,
    /// Which manager has seen it, and when.
    pub seen: Option<Signed>,
    /// Its lines.
    pub lines: Vec<TakeLine>,
    /// Places in use.
    pub places: Vec<String>,
}

page!(TakePage);

impl TakePage {
    fn answered(&self) -> usize {
        self.lines.iter().filter(|line| line.said.is_some()).count()
    }

    fn differences(&self) -> usize {
        self.lines.iter().filter(|line| line.differs).count()
    }
}

/// `/labels/{code}`: what is this label on? `POST` sends `target`, `seen` and `reason`; `…/void` the same without a target.
#[derive(Debug, Clone, Template)]
#[template(path = "label.html", blocks = ["main", "lamp"])]
pub struct LabelPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The code.
    pub code: String,
    /// What it is on, and where that is told of.
    pub target: Option<(String, String)>,
    /// Whether it is void.
    pub voided: bool,
    /// How many events there are.
    pub version: i64,
    /// What it can be bound to: `item/NUMBER` or `device/ID`.
    pub targets: Vec<SelectOption>,
    /// Where a new item is entered for it.
    pub new_item: String,
}

page!(LabelPage);

/// What a label leads guests to, if it is on an item that is no device; and what they see after they have reported it.
#[derive(Debug, Clone, Template)]
#[template(path = "item_guest.html", blocks = ["main", "lamp"])]
pub struct ItemGuestPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// What people call it.
    pub name: String,
    /// Where it belongs.
    pub place: String,
    /// The form, unless they have just sent it.
    pub form: Option<ReportForm>,
    /// The address to which the label leads.
    pub back: String,
}

page!(ItemGuestPage);

/// What a line of a table would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportLine {
    /// The asset number; none for a new item.
    pub number: Option<String>,
    /// What people call it.
    pub name: String,
    /// How many fields change.
    pub changes: usize,
}

/// `/register/{site}/import`: a table of items. `POST` sends `table` and `what` (`preview` or `import`).
#[derive(Debug, Clone, Template)]
#[template(path = "register_import.html", blocks = ["main", "lamp"])]
pub struct RegisterImportPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// Where it is sent.
    pub action: String,
    /// The table, as it was sent.
    pub table: String,
    /// What is wrong with it.
    pub mistakes: Vec<TableMistake>,
    /// What it would change, if it was looked at.
    pub preview: Option<Vec<ImportLine>>,
}

page!(RegisterImportPage);
