//! Repair tickets: lists, one, and what people do with it.

use axum::{Json, extract::State, http::HeaderMap};
use lobby_contract::DeviceId;
use lobby_domain::access::Need;
use lobby_domain::{
    alert::Subject,
    ticket::{Action, Rejection, State as TicketState, WaitingFor, arrival::Arrival},
    time::Timestamp,
    work::{Fen, Work, WorkError},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    About, ApiError, App, Body, Caller, Page, Path, Policy, Query, Routes, Text, Wanted,
    alerts::subject,
    cursor,
    devices::{Area, area_of},
    limit, name,
    reports::{Photo, Report},
    restraints::Key,
};
use crate::{
    fleet::Changed,
    http::arrival::is_label_of,
    store::{Arrived, Comment, Cursor, Deed, TicketFilter, TicketRow},
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/tickets", Policy::read(About::List), list_tickets)
        .get("/api/v1/tickets/{number}", Policy::read(About::Ticket), show_ticket)
        .post("/api/v1/tickets/{number}/comment", Policy::to(Need::Answer, About::Ticket), comment_on_ticket)
        .post("/api/v1/tickets/{number}/{action}", Policy::to(Need::Answer, About::TicketStep), act_on_ticket)
}

/// A repair ticket.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Ticket {
    number: String,
    site: String,
    /// The device it is about; null if it is about an agent or the site.
    device: Option<String>,
    /// The agent it is about; null if it is about a device or the site.
    agent: Option<String>,
    /// The area in which its device stands; null if it is about none, or that is not known.
    area: Option<Area>,
    /// The rule that opened it.
    rule: String,
    clauses: Vec<String>,
    /// P1, P2 or P3, as the standards pack declares.
    priority: String,
    /// `new`, `assigned`, `accepted`, `in_progress`, `waiting`, `fixed`, `self_recovered` or `closed`.
    #[schema(value_type = String)]
    state: TicketState,
    /// Grows with each change; an action names the version it was decided on.
    version: i64,
    department: String,
    /// Who works it, or whom it was given to; empty while nobody has it.
    owner: String,
    /// While it waits: `parts`, `supplier` or `access`.
    #[schema(value_type = Option<String>)]
    waiting_for: Option<WaitingFor>,
    /// The post that confirms the repair.
    confirmed_by: String,
    title: Text,
    opened_at: i64,
    /// By when it is to be accepted, attended and repaired. While a clock stands still, this is what it was last.
    respond_by: i64,
    arrive_by: i64,
    complete_by: i64,
    accepted_at: Option<i64>,
    /// When somebody was there and the work began.
    started_at: Option<i64>,
    /// How that was shown: `label` (the device's label was scanned), or why it was not: `label_missing`, `not_in_place` or `other`. Null if
    /// nothing shows it.
    #[schema(value_type = Option<String>)]
    arrival: Option<Arrival>,
    fixed_at: Option<i64>,
    closed_at: Option<i64>,
    /// Why it was closed without a repair: `no_fault_found`, `out_of_scope` or `duplicate`; null if it was not.
    #[schema(value_type = Option<String>)]
    rejected: Option<Rejection>,
    /// The ticket that has its faults now, if it was rejected as a duplicate.
    duplicate_of: Option<String>,
    /// What happened to it; only when one ticket is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Vec<Event>>,
    /// What people reported; only when one ticket is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    reports: Option<Vec<Report>>,
    /// Its photos; only when one ticket is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    photos: Option<Vec<Photo>>,
    /// What was not done in time; only when one ticket is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    breaches: Option<Vec<Breach>>,
}

/// Something that was not done in time. It is never taken back.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Breach {
    /// `response`, `arrival` or `completion`.
    promise: &'static str,
    /// When the time was over.
    at: i64,
    /// Who worked the ticket then; empty if nobody had accepted it.
    holder: String,
}

/// An entry of a ticket's history.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Event {
    at: i64,
    /// `opened`, `joined`, `victim`, `recovered`, `reopened`, `unstable`, `reminded`, `overdue`, `priority`, `comment`, `duplicate` (it got the
    /// faults of the ticket in the note), or what a person did.
    what: String,
    actor: String,
    note: String,
    /// What was said of the repair when it was finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    work: Option<Repair>,
    /// Of `start`: how it was shown that somebody was there, as `arrival` of the ticket. The reason in words is the note.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    arrival: Option<Arrival>,
}

