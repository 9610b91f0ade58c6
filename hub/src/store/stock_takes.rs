//! Stock-takes (SHO-S2): what the register said when one began, what was seen, and what became of it. The register changes only when a
//! stock-take is closed, by events that name it.

use std::collections::BTreeMap;

use lobby_contract::SiteId;
use lobby_domain::{
    access::Role,
    alert::{AlertId, Subject},
    label::Label,
    register::{
        AssetNumber, Deed, Field,
        taking::{Answer, Line, Seen},
    },
    report::{Said, Source, What},
    time::Timestamp,
};
use uuid::Uuid;

use super::{
    ReportRow, Reporting, Store, StoreError, Tx, on,
    register::{Acting, Happening, RegisterError, inconsistent, number},
    statements,
};
use crate::{audit::Change, fleet::Setup};

statements! {
    START_TAKE = "INSERT INTO stock_take (id, site, place, lines, started_id, started_who, started_at, closed_who, seen_who, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, '', '', 0) ON CONFLICT (id) DO NOTHING";
    HOLD_TAKE = "UPDATE stock_take SET version = version + 1 WHERE id = $1";
    TAKE = "SELECT id, site, place, lines, started_id, started_who, started_at, closed_who, closed_at, seen_who, seen_at, version
        FROM stock_take WHERE id = $1";
    TAKES = "SELECT id, site, place, lines, started_id, started_who, started_at, closed_who, closed_at, seen_who, seen_at, version
        FROM stock_take WHERE site = $1 ORDER BY started_at DESC, id LIMIT 50";
    ANSWER_TAKE = "INSERT INTO stock_take_answer (take, nth, version, seen, count, place, note, who, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    TAKE_ANSWERS = "SELECT nth, seen, count, place, note, who, at FROM stock_take_answer WHERE take = $1 ORDER BY version";
    ANSWERS_OF_ITEM = "SELECT t.id, t.place, t.started_who, t.started_at, t.closed_who, t.closed_at, t.seen_who, t.seen_at,
            a.seen, a.count, a.place AS elsewhere, a.note, a.who, a.at
        FROM stock_take_answer a JOIN stock_take t ON t.id = a.take
        WHERE t.site = $1 AND a.nth = $2
            AND a.version = (SELECT MAX(b.version) FROM stock_take_answer b WHERE b.take = a.take AND b.nth = a.nth)
        ORDER BY t.started_at DESC, t.id LIMIT 200";
    CLOSE_TAKE = "UPDATE stock_take SET closed_who = $2, closed_at = $3 WHERE id = $1";
    SEE_TAKE = "UPDATE stock_take SET seen_who = $2, seen_at = $3 WHERE id = $1";
}

/// A stock-take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeRow {
    /// Names it.
    pub id: Uuid,
    /// The site.
    pub site: SiteId,
    /// The place; empty for the whole site.
    pub place: String,
    /// What the register said when it began.
    pub lines: Vec<Line>,
    /// Who began it, by id; empty if none is known.
    pub started_id: String,
    /// Who began it, and when.
    pub started: (String, Timestamp),
    /// Who closed it, and when.
    pub closed: Option<(String, Timestamp)>,
    /// Which manager has seen the result, and when.
    pub seen: Option<(String, Timestamp)>,
    version: i64,
}

/// What was last said of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsweredLine {
    /// What.
    pub answer: Answer,
    /// Who said so; empty if not known.
    pub who: String,
    /// When.
    pub at: Timestamp,
}

/// What a stock-take said of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemCount {
    /// The stock-take.
    pub take: Uuid,
    /// Of which place it was; empty for the whole site.
    pub place: String,
    /// Who began it, and when.
    pub started: (String, Timestamp),
    /// Who closed it, and when. Until then the register does not say what was seen.
    pub closed: Option<(String, Timestamp)>,
    /// Which manager has seen the result, and when.
    pub seen: Option<(String, Timestamp)>,
    /// What was last said of the item.
    pub said: AnsweredLine,
}

#[derive(sqlx::FromRow)]
struct Raw {
    id: Uuid,
    site: String,
    place: String,
    lines: String,
    started_id: String,
    started_who: String,
    started_at: i64,
    closed_who: String,
    closed_at: Option<i64>,
    seen_who: String,
    seen_at: Option<i64>,
    version: i64,
}

