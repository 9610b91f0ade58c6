//! Repair tickets: opened or joined in the transaction that raises the alert, moved by people under a version.

use jiff::tz::TimeZone;
use lobby_contract::SiteId;
use lobby_domain::{
    alert::{Raise, Subject},
    calendar::local,
    label::Label,
    rule::TicketRule,
    ticket::{
        Action, Last, OnRaise, Refusal, Rejection, State, TicketNumber, WaitingFor, act, arrival::Arrival, on_clear,
        on_raise, taken,
    },
    time::Timestamp,
    work::{Fen, Work, WorkError},
};
use uuid::Uuid;

use super::{Cursor, CursorError, Store, StoreError, Tx, joined, on, page, split, statements};
use crate::{
    audit::{Actor, Change},
    failpoint,
    fleet::Setup,
};

/// A ticket as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct TicketRow {
    /// Its number.
    pub number: TicketNumber,
    /// Its site.
    pub site: SiteId,
    /// What it is about.
    pub subject: Subject,
    /// The rule that opened it.
    pub rule: String,
    /// The clauses the rule serves.
    pub clauses: Vec<String>,
    /// The department that works it.
    pub department: String,
    /// Its priority.
    pub priority: String,
    /// The post that confirms the repair.
    pub confirmed_by: String,
    /// The fault in words.
    pub title: Label,
    /// Where it stands.
    pub state: State,
    /// Grows by one with each change: an action names the version it was decided on.
    pub version: i64,
    /// Who works it; empty while nobody has accepted it.
    pub owner: String,
    /// What is waited for.
    pub waiting_for: Option<WaitingFor>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// By when it is to be accepted.
    pub respond_by: Timestamp,
    /// By when somebody is to be there.
    pub arrive_by: Timestamp,
    /// By when it is to work again.
    pub complete_by: Timestamp,
    /// When it was accepted.
    pub accepted_at: Option<Timestamp>,
    /// When somebody was there and the work began.
    pub started_at: Option<Timestamp>,
    /// How that was shown; nothing where it was not asked for.
    pub arrival: Option<Arrival>,
    /// When it was said to work again.
    pub fixed_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Why it was closed without a repair, if it was.
    pub rejected: Option<Rejection>,
    /// The ticket that has its faults now, if it was a duplicate.
    pub duplicate_of: Option<TicketNumber>,
}

/// One entry of a ticket's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketEvent {
    /// When.
    pub at: Timestamp,
    /// What happened: `opened`, `joined`, `victim`, `recovered`, `reminded`, `overdue`, `priority`, `comment`, `duplicate` (another
    /// ticket's faults were taken over), or an action.
    pub what: String,
    /// Who did it; empty for the hub itself.
    pub actor: String,
    /// What was said about it.
    pub note: String,
    /// What was said of the repair, where it was finished.
    pub work: Option<Work>,
    /// How it was shown that somebody was there, where they began.
    pub arrival: Option<Arrival>,
}

/// An entry of a ticket's history that is being written.
struct Entry<'a> {
    at: Timestamp,
    what: &'a str,
    actor: &'a str,
    note: &'a str,
    /// Where the ticket stands from now on, if that changes.
    state: Option<State>,
    /// Its priority from now on, if that changes.
    priority: Option<&'a str>,
    /// What is said of a repair.
    work: Option<&'a Work>,
    /// How somebody came to be there.
    arrived: Option<Arrived>,
}

impl<'a> Entry<'a> {
    fn new(at: Timestamp, what: &'a str) -> Self {
        Self { at, what, actor: "", note: "", state: None, priority: None, work: None, arrived: None }
    }
}

/// That somebody has arrived.
#[derive(Debug, Clone, Copy)]
pub struct Arrived {
    /// How that is shown.
    pub by: Arrival,
    /// The same one again is the same arrival.
    pub key: Option<Uuid>,
}

/// What a person does, and who it is.
#[derive(Debug, Clone, Copy)]
pub struct Deed<'a> {
    /// The version of the ticket that the person saw.
    pub version: i64,
    /// Who does it, as the ticket's history names them.
    pub by: &'a str,
    /// Who does it, as far as that is known.
    pub actor: &'a Actor,
    /// What is said about it.
    pub note: &'a str,
    /// What is said of the repair, where it is finished.
    pub work: Option<&'a Work>,
    /// The ticket that it is a duplicate of, where it is rejected as one.
    pub duplicate_of: Option<&'a str>,
    /// Whom it is given to, where it is assigned.
    pub assignee: Option<&'a str>,
    /// How it is shown that they are there, where they begin.
    pub arrived: Option<Arrived>,
    /// When.
    pub at: Timestamp,
}

