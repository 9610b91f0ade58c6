//! What is followed up along the chain of command: written with the change of the ticket or alert that it follows from, and moved on when
//! its time is over (see [`lobby_domain::escalation`]). Each step is guarded by the row's version, so that of two hubs one takes it.

use std::collections::{BTreeMap, BTreeSet};

use lobby_contract::SiteId;
use lobby_domain::{
    alert::{AlertId, Raise},
    escalation::{Escalation, Move, Phase, Refusal, Route, State, Why},
    roster::Holder,
    rule::{Severity, TicketRule},
    ticket,
    time::{Span, Timestamp},
};
use uuid::Uuid;

use super::{AlertRow, Store, StoreError, TicketRow, Tx, on, statements};
use crate::{
    audit::{Actor, Change},
    failpoint,
    fleet::Setup,
};

/// Most tickets that are looked at in one go.
const AT_ONCE: i64 = 200;
/// How often it is looked whether what keeps an incident quiet is over.
const QUIET_FOR: Span = Span::from_secs(30);

/// One incident on its way along the chain of command.
#[derive(Debug, Clone, PartialEq)]
pub struct EscalationRow {
    /// Its number.
    pub no: i64,
    /// Its site.
    pub site: SiteId,
    /// The ticket, if the incident has one.
    pub ticket: Option<String>,
    /// The alert of which notifications tell.
    pub alert: AlertId,
    /// What is followed up.
    pub phase: Phase,
    /// How it stands.
    pub escalation: Escalation,
    /// When it began.
    pub started_at: Timestamp,
    version: i64,
}

/// What an escalation is of.
#[derive(Debug, Clone, Copy)]
pub enum EscalationOf<'a> {
    /// A ticket, by its number.
    Ticket(&'a str),
    /// An alert without a ticket.
    Alert(AlertId),
}

/// Why an incident was not sent up.
#[derive(Debug, thiserror::Error)]
pub enum RaiseError {
    /// Nothing of that number is followed up.
    #[error("there is no open ticket of that number")]
    NotFound,
    /// Somebody else, or the time, moved it at the same moment.
    #[error("it went to another level meanwhile: look at it again")]
    Conflict,
    /// It cannot go there.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(sqlx::FromRow)]
pub(super) struct Raw {
    no: i64,
    site: String,
    ticket: Option<String>,
    alert: Uuid,
    phase: String,
    route: String,
    state: String,
    level: i64,
    holder: Option<String>,
    holder_name: Option<String>,
    since: i64,
    due: Option<i64>,
    version: i64,
    started_at: i64,
}

/// Reads the columns of a [`Raw`].
macro_rules! escalation_rows {
    () => {
        "SELECT no, site, ticket, alert, phase, route, state, level, holder, holder_name, since, due, version, started_at FROM escalation"
    };
}
pub(super) use escalation_rows;

statements! {
    OF_TICKET = concat!(escalation_rows!(), " WHERE ticket = $1 AND ended_at IS NULL");
    OF_ALERT = concat!(escalation_rows!(), " WHERE alert = $1 AND ticket IS NULL AND ended_at IS NULL");
    BEGIN = "INSERT INTO escalation (site, ticket, alert, phase, route, state, level, holder, holder_name, since, due, version, started_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $12) ON CONFLICT DO NOTHING RETURNING no";
    MOVE = "UPDATE escalation SET state = $3, level = $4, holder = $5, holder_name = $6, since = $7, due = $8, route = $9,
            version = version + 1
        WHERE no = $1 AND version = $2 AND ended_at IS NULL";
    END = "UPDATE escalation SET ended_at = $2, due = NULL, version = version + 1 WHERE no = $1 AND ended_at IS NULL";
    // Of several alerts one that is there, and of those the newest.
    ALERT_OF = "SELECT id FROM alert WHERE ticket = $1 AND victim_of IS NULL
        ORDER BY CASE WHEN cleared_at IS NULL THEN 0 ELSE 1 END, opened_at DESC, id DESC LIMIT 1";
    UNFOLLOWED = "SELECT t.number FROM ticket t WHERE t.state <> 'closed' AND t.number > $1
            AND NOT EXISTS (SELECT 1 FROM escalation e WHERE e.ticket = t.number AND e.ended_at IS NULL)
        ORDER BY t.number LIMIT $2";
    TOLD = "SELECT EXISTS (SELECT 1 FROM outbox WHERE event = $1 AND post = $2)";
    CANCEL_OUTBOX = "UPDATE outbox SET state = 'cancelled'
        WHERE alert = $1 AND event LIKE '%:escalated:%' AND state = 'queued'";
    CANCEL_DELIVERIES = "UPDATE delivery SET state = 'cancelled', why = 'acknowledged'
        WHERE alert = $1 AND event LIKE '%:escalated:%' AND state = 'queued'";
    UNACKNOWLEDGE = "UPDATE alert SET acked_at = NULL, acked_by = NULL WHERE id = $1 AND cleared_at IS NULL";
}

impl TryFrom<Raw> for EscalationRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let bad = |what: String| StoreError::Inconsistent { table: "escalation", id: raw.no.to_string(), what };
        let route: Route = serde_json::from_str(&raw.route).map_err(|error| bad(format!("route: {error}")))?;
        if route.posts.is_empty() {
            return Err(bad("its route has no post".to_owned()));
        }
        Ok(Self {
            site: raw.site.parse().map_err(|error| bad(format!("site: {error}")))?,
            phase: Phase::from_text(&raw.phase).ok_or_else(|| bad(format!("phase `{}`", raw.phase)))?,
            escalation: Escalation {
                route,
                state: State::from_text(&raw.state).ok_or_else(|| bad(format!("state `{}`", raw.state)))?,
                level: usize::try_from(raw.level).map_err(|_| bad(format!("level {}", raw.level)))?,
                holder: raw.holder.map(|id| Holder { id: id.into(), name: raw.holder_name.unwrap_or_default().into() }),
                since: Timestamp::from_millis(raw.since),
                due: raw.due.map(Timestamp::from_millis),
            },
            no: raw.no,
            ticket: raw.ticket,
            alert: AlertId(raw.alert),
            started_at: Timestamp::from_millis(raw.started_at),
            version: raw.version,
        })
    }
}

