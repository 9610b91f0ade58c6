//! People who are told themselves: each is a channel of their own, through the one that the configuration marks for personal mail. So the
//! outbox treats them like any other receiver: one message under way, the same id on repeats, and an end to whoever heard of a beginning.

use std::{collections::BTreeMap, sync::Arc};

use jiff::tz::TimeZone;
use lobby_contract::SiteId;
use lobby_domain::{
    label::Lang,
    notice::{Bucket, Personal, Plan, Waiting},
    rule::Severity,
    time::{Span, Timestamp},
};
use ring::hmac;

use super::{Channel, Grouping, Notify, Settings, Target, letter, new_id, outcome::Outcome, settings::ChannelName};
use crate::store::{
    AlertRow, Attempted, ContactError, Mailbox, PersonRow, Queued, StoreError, Then, Tx, channel_of, masked,
};

/// The priority of tickets that are urgent at any hour.
const URGENT: &str = "P1";
/// The longest address, in bytes.
const LONGEST: usize = 254;
/// The longest part before its `@`.
const LONGEST_LOCAL: usize = 64;
/// How many digits a code has.
const DIGITS: u32 = 8;

/// Somebody's own channel.
#[derive(Debug, Clone)]
pub(super) struct Own {
    /// Their channel.
    pub channel: Arc<Channel>,
    /// Who, and what they have chosen.
    pub mailbox: Mailbox,
}

/// Why no code was sent.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No channel is marked for personal mail.
    #[error("no channel sends personal mail: mark one of kind smtp with `personal = true`")]
    NoChannel,
    /// It is no address.
    #[error("this is no e-mail address: write one such as name@example.com")]
    Address,
    /// The channel sends no more just now.
    #[error("the mail server takes no more messages just now: try again in {0}")]
    TooSoon(Span),
    /// The mail server took it not.
    #[error("the mail server did not take the message: {0}")]
    Refused(String),
    /// What the database says.
    #[error(transparent)]
    Contact(#[from] ContactError),
}

impl From<StoreError> for AskError {
    fn from(error: StoreError) -> Self {
        Self::Contact(error.into())
    }
}

/// An address as it is kept: one plain mailbox at a named domain, without anything that could be taken for another header or receiver.
pub fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.split_once('@')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let good = text.len() <= LONGEST
        && (1..=LONGEST_LOCAL).contains(&local.len())
        && local.bytes().all(plain)
        && domain.contains('.')
        && domain.split('.').all(label)
        && text.parse::<lettre::Address>().is_ok();
    good.then(|| format!("{local}@{}", domain.to_ascii_lowercase()))
}

/// What proves a code: it is good for this person and address alone.
fn key(person: &str, address: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, format!("{person}\n{address}").as_bytes())
}

/// A code that nobody guesses in the few tries there are.
fn new_code() -> String {
    let random = u64::from_le_bytes(super::random()[..8].try_into().expect("eight of sixteen bytes"));
    let width = usize::try_from(DIGITS).unwrap_or_default();
    format!("{:0width$}", random % 10_u64.pow(DIGITS))
}

impl Settings {
    /// The channel through which somebody of this site, or of all, is told themselves.
    pub fn personal(&self, site: Option<&SiteId>) -> Option<&Arc<Channel>> {
        let serves = |channel: &&Arc<Channel>| {
            channel.personal && (channel.sites.is_empty() || site.is_some_and(|site| channel.sites.contains(site)))
        };
        self.channels.values().find(serves)
    }

    /// The same of somebody who works at several sites, or at all if there are none: one that serves each of them, or else the first that
    /// serves any. What they are to be told is told in either case.
    pub fn personal_of(&self, sites: Option<&[&SiteId]>) -> Option<&Arc<Channel>> {
        let Some(sites) = sites else { return self.personal(None) };
        let serves = |channel: &&Arc<Channel>| {
            let is_served = |site: &&SiteId| channel.sites.contains(*site);
            channel.personal && (channel.sites.is_empty() || sites.iter().all(is_served))
        };
        self.channels.values().find(serves).or_else(|| sites.iter().find_map(|site| self.personal(Some(site))))
    }
}

impl Channel {
    /// The channel for whose rate and troubles it counts.
    pub(super) fn counts_for(&self) -> &str {
        self.through.as_ref().unwrap_or(&self.name).as_str()
    }

    /// Somebody's own channel through this one.
    fn of_person(&self, person: &str, address: &str, lang: Option<Lang>) -> Option<Self> {
        let Target::Smtp(mail) = &self.target else { return None };
        let to = vec![lettre::message::Mailbox::new(None, address.parse().ok()?)];
        let target = Target::Smtp(super::Mail { to, ..mail.clone() });
        Some(Self {
            name: ChannelName::of_person(channel_of(person)),
            through: Some(self.name.clone()),
            target,
            lang: lang.unwrap_or(self.lang),
            // Who is at a post changes: what nobody answers goes up instead of being told again.
            grouping: Grouping { repeat: None, ..self.grouping },
            ..self.clone()
        })
    }
}

impl Notify {
    /// Everybody who is told themselves, by the name of their channel. Asked at each look, so that whoever may not sign in any more is sent
    /// nothing any more.
    pub(super) async fn owns(&self, settings: &Settings) -> Result<BTreeMap<String, Own>, StoreError> {
        if !settings.channels.values().any(|channel| channel.personal) {
            return Ok(BTreeMap::new());
        }
        let own = |mailbox: Mailbox| {
            let through = settings.personal_of(mailbox.sites().as_deref())?;
            let channel = through.of_person(&mailbox.person, &mailbox.address, mailbox.chosen.lang)?;
            Some((channel.name.to_string(), Own { channel: Arc::new(channel), mailbox }))
        };
        Ok(self.store.mailboxes().await?.into_iter().filter_map(own).collect())
    }