/// What a person says about an open ticket.
#[derive(Debug, Clone, Copy)]
pub struct Comment<'a> {
    /// The same one again is the same comment.
    pub key: Option<Uuid>,
    /// Who says it, as the ticket's history names them.
    pub by: &'a str,
    /// Who says it, as far as that is known.
    pub actor: &'a Actor,
    /// What is said.
    pub note: &'a str,
    /// When.
    pub at: Timestamp,
}

/// Which tickets are wanted.
#[derive(Debug, Clone, Default)]
pub struct TicketFilter {
    /// Of this site only.
    pub site: Option<SiteId>,
    /// About this subject only.
    pub subject: Option<Subject>,
    /// Open ones only, or closed ones only.
    pub open: Option<bool>,
}

/// Why an action did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// There is no such ticket.
    #[error("there is no ticket of that number")]
    NotFound,
    /// Somebody else changed it meanwhile.
    #[error("the ticket was changed meanwhile: it is at version {current}")]
    Conflict {
        /// The version it has now.
        current: i64,
    },
    /// A ticket that is closed has no deadlines any more, and nothing is added to it.
    #[error("the ticket is closed")]
    Closed,
    /// What it is to be a duplicate of is no other open ticket of the same site.
    #[error("`duplicate_of` names no other open ticket of the same site")]
    NoOriginal,
    /// Nobody is named whom it is given to.
    #[error("`assignee` is missing: say whom the ticket is given to")]
    NoAssignee,
    /// The label was not scanned for another reason, which is not said.
    #[error("say in `note` why the label was not scanned")]
    NoArrival,
    /// It has as many photos as a ticket may have.
    #[error("a ticket has at most 6 photos")]
    TooManyPhotos,
    /// The key of a comment or an arrival is that of another one.
    #[error("another comment or arrival had this key")]
    KeyReused,
    /// The standards have no such priority.
    #[error("there is no such priority: the standards have {}", known.join(", "))]
    NoPriority {
        /// Those there are.
        known: Vec<Box<str>>,
    },
    /// It does not fit where the ticket stands.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(sqlx::FromRow)]
pub(super) struct Raw {
    number: String,
    site: String,
    subject: String,
    rule: String,
    clauses: String,
    department: String,
    priority: String,
    confirmed_by: String,
    title_zh: String,
    title_en: String,
    state: String,
    version: i64,
    owner: String,
    waiting_for: String,
    opened_at: i64,
    respond_by: i64,
    arrive_by: i64,
    complete_by: i64,
    accepted_at: Option<i64>,
    started_at: Option<i64>,
    arrival: String,
    fixed_at: Option<i64>,
    closed_at: Option<i64>,
    rejected: String,
    duplicate_of: String,
}

#[derive(sqlx::FromRow)]
struct RawEvent {
    at: i64,
    what: String,
    actor: String,
    note: String,
    cause: Option<String>,
    materials: Option<String>,
    cost_fen: Option<i64>,
    arrival: String,
}

/// What was noted under a key.
#[derive(sqlx::FromRow)]
struct Keyed {
    ticket: String,
    what: String,
    actor: String,
    note: String,
    arrival: String,
}

impl Keyed {
    fn is(&self, said: (&str, &str, &str, &str, &str)) -> bool {
        said == (&self.ticket, &self.what, &self.actor, &self.note, &self.arrival)
    }
}

impl RawEvent {
    fn work(&self) -> Result<Option<Work>, WorkError> {
        let materials = self.materials.iter().flat_map(|lines| lines.lines());
        let cost = self.cost_fen.map(Fen::new).transpose()?;
        let work = Work::new(self.cause.as_deref().unwrap_or_default(), materials, cost)?;
        Ok((!work.is_empty()).then_some(work))
    }
}

