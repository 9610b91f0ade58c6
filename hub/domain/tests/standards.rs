//! The built-in pack does what the service standards ask for, clause by clause.

use std::{collections::BTreeSet, sync::Arc};

use lobby_contract::{FactValue, Reach};
use lobby_domain::{
    calendar::{Calendar, Window},
    condition::Sample,
    label::{Label, Lang},
    pack::{Pack, hours::HoursConfig},
    rule::{Decision, Effect, Phase, Rule, Severity, State, step},
    time::{Span, Timestamp},
};
use rstest::rstest;

/// Open 08:30 to 18:00, ready by 08:20, closed on Sundays.
fn calendar() -> Calendar {
    let hours = "zone = 'Asia/Shanghai'\nopen = '08:30-18:00'\nweekly = { sun = 'closed' }";
    let hours: HoursConfig = toml::from_str(hours).expect("hours");
    hours.calendar(&jiff::tz::TimeZone::UTC).expect("a calendar")
}

/// A Tuesday's local time, such as `08:20:00`.
fn at(time: &str) -> Timestamp {
    let zoned: jiff::Timestamp = format!("2026-11-24T{time}+08:00").parse().expect("a time of day");
    Timestamp::from_millis(zoned.as_millisecond())
}

fn rule(id: &str) -> Arc<Rule> {
    Pack::built_in().rule(id).cloned().unwrap_or_else(|| panic!("the pack has no rule `{id}`"))
}

/// A sample of a device that was reached, from facts such as `power=off jam=true covers_left=3 !ERST:fan`; `unreachable` and
/// `unknown` stand for the other two.
fn sample(text: &str) -> Sample {
    let reach = match text {
        "unreachable" => Reach::Unreachable,
        "unknown" => Reach::Unknown,
        _ => Reach::Ok,
    };
    let facts = text.split_whitespace().filter_map(|fact| fact.split_once('=')).map(|(name, value)| {
        let value = match (value, value.parse::<f64>()) {
            ("?", _) => FactValue::Unknown,
            ("true" | "false", _) => FactValue::Bool(value == "true"),
            (_, Ok(number)) => FactValue::Number(number),
            _ => FactValue::from(value),
        };
        (name.into(), value)
    });
    let faults = text.split_whitespace().filter_map(|fault| fault.strip_prefix('!')).map(Into::into);
    Sample { reach, facts: facts.collect(), faults: faults.collect() }
}

/// One device under one rule, looked at every second.
struct Watched {
    rule: Arc<Rule>,
    calendar: Calendar,
    state: State,
    now: Timestamp,
    log: Vec<(Timestamp, Decision)>,
}

impl Watched {
    fn new(id: &str, from: &str) -> Self {
        Self { rule: rule(id), calendar: calendar(), state: State::default(), now: at(from), log: Vec::new() }
    }

    /// The device states this (`None`: nothing fresh) until then, that moment included.
    fn states(mut self, facts: Option<&str>, until: &str) -> Self {
        let (sample, until) = (facts.map(sample), at(until));
        while self.now <= until {
            let in_window = self.rule.during.includes(self.calendar.part_of_day(self.now));
            let input = self.rule.input(sample.as_ref(), in_window);
            let (state, decision) = step(&self.rule, self.state, input, self.now);
            self.state = state;
            self.log.extend(decision.map(|decision| (self.now, decision)));
            self.now = self.now + Span::from_secs(1);
        }
        self
    }

    fn restarted(mut self) -> Self {
        self.state = State::restored(self.state.phase);
        self
    }

    /// What was decided, such as `raise 10:00:10`.
    fn decisions(&self) -> Vec<String> {
        let clock =
            |at: Timestamp| lobby_domain::calendar::local(at, self.calendar.zone()).strftime("%H:%M:%S").to_string();
        let words = |(at, decision): &(Timestamp, Decision)| match decision {
            Decision::Raise { .. } => format!("raise {}", clock(*at)),
            Decision::Clear { .. } => format!("clear {}", clock(*at)),
        };
        self.log.iter().map(words).collect()
    }
}

