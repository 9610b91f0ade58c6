//! Typed conditions over what a device states. They are checked against the kind when the pack is loaded, evaluated in three-valued
//! logic (what is not known is neither true nor false), and can say in words why they hold.

mod parts;

use std::collections::BTreeMap;

use lobby_contract::{FactValue, Reach};

pub use self::parts::Part;
use crate::{
    kind::Kind,
    label::{Label, Lang},
};

/// How far a number must come back before it counts as recovered, as a part of its limit (semantics: a dead band of 10 %).
const DEAD_BAND: f64 = 0.1;

/// Kleene's three truth values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truth {
    /// It does not hold.
    False,
    /// Not enough is known.
    Unknown,
    /// It holds.
    True,
}

impl Truth {
    /// As it stands in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::False => "false",
            Self::Unknown => "unknown",
            Self::True => "true",
        }
    }

    fn of(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }

    /// The opposite; unknown stays unknown.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

/// What a device last stated.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Whether its agent reached it.
    pub reach: Reach,
    /// Its facts; of no meaning unless it was reached.
    pub facts: BTreeMap<Box<str>, FactValue>,
    /// Its own fault codes.
    pub faults: Vec<Box<str>>,
}

/// A condition on a [`Sample`].
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Every one holds.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A comparison of one fact.
    Fact {
        /// The fact's name.
        fact: Box<str>,
        /// The comparison.
        test: Test,
    },
    /// The agent reached the device, or did not.
    Reach(Reach),
    /// The device states a fault code that begins with this text; the empty text stands for any code.
    Fault(Box<str>),
}

/// A comparison of one fact with a value or another fact.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Equal to one of these.
    Is(Vec<FactValue>),
    /// A number below the limit.
    Below(Operand),
    /// A number at or below the limit.
    AtMost(Operand),
    /// A number above the limit.
    Above(Operand),
    /// A number at or above the limit.
    AtLeast(Operand),
}

/// What a number is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A number of the pack.
    Value(f64),
    /// Another fact of the same device, such as its own reorder level.
    Fact(Box<str>),
}

impl Sample {
    fn fact(&self, name: &str) -> Option<&FactValue> {
        if self.reach != Reach::Ok {
            return None;
        }
        self.facts.get(name).filter(|value| **value != FactValue::Unknown)
    }

    fn number(&self, name: &str) -> Option<f64> {
        match self.fact(name) {
            Some(FactValue::Number(number)) => Some(*number),
            _ => None,
        }
    }
}

impl Operand {
    fn number(&self, sample: &Sample) -> Option<f64> {
        match self {
            Self::Value(number) => Some(*number),
            Self::Fact(name) => sample.number(name),
        }
    }
}

impl Condition {
    /// Whether the condition holds.
    pub fn holds(&self, sample: &Sample) -> Truth {
        self.evaluate(sample, 0.0)
    }

    /// Whether the opposite holds clearly: numbers must be past their limit by the dead band.
    pub fn clearly_not(&self, sample: &Sample) -> Truth {
        self.evaluate(sample, DEAD_BAND).negated()
    }

    /// `band` widens the region in which comparisons hold; below a `not` it narrows it.
    fn evaluate(&self, sample: &Sample, band: f64) -> Truth {
        match self {
            Self::All(parts) => parts.iter().map(|part| part.evaluate(sample, band)).min().unwrap_or(Truth::True),
            Self::Any(parts) => parts.iter().map(|part| part.evaluate(sample, band)).max().unwrap_or(Truth::False),
            Self::Not(part) => part.evaluate(sample, -band).negated(),
            Self::Fact { fact, test } => test.evaluate(fact, sample, band),
            Self::Reach(wanted) => match sample.reach {
                Reach::Unknown => Truth::Unknown,
                reach => Truth::of(reach == *wanted),
            },
            Self::Fault(prefix) => match sample.reach {
                Reach::Ok => Truth::of(sample.faults.iter().any(|code| code.starts_with(&**prefix))),
                Reach::Unreachable | Reach::Unknown => Truth::Unknown,
            },
        }
    }

    /// Why the condition holds, such as `剩余鞋套 42 片 < 50 片`; parts that do not hold are left out.
    pub fn explain(&self, kind: &Kind, sample: &Sample, lang: Lang) -> String {
        let mut reasons = Vec::new();
        self.reasons(kind, sample, lang, &mut reasons);
        reasons.join(match lang {
            Lang::Zh => "；",
            Lang::En => "; ",
        })
    }