statements! {
    SITE_OF = "SELECT site FROM ticket WHERE number = $1";
    // What people report of a device is of any class: it joins the device's open ticket, and what is found out then joins that.
    LAST = "SELECT number, state, closed_at, rejected FROM ticket WHERE site = $1 AND subject = $2
            AND (fault_class = $3 OR (state <> 'closed' AND 'reported/device' IN (fault_class, $3)))
        ORDER BY CASE WHEN state = 'closed' THEN 1 ELSE 0 END, CASE WHEN fault_class = $3 THEN 0 ELSE 1 END,
            opened_at DESC, number DESC LIMIT 1";
    NEXT_NUMBER = "INSERT INTO ticket_count (month, count) VALUES ($1, 1)
        ON CONFLICT (month) DO UPDATE SET count = ticket_count.count + 1 RETURNING count";
    OPEN = "INSERT INTO ticket (number, site, subject, fault_class, rule, clauses, department, priority, confirmed_by, title_zh, title_en,
            state, version, owner, opened_at, respond_by, arrive_by, complete_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'new', 1, '', $12, $12, $12, $12)";
    // Never sets `closed`. On PostgreSQL a person may have closed the ticket since it was looked at; then it is open again.
    SET_STATE = "UPDATE ticket SET state = $2, version = version + 1, closed_at = NULL WHERE number = $1 AND state <> $2";
    REOPEN = "UPDATE ticket SET state = 'new', version = version + 1, owner = '', accepted_at = NULL, started_at = NULL,
            arrival = '', fixed_at = NULL, closed_at = NULL, rejected = '', duplicate_of = '' WHERE number = $1";
    // Consequences end by themselves, or get their own ticket; what people report ends with the ticket.
    OPEN_ALERTS = "SELECT COUNT(*) FROM alert WHERE ticket = $1 AND cleared_at IS NULL AND victim_of IS NULL AND NOT reported";
    MOVE = "UPDATE ticket SET state = $3, version = version + 1,
            owner = CASE WHEN $7 = 'assign' THEN $11 WHEN $4 <> '' AND $7 NOT IN ('confirm', 'reject') THEN $4 ELSE owner END,
            accepted_at = CASE WHEN $7 = 'assign' THEN NULL WHEN $7 IN ('accept', 'start') THEN COALESCE(accepted_at, $5) ELSE accepted_at END,
            started_at = CASE WHEN $7 = 'start' THEN $5 ELSE started_at END,
            arrival = CASE WHEN $7 = 'start' THEN $12 ELSE arrival END,
            fixed_at = CASE WHEN $7 = 'finish' THEN $5 WHEN $7 = 'reopen' THEN NULL ELSE fixed_at END,
            closed_at = $6, waiting_for = $8, rejected = $9, duplicate_of = $10
        WHERE number = $1 AND version = $2";
    // Changes its version also where it stays where it is, so that nobody closes it by what they saw before.
    TAKE_OVER = "UPDATE ticket SET state = $2, version = version + 1 WHERE number = $1 AND version = $3 AND state <> 'closed'";
    MOVE_ALERTS = "UPDATE alert SET ticket = $2 WHERE ticket = $1 AND cleared_at IS NULL";
    REJECTED = "SELECT number, site, subject, rule, clauses, department, priority, confirmed_by, title_zh, title_en, state, version,
            owner, waiting_for, opened_at, respond_by, arrive_by, complete_by, accepted_at, started_at, arrival, fixed_at,
            closed_at, rejected, duplicate_of
        FROM ticket WHERE (CAST($1 AS TEXT) IS NULL OR site = $1) AND rejected <> ''
            AND number IN (SELECT a.ticket FROM alert a WHERE a.cleared_at IS NULL)";
    SET_PRIORITY = "UPDATE ticket SET priority = $3, version = version + 1 WHERE number = $1 AND version = $2";
    EVENT = "INSERT INTO ticket_event (ticket, at, what, actor, note, state, priority, cause, materials, cost_fen, arrival, key)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    COMMENT = "INSERT INTO ticket_event (ticket, at, what, actor, note, key) VALUES ($1, $2, 'comment', $3, $4, $5)
        ON CONFLICT DO NOTHING";
    OF_KEY = "SELECT ticket, what, actor, note, arrival FROM ticket_event WHERE key = $1";
    EVENTS = "SELECT at, what, actor, note, cause, materials, cost_fen, arrival FROM ticket_event WHERE ticket = $1 ORDER BY no";
    BY_NUMBER = "SELECT number, site, subject, rule, clauses, department, priority, confirmed_by, title_zh, title_en, state, version,
            owner, waiting_for, opened_at, respond_by, arrive_by, complete_by, accepted_at, started_at, arrival, fixed_at,
            closed_at, rejected, duplicate_of
        FROM ticket WHERE number = $1";
    LIST = "SELECT number, site, subject, rule, clauses, department, priority, confirmed_by, title_zh, title_en, state, version,
            owner, waiting_for, opened_at, respond_by, arrive_by, complete_by, accepted_at, started_at, arrival, fixed_at,
            closed_at, rejected, duplicate_of
        FROM ticket
        WHERE (CAST($1 AS TEXT) IS NULL OR site = $1) AND (CAST($2 AS TEXT) IS NULL OR subject = $2)
            AND (CAST($3 AS BOOLEAN) IS NULL OR (state <> 'closed') = $3) AND (opened_at, number) < ($4, $5)
        ORDER BY opened_at DESC, number DESC LIMIT $6";
    COUNTS = "SELECT state, COUNT(*) FROM ticket GROUP BY state";
}

