//! Whether the process lives, and whether it can do its work.

use std::sync::atomic::Ordering::Relaxed;

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde_json::{Value, json};

use super::App;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/livez", get(live)).route("/readyz", get(ready))
}

async fn live() -> &'static str {
    "ok\n"
}

/// Ready means: the database answers, commits succeed, and agents can reach the hub.
async fn ready(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let database = app.store.ping().await.is_ok();
    let ingest = app.counters.failing.load(Relaxed) == 0;
    let broker = app.mqtt.events.borrow().up;
    let word = |ok: bool| if ok { "ok" } else { "failing" };
    let all = database && ingest && broker;
    let status = if all { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let checks = json!({ "database": word(database), "ingest": word(ingest), "broker": word(broker) });
    (status, Json(json!({ "status": if all { "ready" } else { "degraded" }, "checks": checks })))
}
