//! Notifications: what was or is to be told to whom, the channels it goes through, and a test of one.

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use lobby_contract::SiteId;
use lobby_domain::access::Need;
use lobby_domain::{
    alert::AlertId,
    time::{Span, Timestamp},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    About, ApiError, App, Body, Caller, Page, Path, Policy, Query, Routes, cursor, limit, name, restraints::check_texts,
};
use crate::{
    notify::Channel as Configured,
    store::{self, ChannelRow, Cursor, DELIVERY_STATES, DeliveryFilter, DeliveryRow},
};

/// Deliveries that will not be made are counted for this long.
pub(in crate::http) const DEAD_FOR: Span = Span::from_mins(24 * 60);

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/notifications", Policy::read(About::List), list_notifications)
        .get("/api/v1/channels", Policy::read(About::AllSites), list_channels)
        .post("/api/v1/messages/{id}/resend", Policy::to(Need::Operate, About::AllSites), resend_message)
        .post("/api/v1/channels/{name}/test", Policy::to(Need::Operate, About::AllSites), test_channel)
}

/// One event for one post through one channel.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Notification {
    /// What is told: the alert's id and `raised`, `unmuted`, `again`, `unstable`, `undelivered` with the channel that did not take it, `acknowledged`, `rejected` or `cleared`.
    event: String,
    /// To which post.
    post: String,
    /// Through which channel.
    channel: String,
    site: String,
    alert: String,
    /// Since when it is to be told, in ms since 1970 UTC.
    created_at: i64,
    /// queued, sending, retry, sent, digested, dead or cancelled.
    state: String,
    /// What keeps it quiet while it is queued: life, inhibition, maintenance or silence; null for nothing.
    held: Option<&'static str>,
    /// Of one that is cancelled: cleared, acknowledged, over, needless or `channel_removed`.
    why: Option<String>,
    /// The message that carries it; a repeat of the message has the same id. `?message=` lists what else it carries.
    message: Option<String>,
    /// Why it is in that message: single, group or digest.
    kind: Option<String>,
    /// How often the message was sent.
    attempts: i64,
    /// When it is sent again.
    next_at: Option<i64>,
    /// When the receiver may first have heard of it.
    told_at: Option<i64>,
    /// What the receiver said last.
    answer: String,
}

impl Notification {
    fn new(row: DeliveryRow, held: Option<&'static str>) -> Self {
        Self {
            event: row.event,
            post: row.post,
            channel: row.channel,
            site: row.site.to_string(),
            alert: row.alert.to_string(),
            created_at: row.created_at.millis(),
            state: row.state,
            held,
            why: Some(row.why).filter(|why| !why.is_empty()),
            message: row.message.map(|id| id.to_string()),
            kind: row.kind,
            attempts: row.attempts,
            next_at: row.next_at.map(Timestamp::millis),
            told_at: row.told_at.map(Timestamp::millis),
            answer: row.answer,
        }
    }
}

/// Which notifications are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NotificationQuery {
    /// In this state only.
    state: Option<String>,
    /// Through this channel only.
    channel: Option<String>,
    /// Of this site only.
    site: Option<String>,
    /// Of this alert only.
    alert: Option<String>,
    /// Carried by this message only.
    message: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Items of a page, 1 to 1000, usually 100.
    limit: Option<i64>,
}

fn id(what: &str, text: Option<&str>) -> Result<Option<Uuid>, ApiError> {
    text.map(str::parse).transpose().map_err(|_| ApiError::Parameter(format!("`{what}` is no id")))
}

/// What was or is to be told to whom, the newest first.
#[utoipa::path(get, path = "/api/v1/notifications", tag = "notifications", params(NotificationQuery),
    responses((status = 200, body = Page<Notification>), (status = 400, description = "A parameter is not valid")))]
pub(in crate::http) async fn list_notifications(
    State(app): State<App>,
    Query(query): Query<NotificationQuery>,
) -> Result<Json<Page<Notification>>, ApiError> {
    if let Some(state) = query.state.as_deref().filter(|state| !DELIVERY_STATES.contains(state)) {
        let known = DELIVERY_STATES.join(", ");
        return Err(ApiError::Parameter(format!("`state` is `{state}`, use {known}")));
    }
    let filter = DeliveryFilter {
        site: name::<SiteId>("site", query.site.as_deref())?,
        alert: id("alert", query.alert.as_deref())?.map(AlertId),
        message: id("message", query.message.as_deref())?,
        state: query.state,
        channel: query.channel,
    };
    let after = cursor(query.after.as_deref())?;
    let (rows, next) = app.store.deliveries(&filter, after.as_ref(), limit(query.limit)?).await??;
    let held = held(&app, &rows).await?;
    let item = |row: DeliveryRow| {
        let held = held.iter().find(|(alert, _)| *alert == row.alert && row.state == "queued").map(|(_, by)| *by);
        Notification::new(row, held)
    };
    let items = rows.into_iter().map(item).collect();
    Ok(Json(Page { items, next: next.as_ref().map(Cursor::to_string) }))
}

/// The alerts among those of queued notifications that something keeps quiet, and what.
pub(in crate::http) async fn held(
    app: &App,
    rows: &[DeliveryRow],
) -> Result<Vec<(AlertId, &'static str)>, store::StoreError> {
    let queued: BTreeSet<AlertId> = rows.iter().filter(|row| row.state == "queued").map(|row| row.alert).collect();
    let (mut held, now) = (Vec::new(), app.clock.now());
    for id in queued {
        if let Some(alert) = app.store.alert(id).await?
            && let Some(muted) = app.restraints.over(&alert, now).1
        {
            held.push((id, muted.as_str()));
        }
    }
    Ok(held)
}

