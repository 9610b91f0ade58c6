//! The ledger of what is used up: movements, balances and open orders. Entries of one item of a site come one after the other, so that a
//! count is compared with what is in the ledger at that moment.

use std::collections::BTreeMap;

use lobby_contract::SiteId;
use lobby_domain::{
    stock::{Balances, Deed, Kind, Movement, Place, Refusal},
    time::Timestamp,
};
use uuid::Uuid;

use super::{Cursor, CursorError, Store, StoreError, Tx, dispensed::Counter, on, page, statements};
use crate::{
    audit::{Actor, Change},
    store::Dispensed,
};

/// A movement as it is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// Tells it from any other.
    pub id: Uuid,
    /// The site.
    pub site: SiteId,
    /// The item.
    pub item: String,
    /// What was moved.
    pub movement: Movement,
    /// The entry that it corrects, if it is a counter-entry.
    pub corrects: Option<Uuid>,
    /// The entry that corrects it, if there is one.
    pub corrected_by: Option<Uuid>,
    /// Why.
    pub reason: String,
    /// Who entered it, by name; empty if not known.
    pub who: String,
    /// What they are; empty if not known.
    pub post: String,
    /// When.
    pub at: Timestamp,
}

/// What a person enters.
#[derive(Debug, Clone, Copy)]
pub struct Posting<'a> {
    /// Tells it from any other: the same again changes nothing.
    pub id: Uuid,
    /// The site.
    pub site: &'a SiteId,
    /// The item.
    pub item: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Their name.
    pub who: &'a str,
    /// What they are.
    pub post: &'a str,
    /// When.
    pub at: Timestamp,
    /// Who it is, for the audit log.
    pub actor: &'a Actor,
}

/// What is still to come of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOrder {
    /// The order.
    pub id: Uuid,
    /// Pieces still to come.
    pub pieces: i64,
    /// Pieces that were ordered.
    pub ordered: i64,
    /// When they are to come.
    pub due: Timestamp,
    /// When it was entered.
    pub at: Timestamp,
    /// Who entered it.
    pub who: String,
}

