//! How the sites of a customer compare.

use askama::Template;
use lobby_domain::compliance::Tally;

use super::{ComplianceTexts, state};
use crate::{
    chrome::{Chrome, page},
    state::Verdict,
};

/// What was kept at a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteKept {
    /// What people call it.
    pub name: String,
    /// Its page of the month.
    pub href: String,
    /// This month.
    pub tally: Tally,
    /// The month before.
    pub before: Tally,
}

/// `/compliance/{month}` of several sites: how do they compare?
#[derive(Debug, Clone, Template)]
#[template(path = "compliance_sites.html", blocks = ["main", "lamp"])]
pub struct SitesPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The month, such as 2026-12.
    pub month: String,
    /// The address of the month before.
    pub previous: String,
    /// The address of the month after, if it has begun.
    pub next: Option<String>,
    /// Each site.
    pub sites: Vec<SiteKept>,
}

page!(SitesPage);

impl SitesPage {
    fn c(&self) -> &'static ComplianceTexts {
        self.chrome.lang.compliance_texts()
    }

    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let mut all = Tally::default();
        self.sites.iter().for_each(|site| all += site.tally);
        Verdict::new(state(&all), self.c().sentence(&all))
    }
}
