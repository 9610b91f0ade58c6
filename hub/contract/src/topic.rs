//! Topics, parsed once into types and written from them.

use std::{fmt, str::FromStr};

use crate::name::{AgentId, NameError, SiteId};

/// Where the hub says, retained and with a will, whether it is online.
pub const HUB_TOPIC: &str = "lobby/v1/hub";

const PREFIX: &str = "lobby/v1/";

/// The last level of an agent's topic: which kind of message it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// Agent → hub: who the agent is and which devices it has.
    Birth,
    /// Agent → hub: records.
    Data,
    /// Agent or its will → hub: the session has ended.
    Death,
    /// Agent → hub: records it no longer has.
    Lost,
    /// Hub → agent: what is in the database.
    Ack,
    /// Hub → agent: something to do.
    Command,
    /// Agent → hub: how a command ended.
    Result,
}

impl Channel {
    /// Every channel, in the order of the contract.
    pub const ALL: [Self; 7] =
        [Self::Birth, Self::Data, Self::Death, Self::Lost, Self::Ack, Self::Command, Self::Result];
    /// The channels on which an agent publishes.
    pub const FROM_AGENT: [Self; 5] = [Self::Birth, Self::Data, Self::Death, Self::Lost, Self::Result];
    /// The channels on which the hub publishes.
    pub const TO_AGENT: [Self; 2] = [Self::Ack, Self::Command];

    /// The level as it stands in the topic.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Birth => "birth",
            Self::Data => "data",
            Self::Death => "death",
            Self::Lost => "lost",
            Self::Ack => "ack",
            Self::Command => "command",
            Self::Result => "result",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The topic of one agent's messages of one kind: `lobby/v1/{site}/{agent}/{channel}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Topic {
    /// The agent's site.
    pub site: SiteId,
    /// The agent.
    pub agent: AgentId,
    /// The kind of message.
    pub channel: Channel,
}

/// Why a topic is not one of the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Not below `lobby/v1/`, or not of three levels below it.
    #[error("the topic is not of the form lobby/v1/{{site}}/{{agent}}/{{kind}}")]
    Shape,
    /// The site's level is not a name.
    #[error("the site in the topic is not a name")]
    Site(#[source] NameError),
    /// The agent's level is not a name.
    #[error("the agent in the topic is not a name")]
    Agent(#[source] NameError),
    /// The last level is none of [`Channel::ALL`].
    #[error("the topic's last level is none of birth, data, death, lost, ack, command, result")]
    UnknownChannel,
}

impl Topic {
    /// The topic of `agent` at `site` for `channel`.
    pub fn new(site: SiteId, agent: AgentId, channel: Channel) -> Self {
        Self { site, agent, channel }
    }

    /// The subscription filter for one channel of every agent of every site.
    pub fn filter(channel: Channel) -> String {
        format!("{PREFIX}+/+/{channel}")
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}/{}/{}", self.site, self.agent, self.channel)
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(topic: &str) -> Result<Self, TopicError> {
        let mut levels = topic.strip_prefix(PREFIX).ok_or(TopicError::Shape)?.splitn(4, '/');
        let (Some(site), Some(agent), Some(channel), None) =
            (levels.next(), levels.next(), levels.next(), levels.next())
        else {
            return Err(TopicError::Shape);
        };
        Ok(Self {
            site: site.parse().map_err(TopicError::Site)?,
            agent: agent.parse().map_err(TopicError::Agent)?,
            channel: Channel::ALL.into_iter().find(|c| c.as_str() == channel).ok_or(TopicError::UnknownChannel)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[test]
    fn every_channel_reads_back_as_written() {
        for channel in Channel::ALL {
            let written = format!("lobby/v1/sh-01/lobby-box/{channel}");
            let topic: Topic = written.parse().expect("a topic of the contract");
            assert_eq!((topic.site.as_str(), topic.agent.as_str(), topic.channel), ("sh-01", "lobby-box", channel));
            assert_eq!(topic.to_string(), written);
        }
    }

    #[rstest]
    #[case::other_tree("zigbee2mqtt/plug", TopicError::Shape)]
    #[case::other_version("lobby/v2/a/b/data", TopicError::Shape)]
    #[case::hub_state(HUB_TOPIC, TopicError::Shape)]
    #[case::too_deep("lobby/v1/a/b/data/x", TopicError::Shape)]
    #[case::unknown_kind("lobby/v1/a/b/gossip", TopicError::UnknownChannel)]
    #[case::empty_agent("lobby/v1/a//data", TopicError::Agent(NameError::Empty))]
    #[case::bad_site("lobby/v1/A/b/data", TopicError::Site(NameError::Character { found: 'A', position: 1 }))]
    fn any_other_topic_is_refused_with_its_reason(#[case] topic: &str, #[case] reason: TopicError) {
        assert_eq!(topic.parse::<Topic>(), Err(reason));
    }

    proptest! {
        #[test]
        fn any_text_is_a_topic_that_reads_back_or_an_error(text in "(lobby/v1/)?[ -~]{0,80}") {
            if let Ok(topic) = text.parse::<Topic>() {
                prop_assert_eq!(topic.to_string(), text);
            }
        }
    }
}