impl EscalationRow {
    /// Whoever was given its ticket has it.
    fn belongs_to_owner_of(&mut self, ticket: &TicketRow) {
        if self.phase == Phase::Repair && !ticket.owner.is_empty() {
            let owner = ticket.owner_id.as_ref();
            let owner = owner.map(|id| Holder { id: id.as_str().into(), name: ticket.owner.as_str().into() });
            self.escalation.worked_by(owner);
        }
    }
}

impl Tx {
    pub(crate) async fn escalation(&mut self, of: EscalationOf<'_>) -> Result<Option<EscalationRow>, StoreError> {
        let raw: Option<Raw> = match of {
            EscalationOf::Ticket(number) => {
                on!(self, "read an escalation", conn => sqlx::query_as(OF_TICKET).bind(number)
                .fetch_optional(conn).await)?
            }
            EscalationOf::Alert(id) => on!(self, "read an escalation", conn => sqlx::query_as(OF_ALERT).bind(id.0)
                .fetch_optional(conn).await)?,
        };
        raw.map(EscalationRow::try_from).transpose()
    }

    async fn begin_escalation(
        &mut self,
        site: &SiteId,
        of: EscalationOf<'_>,
        alert: AlertId,
        (phase, route): (Phase, Route),
        setup: &Setup,
        at: Timestamp,
    ) -> Result<Option<EscalationRow>, StoreError> {
        let posts = self.posts(site, at).await?;
        let way = way(&route);
        let (hours, counts) = (setup.hours(site), route.counts);
        let (escalation, _) = Escalation::begin(route, at, hours.of(counts), |post| posts.at(post));
        let ticket = match of {
            EscalationOf::Ticket(number) => Some(number),
            EscalationOf::Alert(_) => None,
        };
        let no: Option<i64> = on!(self, "begin an escalation", conn => sqlx::query_scalar(BEGIN).bind(site.as_str()).bind(ticket).bind(alert.0)
            .bind(phase.as_str()).bind(&way).bind(escalation.state.as_str()).bind(level(&escalation))
            .bind(escalation.holder.as_ref().map(|holder| &*holder.id))
            .bind(escalation.holder.as_ref().map(|holder| &*holder.name)).bind(escalation.since.millis())
            .bind(escalation.due.map(Timestamp::millis)).bind(at.millis()).fetch_optional(conn).await)?;
        failpoint::pass("escalation_begun");
        let Some(no) = no else { return self.escalation(of).await };
        let (site, ticket) = (site.clone(), ticket.map(str::to_owned));
        Ok(Some(EscalationRow { no, site, ticket, alert, phase, escalation, started_at: at, version: 1 }))
    }

