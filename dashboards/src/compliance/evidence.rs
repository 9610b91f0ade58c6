//! Where figures lead: the alerts of a device in a month, and what was sent of an alert.

use askama::Template;

use super::ComplianceTexts;
use crate::{
    alert::AlertRow,
    chrome::{Chrome, page},
    outbox::{DeliveryLine, DeliveryState},
    state::{State, Verdict},
    texts::{fill, fill2},
};

/// `/compliance/{month}/devices/{device}`: what was wrong with a device?
#[derive(Debug, Clone, Template)]
#[template(path = "compliance_device.html", blocks = ["main", "lamp"])]
pub struct DeviceAlertsPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The month, such as 2026-12.
    pub month: String,
    /// What people call the device.
    pub device: String,
    /// The device's page.
    pub href: String,
    /// The address of the whole month.
    pub back: String,
    /// The alerts that were open within the month, in this part of the list; the newest first.
    pub alerts: Vec<AlertRow>,
    /// Where the list goes on.
    pub next: Option<String>,
}

page!(DeviceAlertsPage);

/// `/alerts/{id}/messages`: where was it sent?
#[derive(Debug, Clone, Template)]
#[template(path = "messages.html", blocks = ["main", "lamp"])]
pub struct MessagesPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The alert's page.
    pub alert: String,
    /// What was told of it, the newest first.
    pub deliveries: Vec<DeliveryLine>,
}

page!(MessagesPage);

impl DeviceAlertsPage {
    fn c(&self) -> &'static ComplianceTexts {
        self.chrome.lang.compliance_texts()
    }

    fn question(&self) -> String {
        fill2(self.c().alerts_of, &self.device, &self.month)
    }

    /// The sentence the page opens with: that there is no alert does not say that all was well.
    pub fn verdict(&self) -> Verdict {
        match self.alerts.len() {
            0 => Verdict::new(State::Unknown, self.c().alerts_none),
            some => Verdict::new(State::Abnormal, fill(self.c().alerts_some, &some.to_string())),
        }
    }
}

impl MessagesPage {
    fn c(&self) -> &'static ComplianceTexts {
        self.chrome.lang.compliance_texts()
    }

    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let some = fill(self.c().messages_some, &self.deliveries.len().to_string());
        let is = |state: DeliveryState| self.deliveries.iter().any(|delivery| delivery.state == state);
        match self.deliveries.len() {
            0 => Verdict::new(State::Unknown, self.c().messages_none),
            _ if is(DeliveryState::Dead) || is(DeliveryState::Retry) => Verdict::new(State::Abnormal, some),
            _ if is(DeliveryState::Queued) || is(DeliveryState::Sending) => Verdict::new(State::Maintenance, some),
            _ if is(DeliveryState::Sent) || is(DeliveryState::Digested) => Verdict::new(State::Normal, some),
            _ => Verdict::new(State::Unknown, some),
        }
    }
}