#[test]
fn the_built_in_pack_loads() {
    let pack = Pack::load(&lobby_domain::pack::BUILT_IN).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(pack, *Pack::built_in());
    assert!(Arc::ptr_eq(&Pack::built_in(), &Pack::built_in()), "it is read once");
}

// CON-D7, CON-S9: the display at the entrance

#[test]
fn a_dark_display_in_opening_hours_raises_one_alert_after_ten_seconds() {
    let watched = Watched::new("display-dark", "10:00:00")
        .states(Some("power=on"), "10:00:59")
        .states(Some("power=standby"), "11:00:00");
    assert_eq!(watched.decisions(), ["raise 10:01:10"]);
}

#[test]
fn a_display_that_blinks_raises_nothing() {
    let mut watched = Watched::new("display-dark", "10:00:00");
    for (dark, light) in [("10:00:09", "10:00:10"), ("10:00:19", "10:00:30"), ("10:00:39", "10:01:00")] {
        watched = watched.states(Some("power=off"), dark).states(Some("power=on"), light);
    }
    assert_eq!(watched.decisions(), [""; 0]);
}

#[test]
fn a_display_that_runs_again_for_half_a_minute_ends_its_alert() {
    let watched = Watched::new("display-dark", "10:00:00")
        .states(Some("power=off"), "10:05:00")
        .states(Some("power=on"), "10:05:20")
        .states(Some("power=off"), "10:05:25")
        .states(Some("power=on"), "10:10:00");
    assert_eq!(watched.decisions(), ["raise 10:00:10", "clear 10:05:56"], "twenty seconds of light are not enough");
}

#[test]
fn a_display_off_at_night_is_no_fault() {
    let watched = Watched::new("display-dark", "18:00:00").states(Some("power=standby"), "23:59:59");
    assert_eq!(watched.decisions(), [""; 0]);
    let early = Watched::new("display-dark", "00:00:00").states(Some("power=off"), "08:29:59");
    assert_eq!(early.decisions(), [""; 0]);
}

#[test]
fn a_fault_of_the_day_is_not_forgotten_because_the_site_closes() {
    let watched = Watched::new("display-dark", "17:50:00").states(Some("power=off"), "23:00:00");
    assert_eq!(watched.decisions(), ["raise 17:50:10"]);
}

#[test]
fn nothing_is_concluded_from_a_display_of_which_nothing_is_known() {
    let silent = Watched::new("display-dark", "10:00:00").states(None, "12:00:00").states(Some("unknown"), "14:00:00");
    assert_eq!(silent.decisions(), [""; 0]);
    let dark = Watched::new("display-dark", "10:00:00").states(Some("power=off"), "10:00:30").states(None, "12:00:00");
    assert_eq!(dark.decisions(), ["raise 10:00:10"], "an alert is held while nothing is known");
    let gap = Watched::new("display-dark", "10:00:00")
        .states(Some("power=off"), "10:00:05")
        .states(Some("power=?"), "10:01:00")
        .states(Some("power=off"), "10:02:00");
    assert_eq!(gap.decisions(), ["raise 10:01:06"], "five seconds before the gap and five behind it");
}

#[test]
fn the_time_during_which_the_hub_was_down_does_not_count() {
    let watched = Watched::new("display-dark", "10:00:00").states(Some("power=off"), "10:00:08").restarted();
    let mut later = watched;
    later.now = at("10:30:00");
    assert_eq!(later.states(Some("power=off"), "10:31:00").decisions(), ["raise 10:30:10"]);
}

#[test]
fn a_display_that_does_not_answer_is_told_after_a_minute_but_not_called_dark() {
    let told = Watched::new("display-unreachable", "09:00:00").states(Some("unreachable"), "10:00:00");
    assert_eq!(told.decisions(), ["raise 09:01:00"]);
    assert_eq!(told.rule.effect, Effect::None);
    let dark = Watched::new("display-dark", "09:00:00").states(Some("unreachable"), "10:00:00");
    assert_eq!(dark.decisions(), [""; 0]);
}

