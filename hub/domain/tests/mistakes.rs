//! Every mistake in a pack is told where it stands, with what was probably meant.

use std::sync::Arc;

use lobby_domain::{
    pack::{BUILT_IN, Pack, PackErrors},
    rule::{OnNoData, Samples},
    time::Span,
};
use proptest::prelude::*;
use rstest::rstest;

const BASE: &str = r#"
[clause.CON-S9]
reference = { zh = "礼宾岗 第 9 条", en = "Concierge 9" }
asks = { zh = "报修", en = "Call engineering" }
[post.concierge]
label = { zh = "礼宾岗", en = "Concierge" }
[department.engineering]
label = { zh = "工程部", en = "Engineering" }
post = "concierge"
[priority.P1]
label = { zh = "紧急", en = "Urgent" }
respond_within = "10m"
arrive_within = "30m"
complete_within = "4h"
[kind.tv]
label = { zh = "电视机", en = "TV" }
boards = ["concierge"]
fact.power = { label = { zh = "电源", en = "Power" }, words = { on = { zh = "开", en = "on" }, off = { zh = "关", en = "off" } } }
fact.mute = { label = { zh = "静音", en = "Mute" }, bool = true }
fact.model = { label = { zh = "型号", en = "Model" }, text = true }
fact.load = { label = { zh = "负载", en = "Load" }, number = { unit = "%", min = 0, max = 100 } }
fact.watts = { label = { zh = "功率", en = "Power draw" }, number = { unit = { zh = "瓦", en = "W" } } }
fact.watts_min = { label = { zh = "最低功率", en = "Least power" }, number = { unit = { zh = "瓦", en = "W" } } }
[kind.lamp]
label = { zh = "灯", en = "Lamp" }
boards = []
[kind.lamp.fact.power]
label = { zh = "电源", en = "Power" }
words = { on = { zh = "开", en = "on" }, off = { zh = "关", en = "off" } }
[chain]
clauses = []
steps = ["concierge"]
last_resort = "concierge"
alerts = { info = "P1" }
"#;

const RULES: &str = r#"
[[rule]]
id = "tv-dark"
clauses = ["CON-S9"]
kinds = ["tv"]
when = { fact = "power", is = "off" }
for = "10s"
recover_for = "30s"
during = "open"
severity = "critical"
effect = "failed"
tells = ["concierge"]
ticket = { department = "engineering", priority = "P1", fault_class = "no-picture", confirmed_by = "concierge" }
title = { zh = "黑屏", en = "Dark" }
advice = { zh = "报修", en = "Call engineering" }
[[rule]]
id = "lamp-off"
clauses = []
kinds = ["lamp"]
when = { fact = "power", is = "off" }
for = "0s"
recover_for = "0s"
severity = "info"
effect = "none"
tells = ["concierge"]
title = { zh = "灯灭", en = "Lamp off" }
advice = { zh = "开灯", en = "Switch it on" }
"#;

fn load(base: &str, rules: &str) -> Result<Pack, PackErrors> {
    Pack::load(&[("base.toml", base), ("rules.toml", rules)])
}

/// Takes the `▶` out of `text`, and tells where it stood.
fn marked(file: &str, text: &str) -> Option<(String, String)> {
    let (before, after) = text.split_once('▶')?;
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Some((format!("{before}{after}"), format!("{file}:{line}:{column}")))
}

/// The pack with its first `from` replaced by `to`, and the place of the `▶` in it.
fn seeded(from: &str, to: &str) -> (String, String, String) {
    let (base, rules) = (BASE.replacen(from, to, 1), RULES.replacen(from, to, 1));
    let found = usize::from(base != BASE) + usize::from(rules != RULES);
    assert_eq!(found, 1, "`{from}` must be in one of the files");
    if let Some((base, place)) = marked("base.toml", &base) {
        return (base, rules, place);
    }
    let (rules, place) = marked("rules.toml", &rules).expect("a place");
    (base, rules, place)
}

#[test]
fn the_pack_without_a_mistake_loads() {
    let pack = load(BASE, RULES).expect("a pack");
    assert_eq!(pack.kinds["tv"].rules.len(), 1);
    let facts: Vec<&str> = pack.kinds["tv"].kind.facts.iter().map(|fact| &*fact.name).collect();
    assert_eq!(facts, ["power", "mute", "model", "load", "watts", "watts_min"], "facts stay in the order of the file");
    assert_eq!(pack.kinds["lamp"].kind.facts.len(), 1);
    assert_eq!(pack.rule("lamp-off").map(|rule| rule.ticket.is_none()), Some(true));
}

#[test]
fn samples_and_missing_data_are_read() {
    let (base, rules, _) = seeded("for = \"10s\"", "samples = { bad = 3, of = 5 }\non_no_data = \"unknown\" # ▶");
    let rule = Arc::clone(load(&base, &rules).expect("a pack").rule("tv-dark").expect("the rule"));
    assert_eq!((rule.samples, rule.on_no_data), (Some(Samples { bad: 3, of: 5 }), OnNoData::Unknown));
    let pack = load(BASE, RULES).expect("a pack");
    let rule = pack.rule("tv-dark").expect("the rule");
    assert_eq!((rule.samples, rule.on_no_data), (None, OnNoData::Hold), "timers stand still if nothing is said");
}

