//! What the pack says of people's reports: the symptoms that are offered, and who works on them.

use super::{
    kinds,
    names::Names,
    node::{Name, Node, Table},
    problem::Log,
    rules::Declared,
    source::At,
};
use crate::{kind::Word, report::ReportRule};

/// Who works on reports, by names that may be declared in another file.
pub(super) struct Draft<'a> {
    department: Name<'a>,
    priority: Name<'a>,
    confirmed_by: Name<'a>,
    tells: Vec<Name<'a>>,
}

/// What the pack says of all reports.
#[derive(Default)]
pub(super) struct Usual<'a> {
    at: Option<At<'a>>,
    pub(super) draft: Option<Draft<'a>>,
    pub(super) symptoms: Vec<Word>,
}

impl<'a> Draft<'a> {
    /// The keys of `table` that say who works on reports.
    fn read(table: &Table<'a>) -> Option<Self> {
        let name = |key| table.required(key).and_then(Node::name);
        let (department, priority, confirmed_by) = (name("department"), name("priority"), name("confirmed_by"));
        let tells = table.required("tells").and_then(Node::names);
        Some(Self { department: department?, priority: priority?, confirmed_by: confirmed_by?, tells: tells? })
    }

    /// Notes the names that are declared nowhere.
    pub(super) fn check(&self, declared: &Declared<'_>, log: &Log) {
        let check = |names: &Names<'_>, name: Name<'_>| names.check(log, name);
        check(&declared.departments, self.department);
        check(&declared.priorities, self.priority);
        for post in self.tells.iter().chain([&self.confirmed_by]) {
            check(&declared.posts, *post);
        }
    }

    pub(super) fn finished(&self) -> ReportRule {
        ReportRule {
            department: self.department.text.into(),
            priority: self.priority.text.into(),
            confirmed_by: self.confirmed_by.text.into(),
            tells: self.tells.iter().map(|post| post.text.into()).collect(),
        }
    }
}

/// The `report` of a kind; `Err` if it is there and wrong, which was noted.
pub(super) fn of_kind<'a>(kind: &Table<'a>) -> Result<Option<Draft<'a>>, ()> {
    let Some(node) = kind.optional("report") else { return Ok(None) };
    let table = node.table().ok_or(())?;
    let draft = Draft::read(&table);
    table.finish();
    draft.map(Some).ok_or(())
}

/// The `symptoms` of a kind, or of all that have none; nothing where they are wrong, which was noted.
pub(super) fn symptoms(table: &Table<'_>) -> Vec<Word> {
    table.optional("symptoms").and_then(Node::table).and_then(|table| kinds::labelled(&table)).unwrap_or_default()
}

/// The section `[report]` of a file.
pub(super) fn usual<'a>(file: &Table<'a>, known: &mut Usual<'a>) {
    let Some(node) = file.optional("report") else { return };
    if let Some(first) = known.at {
        let ((line, _), name) = (first.position(), first.source.name);
        node.wrong(format!("`report` stands twice in the pack, first at {name}:{line}"));
        return;
    }
    known.at = Some(node.at);
    let Some(table) = node.table() else { return };
    known.draft = Draft::read(&table);
    known.symptoms = symptoms(&table);
    table.finish();
}
