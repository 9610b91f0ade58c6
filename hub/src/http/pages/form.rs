//! A ticket on paper: the repair form (报修单).

use axum::{extract::State, response::Response};
use lobby_dashboards::{Acceptance, Copies, Paper, RepairForm};
use lobby_domain::{
    alert::Subject,
    ticket::{self, arrival::Arrival},
};

use super::{
    App, Open, PageError, Path, Reader, Scene, answer, engineering, incident, report,
    ticket::{Case, entry, evidence, repair},
};
use crate::{http::address::Origin, store::TicketEvent};

/// What those who repair do, whose notes are printed.
const WORK: [&str; 5] = ["accept", "start", "wait", "resume", "finish"];

/// The form.
pub(super) async fn show(State(app): State<App>, reader: Reader, origin: Origin, Path(no): Path<String>) -> Response {
    answer::answer(&app, &reader, page(&app, &reader, &origin, &no)).await
}

async fn page(app: &App, reader: &Reader, origin: &Origin, no: &str) -> Result<String, PageError> {
    let named = |asked: &Option<String>| asked.clone().unwrap_or_default();
    let paper = chosen(&Paper::ALL, Paper::name, &named(&reader.asked.paper))?;
    let copies = chosen(&Copies::ALL, Copies::name, &named(&reader.asked.copies))?;
    let case = Case::read(app, no).await?;
    let code = match &case.row.subject {
        Subject::Device(device) => app.store.code(&case.row.site, device).await?,
        _ => None,
    };
    let open = Open::default();
    let form = Scene::with(app, reader, case.site(app), &open, |scene| {
        Ok(RepairForm { paper, copies, code, ..build(scene, &case, origin) })
    })?;
    form.render().map_err(|error| PageError::Render(Box::new(error)))
}

/// The choice of that name; the usual one if none is named.
fn chosen<T: Copy + Default>(all: &[T], name: fn(T) -> &'static str, asked: &str) -> Result<T, PageError> {
    if asked.is_empty() {
        return Ok(T::default());
    }
    all.iter().copied().find(|one| name(*one) == asked).ok_or(PageError::BadRequest)
}

fn build(scene: &Scene<'_>, case: &Case, origin: &Origin) -> RepairForm {
    let Case { row, events, attached, reports, photos, .. } = case;
    // What was said of the repair has places of its own, and so has that a label was scanned.
    let said = |event: &TicketEvent| TicketEvent {
        work: None,
        arrival: event.arrival.filter(|arrival| *arrival != Arrival::Label),
        ..event.clone()
    };
    let entries = || events.iter().map(|event| (event.what.as_str(), entry(scene, &said(event), attached)));
    let confirmed = entries().rfind(|(what, _)| row.state == ticket::State::Closed && *what == "confirm");
    RepairForm {
        sheet: origin.sheet(scene, format!("/t/{}", row.number)),
        paper: Paper::default(),
        copies: Copies::default(),
        no: row.number.to_string(),
        check: case.check(),
        step: incident::step(row),
        waiting_for: incident::waiting_for(row),
        priority: engineering::priority(&row.priority),
        site_name: scene.name_of(&row.site),
        post: scene.post(&row.confirmed_by),
        reporter: report::reporter(scene, reports, &row.rule),
        reported_at: scene.when(row.opened_at),
        device: (row.subject != Subject::Site).then(|| scene.subject(&row.site, &row.subject)),
        code: None,
        title: scene.text(&row.title),
        description: report::said(scene, reports, photos),
        evidence: attached.iter().rev().map(|alert| evidence(scene, alert)).collect(),
        department: scene.department(&row.department),
        owner: incident::person(row),
        taken_at: row.accepted_at.map(|at| scene.when(at)),
        respond_by: Some(scene.when(row.respond_by)),
        arrive_by: Some(scene.when(row.arrive_by)),
        complete_by: Some(scene.when(row.complete_by)),
        arrived_at: row.started_at.map(|at| scene.when(at)),
        arrival: row.arrival,
        finished_at: row.fixed_at.map(|at| scene.when(at)),
        repair: repair(case),
        work: entries()
            .filter(|(what, entry)| WORK.contains(what) && entry.note.is_some())
            .map(|(_, entry)| entry)
            .collect(),
        acceptance: confirmed.map(|(_, entry)| Acceptance { at: entry.at, by: entry.actor, remarks: entry.note }),
    }
}
