//! The audit log: written with the change that it tells of, and never changed.

use lobby_contract::SiteId;
use lobby_domain::time::Timestamp;

use super::{Cursor, CursorError, Store, StoreError, Tx, on, page, statements};
use crate::audit::{Broken, Chain, Change, Entry, Hash};

statements! {
    // Takes the row's lock: the next writer waits until this transaction is through, and then sees what it wrote.
    TAKE_HEAD = "UPDATE audit_head SET no = no + 1 RETURNING no, hash";
    SET_HEAD = "UPDATE audit_head SET hash = $1";
    APPEND = "INSERT INTO audit (no, at, actor, actor_kind, actor_id, site, action, subject, before, after, hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    LIST = "SELECT no, at, actor, actor_kind, actor_id, site, action, subject, before, after, hash FROM audit
        WHERE (CAST($1 AS TEXT) IS NULL OR site = $1) AND (CAST($2 AS TEXT) IS NULL OR actor = $2) AND no < $3
        ORDER BY no DESC LIMIT $4";
    HEAD = AUDIT_HEAD;
    FROM = AUDIT_FROM;
}

/// Where the log ends.
pub(crate) const AUDIT_HEAD: &str = "SELECT no, hash FROM audit_head";
/// The next entries after a number.
pub(crate) const AUDIT_FROM: &str =
    "SELECT no, at, actor, actor_kind, actor_id, site, action, subject, before, after, hash FROM audit
        WHERE no > $1 ORDER BY no LIMIT 1000";
/// The migration that made the log.
pub(crate) const AUDIT_SINCE: i64 = 17;

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Of this site only.
    pub site: Option<SiteId>,
    /// By whoever has this name only.
    pub actor: Option<String>,
}

/// An entry as it stands in the database.
#[derive(sqlx::FromRow)]
pub(crate) struct Raw {
    no: i64,
    at: i64,
    actor: String,
    actor_kind: String,
    actor_id: String,
    site: Option<String>,
    action: String,
    subject: String,
    before: Option<String>,
    after: Option<String>,
    hash: Vec<u8>,
}

impl From<Raw> for (Entry, Vec<u8>) {
    fn from(raw: Raw) -> Self {
        let Raw { no, at, actor, actor_kind, actor_id, site, action, subject, before, after, hash } = raw;
        let at = Timestamp::from_millis(at);
        (Entry { no, at, actor, actor_kind, actor_id, site, action, subject, before, after }, hash)
    }
}

/// A walk through a whole log.
pub(crate) struct Walk {
    chain: Chain,
    /// After which number it goes on: an entry may have any number if somebody has changed it.
    pub(crate) after: i64,
}

impl Walk {
    pub(crate) const BEGIN: Self = Self { chain: Chain::EMPTY, after: i64::MIN };

    /// Takes in what [`AUDIT_FROM`] finds. Returns whether there may be more.
    pub(crate) fn take(&mut self, rows: Vec<Raw>) -> Result<bool, Broken> {
        let Some(newest) = rows.last() else { return Ok(false) };
        self.after = newest.no;
        for raw in rows {
            let (entry, hash) = raw.into();
            self.chain = self.chain.and(&entry, &hash)?;
        }
        Ok(true)
    }

    /// Ends it where [`AUDIT_HEAD`] says.
    pub(crate) fn end(self, head: &(i64, Vec<u8>)) -> Result<Chain, Broken> {
        self.chain.ends_with((head.0, &head.1))
    }
}

impl Tx {
    /// Writes an entry. It is the last that a transaction does: other writers of entries wait until it is through, and one that then
    /// waited for a row of theirs would never end.
    pub(super) async fn audit(&mut self, change: &Change) -> Result<(), StoreError> {
        let (no, hash): (i64, Vec<u8>) = on!(self, "take the end of the audit log", conn => sqlx::query_as(TAKE_HEAD)
            .fetch_one(conn).await)?;
        let last = Hash::from_bytes(&hash).ok_or_else(|| StoreError::Inconsistent {
            table: "audit_head",
            id: "1".to_owned(),
            what: "its hash is none".to_owned(),
        })?;
        let entry = change.numbered(no);
        let hash = entry.hash(&last);
        on!(self, "write an entry of the audit log", conn => sqlx::query(APPEND).bind(entry.no).bind(entry.at.millis())
            .bind(&entry.actor).bind(&entry.actor_kind).bind(&entry.actor_id).bind(&entry.site).bind(&entry.action)
            .bind(&entry.subject).bind(&entry.before).bind(&entry.after).bind(hash.as_bytes())
            .execute(conn).await.map(drop))?;
        on!(self, "move the end of the audit log", conn => sqlx::query(SET_HEAD).bind(hash.as_bytes()).execute(conn).await
            .map(drop))
    }

    /// Makes everything since [`Store::begin`] durable together with an entry that tells of it.
    pub(super) async fn commit_with(mut self, change: &Change) -> Result<(), StoreError> {
        self.audit(change).await?;
        self.commit().await
    }
}

impl Store {
    /// Writes down a change of something that the database does not keep.
    pub async fn note(&self, change: &Change) -> Result<(), StoreError> {
        self.begin().await?.commit_with(change).await
    }

    /// One page of the audit log, newest first, and where the next begins.
    pub async fn audit_log(
        &self,
        filter: &AuditFilter,
        after: Option<&Cursor>,
        limit: i64,
    ) -> Result<Result<(Vec<Entry>, Option<Cursor>), CursorError>, StoreError> {
        let Ok(before) = after.map_or(Ok(i64::MAX), |cursor| cursor.number(0)) else { return Ok(Err(CursorError)) };
        let mut tx = self.read().await?;
        let raw: Vec<Raw> = on!(&mut tx, "read the audit log", conn => sqlx::query_as(LIST)
            .bind(filter.site.as_ref().map(SiteId::as_str)).bind(&filter.actor).bind(before).bind(limit + 1)
            .fetch_all(conn).await)?;
        let mut rows: Vec<Entry> = raw.into_iter().map(|raw| <(Entry, Vec<u8>)>::from(raw).0).collect();
        let next = page::cut(&mut rows, limit, |row| vec![row.no.to_string()]);
        Ok(Ok((rows, next)))
    }

    /// Walks through the audit log as it is at one moment, and says where it ends or is first not whole.
    pub async fn verify_audit(&self) -> Result<Result<Chain, Broken>, StoreError> {
        let mut tx = self.snapshot().await?;
        let head: (i64, Vec<u8>) =
            on!(&mut tx, "read the end of the audit log", conn => sqlx::query_as(HEAD).fetch_one(conn).await)?;
        let mut walk = Walk::BEGIN;
        loop {
            let rows: Vec<Raw> = on!(&mut tx, "read the audit log", conn => sqlx::query_as(FROM).bind(walk.after)
                .fetch_all(conn).await)?;
            match walk.take(rows) {
                Ok(true) => {}
                Ok(false) => return Ok(walk.end(&head)),
                Err(broken) => return Ok(Err(broken)),
            }
        }
    }
}
