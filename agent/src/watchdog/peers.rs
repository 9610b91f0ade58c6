//! The other agents of the site, as far as they are heard on the local network: who is there, and what each knows of the hub.

use std::{collections::BTreeMap, time::Duration};

use lobby_contract::{AgentId, SiteId};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{outage::Notice, silence::Hub};

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
    /// Somebody has been told of the silence that lasts: by this agent, or by another that may be gone.
    told: bool,
    /// A silence that was told and whose end was not. Earlier versions say nothing of it, and pass over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) outage: Option<Notice>,
    /// A silence whose end was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<Notice>,
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
        Self { version: 1, site, agent, hub, told, outage: None, ended: None }
    }

    /// The same with what is known of silences that were told.
    pub(super) fn of(self, outage: Option<Notice>, ended: Option<Notice>) -> Self {
        Self { outage, ended, ..self }
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
    outage: Option<Notice>,
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

    /// Takes in what was heard. Returns whether it is of another agent of the site.
    pub(super) fn hear(&mut self, beacon: Beacon, now: Instant) -> bool {
        if beacon.site != self.site || beacon.agent == self.own {
            return false;
        }
        let life = self.life;
        self.known.retain(|_, peer| now.duration_since(peer.heard_at) < life);
        let is_taken = self.known.len() < MOST || self.known.contains_key(&beacon.agent);
        if is_taken {
            let Beacon { agent, hub, told, outage, .. } = beacon;
            self.known.insert(agent, Peer { hub, told, outage, heard_at: now });
        }
        is_taken
    }

    /// How long an agent is there after it was heard.
    pub(super) fn life(&self) -> Duration {
        self.life
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

    /// Whether another agent says that somebody has been told of the silence. What it says of one that `is_over` is of no account.
    pub(super) fn have_told(&self, now: Instant, is_over: impl Fn(&Notice) -> bool) -> bool {
        self.there(now).any(|(_, peer)| peer.told && !peer.outage.as_ref().is_some_and(&is_over))
    }

    /// Whether the agent that told of a silence is there and answers for its end.
    pub(super) fn hold(&self, notice: &Notice, now: Instant) -> bool {
        self.there(now).any(|(agent, peer)| *agent == notice.by && peer.outage.as_ref() == Some(notice))
    }

    /// What the others take for not ended.
    pub(super) fn open(&self, now: Instant) -> impl Iterator<Item = &Notice> {
        self.there(now).filter_map(|(_, peer)| peer.outage.as_ref())
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

    fn never(_: &Notice) -> bool {
        false
    }

    fn notice(by: &str, since: i64) -> Notice {
        Notice { by: by.parse().unwrap(), since }
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
        assert_eq!((peers.rank(now), peers.hear_the_hub(now), peers.have_told(now, never)), (None, false, false));
    }

    #[test]
    fn what_an_agent_said_holds_as_long_as_it_is_there() {
        let (mut peers, now) = (peers(), Instant::now());
        peers.hear(beacon("demo", "box-1", Hub::Silent, true), now);
        peers.hear(beacon("demo", "box-2", Hub::Heard, false), now);
        assert!(peers.have_told(now, never) && peers.hear_the_hub(now));
        peers.hear(beacon("demo", "box-2", Hub::Unsure, false), now);
        assert!(!peers.hear_the_hub(now) && !peers.have_told(now + EVERY * 3, never));
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

    #[test]
    fn whoever_told_of_a_silence_answers_for_its_end_while_it_is_there_and_says_so() {
        let (mut peers, now) = (peers(), Instant::now());
        let (own, other) = (notice("box-1", 5), notice("box-9", 7));
        let says = |hub, outage: &Notice| beacon("demo", "box-1", hub, true).of(Some(outage.clone()), None);
        assert!(!peers.hold(&own, now));
        peers.hear(says(Hub::Silent, &own), now);
        assert!(peers.hold(&own, now) && !peers.hold(&notice("box-1", 6), now) && peers.have_told(now, never));
        assert!(!peers.have_told(now, |known| *known == own), "what is said of one that is over is of no account");
        assert!(!peers.hold(&own, now + EVERY * 3), "it has gone");
        peers.hear(says(Hub::Silent, &other), now);
        assert!(!peers.hold(&own, now) && !peers.hold(&other, now), "it passes on what another told");
        assert_eq!(peers.open(now).collect::<Vec<_>>(), [&other]);
    }

    #[test]
    fn the_beacon_of_an_agent_that_knows_of_no_notices_is_read_and_ours_is_read_by_it() {
        let old = br#"{"lobby_beacon":1,"site":"demo","agent":"box-1","hub":"silent","told":true}"#;
        let beacon = Beacon::decode(old).unwrap();
        assert_eq!((&beacon.outage, &beacon.ended), (&None, &None));
        let new = beacon.of(Some(notice("box-1", 5)), Some(notice("box-2", 4))).encode();
        let told = r#""told":true,"outage":{"by":"box-1","since":5},"ended":{"by":"box-2","since":4}}"#;
        assert!(String::from_utf8(new).unwrap().ends_with(told));
    }

    #[test]
    fn the_longest_beacon_is_not_too_long() {
        let name = "n".repeat(64);
        let longest = notice(&name, i64::MIN);
        let beacon = beacon(&name, &name, Hub::Unsure, false).of(Some(longest.clone()), Some(longest));
        assert_eq!(Beacon::decode(&beacon.encode()), Some(beacon));
    }

    #[rstest::rstest]
    #[case(r#""outage":{"by":"box-1"}"#)]
    #[case(r#""outage":{"by":"Box 1","since":5}"#)]
    #[case(r#""outage":{"by":"box-1","since":99999999999999999999}"#)]
    #[case(r#""ended":[{"by":"box-1","since":5}]"#)]
    fn a_beacon_with_a_notice_that_is_none_is_ignored(#[case] more: &str) {
        let text = format!(r#"{{"lobby_beacon":1,"site":"demo","agent":"box-1","hub":"silent","told":true,{more}}}"#);
        assert_eq!(Beacon::decode(text.as_bytes()), None);
    }

    proptest! {
        #[test]
        fn any_datagram_is_a_beacon_or_is_not(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let _ = Beacon::decode(&bytes);
        }
    }
}
