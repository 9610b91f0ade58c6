//! One device: what it says, how it was, and what is open about it.

use askama::Template;

use crate::{
    agent::Loss,
    alert::AlertRow,
    chart::{Series, StateSpan, Window, band, svg},
    chrome::{Choice, Chrome, page},
    engineering::{AgentRow, QueueTicket},
    incident::Incident,
    life::LifeCard,
    state::State,
    texts::Texts,
    ticket::HereFor,
    tile::{DeviceRef, Fact},
    time::When,
};

/// How far back the charts reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Range {
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    Month,
    /// A year.
    Year,
}

impl Range {
    /// Every range, as the page offers them.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Year];

    /// Its name in the address: `?range=24h`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Year => "1y",
        }
    }

    /// Its length in ms.
    pub fn ms(self) -> i64 {
        let day = 24 * 60 * 60 * 1000;
        match self {
            Self::Day => day,
            Self::Week => 7 * day,
            Self::Month => 30 * day,
            Self::Year => 365 * day,
        }
    }

    fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Day => t.range_day,
            Self::Week => t.range_week,
            Self::Month => t.range_month,
            Self::Year => t.range_year,
        }
    }
}

/// `/d/{code}`: how is it, how was it, and what is open about it?
#[derive(Debug, Clone, Template)]
#[template(path = "device.html", blocks = ["main", "lamp"])]
pub struct DevicePage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The device.
    pub device: DeviceRef,
    /// Its kind, in the page's language.
    pub kind: String,
    /// Its state.
    pub state: State,
    /// Since when it is in this state.
    pub since: Option<When>,
    /// When its agent last said anything about it.
    pub seen: Option<When>,
    /// What is concluded rather than measured.
    pub inference: Option<String>,
    /// Until when it is under maintenance, in words; `None` if it is not.
    pub maintenance: Option<String>,
    /// The open incident, if any.
    pub incident: Option<Incident>,
    /// The tickets for which the reader may say that they are there, because its label led here.
    pub here_for: Vec<HereFor>,
    /// Its facts.
    pub facts: Vec<Fact>,
    /// How far back the charts reach, until now.
    pub range: Range,
    /// What the charts show; may be empty.
    pub series: Vec<Series>,
    /// The states within the range, in order, without overlap. Time that none covers is unknown.
    pub history: Vec<StateSpan>,
    /// Records that its agent has lost within the range, as far as their time is known; some may have been of this device.
    pub losses: Vec<Loss>,
    /// Its open alerts.
    pub alerts: Vec<AlertRow>,
    /// Its tickets, the newest first.
    pub tickets: Vec<QueueTicket>,
    /// Where it stands in its life.
    pub life: LifeCard,
    /// The agent that watches it.
    pub agent: Option<AgentRow>,
}

page!(DevicePage);

impl DevicePage {
    fn window(&self) -> Window {
        let now = self.chrome.calendar.now;
        Window { from: now.saturating_sub(self.range.ms()), to: now }
    }

    fn charts(&self) -> Result<Vec<String>, askama::Error> {
        let (window, zone) = (self.window(), &self.chrome.calendar.zone);
        let values = self.series.iter().map(|series| svg(series, &self.history, window, zone, self.chrome.lang));
        values.chain([band(&self.history, window, zone, self.chrome.lang)]).collect()
    }

    fn why(&self) -> String {
        format!("/d/{}/why?site={}&at={}", self.device.code, self.device.site, self.chrome.calendar.now)
    }

    /// Where silences and maintenance windows of this device are made.
    fn restraints(&self) -> [Choice; 2] {
        let t = self.chrome.t();
        [("/silences", t.silence_new), ("/maintenance", t.maintenance_new)].map(|(path, label)| Choice {
            label: label.to_owned(),
            href: format!("{path}?site={}&device={}", self.device.site, self.device.code),
            current: false,
        })
    }

    fn ranges(&self) -> [Choice; 4] {
        Range::ALL.map(|range| Choice {
            label: range.word(self.chrome.t()).to_owned(),
            href: format!("{}&range={}", self.device.href(), range.name()),
            current: range == self.range,
        })
    }
}
