//! Photos, as bytes in the database: so they are in every backup, and are stored with what they belong to or not at all.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use lobby_contract::SiteId;
use lobby_domain::{ticket::State, time::Timestamp};
use ring::digest::{Context, SHA256};
use uuid::Uuid;

use super::{ActError, Store, StoreError, Tx, on, statements};
use crate::{
    audit::{Actor, Change},
    photo::{MOST, Photo},
};

/// When a photo was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// With a report.
    Report,
    /// With a note, before or during the repair.
    Before,
    /// When the repair was finished.
    After,
}

/// A photo, less its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoRow {
    /// Names it in addresses.
    pub id: String,
    /// Its report, if it came with one.
    pub report: Option<Uuid>,
    /// When it was taken.
    pub stage: String,
    /// Who sent it; empty if that is not known.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Its width in pixels.
    pub width: i64,
    /// Its height in pixels.
    pub height: i64,
}

/// What photos are put to, by whom, and when.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// When they were taken.
    pub stage: Stage,
    /// Who sends them, as the ticket names them.
    pub by: &'a str,
    /// When.
    pub at: Timestamp,
}

impl Stage {
    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

statements! {
    COUNT_OF_TICKET = "SELECT COUNT(*) FROM photo WHERE ticket = $1";
    COUNT_OF_REPORT = "SELECT COUNT(*) FROM photo WHERE report = $1";
    HOLD_TICKET = "UPDATE ticket SET version = version WHERE number = $1";
    KEEP = "INSERT INTO photo (id, site, ticket, report, stage, sender, at, width, height, jpeg, small)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";
    OF_TICKET = "SELECT id, report, stage, sender, at, width, height FROM photo
        WHERE ticket = $1 OR report IN (SELECT r.id FROM report r WHERE r.ticket = $1) ORDER BY at, id LIMIT 100";
    OF_ALERT = "SELECT id, report, stage, sender, at, width, height FROM photo
        WHERE report IN (SELECT r.id FROM report r WHERE r.alert = $1) ORDER BY at, id LIMIT 100";
    KEEP_OF_ROUND = "INSERT INTO photo (id, site, round, line, stage, sender, at, width, height, jpeg, small)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";
    BYTES_OF_LINE = "SELECT jpeg, small, width, height FROM photo WHERE round = $1 AND line = $2 ORDER BY at, id LIMIT 100";
    COUNT_OF_LINE = "SELECT COUNT(*) FROM photo WHERE round = $1 AND line = $2";
    OF_ROUND = "SELECT id, report, stage, sender, at, width, height, line FROM photo WHERE round = $1 ORDER BY at, id LIMIT 500";
    KEEP_OF_ITEM = "INSERT INTO photo (id, site, item, stage, sender, at, width, height, jpeg, small)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING";
    COUNT_OF_ITEM = "SELECT COUNT(*) FROM photo WHERE site = $1 AND item = $2";
    OF_ITEM = "SELECT id, report, stage, sender, at, width, height FROM photo WHERE site = $1 AND item = $2 ORDER BY at, id LIMIT 100";
    NEWEST_OF_ITEMS = "SELECT p.item, p.id FROM photo p WHERE p.site = $1 AND p.item IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM photo q WHERE q.site = p.site AND q.item = p.item AND (q.at > p.at OR (q.at = p.at AND q.id > p.id)))";
    BYTES = "SELECT site, jpeg FROM photo WHERE id = $1";
    SMALL = "SELECT site, small FROM photo WHERE id = $1 AND small IS NOT NULL";
    KEEP_SMALL = "UPDATE photo SET small = $2 WHERE id = $1 AND small IS NULL";
}

type Raw = (String, Option<Uuid>, String, String, i64, i64, i64);

fn photo((id, report, stage, by, at, width, height): Raw) -> PhotoRow {
    PhotoRow { id, report, stage, by, at: Timestamp::from_millis(at), width, height }
}

/// What names a photo: the same one, sent twice to the same place, is there once.
fn id(place: &str, photo: &Photo) -> String {
    let mut context = Context::new(&SHA256);
    context.update(place.as_bytes());
    context.update(b"\n");
    context.update(&photo.jpeg);
    URL_SAFE_NO_PAD.encode(&context.finish().as_ref()[..16])
}

impl Tx {
    /// Keeps photos of a ticket or of a report without one, as many as there is room for. Returns how many there are now that were
    /// sent, and whether any is new.
    pub(super) async fn keep_photos(
        &mut self,
        site: &SiteId,
        (ticket, report): (Option<&str>, Option<Uuid>),
        photos: &[Photo],
        shown: Shown<'_>,
    ) -> Result<(usize, bool), StoreError> {
        if photos.is_empty() {
            return Ok((0, false));
        }
        let of = ticket.map_or_else(|| report.unwrap_or_default().to_string(), str::to_owned);
        let before = match ticket {
            Some(number) => {
                // Two at once count one after the other.
                on!(self, "hold a ticket", conn => sqlx::query(HOLD_TICKET).bind(number).execute(conn).await.map(drop))?;
                on!(self, "count a ticket's photos", conn => sqlx::query_scalar::<_, i64>(COUNT_OF_TICKET).bind(number)
                    .fetch_one(conn).await)?
            }
            None => {
                on!(self, "count a report's photos", conn => sqlx::query_scalar::<_, i64>(COUNT_OF_REPORT).bind(report)
                .fetch_one(conn).await)?
            }
        };
        let (mut there, mut kept) = (usize::try_from(before).unwrap_or(MOST), 0);
        let mut any_new = false;
        for photo in photos {
            let id = id(&of, photo);
            let known: Option<(String, Vec<u8>)> = on!(self, "look for a photo", conn => sqlx::query_as(BYTES).bind(&id)
                .fetch_optional(conn).await)?;
            if known.is_none() {
                if there >= MOST {
                    break;
                }
                on!(self, "keep a photo", conn => sqlx::query(KEEP).bind(&id).bind(site.as_str()).bind(ticket).bind(report)
                    .bind(shown.stage.as_str()).bind(shown.by).bind(shown.at.millis()).bind(i64::from(photo.width))
                    .bind(i64::from(photo.height)).bind(&photo.jpeg).bind(photo.listed()).execute(conn).await.map(drop))?;
                there += 1;
                any_new = true;
            }
            kept += 1;
        }
        Ok((kept, any_new))
    }
}

impl Tx {
    /// Keeps a photo of a line of a round. Returns whether it is there: that there is room for it, or that it was sent before.
    pub(super) async fn keep_round_photo(
        &mut self,
        site: &SiteId,
        (round, line): (Uuid, &str),
        photo: &Photo,
        shown: Shown<'_>,
    ) -> Result<bool, StoreError> {
        let id = id(&format!("{round} {line}"), photo);
        let known: Option<(String, Vec<u8>)> = on!(self, "look for a photo", conn => sqlx::query_as(BYTES).bind(&id)
            .fetch_optional(conn).await)?;
        if known.is_some() {
            return Ok(true);
        }
        let there: i64 = on!(self, "count a line's photos", conn => sqlx::query_scalar(COUNT_OF_LINE).bind(round).bind(line)
            .fetch_one(conn).await)?;
        if !usize::try_from(there).is_ok_and(|there| there < MOST) {
            return Ok(false);
        }
        on!(self, "keep a round's photo", conn => sqlx::query(KEEP_OF_ROUND).bind(&id).bind(site.as_str()).bind(round)
            .bind(line).bind(shown.stage.as_str()).bind(shown.by).bind(shown.at.millis()).bind(i64::from(photo.width))
            .bind(i64::from(photo.height)).bind(&photo.jpeg).bind(photo.listed()).execute(conn).await.map(drop))?;
        Ok(true)
    }

