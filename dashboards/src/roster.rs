//! Who is on duty.

use askama::Template;

use crate::{
    chrome::{Chrome, page},
    restraints::SelectOption,
};

/// Who is on duty at a post now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostNow {
    /// The post.
    pub post: String,
    /// Who; nobody if it is empty.
    pub people: Vec<String>,
}

/// A duty, or a time without anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DutyLine {
    /// The day, where none stands above it.
    pub day: Option<String>,
    /// From when until when.
    pub hours: String,
    /// The post.
    pub post: String,
    /// Who; nobody for a time without anybody.
    pub person: Option<String>,
    /// Whether they may no longer sign in, and so are not on duty.
    pub disabled: bool,
}

/// The duties of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DutyDay {
    /// The day.
    pub day: String,
    /// Its duties.
    pub duties: Vec<DutyLine>,
}

/// A mistake in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableMistake {
    /// The line, from 1.
    pub line: usize,
    /// The character in it, from 1.
    pub column: usize,
    /// What is wrong there.
    pub what: String,
}

/// What a table would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// New duties.
    pub begins: Vec<DutyLine>,
    /// Duties that are taken away.
    pub ends: Vec<DutyLine>,
    /// How many duties of the table are over and left out.
    pub over: usize,
}

/// The form by which a table is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterImport {
    /// The site, as in the form's address.
    pub site: String,
    /// The site's shifts with their hours.
    pub shifts: Vec<(String, String)>,
    /// The table that was sent.
    pub table: String,
    /// What is wrong with it.
    pub mistakes: Vec<TableMistake>,
    /// What it would change.
    pub preview: Option<Preview>,
}

/// `/roster`: who is on duty.
#[derive(Debug, Clone, Template)]
#[template(path = "roster.html", blocks = ["main", "lamp"])]
pub struct RosterPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The sites to choose from, where none is chosen yet.
    pub sites: Vec<SelectOption>,
    /// Who is on duty now; nothing if the site keeps no roster.
    pub now: Option<Vec<PostNow>>,
    /// When a post has nobody in the coming days; nothing if there is no roster for them.
    pub gaps: Option<Vec<DutyLine>>,
    /// The coming days.
    pub days: Vec<DutyDay>,
    /// The form, for whoever may import.
    pub import: Option<RosterImport>,
}

page!(RosterPage);