#[test]
fn only_a_rule_for_the_product_itself_may_fire_after_missing_data() {
    let mut files = BUILT_IN.map(|(name, text)| (name, text.to_owned()));
    let (_, text) = files.iter_mut().find(|(name, _)| *name == "rules-agent.toml").expect("the file");
    *text = text.replacen("recover_for", "on_no_data = { fire_after = \"10m\" }\nrecover_for", 1);
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let pack = Pack::load(&files).expect("a pack");
    let rule = pack.rule("agent-offline").expect("the rule");
    assert_eq!(rule.on_no_data, OnNoData::FireAfter(Span::from_mins(10)));
}

/// What makes alerts consequences of others, with a `▶` at its mistake.
fn inhibiting(text: &str) -> Result<Pack, (String, String)> {
    let text = format!("[[inhibit]]\n{text}\n");
    let (text, place) = marked("inhibit.toml", &text).unwrap_or((text, String::new()));
    let errors = |errors: PackErrors| (place, errors.to_string());
    Pack::load(&[("base.toml", BASE), ("rules.toml", RULES), ("inhibit.toml", &text)]).map_err(errors)
}

const RULES_ALONE: &str = r#"source = ["tv-dark"]
target = ["lamp-off"]
equal = []"#;

#[rstest]
#[case::rules_alone(RULES_ALONE, r#"{"rule":"tv-dark"}"#)]
#[case::one_rule("source = \"tv-dark\"\ntarget = \"lamp-off\"\nequal = []", r#"{"rule":"tv-dark"}"#)]
#[case::matchers(
    "source = { kind = [\"tv\", \"lamp\"], severity = \"critical\", place = \"\" }\ntarget = { rule = \"lamp-off\" }\nequal = [\"site\", \"severity\"]",
    r#"{"kind":["lamp","tv"],"place":"","severity":"critical"}"#
)]
fn consequences_are_matched_as_silences_match(#[case] text: &str, #[case] source: &str) {
    let [inhibition] = inhibiting(text).expect("a pack").inhibitions.try_into().expect("one");
    assert_eq!(serde_json::to_string(&inhibition.source).expect("JSON"), source);
}

