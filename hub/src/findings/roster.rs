//! Posts of a roster that have nobody in the coming days.

use lobby_dashboards::FindingKey;
use lobby_domain::time::Timestamp;

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
            // What is under way would be told anew each time it is looked at: its beginning is now.
            let first = if first.from <= now { format!("… - {until}") } else { format!("{day} {from} - {until}") };
            let name = format!("{site}/{post}");
            let gap = Found::new(FindingKey::RosterGap, Severity::Warning).about(&name);
            found.push(gap.with(&name).with(1 + gaps.count()).with(first));
        }
    }
    Ok(found)
}
