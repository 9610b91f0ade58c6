//! Alerts: a rule that fires for one subject, from its raising to its clearing. What overlays it (inhibition, silence, maintenance) is
//! computed when it is read, never stored as its state.

use std::{fmt, str::FromStr};

use lobby_contract::{AgentId, DeviceId, SiteId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    label::Label,
    rule::{Rule, Severity},
    time::Timestamp,
};

/// The namespace of ids that are derived from content.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c6f_6262_792d_4a75_a1e5_0000_0000_0001);

/// What a rule judges.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A device.
    Device(DeviceId),
    /// An agent.
    Agent(AgentId),
    /// The site as a whole.
    Site,
}

/// One alert. Derived from what it is about, so that deciding the same thing again gives the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlertId(pub Uuid);

/// An alert is to be raised.
#[derive(Debug, Clone, PartialEq)]
pub struct Raise {
    /// Its id.
    pub id: AlertId,
    /// What it is about.
    pub subject: Subject,
    /// The rule that fires.
    pub rule: std::sync::Arc<Rule>,
    /// Since when the fault has been there.
    pub since: Timestamp,
    /// When it was raised.
    pub at: Timestamp,
    /// Why, in words.
    pub evidence: Label,
    /// What is done about it.
    pub step: Step,
    /// Whether the posts concerned are told.
    pub tell: bool,
}

/// What is done about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Step {
    /// Its rule asks for no ticket.
    None,
    /// Its ticket is opened, joined or re-opened.
    Open,
    /// It is a consequence of that alert, and shares its ticket.
    Victim(AlertId),
    /// Nothing yet: a cause may still show, or the device is on trial or under maintenance.
    #[default]
    Later,
}

/// An alert is to be cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clear {
    /// What it is about.
    pub subject: Subject,
    /// The rule, by id: it may no longer be in the pack.
    pub rule: Box<str>,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: ClearReason,
    /// Who did it; empty for the hub itself.
    pub by: Box<str>,
}

/// Why an alert was cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClearReason {
    /// The fault is gone.
    Recovered,
    /// The standards pack no longer has the rule: nobody knows whether the fault is gone.
    RuleRemoved,
    /// Its device was retired.
    Retired,
    /// A person said so, while the device's data did not say otherwise.
    Manual,
    /// A person had reported it, and its ticket was closed.
    TicketClosed,
}

/// Why an alert was not cleared by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClearRefusal {
    /// There is no such alert, or it is cleared.
    #[error("no such alert is open")]
    NotOpen,
    /// The fault is there.
    #[error("the fault is still there, by what is reported")]
    StillTrue,
    /// Nobody can tell.
    #[error("nothing fresh is reported, so nobody can tell whether the fault is gone")]
    Unknown,
}

/// Whether an acknowledgement outlasts a change of severity: who has taken notice of something has not of something worse.
pub fn keeps_acknowledgement(before: Severity, after: Severity) -> bool {
    after <= before
}

/// Whether a rule of that id may be one of a pack, by which data raise and clear its alerts. Those of what people report, and of stock,
/// are raised and cleared by others.
pub fn is_judged_by_data(rule: &str) -> bool {
    !rule.contains('/')
}

impl AlertId {
    /// The id of the `nth` alert of `rule` for `subject` that is raised at `at`.
    pub fn derive(site: &SiteId, subject: &Subject, rule: &str, at: Timestamp, nth: u32) -> Self {
        let content = format!("{site}\n{subject}\n{rule}\n{}\n{nth}", at.millis());
        Self(Uuid::new_v5(&NAMESPACE, content.as_bytes()))
    }

    /// The id of the alert of what people report, by what tells the report from any other.
    pub fn of_report(report: Uuid) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, report.as_bytes()))
    }

    /// The id of the alert for a fault since `since` that was discovered late.
    pub fn derive_late(site: &SiteId, subject: &Subject, rule: &str, since: Timestamp) -> Self {
        let content = format!("{site}\n{subject}\n{rule}\n{}\nlate", since.millis());
        Self(Uuid::new_v5(&NAMESPACE, content.as_bytes()))
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ClearReason {
    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::RuleRemoved => "rule_removed",
            Self::Retired => "retired",
            Self::Manual => "manual",
            Self::TicketClosed => "ticket_closed",
        }
    }
}

/// As it stands in the database: `entrance-led`, `agent/lobby-box` or `site/`. A name holds no `/`, so the forms cannot be mixed up.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(id) => id.fmt(f),
            Self::Agent(id) => write!(f, "agent/{id}"),
            Self::Site => f.write_str("site/"),
        }
    }
}

/// A text that is no [`Subject`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the text is neither a device, nor `agent/…`, nor `site/`")]
pub struct SubjectError;

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        if text == "site/" {
            return Ok(Self::Site);
        }
        match text.strip_prefix("agent/") {
            Some(agent) => agent.parse().map(Self::Agent).map_err(|_| SubjectError),
            None => text.parse().map(Self::Device).map_err(|_| SubjectError),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("entrance-led")]
    #[case("agent/lobby-box")]
    #[case("site/")]
    fn a_subject_reads_back_as_written(#[case] text: &str) {
        assert_eq!(text.parse::<Subject>().map(|subject| subject.to_string()), Ok(text.to_owned()));
    }

    #[rstest]
    #[case::the_same(Severity::Major, Severity::Major, true)]
    #[case::less_bad(Severity::Critical, Severity::Warning, true)]
    #[case::worse(Severity::Major, Severity::Critical, false)]
    fn an_acknowledgement_outlasts_any_change_but_for_the_worse(
        #[case] before: Severity,
        #[case] after: Severity,
        #[case] kept: bool,
    ) {
        assert_eq!(keeps_acknowledgement(before, after), kept);
    }

    #[rstest]
    #[case("")]
    #[case("agent/")]
    #[case("site")]
    #[case("site/x")]
    fn other_texts_are_no_subjects_but_a_device_may_be_called_site(#[case] text: &str) {
        let expected =
            if text == "site" { Ok(Subject::Device("site".parse().expect("a name"))) } else { Err(SubjectError) };
        assert_eq!(text.parse(), expected);
    }
}
