//! What machines have handed out: an hour is made from its records when it is rolled up, in the same transaction. An hour that is still due,
//! such as the present one, is made from them whenever somebody asks, so what is told is always all that is stored.

use std::collections::BTreeMap;

use lobby_contract::{DeviceId, FactValue, SiteId};
use lobby_domain::{
    kind::Dispenses,
    past::Period,
    stock::dispensed::{Counted, Hour, Reading, step},
    time::{Span, Timestamp},
};

use super::{Store, StoreError, Tx, on, records::Forms, staged::of_device, statements};
use crate::audit::{Actor, Change};

const HOUR: i64 = 3_600_000;
/// Hours older than this may have lost their records, so what is stored of them is taken until they are rolled up again.
const SURE: Span = Span::from_mins(36 * 60);

/// A machine that counts what it hands out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// The device.
    pub device: DeviceId,
    /// What it hands out.
    pub dispenses: Dispenses,
}

/// What a machine has handed out in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineHour {
    /// When it begins.
    pub at: Timestamp,
    /// What its records say.
    pub hour: Hour,
    /// What lies between the last record before it and its first.
    pub gap: Counted,
}

/// What a machine has handed out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dispensed {
    /// Pieces since it is known, with those that a person has accepted.
    pub total: i64,
    /// Clearings of the counter of which nobody said anything.
    pub unsure: i64,
    /// Hours since the time asked for, in order, and how many pieces.
    pub hours: Vec<(Timestamp, i64)>,
    /// Hours since the time asked for with such clearings, and how many.
    pub unsure_at: Vec<(Timestamp, u32)>,
    /// Hours with pieces that are not believed and of which nobody has said anything yet.
    pub held: Vec<(Timestamp, i64)>,
}

#[derive(sqlx::FromRow)]
struct Raw {
    at: i64,
    pieces: i64,
    held: i64,
    unsure: i64,
    gap_pieces: i64,
    gap_held: i64,
    gap_unsure: i64,
    first_reading: String,
    last_reading: String,
}

statements! {
    READINGS = of_device!("SELECT CAST(r.agent_no AS BIGINT) AS agent_no, r.epoch, r.seq, r.at, CAST(r.form AS BIGINT) AS form, r.measured
        FROM device d", "WHERE d.no = $1 AND r.at >= $2 AND r.at < $3", " ORDER BY at, epoch, seq");
    PUT_HOUR = "INSERT INTO stock_hour (device_no, at, item, pieces, held, unsure, gap_pieces, gap_held, gap_unsure, first_reading,
            last_reading)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (device_no, at) DO UPDATE SET item = excluded.item, pieces = excluded.pieces, held = excluded.held,
            unsure = excluded.unsure, gap_pieces = excluded.gap_pieces, gap_held = excluded.gap_held,
            gap_unsure = excluded.gap_unsure, first_reading = excluded.first_reading, last_reading = excluded.last_reading";
    HOUR_BEFORE = "SELECT at, pieces, held, unsure, gap_pieces, gap_held, gap_unsure, first_reading, last_reading FROM stock_hour
        WHERE device_no = $1 AND at < $2 ORDER BY at DESC LIMIT 1";
    HOUR_AFTER = "SELECT at, pieces, held, unsure, gap_pieces, gap_held, gap_unsure, first_reading, last_reading FROM stock_hour
        WHERE device_no = $1 AND at > $2 ORDER BY at LIMIT 1";
    HOURS_FROM = "SELECT at, pieces, held, unsure, gap_pieces, gap_held, gap_unsure, first_reading, last_reading FROM stock_hour
        WHERE device_no = $1 AND at >= $2 ORDER BY at";
    SET_GAP = "UPDATE stock_hour SET gap_pieces = $3, gap_held = $4, gap_unsure = $5 WHERE device_no = $1 AND at = $2";
    SUM_BEFORE = "SELECT CAST(COALESCE(SUM(pieces + gap_pieces), 0) AS BIGINT), CAST(COALESCE(SUM(unsure + gap_unsure), 0) AS BIGINT)
        FROM stock_hour WHERE device_no = $1 AND at < $2";
    HELD_BEFORE = "SELECT at, held + gap_held AS held FROM stock_hour WHERE device_no = $1 AND at < $2 AND held + gap_held <> 0 ORDER BY at";
    VERDICTS = "SELECT at, held, accepted FROM stock_verdict WHERE device_no = $1";
    DECIDE = "INSERT INTO stock_verdict (device_no, at, held, accepted, who, decided_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (device_no, at) DO UPDATE SET held = excluded.held, accepted = excluded.accepted, who = excluded.who,
            decided_at = excluded.decided_at";
    DUE_OF = "SELECT at FROM rollup_due WHERE device_no = $1 ORDER BY at";
}

