//! What the label of an item says to guests, and the form by which they and the staff report that it is damaged or lost. The superior is told
//! of it (CON-S11, BAR-D6); whether it is to be repaired is for the staff to say.

use lobby_contract::SiteId;
use lobby_dashboards::{Calendar, Chrome, ItemGuestPage, Page, ReportForm, ReportMistake, ReportReader, ReportedItem};
use lobby_domain::register::Field;

use super::{App, Fields, Html, OnLabel, PageError, Reader, Target, device, form};
use crate::store::{ItemRow, LabelRow, Target as Bound};

/// The device or the item that a label is on.
pub(super) async fn on_label(app: &App, code: &str) -> Result<OnLabel, PageError> {
    if let Some((site, device)) = app.store.device_by_code(code).await? {
        return Ok(OnLabel { target: Target { site, device: Some(device) }, item: None });
    }
    let label = app.store.label(code).await?;
    let Some(LabelRow { site, target: Some(Bound::Item(number)), voided: false, .. }) = label else {
        return Err(PageError::NotFound);
    };
    let row = app.store.register_item(&site, number).await?.ok_or(PageError::NotFound)?;
    Ok(OnLabel { target: Target { site, device: None }, item: Some(row) })
}

/// The same, for somebody of the staff, who may know of its site; a device may also be named as it is anywhere else.
pub(super) async fn on_label_of_staff(app: &App, reader: &Reader, code: &str) -> Result<OnLabel, PageError> {
    match device::named(app, reader, code).await {
        Ok((site, device)) => Ok(OnLabel { target: Target { site, device: Some(device) }, item: None }),
        Err(PageError::NotFound) => {
            let label = on_label(app, code).await?;
            let is_theirs = label.item.is_some() && reader.caller.reaches(&label.target.site);
            if is_theirs { Ok(label) } else { Err(PageError::NotFound) }
        }
        Err(error) => Err(error),
    }
}

/// An item, as the form of the staff shows it.
pub(super) fn reported(site: &SiteId, row: &ItemRow) -> ReportedItem {
    ReportedItem {
        name: row.item.get(Field::Name).to_owned(),
        number: row.number.to_string(),
        place: row.item.get(Field::Place).to_owned(),
        href: format!("/register/{site}/{}", row.number),
    }
}

/// How a report names an item: what people call it, its number, and where it belongs.
pub(super) fn named(row: &ItemRow) -> String {
    let (name, place) = (row.item.get(Field::Name), row.item.get(Field::Place));
    format!("{name} {} {place}", row.number).trim_end().to_owned()
}

/// The page with the form, and what was filled in that could not be taken.
pub(super) fn page(
    app: &App,
    reader: &Reader,
    (code, target, row): (&str, &Target, &ItemRow),
    (fields, mistake): (&Fields, Option<ReportMistake>),
) -> Result<String, PageError> {
    let form = form(&[], reader, fields, mistake);
    let form = ReportForm { action: format!("/d/{code}/report"), reader: ReportReader::GuestOfItem, ..form };
    shown(app, reader, (code, target, row), Some(form))
}

/// The page after a report.
pub(super) fn thanks(app: &App, reader: &Reader, of: (&str, &Target, &ItemRow)) -> Result<String, PageError> {
    shown(app, reader, of, None)
}

fn shown(
    app: &App,
    reader: &Reader,
    (code, target, row): (&str, &Target, &ItemRow),
    form: Option<ReportForm>,
) -> Result<String, PageError> {
    let calendar = Calendar::new(app.clock.now().millis(), app.fleet.setup().zone_of(&target.site));
    let page = ItemGuestPage {
        name: row.item.get(Field::Name).to_owned(),
        place: row.item.get(Field::Place).to_owned(),
        form,
        back: format!("/d/{code}"),
        chrome: Chrome::bare(reader.lang, calendar, Page::Report, reader.path.clone()),
    };
    page.html(false)
}
