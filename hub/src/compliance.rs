//! How the service standards were kept at a site in a month, for pages and the API alike.

mod maintained;

use std::collections::BTreeMap;

use lobby_contract::{DeviceId, SiteId};
use lobby_domain::{
    calendar::{Calendar, local},
    compliance::{Availability, Evidence, Instance, Kept, Sight, Tally, opening, settled},
    pack::Pack,
    past::Times,
    purchase::Month,
    time::Timestamp,
};

use crate::{
    fleet::Fleet,
    store::{Owing, Store, StoreError},
};

/// A month of a site with what was owed in it and in the one before, as far as somebody sees that.
pub(crate) struct MonthOfSite {
    pub(crate) site: SiteId,
    pub(crate) month: Month,
    pub(crate) calendar: Calendar,
    pub(crate) sight: Sight,
    pub(crate) owed: Vec<Instance>,
    pub(crate) before: Vec<Instance>,
    seen: BTreeMap<DeviceId, Times>,
    maintained: BTreeMap<DeviceId, Times>,
}

/// What was kept of a month and of the one before.
pub(crate) type Tallies = (Tally, Tally);

/// When a site is open.
pub(crate) fn calendar_of(fleet: &Fleet, site: &SiteId) -> Calendar {
    let live = fleet.read().get(site).map(|site| site.calendar.clone());
    live.unwrap_or_else(|| fleet.setup().calendar(site))
}

/// How a site kept the standards in a month, and in the one before.
pub(crate) async fn tallies(
    store: &Store,
    fleet: &Fleet,
    (site, month): (&SiteId, Month),
    now: Timestamp,
) -> Result<Tallies, StoreError> {
    let (setup, calendar) = (fleet.setup(), calendar_of(fleet, site));
    let taking = setup.stock_take_every(site);
    let of = Owing { site, month, calendar: &calendar, pack: &setup.pack, taking, now };
    let before = store.owed(Owing { month: month.previous(), ..of }).await?;
    Ok((Tally::of(&store.owed(of).await?), Tally::of(&before)))
}

impl MonthOfSite {
    /// Reads it; the month that is under way if none is named.
    pub(crate) async fn read(
        store: &Store,
        fleet: &Fleet,
        (site, month): (SiteId, Option<Month>),
        sight: Sight,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let (setup, calendar) = (fleet.setup(), calendar_of(fleet, &site));
        let month = month.unwrap_or_else(|| Month::of(local(now, calendar.zone()).date()));
        let taking = setup.stock_take_every(&site);
        let of = Owing { site: &site, month, calendar: &calendar, pack: &setup.pack, taking, now };
        let (mut owed, mut before) =
            (store.owed(of).await?, store.owed(Owing { month: month.previous(), ..of }).await?);
        for some in [&mut owed, &mut before] {
            some.retain(|instance| sight.sees(&setup.pack, instance));
        }
        let seen = store.seen_open(&site, of.period()).await?.into_iter().collect();
        let maintained = maintained::of(store, fleet, of).await?;
        Ok(Self { site, month, calendar, sight, owed, before, seen, maintained })
    }

    /// For how long the site was open until the last hour that is rolled up.
    pub(crate) fn opening(&self, now: Timestamp) -> i64 {
        opening(&self.calendar, self.month, settled(now))
    }

    /// How long a device worked. One of which nothing is kept is unknown for all of the time.
    pub(crate) fn availability(&self, device: &DeviceId, now: Timestamp) -> Availability {
        let of = |all: &BTreeMap<DeviceId, Times>| all.get(device).copied().unwrap_or_default();
        Availability::of(self.opening(now), of(&self.seen), of(&self.maintained))
    }

    /// The clauses that are seen, each with what was kept of it.
    pub(crate) fn clauses<'a>(&'a self, pack: &'a Pack) -> impl Iterator<Item = (&'a str, Tallies)> {
        let (now, before) = (Tally::by_clause(&self.owed), Tally::by_clause(&self.before));
        let seen = pack.clauses.keys().filter(|id| self.shows(pack, id));
        seen.map(move |id| {
            let of = |all: &BTreeMap<Box<str>, Tally>| all.get(id).copied().unwrap_or_default();
            (&**id, (of(&now), of(&before)))
        })
    }

    /// Whether a clause is seen.
    pub(crate) fn shows(&self, pack: &Pack, id: &str) -> bool {
        self.sight.shows(pack, id, &self.owed)
    }

    /// Whether devices of a kind are seen: a post sees those of its board.
    pub(crate) fn shows_kind(&self, pack: &Pack, kind: &str) -> bool {
        let boards = pack.kinds.get(kind).map(|kind| &kind.kind.boards);
        self.sight == Sight::All || boards.is_some_and(|posts| posts.iter().any(|post| self.sight.is_of(Some(post))))
    }

    /// The posts that are seen, each with what was kept by it; what the hub owes stands under none.
    pub(crate) fn posts(&self) -> BTreeMap<Option<Box<str>>, Tallies> {
        let mut all: BTreeMap<Option<Box<str>>, Tallies> = BTreeMap::new();
        for (post, tally) in Tally::by_post(&self.owed) {
            all.entry(post).or_default().0 = tally;
        }
        for (post, tally) in Tally::by_post(&self.before) {
            all.entry(post).or_default().1 = tally;
        }
        all
    }

    /// What was owed by a clause, what was not kept first, then the newest.
    pub(crate) fn owed_by(&self, clause: &str) -> Vec<&Instance> {
        let mut owed: Vec<&Instance> = self.owed.iter().filter(|instance| instance.is_of(clause)).collect();
        let rank = |kept: Kept| match kept {
            Kept::Missed => 0,
            Kept::Late => 1,
            Kept::Open => 2,
            Kept::Met => 3,
            Kept::Excused(_) => 4,
        };
        owed.sort_by_key(|instance| {
            (rank(instance.kept), std::cmp::Reverse(instance.due), instance.duty, instance.evidence.clone())
        });
        owed
    }

    /// The page on which something is to be looked up.
    pub(crate) fn address_of(&self, evidence: &Evidence) -> String {
        let site = &self.site;
        match evidence {
            Evidence::Round(id) => format!("/checks/{id}"),
            Evidence::Ticket(number) => format!("/t/{number}"),
            Evidence::Alert(id) => format!("/alerts/{id}"),
            Evidence::Messages(id) => format!("/alerts/{id}/messages"),
            Evidence::Device(id) => format!("/d/{id}?site={site}"),
            Evidence::Plan(item, month) => format!("/stock/plan/{month}?site={site}&item={item}"),
            Evidence::Statement(item, month) => format!("/stock/statement/{month}?site={site}&item={item}"),
            Evidence::Register => format!("/register?site={site}"),
            Evidence::StockTake(id) => format!("/register/{site}/stock-takes/{id}"),
            Evidence::Moves => format!("/register/moves?site={site}"),
        }
    }
}
