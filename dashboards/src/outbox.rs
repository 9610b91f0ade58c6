//! What is told to people outside these pages: the channels, and each notification with what became of it.

use askama::Template;

use crate::{
    chrome::{Choice, Chrome, page},
    state::{State, Verdict},
    texts::{Texts, fill},
    time::When,
};

/// How a channel stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelState {
    /// Nothing was sent yet.
    New,
    /// The last message was taken.
    Ok,
    /// The last message was not taken.
    Failing,
    /// Its receiver wants nothing for a while.
    Paused,
    /// Its receiver is gone.
    Disabled,
}

impl ChannelState {
    fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::New => t.channel_new,
            Self::Ok => t.channel_ok,
            Self::Failing => t.channel_failing,
            Self::Paused => t.channel_paused,
            Self::Disabled => t.channel_disabled,
        }
    }

    fn state(self) -> State {
        match self {
            Self::New => State::Unknown,
            Self::Ok => State::Normal,
            Self::Failing | Self::Disabled => State::Abnormal,
            Self::Paused => State::Maintenance,
        }
    }
}

/// One channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelCard {
    /// Its name.
    pub name: String,
    /// `wecom`, `dingtalk`, `feishu`, `ntfy`, `webhook` or `smtp`.
    pub kind: &'static str,
    /// The posts it serves, in words.
    pub posts: String,
    /// How it stands.
    pub state: ChannelState,
    /// How many notifications wait for it.
    pub waiting: i64,
    /// When something was last sent.
    pub answered: Option<When>,
    /// What its receiver said to it.
    pub answer: String,
}

/// How a notification stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It waits for its turn.
    Queued,
    /// It is being sent.
    Sending,
    /// It is sent again.
    Retry,
    /// It was taken.
    Sent,
    /// It was taken with others, because there were too many.
    Digested,
    /// It will not be taken.
    Dead,
    /// There was nothing to tell any more.
    Cancelled,
}

impl DeliveryState {
    /// Every state, in the order of the page's tabs.
    pub const ALL: [Self; 7] =
        [Self::Queued, Self::Sending, Self::Retry, Self::Sent, Self::Digested, Self::Dead, Self::Cancelled];

    /// The state of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Its name in addresses and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Retry => "retry",
            Self::Sent => "sent",
            Self::Digested => "digested",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Queued => t.delivery_queued,
            Self::Sending => t.delivery_sending,
            Self::Retry => t.delivery_retry,
            Self::Sent => t.delivery_sent,
            Self::Digested => t.delivery_digested,
            Self::Dead => t.delivery_dead,
            Self::Cancelled => t.delivery_cancelled,
        }
    }

    pub(crate) fn state(self) -> State {
        match self {
            Self::Sent | Self::Digested => State::Normal,
            Self::Dead | Self::Retry => State::Abnormal,
            Self::Queued | Self::Sending => State::Maintenance,
            Self::Cancelled => State::Unknown,
        }
    }
}

/// One notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryLine {
    /// How it stands.
    pub state: DeliveryState,
    /// What is told, in words.
    pub what: String,
    /// To which post.
    pub post: String,
    /// Through which channel.
    pub channel: String,
    /// Since when it is to be told.
    pub created: When,
    /// How often its message was sent.
    pub attempts: i64,
    /// When it is sent again.
    pub next: Option<When>,
    /// What its receiver said last, or why it waits or was cancelled; may be empty.
    pub note: String,
    /// The beginning of its message's id, which stands in the message too.
    pub reference: Option<String>,
    /// The id of its message, if that can be sent again.
    pub resend: Option<String>,
}

/// `/outbox`: was everybody told?
///
/// `POST /outbox/{channel}/test` sends a test message, `POST /outbox/messages/{id}/resend` one again that was not taken.
#[derive(Debug, Clone, Template)]
#[template(path = "outbox.html", blocks = ["main", "lamp"])]
pub struct OutboxPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The channels.
    pub channels: Vec<ChannelCard>,
    /// Which notifications are listed; all if none is chosen.
    pub filter: Option<DeliveryState>,
    /// The notifications of this part of the list, the newest first.
    pub deliveries: Vec<DeliveryLine>,
    /// Where the next part of the list is.
    pub next: Option<String>,
}

page!(OutboxPage);

impl OutboxPage {
    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let t = self.chrome.t();
        let troubled = self.channels.iter().filter(|channel| channel.state.state() == State::Abnormal).count();
        let waiting: i64 = self.channels.iter().map(|channel| channel.waiting).sum();
        match (self.channels.len(), troubled, waiting) {
            (0, ..) => Verdict::new(State::Unknown, t.outbox_no_channels),
            (_, 0, 0) => Verdict::new(State::Normal, t.outbox_all_told),
            (_, 0, waiting) => Verdict::new(State::Maintenance, fill(t.outbox_waiting, &waiting.to_string())),
            (_, troubled, _) => Verdict::new(State::Abnormal, fill(t.outbox_troubled, &troubled.to_string())),
        }
    }

    fn filters(&self) -> Vec<Choice> {
        let t = self.chrome.t();
        let path = self.chrome.to("/outbox");
        let join = if path.contains('?') { '&' } else { '?' };
        let all = Choice { label: t.filter_all.to_owned(), href: path.clone(), current: self.filter.is_none() };
        let one = |state: DeliveryState| Choice {
            label: state.word(t).to_owned(),
            href: format!("{path}{join}state={}", state.name()),
            current: self.filter == Some(state),
        };
        std::iter::once(all).chain(DeliveryState::ALL.map(one)).collect()
    }
}
