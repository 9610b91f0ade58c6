//! The page of one device, found by its name and site or by the code on its label.

use axum::{extract::State, response::Response};
use lobby_contract::{AgentId, DeviceId, SiteId};
use lobby_dashboards::{DevicePage, HereFor, LifeCard, Page, Range};
use lobby_domain::{
    alert::Subject,
    device::Device,
    site::Site,
    time::{Span, Timestamp},
};

use super::{
    App, Html, Open, PageError, Path, Reader, Scene, agents, alerts, answer, engineering, history, incident, overlay,
    register, report, ticket, tiles,
};
use crate::{
    restraints::new_id,
    store::{AlertFilter, AlertRow, Grain, LostRow, TicketFilter, TicketRow},
};

/// The most alerts that make up the past of a device.
const MOST_ALERTS: i64 = 500;
/// The most ranges of lost records.
const LOSSES: i64 = 20;
/// Tickets listed.
const TICKETS: i64 = 10;

/// What an address below `/d/` names.
enum Found {
    /// A device, and whether it was found by the code on its label.
    Device(SiteId, DeviceId, ByLabel),
    /// Something that another page tells of.
    Elsewhere(String),
}

/// Whether an address held the code on a label, which only whoever stands before it can read.
type ByLabel = bool;

/// What was read of a device.
struct Past {
    known: history::Known,
    alerts: Vec<AlertRow>,
    tickets: Vec<TicketRow>,
    lost: Vec<LostRow>,
}

/// The page.
pub(super) async fn show(State(app): State<App>, reader: Reader, Path(code): Path<String>) -> Response {
    if reader.caller.is_nobody() {
        return answer::answer(&app, &reader, report::guest(&app, &reader, &code)).await;
    }
    let found = match find(&app, &reader, &code).await {
        Err(PageError::NotFound) => register::at_label(&app, &reader, &code).await.map(Found::Elsewhere),
        found => found,
    };
    match found {
        Ok(Found::Device(site, device, scanned)) => {
            let label = scanned.then_some(&*code);
            answer::answer(&app, &reader, page(&app, &reader, site, device, label)).await
        }
        Ok(Found::Elsewhere(place)) => answer::see(&place),
        Err(error) => answer::refuse(&app, &reader, error),
    }
}

async fn find(app: &App, reader: &Reader, code: &str) -> Result<Found, PageError> {
    let id: DeviceId = code.parse().map_err(|_| PageError::NotFound)?;
    if let Some(site) = reader.site()?
        && let Some(found) = within(app, &site, &id)
    {
        return Ok(found);
    }
    if let Some((site, device)) = app.store.device_by_code(code).await?
        && reader.site()?.is_none_or(|asked| asked == site)
    {
        return Ok(Found::Device(site, device, true));
    }
    // Without a site, a name that only one site has is enough.
    let sites = app.fleet.read();
    let mut having = sites.values().filter(|site| site.device(&id).is_some()).map(|site| site.id.clone());
    match (reader.site()?, having.next(), having.next()) {
        (None, Some(site), None) => Ok(Found::Device(site, id, false)),
        _ => Err(PageError::NotFound),
    }
}

fn within(app: &App, site: &SiteId, id: &DeviceId) -> Option<Found> {
    let sites = app.fleet.read();
    let known = sites.get(site)?;
    if known.device(id).is_some() {
        return Some(Found::Device(site.clone(), id.clone(), false));
    }
    let agent: Option<AgentId> = id.as_str().parse().ok();
    if agent.is_some_and(|agent| known.agent(&agent).is_some()) {
        return Some(Found::Elsewhere(format!("/a/{site}/{id}")));
    }
    (id.as_str() == site.as_str()).then(|| Found::Elsewhere(format!("/?site={site}")))
}

/// The site and the name of the device at an address below `/d/`.
pub(super) async fn named(app: &App, reader: &Reader, code: &str) -> Result<(SiteId, DeviceId), PageError> {
    match find(app, reader, code).await? {
        Found::Device(site, device, _) => Ok((site, device)),
        Found::Elsewhere(_) => Err(PageError::NotFound),
    }
}

async fn page(
    app: &App,
    reader: &Reader,
    site: SiteId,
    device: DeviceId,
    label: Option<&str>,
) -> Result<String, PageError> {
    let range = Range::ALL.into_iter().find(|range| Some(range.name()) == reader.asked.range.as_deref());
    let range = range.unwrap_or(Range::Day);
    let now = app.clock.now();
    let past = read(app, &site, &device, range, now).await?;
    let open = Open::of(
        past.alerts.iter().filter(|alert| alert.cleared_at.is_none()).cloned().collect(),
        past.tickets.iter().filter(|ticket| ticket.closed_at.is_none()).cloned().collect(),
    );
    let page = Scene::with(app, reader, Some(site.clone()), &open, |scene| {
        let site = scene.site(&site).ok_or(PageError::NotFound)?;
        let device = site.device(&device).ok_or(PageError::NotFound)?;
        let here_for = label.map(|label| here_for(scene, label)).unwrap_or_default();
        Ok(DevicePage { here_for, ..build(scene, site, device, range, &past) })
    })?;
    page.html(reader.fragment)
}