impl TryFrom<Raw> for TicketRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let bad = |what: String| StoreError::Inconsistent { table: "ticket", id: raw.number.clone(), what };
        Ok(Self {
            site: raw.site.parse().map_err(|error| bad(format!("site: {error}")))?,
            subject: raw.subject.parse().map_err(|error| bad(format!("subject: {error}")))?,
            state: State::from_text(&raw.state).ok_or_else(|| bad(format!("state `{}`", raw.state)))?,
            number: TicketNumber::from_text(&raw.number),
            rule: raw.rule,
            clauses: split(&raw.clauses),
            department: raw.department,
            priority: raw.priority,
            confirmed_by: raw.confirmed_by,
            title: Label::new(raw.title_zh, raw.title_en),
            version: raw.version,
            owner: raw.owner,
            waiting_for: WaitingFor::from_text(&raw.waiting_for),
            opened_at: Timestamp::from_millis(raw.opened_at),
            respond_by: Timestamp::from_millis(raw.respond_by),
            arrive_by: Timestamp::from_millis(raw.arrive_by),
            complete_by: Timestamp::from_millis(raw.complete_by),
            accepted_at: raw.accepted_at.map(Timestamp::from_millis),
            started_at: raw.started_at.map(Timestamp::from_millis),
            arrival: Arrival::from_text(&raw.arrival),
            fixed_at: raw.fixed_at.map(Timestamp::from_millis),
            closed_at: raw.closed_at.map(Timestamp::from_millis),
            rejected: Rejection::from_text(&raw.rejected),
            duplicate_of: (!raw.duplicate_of.is_empty()).then(|| TicketNumber::from_text(&raw.duplicate_of)),
        })
    }
}

impl Tx {
    /// Opens, joins or re-opens the ticket of an alert that was just raised. Returns its number.
    pub(super) async fn ticket_for(
        &mut self,
        site: &SiteId,
        zone: &TimeZone,
        setup: &Setup,
        raise: &Raise,
        ticket: &TicketRule,
    ) -> Result<String, StoreError> {
        let subject = raise.subject.to_string();
        let last: Option<(String, String, Option<i64>, String)> = on!(self, "look for the device's ticket", conn =>
            sqlx::query_as(LAST).bind(site.as_str()).bind(&subject).bind(&*ticket.fault_class).fetch_optional(conn).await)?;
        let known = last.as_ref().map(|(number, state, closed_at, rejected)| {
            let state = State::from_text(state).ok_or_else(|| StoreError::Inconsistent {
                table: "ticket",
                id: number.clone(),
                what: format!("state `{state}`"),
            })?;
            let rejected = Rejection::from_text(rejected);
            Ok::<_, StoreError>(Last { state, closed_at: closed_at.map(Timestamp::from_millis), rejected })
        });
        let decision = on_raise(known.transpose()?, raise.at);
        match last {
            Some((number, ..)) if decision != OnRaise::Open => self.go_on_with(number, decision, setup, raise).await,
            _ => self.open_ticket(site, zone, setup, raise, ticket).await,
        }
    }

    /// An alert that is open already, and has this ticket, was raised again. Returns the ticket's number.
    pub(super) async fn join_ticket(
        &mut self,
        number: &str,
        setup: &Setup,
        raise: &Raise,
    ) -> Result<String, StoreError> {
        let ticket = self.ticket(number).await?.ok_or_else(|| StoreError::Inconsistent {
            table: "alert",
            id: raise.id.to_string(),
            what: format!("ticket {number} is gone"),
        })?;
        let last = Last { state: ticket.state, closed_at: ticket.closed_at, rejected: ticket.rejected };
        self.go_on_with(number.to_owned(), on_raise(Some(last), raise.at), setup, raise).await
    }

    /// Lets an alert join a ticket, or re-open it.
    async fn go_on_with(
        &mut self,
        number: String,
        decision: OnRaise,
        setup: &Setup,
        raise: &Raise,
    ) -> Result<String, StoreError> {
        let (what, state) = if let OnRaise::Join(state) = decision {
            self.settle_deadlines(&number, setup, raise.at).await?;
            self.set_ticket_state(&number, state).await?;
            ("joined", state)
        } else {
            on!(self, "re-open a ticket", conn => sqlx::query(REOPEN).bind(&number).execute(conn).await.map(drop))?;
            ("reopened", State::New)
        };
        let entry = Entry { note: &raise.rule.title.zh, state: Some(state), ..Entry::new(raise.at, what) };
        self.ticket_entry(&number, entry).await?;
        self.settle_deadlines(&number, setup, raise.at).await?;
        Ok(number)
    }

