//! What each agent has delivered, epoch by epoch, and what it has lost.

use lobby_contract::{AgentId, Lost, SiteId};
use lobby_domain::{
    agent::{Agent, Losses},
    delivery::Stream,
    ledger::{Delays, Tally},
    time::{Span, Timestamp},
};

use super::{
    Cursor, CursorError, Store, StoreError, Tx,
    bulk::Insert,
    fleet::{signed, unsigned},
    on, statements,
};

/// Why records were given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostReason {
    /// Their agent no longer had them.
    Gone,
    /// They came and could not be read.
    Unreadable,
}

impl LostReason {
    /// As it stands in the database and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Records of an agent that will never come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostRow {
    /// Their epoch.
    pub epoch: i64,
    /// The first.
    pub from: i64,
    /// The last.
    pub to: i64,
    /// When the hub learnt of it.
    pub told_at: Timestamp,
    /// Why.
    pub reason: LostReason,
    /// They were made no earlier: then the record before them was. `None` if no earlier one is stored.
    pub not_before: Option<Timestamp>,
    /// They were made no later: then the record after them was, or the hub was told.
    pub not_after: Timestamp,
}

#[derive(sqlx::FromRow)]
struct StreamRaw {
    epoch: i64,
    base: i64,
    committed: i64,
    heard: i64,
    lost: i64,
    unreadable: i64,
    duplicates: i64,
    resends: i64,
    missing_since: Option<i64>,
    longest_delay_ms: i64,
    delays: String,
}

/// How many columns of a stream's row are plain numbers, from `base` on.
const NUMBERS: usize = 8;

/// What an agent has delivered in one epoch.
#[derive(Debug, Clone)]
pub(super) struct StreamRow {
    agent_no: i64,
    epoch: i64,
    /// In the order of the statement's columns.
    numbers: [i64; NUMBERS],
    missing_since: Option<i64>,
    delays: String,
}

impl StreamRow {
    /// While the first record is still open, nothing is promised, and there is no row.
    pub(super) fn of(agent_no: i64, epoch: u64, stream: &Stream) -> Option<Self> {
        let (committed, tally) = (signed(stream.committed()?), stream.tally());
        let counts = [tally.heard, tally.lost, tally.unreadable, tally.duplicates, tally.resends].map(signed);
        let [heard, lost, unreadable, duplicates, resends] = counts;
        let delay = tally.longest_delay.millis();
        Some(Self {
            agent_no,
            epoch: signed(epoch),
            numbers: [signed(stream.base()), committed, heard, lost, unreadable, duplicates, resends, delay],
            missing_since: tally.missing_since.map(Timestamp::millis),
            delays: tally.delays.to_text(),
        })
    }
}

/// What a repeated row changes.
macro_rules! newer {
    () => {
        " ON CONFLICT (agent_no, epoch) DO UPDATE SET base = excluded.base, committed = excluded.committed, heard = excluded.heard,
            lost = excluded.lost, unreadable = excluded.unreadable, duplicates = excluded.duplicates,
            resends = excluded.resends, longest_delay_ms = excluded.longest_delay_ms,
            missing_since = excluded.missing_since, delays = excluded.delays"
    };
}

/// The columns of a stream's row.
macro_rules! columns {
    () => {
        "INTO stream (agent_no, epoch, base, committed, heard, lost, unreadable, duplicates, resends, longest_delay_ms,
            missing_since, delays) "
    };
}

// The bulk statements differ: PostgreSQL takes a list for each column, SQLite has no lists.
static UPSERT_STREAMS: Insert = Insert::new(concat!("INSERT OR FAIL ", columns!()), 4 + NUMBERS, newer!());
const UPSERT_STREAMS_FROM_LISTS: &str = concat!(
    "INSERT ",
    columns!(),
    "SELECT * FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::BIGINT[], $5::BIGINT[], $6::BIGINT[], $7::BIGINT[],
        $8::BIGINT[], $9::BIGINT[], $10::BIGINT[], $11::BIGINT[], $12::TEXT[])",
    newer!()
);

#[derive(sqlx::FromRow)]
struct LostRaw {
    epoch: i64,
    from_seq: i64,
    to_seq: i64,
    at: i64,
    reason: String,
    earlier: Option<i64>,
    later: Option<i64>,
}

