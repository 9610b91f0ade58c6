//! What a site with a fault has come to goes first.

use lobby_contract::{Reach, Record, SiteId};
use lobby_domain::{
    alert::{Clear, ClearReason, Subject},
    site::{AlertChange, Changes, NewRecord},
    time::Timestamp,
};

use crate::{
    audit::{Actor, Change},
    ingest::{BESIDE_A_FAULT, Gathered},
};

const NOW: Timestamp = Timestamp::from_millis(1_795_140_000_000);

fn records(count: usize) -> Changes {
    let record = |seq: usize| Record {
        seq: u64::try_from(seq).unwrap(),
        at: NOW.millis(),
        device: "led".parse().unwrap(),
        reach: Reach::Ok,
        facts: [].into(),
        faults: Vec::new(),
    };
    let new = |seq| NewRecord {
        agent: "box".parse().unwrap(),
        epoch: 1,
        record: record(seq),
        received_at: NOW,
        at: NOW,
        clock_suspect: false,
    };
    Changes { records: (1..=count).map(new).collect(), ..Changes::default() }
}

/// Records, and an alert that they clear.
fn urgent(count: usize) -> Changes {
    let subject = Subject::Device("led".parse().unwrap());
    let clear = Clear { subject, rule: "dark".into(), at: NOW, reason: ClearReason::Recovered, by: "".into() };
    Changes { alerts: vec![AlertChange::Clear(clear)], ..records(count) }
}

fn gathered(sites: impl IntoIterator<Item = (&'static str, Changes)>) -> Gathered {
    let changes: std::collections::BTreeMap<SiteId, Changes> =
        sites.into_iter().map(|(site, changes)| (site.parse().unwrap(), changes)).collect();
    let count = changes.values().map(|changes| changes.records.len()).sum();
    let is_urgent = changes.values().any(|changes| !changes.alerts.is_empty());
    let told = |site: &SiteId| vec![Change::new(&Actor::here(""), NOW, "site.told", site.as_str())];
    let told = changes.keys().map(|site| (site.clone(), told(site))).collect();
    Gathered { changes, told, records: count, urgent: is_urgent.then_some(1), ..Gathered::default() }
}

fn sites(gathered: &Gathered) -> Vec<&str> {
    assert!(gathered.told.keys().eq(gathered.changes.keys()), "what people changed of a site goes with it");
    gathered.changes.keys().map(SiteId::as_str).collect()
}

#[test]
fn sites_with_faults_go_before_much_else() {
    let mut all = gathered([("a", records(60)), ("b", urgent(3)), ("c", records(40)), ("d", urgent(1))]);
    let first = all.take_urgent().unwrap();
    assert_eq!((sites(&first), first.records), (vec!["b", "d"], 4));
    assert_eq!((sites(&all), all.records), (vec!["a", "c"], 100));
    assert!(all.take_urgent().is_none(), "the rest goes together");
}

#[test]
fn what_little_there_is_goes_together() {
    for mut all in [
        gathered([("a", records(BESIDE_A_FAULT)), ("b", urgent(500))]),
        gathered([("a", urgent(500))]),
        gathered([("a", records(500)), ("b", records(3))]),
    ] {
        assert!(all.take_urgent().is_none(), "{:?}", sites(&all));
    }
}

#[test]
fn where_a_person_waits_all_goes_together() {
    let mut all = gathered([("a", records(500)), ("b", urgent(3))]);
    all.replies.push((tokio::sync::oneshot::channel().0, Ok(())));
    assert!(all.take_urgent().is_none());
}
