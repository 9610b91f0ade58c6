//! What may be told of an alert, and what may not.

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::{
    matchers::{Field, Matchers},
    restraint::Kind,
};

const ALERT: AlertId = AlertId(Uuid::from_u128(1));
const CAUSE: AlertId = AlertId(Uuid::from_u128(2));

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// An alert about the display that was opened at 100.
fn alert(cleared: Option<i64>) -> Facts<'static> {
    let labels = Labels { site: "demo", device: "led", rule: "display-dark", ..Labels::default() };
    Facts { id: ALERT, labels, opened_at: at(100), cleared_at: cleared.map(at) }
}

fn restraint(id: u128, kind: Kind, starts: i64, ends: Option<i64>) -> Restraint {
    Restraint {
        id: RestraintId(Uuid::from_u128(id)),
        kind,
        starts: at(starts),
        ends: ends.map(at),
        author: "".into(),
        comment: "".into(),
        created_at: at(0),
        changed_by: "".into(),
        replaces: None,
    }
}

fn led() -> Matchers {
    Matchers::new([(Field::Device, vec!["led".into()])]).unwrap()
}

fn silence(starts: i64, ends: i64) -> Restraint {
    restraint(10, Kind::Silence(led()), starts, Some(ends))
}

fn maintenance(starts: i64, ends: i64) -> Restraint {
    restraint(20, Kind::Maintenance { matchers: led(), include_firing: false }, starts, Some(ends))
}

fn over_all(starts: i64, ends: i64) -> Restraint {
    restraint(30, Kind::Maintenance { matchers: led(), include_firing: true }, starts, Some(ends))
}

fn until_resolved(alert: AlertId, starts: i64) -> Restraint {
    restraint(40, Kind::UntilResolved(alert), starts, None)
}

fn by(muted: Option<Muted>) -> Option<MutedBy> {
    muted.map(|muted| muted.by)
}

#[rstest]
#[case::nothing_is_active(vec![], None)]
#[case::a_silence(vec![silence(50, 300)], Some(MutedBy::Silence))]
#[case::a_silence_that_began_later(vec![silence(150, 300)], Some(MutedBy::Silence))]
#[case::a_silence_at_its_end(vec![silence(50, 200)], None)]
#[case::a_silence_to_come(vec![silence(201, 300)], None)]
#[case::maintenance_it_began_in(vec![maintenance(100, 300)], Some(MutedBy::Maintenance))]
#[case::maintenance_that_found_it_firing(vec![maintenance(101, 300)], None)]
#[case::maintenance_for_what_already_fires(vec![over_all(150, 300)], Some(MutedBy::Maintenance))]
#[case::until_it_is_resolved(vec![until_resolved(ALERT, 150)], Some(MutedBy::Silence))]
#[case::until_another_is_resolved(vec![until_resolved(CAUSE, 150)], None)]
fn an_open_alert_is_not_told_while_something_is_active_that_is_about_it(
    #[case] restraints: Vec<Restraint>,
    #[case] expected: Option<MutedBy>,
) {
    let found = muted(Event::Raised, &alert(None), &restraints, Live::default(), at(200));
    assert_eq!(by(found), expected);
    assert_eq!(by(muted(Event::Unmuted, &alert(None), &restraints, Live::default(), at(200))), expected);
    let overlay = overlay(&alert(None), &restraints, Live::default(), at(200));
    assert_eq!(overlay.silenced_by.len() + overlay.maintenance_by.len(), usize::from(expected.is_some()));
}

#[rstest]
#[case::it_was_never_muted(vec![], None)]
#[case::it_began_and_ended_in_maintenance(vec![maintenance(50, 300)], Some(MutedBy::Maintenance))]
#[case::maintenance_ended_before_it_did(vec![maintenance(50, 199)], None)]
#[case::maintenance_ended_as_it_did(vec![maintenance(50, 200)], Some(MutedBy::Maintenance))]
#[case::it_was_told_before_maintenance(vec![over_all(150, 300)], None)]
#[case::it_was_told_before_the_silence(vec![silence(101, 300)], None)]
#[case::it_was_told_before_somebody_silenced_it(vec![until_resolved(ALERT, 150)], None)]
#[case::one_window_after_another(vec![maintenance(50, 150), silence(150, 300)], Some(MutedBy::Maintenance))]
#[case::it_was_told_between_two(vec![silence(50, 150), silence(151, 300)], None)]
#[case::overlapping_windows(vec![maintenance(50, 120), maintenance(80, 160), silence(130, 250)], Some(MutedBy::Maintenance))]
fn the_end_of_an_alert_is_silent_only_if_nobody_can_have_been_told_of_its_beginning(
    #[case] restraints: Vec<Restraint>,
    #[case] expected: Option<MutedBy>,
) {
    assert_eq!(by(muted(Event::Cleared, &alert(Some(200)), &restraints, Live::default(), at(500))), expected);
}

#[rstest]
#[case::raised(Event::Raised, 50, Some(MutedBy::Inhibition))]
#[case::acknowledged(Event::Acknowledged, 50, None)]
#[case::a_cause_from_before(Event::Cleared, 50, Some(MutedBy::Inhibition))]
#[case::a_cause_that_came_later(Event::Cleared, 150, None)]
fn an_alert_that_another_one_explains_is_not_told_but_its_end_is_if_its_beginning_was(
    #[case] event: Event,
    #[case] since: i64,
    #[case] expected: Option<MutedBy>,
) {
    let live = Live { inhibited: Some((CAUSE, at(since))), ..Live::default() };
    assert_eq!(by(muted(event, &alert(Some(200)), &[], live, at(200))), expected);
    assert_eq!(overlay(&alert(None), &[], live, at(200)).inhibited_by, Some(CAUSE));
}

#[test]
fn that_somebody_took_notice_is_told_at_all_times() {
    let restraints = [silence(0, 900), over_all(0, 900)];
    assert_eq!(muted(Event::Acknowledged, &alert(None), &restraints, Live::default(), at(200)), None);
}

#[test]
fn every_overlay_is_named_and_none_lies_over_a_cleared_alert() {
    let restraints = [silence(0, 900), over_all(0, 900), maintenance(50, 900), until_resolved(ALERT, 0)];
    let live = Live { inhibited: None, flapping: true, unverified: true };
    let found = overlay(&alert(None), &restraints, live, at(200));
    assert_eq!(found.silenced_by, [restraints[0].id, restraints[3].id]);
    assert_eq!(found.maintenance_by, [restraints[1].id, restraints[2].id]);
    assert!(found.flapping && found.unverified);
    assert_eq!(overlay(&alert(Some(150)), &restraints, live, at(200)), Overlay::default());
}

proptest! {
    /// Counted moment by moment, as a reader of the rule would.
    #[test]
    fn an_end_is_silent_exactly_if_every_moment_of_the_alert_was_muted(
        windows in prop::collection::vec((80..140_i64, 1..40_i64, any::<bool>()), 0..6), lasted in 1..60_i64,
    ) {
        let restraints: Vec<_> = windows
            .into_iter()
            .map(|(starts, length, work)| if work { maintenance(starts, starts + length) } else { silence(starts, starts + length) })
            .collect();
        let told = (100..100 + lasted)
            .any(|moment| muted(Event::Raised, &alert(None), &restraints, Live::default(), at(moment)).is_none());
        let end = muted(Event::Cleared, &alert(Some(100 + lasted)), &restraints, Live::default(), at(1000));
        prop_assert_eq!(end.is_none(), told);
    }
}
