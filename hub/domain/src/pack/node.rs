//! Values of a file with their places: each accessor notes what is wrong where it stands and answers `None`.

use std::cell::RefCell;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    problem::{Log, nearest},
    source::{At, Source},
};
use crate::time::{Span, SpanError};

/// A year. A rule that waits longer fires never, and a deadline beyond it is none.
const LONGEST: Span = Span::from_mins(366 * 24 * 60);

/// One value.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    pub(super) at: At<'a>,
    pub(super) log: &'a Log,
    value: &'a DeValue<'a>,
}

/// One table; remembers which keys its reader knows, so that the others can be told.
pub(super) struct Table<'a> {
    pub(super) at: At<'a>,
    pub(super) log: &'a Log,
    entries: &'a DeTable<'a>,
    known: RefCell<Vec<&'static str>>,
    missing: RefCell<Vec<&'static str>>,
}

/// A key, or a text, with its place.
#[derive(Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) at: At<'a>,
    pub(super) text: &'a str,
}

impl<'a> Node<'a> {
    fn new(source: &'a Source<'a>, log: &'a Log, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { at: At { source, offset: value.span().start }, log, value: value.get_ref() }
    }

    /// Notes a mistake at this value.
    pub(super) fn wrong(self, message: impl Into<String>) {
        self.log.add(self.at, message);
    }

    /// Notes that this value, read as `found`, is none of the `known` ones.
    pub(super) fn unknown<'k>(self, message: impl Into<String>, found: &str, known: impl IntoIterator<Item = &'k str>) {
        self.log.add_unknown(self.at, message, found, known);
    }

    /// Notes that another type was expected.
    pub(super) fn wrong_type(self, expected: &str) {
        self.wrong(format!("expected {expected}, found {}", self.type_words()));
    }

    /// The type in words.
    pub(super) fn type_words(self) -> &'static str {
        match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date (put it in quotes)",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        }
    }

    /// The text, if this is one.
    pub(super) fn as_text(self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// The flag, if this is one.
    pub(super) fn as_flag(self) -> Option<bool> {
        self.value.as_bool()
    }

    /// The elements, if this is a list.
    pub(super) fn as_list(self) -> Option<Vec<Self>> {
        let list = self.value.as_array()?;
        Some(list.iter().map(|value| Node::new(self.at.source, self.log, value)).collect())
    }

    /// The table, if this is one.
    pub(super) fn as_table(self) -> Option<Table<'a>> {
        self.value.as_table().map(|entries| Table::new(self.at, self.log, entries))
    }

    /// The number, if this is a finite one.
    pub(super) fn as_number(self) -> Option<f64> {
        let number = match self.value {
            // TOML writes hexadecimal, octal and binary numbers without a sign, and none of more than 64 bits is meant here.
            #[expect(clippy::cast_precision_loss, reason = "JSON numbers, with which it is compared, are f64 as well")]
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok()? as f64,
            DeValue::Float(number) => number.as_str().parse().ok()?,
            _ => return None,
        };
        number.is_finite().then_some(number)
    }

    /// A text that is not empty.
    pub(super) fn text(self) -> Option<&'a str> {
        match self.as_text() {
            None => self.wrong_type("a text"),
            Some(text) if text.trim().is_empty() => self.wrong("the text is empty"),
            Some(text) => return Some(text),
        }
        None
    }

    /// A text with its place.
    pub(super) fn name(self) -> Option<Name<'a>> {
        self.text().map(|text| Name { at: self.at, text })
    }

    /// A number.
    pub(super) fn number(self) -> Option<f64> {
        let number = self.as_number();
        if number.is_none() {
            self.wrong_type("a finite number");
        }
        number
    }

    /// A list.
    pub(super) fn list(self) -> Option<Vec<Self>> {
        let list = self.as_list();
        if list.is_none() {
            self.wrong_type("a list");
        }
        list
    }

    /// A table.
    pub(super) fn table(self) -> Option<Table<'a>> {
        let table = self.as_table();
        if table.is_none() {
            self.wrong_type("a table");
        }
        table
    }

    /// Names, each given once.
    pub(super) fn names(self) -> Option<Vec<Name<'a>>> {
        let names: Vec<Name<'a>> = self.list()?.into_iter().filter_map(Self::name).collect();
        for (index, name) in names.iter().enumerate() {
            if names[..index].iter().any(|earlier| earlier.text == name.text) {
                self.log.add(name.at, format!("`{}` stands twice in this list", name.text));
            }
        }
        Some(names)
    }

    /// A text that one of the `words` stands for.
    pub(super) fn one_of<T: Copy>(self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.unknown(format!("`{text}` is none of {}", known.join(", ")), text, known);
        }
        found
    }

    /// A length of time that a rule or a deadline may have.
    pub(super) fn span(self) -> Option<Span> {
        let span: Span = self.text()?.parse().map_err(|error: SpanError| self.wrong(error.to_string())).ok()?;
        if span > LONGEST {
            self.wrong(format!("{span} is too long for standards: use at most {LONGEST}"));
            return None;
        }
        Some(span)
    }
}