    /// Stores how an escalation stands. False if somebody else moved it since it was read.
    async fn store_escalation(&mut self, row: &EscalationRow) -> Result<bool, StoreError> {
        let escalation = &row.escalation;
        on!(self, "move an escalation", conn => sqlx::query(MOVE).bind(row.no).bind(row.version)
            .bind(escalation.state.as_str()).bind(level(escalation))
            .bind(escalation.holder.as_ref().map(|holder| &*holder.id))
            .bind(escalation.holder.as_ref().map(|holder| &*holder.name)).bind(escalation.since.millis())
            .bind(escalation.due.map(Timestamp::millis)).bind(way(&escalation.route)).execute(conn).await
            .map(|done| done.rows_affected() == 1))
    }

    async fn end_escalation(&mut self, row: &EscalationRow, at: Timestamp) -> Result<(), StoreError> {
        on!(self, "end an escalation", conn => sqlx::query(END).bind(row.no).bind(at.millis()).execute(conn).await
            .map(drop))?;
        self.cancel_escalations(row.alert).await
    }

    /// What was to be told of earlier steps is not told any more.
    async fn cancel_escalations(&mut self, alert: AlertId) -> Result<(), StoreError> {
        for sql in [CANCEL_OUTBOX, CANCEL_DELIVERIES] {
            on!(self, "cancel what is not yet sent", conn => sqlx::query(sql).bind(alert.0).execute(conn).await.map(drop))?;
        }
        Ok(())
    }

    /// Tells whoever has an incident now, and whoever had it, of a step, and notes it with its ticket.
    async fn tell_move(
        &mut self,
        row: &EscalationRow,
        moved: &Move,
        by: &str,
        note: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.cancel_escalations(row.alert).await?;
        let what = format!("escalated:{}", at.millis());
        let mut posts = vec![&*moved.to];
        if moved.from != moved.to {
            posts.push(&moved.from);
        }
        for post in posts {
            self.tell_post(&row.site, row.alert, &what, post, at).await?;
        }
        failpoint::pass("escalation_told");
        self.note_move(row, moved, by, note, at).await
    }

    /// Whoever was given the ticket of an incident has it.
    async fn give_to_owner(&mut self, row: &mut EscalationRow) -> Result<(), StoreError> {
        let ticket = match row.ticket.clone() {
            Some(number) => self.ticket(&number).await?,
            None => None,
        };
        if let Some(ticket) = ticket {
            row.belongs_to_owner_of(&ticket);
        }
        Ok(())
    }

    /// Tells a post that an incident came to it or left it, unless `event` is told to it anyway.
    async fn tell_unless_told(
        &mut self,
        row: &EscalationRow,
        event: &str,
        post: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let told: bool = on!(self, "look whether a post is told", conn => sqlx::query_scalar(TOLD)
            .bind(event).bind(post).fetch_one(conn).await)?;
        if told {
            return Ok(());
        }
        self.tell_post(&row.site, row.alert, &format!("escalated:{}", at.millis()), post, at).await
    }

