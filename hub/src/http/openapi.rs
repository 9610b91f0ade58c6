//! The OpenAPI document, made from the handlers themselves.

use axum::{Json, middleware};
use utoipa::OpenApi;

use super::{
    api::docs,
    conditional,
    gate::{Policy, Routes},
};

pub(super) fn routes() -> Routes {
    let routes = Routes::new().get("/api/v1/openapi.json", Policy::PUBLIC, || async { Json(document()) });
    routes.with(|router| router.layer(middleware::from_fn(conditional::answer)))
}

/// The OpenAPI 3.1 document of the API.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Api::openapi();
    conditional::describe(&mut document);
    document
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Lobby hub", description = "What the hub knows of sites, devices, alerts and repair tickets"),
    paths(
        docs::list_agents,
        docs::show_agent,
        docs::list_lost,
        docs::list_sites,
        docs::list_devices,
        docs::show_device,
        docs::set_life,
        docs::trace_device,
        docs::list_records,
        docs::show_history,
        docs::list_alerts,
        docs::show_alert,
        docs::acknowledge_alert,
        docs::clear_alert,
        docs::list_tickets,
        docs::show_ticket,
        docs::act_on_ticket,
        docs::comment_on_ticket,
        docs::make_report,
        docs::add_photos,
        docs::show_photo,
        docs::list_silences,
        docs::show_silence,
        docs::make_silence,
        docs::change_silence,
        docs::end_silence,
        docs::list_maintenance,
        docs::show_maintenance_window,
        docs::make_maintenance_window,
        docs::change_maintenance_window,
        docs::end_maintenance_window,
        docs::list_findings,
        docs::ignore_finding,
        docs::list_rounds,
        docs::show_round,
        docs::show_compliance,
        docs::list_register,
        docs::show_registered_item,
        docs::list_people,
        docs::give_grant,
        docs::take_grant,
        docs::list_duties,
        docs::list_on_duty,
        docs::list_stock,
        docs::show_statement,
        docs::agree,
        docs::show_plan,
        docs::decide,
        docs::list_movements,
        docs::make_movement,
        docs::correct_movement,
        docs::list_notifications,
        docs::list_channels,
        docs::test_channel,
        docs::resend_message,
        docs::list_audit_log,
        docs::list_escalations,
        docs::escalate_ticket,
    )
)]
struct Api;
