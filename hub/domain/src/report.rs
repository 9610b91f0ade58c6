//! What people report: a fault that they saw, or that something is damaged or lost. Their word is evidence like a probe's: it becomes an
//! alert whose rule no machine evaluates. Data neither raise nor clear it; it ends with its ticket, or, where there is none, when the
//! superior takes notice.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    access::Role,
    condition::Condition,
    kind::{Kind, Word},
    label::Label,
    pack::Pack,
    rule::{Effect, OnNoData, Rule, Severity, TicketRule},
    time::Span,
};

/// The clauses that ask for reports of damage and loss.
pub const CLAUSES: [&str; 2] = ["CON-S11", "BAR-D6"];
/// With what the rule of every report begins. No rule of a pack can be called so: their names hold no `/`.
const PREFIX: &str = "reported/";
/// The rule and the fault class of faults of devices. A device has one such alert at most.
pub const OF_DEVICE: &str = "reported/device";

/// What is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Something does not work.
    #[default]
    Fault,
    /// Something is damaged.
    Damage,
    /// Something is not there.
    Loss,
}

/// Who reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Somebody who scanned a label and is not known.
    Guest,
    /// Somebody of the staff.
    Person,
    /// A program with a token.
    Program,
}

/// Who works on what is reported of a kind, and who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRule {
    /// The department that works the ticket.
    pub department: Box<str>,
    /// The ticket's priority.
    pub priority: Box<str>,
    /// The post that confirms the repair.
    pub confirmed_by: Box<str>,
    /// The posts that are told.
    pub tells: Vec<Box<str>>,
}

/// What is said in a report, as far as its alert tells of it.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Tells it from any other report.
    pub key: Uuid,
    /// What is reported.
    pub what: What,
    /// Who reports.
    pub source: Source,
    /// What the reporter is, if that is known.
    pub role: Option<Role>,
    /// The kind of the device; none if it is about another thing.
    pub kind: Option<&'a Kind>,
    /// The other thing, and where it is.
    pub thing: &'a str,
    /// The symptoms chosen.
    pub symptoms: &'a [&'a Word],
    /// In the reporter's words.
    pub note: &'a str,
    /// Whether a repair is wanted, where damage or loss is reported; what does not work is always to be repaired.
    pub repair: bool,
}

impl What {
    /// Everything that can be reported.
    pub const ALL: [Self; 3] = [Self::Fault, Self::Damage, Self::Loss];

    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Damage => "damage",
            Self::Loss => "loss",
        }
    }

    /// What is called so.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|what| what.as_str() == text)
    }
}

impl Source {
    /// Every source.
    pub const ALL: [Self; 3] = [Self::Guest, Self::Person, Self::Program];

    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Person => "person",
            Self::Program => "program",
        }
    }

    /// The source of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the alerts of a rule are what people state.
pub fn is_stated(rule: &str) -> bool {
    rule.starts_with(PREFIX)
}

/// The post to which somebody reports damage and loss: the supervisor, or for the supervisor and those above, the manager.
pub const fn superior(role: Option<Role>) -> &'static str {
    match role {
        Some(Role::Supervisor | Role::Manager | Role::Admin) => "manager",
        _ => "supervisor",
    }
}

/// Whether somebody may take notice of what was reported to the post `superior`.
pub fn is_superior(role: Option<Role>, superior: &str) -> bool {
    match role {
        // Whoever is nothing in particular may do everything.
        None | Some(Role::Manager | Role::Admin) => true,
        Some(role) => role.as_str() == superior,
    }
}

impl Pack {
    /// Who works on what is reported of a kind, or of things that are no devices.
    pub fn reporting(&self, kind: Option<&Kind>) -> ReportRule {
        let said = kind.and_then(|kind| kind.report.as_ref()).or(self.report.as_ref());
        said.cloned().unwrap_or_else(|| self.usual_reporting())
    }

    /// What a pack that says nothing about reports means: what most packs call it, or else the first that there is.
    fn usual_reporting(&self) -> ReportRule {
        fn named<'a>(mut ids: impl Iterator<Item = &'a Box<str>> + Clone, usual: &str) -> Box<str> {
            let found = ids.clone().find(|id| &***id == usual).or_else(|| ids.next());
            found.cloned().unwrap_or_default()
        }
        ReportRule {
            department: named(self.departments.keys(), "engineering"),
            priority: named(self.priorities.keys(), "P2"),
            confirmed_by: named(self.posts.keys(), "supervisor"),
            tells: self.posts.keys().filter(|post| &***post == "engineering").cloned().collect(),
        }
    }

    /// The symptoms that are offered for a kind.
    pub fn symptoms<'a>(&'a self, kind: Option<&'a Kind>) -> &'a [Word] {
        let own = kind.map(|kind| &*kind.symptoms).filter(|symptoms| !symptoms.is_empty());
        own.unwrap_or(&self.symptoms)
    }
}

