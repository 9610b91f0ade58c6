//! Records: stored in bulk, read by device and time.

use std::collections::BTreeMap;

use lobby_contract::{DeviceId, FactValue, Reach, SiteId};
use lobby_domain::time::Timestamp;
use sqlx::{Database, QueryBuilder};

use super::{Cursor, CursorError, Store, StoreError, Tx, on, statements};

/// Rows in one statement. Always the same number but for the rest, so that the statement stays prepared.
const ROWS: usize = 200;

/// A record on its way into the database.
#[derive(Debug, Clone)]
pub(super) struct RecordInsert {
    pub agent_no: i64,
    pub epoch: i64,
    pub seq: i64,
    pub device_no: i64,
    pub at: i64,
    pub received_at: i64,
    pub reach: i64,
    pub facts: String,
    pub faults: String,
}

/// A record as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordRow {
    /// Its agent.
    pub agent: String,
    /// Its epoch.
    pub epoch: i64,
    /// Its number within the epoch.
    pub seq: i64,
    /// Its device.
    pub device: String,
    /// When the device was probed, by the hub's clock.
    pub at: Timestamp,
    /// When it was received.
    pub received_at: Timestamp,
    /// Whether the device was reached.
    pub reach: Reach,
    /// Its facts.
    pub facts: BTreeMap<Box<str>, FactValue>,
    /// Its fault codes.
    pub faults: Vec<Box<str>>,
    agent_no: i64,
}

/// Which records are wanted.
#[derive(Debug, Clone)]
pub struct RecordFilter {
    /// Of this site.
    pub site: SiteId,
    /// Of this device only.
    pub device: Option<DeviceId>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
}

/// One value of one fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// When the device was probed.
    pub at: Timestamp,
    /// Whether it was reached.
    pub reach: Reach,
    /// Its facts.
    pub facts: BTreeMap<Box<str>, FactValue>,
}

#[derive(sqlx::FromRow)]
struct Raw {
    agent_no: i64,
    agent: String,
    epoch: i64,
    seq: i64,
    device: String,
    at: i64,
    received_at: i64,
    reach: i64,
    facts: String,
    faults: String,
}

statements! {
    BY_AGENT = "SELECT r.agent_no, a.id AS agent, r.epoch, r.seq, d.id AS device, r.at, r.received_at, r.reach, r.facts, r.faults
        FROM agent a JOIN record r ON r.agent_no = a.no JOIN device d ON d.no = r.device_no
        WHERE a.site = $1 AND r.at >= $2 AND r.at < $3 AND (r.agent_no, r.epoch, r.seq) > ($4, $5, $6)
        ORDER BY r.agent_no, r.epoch, r.seq LIMIT $7";
    BY_DEVICE = "SELECT r.agent_no, a.id AS agent, r.epoch, r.seq, d.id AS device, r.at, r.received_at, r.reach, r.facts, r.faults
        FROM device d JOIN record r ON r.device_no = d.no JOIN agent a ON a.no = r.agent_no
        WHERE d.site = $1 AND d.id = $2 AND r.at >= $3 AND r.at < $4 AND (r.at, r.agent_no, r.epoch, r.seq) > ($5, $6, $7, $8)
        ORDER BY r.at, r.agent_no, r.epoch, r.seq LIMIT $9";
    HISTORY = "SELECT r.agent_no, '' AS agent, r.epoch, r.seq, '' AS device, r.at, r.received_at, r.reach, r.facts, r.faults
        FROM device d JOIN record r ON r.device_no = d.no
        WHERE d.site = $1 AND d.id = $2 AND r.at >= $3 AND r.at < $4
        ORDER BY r.at DESC LIMIT 200000";
}

pub(super) const fn reach_code(reach: Reach) -> i64 {
    match reach {
        Reach::Ok => 0,
        Reach::Unreachable => 1,
        Reach::Unknown => 2,
    }
}

pub(super) fn reach_from(code: i64) -> Reach {
    match code {
        0 => Reach::Ok,
        1 => Reach::Unreachable,
        _ => Reach::Unknown,
    }
}

impl TryFrom<Raw> for RecordRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let bad = |error: serde_json::Error| StoreError::Inconsistent {
            table: "record",
            id: format!("{}/{}/{}", raw.agent_no, raw.epoch, raw.seq),
            what: error.to_string(),
        };
        Ok(Self {
            facts: serde_json::from_str(&raw.facts).map_err(bad)?,
            faults: serde_json::from_str(&raw.faults).map_err(bad)?,
            agent: raw.agent,
            epoch: raw.epoch,
            seq: raw.seq,
            device: raw.device,
            at: Timestamp::from_millis(raw.at),
            received_at: Timestamp::from_millis(raw.received_at),
            reach: reach_from(raw.reach),
            agent_no: raw.agent_no,
        })
    }
}

