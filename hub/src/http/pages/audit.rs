//! What people and programs have changed, page by page.

use axum::{extract::State, response::Response};
use lobby_contract::SiteId;
use lobby_dashboards::{AuditLine, AuditPage, Page};

use super::{App, Html, Open, PageError, Reader, Scene, alerts::further, answer};
use crate::{
    audit::Entry,
    store::{AuditFilter, Cursor},
};

/// Entries of one page.
const ROWS: i64 = 50;

/// The list.
pub(super) async fn show(State(app): State<App>, reader: Reader) -> Response {
    answer::answer(&app, &reader, list(&app, &reader)).await
}

async fn list(app: &App, reader: &Reader) -> Result<String, PageError> {
    let site = reader.site()?;
    let actor = reader.asked.actor.clone().filter(|actor| !actor.is_empty());
    if actor.as_ref().is_some_and(|actor| actor.contains('\0')) {
        return Err(PageError::BadRequest);
    }
    let filter = AuditFilter { site: site.clone(), actor: actor.clone() };
    let after = reader.asked.after.as_deref().map(str::parse::<Cursor>).transpose()?;
    let (rows, next) = app.store.audit_log(&filter, after.as_ref(), ROWS).await??;
    let nothing = Open::default();
    let page = Scene::with(app, reader, site, &nothing, |scene| {
        Ok(AuditPage {
            lines: rows.into_iter().map(|entry| line(scene, entry)).collect(),
            actor,
            next: next.map(|next| further(reader, &next)),
            chrome: scene.chrome(Page::Audit),
        })
    })?;
    page.html(reader.fragment)
}

fn line(scene: &Scene<'_>, entry: Entry) -> AuditLine {
    let named = |site: String| match site.parse::<SiteId>() {
        Ok(id) => scene.name_of(&id),
        Err(_) => site,
    };
    AuditLine {
        href: is_of_ticket(&entry).then(|| format!("/t/{}", entry.subject)),
        no: entry.no,
        at: scene.when(entry.at),
        actor: entry.actor,
        kind: entry.actor_kind,
        site: entry.site.map(named),
        action: entry.action,
        subject: entry.subject,
        before: entry.before,
        after: entry.after,
    }
}

/// Whether an entry is about a ticket. A report that asked for no repair is about its alert.
fn is_of_ticket(entry: &Entry) -> bool {
    let is_report = entry.action.starts_with("report.") && entry.subject.starts_with("BX-");
    is_report || entry.action.starts_with("ticket.")
}
