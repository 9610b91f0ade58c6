//! The page of one repair ticket: why it exists, what happened to it, and what may be done now.

use axum::{extract::State, response::Response};
use lobby_contract::SiteId;
use lobby_dashboards::{
    Action, Arriving, Draft, Evidence, Page, Reason, Repair, TicketEvent, TicketPage, TimelineEntry, arrival_proof,
};
use lobby_domain::{
    access::Need,
    alert::Subject,
    sla::Promise,
    ticket,
    work::{Fen, Work, quantity},
};

use super::{
    App, Caller, Html, Open, PageError, Path, Reader, Scene, alerts, answer, engineering, escalations, incident, report,
};
use crate::{
    restraints::new_id,
    store::{self, AlertFilter, AlertRow, EscalationRow, PersonRow, PhotoRow, ReportRow, TicketFilter, TicketRow},
};

/// The most alerts of one ticket that are listed.
const MOST_ALERTS: i64 = 100;
/// The most other tickets that one may be a duplicate of are offered.
const MOST_OTHERS: i64 = 50;
/// Longer texts are no ticket's number.
const LONGEST_NUMBER: usize = 40;

/// The page.
pub(super) async fn show(State(app): State<App>, reader: Reader, Path(no): Path<String>) -> Response {
    answer::answer(&app, &reader, page(&app, &reader, &no, Draft::default())).await
}

/// The page again, with what somebody filled in that could not be taken.
pub(super) async fn refused(app: &App, reader: &Reader, no: &str, draft: Draft) -> Result<String, PageError> {
    page(app, reader, no, draft).await
}

/// All that was stored of a ticket.
pub(super) struct Case {
    /// The ticket.
    pub row: TicketRow,
    /// What happened to it, the oldest first.
    pub events: Vec<store::TicketEvent>,
    /// Its alerts, the newest first.
    pub attached: Vec<AlertRow>,
    /// Those who repair at its site: what they sign in with, and what they are called.
    pub repairers: Vec<(String, String)>,
    /// How it is followed up, unless it is closed.
    pub escalation: Option<EscalationRow>,
    /// What people reported, the oldest first.
    pub reports: Vec<ReportRow>,
    /// Its photos, the oldest first.
    pub photos: Vec<PhotoRow>,
}

impl Case {
    /// Reads the ticket of that number.
    pub(super) async fn read(app: &App, no: &str) -> Result<Self, PageError> {
        if no.len() > LONGEST_NUMBER {
            return Err(PageError::NotFound);
        }
        let (row, events) = app.store.ticket(no).await?.ok_or(PageError::NotFound)?;
        let filter = AlertFilter { ticket: Some(no.to_owned()), ..AlertFilter::default() };
        let (attached, _) = app.store.alerts(&filter, None, MOST_ALERTS).await??;
        let escalation = app.store.escalation_of_ticket(no).await?;
        let people = app.store.people().await?.into_iter();
        let repairs =
            |person: &PersonRow| person.disabled_at.is_none() && person.held().at(row.site.clone()).may(Need::Repair);
        let repairers = people.filter(repairs).map(|person| (person.login, person.name)).collect();
        let reports = app.store.reports_of_ticket(no).await?;
        let photos = app.store.photos_of_ticket(no).await?;
        Ok(Self { row, events, attached, repairers, escalation, reports, photos })
    }

    /// Its site, if that is still known. A ticket outlives its site's configuration; it is then shown without a site chosen.
    pub(super) fn site(&self, app: &App) -> Option<SiteId> {
        app.fleet.read().contains_key(&self.row.site).then(|| self.row.site.clone())
    }

