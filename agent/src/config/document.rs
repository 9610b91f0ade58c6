//! Reading TOML so that every complaint says where: all problems of a file in one go, each with line and column.

use std::{fmt, ops::Range};

use serde::de::DeserializeOwned;
use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue, Error, ValueDeserializer};

/// Most problems reported of one table; what follows is mostly their consequence.
const MAX_PROBLEMS: usize = 20;
/// How alike two words must be for one to be a slip of the other (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.8;

/// A mistake in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, from 1, if it has a place.
    pub at: Option<(usize, usize)>,
    /// What is wrong and what to do.
    pub message: String,
}

/// Why a configuration cannot be used: everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Where the text came from, such as a file name.
    pub origin: String,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { at, message }) in self.problems.iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            match at {
                Some((line, column)) => write!(f, "{line_end}{}:{line}:{column}: {message}", self.origin)?,
                None => write!(f, "{line_end}{}: {message}", self.origin)?,
            }
        }
        Ok(())
    }
}

/// A table of the file and where it stands.
pub(super) type Table<'t> = Spanned<DeTable<'t>>;

/// A text being read, and what is wrong with it so far.
pub(super) struct Document<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

impl<'t> Document<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, problems: Vec::new() }
    }

    /// The whole text as a table; syntax errors become problems.
    pub(super) fn root(&mut self) -> Table<'t> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            self.complain(error.span(), error.message().to_owned());
        }
        root
    }

    pub(super) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// All problems, in the order of the text.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| problem.at);
        self.problems
    }

    pub(super) fn complain(&mut self, span: Option<Range<usize>>, message: String) {
        let at = span.map(|span| place(self.text, span.start));
        self.problems.push(Problem { at, message });
    }

    /// Takes `key` out of `table` as a table; anything else there is a problem.
    pub(super) fn take_table(&mut self, table: &mut Table<'t>, key: &str) -> Option<Table<'t>> {
        let value = table.get_mut().remove(key)?;
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(inner) => Some(Spanned::new(span, inner)),
            other => {
                self.complain(Some(span), format!("`{key}` is a {}, it should be a table", other.type_str()));
                None
            }
        }
    }

    /// Takes `key` out of `table` as a list of tables.
    pub(super) fn take_tables(&mut self, table: &mut Table<'t>, key: &str) -> Vec<Table<'t>> {
        let Some(value) = table.get_mut().remove(key) else { return Vec::new() };
        let span = value.span();
        let DeValue::Array(items) = value.into_inner() else {
            self.complain(Some(span), format!("write `[[{key}]]` with two brackets: there may be several"));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            let span = item.span();
            match item.into_inner() {
                DeValue::Table(inner) => tables.push(Spanned::new(span, inner)),
                other => self.complain(Some(span), format!("an entry of `{key}` is a {}", other.type_str())),
            }
        }
        tables
    }

    /// Complains of every key left in `table`, of which only `known` may stand there.
    pub(super) fn refuse_rest(&mut self, table: &Table<'t>, known: &[&str]) {
        for key in table.get_ref().keys() {
            self.complain(Some(key.span()), unknown("key", key.get_ref(), known));
        }
    }

    /// Reads `table` into `T`. After a mistake its key is left out and the rest is read on, so that one run shows them all.
    /// `elsewhere` are keys that belong in this table and were taken out before.
    pub(super) fn read<T: DeserializeOwned>(&mut self, mut table: Table<'t>, elsewhere: &[&str]) -> Option<T> {
        let before = self.problems.len();
        for _ in 0..MAX_PROBLEMS {
            let value = Spanned::new(table.span(), DeValue::Table(table.get_ref().clone()));
            let error = match T::deserialize(ValueDeserializer::from(value)) {
                Ok(read) => return (self.problems.len() == before).then_some(read),
                Err(error) => error,
            };
            let culprit = culprit(&table, &error);
            let is_consequence = culprit.is_none() && self.problems.len() > before;
            if !is_consequence {
                let span = error.span().unwrap_or_else(|| table.span());
                self.complain(Some(span), explained(&error, elsewhere));
            }
            table.get_mut().remove(culprit?.as_str());
        }
        None
    }
}

/// The key of `table` in which `error` lies.
fn culprit(table: &Table<'_>, error: &Error) -> Option<String> {
    let at = error.span()?;
    let within = |outer: Range<usize>| outer.start <= at.start && at.end <= outer.end;
    let found = table.get_ref().iter().find(|(key, value)| within(key.span()) || within(value.span()));
    found.map(|(key, _)| key.get_ref().to_string())
}

/// The message of `error`, with a suggestion where a word is not known.
fn explained(error: &Error, elsewhere: &[&str]) -> String {
    let message = error.message();
    for (what, start) in [("key", "unknown field `"), ("word", "unknown variant `")] {
        if let Some(rest) = message.strip_prefix(start) {
            let mut words = rest.split('`').step_by(2);
            let word = words.next().unwrap_or_default();
            let known: Vec<&str> = rest.split('`').skip(2).step_by(2).chain(elsewhere.iter().copied()).collect();
            return unknown(what, word, &known);
        }
    }
    message.to_owned()
}

/// Says that `word` is not known, and which of `known` was perhaps meant.
pub(super) fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    let alike = known.iter().map(|known| (alikeness(word, known), known));
    let best = alike.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(alike, _)| *alike >= ALIKE);
    match best {
        Some((_, meant)) => format!("unknown {what} `{word}`: did you mean `{meant}`?"),
        None if known.is_empty() => format!("unknown {what} `{word}`: none is expected here"),
        None => format!("unknown {what} `{word}`: expected `{}`", known.join("`, `")),
    }
}

/// How alike two words are, 0 to 1. Short words with two letters exchanged are less alike by Jaro-Winkler than they look.
fn alikeness(a: &str, b: &str) -> f64 {
    let one_slip = a.len() > 2 && strsim::damerau_levenshtein(a, b) == 1;
    strsim::jaro_winkler(a, b).max(if one_slip { 0.9 } else { 0.0 })
}

/// Line and column of a byte offset, both from 1; columns count characters.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
