//! Keeps history small: rolls up each hour that has ended, and deletes what is older than it is to be kept.
//!
//! Both are done in small transactions beside the work of ingest, and from the database alone, so an end at any moment costs nothing: what
//! was not finished is still due.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lobby_contract::{DeviceId, SiteId};
use lobby_domain::{
    alert::{Subject, is_judged_by_data},
    calendar::Calendar,
    kind::Dispenses,
    pack::Pack,
    past::{self, Period, Rollup},
    rule::Effect,
    time::{Span, Timestamp},
};
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use tracing::info;

use crate::{
    clock::Clock,
    fleet::Fleet,
    lifecycle::Lifecycle,
    store::{Due, Grain, Store, StoreError, Tx},
};

/// How often it is looked for work.
const EVERY: Duration = Duration::from_mins(1);
/// Every how many looks old records are deleted: to find them means to look at every device.
const FORGET_EVERY: u32 = 10;
/// Records of an hour that are in time come within this time after it.
const SETTLING: Span = Span::from_mins(5);
/// Hours of one transaction: few enough that ingest hardly notices.
const HOURS: usize = 16;
/// Hours looked up at a time.
const AHEAD: i64 = 512;
/// Records whose hours are deleted in one transaction.
const RECORDS: i64 = 500;
/// Phone numbers cleared in one transaction.
const PHONES: i64 = 500;
/// How long history is kept: the `[history]` part of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HistorySettings {
    /// Records as agents sent them.
    pub raw: Span,
    /// Hours.
    pub hourly: Span,
    /// Days.
    pub daily: Span,
    /// Where those can be called who reported something, once their alert and ticket are over.
    pub phones: Span,
}

impl Default for HistorySettings {
    fn default() -> Self {
        let days = |days| Span::from_mins(24 * 60).times(days);
        Self { raw: days(30), hourly: days(730), daily: days(3650), phones: days(90) }
    }
}

impl HistorySettings {
    /// What makes no sense, each with its setting.
    pub fn mistakes(&self) -> Vec<(&'static str, String)> {
        let least = Span::from_mins(2 * 24 * 60);
        let mut wrong = Vec::new();
        if self.raw < least {
            let why = "the charts of a day are made of it";
            wrong.push(("raw", format!("`raw` is {}, use at least {least}: {why}", self.raw)));
        }
        for (key, length, (before, least)) in
            [("hourly", self.hourly, ("raw", self.raw)), ("daily", self.daily, ("hourly", self.hourly))]
        {
            if length < least {
                wrong.push((
                    key,
                    format!("`{key}` is {length}, and must be kept at least as long as `{before}`, {least}"),
                ));
            }
        }
        wrong
    }
}

/// What it works with.
pub struct History {
    /// Where everything is.
    pub store: Store,
    /// The sites, for their calendars, and the standards in effect, for what a rule means.
    pub fleet: Arc<Fleet>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long things are kept.
    pub settings: HistorySettings,
}

impl History {
    /// Starts the work.
    pub fn start(self, lifecycle: &Lifecycle) {
        let history = Arc::new(self);
        let mut looks = (0..FORGET_EVERY).cycle();
        lifecycle.repeat("history", EVERY, move || {
            let (history, forgets) = (Arc::clone(&history), looks.next() == Some(0));
            async move {
                history.roll_up().await?;
                if forgets { history.forget().await } else { Ok(()) }
            }
        });
    }

    /// Rolls up every hour that is due.
    pub async fn roll_up(&self) -> Result<(), StoreError> {
        let mut calendars = BTreeMap::new();
        let mut opened: Option<(String, Period, Vec<Period>)> = None;
        loop {
            let due = self.store.due(self.clock.now() - SETTLING, AHEAD).await?;
            if due.is_empty() {
                return Ok(());
            }
            for hours in due.chunks(HOURS) {
                let begun = Instant::now();
                let mut tx = self.store.begin().await?;
                for hour in hours {
                    let calendar = self.calendar(&mut calendars, &hour.site);
                    // Devices of a site share its hours.
                    let known = opened.take_if(|(site, period, _)| *site == hour.site && *period == hour.period());
                    let open = known.map_or_else(|| past::open_times(calendar, hour.period()), |(.., open)| open);
                    self.roll_up_hour(&mut tx, hour, calendar, &open).await?;
                    opened = Some((hour.site.clone(), hour.period(), open));
                }
                tx.commit().await?;
                rest(begun).await;
            }
        }
    }

