//! The OpenAPI document is what others build on: it changes on purpose, and `hub/openapi.json` shows the change.

use std::{collections::BTreeSet, env, fs};

use lobby_hub::http::openapi;
use serde_json::Value;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
const UPDATE: &str = "UPDATE_OPENAPI";

#[test]
fn the_openapi_document_is_the_one_in_the_repository() {
    let made = openapi().to_pretty_json().unwrap() + "\n";
    if env::var_os(UPDATE).is_some() {
        fs::write(FILE, &made).unwrap();
    }
    let kept = fs::read_to_string(FILE).unwrap_or_default();
    let (mut made, mut kept) = (made.lines(), kept.lines());
    for line in 1.. {
        let (now, before) = (made.next(), kept.next());
        let how = format!("if that is meant: {UPDATE}=1 cargo test -p lobby-hub --test openapi");
        assert_eq!(now, before, "the API differs from openapi.json at line {line}; {how}");
        if now.is_none() {
            return;
        }
    }
}

fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
    let document = serde_json::to_value(openapi()).unwrap();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a reference within the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let mut names = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        assert!(path.starts_with("/api/v1/"), "{path}");
        for operation in methods.as_object().unwrap().values() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name), "{name} is there twice");
            assert!(
                operation["responses"].as_object().is_some_and(|responses| responses.contains_key("200")),
                "{name}"
            );
        }
    }
}
