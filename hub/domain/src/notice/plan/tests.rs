use proptest::prelude::*;
use rstest::rstest;
use uuid::Uuid;

use super::*;
use crate::notice::Rate;

const GROUPING: Grouping =
    Grouping { wait: Span::from_secs(30), interval: Span::from_mins(5), repeat: Some(Span::from_mins(240)) };
const ROBOT: Rate = Rate { most: 20, per: Span::from_mins(1) };

fn at(seconds: u32) -> Timestamp {
    Timestamp::from_millis(1_795_140_000_000) + Span::from_secs(seconds)
}

fn site(name: &str) -> SiteId {
    name.parse().unwrap()
}

fn one(alert: u128, what: What, seconds: u32) -> Waiting {
    Waiting {
        alert: AlertId(Uuid::from_u128(alert)),
        site: site("a"),
        what,
        critical: false,
        since: at(seconds),
        open: true,
        muted: false,
        told_at: None,
    }
}

fn critical(alert: u128, seconds: u32) -> Waiting {
    Waiting { critical: true, ..one(alert, What::Raised, seconds) }
}

fn planned(waiting: &[Waiting], flushed: Option<u32>, spent: &[u32], now: u32) -> Plan {
    let flushed = flushed.map(|seconds| (site("a"), at(seconds))).into_iter().collect();
    let bucket = Bucket::new(ROBOT, spent.iter().map(|seconds| at(*seconds)), at(now));
    plan(waiting, &flushed, &GROUPING, &bucket, at(now))
}

const UNMUTED: What = What::Unmuted(Timestamp::from_millis(1_795_140_060_000));

#[rstest]
#[case::a_fault(What::Raised, true, false, None, Fate::Tell)]
#[case::a_fault_that_is_over(What::Raised, false, false, None, Fate::Over)]
#[case::a_fault_under_a_silence(What::Raised, true, true, None, Fate::Hold)]
#[case::an_end_that_somebody_waits_for(What::Cleared, false, false, Some(1), Fate::Tell)]
#[case::an_end_under_a_silence(What::Cleared, false, true, Some(1), Fate::Tell)]
#[case::an_end_of_what_nobody_heard_of(What::Cleared, false, false, None, Fate::Needless)]
#[case::notice_taken(What::Acknowledged, true, true, Some(1), Fate::Tell)]
#[case::notice_taken_of_what_nobody_heard_of(What::Acknowledged, true, false, None, Fate::Needless)]
#[case::notice_taken_of_what_is_over(What::Acknowledged, false, false, Some(1), Fate::Over)]
#[case::a_silence_is_over(UNMUTED, true, false, Some(30), Fate::Tell)]
#[case::a_silence_is_over_and_the_fault_told_since(UNMUTED, true, false, Some(60), Fate::Needless)]
#[case::a_silence_follows_another(UNMUTED, true, true, Some(30), Fate::Hold)]
#[case::it_comes_and_goes(What::Unstable, true, false, Some(1), Fate::Tell)]
#[case::it_is_still_there(What::Again, true, false, Some(1), Fate::Tell)]
#[case::something_new(What::Other, true, true, None, Fate::Hold)]
fn what_becomes_of_a_notification(
    #[case] what: What,
    #[case] open: bool,
    #[case] muted: bool,
    #[case] told: Option<u32>,
    #[case] expected: Fate,
) {
    assert_eq!(fate(&Waiting { open, muted, told_at: told.map(at), ..one(1, what, 0) }), expected);
}

#[rstest]
#[case::too_early(29, None, None)]
#[case::after_the_wait(30, None, Some(Kind::Group))]
#[case::soon_after_the_last(299, Some(0), None)]
#[case::five_minutes_after_the_last(300, Some(0), Some(Kind::Group))]
#[case::long_after_the_last(30, Some(0), None)]
fn a_group_waits_for_others_and_then_for_its_interval(
    #[case] now: u32,
    #[case] flushed: Option<u32>,
    #[case] expected: Option<Kind>,
) {
    let plan = planned(&[one(1, What::Raised, 0)], flushed, &[], now);
    assert_eq!(plan.telling.map(|telling| telling.kind), expected);
    let due = if flushed.is_some() { 300 } else { 30 };
    assert_eq!(plan.look_at, expected.is_none().then_some(at(due)));
}

#[test]
fn what_is_over_within_the_wait_is_never_told() {
    let over =
        [Waiting { open: false, ..one(1, What::Raised, 0) }, Waiting { open: false, ..one(1, What::Cleared, 20) }];
    let plan = planned(&over, None, &[], 100);
    assert_eq!((plan.dropped, plan.telling), (vec![(0, Fate::Over), (1, Fate::Needless)], None));
}

