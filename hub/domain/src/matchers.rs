//! What an alert is about, as labels, and which alerts and devices are meant by a silence, a maintenance window or an inhibition.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use lobby_contract::SiteId;
use serde::{Deserialize, Serialize};

use crate::{alert::Subject, device::Device, rule::Rule};

/// Most values of one field.
const MOST_VALUES: usize = 100;
/// The longest value, in bytes.
const LONGEST_VALUE: usize = 200;

/// What a matcher can look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// The site.
    Site,
    /// The device.
    Device,
    /// The agent, or the agent of the device.
    Agent,
    /// The device's kind.
    Kind,
    /// Where the device stands.
    Place,
    /// The rule.
    Rule,
    /// The severity.
    Severity,
}

/// What can be matched of an alert or a device. What it does not have is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Labels<'a> {
    /// The site.
    pub site: &'a str,
    /// The device.
    pub device: &'a str,
    /// The agent, or the agent of the device.
    pub agent: &'a str,
    /// The device's kind.
    pub kind: &'a str,
    /// Where the device stands.
    pub place: &'a str,
    /// The rule; empty for a device as a whole.
    pub rule: &'a str,
    /// The severity; empty for a device as a whole.
    pub severity: &'a str,
}

/// What each named field must be: one of the values given. A field that is not named may be anything; one that the alert does not have
/// is empty, and matches the empty value alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<Field, Values>", into = "BTreeMap<Field, Values>")]
pub struct Matchers(BTreeMap<Field, BTreeSet<Box<str>>>);

/// One value or several, as people write them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Values {
    /// One.
    One(Box<str>),
    /// Several, each of which will do.
    Several(Vec<Box<str>>),
}

/// Why matchers are of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatchersError {
    /// They would match everything.
    #[error(
        "name at least one of site, device, agent, kind, place, rule and severity: nothing named would mean everything"
    )]
    Everything,
    /// They would match nothing.
    #[error("`{0}` names no value: leave it out, or give at least one")]
    NoValue(Field),
    /// They are more than anybody reads.
    #[error("`{0}` names more than {MOST_VALUES} values")]
    TooMany(Field),
    /// A value cannot be what it is compared with.
    #[error("a value of `{0}` is longer than {LONGEST_VALUE} bytes or holds the character NUL")]
    Value(Field),
}

impl Field {
    /// Every field by its name.
    pub const ALL: [(&str, Self); 7] = [
        (Self::Site.as_str(), Self::Site),
        (Self::Device.as_str(), Self::Device),
        (Self::Agent.as_str(), Self::Agent),
        (Self::Kind.as_str(), Self::Kind),
        (Self::Place.as_str(), Self::Place),
        (Self::Rule.as_str(), Self::Rule),
        (Self::Severity.as_str(), Self::Severity),
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Device => "device",
            Self::Agent => "agent",
            Self::Kind => "kind",
            Self::Place => "place",
            Self::Rule => "rule",
            Self::Severity => "severity",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'a> Labels<'a> {
    /// Of something that is no device, or a device of which nothing is known.
    pub fn of(site: &'a SiteId, subject: &'a Subject) -> Self {
        let (device, agent) = match subject {
            Subject::Device(id) => (id.as_str(), ""),
            Subject::Agent(id) => ("", id.as_str()),
            Subject::Site => ("", ""),
        };
        Self { site: site.as_str(), device, agent, ..Self::default() }
    }

    /// Of a device as a whole.
    pub fn of_device(site: &'a SiteId, device: &'a Device) -> Self {
        Self {
            site: site.as_str(),
            device: device.id.as_str(),
            agent: device.agent.as_str(),
            kind: &device.kind,
            place: &device.place,
            ..Self::default()
        }
    }

    /// Of an alert of `rule` about the same.
    #[must_use]
    pub fn by(self, rule: &'a Rule) -> Self {
        Self { rule: &rule.id, severity: rule.severity.as_str(), ..self }
    }

    /// The value of a field; empty if there is none.
    pub const fn value(&self, field: Field) -> &'a str {
        match field {
            Field::Site => self.site,
            Field::Device => self.device,
            Field::Agent => self.agent,
            Field::Kind => self.kind,
            Field::Place => self.place,
            Field::Rule => self.rule,
            Field::Severity => self.severity,
        }
    }
}

impl Matchers {
    /// Whether they match nothing but what has this very value.
    pub fn is_only(&self, field: Field, value: &str) -> bool {
        self.0.get(&field).is_some_and(|values| values.len() == 1 && values.contains(value))
    }

    /// Matchers from fields and the values that each may have.
    pub fn new(fields: impl IntoIterator<Item = (Field, Vec<Box<str>>)>) -> Result<Self, MatchersError> {
        let mut matchers = BTreeMap::new();
        for (field, values) in fields {
            if values.is_empty() {
                return Err(MatchersError::NoValue(field));
            }
            if values.len() > MOST_VALUES {
                return Err(MatchersError::TooMany(field));
            }
            if values.iter().any(|value| value.len() > LONGEST_VALUE || value.contains('\0')) {
                return Err(MatchersError::Value(field));
            }
            matchers.insert(field, values.into_iter().collect());
        }
        if matchers.is_empty() { Err(MatchersError::Everything) } else { Ok(Self(matchers)) }
    }

