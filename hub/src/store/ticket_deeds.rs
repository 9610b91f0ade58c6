//! What people do with repair tickets: move them under the version that they saw, give them another priority, comment.

use lobby_contract::SiteId;
use lobby_domain::{
    alert::{AlertId, Subject},
    ticket::{Action, Refusal, Rejection, State, act, arrival::Arrival, taken},
    time::Timestamp,
    work::Work,
};
use uuid::Uuid;

use super::{Store, StoreError, TicketRow, Tx, on, statements, tickets::Entry};
use crate::{
    audit::{Actor, ActorKind, Change},
    failpoint,
    fleet::Setup,
};

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
    /// Whom it is given to, where it is assigned: what they sign in with, or are called.
    pub assignee: Option<&'a str>,
    /// How it is shown that they are there, where they begin.
    pub arrived: Option<Arrived>,
    /// When.
    pub at: Timestamp,
}

impl<'a> Deed<'a> {
    /// Nothing but that it was done.
    pub const fn new(version: i64, by: &'a str, actor: &'a Actor, at: Timestamp) -> Self {
        Self { version, by, actor, note: "", work: None, duplicate_of: None, assignee: None, arrived: None, at }
    }
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

statements! {
    MOVE = "UPDATE ticket SET state = $3, version = version + 1,
            owner = CASE WHEN $7 = 'assign' THEN $11 WHEN $4 <> '' AND $7 NOT IN ('confirm', 'reject') THEN $4 ELSE owner END,
            owner_id = CASE WHEN $7 = 'assign' OR ($4 <> '' AND $7 NOT IN ('confirm', 'reject')) THEN $13 ELSE owner_id END,
            accepted_at = CASE WHEN $7 = 'assign' THEN NULL WHEN $7 IN ('accept', 'start') THEN COALESCE(accepted_at, $5) ELSE accepted_at END,
            started_at = CASE WHEN $7 = 'start' THEN $5 ELSE started_at END,
            arrival = CASE WHEN $7 = 'start' THEN $12 ELSE arrival END,
            fixed_at = CASE WHEN $7 = 'finish' THEN $5 WHEN $7 = 'reopen' THEN NULL ELSE fixed_at END,
            closed_at = $6, waiting_for = $8, rejected = $9, duplicate_of = $10
        WHERE number = $1 AND version = $2";
    // Changes its version also where it stays where it is, so that nobody closes it by what they saw before.
    TAKE_OVER = "UPDATE ticket SET state = $2, version = version + 1 WHERE number = $1 AND version = $3 AND state <> 'closed'";
    STILL_THERE = "SELECT id FROM alert WHERE ticket = $1 AND cleared_at IS NULL AND victim_of IS NULL ORDER BY id";
    MOVE_ALERTS = "UPDATE alert SET ticket = $2 WHERE ticket = $1 AND cleared_at IS NULL";
    SET_PRIORITY = "UPDATE ticket SET priority = $3, version = version + 1 WHERE number = $1 AND version = $2";
    COMMENT = "INSERT INTO ticket_event (ticket, at, what, actor, note, key) VALUES ($1, $2, 'comment', $3, $4, $5)
        ON CONFLICT DO NOTHING";
    OF_KEY = "SELECT ticket, what, actor, note, arrival FROM ticket_event WHERE key = $1";
}

impl Tx {
    /// The ticket, if it is at the version that a person saw.
    async fn seen(&mut self, number: &str, version: i64) -> Result<TicketRow, ActError> {
        let ticket = self.ticket(number).await?.ok_or(ActError::NotFound)?;
        if ticket.version == version { Ok(ticket) } else { Err(ActError::Conflict { current: ticket.version }) }
    }

    /// Who `name` is who works a ticket from now on: whoever is signed in, where they act in their own name, or the one person meant.
    async fn worker(
        &mut self,
        name: &str,
        actor: Option<&Actor>,
        site: &SiteId,
    ) -> Result<Option<(String, String)>, StoreError> {
        match actor {
            Some(Actor { kind: ActorKind::Person, id, .. }) => Ok(Some((id.clone(), name.to_owned()))),
            _ if name.is_empty() => Ok(None),
            _ => self.meant(name, site).await,
        }
    }

    /// Whoever was told of a fault hears that those who repair will not, while it is still there.
    async fn tell_rejected(&mut self, number: &str, at: Timestamp) -> Result<(), StoreError> {
        let open: Vec<Uuid> = on!(self, "look for the faults of a rejected ticket", conn => sqlx::query_scalar(STILL_THERE)
            .bind(number).fetch_all(conn).await)?;
        for id in open {
            self.tell_more(AlertId(id), &format!("rejected:{}", at.millis()), at).await?;
        }
        Ok(())
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
        let Entry { at, what, .. } = entry;
        self.ticket_entry(number, entry).await?;
        self.settle_deadlines(number, setup, at).await?;
        self.follow_ticket(number, setup, at, true).await?;
        let ticket = self.ticket(number).await?.ok_or(ActError::NotFound)?;
        if what == Action::Assign.as_str() {
            self.tell_assigned(&ticket, at).await?;
        }
        self.commit_with(told).await?;
        failpoint::pass("ticket_committed");
        Ok(ticket)
    }
}

impl Store {
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
        let state = act(ticket.state, action, ticket.faulty)?;
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
            Action::Assign => Some(assignee.filter(|name| !name.is_empty()).ok_or(ActError::NoAssignee)?),
            _ => None,
        };
        let worker = tx.worker(assignee.unwrap_or(by), assignee.is_none().then_some(actor), &ticket.site).await?;
        let (assignee, worker) = match worker {
            Some((id, name)) => (assignee.map(|_| name), Some(id)),
            None => (assignee.map(str::to_owned), None),
        };
        let assignee = assignee.as_deref().unwrap_or_default();
        // What is no device has no label to be scanned. A program that does not say it leaves it unshown; people are asked on the page.
        let arrived = match (action, &ticket.subject) {
            (Action::Start, Subject::Device(_)) => arrived,
            _ => None,
        };
        if arrived.is_some_and(|arrived| !arrived.by.suffices(note)) {
            return Err(ActError::NoArrival);
        }
        if !original.is_empty() {
            let faulty = ticket.faulty || tx.is_reported(number).await?;
            tx.take_over(&ticket, original, faulty, at, setup).await?;
        }
        tx.settle_deadlines(number, setup, at).await?;
        let moved = on!(&mut tx, "move a ticket", conn => sqlx::query(MOVE).bind(number).bind(version).bind(state.as_str())
            .bind(by).bind(at.millis()).bind(closed).bind(action.as_str()).bind(waiting_for).bind(rejected).bind(original)
            .bind(assignee).bind(arrived.map_or("", |arrived| arrived.by.as_str())).bind(worker)
            .execute(conn).await
            .map(|done| done.rows_affected()))?;
        if moved == 1 && state == State::Closed {
            tx.end_reports(number, by, at).await?;
        }
        if moved == 1
            && let Action::Reject(_) = action
        {
            tx.tell_rejected(number, at).await?;
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
        tx.repace_ticket(&ticket, priority, setup).await?;
        let entry = Entry { actor: by, note, priority: Some(priority), ..Entry::new(at, "priority") };
        let told = Change::new(actor, at, "ticket.priority", number).of_site(Some(&ticket.site));
        let told = told.before(&ticket.priority).after(priority);
        tx.changed(number, version, moved, entry, setup, &told).await
    }
}