#[rstest]
#[case::no_such_rule(
    "source = [▶\"tv-drak\"]\ntarget = [\"lamp-off\"]\nequal = []",
    "there is no rule `tv-drak`; did you mean `tv-dark`?"
)]
#[case::no_rule("source = ▶[]\ntarget = [\"lamp-off\"]\nequal = []", "nothing is named")]
#[case::no_such_kind(
    "source = { kind = ▶\"tvs\" }\ntarget = [\"lamp-off\"]\nequal = []",
    "there is no kind `tvs`; did you mean `tv`?"
)]
#[case::no_severity(
    "source = { severity = [▶\"bad\"] }\ntarget = [\"lamp-off\"]\nequal = []",
    "`bad` is none of info, warning, major, critical"
)]
#[case::no_field("source = { ▶colour = \"red\" }\ntarget = [\"lamp-off\"]\nequal = []", "`colour` is not a key here")]
#[case::everything("source = ▶{}\ntarget = [\"lamp-off\"]\nequal = []", "nothing named would mean everything")]
#[case::no_values("source = [\"tv-dark\"]\ntarget = { place = ▶[] }\nequal = []", "nothing is named")]
#[case::no_label("source = [\"tv-dark\"]\ntarget = [\"lamp-off\"]\nequal = [▶\"agents\"]", "did you mean `agent`?")]
#[case::number("source = ▶7\ntarget = [\"lamp-off\"]\nequal = []", "expected a list, found a number")]
fn a_mistake_in_what_makes_consequences_is_told_at_its_place(#[case] text: &str, #[case] message: &str) {
    let (place, errors) = inhibiting(text).expect_err("a mistake");
    assert!(errors.starts_with(&format!("{place}: ")) && errors.contains(message), "{place} {errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
}

const TV: &str = r#"kinds = ["tv"]
when = { fact = "power", is = "off" }"#;

#[rstest]
// TOML itself
#[case::open_text("en = \"Dark\" }", "en = \"Dark }▶", "not TOML", None)]
#[case::key_twice("during = \"open\"", "during = \"open\"\n▶during = \"open\"", "duplicate key", None)]
#[case::open_header("[post.concierge]", "[post.concierge▶", "not TOML", None)]
#[case::no_value("for = \"10s\"", "for = ▶", "not TOML", None)]
// Sections
#[case::section("[priority.P1]", "[▶priorites.P2]\n[priority.P1]", "`priorites` is not a key here", Some("priority"))]
#[case::section_of_nothing("[clause.CON-S9]", "[▶weather]\n[clause.CON-S9]", "`weather` is not a key here", None)]
#[case::clause_key("asks = {", "▶ask = {", "`ask` is not a key here", Some("asks"))]
#[case::kind_of_no_area(
    "boards = [\"concierge\"]",
    "boards = [\"concierge\"]\narea = ▶\"lobby\"",
    "there is no area `lobby`",
    None
)]
#[case::area_of_no_name(
    "[post.concierge]",
    "[area.▶Lobby]\nlabel = { zh = \"厅\", en = \"Lobby\" }\n[post.concierge]",
    "`Lobby` is not a name",
    None
)]
#[case::label_in_one_language(
    "label = { zh = \"礼宾岗\", en = \"Concierge\" }",
    "label = ▶{ zh = \"礼宾岗\" }",
    "`en` is missing",
    None
)]
#[case::label_without_text("label = { zh = \"礼宾岗\"", "label = { zh = ▶\" \"", "the text is empty", None)]
#[case::label_as_text(
    "label = { zh = \"工程部\", en = \"Engineering\" }",
    "label = ▶\"工程部\"",
    "expected a table, found a text",
    None
)]
#[case::post_name(
    "[post.concierge]",
    "[post.▶Front_Desk]\nlabel = { zh = \"前台\", en = \"Desk\" }\n[post.concierge]",
    "`Front_Desk` is not a name",
    None
)]
#[case::a_post_that_is_none(
    "[post.concierge]",
    "[post]\ndoor = ▶1\n[post.concierge]",
    "expected a table, found a number",
    None
)]
#[case::post_of_a_department(
    "post = \"concierge\"",
    "post = ▶\"consierge\"",
    "there is no post `consierge`",
    Some("concierge")
)]
#[case::superior(
    "steps = [\"concierge\"]",
    "steps = [▶\"consierge\"]",
    "there is no post `consierge`",
    Some("concierge")
)]
#[case::superior_twice(
    "steps = [\"concierge\"]",
    "steps = [\"concierge\", ▶\"concierge\"]",
    "stands twice in this list",
    None
)]
#[case::last_resort("last_resort = \"concierge\"", "last_resort = ▶\"boss\"", "there is no post `boss`", None)]
#[case::no_last_resort(
    "[chain]\nclauses = []\nsteps = [\"concierge\"]\nlast_resort = \"concierge\"",
    "▶[chain]\nclauses = []\nsteps = [\"concierge\"]",
    "`last_resort` is missing",
    None
)]
#[case::pace_of_alerts(
    "alerts = { info = \"P1\" }",
    "alerts = { info = ▶\"P7\" }",
    "there is no priority `P7`",
    Some("P1")
)]
#[case::pace_of_no_severity(
    "alerts = { info = \"P1\" }",
    "alerts = { ▶infos = \"P1\" }",
    "`infos` is not a key here",
    Some("info")
)]
#[case::no_time_to_confirm("alerts = { info = \"P1\" }", "confirm_within = ▶\"0s\"", "longer than nothing", None)]
#[case::deadline("respond_within = \"10m\"", "respond_within = ▶\"10 min\"", "not a length of time", None)]
#[case::deadline_as_number("arrive_within = \"30m\"", "arrive_within = ▶30", "expected a text, found a number", None)]
#[case::deadline_of_centuries(
    "respond_within = \"10m\"",
    "respond_within = ▶\"999999d\"",
    "is too long: write at most",
    None
)]
#[case::deadline_of_years("respond_within = \"10m\"", "respond_within = ▶\"367d\"", "use at most 366d", None)]
#[case::held_for_centuries("for = \"10s\"", "for = ▶\"99999999999999999999d\"", "is too long: write at most", None)]
#[case::held_for_years("for = \"10s\"", "for = ▶\"400d\"", "400d is too long for standards: use at most 366d", None)]
#[case::recovers_in_years("recover_for = \"30s\"", "recover_for = ▶\"400d\"", "use at most 366d", None)]
#[case::no_time_at_all("respond_within = \"10m\"", "respond_within = ▶\"0s\"", "longer than nothing", None)]
#[case::deadlines_that_shrink(
    "[priority.P1]\nlabel = { zh = \"紧急\", en = \"Urgent\" }\nrespond_within = \"10m\"",
    "[priority.▶P1]\nlabel = { zh = \"紧急\", en = \"Urgent\" }\nrespond_within = \"2h\"",
    "must grow",
    None
)]
// Kinds
#[case::board("boards = [\"concierge\"]", "boards = [▶\"conciege\"]", "there is no post `conciege`", Some("concierge"))]
#[case::kind_without_facts(
    "[kind.lamp]\nlabel = { zh = \"灯\", en = \"Lamp\" }\nboards = []\n",
    "[kind.▶door]\nlabel = { zh = \"门\", en = \"Door\" }\nboards = []\n[kind.lamp]\nlabel = { zh = \"灯\", en = \"Lamp\" }\nboards = []\n",
    "`fact` is missing",
    None
)]
#[case::kind_name(
    "[kind.lamp]\n",
    "[kind.▶Lamp_2]\nlabel = { zh = \"灯\", en = \"Lamp\" }\nboards = []\nfact.a = { label = { zh = \"灯\", en = \"Lamp\" }, bool = true }\n[kind.lamp]\n",
    "`Lamp_2` is not a name",
    None
)]
#[case::fact_without_type(
    "fact.mute = { label = { zh = \"静音\", en = \"Mute\" }, bool = true }",
    "fact.▶mute = { label = { zh = \"静音\", en = \"Mute\" } }",
    "fact `mute` has no type",
    None
)]
#[case::fact_of_two_types("bool = true }", "bool = true, text = ▶true }", "a fact has one type", None)]
#[case::type_misspelt("bool = true }", "▶boole = true }", "`boole` is not a key here", Some("bool"))]
#[case::bool_that_is_not("bool = true }", "bool = ▶false }", "write `bool = true`", None)]
#[case::fact_name("fact.mute", "fact.▶Mute", "not the name of a fact", None)]
#[case::one_word(
    "words = { on = { zh = \"开\", en = \"on\" }, off = { zh = \"关\", en = \"off\" } } }",
    "words = ▶{ on = { zh = \"开\", en = \"on\" } } }",
    "two words at least",
    None
)]
#[case::word_in_one_language("on = { zh = \"开\", en = \"on\" }", "on = ▶{ zh = \"开\" }", "`en` is missing", None)]
#[case::bounds_swapped("min = 0, max = 100", "min = 0, max = ▶-1", "`max` -1 is not above `min` 0", None)]
#[case::bound_as_text("min = 0, max = 100", "min = ▶\"0\", max = 100", "expected a finite number, found a text", None)]
#[case::bound_key("min = 0", "▶mni = 0", "`mni` is not a key here", Some("min"))]
#[case::endless_bound("max = 100", "max = ▶inf", "expected a finite number", None)]
#[case::unit_in_one_language(
    "number = { unit = { zh = \"瓦\", en = \"W\" } }",
    "number = { unit = ▶{ en = \"W\" } }",
    "`zh` is missing",
    None
)]
#[case::kind_in_two_files(
    "[[rule]]\nid = \"tv-dark\"",
    "[kind.▶tv]\nlabel = { zh = \"电视机\", en = \"TV\" }\nboards = []\nfact.power = { label = { zh = \"电\", en = \"P\" }, bool = true }\n[[rule]]\nid = \"tv-dark\"",
    "kind `tv` is declared twice, first at base.toml:15",
    None
)]
#[case::kind_without_rule(
    "[kind.tv]",
    "[kind.▶door]\nlabel = { zh = \"门\", en = \"Door\" }\nboards = []\nfact.open = { label = { zh = \"开\", en = \"Open\" }, bool = true }\n[kind.tv]",
    "no rule judges kind `door`",
    None
)]
// Rules
#[case::rule_without_name("[[rule]]\nid = \"tv-dark\"\n", "▶[[rule]]\n", "`id` is missing", None)]
#[case::rule_name("id = \"tv-dark\"", "id = ▶\"TV dark\"", "`TV dark` is not a name", None)]
#[case::rule_twice(
    "id = \"lamp-off\"",
    "id = ▶\"tv-dark\"",
    "rule `tv-dark` is declared twice, first at rules.toml:3",
    None
)]
#[case::clause("clauses = [\"CON-S9\"]", "clauses = [▶\"CON-S8\"]", "there is no clause `CON-S8`", Some("CON-S9"))]
#[case::clause_twice("clauses = [\"CON-S9\"]", "clauses = [\"CON-S9\", ▶\"CON-S9\"]", "`CON-S9` stands twice", None)]
#[case::clauses_as_text("clauses = [\"CON-S9\"]", "clauses = ▶\"CON-S9\"", "expected a list, found a text", None)]
#[case::kind("kinds = [\"tv\"]", "kinds = [\"tv\", ▶\"lmap\"]", "there is no kind `lmap`", Some("lamp"))]
#[case::post("tells = [\"concierge\"]", "tells = [▶\"concirge\"]", "there is no post `concirge`", Some("concierge"))]
#[case::tells_nobody("tells = [\"concierge\"]", "tells = ▶[]", "the rule tells nobody", None)]
#[case::department(
    "department = \"engineering\"",
    "department = ▶\"enginering\"",
    "there is no department `enginering`",
    Some("engineering")
)]
#[case::priority("priority = \"P1\"", "priority = ▶\"P4\"", "there is no priority `P4`", Some("P1"))]
#[case::confirming_post(
    "confirmed_by = \"concierge\"",
    "confirmed_by = ▶\"Concierge\"",
    "there is no post `Concierge`",
    Some("concierge")
)]
#[case::fault_class(
    "fault_class = \"no-picture\"",
    "fault_class = ▶\"no picture\"",
    "`no picture` is not a name",
    None
)]
#[case::ticket_key("fault_class =", "▶faultclass =", "`faultclass` is not a key here", Some("fault_class"))]
#[case::severity(
    "severity = \"critical\"",
    "severity = ▶\"crtical\"",
    "`crtical` is none of info, warning, major, critical",
    Some("critical")
)]
#[case::effect("effect = \"failed\"", "effect = ▶\"fail\"", "`fail` is none of none, degraded, failed", Some("failed"))]
#[case::window("during = \"open\"", "during = ▶\"opened\"", "`opened` is none of always, open", Some("open"))]
#[case::held_for("for = \"10s\"", "for = ▶\"10 seconds\"", "`10 seconds` is not a length of time", None)]
// Samples and missing data
#[case::by_time_and_by_samples(
    "for = \"10s\"",
    "for = \"10s\"\nsamples = ▶{ bad = 3, of = 5 }",
    "`for` and `samples` stand in one rule",
    None
)]
#[case::more_bad_than_all(
    "for = \"10s\"",
    "samples = { bad = ▶6, of = 5 }",
    "`bad` is 6, more than `of`, which is 5",
    None
)]
#[case::no_bad("for = \"10s\"", "samples = { bad = ▶0, of = 5 }", "0 is no number of samples", None)]
#[case::half_a_sample("for = \"10s\"", "samples = { bad = ▶1.5, of = 5 }", "1.5 is no number of samples", None)]
#[case::too_many_samples("for = \"10s\"", "samples = { bad = 3, of = ▶21 }", "use a whole number from 1 to 20", None)]
#[case::samples_of_nothing("for = \"10s\"", "samples = ▶{ bad = 3 }", "`of` is missing", None)]
#[case::samples_misspelt(
    "for = \"10s\"",
    "▶sampels = { bad = 3, of = 5 }",
    "`sampels` is not a key here",
    Some("samples")
)]
#[case::no_data_word(
    "for = \"10s\"",
    "for = \"10s\"\non_no_data = ▶\"unknwon\"",
    "`unknwon` is none of hold, unknown",
    Some("unknown")
)]
#[case::no_data_number("for = \"10s\"", "for = \"10s\"\non_no_data = ▶3", "expected `hold`, `unknown` or", None)]
#[case::no_data_key(
    "for = \"10s\"",
    "for = \"10s\"\non_no_data = { ▶fire_aftr = \"10m\" }",
    "`fire_aftr` is not a key here",
    Some("fire_after")
)]
#[case::missing_data_of_a_device(
    "for = \"10s\"",
    "for = \"10s\"\non_no_data = { fire_after = ▶\"10m\" }",
    "the rule judges kind `tv`: missing data is never the fault of a device",
    None
)]
#[case::at_once_without_data(
    "for = \"10s\"",
    "for = \"10s\"\non_no_data = { fire_after = ▶\"0s\" }",
    "`fire_after` must be longer than nothing",
    None
)]
#[case::held_for_a_number("for = \"10s\"", "for = ▶10", "expected a text, found a number", None)]
#[case::rule_key(
    "recover_for = \"30s\"",
    "▶recover-for = \"30s\"",
    "`recover-for` is not a key here",
    Some("recover_for")
)]
#[case::rule_key_of_nothing("during = \"open\"", "▶colour = \"red\"", "`colour` is not a key here", None)]
#[case::title(
    "title = { zh = \"黑屏\", en = \"Dark\" }",
    "title = { zh = \"黑屏\", en = \"Dark\", ▶de = \"Dunkel\" }",
    "`de` is not a key here",
    None
)]
// Conditions
#[case::fact("when = { fact = \"power\"", "when = { fact = ▶\"powr\"", "kind `tv` has no fact `powr`", Some("power"))]
#[case::fact_of_another_kind(
    TV,
    "kinds = [\"tv\", \"lamp\"]\nwhen = { fact = ▶\"mute\", is = true }",
    "kind `lamp` has no fact `mute`",
    None
)]
#[case::word("is = \"off\"", "is = ▶\"of\"", "`power` is of, expected one of on, off", Some("off"))]
#[case::word_in_a_list("is = \"off\"", "is = [\"on\", ▶\"oof\"]", "`power` is oof", Some("off"))]
#[case::word_with_a_number(
    "is = \"off\"",
    "below = ▶5",
    "`power` is one of on, off, not a number: compare it with `is`",
    None
)]
#[case::word_with_true("is = \"off\"", "is = ▶true", "`power` is true, expected one of on, off", None)]
#[case::text_with_a_word(
    "fact = \"power\", is = \"off\"",
    "fact = \"model\", is = ▶\"X1\"",
    "only shown, never compared",
    None
)]
#[case::text_with_a_number(
    "fact = \"power\", is = \"off\"",
    "fact = \"model\", above = ▶1",
    "only shown, never compared",
    None
)]
#[case::yes_with_a_word(
    "fact = \"power\", is = \"off\"",
    "fact = \"mute\", is = ▶\"yes\"",
    "`mute` is yes, expected true or false",
    None
)]
#[case::number_with_a_word(
    "fact = \"power\", is = \"off\"",
    "fact = \"load\", is = ▶\"high\"",
    "`load` is high, expected a number",
    None
)]
#[case::number_with_a_list(
    "fact = \"power\", is = \"off\"",
    "fact = \"load\", above = ▶[1]",
    "expected a number or",
    None
)]
#[case::limit_out_of_bounds(
    "fact = \"power\", is = \"off\"",
    "fact = \"load\", above = ▶120",
    "the limit 120 is outside of `load`, which is 0 to 100",
    None
)]
#[case::never(
    "fact = \"power\", is = \"off\"",
    "fact = \"load\", above = ▶100",
    "`load` can never be `above` 100",
    None
)]
#[case::never_below(
    "fact = \"power\", is = \"off\"",
    "fact = \"load\", below = ▶0",
    "`load` can never be `below` 0",
    None
)]
#[case::always(
    "fact = \"power\", is = \"off\"",
    "fact = \"load\", at_least = ▶0",
    "`load` is always `at_least` 0",
    None
)]
#[case::limit_that_is_no_number(
    "fact = \"power\", is = \"off\"",
    "fact = \"load\", above = ▶nan",
    "expected a number or",
    None
)]
#[case::itself(
    "fact = \"power\", is = \"off\"",
    "fact = \"watts\", below = { fact = ▶\"watts\" }",
    "`watts` is compared with itself",
    None
)]
#[case::other_fact(
    "fact = \"power\", is = \"off\"",
    "fact = \"watts\", below = { fact = ▶\"wats_min\" }",
    "kind `tv` has no fact `wats_min`",
    Some("watts_min")
)]
#[case::other_fact_of_words(
    "fact = \"power\", is = \"off\"",
    "fact = \"watts\", below = { fact = ▶\"power\" }",
    "`power` is one of on, off, not a number",
    None
)]
#[case::other_unit(
    "fact = \"power\", is = \"off\"",
    "fact = \"watts\", below = { fact = ▶\"load\" }",
    "`watts` is in `W`, `load` in `%`",
    None
)]
#[case::operand_key(
    "fact = \"power\", is = \"off\"",
    "fact = \"watts\", below = { ▶facts = \"watts_min\" }",
    "`facts` is not a key here",
    Some("fact")
)]
#[case::empty("{ fact = \"power\", is = \"off\" }", "▶{}", "the condition is empty", None)]
#[case::empty_list("{ fact = \"power\", is = \"off\" }", "{ any = ▶[] }", "the list of conditions is empty", None)]
#[case::empty_values("is = \"off\"", "is = ▶[]", "`power` is compared with an empty list", None)]
#[case::two_forms(
    "is = \"off\" }",
    "is = \"off\", reach = ▶\"ok\" }",
    "`fact` and `reach` stand in one condition",
    None
)]
#[case::two_comparisons(
    "fact = \"power\", is = \"off\"",
    "fact = \"load\", below = 90, above = ▶10",
    "`below` and `above` stand in one comparison",
    None
)]
#[case::no_comparison("fact = \"power\", is = \"off\"", "fact = ▶\"power\"", "`power` is compared with nothing", None)]
#[case::comparison_misspelt(
    "fact = \"power\", is = \"off\"",
    "fact = \"load\", ▶abve = 5",
    "`abve` is not a key here",
    Some("above")
)]
#[case::form_misspelt(
    "{ fact = \"power\", is = \"off\" }",
    "{ ▶nto = { reach = \"ok\" } }",
    "`nto` is not a key here",
    Some("not")
)]
#[case::reach(
    "{ fact = \"power\", is = \"off\" }",
    "{ reach = ▶\"unreachble\" }",
    "`unreachble` is none of ok, unreachable",
    Some("unreachable")
)]
#[case::reach_that_is_never_known(
    "{ fact = \"power\", is = \"off\" }",
    "{ reach = ▶\"unknown\" }",
    "`unknown` is none of ok, unreachable",
    None
)]
#[case::fault("{ fact = \"power\", is = \"off\" }", "{ fault = ▶3 }", "expected a text, found a number", None)]
#[case::not_of_a_list("{ fact = \"power\", is = \"off\" }", "{ not = ▶[] }", "expected a table, found a list", None)]
#[case::deep(
    "{ fact = \"power\", is = \"off\" }",
    "{ all = [{ any = [{ not = { fact = ▶\"pwer\", is = \"on\" } }] }] }",
    "kind `tv` has no fact `pwer`",
    Some("power")
)]
#[case::until(
    "for = \"10s\"",
    "until = { fact = ▶\"signal\", is = \"ok\" }\nfor = \"10s\"",
    "kind `tv` has no fact `signal`",
    None
)]
fn a_mistake_is_told_where_it_stands(
    #[case] from: &str,
    #[case] to: &str,
    #[case] message: &str,
    #[case] meant: Option<&str>,
) {
    let (base, rules, place) = seeded(from, to);
    let errors = load(&base, &rules).expect_err("a mistake");
    let [problem] = errors.problems.as_slice() else { panic!("one mistake, one message:\n{errors}") };
    assert_eq!(format!("{}:{}:{}", problem.file, problem.line, problem.column), place, "{errors}");
    assert!(problem.message.contains(message), "{errors}");
    assert_eq!(problem.suggestion.as_deref(), meant, "{errors}");
}