// CON-S1, PAS-S1: the 08:20 meeting

#[rstest]
#[case("display-not-on-at-opening")]
#[case("tv-not-on-at-opening")]
fn what_is_not_on_at_the_meeting_is_known_before_the_guests_come(#[case] id: &str) {
    let off = Watched::new(id, "07:00:00").states(Some("power=off"), "08:25:00").states(Some("power=on"), "09:00:00");
    assert_eq!(off.decisions(), ["raise 08:20:10", "clear 08:25:11"]);
    let on = Watched::new(id, "07:00:00").states(Some("power=off"), "08:19:59").states(Some("power=on"), "09:00:00");
    assert_eq!(on.decisions(), [""; 0]);
}

#[rstest]
#[case("display-running-after-closing", "power=on", "power=standby")]
#[case("tv-running-after-closing", "power=on", "power=off")]
#[case("snooker-lamp-left-on", "lamp=on", "lamp=off")]
fn what_is_left_on_after_closing_is_told_and_opens_no_ticket(#[case] id: &str, #[case] on: &str, #[case] off: &str) {
    let left = Watched::new(id, "17:00:00").states(Some(on), "22:00:00").states(Some(off), "23:00:00");
    assert_eq!(left.decisions(), ["raise 19:00:00", "clear 22:01:01"], "closed from 18:30, then half an hour");
    assert_eq!((left.rule.effect, left.rule.ticket.is_none()), (Effect::None, true));
    let cleaned = Watched::new(id, "17:00:00").states(Some(on), "18:50:00").states(Some(off), "23:00:00");
    assert_eq!(cleaned.decisions(), [""; 0]);
}

#[test]
fn a_finding_about_the_night_ends_with_the_night() {
    let watched = Watched::new("display-running-after-closing", "00:00:00").states(Some("power=on"), "12:00:00");
    assert_eq!(watched.decisions(), ["raise 00:30:00", "clear 07:21:00"], "from 07:20 it may run");
}

// SHO-D4, SHO-S7, BAR-S8: shoe covers

#[test]
fn low_stock_is_told_before_the_machine_is_empty() {
    let run = |id| {
        let mut watched = Watched::new(id, "09:00:00");
        for left in (0..=60).rev() {
            let minute = 60 - left;
            let until = format!("{:02}:{:02}:59", 9 + minute / 60, minute % 60);
            watched = watched.states(Some(&format!("covers_left={left} low_at=50")), &until);
        }
        watched
            .states(Some("covers_left=54 low_at=50"), "10:30:00")
            .states(Some("covers_left=200 low_at=50"), "11:00:00")
    };
    assert_eq!(run("covers-low").decisions(), ["raise 09:11:10", "clear 10:30:11"], "a few covers are no refill");
    assert_eq!(run("covers-used-up").decisions(), ["raise 10:00:05", "clear 10:01:10"]);
}

#[rstest]
#[case("covers-low", Severity::Warning)]
#[case("covers-low-switch", Severity::Warning)]
#[case("covers-empty", Severity::Critical)]
#[case("covers-used-up", Severity::Critical)]
fn stock_is_the_show_flats_own_work_and_opens_no_repair_ticket(#[case] id: &str, #[case] severity: Severity) {
    let rule = rule(id);
    assert_eq!((rule.severity, rule.ticket.is_none()), (severity, true));
    assert_eq!(rule.tells, [Box::from("showflat")]);
}

#[rstest]
#[case("covers-jammed")]
#[case("covers-motor-fault")]
#[case("covers-supply-fault")]
#[case("covers-hardware-fault")]
#[case("covers-unreachable")]
#[case("covers-empty")]
#[case("covers-used-up")]
fn staff_are_told_to_hand_out_covers_while_the_machine_does_not_work(#[case] id: &str) {
    let rule = rule(id);
    assert!(rule.tells.iter().any(|post| &**post == "showflat"));
    assert!(rule.advice.zh.contains("鞋套") && rule.advice.en.contains("by hand"), "{:?}", rule.advice);
}