fn bad(at: i64, what: impl std::fmt::Display) -> StoreError {
    StoreError::Inconsistent { table: "stock_hour", id: at.to_string(), what: what.to_string() }
}

impl TryFrom<Raw> for MachineHour {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let reading = |text: &str| serde_json::from_str::<Reading>(text).map_err(|error| bad(raw.at, error));
        let counted = |pieces, held, unsure: i64| {
            let unsure = u32::try_from(unsure).map_err(|error| bad(raw.at, error))?;
            Ok::<_, StoreError>(Counted { pieces, held, unsure })
        };
        Ok(Self {
            at: Timestamp::from_millis(raw.at),
            hour: Hour {
                first: reading(&raw.first_reading)?,
                last: reading(&raw.last_reading)?,
                within: counted(raw.pieces, raw.held, raw.unsure)?,
            },
            gap: counted(raw.gap_pieces, raw.gap_held, raw.gap_unsure)?,
        })
    }
}

impl MachineHour {
    fn counted(&self) -> Counted {
        self.hour.within + self.gap
    }
}

/// A count as a record states it.
fn whole(value: Option<&FactValue>) -> Option<i64> {
    match value {
        Some(FactValue::Number(number)) if (0.0..9e15).contains(number) => {
            #[expect(clippy::cast_possible_truncation, reason = "it is within bounds")]
            let count = number.round() as i64;
            Some(count)
        }
        _ => None,
    }
}

impl Tx {
    /// What the records of a machine say within a period.
    async fn hour_of_records(
        &mut self,
        device_no: i64,
        dispenses: &Dispenses,
        (from, to): Period,
    ) -> Result<Option<Hour>, StoreError> {
        let raw: Vec<(i64, i64, i64, i64, i64, Vec<u8>)> = on!(self, "read a machine's counts", conn =>
            sqlx::query_as(READINGS).bind(device_no).bind(from.millis()).bind(to.millis()).fetch_all(conn).await)?;
        let mut forms = Forms::default();
        let numbers: Vec<i64> = raw.iter().map(|(.., form, _)| *form).collect();
        forms.read(self, &numbers).await?;
        let mut readings = Vec::with_capacity(raw.len());
        let period = dispenses.epoch();
        for (agent, epoch, seq, at, form, measured) in raw {
            let (facts, _) = forms.said(form, &measured)?;
            let Some(count) = whole(facts.get(&*dispenses.counter)) else { continue };
            let (at, period) = (Timestamp::from_millis(at), whole(facts.get(&*period)));
            readings.push(Reading { agent, epoch, seq, at, count, period });
        }
        Ok(Hour::of(&readings, dispenses.most_per_minute))
    }

    async fn machine_hour(
        &mut self,
        sql: &'static str,
        device_no: i64,
        at: i64,
    ) -> Result<Option<MachineHour>, StoreError> {
        let raw: Option<Raw> = on!(self, "read what a machine has handed out", conn => sqlx::query_as(sql).bind(device_no)
            .bind(at).fetch_optional(conn).await)?;
        raw.map(MachineHour::try_from).transpose()
    }

