//! The concierge's question (CON-D7, CON-S9, PAS-D6): are the displays fine right now?

use askama::Template;

use crate::{
    chrome::{Chrome, page},
    state::{State, Verdict},
    texts::{Texts, fill, fill2},
    tile::DeviceTile,
};

/// `/concierge`: are the displays fine right now?
#[derive(Debug, Clone, Template)]
#[template(path = "concierge.html", blocks = ["main", "lamp"])]
pub struct ConciergePage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The displays and televisions.
    pub tiles: Vec<DeviceTile>,
}

page!(ConciergePage);

impl ConciergePage {
    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let t = self.chrome.t();
        if self.tiles.is_empty() {
            return Verdict::new(State::Unknown, t.concierge_empty);
        }
        let (state, sentence) = worst(t, self.tiles.iter(), self.chrome.calendar.now)
            .unwrap_or_else(|| (State::Normal, fill(t.concierge_all_normal, &self.tiles.len().to_string())));
        Verdict::new(state, sentence)
    }
}

/// The worst of `tiles` in one sentence, with the number of others that are not normal; `None` when all are.
pub(crate) fn worst<'a>(t: &Texts, tiles: impl Iterator<Item = &'a DeviceTile>, now: i64) -> Option<(State, String)> {
    let mut unwell: Vec<&DeviceTile> = tiles.filter(|tile| tile.state != State::Normal).collect();
    unwell.sort_by_key(|tile| State::ALL.iter().position(|state| *state == tile.state));
    let tile = unwell.first()?;
    let mut sentence = match (&tile.incident, tile.state) {
        (Some(incident), _) => incident.sentence(t, &tile.device.name, now),
        (None, State::Unknown) => fill(t.device_unknown, &tile.device.name),
        (None, state) => fill2(t.device_is, &tile.device.name, state.word(t)),
    };
    if unwell.len() > 1 {
        sentence.push_str(&fill(t.and_others, &(unwell.len() - 1).to_string()));
    }
    Some((tile.state, sentence))
}
