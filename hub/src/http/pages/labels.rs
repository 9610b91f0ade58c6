//! Labels for the devices of a site, to be printed and stuck on.

use axum::{extract::State, response::Response};
use lobby_dashboards::{DeviceLabel, DeviceRef, LabelSheet};
use lobby_domain::{
    device::{Device, Life},
    register::Field,
    site::Site,
};

use super::{App, Open, PageError, Reader, Scene, answer};
use crate::{http::address::Origin, store::ItemRow};

/// The labels of the devices of the sites that are shown, or of one device.
pub(super) async fn show(State(app): State<App>, reader: Reader, origin: Origin) -> Response {
    answer::answer(&app, &reader, page(&app, &reader, &origin)).await
}

async fn page(app: &App, reader: &Reader, origin: &Origin) -> Result<String, PageError> {
    if reader.asked.sheet.is_some() || reader.asked.item.is_some() {
        return of_register(app, reader, origin).await;
    }
    let codes = app.store.codes().await?;
    let only = reader.asked.device.as_deref().filter(|device| !device.is_empty());
    let open = Open::default();
    let labels = Scene::with(app, reader, reader.site()?, &open, |scene| {
        let code = |site: &Site, device: &Device| codes.get(&(site.id.to_string(), device.id.to_string())).cloned();
        let wanted = |device: &Device| match only {
            Some(only) => device.id.as_str() == only,
            None => device.life != Life::Retired,
        };
        let devices = scene.shown().flat_map(|site| {
            let devices = site.devices().filter(|device| wanted(device));
            devices.map(move |device| (site, device))
        });
        let mut labels: Vec<DeviceLabel> = devices
            .filter_map(|(site, device)| {
                let code = code(site, device)?;
                let mut named = scene.device(site, device);
                // The label names the site by itself.
                named.place = device.place.to_string();
                Some(DeviceLabel { device: named, code, site_name: scene.name_of(&site.id) })
            })
            .collect();
        if only.is_some() && labels.is_empty() {
            return Err(PageError::NotFound);
        }
        // In the order in which somebody walks about with them.
        labels.sort_by_cached_key(|label| {
            (label.site_name.clone(), label.device.place.clone(), label.device.name.clone())
        });
        let back = match (only.and(labels.first()), scene.chosen()) {
            (Some(label), _) => label.device.href(),
            (None, Some(site)) => format!("/engineering?site={site}"),
            (None, None) => "/engineering".to_owned(),
        };
        Ok(LabelSheet { sheet: origin.sheet(scene, back), labels })
    })?;
    labels.render().map_err(|error| PageError::Render(Box::new(error)))
}

/// The labels of the register: blank ones of a sheet, those of all items, or that of one.
async fn of_register(app: &App, reader: &Reader, origin: &Origin) -> Result<String, PageError> {
    let site = reader.site()?.ok_or(PageError::NotFound)?;
    if !reader.caller.reaches(&site) {
        return Err(PageError::NotFound);
    }
    let blank = |code: String| (code, String::new(), String::new());
    let wanted: Vec<(String, String, String)> = if let Some(sheet) = &reader.asked.sheet {
        let sheet = sheet.parse().map_err(|_| PageError::NotFound)?;
        app.store.labels_of_sheet(&site, sheet).await?.into_iter().map(blank).collect()
    } else {
        let codes = app.store.labels_of_items(&site).await?;
        let only = reader.asked.item.as_deref().filter(|item| *item != "all");
        let is_wanted = |row: &ItemRow| match only {
            Some(only) => row.number.to_string() == only,
            None => row.item.state().is_here(),
        };
        let label = |row: ItemRow| {
            let (name, place) = (row.item.get(Field::Name), row.item.get(Field::Place));
            let place = format!("{} {place}", row.number).trim_end().to_owned();
            Some((codes.get(&row.number)?.clone(), name.to_owned(), place))
        };
        app.store.register(&site).await?.into_iter().filter(is_wanted).filter_map(label).collect()
    };
    let open = Open::default();
    let labels = Scene::with(app, reader, Some(site.clone()), &open, |scene| {
        let label = |(code, name, place): (String, String, String)| {
            let device = DeviceRef { site: site.clone(), code: code.parse().ok()?, name, area: None, place };
            Some(DeviceLabel { device, code, site_name: scene.name_of(&site) })
        };
        let labels = wanted.into_iter().filter_map(label).collect();
        Ok(LabelSheet { sheet: origin.sheet(scene, format!("/register?site={site}")), labels })
    })?;
    labels.render().map_err(|error| PageError::Render(Box::new(error)))
}
