//! Errors of the API as problem documents (RFC 9457).

use axum::{
    body::Bytes,
    extract::{
        FromRequest, FromRequestParts, Request, State,
        rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection},
    },
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use lobby_domain::{
    access::{Need, Role},
    alert::{AlertId, ClearRefusal},
    check::stands_at,
    restraint::Refusal,
    site::LifeError,
};
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use utoipa::ToSchema;

use super::{App, pages::PageError, sent::SentError};
use crate::{
    ingest::DecisionError,
    notify::TestError,
    photo::PhotoError,
    store::{ActError, ChangeError, CursorError, RaiseError, ResendError, StockError, StoreError},
};

/// The query of a request of the API; a mistake is answered with a problem document.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub(super) struct Query<T>(pub(super) T);

/// The parts of an address of the API; one that is not UTF-8 is answered with a problem document.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub(super) struct Path<T>(pub(super) T);

/// The JSON object that is the body of a request of the API; a mistake is answered with a problem document.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (head, body) = request.into_parts();
        let bytes = Bytes::from_request(Request::from_parts(head.clone(), body), state).await?;
        let read = axum::Json::<T>::from_request(Request::from_parts(head, bytes.clone().into()), state).await;
        // To serde a list is an object whose fields have no names, and an empty one an object without any.
        if !matches!(read, Err(JsonRejection::MissingJsonContentType(_)))
            && let Some(found) = other_than_an_object(&bytes)
            && serde_json::from_slice::<IgnoredAny>(&bytes).is_ok()
        {
            let detail = format!("the body is {found} where an object is expected: `{{\"name\": value, …}}`");
            return Err(ApiError::Body { status: StatusCode::UNPROCESSABLE_ENTITY, detail });
        }
        Ok(Self(read?.0))
    }
}

/// What a text of JSON holds, unless it is an object.
fn other_than_an_object(json: &[u8]) -> Option<&'static str> {
    match json.iter().find(|byte| !byte.is_ascii_whitespace())? {
        b'{' => None,
        b'[' => Some("a list"),
        b'"' => Some("a text"),
        b't' | b'f' => Some("true or false"),
        b'n' => Some("null"),
        _ => Some("a number"),
    }
}

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
    /// What may be asked for instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    offer: Option<Offer>,
}

/// A request that would be done instead of the one refused.
#[derive(Debug, Serialize, ToSchema)]
struct Offer {
    /// Its method.
    method: &'static str,
    /// Its address.
    href: &'static str,
    /// Its body.
    #[schema(value_type = Object)]
    body: serde_json::Value,
}

/// Why a request of the API was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// The thing asked for is not there.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The address is right, and the method is not.
    #[error("this address does not answer to {0}; `allow` names what it answers to")]
    Method(Method),
    /// A parameter is not what it should be.
    #[error("{0}")]
    Parameter(String),
    /// The body is not what it should be.
    #[error("{detail}")]
    Body {
        /// 400, 413, 415 or 422.
        status: StatusCode,
        /// What is wrong with it, and where.
        detail: String,
    },
    /// Nobody is signed in.
    #[error("sign in, or send `Authorization: Bearer TOKEN` with a token that `lobby-hub token create` made")]
    SignIn,
    /// A page of another site asks for it, or nothing tells that it does not.
    #[error(
        "this comes from a page of another site, or nothing tells that it does not: programs use a token instead of a cookie"
    )]
    CrossSite,
    /// No token that is good.
    #[error(
        "no good token: send `Authorization: Bearer TOKEN` with one that `lobby-hub token create` made and that is neither revoked nor over"
    )]
    Token,
    /// Damage and loss are for the superior of whoever reported them.
    #[error("this was reported to the post {0}, who takes notice of it")]
    Superior(String),
    /// A round is made by its post.
    #[error("this step of the round is of the post {0} and its superiors: it needs one of the roles {roles}", roles = roles_at(.0))]
    Post(String),
    /// A purchase is approved along the chain of command.
    #[error("another post is to approve it now: `waits_for` of the plan names it")]
    Turn,
    /// The caller's role may not do it.
    #[error("this needs one of the roles {}", roles(*.0))]
    Role(Need),
    /// The caller would give or take away more than they have.
    #[error("this is not yours to give or to take away: nobody gives more than they have")]
    NotTheirs,
    /// The caller may do it at these sites, and this is not of one of them alone.
    #[error("this may be done at site `{0}` alone: name one site, and nothing beyond it")]
    OtherSite(String),
    /// The caller may read of these sites, and a list is of one of them.
    #[error("the parameter `site` is missing: it is one of `{0}`")]
    WhichSite(String),
    /// The address names another computer than the one that listens.
    #[error(
        "this server answers to its IP address, `localhost`, this computer's name, the host of `public_url` and the names in its \
         certificate only"
    )]
    Host,
    /// Somebody else changed the thing meanwhile, or it is not in a state for this.
    #[error("{0}")]
    Conflict(String),
    /// The hub is stopping.
    #[error("the hub is stopping: try again later")]
    Stopping,
    /// An alert was not cleared, because its fault is there or nobody can tell.
    #[error("{refusal}: the alert stays open; it can be silenced until it is resolved")]
    Fault {
        /// Why it was not.
        refusal: ClearRefusal,
        /// The alert.
        alert: AlertId,
    },
    /// What was to be changed is not in the state that `If-Match` or `If-None-Match` asks for.
    #[error("it is no longer in the state that `If-Match` or `If-None-Match` asks for: read it again")]
    Precondition,
    /// `If-Match` at an address that has no state to compare.
    #[error("`If-Match` is never true here, because nothing with an `ETag` is changed at this address: leave it out")]
    NoTag,
    /// The key of a request is that of another one.
    #[error("another request had this `Idempotency-Key`: use a new one")]
    KeyReused,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NotFound => Self::NotFound("silence or maintenance window"),
            ChangeError::Conflict => Self::Conflict(error.to_string()),
            ChangeError::Refused(refusal) => refusal.into(),
            ChangeError::Store(error) => Self::Store(error),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        if refusal.is_mistake() { Self::Parameter(refusal.to_string()) } else { Self::Conflict(refusal.to_string()) }
    }
}

