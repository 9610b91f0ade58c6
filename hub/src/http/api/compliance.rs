//! How the service standards were kept at a site in a month.

use axum::{Json, extract::State};
use lobby_contract::{DeviceId, SiteId};
use lobby_domain::{
    access::Need,
    compliance::{Availability, By, Instance, Kept, Sight, Tally},
    purchase::Month,
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{About, ApiError, App, Caller, Path, Policy, Routes, Text};
use crate::compliance::MonthOfSite;

pub(super) fn routes() -> Routes {
    let own = Policy::to(Need::OwnDuties, About::Site);
    Routes::new().get("/api/v1/sites/{site}/compliance/{month}", own, show_compliance)
}

/// How often what was owed was kept.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct KeptCount {
    /// In time.
    met: u32,
    late: u32,
    missed: u32,
    /// Does not count.
    excused: u32,
    /// Still has time.
    open: u32,
    /// `met` of `met`, `late` and `missed` in percent, rounded down to a tenth; null where nothing counts, which is never 100.
    percent: Option<f64>,
}

/// One thing that was owed.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Owed {
    /// `round`, `handover`, `told`, `response`, `arrival`, `completion`, `confirmation`, `chain`, `plan`, `statement`, `supply`, `warned`,
    /// `stock_take`, `consent`, `move` or `message`.
    duty: &'static str,
    title: Text,
    /// The post that owed it; null if the hub did.
    post: Option<String>,
    /// By when, in ms since 1970 UTC.
    due: i64,
    /// In ms since 1970 UTC.
    done: Option<i64>,
    /// Who did it, by name.
    by: Option<String>,
    /// `met`, `late`, `missed`, `excused` or `open`.
    kept: &'static str,
    /// Why it does not count: `hub_off`, `quiet`, `closed` or `unseen`.
    excuse: Option<&'static str>,
    /// The page on which it is to be looked up.
    evidence: String,
}

/// A clause, and what was owed by it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct KeptClause {
    /// Such as `CON-S9`.
    id: String,
    /// Where it stands.
    reference: Text,
    /// Whose it is; null if everybody's.
    post: Option<String>,
    kept: KeptCount,
    /// The month before.
    before: KeptCount,
    /// Why no figure of it is kept, or not of everything.
    why_not: Option<Text>,
    /// What was not kept first.
    instances: Vec<Owed>,
}

/// How long a device was known to work while the site was open, in ms.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Worked {
    device: String,
    good: i64,
    /// It did not work, or did not answer.
    bad: i64,
    /// It was under maintenance, in whatever state: that counts in no percentage.
    maintenance: i64,
    /// Nobody can tell.
    unknown: i64,
    /// `good` of all but maintenance in percent, rounded down to a tenth; null if there was no such time.
    percent: Option<f64>,
}

/// How the service standards were kept at a site in a month, as far as the caller sees it: of all posts, or of their own.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Compliance {
    site: String,
    /// Such as `2026-11`.
    month: String,
    /// The posts of which alone this tells; null if of all.
    posts: Option<Vec<&'static str>>,
    total: KeptCount,
    before: KeptCount,
    clauses: Vec<KeptClause>,
    devices: Vec<Worked>,
}

impl From<Tally> for KeptCount {
    fn from(tally: Tally) -> Self {
        let Tally { met, late, missed, excused, open } = tally;
        Self { met, late, missed, excused, open, percent: tally.tenths().map(|tenths| f64::from(tenths) / 10.0) }
    }
}

impl Owed {
    fn of(month: &MonthOfSite, instance: &Instance) -> Self {
        Self {
            duty: instance.duty.as_str(),
            title: (&instance.title).into(),
            post: instance.post.as_deref().map(str::to_owned),
            due: instance.due.millis(),
            done: instance.done.map(Timestamp::millis),
            by: match &instance.by {
                By::Person(name) => Some(name.to_string()),
                By::Hub | By::Nobody => None,
            },
            kept: instance.kept.as_str(),
            excuse: match instance.kept {
                Kept::Excused(excuse) => Some(excuse.as_str()),
                _ => None,
            },
            evidence: month.address_of(&instance.evidence),
        }
    }
}

impl Worked {
    fn of(device: String, availability: Availability) -> Self {
        let Availability { good, bad, maintenance, unknown } = availability;
        let tenths = availability.tenths(good).and_then(|tenths| u32::try_from(tenths).ok());
        Self { device, good, bad, maintenance, unknown, percent: tenths.map(|tenths| f64::from(tenths) / 10.0) }
    }
}

/// How the service standards were kept in a month.
#[utoipa::path(get, path = "/api/v1/sites/{site}/compliance/{month}", tag = "compliance",
    params(("site" = String, Path, description = "The site"), ("month" = String, Path, description = "The month, such as 2026-11")),
    responses((status = 200, body = Compliance), (status = 404, description = "There is no such site, or it is no month")))]
pub(in crate::http) async fn show_compliance(
    State(app): State<App>,
    caller: Caller,
    Path((site, month)): Path<(String, String)>,
) -> Result<Json<Compliance>, ApiError> {
    let month: Month = month.parse().map_err(|_| ApiError::NotFound("month"))?;
    let site: SiteId = site.parse().map_err(|_| ApiError::NotFound("site"))?;
    let (setup, now) = (app.fleet.setup(), app.clock.now());
    let devices: Vec<(DeviceId, Box<str>)> = match app.fleet.read().get(&site) {
        Some(live) => {
            let judged = live.devices().filter(|device| device.life.is_judged());
            judged.map(|device| (device.id.clone(), Box::from(&*device.kind))).collect()
        }
        None if setup.sites.contains_key(&site) => Vec::new(),
        None => return Err(ApiError::NotFound("site")),
    };
    let sight = Sight::of(caller.at(&site).roles());
    let of = MonthOfSite::read(&app.store, &app.fleet, (site, Some(month)), sight, now).await?;
    let text = |label: &lobby_domain::label::Label| Text::from(label);
    let clause = |(id, (kept, before)): (&str, (Tally, Tally))| {
        let clause = &setup.pack.clauses[id];
        KeptClause {
            id: id.to_owned(),
            reference: text(&clause.reference),
            post: clause.post.as_deref().map(str::to_owned),
            kept: kept.into(),
            before: before.into(),
            why_not: clause.why_not.as_ref().map(text),
            instances: of.owed_by(id).into_iter().map(|instance| Owed::of(&of, instance)).collect(),
        }
    };
    let devices = devices.iter().filter(|(_, kind)| of.shows_kind(&setup.pack, kind));
    let worked = |(id, _): &(DeviceId, Box<str>)| Worked::of(id.to_string(), of.availability(id, now));
    Ok(Json(Compliance {
        site: of.site.to_string(),
        month: of.month.to_string(),
        posts: match &of.sight {
            Sight::All => None,
            Sight::Posts(roles) => Some(roles.iter().map(|role| role.as_str()).collect()),
        },
        total: Tally::of(&of.owed).into(),
        before: Tally::of(&of.before).into(),
        clauses: of.clauses(&setup.pack).map(clause).collect(),
        devices: devices.map(worked).collect(),
    }))
}
