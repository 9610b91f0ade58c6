//! What is refused on arrival: why, counted by cause, and told to the log in a bounded way.

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use lobby_contract::{Channel, DecodeError, TopicError};
use lobby_domain::time::{Span, Timestamp};
use tracing::warn;

use super::counters::{Cause, MqttCounters};

/// Why something of a client was refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A topic outside the contract.
    #[error("the topic is not of the contract")]
    Topic(#[source] TopicError),
    /// A kind of message that version 1 does not know.
    #[error("the kind of message is not known: the agent may be of a later version than the hub")]
    UnknownChannel,
    /// The hub's own side of the conversation.
    #[error("only the hub publishes on `{0}`")]
    Direction(Channel),
    /// A topic of another agent, or of nobody's.
    #[error("the client may publish below its own topic only")]
    Forbidden,
    /// A message that asks to be retained.
    #[error("the message asks to be retained, which the contract does not allow")]
    Retained,
    /// A payload that cannot be read.
    #[error("the message cannot be read")]
    Payload(#[source] DecodeError),
    /// A filter the client may not subscribe to.
    #[error("the client may subscribe to its own `ack` and `command` and to the hub's state only")]
    Subscription,
    /// A will the client may not leave.
    #[error("a will must be the client's own `death`, not retained and within the payload limit")]
    Will,
    /// A log-in that failed.
    #[error("the log-in failed: {0}")]
    Login(&'static str),
    /// More than the hub can hold.
    #[error("more messages are unsettled than the broker was told to send at once")]
    Overflow,
}

impl Refusal {
    /// The counter's label.
    pub const fn cause(&self) -> Cause {
        match self {
            Self::Topic(_) => Cause::Topic,
            Self::UnknownChannel => Cause::UnknownChannel,
            Self::Direction(_) => Cause::Direction,
            Self::Forbidden => Cause::Forbidden,
            Self::Retained => Cause::Retained,
            Self::Payload(DecodeError::TooLarge(_)) => Cause::TooLarge,
            Self::Payload(_) => Cause::Payload,
            Self::Subscription => Cause::Subscription,
            Self::Will => Cause::Will,
            Self::Login(_) => Cause::Login,
            Self::Overflow => Cause::Overflow,
        }
    }

    /// The whole chain of reasons in one line; for a payload it ends with line and column.
    fn told(&self) -> String {
        let mut text = self.to_string();
        let mut next = self.source();
        while let Some(source) = next {
            text = format!("{text}: {source}");
            next = source.source();
        }
        excerpt(text.as_bytes(), 600)
    }
}

impl From<TopicError> for Refusal {
    fn from(error: TopicError) -> Self {
        if error == TopicError::UnknownChannel { Self::UnknownChannel } else { Self::Topic(error) }
    }
}

/// How long a cause stays quiet for a client after it was told in full.
const QUIET: Span = Span::from_mins(1);
/// Most pairs of client and cause remembered; what is beyond is counted only.
const MAX_REMEMBERED: usize = 1024;
/// Most bytes of a client's name, a topic, and a payload that reach the log.
const NAME_BYTES: usize = 64;
const TOPIC_BYTES: usize = 200;
const PAYLOAD_BYTES: usize = 120;

/// Counts refusals and writes the first of each cause per client and minute.
#[derive(Debug)]
pub(super) struct Refusals {
    counters: Arc<MqttCounters>,
    told: Mutex<HashMap<(Box<str>, Cause), Told>>,
}

#[derive(Debug)]
struct Told {
    at: Timestamp,
    silent: u64,
}

impl Refusals {
    pub(super) fn new(counters: Arc<MqttCounters>) -> Self {
        Self { counters, told: Mutex::default() }
    }

    /// Counts `refusal`, and writes it unless the same was written for this client within the last minute.
    pub(super) fn note(&self, client: &str, topic: &str, payload: &[u8], refusal: &Refusal, now: Timestamp) {
        let cause = refusal.cause();
        self.counters.count_refused(cause);
        let client = excerpt(client.as_bytes(), NAME_BYTES);
        let Some(silent) = self.may_tell(&client, cause, now) else { return };
        warn!(
            client,
            topic = excerpt(topic.as_bytes(), TOPIC_BYTES),
            cause = cause.as_str(),
            reason = refusal.told(),
            payload = excerpt(payload, PAYLOAD_BYTES),
            payload_bytes = payload.len(),
            not_told = silent,
            "refused what a client sent"
        );
    }

    /// How many were kept quiet since the last, if it is time to tell one.
    fn may_tell(&self, client: &str, cause: Cause, now: Timestamp) -> Option<u64> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (client.into(), cause);
        if let Some(last) = told.get_mut(&key) {
            // A clock set back must not silence a cause for ever.
            if last.at <= now && now.since(last.at) < QUIET {
                last.silent += 1;
                return None;
            }
            let silent = std::mem::take(&mut last.silent);
            last.at = now;
            return Some(silent);
        }
        if told.len() >= MAX_REMEMBERED {
            told.retain(|_, last| last.at <= now && now.since(last.at) < QUIET);
        }
        if told.len() >= MAX_REMEMBERED {
            return None;
        }
        told.insert(key, Told { at: now, silent: 0 });
        Some(0)
    }
}

/// At most `limit` bytes of foreign text, with nothing in it that could forge a line of the log.
fn excerpt(bytes: &[u8], limit: usize) -> String {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(limit)]);
    let mut text: String = shown.chars().flat_map(char::escape_debug).collect();
    if bytes.len() > limit {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusals() -> Refusals {
        Refusals::new(Arc::new(MqttCounters::default()))
    }

    const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[test]
    fn a_cause_is_told_once_a_minute_per_client_and_counted_always() {
        let refusals = refusals();
        assert_eq!(refusals.may_tell("a", Cause::Payload, START), Some(0));
        assert_eq!(refusals.may_tell("a", Cause::Payload, START.shifted(59_999)), None);
        assert_eq!(refusals.may_tell("b", Cause::Payload, START.shifted(59_999)), Some(0));
        assert_eq!(refusals.may_tell("a", Cause::Topic, START.shifted(59_999)), Some(0));
        assert_eq!(refusals.may_tell("a", Cause::Payload, START.shifted(60_000)), Some(1));
        for _ in 0..3 {
            refusals.note("a", "t", b"", &Refusal::Retained, START);
        }
        assert_eq!(refusals.counters.refused(Cause::Retained), 3);
    }

    #[test]
    fn a_flood_of_client_names_does_not_grow_the_memory_and_does_not_silence_others_for_ever() {
        let refusals = refusals();
        for n in 0..10_000 {
            refusals.may_tell(&n.to_string(), Cause::Login, START);
        }
        assert_eq!(refusals.told.lock().unwrap().len(), MAX_REMEMBERED);
        assert_eq!(refusals.may_tell("honest", Cause::Login, START.shifted(60_001)), Some(0));
    }

    #[test]
    fn a_payload_is_refused_with_its_line_and_column() {
        let bad = lobby_contract::FromAgent::decode(Channel::Death, b"{\n  \"epoch\": x}").unwrap_err();
        let told = Refusal::Payload(bad).told();
        assert!(told.contains("line 2 column 12"), "{told}");
    }

    #[test]
    fn every_cause_has_its_own_counter_and_label() {
        let labels: std::collections::HashSet<_> = Cause::ALL.map(Cause::as_str).into_iter().collect();
        assert_eq!(labels.len(), Cause::ALL.len());
        for (index, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, index);
        }
    }

    proptest! {
        #[test]
        fn an_excerpt_is_one_bounded_line(bytes in proptest::collection::vec(any::<u8>(), 0..400), limit in 0_usize..200) {
            let text = excerpt(&bytes, limit);
            prop_assert!(!text.chars().any(char::is_control));
            // The longest escape of one byte is `\u{…}` of a replacement or control character.
            prop_assert!(text.chars().count() <= limit * 10 + 1);
        }
    }
}
