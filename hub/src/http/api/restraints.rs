//! What silences and maintenance windows have in common: how they are shown, made once, changed and ended.

use axum::{
    Json,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use lobby_domain::{
    alert::AlertId,
    matchers::Matchers,
    restraint::{self, Change, Kind, Refusal, RestraintId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{ApiError, App, Caller, Page, cursor, limit};
use crate::{
    audit::Actor,
    http::conditional::Conditions,
    restraints::new_id,
    store::{ChangeError, Cursor, Made, RestraintFilter},
};

/// The longest name, in bytes.
const LONGEST_NAME: usize = 200;
/// The longest comment, in bytes.
const LONGEST_COMMENT: usize = 4000;
/// The longest idempotency key, in bytes.
const LONGEST_KEY: usize = 200;
/// Ids made from idempotency keys.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c6f_6262_792d_4a75_a1e5_0000_0000_0002);

/// A silence or a maintenance window.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Restraint {
    id: String,
    /// `pending`, `active` or `expired`.
    #[schema(value_type = String)]
    state: restraint::State,
    /// What each field must be: a text, or a list of texts of which one will do. Fields are site, device, agent, kind, place, rule and
    /// severity. Null for a silence until an alert is resolved.
    #[schema(value_type = Option<Object>)]
    matchers: Option<Matchers>,
    /// The alert with whose end the silence ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    until_resolved: Option<String>,
    /// For maintenance: whether alerts that were open before it began are kept quiet too. What began in a window
    /// that this one goes on from without a gap is kept quiet anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    include_firing: Option<bool>,
    /// When it begins, in ms since 1970 UTC.
    starts: i64,
    /// When it ends; null as long as the alert is open with which it ends.
    ends: Option<i64>,
    /// Who made it.
    author: String,
    comment: String,
    created_at: i64,
    /// Who last changed or ended it.
    changed_by: String,
    /// The one that it goes on from.
    replaces: Option<String>,
}

impl Restraint {
    fn new(row: &restraint::Restraint, now: Timestamp) -> Self {
        let (until_resolved, include_firing) = match &row.kind {
            Kind::Silence(_) => (None, None),
            Kind::UntilResolved(alert) => (Some(alert.to_string()), None),
            Kind::Maintenance { include_firing, .. } => (None, Some(*include_firing)),
        };
        Self {
            id: row.id.to_string(),
            state: row.state(now),
            matchers: row.kind.matchers().cloned(),
            until_resolved,
            include_firing,
            starts: row.starts.millis(),
            ends: row.ends.map(Timestamp::millis),
            author: row.author.to_string(),
            comment: row.comment.to_string(),
            created_at: row.created_at.millis(),
            changed_by: row.changed_by.to_string(),
            replaces: row.replaces.map(|id| id.to_string()),
        }
    }
}

/// Which of them are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct RestraintQuery {
    /// pending, active, expired or all; all if nothing is said.
    #[param(inline)]
    state: Option<Standing>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Items of a page, 1 to 1000, usually 100.
    limit: Option<i64>,
}

/// Where the wanted ones stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Standing {
    /// They have not begun.
    Pending,
    /// They restrain.
    Active,
    /// They are over.
    Expired,
    /// Any.
    All,
}

/// A change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct RestraintChange {
    /// What it is about. Other matchers make it another one, and the old one ends.
    #[schema(value_type = Option<Object>)]
    matchers: Option<Matchers>,
    /// For maintenance alone: whether alerts that were open before it began are kept quiet too. What began in a window
    /// that this one goes on from without a gap is kept quiet anyway.
    include_firing: Option<bool>,
    /// When it begins. Another beginning of an active one makes it another one, and the old one ends.
    starts: Option<i64>,
    /// When it ends.
    ends: Option<i64>,
    comment: Option<String>,
    /// Who changes it.
    #[serde(default, alias = "name")]
    by: String,
}

