//! Forms of `/stock` that were not taken.

use lobby_dashboards::{StockMistake, StockPage, StockRefused};

use super::{HOSTILE, Sample, Scene};

/// The page with each of them, in `s`.
pub(super) fn all(s: &Scene) -> Vec<Sample> {
    let count = StockRefused {
        place: "machine/covers-a".into(),
        reason: HOSTILE.into(),
        ..s.refused_form(StockMistake::LongReason, "count")
    };
    let order =
        StockRefused { due: "tomorrow".into(), pieces: "80.5".into(), ..s.refused_form(StockMistake::Day, "order") };
    let gone = StockRefused { order: "0192f0c1-9999".into(), ..s.refused_form(StockMistake::Arrived, "receive") };
    let samples = [
        ("stock-refused", s.refused_form(StockMistake::Pieces, "waste")),
        ("stock-refused-reason", count),
        ("stock-refused-day", order),
        ("stock-refused-stale", gone),
    ];
    let sample = |(name, refused)| {
        let page = StockPage { refused: Some(refused), ..s.stock(vec![s.stock_item()]) };
        Sample {
            name,
            page: page.render().expect("a page of samples renders"),
            main: page.render_main().expect("a page of samples renders"),
        }
    };
    samples.into_iter().map(sample).collect()
}

impl Scene {
    fn refused_form(&self, mistake: StockMistake, kind: &str) -> StockRefused {
        StockRefused {
            mistake,
            kind: kind.into(),
            item: "shoe-cover".into(),
            back: String::new(),
            pieces: HOSTILE.into(),
            place: "store".into(),
            to: String::new(),
            order: String::new(),
            due: String::new(),
            reason: self.say("受潮", "Wet"),
            by: self.say("王敏", "Wang Min"),
        }
    }
}
