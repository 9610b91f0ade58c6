//! How much of an item a site wants to have: the `[site.ID.stock.ITEM]` part of the hub's configuration.

use serde::Deserialize;

use super::MOST;
use crate::time::Span;

/// How much of an item a site wants to have. The figures are suggestions: set your own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Levels {
    /// Pieces below which the store room runs low.
    pub min: i64,
    /// Pieces to which it is filled up again.
    pub target: i64,
    /// Pieces in a box.
    pub pack: i64,
    /// The fewest pieces that are sold.
    pub min_order: i64,
    /// What a piece costs, in fen; not known if not given.
    pub price: Option<i64>,
    /// How long an order takes.
    pub lead_days: u32,
    /// What people call the place of those that are handed out by hand, if they are kept apart from the store room.
    pub hand_out: Option<String>,
}

impl Default for Levels {
    fn default() -> Self {
        Self { min: 200, target: 1000, pack: 100, min_order: 100, price: None, lead_days: 3, hand_out: None }
    }
}

impl Levels {
    /// How long an order takes.
    pub fn lead(&self) -> Span {
        Span::from_mins(24 * 60).times(self.lead_days)
    }

    /// What makes no sense, each with its setting.
    pub fn mistakes(&self) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        for (key, least, pieces) in
            [("min", 0, self.min), ("target", 1, self.target), ("pack", 1, self.pack), ("min_order", 1, self.min_order)]
        {
            if !(least..=MOST).contains(&pieces) {
                wrong.push((key, format!("`{key}` is {pieces}: use a number of pieces from {least} to {MOST}")));
            }
        }
        if self.target < self.min {
            let (target, min) = (self.target, self.min);
            wrong.push(("target", format!("`target` is {target}, and must not be below `min`, {min}")));
        }
        if let Some(price) = self.price.filter(|price| !(0..=100_000_000).contains(price)) {
            let what = "is no price of a piece: give it in fen, such as 35 for 0.35 yuan";
            wrong.push(("price", format!("`price` {price} {what}")));
        }
        if self.lead_days > 365 {
            wrong.push(("lead_days", format!("`lead_days` is {}: use at most 365", self.lead_days)));
        }
        if self.hand_out.as_ref().is_some_and(|name| name.trim().is_empty() || name.chars().count() > 40) {
            wrong.push(("hand_out", "`hand_out` is the name of a place: 1 to 40 characters".to_owned()));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_is_no_mistake_and_every_bad_figure_is_told() {
        assert_eq!(Levels::default().mistakes(), Vec::new());
        let bad = Levels {
            min: -1,
            target: -2,
            pack: 0,
            min_order: 0,
            price: Some(-1),
            lead_days: 400,
            hand_out: Some(String::new()),
        };
        let keys: Vec<&str> = bad.mistakes().iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["min", "target", "pack", "min_order", "target", "price", "lead_days", "hand_out"]);
    }
}
