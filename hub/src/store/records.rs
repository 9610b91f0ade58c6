//! Records: stored in bulk, read by device and time.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry};

use lobby_contract::{DeviceId, FactValue, Reach, SiteId};
use lobby_domain::{
    form::{Facts, Faults, Form},
    past::Sampled,
    time::Timestamp,
};
use uuid::Uuid;

use super::{
    Cursor, CursorError, Store, StoreError, Tx,
    bulk::Insert,
    on,
    staged::{in_part, of_device, record_columns},
    statements,
};

/// A record on its way into the database.
#[derive(Debug, Clone)]
pub(super) struct RecordInsert {
    pub agent_no: i64,
    pub epoch: i64,
    pub seq: i64,
    pub device_no: i64,
    pub at: i64,
    /// From `at` until it was received.
    pub lag: i64,
    pub reach: i64,
    pub suspect: bool,
    /// From `at` to the agent's own time, where that is another.
    pub stated: Option<i64>,
    pub form: i64,
    pub measured: Vec<u8>,
    /// Its number in `record_staged`, if it goes there.
    pub staged_as: Option<i64>,
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
    /// When the device was probed, by its agent's clock.
    pub stated_at: Timestamp,
    /// Whether the agent's clock was too far off to be believed.
    pub clock_suspect: bool,
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

#[derive(sqlx::FromRow)]
struct Raw {
    agent_no: i64,
    agent: String,
    epoch: i64,
    seq: i64,
    device: String,
    at: i64,
    lag: i64,
    reach: i64,
    suspect: bool,
    stated: Option<i64>,
    form: i64,
    text: String,
    measured: Vec<u8>,
}

/// The records of a site that are in a table.
macro_rules! by_agent {
    ($table:literal) => {
        concat!(
            "SELECT CAST(r.agent_no AS BIGINT) AS agent_no, a.id AS agent, r.epoch, r.seq, d.id AS device, r.at, r.lag,
                CAST(r.reach AS BIGINT) AS reach, r.suspect, r.stated, CAST(r.form AS BIGINT) AS form, f.text, r.measured
            FROM agent a JOIN ",
            $table,
            " r ON r.agent_no = a.no JOIN device d ON d.no = r.device_no JOIN form f ON f.no = r.form
            WHERE a.site = $1 AND r.at >= $2 AND r.at < $3 AND (r.agent_no, r.epoch, r.seq) > ($4, $5, $6)
            ORDER BY r.agent_no, r.epoch, r.seq LIMIT $7"
        )
    };
}

/// The records of a device that are in a table.
macro_rules! by_device {
    ($($table:expr),+) => {
        concat!(
            "SELECT CAST(r.agent_no AS BIGINT) AS agent_no, a.id AS agent, r.epoch, r.seq, d.id AS device, r.at, r.lag,
                CAST(r.reach AS BIGINT) AS reach, r.suspect, r.stated, CAST(r.form AS BIGINT) AS form, f.text, r.measured
            FROM device d JOIN ",
            $($table),+,
            " JOIN agent a ON a.no = r.agent_no JOIN form f ON f.no = r.form
            WHERE d.site = $1 AND d.id = $2 AND r.at >= $3 AND r.at < $4 AND (r.at, r.agent_no, r.epoch, r.seq) > ($5, $6, $7, $8)
            ORDER BY r.at, r.agent_no, r.epoch, r.seq LIMIT $9"
        )
    };
}

statements! {
    BY_AGENT = by_agent!("record");
    BY_AGENT_STAGED = by_agent!("record_staged");
    BY_DEVICE = by_device!("record r ON r.device_no = d.no");
    BY_DEVICE_STAGED = by_device!("record_staged r ON ", in_part!());
    HISTORY = of_device!("SELECT r.at, CAST(r.reach AS BIGINT) AS reach, CAST(r.form AS BIGINT) AS form, r.measured FROM device d",
        "WHERE d.site = $1 AND d.id = $2 AND r.at >= $3 AND r.at < $4", " ORDER BY at DESC LIMIT 200000");
    FORM = "SELECT text FROM form WHERE no = $1";
    NEW_FORM = "INSERT INTO form (hash, text) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING";
    FORM_NO = "SELECT CAST(no AS BIGINT) FROM form WHERE hash = $1";
}

// The bulk statements differ: PostgreSQL takes a list for each column, SQLite has no lists. A statement of SQLite that may end in the
// middle with nothing done keeps every page as it was before; `OR FAIL` spares that, as its transaction ends with it anyway.
const INSERT_FROM_LISTS: &str = concat!("INSERT INTO record (", record_columns!(), ")
    SELECT * FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::BIGINT[], $5::BIGINT[], $6::BIGINT[], $7::BIGINT[],
        $8::BOOLEAN[], $9::BIGINT[], $10::BIGINT[], $11::BYTEA[])
    ON CONFLICT DO NOTHING");
static INSERT: Insert =
    Insert::new(concat!("INSERT OR FAIL INTO record (", record_columns!(), ")"), 11, " ON CONFLICT DO NOTHING");
static STAGE: Insert = Insert::new(
    concat!("INSERT OR FAIL INTO record_staged (", record_columns!(), ", n)"),
    12,
    " ON CONFLICT DO NOTHING",
);

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

/// The forms that one answer has met.
#[derive(Default)]
pub(super) struct Forms(HashMap<i64, Form>);

impl Forms {
    /// What a record of the form `no` with these measured values says.
    pub(super) fn said(&self, no: i64, measured: &[u8]) -> Result<(Facts, Faults), StoreError> {
        let form = self.0.get(&no).ok_or_else(|| inconsistent("form", no, &"it is gone"))?;
        form.fill(measured).map_err(|error| inconsistent("record of form", no, &error))
    }

