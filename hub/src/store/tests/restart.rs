//! What a restart goes on from: the rules are run on a real site, stored, read back, and run on.

use std::sync::Arc;

use lobby_contract::{AgentId, AgentInfo, Birth, Data, Death, DeathReason, DeviceInfo, Lost, Record, RefusedRecord};
use lobby_domain::{
    agent::Link,
    alert::Subject,
    calendar::Calendar,
    device,
    pack::Pack,
    rule::Phase,
    site::{Changes, Site, Stored},
    time::{Span, Timestamp},
};
use rstest::rstest;

use super::{
    Batch, Database, Kind, LED, MINUTE, Store, T0, Writer, all_alerts, all_tickets, count, record, site, writer,
};
use crate::store::RecordFilter;

pub(super) const EPOCH: u64 = 7;
pub(super) const SECOND: Span = Span::from_secs(1);

/// A site at work: judged in memory and stored, step by step.
pub(super) struct Hub {
    pub(super) site: Site,
    writer: Writer,
    pub(super) now: Timestamp,
    session: u32,
}

pub(super) fn agent() -> AgentId {
    "box".parse().unwrap()
}

impl Hub {
    /// As after a start on this database.
    pub(super) async fn start(store: &Store, now: Timestamp) -> (Self, Stored) {
        let mut fresh = Site::new(site(), Calendar::always_open(super::shanghai()), Pack::built_in(), now);
        let mut changes = Changes::default();
        fresh.restore(store.site(&site()).await.unwrap(), now, &mut changes);
        let mut hub = Self { site: fresh, writer: writer(store), now, session: 0 };
        hub.store(changes).await;
        (hub, store.site(&site()).await.unwrap())
    }

    async fn store(&mut self, changes: Changes) {
        let batch = Batch {
            site: site(),
            zone: super::shanghai(),
            agents: self.site.agents().cloned().collect(),
            devices: changes.devices.iter().filter_map(|id| self.site.device(id)).cloned().collect(),
            changes,
            told: Vec::new(),
        };
        self.writer.commit(&[batch], self.now).await.unwrap();
    }

    pub(super) async fn step(&mut self, step: impl FnOnce(&mut Site, Timestamp, &mut Changes)) {
        let mut changes = Changes::default();
        step(&mut self.site, self.now, &mut changes);
        self.store(changes).await;
    }

    pub(super) async fn birth(&mut self) {
        self.session += 1;
        let devices = vec![DeviceInfo {
            id: LED.parse().unwrap(),
            kind: "led-display".into(),
            name: "门口电子显示屏".into(),
            place: "大门口".into(),
            every_ms: 10_000,
        }];
        let version = AgentInfo { version: "0.1.0".into() };
        let sent_at = self.now.millis();
        let birth = Birth {
            epoch: EPOCH,
            session: self.session,
            sent_at,
            agent: version,
            queued: 3,
            unsaved: 0,
            refused: Vec::new(),
            devices,
        };
        self.step(|site, now, changes| site.birth(&agent(), &birth, now, changes)).await;
    }

    /// Records of these numbers, all of which state this power.
    pub(super) async fn data(&mut self, seqs: &[u64], power: &str) {
        let now = self.now;
        let record = |seq: &u64| {
            let mut record = record(*seq, LED, now);
            record.facts.insert("power".into(), power.into());
            record
        };
        self.send(seqs.iter().map(record).collect()).await;
    }

    async fn send(&mut self, records: Vec<Record>) {
        let sent_at = self.now.millis();
        let data = Data { epoch: EPOCH, session: self.session, sent_at, oldest: Some(1), records, refused: Vec::new() };
        self.step(|site, now, changes| site.data(&agent(), data, now, changes)).await;
    }

    pub(super) async fn lost(&mut self, from: u64, to: u64) {
        let lost = Lost { epoch: EPOCH, from, to };
        self.step(|site, now, changes| site.lost(&agent(), &lost, now, changes)).await;
    }

