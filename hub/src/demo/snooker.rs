//! The snooker area: a table whose lamp runs over a relay and an energy meter, and the rack that counts balls and cues.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{
    curve,
    registers::{Registers, Unit},
};
use crate::clock::Clock;

/// What the lit lamp draws, in W.
pub(super) const LAMP_W: f64 = 138.4;
/// What the relay and meter draw by themselves, in W.
pub(super) const IDLE_W: f64 = 0.4;
/// What the meter has counted when the demonstration starts, in kWh.
pub(super) const ENERGY_KWH: f64 = 1250.0;
/// Balls of a set: fifteen red, six colours, the cue ball.
pub(super) const BALLS: i32 = 22;
/// Cues in the rack.
pub(super) const CUES: i32 = 8;

/// Addresses of the meter's values, each of two registers.
mod meter {
    pub(super) const VOLTAGE: usize = 0x0000;
    pub(super) const CURRENT: usize = 0x0006;
    pub(super) const POWER: usize = 0x000C;
    pub(super) const POWER_FACTOR: usize = 0x001E;
    pub(super) const FREQUENCY: usize = 0x0046;
    pub(super) const ENERGY: usize = 0x0048;
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Lamp {
    failed: bool,
    energy_kwh: f64,
}

/// A simulated table, in play.
pub(super) struct Table {
    clock: Arc<dyn Clock>,
    lamp: watch::Sender<Lamp>,
}

impl Table {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, lamp: watch::Sender::new(Lamp { failed: false, energy_kwh: ENERGY_KWH }) }
    }

    /// Lets its lamp fail, or replaces it.
    pub(super) fn fail(&self, failed: bool) {
        self.lamp.send_modify(|lamp| lamp.failed = failed);
    }

    /// Time passes.
    pub(super) fn tick(&self, passed: Duration) {
        self.lamp.send_modify(|lamp| lamp.energy_kwh += kwh(lamp.watts(), passed));
    }
}

/// The energy of `watts` over `passed`.
pub(super) fn kwh(watts: f64, passed: Duration) -> f64 {
    watts * passed.as_secs_f64() / 3_600_000.0
}

impl Lamp {
    fn watts(self) -> f64 {
        if self.failed { IDLE_W } else { LAMP_W }
    }
}

/// Coil 0: the lamp's relay. Discrete 0: somebody is there. Input: the meter.
impl Unit for Table {
    fn registers(&self) -> Registers {
        let lamp = *self.lamp.borrow();
        let (watts, volts) = (lamp.watts(), curve::mains_v(self.clock.now()));
        let power_factor = if lamp.failed { 0.41 } else { 0.97 };
        let mut registers = Registers { coils: vec![true], discrete: vec![true], ..Registers::default() };
        for (address, value) in [
            (meter::VOLTAGE, volts),
            (meter::CURRENT, watts / volts / power_factor),
            (meter::POWER, watts),
            (meter::POWER_FACTOR, power_factor),
            (meter::FREQUENCY, 50.0),
            (meter::ENERGY, lamp.energy_kwh),
        ] {
            registers.set_real(address, single(value));
        }
        registers
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the meter has no more digits than these")]
fn single(value: f64) -> f32 {
    value as f32
}

/// The rack that counts what is in it.
pub(super) struct Rack {
    balls: watch::Sender<i32>,
}

impl Rack {
    pub(super) fn new() -> Self {
        Self { balls: watch::Sender::new(BALLS) }
    }

    /// Takes a ball away, or brings it back.
    pub(super) fn lose_a_ball(&self, lost: bool) {
        self.balls.send_replace(BALLS - i32::from(lost));
    }
}

/// Holding: 0 balls, 1 cues.
impl Unit for Rack {
    fn registers(&self) -> Registers {
        let counts = [*self.balls.borrow(), CUES];
        Registers {
            holding: counts.into_iter().map(|count| u16::try_from(count).unwrap_or(0)).collect(),
            ..Registers::default()
        }
    }
}
