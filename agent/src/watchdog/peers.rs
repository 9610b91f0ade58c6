//! The other agents of the site, as far as they are heard on the local network: who is there, and what each knows of the hub.

use std::{collections::BTreeMap, time::Duration};

use lobby_contract::{AgentId, SiteId};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::silence::Hub;

/// Most bytes of a beacon.
pub(super) const MAX_BEACON: usize = 512;
/// Most agents that are remembered; a site has a few.
const MOST: usize = 64;
/// Who has not been heard for so many beacons is not there.
const MISSED: u32 = 3;

/// What an agent says of itself, again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Beacon {
    /// The version of this message; others are ignored.
    #[serde(rename = "lobby_beacon")]
    version: u8,
    site: SiteId,
    agent: AgentId,
    hub: Word,
    /// It has told somebody of the silence that lasts.
    told: bool,
}

/// What an agent knows of the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Heard,
    Unsure,
    Silent,
}

impl Beacon {
    pub(super) fn new(site: SiteId, agent: AgentId, hub: Hub, told: bool) -> Self {
        let hub = match hub {
            Hub::Heard => Word::Heard,
            Hub::Unsure => Word::Unsure,
            Hub::Silent => Word::Silent,
        };
        Self { version: 1, site, agent, hub, told }
    }

    /// Reads a datagram; `None` if it is no beacon of a version that is known.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..bytes.len().min(MAX_BEACON + 1)).filter(|bytes| bytes.len() <= MAX_BEACON)?;
        serde_json::from_slice(bytes).ok().filter(|beacon: &Self| beacon.version == 1)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a beacon holds names and words only")
    }
}

struct Peer {
    hub: Word,
    told: bool,
    heard_at: Instant,
}

/// The other agents.
pub(super) struct Peers {
    site: SiteId,
    own: AgentId,
    life: Duration,
    known: BTreeMap<AgentId, Peer>,
}

impl Peers {
    /// Nobody yet; each says that it is there `every` so often.
    pub(super) fn new(site: SiteId, own: AgentId, every: Duration) -> Self {
        Self { site, own, life: every * MISSED, known: BTreeMap::new() }
    }

    /// Takes in what was heard.
    pub(super) fn hear(&mut self, beacon: Beacon, now: Instant) {
        if beacon.site != self.site || beacon.agent == self.own {
            return;
        }
        let life = self.life;
        self.known.retain(|_, peer| now.duration_since(peer.heard_at) < life);
        if self.known.len() < MOST || self.known.contains_key(&beacon.agent) {
            self.known.insert(beacon.agent, Peer { hub: beacon.hub, told: beacon.told, heard_at: now });
        }
    }

    fn there(&self, now: Instant) -> impl Iterator<Item = (&AgentId, &Peer)> {
        self.known.iter().filter(move |(_, peer)| now.duration_since(peer.heard_at) < self.life)
    }

    /// How many agents with a lower name are there; `None` if there is no other agent at all.
    pub(super) fn rank(&self, now: Instant) -> Option<u32> {
        let lower = self.there(now).filter(|(agent, _)| **agent < self.own).count();
        self.there(now).next().map(|_| u32::try_from(lower).unwrap_or(u32::MAX))
    }

    /// Whether another agent hears the hub: then it is not the hub that is silent.
    pub(super) fn hear_the_hub(&self, now: Instant) -> bool {
        self.there(now).any(|(_, peer)| peer.hub == Word::Heard)
    }

    /// Whether another agent has told somebody of the silence.
    pub(super) fn have_told(&self, now: Instant) -> bool {
        self.there(now).any(|(_, peer)| peer.told)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVERY: Duration = Duration::from_secs(10);

    fn beacon(site: &str, agent: &str, hub: Hub, told: bool) -> Beacon {
        Beacon::new(site.parse().unwrap(), agent.parse().unwrap(), hub, told)
    }

    fn peers() -> Peers {
        Peers::new("demo".parse().unwrap(), "box-5".parse().unwrap(), EVERY)
    }

    #[test]
    fn the_rank_is_the_number_of_lower_names_that_are_there() {
        let (mut peers, now) = (peers(), Instant::now());
        assert_eq!(peers.rank(now), None);
        peers.hear(beacon("demo", "box-7", Hub::Unsure, false), now);
        assert_eq!(peers.rank(now), Some(0));
        peers.hear(beacon("demo", "box-1", Hub::Unsure, false), now);
        peers.hear(beacon("demo", "box-3", Hub::Unsure, false), now + EVERY);
        assert_eq!(peers.rank(now + EVERY), Some(2));
        assert_eq!(peers.rank(now + EVERY * 3), Some(1), "box-1 and box-7 have gone");
        assert_eq!(peers.rank(now + EVERY * 4), None);
    }

    #[test]
    fn other_sites_and_ones_own_voice_do_not_count() {
        let (mut peers, now) = (peers(), Instant::now());
        peers.hear(beacon("elsewhere", "box-1", Hub::Heard, true), now);
        peers.hear(beacon("demo", "box-5", Hub::Heard, true), now);
        assert_eq!((peers.rank(now), peers.hear_the_hub(now), peers.have_told(now)), (None, false, false));
    }

    #[test]
    fn what_an_agent_said_holds_as_long_as_it_is_there() {
        let (mut peers, now) = (peers(), Instant::now());
        peers.hear(beacon("demo", "box-1", Hub::Silent, true), now);
        peers.hear(beacon("demo", "box-2", Hub::Heard, false), now);
        assert!(peers.have_told(now) && peers.hear_the_hub(now));
        peers.hear(beacon("demo", "box-2", Hub::Unsure, false), now);
        assert!(!peers.hear_the_hub(now) && !peers.have_told(now + EVERY * 3));
    }

    #[test]
    fn a_network_full_of_agents_costs_bounded_memory() {
        let (mut peers, now) = (peers(), Instant::now());
        for number in 0..1000 {
            peers.hear(beacon("demo", &format!("box-{number}"), Hub::Unsure, false), now);
        }
        assert_eq!(peers.known.len(), MOST);
    }

    #[test]
    fn a_beacon_is_read_as_it_was_written() {
        let beacon = beacon("demo", "box-1", Hub::Silent, true);
        assert_eq!(
            String::from_utf8(beacon.encode()).unwrap(),
            r#"{"lobby_beacon":1,"site":"demo","agent":"box-1","hub":"silent","told":true}"#
        );
        assert_eq!(Beacon::decode(&beacon.encode()), Some(beacon));
        assert_eq!(
            Beacon::decode(br#"{"lobby_beacon":2,"site":"demo","agent":"box-1","hub":"silent","told":true}"#),
            None
        );
    }

    proptest! {
        #[test]
        fn any_datagram_is_a_beacon_or_is_not(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let _ = Beacon::decode(&bytes);
        }
    }
}
