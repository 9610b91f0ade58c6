//! What people and programs report, and photos.

use axum::{
    Json,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use lobby_contract::{DeviceId, SiteId};
use lobby_domain::report::{What, is_phone, masked};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{About, ApiError, App, Body, Caller, Path, Policy, Query, Routes, alerts::subject, name, restraints::Key};
use crate::{
    fleet::Changed,
    http::{
        pages::{Filled, Target, may_call, take},
        sent::{LARGEST_SENT, Sent},
    },
    restraints::new_id,
    store::{PhotoRow, ReportRow, Shown, Stage},
};
use lobby_domain::access::Need;

pub(super) fn routes() -> Routes {
    let photos = Routes::new()
        .post("/api/v1/tickets/{number}/photos", Policy::to(Need::Answer, About::Ticket), add_photos)
        .with(|router| router.layer(DefaultBodyLimit::max(LARGEST_SENT)));
    Routes::new()
        .post("/api/v1/tickets", Policy::to(Need::Answer, About::Handler), make_report)
        .get("/api/v1/photos/{id}", Policy::read(About::Handler), show_photo)
        .merge(photos)
}

/// What is reported.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewReport {
    /// Where.
    site: String,
    /// The device; without one, `thing` says what it is about.
    device: Option<String>,
    /// What is no device, and where it is: 100 characters at most.
    #[serde(default)]
    thing: String,
    /// `fault` (which is usual), `damage` or `loss`.
    #[serde(default)]
    #[schema(value_type = String)]
    what: What,
    /// Symptoms that the standards name for the kind of the device.
    #[serde(default)]
    symptoms: Vec<String>,
    /// In words: 500 characters at most.
    #[serde(default)]
    note: String,
    /// Who reports it.
    #[serde(default)]
    by: String,
    /// Where they can be called.
    #[serde(default)]
    phone: String,
    /// Whether damage or loss is to be repaired, too.
    #[serde(default)]
    repair: bool,
}

/// What was reported.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Report {
    id: String,
    site: String,
    /// The device; null if it is about another thing.
    device: Option<String>,
    thing: String,
    /// `fault`, `damage` or `loss`.
    what: &'static str,
    /// `guest`, `person` or `program`.
    source: &'static str,
    /// Who reported it; empty if that is not known.
    reporter: String,
    /// What they are; empty if that is not known.
    post: String,
    /// Where they can be called: in full for engineering, supervisor, manager and admin, otherwise masked.
    phone: String,
    symptoms: Vec<String>,
    note: String,
    /// In ms since 1970 UTC.
    at: i64,
    /// The alert that it became.
    alert: String,
    /// The ticket that it opened or joined; null if it went to the superior alone.
    ticket: Option<String>,
}

/// A photo of a ticket.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Photo {
    /// Where it is: `/api/v1/photos/{id}`.
    id: String,
    /// The report with which it came; null if it came by itself.
    report: Option<String>,
    /// `report`, `before` or `after`.
    stage: String,
    /// Who sent it; empty if that is not known.
    by: String,
    /// In ms since 1970 UTC.
    at: i64,
    width: i64,
    height: i64,
}

impl From<PhotoRow> for Photo {
    fn from(row: PhotoRow) -> Self {
        let PhotoRow { id, report, stage, by, at, width, height } = row;
        Self { id, report: report.map(|id| id.to_string()), stage, by, at: at.millis(), width, height }
    }
}

impl Report {
    pub(super) fn of(row: ReportRow, caller: &Caller) -> Self {
        let (device, _) = subject(&row.subject);
        let shown =
            if row.phone.is_empty() || may_call(&caller.at(&row.site)) { row.phone } else { masked(&row.phone) };
        Self {
            id: row.id.to_string(),
            site: row.site.to_string(),
            device,
            thing: row.thing,
            what: row.what.as_str(),
            source: row.source.as_str(),
            reporter: row.reporter,
            post: row.post,
            phone: shown,
            symptoms: row.symptoms,
            note: row.note,
            at: row.at.millis(),
            alert: row.alert.to_string(),
            ticket: row.ticket,
        }
    }
}