    /// A record of that number that is none.
    pub(super) async fn refused(&mut self, seq: u64) {
        let refused = RefusedRecord { index: 0, seq: Some(seq), reason: "no reach".to_owned() };
        let sent_at = self.now.millis();
        let (session, refused) = (self.session, vec![refused]);
        let data = Data { epoch: EPOCH, session, sent_at, oldest: Some(1), records: Vec::new(), refused };
        self.step(|site, now, changes| site.data(&agent(), data, now, changes)).await;
    }

    /// Reports the same power every second for so long.
    async fn go_on(&mut self, first_seq: u64, seconds: u64, power: &str) {
        for seq in first_seq..first_seq + seconds {
            self.now = self.now + SECOND;
            self.data(&[seq], power).await;
            self.step(Site::tick).await;
        }
    }

    fn committed(&self) -> Option<u64> {
        self.site.agent(&agent()).unwrap().streams[&EPOCH].committed()
    }

    fn phase(&self, rule: &str) -> Phase {
        let device = self.site.devices().next().unwrap();
        device.watch.phases().find(|(known, _)| &*known.id == rule).unwrap().1
    }
}

#[rstest]
#[tokio::test]
async fn gaps_are_known_after_a_restart_and_what_fills_them_counts(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let (mut hub, _) = Hub::start(&database.store, T0).await;
    hub.birth().await;
    hub.data(&[1, 2, 3, 5, 9, 10], "on").await;
    hub.lost(7, 7).await;
    assert_eq!(hub.committed(), Some(3));
    let (mut hub, _) = Hub::start(&database.again().await, T0 + MINUTE).await;
    assert_eq!(hub.committed(), Some(3));
    hub.data(&[4], "on").await;
    assert_eq!(hub.committed(), Some(5));
    hub.data(&[6], "on").await;
    assert_eq!(hub.committed(), Some(7), "7 was lost, which was stored too");
    hub.data(&[8], "on").await;
    assert_eq!(hub.committed(), Some(10), "9 and 10 had been stored beyond the gap");
    database.store.merge_all().await.unwrap();
    assert_eq!(count(&database.store, "record").await, 9);
}

#[rstest]
#[tokio::test]
async fn agents_and_devices_are_read_back_but_nothing_is_believed_of_the_present(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (mut hub, _) = Hub::start(&database.store, T0).await;
    hub.birth().await;
    hub.data(&[1, 2], "on").await;
    let before = hub.site.devices().next().unwrap().clone();
    let later = T0 + SECOND;
    let (hub, stored) = Hub::start(&database.again().await, later).await;
    assert_eq!(database.store.sites().await.unwrap(), [site()]);
    let device = hub.site.devices().next().unwrap();
    assert_eq!((&device.kind, &device.name, &device.place), (&before.kind, &before.name, &before.place));
    assert_eq!((device.every, device.announced, &device.last), (before.every, true, &before.last));
    assert_eq!(device.state_since, Some((device::State::Unknown, later)));
    let agent = &stored.agents[0];
    assert_eq!((&*agent.version, agent.epoch, agent.session, agent.queued), ("0.1.0", EPOCH, 1, 3));
    assert_eq!(hub.site.agents().next().unwrap().link, Link::Unverified { since: later });
}

#[rstest]
#[tokio::test]
async fn a_fault_that_outlasts_a_restart_stays_one_alert_and_ends_as_one(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (mut hub, _) = Hub::start(&database.store, T0).await;
    hub.birth().await;
    hub.go_on(1, 15, "off").await;
    let since = T0 + SECOND;
    assert_eq!(hub.phase("display-dark"), Phase::Firing { since });
    let (mut hub, _) = Hub::start(&database.again().await, hub.now + SECOND).await;
    assert_eq!(hub.phase("display-dark"), Phase::Firing { since });
    hub.birth().await;
    hub.go_on(16, 30, "off").await;
    assert_eq!(all_alerts(&database.store).await.len(), 1);
    hub.go_on(46, 40, "on").await;
    let [alert] = all_alerts(&database.store).await.try_into().unwrap();
    assert_eq!(alert.clear_reason.as_deref(), Some("recovered"));
    assert_eq!((all_tickets(&database.store).await.len(), count(&database.store, "rule_phase").await), (1, 0));
}

