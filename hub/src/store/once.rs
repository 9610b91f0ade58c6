//! A batch is stored once, also when the answer to its commit was lost and it is tried again. Records are by themselves stored once; what
//! follows from alerts (a clearing, then a new alert of the same rule) is not the same when done twice.

use lobby_domain::time::Timestamp;

use super::{StoreError, Tx, on, statements};

/// A writer that has been gone for this long does not come back, in ms.
const FORGOTTEN_AFTER: i64 = 7 * 24 * 3_600_000;

statements! {
    // The row is locked by the first attempt until its outcome is known, so that a second one cannot overtake it.
    CLAIM_BATCH = "INSERT INTO batch (writer, no, at) VALUES ($1, $2, $3)
        ON CONFLICT (writer) DO UPDATE SET no = excluded.no, at = excluded.at WHERE batch.no < excluded.no";
    FORGET_WRITERS = "DELETE FROM batch WHERE at < $1";
}

impl Tx {
    /// Whether the batch `no` of `writer` has not been stored before. Numbers of a writer only grow.
    pub(super) async fn claim_batch(&mut self, writer: &str, no: i64, now: Timestamp) -> Result<bool, StoreError> {
        if no == 1 {
            on!(self, "forget writers that are gone", conn => sqlx::query(FORGET_WRITERS)
                .bind(now.millis() - FORGOTTEN_AFTER).execute(conn).await.map(drop))?;
        }
        let claimed = on!(self, "claim a batch", conn => sqlx::query(CLAIM_BATCH).bind(writer).bind(no).bind(now.millis())
            .execute(conn).await.map(|done| done.rows_affected()))?;
        Ok(claimed > 0)
    }
}