    fn learn(&mut self, no: i64, text: &str) -> Result<(), StoreError> {
        if let Entry::Vacant(place) = self.0.entry(no) {
            place.insert(Form::read(text).map_err(|error| inconsistent("form", no, &error))?);
        }
        Ok(())
    }

    /// Reads those of `numbers` that have not been met.
    pub(super) async fn read(&mut self, tx: &mut Tx, numbers: &[i64]) -> Result<(), StoreError> {
        for no in numbers.iter().copied() {
            if !self.0.contains_key(&no) {
                let text: Option<String> =
                    on!(tx, "read a form", conn => sqlx::query_scalar(FORM).bind(no).fetch_optional(conn).await)?;
                self.learn(no, &text.ok_or_else(|| inconsistent("form", no, &"it is gone"))?)?;
            }
        }
        Ok(())
    }
}

impl Raw {
    fn key(&self) -> (i64, i64, i64) {
        (self.agent_no, self.epoch, self.seq)
    }
}

fn inconsistent(table: &'static str, id: i64, what: &dyn std::fmt::Display) -> StoreError {
    StoreError::Inconsistent { table, id: id.to_string(), what: what.to_string() }
}

fn rows(raw: Vec<Raw>) -> Result<Vec<RecordRow>, StoreError> {
    let mut forms = Forms::default();
    raw.into_iter()
        .map(|raw| {
            forms.learn(raw.form, &raw.text)?;
            let (facts, faults) = forms.said(raw.form, &raw.measured)?;
            let at = Timestamp::from_millis(raw.at);
            Ok(RecordRow {
                facts,
                faults,
                agent: raw.agent,
                epoch: raw.epoch,
                seq: raw.seq,
                device: raw.device,
                at,
                received_at: at.shifted(raw.lag),
                stated_at: at.shifted(raw.stated.unwrap_or(0)),
                clock_suspect: raw.suspect,
                reach: reach_from(raw.reach),
                agent_no: raw.agent_no,
            })
        })
        .collect()
}

impl Tx {
    /// Stores records; those that are there already stay as they are. Returns how many were new, of those that are not `staged`; on SQLite
    /// all of them are, or none.
    pub(super) async fn insert_records(&mut self, rows: &[RecordInsert], staged: bool) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(tx) => {
                let mut stored = 0;
                let insert = if staged { &STAGE } else { &INSERT };
                for (mut statement, part) in insert.parts(rows) {
                    for row in part {
                        statement = statement.bind(row.agent_no).bind(row.epoch).bind(row.seq).bind(row.device_no);
                        statement = statement.bind(row.at).bind(row.lag).bind(row.reach).bind(row.suspect);
                        statement = statement.bind(row.stated).bind(row.form).bind(row.measured.clone());
                        if staged {
                            statement = statement.bind(row.staged_as);
                        }
                    }
                    let done = statement.execute(&mut **tx).await.map_err(super::doing("store records"))?;
                    stored += done.rows_affected();
                }
                let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
                if staged && stored != count {
                    // Somebody else stages too. Then the batch is stored as after any failure: by the keys of its records.
                    let what = format!("{} of {count} numbers were taken", count - stored);
                    return Err(inconsistent("record_staged", rows[0].staged_as.unwrap_or_default(), &what));
                }
                Ok(stored)
            }
            Self::Postgres(tx) => {
                let list = |column: fn(&RecordInsert) -> i64| rows.iter().map(column).collect::<Vec<i64>>();
                let done = sqlx::query(INSERT_FROM_LISTS)
                    .bind(list(|row| row.agent_no))
                    .bind(list(|row| row.epoch))
                    .bind(list(|row| row.seq))
                    .bind(list(|row| row.device_no))
                    .bind(list(|row| row.at))
                    .bind(list(|row| row.lag))
                    .bind(list(|row| row.reach))
                    .bind(rows.iter().map(|row| row.suspect).collect::<Vec<bool>>())
                    .bind(rows.iter().map(|row| row.stated).collect::<Vec<Option<i64>>>())
                    .bind(list(|row| row.form))
                    .bind(rows.iter().map(|row| row.measured.as_slice()).collect::<Vec<&[u8]>>())
                    .execute(&mut **tx)
                    .await;
                Ok(done.map_err(super::doing("store records"))?.rows_affected())
            }
        }
    }

    /// The number of a form, which is stored if it is new.
    pub(super) async fn form_no(&mut self, text: &str) -> Result<i64, StoreError> {
        let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes());
        on!(self, "store a form", conn => sqlx::query(NEW_FORM).bind(hash).bind(text).execute(conn).await.map(drop))?;
        on!(self, "look up a form", conn => sqlx::query_scalar(FORM_NO).bind(hash).fetch_one(conn).await)
    }
}