#[rstest]
#[tokio::test]
async fn a_fault_of_the_past_that_a_restart_cuts_in_two_is_discovered_once_and_whole(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (mut hub, _) = Hub::start(&database.store, T0).await;
    hub.birth().await;
    hub.data(&[1], "on").await;
    // After an outage of an hour it sends what it kept: a record each ten seconds, dark from the 20th until the 50th.
    let began = T0 + MINUTE;
    let kept = |seq: u64| {
        let at = began + SECOND.times(10 * u32::try_from(seq).unwrap());
        let mut record = record(seq, LED, at);
        record.facts.insert("power".into(), if (20..50).contains(&seq) { "off" } else { "on" }.into());
        record
    };
    hub.now = T0 + MINUTE.times(60);
    hub.birth().await;
    hub.send((2..40).map(kept).collect()).await;
    assert_eq!(all_alerts(&database.store).await.len(), 0);
    // Twice, because a start that finds it again must not store it again.
    let (hub_again, stored) = Hub::start(&database.again().await, hub.now + SECOND).await;
    assert_eq!(stored.past.len(), 39);
    drop(hub_again);
    let (mut hub, _) = Hub::start(&database.again().await, hub.now + SECOND.times(2)).await;
    hub.birth().await;
    hub.send((40..80).map(kept).collect()).await;
    let since = began + SECOND.times(200);
    let found = |alerts: Vec<crate::store::AlertRow>| {
        alerts.into_iter().map(|alert| (alert.rule, alert.since, alert.late)).collect::<Vec<_>>()
    };
    let dark = found(all_alerts(&database.store).await);
    assert_eq!(dark, [("display-dark".to_owned(), since, true)]);
    let (mut hub, _) = Hub::start(&database.again().await, hub.now + SECOND.times(3)).await;
    assert_eq!(found(all_alerts(&database.store).await), dark, "found again, and stored once");
    // Live again: of what is over nothing is read at the next start.
    hub.birth().await;
    hub.go_on(80, 3, "on").await;
    let (_, stored) = Hub::start(&database.again().await, hub.now + SECOND).await;
    assert_eq!(stored.past, []);
}

#[rstest]
#[case::about_to_be_raised(5, 0, "pending")]
#[case::about_to_be_cleared(15, 5, "recovering")]
#[tokio::test]
async fn time_that_nobody_watched_raises_nothing_and_clears_nothing(
    #[case] bad: u64,
    #[case] good: u64,
    #[case] phase: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (mut hub, _) = Hub::start(&database.store, T0).await;
    hub.birth().await;
    hub.go_on(1, bad, "off").await;
    hub.go_on(1 + bad, good, "on").await;
    let before = (hub.phase("display-dark"), all_alerts(&database.store).await);
    assert!(format!("{:?}", before.0).to_lowercase().starts_with(phase), "{:?}", before.0);
    let (mut hub, _) = Hub::start(&database.again().await, hub.now + MINUTE.times(10)).await;
    hub.step(Site::tick).await;
    hub.birth().await;
    let power = if good == 0 { "off" } else { "on" };
    hub.go_on(1 + bad + good, 2, power).await;
    assert_eq!((hub.phase("display-dark"), all_alerts(&database.store).await), before);
}