impl TryFrom<Raw> for TakeRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let signed = |who: String, at: Option<i64>| at.map(|at| (who, Timestamp::from_millis(at)));
        Ok(Self {
            site: raw.site.parse().map_err(|error| inconsistent("stock_take", &raw.id, &error))?,
            lines: serde_json::from_str(&raw.lines).map_err(|error| inconsistent("stock_take", &raw.id, &error))?,
            id: raw.id,
            place: raw.place,
            started_id: raw.started_id,
            started: (raw.started_who, Timestamp::from_millis(raw.started_at)),
            closed: signed(raw.closed_who, raw.closed_at),
            seen: signed(raw.seen_who, raw.seen_at),
            version: raw.version,
        })
    }
}

#[derive(sqlx::FromRow)]
struct Counted {
    id: Uuid,
    place: String,
    started_who: String,
    started_at: i64,
    closed_who: String,
    closed_at: Option<i64>,
    seen_who: String,
    seen_at: Option<i64>,
    seen: String,
    count: i64,
    elsewhere: String,
    note: String,
    who: String,
    at: i64,
}

impl TryFrom<Counted> for ItemCount {
    type Error = StoreError;

    fn try_from(raw: Counted) -> Result<Self, StoreError> {
        let bad = |what: &str| inconsistent("stock_take_answer", &raw.id, &what);
        let signed = |who: String, at: Option<i64>| at.map(|at| (who, Timestamp::from_millis(at)));
        let answer = Answer {
            seen: Seen::from_text(&raw.seen).ok_or_else(|| bad(&raw.seen))?,
            count: u32::try_from(raw.count).map_err(|_| bad("count"))?,
            place: raw.elsewhere,
            note: raw.note,
        };
        Ok(Self {
            take: raw.id,
            place: raw.place,
            started: (raw.started_who, Timestamp::from_millis(raw.started_at)),
            closed: signed(raw.closed_who, raw.closed_at),
            seen: signed(raw.seen_who, raw.seen_at),
            said: AnsweredLine { answer, who: raw.who, at: Timestamp::from_millis(raw.at) },
        })
    }
}

type Answers = BTreeMap<u32, AnsweredLine>;

impl Tx {
    /// Reports what is missing or damaged to the superior (CON-S11, BAR-D6).
    async fn report_line(
        &mut self,
        take: Uuid,
        (line, answer): (&Line, &Answer),
        what: What,
        setup: &Setup,
        by: Acting<'_>,
    ) -> Result<(), StoreError> {
        let number = AssetNumber::of(line.nth);
        let missing = line.missing(answer);
        let pieces = if missing > 1 { format!(" × {missing}") } else { String::new() };
        let thing = format!("{}{pieces} {number} {}", line.name, line.place).trim_end().to_owned();
        let key = Uuid::new_v5(&take, number.to_string().as_bytes());
        let (source, reporter) = (Source::Person, Role::ALL.into_iter().find(|role| role.as_str() == by.post));
        let note = &answer.note;
        let said =
            Said { key, what, source, role: reporter, kind: None, thing: &thing, symptoms: &[], note, repair: false };
        let (rule, evidence) = (said.rule(&setup.pack), said.evidence());
        let report = ReportRow {
            id: key,
            site: by.site.clone(),
            subject: Subject::Site,
            thing: thing.clone(),
            what,
            source,
            reporter: by.who.to_owned(),
            post: by.post.to_owned(),
            phone: String::new(),
            symptoms: Vec::new(),
            words: Label::default(),
            note: note.clone(),
            at: by.at,
            alert: AlertId::of_report(key),
            ticket: None,
        };
        let zone = setup.zone_of(by.site);
        let (report, rule, evidence, zone) = (&report, &rule, &evidence, &zone);
        // Its id is of this stock-take alone, which is held.
        self.place_report(Reporting { report, rule, evidence, zone, setup, actor: by.actor, photos: &[] })
            .await
            .map(drop)
    }

    async fn take(&mut self, id: Uuid) -> Result<Option<TakeRow>, StoreError> {
        let raw: Option<Raw> =
            on!(self, "read a stock-take", conn => sqlx::query_as(TAKE).bind(id).fetch_optional(conn).await)?;
        raw.map(TakeRow::try_from).transpose()
    }

