//! The sensor in the cabinet of the entrance display: its temperature follows the day, and climbs when the fans stop.

use std::sync::Arc;

use tokio::sync::watch;

use super::{
    curve,
    registers::{Registers, Unit},
};
use crate::clock::Clock;

/// What it heats up to without its fans, in °C; its limit is 60.
const WITHOUT_FANS_C: f64 = 72.0;
/// Most that its temperature moves in one second, in °C.
const PER_SECOND_C: f64 = 1.0;

#[derive(Debug, Clone, Copy, PartialEq)]
struct State {
    celsius: f64,
    fans_run: bool,
}

/// The simulated sensor.
pub(super) struct Cabinet {
    clock: Arc<dyn Clock>,
    state: watch::Sender<State>,
}

impl Cabinet {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let celsius = curve::cabinet_c(clock.now());
        Self { clock, state: watch::Sender::new(State { celsius, fans_run: true }) }
    }

    /// Stops its fans, or starts them.
    pub(super) fn run_fans(&self, run: bool) {
        self.state.send_modify(|state| state.fans_run = run);
    }

    /// One second passes.
    pub(super) fn tick(&self) {
        let usual = curve::cabinet_c(self.clock.now());
        self.state.send_modify(|state| {
            let towards = if state.fans_run { usual } else { WITHOUT_FANS_C };
            state.celsius += (towards - state.celsius).clamp(-PER_SECOND_C, PER_SECOND_C);
        });
    }
}

/// Input: 0 temperature in 0.1 °C, 1 supply in 0.1 V.
impl Unit for Cabinet {
    fn registers(&self) -> Registers {
        let tenths = |value: f64| curve::whole(value * 10.0).clamp(0, i32::from(u16::MAX));
        let values = [self.state.borrow().celsius, curve::mains_v(self.clock.now())];
        Registers {
            input: values.into_iter().map(|value| u16::try_from(tenths(value)).unwrap_or(u16::MAX)).collect(),
            ..Registers::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use lobby_domain::time::Timestamp;

    use super::*;
    use crate::clock::TokioClock;

    #[tokio::test(start_paused = true)]
    async fn without_fans_it_exceeds_its_limit_within_forty_seconds_and_cools_down_again() {
        let cabinet = Cabinet::new(Arc::new(TokioClock::starting_at(Timestamp::from_millis(0))));
        let after = |seconds: u32| {
            (0..seconds).for_each(|_| cabinet.tick());
            cabinet.registers().input[0]
        };
        assert!(after(0) < 550);
        cabinet.run_fans(false);
        assert!(after(40) > 600);
        cabinet.run_fans(true);
        assert!(after(60) < 550);
    }
}
