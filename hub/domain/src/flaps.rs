//! Flap detection: a rule that turns from clearly bad to clearly good and back again and again is unstable, and each turn on its own is
//! no news.

use std::fmt;

/// How many samples are looked back at.
const WINDOW: u32 = 20;
/// This many turns among them are too many.
const MANY: u32 = 4;

/// Where each of the last samples has its bit, the newest lowest: whether it turned.
const TURNS: u32 = (1 << WINDOW) - 1;
/// Whether it turned too often, and has not been stable for long enough since.
const FLAPPING: u32 = 1 << WINDOW;
/// Whether the bad side was last clearly seen, and not lost sight of since.
const BAD: u32 = 1 << (WINDOW + 1);
/// The same of the good side.
const GOOD: u32 = 1 << (WINDOW + 2);

/// The turns among the last samples of which something was known: in one number, because every rule of every device has them.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Flaps(u32);

/// A side on which a rule can clearly be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Bad,
    Good,
}

impl Flaps {
    /// Takes in one more sample; within the dead band it is on neither side.
    pub(crate) fn sampled(&mut self, side: Option<Side>) {
        let before = self.clear();
        let turned = side.is_some() && before.is_some() && side != before;
        self.0 = (self.0 & !TURNS) | ((self.0 << 1 | u32::from(turned)) & TURNS);
        if let Some(side) = side {
            self.lost_sight();
            self.0 |= if side == Side::Bad { BAD } else { GOOD };
        }
        if self.is_unsteady() {
            self.0 |= FLAPPING;
        }
    }

    /// Nothing is known just now: whatever is seen next has not turned.
    pub(crate) fn lost_sight(&mut self) {
        self.0 &= !(BAD | GOOD);
    }

    /// It has been stable for long enough, if there are no longer too many turns in the window.
    pub(crate) fn steady(&mut self) {
        self.0 &= !FLAPPING;
        if self.is_unsteady() {
            self.0 |= FLAPPING;
        }
    }

    /// Whether there are too many turns in the window.
    pub(crate) fn is_unsteady(self) -> bool {
        self.turns() >= MANY
    }

    /// Whether it turned too often, and has not been stable for long enough since.
    pub fn flapping(self) -> bool {
        self.0 & FLAPPING != 0
    }

    /// What outlasts a restart, as a number: the turns, and whether it flaps. What was seen last was not seen since.
    pub fn packed(self) -> u32 {
        self.0 & (TURNS | FLAPPING)
    }

    /// What [`Flaps::packed`] made a number of.
    pub fn from_packed(packed: u32) -> Self {
        Self(packed & (TURNS | FLAPPING))
    }

    /// How many of the last samples turned.
    pub fn turns(self) -> u32 {
        (self.0 & TURNS).count_ones()
    }

    /// Which side was last clearly seen.
    fn clear(self) -> Option<Side> {
        match self.0 & (BAD | GOOD) {
            0 => None,
            BAD => Some(Side::Bad),
            _ => Some(Side::Good),
        }
    }

    /// Whether another sample like the last ones would change nothing.
    pub(crate) fn is_quiet(self) -> bool {
        self.0 & (TURNS | FLAPPING) == 0
    }
}

impl fmt::Debug for Flaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (turns, clear, flapping) = (self.0 & TURNS, self.clear(), self.flapping());
        f.debug_struct("Flaps").field("turns", &turns).field("clear", &clear).field("flapping", &flapping).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// `b`ad, `g`ood, `-` in the dead band, `?` out of sight.
    fn seen(samples: &str) -> Flaps {
        let mut flaps = Flaps::default();
        for sample in samples.chars() {
            match sample {
                'b' => flaps.sampled(Some(Side::Bad)),
                'g' => flaps.sampled(Some(Side::Good)),
                '-' => flaps.sampled(None),
                _ => flaps.lost_sight(),
            }
        }
        flaps
    }

    #[rstest]
    #[case::three_turns("gbgb", 3, false)]
    #[case::four_turns("gbgbg", 4, true)]
    #[case::the_dead_band_hides_no_turn("g-b-g-b-g", 4, true)]
    #[case::the_dead_band_is_no_turn("b-b-b-b-b-b", 0, false)]
    #[case::nothing_is_counted_across_no_data("g?b?g?b?g?b", 0, false)]
    #[case::the_fourth_when_the_first_is_past("gbbbbbbbgggggggbbbbbbbg", 3, false)]
    #[case::the_fourth_among_twenty("gbbbbbggggbbbbbggggg", 4, true)]
    fn too_many_turns_among_the_last_twenty_samples_are_flapping(
        #[case] samples: &str,
        #[case] turns: u32,
        #[case] flapping: bool,
    ) {
        let flaps = seen(samples);
        assert_eq!((flaps.turns(), flaps.flapping()), (turns, flapping));
    }

    #[test]
    fn it_goes_on_flapping_until_it_is_said_to_be_steady_and_the_turns_are_past() {
        let mut flaps = seen("gbgbg");
        flaps.steady();
        assert!(flaps.flapping(), "the turns are still in the window");
        (0..17).for_each(|_| flaps.sampled(Some(Side::Good)));
        assert!(!flaps.is_unsteady());
        assert!(flaps.flapping(), "not yet stable for long enough");
        flaps.steady();
        assert!(!flaps.flapping());
    }

    #[test]
    fn a_restart_forgets_neither_the_turns_nor_that_it_flaps() {
        let flaps = seen("gbgbg");
        let kept = Flaps::from_packed(flaps.packed());
        assert_eq!((kept.turns(), kept.flapping()), (4, true));
        assert_eq!(kept.clear(), None, "what is seen next has not turned");
        assert_eq!(Flaps::from_packed(Flaps::default().packed()), Flaps::default());
    }

    proptest! {
        #[test]
        fn turns_are_those_a_reader_would_count_among_the_last_twenty(sides in prop::collection::vec(any::<bool>(), 1..80)) {
            let text: String = sides.iter().map(|bad| if *bad { 'b' } else { 'g' }).collect();
            // The twenty newest samples, each against the one before it.
            let from = sides.len().saturating_sub(20).max(1);
            let turns = (from..sides.len()).filter(|at| sides[*at] != sides[at - 1]).count();
            prop_assert_eq!(seen(&text).turns(), u32::try_from(turns).unwrap());
        }
    }
}
