//! A shoe-cover machine: it gives covers to visitors, runs low, jams and is refilled.

use tokio::sync::watch;

use super::registers::{Registers, Unit};

/// Covers a machine takes.
pub(super) const CAPACITY: i32 = 500;
/// Covers in one pack.
const PACK: i32 = 100;
/// Covers one visitor takes.
const PAIR: i32 = 2;
/// Seconds between two visitors on a quiet day.
const BETWEEN_VISITORS: u32 = 20;
/// Covers that stay in the machine, so that the demonstration warns of low stock and not of an empty machine.
const KEPT: i32 = 30;

/// What is in a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stock {
    /// Covers left.
    pub(super) left: i32,
    /// Covers given since it was made.
    pub(super) dispensed: i32,
}

/// The machines as the demonstration finds them at its start. The second one is nearly at its refill level.
pub(super) const MACHINES: [Stock; 2] = [Stock { left: 320, dispensed: 61_240 }, Stock { left: 58, dispensed: 48_802 }];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    stock: Stock,
    jammed: bool,
    /// A group of visitors stands before it.
    crowded: bool,
    /// Seconds since it was started.
    seconds: u32,
}

/// A simulated machine.
pub(super) struct CoverMachine {
    state: watch::Sender<State>,
}

impl CoverMachine {
    /// A machine that holds `stock`.
    pub(super) fn new(stock: Stock) -> Self {
        Self { state: watch::Sender::new(State { stock, jammed: false, crowded: false, seconds: 0 }) }
    }

    /// Jams it, or frees it.
    pub(super) fn jam(&self, jammed: bool) {
        self.state.send_modify(|state| state.jammed = jammed);
    }

    /// Lets a group of visitors come.
    pub(super) fn crowd(&self) {
        self.state.send_modify(|state| state.crowded = true);
    }

    /// Puts one pack into it, or as much of it as it takes; the group has gone. Returns how many pieces that were.
    pub(super) fn refill(&self) -> i32 {
        let mut taken = 0;
        self.state.send_modify(|state| {
            taken = PACK.min(CAPACITY - state.stock.left);
            state.stock.left += taken;
            state.crowded = false;
        });
        taken
    }

    /// One second passes.
    pub(super) fn tick(&self) {
        self.state.send_modify(State::tick);
    }
}

impl State {
    fn tick(&mut self) {
        self.seconds = self.seconds.wrapping_add(1);
        let is_asked = self.crowded || self.seconds.is_multiple_of(BETWEEN_VISITORS);
        if is_asked && !self.jammed && self.stock.left >= KEPT + PAIR {
            self.stock.left -= PAIR;
            self.stock.dispensed += PAIR;
        }
    }
}

/// Discrete: 0 jam, 1 empty, 2 door open. Holding: 0 covers left, 1 and 2 covers given, 3 motor fault, 4 supply fault, 5 supply in 0.1 V.
impl Unit for CoverMachine {
    fn registers(&self) -> Registers {
        let State { stock, jammed, .. } = *self.state.borrow();
        let [a, b, c, d] = stock.dispensed.to_be_bytes();
        let left = u16::try_from(stock.left).unwrap_or(0);
        Registers {
            discrete: vec![jammed, left == 0, false],
            holding: vec![left, u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]), 0, 0, 241],
            ..Registers::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock_after(seconds: u32, machine: &CoverMachine) -> Stock {
        (0..seconds).for_each(|_| machine.tick());
        machine.state.borrow().stock
    }

    #[test]
    fn a_group_brings_the_second_machine_below_its_refill_level_within_ten_seconds_and_never_empties_it() {
        let machine = CoverMachine::new(MACHINES[1]);
        machine.crowd();
        assert!(stock_after(10, &machine).left < 50);
        assert_eq!(stock_after(1000, &machine).left, KEPT);
        machine.refill();
        assert_eq!(stock_after(1, &machine).left, KEPT + PACK);
    }

    #[test]
    fn every_cover_that_leaves_the_machine_is_counted() {
        let machine = CoverMachine::new(MACHINES[0]);
        let after = stock_after(600, &machine);
        assert_eq!(after.dispensed - MACHINES[0].dispensed, MACHINES[0].left - after.left);
        assert_eq!(MACHINES[0].left - after.left, 60);
    }

    #[test]
    fn a_jammed_machine_gives_nothing() {
        let machine = CoverMachine::new(MACHINES[0]);
        machine.jam(true);
        machine.crowd();
        assert_eq!(stock_after(60, &machine), MACHINES[0]);
    }

    #[test]
    fn a_refill_never_exceeds_the_capacity() {
        let machine = CoverMachine::new(MACHINES[0]);
        let filled: i32 = (0..9).map(|_| machine.refill()).sum();
        assert_eq!(filled, CAPACITY - MACHINES[0].left, "no more than it takes");
        assert_eq!(stock_after(0, &machine).left, CAPACITY);
    }
}