    /// Whether every named field has one of its values.
    pub fn matches(&self, labels: &Labels<'_>) -> bool {
        self.0.iter().all(|(field, values)| values.contains(labels.value(*field)))
    }

    /// Whether anything of a site may match.
    pub fn concern(&self, site: &str) -> bool {
        self.0.get(&Field::Site).is_none_or(|sites| sites.contains(site))
    }

    /// The named fields with their values.
    pub fn fields(&self) -> impl Iterator<Item = (Field, impl Iterator<Item = &str>)> {
        self.0.iter().map(|(field, values)| (*field, values.iter().map(|value| &**value)))
    }
}

impl TryFrom<BTreeMap<Field, Values>> for Matchers {
    type Error = MatchersError;

    fn try_from(fields: BTreeMap<Field, Values>) -> Result<Self, MatchersError> {
        let several = |values| match values {
            Values::One(value) => vec![value],
            Values::Several(values) => values,
        };
        Self::new(fields.into_iter().map(|(field, values)| (field, several(values))))
    }
}

impl From<Matchers> for BTreeMap<Field, Values> {
    fn from(matchers: Matchers) -> Self {
        let written = |values: BTreeSet<Box<str>>| {
            let mut values: Vec<_> = values.into_iter().collect();
            if values.len() == 1 { Values::One(values.remove(0)) } else { Values::Several(values) }
        };
        matchers.0.into_iter().map(|(field, values)| (field, written(values))).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const LED: Labels<'static> = Labels {
        site: "demo",
        device: "entrance-led",
        agent: "box",
        kind: "led-display",
        place: "大门口",
        rule: "display-dark",
        severity: "critical",
    };
    /// An alert about an agent: no device, so no kind and no place.
    const BOX: Labels<'static> = Labels { device: "", kind: "", place: "", rule: "agent-down", ..LED };

    fn matchers(json: &str) -> Matchers {
        serde_json::from_str(json).unwrap()
    }

    #[rstest]
    #[case::one_value(r#"{"device": "entrance-led"}"#, LED, true)]
    #[case::another_value(r#"{"device": "lift-tv"}"#, LED, false)]
    #[case::one_of_a_list(r#"{"kind": ["tv", "led-display"]}"#, LED, true)]
    #[case::none_of_a_list(r#"{"kind": ["tv", "laptop"]}"#, LED, false)]
    #[case::every_field_must_match(r#"{"site": "demo", "place": "大门口", "severity": "critical"}"#, LED, true)]
    #[case::one_field_does_not(r#"{"site": "demo", "rule": "display-muted"}"#, LED, false)]
    #[case::a_missing_label_is_empty(r#"{"device": ""}"#, BOX, true)]
    #[case::a_missing_label_is_nothing_else(r#"{"kind": "led-display"}"#, BOX, false)]
    #[case::a_present_label_is_not_empty(r#"{"device": ""}"#, LED, false)]
    #[case::the_agent_of_a_device(r#"{"agent": "box"}"#, LED, true)]
    fn an_alert_is_matched_by_every_named_field(
        #[case] json: &str,
        #[case] labels: Labels<'_>,
        #[case] expected: bool,
    ) {
        assert_eq!(matchers(json).matches(&labels), expected);
    }

    #[rstest]
    #[case::nothing_is_named("{}", "at least one")]
    #[case::no_value(r#"{"device": []}"#, "`device` names no value")]
    #[case::an_unknown_field(r#"{"colour": "red"}"#, "unknown variant `colour`")]
    #[case::a_number(r#"{"device": 7}"#, "did not match")]
    #[case::nul(r#"{"device": "a\u0000"}"#, "NUL")]
    fn matchers_of_no_use_are_refused_in_words(#[case] json: &str, #[case] words: &str) {
        let error = serde_json::from_str::<Matchers>(json).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    #[rstest]
    #[case(r#"{"site": ["demo", "hz"]}"#, true)]
    #[case(r#"{"site": "hz"}"#, false)]
    #[case(r#"{"kind": "tv"}"#, true)]
    fn matchers_that_name_other_sites_do_not_concern_a_site(#[case] json: &str, #[case] expected: bool) {
        assert_eq!(matchers(json).concern("demo"), expected);
    }

    proptest! {
        #[test]
        fn matchers_read_back_as_written(
            fields in prop::collection::btree_map(
                prop::sample::select(vec![Field::Site, Field::Device, Field::Kind, Field::Severity]),
                prop::collection::vec("[a-z]{0,8}".prop_map(Box::<str>::from), 1..5), 1..4,
            )
        ) {
            let matchers = Matchers::new(fields).unwrap();
            let json = serde_json::to_string(&matchers).unwrap();
            prop_assert_eq!(serde_json::from_str::<Matchers>(&json).unwrap(), matchers);
        }
    }
}
