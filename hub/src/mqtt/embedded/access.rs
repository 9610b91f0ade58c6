//! Who may do what on the embedded broker. An agent is bound to its own topics: it publishes on its channels and its will is its
//! own `death`; it hears its own `ack` and `command`, and the hub's state. On loopback without users nobody has a name, so
//! anybody there may play any agent and listen to all, but nobody may play the hub.

use std::{future::Future, net::SocketAddr, pin::Pin, str::FromStr, sync::Arc};

use lobby_contract::{Channel, HUB_TOPIC, MAX_PAYLOAD, Topic, TopicError};
use mqtt5::{
    broker::auth::{AuthProvider, AuthResult},
    packet::connect::ConnectPacket,
    types::ReasonCode,
};

use super::{
    login::{Gate, Verdict},
    users::{Users, client_id},
};
use crate::{
    door::Door,
    mqtt::{inlet::Inlet, refusal::Refusal},
};

/// Longest client id, in bytes: room for `{site}.{agent}` with names of 64 characters.
const MAX_CLIENT_ID: usize = 129;

/// Answers the broker's questions.
pub(super) struct Access {
    pub(super) inlet: Arc<Inlet>,
    pub(super) door: Arc<Door>,
    /// Without users, everybody is nobody.
    pub(super) users: Option<Users>,
    pub(super) gate: Gate,
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Access {
    async fn admit(&self, connect: &ConnectPacket, peer: SocketAddr) -> AuthResult {
        if !self.door.introduced(peer) {
            return AuthResult::fail(ReasonCode::ServerBusy);
        }
        let refused = |code: ReasonCode, refusal: &Refusal| {
            let topic = connect.will.as_ref().map_or("", |will| will.topic.as_str());
            self.inlet.refuse(connect.username.as_deref().unwrap_or(&connect.client_id), topic, refusal);
            AuthResult::fail(code)
        };
        if connect.client_id.len() > MAX_CLIENT_ID {
            return refused(ReasonCode::ClientIdentifierNotValid, &Refusal::Login("the client id is too long"));
        }
        let user = match self.log_in(connect).await {
            Ok(user) => user,
            Err((code, why)) => return refused(code, &Refusal::Login(why)),
        };
        if let Some(will) = &connect.will
            && (will.retain || will.payload.len() > MAX_PAYLOAD || !may_leave(user, &will.topic))
        {
            return refused(ReasonCode::NotAuthorized, &Refusal::Will);
        }
        user.map_or_else(AuthResult::success, AuthResult::success_with_user)
    }

    /// The user's name, or nobody's on loopback without users.
    async fn log_in<'a>(&self, connect: &'a ConnectPacket) -> Result<Option<&'a str>, (ReasonCode, &'static str)> {
        const BAD: ReasonCode = ReasonCode::BadUsernameOrPassword;
        let Some(users) = &self.users else { return Ok(None) };
        let (Some(user), Some(password)) = (&connect.username, &connect.password) else {
            return Err((BAD, "user name and password are needed"));
        };
        // Unknown names are refused without the cost of a hash. Names are those in topics, so that one exists is no secret worth
        // letting strangers keep the hub busy.
        let account = users
            .account(user)
            .ok_or((BAD, "there is no such user: its name is SITE/AGENT, such as demo/lobby-box"))?;
        match self.gate.check(&account, password).await {
            Verdict::Right if connect.client_id == client_id(user) => Ok(Some(user)),
            Verdict::Right => Err((
                ReasonCode::ClientIdentifierNotValid,
                "the client id is not the user's: it is SITE.AGENT, such as demo.lobby-box",
            )),
            Verdict::Wrong => Err((BAD, "the password is wrong")),
            Verdict::Locked => Err((BAD, "too many failed log-ins within a minute")),
            Verdict::Busy => Err((ReasonCode::ServerBusy, "too many log-ins at once")),
        }
    }
}

/// What follows `lobby/v1/{user}/`, or after the site and agent of any if there is no user.
fn own_part<'t>(user: Option<&str>, topic: &'t str) -> Option<&'t str> {
    let rest = topic.strip_prefix("lobby/v1/")?;
    match user {
        Some(user) => rest.strip_prefix(user)?.strip_prefix('/'),
        None => rest.splitn(3, '/').nth(2),
    }
}

/// Whether the hub should read what `user` publishes on `topic`, if only to count a kind it does not know.
fn may_publish(user: Option<&str>, topic: &str) -> Result<(), Refusal> {
    match Topic::from_str(topic) {
        Ok(topic) if !Channel::FROM_AGENT.contains(&topic.channel) => Err(Refusal::Direction(topic.channel)),
        Ok(_) | Err(TopicError::UnknownChannel) if own_part(user, topic).is_some() => Ok(()),
        Ok(_) | Err(TopicError::UnknownChannel) => Err(Refusal::Forbidden),
        Err(error) => Err(Refusal::Topic(error)),
    }
}

fn may_leave(user: Option<&str>, will: &str) -> bool {
    own_part(user, will) == Some(Channel::Death.as_str()) && Topic::from_str(will).is_ok()
}

fn may_subscribe(user: Option<&str>, filter: &str) -> bool {
    // A shared subscription is judged by what it shares.
    let filter = match filter.strip_prefix("$share/") {
        Some(shared) => shared.split_once('/').map_or("", |(_, filter)| filter),
        None => filter,
    };
    if user.is_none() {
        return filter.starts_with("lobby/v1/");
    }
    let own = own_part(user, filter);
    filter == HUB_TOPIC || Channel::TO_AGENT.iter().any(|channel| own == Some(channel.as_str()))
}