/// What is in the ledger of one item of a site.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Book {
    /// Whether anybody has ever entered anything.
    pub kept: bool,
    /// What each place holds.
    pub balances: Balances,
    /// What is still to come, the first to come first.
    pub orders: Vec<OpenOrder>,
    /// The last refill of each place, and its last count.
    pub last: BTreeMap<(Place, Kind), EntryRow>,
    /// Pieces that were handed out by hand since the time asked for, and when.
    pub by_hand: Vec<(Timestamp, i64)>,
    /// What each machine has handed out by its counter.
    pub dispensed: BTreeMap<lobby_contract::DeviceId, Dispensed>,
}

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub struct EntryFilter {
    /// Of this site only.
    pub site: Option<SiteId>,
    /// Of this item only.
    pub item: Option<String>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// Why something was not entered.
#[derive(Debug, thiserror::Error)]
pub enum StockError {
    /// It is no movement.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such entry or order.
    #[error("there is no such entry")]
    NotFound,
    /// It is a counter-entry, or has one.
    #[error("this entry was corrected already, or is itself a correction")]
    Corrected,
    /// The key is that of an entry that said something else.
    #[error("another entry had this key")]
    KeyReused,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(sqlx::FromRow)]
struct Raw {
    id: Uuid,
    site: String,
    item: String,
    kind: String,
    source: String,
    target: String,
    pieces: i64,
    counted: Option<i64>,
    order_id: Option<Uuid>,
    due: Option<i64>,
    corrects: Option<Uuid>,
    corrected_by: Option<Uuid>,
    reason: String,
    who: String,
    post: String,
    at: i64,
    said: String,
}

#[derive(sqlx::FromRow)]
struct OrderRaw {
    order_id: Uuid,
    open: i64,
    ordered: i64,
    due: i64,
    at: i64,
    who: String,
}

statements! {
    HOLD_BOOK = "INSERT INTO stock_book (site, item, changed_at) VALUES ($1, $2, $3)
        ON CONFLICT (site, item) DO UPDATE SET changed_at = excluded.changed_at";
    KEPT_BOOK = "SELECT COUNT(*) > 0 FROM stock_book WHERE site = $1 AND item = $2";
    ENTER = "INSERT INTO stock_entry (id, site, item, kind, source, target, pieces, counted, order_id, due, corrects, reason, who, post,
            at, said)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT DO NOTHING";
    ENTRY = "SELECT e.id, e.site, e.item, e.kind, e.source, e.target, e.pieces, e.counted, e.order_id, e.due, e.corrects,
            c.id AS corrected_by, e.reason, e.who, e.post, e.at, e.said
        FROM stock_entry e LEFT JOIN stock_entry c ON c.corrects = e.id WHERE e.id = $1";
    ENTRIES = "SELECT e.id, e.site, e.item, e.kind, e.source, e.target, e.pieces, e.counted, e.order_id, e.due, e.corrects,
            c.id AS corrected_by, e.reason, e.who, e.post, e.at, e.said
        FROM stock_entry e LEFT JOIN stock_entry c ON c.corrects = e.id
        WHERE (CAST($1 AS TEXT) IS NULL OR e.site = $1) AND (CAST($2 AS TEXT) IS NULL OR e.item = $2)
            AND e.at >= $3 AND e.at < $4 AND (e.at, e.id) < ($5, $6)
        ORDER BY e.at DESC, e.id DESC LIMIT $7";
    // Of each place and kind the last one that was not corrected.
    LAST_ENTRIES = "SELECT e.id, e.site, e.item, e.kind, e.source, e.target, e.pieces, e.counted, e.order_id, e.due, e.corrects,
            e.corrects AS corrected_by, e.reason, e.who, e.post, e.at, e.said
        FROM stock_entry e
        WHERE e.site = $1 AND e.item = $2 AND e.kind IN ('refill', 'count', 'receive') AND e.corrects IS NULL
            AND NOT EXISTS (SELECT 1 FROM stock_entry c WHERE c.corrects = e.id)
            AND e.at = (SELECT MAX(o.at) FROM stock_entry o WHERE o.site = e.site AND o.item = e.item AND o.kind = e.kind
                AND (CASE WHEN o.target = 'difference' THEN o.source ELSE o.target END)
                    = (CASE WHEN e.target = 'difference' THEN e.source ELSE e.target END)
                AND o.corrects IS NULL AND NOT EXISTS (SELECT 1 FROM stock_entry c WHERE c.corrects = o.id))
        ORDER BY e.at, e.id";
    MOVED = "SELECT source, target, CAST(SUM(pieces) AS BIGINT) FROM stock_entry WHERE site = $1 AND item = $2
        GROUP BY source, target";
    BY_HAND = "SELECT at, CASE WHEN target = 'guests' THEN pieces ELSE -pieces END FROM stock_entry
        WHERE site = $1 AND item = $2 AND kind = 'hand-out' AND at >= $3 ORDER BY at, id";
    OPEN_ORDERS = "SELECT o.id AS order_id, o.due, o.at, o.who, o.pieces AS ordered,
            CAST(SUM(CASE WHEN e.target = 'ordered' THEN e.pieces ELSE -e.pieces END) AS BIGINT) AS open
        FROM stock_entry o JOIN stock_entry e ON e.order_id = o.id
        WHERE o.site = $1 AND o.item = $2 AND o.kind = 'order' AND o.order_id = o.id
        GROUP BY o.id, o.due, o.at, o.who, o.pieces
        HAVING SUM(CASE WHEN e.target = 'ordered' THEN e.pieces ELSE -e.pieces END) > 0 ORDER BY o.due, o.at, o.id";
}

