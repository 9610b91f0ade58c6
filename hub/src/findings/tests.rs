use lobby_dashboards::FindingKey;

use super::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_millis(secs * 1000)
}

fn low(left: &str) -> Found {
    Found::new(FindingKey::DiskLow, Severity::Warning).with("/data").with(left)
}

fn full() -> Found {
    Found::new(FindingKey::DiskFull, Severity::Critical).with("/data")
}

#[test]
fn a_finding_keeps_its_beginning_while_it_lasts_and_is_gone_when_it_is_not_found() {
    let findings = Findings::default();
    findings.replace(Domain::Storage, vec![low("9 MB")], at(1));
    findings.replace(Domain::Storage, vec![low("8 MB")], at(5));
    findings.replace(Domain::Database, vec![], at(6));
    let [finding] = &findings.all()[..] else { panic!("one finding") };
    assert_eq!((finding.since, finding.values[1].as_str()), (at(1), "8 MB"));
    findings.replace(Domain::Storage, vec![], at(7));
    assert_eq!((findings.all().len(), findings.count()), (0, 0));
}

#[test]
fn an_ignored_finding_stays_ignored_until_it_is_gone_and_is_told_again_when_it_comes_back() {
    let findings = Findings::default();
    findings.replace(Domain::Storage, vec![low("9 MB")], at(1));
    assert!(findings.ignore(Domain::Storage, "disk_low").is_some());
    findings.replace(Domain::Storage, vec![low("8 MB")], at(2));
    assert_eq!(findings.count(), 0, "it is still the same");
    findings.replace(Domain::Storage, vec![], at(3));
    findings.replace(Domain::Storage, vec![low("7 MB")], at(4));
    assert_eq!(findings.count(), 1, "it came back");
    assert!(findings.ignore(Domain::Storage, "disk_full").is_none(), "there is none of that name");
}

#[test]
fn what_keeps_the_hub_from_its_work_does_so_although_it_is_ignored() {
    let findings = Findings::default();
    findings.replace(Domain::Storage, vec![full()], at(1));
    findings.ignore(Domain::Storage, "disk_full");
    assert!(findings.is_degraded() && findings.fails(Domain::Storage) && !findings.fails(Domain::Database));
}

#[test]
fn a_finding_that_lasts_until_it_is_seen_outlives_its_cause() {
    let findings = Findings::default();
    let stepped = || Found::new(FindingKey::ClockStepped, Severity::Error).with("+1 h").with("now").persistent();
    findings.replace(Domain::Clock, vec![stepped()], at(1));
    // It happens once more, and passes by itself this time.
    let stepping = || Found::new(FindingKey::ClockStepped, Severity::Error).with("+1 h").with("now");
    for found in [vec![], vec![stepping()], vec![]] {
        findings.replace(Domain::Clock, found, at(2));
        assert_eq!(findings.count(), 1);
    }
    findings.ignore(Domain::Clock, "clock_stepped");
    assert_eq!(findings.all().len(), 0);
}

#[test]
fn a_restart_forgets_neither_since_when_nor_what_is_ignored() {
    let findings = Findings::default();
    findings.replace(Domain::Storage, vec![low("9 MB")], at(1));
    findings.ignore(Domain::Storage, "disk_low");
    let restarted = Findings::default();
    restarted.remember(findings.to_store());
    assert_eq!(restarted.all().len(), 0, "nothing is believed before it is found again");
    restarted.replace(Domain::Storage, vec![low("9 MB")], at(100));
    let [finding] = &restarted.all()[..] else { panic!("one finding") };
    assert_eq!((finding.since, finding.ignored), (at(1), true));
}

#[test]
fn nobody_is_told_when_nothing_changes() {
    let findings = Findings::default();
    let changes = findings.changes();
    findings.replace(Domain::Storage, vec![low("9 MB")], at(1));
    assert!(changes.has_changed().unwrap());
    let changes = findings.changes();
    findings.replace(Domain::Storage, vec![low("9 MB")], at(2));
    findings.replace(Domain::Database, vec![], at(2));
    assert!(!changes.has_changed().unwrap());
}

#[test]
fn the_gravest_comes_first() {
    let findings = Findings::default();
    findings.replace(Domain::Storage, vec![low("9 MB"), full()], at(1));
    let ids: Vec<Box<str>> = findings.all().into_iter().map(|finding| finding.id).collect();
    assert_eq!(ids, ["disk_full".into(), "disk_low".into()]);
}

#[test]
fn what_was_ignored_while_it_lasted_is_not_told_once_more_when_it_is_over() {
    let findings = Findings::default();
    let stepped = || Found::new(FindingKey::ClockStepped, Severity::Error).with("+1 h").with("now");
    findings.replace(Domain::Clock, vec![stepped()], at(1));
    findings.ignore(Domain::Clock, "clock_stepped");
    findings.replace(Domain::Clock, vec![stepped().persistent()], at(2));
    assert_eq!(findings.all().len(), 0, "it was seen already");
    findings.replace(Domain::Clock, vec![stepped().persistent()], at(60));
    assert_eq!(findings.count(), 1, "the next one is another");
}
