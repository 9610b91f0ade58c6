//! Repair tickets: opened or joined in the transaction that raises the alert, and read. What people do with them is in `ticket_deeds`.

use jiff::tz::TimeZone;
use lobby_contract::SiteId;
use lobby_domain::{
    alert::{AlertId, Raise, Subject},
    calendar::local,
    label::Label,
    rule::TicketRule,
    ticket::{Last, OnRaise, Rejection, State, TicketNumber, WaitingFor, arrival::Arrival, on_clear, on_raise},
    time::Timestamp,
    work::{Fen, Work, WorkError},
};
use sqlx::{Database, Encode, QueryBuilder, Type};

use super::{
    Arrived, Cursor, CursorError, Store, StoreError, Tx, deadlines::Kept, joined, on, page, split, statements,
};
use crate::{failpoint, fleet::Setup};

/// Names on PostgreSQL what those who open tickets wait for: a number that nothing else of the database uses.
const OPENING: i64 = 0x006c_6f62_6279_0001;

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
    /// Their id, if more than a name is known of them.
    pub owner_id: Option<String>,
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
    /// Whether data says that a fault of it is still there.
    pub faulty: bool,
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
pub(super) struct Entry<'a> {
    pub(super) at: Timestamp,
    pub(super) what: &'a str,
    pub(super) actor: &'a str,
    pub(super) note: &'a str,
    /// Where the ticket stands from now on, if that changes.
    pub(super) state: Option<State>,
    /// Its priority from now on, if that changes.
    pub(super) priority: Option<&'a str>,
    /// What is said of a repair.
    pub(super) work: Option<&'a Work>,
    /// How somebody came to be there.
    pub(super) arrived: Option<Arrived>,
}

impl<'a> Entry<'a> {
    pub(super) fn new(at: Timestamp, what: &'a str) -> Self {
        Self { at, what, actor: "", note: "", state: None, priority: None, work: None, arrived: None }
    }
}

/// Reads the columns of a [`Raw`] from what has those of `ticket`. Whether a fault is still there is asked of its alerts: consequences end
/// by themselves, or get their own ticket; what people report ends with the ticket.
macro_rules! ticket_rows {
    () => {
        "SELECT number, site, subject, rule, clauses, department, priority, confirmed_by, title_zh, title_en, state, version,
            owner, owner_id, waiting_for, opened_at, respond_by, arrive_by, complete_by, accepted_at, started_at, arrival, fixed_at,
            closed_at, rejected, duplicate_of, EXISTS (SELECT 1 FROM alert a
                WHERE a.ticket = number AND a.cleared_at IS NULL AND a.victim_of IS NULL AND NOT a.reported) AS faulty"
    };
}
pub(super) use ticket_rows;

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

impl TicketFilter {
    /// The newest first, after the one of `key`; it says no more than is asked, as that of alerts does.
    pub(super) fn query<D: Database>(&self, (at, number): (i64, String), most: i64) -> QueryBuilder<D>
    where
        i64: for<'q> Encode<'q, D> + Type<D>,
        String: for<'q> Encode<'q, D> + Type<D>,
    {
        let mut query = QueryBuilder::new(concat!(ticket_rows!(), " FROM ticket WHERE (opened_at, number) < ("));
        query.push_bind(at).push(", ").push_bind(number).push(")");
        if let Some(site) = &self.site {
            query.push(" AND site = ").push_bind(site.to_string());
        }
        if let Some(subject) = &self.subject {
            query.push(" AND subject = ").push_bind(subject.to_string());
        }
        match self.open {
            Some(true) => drop(query.push(" AND state <> 'closed'")),
            Some(false) => drop(query.push(" AND state = 'closed'")),
            None => {}
        }
        query.push(" ORDER BY opened_at DESC, number DESC LIMIT ").push_bind(most);
        query
    }
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
    owner_id: Option<String>,
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
    faulty: bool,
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
            state, version, owner, opened_at, respond_by, arrive_by, complete_by, remind_at, reminded)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'new', 1, '', $12, $13, $14, $15, $16, $17)";
    // Never sets `closed`. On PostgreSQL a person may have closed the ticket since it was looked at; then it is open again.
    SET_STATE = "UPDATE ticket SET state = $2, version = version + 1, closed_at = NULL WHERE number = $1 AND state <> $2";
    REOPEN = "UPDATE ticket SET state = 'new', version = version + 1, owner = '', owner_id = NULL, accepted_at = NULL, started_at = NULL,
            arrival = '', fixed_at = NULL, closed_at = NULL, rejected = '', duplicate_of = '' WHERE number = $1";
    REJECTED = concat!(ticket_rows!(), " FROM ticket WHERE (CAST($1 AS TEXT) IS NULL OR site = $1) AND rejected <> ''
            AND number IN (SELECT a.ticket FROM alert a WHERE a.cleared_at IS NULL)");
    EVENT = "INSERT INTO ticket_event (ticket, at, what, actor, note, state, priority, cause, materials, cost_fen, arrival, key)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    EVENTS = "SELECT at, what, actor, note, cause, materials, cost_fen, arrival FROM ticket_event WHERE ticket = $1 ORDER BY no";
    BY_NUMBER = concat!(ticket_rows!(), " FROM ticket WHERE number = $1");
    // Counting all of an index is much less work than reading where every ticket stands.
    COUNTS = "SELECT state, COUNT(*) FROM ticket WHERE state <> 'closed' GROUP BY state
        UNION ALL SELECT 'closed', (SELECT COUNT(*) FROM ticket) - (SELECT COUNT(*) FROM ticket WHERE state <> 'closed')";
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
            owner_id: raw.owner_id,
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
            faulty: raw.faulty,
        })
    }
}

