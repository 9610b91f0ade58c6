//! How a sales centre's day goes, as curves over time: shared by the live equipment and the history, so that one continues the other.

use lobby_domain::time::Timestamp;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// Local time is UTC+8 all year.
const ZONE_MS: i64 = 8 * 3_600_000;
/// Opening and closing, in minutes of the local day.
const OPEN: (i32, i32) = (8 * 60 + 20, 18 * 60);

/// A point of local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Local {
    /// Days since 1970.
    pub(super) day: i64,
    /// Minutes since midnight.
    pub(super) minute: i32,
}

impl Local {
    pub(super) fn of(at: Timestamp) -> Self {
        let local = at.millis().saturating_add(ZONE_MS);
        let minute = local.rem_euclid(DAY_MS) / 60_000;
        Self { day: local.div_euclid(DAY_MS), minute: i32::try_from(minute).expect("a day has 1440 minutes") }
    }

    /// Whether the displays are on.
    pub(super) fn is_open(self) -> bool {
        (OPEN.0..OPEN.1).contains(&self.minute)
    }

    fn is_weekend(self) -> bool {
        // The first day of 1970 was a Thursday.
        matches!((self.day + 3).rem_euclid(7), 5 | 6)
    }
}

/// How many visitors are expected within ten minutes: most in the late morning and the afternoon, and at weekends.
pub(super) fn visitors(local: Local) -> f64 {
    if !local.is_open() {
        return 0.0;
    }
    let peak = |hour: f64, width: f64| {
        let distance = (f64::from(local.minute) / 60.0 - hour) / width;
        (-distance * distance).exp()
    };
    let weekday = 0.4 + 2.2 * peak(10.75, 1.2) + 2.8 * peak(15.25, 1.6);
    if local.is_weekend() { weekday * 1.8 } else { weekday }
}

/// Temperature in the cabinet of the entrance display, in °C: with the display running, and with the sun on it in the afternoon.
pub(super) fn cabinet_c(at: Timestamp) -> f64 {
    let local = Local::of(at);
    let sun = (std::f64::consts::TAU * (f64::from(local.minute) - 9.0 * 60.0) / 1440.0).sin();
    let running = if local.is_open() { 14.0 } else { 0.0 };
    27.0 + 4.0 * sun + running + 1.5 * noise(1, at)
}

/// Mains voltage, in V: lower while the neighbourhood cooks.
pub(super) fn mains_v(at: Timestamp) -> f64 {
    let minute = f64::from(Local::of(at).minute);
    229.5 + 2.0 * (std::f64::consts::TAU * minute / 720.0).cos() + 0.8 * noise(2, at)
}

/// A number from 0 to 1 that looks random, the same at each asking; a new one every ten minutes for each `stream`.
pub(super) fn noise(stream: u32, at: Timestamp) -> f64 {
    fraction(mixed(u64::from(stream) << 48 ^ at.millis().div_euclid(600_000).cast_unsigned()))
}

/// As [`noise`], the same all day.
pub(super) fn of_day(stream: u32, local: Local) -> f64 {
    fraction(mixed(u64::from(stream) << 48 ^ (1 << 40) ^ local.day.cast_unsigned()))
}

/// The nearest whole number.
#[expect(clippy::cast_possible_truncation, reason = "a value outside of i32 ends at its bound")]
pub(super) fn whole(value: f64) -> i32 {
    value.round() as i32
}

/// `value` with so many decimals.
pub(super) fn rounded(value: f64, decimals: i32) -> f64 {
    let step = 10_f64.powi(decimals);
    (value * step).round() / step
}

/// The finalizer of `SplitMix64`: neighbouring numbers come out unlike each other.
fn mixed(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ bits >> 31
}

fn fraction(bits: u64) -> f64 {
    let high = u32::try_from(bits >> 32).expect("32 bits are left");
    f64::from(high) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, the 5th of January 2026, at that local time.
    fn monday(hour: i64, minute: i64) -> Timestamp {
        Timestamp::from_millis(1_767_542_400_000 + (hour * 60 + minute) * 60_000)
    }

    #[test]
    fn the_displays_run_from_twenty_past_eight_until_six() {
        let open =
            [(8, 19), (8, 20), (17, 59), (18, 0)].map(|(hour, minute)| Local::of(monday(hour, minute)).is_open());
        assert_eq!(open, [false, true, true, false]);
    }

    #[test]
    fn there_are_more_visitors_in_the_afternoon_than_at_noon_more_at_weekends_and_none_at_night() {
        let at = |days: i64, hour: i64| visitors(Local::of(monday(24 * days + hour, 0)));
        assert!(at(0, 15) > at(0, 13));
        assert!(at(5, 15) > at(4, 15) && at(6, 15) > at(0, 15));
        assert_eq!((at(0, 3).to_bits(), at(6, 22).to_bits()), (0, 0));
    }

    #[test]
    fn a_cabinet_that_works_stays_below_its_limit_at_any_hour() {
        for minute in 0..1440 {
            assert!((20.0..55.0).contains(&cabinet_c(monday(0, minute))));
            assert!((220.0..240.0).contains(&mains_v(monday(0, minute))));
        }
    }

    #[test]
    fn noise_is_the_same_within_ten_minutes_and_spread_evenly() {
        assert_eq!(noise(7, monday(9, 0)).to_bits(), noise(7, monday(9, 9)).to_bits());
        let values = (0..1000).map(|n| noise(7, monday(0, 10 * n))).collect::<Vec<_>>();
        let mean = values.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean) && values.iter().all(|value| (0.0..=1.0).contains(value)), "{mean}");
    }
}
