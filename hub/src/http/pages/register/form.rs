//! The form in which an item is entered or changed.

use std::collections::BTreeSet;

use lobby_contract::SiteId;
use lobby_dashboards::{ItemForm, ItemInput, SelectOption};
use lobby_domain::{
    device::Life,
    register::{Field, State as ItemState},
};

use crate::{http::pages::Scene, store::ItemRow};

/// What the items of a site say in a field, each once.
pub(super) fn in_use(rows: &[ItemRow], field: Field) -> Vec<String> {
    let said: BTreeSet<&str> = rows.iter().map(|row| row.item.get(field)).filter(|text| !text.is_empty()).collect();
    said.into_iter().map(str::to_owned).collect()
}

/// What stands in a field, and what is to be said beside it.
pub(super) struct Filled {
    pub value: String,
    pub note: Option<String>,
}

impl From<String> for Filled {
    fn from(value: String) -> Self {
        Self { value, note: None }
    }
}

/// The form of an item, as `fill` fills it in.
pub(super) fn form(
    scene: &Scene<'_>,
    site: &SiteId,
    rows: &[ItemRow],
    (action, fill): (String, impl Fn(Field) -> Filled),
) -> ItemForm {
    let words = scene.reader.lang.register_texts();
    let option = |chosen: &str, value: &str, label: String| SelectOption {
        value: value.to_owned(),
        label,
        chosen: value == chosen,
    };
    let options = |field: Field, value: &str| -> Vec<SelectOption> {
        let nothing = || option(value, "", words.unset.to_owned());
        match field {
            Field::State => {
                let of = |state: ItemState| option(value, state.as_str(), words.state(state).to_owned());
                let other = ItemState::from_text(value).filter(|state| !ItemState::CHOSEN.contains(state));
                ItemState::CHOSEN.into_iter().chain(other).map(of).collect()
            }
            Field::Post => {
                let of = scene.pack.posts.keys().map(|post| option(value, post, scene.post(post)));
                std::iter::once(nothing()).chain(of).collect()
            }
            Field::Device => {
                let devices = scene.site(site).into_iter().flat_map(|site| {
                    let devices = site.devices().filter(|device| device.life != Life::Retired);
                    devices.map(move |device| (device.id.to_string(), scene.device(site, device).name))
                });
                let of = devices.map(|(id, name)| option(value, &id, name));
                std::iter::once(nothing()).chain(of).collect()
            }
            _ => Vec::new(),
        }
    };
    let input = |field: Field| {
        let Filled { value, note } = fill(field);
        ItemInput { field, options: options(field, &value), value, note }
    };
    ItemForm {
        action,
        inputs: Field::ALL.into_iter().map(input).collect(),
        places: in_use(rows, Field::Place),
        kinds: in_use(rows, Field::Kind),
        label: String::new(),
    }
}
