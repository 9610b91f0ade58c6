//! Whether something is under maintenance, counting windows that overlap: the end of one of them is not the end of the work.

use crate::{
    matchers::Labels,
    restraint::{Restraint, State},
    time::Timestamp,
};

/// Something is under maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Covered {
    /// How many windows cover it now.
    pub windows: usize,
    /// Until when one window after another covers it without a gap.
    pub until: Timestamp,
}

/// Whether any of the maintenance windows among `restraints` covers `labels` at `now`. Pass the labels of a device with an empty rule and
/// severity to ask for the device as a whole: a window for single rules is none of the device.
pub fn covered(restraints: &[Restraint], labels: &Labels<'_>, now: Timestamp) -> Option<Covered> {
    let about = |window: &&Restraint| {
        window.kind.is_maintenance() && window.kind.matchers().is_some_and(|matchers| matchers.matches(labels))
    };
    let mut windows: Vec<&Restraint> = restraints.iter().filter(about).collect();
    windows.sort_by_key(|window| window.starts);
    let active = windows.iter().filter(|window| window.state(now) == State::Active);
    let first = active.clone().filter_map(|window| window.ends).max()?;
    let until = windows.iter().fold(first, |until, window| match window.ends {
        Some(ends) if window.starts <= until => until.max(ends),
        _ => until,
    });
    Some(Covered { windows: active.count(), until })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use uuid::Uuid;

    use super::*;
    use crate::{
        matchers::{Field, Matchers},
        restraint::{Kind, RestraintId},
    };

    fn window(field: Field, value: &str, starts: i64, ends: i64) -> Restraint {
        let matchers = Matchers::new([(field, vec![value.into()])]).unwrap();
        Restraint {
            id: RestraintId(Uuid::nil()),
            kind: Kind::Maintenance { matchers, include_firing: false },
            starts: Timestamp::from_millis(starts),
            ends: Some(Timestamp::from_millis(ends)),
            author: "".into(),
            comment: "".into(),
            created_at: Timestamp::default(),
            changed_by: "".into(),
            replaces: None,
        }
    }

    #[rstest]
    #[case::before(&[(100, 200)], 99, None)]
    #[case::one(&[(100, 200)], 100, Some((1, 200)))]
    #[case::over(&[(100, 200)], 200, None)]
    #[case::two_that_overlap(&[(100, 200), (150, 300)], 160, Some((2, 300)))]
    #[case::the_second_of_two(&[(100, 200), (150, 300)], 200, Some((1, 300)))]
    #[case::one_within_another(&[(100, 400), (150, 300)], 350, Some((1, 400)))]
    #[case::one_that_follows_at_once(&[(100, 200), (200, 300)], 150, Some((1, 300)))]
    #[case::one_that_follows_after_a_gap(&[(100, 200), (201, 300)], 150, Some((1, 200)))]
    #[case::a_chain_in_any_order(&[(300, 400), (100, 200), (190, 310)], 150, Some((1, 400)))]
    fn a_device_is_under_maintenance_as_long_as_any_window_covers_it(
        #[case] windows: &[(i64, i64)],
        #[case] now: i64,
        #[case] expected: Option<(usize, i64)>,
    ) {
        let windows: Vec<_> = windows.iter().map(|(from, to)| window(Field::Device, "led", *from, *to)).collect();
        let led = Labels { device: "led", ..Labels::default() };
        let found = covered(&windows, &led, Timestamp::from_millis(now));
        assert_eq!(found.map(|covered| (covered.windows, covered.until.millis())), expected);
    }

    #[test]
    fn a_window_for_one_rule_does_not_put_its_whole_device_under_maintenance() {
        let windows = [window(Field::Rule, "display-dark", 0, 100)];
        let led = Labels { device: "led", ..Labels::default() };
        assert_eq!(covered(&windows, &led, Timestamp::default()), None);
        let alert = Labels { rule: "display-dark", ..led };
        assert!(covered(&windows, &alert, Timestamp::default()).is_some());
    }

    #[test]
    fn a_silence_is_no_maintenance() {
        let matchers = Matchers::new([(Field::Device, vec!["led".into()])]).unwrap();
        let silence = Restraint { kind: Kind::Silence(matchers), ..window(Field::Device, "led", 0, 100) };
        let led = Labels { device: "led", ..Labels::default() };
        assert_eq!(covered(&[silence], &led, Timestamp::default()), None);
    }
}
