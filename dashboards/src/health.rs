//! `/health`: is the product itself well? Its own troubles are told here, and never as a fault of a device.

use askama::Template;

use crate::{
    chrome::{Chrome, page},
    state::{State, Verdict},
    texts::{Texts, fill},
    time::When,
};

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingSeverity {
    /// Something is to be put in order.
    Warning,
    /// Something will fail if nothing is done.
    Error,
    /// The hub cannot do its work.
    Critical,
}

impl FindingSeverity {
    fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Warning => t.finding_warning,
            Self::Error => t.finding_error,
            Self::Critical => t.finding_critical,
        }
    }

    /// A finding is no state of a device and has none of their shapes: it is told as alerts are.
    fn class(self) -> &'static str {
        match self {
            Self::Warning => "minor",
            Self::Error => "major",
            Self::Critical => "critical",
        }
    }
}

/// One finding in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingRow {
    /// What it is about, such as `database`, as the form sends it back.
    pub domain: String,
    /// The same in the page's language.
    pub about: &'static str,
    /// Its name within the domain.
    pub id: String,
    /// How grave it is.
    pub severity: FindingSeverity,
    /// What is wrong.
    pub title: String,
    /// What to do next.
    pub advice: String,
    /// The page of what it is about, if it has one.
    pub page: Option<String>,
    /// Since when.
    pub since: When,
    /// Whether somebody has said that it may be ignored.
    pub ignored: bool,
    /// Whether it stays until somebody has seen it.
    pub persistent: bool,
}

/// `/health`.
#[derive(Debug, Clone, Template)]
#[template(path = "health.html", blocks = ["main", "lamp"])]
pub struct HealthPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// What is found, the gravest first.
    pub findings: Vec<FindingRow>,
    /// When the rules were last evaluated.
    pub evaluated: Option<When>,
}

page!(HealthPage);

impl HealthPage {
    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let t = self.chrome.t();
        let counted: Vec<&FindingRow> = self.findings.iter().filter(|finding| !finding.ignored).collect();
        if self.findings.iter().any(|finding| finding.severity == FindingSeverity::Critical) {
            return Verdict::new(State::Abnormal, t.health_critical);
        }
        match counted.len() {
            0 => Verdict::new(State::Normal, t.health_well),
            count => Verdict::new(State::Abnormal, fill(t.health_findings, &count.to_string())),
        }
    }
}
