//! How somebody is told themselves: a part of their account page.

use crate::texts::{PersonalTexts, Texts, filled};

/// Why what somebody entered was not taken on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonalMistake {
    /// It is no address.
    Address,
    /// Too many codes; so many minutes are to be waited.
    TooOften(i64),
    /// The channel sends no more just now.
    TooSoon,
    /// The mail server said no, and this.
    Refused(String),
    /// The code is not the last, or no longer good.
    Code,
    /// A time of day is none.
    Time,
    /// The quiet hours have no length.
    Empty,
    /// The quiet hours begin on no day.
    NoDay,
}

impl PersonalMistake {
    fn words(&self, m: &PersonalTexts) -> String {
        match self {
            Self::Address => m.mistake_address.to_owned(),
            Self::TooOften(minutes) => filled(m.mistake_often, minutes),
            Self::TooSoon => m.mistake_soon.to_owned(),
            Self::Refused(answer) => filled(m.mistake_refused, answer),
            Self::Code => m.mistake_code.to_owned(),
            Self::Time => m.mistake_time.to_owned(),
            Self::Empty => m.mistake_empty.to_owned(),
            Self::NoDay => m.mistake_day.to_owned(),
        }
    }

    /// Whether it is about the address, and not about what somebody wants to be told.
    const fn is_of_address(&self) -> bool {
        !matches!(self, Self::Time | Self::Empty | Self::NoDay)
    }
}

/// How somebody is told themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalPart {
    /// Where, if their address is confirmed.
    pub address: Option<String>,
    /// The address to which a code was sent.
    pub asked: Option<String>,
    /// What the mail server said of the last message, if it was not taken.
    pub refused: Option<String>,
    /// `zh`, `en`, or nothing: as the hub has it.
    pub lang: String,
    /// Nothing less grave: `info`, `warning`, `major` or `critical`.
    pub least: String,
    /// Only what is theirs to see to.
    pub held_only: bool,
    /// From when until when nothing that can wait.
    pub quiet: [String; 2],
    /// On which days that begins, from Monday.
    pub days: [bool; 7],
    /// What was wrong.
    pub mistake: Option<PersonalMistake>,
}

impl PersonalPart {
    pub(crate) fn sent_to(m: &PersonalTexts, address: &str) -> String {
        filled(m.address_now, address)
    }

    pub(crate) fn sent_code(m: &PersonalTexts, address: &str) -> String {
        filled(m.address_asked, address)
    }

    pub(crate) fn not_taken(m: &PersonalTexts, answer: &str) -> String {
        filled(m.refused, answer)
    }

    pub(crate) fn langs(&self, m: &PersonalTexts) -> [(&'static str, &'static str, bool); 3] {
        [("", m.lang_usual), ("zh", "中文"), ("en", "English")].map(|(value, word)| (value, word, self.lang == value))
    }

    pub(crate) fn severities(&self, m: &PersonalTexts, t: &Texts) -> [(&'static str, &'static str, bool); 4] {
        let all = [
            ("info", t.severity_info),
            ("warning", m.severity_warning),
            ("major", t.severity_major),
            ("critical", t.severity_critical),
        ];
        all.map(|(value, word)| (value, word, self.least == value))
    }

    pub(crate) fn week(&self, m: &PersonalTexts) -> Vec<(usize, &'static str, bool)> {
        m.days().into_iter().zip(self.days).enumerate().map(|(index, (word, on))| (index + 1, word, on)).collect()
    }

    pub(crate) fn of_address(&self, m: &PersonalTexts) -> Option<String> {
        self.mistake.as_ref().filter(|mistake| mistake.is_of_address()).map(|mistake| mistake.words(m))
    }

    pub(crate) fn of_wishes(&self, m: &PersonalTexts) -> Option<String> {
        self.mistake.as_ref().filter(|mistake| !mistake.is_of_address()).map(|mistake| mistake.words(m))
    }
}