impl TryFrom<Raw> for EntryRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let bad = |what: String| StoreError::Inconsistent { table: "stock_entry", id: raw.id.to_string(), what };
        let place = |text: &str| text.parse::<Place>().map_err(|error| bad(error.to_string()));
        Ok(Self {
            id: raw.id,
            site: raw.site.parse().map_err(|error| bad(format!("site: {error}")))?,
            movement: Movement {
                kind: Kind::from_text(&raw.kind).ok_or_else(|| bad(format!("kind `{}`", raw.kind)))?,
                from: place(&raw.source)?,
                to: place(&raw.target)?,
                pieces: raw.pieces,
                counted: raw.counted,
                order: raw.order_id,
                due: raw.due.map(Timestamp::from_millis),
            },
            item: raw.item,
            corrects: raw.corrects,
            corrected_by: raw.corrected_by,
            reason: raw.reason,
            who: raw.who,
            post: raw.post,
            at: Timestamp::from_millis(raw.at),
        })
    }
}

impl EntryRow {
    /// The place of the site that it is about: where pieces came, or from where they went.
    pub fn about(&self) -> &Place {
        if self.movement.to.is_ours() { &self.movement.to } else { &self.movement.from }
    }
}

/// What was asked, in one line, to tell a repetition from another entry.
fn said(posting: &Posting<'_>, what: &str) -> String {
    format!("{} {} {what} {}", posting.site, posting.item, posting.reason)
}

impl Tx {
    async fn entry(&mut self, id: Uuid) -> Result<Option<(EntryRow, String)>, StoreError> {
        let raw: Option<Raw> = on!(self, "read an entry of the stock ledger", conn => sqlx::query_as(ENTRY).bind(id).fetch_optional(conn).await)?;
        let Some(raw) = raw else { return Ok(None) };
        let said = raw.said.clone();
        Ok(Some((EntryRow::try_from(raw)?, said)))
    }

    /// Holds the ledger of an item until this transaction is through.
    async fn hold_book(&mut self, posting: &Posting<'_>) -> Result<(), StoreError> {
        on!(self, "hold a stock ledger", conn => sqlx::query(HOLD_BOOK).bind(posting.site.as_str()).bind(posting.item)
            .bind(posting.at.millis()).execute(conn).await.map(drop))
    }

    async fn enter_movement(
        &mut self,
        posting: &Posting<'_>,
        movement: &Movement,
        corrects: Option<Uuid>,
        said: &str,
    ) -> Result<bool, StoreError> {
        on!(self, "write an entry of the stock ledger", conn => sqlx::query(ENTER).bind(posting.id)
            .bind(posting.site.as_str()).bind(posting.item).bind(movement.kind.as_str()).bind(movement.from.to_string())
            .bind(movement.to.to_string()).bind(movement.pieces).bind(movement.counted).bind(movement.order)
            .bind(movement.due.map(Timestamp::millis)).bind(corrects).bind(posting.reason).bind(posting.who)
            .bind(posting.post).bind(posting.at.millis()).bind(said).execute(conn).await
            .map(|done| done.rows_affected() == 1))
    }

    /// What each place holds by the entries alone.
    async fn moved(&mut self, site: &SiteId, item: &str) -> Result<Balances, StoreError> {
        let rows: Vec<(String, String, i64)> = on!(self, "add up a stock ledger", conn => sqlx::query_as(MOVED)
            .bind(site.as_str()).bind(item).fetch_all(conn).await)?;
        let mut balances = Balances::default();
        for (from, to, pieces) in rows {
            let place = |text: &str| {
                text.parse::<Place>().map_err(|error| StoreError::Inconsistent {
                    table: "stock_entry",
                    id: format!("{site}/{item}"),
                    what: error.to_string(),
                })
            };
            balances.moved(&place(&from)?, &place(&to)?, pieces);
        }
        Ok(balances)
    }