/// Who ends it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct EndQuery {
    /// Their name.
    #[serde(default, alias = "name")]
    by: String,
}

impl EndQuery {
    pub(super) fn into_name(self) -> String {
        self.by
    }
}

/// What a new one is to be.
pub(super) struct Wish {
    pub kind: Kind,
    pub starts: Option<i64>,
    pub ends: Option<i64>,
    pub by: String,
    pub comment: String,
}

/// The key under which a request is done once, however often it comes, with a digest of what it asks for.
pub(super) struct Key {
    pub id: Uuid,
    request: Uuid,
}

impl Key {
    /// The key of a request, if it has one.
    pub(super) fn of(headers: &HeaderMap, path: &str, body: &impl Serialize) -> Result<Option<Self>, ApiError> {
        let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
        let key = key.to_str().ok().filter(|key| (1..=LONGEST_KEY).contains(&key.len()));
        let key = key.ok_or_else(|| {
            ApiError::Parameter(format!("`Idempotency-Key` is 1 to {LONGEST_KEY} visible ASCII characters"))
        })?;
        let digest = |text: &str| Uuid::new_v5(&NAMESPACE, format!("{path}\n{text}").as_bytes());
        let body = serde_json::to_string(body).expect("a body that was read as JSON can be written as JSON");
        Ok(Some(Self { id: digest(key), request: digest(&body) }))
    }
}

/// The texts a person may give.
pub(super) fn check_texts(by: &str, comment: &str) -> Result<(), ApiError> {
    if by.len() > LONGEST_NAME || comment.len() > LONGEST_COMMENT || by.contains('\0') || comment.contains('\0') {
        return Err(ApiError::Parameter(
            "`by` has at most 200 bytes and `comment` 4000, without the character NUL".to_owned(),
        ));
    }
    Ok(())
}

pub(super) async fn list(
    app: &App,
    caller: &Caller,
    maintenance: bool,
    query: RestraintQuery,
) -> Result<Json<Page<Restraint>>, ApiError> {
    let state = match query.state {
        Some(Standing::Pending) => Some(restraint::State::Pending),
        Some(Standing::Active) => Some(restraint::State::Active),
        Some(Standing::Expired) => Some(restraint::State::Expired),
        Some(Standing::All) | None => None,
    };
    let (filter, now) = (RestraintFilter { maintenance, state }, app.clock.now());
    let after = cursor(query.after.as_deref())?;
    let (rows, next) = app.store.restraints(filter, now, after.as_ref(), limit(query.limit)?).await??;
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        // A page may so have fewer items than were asked for, and still another one after it.
        if caller.reaches_restraint(app, &row.kind).await? {
            items.push(Restraint::new(row, now));
        }
    }
    Ok(Json(Page { items, next: next.as_ref().map(Cursor::to_string) }))
}

pub(super) async fn show(app: &App, maintenance: bool, id: &str) -> Result<Json<Restraint>, ApiError> {
    let row = find(app, maintenance, id).await?;
    Ok(Json(Restraint::new(&row, app.clock.now())))
}

async fn find(app: &App, maintenance: bool, id: &str) -> Result<restraint::Restraint, ApiError> {
    let what = if maintenance { "maintenance window" } else { "silence" };
    let id: Uuid = id.parse().map_err(|_| ApiError::NotFound(what))?;
    let row = app.store.restraint(RestraintId(id)).await?;
    row.filter(|row| row.kind.is_maintenance() == maintenance).ok_or(ApiError::NotFound(what))
}