/// What was said of a repair.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Repair {
    /// Why it failed; empty if that was not said.
    cause: String,
    /// What was used, each with its quantity: `HDMI cable × 2`.
    materials: Vec<String>,
    /// What it cost in fen, CNY 0.01; null if that was not said.
    cost_fen: Option<i64>,
}

impl Ticket {
    fn of(app: &App, row: TicketRow) -> Self {
        let area = match &row.subject {
            Subject::Device(device) => area_of(app, &row.site, device),
            Subject::Agent(_) | Subject::Site => None,
        };
        Self { area, ..Self::from(row) }
    }
}

impl From<TicketRow> for Ticket {
    fn from(row: TicketRow) -> Self {
        let (device, agent) = subject(&row.subject);
        Self {
            number: row.number.to_string(),
            site: row.site.to_string(),
            device,
            agent,
            area: None,
            rule: row.rule,
            clauses: row.clauses,
            priority: row.priority,
            state: row.state,
            version: row.version,
            department: row.department,
            owner: row.owner,
            waiting_for: row.waiting_for,
            confirmed_by: row.confirmed_by,
            title: (&row.title).into(),
            opened_at: row.opened_at.millis(),
            respond_by: row.respond_by.millis(),
            arrive_by: row.arrive_by.millis(),
            complete_by: row.complete_by.millis(),
            accepted_at: row.accepted_at.map(Timestamp::millis),
            started_at: row.started_at.map(Timestamp::millis),
            arrival: row.arrival,
            fixed_at: row.fixed_at.map(Timestamp::millis),
            closed_at: row.closed_at.map(Timestamp::millis),
            rejected: row.rejected,
            duplicate_of: row.duplicate_of.map(|number| number.to_string()),
            events: None,
            reports: None,
            photos: None,
            breaches: None,
        }
    }
}

/// Which tickets are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TicketQuery {
    /// Of this site only.
    site: Option<String>,
    /// About this device only.
    device: Option<String>,
    /// open, closed or all; all if nothing is said.
    #[param(inline)]
    state: Option<Wanted>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Items of a page, 1 to 1000, usually 100.
    limit: Option<i64>,
}

/// What a person does.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Act {
    /// The version of the ticket that the person saw.
    version: i64,
    /// Who does it.
    #[serde(default)]
    by: String,
    /// What is to be said about it.
    #[serde(default)]
    note: String,
    /// What `wait` waits for: `parts`, `supplier` or `access`.
    #[schema(value_type = Option<String>)]
    waiting_for: Option<WaitingFor>,
    /// Of `reject`: `no_fault_found`, `out_of_scope` or `duplicate`.
    #[schema(value_type = Option<String>)]
    reason: Option<Rejection>,
    /// Of `reject` with the reason `duplicate`: the other open ticket of the site, which gets the faults that are still there.
    duplicate_of: Option<String>,
    /// Of `assign`: whoever is to work the ticket, by what they sign in with or are called.
    assignee: Option<String>,
    /// The priority that `priority` sets.
    priority: Option<String>,
    /// Of `start`: the code that was scanned from the label of the ticket's device. What is no device has no label. Without either, nothing shows the arrival.
    label: Option<String>,
    /// Of `start`, instead of `label`: why it was not scanned: `label_missing`, `not_in_place`, or `other` with a note.
    #[schema(value_type = Option<String>)]
    unscanned: Option<Arrival>,
    /// Of `finish`: why it failed. What was done is the note.
    cause: Option<String>,
    /// Of `finish`: what was used, each with its quantity, such as `HDMI cable × 2`.
    materials: Option<Vec<String>>,
    /// Of `finish`: what it cost in fen, CNY 0.01.
    cost_fen: Option<i64>,
}

impl Act {
    /// What is said of the repair, if anything is.
    fn work(&self) -> Result<Option<Work>, WorkError> {
        if self.cause.is_none() && self.materials.is_none() && self.cost_fen.is_none() {
            return Ok(None);
        }
        let materials = self.materials.iter().flatten().map(String::as_str);
        Work::new(self.cause.as_deref().unwrap_or_default(), materials, self.cost_fen.map(Fen::new).transpose()?)
            .map(Some)
    }
}

/// What a person says.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewComment {
    /// Who says it.
    #[serde(default)]
    by: String,
    /// What is said.
    note: String,
}