impl Said<'_> {
    /// The rule that stands for it.
    pub fn rule(&self, pack: &Pack) -> Arc<Rule> {
        let is_of_device = self.kind.is_some() && self.what == What::Fault;
        let id: Box<str> = if is_of_device { OF_DEVICE.into() } else { self.key_of_thing().into() };
        let ReportRule { department, priority, confirmed_by, mut tells } = pack.reporting(self.kind);
        let opens = self.what == What::Fault || self.repair;
        if self.what != What::Fault {
            let superior = superior(self.role).into();
            tells = if opens && !tells.contains(&superior) { [vec![superior], tells].concat() } else { vec![superior] };
        }
        let clauses: &[&str] = if self.what == What::Fault { &[] } else { &CLAUSES };
        let known = clauses.iter().filter(|clause| pack.clauses.contains_key(**clause));
        Arc::new(Rule {
            clauses: known.map(|clause| Box::from(*clause)).collect(),
            kinds: Vec::new(),
            when: Condition::All(Vec::new()),
            until: None,
            raise_after: Span::ZERO,
            samples: None,
            on_no_data: OnNoData::Hold,
            clear_after: Span::ZERO,
            during: crate::calendar::Window::Always,
            severity: if self.what == What::Fault { Severity::Major } else { Severity::Warning },
            effect: if self.what == What::Loss { Effect::Failed } else { Effect::Degraded },
            ticket: opens.then(|| TicketRule { department, priority, fault_class: id.clone(), confirmed_by }),
            supply: None,
            tells,
            title: self.title(),
            advice: self.title(),
            id,
        })
    }

    fn key_of_thing(&self) -> String {
        format!("{PREFIX}{:08x}", self.key.as_u128() >> 96)
    }

    /// What it is about, in one line.
    fn title(&self) -> Label {
        let (zh, en) = match self.what {
            What::Fault => ("报修", "Reported"),
            What::Damage => ("物品损坏", "Damage"),
            What::Loss => ("物品丢失", "Loss"),
        };
        let named = |of: fn(&Label) -> &str, comma: &str| {
            let symptoms = self.symptoms.iter().map(|word| of(&word.label)).collect::<Vec<_>>().join(comma);
            let kind = self.kind.map(|kind| of(&kind.label)).filter(|_| self.what != What::Fault);
            let parts = [kind.unwrap_or_default(), self.thing, &symptoms];
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
        };
        let title = |head: &str, gap: &str, rest: String| {
            if rest.is_empty() { head.to_owned() } else { format!("{head}{gap}{rest}") }
        };
        Label::new(title(zh, "：", named(|label| &label.zh, "、")), title(en, ": ", named(|label| &label.en, ", ")))
    }

    /// Why its alert is raised.
    pub fn evidence(&self) -> Label {
        let (zh, en) = match self.source {
            Source::Guest => ("客人报告", "Said by a guest"),
            Source::Person => ("员工报告", "Said by the staff"),
            Source::Program => ("程序报告", "Said by a program"),
        };
        let (keep_zh, keep_en) = match self.what {
            What::Fault => ("", ""),
            What::Damage | What::Loss => ("；请勿移动，保持现场原样", "; do not touch, keep the place as it is"),
        };
        let note = |gap: &str| if self.note.is_empty() { String::new() } else { format!("{gap}{}", self.note) };
        Label::new(format!("{zh}{keep_zh}{}", note("：")), format!("{en}{keep_en}{}", note(": ")))
    }
}

/// A phone number as those read it who need not call: `138****1234`.
pub fn masked(phone: &str) -> String {
    let characters: Vec<char> = phone.chars().collect();
    let (head, tail) = if characters.len() >= 11 { (3, 4) } else { (0, characters.len().min(2)) };
    let hidden = characters.len().saturating_sub(head + tail).max(4);
    let end = &characters[characters.len() - tail.min(characters.len())..];
    characters[..head].iter().chain(&vec!['*'; hidden]).chain(end).collect()
}

