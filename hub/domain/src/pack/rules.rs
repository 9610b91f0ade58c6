//! Rules: which clause they serve, when they fire, whom they tell and which ticket they open.

use std::collections::BTreeMap;

use super::{
    basics::label,
    conditions::condition,
    kinds::Draft,
    names::{Names, kebab},
    node::{Name, Node, Table},
};
use crate::{
    calendar::Window,
    label::Label,
    rule::{Effect, OnNoData, Rule, Samples, Severity, Supply, TicketRule},
    time::Span,
};

/// Everything that rules may refer to.
pub(super) struct Declared<'a> {
    pub(super) clauses: Names<'a>,
    pub(super) posts: Names<'a>,
    pub(super) departments: Names<'a>,
    pub(super) priorities: Names<'a>,
    pub(super) kinds: Names<'a>,
    pub(super) drafts: BTreeMap<&'a str, Draft<'a>>,
}

const WINDOWS: [(&str, Window); 5] = [
    ("always", Window::Always),
    ("open", Window::Open),
    ("ready", Window::Ready),
    ("opening", Window::Opening),
    ("closed", Window::Closed),
];
pub(super) const SEVERITIES: [(&str, Severity); 4] = [
    ("info", Severity::Info),
    ("warning", Severity::Warning),
    ("major", Severity::Major),
    ("critical", Severity::Critical),
];
const EFFECTS: [(&str, Effect); 3] =
    [("none", Effect::None), ("degraded", Effect::Degraded), ("failed", Effect::Failed)];

const SUPPLIES: [(&str, Supply); 2] = [("low", Supply::Low), ("out", Supply::Out)];

/// The kinds that stand for parts of the product itself.
const OF_THE_PRODUCT: [&str; 2] = ["agent", "site"];

/// The rules of one file. `judged` gathers the kinds that some rule judges.
pub(super) fn rules<'a>(
    file: &Table<'a>,
    declared: &Declared<'a>,
    ids: &mut Names<'a>,
    judged: &mut Vec<&'a str>,
) -> Vec<Rule> {
    let Some(list) = file.optional("rule").and_then(Node::list) else { return Vec::new() };
    list.into_iter().filter_map(Node::table).filter_map(|table| rule(table, declared, ids, judged)).collect()
}

fn rule<'a>(table: Table<'a>, declared: &Declared<'a>, ids: &mut Names<'a>, judged: &mut Vec<&'a str>) -> Option<Rule> {
    let log = table.log;
    let id = table.required("id").and_then(Node::name);
    if let Some(id) = id {
        kebab(log, id);
        ids.declare(log, id);
    }
    let clauses = used(&table, "clauses", &declared.clauses);
    let kinds = kinds(&table, declared, judged);
    let drafts: Vec<&Draft<'_>> = kinds.iter().flatten().filter_map(|kind| declared.drafts.get(kind.text)).collect();
    let when = table.required("when").and_then(|node| condition(node, &drafts));
    // Not given is fine, given and wrong is not.
    let until = table.optional("until").map(|node| condition(node, &drafts).ok_or(())).transpose();
    let (raise_after, samples) = raised(&table);
    let on_no_data = table.optional("on_no_data").map(|node| on_no_data(node, kinds.as_deref()).ok_or(())).transpose();
    let clear_after = table.required("recover_for").and_then(Node::span);
    let during = table.optional("during").map_or(Some(Window::Always), |node| node.one_of(&WINDOWS));
    let severity = table.required("severity").and_then(|node| node.one_of(&SEVERITIES));
    let effect = table.required("effect").and_then(|node| node.one_of(&EFFECTS));
    let tells = tells(&table, declared);
    let ticket = table.optional("ticket").map(|node| ticket(node, declared).ok_or(())).transpose();
    let supply = table.optional("supply").map(|node| node.one_of(&SUPPLIES).ok_or(())).transpose();
    let title = text(&table, "title");
    let advice = text(&table, "advice");
    table.finish();
    Some(Rule {
        id: id?.text.into(),
        clauses: boxed(clauses?),
        kinds: boxed(kinds?),
        when: when?,
        until: until.ok()?,
        raise_after: raise_after?,
        samples: samples.ok()?,
        on_no_data: on_no_data.ok()?.unwrap_or_default(),
        clear_after: clear_after?,
        during: during?,
        severity: severity?,
        effect: effect?,
        tells: boxed(tells?),
        ticket: ticket.ok()?,
        supply: supply.ok()?,
        title: title?,
        advice: advice?,
    })
}