    /// The photos of a line of a round as they are kept, the oldest first.
    pub(super) async fn photos_of_line(&mut self, round: Uuid, line: &str) -> Result<Vec<Photo>, StoreError> {
        type Kept = (Vec<u8>, Option<Vec<u8>>, i64, i64);
        let rows: Vec<Kept> = on!(self, "read a line's photos", conn =>
            sqlx::query_as(BYTES_OF_LINE).bind(round).bind(line).fetch_all(conn).await)?;
        let side = |side: i64| u32::try_from(side).unwrap_or_default();
        let photo = |(jpeg, small, width, height): Kept| Photo {
            jpeg,
            small: small.unwrap_or_default(),
            width: side(width),
            height: side(height),
        };
        Ok(rows.into_iter().map(photo).collect())
    }

    /// The photos of a round with their lines, the oldest first.
    pub(super) async fn round_photos(&mut self, round: Uuid) -> Result<Vec<(String, PhotoRow)>, StoreError> {
        type OfLine = (String, Option<Uuid>, String, String, i64, i64, i64, String);
        let rows: Vec<OfLine> = on!(self, "read a round's photos", conn => sqlx::query_as(OF_ROUND).bind(round)
            .fetch_all(conn).await)?;
        let row = |(id, report, stage, by, at, width, height, line): OfLine| {
            (line, photo((id, report, stage, by, at, width, height)))
        };
        Ok(rows.into_iter().map(row).collect())
    }
}

impl Tx {
    /// Keeps photos of an item of the register, as many as there is room for. Returns whether any is new.
    pub(super) async fn keep_item_photos(
        &mut self,
        site: &SiteId,
        nth: i64,
        photos: &[Photo],
        shown: Shown<'_>,
    ) -> Result<bool, StoreError> {
        let mut any_new = false;
        for photo in photos {
            let there: i64 = on!(self, "count an item's photos", conn => sqlx::query_scalar(COUNT_OF_ITEM)
                .bind(site.as_str()).bind(nth).fetch_one(conn).await)?;
            if !usize::try_from(there).is_ok_and(|there| there < MOST) {
                break;
            }
            let id = id(&format!("{site} item {nth}"), photo);
            any_new |= on!(self, "keep an item's photo", conn => sqlx::query(KEEP_OF_ITEM).bind(&id).bind(site.as_str())
                .bind(nth).bind(shown.stage.as_str()).bind(shown.by).bind(shown.at.millis()).bind(i64::from(photo.width))
                .bind(i64::from(photo.height)).bind(&photo.jpeg).bind(photo.listed()).execute(conn).await.map(|done| done.rows_affected() > 0))?;
        }
        Ok(any_new)
    }