pub(super) async fn make(
    app: &App,
    caller: &Caller,
    path: &str,
    wish: Wish,
    key: Option<Key>,
) -> Result<Response, ApiError> {
    check_texts(&wish.by, &wish.comment)?;
    caller.check_restraint(app, &wish.kind).await?;
    let now = app.clock.now();
    let wanted = restraint::Restraint {
        id: key.as_ref().map_or_else(new_id, |key| RestraintId(key.id)),
        kind: wish.kind,
        starts: wish.starts.map_or(now, Timestamp::from_millis),
        ends: wish.ends.map(Timestamp::from_millis),
        author: wish.by.into(),
        comment: wish.comment.into(),
        created_at: now,
        changed_by: "".into(),
        replaces: None,
    };
    let request = key.map(|key| key.request);
    // A repeat of what was once possible is not judged again.
    let before = if request.is_some() { app.store.restraint(wanted.id).await? } else { None };
    let wanted = if before.is_some() { wanted } else { wanted.made(now)? };
    let (status, row) = match app.restraints.make(&wanted, request, &caller.actor(&wanted.author)).await? {
        Made::New => (StatusCode::CREATED, wanted),
        Made::Repeat(row) => (StatusCode::OK, row),
        Made::Other => return Err(ApiError::KeyReused),
        Made::NotOpen => {
            return Err(ApiError::Conflict("no such alert is open: there is nothing to silence".to_owned()));
        }
        Made::TooMany => {
            return Err(ApiError::Conflict("too many silences and maintenance windows: end some first".to_owned()));
        }
    };
    let place = format!("{path}/{}", row.id);
    Ok((status, [(header::LOCATION, place)], Json(Restraint::new(&row, now))).into_response())
}

pub(super) async fn change(
    app: &App,
    caller: &Caller,
    maintenance: bool,
    id: &str,
    conditions: &Conditions,
    change: RestraintChange,
) -> Result<Json<Restraint>, ApiError> {
    let row = find(app, maintenance, id).await?;
    check_texts(&change.by, change.comment.as_deref().unwrap_or_default())?;
    if let Some(matchers) = &change.matchers {
        caller.check_matchers(matchers)?;
    }
    let change = Change {
        matchers: change.matchers,
        include_firing: change.include_firing,
        starts: change.starts.map(Timestamp::from_millis),
        ends: change.ends.map(Timestamp::from_millis),
        comment: change.comment.map(Into::into),
        by: caller.signs(change.by).into(),
    };
    let (now, actor) = (app.clock.now(), caller.actor(&change.by));
    let changed = change_if(app, row.id, conditions, (now, &actor), |row| row.change(change, new_id(), now)).await?;
    Ok(Json(Restraint::new(&changed, now)))
}

pub(super) async fn end(
    app: &App,
    caller: &Caller,
    maintenance: bool,
    id: &str,
    conditions: &Conditions,
    by: String,
) -> Result<Json<Restraint>, ApiError> {
    let row = find(app, maintenance, id).await?;
    let by = caller.signs(by);
    check_texts(&by, "")?;
    let (now, actor) = (app.clock.now(), caller.actor(&by));
    let end = |row: &restraint::Restraint| row.end(by.into(), now).map(restraint::Changed::Same);
    let ended = change_if(app, row.id, conditions, (now, &actor), end).await?;
    Ok(Json(Restraint::new(&ended, now)))
}

/// Makes a change of what is in the state that the request expects. That is looked at in the transaction of the change, so that nobody
/// else's comes in between.
async fn change_if(
    app: &App,
    id: RestraintId,
    conditions: &Conditions,
    (now, actor): (Timestamp, &Actor),
    change: impl FnOnce(&restraint::Restraint) -> Result<restraint::Changed, Refusal> + Send,
) -> Result<restraint::Restraint, ApiError> {
    let mut expected = true;
    let changed = app.restraints.change(id, actor, |row| {
        expected = conditions.allow_change_of(&Restraint::new(row, now));
        if expected { Ok(change(row)?) } else { Err(ChangeError::Conflict) }
    });
    match changed.await {
        Err(ChangeError::Conflict) if !expected => Err(ApiError::Precondition),
        changed => Ok(changed?),
    }
}

/// An alert by its id as it stands in an address.
pub(super) fn alert_id(text: &str) -> Result<AlertId, ApiError> {
    text.parse().map(AlertId).map_err(|_| ApiError::NotFound("alert"))
}