/// Reports a fault, damage or loss, which opens a repair ticket or joins the one that the device has. With an `Idempotency-Key` the same
/// request is one report, however often it comes.
#[utoipa::path(post, path = "/api/v1/tickets", tag = "tickets",
    params(("Idempotency-Key" = Option<String>, Header, description = "Any text that no other report has had")),
    request_body = NewReport,
    responses((status = 201, body = Report), (status = 200, body = Report, description = "It was reported before, with this key"),
        (status = 400, description = "Something is missing or not valid"),
        (status = 404, description = "There is no such site or device"),
        (status = 422, description = "The body is not valid, or the key is that of another report")))]
pub(in crate::http) async fn make_report(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Body(new): Body<NewReport>,
) -> Result<Response, ApiError> {
    let key = Key::of(&headers, "/api/v1/tickets", &new)?;
    let site = name::<SiteId>("site", Some(&new.site))?.filter(|site| caller.reaches(site));
    let site = site.filter(|site| app.fleet.read().contains_key(site)).ok_or(ApiError::NotFound("site"))?;
    let device = name::<DeviceId>("device", new.device.as_deref())?;
    if let Some(device) = &device
        && app.fleet.read().get(&site).is_none_or(|site| site.device(device).is_none())
    {
        return Err(ApiError::NotFound("device"));
    }
    let asks_thing = device.is_none();
    let key = key.map_or_else(|| new_id().0, |key| key.id);
    let said = Filled {
        key,
        what: new.what,
        symptoms: new.symptoms,
        thing: if asks_thing { new.thing } else { String::new() },
        note: new.note,
        phone: new.phone,
        by: new.by,
        repair: new.repair,
    };
    check(&said, asks_thing)?;
    let (row, is_new) = take(&app, &caller, &Target { site, device }, (key, &said), &[]).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(Report::of(row, &caller))).into_response())
}

fn check(said: &Filled, asks_thing: bool) -> Result<(), ApiError> {
    let wrong = |words: &str| Err(ApiError::Parameter(words.to_owned()));
    if asks_thing && said.thing.trim().is_empty() {
        return wrong("`thing` is missing: name a `device`, or say what it is about and where that is");
    }
    if said.symptoms.is_empty() && said.note.trim().is_empty() && (said.what == What::Fault || !asks_thing) {
        return wrong("nothing is said: give `symptoms` or a `note`");
    }
    if [&said.thing, &said.note, &said.by].iter().any(|text| text.contains('\0')) {
        return wrong("a text is without the character NUL");
    }
    if said.note.chars().count() > 500 || said.thing.chars().count() > 100 || said.by.len() > 200 {
        return wrong("`note` has at most 500 characters, `thing` 100, and `by` 200 bytes");
    }
    if !said.phone.is_empty() && !is_phone(&said.phone) {
        return wrong("`phone` is no phone number: digits, spaces, `+`, `-` and brackets only");
    }
    Ok(())
}

/// What comes with photos.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::http) struct Told {
    /// `before` or `after`.
    stage: String,
    /// Who sends them.
    by: String,
}

/// Photos of a ticket, and how they are sent.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "what the document says of a form")]
pub(in crate::http) struct NewPhotos {
    /// JPEG, PNG or WebP, 8 MiB and 24 million pixels at most each; what is kept is a JPEG without any metadata.
    #[schema(value_type = Vec<String>, format = Binary)]
    photo: Vec<u8>,
    /// `before` (which is usual) or `after` the repair.
    stage: Option<String>,
    /// Who sends them.
    by: Option<String>,
}

