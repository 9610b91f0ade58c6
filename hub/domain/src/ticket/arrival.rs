//! How it is shown that whoever repairs has reached the device: by the label on it, or by the reason why that was not scanned.

use serde::{Deserialize, Serialize};

/// How an arrival (到场) was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    /// By the code on the device's label, which can be read on the spot alone.
    Label,
    /// By word: there is no label, or it cannot be read.
    LabelMissing,
    /// By word: the device is not where it belongs.
    NotInPlace,
    /// By word: for a reason in words of one's own.
    Other,
}

impl Arrival {
    /// Why a label may not have been scanned.
    pub const REASONS: [Self; 3] = [Self::LabelMissing, Self::NotInPlace, Self::Other];

    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::LabelMissing => "label_missing",
            Self::NotInPlace => "not_in_place",
            Self::Other => "other",
        }
    }

    /// What is called so.
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Label].into_iter().chain(Self::REASONS).find(|arrival| arrival.as_str() == text)
    }

    /// Whether it says enough, together with what was said beside it: another reason is given in words.
    pub fn suffices(self, note: &str) -> bool {
        self != Self::Other || !note.trim().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrival_is_read_as_it_is_written_and_another_reason_needs_words() {
        for arrival in [Arrival::Label].into_iter().chain(Arrival::REASONS) {
            assert_eq!(Arrival::from_text(arrival.as_str()), Some(arrival));
            assert_eq!(serde_json::to_value(arrival).unwrap(), arrival.as_str());
            assert!(arrival.suffices("the ladder hides it"));
            assert_eq!(arrival.suffices(" \n"), arrival != Arrival::Other);
        }
        assert_eq!(Arrival::from_text(""), None);
    }
}