    /// Twelve digits that change with its state and with anything that happens to it: paper that has the same ones is not out of date.
    pub(super) fn check(&self) -> String {
        let event = |event: &'_ store::TicketEvent| {
            let work = event
                .work
                .as_ref()
                .map(|work| (work.cause().to_owned(), work.materials().to_vec(), work.cost().map(Fen::get)));
            let what = match event.arrival {
                Some(arrival) => format!("{}:{}", event.what, arrival.as_str()),
                None => event.what.clone(),
            };
            (event.at.millis(), what, event.actor.clone(), event.note.clone(), work)
        };
        let events: Vec<_> = self.events.iter().map(event).collect();
        let all = (self.row.number.as_str(), self.row.state.as_str(), events);
        let all = serde_json::to_vec(&all).expect("texts and numbers are JSON");
        let digest = ring::digest::digest(&ring::digest::SHA256, &all);
        digest.as_ref()[..6].iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
    }
}

async fn page(app: &App, reader: &Reader, no: &str, draft: Draft) -> Result<String, PageError> {
    let case = Case::read(app, no).await?;
    let of_site = TicketFilter { site: Some(case.row.site.clone()), open: Some(true), ..TicketFilter::default() };
    let (mut others, _) = app.store.tickets(&of_site, None, MOST_OTHERS).await??;
    others.retain(|ticket| ticket.number != case.row.number);
    let page = Scene::with(app, reader, case.site(app), &Open::default(), |scene| {
        Ok(TicketPage { draft, ..build(scene, &case, &others) })
    })?;
    page.html(reader.fragment)
}

/// People with what they sign in with, and in words: names that several have with that beside them.
fn told_apart(people: &[(String, String)]) -> Vec<(String, String)> {
    let shared = |name: &str| people.iter().filter(|(_, other)| other == name).count() > 1;
    let words = |(login, name): &(String, String)| {
        (login.clone(), if shared(name) { format!("{name} ({login})") } else { name.clone() })
    };
    people.iter().map(words).collect()
}

fn build(scene: &Scene<'_>, case: &Case, others: &[TicketRow]) -> TicketPage {
    let Case { row, events, attached, reports, photos, .. } = case;
    let open = row.closed_at.is_none();
    let repairs = scene.reader.caller.at(&row.site).may(Need::Repair);
    TicketPage {
        no: row.number.to_string(),
        version: row.version,
        check: case.check(),
        title: scene.text(&row.title),
        step: incident::step(row),
        priority: engineering::priority(&row.priority),
        reporter: report::reporter(scene, reports, &row.rule),
        department: scene.department(&row.department),
        owner: incident::person(row),
        device: matches!(row.subject, Subject::Device(_)).then(|| scene.subject(&row.site, &row.subject)),
        site_name: scene.name_of(&row.site),
        description: None,
        reported_at: scene.when(row.opened_at),
        respond_by: Some(scene.when(row.respond_by)),
        responded_at: row.accepted_at.map(|at| scene.when(at)),
        arrive_by: Some(scene.when(row.arrive_by)),
        arrived_at: row.started_at.map(|at| scene.when(at)),
        arrival: row.arrival,
        arriving: arrives(scene, row).then(|| Arriving { key: new_id().to_string() }),
        complete_by: Some(scene.when(row.complete_by)),
        completed_at: row.fixed_at.or(row.closed_at).map(|at| scene.when(at)),
        waiting_for: incident::waiting_for(row),
        assignees: (repairs && ticket::act(row.state, ticket::Action::Assign, false).is_ok())
            .then(|| told_apart(&case.repairers)),
        may_wait: repairs && ticket::act(row.state, ticket::Action::Wait(ticket::WaitingFor::Parts), false).is_ok(),
        priorities: if open && repairs { priorities(scene, row) } else { Vec::new() },
        escalation: case.escalation.as_ref().map(|row| escalations::standing(scene, row)),
        evidence: attached.iter().rev().map(|alert| evidence(scene, alert)).collect(),
        alerts: attached.iter().map(|alert| alerts::row(scene, alert)).collect(),
        timeline: events.iter().rev().map(|event| entry(scene, event, attached)).collect(),
        actions: actions(row.state, row.faulty, &scene.reader.caller.at(&row.site)),
        rejected: incident::rejected(row, events.iter().rfind(|event| event.what == "reject")),
        reasons: reasons(row.state, row.faulty, repairs, !others.is_empty()),
        others: others.iter().map(|ticket| (ticket.number.to_string(), scene.text(&ticket.title))).collect(),
        repair: repair(case),
        draft: Draft::default(),
        reports: reports.iter().map(|row| report::card(scene, row, photos)).collect(),
        photos: report::shown(scene, photos.iter().filter(|photo| photo.report.is_none())),
        comment: (open && scene.reader.caller.at(&row.site).may(Need::Answer)).then(|| new_id().to_string()),
        chrome: scene.chrome(Page::Ticket),
    }
}