    /// Notes a step with the ticket, if there is one.
    async fn note_move(
        &mut self,
        row: &EscalationRow,
        moved: &Move,
        by: &str,
        note: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(ticket) = &row.ticket {
            // Read by the pages: why, from where, to where, to whom, and what was said.
            let holder = row.escalation.holder.as_ref().map_or("", |holder| &*holder.name);
            let words = format!("{} {} {}\n{holder}\n{note}", moved.why.as_str(), moved.from, moved.to);
            self.ticket_step(ticket, at, "escalated", by, &words).await?;
        }
        Ok(())
    }

    /// Begins to follow up a ticket that was just opened for an alert.
    pub(super) async fn follow_new_ticket(
        &mut self,
        site: &SiteId,
        (number, alert): (&str, AlertId),
        ticket: &TicketRule,
        setup: &Setup,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let route = Route::new(&setup.pack, repairer(setup, &ticket.department), &ticket.priority, Phase::Repair);
        self.begin_escalation(site, EscalationOf::Ticket(number), alert, (Phase::Repair, route), setup, at)
            .await
            .map(drop)
    }

    /// Follows a ticket up as it stands now. To be called after each change of its state, and after what a person did with it.
    pub(super) async fn follow_ticket(
        &mut self,
        number: &str,
        setup: &Setup,
        at: Timestamp,
        progress: bool,
    ) -> Result<(), StoreError> {
        // On PostgreSQL its time may have come at the same moment: then it is followed up from where it went.
        while !self.try_follow(number, setup, at, progress).await? {}
        Ok(())
    }

    /// Returns false if the escalation was moved since it was read.
    async fn try_follow(
        &mut self,
        number: &str,
        setup: &Setup,
        at: Timestamp,
        progress: bool,
    ) -> Result<bool, StoreError> {
        let Some(ticket) = self.ticket(number).await? else { return Ok(true) };
        let open = self.escalation(EscalationOf::Ticket(number)).await?;
        let Some((phase, state)) = Phase::of(ticket.state) else {
            if let Some(row) = open {
                self.end_escalation(&row, at).await?;
            }
            return Ok(true);
        };
        let same = open.as_ref().is_some_and(|row| row.phase == phase);
        if !same && let Some(row) = &open {
            self.end_escalation(row, at).await?;
        }
        let row = if let Some(row) = open.filter(|_| same) {
            row
        } else {
            let alert: Option<Uuid> = on!(self, "look for a ticket's alert", conn => sqlx::query_scalar(ALERT_OF)
                .bind(number).fetch_optional(conn).await)?;
            let Some(alert) = alert.map(AlertId) else { return Ok(true) };
            let route = route(&ticket, phase, setup);
            let begun = self
                .begin_escalation(&ticket.site, EscalationOf::Ticket(number), alert, (phase, route), setup, at)
                .await?;
            let Some(row) = begun else { return Ok(true) };
            row
        };
        // One that has just begun has not lapsed: whoever is at it is so from now on.
        self.follow(row, &ticket, state, setup, at, progress || !same).await
    }

    async fn follow(
        &mut self,
        mut row: EscalationRow,
        ticket: &TicketRow,
        state: State,
        setup: &Setup,
        at: Timestamp,
        progress: bool,
    ) -> Result<bool, StoreError> {
        let (hours, before) = (setup.hours(&row.site), row.escalation.clone());
        let hours = hours.of(before.route.counts);
        match state {
            State::Held if ticket.state == ticket::State::InProgress => {
                if row.escalation.state != State::Held || progress {
                    row.escalation.hold_until(ticket.complete_by, at, hours);
                }
            }
            State::Held => {
                if row.escalation.state == State::Paused || progress {
                    row.escalation.hold(at, hours);
                }
            }
            State::Paused => row.escalation.pause(at, None),
            // It was taken on, or put off, and is to be taken on anew.
            State::Triggered
                if before.state == State::Held || (before.state == State::Paused && before.due.is_none()) =>
            {
                let posts = self.posts(&row.site, at).await?;
                row.escalation.restart(at, hours, |post| posts.at(post));
            }
            State::Triggered => {}
        }
        row.belongs_to_owner_of(ticket);
        if row.escalation == before {
            return Ok(true);
        }
        if row.escalation.state == State::Held {
            self.cancel_escalations(row.alert).await?;
        }
        let ours = self.store_escalation(&row).await?;
        if ours && (before.state, row.escalation.state) == (State::Triggered, State::Held) {
            self.tell_taken_on(&row, at).await?;
        }
        Ok(ours)
    }

