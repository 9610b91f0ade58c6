//! Tokens of programs that use the API.

use lobby_contract::SiteId;
use lobby_domain::{
    access::{Grant, Role},
    time::{Span, Timestamp},
};

use super::{Store, StoreError, on, statements};
use crate::audit::{Actor, Change};

statements! {
    MAKE_TOKEN = "INSERT INTO api_token (id, name, hash, role, site, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    TOKENS = "SELECT id, name, role, site, created_at, expires_at, revoked_at, last_used_at FROM api_token ORDER BY created_at, id";
    TOKEN_BY_HASH = "SELECT id, name, role, site, created_at, expires_at, revoked_at, last_used_at FROM api_token WHERE hash = $1";
    TOKEN_BY_ID = "SELECT id, name, role, site, created_at, expires_at, revoked_at, last_used_at FROM api_token WHERE id = $1";
    REVOKE_TOKEN = "UPDATE api_token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    USE_TOKEN = "UPDATE api_token SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
}

/// How exactly it is kept when a token was last used.
const USED_TO: Span = Span::from_mins(1);

/// A token, less itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Names it in lists and where it is revoked.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it allows.
    pub grant: Grant,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is no longer good.
    pub expires_at: Option<Timestamp>,
    /// When somebody revoked it.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

impl TokenRow {
    /// Whether it is good at `now`.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires| now < expires)
    }
}

type Raw = (String, String, String, Option<String>, i64, Option<i64>, Option<i64>, Option<i64>);

fn token(
    (id, name, role, site, created_at, expires_at, revoked_at, last_used_at): Raw,
) -> Result<TokenRow, StoreError> {
    let bad = |what: String| StoreError::Inconsistent { table: "api_token", id: id.clone(), what };
    let role: Role = role.parse().map_err(|error: lobby_domain::access::NoSuchRole| bad(error.to_string()))?;
    let site: Option<SiteId> =
        site.map(|site| site.parse()).transpose().map_err(|error: lobby_contract::NameError| bad(error.to_string()))?;
    let [expires_at, revoked_at, last_used_at] =
        [expires_at, revoked_at, last_used_at].map(|at| at.map(Timestamp::from_millis));
    let created_at = Timestamp::from_millis(created_at);
    Ok(TokenRow { id, name, grant: Grant { role, site }, created_at, expires_at, revoked_at, last_used_at })
}

impl Store {
    /// Keeps a token by its hash.
    pub async fn make_token(&self, row: &TokenRow, hash: &[u8], actor: &Actor) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        on!(&mut tx, "store a token", conn => sqlx::query(MAKE_TOKEN).bind(&row.id).bind(&row.name).bind(hash)
            .bind(row.grant.role.as_str()).bind(row.grant.site.as_ref().map(SiteId::as_str)).bind(row.created_at.millis())
            .bind(row.expires_at.map(Timestamp::millis)).execute(conn).await.map(drop))?;
        let told = Change::new(actor, row.created_at, "token.create", &row.id).of_site(row.grant.site.as_ref());
        tx.commit_with(&told.after(format!("{}: {}", row.name, row.grant.role))).await
    }

    /// Every token, the oldest first.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        let mut tx = self.read().await?;
        let rows: Vec<Raw> = on!(&mut tx, "read the tokens", conn => sqlx::query_as(TOKENS).fetch_all(conn).await)?;
        rows.into_iter().map(token).collect()
    }

    /// The token of that hash.
    pub async fn token_by_hash(&self, hash: &[u8]) -> Result<Option<TokenRow>, StoreError> {
        let mut tx = self.read().await?;
        let row: Option<Raw> = on!(&mut tx, "look up a token", conn => sqlx::query_as(TOKEN_BY_HASH).bind(hash)
            .fetch_optional(conn).await)?;
        row.map(token).transpose()
    }

    /// Revokes a token. Returns whether there was one to be revoked.
    pub async fn revoke_token(&self, id: &str, now: Timestamp, actor: &Actor) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let revoked = on!(&mut tx, "revoke a token", conn => sqlx::query(REVOKE_TOKEN).bind(id).bind(now.millis())
            .execute(conn).await.map(|done| done.rows_affected()))?;
        if revoked == 0 {
            return Ok(false);
        }
        let row: Option<Raw> = on!(&mut tx, "look up a token", conn => sqlx::query_as(TOKEN_BY_ID).bind(id)
            .fetch_optional(conn).await)?;
        let row = row.map(token).transpose()?;
        let site = row.as_ref().and_then(|row| row.grant.site.as_ref());
        let told = Change::new(actor, now, "token.revoke", id).of_site(site);
        tx.commit_with(&row.iter().fold(told, |told, row| told.before(format!("{}: {}", row.name, row.grant.role))))
            .await?;
        Ok(true)
    }

    /// Notes that a token is used, once a minute at most.
    pub async fn token_used(&self, token: &TokenRow, now: Timestamp) -> Result<(), StoreError> {
        if token.last_used_at.is_some_and(|used| now.since(used) < USED_TO) {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        on!(&mut tx, "note the use of a token", conn => sqlx::query(USE_TOKEN).bind(&token.id).bind(now.millis())
            .execute(conn).await.map(drop))?;
        tx.commit().await
    }
}