/// How long it must be wrong, or how many of its last samples must be.
fn raised(table: &Table<'_>) -> (Option<Span>, Result<Option<Samples>, ()>) {
    let Some(node) = table.optional("samples") else {
        // With `samples` misspelt, `for` is not missing.
        let needed = if table.misspells(&["samples"]) { table.optional("for") } else { table.required("for") };
        return (needed.and_then(Node::span), Ok(None));
    };
    if table.optional("for").is_some() {
        node.wrong("`for` and `samples` stand in one rule: it is raised by time or by samples");
    }
    (Some(Span::ZERO), samples(node).map(Some).ok_or(()))
}

fn samples(node: Node<'_>) -> Option<Samples> {
    let table = node.table()?;
    let (bad, of) = (table.required("bad"), table.required("of"));
    table.finish();
    let (bad_at, of_at) = (bad?, of?);
    let (bad, of) = (count(bad_at)?, count(of_at)?);
    if bad > of {
        bad_at.wrong(format!("`bad` is {bad}, more than `of`, which is {of}"));
        return None;
    }
    Some(Samples { bad, of })
}

/// A number of samples: one at least.
fn count(node: Node<'_>) -> Option<u32> {
    let number = node.number()?;
    let found = (1..=Samples::MOST).find(|count| (f64::from(*count) - number).abs() < f64::EPSILON);
    if found.is_none() {
        node.wrong(format!("{number} is no number of samples: use a whole number from 1 to {}", Samples::MOST));
    }
    found
}

/// What missing data does to a rule that judges these kinds.
fn on_no_data(node: Node<'_>, kinds: Option<&[Name<'_>]>) -> Option<OnNoData> {
    let Some(table) = node.as_table() else {
        if node.as_text().is_none() {
            node.wrong_type("`hold`, `unknown` or `{ fire_after = \"…\" }`");
            return None;
        }
        return node.one_of(&[("hold", OnNoData::Hold), ("unknown", OnNoData::Unknown)]);
    };
    let fire_after = table.required("fire_after");
    table.finish();
    let (at, span) = fire_after.and_then(|node| Some((node, node.span()?)))?;
    if span == Span::ZERO {
        at.wrong("`fire_after` must be longer than nothing");
        return None;
    }
    if let Some(device) = kinds.into_iter().flatten().find(|kind| !OF_THE_PRODUCT.contains(&kind.text)) {
        at.wrong(format!(
            "the rule judges kind `{}`: missing data is never the fault of a device, so only a rule for {} may fire after it",
            device.text,
            OF_THE_PRODUCT.join(" and ")
        ));
        return None;
    }
    Some(OnNoData::FireAfter(span))
}

fn boxed(names: Vec<Name<'_>>) -> Vec<Box<str>> {
    names.into_iter().map(|name| name.text.into()).collect()
}

fn text(table: &Table<'_>, key: &'static str) -> Option<Label> {
    table.required(key).and_then(label)
}

/// A list of declared names.
fn used<'a>(table: &Table<'a>, key: &'static str, declared: &Names<'_>) -> Option<Vec<Name<'a>>> {
    let names = table.required(key).and_then(Node::names)?;
    let unknown = names.iter().filter(|name| !declared.check(table.log, **name)).count();
    (unknown == 0).then_some(names)
}

/// The declared kinds among those that the rule names; `None` if it names none at all.
fn kinds<'a>(table: &Table<'a>, declared: &Declared<'_>, judged: &mut Vec<&'a str>) -> Option<Vec<Name<'a>>> {
    let node = table.required("kinds")?;
    let names = node.names()?;
    if names.is_empty() {
        node.wrong("the rule judges no kind");
        return None;
    }
    let known: Vec<Name<'a>> = names.into_iter().filter(|name| declared.kinds.check(table.log, *name)).collect();
    judged.extend(known.iter().map(|name| name.text));
    Some(known)
}

fn tells<'a>(table: &Table<'a>, declared: &Declared<'_>) -> Option<Vec<Name<'a>>> {
    let posts = used(table, "tells", &declared.posts)?;
    if posts.is_empty() {
        table.optional("tells")?.wrong("the rule tells nobody");
    }
    Some(posts)
}

fn ticket(node: Node<'_>, declared: &Declared<'_>) -> Option<TicketRule> {
    let table = node.table()?;
    let reference = |key, names: &Names<'_>| {
        let name = table.required(key)?.name()?;
        names.check(table.log, name).then(|| name.text.into())
    };
    let department = reference("department", &declared.departments);
    let priority = reference("priority", &declared.priorities);
    let confirmed_by = reference("confirmed_by", &declared.posts);
    let fault_class = table.required("fault_class").and_then(Node::name);
    if let Some(fault_class) = fault_class {
        kebab(table.log, fault_class);
    }
    table.finish();
    Some(TicketRule {
        department: department?,
        priority: priority?,
        fault_class: fault_class?.text.into(),
        confirmed_by: confirmed_by?,
    })
}
