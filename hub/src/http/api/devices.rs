//! Sites and devices: the live state.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use lobby_contract::{DeviceId, FactValue, SiteId};
use lobby_domain::access::Need;
use lobby_domain::{device, site, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{About, ApiError, App, Caller, Page, Path, Policy, Query, Routes, Text, limit, name};
use crate::{fleet::Setup, http::error::Body, ingest::Decision};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/sites", Policy::read(About::Handler), list_sites)
        .get("/api/v1/devices", Policy::read(About::List), list_devices)
        .get("/api/v1/devices/{site}/{id}", Policy::read(About::Site), show_device)
        .put("/api/v1/devices/{site}/{id}/life", Policy::to(Need::Equip, About::Site), set_life)
}

/// A site.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Site {
    /// Its name in topics and addresses.
    id: String,
    /// What people call it.
    name: String,
    /// Its time zone.
    zone: Option<String>,
    /// Whether its opening hours are configured; if not, it is treated as open around the clock.
    hours_known: bool,
    /// The part of its day: closed, preparing, ready, open or closing.
    #[schema(value_type = String)]
    part_of_day: lobby_domain::calendar::PartOfDay,
    /// Its agents, each with the state of its link: unverified, up, suspect or down.
    agents: Vec<Agent>,
    /// Its devices by state.
    devices: BTreeMap<&'static str, u32>,
    /// The areas in which devices may stand there.
    areas: Vec<Area>,
}

/// An area of a site, such as its entrance.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Area {
    /// Its name in the configuration and in queries.
    id: String,
    /// What people call it.
    label: Text,
}

impl From<lobby_domain::area::Area> for Area {
    fn from(area: lobby_domain::area::Area) -> Self {
        Self { id: area.id.into(), label: (&area.label).into() }
    }
}

/// The area in which a device of a site stands, if that is known.
pub(super) fn area_of(app: &App, site: &SiteId, device: &DeviceId) -> Option<Area> {
    let kind = app.fleet.read().get(site).and_then(|site| Some(site.device(device)?.kind.clone()))?;
    app.fleet.setup().area_of(site, device, &kind).map(Area::from)
}

/// An agent.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Agent {
    id: String,
    link: &'static str,
    last_seen: Option<i64>,
    version: String,
    epoch: u64,
    session: u32,
    queued: u64,
    clock_behind_ms: i64,
    clock_suspect: bool,
}

/// A device and what may be said of it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Device {
    /// Its site.
    site: String,
    /// Its name within the site.
    id: String,
    /// Its kind in the standards pack.
    kind: String,
    /// What people call it.
    name: String,
    /// The area in which it stands; null if that is not known.
    area: Option<Area>,
    /// Where it stands.
    place: String,
    /// The agent that watches it.
    agent: String,
    /// Where it stands in its life: announced, trial, live, maintenance or retired.
    life: &'static str,
    /// Its state in one word: normal, abnormal, offline or unknown.
    state: &'static str,
    /// Since when, in ms since 1970 UTC.
    state_since: Option<i64>,
    /// The state in its parts: link, reach, function, freshness, expected.
    #[schema(value_type = Object)]
    verdict: device::Verdict,
    /// When it was last probed.
    at: Option<i64>,
    /// When that was received.
    received_at: Option<i64>,
    /// What it last stated. Of no meaning for the present unless `verdict.freshness` is `fresh`.
    #[schema(value_type = Object)]
    facts: BTreeMap<Box<str>, FactValue>,
    /// Its own fault codes.
    #[schema(value_type = Vec<String>)]
    faults: Vec<Box<str>>,
}

impl Device {
    fn of(setup: &Setup, site: &site::Site, device: &device::Device, now: Timestamp) -> Self {
        let verdict = device.verdict(site.link_of(device), site.part_of_day().expected(), now);
        let last = device.last.as_ref();
        let stated = last.map(|last| last.said.sample());
        let state = verdict.state();
        Self {
            site: site.id.to_string(),
            id: device.id.to_string(),
            kind: device.kind.to_string(),
            name: device.name.to_string(),
            area: setup.area_of(&site.id, &device.id, &device.kind).map(Area::from),
            place: device.place.to_string(),
            agent: device.agent.to_string(),
            life: device.life.as_str(),
            state: state.as_str(),
            state_since: device.state_since.filter(|(known, _)| *known == state).map(|(_, since)| since.millis()),
            verdict,
            at: last.map(|last| last.at.millis()),
            received_at: last.map(|last| last.received_at.millis()),
            faults: stated.as_ref().map(|sample| sample.faults.clone()).unwrap_or_default(),
            facts: stated.map(|sample| sample.facts).unwrap_or_default(),
        }
    }
}

/// Which devices are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct DeviceQuery {
    /// Of this site only.
    site: Option<String>,
    /// In this area only, by its id.
    area: Option<String>,
    /// In this state only: normal, abnormal, offline or unknown.
    state: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Items of a page, 1 to 1000, usually 100.
    limit: Option<i64>,
}

/// Refuses an area that none of the sites has, rather than to say that nothing stands there.
fn check_area<'s>(
    setup: &Setup,
    mut sites: impl Iterator<Item = &'s SiteId>,
    area: Option<&str>,
) -> Result<(), ApiError> {
    let Some(wanted) = area else { return Ok(()) };
    if sites.any(|site| setup.areas(site).iter().any(|area| *area.id == *wanted)) {
        return Ok(());
    }
    Err(ApiError::Parameter("`area` is none of the areas of the site; /api/v1/sites names them".to_owned()))
}

