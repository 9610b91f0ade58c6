//! Agents and the site as a whole, as samples for their rules.

use lobby_contract::{FactValue, Reach};

use crate::{
    agent::{Agent, Link},
    condition::Sample,
    time::{Span, Timestamp},
};

/// Agents that were lost within this time of one another were lost together: by the site, not each by itself.
const TOGETHER: Span = Span::from_secs(60);

/// Of an agent that is not heard, nothing but that is known.
pub(super) fn agent_sample(agent: &Agent, now: Timestamp) -> Sample {
    let link = match agent.link {
        Link::Unverified { .. } => FactValue::Unknown,
        known => known.word().as_str().into(),
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "a clock's offset in seconds and a count of records need no more than 52 bits"
    )]
    let (offset, backlog) = (
        agent.clock.plainly_behind_millis().map(|behind| (behind as f64 / 1000.0).abs()),
        agent.backlog(now).map(|count| count as f64),
    );
    let heard = |fact: Option<f64>| fact.filter(|_| agent.link == Link::Up).map_or(FactValue::Unknown, FactValue::from);
    let facts = [("link", link), ("clock_offset_s", heard(offset)), ("spool", heard(backlog))];
    Sample { reach: Reach::Ok, facts: facts.map(|(name, value)| (name.into(), value)).into(), faults: Vec::new() }
}

/// Whether two agents of which nothing is heard since these times may have been lost together.
pub(super) fn are_together(one: Timestamp, other: Timestamp) -> bool {
    one.since(other) <= TOGETHER && other.since(one) <= TOGETHER
}

/// How many of these times lie within [`TOGETHER`] of one another, at most.
fn together(mut times: Vec<Timestamp>) -> u32 {
    times.sort_unstable();
    let within = |(index, first): (usize, &Timestamp)| {
        times[index..].iter().take_while(|time| time.since(*first) <= TOGETHER).count()
    };
    u32::try_from(times.iter().enumerate().map(within).max().unwrap_or(0)).unwrap_or(u32::MAX)
}

/// `held_back` is how many alerts wait for room, if that is known.
pub(super) fn site_sample<'a>(agents: impl Iterator<Item = &'a Agent>, held_back: Option<usize>) -> Sample {
    let (mut all, mut stopped, mut lost, mut unverified) = (0u32, 0u32, Vec::new(), false);
    for agent in agents {
        all += 1;
        match agent.link {
            Link::Down { .. } if agent.is_stopped() => stopped += 1,
            Link::Down { since } => lost.push(since),
            Link::Unverified { .. } => unverified = true,
            Link::Up | Link::Suspect { .. } => {}
        }
    }
    let down = u32::try_from(lost.len()).unwrap_or(u32::MAX).saturating_add(stopped);
    let held_back = held_back.map(|held_back| f64::from(u32::try_from(held_back).unwrap_or(u32::MAX)));
    let lost_together = together(lost);
    let percent = |part: u32| if all == 0 { 0.0 } else { f64::from(part) * 100.0 / f64::from(all) };
    let known = |number: f64| if unverified { FactValue::Unknown } else { FactValue::Number(number) };
    let facts = [
        ("agents", FactValue::Number(f64::from(all))),
        ("agents_down", known(f64::from(down))),
        ("agents_down_percent", known(percent(down))),
        ("agents_lost_together", known(f64::from(lost_together))),
        ("agents_lost_together_percent", known(percent(lost_together))),
        ("alerts_held_back", held_back.map_or(FactValue::Unknown, FactValue::Number)),
    ];
    Sample { reach: Reach::Ok, facts: facts.map(|(name, value)| (name.into(), value)).into(), faults: Vec::new() }
}
