//! The OpenAPI document, made from the handlers themselves.

use axum::{Json, Router, routing::get};
use utoipa::OpenApi;

use super::{App, api::docs};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/api/v1/openapi.json", get(|| async { Json(document()) }))
}

/// The OpenAPI 3.1 document of the API.
pub fn document() -> utoipa::openapi::OpenApi {
    Api::openapi()
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Lobby hub", description = "What the hub knows of sites, devices, alerts and repair tickets"),
    paths(
        docs::list_sites,
        docs::list_devices,
        docs::show_device,
        docs::set_life,
        docs::list_records,
        docs::show_history,
        docs::list_alerts,
        docs::list_tickets,
        docs::show_ticket,
        docs::act_on_ticket,
        docs::list_findings,
        docs::ignore_finding,
    )
)]
struct Api;