    async fn hold_take(&mut self, id: Uuid, site: &SiteId) -> Result<(TakeRow, Answers), RegisterError> {
        on!(self, "hold a stock-take", conn => sqlx::query(HOLD_TAKE).bind(id).execute(conn).await.map(drop))?;
        let row = self.take(id).await?.filter(|row| row.site == *site).ok_or(RegisterError::NotFound)?;
        Ok((row, self.take_answers(id).await?))
    }

    async fn take_answers(&mut self, id: Uuid) -> Result<Answers, StoreError> {
        type Raw = (i64, String, i64, String, String, String, i64);
        let raw: Vec<Raw> = on!(self, "read the answers of a stock-take", conn => sqlx::query_as(TAKE_ANSWERS).bind(id)
            .fetch_all(conn).await)?;
        let answer = |(nth, seen, count, place, note, who, at): Raw| {
            let bad = |what: &str| inconsistent("stock_take_answer", &id, &what);
            let count = u32::try_from(count).map_err(|_| bad("count"))?;
            let answer = Answer { seen: Seen::from_text(&seen).ok_or_else(|| bad(&seen))?, count, place, note };
            let nth = u32::try_from(nth).map_err(|_| bad("nth"))?;
            Ok((nth, AnsweredLine { answer, who, at: Timestamp::from_millis(at) }))
        };
        raw.into_iter().map(answer).collect()
    }
}

