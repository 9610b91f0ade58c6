//! What tickets promise: by when, who is reminded, and what was not kept. The clocks are folded from the ticket's history each time
//! (see [`lobby_domain::sla`]); what they say is kept beside the ticket, to be listed and sorted by.

use lobby_contract::SiteId;
use lobby_domain::{
    sla::{Deadlines, MARKS, Promise, Reminded, Stage},
    ticket::State,
    time::Timestamp,
};

use super::{Store, StoreError, Tx, on, statements};
use crate::fleet::Setup;

/// Most tickets that are looked at in one transaction.
const AT_ONCE: i64 = 500;

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// What was promised.
    pub promise: Promise,
    /// When its time was over.
    pub at: Timestamp,
    /// Who worked the ticket then; empty if nobody had accepted it.
    pub holder: String,
}

statements! {
    STAGES = "SELECT at, state, priority FROM ticket_event WHERE ticket = $1 AND (state IS NOT NULL OR priority IS NOT NULL)
        ORDER BY no";
    TERMS = "SELECT site, priority, owner, reminded, respond_by, arrive_by, complete_by FROM ticket WHERE number = $1";
    SETTLE = "UPDATE ticket SET respond_by = $2, arrive_by = $3, complete_by = $4, remind_at = $5, reminded = $6
        WHERE number = $1 AND reminded = $7";
    BREACH = "INSERT INTO breach (ticket, promise, at, holder) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    BREACHES = "SELECT promise, at, holder FROM breach WHERE ticket = $1 ORDER BY at, promise";
    TO_REMIND = "SELECT number FROM ticket WHERE remind_at <= $1 ORDER BY remind_at, number LIMIT $2";
    SITE_OF = "SELECT site FROM ticket WHERE number = $1";
}

/// What is kept of a ticket's deadlines.
pub(super) struct Kept {
    /// By when each promise is due, in ms.
    pub(super) due: [i64; 3],
    /// When the next reminder is due, in ms.
    pub(super) next: Option<i64>,
    /// What was reminded of.
    pub(super) reminded: String,
}

impl Kept {
    /// What is not due now keeps the time of `before`, for which it was due last.
    fn of(deadlines: &Deadlines, reminded: Reminded, before: [i64; 3]) -> Self {
        let due = deadlines.due();
        Self {
            due: std::array::from_fn(|promise| due[promise].map_or(before[promise], Timestamp::millis)),
            next: deadlines.next(&reminded).map(Timestamp::millis),
            reminded: to_text(reminded),
        }
    }

    /// That of a ticket that is opened at `at`.
    pub(super) fn of_new(site: &SiteId, priority: &str, setup: &Setup, at: Timestamp) -> Self {
        // A priority that the standards do not have sets no limit.
        let promised = setup.pack.priorities.get(priority);
        let stage = promised.map(|promised| Stage { at, state: State::New, limits: promised.limits() });
        let (hours, counts) = (setup.hours(site), promised.map(|promised| promised.counts).unwrap_or_default());
        Self::of(&Deadlines::of(stage.as_slice(), hours.of(counts)), Reminded::default(), [at.millis(); 3])
    }
}

#[derive(sqlx::FromRow)]
struct Terms {
    site: String,
    priority: String,
    owner: String,
    reminded: String,
    respond_by: i64,
    arrive_by: i64,
    complete_by: i64,
}

impl Tx {
    /// Brings a ticket's deadlines up to `now`: by when what is promised is due, what is to be reminded of, and what was not kept. To be
    /// called before a change, so that what was missed is laid to whoever held the ticket, and after it.
    pub(super) async fn settle_deadlines(
        &mut self,
        number: &str,
        setup: &Setup,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let terms: Option<Terms> = on!(self, "read a ticket's deadlines", conn => sqlx::query_as(TERMS).bind(number)
            .fetch_optional(conn).await)?;
        let Some(terms) = terms else { return Ok(()) };
        let stages = self.stages(number, &terms.priority, setup).await?;
        let site: Option<SiteId> = terms.site.parse().ok();
        let hours = site.map(|site| setup.hours(&site)).unwrap_or_default();
        let counts = setup.pack.priorities.get(&*terms.priority).map(|priority| priority.counts).unwrap_or_default();
        let deadlines = Deadlines::of(&stages, hours.of(counts));
        let mut reminded = from_text(&terms.reminded);
        let news = deadlines.reminders(&mut reminded, now);
        let before = [terms.respond_by, terms.arrive_by, terms.complete_by];
        let Kept { due: [respond, arrive, complete], next, reminded } = Kept::of(&deadlines, reminded, before);
        let settled = on!(self, "write a ticket's deadlines", conn => sqlx::query(SETTLE).bind(number).bind(respond).bind(arrive)
            .bind(complete).bind(next).bind(reminded).bind(&terms.reminded).execute(conn).await
            .map(|done| done.rows_affected()))?;
        if settled == 0 {
            // On PostgreSQL another transaction said the same a moment ago.
            return Ok(());
        }
        for reminder in news {
            let breached = reminder.percent == MARKS[MARKS.len() - 1];
            if breached {
                on!(self, "record a breach", conn => sqlx::query(BREACH).bind(number).bind(reminder.promise.as_str())
                    .bind(reminder.at.millis()).bind(&terms.owner).execute(conn).await.map(drop))?;
            }
            let what = if breached { "overdue" } else { "reminded" };
            let note = format!("{} {}", reminder.promise.as_str(), reminder.percent);
            self.ticket_event(number, reminder.at, what, &note).await?;
        }
        Ok(())
    }