/// Tickets, newest first.
#[utoipa::path(get, path = "/api/v1/tickets", tag = "tickets", params(TicketQuery),
    responses((status = 200, body = Page<Ticket>), (status = 400, description = "A parameter is not valid")))]
pub(in crate::http) async fn list_tickets(
    State(app): State<App>,
    Query(query): Query<TicketQuery>,
) -> Result<Json<Page<Ticket>>, ApiError> {
    let filter = TicketFilter {
        site: name("site", query.site.as_deref())?,
        subject: name::<DeviceId>("device", query.device.as_deref())?.map(Subject::Device),
        open: Wanted::open(query.state),
    };
    let (rows, next) =
        app.store.tickets(&filter, cursor(query.after.as_deref())?.as_ref(), limit(query.limit)?).await??;
    Ok(Json(Page {
        items: rows.into_iter().map(|row| Ticket::of(&app, row)).collect(),
        next: next.as_ref().map(Cursor::to_string),
    }))
}

/// One ticket with its history.
#[utoipa::path(get, path = "/api/v1/tickets/{number}", tag = "tickets", params(("number" = String, Path, description = "The ticket")),
    responses((status = 200, body = Ticket), (status = 404, description = "There is no such ticket")))]
pub(in crate::http) async fn show_ticket(
    State(app): State<App>,
    caller: Caller,
    Path(number): Path<String>,
) -> Result<Json<Ticket>, ApiError> {
    let (row, events) = app.store.ticket(&number).await?.ok_or(ApiError::NotFound("ticket"))?;
    let event = |event: crate::store::TicketEvent| Event {
        at: event.at.millis(),
        what: event.what,
        actor: event.actor,
        note: event.note,
        arrival: event.arrival,
        work: event.work.map(|work| Repair {
            cause: work.cause().to_owned(),
            materials: work.materials().to_vec(),
            cost_fen: work.cost().map(Fen::get),
        }),
    };
    let mut ticket = Ticket::of(&app, row);
    ticket.events = Some(events.into_iter().map(event).collect());
    let reports = app.store.reports_of_ticket(&number).await?;
    ticket.reports = Some(reports.into_iter().map(|row| Report::of(row, &caller)).collect());
    ticket.photos = Some(app.store.photos_of_ticket(&number).await?.into_iter().map(Photo::from).collect());
    let breach = |breach: crate::store::Breach| Breach {
        promise: breach.promise.as_str(),
        at: breach.at.millis(),
        holder: breach.holder,
    };
    ticket.breaches = Some(app.store.breaches(&number).await?.into_iter().map(breach).collect());
    Ok(Json(ticket))
}

/// Moves a ticket: assign, accept, start, wait, resume, finish, confirm, reopen or reject; or sets its priority.
#[utoipa::path(post, path = "/api/v1/tickets/{number}/{action}", tag = "tickets",
    params(("number" = String, Path, description = "The ticket"), ("action" = String, Path, description = "assign, accept, start, wait, resume, finish, confirm, reopen, reject or priority")),
    request_body = Act,
    responses((status = 200, body = Ticket), (status = 400, description = "Something is missing or not valid"),
        (status = 404, description = "There is no such ticket or action"),
        (status = 409, description = "The ticket was changed meanwhile, or its state does not allow it")))]
