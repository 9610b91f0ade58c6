//! The standards pack: kinds, rules, clauses, posts, departments and response times as data.

mod basics;
mod chain;
mod checklists;
mod conditions;
pub mod hours;
mod inhibitions;
mod kinds;
mod load;
mod names;
mod node;
mod problem;
mod reports;
mod rules;
mod source;
mod stock;
mod told;

use std::{collections::BTreeMap, sync::Arc};

pub(crate) use self::problem::nearest;
pub use self::{
    load::BUILT_IN,
    problem::{PackErrors, Problem},
};

use serde::{Deserialize, Serialize};

use crate::{
    area::Area,
    check::Checklist,
    escalation::Chain,
    inhibit::Inhibition,
    kind::{Kind, Word},
    label::Label,
    report::ReportRule,
    rule::Rule,
    sla::Limits,
    time::Span,
};

/// A standards pack, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Pack {
    /// The clauses that rules cite, by id.
    pub clauses: BTreeMap<Box<str>, Clause>,
    /// The posts that are told and that look at dashboards, by id.
    pub posts: BTreeMap<Box<str>, Label>,
    /// The areas of a site in which devices of its kinds stand, in the pack's order.
    pub areas: Vec<Area>,
    /// The departments that work tickets, by id.
    pub departments: BTreeMap<Box<str>, Department>,
    /// Priorities of tickets, by id.
    pub priorities: BTreeMap<Box<str>, Priority>,
    /// The one chain of command.
    pub chain: Chain,
    /// Which alerts are consequences of others.
    pub inhibitions: Vec<Inhibition>,
    /// Kinds with the rules that judge them, by id.
    pub kinds: BTreeMap<Box<str>, Arc<KindRules>>,
    /// Who works on what people report of kinds that say nothing of it, and of things that are no devices.
    pub report: Option<ReportRule>,
    /// The symptoms that are offered for kinds that have none of their own.
    pub symptoms: Vec<Word>,
    /// The rounds that posts make each day, in the pack's order.
    pub checklists: Vec<Checklist>,
    /// What is kept in stock, by id.
    pub items: BTreeMap<Box<str>, Item>,
}

/// Something that is kept in stock and used up, such as shoe covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What people call it.
    pub label: Label,
    /// One of it, such as 片.
    pub unit: Label,
    /// The clauses that ask for it.
    pub clauses: Vec<Box<str>>,
    /// The posts that keep it in stock: they are told when it runs low.
    pub tells: Vec<Box<str>>,
    /// The posts that approve what is bought of it for a month, from the lowest up.
    pub approved_by: Vec<Box<str>>,
}

/// A clause of the service standards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Where it stands, such as 礼宾岗 工作标准 第 9 条.
    pub reference: Label,
    /// What it asks, in the product's own words.
    pub asks: Label,
    /// The post whose clause it is; none if it is everybody's.
    pub post: Option<Box<str>>,
    /// The page that serves it, where that is one.
    pub page: Option<Box<str>>,
    /// Why no figure is kept of it, if that is so.
    pub why_not: Option<Label>,
}

/// A department that works tickets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Department {
    /// What people call it.
    pub label: Label,
    /// The post that answers for it at a site.
    pub post: Box<str>,
}

/// A ticket's priority and the times it sets, counted from the opening of the ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priority {
    /// What people call it.
    pub label: Label,
    /// By when the department accepts.
    pub respond_within: Span,
    /// By when somebody is there.
    pub arrive_within: Span,
    /// By when it works again.
    pub complete_within: Span,
    /// How long whoever works on it may show no progress before it is followed up again.
    pub progress_within: Span,
    /// In which hours these times count.
    pub counts: Counts,
}

/// In which hours a deadline counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counts {
    /// Around the clock.
    #[default]
    Always,
    /// While the site is open.
    Open,
    /// While those who repair are on duty.
    Duty,
}

impl Priority {
    /// How long each promise may take.
    pub fn limits(&self) -> Limits {
        Limits { response: self.respond_within, arrival: self.arrive_within, completion: self.complete_within }
    }
}

/// A kind with the rules that judge its devices.
#[derive(Debug, Clone, PartialEq)]
pub struct KindRules {
    /// The kind.
    pub kind: Kind,
    /// Its rules, in the pack's order.
    pub rules: Vec<Arc<Rule>>,
}

impl Pack {
    /// The rule of that id.
    pub fn rule(&self, id: &str) -> Option<&Arc<Rule>> {
        self.kinds.values().flat_map(|kind| &kind.rules).find(|rule| &*rule.id == id)
    }
}
