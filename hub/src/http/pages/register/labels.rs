//! Printed labels: what a code leads to, and what it is bound to.

use axum::{
    extract::{Request, State},
    response::Response,
};
use lobby_dashboards::{ItemLabelLine, LabelPage, Page, SelectOption};
use lobby_domain::{device::Life, register::Field};
use uuid::Uuid;

use super::{Doer, href, one, signed, typed};
use crate::{
    http::pages::{
        App, Html, Open, PageError, Path, Reader, Scene,
        act::noticed,
        answer::{answer, refuse, see},
    },
    new_code,
    store::{ItemLabelEvent, LabelRow, Target},
};

/// The most blank labels of one sheet: five pages.
const MOST: usize = 105;

/// The label of a code, for whoever may know of its site.
async fn label(app: &App, reader: &Reader, code: &str) -> Result<LabelRow, PageError> {
    let row = app.store.label(code).await?.filter(|row| reader.caller.reaches(&row.site));
    row.ok_or(PageError::NotFound)
}

/// Where the label of a code leads that is on no device: to its item, or to where it is bound.
pub(in crate::http::pages) async fn at_label(app: &App, reader: &Reader, code: &str) -> Result<String, PageError> {
    let row = label(app, reader, code).await?;
    Ok(match &row.target {
        Some(Target::Item(number)) if !row.voided => href(&row.site, *number),
        _ => format!("/labels/{code}"),
    })
}

/// A label that was stuck on an item, or came off it, as the item's page tells it.
pub(super) fn event(scene: &Scene<'_>, event: &ItemLabelEvent) -> ItemLabelLine {
    ItemLabelLine {
        code: event.code.clone(),
        on: event.on,
        elsewhere: event.elsewhere.clone(),
        reason: event.reason.clone(),
        by: signed(scene, &(event.who.clone(), event.at)),
    }
}

/// The label that is on an item, of what happened to its labels, the newest first.
pub(super) fn on_it(events: &[ItemLabelEvent]) -> Option<&str> {
    let last = |event: &&ItemLabelEvent| events.iter().find(|other| other.code == event.code) == Some(*event);
    events.iter().filter(last).find(|event| event.on).map(|event| event.code.as_str())
}

/// What a label is on.
pub(super) async fn show(State(app): State<App>, reader: Reader, Path(code): Path<String>) -> Response {
    answer(&app, &reader, page(&app, &reader, &code)).await
}

async fn page(app: &App, reader: &Reader, code: &str) -> Result<String, PageError> {
    let row = label(app, reader, code).await?;
    let items = app.store.register(&row.site).await?;
    let open = Open::default();
    let page = Scene::with(app, reader, Some(row.site.clone()), &open, |scene| {
        let site = scene.site(&row.site);
        let option = |value: String, label: String| SelectOption { value, label, chosen: false };
        let here = items.iter().filter(|item| item.item.state().is_here() && item.item.get(Field::Device).is_empty());
        let item = here.map(|item| {
            let name = item.item.get(Field::Name);
            option(format!("item/{}", item.number), format!("{name} {}", item.number))
        });
        let devices = site.into_iter().flat_map(|site| {
            let devices = site.devices().filter(|device| device.life != Life::Retired);
            devices.map(move |device| (device.id.to_string(), scene.device(site, device).name))
        });
        let devices = devices.map(|(id, name)| option(format!("device/{id}"), name));
        let target = row.target.as_ref().map(|target| match target {
            Target::Item(number) => {
                let known = items.iter().find(|item| item.number == *number);
                let name = known.map(|item| item.item.get(Field::Name)).unwrap_or_default();
                (format!("{name} {number}"), href(&row.site, *number))
            }
            Target::Device(id) => (id.to_string(), format!("/d/{id}?site={}", row.site)),
        });
        Ok(LabelPage {
            code: code.to_owned(),
            target,
            voided: row.voided,
            version: row.version,
            targets: item.chain(devices).collect(),
            new_item: format!("/register?site={}&label={code}", row.site),
            chrome: scene.chrome(Page::Register),
        })
    })?;
    page.html(reader.fragment)
}

/// Binds a label to an item or a device.
pub(super) async fn bind(
    State(app): State<App>,
    reader: Reader,
    Path(code): Path<String>,
    request: Request,
) -> Response {
    go(&app, &reader, change(&app, &reader, &code, true, request).await)
}

/// Voids a label that is lost.
pub(super) async fn void(
    State(app): State<App>,
    reader: Reader,
    Path(code): Path<String>,
    request: Request,
) -> Response {
    go(&app, &reader, change(&app, &reader, &code, false, request).await)
}

fn go(app: &App, reader: &Reader, place: Result<String, PageError>) -> Response {
    match place {
        Ok(place) => see(&place),
        Err(error) => refuse(app, reader, error),
    }
}

async fn change(app: &App, reader: &Reader, code: &str, binds: bool, request: Request) -> Result<String, PageError> {
    let row = label(app, reader, code).await?;
    let fields = typed(app, request).await?;
    let doer = Doer::of(app, reader, row.site.as_str(), &fields)?;
    let target = match one(&fields, "target").split_once('/') {
        _ if !binds => None,
        Some(("item", number)) => Some(Target::Item(number.parse().map_err(|_| PageError::BadRequest)?)),
        Some(("device", id)) => {
            let id = id.parse().map_err(|_| PageError::BadRequest)?;
            let there = app.fleet.read().get(&row.site).is_some_and(|site| site.device(&id).is_some());
            Some(Target::Device(there.then_some(id).ok_or(PageError::NotFound)?))
        }
        _ => return Err(PageError::BadRequest),
    };
    let seen = one(&fields, "seen").parse().map_err(|_| PageError::BadRequest)?;
    let done = app.store.bind_label(code, target.as_ref(), (seen, one(&fields, "reason")), doer.acting()).await;
    let notice = doer.notice(app, done)?;
    Ok(noticed(&format!("/labels/{code}"), notice))
}

/// Makes a sheet of blank labels.
pub(super) async fn print(
    State(app): State<App>,
    reader: Reader,
    Path(site): Path<String>,
    request: Request,
) -> Response {
    let printed = async {
        let fields = typed(&app, request).await?;
        let doer = Doer::of(&app, &reader, &site, &fields)?;
        let key: Uuid = one(&fields, "key").parse().map_err(|_| PageError::BadRequest)?;
        let count = one(&fields, "count").parse().ok().filter(|count| (1..=MOST).contains(count));
        let count = count.ok_or(PageError::BadRequest)?;
        let sheet = Uuid::new_v5(&key, format!("{}\n{count}", doer.site).as_bytes());
        let codes: Vec<String> = (0..count).map(|_| new_code()).collect();
        app.store.print_labels(sheet, &codes, doer.acting()).await?;
        Ok(format!("/labels?site={}&sheet={sheet}", doer.site))
    };
    go(&app, &reader, printed.await)
}
