//! What the register asks (SHO-S2): that stock is taken periodically, and that the manager says whether an item may be moved before it is.

use jiff::civil::Date;
use lobby_domain::{
    calendar::Calendar,
    compliance::{By, Duty, Evidence, Instance, Kept, REGISTER, stock_takes},
    label::Label,
    register::{
        AssetNumber,
        moving::{OVERDUE, State},
    },
    time::Timestamp,
};
use uuid::Uuid;

use super::{
    StoreError, Tx,
    compliance::{Owing, person},
    on,
    register::{inconsistent, number},
    statements,
};

/// The post that consents to moves.
const CONSENTS: &str = "manager";

statements! {
    REGISTER_BEGUN = "SELECT MIN(at) FROM register_event WHERE site = $1 AND deed = 'add'";
    // One of a single place does not tell of the others.
    WHOLE_TAKES = "SELECT id, closed_at, closed_who FROM stock_take
        WHERE site = $1 AND place = '' AND closed_at IS NOT NULL ORDER BY closed_at, id";
    MOVES_OF_MONTH = "SELECT m.id, m.nth, m.wanted, m.state, m.asked_at, m.decided_who, m.decided_at, m.done_who, m.done_at, i.fields
        FROM register_move m JOIN register_item i ON i.site = m.site AND i.nth = m.nth
        WHERE m.site = $1 AND m.asked_at >= $2 AND m.asked_at < $3 ORDER BY m.asked_at, m.id";
}

#[derive(sqlx::FromRow)]
struct Take {
    id: Uuid,
    closed_at: i64,
    closed_who: String,
}

#[derive(sqlx::FromRow)]
struct Move {
    id: Uuid,
    nth: i64,
    wanted: String,
    state: String,
    asked_at: i64,
    decided_who: String,
    decided_at: Option<i64>,
    done_who: String,
    done_at: Option<i64>,
    fields: String,
}

/// When the day on which somebody wants an item to be moved is over.
fn end_of(day: &str, calendar: &Calendar) -> Option<Timestamp> {
    let next = day.parse::<Date>().ok()?.tomorrow().ok()?;
    let zoned = next.to_zoned(calendar.zone().clone()).ok()?;
    Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
}

impl Move {
    /// The consent and, where it was given, that it was carried out.
    fn instances(self, of: &Owing<'_>, keeper: Option<&str>) -> Result<Vec<Instance>, StoreError> {
        let bad = |what: &dyn std::fmt::Display| inconsistent("register_move", &self.id, what);
        let state = State::from_text(&self.state).ok_or_else(|| bad(&self.state))?;
        let fields: serde_json::Value = serde_json::from_str(&self.fields).map_err(|error| bad(&error))?;
        let number: AssetNumber = number(self.nth)?;
        let name = fields["name"].as_str().unwrap_or_default();
        let title = format!("{name} {number}");
        let at = |millis: Option<i64>| millis.map(Timestamp::from_millis);
        let instance = |duty, post: Option<&str>, (due, done): (Timestamp, Option<Timestamp>), who: &str| Instance {
            duty,
            clauses: of.clauses(&[REGISTER]),
            post: post.map(Box::from),
            title: Label::new(title.as_str(), title.as_str()),
            due,
            done,
            by: if done.is_some() { person(Some(who)) } else { By::Nobody },
            kept: Kept::by_time(due, done, of.now),
            evidence: Evidence::Moves,
        };
        let (asked, decided) = (Timestamp::from_millis(self.asked_at), at(self.decided_at));
        let mut all = vec![instance(Duty::Consent, Some(CONSENTS), (asked + OVERDUE, decided), &self.decided_who)];
        if let (State::Approved | State::Done, Some(decided)) = (state, decided) {
            // Nobody moves it before the day for which it was asked.
            let from = end_of(&self.wanted, of.calendar).unwrap_or(decided).max(decided);
            all.push(instance(Duty::Move, keeper, (from + OVERDUE, at(self.done_at)), &self.done_who));
        }
        Ok(all)
    }
}

impl Tx {
    /// The stock-takes that were due in the month, and the moves that were asked for.
    pub(super) async fn owed_register(&mut self, of: Owing<'_>) -> Result<Vec<Instance>, StoreError> {
        let (site, (from, to)) = (of.site.as_str(), of.period());
        let begun: Option<i64> = on!(self, "read since when there is a register", conn =>
            sqlx::query_scalar(REGISTER_BEGUN).bind(site).fetch_one(conn).await)?;
        let Some(begun) = begun.map(Timestamp::from_millis) else { return Ok(Vec::new()) };
        let takes: Vec<Take> = on!(self, "read the stock-takes of a site", conn => sqlx::query_as(WHOLE_TAKES).bind(site)
            .fetch_all(conn).await)?;
        let moves: Vec<Move> = on!(self, "read the moves of a month", conn => sqlx::query_as(MOVES_OF_MONTH).bind(site)
            .bind(from.millis()).bind(to.millis()).fetch_all(conn).await)?;
        let keeper = of.pack.clauses.get(REGISTER).and_then(|clause| clause.post.as_deref());
        let closed: Vec<Timestamp> = takes.iter().map(|take| Timestamp::from_millis(take.closed_at)).collect();
        let due = stock_takes(begun, &closed, (to, of.taking)).into_iter().filter(|(due, _)| *due >= from);
        let taking = |(due, which): (Timestamp, Option<usize>)| {
            let take = which.map(|which| &takes[which]);
            let done = take.map(|take| Timestamp::from_millis(take.closed_at));
            Instance {
                duty: Duty::StockTake,
                clauses: of.clauses(&[REGISTER]),
                post: keeper.map(Box::from),
                title: Label::new("全案场", "The whole site"),
                due,
                done,
                by: take.map_or(By::Nobody, |take| person(Some(&take.closed_who))),
                kept: Kept::by_time(due, done, of.now),
                evidence: take.map_or(Evidence::Register, |take| Evidence::StockTake(take.id)),
            }
        };
        let mut all: Vec<Instance> = due.map(taking).collect();
        for one in moves {
            all.extend(one.instances(&of, keeper)?);
        }
        Ok(all)
    }
}
