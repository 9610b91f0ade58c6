//! By what a chat knows a person, so that a message in a group can make that person's phone ring.

use std::collections::BTreeMap;

use crate::escalation::{self, Escalation};

/// The longest id, in bytes.
const LONGEST: usize = 64;
/// How many digits a mobile number of the mainland has.
const MAINLAND: usize = 11;

/// A chat whose group robots mention people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Chat {
    /// `WeCom`: its user id.
    Wecom,
    /// `DingTalk`: a mobile number or its user id.
    Dingtalk,
    /// Feishu and Lark: the open id, which begins with `ou_`.
    Feishu,
}

/// Why an id is none of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no id by which {} knows a person", .0.as_str())]
pub struct ChatIdError(pub Chat);

impl Chat {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Wecom, Self::Dingtalk, Self::Feishu];

    /// As it stands in forms and in the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wecom => "wecom",
            Self::Dingtalk => "dingtalk",
            Self::Feishu => "feishu",
        }
    }

    /// An id as it is kept: nothing in it ends the markup around it, and it never means everybody (`@all`, `all`).
    ///
    /// # Errors
    ///
    /// If it is no id of this chat.
    pub fn id(self, text: &str) -> Result<Box<str>, ChatIdError> {
        let text = text.trim();
        let good = match self {
            Self::Wecom => is_name(text).then(|| text.into()),
            Self::Dingtalk => mobile(text).or_else(|| is_name(text).then(|| text.into())),
            Self::Feishu => (text.starts_with("ou_") && text.len() > 3 && is_name(text)).then(|| text.into()),
        };
        good.ok_or(ChatIdError(self))
    }
}

/// The characters of which both `WeCom` and `DingTalk` make user ids.
fn is_name(text: &str) -> bool {
    text.len() <= LONGEST
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-@.".contains(&byte))
        && !text.eq_ignore_ascii_case("all")
}

/// A mobile number as `DingTalk` takes it: bare within the mainland, else as `+1-4155550100`.
fn mobile(text: &str) -> Option<Box<str>> {
    let bare: String = text.chars().filter(|char| *char != ' ').collect();
    let Some(abroad) = bare.strip_prefix('+') else { return is_mainland(&bare).then(|| bare.into()) };
    let (country, number) = abroad.split_once('-')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(country) || !digits(number) || country.len() > 4 || !(5..=15).contains(&number.len()) {
        return None;
    }
    if country == "86" { is_mainland(number).then(|| number.into()) } else { Some(format!("+{abroad}").into()) }
}

