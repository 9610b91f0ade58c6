//! Names that a pack declares in one place and uses in others.

use std::collections::BTreeMap;

use super::{
    node::{Name, Table},
    problem::Log,
    source::At,
};

/// Everything of one sort, such as the posts, that the pack's files declare.
pub(super) struct Names<'a> {
    what: &'static str,
    places: BTreeMap<&'a str, At<'a>>,
}

impl<'a> Names<'a> {
    /// No names yet of the sort `what`.
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, places: BTreeMap::new() }
    }

    /// Notes a declaration; two of one name are a mistake, also in two files.
    pub(super) fn declare(&mut self, log: &Log, name: Name<'a>) {
        if let Some(first) = self.places.get(name.text) {
            let ((line, _), file) = (first.position(), first.source.name);
            log.add(name.at, format!("{} `{}` is declared twice, first at {file}:{line}", self.what, name.text));
        } else {
            self.places.insert(name.text, name.at);
        }
    }

    /// Whether a name that is used is declared; if not, that is noted.
    pub(super) fn check(&self, log: &Log, used: Name<'_>) -> bool {
        let declared = self.places.contains_key(used.text);
        if !declared {
            log.add_unknown(
                used.at,
                format!("there is no {} `{}`", self.what, used.text),
                used.text,
                self.places.keys().copied(),
            );
        }
        declared
    }

    /// The names with their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, At<'a>)> {
        self.places.iter().map(|(name, at)| (*name, *at))
    }
}

/// The entries of a section such as `[post.…]`, each declared.
pub(super) fn section<'a>(
    file: &Table<'a>,
    key: &'static str,
    names: &mut Names<'a>,
) -> Vec<(Name<'a>, super::node::Node<'a>)> {
    let entries =
        file.optional(key).and_then(super::node::Node::table).map(|table| table.entries()).unwrap_or_default();
    for (name, _) in &entries {
        names.declare(file.log, *name);
    }
    entries
}

/// Notes a name that is not in kebab-case.
pub(super) fn kebab(log: &Log, name: Name<'_>) {
    let part =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if name.text.len() > MAX_NAME || !name.text.split('-').all(part) {
        log.add(name.at, format!("`{}` is not a name: use a-z, 0-9 and `-` between them", short(name.text)));
    }
}

/// Notes a name of a fact that is not in snake case.
pub(super) fn snake(log: &Log, name: Name<'_>) {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.text.is_empty() || name.text.len() > MAX_NAME || !name.text.bytes().all(fine) {
        log.add(name.at, format!("`{}` is not the name of a fact: use a-z, 0-9 and `_`", short(name.text)));
    }
}

/// Longest name, in bytes; they stand in topics, addresses and database keys.
const MAX_NAME: usize = 64;

fn short(text: &str) -> String {
    text.chars().take(MAX_NAME).collect()
}
