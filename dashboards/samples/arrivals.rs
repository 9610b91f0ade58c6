//! Arrivals (到场): where a label led, by word on the ticket's page, what could not be taken, and how it looks afterwards.

use lobby_dashboards::{ArrivalDraft, ArrivalMistake, DevicePage, Draft, HereFor, State, TicketPage, TicketStep};
use lobby_domain::ticket::arrival::Arrival;

use super::{Sample, Scene};

/// The pages, in `s`.
pub(super) fn all(s: &Scene) -> Vec<Sample> {
    let here = |no: &str, zh, en, owner: Option<String>| HereFor {
        no: no.into(),
        title: s.say(zh, en),
        version: 2,
        key: "1c0ffee0-5a11-4b1d-8e55-0123456789ab".into(),
        label: "k7q2m9xa".into(),
        owner,
    };
    let label = DevicePage {
        here_for: vec![
            here("BX-202611-0042", "入口屏黑屏", "Entrance LED is dark", None),
            here("BX-202611-0043", "入口屏太暗", "Entrance LED is too dim", Some(s.say("王工", "Wang"))),
        ],
        ..s.device(State::Abnormal)
    };
    let accepted = s.ticket(TicketStep::Accepted);
    let refused = |mistake, reason| {
        let arrival = ArrivalDraft {
            mistake: Some(mistake),
            reason,
            note: s.say("屏在高处", "The display hangs too high"),
            by: s.say("李工", "Li"),
        };
        TicketPage { draft: Draft { arrival, ..Draft::default() }, ..s.ticket(TicketStep::Accepted) }
    };
    let (nothing, other) = (refused(ArrivalMistake::Nothing, None), refused(ArrivalMistake::OtherLabel, None));
    let words = refused(ArrivalMistake::NoWords, Some(Arrival::Other));
    let by_word = TicketPage { arrival: Some(Arrival::LabelMissing), ..s.ticket(TicketStep::InProgress) };
    let pages = [
        ("arrival-by-label", label.render(), label.render_main()),
        ("arrival-by-word", accepted.render(), accepted.render_main()),
        ("arrival-unproven", nothing.render(), nothing.render_main()),
        ("arrival-no-words", words.render(), words.render_main()),
        ("arrival-other-label", other.render(), other.render_main()),
        ("arrival-was-by-word", by_word.render(), by_word.render_main()),
    ];
    let sample = |(name, page, main)| -> Sample {
        let (page, main): (Result<String, _>, Result<String, _>) = (page, main);
        Sample { name, page: page.expect("a page of samples renders"), main: main.expect("a page of samples renders") }
    };
    pages.into_iter().map(sample).collect()
}
