//! Numbers about the hub in the Prometheus text format, version 0.0.4.

use std::{
    collections::BTreeMap,
    fmt::{Display, Write},
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use axum::{extract::State, http::header, response::IntoResponse};
use lobby_domain::{ledger::Ledger, site::Cause};

use super::{
    App,
    gate::{About, Policy, Routes},
};
use crate::{
    findings::{Domain, Severity},
    ingest::Stage,
    mqtt,
    progress::Part,
    store::StoreError,
};

/// How long counting what is stored may take.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Routes {
    Routes::new().get("/metrics", Policy::read(About::AllSites), metrics)
}

/// Writes metrics one by one.
#[derive(Default)]
struct Page(String);

impl Page {
    fn metric(&mut self, name: &str, kind: &str, help: &str, values: impl IntoIterator<Item = (String, f64)>) {
        let text = &mut self.0;
        let _ = writeln!(text, "# HELP lobby_{name} {help}\n# TYPE lobby_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "lobby_{name}{labels} {value}");
        }
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.metric(name, "counter", help, [(String::new(), float(value))]);
    }
}

fn label(name: &str, value: impl Display) -> String {
    format!("{{{name}=\"{value}\"}}")
}

#[expect(clippy::cast_precision_loss, reason = "the format has no larger numbers than 64-bit floats")]
fn float(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "the format has no larger numbers than 64-bit floats")]
fn signed(value: i64) -> f64 {
    value as f64
}

async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let mut page = Page::default();
    ingest(&app, &mut page);
    broker(&app, &mut page);
    fleet(&app, &mut page);
    delivery(&app, &mut page);
    backups(&app, &mut page);
    health(&app, &mut page);
    // While the database fails its numbers are left out: those of ingest say so, and are needed most then.
    if !app.findings.fails(Domain::Database) {
        match tokio::time::timeout(PATIENCE, stored(&app, &mut page)).await {
            Ok(Ok(())) => {}
            Ok(Err(cause)) => {
                tracing::warn!(cause = format!("{:#}", anyhow::Error::from(cause)), "could not count what is stored");
            }
            Err(_) => tracing::warn!("could not count what is stored in time"),
        }
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page.0)
}

/// Findings, and when the rules were last evaluated.
fn health(app: &App, page: &mut Page) {
    let mut counts = BTreeMap::new();
    for finding in app.findings.all() {
        *counts.entry((finding.domain, finding.severity)).or_insert(0u64) += 1;
    }
    let all = Domain::ALL.into_iter().flat_map(|domain| Severity::ALL.map(|severity| (domain, severity)));
    let counts = all.map(|(domain, severity)| {
        let labels = format!("{{domain=\"{}\",severity=\"{}\"}}", domain.as_str(), severity.as_str());
        (labels, float(counts.get(&(domain, severity)).copied().unwrap_or(0)))
    });
    page.metric("findings", "gauge", "Troubles of the product itself, ignored ones included.", counts);
    let evaluated = app.progress.evaluated_at().map(|at| (String::new(), signed(at.millis()) / 1000.0));
    page.metric(
        "last_evaluated_seconds",
        "gauge",
        "When the rules were last evaluated, in seconds since 1970.",
        evaluated,
    );
    let idle = Part::ALL.into_iter().filter_map(|part| Some((part, app.progress.idle(part)?)));
    let idle = idle.map(|(part, idle)| (label("part", part.as_str()), idle.as_secs_f64()));
    page.metric("idle_seconds", "gauge", "How long a part of the hub has made no progress.", idle);
}

async fn stored(app: &App, page: &mut Page) -> Result<(), StoreError> {
    let open = app.store.open_alerts(None).await?;
    page.metric("alerts_open", "gauge", "Alerts that are open.", [(String::new(), f64::from(open))]);
    notifications(app, page).await?;
    let tickets = app.store.ticket_counts().await?;
    let tickets = tickets.into_iter().map(|(state, count)| (label("state", state), signed(count)));
    page.metric("tickets", "gauge", "Repair tickets by state.", tickets);
    let lost = app.store.lost_total().await?;
    page.metric("records_lost", "gauge", "Records that agents no longer had.", [(String::new(), signed(lost))]);
    Ok(())
}

