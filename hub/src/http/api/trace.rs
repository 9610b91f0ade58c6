//! Why a rule fired at some time, or why it did not.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use lobby_contract::{FactValue, Reach};
use lobby_domain::{
    calendar::{PartOfDay, Window},
    condition,
    device::LinkWord,
    rule::Phase,
    time::Timestamp,
    trace,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{About, ApiError, App, Path, Policy, Query, Routes, Text};
use crate::http::trace::{self as shell, Traced};

pub(super) fn routes() -> Routes {
    Routes::new().get("/api/v1/devices/{site}/{id}/trace", Policy::read(About::Site), trace_device)
}

/// What was known of a device at some time, and what each rule made of it. Times are ms since 1970 UTC.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct DeviceTrace {
    site: String,
    device: String,
    /// The time in question.
    at: i64,
    /// From when on the rules were run again. What was wrong before began here, as far as the trace knows.
    from: i64,
    /// How many records that was.
    records: usize,
    /// Whether the hub heard the device's agent: up, suspect, down or unverified; null if that is not known.
    link: Option<&'static str>,
    /// The last record that told the present when it came.
    last: Option<Stated>,
    /// For how long a record tells the present, in ms.
    fresh_for_ms: i64,
    /// Whether the last record still told the present.
    fresh: bool,
    /// The part of the site's day: closed, preparing, ready, open or closing.
    #[schema(value_type = String)]
    part_of_day: PartOfDay,
    /// Where the device stood in its life: announced, trial, live, maintenance or retired.
    life: &'static str,
    /// The ids of the alerts that were open.
    alerts: Vec<String>,
    /// Each rule of the device's kind.
    rules: Vec<RuleTrace>,
}

/// What a device stated.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Stated {
    epoch: u64,
    seq: u64,
    at: i64,
    received_at: i64,
    /// ok, unreachable or unknown.
    #[schema(value_type = String)]
    reach: Reach,
    #[schema(value_type = Object)]
    facts: BTreeMap<Box<str>, FactValue>,
    #[schema(value_type = Vec<String>)]
    faults: Vec<Box<str>>,
}

/// What one rule made of what was known.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct RuleTrace {
    rule: String,
    title: Text,
    /// ok, pending, firing or recovering.
    phase: &'static str,
    /// Since when something was wrong.
    since: Option<i64>,
    /// Since when it was right again.
    better: Option<i64>,
    /// How much time had counted towards leaving the phase, in ms.
    held_ms: i64,
    /// How much has to; null where samples are counted, or nothing is waited for.
    needed_ms: Option<i64>,
    /// Where samples are counted instead: how many of the last were bad, and how many must be of how many.
    samples: Option<SampleCount>,
    /// Whether it came and went too often to be told of each time.
    flapping: bool,
    /// When the rule applies: always, open, ready, opening or closed.
    #[schema(value_type = String)]
    during: Window,
    /// Whether it applied then.
    applies: bool,
    /// Whether the fault was there: true, false or unknown.
    fire: &'static str,
    /// Whether it was clearly gone: true, false or unknown.
    recover: &'static str,
    /// `when`, part by part.
    when: Vec<Part>,
    /// `until`, part by part; empty if the rule has none.
    until: Vec<Part>,
    /// Why no alert was raised, or why the open one was not cleared; and what kept the open one quiet.
    held: Vec<Reason>,
}

/// Samples that were counted.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SampleCount {
    bad: u32,
    needed: u32,
    of: u32,
}

/// One part of a condition; parts that follow and stand deeper belong to it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Part {
    depth: u8,
    words: Text,
    /// true, false or unknown.
    truth: &'static str,
}

/// Why a rule was held back.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "callers of the API know the field by this name")]
pub(in crate::http) struct Reason {
    reason: &'static str,
    words: Text,
    /// The id of the alert (reason `inhibited`), the silence (`silenced`) or the maintenance window (`maintenance`) that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

/// Which time is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TraceQuery {
    /// The time, in ms since 1970 UTC; now if nothing is said.
    at: Option<i64>,
}

