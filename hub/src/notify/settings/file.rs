//! One channel as it stands in the file, and what may be wrong with it there: every mistake is said with its place.

use std::{collections::BTreeSet, fmt, path::PathBuf, time::Duration};

use lobby_contract::SiteId;
use lobby_domain::{
    label::Lang,
    notice::{Grouping, Rate},
    pack::Pack,
    time::Span,
};
use serde::Deserialize;
use toml::Spanned;

use super::{Channel, ChannelName, Mail, MailTls, Target, uri};
use crate::notify::{
    address::{Net, may_reach},
    http,
    secret::Kept,
    webhook,
};

/// The kinds of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Wecom,
    Dingtalk,
    Feishu,
    Ntfy,
    Webhook,
    Smtp,
}

/// One channel as it stands in the file.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelFile {
    kind: Kind,
    #[serde(default)]
    personal: bool,
    #[serde(default)]
    posts: Vec<Spanned<String>>,
    #[serde(default)]
    sites: Vec<SiteId>,
    lang: Option<Lang>,
    keyword: Option<Spanned<String>>,
    url: Option<Spanned<String>>,
    url_file: Option<Spanned<PathBuf>>,
    url_env: Option<Spanned<String>>,
    secret_file: Option<Spanned<PathBuf>>,
    secret_env: Option<Spanned<String>>,
    topic: Option<Spanned<String>>,
    host: Option<Spanned<String>>,
    port: Option<u16>,
    tls: Option<MailTls>,
    user: Option<Spanned<String>>,
    from: Option<Spanned<String>>,
    #[serde(default)]
    to: Vec<Spanned<String>>,
    #[serde(default)]
    allow: Vec<Spanned<String>>,
    ca_file: Option<Spanned<PathBuf>>,
    rate: Option<Spanned<String>>,
    timeout: Option<Spanned<Span>>,
    group_wait: Option<Spanned<Span>>,
    group_interval: Option<Spanned<Span>>,
    repeat: Option<Spanned<String>>,
    retry: Option<Spanned<Span>>,
    pause: Option<Spanned<Span>>,
    give_up: Option<Spanned<Span>>,
}

/// An address may hold a key.
impl fmt::Debug for ChannelFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelFile({:?})", self.kind)
    }
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Wecom => "wecom",
            Self::Dingtalk => "dingtalk",
            Self::Feishu => "feishu",
            Self::Ntfy => "ntfy",
            Self::Webhook => "webhook",
            Self::Smtp => "smtp",
        }
    }

    /// What receivers of this kind take, and for how long they want nothing after too much.
    const fn usual(self) -> (Rate, Span) {
        let minute = Span::from_mins(1);
        match self {
            Self::Wecom => (Rate { most: 20, per: minute }, minute),
            Self::Dingtalk => (Rate { most: 20, per: minute }, Span::from_mins(10)),
            Self::Ntfy => (Rate { most: 12, per: minute }, minute),
            Self::Feishu | Self::Webhook => (Rate { most: 60, per: minute }, minute),
            Self::Smtp => (Rate { most: 30, per: minute }, minute),
        }
    }
}

/// A place in a configuration file, for what is found wrong there.
pub(crate) type PlaceOf<'a> = &'a dyn Fn(usize) -> String;

