//! Forms that may bring photos: read field by field, each photo made small before the next one is taken in.

use axum::{
    Form,
    body::{Body, to_bytes},
    extract::{FromRequest, Multipart, Request, multipart::Field, rejection::FormRejection},
    http::{StatusCode, header},
};
use bytes::{Bytes, BytesMut};
use serde::de::DeserializeOwned;

use super::App;
use crate::photo::{LARGEST, MOST, Photo, PhotoError};

/// The largest form with photos, in bytes.
pub(super) const LARGEST_SENT: usize = MOST * LARGEST + 64 * 1024;
/// The most bytes of everything that is typed.
const LARGEST_TYPED: usize = 16 * 1024;
/// The name of the field with photos.
const PHOTO: &str = "photo";

/// A form as it was sent.
pub(super) struct Sent<T> {
    /// What was typed.
    pub typed: T,
    /// The photos, or why one of them was not taken.
    pub photos: Result<Vec<Photo>, PhotoError>,
    /// The fields from which the photos are, in the same order.
    pub of: Vec<String>,
}

/// Why a form could not be read.
pub(super) enum SentError {
    /// It is larger than ours.
    TooLarge,
    /// It is none of ours.
    Bad,
}

impl From<FormRejection> for SentError {
    fn from(rejection: FormRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { Self::TooLarge } else { Self::Bad }
    }
}

impl From<axum::extract::multipart::MultipartError> for SentError {
    fn from(error: axum::extract::multipart::MultipartError) -> Self {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE { Self::TooLarge } else { Self::Bad }
    }
}

impl<T: DeserializeOwned + 'static> Sent<T> {
    /// Reads a form. Its photos are passed over unless `looks`.
    pub(super) async fn read(app: &App, request: Request, looks: bool) -> Result<Self, SentError> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("multipart/form-data") {
            let (head, body) = request.into_parts();
            let body = to_bytes(body, LARGEST_TYPED).await.map_err(|_| SentError::TooLarge)?;
            let Form(typed) = Form::<T>::from_request(Request::from_parts(head, body.into()), &()).await?;
            return Ok(Self { typed, photos: Ok(Vec::new()), of: Vec::new() });
        }
        let mut parts = Multipart::from_request(request, &()).await.map_err(|_| SentError::Bad)?;
        let (mut typed, mut photos, mut of) = (String::new(), Ok(Vec::new()), Vec::new());
        while let Some(field) = parts.next_field().await? {
            let name = field.name().unwrap_or_default().to_owned();
            // A form may ask for photos of several things: `photo.THING`.
            if name.split('.').next() == Some(PHOTO) {
                let file = within(field, LARGEST).await?;
                if looks && let Ok(taken) = &mut photos {
                    match photo(app, file, taken.len()).await {
                        Ok(photo) => {
                            of.extend(photo.is_some().then_some(name));
                            taken.extend(photo);
                        }
                        Err(error) => photos = Err(error),
                    }
                }
                continue;
            }
            let text = within(field, LARGEST_TYPED).await?.ok_or(SentError::TooLarge)?;
            let text = std::str::from_utf8(&text).map_err(|_| SentError::Bad)?;
            typed = format!("{typed}{}{}={}", if typed.is_empty() { "" } else { "&" }, encoded(&name), encoded(text));
            if typed.len() > 3 * LARGEST_TYPED {
                return Err(SentError::TooLarge);
            }
        }
        let urlencoded = "application/x-www-form-urlencoded";
        let again = Request::post("/").header(header::CONTENT_TYPE, urlencoded).body(Body::from(typed));
        let again = again.expect("a request of a constant address");
        let Form(typed) = Form::<T>::from_request(again, &()).await?;
        Ok(Self { typed, photos, of })
    }
}

/// The bytes of a field; `None` if there are more than `most`, which are passed over.
async fn within(mut field: Field<'_>, most: usize) -> Result<Option<Bytes>, SentError> {
    let mut bytes = BytesMut::new();
    let mut fits = true;
    while let Some(chunk) = field.chunk().await? {
        fits &= bytes.len() + chunk.len() <= most;
        if fits {
            bytes.extend_from_slice(&chunk);
        } else {
            bytes = BytesMut::new();
        }
    }
    Ok(fits.then(|| bytes.freeze()))
}

/// The photo of a field; none if no file was chosen.
async fn photo(app: &App, file: Option<Bytes>, there: usize) -> Result<Option<Photo>, PhotoError> {
    let file = file.ok_or(PhotoError::TooLarge)?;
    if file.is_empty() {
        return Ok(None);
    }
    if there >= MOST {
        return Err(PhotoError::TooMany);
    }
    app.reports.photos.read(file).await.map(Some)
}

/// A text as a part of a form.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
