//! Posts of a roster that have nobody in the coming days.

use lobby_dashboards::FindingKey;
use lobby_domain::{roster::AHEAD, time::Timestamp};

use super::{Found, Severity};
use crate::{
    fleet::Setup,
    roster::stretch,
    store::{Store, StoreError},
};

/// What is to be said about every site that keeps a roster.
pub(crate) async fn probe(store: &Store, setup: &Setup, now: Timestamp) -> Result<Vec<Found>, StoreError> {
    let mut found = Vec::new();
    for site in store.sites_with_roster().await? {
        let Some(coming) = store.coming(&site, &[], now).await? else { continue };
        for post in &coming.posts {
            let mut gaps = coming.gaps.iter().filter(|gap| gap.post == *post);
            let Some(first) = gaps.next() else { continue };
            let (day, from, until) = stretch(&setup.zone_of(&site), first.from, first.until);
            // What is beyond either end of the days that are looked at would be told anew each time: both move.
            let begin = if first.from <= now { "…".to_owned() } else { format!("{day} {from}") };
            let end = if first.until >= now + AHEAD { "…".to_owned() } else { until };
            let first = format!("{begin} - {end}");
            let name = format!("{site}/{post}");
            let gap = Found::new(FindingKey::RosterGap, Severity::Warning).about(&name);
            found.push(gap.with(&name).with(1 + gaps.count()).with(first));
        }
    }
    Ok(found)
}