statements! {
    STREAMS = "SELECT epoch, base, committed, heard, lost, unreadable, duplicates, resends, missing_since, longest_delay_ms,
            delays
        FROM stream WHERE agent_no = $1";
    LOST_OUTSIDE = "SELECT s.epoch, l.from_seq, l.to_seq FROM stream s JOIN lost l ON l.agent_no = s.agent_no AND l.epoch = s.epoch
            AND (l.to_seq > s.committed OR l.from_seq <= s.base)
        WHERE s.agent_no = $1";
    // What was learnt of within a day of the last; what could not be read is no loss of the agent's.
    LOST_LATELY = "SELECT CAST(SUM(to_seq - from_seq + 1) AS BIGINT), MAX(at) FROM lost
        WHERE agent_no = $1 AND reason = 'gone'
            AND at > (SELECT MAX(at) - 86400000 FROM lost WHERE agent_no = $1 AND reason = 'gone')";
    INSERT_LOST = "INSERT INTO lost (agent_no, epoch, from_seq, to_seq, at, reason) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (agent_no, epoch, from_seq) DO UPDATE SET to_seq = excluded.to_seq, at = excluded.at
            WHERE excluded.to_seq > lost.to_seq";
    /// Ranges that overlap count once.
    LOST_TOTAL = "SELECT CAST(COALESCE(SUM(
            CASE WHEN to_seq <= told THEN 0 WHEN from_seq > told THEN to_seq - from_seq + 1 ELSE to_seq - told END
        ), 0) AS BIGINT)
        FROM (
            SELECT from_seq, to_seq, COALESCE(MAX(to_seq) OVER (
                PARTITION BY agent_no, epoch ORDER BY from_seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ), 0) AS told
            FROM lost
        ) AS ranges";
    /// Each with the times of the stored records next to it; an agent numbers its records as it makes them. Those of the agent that are staged
    /// are looked for once, as no index leads to them.
    LOST_PAGE = "WITH staged AS MATERIALIZED (
            SELECT s.at, s.epoch, s.seq FROM agent a JOIN record_staged s ON s.agent_no = a.no WHERE a.site = $1 AND a.id = $2)
        SELECT l.epoch, l.from_seq, l.to_seq, l.at, l.reason,
            (SELECT at FROM (
                SELECT * FROM (SELECT r.at, r.epoch, r.seq FROM record r WHERE r.agent_no = l.agent_no
                    AND (r.epoch, r.seq) < (l.epoch, l.from_seq) ORDER BY r.epoch DESC, r.seq DESC LIMIT 1) AS merged
                UNION ALL SELECT s.at, s.epoch, s.seq FROM staged s
                    WHERE (s.epoch, s.seq) < (l.epoch, l.from_seq)) AS those ORDER BY epoch DESC, seq DESC LIMIT 1) AS earlier,
            (SELECT at FROM (
                SELECT * FROM (SELECT r.at, r.epoch, r.seq FROM record r WHERE r.agent_no = l.agent_no
                    AND (r.epoch, r.seq) > (l.epoch, l.to_seq) ORDER BY r.epoch, r.seq LIMIT 1) AS merged
                UNION ALL SELECT s.at, s.epoch, s.seq FROM staged s
                    WHERE (s.epoch, s.seq) > (l.epoch, l.to_seq)) AS those ORDER BY epoch, seq LIMIT 1) AS later
        FROM agent a JOIN lost l ON l.agent_no = a.no
        WHERE a.site = $1 AND a.id = $2 AND (l.epoch, l.from_seq) < ($3, $4)
        ORDER BY l.epoch DESC, l.from_seq DESC LIMIT $5";
}

impl StreamRaw {
    fn tally(&self) -> Tally {
        Tally {
            heard: unsigned(self.heard),
            lost: unsigned(self.lost),
            unreadable: unsigned(self.unreadable),
            duplicates: unsigned(self.duplicates),
            resends: unsigned(self.resends),
            missing_since: self.missing_since.map(Timestamp::from_millis),
            longest_delay: Span::from_millis(self.longest_delay_ms),
            delays: Delays::from_text(&self.delays),
        }
    }
}

impl TryFrom<LostRaw> for LostRow {
    type Error = StoreError;

    fn try_from(raw: LostRaw) -> Result<Self, StoreError> {
        let reason = match &*raw.reason {
            "gone" => LostReason::Gone,
            "unreadable" => LostReason::Unreadable,
            other => {
                let id = format!("{}/{}", raw.epoch, raw.from_seq);
                return Err(StoreError::Inconsistent { table: "lost", id, what: format!("reason `{other}`") });
            }
        };
        Ok(Self {
            epoch: raw.epoch,
            from: raw.from_seq,
            to: raw.to_seq,
            told_at: Timestamp::from_millis(raw.at),
            reason,
            not_before: raw.earlier.map(Timestamp::from_millis),
            // The next record may have come later than the word that these were lost; and the agent's clock may be somewhat ahead.
            not_after: Timestamp::from_millis(
                raw.later.map_or(raw.at, |later| later.min(raw.at)).max(raw.earlier.unwrap_or(i64::MIN)),
            ),
        })
    }
}