/// Checks one channel; every mistake is added to `mistakes` with its place. Without a pack, posts are not compared with it.
pub(crate) fn channel(
    name: &ChannelName,
    file: Spanned<ChannelFile>,
    pack: Option<&Pack>,
    place: PlaceOf<'_>,
    mistakes: &mut Vec<String>,
) -> Option<Channel> {
    let before = mistakes.len();
    let header = file.span().start;
    let file = file.into_inner();
    let mut check = Check { name, place, header, mistakes };
    let (rate, pause) = file.kind.usual();
    let channel = Channel {
        name: name.clone(),
        target: check.target(&file)?,
        personal: file.personal,
        through: None,
        posts: check.posts(&file, pack),
        sites: file.sites.clone(),
        lang: file.lang.unwrap_or_default(),
        keyword: check.keyword(file.keyword.as_ref()),
        grouping: Grouping {
            wait: check.span("group_wait", file.group_wait.as_ref(), Span::from_secs(30), 0, 3_600_000),
            interval: check.span("group_interval", file.group_interval.as_ref(), Span::from_mins(5), 0, 86_400_000),
            repeat: check.repeat(file.repeat.as_ref()),
        },
        rate: file.rate.as_ref().map_or(rate, |text| {
            text.get_ref().parse().unwrap_or_else(|error| {
                check.wrong(Some(text.span().start), &format!("rate = {:?}: {error}", text.get_ref()));
                rate
            })
        }),
        timeout: {
            let span = check.span("timeout", file.timeout.as_ref(), Span::from_secs(15), 100, 60_000);
            Duration::from_millis(span.millis().unsigned_abs())
        },
        retry: check.span("retry", file.retry.as_ref(), Span::from_secs(5), 10, 60_000),
        pause: check.span("pause", file.pause.as_ref(), pause, 100, 86_400_000),
        give_up: check.span("give_up", file.give_up.as_ref(), Span::from_mins(24 * 60), 1000, 30 * 86_400_000),
        allow: check.allow(&file.allow),
        ca_file: file.ca_file.as_ref().map(|file| file.get_ref().clone()),
    };
    if let Some(file) = &file.ca_file
        && let Err(error) = http::roots(Some(file.get_ref()))
    {
        check.wrong(Some(file.span().start), &format!("ca_file: {error}"));
    }
    check.address(&channel, &file);
    (mistakes.len() == before).then_some(channel)
}

struct Check<'a> {
    name: &'a ChannelName,
    place: PlaceOf<'a>,
    header: usize,
    mistakes: &'a mut Vec<String>,
}

