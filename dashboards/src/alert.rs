//! Alerts: what the rules found, and the page that lists them.

use askama::Template;

use crate::{
    chrome::{Choice, Chrome, page},
    report::ReportCard,
    state::{State, Verdict},
    texts::{Texts, fill},
    tile::DeviceRef,
    time::When,
};

/// How grave an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Guests notice, or somebody could be hurt.
    Critical,
    /// A service does not work as it should.
    Major,
    /// Worth a look today.
    Minor,
    /// For the record.
    Info,
}

impl Severity {
    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Critical => t.severity_critical,
            Self::Major => t.severity_major,
            Self::Minor => t.severity_minor,
            Self::Info => t.severity_info,
        }
    }

    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Major => "major",
            Self::Minor | Self::Info => "minor",
        }
    }
}

/// A clause of the service standards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Its id, such as `CON-S9`.
    pub id: String,
    /// Where it stands: "礼宾岗 工作标准 第 9 条".
    pub reference: String,
}

/// One alert in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRow {
    /// Its id, for what the reader may do about it while it lasts.
    pub id: String,
    /// The device.
    pub device: DeviceRef,
    /// Its site's name, where several sites are listed.
    pub site_name: Option<String>,
    /// The rule's title, in the page's language.
    pub title: String,
    /// How grave it is.
    pub severity: Severity,
    /// Since when.
    pub since: When,
    /// When it ended; `None` while it lasts.
    pub cleared: Option<When>,
    /// Why nobody is being told just now, such as maintenance, silence, or a fault that explains this one.
    pub overlay: Option<String>,
    /// Who has taken notice, if anybody; empty if nobody knows who.
    pub acked: Option<String>,
    /// The clauses it rests on.
    pub clauses: Vec<Clause>,
    /// Its ticket's number.
    pub ticket: Option<String>,
    /// Whether people report it and ask for no repair: then its own page tells what they say.
    pub reported: bool,
    /// Whether the reader may take notice of it.
    pub may_answer: bool,
    /// Whether the reader may silence it.
    pub may_silence: bool,
}

/// `/alerts/{id}`: what do people report?
#[derive(Debug, Clone, Template)]
#[template(path = "alert.html", blocks = ["main", "lamp"])]
pub struct AlertPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The alert.
    pub alert: AlertRow,
    /// Why it was raised.
    pub evidence: String,
    /// What people reported, the oldest first.
    pub reports: Vec<ReportCard>,
    /// Whether the reader may take notice of it.
    pub may_acknowledge: bool,
}

page!(AlertPage);

/// Which alerts are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertFilter {
    /// Those that last.
    Open,
    /// Every one.
    All,
}

/// `/alerts`: what did the rules find?
#[derive(Debug, Clone, Template)]
#[template(path = "alerts.html", blocks = ["main", "lamp"])]
pub struct AlertsPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// Which alerts are listed. The other list is at `/alerts?state=open` or `/alerts?state=all`.
    pub filter: AlertFilter,
    /// How many are open, listed here or not.
    pub open: u32,
    /// The alerts of this part of the list, the newest first.
    pub alerts: Vec<AlertRow>,
    /// Where the next part of the list is.
    pub next: Option<String>,
}

page!(AlertsPage);

impl AlertsPage {
    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let t = self.chrome.t();
        match (self.open, self.chrome.collection.state()) {
            (0, State::Unknown | State::Offline) => Verdict::new(State::Unknown, t.no_data_no_verdict),
            (0, _) => Verdict::new(State::Normal, t.alerts_none),
            (open, _) => Verdict::new(State::Abnormal, fill(t.alerts_open, &open.to_string())),
        }
    }

    fn filters(&self) -> [Choice; 2] {
        let t = self.chrome.t();
        let choice = |filter, label: &str, name| Choice {
            label: label.to_owned(),
            href: match self.chrome.to("/alerts") {
                path if path.contains('?') => format!("{path}&state={name}"),
                path => format!("{path}?state={name}"),
            },
            current: self.filter == filter,
        };
        [choice(AlertFilter::Open, t.filter_open, "open"), choice(AlertFilter::All, t.filter_all, "all")]
    }
}
