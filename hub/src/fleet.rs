//! The live state of every site, in memory: changed by ingest alone, read by pages and the API.
//!
//! It may be ahead of the database by the commit that is under way, never behind it. What must be durable (alerts, tickets, records)
//! is read from the database.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use jiff::tz::TimeZone;
use lobby_contract::{DeviceId, SiteId};
use lobby_domain::{
    area::{Area, Areas},
    calendar::Calendar,
    device::{FRESH_FOR, Life},
    pack::Pack,
    register::taking,
    roster::Shifts,
    said::Shared,
    service_hours::{ServiceHours, SiteHours},
    site::{Changes, Site},
    stock::levels::Levels,
    time::{Span, Timestamp},
};
use tokio::sync::broadcast;

use crate::roster::Duties;

/// How many changes a slow reader may be behind before it is told to reload.
const BACKLOG: usize = 256;

/// What the hub knows of a site from its configuration.
#[derive(Debug, Clone, Default)]
pub struct SiteSettings {
    /// What people call it.
    pub name: Option<String>,
    /// When it is open.
    pub calendar: Option<Calendar>,
    /// Records of the past may be this far apart, however short a device's heartbeat: the demonstration's month is made up of few.
    pub least_gap: Span,
    /// When those who repair are on duty there.
    pub duty: ServiceHours,
    /// The shifts that its roster names.
    pub shifts: Shifts,
    /// How much of each item it wants to have.
    pub stock: BTreeMap<Box<str>, Levels>,
    /// Where its devices stand.
    pub areas: Areas,
    /// How long a stock-take of its register is good for; [`taking::EVERY`] without it.
    pub stock_take: Option<Span>,
}

/// What may change while the hub is at work.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The standards.
    pub pack: Arc<Pack>,
    /// What is configured of sites.
    pub sites: BTreeMap<SiteId, SiteSettings>,
    /// The zone of sites whose own is not configured.
    pub zone: TimeZone,
}

impl Setup {
    /// The longest time between two records of a device of that heartbeat that counts as known: as long as the present is known by its
    /// last record.
    pub fn gap(&self, site: &str, every: Span) -> Span {
        let least = self.sites.get(site).map_or(Span::ZERO, |settings| settings.least_gap);
        every.times(FRESH_FOR).max(least)
    }

    /// The area in which a device of that kind stands; nothing if that is not known.
    pub fn area_of(&self, site: &SiteId, device: &DeviceId, kind: &str) -> Option<Area> {
        let none = Areas::default();
        self.sites.get(site).map_or(&none, |settings| &settings.areas).of(&self.pack, device, kind)
    }

    /// The areas of a site.
    pub fn areas(&self, site: &SiteId) -> Vec<Area> {
        let none = Areas::default();
        self.sites.get(site).map_or(&none, |settings| &settings.areas).all(&self.pack)
    }

    /// The hours in which a site's deadlines count.
    pub fn hours(&self, site: &SiteId) -> SiteHours {
        let duty = self.sites.get(site).map(|settings| settings.duty.clone()).unwrap_or_default();
        SiteHours::new(&self.calendar(site), duty)
    }

    /// How long a stock-take of a site's register is good for (SHO-S2): then the next one is due.
    pub fn stock_take_every(&self, site: &SiteId) -> Span {
        self.sites.get(site).and_then(|settings| settings.stock_take).unwrap_or(taking::EVERY)
    }

    /// A site's time zone.
    pub fn zone_of(&self, site: &SiteId) -> TimeZone {
        self.calendar(site).zone().clone()
    }

    /// When a site is open.
    pub fn calendar(&self, site: &SiteId) -> Calendar {
        let configured = self.sites.get(site).and_then(|settings| settings.calendar.clone());
        configured.unwrap_or_else(|| Calendar::always_open(self.zone.clone()))
    }
}

/// Every site.
#[derive(Debug)]
pub struct Fleet {
    sites: RwLock<BTreeMap<SiteId, Site>>,
    setup: RwLock<Arc<Setup>>,
    admission: Life,
    shared: Arc<Shared>,
    /// Who is on duty.
    pub duties: Duties,
    changed: broadcast::Sender<Changed>,
}

/// Something a reader may want to look at again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The site.
    pub site: SiteId,
    /// The device, if it is about one.
    pub device: Option<DeviceId>,
}

impl Fleet {
    /// No sites yet. `zone` is that of sites whose own is not configured.
    pub fn new(pack: Arc<Pack>, settings: BTreeMap<SiteId, SiteSettings>, zone: TimeZone) -> Self {
        let setup = RwLock::new(Arc::new(Setup { pack, sites: settings, zone }));
        let (shared, duties, (changed, _)) = (Arc::default(), Duties::default(), broadcast::channel(BACKLOG));
        Self { sites: RwLock::default(), setup, admission: Life::Live, shared, duties, changed }
    }

    /// Lets the life of devices that are first heard of begin at `admission`.
    #[must_use]
    pub fn admitting(self, admission: Life) -> Self {
        Self { admission, ..self }
    }

    /// What the hub works by now.
    pub fn setup(&self) -> Arc<Setup> {
        Arc::clone(&self.setup.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Works by another setup from `now` on. Returns what follows from that, to be stored. For ingest alone.
    pub(crate) fn reconfigure(&self, setup: Setup, now: Timestamp) -> BTreeMap<SiteId, Changes> {
        let mut all = BTreeMap::new();
        let mut sites = self.write();
        for (id, site) in sites.iter_mut() {
            let changes = all.entry(id.clone()).or_default();
            site.reconfigure(Arc::clone(&setup.pack), setup.calendar(id), now, changes);
        }
        *self.setup.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(setup);
        drop(sites);
        all
    }

    /// The sites, to be read. Hold it briefly and never across an await.
    pub fn read(&self) -> RwLockReadGuard<'_, BTreeMap<SiteId, Site>> {
        // A panic of a writer stops the process; until then readers see the last state.
        self.sites.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sites, to be changed. For ingest alone.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<SiteId, Site>> {
        self.sites.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A site of which nothing is known but its configuration.
    pub(crate) fn new_site(&self, id: &SiteId, now: Timestamp) -> Site {
        let setup = self.setup();
        let site = Site::new(id.clone(), setup.calendar(id), Arc::clone(&setup.pack), now);
        site.admitting(self.admission).sharing(Arc::clone(&self.shared))
    }

    /// What people call a site: its configured name, or its id.
    pub fn name_of(&self, site: &SiteId) -> String {
        let name = self.setup().sites.get(site).and_then(|settings| settings.name.clone());
        name.unwrap_or_else(|| site.to_string())
    }

    /// Tells readers that something changed.
    pub fn tell(&self, changed: Changed) {
        // Nobody listening is fine.
        let _ = self.changed.send(changed);
    }

    /// A reader's view on what changes from now on.
    pub fn changes(&self) -> broadcast::Receiver<Changed> {
        self.changed.subscribe()
    }
}