    fn reasons(&self, kind: &Kind, sample: &Sample, lang: Lang, reasons: &mut Vec<String>) {
        if self.holds(sample) != Truth::True {
            return;
        }
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.reasons(kind, sample, lang, reasons);
                }
            }
            Self::Not(part) => part.counter_reasons(kind, sample, lang, reasons),
            Self::Fact { fact, test } => reasons.push(test.explain(fact, kind, sample, lang)),
            Self::Reach(reach) => reasons.push(reach_words(*reach).in_lang(lang).to_owned()),
            Self::Fault(prefix) => {
                let codes: Vec<&str> =
                    sample.faults.iter().map(|code| &**code).filter(|code| code.starts_with(&**prefix)).collect();
                let says = match lang {
                    Lang::Zh => "设备报故障码 ",
                    Lang::En => "the device reports ",
                };
                reasons.push(format!("{says}{}", codes.join(", ")));
            }
        }
    }

    /// What is the case when this does not hold, for conditions below a `not`.
    fn counter_reasons(&self, kind: &Kind, sample: &Sample, lang: Lang, reasons: &mut Vec<String>) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.counter_reasons(kind, sample, lang, reasons);
                }
            }
            Self::Not(part) => part.reasons(kind, sample, lang, reasons),
            Self::Fact { fact, .. } => reasons.push(statement(fact, kind, sample, lang)),
            Self::Reach(_) => reasons.push(reach_words(sample.reach).in_lang(lang).to_owned()),
            Self::Fault(_) => {}
        }
    }

    /// Every fact the condition names, for checking it against a kind.
    pub fn facts(&self) -> Vec<(&str, Option<&Test>)> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::facts).collect(),
            Self::Not(part) => part.facts(),
            Self::Fact { fact, test } => {
                let mut facts = vec![(&**fact, Some(test))];
                if let Some(Operand::Fact(other)) = test.operand() {
                    facts.push((other, None));
                }
                facts
            }
            Self::Reach(_) | Self::Fault(_) => Vec::new(),
        }
    }
}

impl Test {
    /// The limit, if this compares numbers.
    pub fn operand(&self) -> Option<&Operand> {
        match self {
            Self::Is(_) => None,
            Self::Below(limit) | Self::AtMost(limit) | Self::Above(limit) | Self::AtLeast(limit) => Some(limit),
        }
    }

    fn evaluate(&self, fact: &str, sample: &Sample, band: f64) -> Truth {
        if let Self::Is(values) = self {
            return sample.fact(fact).map_or(Truth::Unknown, |value| Truth::of(values.contains(value)));
        }
        let limit = self.operand().and_then(|limit| limit.number(sample));
        let (Some(number), Some(limit)) = (sample.number(fact), limit) else { return Truth::Unknown };
        let slack = limit.abs() * band;
        Truth::of(match self {
            Self::Below(_) => number < limit + slack,
            Self::AtMost(_) => number <= limit + slack,
            Self::Above(_) => number > limit - slack,
            Self::AtLeast(_) => number >= limit - slack,
            Self::Is(_) => unreachable!("handled above"),
        })
    }

    fn sign(&self) -> &'static str {
        match self {
            Self::Is(_) => "=",
            Self::Below(_) => "<",
            Self::AtMost(_) => "≤",
            Self::Above(_) => ">",
            Self::AtLeast(_) => "≥",
        }
    }

    fn explain(&self, fact: &str, kind: &Kind, sample: &Sample, lang: Lang) -> String {
        let stated = statement(fact, kind, sample, lang);
        if let Self::Is(_) = self {
            return stated;
        }
        let sign = self.sign();
        let limit = self.operand().and_then(|limit| limit.number(sample)).unwrap_or_default();
        let limit = FactValue::Number(limit);
        let limit = kind.fact(fact).map_or_else(|| limit.to_string(), |fact| fact.show(&limit, lang));
        format!("{stated} {sign} {limit}")
    }
}

