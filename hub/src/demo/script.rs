//! What goes wrong and is mended again, for ever: one step every half minute.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::Centre;

/// When the first fault comes: the agents have reported healthy equipment by then.
const FIRST_AFTER: Duration = Duration::from_secs(6);
/// Time between two steps.
const EVERY: Duration = Duration::from_secs(30);

/// One step: what the log says of it, and what it does.
type Step = (&'static str, fn(&Centre));

/// The steps of one round. A fault lasts as long as its rule needs to raise an alert: a cut line for 90 s, a missing laptop for more
/// than 5 min.
const ROUND: [Step; 20] = [
    ("the entrance LED display goes dark", |centre| centre.entrance_led.switch(false)),
    ("a group of visitors: the second shoe-cover machine runs low", |centre| centre.covers_2.crowd()),
    ("the entrance LED display is on again", |centre| centre.entrance_led.switch(true)),
    ("the first shoe-cover machine jams", |centre| centre.covers_1.jam(true)),
    ("the uplink of the recreation area is cut", |centre| centre.uplink.join(false)),
    ("both shoe-cover machines are refilled", Centre::refill),
    ("the first shoe-cover machine is freed", |centre| centre.covers_1.jam(false)),
    ("the uplink of the recreation area is joined", |centre| centre.uplink.join(true)),
    ("a laptop of the internet area is gone", |centre| centre.laptop.bring(false)),
    ("the lamp of the snooker table fails", |centre| centre.table.fail(true)),
    ("the lift lobby TV loses its signal", |centre| centre.lift_tv.feed(false)),
    ("the lamp of the snooker table is replaced", |centre| centre.table.fail(false)),
    ("the lift lobby TV has its signal again", |centre| centre.lift_tv.feed(true)),
    ("the fans in the cabinet of the entrance LED display stop", |centre| centre.cabinet.run_fans(false)),
    ("a snooker ball is missing", |centre| centre.rack.lose_a_ball(true)),
    ("the lift lobby TV is switched off", |centre| centre.lift_tv.switch(false)),
    ("the snooker ball is found", |centre| centre.rack.lose_a_ball(false)),
    ("the fans in the cabinet of the entrance LED display run again", |centre| centre.cabinet.run_fans(true)),
    ("the lift lobby TV is on again", |centre| centre.lift_tv.switch(true)),
    ("the laptop of the internet area is back", |centre| centre.laptop.bring(true)),
];

/// Plays rounds until `stop`.
pub(super) async fn run(centre: Arc<Centre>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut steps = interval_at(Instant::now() + FIRST_AFTER, EVERY);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let play = async {
        for (says, act) in ROUND.iter().cycle() {
            steps.tick().await;
            info!("demo: {says}");
            act(&centre);
        }
    };
    stop.run_until_cancelled(play).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use lobby_domain::time::Timestamp;

    use super::*;
    use crate::{clock::TokioClock, demo::registers::Unit};

    /// Everything the script can change, as one text.
    fn picture(centre: &Centre) -> String {
        let displays = [&centre.entrance_led, &centre.lift_tv].map(|display| display.picture());
        let units: [&dyn Unit; 5] =
            [&*centre.covers_1, &*centre.covers_2, &*centre.cabinet, &*centre.table, &*centre.rack];
        format!(
            "{displays:?} {:?} {:?} {:?}",
            units.map(Unit::registers),
            centre.laptop.is_there(),
            centre.uplink.is_whole()
        )
    }

    fn centre() -> Centre {
        let clock = Arc::new(TokioClock::starting_at(Timestamp::from_millis(1_800_000_000_000)));
        Centre::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), clock, tokio::sync::mpsc::unbounded_channel().0)
    }

    #[tokio::test(start_paused = true)]
    async fn every_step_changes_something_within_half_a_minute() {
        let centre = centre();
        for (says, act) in ROUND {
            let before = picture(&centre);
            act(&centre);
            (0..30).for_each(|_| {
                centre.covers_2.tick();
                centre.cabinet.tick();
            });
            assert_ne!(picture(&centre), before, "{says}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_round_everything_that_failed_works_again() {
        let (centre, untouched) = (centre(), centre());
        for (_, act) in ROUND {
            act(&centre);
        }
        // Refilling is the one step that leaves something behind.
        untouched.refill();
        assert_eq!(picture(&centre), picture(&untouched));
    }

    #[test]
    fn the_first_fault_comes_within_fifteen_seconds() {
        assert!(FIRST_AFTER < Duration::from_secs(15));
    }
}