async fn notifications(app: &App, page: &mut Page) -> Result<(), StoreError> {
    let counts = app.store.notification_counts().await?;
    let states =
        |states: Vec<(String, i64)>| states.into_iter().map(|(state, count)| (label("state", state), signed(count)));
    page.metric("outbox", "gauge", "Events that posts are to be told of, by state.", states(counts.outbox));
    page.metric("notifications", "gauge", "Notifications to channels, by state.", states(counts.deliveries));
    let age = counts.oldest.map_or(0, |oldest| app.clock.now().since(oldest).millis());
    page.metric(
        "notification_oldest_waiting_seconds",
        "gauge",
        "How long the oldest notification has been waiting, those that are kept quiet included.",
        [(String::new(), signed(age) / 1e3)],
    );
    let attempts =
        app.notify.watched.attempts().into_iter().map(|(channel, outcome, count)| {
            (format!("{{channel=\"{channel}\",outcome=\"{outcome}\"}}"), float(count))
        });
    page.metric("notification_attempts_total", "counter", "Messages sent, by what came of them.", attempts);
    Ok(())
}

fn ingest(app: &App, page: &mut Page) {
    let counters = &app.counters;
    page.counter("records_stored_total", "Records stored.", counters.records.load(Relaxed));
    page.counter("records_repeated_total", "Records that had been stored before.", counters.repeats.load(Relaxed));
    page.counter("batches_total", "Batches committed.", counters.batches.load(Relaxed));
    page.counter("commit_failures_total", "Commits that failed.", counters.failures.load(Relaxed));
    page.counter("alerts_raised_total", "Alerts raised.", counters.raised.load(Relaxed));
    page.counter("alerts_cleared_total", "Alerts cleared.", counters.cleared.load(Relaxed));
    let seconds = float(counters.commit_micros.load(Relaxed)) / 1e6;
    page.metric("commit_seconds_total", "counter", "Time spent in commits.", [(String::new(), seconds)]);
    let stages = Stage::ALL.map(|stage| (label("stage", stage.as_str()), counters.time(stage).as_secs_f64()));
    let reading = (label("stage", "read"), app.mqtt.counters.reading().as_secs_f64());
    let stages = [reading].into_iter().chain(stages);
    page.metric("ingest_seconds_total", "counter", "Time spent in the main path by stage.", stages);
    let lag = float(counters.last_commit_micros.load(Relaxed)) / 1e6;
    page.metric("commit_last_seconds", "gauge", "How long the last batch took to store.", [(String::new(), lag)]);
    let complaints = Cause::ALL.map(|cause| (label("cause", cause.as_str()), float(counters.complaints(cause))));
    page.metric("complaints_total", "counter", "Things in messages that were not as they should be.", complaints);
}

