//! What is followed up along the chain of command.

use axum::{Json, extract::State};
use lobby_domain::access::Need;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    About, ApiError, App, Body, Caller, Page, Path, Policy, Query, Routes, cursor, limit, name, tickets::check_texts,
};
use crate::{
    fleet::Changed,
    store::{Cursor, EscalationRow},
};

pub(super) fn routes() -> Routes {
    Routes::new().get("/api/v1/escalations", Policy::read(About::List), list_escalations).post(
        "/api/v1/tickets/{number}/escalate",
        Policy::to(Need::Answer, About::Ticket),
        escalate_ticket,
    )
}

/// How something is followed up: exactly one post has it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Escalation {
    site: String,
    /// The ticket; null of an alert that has none.
    ticket: Option<String>,
    /// The alert of which notifications tell.
    alert: String,
    /// What is to be done: `repair`, `confirm` (a repair) or `notice` (an alert without a ticket).
    phase: &'static str,
    /// `triggered` (nobody has answered), `held` (somebody is at it) or `paused`.
    state: &'static str,
    /// The post that has it.
    post: String,
    /// Who has it: whoever works the ticket before it went up, or else who of that post is on duty by the roster, if the site keeps one.
    person: Option<String>,
    /// The posts it goes through, from the one that acts to the highest.
    route: Vec<String>,
    /// The post that has it after the next step if nobody answers.
    next_post: String,
    /// When it began to stand so, and when its next step is due; null while it is paused for no known time.
    since: i64,
    due: Option<i64>,
    started_at: i64,
}

impl From<EscalationRow> for Escalation {
    fn from(row: EscalationRow) -> Self {
        let escalation = &row.escalation;
        Self {
            phase: row.phase.as_str(),
            state: escalation.state.as_str(),
            post: escalation.post().to_owned(),
            person: escalation.holder.as_ref().map(|holder| holder.name.to_string()),
            route: escalation.route.posts.iter().map(ToString::to_string).collect(),
            next_post: escalation.next_post().to_owned(),
            since: escalation.since.millis(),
            due: escalation.due.map(lobby_domain::time::Timestamp::millis),
            started_at: row.started_at.millis(),
            site: row.site.to_string(),
            alert: row.alert.to_string(),
            ticket: row.ticket,
        }
    }
}

/// Which are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct EscalationQuery {
    /// Of this site only.
    site: Option<String>,
    /// Those alone that this post has.
    post: Option<String>,
    /// Where the list goes on: the `next` of the page before.
    after: Option<String>,
    /// Items, 1 to 1000, usually 100.
    limit: Option<i64>,
}

/// What a person says who sends a ticket up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Up {
    /// The post that is to have it; the next in the chain if not given. Beyond that one `by` and `note` are needed.
    to: Option<String>,
    /// Who sends it up.
    #[serde(default)]
    by: String,
    /// Why.
    #[serde(default)]
    note: String,
}

/// What is followed up, what is due first before the others.
#[utoipa::path(get, path = "/api/v1/escalations", tag = "escalations", params(EscalationQuery),
    responses((status = 200, body = Page<Escalation>), (status = 400, description = "A parameter is not valid")))]
pub(in crate::http) async fn list_escalations(
    State(app): State<App>,
    Query(query): Query<EscalationQuery>,
) -> Result<Json<Page<Escalation>>, ApiError> {
    let site = name("site", query.site.as_deref())?;
    let wanted = (site.as_ref(), query.post.as_deref());
    let after = cursor(query.after.as_deref())?;
    let (rows, next) = app.store.escalations(wanted, after.as_ref(), limit(query.limit)?).await??;
    let items = rows.into_iter().map(Escalation::from).collect();
    Ok(Json(Page { items, next: next.as_ref().map(Cursor::to_string) }))
}

/// Sends a ticket up the chain of command.
#[utoipa::path(post, path = "/api/v1/tickets/{number}/escalate", tag = "escalations",
    params(("number" = String, Path, description = "The ticket")), request_body = Up,
    responses((status = 200, body = Escalation), (status = 400, description = "A text is too long"),
        (status = 404, description = "There is no open ticket of that number"),
        (status = 409, description = "The chain does not lead there, levels would be skipped without a name and a reason, or it went to another level meanwhile")))]
pub(in crate::http) async fn escalate_ticket(
    State(app): State<App>,
    caller: Caller,
    Path(number): Path<String>,
    Body(up): Body<Up>,
) -> Result<Json<Escalation>, ApiError> {
    let by = caller.signs(up.by);
    check_texts(&by, &up.note)?;
    let (actor, setup) = (caller.actor(&by), app.fleet.setup());
    let said = (&*by, &actor, &*up.note);
    let row = app.store.raise_ticket(&number, up.to.as_deref(), said, &setup, app.clock.now()).await?;
    app.fleet.tell(Changed { site: row.site.clone(), device: None });
    Ok(Json(row.into()))
}