    async fn machine_hours(&mut self, device_no: i64, from: i64) -> Result<Vec<MachineHour>, StoreError> {
        let raw: Vec<Raw> = on!(self, "read what a machine has handed out", conn => sqlx::query_as(HOURS_FROM)
            .bind(device_no).bind(from).fetch_all(conn).await)?;
        raw.into_iter().map(MachineHour::try_from).collect()
    }

    /// Makes an hour of a machine anew from its records. `kept` says whether they are all still there: if not, those that are there
    /// came late.
    pub(crate) async fn roll_up_dispensed(
        &mut self,
        device_no: i64,
        dispenses: &Dispenses,
        period: Period,
        kept: bool,
    ) -> Result<(), StoreError> {
        let most = dispenses.most_per_minute;
        let Some(mut hour) = self.hour_of_records(device_no, dispenses, period).await? else { return Ok(()) };
        let at = period.0.millis();
        if !kept && let Some(known) = self.machine_hours(device_no, at).await?.first().filter(|row| row.at == period.0)
        {
            hour = known.hour.with_late(hour, most);
        }
        let before = self.machine_hour(HOUR_BEFORE, device_no, at).await?;
        let gap = before.map(|before| step(&before.hour.last, &hour.first, most)).unwrap_or_default();
        let (first, last) = (text(&hour.first), text(&hour.last));
        let within = hour.within;
        on!(self, "store what a machine has handed out", conn => sqlx::query(PUT_HOUR).bind(device_no).bind(at)
            .bind(&*dispenses.item).bind(within.pieces).bind(within.held).bind(i64::from(within.unsure)).bind(gap.pieces)
            .bind(gap.held).bind(i64::from(gap.unsure)).bind(first).bind(last).execute(conn).await.map(drop))?;
        if let Some(after) = self.machine_hour(HOUR_AFTER, device_no, at).await? {
            let gap = step(&hour.last, &after.hour.first, most);
            on!(self, "store what a machine has handed out", conn => sqlx::query(SET_GAP).bind(device_no)
                .bind(after.at.millis()).bind(gap.pieces).bind(gap.held).bind(i64::from(gap.unsure)).execute(conn).await
                .map(drop))?;
        }
        Ok(())
    }

    /// The hours of a machine that are not stored as they are now, and all after the first of them: from when, and what they are.
    async fn fresh_hours(
        &mut self,
        device_no: i64,
        dispenses: &Dispenses,
        now: Timestamp,
    ) -> Result<(i64, Vec<MachineHour>), StoreError> {
        let due: Vec<i64> = on!(self, "look for hours that are due", conn => sqlx::query_scalar(DUE_OF).bind(device_no)
            .fetch_all(conn).await)?;
        let Some(first) = due.first().copied() else { return Ok((i64::MAX, Vec::new())) };
        let stored = self.machine_hours(device_no, first).await?;
        let mut hours: BTreeMap<i64, Hour> = stored.iter().map(|row| (row.at.millis(), row.hour)).collect();
        for at in due {
            let from = Timestamp::from_millis(at);
            let is_sure = now.since(from) < SURE;
            if (is_sure || !hours.contains_key(&at))
                && let Some(hour) = self.hour_of_records(device_no, dispenses, (from, from.shifted(HOUR))).await?
            {
                hours.insert(at, hour);
            }
        }
        let mut last = self.machine_hour(HOUR_BEFORE, device_no, first).await?.map(|row| row.hour.last);
        let mut fresh = Vec::with_capacity(hours.len());
        for (at, hour) in hours {
            let gap = last.map(|last| step(&last, &hour.first, dispenses.most_per_minute)).unwrap_or_default();
            fresh.push(MachineHour { at: Timestamp::from_millis(at), hour, gap });
            last = Some(hour.last);
        }
        Ok((first, fresh))
    }