fn is_mainland(text: &str) -> bool {
    text.len() == MAINLAND && text.starts_with('1') && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether an id that [`Chat::id`] has let through is a mobile number. `DingTalk` wants to know.
pub fn is_mobile(id: &str) -> bool {
    id.starts_with('+') || is_mainland(id)
}

/// By what the chats know one person.
pub type ChatIds = BTreeMap<Chat, Box<str>>;

/// Whose an open incident is to see to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds<'a> {
    /// The one with this id: the roster had them on duty when the post's turn came.
    Person(&'a str),
    /// Whoever works its ticket: their id, empty where nothing but a name is known of them.
    Worker(&'a str),
}

/// Who has an open incident to see to: whoever works its ticket, as long as nobody above was asked in vain, and otherwise whoever has the
/// present level of the chain of command. Nobody where only a post has it. `worker` is the id of who works the ticket, if somebody does.
pub fn holds<'a>(escalation: Option<&'a Escalation>, worker: Option<&'a str>) -> Option<Holds<'a>> {
    let is_theirs = escalation.is_none_or(|one| one.level == 0 || one.state == escalation::State::Held);
    if let Some(worker) = worker.filter(|_| is_theirs) {
        return Some(Holds::Worker(worker));
    }
    escalation.and_then(|one| one.holder.as_ref()).map(|holder| Holds::Person(&holder.id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::{escalation::Route, pack::Counts, roster::Holder, time::Timestamp};

    #[rstest]
    #[case::wecom(Chat::Wecom, " LiGong ", Some("LiGong"))]
    #[case::wecom_with_marks(Chat::Wecom, "li.gong@hotel-1_a", Some("li.gong@hotel-1_a"))]
    #[case::everybody(Chat::Wecom, "@all", None)]
    #[case::everybody_bare(Chat::Wecom, "All", None)]
    #[case::end_of_markup(Chat::Wecom, "li><@all", None)]
    #[case::a_name(Chat::Wecom, "李工", None)]
    #[case::two(Chat::Wecom, "li wang", None)]
    #[case::nothing(Chat::Wecom, "", None)]
    #[case::mobile(Chat::Dingtalk, "138 0013 8000", Some("13800138000"))]
    #[case::mobile_with_country(Chat::Dingtalk, "+86-13800138000", Some("13800138000"))]
    #[case::mobile_abroad(Chat::Dingtalk, "+1-4155550100", Some("+1-4155550100"))]
    #[case::no_country(Chat::Dingtalk, "+13800138000", None)]
    #[case::half_a_mobile(Chat::Dingtalk, "+86-1380013", None)]
    #[case::user(Chat::Dingtalk, "manager4220", Some("manager4220"))]
    #[case::two_users(Chat::Dingtalk, "manager 4220", None)]
    #[case::open_id(Chat::Feishu, "ou_7d8a6e6df7621556ce0d21922b676706", Some("ou_7d8a6e6df7621556ce0d21922b676706"))]
    #[case::everybody_there(Chat::Feishu, "all", None)]
    #[case::another_kind(Chat::Feishu, "on_7d8a6e6df7621556ce0d21922b676706", None)]
    #[case::only_the_beginning(Chat::Feishu, "ou_", None)]
    #[case::end_of_attribute(Chat::Feishu, "ou_1\"></at><at user_id=\"all", None)]
    fn only_an_id_of_the_chat_is_taken(#[case] chat: Chat, #[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(chat.id(text).ok().as_deref(), expected);
        assert!(chat.id(&"a".repeat(LONGEST + 1)).is_err());
    }

    #[test]
    fn a_user_of_dingtalk_is_no_mobile_number() {
        assert!(is_mobile("13800138000") && is_mobile("+1-4155550100"));
        assert!(!is_mobile("manager4220") && !is_mobile("0138001380001"));
    }

    proptest! {
        #[test]
        fn what_is_taken_ends_no_markup_and_is_taken_again_as_it_is(text in "[ -~é门]{0,70}", which in 0usize..3) {
            let chat = Chat::ALL[which];
            if let Ok(id) = chat.id(&text) {
                prop_assert!(id.len() <= LONGEST && !id.is_empty());
                prop_assert!(!id.contains(['<', '>', '"', '\'', '&', ' ', '\n', '\\']));
                prop_assert!(!id.starts_with('@'));
                prop_assert_eq!(chat.id(&id), Ok(id.clone()));
            }
        }
    }

    fn escalation(state: escalation::State, level: usize, holder: Option<&str>) -> Escalation {
        let route = Route {
            posts: vec!["engineering".into(), "supervisor".into()],
            last_resort: "manager".into(),
            first_ms: 600_000,
            lease_ms: 900_000,
            counts: Counts::Always,
        };
        let holder = holder.map(|id| Holder { id: id.into(), name: id.into() });
        Escalation { route, state, level, holder, since: Timestamp::default(), due: None }
    }

    #[rstest]
    #[case::nobody_knows(None, None, None)]
    #[case::assigned(None, Some("p-1"), Some(Holds::Worker("p-1")))]
    #[case::on_duty(Some((escalation::State::Triggered, 0, Some("p-1"))), None, Some(Holds::Person("p-1")))]
    #[case::a_post_alone(Some((escalation::State::Triggered, 0, None)), None, None)]
    #[case::worked_by_somebody_of_whom_a_name_is_known(Some((escalation::State::Triggered, 0, Some("p-1"))), Some(""), Some(Holds::Worker("")))]
    #[case::silent_until_it_went_up(Some((escalation::State::Triggered, 1, Some("p-2"))), Some("p-1"), Some(Holds::Person("p-2")))]
    #[case::went_up_to_a_post(Some((escalation::State::Triggered, 1, None)), Some("p-1"), None)]
    #[case::at_it_after_it_went_up(Some((escalation::State::Held, 1, Some("p-2"))), Some("p-1"), Some(Holds::Worker("p-1")))]
    fn one_person_or_nobody_has_it(
        #[case] at: Option<(escalation::State, usize, Option<&str>)>,
        #[case] worker: Option<&str>,
        #[case] expected: Option<Holds<'_>>,
    ) {
        let escalation = at.map(|(state, level, holder)| escalation(state, level, holder));
        assert_eq!(holds(escalation.as_ref(), worker), expected);
    }
}
