//! A computer's clock that is set while the hub runs: the hub goes on by its steady time, and takes the new one over when it has lasted
//! and the agents' clocks do not contradict it. All that the rules remember moves along, so no timer notices.

use std::time::Duration;

use lobby_domain::{agent::Link, site::Site, time::Timestamp};
use tokio::time::Instant;
use tracing::warn;

use super::{Course, Ingest};

/// How long a clock must have stayed as it was set.
const SETTLED: Duration = Duration::from_secs(10);
/// How long messages that were received before may still wait in the queue.
const QUEUED: Duration = Duration::from_mins(2);

/// The time of all messages was moved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved {
    by: i64,
    at: Instant,
}

impl Moved {
    /// The time of a message that may have been received before the move, as if it had been received after it.
    pub(super) fn brought_over(self, received_at: Timestamp, now: Timestamp) -> Timestamp {
        let distance = |at: Timestamp| at.millis().saturating_sub(now.millis()).saturating_abs();
        let moved = received_at.shifted(self.by);
        let recent = self.at.elapsed() < QUEUED;
        if recent && distance(moved) < distance(received_at) { moved } else { received_at }
    }
}

impl Ingest {
    pub(super) fn keep_time(&self, course: &mut Course) {
        let step = self.clock.step();
        self.timekeeping.stepped(step);
        let Some(step) = step.filter(|step| step.lasted >= SETTLED) else { return };
        let mut sites = self.fleet.write();
        if !agents_agree(sites.values(), step.ahead) {
            return;
        }
        let by = self.clock.reanchor();
        for site in sites.values_mut() {
            site.rebase(by);
        }
        drop(sites);
        course.moved = Some(Moved { by, at: Instant::now() });
        self.timekeeping.taken_over(by);
        warn!(by_ms = by, "this computer's clock was set: its time is taken over, and no timer notices");
    }
}

/// Whether at least as many agents that are up are nearer to the computer's clock, which is `ahead` ms ahead, than to the hub's time.
fn agents_agree<'a>(sites: impl Iterator<Item = &'a Site>, ahead: i64) -> bool {
    let (mut agree, mut differ) = (0u32, 0u32);
    for agent in sites.flat_map(Site::agents).filter(|agent| agent.link == Link::Up) {
        let behind = agent.clock.behind_millis();
        if behind.saturating_add(ahead).saturating_abs() < behind.saturating_abs() {
            agree += 1;
        } else {
            differ += 1;
        }
    }
    agree >= differ
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::tz::TimeZone;
    use lobby_contract::{AgentInfo, Birth};
    use lobby_domain::{calendar::Calendar, pack::Pack, site::Changes};
    use rstest::rstest;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_140_000_000);
    const HOUR: i64 = 3_600_000;

    fn site(behind: &[i64]) -> Site {
        let calendar = Calendar::new(TimeZone::UTC, [None; 7], BTreeMap::new());
        let mut site = Site::new("hz".parse().unwrap(), calendar, Pack::built_in(), NOW);
        for (number, behind) in behind.iter().enumerate() {
            let agent = AgentInfo { version: "1".into() };
            let sent_at = NOW.millis() - behind;
            let birth = Birth {
                epoch: 1,
                session: 1,
                sent_at,
                agent,
                queued: 0,
                unsaved: 0,
                refused: Vec::new(),
                devices: vec![],
            };
            site.birth(&format!("a{number}").parse().unwrap(), &birth, NOW, &mut Changes::default());
        }
        site
    }

    #[rstest]
    #[case::nobody_to_ask(&[], HOUR, true)]
    #[case::the_agents_moved_too(&[-HOUR, -HOUR + 20], HOUR, true)]
    #[case::the_hubs_clock_alone_moved(&[15, 20, -HOUR], HOUR, false)]
    #[case::the_hubs_clock_was_wrong_and_is_set_right(&[-HOUR, -HOUR, 0], HOUR, true)]
    #[case::one_against_one(&[0, HOUR], -HOUR, true)]
    fn a_clock_is_believed_unless_most_agents_contradict_it(
        #[case] behind: &[i64],
        #[case] ahead: i64,
        #[case] believed: bool,
    ) {
        assert_eq!(agents_agree([site(behind)].iter(), ahead), believed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_waited_while_the_clock_was_moved_is_as_old_as_before() {
        let moved = Moved { by: HOUR, at: Instant::now() };
        let now = NOW.shifted(HOUR);
        assert_eq!(moved.brought_over(NOW.shifted(-500), now), now.shifted(-500));
        assert_eq!(moved.brought_over(now.shifted(-500), now), now.shifted(-500));
        tokio::time::advance(QUEUED).await;
        assert_eq!(moved.brought_over(NOW, now), NOW, "nothing waits that long");
    }
}
