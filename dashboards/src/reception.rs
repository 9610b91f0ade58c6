//! The reception's second question (REC-D6): are the snooker and internet areas fit for guests?

use askama::Template;

use crate::{
    check::{Readiness, RoundLine},
    chrome::{Chrome, page},
    concierge::worst,
    state::{State, Verdict},
    tile::{DeviceTile, Fact, normal_of},
};

/// `/reception`: are the snooker and internet areas fit for guests?
#[derive(Debug, Clone, Template)]
#[template(path = "reception.html", blocks = ["main", "lamp"])]
pub struct ReceptionPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// Tables, lamps and equipment of the snooker area.
    pub snooker: Vec<DeviceTile>,
    /// Figures of the snooker area as a whole, such as tables in use.
    pub snooker_figures: Vec<Fact>,
    /// Laptops and network of the internet area.
    pub internet: Vec<DeviceTile>,
    /// Figures of the internet area as a whole.
    pub internet_figures: Vec<Fact>,
    /// The rounds of the post that are to be made now, the handover first.
    pub rounds: Vec<RoundLine>,
    /// What lacks before the sites shown can open.
    pub readiness: Vec<Readiness>,
}

page!(ReceptionPage);

/// One area as the template walks through them.
struct Area<'a> {
    id: &'static str,
    title: &'static str,
    summary: String,
    figures: &'a [Fact],
    tiles: &'a [DeviceTile],
}

impl ReceptionPage {
    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let t = self.chrome.t();
        if self.snooker.is_empty() && self.internet.is_empty() {
            return Verdict::new(State::Unknown, t.reception_empty);
        }
        let (state, sentence) = worst(t, self.snooker.iter().chain(&self.internet), self.chrome.calendar.now)
            .unwrap_or_else(|| (State::Normal, t.reception_all_normal.to_owned()));
        Verdict::new(state, sentence)
    }

    fn areas(&self) -> [Area<'_>; 2] {
        let t = self.chrome.t();
        [
            Area {
                id: "snooker",
                title: t.area_snooker,
                summary: normal_of(t, self.snooker.iter().map(|tile| tile.state)),
                figures: &self.snooker_figures,
                tiles: &self.snooker,
            },
            Area {
                id: "internet",
                title: t.area_internet,
                summary: normal_of(t, self.internet.iter().map(|tile| tile.state)),
                figures: &self.internet_figures,
                tiles: &self.internet,
            },
        ]
    }
}
