//! That whoever repairs is there (到场): said on the ticket's page, or where the label of the device led.

use lobby_domain::ticket::arrival::Arrival;

use super::ArrivalTexts;
use crate::texts::{Lang, filled};

/// What the form of an arrival needs to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arriving {
    /// Made with the form: the same one again is the same arrival.
    pub key: String,
}

/// What somebody filled in about an arrival that could not be taken; usually nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ArrivalDraft {
    /// Why it could not.
    pub mistake: Option<ArrivalMistake>,
    /// The reason that was chosen.
    pub reason: Option<Arrival>,
    /// In their words.
    pub note: String,
    /// Who arrived.
    pub by: String,
}

/// Why an arrival could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArrivalMistake {
    /// Nothing shows it.
    Nothing,
    /// Another reason is not said in words.
    NoWords,
    /// The code is on another thing's label.
    OtherLabel,
}

impl ArrivalMistake {
    pub(crate) fn words(self, t: &ArrivalTexts) -> &'static str {
        match self {
            Self::Nothing => t.mistake_nothing,
            Self::NoWords => t.mistake_words,
            Self::OtherLabel => t.mistake_label,
        }
    }
}

/// A ticket for which whoever has scanned a device's label may say that they are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HereFor {
    /// Its number.
    pub no: String,
    /// What is wrong.
    pub title: String,
    /// The version that is acted on.
    pub version: i64,
    /// Made with the form: the same one again is the same arrival.
    pub key: String,
    /// The code on the label.
    pub label: String,
    /// Who has accepted it, if that is not the reader.
    pub owner: Option<String>,
}

/// How an arrival was shown, in words.
pub fn proof(arrival: Arrival, lang: Lang) -> String {
    let t = lang.arrival_texts();
    match arrival {
        Arrival::Label => t.by_label.to_owned(),
        reason => filled(t.unscanned, t.way(reason)),
    }
}
