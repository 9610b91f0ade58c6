//! Device kinds and their facts.

use std::collections::BTreeMap;

use super::{
    basics::{label, unit},
    names::{Names, kebab, section, snake},
    node::{Name, Node, Table},
    reports, stock,
};
use crate::{
    kind::{Domain, Fact, Kind, Word},
    label::Label,
};

/// A kind as far as its declaration could be read. What could not be read was noted, so what refers to it is not judged again.
pub(super) struct Draft<'a> {
    pub(super) id: &'a str,
    pub(super) label: Option<Label>,
    pub(super) boards: Vec<Name<'a>>,
    pub(super) area: Option<Name<'a>>,
    /// Facts in the order of the file; `None` where the declaration is wrong.
    pub(super) facts: Vec<(&'a str, Option<Fact>)>,
    pub(super) symptoms: Vec<Word>,
    pub(super) report: Option<reports::Draft<'a>>,
    pub(super) dispenses: Option<stock::Draft<'a>>,
}

/// The keys that say of which type a fact is.
const TYPES: [&str; 4] = ["words", "number", "bool", "text"];

/// What a kind says about a fact that is used.
pub(super) enum Lookup<'d> {
    /// It declares it.
    Declared(&'d Fact),
    /// It declares it wrongly.
    Broken,
    /// It has no such fact.
    Missing,
}

impl Draft<'_> {
    /// What the kind says about the fact `name`.
    pub(super) fn fact(&self, name: &str) -> Lookup<'_> {
        match self.facts.iter().find(|(declared, _)| *declared == name) {
            None => Lookup::Missing,
            Some((_, None)) => Lookup::Broken,
            Some((_, Some(fact))) => Lookup::Declared(fact),
        }
    }

    /// The kind, if all of it could be read.
    pub(super) fn finished(self) -> Option<Kind> {
        let facts = self.facts.into_iter().map(|(_, fact)| fact).collect::<Option<_>>()?;
        let boards = self.boards.into_iter().map(|board| board.text.into()).collect();
        let report = self.report.map(|report| report.finished());
        let dispenses = self.dispenses.map(stock::Draft::finished);
        Some(Kind {
            id: self.id.into(),
            label: self.label?,
            boards,
            area: self.area.map(|area| area.text.into()),
            facts,
            symptoms: self.symptoms,
            report,
            dispenses,
        })
    }
}

/// The kinds of one file.
pub(super) fn kinds<'a>(file: &Table<'a>, names: &mut Names<'a>, drafts: &mut BTreeMap<&'a str, Draft<'a>>) {
    for (name, node) in section(file, "kind", names) {
        kebab(file.log, name);
        let mut draft = Draft {
            id: name.text,
            label: None,
            boards: Vec::new(),
            area: None,
            facts: Vec::new(),
            symptoms: Vec::new(),
            report: None,
            dispenses: None,
        };
        if let Some(table) = node.table() {
            // A header such as `[kind.tv.fact.power]` makes a table of no place of its own.
            let table = table.placed(name.at);
            draft.label = table.required("label").and_then(label);
            draft.boards = table.required("boards").and_then(Node::names).unwrap_or_default();
            draft.area = table.optional("area").and_then(Node::name);
            draft.facts = table.required("fact").map(|facts| read_facts(&table, facts)).unwrap_or_default();
            draft.symptoms = reports::symptoms(&table);
            draft.report = reports::of_kind(&table).unwrap_or_default();
            draft.dispenses = stock::of_kind(&table, &draft);
            table.finish();
        }
        drafts.entry(name.text).or_insert(draft);
    }
}

fn read_facts<'a>(kind: &Table<'a>, node: Node<'a>) -> Vec<(&'a str, Option<Fact>)> {
    let Some(table) = node.table() else { return Vec::new() };
    let read = |(name, node): (Name<'a>, Node<'a>)| {
        snake(kind.log, name);
        (name.text, read_fact(name, node))
    };
    table.entries().into_iter().map(read).collect()
}

fn read_fact(name: Name<'_>, node: Node<'_>) -> Option<Fact> {
    let table = node.table()?.placed(name.at);
    let label = table.required("label").and_then(label);
    let types = TYPES.map(|key| (key, table.optional(key)));
    let mut given = types.into_iter().filter_map(|(key, node)| node.map(|node| (key, node)));
    let domain = match (given.next(), given.next()) {
        (Some((key, node)), None) => domain(key, node),
        (Some(_), Some((key, second))) => {
            second.wrong(format!("a fact has one type: drop `{key}` or the other"));
            None
        }
        (None, _) => {
            if !table.misspells(&TYPES) {
                table.log.add(
                    table.at,
                    format!("fact `{}` has no type: give `words`, `number`, `bool` or `text`", name.text),
                );
            }
            None
        }
    };
    table.finish();
    Some(Fact { name: name.text.into(), label: label?, domain: domain? })
}

fn domain(key: &str, node: Node<'_>) -> Option<Domain> {
    match key {
        "words" => words(node),
        "number" => number(node),
        _ => {
            let given = node.as_flag() == Some(true);
            if !given {
                node.wrong(format!("write `{key} = true`"));
            }
            given.then_some(if key == "bool" { Domain::Bool } else { Domain::Text })
        }
    }
}

fn words(node: Node<'_>) -> Option<Domain> {
    let entries = node.table()?.entries();
    if entries.len() < 2 {
        node.wrong("a fact of words needs two words at least");
        return None;
    }
    all_labelled(entries).map(Domain::Word)
}

/// Words of a table: their names in kebab-case, and a label each.
pub(super) fn labelled(table: &Table<'_>) -> Option<Vec<Word>> {
    let entries = table.entries();
    for (name, _) in &entries {
        kebab(table.log, *name);
    }
    all_labelled(entries)
}

fn all_labelled(entries: Vec<(Name<'_>, Node<'_>)>) -> Option<Vec<Word>> {
    let word = |(name, node): (Name<'_>, Node<'_>)| Some(Word { value: name.text.into(), label: label(node)? });
    // Every label is read before the first bad one ends it, so that all mistakes are told.
    let words: Vec<Option<Word>> = entries.into_iter().map(word).collect();
    words.into_iter().collect::<Option<_>>()
}

fn number(node: Node<'_>) -> Option<Domain> {
    let table = node.table()?;
    let unit = match table.optional("unit") {
        Some(node) => unit(node),
        None => Some(Label::default()),
    };
    let bound = |key| table.optional(key).map(|node| (node, node.number()));
    let (min, max) = (bound("min"), bound("max"));
    table.finish();
    if let (Some((_, Some(min))), Some((node, Some(max)))) = (min, max)
        && min >= max
    {
        node.wrong(format!("`max` {max} is not above `min` {min}"));
        return None;
    }
    Some(Domain::Number { unit: unit?, min: min.and_then(|(_, min)| min), max: max.and_then(|(_, max)| max) })
}
