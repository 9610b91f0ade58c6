//! Labels for the devices of a site, to be printed and stuck on.

use axum::{extract::State, response::Response};
use lobby_dashboards::{DeviceLabel, LabelSheet};
use lobby_domain::{
    device::{Device, Life},
    site::Site,
};

use super::{App, Open, PageError, Reader, Scene, answer};
use crate::http::address::Origin;

/// The labels of the devices of the sites that are shown, or of one device.
pub(super) async fn show(State(app): State<App>, reader: Reader, origin: Origin) -> Response {
    answer::answer(&app, &reader, page(&app, &reader, &origin)).await
}

async fn page(app: &App, reader: &Reader, origin: &Origin) -> Result<String, PageError> {
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
