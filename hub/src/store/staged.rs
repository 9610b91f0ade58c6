//! How records come into SQLite: into the table `record_staged`, in the order of their arrival, and from there into `record`, many at a
//! time and in its order.
//!
//! A record that goes into `record` by itself changes two pages, that on which its agent's records end and, in the index, that on which
//! its device's do, and a page is written whole: 8 KB for 50 bytes. In the staging table, records of many devices share a page; and when
//! they are merged, many records share each page of `record`. The table has parts, each of some runs of neighbouring devices, so that what is
//! merged at a time is little (a fault may wait for it) and lies together: neighbours often have the same agent and share pages of the index.
//! But a batch of few records would change a page of each part. So these are appended at the table's end, and put into their parts once
//! there are many. Rows are moved in one transaction, so a record is always in one place.
//!
//! Readers look into both tables: of a device, into its part of the staged one and at its end ([`of_device`]). That a record is stored once is
//! promised by the key of `record`; one that was staged twice, as after a commit whose answer was lost, is listed once all the same.
//!
//! PostgreSQL gathers what it writes by itself: there the table is empty.

use std::time::Duration;

use sqlx::SqliteConnection;
use tokio::time::Instant;

use super::{Store, StoreError, Tx, doing, on, statements};
use crate::failpoint;

/// Parts of the table. A batch of many devices writes a page of each.
const PARTS: usize = 16;
/// A batch of fewer records goes to the end of the table.
const FEW: usize = 256;
/// So many rows at the end are put into their parts, all at once: that takes a few µs for each.
const MOST_AT_END: usize = 2048;
/// Bits of a device's number that are the same for neighbours; those above tell their part.
const NEIGHBOURS: u32 = 6;
/// Bits of a row's number that tell the order of arrival; those above tell its part.
const ORDER: u32 = 58;
/// So many rows in their parts are merged part by part, the fullest first: the more there are of a device, the fewer pages of the index are
/// changed for each.
const MOST: usize = 16_384;
/// So many rows more than a batch had are merged after it at most, so that it becomes less; a fault that comes meanwhile waits for it about as
/// long as for another batch.
pub(super) const AT_ONCE: usize = 1024;
/// All rows are merged when the table was not empty for this time, however few they are.
const AGE: Duration = Duration::from_mins(1);

/// The columns of a record.
macro_rules! record_columns {
    () => {
        "agent_no, epoch, seq, device_no, at, lag, reach, suspect, stated, form, measured"
    };
}
pub(super) use record_columns;

/// Where the rows (`r`) of a device (`d`) are: in its part (see [`part_of`]), or at the end.
macro_rules! in_part {
    () => {
        "r.device_no = d.no AND (r.n >= 4611686018427387904 OR r.n BETWEEN ((CAST(d.no AS BIGINT) >> 6) & 15) << 58
            AND (((CAST(d.no AS BIGINT) >> 6) & 15) << 58) + 288230376151711743)"
    };
}
pub(super) use in_part;

/// A statement that reads the records (`r`) of a device (`d`): what is read, the conditions, and the order.
macro_rules! of_device {
    ($select:literal, $conditions:literal, $order:literal) => {
        concat!(
            $select,
            " JOIN record r ON r.device_no = d.no ",
            $conditions,
            " UNION ALL ",
            $select,
            " JOIN record_staged r ON ",
            $crate::store::staged::in_part!(),
            " ",
            $conditions,
            $order
        )
    };
}
pub(super) use of_device;

statements! {
    IS_ANY_STAGED = "SELECT EXISTS (SELECT 1 FROM record_staged)";
}

const STAGED: &str =
    "SELECT n >> 58, (device_no >> 6) & 15, COUNT(*), MAX(n & 288230376151711743) FROM record_staged GROUP BY 1, 2";
const SORT: &str = "UPDATE OR FAIL record_staged SET n = (((device_no >> 6) & 15) << 58) + (n & 288230376151711743)
    WHERE n >= 4611686018427387904";
const OLDEST: &str =
    "SELECT MAX(n), COUNT(*) FROM (SELECT n FROM record_staged WHERE n BETWEEN $1 AND $2 ORDER BY n LIMIT $3)";
const MERGE: &str = concat!(
    "INSERT OR FAIL INTO record (",
    record_columns!(),
    ") SELECT ",
    record_columns!(),
    " FROM record_staged WHERE n BETWEEN $1 AND $2 ORDER BY agent_no, epoch, seq, n & 288230376151711743 ON CONFLICT DO NOTHING;
    DELETE FROM record_staged WHERE n BETWEEN $1 AND $2"
);
const HAS_STAGED: &str = "SELECT COUNT(*) > 0 FROM sqlite_schema WHERE name = 'record_staged'";