/// Whether the reader may say that they have arrived at the ticket's device.
pub(super) fn arrives(scene: &Scene<'_>, row: &TicketRow) -> bool {
    let fits = ticket::act(row.state, ticket::Action::Start, false).is_ok();
    fits && matches!(row.subject, Subject::Device(_))
        && scene.reader.caller.at(&row.site).may(ticket::Action::Start.need())
}

/// What was said of the last repair, unless it turned out to be none.
pub(super) fn repair(case: &Case) -> Option<Repair> {
    if !matches!(case.row.state, ticket::State::Fixed | ticket::State::Closed) {
        return None;
    }
    let last = case.events.iter().rfind(|event| matches!(event.what.as_str(), "finish" | "reopen" | "reopened"))?;
    let work = last.work.as_ref()?;
    let material = |line: &String| {
        let (name, quantity) = quantity(line);
        (name.to_owned(), quantity.map(str::to_owned))
    };
    Some(Repair {
        cause: (!work.cause().is_empty()).then(|| work.cause().to_owned()),
        work: (!last.note.is_empty()).then(|| last.note.clone()),
        materials: work.materials().iter().map(material).collect(),
        cost: work.cost().map(|cost| cost.to_string()),
    })
}

/// What `caller` may do, the usual next step first. A fault that is still there cannot be confirmed as gone.
fn actions(state: ticket::State, faulty: bool, caller: &Caller) -> Vec<Action> {
    let every = [Action::Accept, Action::Start, Action::Resume, Action::Finish, Action::Confirm, Action::Reopen];
    let fits = |action: &Action| {
        ticket::Action::from_text(action.verb(), None, None)
            .is_some_and(|action| ticket::act(state, action, faulty).is_ok())
    };
    every.into_iter().filter(|action| fits(action) && caller.may(action.need())).collect()
}

/// The reasons with which it may be closed without a repair. A fault that is still there was found.
fn reasons(state: ticket::State, faulty: bool, may: bool, others: bool) -> Vec<Reason> {
    let fits = |reason: &ticket::Rejection| {
        may && ticket::act(state, ticket::Action::Reject(*reason), faulty).is_ok()
            && (others || *reason != ticket::Rejection::Duplicate)
    };
    ticket::Rejection::ALL.into_iter().filter(fits).map(incident::reason).collect()
}

/// The priorities that the ticket does not have.
fn priorities(scene: &Scene<'_>, row: &TicketRow) -> Vec<(String, String)> {
    let others = scene.pack.priorities.iter().filter(|(id, _)| ***id != *row.priority);
    others.map(|(id, priority)| (id.to_string(), scene.text(&priority.label))).collect()
}

/// Which time limit an entry tells of, and how much of it was gone: "response 50".
fn limit(scene: &Scene<'_>, note: &str) -> Option<String> {
    let (promise, percent) = note.split_once(' ')?;
    let t = scene.texts();
    let word = match Promise::from_text(promise)? {
        Promise::Response => t.deadline_respond,
        Promise::Arrival => t.deadline_arrive,
        Promise::Completion => t.deadline_complete,
    };
    Some(format!("{word} {percent}%"))
}

