//! How long something will last, by how it was used.

use std::collections::BTreeMap;

use lobby_domain::{
    calendar::Calendar,
    forecast::{Forecast, RunOut},
    time::Timestamp,
};

/// How use will go on; nothing is expected of what has never been used for a whole day.
pub(super) struct Outlook(Option<Forecast>);

impl Outlook {
    /// What the use of past hours tells.
    pub(super) fn of(hours: &[(Timestamp, i64)], calendar: &Calendar, now: Timestamp) -> Self {
        // A clock that was set back, or a correction, may take pieces back from an hour.
        let pieces = |pieces: i64| u32::try_from(pieces.max(0)).unwrap_or(u32::MAX);
        Self(Forecast::learn(calendar, hours.iter().map(|(at, used)| (*at, pieces(*used))), now))
    }

    pub(super) fn runs_out(&self, left: i64, now: Timestamp) -> Option<RunOut> {
        self.0.as_ref()?.runs_out(left, now)
    }

    /// The pieces that are expected to be used in a time.
    pub(super) fn expected(&self, from: Timestamp, until: Timestamp) -> f64 {
        self.0.as_ref().map_or(0.0, |forecast| forecast.expected(from, until).mean)
    }
}

/// What was used of an item at a site, hour by hour.
pub(super) fn together<'a>(
    machines: impl Iterator<Item = &'a [(Timestamp, i64)]>,
    by_hand: &'a [(Timestamp, i64)],
) -> Vec<(Timestamp, i64)> {
    let mut hours: BTreeMap<i64, i64> = BTreeMap::new();
    for (at, pieces) in machines.flatten().chain(by_hand) {
        *hours.entry(at.millis() - at.millis().rem_euclid(3_600_000)).or_default() += pieces;
    }
    hours.into_iter().map(|(at, pieces)| (Timestamp::from_millis(at), pieces)).collect()
}