#[rstest]
#[tokio::test]
async fn a_timer_goes_on_after_a_restart_from_what_had_counted(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
    #[values(1, 3)] restarts: u64,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (mut hub, _) = Hub::start(&database.store, T0).await;
    hub.birth().await;
    // Of `n` records, a second apart, `n - 1` seconds are known to have been bad: 3 after each start, of 10.
    hub.go_on(1, 4, "off").await;
    let mut seq = 5;
    for _ in 0..restarts {
        (hub, _) = Hub::start(&database.again().await, hub.now + MINUTE).await;
        hub.birth().await;
        hub.go_on(seq, 4, "off").await;
        seq += 4;
    }
    let alerts = all_alerts(&database.store).await;
    if restarts < 3 {
        assert!(alerts.is_empty(), "6 of 10 seconds");
        return;
    }
    assert_eq!(alerts.len(), 1, "12 seconds, of which none in the gaps");
    assert_eq!(alerts[0].since, T0 + SECOND, "wrong since it was first seen");
}

#[rstest]
#[tokio::test]
async fn an_alert_whose_rule_the_pack_no_longer_has_is_cleared_as_such(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (mut hub, _) = Hub::start(&database.store, T0).await;
    hub.birth().await;
    hub.go_on(1, 15, "off").await;
    let mut pack = Pack::clone(&Pack::built_in());
    pack.kinds.remove("led-display");
    let mut changes = Changes::default();
    hub.site = Site::new(site(), Calendar::always_open(super::shanghai()), Arc::new(pack), hub.now);
    hub.site.restore(database.store.site(&site()).await.unwrap(), hub.now, &mut changes);
    hub.store(changes).await;
    let [alert] = all_alerts(&database.store).await.try_into().unwrap();
    assert_eq!(alert.clear_reason.as_deref(), Some("rule_removed"));
    assert_eq!(alert.subject, Subject::Device(LED.parse().unwrap()));
    assert_eq!(count(&database.store, "rule_phase").await, 0);
}

#[rstest]
#[tokio::test]
async fn every_lost_record_is_counted_once_however_often_it_is_said(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (mut hub, _) = Hub::start(&database.store, T0).await;
    hub.birth().await;
    hub.data(&[1, 2], "on").await;
    hub.lost(50, 61).await;
    hub.lost(50, 61).await;
    assert_eq!(database.store.lost_total().await.unwrap(), 12);
    hub.lost(50, 70).await;
    hub.lost(50, 55).await;
    assert_eq!(database.store.lost_total().await.unwrap(), 21, "more of them are gone by now");
    let (mut hub, _) = Hub::start(&database.again().await, T0 + SECOND).await;
    hub.lost(3, 49).await;
    assert_eq!(hub.committed(), Some(70), "the longer range is remembered");
}

#[rstest]
#[tokio::test]
async fn a_device_goes_on_from_its_last_record_although_a_clock_was_set_back(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (mut hub, _) = Hub::start(&database.store, T0).await;
    hub.birth().await;
    hub.data(&[1], "on").await;
    // By less than makes it look as if it had been long on its way.
    let mut later = record(2, LED, T0.shifted(-20_000));
    later.facts.insert("power".into(), "off".into());
    let (sent_at, records) = (later.at, vec![later]);
    let data = Data { epoch: EPOCH, session: 1, sent_at, oldest: Some(1), records, refused: Vec::new() };
    hub.step(|site, now, changes| site.data(&agent(), data, now, changes)).await;
    assert_eq!(hub.site.devices().next().unwrap().last.as_ref().unwrap().order, (EPOCH, 2));
    let (_, stored) = Hub::start(&database.again().await, T0 + MINUTE).await;
    assert_eq!(stored.devices[0].last.as_ref().map(|last| last.order), Some((EPOCH, 2)));
}

