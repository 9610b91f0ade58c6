//! Which alerts are consequences of others, as Alertmanager defines it: an alert is inhibited while an active one of a cause is open that
//! agrees with it in some labels. An inhibited alert is seen, but asks nobody to act on its own.

use lobby_contract::{AgentId, DeviceId};

use crate::alert::Subject;

/// While an alert of `source` is open, alerts of `target` that agree with it in `equal` are its consequences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inhibition {
    /// Rules whose alerts are causes.
    pub source: Vec<Box<str>>,
    /// Rules whose alerts are consequences.
    pub target: Vec<Box<str>>,
    /// What cause and consequence have in common.
    pub equal: Vec<LabelName>,
}

/// What alerts can have in common. All of one site's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelName {
    /// The device.
    Device,
    /// The agent, or the agent of the device.
    Agent,
    /// The kind of the device.
    Kind,
    /// The place of the device.
    Place,
}

/// The labels of an alert. A label that it has not equals another one that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels {
    /// See [`LabelName::Device`].
    pub device: Option<DeviceId>,
    /// See [`LabelName::Agent`].
    pub agent: Option<AgentId>,
    /// See [`LabelName::Kind`]; empty if it has none.
    pub kind: Box<str>,
    /// See [`LabelName::Place`]; empty if it has none.
    pub place: Box<str>,
}

impl LabelName {
    /// Every label, as the pack names it.
    pub const ALL: [(&str, Self); 4] =
        [("device", Self::Device), ("agent", Self::Agent), ("kind", Self::Kind), ("place", Self::Place)];

    fn agrees(self, one: &Labels, other: &Labels) -> bool {
        match self {
            Self::Device => one.device == other.device,
            Self::Agent => one.agent == other.agent,
            Self::Kind => one.kind == other.kind,
            Self::Place => one.place == other.place,
        }
    }
}

impl Labels {
    /// The labels of a subject that is no device.
    pub fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Agent(agent) => Self { agent: Some(agent.clone()), kind: "agent".into(), ..Self::default() },
            Subject::Device(device) => Self { device: Some(device.clone()), ..Self::default() },
            Subject::Site => Self { kind: "site".into(), ..Self::default() },
        }
    }
}

impl Inhibition {
    /// Whether alerts of `rule` can be consequences.
    pub fn is_target(&self, rule: &str) -> bool {
        self.target.iter().any(|known| **known == *rule)
    }

    /// Whether alerts of `rule` can be causes.
    pub fn is_source(&self, rule: &str) -> bool {
        self.source.iter().any(|known| **known == *rule)
    }

    /// Whether an open alert of rule and labels `source` makes that of `target` its consequence. Two alerts that could each be the
    /// other's cause leave one another alone.
    pub fn inhibits(&self, source: (&str, &Labels), target: (&str, &Labels)) -> bool {
        let could_be_either = self.is_source(target.0) && self.is_target(source.0);
        self.is_source(source.0)
            && self.is_target(target.0)
            && !could_be_either
            && self.equal.iter().all(|label| label.agrees(source.1, target.1))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn labels(device: &str, agent: &str, place: &str) -> Labels {
        let device = (!device.is_empty()).then(|| device.parse().expect("a name"));
        let agent = (!agent.is_empty()).then(|| agent.parse().expect("a name"));
        Labels { device, agent, kind: "".into(), place: place.into() }
    }

    fn inhibition(source: &[&str], target: &[&str], equal: &[LabelName]) -> Inhibition {
        let boxed = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect();
        Inhibition { source: boxed(source), target: boxed(target), equal: equal.to_vec() }
    }

    #[rstest]
    #[case::of_the_same_agent("tv-unreachable", labels("tv", "box", "lobby"), true)]
    #[case::of_another_agent("tv-unreachable", labels("tv", "other-box", "lobby"), false)]
    #[case::of_another_rule("tv-dark", labels("tv", "box", "lobby"), false)]
    fn an_alert_is_inhibited_by_a_cause_that_agrees_with_it(
        #[case] rule: &str,
        #[case] target: Labels,
        #[case] expected: bool,
    ) {
        let inhibition = inhibition(&["network-down"], &["tv-unreachable"], &[LabelName::Agent]);
        let source = labels("net", "box", "");
        assert_eq!(inhibition.inhibits(("network-down", &source), (rule, &target)), expected);
    }

    #[test]
    fn labels_that_are_missing_on_both_sides_agree() {
        let inhibition = inhibition(&["a"], &["b"], &[LabelName::Place]);
        assert!(inhibition.inhibits(("a", &labels("x", "", "")), ("b", &labels("y", "", ""))));
        assert!(!inhibition.inhibits(("a", &labels("x", "", "")), ("b", &labels("y", "", "lobby"))));
    }

    #[test]
    fn two_alerts_that_match_both_sides_do_not_inhibit_one_another() {
        let inhibition = inhibition(&["a", "b"], &["a", "b", "c"], &[]);
        let labels = Labels::default();
        assert!(!inhibition.inhibits(("a", &labels), ("b", &labels)));
        assert!(!inhibition.inhibits(("a", &labels), ("a", &labels)));
        assert!(inhibition.inhibits(("a", &labels), ("c", &labels)));
    }
}
