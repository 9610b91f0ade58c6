//! The way in: from a topic and bytes to a message in ingest's queue, the same for both brokers.

use std::sync::Arc;

use lobby_contract::{Channel, FromAgent, Topic};
use lobby_domain::time::Timestamp;
use tokio::time::Instant;

use super::{
    Entrance, Inbound,
    counters::MqttCounters,
    refusal::{Refusal, Refusals},
};
use crate::clock::Clock;

/// Reads what clients publish and queues it for ingest.
pub(super) struct Inlet {
    queue: Entrance,
    pub(super) counters: Arc<MqttCounters>,
    refusals: Refusals,
    pub(super) clock: Arc<dyn Clock>,
}

impl Inlet {
    pub(super) fn new(queue: Entrance, clock: Arc<dyn Clock>) -> Self {
        let counters = Arc::new(MqttCounters::default());
        Self { queue, refusals: Refusals::new(Arc::clone(&counters)), counters, clock }
    }

    /// The message, or nothing if it is refused, which is then counted and told.
    pub(super) fn read(&self, client: &str, topic: &str, payload: &[u8]) -> Option<Inbound> {
        let (received_at, begun) = (self.clock.now(), Instant::now());
        let decoded = decode(topic, payload, received_at);
        self.counters.count_reading(begun.elapsed());
        match decoded {
            Ok(inbound) => Some(inbound),
            Err(refusal) => {
                self.refusals.note(client, topic, payload, &refusal, received_at);
                None
            }
        }
    }

    /// Counts and tells a refusal decided elsewhere.
    pub(super) fn refuse(&self, client: &str, topic: &str, refusal: &Refusal) {
        self.refusals.note(client, topic, &[], refusal, self.clock.now());
    }

    /// Queues a message; if the queue is full, returns only when the message is taken. `false` if ingest has ended.
    pub(super) async fn deliver(&self, inbound: Inbound) -> bool {
        let bytes = inbound.bytes;
        let Ok(wait) = self.queue.put(inbound) else { return false };
        self.counters.count_accepted(bytes);
        let Some(taken) = wait else { return true };
        self.counters.count_waited();
        taken.await.is_ok()
    }
}

/// `{site}/{agent}` of a topic, or what stands in its place: whom the log may call the sender if the broker does not say.
pub(super) fn sender_named_by(topic: &str) -> &str {
    let named = topic.strip_prefix("lobby/v1/").unwrap_or(topic);
    named.rsplit_once('/').map_or(named, |(agent, _)| agent)
}

fn decode(topic: &str, payload: &[u8], received_at: Timestamp) -> Result<Inbound, Refusal> {
    let Topic { site, agent, channel } = topic.parse()?;
    if !Channel::FROM_AGENT.contains(&channel) {
        return Err(Refusal::Direction(channel));
    }
    let message = FromAgent::decode(channel, payload).map_err(Refusal::Payload)?;
    Ok(Inbound { site, agent, received_at, connected_at: None, message, bytes: payload.len(), receipt: None })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::mqtt::Cause;

    const NOW: Timestamp = Timestamp::from_millis(0);

    #[rstest]
    #[case::other_tree("home/plug", b"{}", Cause::Topic)]
    #[case::hub_state(lobby_contract::HUB_TOPIC, b"{}", Cause::Topic)]
    #[case::later_kind("lobby/v1/s/a/gossip", b"{}", Cause::UnknownChannel)]
    #[case::hubs_own("lobby/v1/s/a/ack", br#"{"epoch":1,"committed":9}"#, Cause::Direction)]
    #[case::not_json("lobby/v1/s/a/data", b"\xff\x00", Cause::Payload)]
    #[case::too_large("lobby/v1/s/a/data", &vec![b' '; lobby_contract::MAX_PAYLOAD + 1], Cause::TooLarge)]
    fn what_is_not_of_the_contract_is_refused_by_cause(
        #[case] topic: &str,
        #[case] payload: &[u8],
        #[case] cause: Cause,
    ) {
        assert_eq!(decode(topic, payload, NOW).map(|_| ()).map_err(|refusal| refusal.cause()), Err(cause));
    }

    proptest! {
        #[test]
        fn any_bytes_on_any_topic_are_a_message_of_that_topic_or_a_refusal(
            channel in "(birth|data|death|lost|result|ack|command|x)",
            payload in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..200),
                "[\\[\\]{}\":,0-9a-z ]{0,120}".prop_map(String::into_bytes),
            ],
        ) {
            if let Ok(inbound) = decode(&format!("lobby/v1/s-1/a-1/{channel}"), &payload, NOW) {
                prop_assert_eq!((inbound.site.as_str(), inbound.agent.as_str(), inbound.bytes), ("s-1", "a-1", payload.len()));
            }
        }
    }
}
