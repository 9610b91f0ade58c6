//! Rosters: what the words of a site's roster mean, and its times as people read them.

use std::{collections::BTreeMap, sync::Arc};

use jiff::tz::TimeZone;
use lobby_contract::SiteId;
use lobby_domain::{
    calendar::local,
    pack::Pack,
    roster::{
        Holder, Plan, Shift, Shifts,
        csv::{self, Mistake, Terms},
    },
    time::Timestamp,
};

use crate::{
    fleet::Setup,
    store::{Store, StoreError},
};

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