/// Whether a text may be a phone number.
pub fn is_phone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    (5..=15).contains(&digits) && text.len() <= 24 && text.chars().all(|c| c.is_ascii_digit() || "+-() ".contains(c))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Some(Role::Concierge), "supervisor")]
    #[case(Some(Role::Waterbar), "supervisor")]
    #[case(Some(Role::Engineering), "supervisor")]
    #[case(Some(Role::Leader), "supervisor")]
    #[case(Some(Role::Supervisor), "manager")]
    #[case(Some(Role::Manager), "manager")]
    #[case(Some(Role::Admin), "manager")]
    #[case(None, "supervisor")]
    fn damage_is_reported_to_the_direct_superior(#[case] role: Option<Role>, #[case] post: &str) {
        assert_eq!(superior(role), post);
    }

    #[rstest]
    #[case(Some(Role::Supervisor), "supervisor", true)]
    #[case(Some(Role::Supervisor), "manager", false)]
    #[case(Some(Role::Manager), "supervisor", true)]
    #[case(Some(Role::Concierge), "supervisor", false)]
    #[case(Some(Role::Leader), "supervisor", false)]
    #[case(None, "manager", true)]
    fn the_superior_and_those_above_take_notice(#[case] role: Option<Role>, #[case] of: &str, #[case] may: bool) {
        assert_eq!(is_superior(role, of), may);
    }

    #[rstest]
    #[case("13812341234", "138****1234")]
    #[case("+8613812341234", "+86*******1234")]
    #[case("86001234", "******34")]
    #[case("1", "****1")]
    #[case("", "****")]
    fn a_phone_number_is_masked(#[case] phone: &str, #[case] shown: &str) {
        assert_eq!(masked(phone), shown);
    }

    #[rstest]
    #[case("138 1234 1234", true)]
    #[case("+86 (571) 8600-1234", true)]
    #[case("1234", false)]
    #[case("call me", false)]
    #[case("<b>13812341234", false)]
    fn a_phone_number_is_recognised(#[case] text: &str, #[case] is_one: bool) {
        assert_eq!(is_phone(text), is_one);
    }

    fn said<'a>(what: What, kind: Option<&'a Kind>, symptoms: &'a [&'a Word]) -> Said<'a> {
        let (source, role) = (Source::Person, Some(Role::Concierge));
        Said { key: Uuid::from_u128(7 << 96), what, source, role, kind, thing: "", symptoms, note: "", repair: false }
    }

    #[test]
    fn a_fault_of_a_device_opens_what_the_pack_says_of_its_kind() {
        let pack = Pack::built_in();
        let kind = &pack.kinds["led-display"].kind;
        let symptoms: Vec<&Word> = kind.symptoms.iter().take(2).collect();
        let rule = said(What::Fault, Some(kind), &symptoms).rule(&pack);
        let ticket = rule.ticket.as_ref().expect("a ticket");
        assert_eq!((&*rule.id, &*ticket.fault_class), (OF_DEVICE, OF_DEVICE));
        assert_eq!((&*ticket.department, &*ticket.confirmed_by), ("engineering", "concierge"));
        assert_eq!(&*rule.title.zh, "报修：黑屏、花屏");
        assert!(is_stated(&rule.id) && !is_stated("display-dark"));
    }

    #[test]
    fn damage_goes_to_the_superior_alone_unless_a_repair_is_wanted() {
        let pack = Pack::built_in();
        let damage = Said { thing: "大堂花瓶", ..said(What::Damage, None, &[]) };
        let rule = damage.rule(&pack);
        assert_eq!((&*rule.id, rule.ticket.is_none()), ("reported/00000007", true));
        assert_eq!(rule.tells, ["supervisor".into()]);
        assert_eq!(&*rule.title.zh, "物品损坏：大堂花瓶");
        assert!(damage.evidence().zh.contains("保持现场原样"), "{:?}", damage.evidence());
        let wanted = Said { repair: true, ..damage }.rule(&pack);
        assert!(wanted.ticket.is_some() && wanted.tells.contains(&"engineering".into()), "{:?}", wanted.tells);
    }

    #[test]
    fn a_pack_that_says_nothing_about_reports_still_takes_them() {
        let pack = Pack { report: None, symptoms: Vec::new(), ..(*Pack::built_in()).clone() };
        let ReportRule { department, priority, confirmed_by, tells } = pack.reporting(None);
        assert_eq!((&*department, &*priority, &*confirmed_by), ("engineering", "P2", "supervisor"));
        assert_eq!(tells, ["engineering".into()]);
    }
}