    /// Tells the posts to which it went up that somebody is at it now; whoever heard nothing of it hears nothing of this.
    async fn tell_taken_on(&mut self, row: &EscalationRow, at: Timestamp) -> Result<(), StoreError> {
        let what = format!("acknowledged:{}", at.millis());
        for post in row.escalation.route.posts.iter().take(row.escalation.level + 1).skip(1) {
            self.tell_post(&row.site, row.alert, &what, post, at).await?;
        }
        Ok(())
    }

    /// Tells the post that repairs that a ticket was given to one of them.
    pub(super) async fn tell_assigned(&mut self, ticket: &TicketRow, at: Timestamp) -> Result<(), StoreError> {
        let Some(row) = self.escalation(EscalationOf::Ticket(ticket.number.as_str())).await? else { return Ok(()) };
        let Some(post) = row.escalation.route.posts.first() else { return Ok(()) };
        self.tell_post(&row.site, row.alert, &format!("assigned:{}", at.millis()), post, at).await
    }

    /// A ticket is given another priority: from now on it is followed up at the pace of that.
    pub(super) async fn repace_ticket(
        &mut self,
        ticket: &TicketRow,
        priority: &str,
        setup: &Setup,
    ) -> Result<(), StoreError> {
        let ticket = TicketRow { priority: priority.to_owned(), ..ticket.clone() };
        while let Some(mut row) = self.escalation(EscalationOf::Ticket(ticket.number.as_str())).await? {
            let pace = route(&ticket, row.phase, setup);
            row.escalation.repace(&pace, setup.hours(&row.site).of(pace.counts));
            // On PostgreSQL its time may have come at the same moment: then the pace changes where it went.
            if self.store_escalation(&row).await? {
                break;
            }
        }
        Ok(())
    }

    /// Follows an alert up that has no ticket and that somebody was told of.
    pub(super) async fn follow_alert(&mut self, site: &SiteId, raise: &Raise, setup: &Setup) -> Result<(), StoreError> {
        let (Some(priority), Some(post)) =
            (setup.pack.chain.alerts.get(&raise.rule.severity), raise.rule.tells.first())
        else {
            return Ok(());
        };
        let route = Route::new(&setup.pack, post, priority, Phase::Notice);
        self.begin_escalation(site, EscalationOf::Alert(raise.id), raise.id, (Phase::Notice, route), setup, raise.at)
            .await
            .map(drop)
    }

    /// What kept an alert quiet that still fires is over: whoever would have been told of it is told so once, as of `ended`. It has its time
    /// anew, unless something else of its ticket is wrong that was not kept quiet (`alone`).
    pub(super) async fn unmute(
        &mut self,
        alert: &AlertRow,
        (ended, now): (Timestamp, Timestamp),
        setup: &Setup,
        alone: bool,
    ) -> Result<(), StoreError> {
        let what = format!("unmuted:{}", ended.millis());
        // A victim is followed up with its cause.
        if !self.tell_more(alert.id, &what, now).await? || !alone || alert.victim_of.is_some() {
            return Ok(());
        }
        let of = alert.ticket.as_deref().map_or(EscalationOf::Alert(alert.id), EscalationOf::Ticket);
        while let Some(mut row) = self.escalation(of).await?.filter(|row| row.phase != Phase::Confirm) {
            let posts = self.posts(&row.site, now).await?;
            let (hours, counts) = (setup.hours(&row.site), row.escalation.route.counts);
            let before = row.escalation.clone();
            let moved = row.escalation.resume(now, hours.of(counts), |post| posts.at(post));
            self.give_to_owner(&mut row).await?;
            if row.escalation == before {
                return Ok(());
            }
            if moved.is_some() {
                self.cancel_escalations(row.alert).await?;
            }
            // On PostgreSQL its time may have come at the same moment: then it begins anew from where it went.
            if !self.store_escalation(&row).await? {
                continue;
            }
            let Some(moved) = moved else { return Ok(()) };
            // Whoever has it now and whoever had it know by being told of the alert, or are told that besides.
            for post in BTreeSet::from([&moved.to, &moved.from]) {
                self.tell_unless_told(&row, &format!("{}:{what}", alert.id), post, now).await?;
            }
            return self.note_move(&row, &moved, "", "", now).await;
        }
        Ok(())
    }

