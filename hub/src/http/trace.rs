//! What was stored of a device's past, gathered for the rules to be run over it again.

use std::collections::{BTreeMap, BTreeSet};

use lobby_contract::{AgentId, DeviceId, SiteId};
use lobby_domain::{
    agent::Agent,
    alert::Subject,
    device::Life,
    overlay::Facts,
    restraint::Restraint,
    time::{Span, Timestamp},
    trace::{Held, Question, Trace, trace},
};

use super::App;
use crate::store::{AlertFilter, AlertRow, LifeChange, MOST_TRACED, StoreError};

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
    let now = app.clock.now();
    let (at, is_now) = (at.min(now), at >= now);
    let found = {
        let sites = app.fleet.read();
        let live = sites.get(site).and_then(|site| Some((site, site.device(device)?)));
        live.map(|(site, live)| {
            let known = (live.agent.clone(), live.every, live.fresh_for(), live.watch.kind().cloned());
            let lives: Vec<_> = site.devices().map(|device| (device.id.clone(), device.life)).collect();
            (site.calendar.clone(), known, (live.life, lives))
        })
    };
    let Some((calendar, (mut agent, every, fresh_for, rules), (life, lives))) = found else { return Ok(None) };
    let changes = app.store.lives(site, None, Timestamp::from_millis(i64::MAX)).await?;
    let mut by_device: BTreeMap<&str, Vec<&LifeChange>> = BTreeMap::new();
    for change in &changes {
        by_device.entry(&change.device).or_default().push(change);
    }
    let stood =
        |device: &DeviceId, now: Life| stood(by_device.get(device.as_str()).map_or(&[], Vec::as_slice), now, at);
    let (life, judged_since) = stood(device, life);
    let mut from = judged_since.map_or(at - LOOK_BACK, |since| since.max(at - LOOK_BACK));
    let slow_by = |agent: &AgentId| {
        let sites = app.fleet.read();
        sites.get(site).and_then(|site| site.agent(agent).map(Agent::slow)).unwrap_or_default()
    };
    let mut slow = slow_by(&agent);
    let mut records = app.store.live_records(site, (device, &agent), from, at, fresh_for + slow).await?;
    // Before it watched the device, another agent may have done so.
    if records.is_empty()
        && let Some(watcher) = app.store.watcher(site, device, from, at).await?
    {
        (slow, agent) = (slow_by(&watcher), watcher);
        records = app.store.live_records(site, (device, &agent), from, at, fresh_for + slow).await?;
    }
    if let Some(first) = records.first()
        && i64::try_from(records.len()).is_ok_and(|count| count >= MOST_TRACED)
    {
        from = first.received_at;
    }
    let links = app.store.link_events(site, &agent, from, at).await?;
    let question = Question { site, calendar: &calendar, device, agent: &agent, slow, every, life, rules, from, at };
    let mut trace = trace(&question, &records, &links);
    let filter = AlertFilter { site: Some(site.clone()), open_at: Some(at), ..AlertFilter::default() };
    let (mut open, _) = app.store.alerts(&filter, None, MOST_ALERTS).await?.unwrap_or_default();
    let asked = Subject::Device(device.clone());
    // Nobody was told of an alert of a device on trial, so it explained no other.
    let on_trial = lives.iter().filter(|(id, life)| stood(id, *life).0 == Life::Trial);
    let on_trial: BTreeSet<Subject> = on_trial.map(|(id, _)| Subject::Device(id.clone())).collect();
    open.retain(|alert| alert.subject == asked || !on_trial.contains(&alert.subject));
    let restraints = app.store.restraints_at(at).await?;
    // Of what was discovered late nothing was known then.
    let facts: Vec<Facts<'_>> = open.iter().filter(|alert| !alert.late).map(AlertRow::facts).collect();
    trace.quieted(device, &facts, &app.fleet.setup().pack.inhibitions, &restraints);
    if is_now {
        tell_the_present(app, site, device, &mut trace);
    }
    let (alerts, others) = open.into_iter().partition(|alert| alert.subject == asked);
    Ok(Some(Traced { trace, alerts, others, restraints }))
}

/// Where a device stood in its life at `at`, and since when it had been judged then, if that began with a change. It stands at `now` where
/// nobody has changed it.
fn stood(changes: &[&LifeChange], now: Life, at: Timestamp) -> (Life, Option<Timestamp>) {
    let named = |name: &str| Life::from_text(name).unwrap_or(now);
    let (past, to_come) = changes.split_at(changes.partition_point(|change| change.at <= at));
    let first = to_come.first().map_or(now, |change| named(&change.before));
    let life = past.last().map_or(first, |change| named(&change.after));
    let begins = |change: &&&LifeChange| !named(&change.before).is_judged() && named(&change.after).is_judged();
    (life, past.iter().rev().find(begins).map(|change| change.at))
}

/// What only the present tells: a consequence of what has just ended still waits to be told.
fn tell_the_present(app: &App, site: &SiteId, device: &DeviceId, trace: &mut Trace) {
    let (subject, sites) = (Subject::Device(device.clone()), app.fleet.read());
    let Some(site) = sites.get(site) else { return };
    for told in trace.rules.iter_mut().filter(|told| told.kept.phase.alerting_since().is_some()) {
        let explained = told.held.iter().any(|held| matches!(held, Held::Inhibited(_)));
        let inhibited = site.live(&subject, &told.rule.id, trace.at).inhibited.filter(|_| !explained);
        told.held.extend(inhibited.map(Held::Inhibited));
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::before_anybody_changed_it(50, Life::Announced, None)]
    #[case::admitted(100, Life::Trial, Some(100))]
    #[case::used(250, Life::Live, Some(100))]
    #[case::retired(350, Life::Retired, Some(100))]
    #[case::used_again(450, Life::Live, Some(400))]
    fn where_a_device_stood_is_known_from_what_people_have_changed(
        #[case] at: i64,
        #[case] life: Life,
        #[case] judged_since: Option<i64>,
    ) {
        let change = |(at, before, after): (i64, &str, &str)| LifeChange {
            device: "led".to_owned(),
            at: Timestamp::from_millis(at),
            before: before.to_owned(),
            after: after.to_owned(),
        };
        let changes =
            [(100, "announced", "trial"), (200, "trial", "live"), (300, "live", "retired"), (400, "retired", "live")];
        let changes = changes.map(change);
        let found = stood(&changes.each_ref(), Life::Live, Timestamp::from_millis(at));
        assert_eq!(found, (life, judged_since.map(Timestamp::from_millis)));
    }

    #[test]
    fn a_device_that_nobody_has_changed_stands_where_it_stood() {
        assert_eq!(stood(&[], Life::Live, Timestamp::from_millis(5)), (Life::Live, None));
    }
}