/// `label value`, such as `电源 待机`.
fn statement(fact: &str, kind: &Kind, sample: &Sample, lang: Lang) -> String {
    let value = sample.facts.get(fact).unwrap_or(&FactValue::Unknown);
    match kind.fact(fact) {
        Some(declared) => format!("{} {}", declared.label.in_lang(lang), declared.show(value, lang)),
        None => format!("{fact} {value}"),
    }
}

fn reach_words(reach: Reach) -> Label {
    match reach {
        Reach::Ok => Label::new("设备有应答", "the device answers"),
        Reach::Unreachable => Label::new("设备无应答", "the device does not answer"),
        Reach::Unknown => Label::new("无法确认设备是否在线", "whether the device answers is not known"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::kind::{Domain, Fact};

    fn covers(left: Option<f64>) -> Sample {
        let facts = left.into_iter().map(|left| ("covers_left".into(), FactValue::Number(left)));
        Sample {
            reach: Reach::Ok,
            facts: facts.chain([("low_at".into(), FactValue::Number(50.0))]).collect(),
            faults: vec![],
        }
    }

    fn low() -> Condition {
        Condition::Fact { fact: "covers_left".into(), test: Test::Below(Operand::Fact("low_at".into())) }
    }

    #[rstest]
    #[case::below(Some(42.0), Truth::True, Truth::False)]
    #[case::at_the_limit(Some(50.0), Truth::False, Truth::False)]
    #[case::within_the_dead_band(Some(54.9), Truth::False, Truth::False)]
    #[case::past_the_dead_band(Some(55.0), Truth::False, Truth::True)]
    #[case::not_stated(None, Truth::Unknown, Truth::Unknown)]
    fn a_number_recovers_only_past_the_dead_band(
        #[case] left: Option<f64>,
        #[case] holds: Truth,
        #[case] clear: Truth,
    ) {
        assert_eq!((low().holds(&covers(left)), low().clearly_not(&covers(left))), (holds, clear));
    }

    #[test]
    fn facts_of_a_device_that_was_not_reached_are_not_known() {
        let mut sample = covers(Some(1.0));
        sample.reach = Reach::Unreachable;
        assert_eq!(low().holds(&sample), Truth::Unknown);
        assert_eq!(Condition::Reach(Reach::Unreachable).holds(&sample), Truth::True);
    }

    #[test]
    fn a_condition_explains_itself_in_both_languages() {
        let pieces = Label::new("片", "pieces");
        let kind = Kind {
            area: None,
            dispenses: None,
            id: "shoe-cover-machine".into(),
            label: Label::new("鞋套机", "Shoe-cover machine"),
            boards: vec![],
            facts: vec![Fact {
                name: "covers_left".into(),
                label: Label::new("剩余鞋套", "Covers left"),
                domain: Domain::Number { unit: pieces, min: None, max: None },
            }],
            symptoms: Vec::new(),
            report: None,
        };
        let sample = covers(Some(42.0));
        assert_eq!(low().explain(&kind, &sample, Lang::Zh), "剩余鞋套 42 片 < 50 片");
        assert_eq!(low().explain(&kind, &sample, Lang::En), "Covers left 42 pieces < 50 pieces");
    }

    fn any_condition() -> impl Strategy<Value = Condition> {
        let leaf = prop_oneof![
            Just(low()),
            Just(Condition::Fact { fact: "covers_left".into(), test: Test::AtLeast(Operand::Value(10.0)) }),
            Just(Condition::Fact { fact: "jam".into(), test: Test::Is(vec![FactValue::Bool(true)]) }),
            Just(Condition::Reach(Reach::Unreachable)),
            Just(Condition::Fault("".into())),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..3).prop_map(Condition::All),
                prop::collection::vec(inner.clone(), 1..3).prop_map(Condition::Any),
                inner.prop_map(|part| Condition::Not(Box::new(part))),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_holds_and_clearly_does_not_hold_at_once(condition in any_condition(), left in prop::option::of(0.0..100.0)) {
            let sample = covers(left);
            prop_assert!(!(condition.holds(&sample) == Truth::True && condition.clearly_not(&sample) == Truth::True));
        }

        #[test]
        fn nothing_follows_from_a_device_of_which_nothing_is_known(condition in any_condition()) {
            let nothing = Sample { reach: Reach::Unknown, facts: BTreeMap::new(), faults: vec![] };
            prop_assert_eq!(condition.holds(&nothing), Truth::Unknown);
        }
    }
}