    async fn open_ticket(
        &mut self,
        site: &SiteId,
        zone: &TimeZone,
        setup: &Setup,
        raise: &Raise,
        ticket: &TicketRule,
    ) -> Result<String, StoreError> {
        let opened = local(raise.at, zone);
        let month = format!("{:04}{:02}", opened.year(), opened.month());
        let count: i64 = on!(self, "take a ticket number", conn => sqlx::query_scalar(NEXT_NUMBER).bind(month)
            .fetch_one(conn).await)?;
        let number = TicketNumber::new(opened.year(), opened.month(), count).to_string();
        on!(self, "open a ticket", conn => sqlx::query(OPEN)
            .bind(&number).bind(site.as_str()).bind(raise.subject.to_string()).bind(&*ticket.fault_class)
            .bind(&*raise.rule.id).bind(joined(&raise.rule.clauses)).bind(&*ticket.department).bind(&*ticket.priority)
            .bind(&*ticket.confirmed_by).bind(&*raise.rule.title.zh).bind(&*raise.rule.title.en)
            .bind(raise.at.millis()).execute(conn).await.map(drop))?;
        failpoint::pass("ticket_opened");
        let entry = Entry {
            note: &raise.rule.title.zh,
            state: Some(State::New),
            priority: Some(&ticket.priority),
            ..Entry::new(raise.at, "opened")
        };
        self.ticket_entry(&number, entry).await?;
        self.settle_deadlines(&number, setup, raise.at).await?;
        Ok(number)
    }

    /// One of a ticket's alerts was cleared: if it was the last, the fault is gone.
    pub(super) async fn ticket_recovered(
        &mut self,
        number: &str,
        setup: &Setup,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        if self.is_faulty(number).await? {
            return Ok(());
        }
        let Some(ticket) = self.ticket(number).await? else { return Ok(()) };
        self.settle_deadlines(number, setup, at).await?;
        // Data cannot tell that what people saw is gone.
        let state = if self.is_reported(number).await? { None } else { on_clear(ticket.state) };
        if let Some(state) = state {
            self.set_ticket_state(number, state).await?;
        }
        self.ticket_entry(number, Entry { state, ..Entry::new(at, "recovered") }).await?;
        self.settle_deadlines(number, setup, at).await?;
        self.follow_ticket(number, setup, at, false).await
    }

    async fn is_faulty(&mut self, number: &str) -> Result<bool, StoreError> {
        let open: i64 = on!(self, "count a ticket's open alerts", conn => sqlx::query_scalar(OPEN_ALERTS).bind(number)
            .fetch_one(conn).await)?;
        Ok(open > 0)
    }

    async fn set_ticket_state(&mut self, number: &str, state: State) -> Result<(), StoreError> {
        on!(self, "move a ticket", conn => sqlx::query(SET_STATE).bind(number).bind(state.as_str()).execute(conn).await
            .map(drop))
    }

    /// Writes an entry that changes nothing of where the ticket stands.
    pub(super) async fn ticket_event(
        &mut self,
        number: &str,
        at: Timestamp,
        what: &str,
        note: &str,
    ) -> Result<(), StoreError> {
        self.ticket_entry(number, Entry { note, ..Entry::new(at, what) }).await
    }

    /// Writes an entry of what `actor` did that changes nothing of where the ticket stands.
    pub(super) async fn ticket_step(
        &mut self,
        number: &str,
        at: Timestamp,
        what: &str,
        actor: &str,
        note: &str,
    ) -> Result<(), StoreError> {
        self.ticket_entry(number, Entry { actor, note, ..Entry::new(at, what) }).await
    }

    async fn ticket_entry(&mut self, number: &str, entry: Entry<'_>) -> Result<(), StoreError> {
        let Entry { at, what, actor, note, state, priority, work, arrived } = entry;
        let materials = work.map(|work| work.materials().join("\n"));
        on!(self, "write a ticket's history", conn => sqlx::query(EVENT).bind(number).bind(at.millis()).bind(what)
            .bind(actor).bind(note).bind(state.map(State::as_str)).bind(priority).bind(work.map(Work::cause)).bind(materials)
            .bind(work.and_then(Work::cost).map(Fen::get)).bind(arrived.map_or("", |arrived| arrived.by.as_str()))
            .bind(arrived.and_then(|arrived| arrived.key)).execute(conn).await.map(drop))
    }

