//! The register of goods and equipment (SHO-S2): items, each with the events that made it what it is. Events are only added; what an item is now
//! is written with the event, in one transaction.

use std::{collections::BTreeMap, fmt::Display};

use lobby_contract::SiteId;
use lobby_domain::{
    register::{AssetNumber, Deed, Field, Item, Refusal, State},
    time::Timestamp,
};
use uuid::Uuid;

use super::{PhotoRow, Shown, Stage, Store, StoreError, Tx, on, statements};
use crate::{
    audit::{Actor, Change},
    photo::Photo,
};

statements! {
    NEXT_ITEM = "INSERT INTO register_site (site, items) VALUES ($1, 1)
        ON CONFLICT (site) DO UPDATE SET items = register_site.items + 1 RETURNING items";
    KNOWN_ITEM = "SELECT nth FROM register_item WHERE id = $1 AND site = $2";
    ADD_ITEM = "INSERT INTO register_item (site, nth, id, device, fields, version) VALUES ($1, $2, $3, NULL, '{}', 0)";
    HOLD_ITEM = "UPDATE register_item SET version = version WHERE site = $1 AND nth = $2";
    ITEM = "SELECT nth, fields, counted_at, version FROM register_item WHERE site = $1 AND nth = $2";
    ITEMS = "SELECT nth, fields, counted_at, version FROM register_item WHERE site = $1 ORDER BY nth";
    ITEMS_AFTER = "SELECT nth, fields, counted_at, version FROM register_item WHERE site = $1 AND nth > $2 ORDER BY nth LIMIT $3";
    ITEM_OF_DEVICE = "SELECT nth FROM register_item WHERE site = $1 AND device = $2";
    SET_ITEM = "UPDATE register_item SET device = $3, fields = $4, counted_at = $5, version = $6 WHERE site = $1 AND nth = $2";
    ADD_ITEM_EVENT = "INSERT INTO register_event (site, nth, version, deed, fields, reason, cause, who, post, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    ITEM_EVENTS = "SELECT deed, fields, reason, cause, who, post, at FROM register_event WHERE site = $1 AND nth = $2 ORDER BY version";
}

/// An item of the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRow {
    /// Its number.
    pub number: AssetNumber,
    /// What the register says of it.
    pub item: Item,
    /// When a stock-take last counted it.
    pub counted_at: Option<Timestamp>,
    /// How many events made it what it is.
    pub version: i64,
}

/// What happened to an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemEvent {
    /// What.
    pub deed: Deed,
    /// What it set.
    pub set: BTreeMap<Field, String>,
    /// Why; empty if nobody said.
    pub reason: String,
    /// The stock-take or the move by which it happened.
    pub cause: Option<Uuid>,
    /// Who, by name; empty if not known.
    pub who: String,
    /// What they are; empty if not known.
    pub post: String,
    /// When.
    pub at: Timestamp,
}

/// Who does something with the register, where and when.
#[derive(Debug, Clone, Copy)]
pub struct Acting<'a> {
    /// The site.
    pub site: &'a SiteId,
    /// Their name.
    pub who: &'a str,
    /// What they are; empty if not known.
    pub post: &'a str,
    /// Who it is, for the audit log.
    pub actor: &'a Actor,
    /// When.
    pub at: Timestamp,
}

/// What somebody wants to do with an item.
#[derive(Debug, Clone, Copy)]
pub enum ItemAct<'a> {
    /// It is to be like this.
    Edit(&'a Item),
    /// These photos show it.
    Photos(&'a [Photo]),
    /// It is no more.
    WriteOff,
}

/// A line of a table of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Which item it is; none for a new one.
    pub number: Option<AssetNumber>,
    /// What it is to be.
    pub item: Item,
}

/// An event that is to be.
pub(super) struct Happening<'a> {
    pub deed: Deed,
    pub set: &'a BTreeMap<Field, String>,
    pub reason: &'a str,
    pub cause: Option<Uuid>,
}

