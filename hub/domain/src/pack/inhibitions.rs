//! Which alerts are consequences of others.

use super::{
    names::Names,
    node::{Name, Node, Table},
    rules::SEVERITIES,
};
use crate::{
    inhibit::Inhibition,
    matchers::{Field, Matchers},
};

/// The inhibitions of one file; `rules` and `kinds` are those of the whole pack.
pub(super) fn inhibitions<'a>(file: &Table<'a>, rules: &Names<'a>, kinds: &Names<'a>) -> Vec<Inhibition> {
    let Some(list) = file.optional("inhibit").and_then(Node::list) else { return Vec::new() };
    list.into_iter().filter_map(Node::table).filter_map(|table| inhibition(table, rules, kinds)).collect()
}

fn inhibition<'a>(table: Table<'a>, rules: &Names<'a>, kinds: &Names<'a>) -> Option<Inhibition> {
    let side = |key| table.required(key).and_then(|node| matchers(node, rules, kinds));
    let (source, target) = (side("source"), side("target"));
    let equal = table
        .required("equal")
        .and_then(Node::list)
        .and_then(|labels| labels.into_iter().map(|label| label.one_of(&Field::ALL)).collect());
    table.finish();
    Some(Inhibition { source: source?, target: target?, equal: equal? })
}

/// One side: matchers as a silence has them, or the names of rules alone.
fn matchers<'a>(node: Node<'a>, rules: &Names<'a>, kinds: &Names<'a>) -> Option<Matchers> {
    let fields = match node.as_table() {
        None => vec![(Field::Rule, named(node, rules)?)],
        Some(table) => {
            let read = Field::ALL.iter().filter_map(|(name, field)| Some((*field, table.optional(name)?)));
            let read: Vec<_> = read.map(|(field, node)| Some((field, values(field, node, rules, kinds)?))).collect();
            // What a key that is none was to say is not known.
            let is_whole = read.len() == table.entries().len();
            table.finish();
            read.into_iter().collect::<Option<Vec<_>>>().filter(|_| is_whole)?
        }
    };
    Matchers::new(fields).map_err(|error| node.wrong(error.to_string())).ok()
}

fn values<'a>(field: Field, node: Node<'a>, rules: &Names<'a>, kinds: &Names<'a>) -> Option<Vec<Box<str>>> {
    match field {
        Field::Rule => named(node, rules),
        Field::Kind => named(node, kinds),
        Field::Severity => {
            let known =
                each(node)?.into_iter().map(|value| value.one_of(&SEVERITIES).map(|known| known.as_str().into()));
            known.collect()
        }
        Field::Site | Field::Device | Field::Agent | Field::Place => {
            // The empty text is what something has that has none.
            let text = |value: Node<'_>| {
                let text = value.as_text();
                if text.is_none() {
                    value.wrong_type("a text");
                }
                text.map(Into::into)
            };
            each(node)?.into_iter().map(text).collect()
        }
    }
}

/// Names that the pack declares.
fn named<'a>(node: Node<'a>, declared: &Names<'a>) -> Option<Vec<Box<str>>> {
    let names: Vec<Name<'a>> = if node.as_text().is_some() { vec![node.name()?] } else { node.names()? };
    if names.is_empty() {
        node.wrong("nothing is named");
    }
    let unknown = names.iter().filter(|name| !declared.check(node.log, **name)).count();
    (unknown == 0 && !names.is_empty()).then(|| names.into_iter().map(|name| name.text.into()).collect())
}

/// One value or several.
fn each(node: Node<'_>) -> Option<Vec<Node<'_>>> {
    let values = if node.as_text().is_some() { vec![node] } else { node.list()? };
    if values.is_empty() {
        node.wrong("nothing is named");
    }
    (!values.is_empty()).then_some(values)
}
