//! The queue of open tickets, counted and read by what is due next. The groups are those of [`Group::of`].

use std::collections::BTreeMap;

use lobby_contract::SiteId;
use lobby_domain::{
    ticket::queue::{DUE_SOON, Group},
    time::Timestamp,
};

use super::{
    Store, StoreError, TicketRow, on, statements,
    tickets::{Raw, ticket_rows},
};

/// How many open tickets a site has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// By group, in the order of [`Group::ALL`].
    pub groups: [u32; 4],
    /// How many are past a time limit; they are among those due.
    pub overdue: u32,
}

/// The open tickets with what is due next and the group, of all sites or one ($1), as of now and of soon ($2). All of it is in the index
/// `ticket_queue`: thousands of tickets are counted and put in order without being read.
macro_rules! placed {
    () => {
        "(SELECT number, site, opened_at, due, CASE WHEN due <= $2 THEN 'due' WHEN state IN ('new', 'assigned') THEN 'reported'
                WHEN state IN ('fixed', 'self_recovered') THEN 'confirm' ELSE 'working' END AS step
            FROM (SELECT number, site, state, opened_at, CASE state WHEN 'new' THEN respond_by WHEN 'assigned' THEN respond_by
                    WHEN 'accepted' THEN arrive_by WHEN 'in_progress' THEN complete_by END AS due
                FROM ticket WHERE state <> 'closed' AND (CAST($1 AS TEXT) IS NULL OR site = $1)) AS open) AS placed"
    };
}

statements! {
    QUEUED = concat!("SELECT site, step, due < $3 AS late, COUNT(*) FROM ", placed!(), " GROUP BY site, step, due < $3");
    QUEUE = concat!(ticket_rows!(), " FROM (SELECT number AS listed, due FROM ", placed!(), " WHERE step = $3
            ORDER BY due IS NULL, due, opened_at, number LIMIT $4 OFFSET $5) AS listed
        JOIN ticket ON number = listed ORDER BY due IS NULL, due, opened_at, number");
}

impl QueueCounts {
    /// How many are in a group.
    pub fn of(&self, group: Group) -> u32 {
        self.groups[group as usize]
    }

    /// How many there are.
    pub fn all(&self) -> u32 {
        self.groups.iter().sum()
    }

    /// Those of several sites.
    pub fn sum<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        all.into_iter().fold(Self::default(), |mut sum, one| {
            for (to, from) in sum.groups.iter_mut().zip(one.groups) {
                *to += from;
            }
            sum.overdue += one.overdue;
            sum
        })
    }
}

impl Store {
    /// How many open tickets there are at each site that has any, or at one.
    pub async fn queued(
        &self,
        site: Option<&SiteId>,
        now: Timestamp,
    ) -> Result<BTreeMap<SiteId, QueueCounts>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<(String, String, Option<bool>, i64)> = on!(&mut tx, "count open tickets", conn => sqlx::query_as(QUEUED)
            .bind(site.map(SiteId::as_str)).bind((now + DUE_SOON).millis()).bind(now.millis()).fetch_all(conn).await)?;
        let mut sites: BTreeMap<SiteId, QueueCounts> = BTreeMap::new();
        for (site, step, late, count) in raw {
            let bad = |what: String| StoreError::Inconsistent { table: "ticket", id: site.clone(), what };
            let id = site.parse().map_err(|error| bad(format!("site: {error}")))?;
            let group = Group::from_text(&step).ok_or_else(|| bad(format!("group `{step}`")))?;
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            let counts = sites.entry(id).or_default();
            counts.groups[group as usize] += count;
            if late == Some(true) {
                counts.overdue += count;
            }
        }
        Ok(sites)
    }

    /// The tickets of a group, what is due first: `limit` of them after the first `skip`.
    pub async fn queue(
        &self,
        site: Option<&SiteId>,
        group: Group,
        (skip, limit): (i64, i64),
        now: Timestamp,
    ) -> Result<Vec<TicketRow>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<Raw> = on!(&mut tx, "read the queue", conn => sqlx::query_as(QUEUE).bind(site.map(SiteId::as_str))
            .bind((now + DUE_SOON).millis()).bind(group.as_str()).bind(limit).bind(skip).fetch_all(conn).await)?;
        raw.into_iter().map(TicketRow::try_from).collect()
    }
}