    /// What a machine has handed out.
    pub(super) async fn dispensed(
        &mut self,
        site: &SiteId,
        counter: &Counter,
        (since, now): Period,
    ) -> Result<Dispensed, StoreError> {
        let Some(no) = self.device_no(site, &counter.device).await? else { return Ok(Dispensed::default()) };
        let (from, fresh) = self.fresh_hours(no, &counter.dispenses, now).await?;
        let (pieces, unsure): (i64, i64) = on!(self, "add up what a machine has handed out", conn =>
            sqlx::query_as(SUM_BEFORE).bind(no).bind(from).fetch_one(conn).await)?;
        let mut held: Vec<(i64, i64)> = on!(self, "read pieces that are not believed", conn => sqlx::query_as(HELD_BEFORE)
            .bind(no).bind(from).fetch_all(conn).await)?;
        let verdicts: Vec<(i64, i64, bool)> = on!(self, "read what was said of pieces that are not believed", conn =>
            sqlx::query_as(VERDICTS).bind(no).fetch_all(conn).await)?;
        let mut told = Dispensed { total: pieces, unsure, ..Dispensed::default() };
        for row in &fresh {
            let Counted { pieces, held: aside, unsure } = row.counted();
            told.total += pieces;
            told.unsure += i64::from(unsure);
            held.extend((aside != 0).then_some((row.at.millis(), aside)));
        }
        let old = self.machine_hours(no, since.millis()).await?.into_iter().filter(|row| row.at.millis() < from);
        for row in old.chain(fresh.into_iter().filter(|row| row.at >= since)) {
            let of_hour = row.counted();
            told.hours.push((row.at, of_hour.pieces));
            told.unsure_at.extend((of_hour.unsure > 0).then_some((row.at, of_hour.unsure)));
        }
        for (at, pieces) in held {
            let verdict = verdicts.iter().find(|(hour, about, _)| (*hour, *about) == (at, pieces));
            match verdict {
                None => told.held.push((Timestamp::from_millis(at), pieces)),
                Some((.., false)) => {}
                Some((.., true)) => {
                    told.total += pieces;
                    let hour = told.hours.iter_mut().find(|(hour, _)| hour.millis() == at);
                    if let Some((_, sum)) = hour {
                        *sum += pieces;
                    }
                }
            }
        }
        Ok(told)
    }
}

fn text(reading: &Reading) -> String {
    serde_json::to_string(reading).expect("a reading is plain numbers")
}

/// What a person says of pieces that are not believed.
#[derive(Debug, Clone, Copy)]
pub struct HeldVerdict<'a> {
    /// The site.
    pub site: &'a SiteId,
    /// When the hour begins.
    pub hour: Timestamp,
    /// How many pieces they were told of.
    pub pieces: i64,
    /// Whether they were handed out indeed.
    pub accepted: bool,
    /// Their name.
    pub by: &'a str,
}

impl Store {
    /// What a machine has handed out, with its hours since a time.
    pub async fn dispensed(
        &self,
        site: &SiteId,
        counter: &Counter,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Dispensed, StoreError> {
        self.snapshot().await?.dispensed(site, counter, (since, now)).await
    }

    /// Notes what a person says of pieces that are not believed. False if the hour has no such number of them (any more).
    pub async fn decide_held(
        &self,
        counter: &Counter,
        verdict: HeldVerdict<'_>,
        now: Timestamp,
        actor: &Actor,
    ) -> Result<bool, StoreError> {
        let HeldVerdict { site, hour, pieces, accepted, by } = verdict;
        let mut tx = self.begin().await?;
        let told = tx.dispensed(site, counter, (now, now)).await?;
        if !told.held.contains(&(hour, pieces)) {
            return Ok(false);
        }
        let no = tx.device_no(site, &counter.device).await?.unwrap_or_default();
        on!(&mut tx, "note what is said of pieces that are not believed", conn => sqlx::query(DECIDE).bind(no)
            .bind(hour.millis()).bind(pieces).bind(accepted).bind(by).bind(now.millis()).execute(conn).await.map(drop))?;
        let action = if accepted { "stock.accept" } else { "stock.reject" };
        let told = Change::new(actor, now, action, counter.device.as_str()).of_site(Some(site));
        tx.commit_with(&told.after(format!("{pieces} in the hour from {}", hour.millis()))).await?;
        Ok(true)
    }
}
