//! Records of which only their key tells that they were stored: those beyond a gap in their agent's numbers, those from before its first
//! known one, and those of a stream of which nothing was stored yet. When they are deleted, their numbers are kept until what the stream
//! has committed covers them, so that after a restart a repeat is refused as it was before.

use std::collections::{BTreeMap, BTreeSet};

use lobby_domain::{agent::Agent, delivery::Stream, ranges::Ranges, time::Timestamp};

use super::{
    Store, StoreError, Tx,
    fleet::{signed, unsigned},
    on, statements,
};

/// Whether a range needs to be kept no longer.
macro_rules! covered {
    () => {
        "EXISTS (SELECT 1 FROM stream s WHERE s.agent_no = g.agent_no AND s.epoch = g.epoch AND g.from_seq > s.base
            AND g.to_seq <= s.committed)"
    };
}

statements! {
    UNCOVERED = "SELECT CAST(r.agent_no AS BIGINT), r.epoch, r.seq FROM record r
            LEFT JOIN stream s ON s.agent_no = r.agent_no AND s.epoch = r.epoch
        WHERE r.device_no = $1 AND r.at >= $2 AND r.at < $2 + 3600000
            AND (s.committed IS NULL OR r.seq > s.committed OR r.seq <= s.base)";
    // Also the range before the first, which may touch it.
    NEAR = "SELECT from_seq, to_seq FROM record_gone WHERE agent_no = $1 AND epoch = $2 AND from_seq <= $4
        AND from_seq >= COALESCE((SELECT MAX(from_seq) FROM record_gone WHERE agent_no = $1 AND epoch = $2 AND from_seq < $3), $3)";
    REMOVE = "DELETE FROM record_gone WHERE agent_no = $1 AND epoch = $2 AND from_seq = $3";
    ADD = "INSERT INTO record_gone (agent_no, epoch, from_seq, to_seq) VALUES ($1, $2, $3, $4)";
    // The epochs are looked up one by one: there are few, and many records of each. By `CROSS JOIN` SQLite begins with the few.
    TAKEN = "WITH RECURSIVE known (epoch) AS (
            SELECT MIN(epoch) FROM record WHERE agent_no = $1
            UNION ALL SELECT (SELECT MIN(r.epoch) FROM record r WHERE r.agent_no = $1 AND r.epoch > known.epoch) FROM known
                WHERE known.epoch IS NOT NULL)
        SELECT r.epoch, r.seq, r.seq FROM stream s CROSS JOIN record r
            WHERE s.agent_no = $1 AND r.agent_no = s.agent_no AND r.epoch = s.epoch AND r.seq > s.committed
        UNION ALL SELECT r.epoch, r.seq, r.seq FROM stream s CROSS JOIN record r
            WHERE s.agent_no = $1 AND r.agent_no = s.agent_no AND r.epoch = s.epoch AND r.seq <= s.base
        UNION ALL SELECT r.epoch, r.seq, r.seq FROM known k CROSS JOIN record r
            WHERE r.agent_no = $1 AND r.epoch = k.epoch
                AND NOT EXISTS (SELECT 1 FROM stream s WHERE s.agent_no = $1 AND s.epoch = k.epoch)
        UNION ALL SELECT epoch, from_seq, to_seq FROM record_gone WHERE agent_no = $1";
    IS_ANY_COVERED = concat!("SELECT EXISTS (SELECT 1 FROM record_gone g WHERE ", covered!(), ")");
    REMOVE_COVERED = concat!("DELETE FROM record_gone AS g WHERE ", covered!());
}

impl Tx {
    /// Notes the records of an hour of a device of which nothing else would tell that they were stored. To be called in the transaction
    /// that deletes them, and before that.
    pub(super) async fn note_gone(&mut self, device_no: i64, hour: i64) -> Result<(), StoreError> {
        let uncovered: Vec<(i64, i64, i64)> = on!(self, "look for records beyond a gap", conn => sqlx::query_as(UNCOVERED)
            .bind(device_no).bind(hour).fetch_all(conn).await)?;
        let mut streams: BTreeMap<(i64, i64), Ranges> = BTreeMap::new();
        for (agent, epoch, seq) in uncovered {
            streams.entry((agent, epoch)).or_default().add(unsigned(seq), unsigned(seq));
        }
        for ((agent, epoch), new) in streams {
            self.add_gone(agent, epoch, new).await?;
        }
        Ok(())
    }

    async fn add_gone(&mut self, agent: i64, epoch: i64, mut ranges: Ranges) -> Result<(), StoreError> {
        let (Some((first, _)), Some(last)) = (ranges.first(), ranges.last()) else { return Ok(()) };
        let near: Vec<(i64, i64)> = on!(self, "read which records are gone", conn => sqlx::query_as(NEAR).bind(agent)
            .bind(epoch).bind(signed(first)).bind(signed(last).saturating_add(1)).fetch_all(conn).await)?;
        for (from, to) in &near {
            ranges.add(unsigned(*from), unsigned(*to));
        }
        let before: BTreeSet<(i64, i64)> = near.into_iter().collect();
        let after: BTreeSet<(i64, i64)> = ranges.iter().map(|(from, to)| (signed(from), signed(to))).collect();
        for (from, _) in before.difference(&after) {
            on!(self, "note which records are gone", conn => sqlx::query(REMOVE).bind(agent).bind(epoch).bind(from)
                .execute(conn).await.map(drop))?;
        }
        for (from, to) in after.difference(&before) {
            on!(self, "note which records are gone", conn => sqlx::query(ADD).bind(agent).bind(epoch).bind(from).bind(to)
                .execute(conn).await.map(drop))?;
        }
        Ok(())
    }

    /// Takes in again what an agent has delivered beyond what its streams tell: what is still there, and what is gone.
    pub(super) async fn retake(&mut self, agent_no: i64, agent: &mut Agent) -> Result<(), StoreError> {
        let taken: Vec<(i64, i64, i64)> = on!(self, "read records beyond a gap", conn => sqlx::query_as(TAKEN)
            .bind(agent_no).fetch_all(conn).await)?;
        for (epoch, from, to) in taken {
            // Of a stream of which nothing was stored, the time in which its first records may come is over.
            let opened = || Stream::opened(Timestamp::from_millis(0));
            agent.streams.entry(unsigned(epoch)).or_insert_with(opened).retake(unsigned(from), unsigned(to));
        }
        Ok(())
    }
}

impl Store {
    /// Forgets the numbers of records that are gone where what is committed tells of them.
    pub async fn forget_covered(&self) -> Result<(), StoreError> {
        let mut tx = self.read().await?;
        let is_any: bool = on!(&mut tx, "look for numbers of records that are gone", conn =>
            sqlx::query_scalar(IS_ANY_COVERED).fetch_one(conn).await)?;
        drop(tx);
        if !is_any {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        on!(&mut tx, "forget numbers of records that are gone", conn => sqlx::query(REMOVE_COVERED).execute(conn).await
            .map(drop))?;
        tx.commit().await
    }
}
