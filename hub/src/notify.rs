//! Telling people: from the outbox to chat robots, webhooks and mailboxes.
//!
//! A notification is delivered at least once to each channel that serves its post, and a repeat carries the same id. Whom to tell is
//! queued in the transaction of the alert; when and in how many messages is decided by `lobby_domain::notice`; what was sent and what
//! the receiver said is in [`crate::store`]; the sender goes from one to the other. One file for each kind of receiver makes its
//! requests and judges its answers.

mod address;
mod dingtalk;
mod drafting;
mod email;
mod feishu;
mod http;
mod letter;
mod month;
mod ntfy;
mod outcome;
mod personal;
mod secret;
mod sender;
mod settings;
mod sign;
mod webhook;
mod wecom;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lobby_domain::{
    notice::{Bucket, Grouping},
    time::{Span, Timestamp},
};
use tokio::{sync::watch, time::Instant};
use tracing::{info, warn};
use uuid::Uuid;

pub(crate) use self::settings::channel as check_channel;
use self::{
    letter::Letter,
    outcome::{Outcome, Result as Sent},
};
pub use self::{
    personal::AskError,
    secret::{Kept, SecretError},
    settings::{Channel, ChannelFile, ChannelName, Mail, MailTls, Settings, Target},
};
use crate::{
    audit::{Actor, Change},
    clock::Clock,
    findings::Findings,
    fleet::Fleet,
    progress::Progress,
    restraints::Restraints,
    store::{Attempted, Store, StoreError, Then, Tx},
};

/// What is needed to tell people, and to ask how that goes. Shared by the sender and whoever shows it.
pub struct Notify {
    /// The database.
    pub store: Store,
    /// The names of things.
    pub fleet: Arc<Fleet>,
    /// What keeps alerts quiet.
    pub restraints: Arc<Restraints>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where its troubles are told.
    pub findings: Arc<Findings>,
    /// Whether it gets on.
    pub progress: Arc<Progress>,
    /// The channels; they may change at any time.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// What happened since the start.
    pub watched: Watched,
}

/// What happened since the start of the process.
#[derive(Debug, Default)]
pub struct Watched(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Attempts by channel and outcome.
    attempts: BTreeMap<(String, &'static str), u64>,
    /// Since when each channel has taken nothing, and what its receiver said.
    failing: BTreeMap<String, (Timestamp, String)>,
    /// What died since this was last asked.
    died: Vec<(String, String)>,
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn saw(&self, channel: &str, sent: &Sent, now: Timestamp) {
        let mut state = self.lock();
        *state.attempts.entry((channel.to_owned(), sent.outcome.as_str())).or_default() += 1;
        if sent.outcome == Outcome::Taken {
            state.failing.remove(channel);
        } else {
            let since = state.failing.get(channel).map_or(now, |(since, _)| *since);
            state.failing.insert(channel.to_owned(), (since, sent.answer.clone()));
        }
    }

    /// Attempts by channel and outcome.
    pub fn attempts(&self) -> Vec<(String, &'static str, u64)> {
        let state = self.lock();
        state.attempts.iter().map(|((channel, outcome), count)| (channel.clone(), *outcome, *count)).collect()
    }
}

/// What a receiver said to a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// The message's id.
    pub id: Uuid,
    /// Whether it was taken.
    pub taken: bool,
    /// What the receiver said.
    pub answer: String,
    /// How long it took.
    pub took: Span,
}