async fn read(app: &App, site: &SiteId, device: &DeviceId, range: Range, now: Timestamp) -> Result<Past, PageError> {
    let subject = Some(Subject::Device(device.clone()));
    let filter = AlertFilter { site: Some(site.clone()), subject: subject.clone(), ..AlertFilter::default() };
    let (alerts, _) = app.store.alerts(&filter, None, MOST_ALERTS).await??;
    let filter = TicketFilter { site: Some(site.clone()), subject, ..TicketFilter::default() };
    let (tickets, _) = app.store.tickets(&filter, None, TICKETS).await??;
    let agent = app.fleet.read().get(site).and_then(|site| site.device(device)).map(|device| device.agent.clone());
    let lost = match agent {
        Some(agent) => app.store.lost(site, &agent, None, LOSSES).await??.0,
        None => Vec::new(),
    };
    Ok(Past { known: known(app, site, device, range, now).await?, alerts, tickets, lost })
}

/// The records, hours or days that fit a range: about as many as a chart can show.
async fn known(
    app: &App,
    site: &SiteId,
    device: &DeviceId,
    range: Range,
    now: Timestamp,
) -> Result<history::Known, PageError> {
    let hour = Span::from_mins(60);
    let every = app.fleet.read().get(site).and_then(|site| Some(site.device(device)?.every));
    let gap = app.fleet.setup().gap(site.as_str(), every.unwrap_or_default());
    let (grain, length) = match range {
        Range::Day => {
            let records = app.store.history(site, device, now.shifted(-range.ms()), now.shifted(1)).await?;
            return Ok(history::Known::Records(records, gap));
        }
        Range::Week | Range::Month => (Grain::Hour, hour),
        Range::Year => (Grain::Day, hour.times(24)),
    };
    let period = (now.shifted(-range.ms()), now.shifted(1));
    let mut rollups = app.store.rollups(site, device, grain, period).await?;
    if grain == Grain::Hour {
        // The last hours are not rolled up yet.
        let latest = now.shifted(-now.millis().rem_euclid(hour.millis())) - hour.times(2);
        let from = rollups.last().map_or(latest, |last| (last.at + hour).max(latest));
        let records = app.store.history(site, device, from - gap, now.shifted(1)).await?;
        rollups.extend(history::hours(&records, gap, from, now));
    }
    Ok(history::Known::Rollups(rollups, length))
}

/// The open tickets for which the reader, who has scanned the label, may say that they are there: their own first.
fn here_for(scene: &Scene<'_>, label: &str) -> Vec<HereFor> {
    let reader = scene.reader.caller.person();
    let others = |row: &TicketRow| {
        let owner = Some(&row.owner).filter(|owner| !owner.is_empty());
        owner.filter(|owner| reader.is_some_and(|person| person.name != **owner)).cloned()
    };
    let here = scene.open.tickets.iter().filter(|row| ticket::arrives(scene, row)).map(|row| HereFor {
        no: row.number.to_string(),
        title: scene.text(&row.title),
        version: row.version,
        key: new_id().to_string(),
        label: label.to_owned(),
        owner: others(row),
    });
    let mut here: Vec<HereFor> = here.collect();
    here.sort_by_key(|here| here.owner.is_some());
    here
}

fn build(scene: &Scene<'_>, site: &Site, device: &Device, range: Range, past: &Past) -> DevicePage {
    let kind = device.watch.kind();
    let text = |label| scene.text(label);
    DevicePage {
        device: scene.device(site, device),
        kind: kind.map_or_else(|| device.kind.to_string(), |kind| text(&kind.kind.label)),
        state: scene.state_of(site, device),
        since: tiles::since(scene, site, device).map(|at| scene.when(at)),
        seen: device.last.as_ref().map(|last| scene.when(last.received_at)),
        inference: None,
        maintenance: overlay::of_device(scene, site, device),
        incident: incident::of(scene, site, device, |_| true),
        here_for: Vec::new(),
        facts: kind.map(|kind| tiles::all(scene, site, device, kind)).unwrap_or_default(),
        range,
        series: kind.map(|kind| history::series(device, kind, &past.known, scene.words())).unwrap_or_default(),
        history: history::spans(scene.pack, &past.known, &past.alerts, scene.now.millis()),
        losses: agents::losses(scene, &past.lost, scene.now.shifted(-range.ms())),
        alerts: scene.open.alerts.iter().map(|alert| alerts::row(scene, alert)).collect(),
        tickets: past.tickets.iter().map(|ticket| engineering::queued(scene, ticket)).collect(),
        life: LifeCard { now: device.life },
        agent: site.agent(&device.agent).map(|agent| engineering::row(scene, site, agent)),
        chrome: scene.chrome(Page::Device),
    }
}
