//! Photos as pages show them.

use crate::{texts::Texts, time::When};

/// When a photo was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PhotoStage {
    /// With a report.
    Report,
    /// Before or during the repair.
    Before,
    /// When the repair was finished.
    After,
}

impl PhotoStage {
    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Report => t.photo_report,
            Self::Before => t.photo_before,
            Self::After => t.photo_after,
        }
    }
}

/// A photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoLine {
    /// Names it in its address.
    pub id: String,
    /// When it was taken.
    pub stage: PhotoStage,
    /// Who sent it, if that is known.
    pub by: Option<String>,
    /// When.
    pub at: When,
    /// Its width and height in pixels.
    pub size: (i64, i64),
}

/// Why a photo was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PhotoMistake {
    /// Too many bytes.
    TooLarge,
    /// Too many pixels.
    TooManyPixels,
    /// Another kind of file.
    Kind,
    /// It cannot be read.
    Broken,
    /// The ticket has enough.
    TooMany,
}

impl PhotoMistake {
    /// Every mistake.
    pub const ALL: [Self; 5] = [Self::TooLarge, Self::TooManyPixels, Self::Kind, Self::Broken, Self::TooMany];

    /// Its name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "photo-large",
            Self::TooManyPixels => "photo-pixels",
            Self::Kind => "photo-kind",
            Self::Broken => "photo-broken",
            Self::TooMany => "photo-many",
        }
    }

    /// The mistake of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mistake| mistake.name() == name)
    }

    pub(crate) fn words(self, t: &Texts) -> &'static str {
        match self {
            Self::TooLarge => t.photo_large,
            Self::TooManyPixels => t.photo_pixels,
            Self::Kind => t.photo_kind,
            Self::Broken => t.photo_broken,
            Self::TooMany => t.photo_many,
        }
    }
}