/// Rows of the table, from the first number to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range(i64, i64);

/// What is to be done with staged rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// Those at the end of the table are to be put into their parts.
    Sort,
    /// These are to be merged.
    Merge(Range),
}

/// What the one who stores batches knows of the table. Others may have merged more of it.
#[derive(Debug, Default)]
pub(super) struct Staging {
    /// How many rows of each part there are, and how many more at the end of the table.
    sorted: [usize; PARTS],
    at_end: [usize; PARTS],
    next: i64,
    since: Option<Instant>,
}

/// The part of a device. Those of a site that has few are in one, as they are neighbours.
fn part_of(device_no: i64) -> usize {
    usize::try_from(device_no >> NEIGHBOURS).unwrap_or_default() % PARTS
}

impl Range {
    const ALL: Self = Self(0, i64::MAX);

    /// A part; behind the last is the end of the table.
    fn of(part: usize) -> Self {
        let first = i64::try_from(part).expect("there are few parts") << ORDER;
        Self(first, first + ((1 << ORDER) - 1))
    }

    /// Whether it has this part.
    fn has(self, part: usize) -> bool {
        self == Self::ALL || self == Self::of(part)
    }
}

impl Staging {
    /// The number of the next row, which is of this device and of a batch of so many.
    pub(super) fn place(&mut self, device_no: i64, batch: usize) -> i64 {
        let part = part_of(device_no);
        let (rows, place) = if batch < FEW { (&mut self.at_end, PARTS) } else { (&mut self.sorted, part) };
        rows[part] += 1;
        self.next += 1;
        self.since.get_or_insert_with(Instant::now);
        Range::of(place).0 + self.next
    }

    /// How many rows there are at most.
    pub(super) fn total(&self) -> usize {
        self.sorted.iter().sum::<usize>() + self.unsorted()
    }

    fn unsorted(&self) -> usize {
        self.at_end.iter().sum()
    }

    fn fullest(&self) -> usize {
        (0..PARTS).max_by_key(|part| self.sorted[*part]).unwrap_or_default()
    }

    /// What is to be done by now.
    fn due(&self) -> Option<Due> {
        let (total, unsorted) = (self.total(), self.unsorted());
        let is_old = self.since.is_some_and(|since| since.elapsed() >= AGE);
        if is_old && total <= AT_ONCE {
            return Some(Due::Merge(Range::ALL));
        }
        if unsorted >= MOST_AT_END || is_old && unsorted > 0 {
            return Some(Due::Sort);
        }
        (is_old || total - unsorted >= MOST).then(|| Due::Merge(Range::of(self.fullest())))
    }

    /// How many rows of a part there are, or of all.
    fn rows_in(&self, range: Range) -> usize {
        if range == Range::ALL {
            return self.total();
        }
        (0..PARTS).filter(|part| range.has(*part)).map(|part| self.sorted[part]).sum()
    }

    /// Those at the end were put into their parts.
    fn is_sorted(&mut self) {
        for (sorted, at_end) in self.sorted.iter_mut().zip(&mut self.at_end) {
            *sorted += std::mem::take(at_end);
        }
    }

    /// So many rows of a part, or of all if that is all there were, were merged.
    fn merged(&mut self, range: Range, merged: usize) {
        if range == Range::ALL {
            self.is_sorted();
        }
        for (_, rows) in self.sorted.iter_mut().enumerate().filter(|(part, _)| range.has(*part)) {
            *rows = rows.saturating_sub(merged);
        }
        self.forget_age();
    }

    /// So many rows are in each part, and at the end.
    fn counted(&mut self, counted: &Self) {
        (self.sorted, self.at_end) = (counted.sorted, counted.at_end);
        self.forget_age();
    }

    fn forget_age(&mut self) {
        if self.total() == 0 {
            self.since = None;
        }
    }
}

impl Tx {
    /// What is staged; nothing where records are not.
    pub(super) async fn staging(&mut self) -> Result<Option<Staging>, StoreError> {
        let Self::Sqlite(tx) = self else { return Ok(None) };
        let counts: Vec<(i64, i64, i64, i64)> =
            sqlx::query_as(STAGED).fetch_all(&mut **tx).await.map_err(doing("look for staged records"))?;
        let mut staging = Staging { since: (!counts.is_empty()).then(Instant::now), ..Staging::default() };
        for (place, part, rows, last) in counts {
            let known = match usize::try_from(place) {
                Ok(PARTS) => &mut staging.at_end,
                Ok(0..PARTS) if place == part => &mut staging.sorted,
                _ => return Err(misplaced(place, part)),
            };
            let known = usize::try_from(part).ok().and_then(|part| known.get_mut(part));
            *known.ok_or_else(|| misplaced(place, part))? = usize::try_from(rows).unwrap_or_default();
            staging.next = staging.next.max(last);
        }
        Ok(Some(staging))
    }

