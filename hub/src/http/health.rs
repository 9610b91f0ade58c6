//! Whether the process lives, and whether it can do its work. Answered from memory, so that it is answered in every trouble.

use std::sync::atomic::Ordering::Relaxed;

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};

use super::{
    App,
    gate::{Policy, Routes},
};
use crate::findings::{Domain, Severity};

pub(super) fn routes() -> Routes {
    Routes::new().get("/livez", Policy::PUBLIC, live).get("/readyz", Policy::PUBLIC, ready)
}

async fn live() -> &'static str {
    "ok\n"
}

/// Ready means: the database can be written, commits succeed, agents can reach the hub, and nothing else keeps it from its work.
async fn ready(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let database = !app.findings.fails(Domain::Database) && !app.findings.fails(Domain::Storage);
    let ingest = app.counters.failing.load(Relaxed) == 0 && !app.findings.fails(Domain::Tasks);
    let broker = app.mqtt.events.borrow().up && !app.findings.fails(Domain::Broker);
    let word = |ok: bool| if ok { "ok" } else { "failing" };
    let all = database && ingest && broker && !app.findings.is_degraded();
    let status = if all { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let checks = json!({ "database": word(database), "ingest": word(ingest), "broker": word(broker) });
    let findings = app.findings.all().into_iter().filter(|finding| finding.severity == Severity::Critical);
    let findings: Vec<Value> = findings
        .map(|finding| json!({ "domain": finding.domain.as_str(), "id": finding.id, "title": finding.english() }))
        .collect();
    let state = if all { "ready" } else { "degraded" };
    (status, Json(json!({ "status": state, "checks": checks, "findings": findings })))
}