/// Every site.
#[utoipa::path(get, path = "/api/v1/sites", tag = "sites", responses((status = 200, body = Page<Site>)))]
pub(in crate::http) async fn list_sites(State(app): State<App>, caller: Caller) -> Json<Page<Site>> {
    let (now, setup) = (app.clock.now(), app.fleet.setup());
    let sites = app.fleet.read();
    let items = sites.values().filter(|site| caller.reaches(&site.id)).map(|site| {
        let mut devices = BTreeMap::new();
        for device in site.devices() {
            let verdict = device.verdict(site.link_of(device), site.part_of_day().expected(), now);
            *devices.entry(verdict.state().as_str()).or_insert(0) += 1;
        }
        Site {
            id: site.id.to_string(),
            name: app.fleet.name_of(&site.id),
            zone: site.calendar.zone().iana_name().map(str::to_owned),
            hours_known: site.calendar.is_known(),
            part_of_day: site.part_of_day(),
            agents: site.agents().map(agent).collect(),
            devices,
            areas: setup.areas(&site.id).into_iter().map(Area::from).collect(),
        }
    });
    Json(Page { items: items.collect(), next: None })
}

fn agent(agent: &lobby_domain::agent::Agent) -> Agent {
    Agent {
        id: agent.id.to_string(),
        link: agent.link.word().as_str(),
        last_seen: agent.last_seen.map(Timestamp::millis),
        version: agent.version.to_string(),
        epoch: agent.epoch,
        session: agent.session,
        queued: agent.queued,
        clock_behind_ms: agent.clock.behind_millis(),
        clock_suspect: agent.clock.is_suspect(),
    }
}

/// Devices by site and name.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", params(DeviceQuery),
    responses((status = 200, body = Page<Device>), (status = 400, description = "A parameter is not valid")))]
pub(in crate::http) async fn list_devices(
    State(app): State<App>,
    Query(query): Query<DeviceQuery>,
) -> Result<Json<Page<Device>>, ApiError> {
    let wanted: Option<SiteId> = name("site", query.site.as_deref())?;
    let limit = usize::try_from(limit(query.limit)?).unwrap_or(usize::MAX);
    let after = query.after.as_deref().filter(|after| !after.is_empty());
    // Neither name can hold a `.`, and both orders are those of the text.
    let after =
        after.map(|after| after.split_once('.').ok_or(ApiError::from(crate::store::CursorError))).transpose()?;
    let (now, setup) = (app.clock.now(), app.fleet.setup());
    let sites = app.fleet.read();
    check_area(
        &setup,
        sites.keys().filter(|site| wanted.as_ref().is_none_or(|wanted| wanted == *site)),
        query.area.as_deref(),
    )?;
    let items = sites
        .values()
        .filter(|site| wanted.as_ref().is_none_or(|wanted| *wanted == site.id))
        .flat_map(|site| site.devices().map(move |device| (site, device)))
        .filter(|(site, device)| after.is_none_or(|after| (site.id.as_str(), device.id.as_str()) > after))
        .map(|(site, device)| Device::of(&setup, site, device, now))
        .filter(|device| query.area.is_none() || device.area.as_ref().map(|area| &area.id) == query.area.as_ref())
        .filter(|device| query.state.as_deref().is_none_or(|state| state == device.state));
    let mut items: Vec<Device> = items.take(limit + 1).collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| format!("{}.{}", last.site, last.id));
    Ok(Json(Page { items, next }))
}

/// One device.
#[utoipa::path(get, path = "/api/v1/devices/{site}/{id}", tag = "devices",
    params(("site" = String, Path, description = "The site"), ("id" = String, Path, description = "The device")),
    responses((status = 200, body = Device), (status = 404, description = "There is no such device")))]
pub(in crate::http) async fn show_device(
    State(app): State<App>,
    Path((site, id)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let (now, setup) = (app.clock.now(), app.fleet.setup());
    let found = {
        let sites = app.fleet.read();
        let site = site.parse::<SiteId>().ok().and_then(|site| sites.get(&site));
        let device = id.parse::<DeviceId>().ok().and_then(|id| site?.device(&id));
        device
            .zip(site)
            .map(|(device, site)| (Device::of(&setup, site, device, now), site.id.clone(), device.id.clone()))
    };
    let (device, site, id) = found.ok_or(ApiError::NotFound("device"))?;
    let code = app.store.code(&site, &id).await?;
    let mut body = serde_json::to_value(device).expect("a device has string keys only");
    body["page"] = code.map_or(Value::Null, |code| format!("/d/{code}").into());
    Ok(Json(body))
}

/// A stage of a device's life.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewLife {
    /// trial, live, maintenance or retired.
    #[schema(value_type = String)]
    life: device::Life,
}

/// Moves a device to another stage of its life. Only `live` devices open tickets and have anybody told.
#[utoipa::path(put, path = "/api/v1/devices/{site}/{id}/life", tag = "devices",
    params(("site" = String, Path, description = "The site"), ("id" = String, Path, description = "The device")),
    request_body = NewLife,
    responses((status = 200, body = Device), (status = 404, description = "There is no such device"),
        (status = 409, description = "The device cannot go there from where it stands")))]
pub(in crate::http) async fn set_life(
    State(app): State<App>,
    caller: Caller,
    Path((site, id)): Path<(String, String)>,
    Body(NewLife { life }): Body<NewLife>,
) -> Result<Json<Value>, ApiError> {
    let (known, device) = (site.parse(), id.parse());
    let (Ok(known), Ok(device)) = (known, device) else { return Err(ApiError::NotFound("device")) };
    app.desk.decide(known, Decision::Life { device, life }, caller.actor("")).await?;
    show_device(State(app), Path((site, id))).await
}