    pub(super) async fn ticket(&mut self, number: &str) -> Result<Option<TicketRow>, StoreError> {
        let raw: Option<Raw> = on!(self, "read a ticket", conn => sqlx::query_as(BY_NUMBER).bind(number)
            .fetch_optional(conn).await)?;
        raw.map(TicketRow::try_from).transpose()
    }
}

impl Tx {
    /// The ticket, if it is at the version that a person saw.
    async fn seen(&mut self, number: &str, version: i64) -> Result<TicketRow, ActError> {
        let ticket = self.ticket(number).await?.ok_or(ActError::NotFound)?;
        if ticket.version == version { Ok(ticket) } else { Err(ActError::Conflict { current: ticket.version }) }
    }

    /// Lets another open ticket of the site have the faults of `ticket` that are still there.
    async fn take_over(
        &mut self,
        ticket: &TicketRow,
        original: &str,
        faulty: bool,
        at: Timestamp,
        setup: &Setup,
    ) -> Result<(), ActError> {
        let taker = self
            .ticket(original)
            .await?
            .filter(|taker| taker.site == ticket.site && taker.number != ticket.number && taker.state != State::Closed);
        let taker = taker.ok_or(ActError::NoOriginal)?;
        self.settle_deadlines(original, setup, at).await?;
        let state = taken(taker.state, faulty);
        let changed = on!(self, "take over a ticket's faults", conn => sqlx::query(TAKE_OVER).bind(original)
            .bind(state.as_str()).bind(taker.version).execute(conn).await.map(|done| done.rows_affected()))?;
        if changed == 0 {
            // On PostgreSQL somebody may have closed it a moment ago.
            return Err(ActError::NoOriginal);
        }
        on!(self, "move alerts to another ticket", conn => sqlx::query(MOVE_ALERTS).bind(ticket.number.as_str())
            .bind(original).execute(conn).await.map(drop))?;
        self.move_reports(ticket.number.as_str(), original).await?;
        let moved = (state != taker.state).then_some(state);
        let entry = Entry { note: ticket.number.as_str(), state: moved, ..Entry::new(at, "duplicate") };
        self.ticket_entry(original, entry).await?;
        self.settle_deadlines(original, setup, at).await?;
        Ok(self.follow_ticket(original, setup, at, false).await?)
    }

    /// Ends the transaction in which a person changed `changed` tickets: one, or none if somebody else was first.
    async fn changed(
        mut self,
        number: &str,
        version: i64,
        changed: u64,
        entry: Entry<'_>,
        setup: &Setup,
        told: &Change,
    ) -> Result<TicketRow, ActError> {
        if changed == 0 {
            // On PostgreSQL another transaction may have been first.
            return Err(ActError::Conflict { current: version + 1 });
        }
        failpoint::pass("ticket_moved");
        let at = entry.at;
        self.ticket_entry(number, entry).await?;
        self.settle_deadlines(number, setup, at).await?;
        self.follow_ticket(number, setup, at, true).await?;
        let ticket = self.ticket(number).await?.ok_or(ActError::NotFound)?;
        self.commit_with(told).await?;
        failpoint::pass("ticket_committed");
        Ok(ticket)
    }
}

impl Store {
    /// One page of tickets, newest first, and where the next begins.
    pub async fn tickets(
        &self,
        filter: &TicketFilter,
        after: Option<&Cursor>,
        limit: i64,
    ) -> Result<Result<(Vec<TicketRow>, Option<Cursor>), CursorError>, StoreError> {
        let key = match after {
            None => Ok((i64::MAX, "~".to_owned())),
            Some(cursor) => cursor.number(0).and_then(|at| Ok((at, cursor.text(1)?.to_owned()))),
        };
        let Ok((at, number)) = key else { return Ok(Err(CursorError)) };
        let mut tx = self.read().await?;
        let raw: Vec<Raw> = on!(&mut tx, "read tickets", conn => sqlx::query_as(LIST)
            .bind(filter.site.as_ref().map(SiteId::as_str)).bind(filter.subject.as_ref().map(Subject::to_string))
            .bind(filter.open).bind(at).bind(number).bind(limit + 1).fetch_all(conn).await)?;
        let mut rows = raw.into_iter().map(TicketRow::try_from).collect::<Result<Vec<_>, _>>()?;
        let next = page::cut(&mut rows, limit, |row| vec![row.opened_at.millis().to_string(), row.number.to_string()]);
        Ok(Ok((rows, next)))
    }

