//! The pages people read.

use axum::{Router, http::StatusCode, response::IntoResponse};

use super::App;

/// The pages.
pub fn routes() -> Router<App> {
    Router::new()
}

/// The answer to an address at which there is nothing.
pub(super) async fn no_such_page() -> impl IntoResponse {
    StatusCode::NOT_FOUND
}
