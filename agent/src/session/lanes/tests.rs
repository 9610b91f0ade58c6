use super::*;

const PATIENCE: Duration = Duration::from_secs(10);
const NOW: Duration = Duration::from_secs(100);

fn at(seq: u64) -> Place {
    Place { epoch: 7, seq }
}

fn ack(committed: u64) -> Ack {
    Ack { epoch: 7, committed }
}

/// Lanes whose live lane begins at `live`, on a way that takes as much as is wanted.
fn lanes(live: u64) -> Lanes {
    let mut lanes = Lanes::new(7, PATIENCE);
    lanes.widen();
    lanes.split(at(live));
    lanes
}

fn begins(leave: Option<Leave>) -> Option<(Place, Place)> {
    leave.map(|leave| (leave.from, leave.until))
}

/// Sends `count` messages of 100 records of the backlog, starting with `first`.
fn fill(lanes: &mut Lanes, first: u64, count: u64) {
    for message in 0..count {
        let first = first + message * 100;
        assert!(lanes.backlog().is_some());
        lanes.sent(Lane::Backlog, (at(first), at(first + 99)), 25_000, NOW);
    }
}

#[test]
fn new_records_pass_a_full_window_of_history() {
    let mut lanes = lanes(9001);
    fill(&mut lanes, 1, 20);
    assert_eq!(lanes.backlog(), None);
    assert_eq!(begins(lanes.live(NOW)), Some((at(9001), Place::END)));
    lanes.sent(Lane::Live, (at(9001), at(9003)), 25_000, NOW);
    assert_eq!(lanes.live(NOW), None, "live messages leave the history some room");
    assert_eq!(lanes.deadline(), Some(NOW + LIVE_APART));
    assert_eq!(begins(lanes.live(NOW + LIVE_APART)), Some((at(9004), Place::END)));
}

#[test]
fn each_acknowledged_message_makes_room_for_one() {
    let mut lanes = lanes(9001);
    fill(&mut lanes, 1, 20);
    lanes.acked(ack(99), NOW);
    assert_eq!(lanes.backlog(), None, "the first message is not yet whole");
    lanes.acked(ack(100), NOW);
    assert_eq!(begins(lanes.backlog()), Some((at(2001), at(9001))));
}

#[test]
fn what_arrives_of_this_run_does_not_make_it_wait_longer_for_what_is_missing_of_an_earlier_one() {
    let mut lanes = Lanes::new(8, PATIENCE);
    lanes.widen();
    lanes.split(Place { epoch: 8, seq: 1 });
    fill(&mut lanes, 1, 20);
    let due = lanes.deadline;
    let later = NOW + PATIENCE / 2;
    lanes.sent(Lane::Live, (Place { epoch: 8, seq: 1 }, Place { epoch: 8, seq: 1 }), 25_000, later);
    lanes.acked(Ack { epoch: 8, committed: 1 }, later);
    assert_eq!(lanes.deadline, due);
    assert!(lanes.is_due(NOW + PATIENCE));
    lanes.acked(ack(100), later);
    assert_eq!(lanes.deadline, Some(later + PATIENCE), "progress of the backlog itself does");
}

#[test]
fn what_was_sent_live_is_not_sent_again_when_the_history_gets_there() {
    let mut lanes = lanes(201);
    lanes.sent(Lane::Live, (at(201), at(230)), 25_000, NOW);
    fill(&mut lanes, 1, 2);
    assert_eq!(begins(lanes.backlog()), Some((at(201), at(201))));
    lanes.exhausted(Lane::Backlog);
    assert_eq!(lanes.backlog(), None);
    assert_eq!(begins(lanes.live(NOW)), Some((at(231), Place::END)), "now there is one stream");
    lanes.acked(ack(230), NOW);
    assert_eq!(lanes.deadline(), None, "nothing is under way");
}