/// Why something was not done with the register.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// There is no such item, label, move or stock-take.
    #[error("there is no such thing in the register of this site")]
    NotFound,
    /// It cannot be done.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another item is that device.
    #[error("item {0} is this device already")]
    DeviceTaken(AssetNumber),
    /// Somebody else was faster.
    #[error("somebody has done something with it meanwhile: look at it again")]
    Stale,
    /// A move is not at that step, or it is for somebody else.
    #[error(transparent)]
    Move(#[from] lobby_domain::register::moving::Refusal),
    /// So many of it cannot go that way.
    #[error("so many of it cannot be moved that way: look at what the register says of it now")]
    Way,
    /// Something of a stock-take lacks.
    #[error("a stock-take is closed when every line is answered and each difference explained: {0} are not")]
    Lacking(usize),
    /// It is over.
    #[error("the stock-take is closed")]
    Closed,
    /// Somebody else has to do it.
    #[error("a stock-take is closed by whoever began it, or by a manager")]
    NotTheirs,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why something changed that a table says.
const IMPORTED: &str = "CSV";

type Raw = (i64, String, Option<i64>, i64);

pub(super) fn inconsistent(table: &'static str, id: &dyn Display, what: &dyn Display) -> StoreError {
    StoreError::Inconsistent { table, id: id.to_string(), what: what.to_string() }
}

/// The number of an item as it is stored.
pub(super) fn number(nth: i64) -> Result<AssetNumber, StoreError> {
    u32::try_from(nth).map(AssetNumber::of).map_err(|error| inconsistent("register_item", &nth, &error))
}

fn row((nth, fields, counted_at, version): Raw) -> Result<ItemRow, StoreError> {
    let item = serde_json::from_str(&fields).map_err(|error| inconsistent("register_item", &nth, &error))?;
    Ok(ItemRow { number: number(nth)?, item, counted_at: counted_at.map(Timestamp::from_millis), version })
}

fn json(fields: &impl serde::Serialize) -> String {
    serde_json::to_string(fields).expect("fields are plain data")
}

impl Tx {
    /// An item that nobody else changes until this transaction ends.
    pub(super) async fn hold_item(&mut self, site: &SiteId, number: AssetNumber) -> Result<ItemRow, RegisterError> {
        let nth = i64::from(number.nth());
        on!(self, "hold an item", conn => sqlx::query(HOLD_ITEM).bind(site.as_str()).bind(nth).execute(conn).await
            .map(drop))?;
        self.item(site, number).await?.ok_or(RegisterError::NotFound)
    }

    pub(super) async fn item(&mut self, site: &SiteId, number: AssetNumber) -> Result<Option<ItemRow>, StoreError> {
        let raw: Option<Raw> = on!(self, "read an item", conn => sqlx::query_as(ITEM).bind(site.as_str())
            .bind(i64::from(number.nth())).fetch_optional(conn).await)?;
        raw.map(row).transpose()
    }

    pub(super) async fn items(&mut self, site: &SiteId) -> Result<Vec<ItemRow>, StoreError> {
        let raw: Vec<Raw> =
            on!(self, "list items", conn => sqlx::query_as(ITEMS).bind(site.as_str()).fetch_all(conn).await)?;
        raw.into_iter().map(row).collect()
    }

    /// Writes down what happened to an item, and what it is from then on.
    pub(super) async fn happen(
        &mut self,
        row: &ItemRow,
        happening: Happening<'_>,
        by: Acting<'_>,
    ) -> Result<ItemRow, RegisterError> {
        let Happening { deed, set, reason, cause } = happening;
        let after = row.item.clone().after(set);
        let device = Some(after.get(Field::Device)).filter(|id| !id.is_empty() && after.state() != State::WrittenOff);
        let (nth, version) = (i64::from(row.number.nth()), row.version + 1);
        if let Some(device) = device {
            let taken: Option<i64> = on!(self, "look whose device it is", conn => sqlx::query_scalar(ITEM_OF_DEVICE)
                .bind(by.site.as_str()).bind(device).fetch_optional(conn).await)?;
            if let Some(other) = taken.filter(|other| *other != nth) {
                return Err(RegisterError::DeviceTaken(number(other)?));
            }
        }
        let counted_at = if deed == Deed::Count { Some(by.at) } else { row.counted_at };
        on!(self, "write what an item is", conn => sqlx::query(SET_ITEM).bind(by.site.as_str()).bind(nth).bind(device)
            .bind(json(&after)).bind(counted_at.map(Timestamp::millis)).bind(version).execute(conn).await.map(drop))?;
        on!(self, "write what happened to an item", conn => sqlx::query(ADD_ITEM_EVENT).bind(by.site.as_str()).bind(nth)
            .bind(version).bind(deed.as_str()).bind(json(set)).bind(reason).bind(cause).bind(by.who).bind(by.post)
            .bind(by.at.millis()).execute(conn).await.map(drop))?;
        let told = |texts: Vec<String>| texts.join("; ");
        let before = told(set.keys().map(|field| format!("{}: {}", field.as_str(), row.item.get(*field))).collect());
        let now = told(set.iter().map(|(field, text)| format!("{}: {text}", field.as_str())).collect());
        let because = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        let change = Change::new(by.actor, by.at, format!("register.{}", deed.as_str()), row.number.to_string());
        let change = change.of_site(Some(by.site)).after(now + &because);
        self.audit(&if deed == Deed::Add { change } else { change.before(before) }).await?;
        Ok(ItemRow { number: row.number, item: after, counted_at, version })
    }

    /// Enters an item, with photos of it and a code for its label. One that is there already is not entered again.
    async fn enter_item(
        &mut self,
        (id, code): (Uuid, &str),
        item: &Item,
        photos: &[Photo],
        by: Acting<'_>,
    ) -> Result<(AssetNumber, bool), RegisterError> {
        // Whoever enters another item waits here.
        let nth: i64 = on!(self, "number an item", conn => sqlx::query_scalar(NEXT_ITEM).bind(by.site.as_str())
            .fetch_one(conn).await)?;
        let known: Option<i64> = on!(self, "look for an item", conn => sqlx::query_scalar(KNOWN_ITEM).bind(id)
            .bind(by.site.as_str()).fetch_optional(conn).await)?;
        if let Some(known) = known {
            return Ok((number(known)?, false));
        }
        on!(self, "add an item", conn => sqlx::query(ADD_ITEM).bind(by.site.as_str()).bind(nth).bind(id).execute(conn).await
            .map(drop))?;
        let row = ItemRow { number: number(nth)?, item: Item::default(), counted_at: None, version: 0 };
        let set = Item::default().changes(item);
        self.happen(&row, Happening { deed: Deed::Add, set: &set, reason: "", cause: None }, by).await?;
        let shown = Shown { stage: Stage::Before, by: by.who, at: by.at };
        self.keep_item_photos(by.site, nth, photos, shown).await?;
        self.label_item(code, row.number, by).await?;
        Ok((row.number, true))
    }
}

impl Store {
    /// The items of a site, by number.
    pub async fn register(&self, site: &SiteId) -> Result<Vec<ItemRow>, StoreError> {
        self.read().await?.items(site).await
    }

    /// The items of a site that come after one of that number, by number, `most` of them.
    pub async fn register_after(
        &self,
        site: &SiteId,
        after: Option<AssetNumber>,
        most: i64,
    ) -> Result<Vec<ItemRow>, StoreError> {
        let mut tx = self.read().await?;
        let after = after.map_or(0, |number| i64::from(number.nth()));
        let raw: Vec<Raw> = on!(&mut tx, "list items", conn => sqlx::query_as(ITEMS_AFTER).bind(site.as_str()).bind(after)
            .bind(most).fetch_all(conn).await)?;
        raw.into_iter().map(row).collect()
    }

    /// The newest photo of each item of a site that has any, by its id.
    pub async fn newest_photos_of_items(&self, site: &SiteId) -> Result<BTreeMap<AssetNumber, String>, StoreError> {
        let rows = self.read().await?.newest_item_photos(site).await?;
        rows.into_iter().map(|(nth, id)| Ok((number(nth)?, id))).collect()
    }

    /// One item.
    pub async fn register_item(&self, site: &SiteId, number: AssetNumber) -> Result<Option<ItemRow>, StoreError> {
        self.read().await?.item(site, number).await
    }

    /// What happened to an item, the first first.
    pub async fn register_events(&self, site: &SiteId, number: AssetNumber) -> Result<Vec<ItemEvent>, StoreError> {
        type Raw = (String, String, String, Option<Uuid>, String, String, i64);
        let mut tx = self.read().await?;
        let raw: Vec<Raw> = on!(&mut tx, "read an item's history", conn => sqlx::query_as(ITEM_EVENTS).bind(site.as_str())
            .bind(i64::from(number.nth())).fetch_all(conn).await)?;
        let event = |(deed, fields, reason, cause, who, post, at): Raw| {
            let bad = |what: String| inconsistent("register_event", &number, &what);
            Ok(ItemEvent {
                deed: Deed::from_text(&deed).ok_or_else(|| bad(format!("deed `{deed}`")))?,
                set: serde_json::from_str(&fields).map_err(|error| bad(error.to_string()))?,
                reason,
                cause,
                who,
                post,
                at: Timestamp::from_millis(at),
            })
        };
        raw.into_iter().map(event).collect()
    }

    /// The photos of an item, the oldest first.
    pub async fn photos_of_item(&self, site: &SiteId, number: AssetNumber) -> Result<Vec<PhotoRow>, StoreError> {
        self.read().await?.item_photos(site, i64::from(number.nth())).await
    }

    /// Enters an item. The same once more gives the same number.
    pub async fn add_to_register(
        &self,
        id: Uuid,
        item: &Item,
        photos: &[Photo],
        code: &str,
        by: Acting<'_>,
    ) -> Result<AssetNumber, RegisterError> {
        let mut tx = self.begin().await?;
        let (number, is_new) = tx.enter_item((id, code), item, photos, by).await?;
        if is_new {
            tx.commit().await?;
        }
        Ok(number)
    }

    /// Does something with an item. `seen` is how many events there were when they decided on it. The same once more, by whoever did it,
    /// changes nothing.
    pub async fn act_on_item(
        &self,
        number: AssetNumber,
        act: ItemAct<'_>,
        (seen, reason): (i64, &str),
        by: Acting<'_>,
    ) -> Result<(), RegisterError> {
        let mut tx = self.begin().await?;
        let row = tx.hold_item(by.site, number).await?;
        let (deed, set) = match act {
            ItemAct::Photos(photos) => {
                let shown = Shown { stage: Stage::Before, by: by.who, at: by.at };
                if !tx.keep_item_photos(by.site, i64::from(number.nth()), photos, shown).await? {
                    return Ok(());
                }
                (Deed::Photo, BTreeMap::new())
            }
            ItemAct::Edit(wanted) => {
                let set = row.item.edit(wanted, reason)?;
                if set.is_empty() {
                    return Ok(());
                }
                (Deed::Edit, set)
            }
            ItemAct::WriteOff if row.item.state() == State::WrittenOff => return Ok(()),
            ItemAct::WriteOff => (Deed::WriteOff, row.item.write_off(reason)?),
        };
        if row.version != seen && deed != Deed::Photo {
            return Err(RegisterError::Stale);
        }
        tx.happen(&row, Happening { deed, set: &set, reason, cause: None }, by).await?;
        Ok(tx.commit().await?)
    }

    /// Takes over a table, all of it or nothing. The same once more, under the same key, changes nothing.
    pub async fn import_register(
        &self,
        key: Uuid,
        wanted: &[Imported],
        code: fn() -> String,
        by: Acting<'_>,
    ) -> Result<(), RegisterError> {
        let mut tx = self.begin().await?;
        for (line, Imported { number, item }) in wanted.iter().enumerate() {
            let Some(number) = number else {
                let id = Uuid::new_v5(&key, line.to_string().as_bytes());
                tx.enter_item((id, &code()), item, &[], by).await?;
                continue;
            };
            let row = tx.hold_item(by.site, *number).await?;
            if !row.item.changes(item).is_empty() {
                let set = row.item.edit(item, IMPORTED)?;
                tx.happen(&row, Happening { deed: Deed::Edit, set: &set, reason: IMPORTED, cause: None }, by).await?;
            }
        }
        Ok(tx.commit().await?)
    }
}