    fn calendar<'a>(&self, known: &'a mut BTreeMap<String, Calendar>, site: &str) -> &'a Calendar {
        known.entry(site.to_owned()).or_insert_with(|| {
            let id: Option<SiteId> = site.parse().ok();
            let live = id.as_ref().and_then(|id| self.fleet.read().get(id).map(|site| site.calendar.clone()));
            live.unwrap_or_else(|| Calendar::always_open(jiff::tz::TimeZone::UTC))
        })
    }

    /// Rolls up one hour. What comes later than hours are kept is not added to its day any more: the rest of that is gone.
    async fn roll_up_hour(
        &self,
        tx: &mut Tx,
        due: &Due,
        calendar: &Calendar,
        open: &[Period],
    ) -> Result<(), StoreError> {
        tx.take_due(due).await?;
        let period = due.period();
        let known = tx.known_hour(due).await?;
        if let Some(dispenses) = self.dispenses(due) {
            let kept = known.as_ref().is_some_and(|(_, kept)| *kept);
            tx.roll_up_dispensed(due.device_no, &dispenses, period, kept).await?;
        }
        let day = day_of(calendar, period.0);
        if day.0 < self.clock.now() - self.settings.hourly {
            return Ok(());
        }
        let gap = self.fleet.setup().gap(&due.site, Span::from_millis(due.every_ms));
        let samples = tx.samples(due.device_no, (period.0 - gap, period.1)).await?;
        let faults = self.faults(tx, due, period).await?;
        let mut rollup = Rollup::of(period, &samples, gap, &faults, open);
        if let Some((left, false)) = known {
            // The hour's other records are gone: what came so late is added to what is left of them, and goes as well.
            let late = std::mem::replace(&mut rollup, left);
            rollup.add_figures(&late);
            tx.forget_late(due).await?;
        }
        tx.put_rollup(due.device_no, Grain::Hour, period.0, &rollup).await?;
        let mut whole = Rollup::default();
        for hour in tx.rolled_up(due.device_no, Grain::Hour, day).await? {
            whole += &hour.rollup;
        }
        tx.put_rollup(due.device_no, Grain::Day, day.0, &whole).await
    }

    /// What the device of an hour hands out.
    fn dispenses(&self, due: &Due) -> Option<Dispenses> {
        let (site, device): (SiteId, DeviceId) = (due.site.parse().ok()?, due.device.parse().ok()?);
        let sites = self.fleet.read();
        let device = sites.get(&site)?.device(&device)?;
        device.watch.kind()?.kind.dispenses.clone()
    }

    async fn faults(&self, tx: &mut Tx, due: &Due, period: Period) -> Result<Vec<Period>, StoreError> {
        let device = due.device.parse().map_err(|error: lobby_contract::NameError| StoreError::Inconsistent {
            table: "device",
            id: due.device.clone(),
            what: error.to_string(),
        })?;
        let faults = tx.faults(&due.site, &Subject::Device(device), period).await?;
        Ok(harmful(&self.fleet.setup().pack, faults, period.1))
    }

    /// Deletes what is older than it is to be kept.
    pub async fn forget(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let before = now - self.settings.raw;
        // What comes after years is old as soon as it comes.
        self.store.merge_all().await?;
        for device in self.store.aged_devices(before).await? {
            loop {
                let begun = Instant::now();
                let hours = self.store.aged_hours(device, before, RECORDS).await?;
                if hours.is_empty() || self.store.forget_hours(device, &hours).await? == 0 {
                    break;
                }
                rest(begun).await;
            }
        }
        self.store.forget_covered().await?;
        self.store.forget_rollups(Grain::Hour, now - self.settings.hourly).await?;
        self.store.forget_rollups(Grain::Day, now - self.settings.daily).await?;
        self.forget_phones(now - self.settings.phones).await
    }

    /// Clears the phone numbers of reports that were over at `before`.
    async fn forget_phones(&self, before: Timestamp) -> Result<(), StoreError> {
        loop {
            let begun = Instant::now();
            let cleared = self.store.forget_phones(before, PHONES).await?;
            if cleared == 0 {
                return Ok(());
            }
            info!(cleared, after = %self.settings.phones, "phone numbers of reports that are over were cleared");
            rest(begun).await;
        }
    }
}

/// Of what was wrong with a device, by rule, from when until when: when it did not do what it is for.
pub(crate) fn harmful(
    pack: &Pack,
    faults: Vec<(String, Timestamp, Option<Timestamp>)>,
    until: Timestamp,
) -> Vec<Period> {
    // What people report is no state that was measured.
    let harms = |id: &str| is_judged_by_data(id) && pack.rule(id).is_none_or(|rule| rule.effect != Effect::None);
    let harmful = faults.into_iter().filter(|(rule, ..)| harms(rule));
    past::merged(harmful.map(|(_, since, cleared)| (since, cleared.unwrap_or(until))).collect())
}

/// Leaves the database to others for as long as it was used.
async fn rest(begun: Instant) {
    sleep(begun.elapsed()).await;
}

/// The day that holds `at`, in the site's zone.
fn day_of(calendar: &Calendar, at: Timestamp) -> Period {
    let day = Span::from_mins(24 * 60);
    let whole = || {
        let time = jiff::Timestamp::from_millisecond(at.millis()).ok()?;
        let begin = time.to_zoned(calendar.zone().clone()).start_of_day().ok()?;
        let end = begin.tomorrow().ok()?.start_of_day().ok()?;
        let millis = |zoned: jiff::Zoned| Timestamp::from_millis(zoned.timestamp().as_millisecond());
        Some((millis(begin), millis(end)))
    };
    whole().unwrap_or_else(|| {
        let begin = at.shifted(-at.millis().rem_euclid(day.millis()));
        (begin, begin + day)
    })
}