    async fn open_orders(&mut self, site: &SiteId, item: &str) -> Result<Vec<OpenOrder>, StoreError> {
        let raw: Vec<OrderRaw> = on!(self, "read what is on order", conn => sqlx::query_as(OPEN_ORDERS).bind(site.as_str())
            .bind(item).fetch_all(conn).await)?;
        let order = |raw: OrderRaw| OpenOrder {
            id: raw.order_id,
            pieces: raw.open,
            ordered: raw.ordered,
            due: Timestamp::from_millis(raw.due),
            at: Timestamp::from_millis(raw.at),
            who: raw.who,
        };
        Ok(raw.into_iter().map(order).collect())
    }

    /// The ledger of an item, with what happened since a time.
    pub(super) async fn book(
        &mut self,
        site: &SiteId,
        item: &str,
        counters: &[Counter],
        (since, now): (Timestamp, Timestamp),
    ) -> Result<Book, StoreError> {
        let kept: bool = on!(self, "look for a stock ledger", conn => sqlx::query_scalar(KEPT_BOOK).bind(site.as_str())
            .bind(item).fetch_one(conn).await)?;
        let mut book = Book { kept, balances: self.moved(site, item).await?, ..Book::default() };
        book.orders = self.open_orders(site, item).await?;
        let raw: Vec<Raw> = on!(self, "read the last entries of a stock ledger", conn => sqlx::query_as(LAST_ENTRIES)
            .bind(site.as_str()).bind(item).fetch_all(conn).await)?;
        for row in raw {
            let row = EntryRow::try_from(row)?;
            book.last.insert((row.about().clone(), row.movement.kind), row);
        }
        let by_hand: Vec<(i64, i64)> = on!(self, "read what was handed out by hand", conn => sqlx::query_as(BY_HAND)
            .bind(site.as_str()).bind(item).bind(since.millis()).fetch_all(conn).await)?;
        book.by_hand = by_hand.into_iter().map(|(at, pieces)| (Timestamp::from_millis(at), pieces)).collect();
        for counter in counters.iter().filter(|counter| *counter.dispenses.item == *item) {
            let dispensed = self.dispensed(site, counter, (since, now)).await?;
            book.balances.dispensed(&counter.device, dispensed.total);
            book.dispensed.insert(counter.device.clone(), dispensed);
        }
        Ok(book)
    }
}

impl Store {
    /// The ledger of an item of a site, with what happened since a time.
    pub async fn book(
        &self,
        site: &SiteId,
        item: &str,
        counters: &[Counter],
        period: (Timestamp, Timestamp),
    ) -> Result<Book, StoreError> {
        self.snapshot().await?.book(site, item, counters, period).await
    }

    /// Enters what a person says has been done. The same again is answered as it was, and changes nothing; the second value says whether
    /// it was new.
    pub async fn post_stock(
        &self,
        posting: Posting<'_>,
        deed: &Deed,
        counters: &[Counter],
    ) -> Result<(EntryRow, bool), StockError> {
        let said = said(&posting, &format!("{deed:?}"));
        let mut tx = self.begin().await?;
        tx.hold_book(&posting).await?;
        if let Some((before, of)) = tx.entry(posting.id).await? {
            return if is_same(&of, &said, deed) { Ok((before, false)) } else { Err(StockError::KeyReused) };
        }
        let orders = tx.open_orders(posting.site, posting.item).await?;
        let open = match deed.order() {
            Some(id) => match orders.iter().find(|order| order.id == id) {
                Some(order) => order.pieces,
                None => return Err(tx.entry(id).await?.map_or(StockError::NotFound, |_| Refusal::Arrived.into())),
            },
            None => 0,
        };
        let balances = if deed.kind() == Kind::Count {
            tx.book(posting.site, posting.item, counters, (posting.at, posting.at)).await?.balances
        } else {
            Balances::default()
        };
        let movement = deed.movement(posting.id, posting.reason, |place| balances.of(place), open)?;
        self.entered(tx, posting, movement, None, &said).await
    }

