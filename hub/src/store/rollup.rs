//! What is left of records when they are gone: hours and days of each device, and the raw records that are no longer kept.
//!
//! An hour is due as soon as a record in it is stored, in the same transaction, so nothing is forgotten whenever the process ends. To roll
//! it up is to make it from its records anew, so doing it twice changes nothing.
//!
//! The records of an hour are deleted together, in the transaction that notes that they are no longer kept. What comes for it after that is
//! added to what is known of it, and deleted in the same transaction: so each record is counted once, whenever it comes, until hours as old
//! as it are deleted themselves.

use std::collections::BTreeMap;

use lobby_contract::{DeviceId, SiteId};
use lobby_domain::{
    alert::{Raise, Subject},
    past::{Figure, Period, Rollup, Sampled, Times},
    time::{Span, Timestamp},
};

use super::{
    Store, StoreError, Tx,
    bulk::Insert,
    on,
    records::{Forms, reach_from},
    staged::of_device,
    statements,
};

const HOUR: Span = Span::from_mins(60);
/// An alert makes no more hours due than this, however long ago its fault began.
const MOST_HOURS: usize = 48;

/// A length of time that is rolled up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// An hour of UTC.
    Hour,
    /// A day of the site's zone.
    Day,
}

/// An hour of a device that is due to be rolled up.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Due {
    /// When it begins, in ms.
    pub at: i64,
    /// The device's number in the database.
    pub device_no: i64,
    /// Its site.
    pub site: String,
    /// Its name.
    pub device: String,
    /// Its heartbeat, in ms.
    pub every_ms: i64,
}

/// One hour or day as it was rolled up.
#[derive(Debug, Clone, PartialEq)]
pub struct RolledUp {
    /// When it begins.
    pub at: Timestamp,
    /// What is left of it.
    pub rollup: Rollup,
}

/// When, how, what and by which agent, start and number it was stated.
type RawSample = (i64, i64, i64, Vec<u8>, i64, i64, i64);

#[derive(sqlx::FromRow)]
struct Raw {
    at: i64,
    records: i64,
    normal: i64,
    abnormal: i64,
    offline: i64,
    unknown: i64,
    open_normal: i64,
    open_abnormal: i64,
    open_offline: i64,
    open_unknown: i64,
    figures: String,
}

#[derive(sqlx::FromRow)]
struct KnownHour {
    #[sqlx(flatten)]
    raw: Raw,
    kept: bool,
}

statements! {
    NOTE_ALERT_DUE = "INSERT INTO rollup_due (at, device_no) SELECT $3, no FROM device WHERE site = $1 AND id = $2
        ON CONFLICT (at, device_no) DO UPDATE SET at = excluded.at";
    DUE = "SELECT u.at, u.device_no, d.site, d.id AS device, d.every_ms FROM rollup_due u JOIN device d ON d.no = u.device_no
        WHERE u.at < $1 ORDER BY u.at, u.device_no LIMIT $2";
    TAKE_DUE = "DELETE FROM rollup_due WHERE at = $1 AND device_no = $2";
    SAMPLES = of_device!("SELECT r.at, CAST(r.reach AS BIGINT) AS reach, CAST(r.form AS BIGINT) AS form, r.measured,
            CAST(r.agent_no AS BIGINT) AS agent_no, r.epoch, r.seq
        FROM device d", "WHERE d.no = $1 AND r.at >= $2 AND r.at < $3", " ORDER BY at, epoch, seq, agent_no");
    FAULTS = "SELECT rule, since, cleared_at FROM alert
        WHERE site = $1 AND subject = $2 AND since < $4 AND (cleared_at IS NULL OR cleared_at > $3)";
    PUT = "INSERT INTO rollup (device_no, grain, at, records, normal, abnormal, offline, unknown, open_normal, open_abnormal,
            open_offline, open_unknown, figures, kept)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, TRUE)
        ON CONFLICT (device_no, grain, at) DO UPDATE SET records = excluded.records, normal = excluded.normal,
            abnormal = excluded.abnormal, offline = excluded.offline, unknown = excluded.unknown, open_normal = excluded.open_normal,
            open_abnormal = excluded.open_abnormal, open_offline = excluded.open_offline, open_unknown = excluded.open_unknown,
            figures = excluded.figures";
    ROLLED_UP = "SELECT at, records, normal, abnormal, offline, unknown, open_normal, open_abnormal, open_offline, open_unknown, figures
        FROM rollup WHERE device_no = $1 AND grain = $2 AND at >= $3 AND at < $4 ORDER BY at";
    DEVICE_NO = "SELECT no FROM device WHERE site = $1 AND id = $2";
    AGED_DEVICES = "SELECT no FROM device d WHERE EXISTS (SELECT 1 FROM record r WHERE r.device_no = d.no AND r.at < $1) ORDER BY no";
    KNOWN_HOUR = "SELECT at, records, normal, abnormal, offline, unknown, open_normal, open_abnormal, open_offline, open_unknown, figures,
            kept
        FROM rollup WHERE device_no = $1 AND grain = 0 AND at = $2";
    AGED_HOURS = "SELECT DISTINCT hour FROM (SELECT r.at - r.at % 3600000 AS hour FROM record r
            WHERE r.device_no = $1 AND r.at < $2 AND r.at < (SELECT MAX(at) - MAX(at) % 3600000 FROM record WHERE device_no = $1)
                AND NOT EXISTS (SELECT 1 FROM rollup_due u WHERE u.device_no = $1 AND u.at = r.at - r.at % 3600000)
            ORDER BY r.at LIMIT $3) AS oldest
        ORDER BY hour";
    FORGET_HOUR = "DELETE FROM record WHERE device_no = $1 AND at >= $2 AND at < $2 + 3600000
        AND at < (SELECT MAX(at) FROM record WHERE device_no = $1)
        AND NOT EXISTS (SELECT 1 FROM rollup_due WHERE device_no = $1 AND at = $2)";
    NO_LONGER_KEPT = "UPDATE rollup SET kept = FALSE WHERE device_no = $1 AND grain = 0 AND at = $2";
    AGED_ROLLUPS = "SELECT no FROM device d WHERE EXISTS (
            SELECT 1 FROM rollup r WHERE r.device_no = d.no AND r.grain = $1 AND r.at < $2) ORDER BY no";
    FORGET_ROLLUPS = "DELETE FROM rollup WHERE device_no = $1 AND grain = $2 AND at < $3";
}