// REC-S3: snooker

#[test]
fn a_failed_lamp_stays_failed_while_it_is_switched_off() {
    let watched = Watched::new("snooker-lamp-failed", "10:00:00")
        .states(Some("lamp=on lamp_w=0.4 lamp_min_w=60"), "10:05:00")
        .states(Some("lamp=off lamp_w=0 lamp_min_w=60"), "11:00:00")
        .states(Some("lamp=on lamp_w=0.4 lamp_min_w=60"), "11:05:00")
        .states(Some("lamp=on lamp_w=150 lamp_min_w=60"), "11:10:00");
    assert_eq!(watched.decisions(), ["raise 10:00:10", "clear 11:05:11"]);
}

#[rstest]
#[case("snooker-balls-short", "balls=21 balls_expected=22", "balls=22 balls_expected=22")]
#[case("snooker-cues-short", "cues=3 cues_expected=4", "cues=4 cues_expected=4")]
fn a_full_count_ends_the_alert_about_missing_equipment(#[case] id: &str, #[case] short: &str, #[case] full: &str) {
    let watched = Watched::new(id, "17:00:00").states(Some(short), "17:30:00").states(Some(full), "18:00:00");
    assert_eq!(watched.decisions(), ["raise 17:00:00", "clear 17:30:01"]);
}

// Every rule

