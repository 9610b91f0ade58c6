//! What was stored of a device's past, gathered for the rules to be run over it again.

use lobby_contract::{DeviceId, SiteId};
use lobby_domain::{
    alert::Subject,
    device::Life,
    overlay::Facts,
    restraint::Restraint,
    time::{Span, Timestamp},
    trace::{Question, Trace, trace},
};

use super::App;
use crate::store::{AlertFilter, AlertRow, MOST_TRACED, StoreError};

/// How far back the rules are run again: a day, in which every part of the day occurs.
const LOOK_BACK: Span = Span::from_mins(24 * 60);
/// The most open alerts among which the causes of others are looked for.
const MOST_ALERTS: i64 = 1000;

/// How things stood with a device at some time.
pub(super) struct Traced {
    /// What was known, and what each rule made of it.
    pub trace: Trace,
    /// The device's alerts that were open.
    pub alerts: Vec<AlertRow>,
    /// The other open alerts of its site, which may explain them.
    pub others: Vec<AlertRow>,
    /// The silences and maintenance windows that were in force.
    pub restraints: Vec<Restraint>,
}

/// How things stood at `at`, now at the latest; nothing if there is no such device.
pub(super) async fn at(
    app: &App,
    site: &SiteId,
    device: &DeviceId,
    at: Timestamp,
) -> Result<Option<Traced>, StoreError> {
    let at = at.min(app.clock.now());
    let found = {
        let sites = app.fleet.read();
        let live = sites.get(site).and_then(|site| Some((site, site.device(device)?)));
        live.map(|(site, live)| {
            // Nobody is told of an alert of such a device, so it explains no other.
            let on_trial = site.devices().filter(|device| device.life == Life::Trial).map(|device| device.id.clone());
            let known = (live.agent.clone(), live.every, live.fresh_for(), live.watch.kind().cloned());
            (site.calendar.clone(), known, on_trial.map(Subject::Device).collect::<Vec<_>>())
        })
    };
    let Some((calendar, (agent, every, fresh_for, rules), on_trial)) = found else { return Ok(None) };
    let mut from = at - LOOK_BACK;
    let records = app.store.live_records(site, device, from, at, fresh_for).await?;
    if let Some(first) = records.first()
        && i64::try_from(records.len()).is_ok_and(|count| count >= MOST_TRACED)
    {
        from = first.received_at;
    }
    let links = app.store.link_events(site, &agent, from, at).await?;
    let question = Question { site, calendar: &calendar, device, agent: &agent, every, rules, from, at };
    let mut trace = trace(&question, &records, &links);
    let filter = AlertFilter { site: Some(site.clone()), open_at: Some(at), ..AlertFilter::default() };
    let (mut open, _) = app.store.alerts(&filter, None, MOST_ALERTS).await?.unwrap_or_default();
    let asked = Subject::Device(device.clone());
    open.retain(|alert| alert.subject == asked || !on_trial.contains(&alert.subject));
    let restraints = app.store.restraints_at(at).await?;
    // Of what was discovered late nothing was known then.
    let facts: Vec<Facts<'_>> = open.iter().filter(|alert| !alert.late).map(AlertRow::facts).collect();
    trace.quieted(device, &facts, &app.fleet.setup().pack.inhibitions, &restraints);
    let (alerts, others) = open.into_iter().partition(|alert| alert.subject == asked);
    Ok(Some(Traced { trace, alerts, others, restraints }))
}