pub(in crate::http) async fn act_on_ticket(
    State(app): State<App>,
    caller: Caller,
    Path((number, action)): Path<(String, String)>,
    Body(act): Body<Act>,
) -> Result<Json<Ticket>, ApiError> {
    let work = act.work().map_err(|error| ApiError::Parameter(error.to_string()))?;
    if work.is_some() && action != "finish" {
        return Err(ApiError::Parameter("`cause`, `materials` and `cost_fen` go with `finish` alone".to_owned()));
    }
    let arrived = arrived(&app, &number, &action, &act).await?;
    let by = caller.signs(act.by);
    check_texts(&by, &act.note)?;
    check_texts(act.assignee.as_deref().unwrap_or_default(), "")?;
    let actor = caller.actor(&by);
    let deed = Deed {
        version: act.version,
        by: &by,
        actor: &actor,
        note: &act.note,
        work: work.as_ref(),
        duplicate_of: act.duplicate_of.as_deref(),
        assignee: act.assignee.as_deref(),
        arrived,
        at: app.clock.now(),
    };
    let setup = app.fleet.setup();
    let row = if action == "priority" {
        let missing = || ApiError::Parameter("`priority` is missing: say which".to_owned());
        app.store.set_priority(&number, act.priority.as_deref().ok_or_else(missing)?, deed, &setup).await?
    } else {
        if action == "wait" && act.waiting_for.is_none() {
            return Err(ApiError::Parameter("`waiting_for` is missing: parts, supplier or access".to_owned()));
        }
        if action == "reject" && act.reason.is_none() {
            return Err(ApiError::Parameter(
                "`reason` is missing: no_fault_found, out_of_scope or duplicate".to_owned(),
            ));
        }
        let is_duplicate = action == "reject" && act.reason == Some(Rejection::Duplicate);
        if is_duplicate != act.duplicate_of.is_some() {
            return Err(ApiError::Parameter(
                "`duplicate_of` goes with `reject` and the reason `duplicate`, which needs it".to_owned(),
            ));
        }
        let action = Action::from_text(&action, act.waiting_for, act.reason).ok_or(ApiError::NotFound("action"))?;
        app.store.act_on_ticket(&number, action, deed, &setup).await?
    };
    app.fleet.tell(Changed { site: row.site.clone(), device: None });
    Ok(Json(Ticket::of(&app, row)))
}

/// How it is shown that whoever begins is there.
async fn arrived(app: &App, number: &str, action: &str, act: &Act) -> Result<Option<Arrived>, ApiError> {
    let by = match (&act.label, act.unscanned) {
        (None, None) => return Ok(None),
        _ if action != "start" => {
            return Err(ApiError::Parameter("`label` and `unscanned` go with `start` alone".to_owned()));
        }
        (Some(code), None) if is_label_of(app, number, code).await? => Arrival::Label,
        (Some(_), None) => {
            return Err(ApiError::Parameter("`label` is not the code of a label of the ticket's device".to_owned()));
        }
        (None, Some(reason)) if reason != Arrival::Label => reason,
        (_, Some(_)) => {
            return Err(ApiError::Parameter(
                "`unscanned` says why there is no `label`: label_missing, not_in_place or other".to_owned(),
            ));
        }
    };
    Ok(Some(Arrived { by, key: None }))
}

/// Says something about an open ticket; nothing else of it changes. With an `Idempotency-Key` the same request is noted once, however often
/// it comes.
#[utoipa::path(post, path = "/api/v1/tickets/{number}/comment", tag = "tickets",
    params(("number" = String, Path, description = "The ticket"),
        ("Idempotency-Key" = Option<String>, Header, description = "Any text that no other comment on the ticket has had")),
    request_body = NewComment,
    responses((status = 200, body = Ticket), (status = 400, description = "Nothing is said, or too much"),
        (status = 404, description = "There is no such ticket"), (status = 409, description = "The ticket is closed"),
        (status = 422, description = "The body is not valid, or the key is that of another comment")))]
pub(in crate::http) async fn comment_on_ticket(
    State(app): State<App>,
    caller: Caller,
    Path(number): Path<String>,
    headers: HeaderMap,
    Body(new): Body<NewComment>,
) -> Result<Json<Ticket>, ApiError> {
    let key = Key::of(&headers, &format!("/api/v1/tickets/{number}/comment"), &new)?;
    let by = caller.signs(new.by);
    check_texts(&by, &new.note)?;
    if new.note.trim().is_empty() {
        return Err(ApiError::Parameter("`note` is empty: say what is to be noted".to_owned()));
    }
    let actor = caller.actor(&by);
    let comment = Comment { key: key.map(|key| key.id), by: &by, actor: &actor, note: &new.note, at: app.clock.now() };
    let row = app.store.comment_on_ticket(&number, comment, &app.fleet.setup()).await?;
    app.fleet.tell(Changed { site: row.site.clone(), device: None });
    Ok(Json(Ticket::of(&app, row)))
}

/// The texts a person may give.
pub(super) fn check_texts(by: &str, note: &str) -> Result<(), ApiError> {
    if by.len() > 200 || note.len() > 4000 || by.contains('\0') || note.contains('\0') {
        return Err(ApiError::Parameter(
            "`by` has at most 200 bytes and `note` 4000, without the character NUL".to_owned(),
        ));
    }
    Ok(())
}