/// For each rule: what it fires at, what comes close and is no fault, and the time of day.
const CASES: [(&str, &str, &str, &str); 43] = [
    ("display-dark", "12:00:00", "power=off", "power=warming"),
    ("display-dark", "12:00:00", "power=standby", "power=on video_mute=true"),
    ("display-muted", "12:00:00", "power=on video_mute=true", "power=off video_mute=false"),
    ("display-black", "12:00:00", "power_w=79.9 power_min_w=80", "power_w=80 power_min_w=80"),
    ("display-no-signal", "12:00:00", "power=on signal=none", "power=standby signal=ok"),
    ("display-frozen", "12:00:00", "freeze=true", "freeze=false"),
    ("display-overheating", "03:00:00", "temperature=fault", "temperature=warning"),
    (
        "display-too-hot",
        "03:00:00",
        "temperature_c=60.1 temperature_limit_c=60",
        "temperature_c=60 temperature_limit_c=60",
    ),
    ("display-warm", "03:00:00", "temperature=warning", "temperature=fault"),
    ("display-hardware-fault", "03:00:00", "fan=fault !ERST:fan", "fan=warning"),
    (
        "display-part-warning",
        "03:00:00",
        "fan=ok lamp=ok cover=ok filter=warning hardware=ok",
        "fan=ok lamp=fault cover=ok filter=ok hardware=ok",
    ),
    ("display-unreachable", "08:21:00", "unreachable", "power=off"),
    ("display-not-on-at-opening", "08:21:00", "power=off", "power=warming"),
    ("display-not-on-at-opening", "08:21:00", "power=standby", "power=on"),
    ("display-running-after-closing", "20:00:00", "power=on", "power=standby"),
    ("display-running-after-closing", "20:00:00", "power=warming", "power=cooling"),
    ("covers-jammed", "08:21:00", "jam=true", "jam=false empty=true"),
    ("covers-motor-fault", "08:21:00", "motor=fault", "motor=ok supply=fault"),
    ("covers-supply-fault", "08:21:00", "supply=fault", "supply=ok motor=fault"),
    ("covers-hardware-fault", "08:21:00", "motor=ok !E07", "motor=ok"),
    ("covers-unreachable", "08:21:00", "unreachable", "empty=true"),
    ("covers-empty", "08:21:00", "empty=true", "empty=false level_low=true"),
    ("covers-used-up", "08:21:00", "covers_left=-2", "covers_left=1"),
    ("covers-low", "08:21:00", "covers_left=49 low_at=50", "covers_left=50 low_at=50"),
    ("covers-low-switch", "08:21:00", "level_low=true", "level_low=false"),
    ("snooker-lamp-failed", "20:00:00", "lamp=on lamp_w=3 lamp_min_w=60", "lamp=off lamp_w=0 lamp_min_w=60"),
    ("snooker-lamp-left-on", "20:00:00", "lamp=on", "lamp=off"),
    ("snooker-balls-short", "20:00:00", "balls=21 balls_expected=22", "balls=22 balls_expected=22"),
    ("snooker-cues-short", "20:00:00", "cues=3 cues_expected=4", "cues=4 cues_expected=4"),
    ("snooker-unreachable", "12:00:00", "unreachable", "unknown"),
    ("laptop-missing", "12:00:00", "unreachable", "latency_ms=4 answered_port=22"),
    ("laptop-disk-failing", "03:00:00", "disk_health=failing", "disk_health=ok disk_readonly=true"),
    ("laptop-disk-readonly", "03:00:00", "disk_readonly=true", "disk_readonly=false disk_health=failing"),
    ("laptop-disk-full", "03:00:00", "disk_percent=90.1", "disk_percent=90"),
    ("laptop-battery-worn", "03:00:00", "battery_health_percent=59", "battery_health_percent=60 battery_percent=3"),
    ("laptop-overheating", "03:00:00", "temperature_c=91", "temperature_c=90"),
    ("network-link-down", "08:21:00", "link=down tcp=failed", "link=up tcp=failed"),
    ("network-gateway-lost", "08:21:00", "gateway=unreachable tcp=failed", "gateway=unreachable tcp=ok"),
    ("network-down", "08:21:00", "gateway=ok tcp=failed", "tcp=ok dns=failed"),
    ("network-dns-failed", "08:21:00", "tcp=ok dns=failed", "tcp=failed dns=failed"),
    ("network-dns-hijacked", "03:00:00", "dns=hijacked", "dns=failed"),
    ("network-captive-portal", "08:21:00", "http=captive", "http=failed"),
    ("network-web-failed", "08:21:00", "tcp=ok dns=ok http=failed", "tcp=ok dns=hijacked http=failed"),
];
const MORE_CASES: [(&str, &str, &str, &str); 10] = [
    ("network-slow", "12:00:00", "latency_ms=301", "latency_ms=300 loss_percent=30"),
    ("network-loss", "12:00:00", "loss_percent=20.5", "loss_percent=20 latency_ms=400"),
    ("network-unreachable", "08:21:00", "unreachable", "link=down"),
    ("agent-offline", "03:00:00", "link=down", "link=suspect"),
    ("agent-offline", "03:00:00", "link=down", "link=unverified"),
    ("agent-clock-wrong", "03:00:00", "clock_offset_s=121", "clock_offset_s=120"),
    (
        "site-offline",
        "03:00:00",
        "agents=5 agents_lost_together_percent=60",
        "agents=5 agents_lost_together_percent=40",
    ),
    (
        "site-offline",
        "03:00:00",
        "agents=2 agents_lost_together_percent=100",
        "agents=1 agents_lost_together_percent=100",
    ),
    // One after the other is not together.
    (
        "site-offline",
        "03:00:00",
        "agents=2 agents_lost_together_percent=100",
        "agents=5 agents_down_percent=80 agents_lost_together_percent=20",
    ),
    ("site-alert-storm", "12:00:00", "alerts_held_back=1", "alerts_held_back=0"),
];

/// The cases, with those of the display for the television as well: its rules are the same.
fn cases() -> Vec<(String, &'static str, &'static str, &'static str)> {
    let all = CASES.into_iter().chain(MORE_CASES);
    all.flat_map(|(id, time, fires, not)| {
        let tv = id.strip_prefix("display-").map(|fault| format!("tv-{fault}"));
        [Some(id.to_owned()), tv].into_iter().flatten().map(move |id| (id, time, fires, not))
    })
    .collect()
}

fn rules() -> BTreeSet<String> {
    Pack::built_in().kinds.values().flat_map(|kind| &kind.rules).map(|rule| rule.id.to_string()).collect()
}