    /// Merges all that is staged.
    pub(super) async fn merge_all(&mut self) -> Result<(), StoreError> {
        self.merge(Range::ALL).await
    }

    /// The last of the oldest rows of a range, `most` of them at most, and how many these are.
    async fn oldest(&mut self, Range(first, last): Range, most: usize) -> Result<(Option<i64>, usize), StoreError> {
        let Self::Sqlite(tx) = self else { return Ok((None, 0)) };
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let oldest = sqlx::query_as(OLDEST).bind(first).bind(last).bind(most).fetch_one(&mut **tx).await;
        let (last, rows): (Option<i64>, i64) = oldest.map_err(doing("look for staged records"))?;
        Ok((last, usize::try_from(rows).unwrap_or_default()))
    }

    /// Puts the rows at the end of the table into their parts, and returns how many they were; nothing if a number is taken there.
    async fn sort(&mut self) -> Result<Option<usize>, StoreError> {
        let Self::Sqlite(tx) = self else { return Ok(Some(0)) };
        match sqlx::query(SORT).execute(&mut **tx).await {
            Ok(sorted) => {
                failpoint::pass("records_sorted");
                Ok(Some(usize::try_from(sorted.rows_affected()).unwrap_or_default()))
            }
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(None),
            Err(error) => Err(doing("sort staged records")(error)),
        }
    }

    async fn merge(&mut self, Range(first, last): Range) -> Result<(), StoreError> {
        let Self::Sqlite(tx) = self else { return Ok(()) };
        let merged = sqlx::query(MERGE).bind(first).bind(last).execute(&mut **tx).await;
        merged.map(drop).map_err(doing("merge staged records"))?;
        failpoint::pass("records_merged");
        Ok(())
    }
}

fn misplaced(place: i64, part: i64) -> StoreError {
    let what = format!("rows of part {part} are in place {place}");
    StoreError::Inconsistent { table: "record_staged", id: place.to_string(), what }
}

impl Store {
    /// Sorts or merges what is due of what the one who stores batches has staged; sorts all of it, merges the oldest of a part first and no
    /// more rows than `most`. Returns how many were moved; nothing if nothing is due.
    pub(super) async fn move_due(&self, staging: &mut Staging, most: usize) -> Result<Option<usize>, StoreError> {
        let Some(due) = staging.due() else { return Ok(None) };
        let mut tx = self.begin_batch().await?;
        let (rows, expected) = match due {
            Due::Sort => {
                if let Some(rows) = tx.sort().await? {
                    (rows, staging.unsorted())
                } else {
                    // Somebody else stages too.
                    tx.merge(Range::of(PARTS)).await?;
                    (0, 1)
                }
            }
            Due::Merge(range) => {
                let (last, rows) = tx.oldest(range, most).await?;
                if let Some(last) = last {
                    tx.merge(Range(range.0, last)).await?;
                }
                (rows, most.min(staging.rows_in(range)))
            }
        };
        // Others have merged or staged some: how many are left is counted anew.
        let counted = if rows < expected { tx.staging().await? } else { None };
        tx.commit().await?;
        failpoint::pass("records_moved");
        match (counted, due) {
            (Some(counted), _) => staging.counted(&counted),
            (None, Due::Sort) => staging.is_sorted(),
            (None, Due::Merge(range)) => staging.merged(range, rows),
        }
        Ok(Some(rows))
    }