/// The bulk statement for some rows, with the placeholders of the database.
fn insert<DB: Database>(rows: &[RecordInsert]) -> QueryBuilder<DB>
where
    i64: for<'q> sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    String: for<'q> sqlx::Encode<'q, DB> + sqlx::Type<DB>,
{
    let mut query = QueryBuilder::new(
        "INSERT INTO record (agent_no, epoch, seq, device_no, at, received_at, reach, facts, faults) ",
    );
    query.push_values(rows, |mut values, row| {
        values
            .push_bind(row.agent_no)
            .push_bind(row.epoch)
            .push_bind(row.seq)
            .push_bind(row.device_no)
            .push_bind(row.at)
            .push_bind(row.received_at)
            .push_bind(row.reach)
            .push_bind(row.facts.clone())
            .push_bind(row.faults.clone());
    });
    query.push(" ON CONFLICT DO NOTHING");
    query
}

impl Tx {
    /// Stores records; those that are there already stay as they are. Returns how many were new.
    pub(super) async fn insert_records(&mut self, rows: &[RecordInsert]) -> Result<u64, StoreError> {
        let mut stored = 0;
        for chunk in rows.chunks(ROWS) {
            // Full chunks share one prepared statement; the rest would fill the cache with one for each length.
            let keep = chunk.len() == ROWS;
            stored += match self {
                Self::Sqlite(tx) => insert::<sqlx::Sqlite>(chunk)
                    .build()
                    .persistent(keep)
                    .execute(&mut **tx)
                    .await
                    .map(|done| done.rows_affected()),
                Self::Postgres(tx) => insert::<sqlx::Postgres>(chunk)
                    .build()
                    .persistent(keep)
                    .execute(&mut **tx)
                    .await
                    .map(|done| done.rows_affected()),
            }
            .map_err(super::doing("store records"))?;
        }
        Ok(stored)
    }
}

impl Store {
    /// One page of records and where the next begins: of one device by time, of a site by agent, epoch and seq.
    pub async fn records(
        &self,
        filter: &RecordFilter,
        after: Option<&Cursor>,
        limit: i64,
    ) -> Result<Result<(Vec<RecordRow>, Option<Cursor>), CursorError>, StoreError> {
        let (from, to) =
            (filter.from.map_or(i64::MIN, Timestamp::millis), filter.to.map_or(i64::MAX, Timestamp::millis));
        let mut tx = self.read().await?;
        let key = |at| after.map_or(Ok(i64::MIN), |cursor| cursor.number(at));
        let raw: Vec<Raw> = if let Some(device) = &filter.device {
            let Ok([at, agent, epoch, seq]) = [key(0), key(1), key(2), key(3)]
                .into_iter()
                .collect::<Result<Vec<_>, _>>()
                .and_then(|keys| <[i64; 4]>::try_from(keys).map_err(|_| CursorError))
            else {
                return Ok(Err(CursorError));
            };
            on!(&mut tx, "read a device's records", conn => sqlx::query_as(BY_DEVICE)
                .bind(filter.site.as_str()).bind(device.as_str()).bind(from).bind(to)
                .bind(at).bind(agent).bind(epoch).bind(seq).bind(limit + 1).fetch_all(conn).await)?
        } else {
            let Ok([agent, epoch, seq]) = [key(0), key(1), key(2)]
                .into_iter()
                .collect::<Result<Vec<_>, _>>()
                .and_then(|keys| <[i64; 3]>::try_from(keys).map_err(|_| CursorError))
            else {
                return Ok(Err(CursorError));
            };
            on!(&mut tx, "read a site's records", conn => sqlx::query_as(BY_AGENT)
                .bind(filter.site.as_str()).bind(from).bind(to)
                .bind(agent).bind(epoch).bind(seq).bind(limit + 1).fetch_all(conn).await)?
        };
        let mut rows = raw.into_iter().map(RecordRow::try_from).collect::<Result<Vec<_>, _>>()?;
        let by_device = filter.device.is_some();
        let next = super::page::cut(&mut rows, limit, |row| {
            let keys = [row.agent_no, row.epoch, row.seq];
            by_device.then_some(row.at.millis()).into_iter().chain(keys).map(|key| key.to_string()).collect()
        });
        Ok(Ok((rows, next)))
    }

    /// What a device stated from `from` until `to`, by time.
    pub async fn history(
        &self,
        site: &SiteId,
        device: &DeviceId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Sampled>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<Raw> = on!(&mut tx, "read a device's history", conn => sqlx::query_as(HISTORY)
            .bind(site.as_str()).bind(device.as_str()).bind(from.millis()).bind(to.millis()).fetch_all(conn).await)?;
        // Should there be more than the limit, it is the oldest that a chart can do without.
        raw.into_iter()
            .rev()
            .map(|raw| {
                let row = RecordRow::try_from(raw)?;
                Ok(Sampled { at: row.at, reach: row.reach, facts: row.facts })
            })
            .collect()
    }
}
