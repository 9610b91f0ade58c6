//! What is told of the hub's silences: of each one message, and one at its end. All of it is on disk before it is told, so that a
//! restart repeats nothing.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use lobby_contract::{AgentId, SiteId};
use serde::{Deserialize, Serialize};

/// Most ends that wait to be told; beyond it the oldest is forgotten.
const MOST_ENDS: usize = 8;

/// What the webhook has been told of a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Told {
    /// Nothing.
    No,
    /// A message left, and it is not known whether it arrived: it is sent again with the same id.
    Maybe,
    /// It has taken the message.
    Yes,
    /// Another agent of the site has told it.
    Other,
}

/// A silence of the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outage {
    /// When it was found, in ms since 1970 UTC.
    pub(super) since: i64,
    pub(super) told: Told,
}

/// The end of a silence that somebody was told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) since: i64,
    pub(super) until: i64,
}

/// What must outlive the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outages {
    /// The silence that lasts.
    pub(super) current: Option<Outage>,
    /// Ends that are still to be told, the oldest first.
    #[serde(default)]
    pub(super) ends: Vec<End>,
}

/// What is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Message {
    /// The same however often it is sent.
    pub(super) id: String,
    /// `hub_silent` or `hub_back`.
    pub(super) event: &'static str,
    pub(super) site: SiteId,
    pub(super) agent: AgentId,
    /// When the silence was found, in ms since 1970 UTC.
    pub(super) since: i64,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<i64>,
    /// How many records wait for the hub.
    pub(super) queued: u64,
}

impl Outages {
    /// As it was saved; nothing if there is no such file, or if it cannot be read.
    pub(super) fn load(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Replaces `path` at once: after a crash it holds the old state or the new one.
    pub(super) fn save(&self, path: &Path) -> io::Result<()> {
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&new, path)
    }

    /// The hub has been found silent. Returns whether that is news.
    pub(super) fn begin(&mut self, now: i64) -> bool {
        let is_new = self.current.is_none();
        self.current.get_or_insert(Outage { since: now, told: Told::No });
        is_new
    }

    /// The hub is heard again. Its return is told where its silence was, or may have been. Returns whether that is news.
    pub(super) fn end(&mut self, now: i64) -> bool {
        let Some(outage) = self.current.take() else { return false };
        if matches!(outage.told, Told::Yes | Told::Maybe) {
            self.ends.push(End { since: outage.since, until: now });
            self.ends.drain(..self.ends.len().saturating_sub(MOST_ENDS));
        }
        true
    }

    /// What the silence that lasts has been told as, if it lasts.
    pub(super) fn told(&self) -> Option<Told> {
        self.current.as_ref().map(|outage| outage.told)
    }

    /// Notes what has been told. Returns whether that is news.
    pub(super) fn set_told(&mut self, told: Told) -> bool {
        self.current.as_mut().is_some_and(|outage| std::mem::replace(&mut outage.told, told) != told)
    }

    /// The next end to be told.
    pub(super) fn next_end(&self, site: &SiteId, agent: &AgentId) -> Option<Message> {
        let End { since, until } = self.ends.first()?.clone();
        Some(Message {
            id: format!("{site}.{agent}.{since}.end"),
            event: "hub_back",
            site: site.clone(),
            agent: agent.clone(),
            since,
            until: Some(until),
            queued: 0,
        })
    }

    /// The message about the silence that lasts, if nobody has told it for sure.
    pub(super) fn beginning(&self, site: &SiteId, agent: &AgentId, queued: u64) -> Option<Message> {
        let outage = self.current.as_ref().filter(|outage| matches!(outage.told, Told::No | Told::Maybe))?;
        let since = outage.since;
        Some(Message {
            id: format!("{site}.{agent}.{since}"),
            event: "hub_silent",
            site: site.clone(),
            agent: agent.clone(),
            since,
            until: None,
            queued,
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn names() -> (SiteId, AgentId) {
        ("demo".parse().unwrap(), "box".parse().unwrap())
    }

    #[rstest]
    #[case::told(Told::Yes, true)]
    #[case::perhaps_told(Told::Maybe, true)]
    #[case::never_told(Told::No, false)]
    #[case::told_by_another(Told::Other, false)]
    fn an_end_is_told_by_whoever_told_the_beginning(#[case] told: Told, #[case] expected: bool) {
        let (site, agent) = names();
        let mut outages = Outages::default();
        assert!(outages.begin(5) && !outages.begin(6));
        outages.set_told(told);
        assert!(outages.end(9) && !outages.end(10));
        let end = outages.next_end(&site, &agent);
        assert_eq!(end.map(|message| message.id), expected.then(|| "demo.box.5.end".to_owned()));
    }

    #[test]
    fn a_message_that_may_have_arrived_is_sent_again_as_the_same_and_one_that_has_is_not() {
        let (site, agent) = names();
        let mut outages = Outages::default();
        outages.begin(5);
        let first = outages.beginning(&site, &agent, 3).unwrap();
        outages.set_told(Told::Maybe);
        assert_eq!(outages.beginning(&site, &agent, 9).unwrap().id, first.id);
        outages.set_told(Told::Yes);
        assert_eq!(outages.beginning(&site, &agent, 9), None);
    }

    #[test]
    fn what_was_saved_is_read_back_and_what_cannot_be_read_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("watchdog.json");
        assert_eq!(Outages::load(&path).unwrap(), Outages::default());
        let mut outages = Outages::default();
        for since in 0..20 {
            outages.begin(since);
            outages.set_told(Told::Yes);
            outages.end(since + 1);
        }
        outages.begin(30);
        assert_eq!(outages.ends.len(), MOST_ENDS);
        outages.save(&path).unwrap();
        assert_eq!(Outages::load(&path).unwrap(), outages);
        fs::write(&path, "{").unwrap();
        assert!(Outages::load(&path).is_err());
    }
}