    /// Somebody has taken notice of an alert, which holds it for a while if it has no ticket.
    pub(super) async fn hold_alert(&mut self, id: AlertId, setup: &Setup, at: Timestamp) -> Result<(), StoreError> {
        while let Some(mut row) = self.escalation(EscalationOf::Alert(id)).await? {
            let (hours, counts) = (setup.hours(&row.site), row.escalation.route.counts);
            row.escalation.hold(at, hours.of(counts));
            // On PostgreSQL its time may have come at the same moment: then it is held where it went.
            if self.store_escalation(&row).await? {
                return self.cancel_escalations(id).await;
            }
        }
        Ok(())
    }

    /// An alert is worse than it was: it is followed up at the pace of that, and whoever has taken notice of it is asked again.
    pub(super) async fn follow_worse_alert(
        &mut self,
        id: AlertId,
        severity: Severity,
        setup: &Setup,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(priority) = setup.pack.chain.alerts.get(&severity) else { return Ok(()) };
        while let Some(mut row) = self.escalation(EscalationOf::Alert(id)).await? {
            let pace = Route::new(&setup.pack, row.escalation.route.post(0), priority, row.phase);
            let hours = setup.hours(&row.site);
            let hours = hours.of(pace.counts);
            row.escalation.repace(&pace, hours);
            let moved = if row.escalation.state == State::Held {
                let posts = self.posts(&row.site, at).await?;
                Some(row.escalation.restart(at, hours, |post| posts.at(post)))
            } else {
                None
            };
            // On PostgreSQL its time may have come at the same moment: then its pace changes where it went.
            if self.store_escalation(&row).await? {
                return match moved {
                    Some(moved) => self.tell_move(&row, &moved, "", "", at).await,
                    None => Ok(()),
                };
            }
        }
        Ok(())
    }

    /// Nobody need see to an alert any more.
    pub(super) async fn unfollow_alert(&mut self, id: AlertId, at: Timestamp) -> Result<(), StoreError> {
        match self.escalation(EscalationOf::Alert(id)).await? {
            Some(row) => self.end_escalation(&row, at).await,
            None => Ok(()),
        }
    }
}

/// The way of a ticket.
fn route(ticket: &TicketRow, phase: Phase, setup: &Setup) -> Route {
    let confirms = phase == Phase::Confirm;
    let post = if confirms { &*ticket.confirmed_by } else { repairer(setup, &ticket.department) };
    Route::new(&setup.pack, post, &ticket.priority, phase)
}

/// The post that repairs for a department.
fn repairer<'a>(setup: &'a Setup, department: &str) -> &'a str {
    setup.pack.departments.get(department).map_or(&*setup.pack.chain.last_resort, |of| &*of.post)
}

fn way(route: &Route) -> String {
    serde_json::to_string(route).expect("a route is plain data")
}

fn level(escalation: &Escalation) -> i64 {
    i64::try_from(escalation.level).unwrap_or(i64::MAX)
}

