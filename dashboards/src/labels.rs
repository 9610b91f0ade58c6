//! Labels for devices: a QR code that leads to the device's page, and its name, place and code in letters.

use askama::Template;

use crate::{
    fit::Fit,
    qr,
    sheet::{Sheet, Ways},
    tile::DeviceRef,
};

/// How many labels a sheet has: three columns of seven, 63.5 by 38.1 mm each, as label paper is sold.
const PER_SHEET: usize = 21;

/// One device's label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceLabel {
    /// The device.
    pub device: DeviceRef,
    /// The code under which its page is found.
    pub code: String,
    /// What people call its site.
    pub site_name: String,
}

/// `/labels`: labels to be printed, cut and stuck on.
#[derive(Debug, Clone, Template)]
#[template(path = "labels.html")]
pub struct LabelSheet {
    /// What surrounds them.
    pub sheet: Sheet,
    /// The labels.
    pub labels: Vec<DeviceLabel>,
}

impl LabelSheet {
    /// The whole document.
    pub fn render(&self) -> Result<String, askama::Error> {
        askama::Template::render(self)
    }

    fn sheets(&self) -> impl Iterator<Item = &[DeviceLabel]> {
        self.labels.chunks(PER_SHEET)
    }

    fn qr(&self, label: &DeviceLabel) -> Result<String, askama::Error> {
        qr::svg(&format!("{}/d/{}", self.sheet.base, label.code), &label.device.name)
    }

    #[expect(clippy::unused_self, reason = "what every printed document tells its frame")]
    fn ways(&self) -> Ways {
        Vec::new()
    }
}

impl DeviceLabel {
    fn name(&self) -> String {
        Fit::default().lines(&self.device.name, 6, 3)
    }

    fn place(&self) -> String {
        Fit::default().lines(&self.device.place, 8, 2)
    }

    fn site(&self) -> String {
        Fit::default().line(&self.site_name, 10)
    }
}