/// Looks at a sample that stays the same, until the rule must have made up its mind.
fn raised(rule: &Rule, facts: Option<&Sample>, time: &str) -> Option<Span> {
    let (calendar, from) = (calendar(), at(time));
    let mut state = State::default();
    for second in 0..=(rule.raise_after.millis() / 1000 + 2) {
        let now = from.shifted(second * 1000);
        let input = rule.input(facts, rule.during.includes(calendar.part_of_day(now)));
        let (next, decision) = step(rule, state, input, now);
        if decision.is_some() {
            return Some(now.since(from));
        }
        state = next;
    }
    None
}

#[test]
fn every_rule_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() {
    let tested: BTreeSet<String> = cases().into_iter().map(|(id, ..)| id).collect();
    assert_eq!(tested, rules());
}

#[test]
fn every_rule_fires_at_its_fault_after_its_time_and_not_at_what_comes_close() {
    for (id, time, fires, not) in cases() {
        let rule = rule(&id);
        assert_eq!(raised(&rule, Some(&sample(fires)), time), Some(rule.raise_after), "{id} at {fires}");
        assert_eq!(raised(&rule, Some(&sample(not)), time), None, "{id} at {not}");
        assert_eq!(raised(&rule, None, time), None, "{id} without data");
        assert_eq!(raised(&rule, Some(&sample("unknown")), time), None, "{id} of a device that may be unreachable");
        if fires != "unreachable" {
            assert_eq!(raised(&rule, Some(&sample("unreachable")), time), None, "{id} of an unreachable device");
        }
        assert_eq!(raised(&rule, Some(&sample("")), time), None, "{id} of a device that states nothing");
    }
}

#[test]
fn every_rule_fires_in_its_part_of_the_day_alone() {
    let parts = [("03:00:00", "closed"), ("08:21:00", "opening"), ("12:00:00", "open"), ("18:10:00", "closing")];
    for (id, _, fires, _) in cases() {
        let rule = rule(&id);
        for (time, part) in parts {
            let expected = match rule.during {
                Window::Always => true,
                Window::Open => part == "open",
                Window::Ready => matches!(part, "opening" | "open"),
                Window::Opening => part == "opening",
                Window::Closed => part == "closed",
            };
            assert_eq!(raised(&rule, Some(&sample(fires)), time).is_some(), expected, "{id} at {time}");
        }
    }
}

#[test]
fn every_case_is_made_of_facts_that_its_kind_declares() {
    let pack = Pack::built_in();
    for (id, _, fires, not) in cases() {
        for kind in &rule(&id).kinds {
            for text in [fires, not] {
                for (name, value) in &sample(text).facts {
                    let fact = pack.kinds[kind].kind.fact(name).unwrap_or_else(|| panic!("{kind} has no {name}"));
                    fact.check(value).unwrap_or_else(|problem| panic!("{id}: {problem}"));
                }
            }
        }
    }
}

#[test]
fn every_rule_says_why_it_fires_in_both_languages() {
    let pack = Pack::built_in();
    for (id, _, fires, _) in cases() {
        let rule = rule(&id);
        for (lang, kind) in [Lang::Zh, Lang::En].into_iter().zip(rule.kinds.iter().cycle()) {
            let why = rule.when.explain(&pack.kinds[kind].kind, &sample(fires), lang);
            assert!(!why.is_empty() && !why.contains("unknown") && !why.contains("未知"), "{id}: {why}");
        }
    }
}

