//! What is told of the hub's silences: of each one message, and one at its end. All of it is on disk before it is told, so that a
//! restart repeats nothing. What others have told is kept too, so that its end is told when they cannot do it any more.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use jiff::Timestamp;
use lobby_contract::{AgentId, SiteId};
use serde::{Deserialize, Serialize};

/// Most ends that wait to be told; beyond it the oldest is forgotten.
const MOST_ENDS: usize = 8;
/// Most silences told by others that are remembered, and most ends that are known to have been told.
const MOST_NOTICES: usize = 8;

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

/// A silence that somebody was told of, by which its messages are known everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Notice {
    /// The agent that told.
    pub(super) by: AgentId,
    /// When that agent found the silence, in ms since 1970 UTC by its own clock.
    pub(super) since: i64,
}

impl Notice {
    /// Whether it can be true at all.
    fn is_sane(&self) -> bool {
        self.since >= 0 && Timestamp::from_millisecond(self.since).is_ok()
    }
}

/// A silence that another agent has told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Heard {
    notice: Notice,
    /// When this agent heard the hub again; until then the silence lasts.
    until: Option<i64>,
}

/// What must outlive the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outages {
    /// The silence that lasts.
    pub(super) current: Option<Outage>,
    /// Ends that are still to be told, the oldest first.
    #[serde(default)]
    pub(super) ends: Vec<End>,
    /// What others have told, and whose end nobody is known to have told.
    #[serde(default)]
    heard: Vec<Heard>,
    /// Ends that have been told, by whomever, the newest last.
    #[serde(default)]
    ended: Vec<Notice>,
}

/// What is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Message {
    /// The silence.
    #[serde(skip)]
    pub(super) notice: Notice,
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

impl Message {
    /// What `agent` says of a silence, which it or another has told. The id does not depend on who says it.
    fn new(site: &SiteId, agent: &AgentId, notice: Notice, until: Option<i64>, queued: u64) -> Self {
        let Notice { by, since } = &notice;
        let (event, end) = if until.is_some() { ("hub_back", ".end") } else { ("hub_silent", "") };
        let id = format!("{site}.{by}.{since}{end}");
        Self { id, event, site: site.clone(), agent: agent.clone(), since: *since, until, queued, notice }
    }
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

    /// The hub is heard again, and so the silences that others have told are over too. Returns whether that is news.
    pub(super) fn end_heard(&mut self, now: i64) -> bool {
        let lasting = self.heard.iter_mut().filter(|heard| heard.until.is_none());
        lasting.map(|heard| heard.until = Some(now.max(heard.notice.since))).count() > 0
    }

    /// Whether another agent has told a silence that lasts, as far as is known.
    pub(super) fn others_have_told(&self) -> bool {
        self.heard.iter().any(|heard| heard.until.is_none())
    }

    /// Another agent says what was told. The first ones are kept, so that nobody can push them out. Returns whether that is news.
    pub(super) fn hear(&mut self, notice: &Notice, own: &AgentId) -> bool {
        let known = self.has_ended(notice) || self.heard.iter().any(|heard| heard.notice == *notice);
        if known || notice.by == *own || !notice.is_sane() || self.heard.len() >= MOST_NOTICES {
            return false;
        }
        self.heard.push(Heard { notice: notice.clone(), until: None });
        true
    }

    /// Another agent says that the end of `notice` was told: then nobody else tells it. What nobody here waits for is not remembered.
    /// Returns whether that is news.
    pub(super) fn hear_end(&mut self, notice: &Notice, own: &AgentId) -> bool {
        let before = (self.heard.len(), self.ends.len());
        self.heard.retain(|heard| heard.notice != *notice);
        let mut is_news = false;
        if notice.by == *own {
            self.ends.retain(|end| end.since != notice.since);
            let current = self.current.as_mut().filter(|outage| outage.since == notice.since);
            is_news = current.is_some_and(|outage| std::mem::replace(&mut outage.told, Told::Other) != Told::Other);
        }
        is_news |= before != (self.heard.len(), self.ends.len());
        if is_news {
            self.note_end(notice.clone());
        }
        is_news
    }

    /// The end of `notice` has been told.
    pub(super) fn end_told(&mut self, notice: &Notice, own: &AgentId) {
        self.heard.retain(|heard| heard.notice != *notice);
        if notice.by == *own {
            self.ends.retain(|end| end.since != notice.since);
        }
        self.note_end(notice.clone());
    }

    fn note_end(&mut self, notice: Notice) {
        self.ended.retain(|known| *known != notice);
        self.ended.push(notice);
        self.ended.drain(..self.ended.len().saturating_sub(MOST_NOTICES));
    }

    /// Whether the end of `notice` is known to have been told.
    pub(super) fn has_ended(&self, notice: &Notice) -> bool {
        self.ended.contains(notice)
    }

    /// The last end that is known to have been told.
    pub(super) fn last_ended(&self) -> Option<&Notice> {
        self.ended.last()
    }

    /// Forgets what others have told.
    pub(super) fn forget_heard(&mut self) {
        self.heard.clear();
    }

    /// What this agent answers for: the silence that it told and whose end it has not told; and then what others told and is not
    /// known to be over, each in its `turn`.
    pub(super) fn open(&self, own: &AgentId, turn: usize) -> Option<Notice> {
        let told = self.current.as_ref().filter(|outage| outage.told == Told::Yes).map(|outage| outage.since);
        if let Some(since) = self.ends.first().map(|end| end.since).or(told) {
            return Some(Notice { by: own.clone(), since });
        }
        let lasting: Vec<&Heard> = self.heard.iter().filter(|heard| heard.until.is_none()).collect();
        lasting.get(turn.checked_rem(lasting.len())?).map(|heard| heard.notice.clone())
    }