    /// The site of a ticket.
    pub async fn site_of_ticket(&self, number: &str) -> Result<Option<SiteId>, StoreError> {
        let mut tx = self.read().await?;
        let site: Option<String> = on!(&mut tx, "look up a ticket's site", conn => sqlx::query_scalar(SITE_OF).bind(number)
            .fetch_optional(conn).await)?;
        let bad = |error: lobby_contract::NameError| StoreError::Inconsistent {
            table: "ticket",
            id: number.to_owned(),
            what: error.to_string(),
        };
        site.map(|site| site.parse().map_err(bad)).transpose()
    }

    /// A ticket and its history.
    pub async fn ticket(&self, number: &str) -> Result<Option<(TicketRow, Vec<TicketEvent>)>, StoreError> {
        let mut tx = self.read().await?;
        let Some(ticket) = tx.ticket(number).await? else { return Ok(None) };
        let events: Vec<RawEvent> = on!(&mut tx, "read a ticket's history", conn =>
            sqlx::query_as(EVENTS).bind(number).fetch_all(conn).await)?;
        let event = |raw: RawEvent| {
            let bad = |error: WorkError| StoreError::Inconsistent {
                table: "ticket_event",
                id: number.to_owned(),
                what: error.to_string(),
            };
            let work = raw.work().map_err(bad)?;
            let RawEvent { at, what, actor, note, arrival, .. } = raw;
            let arrival = Arrival::from_text(&arrival);
            Ok(TicketEvent { at: Timestamp::from_millis(at), what, actor, note, work, arrival })
        };
        Ok(Some((ticket, events.into_iter().map(event).collect::<Result<_, StoreError>>()?)))
    }

