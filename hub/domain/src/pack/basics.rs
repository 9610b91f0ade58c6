//! Clauses, posts, departments and priorities.

use super::{
    Clause, Counts, Department, Priority,
    names::{Names, kebab, section},
    node::{Name, Node, Table},
};
use crate::{area::Area, label::Label, time::Span};

/// How long whoever works on a ticket may show no progress, where its priority says nothing of that.
const PROGRESS: Span = Span::from_mins(60);

/// In which hours a priority's times count.
const COUNTS: [(&str, Counts); 3] = [("always", Counts::Always), ("open", Counts::Open), ("duty", Counts::Duty)];

/// A label or another text in both languages.
pub(super) fn label(node: Node<'_>) -> Option<Label> {
    let table = node.table()?;
    let zh = table.required("zh").and_then(Node::text);
    let en = table.required("en").and_then(Node::text);
    table.finish();
    Some(Label::new(zh?, en?))
}

/// A label that may be empty in both languages: the unit of a plain count.
pub(super) fn unit(node: Node<'_>) -> Option<Label> {
    match node.as_text() {
        // Most units are the same in both languages.
        Some(unit) => Some(Label::new(unit, unit)),
        None => label(node),
    }
}

/// The clauses of one file.
/// Their posts are checked when those of all files are known.
pub(super) fn clauses<'a>(
    file: &Table<'a>,
    names: &mut Names<'a>,
    used: &mut Vec<Name<'a>>,
) -> Vec<(Box<str>, Clause)> {
    let mut read = |(name, node): (Name<'a>, Node<'a>)| {
        let table = node.table()?;
        let reference = table.required("reference").and_then(label);
        let asks = table.required("asks").and_then(label);
        let post = table.optional("post").and_then(Node::name);
        used.extend(post);
        let page = table.optional("page").and_then(page);
        let why_not = table.optional("why_not").and_then(label);
        table.finish();
        let post = post.map(|post| post.text.into());
        Some((name.text.into(), Clause { reference: reference?, asks: asks?, post, page, why_not }))
    };
    section(file, "clause", names).into_iter().filter_map(&mut read).collect()
}

/// The address of a page of this product.
fn page(node: Node<'_>) -> Option<Box<str>> {
    let path = node.text()?;
    if !path.starts_with('/') || path.starts_with("//") {
        node.wrong(format!("`page` is `{path}`: write the path of a page of this product, such as `/checks`"));
    }
    Some(path.into())
}

/// The posts of one file.
pub(super) fn posts<'a>(file: &Table<'a>, names: &mut Names<'a>) -> Vec<(Box<str>, Label)> {
    let read = |(name, node): (Name<'a>, Node<'a>)| {
        kebab(file.log, name);
        let table = node.table()?;
        let label = table.required("label").and_then(label);
        table.finish();
        Some((name.text.into(), label?))
    };
    section(file, "post", names).into_iter().filter_map(read).collect()
}

/// The areas of one file.
pub(super) fn areas<'a>(file: &Table<'a>, names: &mut Names<'a>) -> Vec<Area> {
    let read = |(name, node): (Name<'a>, Node<'a>)| {
        kebab(file.log, name);
        let table = node.table()?;
        let label = table.required("label").and_then(label);
        table.finish();
        Some(Area { id: name.text.into(), label: label? })
    };
    section(file, "area", names).into_iter().filter_map(read).collect()
}

/// The departments of one file. Their posts are checked when those of all files are known.
pub(super) fn departments<'a>(
    file: &Table<'a>,
    names: &mut Names<'a>,
    used: &mut Vec<Name<'a>>,
) -> Vec<(Box<str>, Department)> {
    let mut read = |(name, node): (Name<'a>, Node<'a>)| {
        kebab(file.log, name);
        let table = node.table()?;
        let label = table.required("label").and_then(label);
        let post = table.required("post").and_then(Node::name);
        used.extend(post);
        table.finish();
        Some((name.text.into(), Department { label: label?, post: post?.text.into() }))
    };
    section(file, "department", names).into_iter().filter_map(&mut read).collect()
}

/// The priorities of one file.
pub(super) fn priorities<'a>(file: &Table<'a>, names: &mut Names<'a>) -> Vec<(Box<str>, Priority)> {
    let read = |(name, node): (Name<'a>, Node<'a>)| {
        let table = node.table()?;
        let label = table.required("label").and_then(label);
        let (respond, arrive, complete) = (
            deadline(&table, "respond_within"),
            deadline(&table, "arrive_within"),
            deadline(&table, "complete_within"),
        );
        let progress = table.optional("progress_within").map_or(Some(PROGRESS), |node| some(node, "progress_within"));
        let counts = table.optional("counts").map_or(Some(Counts::Always), |node| node.one_of(&COUNTS));
        table.finish();
        if let (Some(respond), Some(arrive), Some(complete)) = (respond, arrive, complete)
            && (respond > arrive || arrive > complete)
        {
            file.log.add(name.at, "the times must grow: `respond_within`, `arrive_within`, `complete_within`");
        }
        let priority = Priority {
            label: label?,
            respond_within: respond?,
            arrive_within: arrive?,
            complete_within: complete?,
            progress_within: progress?,
            counts: counts?,
        };
        Some((name.text.into(), priority))
    };
    section(file, "priority", names).into_iter().filter_map(read).collect()
}

/// A time that a department has: some at least.
fn deadline(table: &Table<'_>, key: &'static str) -> Option<Span> {
    some(table.required(key)?, key)
}

/// A length of time that is longer than nothing.
pub(super) fn some(node: Node<'_>, key: &str) -> Option<Span> {
    let span = node.span()?;
    if span == Span::ZERO {
        node.wrong(format!("`{key}` must be longer than nothing"));
    }
    Some(span)
}