impl Tx {
    /// Stores what agents have delivered; each agent and epoch at most once.
    pub(super) async fn store_streams(&mut self, rows: &[StreamRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let done = match self {
            Self::Sqlite(tx) => {
                for (mut statement, part) in UPSERT_STREAMS.parts(rows) {
                    for row in part {
                        statement = statement.bind(row.agent_no).bind(row.epoch);
                        for number in row.numbers {
                            statement = statement.bind(number);
                        }
                        statement = statement.bind(row.missing_since).bind(row.delays.clone());
                    }
                    let done = statement.execute(&mut **tx).await;
                    done.map_err(super::doing("store what agents have delivered"))?;
                }
                return Ok(());
            }
            Self::Postgres(tx) => {
                let list = |column: fn(&StreamRow) -> i64| rows.iter().map(column).collect::<Vec<i64>>();
                let mut query = sqlx::query(UPSERT_STREAMS_FROM_LISTS);
                query = query.bind(list(|row| row.agent_no)).bind(list(|row| row.epoch));
                for column in 0..NUMBERS {
                    query = query.bind(rows.iter().map(|row| row.numbers[column]).collect::<Vec<i64>>());
                }
                query = query.bind(rows.iter().map(|row| row.missing_since).collect::<Vec<Option<i64>>>());
                query.bind(rows.iter().map(|row| row.delays.clone()).collect::<Vec<String>>()).execute(&mut **tx).await
            }
        };
        done.map(drop).map_err(super::doing("store what agents have delivered"))
    }

    pub(super) async fn store_lost(
        &mut self,
        agent_no: i64,
        lost: &Lost,
        reason: LostReason,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self, "store a lost range", conn => sqlx::query(INSERT_LOST).bind(agent_no).bind(signed(lost.epoch))
            .bind(signed(lost.from)).bind(signed(lost.to)).bind(at.millis()).bind(reason.as_str()).execute(conn).await.map(drop))
    }

    /// Reads back what an agent has delivered.
    pub(super) async fn load_streams(&mut self, agent_no: i64, agent: &mut Agent) -> Result<(), StoreError> {
        let streams: Vec<StreamRaw> = on!(self, "read what an agent has delivered", conn =>
            sqlx::query_as(STREAMS).bind(agent_no).fetch_all(conn).await)?;
        let restored = |raw: &StreamRaw| Stream::restored(unsigned(raw.base), unsigned(raw.committed));
        agent.streams = streams.iter().map(|raw| (unsigned(raw.epoch), restored(raw))).collect();
        self.retake(agent_no, agent).await?;
        let lost: Vec<(i64, i64, i64)> =
            on!(self, "read lost ranges", conn => sqlx::query_as(LOST_OUTSIDE).bind(agent_no).fetch_all(conn).await)?;
        for (epoch, from, to) in lost {
            if let Some(stream) = agent.streams.get_mut(&unsigned(epoch)) {
                stream.give_up(unsigned(from), unsigned(to));
            }
        }
        let lately: (Option<i64>, Option<i64>) = on!(self, "read what was lost lately", conn => sqlx::query_as(LOST_LATELY).bind(agent_no).fetch_one(conn).await)?;
        if let (Some(count), Some(last)) = lately {
            agent.losses = Losses::restored(unsigned(count), Timestamp::from_millis(last));
        }
        for raw in streams {
            if let Some(stream) = agent.streams.get_mut(&unsigned(raw.epoch)) {
                stream.counted(raw.tally());
            }
        }
        Ok(())
    }
}

impl Store {
    /// How many records will never come, of all agents.
    pub async fn lost_total(&self) -> Result<i64, StoreError> {
        let mut tx = self.read().await?;
        on!(&mut tx, "count lost records", conn => sqlx::query_scalar(LOST_TOTAL).fetch_one(conn).await)
    }

    /// One page of what an agent has lost, the newest first, and where the next begins.
    pub async fn lost(
        &self,
        site: &SiteId,
        agent: &AgentId,
        after: Option<&Cursor>,
        limit: i64,
    ) -> Result<Result<(Vec<LostRow>, Option<Cursor>), CursorError>, StoreError> {
        let key = |at| after.map_or(Ok(i64::MAX), |cursor| cursor.number(at));
        let (Ok(epoch), Ok(from)) = (key(0), key(1)) else { return Ok(Err(CursorError)) };
        let mut tx = self.read().await?;
        let raw: Vec<LostRaw> = on!(&mut tx, "read what an agent has lost", conn => sqlx::query_as(LOST_PAGE)
            .bind(site.as_str()).bind(agent.as_str()).bind(epoch).bind(from).bind(limit + 1).fetch_all(conn).await)?;
        let mut rows = raw.into_iter().map(LostRow::try_from).collect::<Result<Vec<_>, _>>()?;
        let next = super::page::cut(&mut rows, limit, |row| vec![row.epoch.to_string(), row.from.to_string()]);
        Ok(Ok((rows, next)))
    }
}
