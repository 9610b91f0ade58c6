//! A form of `/stock` that was not taken: it comes back with what was typed, and says beside the field what is wrong with it.

use std::fmt::Display;

use super::{StockItem, StockMistake, StockPage, texts};
use crate::texts::Lang;

/// What was sent, and why it was not entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockRefused {
    /// Why.
    pub mistake: StockMistake,
    /// What was to be done, by the `kind` of the form; `correct` if a movement was to be undone.
    pub kind: String,
    /// The item.
    pub item: String,
    /// Where to go on when it is entered; empty for the page itself.
    pub back: String,
    /// How many, as it was typed.
    pub pieces: String,
    /// The place.
    pub place: String,
    /// To where.
    pub to: String,
    /// The order.
    pub order: String,
    /// When it is to come, as it was typed.
    pub due: String,
    /// Why, as it was typed.
    pub reason: String,
    /// Who, as it was typed.
    pub by: String,
}

impl StockMistake {
    /// Whether nothing was wrong with what was typed: the page was out of date.
    pub const fn is_stale(self) -> bool {
        matches!(self, Self::Arrived | Self::Corrected | Self::Gone)
    }

    /// What is wrong with a form of that kind stands beside this field.
    fn field(self, kind: &str) -> Option<&'static str> {
        match self {
            Self::Pieces => Some("pieces"),
            Self::Reason | Self::LongReason => Some("reason"),
            Self::Place => Some(if kind == "transfer" { "to" } else { "place" }),
            Self::Day => Some("due"),
            Self::Arrived | Self::Corrected | Self::Gone | Self::Twice => None,
        }
    }
}

impl StockRefused {
    fn field(&self, name: &str) -> &str {
        match name {
            "pieces" => &self.pieces,
            "place" => &self.place,
            "to" => &self.to,
            "due" => &self.due,
            "reason" => &self.reason,
            "by" => &self.by,
            _ => &self.back,
        }
    }

    /// The form of an item on the page that it was, by the start of its ids; `None` if the page has it no more.
    fn form(&self, item: &StockItem) -> Option<String> {
        let machine = item.machines.iter().find(|machine| {
            let refill = machine.refill.as_ref();
            refill.is_some_and(|refill| refill.place == self.place)
        });
        let is_order = item.orders.iter().any(|order| order.id == self.order);
        match (&*self.kind, machine) {
            ("refill", Some(machine)) => Some(format!("refill-{}", machine.device)),
            ("count", Some(machine)) => Some(format!("recount-{}", machine.device)),
            ("receive", _) if is_order => Some(format!("o-{}", self.order)),
            ("receive", _) if !self.order.is_empty() => None,
            ("transfer", _) if item.places.len() < 2 => None,
            ("receive" | "count" | "waste" | "transfer" | "order", _) => Some(format!("{}-{}", self.kind, item.id)),
            ("hand-out", _) => Some(format!("hand-{}", item.id)),
            _ => None,
        }
    }

    /// What was typed, in one line; empty if nothing was.
    fn line(&self) -> String {
        let typed = [&*self.pieces, &*self.due, &*self.reason, &*self.by];
        typed.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" · ")
    }
}

impl StockPage {
    /// The form that was not taken, if the page still has it.
    fn refused_form(&self) -> Option<String> {
        let refused = self.refused.as_ref()?;
        self.items.iter().find(|item| item.id == refused.item).and_then(|item| refused.form(item))
    }

    fn of(&self, form: impl AsRef<str>) -> Option<&StockRefused> {
        self.refused.as_ref().filter(|_| self.refused_form().as_deref() == Some(form.as_ref()))
    }

    /// Whether this form was not taken.
    pub(super) fn is_refused(&self, form: impl AsRef<str>) -> bool {
        self.of(form).is_some()
    }

    /// What stands in a field of a form: what was typed there, or what it usually begins with.
    pub(super) fn value(&self, form: impl AsRef<str>, field: &str, usual: impl Display) -> String {
        self.of(form).map_or_else(|| usual.to_string(), |refused| refused.field(field).to_owned())
    }

    /// What is wrong with a field of a form.
    pub(super) fn wrong(&self, form: impl AsRef<str>, field: &str) -> Option<&'static str> {
        let refused = self.of(form)?;
        (refused.mistake.field(&refused.kind) == Some(field)).then(|| refused.mistake.words(self.chrome.t()))
    }

    /// What the page says of what was not entered: that it was not, why, and what was typed where the form is not there any more.
    pub(super) fn refusal(&self) -> Option<(&'static str, &'static str, String)> {
        let (refused, t) = (self.refused.as_ref()?, stock_texts(self.chrome.lang));
        let head = if refused.mistake.is_stale() { t.out_of_date } else { t.not_entered };
        let typed = if self.refused_form().is_some() { String::new() } else { refused.line() };
        let typed = if typed.is_empty() { typed } else { format!("{} {typed}", t.typed) };
        Some((head, refused.mistake.words(self.chrome.t()), typed))
    }
}

/// The texts of what was not entered.
pub(super) fn stock_texts(lang: Lang) -> &'static texts::Texts {
    match lang {
        Lang::Zh => &texts::ZH,
        Lang::En => &texts::EN,
    }
}