// The bulk statements differ: PostgreSQL takes a list for each column, SQLite has no lists. A note that is there already is touched, so
// that whoever takes it at this moment waits until the records of this transaction are there.
const NOTE_DUE_FROM_LISTS: &str =
    "INSERT INTO rollup_due (at, device_no) SELECT * FROM UNNEST($1::BIGINT[], $2::BIGINT[])
    ON CONFLICT (at, device_no) DO UPDATE SET at = excluded.at";
static NOTE_DUE: Insert = Insert::new("INSERT OR FAIL INTO rollup_due (at, device_no)", 2, " ON CONFLICT DO NOTHING");

/// The beginning of the hour that holds `at`, both in ms.
pub(super) fn hour_of(at: i64) -> i64 {
    at - at.rem_euclid(HOUR.millis())
}

impl Grain {
    pub(super) const fn code(self) -> i64 {
        match self {
            Self::Hour => 0,
            Self::Day => 1,
        }
    }
}

impl Due {
    /// The hour.
    pub fn period(&self) -> Period {
        let from = Timestamp::from_millis(self.at);
        (from, from + HOUR)
    }
}

impl TryFrom<Raw> for RolledUp {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let figures: BTreeMap<Box<str>, Figure> = serde_json::from_str(&raw.figures).map_err(|error| {
            StoreError::Inconsistent { table: "rollup", id: raw.at.to_string(), what: error.to_string() }
        })?;
        let all = Times { normal: raw.normal, abnormal: raw.abnormal, offline: raw.offline, unknown: raw.unknown };
        let open = Times {
            normal: raw.open_normal,
            abnormal: raw.open_abnormal,
            offline: raw.open_offline,
            unknown: raw.open_unknown,
        };
        let rollup = Rollup { records: raw.records, all, open, figures };
        Ok(Self { at: Timestamp::from_millis(raw.at), rollup })
    }
}

impl Tx {
    /// Notes that hours, by their beginning and device, are to be rolled up.
    pub(super) async fn note_due(&mut self, due: &[(i64, i64)]) -> Result<(), StoreError> {
        if due.is_empty() {
            return Ok(());
        }
        match self {
            Self::Sqlite(tx) => {
                for (mut statement, part) in NOTE_DUE.parts(due) {
                    for (at, device) in part {
                        statement = statement.bind(*at).bind(*device);
                    }
                    statement.execute(&mut **tx).await.map_err(super::doing("note what is to be rolled up"))?;
                }
            }
            Self::Postgres(tx) => {
                let (at, devices): (Vec<i64>, Vec<i64>) = due.iter().copied().unzip();
                let done = sqlx::query(NOTE_DUE_FROM_LISTS).bind(at).bind(devices).execute(&mut **tx).await;
                done.map_err(super::doing("note what is to be rolled up"))?;
            }
        }
        Ok(())
    }