/// What was said of a repair, a line each.
fn said(scene: &Scene<'_>, note: &str, work: &Work) -> String {
    let t = scene.texts();
    let cost = work.cost().map(|cost| cost.to_string()).unwrap_or_default();
    let materials = work.materials().join(t.list_comma);
    let named =
        [("", note), (t.form_cause, work.cause()), (t.repair_materials, &materials), (t.form_cost_total, &cost)];
    let line = |(name, text): (&str, &str)| match name {
        "" => text.to_owned(),
        name => format!("{name}{}{text}", t.label_gap),
    };
    named.into_iter().filter(|(_, text)| !text.is_empty()).map(line).collect::<Vec<_>>().join("\n")
}

pub(super) fn evidence(scene: &Scene<'_>, alert: &AlertRow) -> Evidence {
    Evidence {
        rule: scene.text(&alert.title),
        explanation: scene.text(&alert.evidence),
        first_seen: scene.when(alert.since),
        last_seen: alert.cleared_at.map(|at| scene.when(at)),
        clauses: scene.clauses(&alert.clauses),
    }
}

pub(super) fn entry(scene: &Scene<'_>, event: &store::TicketEvent, attached: &[AlertRow]) -> TimelineEntry {
    let what = match event.what.as_str() {
        "opened" => TicketEvent::Reported,
        "joined" | "victim" => TicketEvent::AlertAttached,
        "reopened" | "reopen" => TicketEvent::Reopened,
        "recovered" => TicketEvent::Recovered,
        "unstable" => TicketEvent::Unstable,
        "assign" => TicketEvent::Assigned,
        "accept" => TicketEvent::Accepted,
        "start" => TicketEvent::Started,
        "finish" => TicketEvent::Finished,
        "confirm" => TicketEvent::Confirmed,
        "wait" => TicketEvent::Waiting,
        "resume" => TicketEvent::Resumed,
        "priority" => TicketEvent::Reprioritised,
        "reject" => TicketEvent::Cancelled,
        "duplicate" => TicketEvent::TookOver,
        "reminded" => TicketEvent::Reminded,
        "overdue" => TicketEvent::Overdue,
        "escalated" if escalations::stays(&event.note) => TicketEvent::FollowedUp,
        "escalated" => TicketEvent::Escalated,
        _ => TicketEvent::Noted,
    };
    // The hub's own entries hold the title of an alert, which has the reader's language too.
    let alert = attached.iter().find(|alert| event.actor.is_empty() && *alert.title.zh == *event.note);
    let limit =
        matches!(what, TicketEvent::Reminded | TicketEvent::Overdue).then(|| limit(scene, &event.note)).flatten();
    let is_step = event.what == "escalated";
    let up = is_step.then(|| escalations::said(scene, &event.note)).flatten();
    let note =
        limit.or(up).unwrap_or_else(|| alert.map_or_else(|| event.note.clone(), |alert| scene.text(&alert.title)));
    let by_hub = matches!(
        event.what.as_str(),
        "opened" | "joined" | "victim" | "reopened" | "recovered" | "unstable" | "reminded" | "overdue" | "duplicate"
    ) || (is_step && event.actor.is_empty() && !event.note.starts_with("by_hand"));
    let note = event.work.as_ref().map_or_else(|| note.clone(), |work| said(scene, &note, work));
    let proof = event.arrival.map(|arrival| arrival_proof(arrival, scene.reader.lang));
    let note =
        [proof.unwrap_or_default(), note].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
    let nobody = scene.pick("未留姓名", "No name given");
    TimelineEntry {
        at: scene.when(event.at),
        event: what,
        actor: match (by_hub, event.actor.is_empty()) {
            (true, _) => None,
            (false, true) => Some(nobody.to_owned()),
            (false, false) => Some(event.actor.clone()),
        },
        note: (!note.is_empty()).then_some(note),
    }
}
