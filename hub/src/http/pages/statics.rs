//! The static files. Their address changes with their contents, so browsers keep them for ever.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use lobby_dashboards::{
    FAVICON, FAVICON_PATH, KEPT_SCRIPT, KEPT_SCRIPT_PATH, PRINT_STYLES, PRINT_STYLES_PATH, SCRIPT, SCRIPT_PATH, STYLES,
    STYLES_PATH, VERSION,
};

use super::{App, PageError, Path, Reader, answer::refuse};

/// One of the static files.
pub(super) async fn file(
    State(app): State<App>,
    reader: Reader,
    Path((version, name)): Path<(String, String)>,
) -> Response {
    let (kind, contents) = match name.as_str() {
        _ if version != VERSION => return refuse(&app, &reader, PageError::NotFound),
        STYLES_PATH => ("text/css; charset=utf-8", STYLES),
        PRINT_STYLES_PATH => ("text/css; charset=utf-8", PRINT_STYLES),
        SCRIPT_PATH => ("text/javascript; charset=utf-8", SCRIPT),
        KEPT_SCRIPT_PATH => ("text/javascript; charset=utf-8", KEPT_SCRIPT),
        FAVICON_PATH => ("image/svg+xml", FAVICON),
        _ => return refuse(&app, &reader, PageError::NotFound),
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ];
    (headers, contents).into_response()
}
