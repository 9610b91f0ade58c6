//! What the pack says of stock: the items, and which devices hand them out.

use std::collections::BTreeMap;

use super::{
    Item,
    basics::{label, unit},
    kinds::{self, Lookup},
    names::{Names, kebab, section},
    node::{Name, Node, Table},
    problem::Log,
    rules::Declared,
};
use crate::kind::{Dispenses, Domain};

/// The most pieces in a minute where a kind says nothing of it: one a second.
const MOST_PER_MINUTE: u32 = 60;

/// The items of all files.
pub(super) struct Items<'a> {
    names: Names<'a>,
    clauses: Vec<Name<'a>>,
    posts: Vec<Name<'a>>,
    pub(super) known: BTreeMap<Box<str>, Item>,
}

impl Default for Items<'_> {
    fn default() -> Self {
        Self { names: Names::new("item"), clauses: Vec::new(), posts: Vec::new(), known: BTreeMap::new() }
    }
}

impl<'a> Items<'a> {
    /// The section `[item.…]` of a file.
    pub(super) fn read(&mut self, file: &Table<'a>) {
        for (name, node) in section(file, "item", &mut self.names) {
            kebab(file.log, name);
            let Some(table) = node.table() else { continue };
            let (label, unit) = (table.required("label").and_then(label), table.required("unit").and_then(unit));
            let clauses = table.required("clauses").and_then(Node::names);
            let tells = table.required("tells").and_then(Node::names);
            let approved_by = table.required("approved_by").and_then(Node::names);
            table.finish();
            let words = |names: &[Name<'a>]| names.iter().map(|name| name.text.into()).collect();
            if let (Some(label), Some(unit), Some(clauses), Some(tells), Some(approved_by)) =
                (label, unit, clauses, tells, approved_by)
            {
                let (clauses_of, told, approvers) = (words(&clauses), words(&tells), words(&approved_by));
                let item = Item { label, unit, clauses: clauses_of, tells: told, approved_by: approvers };
                self.known.insert(name.text.into(), item);
                self.clauses.extend(clauses);
                self.posts.extend(tells.into_iter().chain(approved_by));
            }
        }
    }

    /// Notes the names that are declared nowhere.
    pub(super) fn check(&self, declared: &Declared<'_>, log: &Log) {
        for clause in &self.clauses {
            declared.clauses.check(log, *clause);
        }
        for post in &self.posts {
            declared.posts.check(log, *post);
        }
        for draft in declared.drafts.values().filter_map(|kind| kind.dispenses.as_ref()) {
            self.names.check(log, draft.item);
        }
    }
}

/// What a kind hands out; the item may be declared in another file.
pub(super) struct Draft<'a> {
    item: Name<'a>,
    dispenses: Dispenses,
}

impl Draft<'_> {
    pub(super) fn finished(self) -> Dispenses {
        self.dispenses
    }
}

/// The `dispenses` of a kind whose facts are known.
pub(super) fn of_kind<'a>(kind: &Table<'a>, facts: &kinds::Draft<'a>) -> Option<Draft<'a>> {
    let table = kind.optional("dispenses")?.table()?;
    let number = |name: Name<'a>| {
        match facts.fact(name.text) {
            // What is wrong with it has been told.
            Lookup::Broken => None,
            Lookup::Declared(fact) if matches!(fact.domain, Domain::Number { .. }) => Some(Box::from(name.text)),
            Lookup::Declared(fact) => {
                let found = fact.domain.describe();
                table.log.add(name.at, format!("fact `{}` is {found}, and pieces are a number", name.text));
                None
            }
            Lookup::Missing => {
                let known = facts.facts.iter().map(|(known, _)| *known);
                table.log.add_unknown(
                    name.at,
                    format!("kind `{}` has no fact `{}`", facts.id, name.text),
                    name.text,
                    known,
                );
                None
            }
        }
    };
    let optional = |key| table.optional(key).and_then(Node::name).and_then(number);
    let item = table.required("item").and_then(Node::name);
    let counter = table.required("counter").and_then(Node::name).and_then(number);
    let (left, capacity, low) = (optional("left"), optional("capacity"), optional("low"));
    let most_per_minute = table.optional("most_per_minute").map_or(Some(MOST_PER_MINUTE), pieces);
    table.finish();
    let item = item?;
    let dispenses =
        Dispenses { item: item.text.into(), counter: counter?, left, capacity, low, most_per_minute: most_per_minute? };
    Some(Draft { item, dispenses })
}

/// A number of pieces: at least one.
fn pieces(node: Node<'_>) -> Option<u32> {
    let number = node.number()?;
    if !(1.0..=100_000.0).contains(&number) || number.fract() != 0.0 {
        node.wrong(format!("{number} is no number of pieces: use a whole number from 1 to 100000"));
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within bounds")]
    let pieces = number as u32;
    Some(pieces)
}
