//! A form of an item's page, or of a move, that was not taken: it comes back with what was typed, and says beside the field what is wrong
//! with it.

use std::fmt::Display;

use lobby_domain::register::{Field, Mistake};

use super::{ItemPage, RegisterTexts};
use crate::{
    photo::PhotoMistake,
    texts::{Lang, Texts, fill},
};

pub(super) mod texts;

/// Why a form of an item was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemMistake {
    /// A field of the register does not hold what was typed.
    Field(Field, Mistake),
    /// Another item, of that number, is the device already.
    DeviceTaken(String),
    /// No reason is given, or it is too long or on several lines.
    Reason,
    /// It is not said where to, or it is too long or on several lines.
    Place,
    /// So many of it cannot go.
    Pieces,
    /// No day.
    Day,
    /// A photo was not taken.
    Photo(PhotoMistake),
    /// There was no photo.
    NoPhoto,
    /// Somebody has done something with it since the page was opened.
    Stale,
    /// It was written off.
    Gone,
    /// It cannot go that way any more.
    Way,
}

impl ItemMistake {
    /// Whether nothing was wrong with what was typed: the page was out of date.
    pub const fn is_stale(&self) -> bool {
        matches!(self, Self::Stale | Self::Gone | Self::Way)
    }

    /// What is wrong stands beside this field of its form.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Field(field, _) => Some(field.as_str()),
            Self::DeviceTaken(_) => Some(Field::Device.as_str()),
            Self::Reason => Some("reason"),
            Self::Place => Some("place"),
            Self::Pieces => Some("pieces"),
            Self::Day => Some("wanted"),
            Self::Photo(_) | Self::NoPhoto => Some("photo"),
            Self::Stale | Self::Gone | Self::Way => None,
        }
    }

    /// What is wrong, in words.
    pub fn words(&self, lang: Lang) -> String {
        let (t, w): (&Texts, &texts::Texts) = (lang.texts(), refused_texts(lang));
        match self {
            Self::Field(_, mistake) => lang.register_texts().mistake(mistake),
            Self::DeviceTaken(number) => fill(w.taken, number),
            Self::Reason => w.reason.to_owned(),
            Self::Place => w.place.to_owned(),
            Self::Pieces => w.pieces.to_owned(),
            Self::Day => lang.register_texts().wrong_day.to_owned(),
            Self::Photo(mistake) => mistake.words(t).to_owned(),
            Self::NoPhoto => w.no_photo.to_owned(),
            Self::Stale => w.stale.to_owned(),
            Self::Gone => w.gone.to_owned(),
            Self::Way => w.way.to_owned(),
        }
    }
}

/// What was sent of an item, and why it was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRefused {
    /// Why.
    pub mistake: ItemMistake,
    /// Which form: `edit`, `photo`, `move` or `write-off`. What was typed into the fields of an edit is in the page's form.
    pub verb: String,
    /// What was typed, by the names of the fields.
    pub typed: Vec<(String, String)>,
}

impl ItemRefused {
    fn typed(&self, name: &str) -> &str {
        self.typed.iter().find(|(field, _)| field == name).map_or("", |(_, text)| text)
    }

    /// What was typed, in one line, where its form is not there any more. `key`, `seen` and `way` are the page's own.
    fn line(&self) -> String {
        let own = |name: &str| matches!(name, "key" | "seen" | "way");
        let typed = self.typed.iter().filter(|(name, text)| !own(name) && !text.is_empty());
        typed.map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" · ")
    }
}

impl ItemPage {
    fn of(&self, verb: &str) -> Option<&ItemRefused> {
        self.refused.as_ref().filter(|refused| refused.verb == verb && self.form.is_some())
    }

    /// Whether this form was not taken.
    pub(super) fn is_refused(&self, verb: &str) -> bool {
        self.of(verb).is_some()
    }

    /// What stands in a field of a form: what was typed there, or what it usually begins with.
    pub(super) fn value(&self, verb: &str, field: &str, usual: impl Display) -> String {
        self.of(verb).map_or_else(|| usual.to_string(), |refused| refused.typed(field).to_owned())
    }

    /// What is wrong with a field of a form.
    pub(super) fn wrong(&self, verb: &str, field: &str) -> Option<String> {
        let refused = self.of(verb)?;
        (refused.mistake.field() == Some(field)).then(|| refused.mistake.words(self.chrome.lang))
    }

    /// What the page says of what was not taken: that it was not, why, and what was typed where the form is not there any more.
    pub(super) fn refusal(&self) -> Option<(&'static str, String, String)> {
        let (refused, w) = (self.refused.as_ref()?, refused_texts(self.chrome.lang));
        let head = if refused.mistake.is_stale() { w.out_of_date } else { w.not_saved };
        let typed = if self.form.is_some() { String::new() } else { refused.line() };
        let typed = if typed.is_empty() { typed } else { format!("{} {typed}", w.typed) };
        Some((head, refused.mistake.words(self.chrome.lang), typed))
    }
}

/// A decision on a move that was not taken: it says no reason. What was typed comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveRefused {
    /// The reason, as it was typed.
    pub reason: String,
    /// Who, as it was typed.
    pub by: String,
}

impl RegisterTexts {
    /// Why a move is not refused without a reason, where that was tried.
    pub(super) fn no_reason(lang: Lang) -> &'static str {
        refused_texts(lang).reason
    }

    /// What a field says since somebody else has changed it.
    pub fn changed_meanwhile(lang: Lang, now: &str) -> String {
        let w = refused_texts(lang);
        if now.is_empty() { w.emptied.to_owned() } else { fill(w.changed, now) }
    }
}

/// The texts of what was not taken.
fn refused_texts(lang: Lang) -> &'static texts::Texts {
    match lang {
        Lang::Zh => &texts::ZH,
        Lang::En => &texts::EN,
    }
}
