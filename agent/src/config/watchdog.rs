//! What is done when the hub is silent: whom to tell, when, and which agent of a site does it.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use hyper::Uri;
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Deserializer, de, de::value::MapAccessDeserializer};

use super::duration;
use crate::secret::{SecretError, SecretSource};

/// Shortest and longest silence that counts.
const SILENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(24));
/// Shortest and longest of the other times.
const TIMES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_hours(1));
/// The last place in the order of a site's agents.
const LAST: u32 = 100;

/// What the agent does when the hub is silent while records wait for it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watchdog {
    /// The agent's own webhook, which must not need the hub; without one only the agent's log and folder tell.
    pub url: Option<WebhookUrl>,
    /// In which form it is told.
    #[serde(default)]
    pub format: Format,
    /// Sent as `Authorization: Bearer`.
    pub token: Option<SecretSource>,
    /// Certificates (PEM) that are trusted beside none other; those of the system if not given.
    pub ca_file: Option<PathBuf>,
    /// Without the hub's word or acknowledgement for this long, it is silent.
    #[serde(default = "silence", deserialize_with = "duration")]
    pub hub_silence: Duration,
    /// When somebody is told that it is silent; always if not given. That it is back is told at any time.
    pub hours: Option<Hours>,
    /// The time zone of `hours`.
    pub zone: Option<Zone>,
    /// The agent's place among those of its site, from 0: a later one tells later.
    #[serde(default)]
    pub order: u32,
    /// How much later each place is.
    #[serde(default = "stagger", deserialize_with = "duration")]
    pub stagger: Duration,
    /// The first pause after the webhook refused or did not answer; it doubles up to ten minutes.
    #[serde(default = "retry", deserialize_with = "duration")]
    pub retry: Duration,
    /// Whether the agents of a site find one another on the local network; then the lowest name that is there tells.
    #[serde(default)]
    pub lan: bool,
    /// The multicast group and port on which they do.
    #[serde(default = "group")]
    pub lan_group: SocketAddrV4,
    /// The address of the network interface they use; the system chooses if not given.
    #[serde(default = "any_interface")]
    pub lan_interface: Ipv4Addr,
    /// How often each says that it is there.
    #[serde(default = "lan_every", deserialize_with = "duration")]
    pub lan_every: Duration,
}

impl Default for Watchdog {
    fn default() -> Self {
        Self {
            url: None,
            format: Format::default(),
            token: None,
            ca_file: None,
            hub_silence: silence(),
            hours: None,
            zone: None,
            order: 0,
            stagger: stagger(),
            retry: retry(),
            lan: false,
            lan_group: group(),
            lan_interface: any_interface(),
            lan_every: lan_every(),
        }
    }
}

fn silence() -> Duration {
    Duration::from_mins(10)
}

fn stagger() -> Duration {
    Duration::from_mins(1)
}

fn retry() -> Duration {
    Duration::from_secs(10)
}

fn group() -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(239, 255, 76, 66), 17_846)
}

fn any_interface() -> Ipv4Addr {
    Ipv4Addr::UNSPECIFIED
}

fn lan_every() -> Duration {
    Duration::from_secs(10)
}

/// In which form a webhook is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// An object of the product's own.
    #[default]
    Json,
    /// A group robot of `WeCom`.
    Wecom,
    /// A group robot of `DingTalk`.
    Dingtalk,
    /// A group robot of Feishu.
    Feishu,
}

/// A webhook's address. Those of chat robots hold a key, so it may be kept outside the file.
#[derive(Clone, PartialEq, Eq)]
pub enum WebhookUrl {
    /// In the file itself.
    Text(Box<str>),
    /// Elsewhere.
    Kept(SecretSource),
}

impl WebhookUrl {
    /// The address as it is now.
    pub fn read(&self) -> Result<Box<str>, SecretError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Kept(source) => source.read().map(|secret| secret.expose().into()),
        }
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookUrl(…)")
    }
}

/// What is wrong with a webhook's address, without showing it.
pub(crate) fn webhook_uri(text: &str) -> Result<Uri, &'static str> {
    let uri: Uri = text.parse().map_err(|_| "is not a URL")?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("must start with `https://` or `http://`");
    }
    match uri.authority() {
        Some(authority) if !authority.host().is_empty() && !authority.as_str().contains('@') => Ok(uri),
        _ => Err("must name a host and no user"),
    }
}

impl<'de> Deserialize<'de> for WebhookUrl {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = WebhookUrl;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL, or where it is kept: `{ file = … }` or `{ env = … }`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<WebhookUrl, E> {
                webhook_uri(text).map_err(|wrong| E::custom(format!("the webhook's address {wrong}")))?;
                Ok(WebhookUrl::Text(text.into()))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, access: A) -> Result<WebhookUrl, A::Error> {
                SecretSource::deserialize(MapAccessDeserializer::new(access)).map(WebhookUrl::Kept)
            }
        }
        from.deserialize_any(Visitor)
    }
}

