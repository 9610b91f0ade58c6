//! Which alerts are consequences of others, as Alertmanager defines it: an alert is inhibited while an active one of a cause is open that
//! agrees with it in some labels. An inhibited alert is seen, but asks nobody to act on its own.

use crate::matchers::{Field, Labels, Matchers};

/// While an alert that `source` matches is open, alerts that `target` matches and that agree with it in `equal` are its consequences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inhibition {
    /// Which alerts are causes.
    pub source: Matchers,
    /// Which alerts are consequences.
    pub target: Matchers,
    /// What cause and consequence have in common. A label that one does not have is empty, and equals another that is not there.
    pub equal: Vec<Field>,
}

impl Inhibition {
    /// Whether an open alert makes another one its consequence (semantics 5). Two alerts that could each be the other's cause leave one
    /// another alone, and so does each itself.
    pub fn inhibits(&self, source: &Labels<'_>, target: &Labels<'_>) -> bool {
        let could_be_either = || self.source.matches(target) && self.target.matches(source);
        self.source.matches(source)
            && self.target.matches(target)
            && !could_be_either()
            && self.equal.iter().all(|field| source.value(*field) == target.value(*field))
    }
}

/// Alerts that are open at some moment, by what they may explain; `T` stands for one of them.
#[derive(Debug, Clone)]
pub struct Causes<'a, T>(Vec<(&'a Inhibition, Vec<(Labels<'a>, T)>)>);

impl<'a, T: Copy> Causes<'a, T> {
    /// Those among the open alerts that can be causes.
    pub fn among(inhibitions: &'a [Inhibition], open: impl Iterator<Item = (Labels<'a>, T)>) -> Self {
        let mut causes: Vec<_> = inhibitions.iter().map(|inhibition| (inhibition, Vec::new())).collect();
        for (labels, alert) in open {
            for (inhibition, sources) in &mut causes {
                if inhibition.source.matches(&labels) {
                    sources.push((labels, alert));
                }
            }
        }
        Self(causes)
    }

    /// The open alert of which one with these labels is a consequence.
    pub fn of(&self, target: &Labels<'_>) -> Option<T> {
        self.0.iter().find_map(|(inhibition, sources)| {
            sources.iter().find(|(source, _)| inhibition.inhibits(source, target)).map(|(_, alert)| *alert)
        })
    }
}

/// Whether an alert with these labels may ever be a consequence.
pub fn may_be_explained(inhibitions: &[Inhibition], target: &Labels<'_>) -> bool {
    inhibitions.iter().any(|inhibition| inhibition.target.matches(target))
}

/// Whether an alert with these labels may ever be a cause.
pub fn may_explain(inhibitions: &[Inhibition], source: &Labels<'_>) -> bool {
    inhibitions.iter().any(|inhibition| inhibition.source.matches(source))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const TV: Labels<'static> = Labels {
        site: "demo",
        device: "lift-tv",
        agent: "box",
        kind: "tv",
        place: "lobby",
        rule: "tv-unreachable",
        severity: "major",
    };
    const NET: Labels<'static> = Labels {
        site: "demo",
        device: "lan",
        agent: "box",
        kind: "network",
        place: "",
        rule: "network-down",
        severity: "critical",
    };

    fn matchers(json: &str) -> Matchers {
        serde_json::from_str(json).expect("matchers")
    }

    fn inhibition(source: &str, target: &str, equal: &[Field]) -> Inhibition {
        Inhibition { source: matchers(source), target: matchers(target), equal: equal.to_vec() }
    }

    #[rstest]
    #[case::of_the_same_agent(TV, true)]
    #[case::of_another_agent(Labels { agent: "other-box", ..TV }, false)]
    #[case::of_another_rule(Labels { rule: "tv-dark", ..TV }, false)]
    fn an_alert_is_inhibited_by_a_cause_that_agrees_with_it(#[case] target: Labels<'_>, #[case] expected: bool) {
        let inhibition = inhibition(r#"{"rule": "network-down"}"#, r#"{"rule": "tv-unreachable"}"#, &[Field::Agent]);
        assert_eq!(inhibition.inhibits(&NET, &target), expected);
    }

    #[rstest]
    #[case::every_field_of_the_target(r#"{"kind": "tv", "severity": ["major", "warning"]}"#, true)]
    #[case::one_of_them_is_another(r#"{"kind": "tv", "severity": "critical"}"#, false)]
    fn causes_and_consequences_are_matched_by_any_label(#[case] target: &str, #[case] expected: bool) {
        let inhibition = inhibition(r#"{"kind": "network", "severity": "critical"}"#, target, &[Field::Site]);
        assert_eq!(inhibition.inhibits(&NET, &TV), expected);
    }

    #[test]
    fn labels_that_are_missing_on_both_sides_agree() {
        let inhibition = inhibition(r#"{"rule": "network-down"}"#, r#"{"rule": "tv-unreachable"}"#, &[Field::Place]);
        assert!(inhibition.inhibits(&NET, &Labels { place: "", ..TV }));
        assert!(!inhibition.inhibits(&NET, &TV));
    }

    #[test]
    fn two_alerts_that_match_both_sides_do_not_inhibit_one_another() {
        let inhibition = inhibition(r#"{"rule": ["a", "b"]}"#, r#"{"rule": ["a", "b", "c"]}"#, &[]);
        let [a, b, c] = ["a", "b", "c"].map(|rule| Labels { rule, ..Labels::default() });
        assert!(!inhibition.inhibits(&a, &b));
        assert!(!inhibition.inhibits(&a, &a));
        assert!(inhibition.inhibits(&a, &c));
    }

    #[test]
    fn an_alert_that_matches_both_sides_is_inhibited_by_one_that_matches_the_source_alone() {
        let inhibition = inhibition(r#"{"rule": ["a", "b"]}"#, r#"{"rule": ["b", "c"]}"#, &[]);
        let [a, b] = ["a", "b"].map(|rule| Labels { rule, ..Labels::default() });
        assert!(inhibition.inhibits(&a, &b));
        assert!(!inhibition.inhibits(&b, &a));
    }

    #[test]
    fn among_many_the_cause_of_an_alert_is_found() {
        let inhibitions = [
            inhibition(r#"{"rule": "power-lost"}"#, r#"{"kind": ["tv", "network"]}"#, &[Field::Place]),
            inhibition(r#"{"rule": "network-down"}"#, r#"{"rule": "tv-unreachable"}"#, &[Field::Agent]),
        ];
        let other = Labels { agent: "other-box", ..NET };
        let causes = Causes::among(&inhibitions, [(TV, 1), (other, 2), (NET, 3)].into_iter());
        assert_eq!((causes.of(&TV), causes.of(&NET), causes.of(&other)), (Some(3), None, None));
        assert!(may_be_explained(&inhibitions, &NET), "by a loss of power, which is not there");
        assert!(!may_be_explained(&inhibitions, &Labels { kind: "led-display", ..NET }));
    }
}
