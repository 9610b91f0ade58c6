//! One finding: what it is, how grave, since when, and whether somebody chose to ignore it.

use lobby_dashboards::{FindingKey, Lang};
use lobby_domain::{pack::Pack, time::Timestamp};

use super::posts;

/// What a finding is about. Each domain has one prober.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// Room on the disk.
    Storage,
    /// The database.
    Database,
    /// The broker.
    Broker,
    /// The computer's clock.
    Clock,
    /// The hub's own tasks.
    Tasks,
    /// Certificates of listeners.
    Certificates,
    /// Backups.
    Backup,
    /// Agents, devices and sites that are not set up as they should be.
    Estate,
    /// The configuration and the standards pack.
    Configuration,
    /// Who is on duty.
    Roster,
    /// What is to be told to people, and the channels it goes through.
    Notifications,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something is to be put in order.
    Warning,
    /// Something will fail if nothing is done.
    Error,
    /// The hub cannot do its work; it is not ready.
    Critical,
}

/// A finding as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub domain: Domain,
    /// Its name, unique in the domain.
    pub id: Box<str>,
    /// Its texts.
    pub key: FindingKey,
    /// How grave it is.
    pub severity: Severity,
    /// The values in its title.
    pub values: Vec<String>,
    /// Since when.
    pub since: Timestamp,
    /// Whether it stays until somebody has seen it, though its cause may be over.
    pub persistent: bool,
    /// Whether somebody chose to ignore it until it is gone.
    pub ignored: bool,
}

impl Finding {
    /// The page of the agent, device or roster that it is about: its first value is SITE/NAME.
    pub fn page(&self) -> Option<String> {
        let name = self.values.first()?;
        match self.key {
            FindingKey::AgentClock | FindingKey::AgentDisk | FindingKey::AgentLost | FindingKey::BadDevice => {
                Some(format!("/a/{name}"))
            }
            FindingKey::ForeignDevice => {
                let (site, device) = name.split_once('/')?;
                Some(format!("/d/{device}?site={site}"))
            }
            FindingKey::RosterGap => {
                let (site, _) = name.split_once('/')?;
                Some(format!("/roster?site={site}"))
            }
            _ => None,
        }
    }
}

/// A finding as a prober says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub(super) id: Box<str>,
    pub(super) key: FindingKey,
    pub(super) severity: Severity,
    values: Vec<String>,
    persistent: bool,
}

impl Domain {
    /// Every domain.
    pub const ALL: [Self; 11] = [
        Self::Storage,
        Self::Database,
        Self::Broker,
        Self::Clock,
        Self::Tasks,
        Self::Certificates,
        Self::Backup,
        Self::Estate,
        Self::Configuration,
        Self::Roster,
        Self::Notifications,
    ];

    /// Its name in the database, the API and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Database => "database",
            Self::Broker => "broker",
            Self::Clock => "clock",
            Self::Tasks => "tasks",
            Self::Certificates => "certificates",
            Self::Backup => "backup",
            Self::Estate => "estate",
            Self::Configuration => "configuration",
            Self::Roster => "roster",
            Self::Notifications => "notifications",
        }
    }

    /// The domain of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|domain| domain.as_str() == name)
    }
}

impl Severity {
    /// Every severity.
    pub const ALL: [Self; 3] = [Self::Warning, Self::Error, Self::Critical];

    /// Its name in the database, the API and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// The severity of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == name)
    }
}

impl Found {
    /// Something found, named by its key alone: there is one of it in its domain.
    pub fn new(key: FindingKey, severity: Severity) -> Self {
        Self { id: key.as_str().into(), key, severity, values: Vec::new(), persistent: false }
    }

    /// One of several of its kind, told apart by `what`, such as a file or a site.
    #[must_use]
    pub fn about(mut self, what: &str) -> Self {
        self.id = format!("{}:{what}", self.key.as_str()).into();
        self
    }

    /// The next value in its title.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a value, a reference or a text, as the caller has it")]
    pub fn with(mut self, value: impl ToString) -> Self {
        self.values.push(value.to_string());
        self
    }

    /// It stays until somebody has seen it, though its cause may be over.
    #[must_use]
    pub fn persistent(mut self) -> Self {
        self.persistent = true;
        self
    }

    pub(super) fn into_finding(self, domain: Domain, known: Option<&Finding>, now: Timestamp) -> Finding {
        let Self { id, key, severity, values, persistent } = self;
        let since = known.map_or(now, |known| known.since);
        // It became worse: that is not what was ignored.
        let ignored = known.is_some_and(|known| known.ignored && known.severity >= severity);
        // Who has not seen it yet is to see it, though it happens once more and passes by itself this time.
        let persistent = persistent || known.is_some_and(|known| known.persistent);
        Finding { domain, id, key, severity, values, since, persistent, ignored }
    }
}

impl Finding {
    /// What is wrong and what to do next, for people: posts are called as `pack` calls them.
    pub fn texts(&self, lang: Lang, pack: &Pack) -> (String, String) {
        let mut values = self.values.clone();
        if let (FindingKey::PostUnserved, Some(names)) = (self.key, values.get_mut(1)) {
            *names = posts::called(names, lang, pack);
        }
        (self.key.title(lang, &values), self.key.advice(lang, &values))
    }

    /// What is wrong, for the log.
    pub fn english(&self) -> String {
        self.key.title(Lang::En, &self.values)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::agent(FindingKey::AgentLost, "hz-01/lobby-box", Some("/a/hz-01/lobby-box"))]
    #[case::device(FindingKey::ForeignDevice, "hz-01/led", Some("/d/led?site=hz-01"))]
    #[case::post(FindingKey::RosterGap, "hz-01/concierge", Some("/roster?site=hz-01"))]
    #[case::site(FindingKey::NoHours, "hz-01", None)]
    fn a_finding_leads_to_the_page_of_what_it_is_about(
        #[case] key: FindingKey,
        #[case] name: &str,
        #[case] page: Option<&str>,
    ) {
        let found = Found::new(key, Severity::Warning).about(name).with(name);
        let finding = found.into_finding(Domain::Estate, None, Timestamp::default());
        assert_eq!(finding.page().as_deref(), page);
    }
}