/// A part of every day, such as `08:00-22:00`; one that ends before it begins goes over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// Minutes of the day.
    from: i16,
    /// Not included.
    to: i16,
}

impl Hours {
    /// Whether `now` (ms since 1970 UTC) is within it in `zone`.
    pub fn contain(self, zone: &TimeZone, now: i64) -> bool {
        let now = Timestamp::from_millisecond(now).unwrap_or_default().to_zoned(zone.clone());
        let minute = i16::from(now.hour()) * 60 + i16::from(now.minute());
        if self.from <= self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

impl FromStr for Hours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let minute = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            let (hour, minute) = (digits(hour) && digits(minute))
                .then(|| hour.parse::<i16>().ok().zip(minute.parse::<i16>().ok()))??;
            (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
        };
        let parts = text.split_once('-').and_then(|(from, to)| minute(from).zip(minute(to)));
        match parts {
            Some((from, to)) if from != to => Ok(Self { from, to }),
            _ => Err(format!("`{text}` are no hours such as \"08:00-22:00\"")),
        }
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// A time zone by its name, such as `Asia/Shanghai`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(pub TimeZone);

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        let unknown =
            |_| de::Error::custom(format!("there is no time zone `{name}`: use a name such as \"Asia/Shanghai\""));
        TimeZone::get(&name).map(Self).map_err(unknown)
    }
}

impl Watchdog {
    /// The zone in which its times are told.
    pub fn zone(&self) -> TimeZone {
        self.zone.as_ref().map_or(TimeZone::UTC, |zone| zone.0.clone())
    }

    /// Whether somebody may be told at `now` (ms since 1970 UTC) that the hub is silent.
    pub fn may_tell(&self, now: i64) -> bool {
        self.hours.is_none_or(|hours| hours.contain(&self.zone(), now))
    }

    /// Every mistake: at which key, and what to do.
    pub(super) fn mistakes(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let shown = |duration: &Duration| humantime::format_duration(*duration).to_string();
        let times = [
            ("hub_silence", self.hub_silence, SILENCE),
            ("stagger", self.stagger, TIMES),
            ("retry", self.retry, TIMES),
            ("lan_every", self.lan_every, TIMES),
        ];
        for (key, time, (least, most)) in times {
            if !(least..=most).contains(&time) {
                let bounds = format!("it must be from {} to {}", shown(&least), shown(&most));
                found.push((key, format!("`[watchdog] {key}` is {}, {bounds}", shown(&time))));
            }
        }
        if self.hours.is_some() && self.zone.is_none() {
            found.push(("hours", "`[watchdog] hours` needs a `zone`, such as \"Asia/Shanghai\"".into()));
        }
        if self.order > LAST {
            found.push(("order", format!("`[watchdog] order` is {}, the last place is {LAST}", self.order)));
        }
        if !self.lan_group.ip().is_multicast() || self.lan_group.port() == 0 {
            let message = format!(
                "`[watchdog] lan_group` is {}: it must be a multicast address (224.0.0.0 to 239.255.255.255) and a port",
                self.lan_group
            );
            found.push(("lan_group", message));
        }
        if self.token.is_some() && self.url.is_none() {
            found.push(("token", "`[watchdog]` has a `token` but no `url`".into()));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Minutes after midnight UTC on some day.
    fn at(hour: i64, minute: i64) -> i64 {
        1_795_392_000_000 + (hour * 60 + minute) * 60_000
    }

    #[rstest]
    #[case::before("08:00-22:00", at(7, 59), false)]
    #[case::first("08:00-22:00", at(8, 0), true)]
    #[case::last("08:00-22:00", at(21, 59), true)]
    #[case::after("08:00-22:00", at(22, 0), false)]
    #[case::to_midnight("08:00-24:00", at(23, 59), true)]
    #[case::over_midnight("18:00-02:00", at(1, 59), true)]
    #[case::not_over_midnight("18:00-02:00", at(2, 0), false)]
    fn hours_hold_their_first_minute_and_not_their_last(#[case] hours: &str, #[case] now: i64, #[case] expected: bool) {
        assert_eq!(hours.parse::<Hours>().unwrap().contain(&TimeZone::UTC, now), expected);
        let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
        assert_eq!(hours.parse::<Hours>().unwrap().contain(&shanghai, now - 8 * 3_600_000), expected);
    }

    #[rstest]
    #[case("")]
    #[case("8-22")]
    #[case("08:00")]
    #[case("08:60-22:00")]
    #[case("08:00-24:01")]
    #[case("+8:00-22:00")]
    #[case("08:00-08:00")]
    fn what_are_no_hours_is_refused(#[case] text: &str) {
        assert!(text.parse::<Hours>().is_err());
    }

    #[rstest]
    #[case("ftp://example.com/x")]
    #[case("https://")]
    #[case("https://user:pass@example.com/")]
    #[case("not a url")]
    fn an_address_that_is_none_is_refused_without_being_shown(#[case] text: &str) {
        let wrong = webhook_uri(text).unwrap_err();
        assert!(!wrong.contains(text));
    }
}
