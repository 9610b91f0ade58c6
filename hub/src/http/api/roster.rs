//! Who is on duty.

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use lobby_contract::SiteId;
use lobby_domain::{
    roster::{AHEAD, Holder},
    time::{Span, Timestamp},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{About, ApiError, App, Page, Policy, Query, Routes, name};
use crate::store::DutyRow;

/// The longest time that is told at once.
const LONGEST: Span = Span::from_mins(366 * 24 * 60);

pub(super) fn routes() -> Routes {
    Routes::new().get("/api/v1/roster", Policy::read(About::List), list_duties).get(
        "/api/v1/roster/now",
        Policy::read(About::List),
        list_on_duty,
    )
}

/// Somebody on duty.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct OnDuty {
    id: String,
    name: String,
}

impl From<Holder> for OnDuty {
    fn from(holder: Holder) -> Self {
        Self { id: holder.id.into(), name: holder.name.into() }
    }
}

/// One person's time at a post.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Duty {
    site: String,
    /// The day whose shift it is, at the site.
    day: String,
    post: String,
    person: OnDuty,
    /// From when, in ms since 1970 UTC.
    from: i64,
    /// Until when, in ms since 1970 UTC.
    until: i64,
    /// Since when the person may no longer sign in, in ms since 1970 UTC: from then on they are not on duty.
    disabled_at: Option<i64>,
}

impl Duty {
    fn of(site: &SiteId, row: DutyRow) -> Self {
        let DutyRow { duty, disabled_at } = row;
        Self {
            site: site.to_string(),
            day: duty.day.to_string(),
            post: duty.post.into(),
            person: duty.who.into(),
            from: duty.from.millis(),
            until: duty.until.millis(),
            disabled_at: disabled_at.map(Timestamp::millis),
        }
    }
}

/// Who is at a post of a site that keeps a roster.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PostOnDuty {
    site: String,
    post: String,
    /// Who is on duty, the one who answers for the post first; empty if nobody is.
    people: Vec<OnDuty>,
}

/// Which duties are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct RosterQuery {
    /// Of this site only.
    site: Option<String>,
    /// Not over before then, in ms since 1970 UTC; usually now.
    from: Option<i64>,
    /// Begun before then, in ms since 1970 UTC; usually 7 days after `from`, and 366 days after it at most.
    until: Option<i64>,
}

/// Of which site it is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NowQuery {
    /// Of this site only.
    site: Option<String>,
}

async fn sites(app: &App, site: Option<&str>) -> Result<BTreeSet<SiteId>, ApiError> {
    match name::<SiteId>("site", site)? {
        Some(site) => Ok([site].into()),
        None => Ok(app.store.sites_with_roster().await?),
    }
}

/// Who is on duty when, by site and in order.
#[utoipa::path(get, path = "/api/v1/roster", tag = "roster", params(RosterQuery),
    responses((status = 200, body = Page<Duty>), (status = 400, description = "A parameter is not valid")))]
pub(in crate::http) async fn list_duties(
    State(app): State<App>,
    Query(query): Query<RosterQuery>,
) -> Result<Json<Page<Duty>>, ApiError> {
    let from = query.from.map_or_else(|| app.clock.now(), Timestamp::from_millis);
    let until = query.until.map_or_else(|| from.shifted(AHEAD.millis()), Timestamp::from_millis);
    if until <= from || until.since(from) > LONGEST {
        return Err(ApiError::Parameter("`until` is not after `from`, or more than 366 days after it".to_owned()));
    }
    let mut items = Vec::new();
    for site in sites(&app, query.site.as_deref()).await? {
        let rows = app.store.duties(&site, from, until).await?;
        items.extend(rows.into_iter().map(|row| Duty::of(&site, row)));
    }
    Ok(Json(Page { items, next: None }))
}

/// Who is on duty now, by post, at every site that keeps a roster. Where none is kept, whoever is at a post answers for it.
#[utoipa::path(get, path = "/api/v1/roster/now", tag = "roster", params(NowQuery),
    responses((status = 200, body = Page<PostOnDuty>), (status = 400, description = "A parameter is not valid")))]
pub(in crate::http) async fn list_on_duty(
    State(app): State<App>,
    Query(query): Query<NowQuery>,
) -> Result<Json<Page<PostOnDuty>>, ApiError> {
    let mut items = Vec::new();
    for site in sites(&app, query.site.as_deref()).await? {
        for (post, people) in app.store.on_duty(&site, app.clock.now()).await?.unwrap_or_default() {
            let people = people.into_iter().map(OnDuty::from).collect();
            items.push(PostOnDuty { site: site.to_string(), post: post.into(), people });
        }
    }
    Ok(Json(Page { items, next: None }))
}