impl<'a> Table<'a> {
    /// The table at the root of a file.
    pub(super) fn root(source: &'a Source<'a>, log: &'a Log, root: &'a DeTable<'a>) -> Self {
        Self::new(At { source, offset: 0 }, log, root)
    }

    fn new(at: At<'a>, log: &'a Log, entries: &'a DeTable<'a>) -> Self {
        Self { at, log, entries, known: RefCell::default(), missing: RefCell::default() }
    }

    /// This table, with what is missing in it told at `at`.
    pub(super) fn placed(self, at: At<'a>) -> Self {
        Self { at, ..self }
    }

    /// The value of `key`, if it is there.
    pub(super) fn optional(&self, key: &'static str) -> Option<Node<'a>> {
        self.known.borrow_mut().push(key);
        self.entries.get(key).map(|value| Node::new(self.at.source, self.log, value))
    }

    /// The value of `key`, which must be there.
    pub(super) fn required(&self, key: &'static str) -> Option<Node<'a>> {
        let value = self.optional(key);
        if value.is_none() {
            self.missing.borrow_mut().push(key);
        }
        value
    }

    /// Lets `keys` be there without asking for them.
    pub(super) fn knows(&self, keys: &[&'static str]) {
        self.known.borrow_mut().extend(keys);
    }

    /// Whether a key that nobody asked for looks like one of `keys`; it is told by [`Table::finish`].
    pub(super) fn misspells(&self, keys: &[&'static str]) -> bool {
        let known = self.known.borrow();
        let unknown = |name: &Name<'_>| !known.contains(&name.text);
        self.entries().iter().any(|(name, _)| unknown(name) && nearest(name.text, keys.iter().copied()).is_some())
    }

    /// Every entry, in the order of the file.
    pub(super) fn entries(&self) -> Vec<(Name<'a>, Node<'a>)> {
        let mut entries: Vec<_> = self
            .entries
            .iter()
            .map(|(key, value)| {
                let at = At { source: self.at.source, offset: key.span().start };
                (Name { at, text: key.get_ref() }, Node::new(self.at.source, self.log, value))
            })
            .collect();
        entries.sort_by_key(|(name, _)| name.at.offset);
        entries
    }

    /// Notes every key that nobody asked for and every one that is missing, unless one looks like the other.
    pub(super) fn finish(self) {
        let (known, mut missing) = (self.known.borrow(), self.missing.borrow_mut());
        for (name, _) in self.entries().iter().filter(|(name, _)| !known.contains(&name.text)) {
            // Rather one that is not there yet was meant.
            let free = known.iter().copied().filter(|key| !self.entries.contains_key(*key));
            let meant = nearest(name.text, free).or_else(|| nearest(name.text, known.iter().copied()));
            missing.retain(|key| Some(*key) != meant);
            self.log.add_unknown(name.at, format!("`{}` is not a key here", name.text), name.text, meant);
        }
        for key in missing.iter() {
            self.log.add(self.at, format!("`{key}` is missing"));
        }
    }
}
