//! A condition part by part, each in words and with its truth, whether it holds or not.

use super::{Condition, Operand, Sample, Test, Truth, reach_words, statement};
use crate::{
    kind::Kind,
    label::{Label, Lang},
};

/// One part of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// How deep it stands: parts that follow and stand deeper belong to it.
    pub depth: u8,
    /// What it asks, with what the device states.
    pub words: Label,
    /// Whether that holds.
    pub truth: Truth,
}

impl Condition {
    /// Every part, each before those that belong to it. Its words are about `stated`, its truth follows from what is `known`.
    pub fn parts(&self, kind: &Kind, stated: &Sample, known: &Sample) -> Vec<Part> {
        let mut parts = Vec::new();
        self.collect_parts(kind, stated, known, 0, &mut parts);
        parts
    }

    fn collect_parts(&self, kind: &Kind, stated: &Sample, known: &Sample, depth: u8, parts: &mut Vec<Part>) {
        let words = Label::new(self.asks(kind, stated, Lang::Zh), self.asks(kind, stated, Lang::En));
        parts.push(Part { depth, words, truth: self.holds(known) });
        let below = match self {
            Self::All(below) | Self::Any(below) => below.as_slice(),
            Self::Not(below) => std::slice::from_ref(&**below),
            Self::Fact { .. } | Self::Reach(_) | Self::Fault(_) => &[],
        };
        for part in below {
            part.collect_parts(kind, stated, known, depth.saturating_add(1), parts);
        }
    }

    fn asks(&self, kind: &Kind, stated: &Sample, lang: Lang) -> String {
        let joint = |zh: &str, en: &str| Label::new(zh, en).in_lang(lang).to_owned();
        match self {
            Self::All(_) => joint("以下全部成立", "all of these hold"),
            Self::Any(_) => joint("以下任一成立", "any of these holds"),
            Self::Not(_) => joint("以下不成立", "this does not hold"),
            Self::Fact { fact, test } => test.asks(fact, kind, stated, lang),
            Self::Reach(wanted) => reach_words(*wanted).in_lang(lang).to_owned(),
            Self::Fault(prefix) if prefix.is_empty() => joint("设备报故障码", "the device reports a fault code"),
            Self::Fault(prefix) => {
                joint(&format!("设备报故障码 {prefix}…"), &format!("the device reports a fault code {prefix}…"))
            }
        }
    }
}

impl Test {
    fn asks(&self, fact: &str, kind: &Kind, stated: &Sample, lang: Lang) -> String {
        let Self::Is(values) = self else {
            // A limit that the device does not state itself has a name of its own.
            return match self.operand() {
                Some(Operand::Fact(other)) if stated.number(other).is_none() => {
                    format!(
                        "{} {} {}",
                        statement(fact, kind, stated, lang),
                        self.sign(),
                        statement(other, kind, stated, lang)
                    )
                }
                _ => self.explain(fact, kind, stated, lang),
            };
        };
        let show = |value| kind.fact(fact).map_or_else(|| format!("{value}"), |fact| fact.show(value, lang));
        let values: Vec<String> = values.iter().map(show).collect();
        format!("{} = {}", statement(fact, kind, stated, lang), values.join(" / "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lobby_contract::{FactValue, Reach};

    use Truth::{False, True, Unknown};

    use super::*;
    use crate::pack::Pack;

    #[test]
    fn each_part_is_told_with_what_is_stated_and_whether_it_holds() {
        let pack = Pack::built_in();
        let kind = &pack.kinds["tv"].kind;
        let facts: BTreeMap<Box<str>, FactValue> = [("power".into(), "on".into())].into();
        let stated = Sample { reach: Reach::Ok, facts, faults: Vec::new() };
        let off = |value: &str| Condition::Fact { fact: "power".into(), test: Test::Is(vec![value.into()]) };
        let condition = Condition::All(vec![
            Condition::Reach(Reach::Ok),
            Condition::Not(Box::new(off("off"))),
            Condition::Fault("ERST:".into()),
        ]);
        let told = |known: &Sample| {
            let parts = condition.parts(kind, &stated, known);
            parts.into_iter().map(|part| (part.depth, part.words.en.to_string(), part.truth)).collect::<Vec<_>>()
        };
        let expected = |truths: [Truth; 5]| {
            let words = [
                (0, "all of these hold"),
                (1, "the device answers"),
                (1, "this does not hold"),
                (2, "Power on = off"),
                (1, "the device reports a fault code ERST:…"),
            ];
            words
                .into_iter()
                .zip(truths)
                .map(|((depth, words), truth)| (depth, words.to_owned(), truth))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&stated), expected([False, True, True, False, False]));
        let unknown = Sample { reach: Reach::Unknown, ..stated.clone() };
        assert_eq!(
            told(&unknown),
            expected([Unknown; 5]),
            "what was stated is told, and that nothing follows from it now"
        );
    }
}