/// Puts photos to an open ticket, six at most in all. The same photo again is there once.
#[utoipa::path(post, path = "/api/v1/tickets/{number}/photos", tag = "tickets",
    params(("number" = String, Path, description = "The ticket")),
    request_body(content = NewPhotos, content_type = "multipart/form-data"),
    responses((status = 200, body = Vec<Photo>, description = "All photos of the ticket"),
        (status = 400, description = "This is no form with photos"), (status = 404, description = "There is no such ticket"),
        (status = 409, description = "The ticket is closed or has six photos"),
        (status = 413, description = "A photo is too large"), (status = 415, description = "A file is no photo"),
        (status = 422, description = "A photo cannot be read")))]
pub(in crate::http) async fn add_photos(
    State(app): State<App>,
    caller: Caller,
    Path(number): Path<String>,
    request: Request,
) -> Result<Json<Vec<Photo>>, ApiError> {
    let Sent { typed: Told { stage, by }, photos, .. } = Sent::<Told>::read(&app, request, true).await?;
    let stage = match stage.as_str() {
        "" | "before" => Stage::Before,
        "after" => Stage::After,
        _ => return Err(ApiError::Parameter("`stage` is before or after".to_owned())),
    };
    let (photos, by) = (photos?, caller.signs(by));
    if photos.is_empty() {
        return Err(ApiError::Parameter("no file is sent: send one in each field `photo`".to_owned()));
    }
    if by.len() > 200 || by.contains('\0') {
        return Err(ApiError::Parameter("`by` has at most 200 bytes, without the character NUL".to_owned()));
    }
    let shown = Shown { stage, by: &by, at: app.clock.now() };
    app.store.add_photos(&number, &photos, shown, &caller.actor(&by)).await?;
    if let Some(site) = app.store.site_of_ticket(&number).await? {
        app.fleet.tell(Changed { site, device: None });
    }
    Ok(Json(app.store.photos_of_ticket(&number).await?.into_iter().map(Photo::from).collect()))
}

/// How large a photo is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct PhotoSize {
    /// `small` for a list, at most 160 pixels wide and high; as large as it is kept if not given.
    size: Option<String>,
}

/// The small file of a photo that was kept without one, which is kept for the next time; what is kept, if it cannot be read.
async fn shrunk(app: &App, id: &str, jpeg: Vec<u8>) -> Result<Vec<u8>, ApiError> {
    match app.reports.photos.small(jpeg.clone()).await {
        Ok(small) => {
            app.store.keep_small_photo(id, &small).await?;
            Ok(small)
        }
        Err(error) => {
            tracing::warn!(photo.id = id, %error, "a photo cannot be made small");
            Ok(jpeg)
        }
    }
}

/// A photo: a JPEG that the hub made.
#[utoipa::path(get, path = "/api/v1/photos/{id}", tag = "tickets",
    params(("id" = String, Path, description = "The photo"), PhotoSize),
    responses((status = 200, content_type = "image/jpeg", body = Vec<u8>),
        (status = 400, description = "There is no such size"), (status = 404, description = "There is no such photo")))]
pub(in crate::http) async fn show_photo(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(PhotoSize { size }): Query<PhotoSize>,
) -> Result<Response, ApiError> {
    let is_small = match size.as_deref() {
        None => false,
        Some("small") => true,
        Some(_) => return Err(ApiError::Parameter("`size` is `small`, or not given".to_owned())),
    };
    let there = if is_small { app.store.small_photo(&id).await? } else { None };
    let has_small = there.is_some();
    let found = match there {
        Some(found) => Some(found),
        None => app.store.photo(&id).await?,
    };
    let found = found.filter(|(site, _)| caller.reaches(site));
    let (_, mut jpeg) = found.ok_or(ApiError::NotFound("photo"))?;
    if is_small && !has_small {
        jpeg = shrunk(&app, &id, jpeg).await?;
    }
    let named =
        HeaderValue::from_str(&format!("inline; filename=\"{id}.jpg\"")).map_err(|_| ApiError::NotFound("photo"))?;
    let fixed = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
        // It never changes; and it is for whoever is signed in there, not for others behind the same proxy.
        (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable")),
        (header::CONTENT_DISPOSITION, named),
    ];
    Ok((fixed, jpeg).into_response())
}