    /// What becomes of everything that waits for somebody.
    pub(super) async fn plan_own(
        &self,
        tx: &mut Tx,
        own: &Own,
        (queued, waiting): (&[Queued], Vec<Waiting>),
        (alerts, flushed): (&BTreeMap<lobby_domain::alert::AlertId, AlertRow>, &BTreeMap<SiteId, Timestamp>),
        bucket: &Bucket,
        now: Timestamp,
    ) -> Result<Plan, StoreError> {
        let facts = tx.waits_for(&own.mailbox).await?;
        let personal = |(one, waiting): (&Queued, Waiting)| {
            let (priority, held) = facts.get(&one.alert).cloned().unwrap_or_default();
            let severity = alerts.get(&one.alert).and_then(|alert| Severity::from_text(&alert.severity));
            let critical = waiting.critical || priority.as_deref() == Some(URGENT);
            // A word that this version does not know hides nothing.
            Personal {
                waiting: Waiting { critical, ..waiting },
                severity: severity.unwrap_or(Severity::Critical),
                held,
            }
        };
        let all: Vec<Personal> = queued.iter().zip(waiting).map(personal).collect();
        let zone = self.zone_of(own.mailbox.sites().and_then(|sites| sites.first().copied()));
        Ok(own.mailbox.chosen.told.plan(&all, flushed, &own.channel.grouping, (bucket, &zone), now))
    }

    /// The time zone in which somebody of this site, or of all, lives.
    fn zone_of(&self, site: Option<&SiteId>) -> TimeZone {
        let setup = self.fleet.setup();
        site.map_or_else(|| setup.zone.clone(), |site| setup.zone_of(site))
    }

    /// Sends a code to an address that somebody says is theirs.
    pub async fn ask(&self, person: &PersonRow, text: &str, lang: Lang) -> Result<(), AskError> {
        let settings = self.settings();
        let through = settings.personal_of(person.sites().as_deref()).ok_or(AskError::NoChannel)?;
        let address = address(text).ok_or(AskError::Address)?;
        let channel = through.of_person(&person.id, &address, Some(lang)).ok_or(AskError::Address)?;
        let now = self.clock.now();
        let next = self.bucket(&mut self.store.read().await?, &channel, now).await?.next(true, now);
        if next > now {
            return Err(AskError::TooSoon(next.since(now)));
        }
        let (code, id) = (new_code(), new_id());
        let proof = hmac::sign(&key(&person.id, &address), code.as_bytes());
        self.store.ask_contact(person, &address, proof.as_ref(), now).await?;
        self.store.begin_test(id, channel.counts_for(), None, now).await?;
        let (sent, took) = self.send(&channel, &letter::code(lang, &code, id, now)).await;
        let attempted = Attempted {
            message: id,
            nth: 1,
            channel: channel.name.as_str(),
            took,
            outcome: sent.outcome.as_str(),
            answer: &sent.answer,
            heard: sent.heard,
            then: if sent.outcome == Outcome::Taken { Then::Sent } else { Then::Dead },
            paused_until: None,
            instead: None,
        };
        self.store.end_test(&attempted, self.clock.now()).await?;
        if sent.outcome == Outcome::Taken { Ok(()) } else { Err(AskError::Refused(sent.answer)) }
    }

    /// Takes on the address to which the code was sent that somebody enters.
    pub async fn confirm(&self, person: &PersonRow, code: &str) -> Result<(), ContactError> {
        let code: String = code.chars().filter(|char| !char.is_whitespace()).collect();
        // Takes as long for each wrong code.
        let is_code =
            |address: &str, proof: &[u8]| hmac::verify(&key(&person.id, address), code.as_bytes(), proof).is_ok();
        self.store.confirm_contact(person, is_code, self.clock.now()).await
    }
}

impl Channel {
    /// What a receiver said, without the address of the person it was about.
    pub(super) fn without_address(&self, answer: String) -> String {
        let Target::Smtp(mail) = &self.target else { return answer };
        if self.through.is_none() {
            return answer;
        }
        mail.to.iter().map(|to| to.email.to_string()).fold(answer, |answer, to| answer.replace(&to, &masked(&to)))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain(" Li.Gong+lobby@Example.COM ", Some("Li.Gong+lobby@example.com"))]
    #[case::another_header("li@example.com\r\nBcc: all@example.com", None)]
    #[case::two("li@example.com,all@example.com", None)]
    #[case::a_name("Li <li@example.com>", None)]
    #[case::a_quoted_part("\"li gong\"@example.com", None)]
    #[case::an_address_of_a_computer("li@[127.0.0.1]", None)]
    #[case::this_computer("root@localhost", None)]
    #[case::a_percent_route("a@b@example.com", None)]
    #[case::other_letters("李@example.com", None)]
    #[case::nothing("", None)]
    #[case::half("@example.com", None)]
    fn only_one_plain_address_is_taken(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(address(text).as_deref(), expected);
        assert_eq!(address(&format!("{}@example.com", "a".repeat(65))), None);
    }

    #[test]
    fn a_code_is_for_one_person_and_one_address() {
        let code = new_code();
        assert!(code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
        let proof = hmac::sign(&key("li", "li@example.com"), code.as_bytes());
        let good = |person, address| hmac::verify(&key(person, address), code.as_bytes(), proof.as_ref()).is_ok();
        assert!(good("li", "li@example.com"));
        assert!(!good("wang", "li@example.com") && !good("li", "wang@example.com"));
    }
}