#[test]
fn every_alert_can_end() {
    // What a device states when all is well, in each kind's own words.
    let well = "power=on signal=ok video_mute=false freeze=false temperature=ok fan=ok lamp=ok cover=ok filter=ok hardware=ok \
                temperature_c=30 temperature_limit_c=60 power_w=100 power_min_w=80 jam=false motor=ok supply=ok empty=false \
                level_low=false covers_left=180 low_at=50 balls=22 balls_expected=22 cues=4 cues_expected=4 disk_health=ok \
                disk_readonly=false disk_percent=50 battery_health_percent=95 link=up gateway=ok tcp=ok dns=ok http=ok \
                latency_ms=20 loss_percent=0 clock_offset_s=0.2 agents=3 agents_lost_together_percent=0 \
                alerts_held_back=0";
    for id in rules() {
        let rule = rule(&id);
        let well = match &*id {
            "snooker-lamp-failed" => "lamp=on lamp_w=150 lamp_min_w=60".to_owned(),
            "snooker-lamp-left-on" => "lamp=off".to_owned(),
            _ if rule.during == Window::Closed => "power=standby".to_owned(),
            _ => well.to_owned(),
        };
        let firing = State::restored(Phase::Firing { since: at("10:00:00") });
        let input = rule.input(Some(&sample(&well)), true);
        let (recovering, first) = step(&rule, firing, input, at("11:00:00"));
        let (ended, second) = step(&rule, recovering, input, at("11:00:00") + rule.clear_after);
        let clear = Some(Decision::Clear { since: at("10:00:00") });
        assert!(first.or(second) == clear && ended == State::default(), "{id} never ends");
    }
}

#[test]
fn every_rule_cites_a_clause_but_those_about_the_product_itself() {
    let without: Vec<String> = rules().into_iter().filter(|id| rule(id).clauses.is_empty()).collect();
    assert_eq!(without, ["agent-clock-wrong", "site-alert-storm"]);
}

#[test]
fn the_clauses_about_equipment_have_rules() {
    let cited: BTreeSet<String> = rules().iter().flat_map(|id| rule(id).clauses.clone()).map(String::from).collect();
    for clause in [
        "CON-D7", "CON-S1", "CON-S9", "PAS-D6", "PAS-S1", "BAR-S8", "BAR-D5", "SHO-D4", "SHO-S7", "REC-D6", "REC-S3.2",
        "REC-S3.7", "REC-S3.8", "REC-S4.3",
    ] {
        assert!(cited.contains(clause), "no rule serves {clause}");
    }
}

/// Every text of the pack.
fn texts() -> Vec<Label> {
    let pack = Pack::built_in();
    let clauses = pack.clauses.values().flat_map(|clause| [clause.reference.clone(), clause.asks.clone()]);
    let rules =
        pack.kinds.values().flat_map(|kind| &kind.rules).flat_map(|rule| [rule.title.clone(), rule.advice.clone()]);
    let kinds = pack.kinds.values().map(|kind| kind.kind.label.clone());
    let facts = pack.kinds.values().flat_map(|kind| &kind.kind.facts).map(|fact| fact.label.clone());
    let names = pack.posts.values().chain(pack.departments.values().map(|department| &department.label)).cloned();
    clauses.chain(rules).chain(kinds).chain(facts).chain(names).collect()
}

#[test]
fn every_text_stands_in_the_language_it_is_given_for() {
    let is_chinese = |text: &str| text.chars().any(|character| ('\u{4e00}'..='\u{9fff}').contains(&character));
    for text in texts() {
        assert!(is_chinese(&text.zh) && !is_chinese(&text.en), "{text:?}");
    }
}

#[test]
fn the_rules_at_a_glance() {
    let mut glance = String::new();
    for id in rules() {
        let rule = rule(&id);
        let ticket = rule.ticket.as_ref().map_or_else(
            || "no ticket".to_owned(),
            |ticket| {
                format!(
                    "{} {} {} confirmed by {}",
                    ticket.priority, ticket.department, ticket.fault_class, ticket.confirmed_by
                )
            },
        );
        let Rule { clauses, raise_after, clear_after, during, severity, effect, tells, .. } = &*rule;
        let line = format!(
            "{id}: {} · {during:?} {raise_after}/{clear_after} · {severity:?} {effect:?} · tells {} · {ticket}\n",
            clauses.join(" "),
            tells.join(" ")
        );
        glance.push_str(&line);
    }
    insta::assert_snapshot!(glance);
}