    /// Where a ticket stood, and what its priority allowed.
    async fn stages(&mut self, number: &str, priority: &str, setup: &Setup) -> Result<Vec<Stage>, StoreError> {
        let rows: Vec<(i64, Option<String>, Option<String>)> = on!(self, "read a ticket's stages", conn =>
            sqlx::query_as(STAGES).bind(number).fetch_all(conn).await)?;
        let (mut state, mut priority) = (State::New, priority.to_owned());
        let mut stages = Vec::with_capacity(rows.len());
        for (at, to, changed) in rows {
            if let Some(to) = to {
                state = State::from_text(&to).ok_or_else(|| StoreError::Inconsistent {
                    table: "ticket_event",
                    id: number.to_owned(),
                    what: format!("state `{to}`"),
                })?;
            }
            priority = changed.unwrap_or(priority);
            // A priority that the standards no longer have sets no limit.
            let Some(limits) = setup.pack.priorities.get(&*priority).map(lobby_domain::pack::Priority::limits) else {
                continue;
            };
            stages.push(Stage { at: Timestamp::from_millis(at), state, limits });
        }
        Ok(stages)
    }
}

impl Store {
    /// What was not kept of a ticket's promises, in the order of time.
    pub async fn breaches(&self, number: &str) -> Result<Vec<Breach>, StoreError> {
        let mut tx = self.read().await?;
        let rows: Vec<(String, i64, String)> = on!(&mut tx, "read breaches", conn => sqlx::query_as(BREACHES).bind(number)
            .fetch_all(conn).await)?;
        let breach = |(promise, at, holder): (String, i64, String)| {
            let promise = Promise::from_text(&promise)?;
            Some(Breach { promise, at: Timestamp::from_millis(at), holder })
        };
        Ok(rows.into_iter().filter_map(breach).collect())
    }

    /// Reminds of what is due by `now`, and records what was not kept; of very many tickets only some, the longest due first. Returns the
    /// sites whose tickets were concerned.
    pub async fn remind(&self, setup: &Setup, now: Timestamp) -> Result<Vec<SiteId>, StoreError> {
        // Mostly there is nothing to write, and whoever only reads keeps nobody from writing.
        let mut tx = self.read().await?;
        let due: Vec<String> = on!(&mut tx, "look for tickets to remind of", conn => sqlx::query_scalar(TO_REMIND)
            .bind(now.millis()).bind(AT_ONCE).fetch_all(conn).await)?;
        drop(tx);
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let mut sites = Vec::with_capacity(due.len());
        let mut tx = self.begin().await?;
        for number in &due {
            tx.settle_deadlines(number, setup, now).await?;
            let site: String = on!(&mut tx, "read a ticket's site", conn => sqlx::query_scalar(SITE_OF).bind(number)
                .fetch_one(conn).await)?;
            sites.extend(site.parse::<SiteId>().ok());
        }
        tx.commit().await?;
        sites.sort_unstable();
        sites.dedup();
        Ok(sites)
    }
}

fn to_text(reminded: Reminded) -> String {
    let one = |(promise, percent): (Promise, u8)| format!("{}:{percent}", promise.as_str());
    Promise::ALL.into_iter().zip(reminded).map(one).collect::<Vec<_>>().join(" ")
}

/// What is not of that form was never told.
fn from_text(text: &str) -> Reminded {
    let named = |promise: Promise| {
        let entry = |entry: &str| {
            let (name, percent) = entry.split_once(':')?;
            if name == promise.as_str() { percent.parse().ok() } else { None }
        };
        text.split_whitespace().find_map(entry).unwrap_or(0)
    };
    Promise::ALL.map(named)
}