impl Tx {
    /// Puts `alert`, which was just raised, on the ticket that its rule asks for: one that is opened, joined or re-opened, and followed up
    /// from now on. Returns its number.
    pub(super) async fn put_on_ticket(
        &mut self,
        alert: AlertId,
        (site, zone): (&SiteId, &TimeZone),
        setup: &Setup,
        raise: &Raise,
        ticket: &TicketRule,
    ) -> Result<String, StoreError> {
        self.await_openers().await?;
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
        let number = match last {
            Some((number, ..)) if decision != OnRaise::Open => {
                let number = self.go_on_with(number, decision, setup, raise).await?;
                self.attach_alert(alert, &number).await?;
                failpoint::pass("ticket_attached");
                self.follow_ticket(&number, setup, raise.at, false).await?;
                number
            }
            _ => {
                let number = self.open_ticket(site, zone, setup, raise, ticket).await?;
                self.attach_alert(alert, &number).await?;
                failpoint::pass("ticket_attached");
                self.follow_new_ticket(site, (&number, alert), ticket, setup, raise.at).await?;
                number
            }
        };
        Ok(number)
    }

    /// Waits until no other transaction may open a ticket or let something join one, and keeps them waiting until this one ends: what people
    /// report and what data show of a device at the same moment is one ticket, though of two classes. SQLite has one writer anyway. Who
    /// will change several tickets waits before the first.
    pub(super) async fn await_openers(&mut self) -> Result<(), StoreError> {
        let Self::Postgres(tx) = self else { return Ok(()) };
        let locked = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(OPENING).execute(&mut **tx).await;
        locked.map(drop).map_err(super::doing("wait for others who open tickets"))
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
        let Kept { due: [respond, arrive, complete], next, reminded } =
            Kept::of_new(site, &ticket.priority, setup, raise.at);
        on!(self, "open a ticket", conn => sqlx::query(OPEN)
            .bind(&number).bind(site.as_str()).bind(raise.subject.to_string()).bind(&*ticket.fault_class)
            .bind(&*raise.rule.id).bind(joined(&raise.rule.clauses)).bind(&*ticket.department).bind(&*ticket.priority)
            .bind(&*ticket.confirmed_by).bind(&*raise.rule.title.zh).bind(&*raise.rule.title.en)
            .bind(raise.at.millis()).bind(respond).bind(arrive).bind(complete).bind(next).bind(reminded)
            .execute(conn).await.map(drop))?;
        failpoint::pass("ticket_opened");
        let entry = Entry {
            note: &raise.rule.title.zh,
            state: Some(State::New),
            priority: Some(&ticket.priority),
            ..Entry::new(raise.at, "opened")
        };
        self.ticket_entry(&number, entry).await?;
        Ok(number)
    }

    /// One of a ticket's alerts was cleared: if it was the last, the fault is gone.
    pub(super) async fn ticket_recovered(
        &mut self,
        number: &str,
        setup: &Setup,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(ticket) = self.ticket(number).await?.filter(|ticket| !ticket.faulty) else { return Ok(()) };
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

    pub(super) async fn ticket_entry(&mut self, number: &str, entry: Entry<'_>) -> Result<(), StoreError> {
        let Entry { at, what, actor, note, state, priority, work, arrived } = entry;
        let materials = work.map(|work| work.materials().join("\n"));
        on!(self, "write a ticket's history", conn => sqlx::query(EVENT).bind(number).bind(at.millis()).bind(what)
            .bind(actor).bind(note).bind(state.map(State::as_str)).bind(priority).bind(work.map(Work::cause)).bind(materials)
            .bind(work.and_then(Work::cost).map(Fen::get)).bind(arrived.map_or("", |arrived| arrived.by.as_str()))
            .bind(arrived.and_then(|arrived| arrived.key)).execute(conn).await.map(drop))
    }

    pub(crate) async fn ticket(&mut self, number: &str) -> Result<Option<TicketRow>, StoreError> {
        let raw: Option<Raw> = on!(self, "read a ticket", conn => sqlx::query_as(BY_NUMBER).bind(number)
            .fetch_optional(conn).await)?;
        raw.map(TicketRow::try_from).transpose()
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
        let raw: Vec<Raw> = on!(&mut tx, "read tickets", conn =>
            filter.query((at, number), limit + 1).build_query_as().fetch_all(conn).await)?;
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
}
