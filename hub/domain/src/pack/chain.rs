//! The one chain of command.

use std::collections::BTreeMap;

use super::{
    basics::some,
    names::Names,
    node::{Name, Node, Table},
    rules::{Declared, SEVERITIES},
    source::At,
};
use crate::{escalation::Chain, rule::Severity, time::Span};

/// How long the reporting post has to confirm a repair, where the pack says nothing of that.
const CONFIRM: Span = Span::from_mins(4 * 60);

/// What a file says of the chain, and where; nothing whole if there are mistakes in it.
pub(super) struct Draft<'a> {
    pub(super) at: At<'a>,
    pub(super) chain: Option<Chain>,
}

/// The chain of one file, if it has one.
pub(super) fn chain<'a>(file: &Table<'a>, declared: &Declared<'_>) -> Option<Draft<'a>> {
    let table = file.optional("chain")?.table()?;
    let at = table.at;
    let clauses = names(&table, "clauses", &declared.clauses);
    let steps = names(&table, "steps", &declared.posts);
    let last_resort = table.required("last_resort").and_then(Node::name);
    let last_resort = last_resort.filter(|name| declared.posts.check(table.log, *name));
    let confirm_within = table.optional("confirm_within").map_or(Some(CONFIRM), |node| some(node, "confirm_within"));
    let alerts = table.optional("alerts").map_or_else(|| Some(BTreeMap::new()), |node| alerts(node, declared));
    table.finish();
    let chain = || {
        Some(Chain {
            clauses: clauses?,
            steps: steps?,
            last_resort: last_resort?.text.into(),
            confirm_within: confirm_within?,
            alerts: alerts?,
        })
    };
    Some(Draft { at, chain: chain() })
}

/// A list of declared names.
fn names(table: &Table<'_>, key: &'static str, declared: &Names<'_>) -> Option<Vec<Box<str>>> {
    let names: Vec<Name<'_>> = table.required(key)?.names()?;
    let unknown = names.iter().filter(|name| !declared.check(table.log, **name)).count();
    (unknown == 0).then(|| names.into_iter().map(|name| name.text.into()).collect())
}

/// By which priority alerts without a ticket are followed up.
fn alerts(node: Node<'_>, declared: &Declared<'_>) -> Option<BTreeMap<Severity, Box<str>>> {
    let table = node.table()?;
    let mut paces = Some(BTreeMap::new());
    for (severity, known) in SEVERITIES {
        let Some(node) = table.optional(severity) else { continue };
        let priority = node.name().filter(|name| declared.priorities.check(table.log, *name));
        paces = paces.zip(priority).map(|(mut paces, priority)| {
            paces.insert(known, priority.text.into());
            paces
        });
    }
    table.finish();
    paces
}