/// Why no test was sent.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// There is no such channel.
    #[error("there is no channel of that name")]
    NotFound,
    /// The receiver takes no more messages just now.
    #[error("the channel has sent as much as its receiver takes: try again in {0}")]
    TooSoon(Span),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Notify {
    /// The channels as they are configured now.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.borrow())
    }

    /// Sends a message that says nothing but that messages arrive. One that is taken opens a channel again that was given up.
    pub async fn test(&self, name: &str, actor: &Actor) -> Result<Tested, TestError> {
        let settings = self.settings();
        let channel = settings.channels.get(name).ok_or(TestError::NotFound)?;
        let now = self.clock.now();
        let next = self.bucket(&mut self.store.read().await?, channel, now).await?.next(true, now);
        if next > now {
            return Err(TestError::TooSoon(next.since(now)));
        }
        let id = new_id();
        self.store.begin_test(id, name, Some(&Change::new(actor, now, "channel.test", name)), now).await?;
        let letter = letter::test(channel, settings.public_url.as_deref(), id, now);
        let (sent, took) = self.send(channel, &letter).await;
        let then = match sent.outcome {
            Outcome::Taken => Then::Sent,
            Outcome::Gone => Then::Gone,
            Outcome::Later(_) | Outcome::Throttled(_) | Outcome::Refused => Then::Dead,
        };
        let now = self.clock.now();
        let attempted = Attempted {
            message: id,
            nth: 1,
            channel: name,
            took,
            outcome: sent.outcome.as_str(),
            answer: &sent.answer,
            heard: sent.heard,
            then,
            paused_until: pause(channel, sent.outcome).map(|pause| now + pause),
            instead: None,
        };
        self.store.end_test(&attempted, now).await?;
        let taken = sent.outcome == Outcome::Taken;
        info!(channel = name, taken, "a test message was sent");
        Ok(Tested { id, taken, answer: sent.answer, took })
    }

    async fn bucket(&self, tx: &mut Tx, channel: &Channel, now: Timestamp) -> Result<Bucket, StoreError> {
        let spent = tx.spent(channel.counts_for(), now - Bucket::reach(channel.rate)).await?;
        Ok(Bucket::new(channel.rate, spent, now))
    }

    /// Makes one attempt. Returns what came of it, without any secret, and how long it took.
    async fn send(&self, channel: &Channel, letter: &Letter) -> (Sent, Span) {
        let begun = Instant::now();
        let now = self.clock.now();
        let sent = match self.exchange(channel, letter, now).await {
            Ok(sent) => sent,
            // What the configuration names is not there: it was when it was checked, and may be again.
            Err(error) => Sent::new(Outcome::Later(None), &format!("{:#}", anyhow::Error::from(error))),
        };
        let sent = Sent { answer: channel.redacted(&sent.answer), ..sent };
        // That one person's address is wrong is no trouble of the channel.
        if channel.through.is_none() || matches!(sent.outcome, Outcome::Taken | Outcome::Later(_)) {
            self.watched.saw(channel.counts_for(), &sent, now);
        }
        let took = Span::from_millis(i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX));
        let (name, id) = (channel.name.as_str(), letter.id.as_str());
        match sent.outcome {
            Outcome::Taken => info!(channel = name, message.id = id, took_ms = took.millis(), "a message was taken"),
            outcome => {
                warn!(channel = name, message.id = id, outcome = outcome.as_str(), answer = sent.answer, "not taken");
            }
        }
        (sent, took)
    }

    /// By what the group of a channel knows the person whom a message mentions. Looked up for each attempt: who has left is not rung up.
    async fn mentioned(&self, channel: &Channel, letter: &Letter) -> Option<String> {
        let (person, chat) = (letter.mention.as_deref()?, channel.target.chat()?);
        match self.store.mention_of(person, chat).await {
            Ok(id) => id,
            // That the message comes counts for more than whose phone rings.
            Err(cause) => {
                let cause = format!("{:#}", anyhow::Error::from(cause));
                warn!(cause, message.id = letter.id, "could not look up whom a message mentions");
                None
            }
        }
    }

    async fn exchange(&self, channel: &Channel, letter: &Letter, now: Timestamp) -> Result<Sent, SecretError> {
        let keyword = channel.keyword.as_str();
        let mention = self.mentioned(channel, letter).await;
        let mention = mention.as_deref();
        let secret = |secret: &Option<Kept>| secret.as_ref().map(Kept::read).transpose();
        let place = |url: &Kept| url.read().map(|url| settings::uri(&url));
        let (post, judge): (_, fn(&http::Reply) -> Sent) = match &channel.target {
            Target::Smtp(mail) => return Ok(email::send(channel, mail, letter, now).await),
            Target::Wecom { url } => (place(url)?.map(|uri| wecom::post(uri, letter, keyword, mention)), wecom::judge),
            Target::Dingtalk { url, secret: key } => {
                let (url, key) = (url.read()?, secret(key)?);
                let post = dingtalk::post(&url, key.as_deref(), letter, (keyword, mention), now);
                (post.ok_or("is no URL"), dingtalk::judge)
            }
            Target::Feishu { url, secret: key } => {
                let key = secret(key)?;
                let post = place(url)?.map(|uri| feishu::post(uri, key.as_deref(), letter, (keyword, mention), now));
                (post, feishu::judge)
            }
            Target::Ntfy { url, topic, secret: key } => {
                let key = secret(key)?;
                (place(url)?.map(|uri| ntfy::post(uri, topic, key.as_deref(), letter, keyword)), ntfy::judge)
            }
            Target::Webhook { url, secret: key } => {
                let key = secret(key)?;
                let post = place(url)?.map(|uri| webhook::post(uri, key.as_deref(), letter, keyword, now));
                (post, webhook::judge)
            }
        };
        let post = match post {
            Ok(post) => post,
            Err(wrong) => return Ok(Sent::new(Outcome::Refused, &format!("the address {wrong}"))),
        };
        Ok(match http::send(channel, &post, &letter.id).await {
            Ok(reply) => judge(&reply),
            Err(error) => error.into(),
        })
    }
}

/// For how long a channel is left alone after an attempt.
fn pause(channel: &Channel, outcome: Outcome) -> Option<Span> {
    match outcome {
        Outcome::Throttled(asked) => Some(asked.unwrap_or(channel.pause)),
        // The receiver says when it will be there again.
        Outcome::Later(asked) => asked,
        Outcome::Taken | Outcome::Refused | Outcome::Gone => None,
    }
}

fn random() -> [u8; 16] {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the operating system has random numbers");
    random
}

fn new_id() -> Uuid {
    uuid::Builder::from_random_bytes(random()).into_uuid()
}
