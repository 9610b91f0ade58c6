//! Moves of items into a site and out of it, and the manager's consent to them (SHO-S2).

use jiff::civil::Date;
use lobby_contract::SiteId;
use lobby_domain::{
    register::{
        AssetNumber, Deed, LONGEST_REASON, Refusal,
        moving::{State, Step, Way},
    },
    time::Timestamp,
};
use uuid::Uuid;

use super::{
    Store, StoreError, Tx, on,
    register::{Acting, Happening, RegisterError, inconsistent, number},
    statements,
};
use crate::audit::Change;

statements! {
    ASK_MOVE = "INSERT INTO register_move (id, site, nth, way, pieces, place, reason, wanted, state, asked_id, asked_who, asked_at,
            decided_who, decided_why, done_who) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'asked', $9, $10, $11, '', '', '')
        ON CONFLICT (id) DO NOTHING";
    HOLD_MOVE = "UPDATE register_move SET state = state WHERE id = $1";
    MOVE = "SELECT id, site, nth, way, pieces, place, reason, wanted, state, asked_id, asked_who, asked_at, decided_who, decided_at,
            decided_why, done_who, done_at FROM register_move WHERE id = $1";
    MOVES = "SELECT id, site, nth, way, pieces, place, reason, wanted, state, asked_id, asked_who, asked_at, decided_who, decided_at,
            decided_why, done_who, done_at FROM register_move WHERE site = $1 ORDER BY asked_at DESC, id LIMIT 200";
    MOVES_OF_ITEM = "SELECT id, site, nth, way, pieces, place, reason, wanted, state, asked_id, asked_who, asked_at, decided_who,
            decided_at, decided_why, done_who, done_at FROM register_move WHERE site = $1 AND nth = $2 ORDER BY asked_at DESC, id LIMIT 200";
    DECIDE_MOVE = "UPDATE register_move SET state = $2, decided_who = $3, decided_at = $4, decided_why = $5 WHERE id = $1";
    FINISH_MOVE = "UPDATE register_move SET state = 'done', done_who = $2, done_at = $3 WHERE id = $1";
}

/// A move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveRow {
    /// Names it.
    pub id: Uuid,
    /// Of which site the item is.
    pub site: SiteId,
    /// The item.
    pub number: AssetNumber,
    /// Out of the site or back.
    pub way: Way,
    /// How many.
    pub pieces: u32,
    /// Where to.
    pub place: String,
    /// Why.
    pub reason: String,
    /// On which day, if that was said.
    pub wanted: String,
    /// How far it is.
    pub state: State,
    /// Who asked, by id; empty if none is known.
    pub asked_id: String,
    /// Who asked, and when.
    pub asked: (String, Timestamp),
    /// Who decided, when, and why.
    pub decided: Option<(String, Timestamp, String)>,
    /// Who carried it out, and when.
    pub done: Option<(String, Timestamp)>,
}

/// A move that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What is asked for twice is one move.
    pub id: Uuid,
    /// The item.
    pub number: AssetNumber,
    /// Out of the site or back.
    pub way: Way,
    /// How many.
    pub pieces: u32,
    /// Where to.
    pub place: &'a str,
    /// Why.
    pub reason: &'a str,
    /// On which day.
    pub wanted: Option<Date>,
}

#[derive(sqlx::FromRow)]
struct Raw {
    id: Uuid,
    site: String,
    nth: i64,
    way: String,
    pieces: i64,
    place: String,
    reason: String,
    wanted: String,
    state: String,
    asked_id: String,
    asked_who: String,
    asked_at: i64,
    decided_who: String,
    decided_at: Option<i64>,
    decided_why: String,
    done_who: String,
    done_at: Option<i64>,
}

impl TryFrom<Raw> for MoveRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let bad = |what: &str| inconsistent("register_move", &raw.id, &what);
        Ok(Self {
            id: raw.id,
            site: raw.site.parse().map_err(|_| bad(&raw.site))?,
            number: number(raw.nth)?,
            way: Way::from_text(&raw.way).ok_or_else(|| bad(&raw.way))?,
            pieces: u32::try_from(raw.pieces).map_err(|_| bad("pieces"))?,
            state: State::from_text(&raw.state).ok_or_else(|| bad(&raw.state))?,
            place: raw.place,
            reason: raw.reason,
            wanted: raw.wanted,
            asked_id: raw.asked_id,
            asked: (raw.asked_who, Timestamp::from_millis(raw.asked_at)),
            decided: raw.decided_at.map(|at| (raw.decided_who, Timestamp::from_millis(at), raw.decided_why)),
            done: raw.done_at.map(|at| (raw.done_who, Timestamp::from_millis(at))),
        })
    }
}

