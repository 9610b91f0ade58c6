//! Silences and maintenance windows: what is kept quiet, until when, and a form for another one.

use askama::Template;

use crate::{
    chrome::{Chrome, page},
    state::{State, Verdict},
    texts::{Texts, fill},
    time::When,
};

/// Which of the two pages it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restrained {
    /// `/silences`
    Silences,
    /// `/maintenance`
    Maintenance,
}

/// One silence or maintenance window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestraintRow {
    /// Its id.
    pub id: String,
    /// What it is about, in words.
    pub what: String,
    /// When it begins.
    pub starts: When,
    /// When it ends; `None` for one that ends with its alert.
    pub ends: Option<When>,
    /// Who made it; may be empty.
    pub author: String,
    /// Why; may be empty.
    pub comment: String,
    /// Whether alerts from before it began are kept quiet too.
    pub include_firing: bool,
}

/// One field of the form, to be chosen from a list or left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Its name in the form.
    pub name: &'static str,
    /// Its words.
    pub label: &'static str,
    /// What may be chosen.
    pub options: Vec<SelectOption>,
}

/// One choice of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectOption {
    /// What the form sends.
    pub value: String,
    /// Its words.
    pub label: String,
    /// Whether it is chosen beforehand.
    pub chosen: bool,
}

/// `/silences` and `/maintenance`: what is quiet on purpose?
///
/// The form sends to the page's own path: `site`, a field for each of `selections`, `whole` for all of a site, `starts` and `ends` as `2026-11-23T18:00` in the
/// page's clock time, `by`, `comment`, and for maintenance `include_firing`. One that makes no sense is answered by the same page, not
/// live, with the form as it was filled in.
#[derive(Debug, Clone, Template)]
#[template(path = "restraints.html", blocks = ["main", "lamp"])]
pub struct RestraintsPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// Which of the two it is.
    pub kind: Restrained,
    /// The ones to be shown, newest first; the page sorts them by where they stand.
    pub rows: Vec<RestraintRow>,
    /// What the form can be limited to.
    pub selections: Vec<Selection>,
    /// The site that the form is limited to.
    pub site: Option<String>,
    /// Whether the form asks for the whole site.
    pub whole: bool,
    /// When it begins, as the form has it; empty for now.
    pub starts: String,
    /// When it ends, as the form has it.
    pub ends: String,
    /// Whether the form asks to keep alerts from before quiet too.
    pub include_firing: bool,
    /// The reason, as the form has it.
    pub comment: String,
    /// Who asks, as the form has it.
    pub by: String,
}

page!(RestraintsPage);

/// Where one stands, as the page tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Active,
    Pending,
    Expired,
}

impl Standing {
    fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Active => t.restraint_active,
            Self::Pending => t.restraint_pending,
            Self::Expired => t.restraint_expired,
        }
    }

    fn is_active(self) -> bool {
        self == Self::Active
    }

    fn is_over(self) -> bool {
        self == Self::Expired
    }
}

impl RestraintsPage {
    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let t = self.chrome.t();
        let active = self.rows.iter().filter(|row| self.standing(row) == Standing::Active).count();
        let (none, some) = match self.kind {
            Restrained::Silences => (t.silences_none, t.silences_active),
            Restrained::Maintenance => (t.maintenance_none, t.maintenance_active),
        };
        match active {
            0 => Verdict::new(State::Normal, none),
            active => Verdict::new(State::Maintenance, fill(some, &active.to_string())),
        }
    }

    fn standing(&self, row: &RestraintRow) -> Standing {
        let now = self.chrome.calendar.now;
        if row.ends.as_ref().is_some_and(|ends| ends.ms <= now) {
            Standing::Expired
        } else if row.starts.ms <= now {
            Standing::Active
        } else {
            Standing::Pending
        }
    }

    fn sorted(&self) -> Vec<(&RestraintRow, Standing)> {
        let mut rows: Vec<_> = self.rows.iter().map(|row| (row, self.standing(row))).collect();
        rows.sort_by_key(|(_, standing)| *standing);
        rows
    }

    fn is_maintenance(&self) -> bool {
        self.kind == Restrained::Maintenance
    }

    /// Question, heading of the form, and what the form does.
    fn words(&self) -> [&'static str; 3] {
        let t = self.chrome.t();
        match self.kind {
            Restrained::Silences => [t.silences_question, t.silence_new, t.silence_hint],
            Restrained::Maintenance => [t.maintenance_question, t.maintenance_new, t.maintenance_hint],
        }
    }
}