/// Why a device's rules fired at some time, or did not: the rules run again over what was stored of the day before it.
#[utoipa::path(get, path = "/api/v1/devices/{site}/{id}/trace", tag = "devices",
    params(("site" = String, Path, description = "The site"), ("id" = String, Path, description = "The device"), TraceQuery),
    responses((status = 200, body = DeviceTrace), (status = 400, description = "A parameter is not valid"),
        (status = 404, description = "There is no such device")))]
pub(in crate::http) async fn trace_device(
    State(app): State<App>,
    Path((site, id)): Path<(String, String)>,
    Query(query): Query<TraceQuery>,
) -> Result<Json<DeviceTrace>, ApiError> {
    let missing = || ApiError::NotFound("device");
    let (Ok(site), Ok(device)) = (site.parse(), id.parse()) else { return Err(missing()) };
    let at = query.at.map_or_else(|| app.clock.now(), Timestamp::from_millis);
    let Traced { trace, alerts, .. } = shell::at(&app, &site, &device, at).await?.ok_or_else(missing)?;
    Ok(Json(DeviceTrace {
        site: site.to_string(),
        device: device.to_string(),
        at: trace.at.millis(),
        from: trace.from.millis(),
        records: trace.records,
        link: trace.link.map(LinkWord::as_str),
        last: trace.last.map(stated),
        fresh_for_ms: trace.fresh_for.millis(),
        fresh: trace.is_fresh,
        part_of_day: trace.part,
        life: trace.life.as_str(),
        alerts: alerts.into_iter().map(|alert| alert.id.to_string()).collect(),
        rules: trace.rules.iter().map(rule).collect(),
    }))
}

fn stated(last: trace::Received) -> Stated {
    Stated {
        epoch: last.order.0,
        seq: last.order.1,
        at: last.at.millis(),
        received_at: last.received_at.millis(),
        reach: last.sample.reach,
        facts: last.sample.facts,
        faults: last.sample.faults,
    }
}

fn rule(told: &trace::RuleTrace) -> RuleTrace {
    let (phase, since, better) = match told.kept.phase {
        Phase::Ok => ("ok", None, None),
        Phase::Pending { since } => ("pending", Some(since), None),
        Phase::Firing { since } => ("firing", Some(since), None),
        Phase::Recovering { since, better } => ("recovering", Some(since), Some(better)),
    };
    let samples = told.rule.samples;
    let needed = match told.kept.phase {
        Phase::Pending { .. } if samples.is_none() => Some(told.rule.raise_after),
        Phase::Recovering { .. } => Some(told.rule.clear_after),
        _ => None,
    };
    RuleTrace {
        rule: told.rule.id.to_string(),
        title: (&told.rule.title).into(),
        phase,
        since: since.map(Timestamp::millis),
        better: better.map(Timestamp::millis),
        held_ms: told.kept.held.millis(),
        needed_ms: needed.map(lobby_domain::time::Span::millis),
        samples: samples.map(|samples| SampleCount {
            bad: told.kept.bad.count_ones(),
            needed: samples.bad,
            of: samples.of,
        }),
        flapping: told.flapping,
        during: told.rule.during,
        applies: told.applies,
        fire: told.fire.as_str(),
        recover: told.recover.as_str(),
        when: parts(&told.when),
        until: parts(&told.until),
        held: told.held.iter().map(|held| reason(*held)).collect(),
    }
}

fn reason(held: trace::Held) -> Reason {
    Reason { reason: held.as_str(), words: (&held.words()).into(), by: held.by().map(|id| id.to_string()) }
}

fn parts(parts: &[condition::Part]) -> Vec<Part> {
    parts
        .iter()
        .map(|part| Part { depth: part.depth, words: (&part.words).into(), truth: part.truth.as_str() })
        .collect()
}