impl AuthProvider for Access {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        peer: SocketAddr,
    ) -> Answer<'a, mqtt5::Result<AuthResult>> {
        Box::pin(async move { Ok(self.admit(connect, peer).await) })
    }

    fn authorize_publish<'a>(&'a self, client: &str, user: Option<&'a str>, topic: &'a str) -> Answer<'a, bool> {
        let verdict = may_publish(user, topic);
        if let Err(refusal) = &verdict {
            self.inlet.refuse(user.unwrap_or(client), topic, refusal);
        }
        Box::pin(std::future::ready(verdict.is_ok()))
    }

    fn authorize_subscribe<'a>(&'a self, client: &str, user: Option<&'a str>, filter: &'a str) -> Answer<'a, bool> {
        let allowed = may_subscribe(user, filter);
        if !allowed {
            self.inlet.refuse(user.unwrap_or(client), filter, &Refusal::Subscription);
        }
        Box::pin(std::future::ready(allowed))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const AGENT: Option<&str> = Some("s-1/a-1");
    const NOBODY: Option<&str> = None;

    #[rstest]
    #[case::own_data(AGENT, "lobby/v1/s-1/a-1/data", true)]
    #[case::own_later_kind(AGENT, "lobby/v1/s-1/a-1/gossip", true)]
    #[case::own_ack(AGENT, "lobby/v1/s-1/a-1/ack", false)]
    #[case::own_command(AGENT, "lobby/v1/s-1/a-1/command", false)]
    #[case::other_agent(AGENT, "lobby/v1/s-1/a-2/data", false)]
    #[case::longer_name(AGENT, "lobby/v1/s-1/a-11/data", false)]
    #[case::other_site(AGENT, "lobby/v1/s-2/a-1/data", false)]
    #[case::too_deep(AGENT, "lobby/v1/s-1/a-1/data/x", false)]
    #[case::hub(AGENT, HUB_TOPIC, false)]
    #[case::system(AGENT, "$SYS/broker", false)]
    #[case::nobody_plays_an_agent(NOBODY, "lobby/v1/s-1/a-1/data", true)]
    #[case::nobody_plays_the_hub(NOBODY, "lobby/v1/s-1/a-1/ack", false)]
    #[case::nobody_says_the_state(NOBODY, HUB_TOPIC, false)]
    #[case::nobody_elsewhere(NOBODY, "home/plug", false)]
    fn publishing(#[case] user: Option<&str>, #[case] topic: &str, #[case] allowed: bool) {
        assert_eq!(may_publish(user, topic).is_ok(), allowed);
    }

    #[rstest]
    #[case::own_ack(AGENT, "lobby/v1/s-1/a-1/ack", true)]
    #[case::own_command(AGENT, "lobby/v1/s-1/a-1/command", true)]
    #[case::hub(AGENT, HUB_TOPIC, true)]
    #[case::own_ack_shared(AGENT, "$share/g/lobby/v1/s-1/a-1/ack", true)]
    #[case::own_data(AGENT, "lobby/v1/s-1/a-1/data", false)]
    #[case::own_all(AGENT, "lobby/v1/s-1/a-1/#", false)]
    #[case::other(AGENT, "lobby/v1/s-1/a-2/ack", false)]
    #[case::all(AGENT, "#", false)]
    #[case::any_level(AGENT, "lobby/v1/+/+/ack", false)]
    #[case::all_shared(AGENT, "$share/x/#", false)]
    #[case::other_shared(AGENT, "$share/x/lobby/v1/s-1/a-2/ack", false)]
    #[case::share_without_filter(AGENT, "$share/x", false)]
    #[case::share_in_share(AGENT, "$share/x/$share/y/lobby/v1/hub", false)]
    #[case::system(AGENT, "$SYS/#", false)]
    #[case::nobody_diagnoses(NOBODY, "lobby/v1/#", true)]
    #[case::nobody_takes_all(NOBODY, "#", false)]
    #[case::nobody_takes_all_shared(NOBODY, "$share/x/#", false)]
    fn subscribing(#[case] user: Option<&str>, #[case] filter: &str, #[case] allowed: bool) {
        assert_eq!(may_subscribe(user, filter), allowed);
    }

    #[rstest]
    #[case::own_death(AGENT, "lobby/v1/s-1/a-1/death", true)]
    #[case::own_data(AGENT, "lobby/v1/s-1/a-1/data", false)]
    #[case::other_death(AGENT, "lobby/v1/s-1/a-2/death", false)]
    #[case::nobodys_death(NOBODY, "lobby/v1/s-1/a-1/death", true)]
    #[case::bad_name(NOBODY, "lobby/v1/S/a-1/death", false)]
    #[case::hub(NOBODY, HUB_TOPIC, false)]
    fn leaving_a_will(#[case] user: Option<&str>, #[case] topic: &str, #[case] allowed: bool) {
        assert_eq!(may_leave(user, topic), allowed);
    }

    proptest! {
        #[test]
        fn an_agent_reaches_no_topic_but_its_own(topic in "(\\$share/[a-z]/)?lobby/v1/[a-s/+#1-]{0,16}(/(ack|data|death|command))?") {
            let own = topic.trim_start_matches("$share/").split_once("lobby/v1/").is_some_and(|(_, rest)| rest.starts_with("s-1/a-1/"));
            if may_publish(AGENT, &topic).is_ok() || may_leave(AGENT, &topic) || may_subscribe(AGENT, &topic) {
                prop_assert!(own || topic.ends_with(HUB_TOPIC));
            }
        }
    }
}
