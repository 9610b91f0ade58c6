//! A session with a real spool, carried out by hand: the connection, the hub and the time are the test's.

use std::collections::BTreeMap;

use lobby_contract::{FactValue, FromAgent, Reach, Record};
use tempfile::TempDir;

use super::*;
use crate::spool::{Limits, Spool};

const PATIENCE: Duration = Duration::from_secs(10);

struct Bench {
    session: Session,
    spool: Spool,
    at: Duration,
    seen: Changes,
    sent: Vec<FromAgent>,
    /// What the spool says to be lost.
    lost: Vec<Lost>,
    _dir: TempDir,
}

fn record(device: &str) -> Record {
    let facts = BTreeMap::from([("power".into(), FactValue::from("on"))]);
    Record { seq: 0, at: 0, device: device.parse().unwrap(), reach: Reach::Ok, facts, faults: Vec::new() }
}

impl Bench {
    /// A session that has just begun, with `queued` records of one device in the spool.
    fn with(queued: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), Limits::of(16 * 1024 * 1024), 0).unwrap();
        spool.append((0..queued).map(|_| record("led")));
        let speaker = Speaker { epoch: spool.epoch(), session: 1, devices: Arc::new([]), patience: PATIENCE };
        let session = Session::begin(speaker, Changes::default());
        let (at, seen, sent) = (Duration::from_secs(1000), Changes::default(), Vec::new());
        Self { session, spool, at, seen, sent, lost: Vec::new(), _dir: dir }
    }

    fn now(&self) -> Now {
        Now { at: self.at, wall: 0 }
    }

    /// Lets the session do what it wants to do now, and says what it published.
    fn act(&mut self) -> Vec<FromAgent> {
        let mut published = Vec::new();
        while let Some(action) = self.session.next(self.now()) {
            match action {
                Action::Subscribe | Action::Probe { .. } => {}
                Action::Publish { channel, payload } => published.push(FromAgent::decode(channel, &payload).unwrap()),
                Action::Spool(query) => {
                    let answer = match query {
                        Query::Status => Answer::Status(Status { lost: self.lost.clone(), ..self.spool.status() }),
                        Query::Ack(ack) => Answer::Ack(self.spool.ack(ack)),
                        Query::Unacked { from, until, most } => Answer::Unacked(self.spool.unacked(from, until, most)),
                        Query::Again { epoch, from, to } => Answer::Again(self.spool.again(epoch, from, to)),
                    };
                    self.session.answer(answer, self.now());
                }
            }
        }
        self.sent.extend(published.iter().cloned());
        published
    }

    /// Lets time pass, stopping wherever the session wants to.
    fn pass(&mut self, time: Duration) -> Vec<FromAgent> {
        let (end, mut published) = (self.at + time, Vec::new());
        while let Some(deadline) = self.session.deadline().filter(|deadline| *deadline <= end) {
            self.at = deadline.max(self.at);
            published.extend(self.act());
            assert!(self.session.deadline().is_none_or(|next| next > self.at), "a deadline that does not pass");
        }
        self.at = end;
        published
    }

    fn append(&mut self, device: &str) {
        assert!(self.spool.append([record(device)]));
        self.seen.appended += 1;
        self.session.spool_changed(self.seen);
        self.act();
    }

    fn ack(&mut self, committed: u64) {
        let ack = Ack { epoch: self.spool.epoch(), committed };
        self.session.message(Channel::Ack, &encode(&ack), self.now());
    }

    fn command(&mut self, order: Order) {
        let command = Command { id: "c1".into(), order };
        self.session.message(Channel::Command, &encode(&command), self.now());
    }
}

/// First and last `seq` of each message.
fn data(messages: &[FromAgent]) -> Vec<(u64, u64)> {
    let data =
        messages.iter().filter_map(|message| if let FromAgent::Data(data) = message { Some(data) } else { None });
    data.map(|data| (data.records[0].seq, data.records.last().unwrap().seq)).collect()
}

fn births(messages: &[FromAgent]) -> usize {
    messages.iter().filter(|message| matches!(message, FromAgent::Birth(_))).count()
}

#[test]
fn a_session_begins_with_the_birth_then_the_newest_records_then_the_oldest() {
    let mut bench = Bench::with(2500);
    bench.session.lanes.widen();
    let sent = bench.act();
    assert!(matches!(&sent[0], FromAgent::Birth(birth) if birth.queued == 2500));
    let mut expected = vec![(2401, 2500)];
    expected.extend((0..20).map(|message| (message * 100 + 1, message * 100 + 100)));
    assert_eq!(data(&sent), expected);
}

#[test]
fn of_a_backlog_a_few_records_go_first_and_then_as_many_as_the_way_takes() {
    let mut bench = Bench::with(2500);
    let sent = data(&bench.act());
    assert_eq!((sent.len(), sent[0]), (2, (2401, 2500)));
    let (first, last) = sent[1];
    assert!(first == 1 && last < 20, "{last}");
    bench.at += Duration::from_millis(10);
    bench.ack(last);
    let more = data(&bench.act());
    assert!(
        more.first().is_some_and(|(first, _)| *first == last + 1) && more.last().unwrap().1 > 10 * last,
        "{more:?}"
    );
}

#[test]
fn a_few_records_are_one_message() {
    let mut bench = Bench::with(3);
    assert_eq!(data(&bench.act()), [(1, 3)]);
}

#[test]
fn a_device_that_was_quiet_for_long_is_among_the_newest() {
    let mut bench = Bench::with(1);
    for _ in 0..500 {
        bench.append("quiet");
    }
    for _ in 0..200 {
        bench.append("led");
    }
    bench.session.hub_state(&encode(&HubState { online: false, at: 0 }), bench.now());
    bench.at += Duration::from_secs(6);
    bench.session.hub_state(&encode(&HubState { online: true, at: 0 }), bench.now());
    assert_eq!(data(&bench.act())[0], (501, 600), "where the newest record of the quiet one is");
}