/// A channel.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Channel {
    name: String,
    /// wecom, dingtalk, feishu, ntfy, webhook or smtp.
    kind: &'static str,
    /// The posts whose notifications go there.
    posts: Vec<String>,
    /// Of these sites only; of all if there is none.
    sites: Vec<String>,
    /// new (nothing was sent yet), ok, failing, paused, or disabled: its receiver is gone.
    state: &'static str,
    /// Since when it is known; what was to be told before is not sent to it.
    since: Option<i64>,
    /// Until when its receiver wants nothing.
    paused_until: Option<i64>,
    /// When something was last sent.
    answered_at: Option<i64>,
    /// What the receiver said to it.
    answer: String,
    /// Notifications that wait for it.
    waiting: i64,
    /// Notifications of the last day that it did not take.
    dead: i64,
}

/// How a channel stands, in one word.
pub(in crate::http) fn standing(row: Option<&ChannelRow>, now: Timestamp) -> &'static str {
    match row {
        None => "new",
        Some(row) if row.disabled_at.is_some() => "disabled",
        Some(row) if row.paused_until.is_some_and(|until| until > now) => "paused",
        Some(row) if row.answered_at.is_none() => "new",
        Some(row) if row.taken => "ok",
        Some(_) => "failing",
    }
}

impl Channel {
    fn new(channel: &Configured, row: Option<&ChannelRow>, now: Timestamp) -> Self {
        Self {
            name: channel.name.to_string(),
            kind: channel.target.kind(),
            posts: channel.posts.iter().map(ToString::to_string).collect(),
            sites: channel.sites.iter().map(ToString::to_string).collect(),
            state: standing(row, now),
            since: row.map(|row| row.since.millis()),
            paused_until: row.and_then(|row| row.paused_until).filter(|at| *at > now).map(Timestamp::millis),
            answered_at: row.and_then(|row| row.answered_at).map(Timestamp::millis),
            answer: row.map(|row| row.answer.clone()).unwrap_or_default(),
            waiting: row.map_or(0, |row| row.waiting),
            dead: row.map_or(0, |row| row.dead),
        }
    }
}

/// Every channel and how it stands. Addresses and keys are not shown.
#[utoipa::path(get, path = "/api/v1/channels", tag = "notifications", responses((status = 200, body = Page<Channel>)))]
pub(in crate::http) async fn list_channels(State(app): State<App>) -> Result<Json<Page<Channel>>, ApiError> {
    let (settings, now) = (app.notify.settings(), app.clock.now());
    let rows = app.store.channels(now - DEAD_FOR).await?;
    let channel = |channel: &std::sync::Arc<Configured>| {
        Channel::new(channel, rows.iter().find(|row| row.name == channel.name.as_str()), now)
    };
    Ok(Json(Page { items: settings.channels.values().map(channel).collect(), next: None }))
}

/// A test. The body is an empty object.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TestRequest {}

/// What came of a test.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct TestAnswer {
    /// The message's id.
    id: String,
    /// Whether the receiver took it.
    taken: bool,
    /// What the receiver said.
    answer: String,
    /// How long it took.
    took_ms: i64,
}

/// Sends a message that says nothing but that messages arrive, and tells what the receiver said. One that is taken opens a channel again
/// that was disabled.
#[utoipa::path(post, path = "/api/v1/channels/{name}/test", tag = "notifications",
    params(("name" = String, Path, description = "The channel")), request_body = TestRequest,
    responses((status = 200, body = TestAnswer), (status = 404, description = "There is no such channel"),
        (status = 409, description = "The channel has sent as much as its receiver takes")))]
pub(in crate::http) async fn test_channel(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Body(TestRequest {}): Body<TestRequest>,
) -> Result<Json<TestAnswer>, ApiError> {
    let tested = app.notify.test(&name, &caller.actor("")).await?;
    let took_ms = tested.took.millis();
    Ok(Json(TestAnswer { id: tested.id.to_string(), taken: tested.taken, answer: tested.answer, took_ms }))
}

/// Who wants a message to be sent again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ResendRequest {
    /// Their name.
    #[serde(default)]
    by: String,
}

/// A message that is sent again.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Resent {
    /// Its id, which it keeps: `/api/v1/notifications?message=` lists what it carries and how that goes.
    id: String,
    /// Through which channel.
    channel: String,
}

/// Sends a message again that will not be taken otherwise, and so every `dead` notification that it carries. It goes under the same id, when
/// the channel has no other message under way, and is tried like any other; a channel that is disabled keeps it until a test is taken.
#[utoipa::path(post, path = "/api/v1/messages/{id}/resend", tag = "notifications",
    params(("id" = String, Path, description = "The message")), request_body = ResendRequest,
    responses((status = 200, body = Resent), (status = 404, description = "There is no such message"),
        (status = 409, description = "It is not dead, so a repeat of this sends nothing twice; or its channel is not configured any more")))]
pub(in crate::http) async fn resend_message(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<ResendRequest>,
) -> Result<Json<Resent>, ApiError> {
    let by = caller.signs(body.by);
    check_texts(&by, "")?;
    let message: Uuid = id.parse().map_err(|_| ApiError::NotFound("message"))?;
    let channel = app.store.resend(message, &caller.actor(&by), app.clock.now()).await?;
    Ok(Json(Resent { id: message.to_string(), channel }))
}
