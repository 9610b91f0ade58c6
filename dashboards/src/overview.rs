//! The first page: one line for each post, and the sites when there are several.

mod areas;
pub(crate) mod texts;

use askama::Template;

use crate::{
    check::Readiness,
    chrome::{Chrome, Collection, Page, page},
    state::{State, Verdict},
    texts::{Texts, fill},
};

pub use areas::{AreaList, AreaRow};

/// How many devices are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// [`State::Normal`].
    pub normal: u32,
    /// [`State::Abnormal`].
    pub abnormal: u32,
    /// [`State::Offline`].
    pub offline: u32,
    /// [`State::Unknown`].
    pub unknown: u32,
    /// [`State::Maintenance`].
    pub maintenance: u32,
}

impl Counts {
    fn of(&self, state: State) -> u32 {
        match state {
            State::Normal => self.normal,
            State::Abnormal => self.abnormal,
            State::Offline => self.offline,
            State::Unknown => self.unknown,
            State::Maintenance => self.maintenance,
        }
    }

    /// The state that needs a person first; unknown when there are no devices.
    fn worst(&self) -> State {
        State::ALL.into_iter().find(|state| self.of(*state) > 0).unwrap_or(State::Unknown)
    }

    /// Each state that occurs, with its number.
    fn present(&self) -> impl Iterator<Item = (State, u32)> + '_ {
        State::ALL.into_iter().map(|state| (state, self.of(state))).filter(|(_, count)| *count > 0)
    }

    fn line(&self, t: &Texts) -> String {
        if *self == Self::default() {
            return t.devices_none.to_owned();
        }
        if self.worst() == State::Normal {
            return fill(t.devices_all_normal, &self.normal.to_string());
        }
        self.present().map(|(state, count)| format!("{count} {}", state.word(t))).collect::<Vec<_>>().join(" · ")
    }
}

/// A post's line: where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostStatus {
    /// The post's page: one of concierge, engineering, show flat, reception.
    pub page: Page,
    /// The devices it looks after.
    pub counts: Counts,
    /// Open tickets that concern it.
    pub tickets: u32,
    /// Those past a time limit.
    pub overdue: u32,
    /// What it must do now, in one line, such as a low-stock warning.
    pub urgent: Option<String>,
}

impl PostStatus {
    fn state(&self) -> State {
        if self.overdue > 0 || self.urgent.is_some() { State::Abnormal } else { self.counts.worst() }
    }
}

/// A site's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteRow {
    /// What people call it.
    pub name: String,
    /// Where its overview is.
    pub href: String,
    /// Its devices.
    pub counts: Counts,
    /// Its open tickets.
    pub tickets: u32,
    /// Those past a time limit.
    pub overdue: u32,
    /// Whether its data come in.
    pub collection: Collection,
}

/// `/`: where is something to do?
#[derive(Debug, Clone, Template)]
#[template(path = "overview.html", blocks = ["main", "lamp"])]
pub struct OverviewPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The posts, in the order of the navigation.
    pub posts: Vec<PostStatus>,
    /// The sites, the worst first; shown when there are at least two.
    pub sites: Vec<SiteRow>,
    /// What lacks before the sites shown can open.
    pub readiness: Vec<Readiness>,
    /// What stands in which area, if one site is shown.
    pub areas: AreaList,
}

page!(OverviewPage);

impl OverviewPage {
    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let t = self.chrome.t();
        let rank = |state| State::ALL.iter().position(|known| *known == state);
        let unwell: Vec<_> = self.posts.iter().filter(|post| post.state() != State::Normal).collect();
        match unwell.iter().min_by_key(|post| rank(post.state())) {
            None if self.posts.is_empty() => Verdict::new(State::Unknown, t.devices_none),
            None => Verdict::new(State::Normal, t.overview_all_normal),
            Some(worst) => {
                let names: Vec<_> = unwell.iter().map(|post| post.page.word(t)).collect();
                let words = if worst.state() == State::Unknown { t.overview_unknown } else { t.overview_attention };
                Verdict::new(worst.state(), fill(words, &names.join(t.list_comma)))
            }
        }
    }
}
