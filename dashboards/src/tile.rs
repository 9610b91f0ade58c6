//! A device on a dashboard: who it is, its state, and its facts with their age.

use lobby_contract::{DeviceId, SiteId};

use crate::{incident::Incident, state::State, texts::Texts, time::When};

/// A device as pages name and link it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRef {
    /// Its site.
    pub site: SiteId,
    /// Its name in addresses.
    pub code: DeviceId,
    /// What people call it.
    pub name: String,
    /// The area in which it stands, such as 入口; nothing if that is not known.
    pub area: Option<String>,
    /// Where it stands; may be empty.
    pub place: String,
}

impl DeviceRef {
    /// The area and the place as far as they are known, between `separator`: "入口 · 大门口".
    pub(crate) fn stands(&self, separator: &str) -> String {
        let parts = [self.area.as_deref().unwrap_or_default(), &self.place];
        let known: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        known.join(&format!(" {separator} "))
    }

    /// The address of its page. The site is named because a device's code is unique only within its site.
    pub fn href(&self) -> String {
        format!("/d/{}?site={}", self.code, self.site)
    }
}

/// One thing a device says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is about, in the page's language.
    pub label: String,
    /// The value as people read it; `None` when not known.
    pub value: Option<String>,
    /// The unit after the value; may be empty.
    pub unit: String,
    /// When it was last reported.
    pub at: Option<When>,
    /// Whether it is part of what is wrong.
    pub notable: bool,
}

/// A device on a post's dashboard.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceTile {
    /// The device.
    pub device: DeviceRef,
    /// Its state.
    pub state: State,
    /// Since when it is in this state.
    pub since: Option<When>,
    /// When its agent last said anything about it.
    pub seen: Option<When>,
    /// Its facts, the important ones first.
    pub facts: Vec<Fact>,
    /// What is concluded rather than measured, such as "电源断开：屏与播放盒同时离线".
    pub inference: Option<String>,
    /// Until when it is under maintenance, in words; `None` if it is not.
    pub maintenance: Option<String>,
    /// The open incident, if any: the tile becomes its card.
    pub incident: Option<Incident>,
}

/// How many of `states` are normal, in words: "3 / 4 正常".
pub(crate) fn normal_of(t: &Texts, states: impl Iterator<Item = State> + Clone) -> String {
    let normal = states.clone().filter(|state| *state == State::Normal).count();
    format!("{normal} / {} {}", states.count(), t.state_normal)
}
