//! What is said of a repair when it is finished: why it failed, what was used, and what it cost.

use std::fmt;

/// The longest cause, in bytes.
pub const LONGEST_CAUSE: usize = 4000;
/// The most materials.
pub const MOST_MATERIALS: usize = 50;
/// The longest material with its quantity, in bytes.
pub const LONGEST_MATERIAL: usize = 200;

/// An amount of money in fen, CNY 0.01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fen(i64);

/// What is said of a repair; nothing of it has to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Work {
    cause: String,
    materials: Vec<String>,
    cost: Option<Fen>,
}

/// Why something cannot be said of a repair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// The cause is too long, or is no text.
    #[error("the cause has at most {LONGEST_CAUSE} bytes, without the character NUL")]
    Cause,
    /// There are too many materials.
    #[error("there are at most {MOST_MATERIALS} materials: give those that matter")]
    TooManyMaterials,
    /// This material, counted from 1, is too long or no single line.
    #[error("material {0} is not one line of at most {LONGEST_MATERIAL} bytes, such as `HDMI cable × 2`")]
    Material(usize),
    /// The cost is no amount.
    #[error("the cost is no amount from 0 to {} yuan with at most two decimal places, such as `12.50`", Fen::MOST.0 / 100)]
    Cost,
}

impl Fen {
    /// The most that a repair may cost: ten million yuan. More is a slip of the hand.
    pub const MOST: Self = Self(1_000_000_000);

    /// An amount from nothing to [`Self::MOST`].
    pub fn new(fen: i64) -> Result<Self, WorkError> {
        if (0..=Self::MOST.0).contains(&fen) { Ok(Self(fen)) } else { Err(WorkError::Cost) }
    }

    /// An amount as a person writes it in yuan: `12.5`, `¥12.50`, `1,200`, `12.50元`.
    pub fn from_yuan(text: &str) -> Result<Self, WorkError> {
        let text = text.trim().trim_start_matches(['¥', '￥']).trim_end_matches('元').trim();
        let (yuan, rest) = text.split_once(['.', '．']).unwrap_or((text, ""));
        let yuan = yuan.replace([',', '，'], "");
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if yuan.is_empty() || !digits(&yuan) || !digits(rest) || rest.len() > 2 {
            return Err(WorkError::Cost);
        }
        format!("{yuan}{rest:0<2}").parse().map_err(|_| WorkError::Cost).and_then(Self::new)
    }

    /// How many fen.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "¥{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl Work {
    /// What is said of a repair. Blank materials are left out.
    pub fn new<'a>(
        cause: &str,
        materials: impl IntoIterator<Item = &'a str>,
        cost: Option<Fen>,
    ) -> Result<Self, WorkError> {
        let cause = cause.trim();
        if cause.len() > LONGEST_CAUSE || cause.contains('\0') {
            return Err(WorkError::Cause);
        }
        let lines = materials.into_iter().map(str::trim).filter(|line| !line.is_empty());
        let mut materials = Vec::new();
        for (nth, line) in (1..).zip(lines) {
            if nth > MOST_MATERIALS {
                return Err(WorkError::TooManyMaterials);
            }
            if line.len() > LONGEST_MATERIAL || line.contains(char::is_control) {
                return Err(WorkError::Material(nth));
            }
            materials.push(line.to_owned());
        }
        Ok(Self { cause: cause.to_owned(), materials, cost })
    }

    /// Why it failed; empty if that was not said.
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// What was used, each with its quantity.
    pub fn materials(&self) -> &[String] {
        &self.materials
    }

    /// What it cost, if that was said.
    pub const fn cost(&self) -> Option<Fen> {
        self.cost
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A material and its quantity, where it says one behind a cross: `HDMI cable × 2`.
pub fn quantity(material: &str) -> (&str, Option<&str>) {
    let cross = material.rmatch_indices(['×', '*', 'x', 'X', '＊']).next();
    let split = cross.map(|(at, cross)| (material[..at].trim(), material[at + cross.len()..].trim()));
    // A cross within a name, such as that of `4x8 screws`, is none.
    let counts = |amount: &str| amount.starts_with(|first: char| first.is_ascii_digit());
    let apart = |(at, cross): (usize, &str)| matches!(cross, "×" | "＊") || material[..at].ends_with(' ');
    match split {
        Some((name, amount)) if !name.is_empty() && counts(amount) && cross.is_some_and(apart) => (name, Some(amount)),
        _ => (material, None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("12.5", Some(1250))]
    #[case("¥12.50", Some(1250))]
    #[case("￥ 1,200", Some(120_000))]
    #[case("0", Some(0))]
    #[case("3元", Some(300))]
    #[case("10000000", Some(1_000_000_000))]
    #[case("10000000.01", None)]
    #[case("", None)]
    #[case(".5", None)]
    #[case("-1", None)]
    #[case("1.234", None)]
    #[case("1.2.3", None)]
    #[case("twelve", None)]
    #[case("99999999999999999999", None)]
    fn an_amount_is_read_as_people_write_it(#[case] text: &str, #[case] fen: Option<i64>) {
        assert_eq!(Fen::from_yuan(text).ok().map(Fen::get), fen);
    }

    #[rstest]
    #[case("HDMI 线 × 2", "HDMI 线", Some("2"))]
    #[case("网线×3 m", "网线", Some("3 m"))]
    #[case("HDMI cable x 2", "HDMI cable", Some("2"))]
    #[case("screws * 8", "screws", Some("8"))]
    #[case("screws 4x8", "screws 4x8", None)]
    #[case("box", "box", None)]
    #[case("× 2", "× 2", None)]
    #[case("a × b", "a × b", None)]
    fn a_material_may_say_how_much_of_it(#[case] text: &str, #[case] name: &str, #[case] amount: Option<&str>) {
        assert_eq!(quantity(text), (name, amount));
    }

    #[test]
    fn what_is_too_much_is_refused_with_where() {
        let cause = "x".repeat(LONGEST_CAUSE + 1);
        assert_eq!(Work::new(&cause, [], None), Err(WorkError::Cause));
        assert_eq!(Work::new("a\0b", [], None), Err(WorkError::Cause));
        assert_eq!(Work::new("", vec!["x"; MOST_MATERIALS + 1], None), Err(WorkError::TooManyMaterials));
        let long = "x".repeat(LONGEST_MATERIAL + 1);
        assert_eq!(Work::new("", ["a × 1", " ", &long], None), Err(WorkError::Material(2)));
        assert_eq!(Work::new("", ["a\nb"], None), Err(WorkError::Material(1)));
        let work = Work::new(" loose ", [" cable × 1 ", ""], Fen::new(0).ok()).unwrap();
        assert_eq!((work.cause(), work.materials(), work.is_empty()), ("loose", &["cable × 1".to_owned()][..], false));
        assert!(Work::new(" ", [""], None).unwrap().is_empty());
        assert_eq!((Fen::new(-1), Fen::new(1_000_000_001)), (Err(WorkError::Cost), Err(WorkError::Cost)));
    }

    proptest! {
        #[test]
        fn an_amount_that_is_shown_is_read_as_itself(fen in 0..=Fen::MOST.0) {
            let amount = Fen::new(fen).unwrap();
            prop_assert_eq!(Fen::from_yuan(&amount.to_string()), Ok(amount));
        }

        #[test]
        fn any_text_is_an_amount_or_refused_and_any_material_is_split(text in ".{0,40}") {
            let _ = Fen::from_yuan(&text);
            let (name, amount) = quantity(&text);
            prop_assert!(text.contains(name) && amount.is_none_or(|amount| text.contains(amount)));
        }
    }
}
