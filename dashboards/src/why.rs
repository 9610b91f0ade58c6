//! Why there was an alert about a device at some minute, or why there was none.

use askama::Template;

use crate::{
    alert::AlertRow,
    chrome::{Choice, Chrome, page},
    engineering::Link,
    state::{State, Verdict},
    texts::{Texts, fill, fill2},
    tile::{DeviceRef, Fact},
    time::When,
};

const MINUTE: i64 = 60_000;

/// `/d/{code}/why`: what was known at that minute, and what did each rule make of it?
#[derive(Debug, Clone, Template)]
#[template(path = "why.html", blocks = ["main", "lamp"])]
pub struct WhyPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The device.
    pub device: DeviceRef,
    /// The minute in question.
    pub at: When,
    /// From when on the rules were run again.
    pub from: When,
    /// How many records were looked at.
    pub records: usize,
    /// Whether the hub heard the device's agent; `None` if that is not known.
    pub link: Option<Link>,
    /// When the last record of that time came.
    pub seen: Option<When>,
    /// Whether it still told the present.
    pub is_fresh: bool,
    /// The part of the site's day.
    pub part: DayPart,
    /// What the device stated.
    pub facts: Vec<Fact>,
    /// Each rule, those about which something is to be said first.
    pub rules: Vec<WhyRule>,
    /// The alerts that were open.
    pub alerts: Vec<AlertRow>,
}

/// The part of a site's day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayPart {
    /// Nobody is there.
    Closed,
    /// Staff switch the equipment on.
    Preparing,
    /// Everything must be on; no guests yet.
    Ready,
    /// Guests are there.
    Open,
    /// Staff switch the equipment off.
    Closing,
}

/// What one rule made of what was known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyRule {
    /// Its title, in the page's language.
    pub title: String,
    /// Where it stood.
    pub phase: WhyPhase,
    /// Since when, unless at rest.
    pub since: Option<When>,
    /// Whether it came and went too often to be told of each time.
    pub is_flapping: bool,
    /// What is wrong, part by part.
    pub when: Vec<WhyPart>,
    /// When it is right again, part by part; may be empty.
    pub until: Vec<WhyPart>,
    /// Why no alert was raised, or why the open one was not cleared, in the page's language.
    pub held: Vec<String>,
}

/// Where a rule stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyPhase {
    /// Nothing wrong.
    Ok,
    /// Wrong, not yet for long enough.
    Pending,
    /// An alert is open.
    Firing,
    /// Right again, not yet for long enough.
    Recovering,
}

/// One part of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyPart {
    /// How deep it stands below the parts before it.
    pub depth: u8,
    /// What it asks, with what the device stated.
    pub words: String,
    /// Whether that held; `None` if that is not known.
    pub holds: Option<bool>,
}

page!(WhyPage);

impl DayPart {
    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Closed => t.day_closed,
            Self::Preparing => t.day_preparing,
            Self::Ready => t.day_ready,
            Self::Open => t.day_open,
            Self::Closing => t.day_closing,
        }
    }
}

impl WhyPhase {
    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Ok => t.phase_ok,
            Self::Pending => t.phase_pending,
            Self::Firing => t.phase_firing,
            Self::Recovering => t.phase_recovering,
        }
    }

    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Ok | Self::Pending => "minor",
            Self::Recovering => "major",
            Self::Firing => "critical",
        }
    }
}

impl WhyPart {
    pub(crate) fn word(&self, t: &Texts) -> &'static str {
        match self.holds {
            Some(true) => t.holds,
            Some(false) => t.holds_not,
            None => t.holds_unknown,
        }
    }

    /// Deeper parts than the style has steps for stand at the last one.
    pub(crate) fn class(&self) -> &'static str {
        ["d0", "d1", "d2", "d3"][usize::from(self.depth.min(3))]
    }
}

impl WhyPage {
    /// The sentence the page opens with.
    fn verdict(&self) -> Verdict {
        let t = self.chrome.t();
        let alerts: Vec<&str> = self.alerts.iter().map(|alert| &*alert.title).collect();
        let watched = self.rules.iter().filter(|rule| rule.phase == WhyPhase::Pending);
        let watched: Vec<&str> = watched.map(|rule| &*rule.title).collect();
        let named = |words, titles: &[&str]| {
            let others = titles.len() - 1;
            let more = if others > 0 { fill(t.why_others, &others.to_string()) } else { String::new() };
            format!("{}{more}", fill(words, titles[0]))
        };
        if !alerts.is_empty() {
            Verdict::new(State::Abnormal, named(t.why_answer_fires, &alerts))
        } else if !watched.is_empty() {
            Verdict::new(State::Abnormal, named(t.why_answer_watched, &watched))
        } else if self.is_fresh && self.link == Some(Link::Up) {
            Verdict::new(State::Normal, t.why_answer_right)
        } else {
            Verdict::new(State::Unknown, t.why_answer_blind)
        }
    }

    fn replayed(&self) -> String {
        let t = self.chrome.t();
        fill2(t.why_replayed, &self.from.full, &self.records.to_string())
    }

    fn title(&self) -> String {
        fill(self.chrome.t().why_title, &self.device.name)
    }

    /// Earlier and later minutes.
    fn steps(&self) -> Vec<Choice> {
        let t = self.chrome.t();
        let step = |label: String, at: i64| Choice { label, href: self.href(at), current: false };
        let minutes = |count: i64| fill(t.minutes, &count.abs().to_string());
        let mut steps: Vec<Choice> = [-60, -10, -1]
            .into_iter()
            .map(|count| step(fill(t.why_earlier, &minutes(count)), self.at.ms.saturating_add(count * MINUTE)))
            .collect();
        let now = self.chrome.calendar.now;
        let later = [1, 10, 60].into_iter().map(|count| (count, self.at.ms.saturating_add(count * MINUTE)));
        steps
            .extend(later.filter(|(_, at)| *at <= now).map(|(count, at)| step(fill(t.why_later, &minutes(count)), at)));
        steps.push(step(t.why_now.to_owned(), now));
        steps
    }

    fn href(&self, at: i64) -> String {
        format!("/d/{}/why?site={}&at={at}", self.device.code, self.device.site)
    }
}
