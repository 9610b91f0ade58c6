//! What may be told of an alert, and what may not.

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

fn of_another(starts: i64, ends: i64) -> Restraint {
    let matchers = Matchers::new([(Field::Device, vec!["tv".into()])]).unwrap();
    restraint(50, Kind::Maintenance { matchers, include_firing: true }, starts, Some(ends))
}

fn until_resolved(alert: AlertId, starts: i64) -> Restraint {
    restraint(40, Kind::UntilResolved(alert), starts, None)
}

fn by(muted: Option<Muted>) -> Option<&'static str> {
    muted.map(Muted::as_str)
}

#[rstest]
#[case::nothing_is_active(vec![], None)]
#[case::a_silence(vec![silence(50, 300)], Some("silence"))]
#[case::a_silence_that_began_later(vec![silence(150, 300)], Some("silence"))]
#[case::a_silence_at_its_end(vec![silence(50, 200)], None)]
#[case::a_silence_to_come(vec![silence(201, 300)], None)]
#[case::maintenance_it_began_in(vec![maintenance(100, 300)], Some("maintenance"))]
#[case::maintenance_that_found_it_firing(vec![maintenance(101, 300)], None)]
#[case::maintenance_for_what_already_fires(vec![over_all(150, 300)], Some("maintenance"))]
#[case::maintenance_that_goes_on_from_another(vec![maintenance(150, 300), maintenance(50, 150)], Some("maintenance"))]
#[case::maintenance_that_overlaps_another(vec![maintenance(50, 160), maintenance(120, 300)], Some("maintenance"))]
#[case::the_third_of_three(vec![maintenance(50, 120), maintenance(110, 160), maintenance(160, 300)], Some("maintenance"))]
#[case::maintenance_that_goes_on_from_what_found_it_firing(vec![over_all(120, 160), maintenance(150, 300)], Some("maintenance"))]
#[case::maintenance_that_begins_with_what_found_it_firing(vec![over_all(150, 160), maintenance(150, 300)], None)]
#[case::maintenance_after_a_gap(vec![maintenance(50, 150), maintenance(151, 300)], None)]
#[case::maintenance_that_goes_on_from_a_silence(vec![silence(50, 150), maintenance(150, 300)], None)]
#[case::maintenance_that_goes_on_from_another_devices(vec![of_another(50, 150), maintenance(150, 300)], None)]
#[case::maintenance_that_goes_on_from_one_that_was_never_there(vec![over_all(150, 150), maintenance(150, 300)], None)]
#[case::until_it_is_resolved(vec![until_resolved(ALERT, 150)], Some("silence"))]
#[case::until_another_is_resolved(vec![until_resolved(CAUSE, 150)], None)]
fn an_open_alert_is_not_told_while_something_is_active_that_is_about_it(
    #[case] restraints: Vec<Restraint>,
    #[case] expected: Option<&'static str>,
) {
    let found = muted(&alert(None), &restraints, Live::default(), at(200));
    assert_eq!(by(found), expected);
    let overlay = overlay(&alert(None), &restraints, Live::default(), at(200));
    assert_eq!(overlay.silenced_by.len() + overlay.maintenance_by.len(), usize::from(expected.is_some()));
}

#[test]
fn an_alert_that_another_one_explains_is_not_told() {
    let live = Live { inhibited: Some(CAUSE), ..Live::default() };
    assert_eq!(by(muted(&alert(None), &[silence(50, 300)], live, at(200))), Some("inhibition"));
    assert_eq!(overlay(&alert(None), &[], live, at(200)).inhibited_by, Some(CAUSE));
}

#[rstest]
#[case::in_use(Life::Live, None)]
#[case::on_trial(Life::Trial, Some(Muted::Life(Life::Trial)))]
#[case::under_maintenance(Life::Maintenance, Some(Muted::Life(Life::Maintenance)))]
fn nobody_is_told_of_a_device_that_is_not_in_use(#[case] life: Life, #[case] expected: Option<Muted>) {
    assert_eq!(muted(&alert(None), &[], Live { life, ..Live::default() }, at(200)), expected);
}

#[test]
fn every_overlay_is_named_and_none_lies_over_a_cleared_alert() {
    let restraints = [silence(0, 900), over_all(0, 900), maintenance(50, 900), until_resolved(ALERT, 0)];
    let live = Live { flapping: true, unverified: true, ..Live::default() };
    let found = overlay(&alert(None), &restraints, live, at(200));
    assert_eq!(found.silenced_by, [restraints[0].id, restraints[3].id]);
    assert_eq!(found.maintenance_by, [restraints[1].id, restraints[2].id]);
    assert!(found.flapping && found.unverified);
    assert_eq!(overlay(&alert(Some(150)), &restraints, live, at(200)), Overlay::default());
}
