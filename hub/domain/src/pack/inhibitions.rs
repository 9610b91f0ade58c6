//! Which alerts are consequences of others.

use super::{
    names::Names,
    node::{Node, Table},
};
use crate::inhibit::{Inhibition, LabelName};

/// The inhibitions of one file; `rules` are those of the whole pack.
pub(super) fn inhibitions<'a>(file: &Table<'a>, rules: &Names<'a>) -> Vec<Inhibition> {
    let Some(list) = file.optional("inhibit").and_then(Node::list) else { return Vec::new() };
    list.into_iter().filter_map(Node::table).filter_map(|table| inhibition(table, rules)).collect()
}

fn inhibition<'a>(table: Table<'a>, rules: &Names<'a>) -> Option<Inhibition> {
    let source = named(&table, "source", rules);
    let target = named(&table, "target", rules);
    let equal = table
        .required("equal")
        .and_then(Node::list)
        .and_then(|labels| labels.into_iter().map(|label| label.one_of(&LabelName::ALL)).collect());
    table.finish();
    Some(Inhibition { source: source?, target: target?, equal: equal? })
}

fn named<'a>(table: &Table<'a>, key: &'static str, rules: &Names<'a>) -> Option<Vec<Box<str>>> {
    let node = table.required(key)?;
    let names = node.names()?;
    if names.is_empty() {
        node.wrong("no rule is named");
    }
    let unknown = names.iter().filter(|name| !rules.check(table.log, **name)).count();
    (unknown == 0 && !names.is_empty()).then(|| names.into_iter().map(|name| name.text.into()).collect())
}
