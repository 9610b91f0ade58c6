//! Conditions of rules, checked against every kind the rule judges.

use lobby_contract::{FactValue, Reach};

use super::{
    kinds::{Draft, Lookup},
    node::{Node, Table},
};
use crate::{
    condition::{Condition, Operand, Test},
    kind::{Domain, Fact},
};

/// The ways to write a condition, by their leading key.
const FORMS: [&str; 6] = ["all", "any", "not", "fact", "reach", "fault"];
/// The ways to compare a fact.
const TESTS: [&str; 5] = ["is", "below", "at_most", "above", "at_least"];

/// Reads a condition for devices of these kinds.
pub(super) fn condition(node: Node<'_>, kinds: &[&Draft<'_>]) -> Option<Condition> {
    let table = node.table()?;
    let forms = FORMS.map(|key| (key, table.optional(key)));
    let mut given = forms.into_iter().filter_map(|(key, node)| node.map(|node| (key, node)));
    let condition = match (given.next(), given.next()) {
        (Some((key, value)), None) => form(key, value, &table, kinds),
        (Some((first, _)), Some((key, second))) => {
            // The comparison of a fact is no mistake of its own.
            table.knows(&TESTS);
            second.wrong(format!(
                "`{first}` and `{key}` stand in one condition: put each in braces, in an `all` or `any`"
            ));
            None
        }
        (None, _) => {
            if !table.misspells(&FORMS) {
                node.wrong(format!("the condition is empty: give one of {}", FORMS.join(", ")));
            }
            None
        }
    };
    table.finish();
    condition
}

fn form(key: &str, value: Node<'_>, table: &Table<'_>, kinds: &[&Draft<'_>]) -> Option<Condition> {
    match key {
        "all" => parts(value, kinds).map(Condition::All),
        "any" => parts(value, kinds).map(Condition::Any),
        "not" => condition(value, kinds).map(|part| Condition::Not(Box::new(part))),
        "fact" => comparison(value, table, kinds),
        // `unknown` is left out: nothing follows from it, so it could never hold.
        "reach" => value.one_of(&[("ok", Reach::Ok), ("unreachable", Reach::Unreachable)]).map(Condition::Reach),
        _ => {
            let prefix = value.as_text();
            if prefix.is_none() {
                value.wrong_type("a text");
            }
            prefix.map(|prefix| Condition::Fault(prefix.into()))
        }
    }
}

fn parts(node: Node<'_>, kinds: &[&Draft<'_>]) -> Option<Vec<Condition>> {
    let list = node.list()?;
    if list.is_empty() {
        node.wrong("the list of conditions is empty");
        return None;
    }
    // Every part is read before the first bad one ends it, so that all mistakes are told.
    let parts: Vec<Option<Condition>> = list.into_iter().map(|part| condition(part, kinds)).collect();
    parts.into_iter().collect()
}

fn comparison(name: Node<'_>, table: &Table<'_>, kinds: &[&Draft<'_>]) -> Option<Condition> {
    let tests = TESTS.map(|key| (key, table.optional(key)));
    let mut given = tests.into_iter().filter_map(|(key, node)| node.map(|node| (key, node)));
    let (first, second) = (given.next(), given.next());
    let text = name.text()?;
    let facts = facts(name, text, kinds);
    match (first, second) {
        (Some((key, value)), None) => {
            let comparison = test(key, value, text, &facts?, kinds)?;
            Some(Condition::Fact { fact: text.into(), test: comparison })
        }
        (Some((first, _)), Some((key, second))) => {
            second.wrong(format!("`{first}` and `{key}` stand in one comparison: put each in braces, in an `all`"));
            None
        }
        (None, _) => {
            if !table.misspells(&TESTS) {
                name.wrong(format!("`{text}` is compared with nothing: add one of {}", TESTS.join(", ")));
            }
            None
        }
    }
}

/// The fact `text` of each kind; `None` if a kind has none such, which is noted, or declares it wrongly, which was.
fn facts<'d>(node: Node<'_>, text: &str, kinds: &[&'d Draft<'_>]) -> Option<Vec<&'d Fact>> {
    let mut facts = Vec::new();
    let mut complete = true;
    for kind in kinds {
        match kind.fact(text) {
            Lookup::Declared(fact) => facts.push(fact),
            Lookup::Broken => complete = false,
            Lookup::Missing => {
                let known = kind.facts.iter().map(|(name, _)| *name);
                node.unknown(format!("kind `{}` has no fact `{text}`", kind.id), text, known);
                complete = false;
            }
        }
    }
    complete.then_some(facts)
}