#[test]
fn while_history_drains_a_new_record_leaves_within_a_second_and_everything_is_sent_once() {
    let mut bench = Bench::with(10_000);
    let mut delays = Vec::new();
    let mut acked = 0;
    bench.act();
    while acked < 10_000 + delays.len() as u64 {
        bench.at += Duration::from_millis(70);
        bench.append("led");
        let (appended, seq) = (bench.at, 10_000 + delays.len() as u64 + 1);
        while !data(&bench.sent).iter().any(|(first, last)| (*first..=*last).contains(&seq)) {
            bench.pass(Duration::from_millis(10));
        }
        delays.push(bench.at.abs_diff(appended));
        let taken: std::collections::BTreeSet<u64> = data(&bench.sent).into_iter().flat_map(|(a, b)| a..=b).collect();
        acked = (1..=20_000).take_while(|seq| taken.contains(seq)).last().unwrap().min(acked + 400);
        bench.ack(acked);
        bench.act();
    }
    assert!(delays.iter().max().unwrap() < &Duration::from_secs(1), "{:?}", delays.iter().max());
    let mut all: Vec<u64> = data(&bench.sent).into_iter().flat_map(|(a, b)| a..=b).collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count, "something was sent twice");
    assert_eq!(bench.spool.queued(), 0);
    assert_eq!(bench.session.deadline(), None);
}

#[test]
fn a_hub_that_asks_for_what_is_still_to_come_gets_nothing_twice() {
    let mut bench = Bench::with(5000);
    bench.session.lanes.widen();
    bench.act();
    bench.command(Order::Resend { epoch: None, from: 1, to: 4900 });
    assert_eq!(data(&bench.act()), []);
    // What was sent long enough ago may be lost; the rest is still to come.
    bench.at += Duration::from_secs(6);
    bench.command(Order::Resend { epoch: None, from: 1, to: 4900 });
    bench.command(Order::Resend { epoch: None, from: 1, to: 4900 });
    let again = data(&bench.act());
    assert_eq!((again.first(), again.last(), again.len()), (Some(&(1, 100)), Some(&(1901, 2000)), 20));
}

#[test]
fn a_short_range_is_sent_again_whenever_the_hub_asks() {
    let mut bench = Bench::with(5);
    bench.act();
    bench.command(Order::Resend { epoch: None, from: 2, to: 3 });
    assert_eq!(data(&bench.act()), [(2, 3)]);
}

#[test]
fn without_an_acknowledgement_everything_is_sent_again_newest_first() {
    let mut bench = Bench::with(103);
    let first = data(&bench.act());
    assert_eq!(first, [(4, 103), (1, 3)]);
    assert_eq!(data(&bench.pass(PATIENCE)), first);
    bench.ack(103);
    bench.act();
    assert_eq!(data(&bench.pass(PATIENCE * 10)), []);
}

#[test]
fn a_hub_that_is_there_again_gets_at_once_what_it_may_have_missed() {
    let mut bench = Bench::with(3);
    let state = |online| encode(&HubState { online, at: 0 });
    bench.session.hub_state(&state(true), bench.now());
    assert_eq!(data(&bench.act()), [(1, 3)]);
    bench.session.hub_state(&state(false), bench.now());
    bench.at += Duration::from_secs(6);
    bench.session.hub_state(&state(true), bench.now());
    assert_eq!(data(&bench.act()), [(1, 3)]);
    bench.at += Duration::from_secs(6);
    bench.command(Order::Rebirth);
    let sent = bench.act();
    assert!(matches!(&sent[0], FromAgent::Birth(_)));
    assert!(matches!(&sent[1], FromAgent::Result(result) if result.ok));
    assert_eq!(data(&sent), [(1, 3)]);
}

#[test]
fn a_hub_that_listens_is_not_sent_anything_again_for_a_rebirth() {
    let mut bench = Bench::with(3);
    bench.act();
    bench.command(Order::Rebirth);
    assert_eq!(data(&bench.act()), []);
}

#[test]
fn trouble_with_the_disk_is_told_in_a_birth_but_not_each_second() {
    let mut bench = Bench::with(1);
    bench.act();
    let mut told = 0;
    for second in 0..60 {
        bench.seen.in_trouble = second % 2 == 0;
        bench.session.spool_changed(bench.seen);
        told += births(&bench.act());
        told += births(&bench.pass(Duration::from_secs(1)));
    }
    assert!((5..=6).contains(&told), "{told}");
}

#[test]
fn a_loss_is_told_again_until_it_is_acknowledged_although_other_records_arrive() {
    let mut bench = Bench::with(0);
    let of_an_earlier_run = Lost { epoch: bench.spool.epoch() - 1, from: 3, to: 9 };
    let lost = |messages: &[FromAgent]| messages.iter().filter(|message| matches!(message, FromAgent::Lost(_))).count();
    let tell = |bench: &mut Bench| {
        bench.lost = vec![of_an_earlier_run];
        bench.seen.lost += 1;
        bench.session.spool_changed(bench.seen);
        bench.act()
    };
    bench.act();
    assert_eq!(lost(&tell(&mut bench)), 1);
    let mut again = 0;
    for seq in 1..=30 {
        bench.append("led");
        bench.ack(seq);
        again += lost(&bench.act()) + lost(&bench.pass(PATIENCE / 2));
    }
    assert_eq!(again, 2, "once a minute");
    bench.lost.clear();
    bench.pass(LOST_AGAIN);
    assert_eq!((lost(&bench.pass(LOST_AGAIN * 3)), bench.session.deadline()), (0, None), "it is acknowledged");
}
