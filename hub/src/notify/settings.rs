//! What the configuration says of channels: `[channel.NAME]`.

mod file;

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use hyper::Uri;
use lobby_contract::SiteId;
use lobby_domain::{
    label::Lang,
    notice::{Chat, Grouping, Rate},
    time::Span,
};
use serde::Deserialize;

pub use self::file::ChannelFile;
use self::file::Kind;
pub(crate) use self::file::channel;
use super::{address::Net, secret::Kept};
use crate::store::Route;

/// Everything about telling people.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// The channels, by name.
    pub channels: BTreeMap<ChannelName, Arc<Channel>>,
    /// Where people reach the pages, without a slash at its end.
    pub public_url: Option<String>,
}

impl Settings {
    /// The chats in whose groups people can be mentioned.
    pub fn chats(&self) -> Vec<Chat> {
        let has = |chat: &Chat| self.channels.values().any(|channel| channel.target.chat() == Some(*chat));
        Chat::ALL.into_iter().filter(has).collect()
    }

    /// Where notifications of posts go.
    pub fn routes(&self) -> Vec<Route> {
        let route = |channel: &Arc<Channel>| Route {
            channel: channel.name.to_string(),
            posts: channel.posts.clone(),
            sites: channel.sites.clone(),
        };
        self.channels.values().map(route).collect()
    }
}

/// A channel's name: `[a-z0-9][a-z0-9-]{0,63}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ChannelName(Box<str>);

impl TryFrom<String> for ChannelName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // The alphabet of all names.
        match text.parse::<SiteId>() {
            Ok(_) => Ok(Self(text.into())),
            Err(error) => Err(format!("the name of a channel: {error}")),
        }
    }
}

impl ChannelName {
    /// That of somebody's own channel, which no channel of a configuration can have.
    pub(super) fn of_person(name: String) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A channel, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// Its name.
    pub name: ChannelName,
    /// What it writes to.
    pub target: Target,
    /// Whether people are told themselves through it.
    pub personal: bool,
    /// Of somebody's own: through which channel of the configuration they are told.
    pub through: Option<ChannelName>,
    /// The posts whose notifications go there.
    pub posts: Vec<Box<str>>,
    /// Of these sites only; of all if none is named.
    pub sites: Vec<SiteId>,
    /// The language of its messages.
    pub lang: Lang,
    /// What each message begins with, for robots that want a keyword.
    pub keyword: String,
    /// When groups are told.
    pub grouping: Grouping,
    /// How many messages it takes.
    pub rate: Rate,
    /// How long connecting, and then the exchange, may take.
    pub timeout: Duration,
    /// The first pause after a failure.
    pub retry: Span,
    /// The pause after the receiver asked for fewer messages and did not say for how long.
    pub pause: Span,
    /// After which a message is given up.
    pub give_up: Span,
    /// Addresses that may be written to though they are not public.
    pub allow: Vec<Net>,
    /// Authorities to trust beside none other (PEM); the system's if not given.
    pub ca_file: Option<PathBuf>,
}

/// What a channel writes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A group robot of `WeCom`.
    Wecom {
        /// Its address with its key.
        url: Kept,
    },
    /// A group robot of `DingTalk`.
    Dingtalk {
        /// Its address with its token.
        url: Kept,
        /// What requests are signed with.
        secret: Option<Kept>,
    },
    /// A group robot of Feishu or Lark.
    Feishu {
        /// Its address.
        url: Kept,
        /// What requests are signed with.
        secret: Option<Kept>,
    },
    /// A topic of an ntfy server.
    Ntfy {
        /// The server.
        url: Kept,
        /// The topic.
        topic: String,
        /// An access token.
        secret: Option<Kept>,
    },
    /// Any receiver of Standard Webhooks.
    Webhook {
        /// Its address.
        url: Kept,
        /// What requests are signed with: `whsec_…`, or several while they change, with spaces between.
        secret: Option<Kept>,
    },
    /// E-mail.
    Smtp(Mail),
}

/// How e-mail is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is encrypted.
    pub tls: MailTls,
    /// The user, if the server asks for one.
    pub user: Option<String>,
    /// The user's password.
    pub secret: Option<Kept>,
    /// The sender.
    pub from: lettre::message::Mailbox,
    /// The receivers.
    pub to: Vec<lettre::message::Mailbox>,
}

/// How the way to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// By STARTTLS, without which nothing is sent.
    Starttls,
    /// From the beginning.
    Implicit,
    /// Not at all.
    None,
}

impl Target {
    /// The kind's name.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Wecom { .. } => Kind::Wecom.name(),
            Self::Dingtalk { .. } => Kind::Dingtalk.name(),
            Self::Feishu { .. } => Kind::Feishu.name(),
            Self::Ntfy { .. } => Kind::Ntfy.name(),
            Self::Webhook { .. } => Kind::Webhook.name(),
            Self::Smtp(_) => Kind::Smtp.name(),
        }
    }

    /// The chat in whose group it is, if its robot can mention people.
    pub const fn chat(&self) -> Option<Chat> {
        match self {
            Self::Wecom { .. } => Some(Chat::Wecom),
            Self::Dingtalk { .. } => Some(Chat::Dingtalk),
            Self::Feishu { .. } => Some(Chat::Feishu),
            Self::Ntfy { .. } | Self::Webhook { .. } | Self::Smtp(_) => None,
        }
    }

    /// Its secrets, as they are now.
    fn secrets(&self) -> Vec<String> {
        let (url, secret) = match self {
            Self::Wecom { url } => (Some(url), None),
            Self::Dingtalk { url, secret }
            | Self::Feishu { url, secret }
            | Self::Ntfy { url, secret, .. }
            | Self::Webhook { url, secret } => (Some(url), secret.as_ref()),
            Self::Smtp(mail) => (None, mail.secret.as_ref()),
        };
        let mut secrets = Vec::new();
        if let Some(url) = url.and_then(|url| url.read().ok()) {
            // Robots say back what they were asked, in parts.
            let parts = url.split(['/', '?', '&', '=', ' ']).filter(|part| part.len() >= 8).map(str::to_owned);
            secrets.extend(parts.filter(|part| !part.contains('.')));
            secrets.push(url);
        }
        if let Some(secret) = secret.and_then(|secret| secret.read().ok()) {
            secrets.extend(secret.split_whitespace().map(str::to_owned));
            secrets.push(secret);
        }
        secrets.retain(|secret| secret.len() >= 4);
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets
    }
}

impl Channel {
    /// A text without any secret of this channel that it may hold.
    pub fn redacted(&self, text: &str) -> String {
        let text =
            self.target.secrets().iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "…"));
        self.without_address(text)
    }
}

/// The scheme, host and path of an address, or what is wrong with it.
pub(super) fn uri(text: &str) -> Result<Uri, &'static str> {
    let uri: Uri = text.parse().map_err(|_| "is no URL")?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("must start with `https://` or `http://`");
    }
    match uri.authority() {
        Some(authority) if !authority.host().is_empty() && !authority.as_str().contains('@') => Ok(uri),
        _ => Err("must name a host and no user"),
    }
}

#[cfg(test)]
mod tests;
