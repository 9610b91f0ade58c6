//! Whose database this is.

use lobby_domain::time::Timestamp;
use uuid::Uuid;

use super::{Store, StoreError, Tx, on, statements};

/// What a database says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The installation it belongs to.
    pub installation: Uuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// The version of the product that last wrote into it.
    pub written_by: String,
    /// How often a hub was started on it. An old copy of the database has fewer.
    pub starts: i64,
}

statements! {
    META = "SELECT installation, created_at, written_by, starts FROM meta";
    FOUND = "INSERT INTO meta (one, installation, created_at, written_by, starts) VALUES (1, $1, $2, $3, 0)
        ON CONFLICT DO NOTHING";
    STARTED = "UPDATE meta SET starts = starts + 1, written_by = $1";
}

impl Store {
    /// What the database says about itself; `None` if it says nothing.
    pub async fn meta(&self) -> Result<Option<Meta>, StoreError> {
        self.read().await?.meta().await
    }

    /// Names the database if it has no name, counts a start, and returns what it then says about itself.
    pub async fn started(&self, new: Uuid, product: &str, now: Timestamp) -> Result<Meta, StoreError> {
        let mut tx = self.begin().await?;
        on!(&mut tx, "name the database", conn => sqlx::query(FOUND).bind(new).bind(now.millis()).bind(product)
            .execute(conn).await.map(drop))?;
        on!(&mut tx, "count a start", conn => sqlx::query(STARTED).bind(product).execute(conn).await.map(drop))?;
        let meta = tx.meta().await?.ok_or_else(|| StoreError::Inconsistent {
            table: "meta",
            id: "1".to_owned(),
            what: "the row is gone".to_owned(),
        })?;
        tx.commit().await?;
        Ok(meta)
    }
}

impl Tx {
    async fn meta(&mut self) -> Result<Option<Meta>, StoreError> {
        let row: Option<(Uuid, i64, String, i64)> = on!(self, "read whose database it is", conn =>
            sqlx::query_as(META).fetch_optional(conn).await)?;
        Ok(row.map(|(installation, created_at, written_by, starts)| Meta {
            installation,
            created_at: Timestamp::from_millis(created_at),
            written_by,
            starts,
        }))
    }
}