    /// Merges all that is staged, some at a time, so that nobody waits long.
    pub async fn merge_all(&self) -> Result<(), StoreError> {
        if matches!(self, Self::Postgres(_)) {
            return Ok(());
        }
        let mut tx = self.read().await?;
        let is_any: bool =
            on!(&mut tx, "look for staged records", conn => sqlx::query_scalar(IS_ANY_STAGED).fetch_one(conn).await)?;
        drop(tx);
        if !is_any {
            return Ok(());
        }
        for range in (0..=PARTS).map(Range::of) {
            loop {
                let mut tx = self.begin().await?;
                let (last, rows) = tx.oldest(range, MOST_AT_END).await?;
                if let Some(last) = last {
                    tx.merge(Range(range.0, last)).await?;
                }
                tx.commit().await?;
                if rows < MOST_AT_END {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Merges what is staged in a copy of a database, of whatever schema.
pub(crate) async fn merge_copy(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    if sqlx::query_scalar(HAS_STAGED).fetch_one(&mut *connection).await? {
        let Range(first, last) = Range::ALL;
        sqlx::query(MERGE).bind(first).bind(last).execute(connection).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_numbers_by_runs_of_devices_and_then_by_arrival() {
        let mut staging = Staging::default();
        let numbers: Vec<i64> = [64, 1, 63, 1023, 1024, 127].map(|device| staging.place(device, FEW)).to_vec();
        let parts: Vec<i64> = numbers.iter().map(|n| n >> ORDER).collect();
        assert_eq!(parts, [1, 0, 0, 15, 0, 1]);
        assert!(numbers[1] < numbers[2] && numbers[2] < numbers[4] && numbers[0] < numbers[5]);
        let at_end = [64, 1023].map(|device| staging.place(device, FEW - 1));
        assert!(at_end[0] < at_end[1] && numbers.iter().all(|n| *n >= 0 && *n < at_end[0]), "those of small batches");
        assert_eq!(at_end[0] >> ORDER, 16);
    }

    #[tokio::test(start_paused = true)]
    async fn much_is_merged_part_by_part_and_little_after_a_while() {
        let mut staging = Staging::default();
        assert_eq!(staging.due(), None, "there is nothing");
        staging.place(3, 1);
        assert_eq!(staging.due(), None, "it is new");
        tokio::time::advance(AGE).await;
        assert_eq!(staging.due(), Some(Due::Merge(Range::ALL)));
        staging.merged(Range::ALL, 1);
        assert_eq!(staging.due(), None);
        for device in 0..MOST {
            staging.place(i64::try_from(device).unwrap(), FEW);
        }
        let five = 5 << NEIGHBOURS;
        staging.place(five, FEW);
        assert_eq!(staging.due(), Some(Due::Merge(Range::of(5))), "the fullest part");
        staging.merged(Range::of(5), 2);
        assert_eq!((staging.due(), staging.total()), (None, MOST - 1), "there is room again");
        for _ in 0..AT_ONCE {
            staging.place(five, 1);
        }
        assert_eq!(staging.due(), None, "what is at the end lies well there");
        tokio::time::advance(AGE).await;
        let (mut moved, mut sorted) = (0, 0);
        while let Some(due) = staging.due() {
            let before = staging.total();
            match due {
                Due::Sort => {
                    sorted += staging.unsorted();
                    staging.is_sorted();
                }
                Due::Merge(range) => staging.merged(range, AT_ONCE),
            }
            moved += before - staging.total();
        }
        assert_eq!((moved, sorted, staging.total()), (MOST - 1 + AT_ONCE, AT_ONCE, 0), "all of it, as it is old");
    }

    #[test]
    fn many_rows_at_the_end_are_put_into_their_parts() {
        let mut staging = Staging::default();
        for device in 0..MOST_AT_END {
            assert_eq!(staging.due(), None);
            staging.place(i64::try_from(device).unwrap(), 1);
        }
        assert_eq!(staging.due(), Some(Due::Sort));
        staging.is_sorted();
        assert_eq!((staging.due(), staging.unsorted()), (None, 0));
        assert_eq!(staging.sorted, [MOST_AT_END / PARTS; PARTS]);
    }

    #[test]
    fn statements_find_a_device_in_its_part_and_at_the_end() {
        let (end, parts, order) = (Range::of(PARTS).0, PARTS - 1, (1_i64 << ORDER) - 1);
        let part = format!(">> {NEIGHBOURS}) & {parts}) << {ORDER}) + {order})");
        for written in [part, format!("r.n >= {end} OR")] {
            assert!(in_part!().contains(&written), "{} has no {written}", in_part!());
        }
        for written in
            [format!("(((device_no >> {NEIGHBOURS}) & {parts}) << {ORDER}) + (n & {order})"), format!("n >= {end}")]
        {
            assert!(SORT.contains(&written), "{SORT} has no {written}");
        }
        assert!(MERGE.contains(&format!("n & {order}")), "{MERGE}");
        for written in [format!("n >> {ORDER}, (device_no >> {NEIGHBOURS}) & {parts},"), format!("n & {order}")] {
            assert!(STAGED.contains(&written), "{STAGED} has no {written}");
        }
    }
}