    /// The end of a silence that another agent told and does not answer for any more.
    pub(super) fn inherited_end(
        &self,
        site: &SiteId,
        agent: &AgentId,
        is_held: impl Fn(&Notice) -> bool,
    ) -> Option<Message> {
        let due = self.heard.iter().find(|heard| heard.until.is_some() && !is_held(&heard.notice))?;
        Some(Message::new(site, agent, due.notice.clone(), due.until, 0))
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
        Some(Message::new(site, agent, Notice { by: agent.clone(), since }, Some(until), 0))
    }

    /// The message about the silence that lasts, if nobody has told it for sure.
    pub(super) fn beginning(&self, site: &SiteId, agent: &AgentId, queued: u64) -> Option<Message> {
        let outage = self.current.as_ref().filter(|outage| matches!(outage.told, Told::No | Told::Maybe))?;
        Some(Message::new(site, agent, Notice { by: agent.clone(), since: outage.since }, None, queued))
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

    fn notice(by: &str, since: i64) -> Notice {
        Notice { by: by.parse().unwrap(), since }
    }

    /// The end that nobody answers for, if there is one.
    fn left_behind(outages: &Outages) -> Option<String> {
        let (site, agent) = names();
        outages.inherited_end(&site, &agent, |_| false).map(|message| message.id)
    }

    #[test]
    fn the_end_of_what_another_told_is_told_with_its_id_once_it_answers_for_it_no_more() {
        let ((site, own), told) = (names(), notice("abox", 5));
        let mut outages = Outages::default();
        assert!(outages.hear(&told, &own) && !outages.hear(&told, &own));
        assert!(outages.others_have_told() && outages.open(&own, 0) == Some(told.clone()));
        assert_eq!(left_behind(&outages), None, "it lasts");
        assert!(outages.end_heard(9) && !outages.end_heard(10) && !outages.others_have_told());
        assert_eq!(outages.open(&own, 0), None, "what is over is not passed on as lasting");
        assert_eq!(outages.inherited_end(&site, &own, |held| *held == told), None, "its teller is there");
        let end = outages.inherited_end(&site, &own, |_| false).unwrap();
        let said = (&*end.id, end.event, &end.agent, end.since, end.until);
        assert_eq!(said, ("demo.abox.5.end", "hub_back", &own, 5, Some(9)));
        outages.end_told(&end.notice, &own);
        assert_eq!((left_behind(&outages), outages.last_ended()), (None, Some(&told)));
        assert!(!outages.hear(&told, &own), "it is over for good");
    }

    #[rstest]
    #[case::the_hub_is_not_heard_yet(false)]
    #[case::the_end_waits_to_be_told(true)]
    fn a_teller_that_learns_that_its_end_was_told_does_not_tell_it(#[case] heard: bool) {
        let (site, own) = names();
        let mut outages = Outages::default();
        outages.begin(5);
        outages.set_told(Told::Yes);
        if heard {
            outages.end(8);
        }
        assert_eq!(outages.open(&own, 7), Some(notice("box", 5)));
        assert!(!outages.hear_end(&notice("box", 4), &own), "that is another one");
        assert!(outages.hear_end(&notice("box", 5), &own) && !outages.hear_end(&notice("box", 5), &own));
        outages.end(9);
        assert_eq!((outages.next_end(&site, &own), outages.open(&own, 7)), (None, None));
    }

    #[test]
    fn what_is_made_up_costs_bounded_memory_and_pushes_nothing_out() {
        let (_, own) = names();
        let mut outages = Outages::default();
        let real = notice("abox", 5);
        outages.hear(&real, &own);
        for since in [-1, i64::MIN, i64::MAX] {
            assert!(!outages.hear(&notice("abox", since), &own), "{since} is no time");
        }
        assert!(!outages.hear(&notice("box", 7), &own), "what it told itself it knows better");
        for since in 0..1000 {
            outages.hear(&notice("liar", since), &own);
            assert!(!outages.hear_end(&notice("liar", 5000 + since), &own), "nobody waits for it");
        }
        assert_eq!((outages.heard.len(), outages.ended.len()), (MOST_NOTICES, 0));
        outages.end_heard(9);
        assert_eq!(left_behind(&outages).as_deref(), Some("demo.abox.5.end"));
        for since in 0..1000 {
            outages.end_told(&notice("abox", since), &own);
        }
        assert_eq!(outages.ended.len(), MOST_NOTICES);
    }

    #[test]
    fn what_others_told_outlives_the_process_and_a_file_of_an_earlier_version_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let (path, (_, own)) = (dir.path().join("watchdog.json"), names());
        let mut outages = Outages::default();
        outages.hear(&notice("abox", 5), &own);
        outages.hear(&notice("cbox", 6), &own);
        outages.end_heard(8);
        outages.end_told(&notice("cbox", 6), &own);
        outages.save(&path).unwrap();
        let again = Outages::load(&path).unwrap();
        assert_eq!(again, outages);
        assert_eq!(left_behind(&again).as_deref(), Some("demo.abox.5.end"));
        fs::write(&path, r#"{"current":{"since":5,"told":"yes"},"ends":[{"since":1,"until":2}]}"#).unwrap();
        assert_eq!(Outages::load(&path).unwrap().ends.len(), 1);
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
