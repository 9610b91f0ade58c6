//! What was stored of a device's past, gathered for the rules to be run over it again.

use lobby_contract::{DeviceId, SiteId};
use lobby_domain::{
    alert::Subject,
    time::{Span, Timestamp},
    trace::{Question, Trace, trace},
};

use super::App;
use crate::store::{AlertFilter, AlertRow, MOST_TRACED, StoreError};

/// How far back the rules are run again: a day, in which every part of the day occurs.
const LOOK_BACK: Span = Span::from_mins(24 * 60);
/// The most alerts of the device among which those open at that time are looked for.
const MOST_ALERTS: i64 = 500;

/// How things stood with a device at some time.
pub(super) struct Traced {
    /// What was known, and what each rule made of it.
    pub trace: Trace,
    /// The alerts that were open. What overlaid them is told by whoever stores it.
    pub alerts: Vec<AlertRow>,
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
        let live = sites.get(site).and_then(|site| Some((site.calendar.clone(), site.device(device)?)));
        live.map(|(calendar, live)| {
            (calendar, live.agent.clone(), live.every, live.fresh_for(), live.watch.kind().cloned())
        })
    };
    let Some((calendar, agent, every, fresh_for, rules)) = found else { return Ok(None) };
    let mut from = at - LOOK_BACK;
    let records = app.store.live_records(site, device, from, at, fresh_for).await?;
    if let Some(first) = records.first()
        && i64::try_from(records.len()).is_ok_and(|count| count >= MOST_TRACED)
    {
        from = first.received_at;
    }
    let links = app.store.link_events(site, &agent, from, at).await?;
    let question = Question { site, calendar: &calendar, device, agent: &agent, every, rules, from, at };
    let trace = trace(&question, &records, &links);
    let filter = AlertFilter {
        site: Some(site.clone()),
        subject: Some(Subject::Device(device.clone())),
        ..AlertFilter::default()
    };
    let (mut alerts, _) = app.store.alerts(&filter, None, MOST_ALERTS).await?.unwrap_or_default();
    alerts.retain(|alert| alert.since <= at && alert.cleared_at.is_none_or(|cleared| cleared > at));
    Ok(Some(Traced { trace, alerts }))
}