#[test]
fn a_critical_alert_does_not_wait_and_takes_what_is_known_of_it_along() {
    let waiting = [one(1, What::Raised, 0), critical(2, 5), Waiting { critical: true, ..one(2, What::Unstable, 6) }];
    let telling = planned(&waiting, Some(4), &[], 6).telling.unwrap();
    assert_eq!(telling, Telling { kind: Kind::Single, urgent: true, alerts: vec![vec![1, 2]] });
}

#[test]
fn several_posts_of_a_channel_hear_of_an_alert_in_one_message() {
    let waiting = [one(1, What::Raised, 0), one(1, What::Raised, 0), one(2, What::Raised, 10)];
    let telling = planned(&waiting, None, &[], 30).telling.unwrap();
    assert_eq!(telling.alerts, [vec![0, 1], vec![2]]);
}

#[test]
fn critical_alerts_use_what_is_kept_back_and_others_wait() {
    let spent: Vec<u32> = (0..14).map(|n| n * 3).collect();
    let usual = [one(1, What::Raised, 0)];
    let plan = planned(&usual, None, &spent, 45);
    assert_eq!((plan.telling, plan.look_at.is_some_and(|at_| at_ > at(60))), (None, true));
    let both = [one(1, What::Raised, 0), critical(2, 45)];
    assert_eq!(planned(&both, None, &spent, 45).telling.unwrap().alerts, [vec![1]]);
}

#[test]
fn what_is_more_than_the_receiver_takes_becomes_one_digest() {
    let burst: Vec<Waiting> = (0..21).map(|alert| critical(alert, 0)).collect();
    let telling = planned(&burst[..20], None, &[], 1).telling.unwrap();
    assert_eq!((telling.kind, telling.alerts.len()), (Kind::Single, 1));
    let telling = planned(&burst, None, &[], 1).telling.unwrap();
    assert_eq!((telling.kind, telling.alerts.len()), (Kind::Digest, 21));
}

#[test]
fn a_clock_that_was_set_back_lets_nothing_wait() {
    let plan = planned(&[critical(1, 5000), one(2, What::Raised, 5000)], Some(9000), &[9000], 100);
    assert_eq!(plan.look_at, Some(at(103)), "{plan:?}");
    let plan = planned(&[one(2, What::Raised, 5000)], Some(9000), &[], 100);
    assert_eq!(plan.telling.unwrap().kind, Kind::Group);
}

#[rstest]
#[case(239, false)]
#[case(240, true)]
fn what_is_still_there_is_told_again(#[case] minutes: u32, #[case] expected: bool) {
    assert_eq!(is_due_again(&GROUPING, at(0), at(minutes * 60)), expected);
    assert!(!is_due_again(&Grouping { repeat: None, ..GROUPING }, at(0), at(minutes * 60)));
}

fn any_what() -> impl Strategy<Value = What> {
    prop::sample::select(vec![What::Raised, UNMUTED, What::Unstable, What::Acknowledged, What::Cleared, What::Again])
}

prop_compose! {
    fn any_waiting()(
        alert in 0u128..30, of in 0u8..3, what in any_what(), critical: bool, since in 0u32..900, open: bool, muted: bool,
        told in prop::option::of(0u32..900),
    ) -> Waiting {
        let site = site(["a", "b", "c"][usize::from(of)]);
        Waiting { site, critical, open, muted, told_at: told.map(at), ..one(alert, what, since) }
    }
}

proptest! {
    #[test]
    fn everything_that_is_to_be_told_is_told_once_and_nothing_else(
        waiting in prop::collection::vec(any_waiting(), 0..60),
    ) {
        let (mut left, mut flushed, mut spent, mut now) = (waiting, BTreeMap::new(), Vec::new(), at(900));
        let to_tell = left.iter().filter(|one| fate(one) == Fate::Tell).count();
        let (mut told, mut turns, mut ended) = (0, 0, false);
        while !ended {
            turns += 1;
            prop_assert!(turns < 500, "it comes to an end");
            let plan = plan(&left, &flushed, &GROUPING, &Bucket::new(ROBOT, spent.iter().copied(), now), now);
            let mut gone: Vec<usize> = plan.dropped.iter().map(|(index, _)| *index).collect();
            if let Some(telling) = plan.telling {
                for index in telling.alerts.iter().flatten() {
                    prop_assert_eq!(fate(&left[*index]), Fate::Tell);
                    flushed.insert(left[*index].site.clone(), now);
                    gone.push(*index);
                    told += 1;
                }
                spent.push(now);
            } else if let Some(next) = plan.look_at {
                prop_assert!(next > now, "it does not turn on the spot");
                now = next;
            } else {
                ended = true;
            }
            gone.sort_unstable();
            let count = gone.len();
            gone.dedup();
            prop_assert_eq!(gone.len(), count, "nothing is done twice");
            for index in gone.into_iter().rev() {
                left.remove(index);
            }
        }
        prop_assert_eq!(told, to_tell);
        prop_assert!(left.iter().all(|one| fate(one) == Fate::Hold));
    }
}