impl Store {
    /// The stock-takes of a site, the newest first; some at most.
    pub async fn stock_takes(&self, site: &SiteId) -> Result<Vec<TakeRow>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<Raw> =
            on!(&mut tx, "list stock-takes", conn => sqlx::query_as(TAKES).bind(site.as_str()).fetch_all(conn).await)?;
        raw.into_iter().map(TakeRow::try_from).collect()
    }

    /// A stock-take, and what was last said of each item.
    pub async fn stock_take(&self, id: Uuid) -> Result<Option<(TakeRow, BTreeMap<u32, AnsweredLine>)>, StoreError> {
        let mut tx = self.read().await?;
        let Some(row) = tx.take(id).await? else { return Ok(None) };
        let answers = tx.take_answers(id).await?;
        Ok(Some((row, answers)))
    }

    /// What stock-takes said of an item, the newest first; some at most. One that has not looked for it yet is not among them.
    pub async fn counts_of_item(&self, site: &SiteId, number: AssetNumber) -> Result<Vec<ItemCount>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<Counted> = on!(&mut tx, "read what stock-takes said of an item", conn => sqlx::query_as(ANSWERS_OF_ITEM)
            .bind(site.as_str()).bind(i64::from(number.nth())).fetch_all(conn).await)?;
        raw.into_iter().map(ItemCount::try_from).collect()
    }

    /// Begins a stock-take of a site, or of a place of it. The same once more changes nothing.
    pub async fn start_stock_take(&self, id: Uuid, place: &str, by: Acting<'_>) -> Result<(), RegisterError> {
        let mut tx = self.begin().await?;
        let items = tx.items(by.site).await?;
        let is_here = |place_of: &str| place.is_empty() || place_of == place;
        let lines = items.iter().filter(|row| row.item.state().is_here() && is_here(row.item.get(Field::Place)));
        let lines: Vec<Line> = lines.map(|row| Line::of(row.number, &row.item)).collect();
        if lines.is_empty() {
            return Err(RegisterError::NotFound);
        }
        let json = serde_json::to_string(&lines).expect("lines are plain data");
        let is_new = on!(&mut tx, "begin a stock-take", conn => sqlx::query(START_TAKE).bind(id).bind(by.site.as_str())
            .bind(place).bind(&json).bind(&by.actor.id).bind(by.who).bind(by.at.millis()).execute(conn).await
            .map(|done| done.rows_affected() > 0))?;
        if !is_new {
            return Ok(());
        }
        let told = Change::new(by.actor, by.at, "stock-take.start", id.to_string()).of_site(Some(by.site));
        Ok(tx.commit_with(&told.after(format!("{} items {place}", lines.len()).trim_end())).await?)
    }

    /// Says what was seen. What is said already, and what is of no line, changes nothing.
    pub async fn answer_stock_take(
        &self,
        id: Uuid,
        said: &[(u32, Answer)],
        by: Acting<'_>,
    ) -> Result<(), RegisterError> {
        let mut tx = self.begin().await?;
        let (row, answers) = tx.hold_take(id, by.site).await?;
        if row.closed.is_some() {
            return Err(RegisterError::Closed);
        }
        let is_line = |nth: u32| row.lines.iter().any(|line| line.nth == nth);
        let is_new = |(nth, answer): &&(u32, Answer)| {
            is_line(*nth) && answers.get(nth).is_none_or(|before| before.answer != *answer)
        };
        let mut told = Vec::new();
        for (nth, answer) in said.iter().filter(is_new) {
            on!(&mut tx, "answer a stock-take", conn => sqlx::query(ANSWER_TAKE).bind(id).bind(i64::from(*nth))
                .bind(row.version).bind(answer.seen.as_str()).bind(i64::from(answer.count)).bind(&answer.place)
                .bind(&answer.note).bind(by.who).bind(by.at.millis()).execute(conn).await.map(drop))?;
            told.push(format!("{}: {} {}", number(i64::from(*nth))?, answer.seen.as_str(), answer.count));
        }
        if told.is_empty() {
            return Ok(());
        }
        let change = Change::new(by.actor, by.at, "stock-take.answer", id.to_string()).of_site(Some(by.site));
        Ok(tx.commit_with(&change.after(told.join("; "))).await?)
    }

    /// Closes a stock-take: from then on the register says what was seen, and the superior is told of what is missing or damaged, in one
    /// transaction. Once more changes nothing.
    pub async fn close_stock_take(
        &self,
        id: Uuid,
        may_all: bool,
        setup: &Setup,
        by: Acting<'_>,
    ) -> Result<(), RegisterError> {
        let mut tx = self.begin().await?;
        let (row, answers) = tx.hold_take(id, by.site).await?;
        if row.closed.is_some() {
            return Ok(());
        }
        if !may_all && row.started_id != by.actor.id {
            return Err(RegisterError::NotTheirs);
        }
        let of = |line: &Line| answers.get(&line.nth).map(|said| &said.answer);
        let lacking = row.lines.iter().filter(|line| line.lacks(of(line)).is_some()).count();
        if lacking > 0 {
            return Err(RegisterError::Lacking(lacking));
        }
        let mut differs = 0;
        for line in &row.lines {
            let Some(answer) = of(line) else { continue };
            let item = tx.hold_item(by.site, number(i64::from(line.nth))?).await?;
            let set = line.sets(&item.item, answer);
            differs += usize::from(line.differs(answer));
            let counted = Happening { deed: Deed::Count, set: &set, reason: &answer.note, cause: Some(id) };
            tx.happen(&item, counted, by).await?;
            if let Some(what) = line.loses(answer) {
                tx.report_line(id, (line, answer), what, setup, by).await?;
            }
        }
        on!(&mut tx, "close a stock-take", conn => sqlx::query(CLOSE_TAKE).bind(id).bind(by.who).bind(by.at.millis())
            .execute(conn).await.map(drop))?;
        let told = Change::new(by.actor, by.at, "stock-take.close", id.to_string()).of_site(Some(by.site));
        Ok(tx.commit_with(&told.after(format!("{} items, {differs} differ", row.lines.len()))).await?)
    }

    /// Notes that the manager has seen what became of a stock-take. Once more changes nothing.
    pub async fn see_stock_take(&self, id: Uuid, by: Acting<'_>) -> Result<(), RegisterError> {
        let mut tx = self.begin().await?;
        let (row, _) = tx.hold_take(id, by.site).await?;
        if row.seen.is_some() || row.closed.is_none() {
            return Ok(());
        }
        on!(&mut tx, "note that a stock-take was seen", conn => sqlx::query(SEE_TAKE).bind(id).bind(by.who)
            .bind(by.at.millis()).execute(conn).await.map(drop))?;
        let told = Change::new(by.actor, by.at, "stock-take.see", id.to_string()).of_site(Some(by.site));
        Ok(tx.commit_with(&told).await?)
    }
}
