//! Mistakes in a pack: where each stands, what is wrong, and what was probably meant.

use std::{cell::RefCell, fmt};

use super::source::At;

/// Longest text that is compared with the names it may have been meant for.
const MAX_COMPARED: usize = 64;

/// One mistake in a file of the pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, by the name under which it was given.
    pub file: Box<str>,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<Box<str>>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message, suggestion } = self;
        write!(f, "{file}:{line}:{column}: {message}")?;
        suggestion.as_ref().map_or(Ok(()), |meant| write!(f, "; did you mean `{meant}`?"))
    }
}

/// Every mistake found in a pack, by file and place; one to a line when shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PackErrors {
    /// The mistakes; never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for PackErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            write!(f, "{gap}{problem}")?;
        }
        Ok(())
    }
}

/// Collects mistakes while the files are read.
#[derive(Debug, Default)]
pub(super) struct Log(RefCell<Vec<Problem>>);

impl Log {
    /// Notes a mistake.
    pub(super) fn add(&self, at: At<'_>, message: impl Into<String>) {
        self.note(at, message.into(), None);
    }

    /// Notes that `found` is none of the `known` names.
    pub(super) fn add_unknown<'k>(
        &self,
        at: At<'_>,
        message: impl Into<String>,
        found: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        self.note(at, message.into(), nearest(found, known).map(Into::into));
    }

    fn note(&self, at: At<'_>, message: String, suggestion: Option<Box<str>>) {
        let (line, column) = at.position();
        self.0.borrow_mut().push(Problem { file: at.source.name.into(), line, column, message, suggestion });
    }

    /// Whether anything was noted.
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Everything noted, in the order of the files' names and of the places in them.
    pub(super) fn into_errors(self) -> PackErrors {
        let mut problems = self.0.into_inner();
        problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        PackErrors { problems }
    }
}

/// The name that `text` was probably meant to be.
pub(crate) fn nearest<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let length = text.chars().count();
    if length > MAX_COMPARED {
        return None;
    }
    let text = folded(text);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&text, &folded(name)), name))
        .filter(|(distance, name)| *distance <= 1.max(length.max(name.chars().count()) / 3))
        // Of two that are equally near, the one that begins alike.
        .min_by(|(a, x), (b, y)| a.cmp(b).then_with(|| likeness(&text, y).total_cmp(&likeness(&text, x))))
        .map(|(_, name)| name)
}

fn likeness(text: &str, name: &str) -> f64 {
    strsim::jaro_winkler(text, &folded(name))
}

/// Case and the kind of dash are what people mix up first.
fn folded(text: &str) -> String {
    text.to_lowercase().replace(['_', ' '], "-")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_letter_less("powr", Some("power"))]
    #[case::two_swapped("pwoer", Some("power"))]
    #[case::another_dash("video-mute", Some("video_mute"))]
    #[case::upper_case("POWER", Some("power"))]
    #[case::the_beginning_counts("signa", Some("signal"))]
    #[case::something_else("colour", None)]
    #[case::a_whole_paragraph(&"power".repeat(100), None)]
    fn the_nearest_name_is_suggested_if_it_is_near(#[case] text: &str, #[case] meant: Option<&str>) {
        assert_eq!(nearest(text, ["signal", "power", "video_mute"]), meant);
    }
}