#[test]
fn without_progress_everything_is_sent_again_ever_more_patiently() {
    let mut lanes = lanes(1);
    lanes.exhausted(Lane::Backlog);
    let mut patience = Vec::new();
    for _ in 0..5 {
        lanes.fresh = false;
        assert_eq!(lanes.deadline(), None, "nothing under way, nothing to wait for");
        lanes.sent(Lane::Live, (at(1), at(1)), 25_000, NOW);
        patience.push(lanes.deadline.unwrap().abs_diff(NOW).as_secs());
        lanes.rewind();
        assert_eq!(lanes.backlog().map(|leave| leave.from), Some(Place::default()));
    }
    assert_eq!(patience, [10, 20, 40, 60, 60]);
    lanes.sent(Lane::Live, (at(1), at(1)), 25_000, NOW);
    lanes.sent(Lane::Live, (at(2), at(2)), 25_000, NOW);
    lanes.acked(ack(1), NOW);
    assert_eq!(lanes.deadline, Some(NOW + PATIENCE), "progress makes it impatient again");
}

#[test]
fn to_a_hub_that_acknowledges_nothing_only_so_much_is_sent() {
    let mut lanes = lanes(9001);
    lanes.rewind();
    lanes.split(at(9001));
    let mut now = NOW;
    let mut live = 0;
    while let Some(Leave { from, .. }) = lanes.live(now) {
        lanes.sent(Lane::Live, (from, from), 25_000, now);
        now += LIVE_APART;
        live += 1;
    }
    assert_eq!(live, LIVE_UNHEARD);
    lanes.widen();
    fill(&mut lanes, 1, 20);
    assert_eq!(lanes.backlog(), None);
    lanes.acked(ack(2000), now);
    assert!(lanes.live(now).is_some() && lanes.backlog().is_some());
}

#[test]
fn a_stream_that_is_held_up_is_split_and_goes_on_with_what_is_new() {
    let mut lanes = lanes(1);
    lanes.exhausted(Lane::Backlog);
    for message in 0..20 {
        lanes.sent(Lane::Live, (at(message * 100 + 1), at(message * 100 + 100)), 25_000, NOW);
    }
    assert_eq!(lanes.live(NOW), None);
    assert!(!lanes.is_blocked(NOW));
    assert_eq!(lanes.deadline(), Some(NOW + BLOCKED));
    assert!(lanes.is_blocked(NOW + BLOCKED));
    lanes.split(at(5000));
    assert_eq!(begins(lanes.live(NOW + BLOCKED)), Some((at(5000), Place::END)));
    lanes.acked(ack(1900), NOW + BLOCKED);
    assert_eq!(begins(lanes.backlog()), Some((at(2001), at(5000))));
}

#[test]
fn of_a_long_range_only_what_was_sent_a_while_ago_is_missed() {
    let mut lanes = lanes(9001);
    fill(&mut lanes, 1, 2);
    assert_eq!(lanes.missed_until(7, 1, 9000, NOW), 0, "on its way");
    assert_eq!(lanes.missed_until(7, 1, 9000, NOW + ON_ITS_WAY), 200, "the rest is still to come");
    assert_eq!(lanes.missed_until(6, 1, 9000, NOW), 9000, "an epoch that was acknowledged before");
    assert_eq!(lanes.missed_until(8, 1, 9000, NOW), 0);
}

#[test]
fn of_what_no_backlog_is_left_a_long_range_is_missed_as_well_as_a_short_one() {
    let mut lanes = lanes(9001);
    lanes.exhausted(Lane::Backlog);
    assert_eq!(lanes.missed_until(7, 1, 150, NOW), 150, "it was sent, or is lost");
    assert_eq!(lanes.missed_until(7, 1, 20_000, NOW), 9000, "what is not made yet is not");
    assert_eq!(lanes.missed_until(6, 1, 9000, NOW), 9000);
    assert_eq!(lanes.missed_until(8, 1, 9000, NOW), 0);
}