impl Tx {
    async fn movement(&mut self, id: Uuid) -> Result<Option<MoveRow>, StoreError> {
        let raw: Option<Raw> =
            on!(self, "read a move", conn => sqlx::query_as(MOVE).bind(id).fetch_optional(conn).await)?;
        raw.map(MoveRow::try_from).transpose()
    }
}

impl Store {
    /// The moves of a site, the newest first; some at most.
    pub async fn moves(&self, site: &SiteId) -> Result<Vec<MoveRow>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<Raw> =
            on!(&mut tx, "list moves", conn => sqlx::query_as(MOVES).bind(site.as_str()).fetch_all(conn).await)?;
        raw.into_iter().map(MoveRow::try_from).collect()
    }

    /// The moves of an item, the newest first; some at most.
    pub async fn moves_of_item(&self, site: &SiteId, number: AssetNumber) -> Result<Vec<MoveRow>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<Raw> = on!(&mut tx, "list the moves of an item", conn => sqlx::query_as(MOVES_OF_ITEM)
            .bind(site.as_str()).bind(i64::from(number.nth())).fetch_all(conn).await)?;
        raw.into_iter().map(MoveRow::try_from).collect()
    }

    /// Asks for a move. The same once more changes nothing.
    pub async fn ask_move(&self, asked: Asked<'_>, by: Acting<'_>) -> Result<(), RegisterError> {
        let Asked { id, number, way, pieces, place, reason, wanted } = asked;
        let is_line = |text: &str| text.chars().count() <= LONGEST_REASON && !text.contains(char::is_control);
        if reason.trim().is_empty() || !is_line(reason) || place.is_empty() || !is_line(place) {
            return Err(Refusal::Reason.into());
        }
        let mut tx = self.begin().await?;
        if tx.movement(id).await?.is_some() {
            return Ok(());
        }
        let row = tx.hold_item(by.site, number).await?;
        if !way.fits(&row.item, pieces) {
            return Err(RegisterError::Way);
        }
        let wanted = wanted.map(|day| day.to_string()).unwrap_or_default();
        let is_new = on!(&mut tx, "ask for a move", conn => sqlx::query(ASK_MOVE).bind(id).bind(by.site.as_str())
            .bind(i64::from(number.nth())).bind(way.as_str()).bind(i64::from(pieces)).bind(place).bind(reason).bind(&wanted)
            .bind(&by.actor.id).bind(by.who).bind(by.at.millis()).execute(conn).await
            .map(|done| done.rows_affected() > 0))?;
        if !is_new {
            return Ok(());
        }
        let told = Change::new(by.actor, by.at, "register.ask-move", number.to_string()).of_site(Some(by.site));
        let told = told.after(format!("{} {pieces}, {place}: {reason}", way.as_str()));
        Ok(tx.commit_with(&told).await?)
    }

    /// Takes a step of a move. When it was carried out, the register says so. The same step once more, by whoever took it, changes
    /// nothing.
    pub async fn step_move(&self, id: Uuid, step: Step, reason: &str, by: Acting<'_>) -> Result<(), RegisterError> {
        let mut tx = self.begin().await?;
        on!(&mut tx, "hold a move", conn => sqlx::query(HOLD_MOVE).bind(id).execute(conn).await.map(drop))?;
        let row = tx.movement(id).await?.filter(|row| row.site == *by.site).ok_or(RegisterError::NotFound)?;
        let taken_by = match step {
            Step::Confirm => row.done.as_ref().map(|(who, _)| who),
            _ => row.decided.as_ref().map(|(who, ..)| who),
        };
        if row.state == step.leads_to() && taken_by.is_some_and(|who| who == by.who) {
            return Ok(());
        }
        let own = !row.asked_id.is_empty() && row.asked_id == by.actor.id;
        let after = row.state.after(step, own, reason)?;
        if step == Step::Confirm {
            let item = tx.hold_item(by.site, row.number).await?;
            if !row.way.fits(&item.item, row.pieces) {
                return Err(RegisterError::Way);
            }
            let set = row.way.sets(&item.item, row.pieces, &row.place);
            tx.happen(&item, Happening { deed: Deed::Move, set: &set, reason: &row.reason, cause: Some(id) }, by)
                .await?;
            on!(&mut tx, "finish a move", conn => sqlx::query(FINISH_MOVE).bind(id).bind(by.who).bind(by.at.millis())
                .execute(conn).await.map(drop))?;
        } else {
            on!(&mut tx, "decide on a move", conn => sqlx::query(DECIDE_MOVE).bind(id).bind(after.as_str()).bind(by.who)
                .bind(by.at.millis()).bind(reason).execute(conn).await.map(drop))?;
        }
        let action = format!("register.{}-move", step.as_str());
        let told = Change::new(by.actor, by.at, action, row.number.to_string()).of_site(Some(by.site));
        let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        Ok(tx.commit_with(&told.before(row.state.as_str()).after(after.as_str().to_owned() + &because)).await?)
    }
}