impl Check<'_> {
    fn wrong(&mut self, at: Option<usize>, what: &str) {
        let place = (self.place)(at.unwrap_or(self.header));
        self.mistakes.push(format!("{place}: [channel.{}] {what}", self.name));
    }

    fn target(&mut self, file: &ChannelFile) -> Option<Target> {
        self.foreign(file);
        let secret = self.secret(file);
        if file.kind == Kind::Smtp {
            return self.mail(file, secret).map(Target::Smtp);
        }
        let url = self.url(file)?;
        Some(match file.kind {
            Kind::Wecom => Target::Wecom { url },
            Kind::Dingtalk => Target::Dingtalk { url, secret },
            Kind::Feishu => Target::Feishu { url, secret },
            Kind::Ntfy => {
                let Some(topic) = file.topic.as_ref().filter(|topic| !topic.get_ref().is_empty()) else {
                    self.wrong(None, "kind = \"ntfy\" needs a `topic`");
                    return None;
                };
                Target::Ntfy { url, topic: topic.get_ref().clone(), secret }
            }
            Kind::Webhook | Kind::Smtp => {
                if let Some(Ok(text)) = secret.as_ref().map(Kept::read)
                    && let Err(wrong) = webhook::keys(&text)
                {
                    self.wrong(None, &format!("the secret {wrong}"));
                }
                Target::Webhook { url, secret }
            }
        })
    }

    /// Keys that this kind does not have.
    fn foreign(&mut self, file: &ChannelFile) {
        let mail = file.kind == Kind::Smtp;
        let given: [(&str, Option<usize>, bool); 8] = [
            ("url", file.url.as_ref().map(|value| value.span().start), !mail),
            ("url_file", file.url_file.as_ref().map(|value| value.span().start), !mail),
            ("url_env", file.url_env.as_ref().map(|value| value.span().start), !mail),
            ("host", file.host.as_ref().map(|value| value.span().start), mail),
            ("user", file.user.as_ref().map(|value| value.span().start), mail),
            ("from", file.from.as_ref().map(|value| value.span().start), mail),
            ("to", file.to.first().map(|value| value.span().start), mail),
            ("topic", file.topic.as_ref().map(|value| value.span().start), file.kind == Kind::Ntfy),
        ];
        for (key, at, fits) in given {
            if at.is_some() && !fits {
                self.wrong(at, &format!("`{key}` does not belong to kind = \"{}\"", file.kind.name()));
            }
        }
        if file.personal && !mail {
            self.wrong(None, "`personal = true` belongs to kind = \"smtp\": people are told themselves by e-mail");
        }
        if file.kind == Kind::Wecom && (file.secret_file.is_some() || file.secret_env.is_some()) {
            self.wrong(
                None,
                "kind = \"wecom\" has no secret: its key is part of the `url`, which `url_file` keeps apart",
            );
        }
    }

    fn kept(&mut self, what: &str, at: usize, kept: Kept) -> Option<Kept> {
        match kept.read() {
            Ok(_) => Some(kept),
            Err(error) => {
                self.wrong(Some(at), &format!("{what}: {:#}", anyhow::Error::from(error)));
                None
            }
        }
    }

    fn secret(&mut self, file: &ChannelFile) -> Option<Kept> {
        match (&file.secret_file, &file.secret_env) {
            (Some(_), Some(env)) => {
                self.wrong(Some(env.span().start), "give `secret_file` or `secret_env`, not both");
                None
            }
            (Some(path), None) => self.kept("secret_file", path.span().start, Kept::File(path.get_ref().clone())),
            (None, Some(env)) => self.kept("secret_env", env.span().start, Kept::Env(env.get_ref().clone())),
            (None, None) => None,
        }
    }

    fn url(&mut self, file: &ChannelFile) -> Option<Kept> {
        let (at, kept) = match (&file.url, &file.url_file, &file.url_env) {
            (Some(url), None, None) => (url.span().start, Kept::Here(url.get_ref().as_str().into())),
            (None, Some(path), None) => (path.span().start, Kept::File(path.get_ref().clone())),
            (None, None, Some(env)) => (env.span().start, Kept::Env(env.get_ref().clone())),
            (None, None, None) => {
                self.wrong(None, "it needs a `url`, or `url_file` or `url_env` that keeps it apart");
                return None;
            }
            _ => {
                self.wrong(None, "give one of `url`, `url_file` and `url_env`");
                return None;
            }
        };
        let kept = self.kept("the address", at, kept)?;
        // It may hold a key, so it is not repeated.
        if let Err(wrong) = uri(&kept.read().ok()?) {
            self.wrong(Some(at), &format!("the address {wrong}"));
            return None;
        }
        Some(kept)
    }

    fn mail(&mut self, file: &ChannelFile, secret: Option<Kept>) -> Option<Mail> {
        let host = file.host.as_ref().filter(|host| !host.get_ref().is_empty());
        // One that is for people alone needs no receivers of its own.
        let nobody = file.to.is_empty() && !(file.personal && file.posts.is_empty());
        let (Some(host), Some(from), false) = (host, &file.from, nobody) else {
            self.wrong(None, "kind = \"smtp\" needs `host`, `from` and `to = [\"…\"]`");
            return None;
        };
        let mut mailbox = |text: &Spanned<String>| {
            let parsed = text.get_ref().parse();
            if parsed.is_err() {
                self.wrong(Some(text.span().start), &format!("{:?} is no e-mail address", text.get_ref()));
            }
            parsed.ok()
        };
        let from = mailbox(from);
        let to: Vec<_> = file.to.iter().filter_map(mailbox).collect();
        let tls = file.tls.unwrap_or(MailTls::Starttls);
        if let (Some(user), None) = (&file.user, &secret) {
            self.wrong(Some(user.span().start), "`user` needs a password in `secret_file` or `secret_env`");
        }
        let port = file.port.unwrap_or(match tls {
            MailTls::Starttls => 587,
            MailTls::Implicit => 465,
            MailTls::None => 25,
        });
        let user = file.user.as_ref().map(|user| user.get_ref().clone());
        Some(Mail { host: host.get_ref().clone(), port, tls, user, secret, from: from?, to })
    }

    fn posts(&mut self, file: &ChannelFile, pack: Option<&Pack>) -> Vec<Box<str>> {
        let posts = &file.posts;
        if posts.is_empty() && !file.personal {
            self.wrong(None, "`posts` names nobody: say whose notifications go there, such as [\"engineering\"]");
        }
        let mut named = BTreeSet::new();
        for post in posts {
            if let Some(pack) = pack.filter(|pack| !pack.posts.contains_key(post.get_ref().as_str())) {
                let known = pack.posts.keys().map(|post| &**post).collect::<Vec<_>>().join(", ");
                self.wrong(Some(post.span().start), &format!("there is no post `{}`: use {known}", post.get_ref()));
            }
            named.insert(post.get_ref().as_str().into());
        }
        named.into_iter().collect()
    }

    fn keyword(&mut self, keyword: Option<&Spanned<String>>) -> String {
        let Some(keyword) = keyword else { return String::new() };
        if keyword.get_ref().len() > 60 || keyword.get_ref().contains(char::is_control) {
            self.wrong(Some(keyword.span().start), "a `keyword` has at most 60 bytes and one line");
        }
        keyword.get_ref().clone()
    }

    fn span(&mut self, key: &str, given: Option<&Spanned<Span>>, usual: Span, least: i64, most: i64) -> Span {
        let Some(given) = given else { return usual };
        let span = *given.get_ref();
        if !(least..=most).contains(&span.millis()) {
            let (least, most) = (Span::from_millis(least), Span::from_millis(most));
            self.wrong(Some(given.span().start), &format!("`{key}` is {span}, use {least} to {most}"));
        }
        span
    }

    fn repeat(&mut self, given: Option<&Spanned<String>>) -> Option<Span> {
        let Some(given) = given else { return Some(Span::from_mins(240)) };
        if given.get_ref() == "never" {
            return None;
        }
        match given.get_ref().parse::<Span>() {
            Ok(span) if (1000..=366 * 86_400_000).contains(&span.millis()) => Some(span),
            Ok(_) => {
                self.wrong(Some(given.span().start), "`repeat` is 1s to 366d, or \"never\"");
                None
            }
            Err(error) => {
                self.wrong(Some(given.span().start), &format!("repeat: {error}, or \"never\""));
                None
            }
        }
    }

    fn allow(&mut self, given: &[Spanned<String>]) -> Vec<Net> {
        let mut allowed = Vec::new();
        for text in given {
            match text.get_ref().parse() {
                Ok(net) => allowed.push(net),
                Err(wrong) => self.wrong(Some(text.span().start), &format!("allow {:?}: {wrong}", text.get_ref())),
            }
        }
        allowed
    }

    /// An address that is written as a number can be judged at once; names are judged by what they lead to.
    fn address(&mut self, channel: &Channel, file: &ChannelFile) {
        let at = file.url.as_ref().map(|url| url.span().start).or(file.host.as_ref().map(|host| host.span().start));
        let host = match &channel.target {
            Target::Smtp(mail) => Some(mail.host.clone()),
            Target::Wecom { url }
            | Target::Dingtalk { url, .. }
            | Target::Feishu { url, .. }
            | Target::Ntfy { url, .. }
            | Target::Webhook { url, .. } => {
                url.read().ok().and_then(|url| uri(&url).ok()).and_then(|uri| uri.host().map(str::to_owned))
            }
        };
        let Some(host) = host else { return };
        let number = host.trim_start_matches('[').trim_end_matches(']').parse();
        if let Ok(address) = number
            && let Err(wrong) = may_reach(&host, address, &channel.allow)
        {
            self.wrong(at, &format!("the address: {wrong}"));
        }
    }
}