#[test]
fn a_complaint_is_one_line_with_its_place_and_what_was_meant() {
    let (base, rules, place) = seeded("is = \"off\"", "is = ▶\"of\"");
    let errors = load(&base, &rules).expect_err("a mistake");
    let expected = format!("{place}: `power` is of, expected one of on, off; did you mean `off`?");
    assert_eq!(errors.to_string(), expected);
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_files() {
    let rules =
        RULES.replace("\"critical\"", "\"bad\"").replace("\"open\"", "\"noon\"").replace("[\"lamp\"]", "[\"lmap\"]");
    let base = BASE.replace("\"4h\"", "\"4 hours\"");
    let errors = load(&base, &rules).expect_err("four mistakes");
    let places: Vec<(&str, usize)> = errors.problems.iter().map(|found| (&*found.file, found.line)).collect();
    // That the lamp has no rule left is a consequence of the last.
    assert_eq!(places, [("base.toml", 14), ("rules.toml", 9), ("rules.toml", 10), ("rules.toml", 19)], "{errors}");
}

#[test]
fn a_key_that_is_missing_is_told_at_its_table() {
    for (from, to, message) in [
        (
            "when = { fact = \"power\", is = \"off\" }\nfor = \"10s\"",
            "for = \"10s\"",
            "rules.toml:2:1: `when` is missing",
        ),
        ("for = \"10s\"\n", "", "rules.toml:2:1: `for` is missing"),
        ("title = { zh = \"黑屏\", en = \"Dark\" }\n", "", "rules.toml:2:1: `title` is missing"),
        ("severity = \"info\"\n", "", "rules.toml:16:1: `severity` is missing"),
    ] {
        let errors = load(BASE, &RULES.replacen(from, to, 1)).expect_err("a mistake");
        assert_eq!(errors.to_string(), message);
    }
    let errors = load(&BASE.replacen("complete_within = \"4h\"\n", "", 1), RULES).expect_err("a mistake");
    assert_eq!(errors.to_string(), "base.toml:10:1: `complete_within` is missing");
}

#[test]
fn what_refers_to_a_wrong_declaration_is_not_told_again() {
    let base = BASE.replacen("words = { on", "words = { on = 1, standby", 1);
    let errors = load(&base, RULES).expect_err("one mistake");
    assert_eq!(errors.problems.len(), 1, "{errors}");
}

#[test]
fn a_pack_without_rules_is_refused() {
    assert_eq!(Pack::load(&[]).map_err(|errors| errors.to_string()), Err("pack:1:1: the pack has no rule".to_owned()));
    assert_eq!(
        Pack::load(&[("a.toml", "")]).map_err(|errors| errors.to_string()),
        Err("a.toml:1:1: the pack has no rule".to_owned())
    );
}

fn assert_located(files: &[(&str, &str)]) -> Result<(), TestCaseError> {
    let Err(errors) = Pack::load(files) else { return Ok(()) };
    prop_assert!(!errors.problems.is_empty());
    for problem in &errors.problems {
        let (_, text) = files.iter().find(|(name, _)| **name == *problem.file).expect("one of the files");
        let line = text.split('\n').nth(problem.line - 1);
        prop_assert!(line.is_some_and(|line| problem.column <= line.chars().count() + 2), "{problem}\n{text}");
        prop_assert!(!problem.message.is_empty());
    }
    Ok(())
}

const SCRAPS: [&str; 16] =
    ["\"", "'", "{", "}", "[", "]", "[[", "=", "\n", "\\", "\u{0}", "门", "1e999", "inf", "true", "fact."];

/// `text` with the characters of a range replaced by a scrap, or by a piece of the text itself.
fn mutated(text: &str, at: usize, length: usize, scrap: Option<usize>, from: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    let at = at % characters.len();
    let end = (at + length).min(characters.len());
    let from = from % characters.len();
    let piece: String = match scrap {
        Some(index) => SCRAPS[index % SCRAPS.len()].to_owned(),
        None => characters[from..(from + 20).min(characters.len())].iter().collect(),
    };
    characters[..at].iter().collect::<String>() + &piece + &characters[end..].iter().collect::<String>()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_mutated_pack_loads_or_says_where_it_is_wrong(
        changes in prop::collection::vec((any::<bool>(), any::<u16>(), 0..40_usize, prop::option::of(0..16_usize), any::<u16>()), 1..4),
    ) {
        let (mut base, mut rules) = (BASE.to_owned(), RULES.to_owned());
        for (first, at, length, scrap, from) in changes {
            let text = if first { &mut base } else { &mut rules };
            if !text.is_empty() {
                *text = mutated(text, at.into(), length, scrap, from.into());
            }
        }
        assert_located(&[("base.toml", &base), ("rules.toml", &rules)])?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_built_in_pack_mutated_loads_or_says_where_it_is_wrong(
        file in 0..BUILT_IN.len(), at in any::<u32>(), length in 0..200_usize, scrap in prop::option::of(0..16_usize), from in any::<u32>(),
    ) {
        let mut files = BUILT_IN;
        let text = mutated(files[file].1, at as usize, length, scrap, from as usize);
        files[file].1 = &text;
        assert_located(&files)?;
    }

    #[test]
    fn any_text_loads_or_says_where_it_is_wrong(text in "\\PC{0,200}") {
        assert_located(&[("a.toml", &text)])?;
    }
}

const SYMPTOMS: &str = "symptoms = { dark = { zh = \"黑屏\", en = \"Dark\" } }\n";
const REPORT: &str =
    "report = { department = \"engineering\", priority = \"P1\", confirmed_by = \"concierge\", tells = [] }\n";

/// The pack whose televisions say this of what people report, with a `▶` at its mistake.
fn reporting(of_kind: &str, of_all: &str) -> (Result<Pack, String>, String) {
    let base = BASE.replacen("boards = [\"concierge\"]\n", &format!("boards = [\"concierge\"]\n{of_kind}"), 1);
    let base = format!("{base}\n{of_all}");
    let (base, place) = marked("base.toml", &base).unwrap_or((base, String::new()));
    (load(&base, RULES).map_err(|errors| errors.to_string()), place)
}

#[test]
fn what_people_report_of_a_kind_is_read_and_what_is_not_said_of_it_is_that_of_all() {
    let all = "[report]\ndepartment = \"engineering\"\npriority = \"P1\"\nconfirmed_by = \"concierge\"\ntells = [\"concierge\"]\n";
    let (pack, _) = reporting(&format!("{SYMPTOMS}{REPORT}"), &format!("{all}{}", SYMPTOMS.replace("dark", "broken")));
    let pack = pack.expect("a pack");
    let (tv, lamp) = (&pack.kinds["tv"].kind, &pack.kinds["lamp"].kind);
    let symptoms = |kind| pack.symptoms(Some(kind)).iter().map(|word| word.value.to_string()).collect::<Vec<_>>();
    assert_eq!((symptoms(tv), symptoms(lamp)), (vec!["dark".to_owned()], vec!["broken".to_owned()]));
    assert_eq!(pack.reporting(Some(tv)).tells, []);
    assert_eq!(pack.reporting(Some(lamp)).tells, ["concierge".into()]);
}

#[rstest]
#[case::no_department(&REPORT.replace("\"engineering\"", "▶\"engineerin\""), "", "engineering")]
#[case::no_priority(&REPORT.replace("\"P1\"", "▶\"P9\""), "", "`P9`")]
#[case::no_post(&REPORT.replace("tells = []", "tells = [▶\"nobody\"]"), "", "`nobody`")]
#[case::misspelt(&REPORT.replace("priority", "▶priorty"), "", "priority")]
#[case::a_label_in_one_language("symptoms = { dark = ▶{ zh = \"黑屏\" } }\n", "", "`en` is missing")]
#[case::no_name("symptoms = { ▶\"Dark!\" = { zh = \"黑屏\", en = \"Dark\" } }\n", "", "`Dark!` is not a name")]
#[case::of_all(
    "",
    "[report]\ndepartment = ▶\"none\"\npriority = \"P1\"\nconfirmed_by = \"concierge\"\ntells = []\n",
    "`none`"
)]
fn a_mistake_in_what_is_said_of_reports_is_told_where_it_stands(
    #[case] of_kind: &str,
    #[case] of_all: &str,
    #[case] words: &str,
) {
    let (pack, place) = reporting(of_kind, of_all);
    let told = pack.expect_err("a mistake");
    assert!(told.contains(&place) && told.contains(words), "{place}: {told}");
}