/// Of thousands of agents the sums, and by name only the one that is worst off.
fn delivery(app: &App, page: &mut Page) {
    let now = app.clock.now();
    let (mut sum, mut backlog, mut rate) = (Ledger::default(), 0, 0.0);
    let mut worst: [Option<(u64, String)>; 4] = Default::default();
    for site in app.fleet.read().values() {
        for agent in site.agents() {
            let (ledger, waiting) = (agent.ledger(now), agent.backlog(now).unwrap_or(0));
            sum = sum.and(ledger);
            backlog += waiting;
            rate += agent.rate.per_minute(now).unwrap_or(0.0);
            let delay = u64::try_from(ledger.longest_delay_day.millis()).unwrap_or(0);
            let values = [ledger.missing, waiting, delay, agent.clock.behind_millis().unsigned_abs()];
            for (worst, value) in worst.iter_mut().zip(values) {
                if value > worst.as_ref().map_or(0, |(value, _)| *value) {
                    *worst = Some((value, format!("{{site=\"{}\",agent=\"{}\"}}", site.id, agent.id)));
                }
            }
        }
    }
    let sums = [
        ("records_produced", "Records that agents are known to have made.", sum.produced),
        ("records_stored", "Records of agents that are in the database.", sum.stored),
        ("records_missing", "Records that are waited for.", sum.missing),
        ("records_unreadable", "Records that came and could not be read.", sum.unreadable),
        ("backlog", "Records that agents are estimated to hold for the hub.", backlog),
    ];
    for (name, help, value) in sums {
        page.metric(&format!("agent_{name}"), "gauge", help, [(String::new(), float(value))]);
    }
    page.counter("agent_duplicates_total", "Repeats of records that were refused, ever.", sum.duplicates);
    page.counter("agent_resends_total", "Times agents were asked to send something again, ever.", sum.resends);
    page.metric("agent_records_per_minute", "gauge", "Records that come in per minute.", [(String::new(), rate)]);
    let names = [
        ("missing_worst", "Most records waited for of one agent.", 1.0),
        ("backlog_worst", "Most records that one agent is estimated to hold.", 1.0),
        ("delay_day_seconds_worst", "Longest time from a probe to its receipt in the last day.", 1000.0),
        ("clock_offset_seconds_worst", "Farthest that an agent's clock is off.", 1000.0),
    ];
    for ((name, help, unit), worst) in names.into_iter().zip(worst) {
        let value = worst.map(|(value, agent)| (agent, float(value) / unit));
        page.metric(&format!("agent_{name}"), "gauge", help, value);
    }
}

fn backups(app: &App, page: &mut Page) {
    let last = app.backups.last_good().map(|at| (String::new(), signed(at.millis()) / 1e3));
    page.metric("backup_last_good_timestamp_seconds", "gauge", "When the newest good backup was made.", last);
    let failing = if app.backups.failure().is_some() { 1.0 } else { 0.0 };
    page.metric("backup_failing", "gauge", "Whether the last backup could not be made.", [(String::new(), failing)]);
}

fn broker(app: &App, page: &mut Page) {
    let counters = &app.mqtt.counters;
    page.counter("mqtt_messages_total", "Messages of agents taken in.", counters.accepted());
    page.counter("mqtt_bytes_total", "Bytes of messages taken in.", counters.accepted_bytes());
    page.counter("mqtt_waited_total", "Messages that waited for ingest.", counters.waited());
    let refused = mqtt::Cause::ALL.map(|cause| (label("cause", cause.as_str()), float(counters.refused(cause))));
    page.metric("mqtt_refused_total", "counter", "Messages refused on arrival.", refused);
    let up = if app.mqtt.events.borrow().up { 1.0 } else { 0.0 };
    page.metric("mqtt_up", "gauge", "Whether agents can reach the hub.", [(String::new(), up)]);
}

fn fleet(app: &App, page: &mut Page) {
    let mut links = BTreeMap::from([("unverified", 0u64), ("up", 0), ("suspect", 0), ("down", 0)]);
    let mut states = BTreeMap::from([("normal", 0u64), ("abnormal", 0), ("offline", 0), ("unknown", 0)]);
    let now = app.clock.now();
    for site in app.fleet.read().values() {
        for agent in site.agents() {
            *links.entry(agent.link.word().as_str()).or_default() += 1;
        }
        for device in site.devices() {
            let verdict = device.verdict(site.link_of(device), site.part_of_day().expected(), now);
            *states.entry(verdict.state().as_str()).or_default() += 1;
        }
    }
    let links = links.into_iter().map(|(link, count)| (label("link", link), float(count)));
    page.metric("agents", "gauge", "Agents by the state of their link.", links);
    let states = states.into_iter().map(|(state, count)| (label("state", state), float(count)));
    page.metric("devices", "gauge", "Devices by state.", states);
}
