//! Conditional requests (RFC 9110, section 13) to the API. The tag of an answer is a digest of its very bytes, so it is a strong one and
//! needs nothing that could be forgotten; it saves the way, not the work. Pages have none: they tell times as of now and are never kept.

use axum::{
    body::{Body, HttpBody, to_bytes},
    extract::Request,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{self, CACHE_CONTROL, CONTENT_TYPE, ETAG},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::openapi::{
    OpenApi, RefOr, Required, ResponseBuilder,
    path::{Parameter, ParameterBuilder, ParameterIn},
    schema::{ObjectBuilder, Schema, Type},
};
use xxhash_rust::xxh3::xxh3_128;

use super::error::ApiError;

/// What a request says of the state that it expects.
#[derive(Debug, Clone)]
pub(super) struct Conditions {
    /// `If-Match`.
    one_of: Option<Tags>,
    /// `If-None-Match`.
    none_of: Option<Tags>,
}

/// The tags that a header lists.
#[derive(Debug, Clone)]
enum Tags {
    /// `*`: whichever there is.
    Any,
    Listed(Vec<String>),
}

impl Tags {
    fn of(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        headers.contains_key(name).then(|| {
            let lists = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
            // A tag of somebody else may hold a comma; no part of it looks like one of ours.
            let tags: Vec<String> = lists.flat_map(|list| list.split(',')).map(|tag| tag.trim().to_owned()).collect();
            if tags.iter().any(|tag| tag == "*") { Self::Any } else { Self::Listed(tags) }
        })
    }

    /// By strong comparison: a weak tag says that two states are much the same, which is not enough to overwrite one.
    fn name(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|listed| listed == tag),
        }
    }

    /// By weak comparison: a proxy that compresses an answer makes its tag a weak one.
    fn name_weakly(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|listed| listed.strip_prefix("W/").unwrap_or(listed) == tag),
        }
    }
}

impl Conditions {
    /// Those of a request.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self { one_of: Tags::of(headers, &header::IF_MATCH), none_of: Tags::of(headers, &header::IF_NONE_MATCH) }
    }

    /// Whether a change may be made of what is now answered as `now`.
    pub(super) fn allow_change_of(&self, now: &impl Serialize) -> bool {
        if self.one_of.is_none() && self.none_of.is_none() {
            return true;
        }
        let tag = tag(&serde_json::to_vec(now).expect("an answer can be written as JSON"));
        self.one_of.as_ref().is_none_or(|tags| tags.name(&tag))
            && !self.none_of.as_ref().is_some_and(|tags| tags.name_weakly(&tag))
    }
}

fn tag(bytes: &[u8]) -> String {
    format!("\"{:032x}\"", xxh3_128(bytes))
}

/// Gives every JSON answer to a GET its tag, and answers what the caller has already with 304 and no body. A silence or maintenance
/// window looks at the conditions of a change of it itself, in the transaction of the change; at any other address there is nothing that
/// a change could be compared with, so that `If-Match` is never true.
pub(super) async fn answer(request: Request, next: Next) -> Result<Response, ApiError> {
    let (method, conditions) = (request.method().clone(), Conditions::of(request.headers()));
    if method == Method::PATCH || method == Method::DELETE {
        return Ok(next.run(request).await);
    }
    if method != Method::GET && method != Method::HEAD {
        return if conditions.one_of.is_some() { Err(ApiError::NoTag) } else { Ok(next.run(request).await) };
    }
    let response = next.run(request).await;
    let json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if response.status() != StatusCode::OK || !json || response.body().size_hint().exact().is_none() {
        return Ok(response);
    }
    let (mut head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.map_err(|_| ApiError::Stopping)?;
    let tag = tag(&bytes);
    if conditions.one_of.is_some_and(|tags| !tags.name(&tag)) {
        return Err(ApiError::Precondition);
    }
    let value = HeaderValue::from_str(&tag).expect("a tag is hexadecimal digits in quotes");
    let headers = [(ETAG, value), (CACHE_CONTROL, HeaderValue::from_static("private, no-cache"))];
    if conditions.none_of.is_some_and(|tags| tags.name_weakly(&tag)) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    head.headers.extend(headers);
    Ok(Response::from_parts(head, Body::from(bytes)))
}

/// Tells of it in the OpenAPI document, at every GET and at every change that looks at conditions.
pub(super) fn describe(document: &mut OpenApi) {
    let text = || RefOr::T(Schema::Object(ObjectBuilder::new().schema_type(Type::String).build()));
    let parameter = |name: &str, what: &str| -> RefOr<Parameter> {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header).required(Required::False);
        parameter.description(Some(what)).schema(Some(text())).build().into()
    };
    let response = |what: &str| RefOr::<utoipa::openapi::Response>::T(ResponseBuilder::new().description(what).build());
    for item in document.paths.paths.values_mut() {
        if let Some(get) = &mut item.get {
            let parameters = get.parameters.get_or_insert_default();
            parameters.push(parameter("If-None-Match", "The `ETag` of an answer that the caller has"));
            get.responses.responses.insert("304".to_owned(), response("It is what the caller has"));
        }
        for change in [&mut item.patch, &mut item.delete].into_iter().flatten() {
            let parameters = change.parameters.get_or_insert_default();
            parameters.push(parameter("If-Match", "The `ETag` of the state that is to be changed, or `*`"));
            change.responses.responses.insert("412".to_owned(), response("It is no longer in that state"));
        }
    }
}