const ITEM: &str = "[item.cover]\nlabel = { zh = \"鞋套\", en = \"Covers\" }\nunit = \"pcs\"\nclauses = [\"CON-S9\"]\ntells = [\"concierge\"]\napproved_by = [\"concierge\"]\n";
const DISPENSES: &str = "dispenses = { item = \"cover\", counter = \"watts\", left = \"load\", low = \"watts_min\" }\n";

#[test]
fn what_a_kind_hands_out_is_read() {
    let (pack, _) = reporting(DISPENSES, ITEM);
    let pack = pack.expect("a pack");
    let dispenses = pack.kinds["tv"].kind.dispenses.as_ref().expect("it hands something out");
    assert_eq!((&*dispenses.item, &*dispenses.counter, &*dispenses.epoch()), ("cover", "watts", "watts_epoch"));
    assert_eq!((dispenses.left.as_deref(), dispenses.capacity.as_deref()), (Some("load"), None));
    assert_eq!((dispenses.most_per_minute, &*pack.items["cover"].tells), (60, &["concierge".into()][..]));
}

#[rstest]
#[case::no_item(&DISPENSES.replace("\"cover\"", "▶\"covers\""), ITEM, "there is no item `covers`")]
#[case::no_fact(&DISPENSES.replace("\"watts\"", "▶\"wats\""), ITEM, "kind `tv` has no fact `wats`")]
#[case::no_number(&DISPENSES.replace("\"load\"", "▶\"mute\""), ITEM, "pieces are a number")]
#[case::misspelt(&DISPENSES.replace("low =", "▶lo ="), ITEM, "`lo`")]
#[case::no_counter("dispenses = ▶{ item = \"cover\" }\n", ITEM, "`counter` is missing")]
#[case::too_slow(&DISPENSES.replace(" }", ", most_per_minute = ▶0 }"), ITEM, "no number of pieces")]
#[case::no_clause("", &ITEM.replace("\"CON-S9\"", "▶\"CON-S99\""), "CON-S99")]
#[case::no_post("", &ITEM.replace("tells = [\"concierge\"]", "tells = [▶\"conciergy\"]"), "conciergy")]
#[case::no_unit("", &ITEM.replace("unit = \"pcs\"\n", "").replace("[item.cover]", "▶[item.cover]"), "`unit` is missing")]
#[case::no_name("", &ITEM.replace("[item.cover]", "[item.▶Cover]"), "`Cover` is not a name")]
fn a_mistake_in_what_is_said_of_stock_is_told_where_it_stands(
    #[case] of_kind: &str,
    #[case] of_all: &str,
    #[case] words: &str,
) {
    let (pack, place) = reporting(of_kind, of_all);
    let told = pack.expect_err("a mistake");
    assert!(told.contains(&place) && told.contains(words), "{place}: {told}");
}