impl From<CursorError> for ApiError {
    fn from(error: CursorError) -> Self {
        Self::Parameter(error.to_string())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::Parameter(rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(_: PathRejection) -> Self {
        Self::Parameter("a part of the address is not UTF-8, written as `%XX`".to_owned())
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        Self::Body { status: rejection.status(), detail: rejection.body_text() }
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::Body { status: rejection.status(), detail: rejection.body_text() }
    }
}

impl From<StockError> for ApiError {
    fn from(error: StockError) -> Self {
        match error {
            StockError::Refused(lobby_domain::stock::Refusal::Arrived) | StockError::Corrected => {
                Self::Conflict(error.to_string())
            }
            StockError::Refused(refusal) => Self::Parameter(refusal.to_string()),
            StockError::NotFound => Self::NotFound("movement or order"),
            StockError::KeyReused => Self::KeyReused,
            StockError::Store(error) => Self::Store(error),
        }
    }
}

impl From<ActError> for ApiError {
    fn from(error: ActError) -> Self {
        match error {
            ActError::NotFound => Self::NotFound("ticket"),
            ActError::Store(error) => Self::Store(error),
            ActError::Conflict { .. } | ActError::Refused(_) | ActError::Closed => Self::Conflict(error.to_string()),
            ActError::NoPriority { .. } | ActError::NoOriginal | ActError::NoAssignee | ActError::NoArrival => {
                Self::Parameter(error.to_string())
            }
            ActError::KeyReused => Self::KeyReused,
            ActError::TooManyPhotos => PhotoError::TooMany.into(),
        }
    }
}

impl From<PhotoError> for ApiError {
    fn from(error: PhotoError) -> Self {
        match error {
            PhotoError::TooMany => Self::Conflict(error.to_string()),
            PhotoError::TooLarge | PhotoError::TooManyPixels => {
                Self::Body { status: StatusCode::PAYLOAD_TOO_LARGE, detail: error.to_string() }
            }
            PhotoError::Kind => Self::Body { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, detail: error.to_string() },
            PhotoError::Broken => Self::Body { status: StatusCode::UNPROCESSABLE_ENTITY, detail: error.to_string() },
        }
    }
}

impl From<SentError> for ApiError {
    fn from(error: SentError) -> Self {
        match error {
            SentError::TooLarge => PhotoError::TooLarge.into(),
            SentError::Bad => Self::Body {
                status: StatusCode::BAD_REQUEST,
                detail: "send `multipart/form-data` with a file in each field `photo`".to_owned(),
            },
        }
    }
}

impl From<PageError> for ApiError {
    fn from(error: PageError) -> Self {
        match error {
            PageError::Store(error) => Self::Store(error),
            PageError::NotFound => Self::NotFound("device"),
            PageError::KeyReused => Self::KeyReused,
            error => Self::Parameter(error.to_string()),
        }
    }
}

impl From<RaiseError> for ApiError {
    fn from(error: RaiseError) -> Self {
        match error {
            RaiseError::NotFound => Self::NotFound("open ticket"),
            RaiseError::Store(error) => Self::Store(error),
            RaiseError::Conflict | RaiseError::Refused(_) => Self::Conflict(error.to_string()),
        }
    }
}

impl From<DecisionError> for ApiError {
    fn from(error: DecisionError) -> Self {
        match error {
            DecisionError::NoSite => Self::NotFound("site"),
            DecisionError::Life(LifeError::NotFound) => Self::NotFound("device"),
            DecisionError::Life(LifeError::NotNow { .. }) | DecisionError::Clear(_) => {
                Self::Conflict(error.to_string())
            }
            DecisionError::Stopping => Self::Stopping,
        }
    }
}

impl From<TestError> for ApiError {
    fn from(error: TestError) -> Self {
        match error {
            TestError::NotFound => Self::NotFound("channel"),
            TestError::TooSoon(_) => Self::Conflict(error.to_string()),
            TestError::Store(error) => Self::Store(error),
        }
    }
}

impl From<ResendError> for ApiError {
    fn from(error: ResendError) -> Self {
        match error {
            ResendError::NotFound => Self::NotFound("message"),
            ResendError::NotDead | ResendError::NoChannel(_) => Self::Conflict(error.to_string()),
            ResendError::Store(error) => Self::Store(error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, r#type, title) = match &self {
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "/problems/not-found", "Not found"),
            Self::Parameter(_) | Self::WhichSite(_) => {
                (StatusCode::BAD_REQUEST, "/problems/invalid-parameter", "A parameter is not valid")
            }
            Self::Body { status, .. } => (*status, "/problems/invalid-body", "The request body is not valid"),
            Self::Method(_) => {
                (StatusCode::METHOD_NOT_ALLOWED, "/problems/method-not-allowed", "The method does not fit the address")
            }
            Self::Token | Self::SignIn => (StatusCode::UNAUTHORIZED, "/problems/token", "Not signed in"),
            Self::Role(_)
            | Self::Post(_)
            | Self::Turn
            | Self::Superior(_)
            | Self::NotTheirs
            | Self::OtherSite(_)
            | Self::CrossSite => (StatusCode::FORBIDDEN, "/problems/forbidden", "Not allowed"),
            Self::Host => (StatusCode::MISDIRECTED_REQUEST, "/problems/host", "Wrong host"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "/problems/conflict", "The state does not allow it"),
            Self::Fault { .. } => {
                (StatusCode::CONFLICT, "/problems/fault-not-gone", "The fault is not known to be gone")
            }
            Self::Precondition | Self::NoTag => {
                (StatusCode::PRECONDITION_FAILED, "/problems/precondition-failed", "The condition is not true")
            }
            Self::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "/problems/idempotency-key-reused",
                "The key is that of another request",
            ),
            Self::Stopping | Self::Store(StoreError::Database { .. }) => {
                (StatusCode::SERVICE_UNAVAILABLE, "/problems/unavailable", "The service is unavailable")
            }
            Self::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, "/problems/internal", "Something went wrong"),
        };
        let offer = match &self {
            Self::Fault { alert, .. } => Some(Offer {
                method: "POST",
                href: "/api/v1/silences",
                body: serde_json::json!({ "until_resolved": alert }),
            }),
            _ => None,
        };
        let detail = if status.is_server_error() {
            // Causes go to the log, never to the caller.
            tracing::error!(cause = format!("{:#}", anyhow::Error::from(self)), "a request failed");
            None
        } else {
            Some(self.to_string())
        };
        let body = axum::Json(Problem { r#type, title, status: status.as_u16(), detail, offer });
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn roles_at(post: &str) -> String {
    let at = Role::ALL.into_iter().filter(|role| stands_at(Some(*role), post));
    at.map(Role::as_str).collect::<Vec<_>>().join(", ")
}

fn roles(need: Need) -> String {
    need.roles().map(Role::as_str).collect::<Vec<_>>().join(", ")
}

/// The answer to an address below `/api` that leads nowhere; pages have their own.
pub(super) async fn no_such_address() -> ApiError {
    ApiError::NotFound("address")
}

/// The answer to an address below `/api` that does not answer to that method. `allow` is added to it.
pub(super) async fn no_such_method(method: Method) -> ApiError {
    ApiError::Method(method)
}

/// Refuses requests that name another host than this computer. A page of another site must not be able to reach it by a name of its own
/// that leads here (DNS rebinding); an IP address or `localhost` cannot be such a name, and those that are configured are not.
pub(super) async fn own_host_only(State(app): State<App>, request: Request, next: Next) -> Result<Response, ApiError> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let answers = app.hosts.answer_to(host, app.notify.settings.borrow().public_url.as_deref());
    if answers { Ok(next.run(request).await) } else { Err(ApiError::Host) }
}