fn test(key: &str, value: Node<'_>, text: &str, facts: &[&Fact], kinds: &[&Draft<'_>]) -> Option<Test> {
    if key == "is" {
        return values(value, text, facts).map(Test::Is);
    }
    if let Some(fact) = facts.iter().find(|fact| !matches!(fact.domain, Domain::Number { .. })) {
        let instead = match fact.domain {
            Domain::Text => "it is only shown, never compared",
            _ => "compare it with `is`",
        };
        value.wrong(format!("`{text}` is {}, not a number: {instead}", fact.domain.describe()));
        return None;
    }
    let limit = operand(value, text, facts, kinds)?;
    if let Operand::Value(number) = limit {
        facts.iter().try_for_each(|fact| within(key, number, fact)).map_err(|problem| value.wrong(problem)).ok()?;
    }
    Some(match key {
        "below" => Test::Below(limit),
        "at_most" => Test::AtMost(limit),
        "above" => Test::Above(limit),
        _ => Test::AtLeast(limit),
    })
}

/// What a fact is compared with by `is`: one value or a list of them.
fn values(node: Node<'_>, text: &str, facts: &[&Fact]) -> Option<Vec<FactValue>> {
    if facts.iter().any(|fact| matches!(fact.domain, Domain::Text)) {
        node.wrong(format!("`{text}` is a text: it is only shown, never compared"));
        return None;
    }
    let list = node.as_list().unwrap_or_else(|| vec![node]);
    if list.is_empty() {
        node.wrong(format!("`{text}` is compared with an empty list"));
        return None;
    }
    let values: Vec<Option<FactValue>> = list.into_iter().map(|node| checked_value(node, facts)).collect();
    values.into_iter().collect()
}

fn checked_value(node: Node<'_>, facts: &[&Fact]) -> Option<FactValue> {
    let value = match (node.as_text(), node.as_flag(), node.as_number()) {
        (Some(text), _, _) => FactValue::from(text),
        (_, Some(flag), _) => FactValue::from(flag),
        (_, _, Some(number)) => FactValue::from(number),
        _ => {
            node.wrong_type("a word, a number, true or false");
            return None;
        }
    };
    for fact in facts {
        if let Err(mismatch) = fact.check(&value) {
            let words = match &fact.domain {
                Domain::Word(words) => words.as_slice(),
                _ => &[],
            };
            let found = node.as_text().unwrap_or_default();
            node.unknown(mismatch.to_string(), found, words.iter().map(|word| &*word.value));
            return None;
        }
    }
    Some(value)
}

fn operand(node: Node<'_>, text: &str, facts: &[&Fact], kinds: &[&Draft<'_>]) -> Option<Operand> {
    let Some(table) = node.as_table() else {
        let number = node.as_number();
        if number.is_none() {
            node.wrong_type("a number or `{ fact = \"…\" }`");
        }
        return number.map(Operand::Value);
    };
    let name = table.required("fact");
    table.finish();
    let (name, other) = name.and_then(|name| Some((name, name.text()?)))?;
    if other == text {
        name.wrong(format!("`{text}` is compared with itself"));
        return None;
    }
    let others = self::facts(name, other, kinds)?;
    for (fact, limit) in facts.iter().zip(others) {
        let (Domain::Number { unit, .. }, Domain::Number { unit: limit_unit, .. }) = (&fact.domain, &limit.domain)
        else {
            name.wrong(format!("`{other}` is {}, not a number", limit.domain.describe()));
            return None;
        };
        if unit != limit_unit {
            name.wrong(format!("`{text}` is in `{}`, `{other}` in `{}`", unit.en, limit_unit.en));
            return None;
        }
    }
    Some(Operand::Fact(other.into()))
}

/// Whether a comparison of `fact` with `limit` can both hold and not hold.
fn within(key: &str, limit: f64, fact: &Fact) -> Result<(), String> {
    fact.check(&FactValue::Number(limit)).map_err(|_| {
        let Domain::Number { min, max, .. } = &fact.domain else { unreachable!("only numbers have limits") };
        let bound = |bound: &Option<f64>| bound.map_or_else(|| "…".to_owned(), |bound| bound.to_string());
        format!("the limit {limit} is outside of `{}`, which is {} to {}", fact.name, bound(min), bound(max))
    })?;
    let Domain::Number { min, max, .. } = fact.domain else { return Ok(()) };
    let (never, always) = match key {
        "below" => (min == Some(limit), false),
        "at_most" => (false, max == Some(limit)),
        "above" => (max == Some(limit), false),
        _ => (false, min == Some(limit)),
    };
    match (never, always) {
        (true, _) => Err(format!("`{}` can never be `{key}` {limit}", fact.name)),
        (_, true) => Err(format!("`{}` is always `{key}` {limit}", fact.name)),
        _ => Ok(()),
    }
}
