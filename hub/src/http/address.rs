//! Where people reach the pages, for links that leave the hub.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};

use super::App;

/// The address of the first page, without a slash at its end: the configured one, or the one that the request came by.
#[derive(Debug, Clone)]
pub(super) struct PublicAddress(String);

impl PublicAddress {
    /// The link by which a password is chosen.
    pub(super) fn to_link(&self, link: &str) -> String {
        format!("{}/setup/{link}", self.0)
    }
}

impl FromRequestParts<App> for PublicAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        if let Some(url) = &app.notify.settings.borrow().public_url {
            return Ok(Self(url.clone()));
        }
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        Ok(Self(format!("{}://{host}", if app.https { "https" } else { "http" })))
    }
}