    /// Notes the hours in which a fault was there before it became an alert: they may have been rolled up as if nothing had been wrong.
    pub(super) async fn note_alert_due(&mut self, site: &SiteId, raise: &Raise) -> Result<(), StoreError> {
        let Subject::Device(device) = &raise.subject else { return Ok(()) };
        let hours = std::iter::successors(Some(hour_of(raise.since.millis())), |at| Some(at + HOUR.millis()));
        for at in hours.take_while(|at| *at <= hour_of(raise.at.millis())).take(MOST_HOURS) {
            on!(self, "note what is to be rolled up", conn => sqlx::query(NOTE_ALERT_DUE).bind(site.as_str())
                .bind(device.as_str()).bind(at).execute(conn).await.map(drop))?;
        }
        Ok(())
    }

    /// Takes an hour to be rolled up. From here until the commit, whoever stores a record in it waits or notes it again.
    pub(crate) async fn take_due(&mut self, due: &Due) -> Result<(), StoreError> {
        on!(self, "take an hour to be rolled up", conn => sqlx::query(TAKE_DUE).bind(due.at).bind(due.device_no)
            .execute(conn).await.map(drop))?;
        match self {
            Self::Sqlite(tx) => tx.takes(due.at),
            Self::Postgres(tx) => tx.takes(due.at),
        }
        Ok(())
    }

    /// What a device stated within a period.
    pub(crate) async fn samples(&mut self, device_no: i64, period: Period) -> Result<Vec<Sampled>, StoreError> {
        let mut raw: Vec<RawSample> = on!(self, "read what is to be rolled up", conn => sqlx::query_as(SAMPLES)
            .bind(device_no).bind(period.0.millis()).bind(period.1.millis()).fetch_all(conn).await)?;
        // A record that was staged twice is one.
        raw.dedup_by_key(|(.., agent, epoch, seq)| (*agent, *epoch, *seq));
        let mut forms = Forms::default();
        let numbers: Vec<i64> = raw.iter().map(|(_, _, form, ..)| *form).collect();
        forms.read(self, &numbers).await?;
        raw.into_iter()
            .map(|(at, reach, form, measured, ..)| {
                let (facts, _) = forms.said(form, &measured)?;
                Ok(Sampled { at: Timestamp::from_millis(at), reach: reach_from(reach), facts })
            })
            .collect()
    }

    /// The rules by which something was wrong with a subject within a period, and from when until when if it has ended.
    pub(crate) async fn faults(
        &mut self,
        site: &str,
        subject: &Subject,
        period: Period,
    ) -> Result<Vec<(String, Timestamp, Option<Timestamp>)>, StoreError> {
        let raw: Vec<(String, i64, Option<i64>)> = on!(self, "read what was wrong", conn => sqlx::query_as(FAULTS)
            .bind(site).bind(subject.to_string()).bind(period.0.millis()).bind(period.1.millis()).fetch_all(conn).await)?;
        let time = Timestamp::from_millis;
        Ok(raw.into_iter().map(|(rule, since, cleared)| (rule, time(since), cleared.map(time))).collect())
    }

    /// Stores an hour or a day, in place of what was there.
    pub(crate) async fn put_rollup(
        &mut self,
        device_no: i64,
        grain: Grain,
        at: Timestamp,
        rollup: &Rollup,
    ) -> Result<(), StoreError> {
        let Rollup { records, all, open, figures } = rollup;
        let figures = serde_json::to_string(figures).expect("figures have text keys and finite numbers");
        on!(self, "store what is left of an hour or a day", conn => sqlx::query(PUT).bind(device_no).bind(grain.code())
            .bind(at.millis()).bind(records).bind(all.normal).bind(all.abnormal).bind(all.offline).bind(all.unknown)
            .bind(open.normal).bind(open.abnormal).bind(open.offline).bind(open.unknown).bind(figures)
            .execute(conn).await.map(drop))
    }

    /// The hours or days that begin within a period, by time.
    pub(crate) async fn rolled_up(
        &mut self,
        device_no: i64,
        grain: Grain,
        period: Period,
    ) -> Result<Vec<RolledUp>, StoreError> {
        let raw: Vec<Raw> = on!(self, "read hours or days", conn => sqlx::query_as(ROLLED_UP).bind(device_no)
            .bind(grain.code()).bind(period.0.millis()).bind(period.1.millis()).fetch_all(conn).await)?;
        raw.into_iter().map(RolledUp::try_from).collect()
    }

