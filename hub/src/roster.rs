//! Rosters: what the words of a site's roster mean, its times as people read them, and who is on duty now.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use jiff::tz::TimeZone;
use lobby_contract::SiteId;
use lobby_domain::{
    calendar::local,
    pack::Pack,
    roster::{
        Duty, Holder, Plan, Shift, Shifts,
        csv::{self, Mistake, Terms},
    },
    time::{Span, Timestamp},
};

use crate::{
    fleet::Setup,
    store::{Store, StoreError},
};

/// How far ahead duties are known while the database is away.
const COMING: Span = Span::from_mins(24 * 60);

/// The duties of the coming day at all sites, as the database last told them: every page says who is on duty.
#[derive(Debug, Default)]
pub struct Duties(RwLock<Arc<BTreeMap<SiteId, Vec<Duty>>>>);

impl Duties {
    /// Reads them anew.
    pub async fn read(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let coming = Arc::new(store.duties_of_all(now, now + COMING).await?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = coming;
        Ok(())
    }

    /// Who is on duty at a site, by post; whoever answers for the post first.
    pub fn at(&self, site: &SiteId, now: Timestamp) -> BTreeMap<Box<str>, Vec<Holder>> {
        let known = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let mut posts: BTreeMap<Box<str>, Vec<Holder>> = BTreeMap::new();
        let here = known.get(site).into_iter().flatten().filter(|duty| duty.from <= now && now < duty.until);
        for duty in here {
            let people = posts.entry(duty.post.clone()).or_default();
            if people.iter().all(|there| there.id != duty.who.id) {
                people.push(duty.who.clone());
            }
        }
        posts
    }
}

/// What the words of a site's roster mean.
pub struct Words {
    /// The site's time zone.
    pub zone: TimeZone,
    /// Who may be on duty there, by what they sign in with.
    pub people: BTreeMap<String, Holder>,
    pack: Arc<Pack>,
    shifts: Shifts,
}

impl Words {
    /// Those of a site.
    pub async fn of(store: &Store, setup: &Setup, site: &SiteId) -> Result<Self, StoreError> {
        let mut people = store.people().await?;
        people.retain(|row| row.disabled_at.is_none() && row.reaches(site));
        let holder = |row: crate::store::PersonRow| {
            (row.login.to_lowercase(), Holder { id: row.id.into(), name: row.name.into() })
        };
        let shifts = setup.sites.get(site).map(|settings| settings.shifts.clone()).unwrap_or_default();
        Ok(Self {
            zone: setup.zone_of(site),
            people: people.into_iter().map(holder).collect(),
            pack: Arc::clone(&setup.pack),
            shifts,
        })
    }

    /// The site's shifts with their hours.
    pub fn shifts(&self) -> Vec<(String, String)> {
        let hours = |shift: &Shift| format!("{} - {}", shift.from.strftime("%H:%M"), shift.until.strftime("%H:%M"));
        self.shifts.iter().map(|(name, shift)| (name.clone(), hours(shift))).collect()
    }

    /// The plan that a table is, or everything that is wrong with it.
    pub fn read(&self, table: &[u8]) -> Result<Plan, Vec<Mistake>> {
        let (zone, posts, shifts) = (&self.zone, &self.pack.posts, &self.shifts);
        csv::read(table, &Terms { zone, posts, shifts, people: self.people.clone() })
    }
}

/// A stretch of time as people at a site read it: the day on which it begins, its beginning, and its end, with the day if that is
/// another one.
pub fn stretch(zone: &TimeZone, from: Timestamp, until: Timestamp) -> (String, String, String) {
    let [from, until] = [from, until].map(|at| local(at, zone));
    let end = if from.date() == until.date() {
        until.strftime("%H:%M").to_string()
    } else {
        until.strftime("%Y-%m-%d %H:%M").to_string()
    };
    (from.date().to_string(), from.strftime("%H:%M").to_string(), end)
}