impl Store {
    /// Statements about `record` and `record_staged`: of the latter, where anything is staged at all.
    fn tables(&self, [merged, staged]: [&'static str; 2]) -> impl Iterator<Item = &'static str> {
        let is_any = matches!(self, Self::Sqlite(_));
        [merged].into_iter().chain(is_any.then_some(staged))
    }

    /// One page of records and where the next begins: of one device by time, of a site by agent, epoch and seq.
    pub async fn records(
        &self,
        filter: &RecordFilter,
        after: Option<&Cursor>,
        limit: i64,
    ) -> Result<Result<(Vec<RecordRow>, Option<Cursor>), CursorError>, StoreError> {
        let (from, to) =
            (filter.from.map_or(i64::MIN, Timestamp::millis), filter.to.map_or(i64::MAX, Timestamp::millis));
        let mut tx = self.snapshot().await?;
        let key = |at| after.map_or(Ok(i64::MIN), |cursor| cursor.number(at));
        let (Ok(first), Ok(second), Ok(third)) = (key(0), key(1), key(2)) else { return Ok(Err(CursorError)) };
        let mut raw: Vec<Raw> = Vec::new();
        if let Some(device) = &filter.device {
            let Ok(fourth) = key(3) else { return Ok(Err(CursorError)) };
            for sql in self.tables([BY_DEVICE, BY_DEVICE_STAGED]) {
                raw.extend(on!(&mut tx, "read a device's records", conn => sqlx::query_as::<_, Raw>(sql)
                    .bind(filter.site.as_str()).bind(device.as_str()).bind(from).bind(to)
                    .bind(first).bind(second).bind(third).bind(fourth).bind(limit + 1).fetch_all(conn).await)?);
            }
            raw.sort_by_key(|raw| (raw.at, raw.key()));
        } else {
            for sql in self.tables([BY_AGENT, BY_AGENT_STAGED]) {
                raw.extend(on!(&mut tx, "read a site's records", conn => sqlx::query_as::<_, Raw>(sql)
                    .bind(filter.site.as_str()).bind(from).bind(to)
                    .bind(first).bind(second).bind(third).bind(limit + 1).fetch_all(conn).await)?);
            }
            raw.sort_by_key(Raw::key);
        }
        let mut listed = BTreeSet::new();
        raw.retain(|raw| listed.insert(raw.key()));
        raw.truncate(usize::try_from(limit + 1).unwrap_or_default());
        let mut rows = rows(raw)?;
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
        let raw: Vec<(i64, i64, i64, Vec<u8>)> = on!(&mut tx, "read a device's history", conn => sqlx::query_as(HISTORY)
            .bind(site.as_str()).bind(device.as_str()).bind(from.millis()).bind(to.millis()).fetch_all(conn).await)?;
        let mut forms = Forms::default();
        let numbers: Vec<i64> = raw.iter().map(|(_, _, form, _)| *form).collect();
        forms.read(&mut tx, &numbers).await?;
        // Should there be more than the limit, it is the oldest that a chart can do without.
        raw.into_iter()
            .rev()
            .map(|(at, reach, form, measured)| {
                let (facts, _) = forms.said(form, &measured)?;
                Ok(Sampled { at: Timestamp::from_millis(at), reach: reach_from(reach), facts })
            })
            .collect()
    }
}
