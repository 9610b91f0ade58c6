//! Standards that change while batches that were judged by the old ones wait to be stored.

use std::{fs, path::Path, sync::Arc};

use lobby_domain::pack::BUILT_IN;
use rstest::rstest;
use tokio::time::timeout;

use super::{
    KIND, MACHINE, NEVER, broken, fine, incidents,
    peer::{Agent, Hub},
    seqs,
};
use crate::{lifecycle::Ending, store::AlertFilter};

const RULES: &str = "rules-covers.toml";

/// Writes the standards of a hub in `folder`, with the rule of the motor changed, and its configuration.
fn write(folder: &Path, change: impl Fn(&str) -> String, more: &str) {
    let standards = folder.join("standards");
    fs::create_dir_all(&standards).unwrap();
    for (name, text) in BUILT_IN {
        let text = if *name == *RULES { change(text) } else { (*text).to_owned() };
        fs::write(standards.join(name), text).unwrap();
    }
    fs::write(folder.join("hub.toml"), format!("{more}\nstandards = \"{}\"\n", standards.display())).unwrap();
}

fn of_the_motor(text: &str, from: &str, to: &str) -> String {
    let at = text.find("id = \"covers-motor-fault\"").expect("the rule");
    let (before, rule) = text.split_at(at);
    assert!(rule.contains(from));
    format!("{before}{}", rule.replacen(from, to, 1))
}

/// Rule, severity, and why it was cleared, of every alert.
type Alerts = Vec<(String, String, Option<String>)>;

#[rstest]
#[case::of_another_severity(
    ("severity = \"critical\"", "severity = \"warning\""),
    &[("covers-motor-fault", "warning", None)]
)]
#[case::whose_rule_is_another(
    ("covers-motor-fault", "covers-motor-broken"),
    &[("covers-motor-broken", "critical", None), ("covers-motor-fault", "critical", Some("rule_removed"))]
)]
#[tokio::test]
async fn what_waits_to_be_stored_when_the_standards_change_is_stored_once_and_goes_on_by_the_new_ones(
    #[case] (from, to): (&str, &str),
    #[case] expected: &[(&str, &str, Option<&str>)],
) {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    write(folder.path(), str::to_owned, "");
    let hub = Hub::start_in(Arc::clone(&folder)).await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    agent.data(1, &[fine(1)]).await;
    agent.ack().await;
    let store = hub.database().await;
    // As long as another transaction has SQLite's lock, what is judged waits.
    let lock = store.begin().await.unwrap();
    agent.data(1, &[broken(2)]).await;
    agent.data(1, &[broken(3)]).await;
    let judged = async |hub: &Hub| hub.get("/api/v1/devices/demo/covers-1").await.contains("\"motor\":\"fault\"");
    hub.until("the fault is judged", judged).await;
    // What needs a restart is said as soon as the files are read.
    write(folder.path(), |text| of_the_motor(text, from, to), "reserve_mib = 32");
    hub.until("the files are read", async |hub| hub.get("/api/v1/findings").await.contains("reserve_mib")).await;
    assert!(timeout(NEVER, agent.ack()).await.is_err(), "an acknowledgement without a commit");
    assert_eq!(seqs(&store).await, [1]);
    lock.commit().await.unwrap();
    while agent.ack().await.committed < 3 {}
    let alerts = async || -> Alerts {
        let (rows, _) = store.alerts(&AlertFilter::default(), None, 100).await.unwrap().unwrap();
        let mut rows: Alerts = rows.into_iter().map(|row| (row.rule, row.severity, row.clear_reason)).collect();
        rows.sort();
        rows
    };
    let expected: Alerts = expected
        .iter()
        .map(|(rule, severity, why)| ((*rule).into(), (*severity).into(), why.map(Into::into)))
        .collect();
    hub.until("the alerts are as the new standards say", async |_| alerts().await == expected).await;
    assert_eq!(seqs(&store).await, [1, 2, 3]);
    assert_eq!(incidents(&store).await.1.len(), 1, "one incident, one ticket");
    let hub = hub.restart().await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    agent.data(1, &[broken(4)]).await;
    while agent.ack().await.committed < 4 {}
    assert_eq!(alerts().await, expected, "a restart finds the same");
    assert_eq!(hub.stop().await, Ending::Clean);
}
