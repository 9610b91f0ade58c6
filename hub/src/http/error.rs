//! Errors of the API as problem documents (RFC 9457), and the page for addresses that lead nowhere.

use axum::{
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::{ActError, CursorError, StoreError};

/// A problem document.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Names the kind of problem.
    r#type: &'static str,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// This very problem in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Why a request of the API was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// The thing asked for is not there.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A parameter is not what it should be.
    #[error("{0}")]
    Parameter(String),
    /// Somebody else changed the thing meanwhile, or it is not in a state for this.
    #[error("{0}")]
    Conflict(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<CursorError> for ApiError {
    fn from(error: CursorError) -> Self {
        Self::Parameter(error.to_string())
    }
}

impl From<ActError> for ApiError {
    fn from(error: ActError) -> Self {
        match error {
            ActError::NotFound => Self::NotFound("ticket"),
            ActError::Store(error) => Self::Store(error),
            ActError::Conflict { .. } | ActError::Refused(_) => Self::Conflict(error.to_string()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, r#type, title) = match &self {
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "/problems/not-found", "Not found"),
            Self::Parameter(_) => (StatusCode::BAD_REQUEST, "/problems/invalid-parameter", "A parameter is not valid"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "/problems/conflict", "The state does not allow it"),
            Self::Store(StoreError::Database { .. }) => {
                (StatusCode::SERVICE_UNAVAILABLE, "/problems/unavailable", "The service is unavailable")
            }
            Self::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, "/problems/internal", "Something went wrong"),
        };
        let detail = if status.is_server_error() {
            // Causes go to the log, never to the caller.
            tracing::error!(cause = format!("{:#}", anyhow::Error::from(self)), "a request failed");
            None
        } else {
            Some(self.to_string())
        };
        let body = axum::Json(Problem { r#type, title, status: status.as_u16(), detail });
        (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}

/// The answer to an address below `/api` that leads nowhere; pages have their own.
pub(super) async fn no_such_address(uri: Uri) -> ApiError {
    ApiError::Parameter(format!("there is nothing at {}", uri.path()))
}
