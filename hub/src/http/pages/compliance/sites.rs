//! How the sites compare that somebody oversees.

use lobby_contract::SiteId;
use lobby_dashboards::{Page, SiteKept, SitesPage};
use lobby_domain::{calendar::local, purchase::Month};

use super::{
    super::{App, Html, Open, PageError, Reader, Scene},
    address,
};
use crate::compliance::tallies;

/// The sites beside each other, in a month; in the one that is under way if none is named.
pub(super) async fn page(app: &App, reader: &Reader, month: Option<Month>) -> Result<String, PageError> {
    let (now, open) = (app.clock.now(), Open::default());
    let (month, sites, is_over) = Scene::with(app, reader, None, &open, |scene| {
        let present = Month::of(local(now, scene.zone()).date());
        let month = month.unwrap_or(present);
        let sites: Vec<SiteId> = scene.all_sites().map(|(id, _)| id.clone()).collect();
        Ok((month, sites, month < present))
    })?;
    let mut kept = Vec::with_capacity(sites.len());
    for site in sites {
        let tallies = tallies(&app.store, &app.fleet, (&site, month), now).await?;
        kept.push((site, tallies));
    }
    let page = Scene::with(app, reader, None, &open, |scene| {
        Ok(SitesPage {
            chrome: scene.chrome(Page::Checks),
            month: month.to_string(),
            previous: format!("/compliance/{}", month.previous()),
            next: is_over.then(|| format!("/compliance/{}", month.next())),
            sites: kept
                .iter()
                .map(|(site, (tally, before))| SiteKept {
                    name: scene.name_of(site),
                    href: address(site, month),
                    tally: *tally,
                    before: *before,
                })
                .collect(),
        })
    })?;
    page.html(reader.fragment)
}