#[rstest]
#[tokio::test]
async fn what_was_long_on_its_way_is_not_the_present_after_a_restart_either(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (mut hub, _) = Hub::start(&database.store, T0).await;
    hub.birth().await;
    hub.data(&[1], "on").await;
    let late = |seq, hub: &Hub| {
        let mut late = record(seq, LED, hub.now - MINUTE.times(120));
        late.facts.insert("power".into(), "off".into());
        late
    };
    hub.send(vec![late(2, &hub)]).await;
    let order = |stored: &Stored| stored.devices[0].last.as_ref().map(|last| last.order);
    assert_eq!(hub.site.devices().next().unwrap().last.as_ref().unwrap().order, (EPOCH, 1));
    let (mut hub, stored) = Hub::start(&database.store, hub.now + SECOND).await;
    assert_eq!(order(&stored), Some((EPOCH, 1)));
    // Though it is later than all that count of those that are looked at first.
    hub.session = 1;
    hub.birth().await;
    for first in (3..603).step_by(100) {
        hub.send((first..first + 100).map(|seq| late(seq, &hub)).collect()).await;
    }
    let (_, stored) = Hub::start(&database.store, hub.now + SECOND).await;
    assert_eq!(order(&stored), Some((EPOCH, 1)));
}

#[rstest]
#[tokio::test]
async fn after_a_restart_it_is_known_when_an_agent_was_last_heard_of_and_that_it_stopped(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (mut hub, _) = Hub::start(&database.store, T0).await;
    hub.birth().await;
    hub.go_on(1, 100, "on").await;
    let heard_at = hub.now;
    let (mut hub, stored) = Hub::start(&database.store, heard_at + MINUTE).await;
    assert_eq!(stored.agents[0].last_seen, Some(heard_at));
    assert!(!stored.agents[0].stopped);
    hub.now = heard_at + MINUTE.times(3);
    hub.step(Site::tick).await;
    assert_eq!(hub.site.agent(&agent()).unwrap().link, Link::Down { since: heard_at });
    hub.session = 1;
    hub.birth().await;
    let stops = Death { epoch: EPOCH, session: 2, reason: DeathReason::Stopping };
    hub.step(|site, now, changes| site.death(&agent(), &stops, now, changes)).await;
    let (mut hub, stored) = Hub::start(&database.store, hub.now + SECOND).await;
    assert!(stored.agents[0].stopped);
    hub.session = 2;
    hub.birth().await;
    assert!(!database.store.site(&site()).await.unwrap().agents[0].stopped, "it is there again");
}

#[rstest]
#[case::it_waited(300, Link::Unverified { since: T0 + MINUTE.times(10) })]
#[case::it_did_not(0, Link::Up)]
#[tokio::test]
async fn what_waited_in_a_broker_while_the_hub_was_down_is_stored_at_its_own_time(
    #[case] waited: u32,
    #[case] link: Link,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (mut hub, _) = Hub::start(&database.store, T0).await;
    hub.birth().await;
    hub.go_on(1, 2, "on").await;
    let now = T0 + MINUTE.times(10);
    let (mut hub, stored) = Hub::start(&database.store, now).await;
    assert_eq!(stored.agents[0].clock.noted(), Some(0));
    let sent_at = now - SECOND.times(waited);
    let records = vec![record(3, LED, sent_at)];
    let (sent, refused) = (sent_at.millis(), Vec::new());
    let data = Data { epoch: EPOCH, session: 1, sent_at: sent, oldest: Some(1), records, refused };
    hub.step(|site, now, changes| site.data(&agent(), data, now, changes)).await;
    let filter = RecordFilter { site: site(), device: Some(LED.parse().unwrap()), from: Some(T0 + MINUTE), to: None };
    let (rows, _) = database.store.records(&filter, None, 10).await.unwrap().unwrap();
    let stored: Vec<_> = rows.iter().map(|row| (row.seq, row.at, row.clock_suspect)).collect();
    assert_eq!(stored, [(3, sent_at, false)]);
    // Only what is of the present shows that the agent is there.
    assert_eq!(hub.site.agent(&agent()).unwrap().link, link);
}
