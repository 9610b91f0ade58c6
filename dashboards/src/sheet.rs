//! What printed sheets have in common: paper, language, when they were printed, and where their QR codes lead.

use crate::{
    chrome::Choice,
    texts::{Lang, Texts, filled},
    time::Calendar,
};

/// The size of a sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Paper {
    /// 210 by 297 mm.
    #[default]
    A4,
    /// 148 by 210 mm.
    A5,
}

impl Paper {
    /// Every size.
    pub const ALL: [Self; 2] = [Self::A4, Self::A5];

    /// Its name in addresses, and its class in the stylesheet.
    pub fn name(self) -> &'static str {
        match self {
            Self::A4 => "a4",
            Self::A5 => "a5",
        }
    }

    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::A4 => t.paper_a4,
            Self::A5 => t.paper_a5,
        }
    }
}

/// What surrounds the sheets of one document: the bar above them, which is not printed.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// The language of the sheets.
    pub lang: Lang,
    /// When they were made, and the zone of their clock times.
    pub calendar: Calendar,
    /// The document's own path and query.
    pub path: String,
    /// Where the reader came from.
    pub back: String,
    /// Where the hub's pages are for whoever scans a code, such as `https://lobby.example.com`.
    pub base: String,
    /// Whether `base` leads to the hub from its own computer only.
    pub only_here: bool,
}

impl Sheet {
    pub(crate) fn t(&self) -> &'static Texts {
        self.lang.texts()
    }

    /// What to know before printing: the codes lead nowhere for a telephone.
    pub(crate) fn warning(&self) -> Option<String> {
        self.only_here.then(|| filled(self.t().sheet_only_here, &self.base))
    }

    /// "2026-11-23 15:20 (UTC+8)", the moment of printing.
    pub(crate) fn printed(&self) -> String {
        let zone = crate::time::offset(self.calendar.now, &self.calendar.zone);
        crate::texts::fill2(self.t().sheet_printed, self.calendar.when(self.calendar.now).minute(), &zone)
    }
}

/// Ways to print a document, one group for each question.
pub(crate) type Ways = Vec<Vec<Choice>>;
