//! The reader's choice of language, kept in a cookie.

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderValue, header},
    response::Response,
};
use lobby_dashboards::Lang;
use serde::Deserialize;

use super::{App, PageError, Path, Reader, answer, reader::COOKIE};

/// Where the reader came from.
#[derive(Debug, Deserialize)]
pub(super) struct From {
    /// A path of ours.
    back: Option<String>,
}

/// Keeps the language and goes back.
pub(super) async fn choose(
    State(app): State<App>,
    reader: Reader,
    Path(lang): Path<String>,
    from: Result<Query<From>, QueryRejection>,
) -> Response {
    let Some(lang) = Lang::named(&lang) else { return answer::refuse(&app, &reader, PageError::NotFound) };
    let Ok(Query(from)) = from else { return answer::refuse(&app, &reader, PageError::BadRequest) };
    let back = from.back.unwrap_or_else(|| "/".to_owned());
    if !answer::is_local(&back) {
        return answer::refuse(&app, &reader, PageError::BadRequest);
    }
    let mut response = answer::see(&back);
    let cookie = format!("{COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly", lang.name());
    let cookie = HeaderValue::from_str(&cookie).expect("a language's name is two letters");
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}