    /// The newest photo of each item of a site that has any, by the item's number.
    pub(super) async fn newest_item_photos(&mut self, site: &SiteId) -> Result<Vec<(i64, String)>, StoreError> {
        on!(self, "read the newest photos of items", conn => sqlx::query_as(NEWEST_OF_ITEMS).bind(site.as_str())
            .fetch_all(conn).await)
    }

    /// The photos of an item, the oldest first.
    pub(super) async fn item_photos(&mut self, site: &SiteId, nth: i64) -> Result<Vec<PhotoRow>, StoreError> {
        let rows: Vec<Raw> = on!(self, "read an item's photos", conn => sqlx::query_as(OF_ITEM).bind(site.as_str()).bind(nth)
            .fetch_all(conn).await)?;
        Ok(rows.into_iter().map(photo).collect())
    }
}

impl Store {
    /// Puts photos to an open ticket. The same ones again change nothing.
    pub async fn add_photos(
        &self,
        number: &str,
        photos: &[Photo],
        shown: Shown<'_>,
        actor: &Actor,
    ) -> Result<(), ActError> {
        let mut tx = self.begin().await?;
        let ticket = tx.ticket(number).await?.ok_or(ActError::NotFound)?;
        if ticket.state == State::Closed {
            return Err(ActError::Closed);
        }
        let (kept, any_new) = tx.keep_photos(&ticket.site, (Some(number), None), photos, shown).await?;
        if kept < photos.len() {
            return Err(ActError::TooManyPhotos);
        }
        if !any_new {
            return Ok(tx.commit().await?);
        }
        let told = Change::new(actor, shown.at, "ticket.photo", number).of_site(Some(&ticket.site));
        Ok(tx.commit_with(&told.after(format!("{kept} {}", shown.stage.as_str()))).await?)
    }

    /// The photos of a ticket, the oldest first.
    pub async fn photos_of_ticket(&self, number: &str) -> Result<Vec<PhotoRow>, StoreError> {
        let mut tx = self.read().await?;
        let rows: Vec<Raw> = on!(&mut tx, "read a ticket's photos", conn => sqlx::query_as(OF_TICKET).bind(number)
            .fetch_all(conn).await)?;
        Ok(rows.into_iter().map(photo).collect())
    }

    /// The photos of what was reported of an alert, the oldest first.
    pub async fn photos_of_alert(&self, alert: Uuid) -> Result<Vec<PhotoRow>, StoreError> {
        let mut tx = self.read().await?;
        let rows: Vec<Raw> = on!(&mut tx, "read an alert's photos", conn => sqlx::query_as(OF_ALERT).bind(alert)
            .fetch_all(conn).await)?;
        Ok(rows.into_iter().map(photo).collect())
    }

    /// The site and the small file of a photo; `None` if it is not there, or was kept without one.
    pub async fn small_photo(&self, id: &str) -> Result<Option<(SiteId, Vec<u8>)>, StoreError> {
        self.photo_by(SMALL, id).await
    }

    /// Keeps the small file of a photo that has none.
    pub async fn keep_small_photo(&self, id: &str, small: &[u8]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        on!(&mut tx, "keep a small photo", conn => sqlx::query(KEEP_SMALL).bind(id).bind(small).execute(conn).await
            .map(drop))?;
        tx.commit().await
    }

    /// The site and the bytes of a photo.
    pub async fn photo(&self, id: &str) -> Result<Option<(SiteId, Vec<u8>)>, StoreError> {
        self.photo_by(BYTES, id).await
    }

    async fn photo_by(&self, sql: &'static str, id: &str) -> Result<Option<(SiteId, Vec<u8>)>, StoreError> {
        let mut tx = self.read().await?;
        let row: Option<(String, Vec<u8>)> =
            on!(&mut tx, "read a photo", conn => sqlx::query_as(sql).bind(id).fetch_optional(conn).await)?;
        let bad = |error: lobby_contract::NameError| StoreError::Inconsistent {
            table: "photo",
            id: id.to_owned(),
            what: error.to_string(),
        };
        row.map(|(site, jpeg)| Ok((site.parse().map_err(bad)?, jpeg))).transpose()
    }
}