    /// Rejected tickets whose faults are still there.
    pub async fn rejected_tickets(&self, site: Option<&SiteId>) -> Result<Vec<TicketRow>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<Raw> = on!(&mut tx, "read rejected tickets", conn => sqlx::query_as(REJECTED)
            .bind(site.map(SiteId::as_str)).fetch_all(conn).await)?;
        raw.into_iter().map(TicketRow::try_from).collect()
    }

    /// How many tickets stand in each state.
    pub async fn ticket_counts(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let mut tx = self.read().await?;
        on!(&mut tx, "count tickets", conn => sqlx::query_as(COUNTS).fetch_all(conn).await)
    }

    /// A person moves a ticket of which they saw `deed.version`; whoever comes second is told so. An arrival that has a key may be sent again.
    pub async fn act_on_ticket(
        &self,
        number: &str,
        action: Action,
        deed: Deed<'_>,
        setup: &Setup,
    ) -> Result<TicketRow, ActError> {
        match (self.move_ticket(number, action, deed, setup).await, deed.arrived) {
            (Err(ActError::Conflict { current }), Some(Arrived { by, key: Some(key) })) if action == Action::Start => {
                self.arrived_before(number, key, (deed.by, by, deed.note), current).await
            }
            (moved, _) => moved,
        }
    }

    /// The ticket, if this very arrival was noted before, whatever has become of it since.
    async fn arrived_before(
        &self,
        number: &str,
        key: Uuid,
        said: (&str, Arrival, &str),
        current: i64,
    ) -> Result<TicketRow, ActError> {
        let mut tx = self.read().await?;
        let before: Option<Keyed> = on!(&mut tx, "look for an arrival", conn =>
            sqlx::query_as(OF_KEY).bind(key).fetch_optional(conn).await)?;
        let Some(before) = before else { return Err(ActError::Conflict { current }) };
        let (by, arrival, note) = said;
        if before.is((number, "start", by, note, arrival.as_str())) {
            tx.ticket(number).await?.ok_or(ActError::NotFound)
        } else {
            Err(ActError::KeyReused)
        }
    }

    async fn move_ticket(
        &self,
        number: &str,
        action: Action,
        deed: Deed<'_>,
        setup: &Setup,
    ) -> Result<TicketRow, ActError> {
        let Deed { version, by, actor, note, work, duplicate_of, assignee, arrived, at } = deed;
        let mut tx = self.begin().await?;
        let ticket = tx.seen(number, version).await?;
        let faulty = tx.is_faulty(number).await?;
        let state = act(ticket.state, action, faulty)?;
        let closed = (state == State::Closed).then(|| at.millis());
        let waiting_for = match action {
            Action::Wait(waiting_for) => waiting_for.as_str(),
            _ => "",
        };
        let rejected = match action {
            Action::Reject(reason) => reason.as_str(),
            _ => "",
        };
        let original = match action {
            Action::Reject(Rejection::Duplicate) => duplicate_of.ok_or(ActError::NoOriginal)?,
            _ => "",
        };
        let assignee = match action {
            Action::Assign => assignee.filter(|name| !name.is_empty()).ok_or(ActError::NoAssignee)?,
            _ => "",
        };
        // What is no device has no label to be scanned. A program that does not say it leaves it unshown; people are asked on the page.
        let arrived = match (action, &ticket.subject) {
            (Action::Start, Subject::Device(_)) => arrived,
            _ => None,
        };
        if arrived.is_some_and(|arrived| !arrived.by.suffices(note)) {
            return Err(ActError::NoArrival);
        }
        if !original.is_empty() {
            let faulty = faulty || tx.is_reported(number).await?;
            tx.take_over(&ticket, original, faulty, at, setup).await?;
        }
        tx.settle_deadlines(number, setup, at).await?;
        let moved = on!(&mut tx, "move a ticket", conn => sqlx::query(MOVE).bind(number).bind(version).bind(state.as_str())
            .bind(by).bind(at.millis()).bind(closed).bind(action.as_str()).bind(waiting_for).bind(rejected).bind(original)
            .bind(assignee).bind(arrived.map_or("", |arrived| arrived.by.as_str()))
            .execute(conn).await
            .map(|done| done.rows_affected()))?;
        if moved == 1 && state == State::Closed {
            tx.end_reports(number, by, at).await?;
        }
        // Only of what is finished there is something to be said.
        let work = work.filter(|work| action == Action::Finish && !work.is_empty());
        // Whom it was given to stands before what was said.
        let given = [assignee, note].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
        let entry =
            Entry { actor: by, note: &given, state: Some(state), work, arrived, ..Entry::new(at, action.as_str()) };
        let told = Change::new(actor, at, format!("ticket.{}", action.as_str()), number).of_site(Some(&ticket.site));
        let proof = arrived.map_or("", |arrived| arrived.by.as_str());
        let after = [state.as_str(), rejected, original, assignee, proof];
        let told = told
            .before(ticket.state.as_str())
            .after(after.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "));
        tx.changed(number, version, moved, entry, setup, &told).await
    }

    /// A person says something about an open ticket. Nothing else of it changes, so that no version is asked for.
    pub async fn comment_on_ticket(
        &self,
        number: &str,
        comment: Comment<'_>,
        setup: &Setup,
    ) -> Result<TicketRow, ActError> {
        let Comment { key, by, actor, note, at } = comment;
        let mut tx = self.begin().await?;
        let ticket = tx.ticket(number).await?.ok_or(ActError::NotFound)?;
        let open = ticket.state != State::Closed;
        let written = open
            && on!(&mut tx, "write a comment", conn => sqlx::query(COMMENT).bind(number).bind(at.millis()).bind(by).bind(note)
                .bind(key).execute(conn).await.map(|done| done.rows_affected() == 1))?;
        if !written {
            let before: Option<Keyed> = on!(&mut tx, "look for a comment", conn =>
                sqlx::query_as(OF_KEY).bind(key).fetch_optional(conn).await)?;
            return match before {
                // A repeat is answered as it was, also when the ticket was closed since.
                Some(before) if before.is((number, "comment", by, note, "")) => Ok(ticket),
                Some(_) => Err(ActError::KeyReused),
                None => Err(ActError::Closed),
            };
        }
        tx.follow_ticket(number, setup, at, true).await?;
        let told = Change::new(actor, at, "ticket.comment", number).of_site(Some(&ticket.site));
        tx.commit_with(&told).await?;
        Ok(ticket)
    }

    /// A person gives a ticket another priority: its deadlines follow, and what has been counted stays counted.
    pub async fn set_priority(
        &self,
        number: &str,
        priority: &str,
        deed: Deed<'_>,
        setup: &Setup,
    ) -> Result<TicketRow, ActError> {
        let Deed { version, by, actor, note, at, .. } = deed;
        if !setup.pack.priorities.contains_key(priority) {
            return Err(ActError::NoPriority { known: setup.pack.priorities.keys().cloned().collect() });
        }
        let mut tx = self.begin().await?;
        let ticket = tx.seen(number, version).await?;
        if ticket.state == State::Closed {
            return Err(ActError::Closed);
        }
        tx.settle_deadlines(number, setup, at).await?;
        let moved = on!(&mut tx, "set a ticket's priority", conn => sqlx::query(SET_PRIORITY).bind(number).bind(version)
            .bind(priority).execute(conn).await.map(|done| done.rows_affected()))?;
        let entry = Entry { actor: by, note, priority: Some(priority), ..Entry::new(at, "priority") };
        let told = Change::new(actor, at, "ticket.priority", number).of_site(Some(&ticket.site));
        let told = told.before(&ticket.priority).after(priority);
        tx.changed(number, version, moved, entry, setup, &told).await
    }
}