    /// What is known of an hour, if it was rolled up before, and whether all its records are still there.
    pub(crate) async fn known_hour(&mut self, due: &Due) -> Result<Option<(Rollup, bool)>, StoreError> {
        let known: Option<KnownHour> = on!(self, "read what is known of an hour", conn => sqlx::query_as(KNOWN_HOUR)
            .bind(due.device_no).bind(due.at).fetch_optional(conn).await)?;
        known.map(|KnownHour { raw, kept }| Ok((RolledUp::try_from(raw)?.rollup, kept))).transpose()
    }

    /// Deletes what came for an hour whose other records are gone.
    pub(crate) async fn forget_late(&mut self, due: &Due) -> Result<(), StoreError> {
        self.merge_all().await?;
        self.forget_hour(due.device_no, due.at).await.map(drop)
    }

    /// Deletes the records of an hour, but none of an hour that is due, and never a device's newest. Returns how many.
    async fn forget_hour(&mut self, device_no: i64, at: i64) -> Result<u64, StoreError> {
        self.note_gone(device_no, at).await?;
        on!(self, "delete the records of an hour", conn => sqlx::query(FORGET_HOUR).bind(device_no).bind(at).execute(conn).await
            .map(|done| done.rows_affected()))
    }
}

impl Store {
    /// Hours that ended before `before` and are due, the oldest first.
    pub async fn due(&self, before: Timestamp, most: i64) -> Result<Vec<Due>, StoreError> {
        let mut tx = self.read().await?;
        let ended = before.shifted(-HOUR.millis());
        on!(&mut tx, "read what is to be rolled up", conn => sqlx::query_as(DUE).bind(ended.millis()).bind(most)
            .fetch_all(conn).await)
    }

    /// The hours or days of a device that begin within a period, by time.
    pub async fn rollups(
        &self,
        site: &SiteId,
        device: &DeviceId,
        grain: Grain,
        period: Period,
    ) -> Result<Vec<RolledUp>, StoreError> {
        let mut tx = self.read().await?;
        let no: Option<i64> = on!(&mut tx, "look up a device", conn => sqlx::query_scalar(DEVICE_NO).bind(site.as_str())
            .bind(device.as_str()).fetch_optional(conn).await)?;
        match no {
            Some(no) => tx.rolled_up(no, grain, period).await,
            None => Ok(Vec::new()),
        }
    }

    /// The devices with records of hours that had ended at `before`.
    pub async fn aged_devices(&self, before: Timestamp) -> Result<Vec<i64>, StoreError> {
        let mut tx = self.read().await?;
        on!(&mut tx, "look for old records", conn => sqlx::query_scalar(AGED_DEVICES)
            .bind(hour_of(before.millis())).fetch_all(conn).await)
    }

    /// The hours, ended at `before`, of a device's `most` oldest records: not the hour of its newest record, and none that is due to be
    /// rolled up.
    pub async fn aged_hours(&self, device_no: i64, before: Timestamp, most: i64) -> Result<Vec<i64>, StoreError> {
        let mut tx = self.read().await?;
        on!(&mut tx, "look for old records", conn => sqlx::query_scalar(AGED_HOURS).bind(device_no)
            .bind(hour_of(before.millis())).bind(most).fetch_all(conn).await)
    }

    /// Deletes all records of these hours of a device, but of none that is due by now. Returns how many.
    pub async fn forget_hours(&self, device_no: i64, hours: &[i64]) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let mut gone = 0;
        for hour in hours {
            let of_hour = tx.forget_hour(device_no, *hour).await?;
            if of_hour > 0 {
                on!(&mut tx, "note that records are gone", conn => sqlx::query(NO_LONGER_KEPT).bind(device_no).bind(hour)
                    .execute(conn).await.map(drop))?;
            }
            gone += of_hour;
        }
        tx.commit().await?;
        Ok(gone)
    }

    /// Deletes the hours or days from before `before`, device by device.
    pub async fn forget_rollups(&self, grain: Grain, before: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.read().await?;
        let aged: Vec<i64> = on!(&mut tx, "look for old hours or days", conn => sqlx::query_scalar(AGED_ROLLUPS)
            .bind(grain.code()).bind(before.millis()).fetch_all(conn).await)?;
        drop(tx);
        for device in aged {
            let mut tx = self.begin().await?;
            on!(&mut tx, "delete old hours or days", conn => sqlx::query(FORGET_ROLLUPS).bind(device).bind(grain.code())
                .bind(before.millis()).execute(conn).await.map(drop))?;
            tx.commit().await?;
        }
        Ok(())
    }
}