    /// Undoes an entry by its counter-entry.
    pub async fn correct_stock(&self, posting: Posting<'_>, of: Uuid) -> Result<(EntryRow, bool), StockError> {
        let said = said(&posting, &format!("corrects {of}"));
        let mut tx = self.begin().await?;
        tx.hold_book(&posting).await?;
        if let Some((before, told)) = tx.entry(posting.id).await? {
            return if told == said { Ok((before, false)) } else { Err(StockError::KeyReused) };
        }
        let found = tx.entry(of).await?.map(|(row, _)| row);
        let found = found.filter(|row| row.site == *posting.site && row.item == posting.item);
        let row = found.ok_or(StockError::NotFound)?;
        if row.corrects.is_some() || row.corrected_by.is_some() {
            return Err(StockError::Corrected);
        }
        self.entered(tx, posting, row.movement.reversed(), Some(of), &said).await
    }

    async fn entered(
        &self,
        mut tx: Tx,
        posting: Posting<'_>,
        movement: Movement,
        corrects: Option<Uuid>,
        said: &str,
    ) -> Result<(EntryRow, bool), StockError> {
        if !tx.enter_movement(&posting, &movement, corrects, said).await? {
            // It, or another correction of the same, came at the same time for another item's ledger, which was not held.
            return Err(StockError::KeyReused);
        }
        let Movement { kind, from, to, pieces, .. } = &movement;
        let action = if corrects.is_some() { "stock.correct".to_owned() } else { format!("stock.{}", kind.as_str()) };
        let told = Change::new(posting.actor, posting.at, action, posting.item).of_site(Some(posting.site));
        let told = told.after(format!("{pieces} {from} > {to} {}", posting.id));
        let row = tx.entry(posting.id).await?.map(|(row, _)| row).ok_or(StockError::NotFound)?;
        tx.commit_with(&told).await?;
        Ok((row, true))
    }

    /// One entry of the ledger.
    pub async fn stock_entry(&self, id: Uuid) -> Result<Option<EntryRow>, StoreError> {
        Ok(self.read().await?.entry(id).await?.map(|(row, _)| row))
    }

    /// One page of the ledger, newest first, and where the next begins.
    pub async fn stock_entries(
        &self,
        filter: &EntryFilter,
        after: Option<&Cursor>,
        limit: i64,
    ) -> Result<Result<(Vec<EntryRow>, Option<Cursor>), CursorError>, StoreError> {
        let key = match after {
            None => Ok((i64::MAX, Uuid::max())),
            Some(cursor) => {
                cursor.number(0).and_then(|at| cursor.text(1)?.parse().map(|id| (at, id)).map_err(|_| CursorError))
            }
        };
        let Ok((at, id)) = key else { return Ok(Err(CursorError)) };
        let mut tx = self.read().await?;
        let raw: Vec<Raw> = on!(&mut tx, "read a stock ledger", conn => sqlx::query_as(ENTRIES)
            .bind(filter.site.as_ref().map(SiteId::as_str)).bind(filter.item.as_deref())
            .bind(filter.from.map_or(i64::MIN, Timestamp::millis)).bind(filter.until.map_or(i64::MAX, Timestamp::millis))
            .bind(at).bind(id).bind(limit + 1).fetch_all(conn).await)?;
        let mut rows = raw.into_iter().map(EntryRow::try_from).collect::<Result<Vec<_>, _>>()?;
        let next = page::cut(&mut rows, limit, |row| vec![row.at.millis().to_string(), row.id.to_string()]);
        Ok(Ok((rows, next)))
    }
}

/// Whether an entry that is there says what is asked now. When what is ordered is to come is not asked twice in the same moment.
fn is_same(before: &str, now: &str, deed: &Deed) -> bool {
    let until_due = |text: &str| text.split(" due: ").next().unwrap_or_default().to_owned();
    if matches!(deed, Deed::Order { .. }) { until_due(before) == until_due(now) } else { before == now }
}
