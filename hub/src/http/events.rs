//! The live event stream of the pages.

use axum::Router;

use super::App;

/// The stream.
pub fn routes() -> Router<App> {
    Router::new()
}