impl Store {
    /// Moves on what has come to its time, or leaves it be for a while if something keeps it quiet. Returns false if somebody else did.
    pub async fn step_escalation(
        &self,
        mut row: EscalationRow,
        quiet: bool,
        setup: &Setup,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if quiet {
            row.escalation.wait(now, now + QUIET_FOR);
            let ours = tx.store_escalation(&row).await?;
            tx.commit().await?;
            return Ok(ours);
        }
        let posts = tx.posts(&row.site, now).await?;
        let (hours, counts) = (setup.hours(&row.site), row.escalation.route.counts);
        let was_held = row.escalation.state == State::Held;
        let Some(moved) = row.escalation.step(now, hours.of(counts), |post| posts.at(post)) else { return Ok(false) };
        if moved.why == Why::Resumed {
            tx.give_to_owner(&mut row).await?;
        }
        if !tx.store_escalation(&row).await? {
            return Ok(false);
        }
        if was_held && row.ticket.is_none() {
            // So that somebody can take notice again.
            on!(&mut tx, "forget who took notice", conn => sqlx::query(UNACKNOWLEDGE).bind(row.alert.0).execute(conn).await
                .map(drop))?;
        }
        tx.tell_move(&row, &moved, "", "", now).await?;
        failpoint::pass("escalation_moved");
        tx.commit().await?;
        Ok(true)
    }

    /// Gives what somebody has who has not answered and has gone off duty to whoever is on duty, and says at which site. The database is
    /// written to only where somebody takes over.
    pub async fn relieve_escalations(
        &self,
        setup: &Setup,
        now: Timestamp,
        mut moved_at: impl FnMut(SiteId),
    ) -> Result<(), StoreError> {
        let (mut posts, mut after) = (BTreeMap::new(), 0);
        loop {
            let rows = self.off_duty_escalations(after, now).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.no;
            for mut row in rows {
                if !posts.contains_key(&row.site) {
                    posts.insert(row.site.clone(), self.read().await?.posts(&row.site, now).await?);
                }
                let (there, hours, counts) = (&posts[&row.site], setup.hours(&row.site), row.escalation.route.counts);
                let Some(moved) = row.escalation.relieve(now, hours.of(counts), |post| there.at(post)) else {
                    continue;
                };
                let mut tx = self.begin().await?;
                if tx.store_escalation(&row).await? {
                    tx.tell_move(&row, &moved, "", "", now).await?;
                    tx.commit().await?;
                    moved_at(row.site);
                }
            }
        }
    }

    /// Begins to follow up tickets that nobody follows up: those that were opened by an earlier version. Returns how many were looked at.
    pub async fn follow_unfollowed(&self, setup: &Setup, now: Timestamp) -> Result<usize, StoreError> {
        let (mut looked_at, mut after) = (0, String::new());
        loop {
            let mut tx = self.begin().await?;
            let numbers: Vec<String> = on!(&mut tx, "look for tickets that nobody follows up", conn =>
                sqlx::query_scalar(UNFOLLOWED).bind(&after).bind(AT_ONCE).fetch_all(conn).await)?;
            for number in &numbers {
                tx.follow_ticket(number, setup, now, false).await?;
            }
            tx.commit().await?;
            // One that cannot be followed up, because no alert is its, must not be looked at for ever.
            let Some(last) = numbers.last() else { return Ok(looked_at) };
            (looked_at, after) = (looked_at + numbers.len(), last.clone());
        }
    }

    /// A person sends a ticket up: to the next level, or to `to`. Levels are skipped only in one's own name and with a reason.
    pub async fn raise_ticket(
        &self,
        number: &str,
        to: Option<&str>,
        (by, actor, reason): (&str, &Actor, &str),
        setup: &Setup,
        at: Timestamp,
    ) -> Result<EscalationRow, RaiseError> {
        let mut tx = self.begin().await?;
        let mut row = tx.escalation(EscalationOf::Ticket(number)).await?.ok_or(RaiseError::NotFound)?;
        let posts = tx.posts(&row.site, at).await?;
        let (hours, counts) = (setup.hours(&row.site), row.escalation.route.counts);
        let named = !by.is_empty() && !reason.is_empty();
        let moved = row.escalation.raise(to, named, at, hours.of(counts), |post| posts.at(post))?;
        if !tx.store_escalation(&row).await? {
            return Err(RaiseError::Conflict);
        }
        tx.tell_move(&row, &moved, by, reason, at).await?;
        let told = Change::new(actor, at, "ticket.escalate", number).of_site(Some(&row.site));
        tx.commit_with(&told.before(&*moved.from).after(&*moved.to)).await?;
        Ok(EscalationRow { version: row.version + 1, ..row })
    }
}
