//! By what chats know people: on their own page and on that of people, as it is kept and with what was not taken.

use lobby_dashboards::{AccountPage, ChatField, ChatPart, PeoplePage, PersonLine};
use lobby_domain::notice::Chat;

use super::{Sample, Scene};

/// The pages, in `s`.
pub(super) fn all(s: &Scene) -> Vec<Sample> {
    let part = |fields: &[(Chat, &str, bool)]| ChatPart {
        fields: fields
            .iter()
            .map(|(chat, value, mistaken)| ChatField { chat: *chat, value: (*value).into(), mistaken: *mistaken })
            .collect(),
    };
    let kept = part(&[(Chat::Wecom, "ChenGang", false), (Chat::Feishu, "", false)]);
    let refused = part(&[
        (Chat::Wecom, "@all", true),
        (Chat::Dingtalk, "138 0013", true),
        (Chat::Feishu, "ou_7d8a\"></at>", true),
    ]);
    let account = |chats| AccountPage { chats, ..s.account() };
    let mut people = s.people();
    people.people = people
        .people
        .into_iter()
        .map(|person| match person.id.as_str() {
            "wang" => PersonLine { chats: kept.clone(), ..person },
            "chen" => PersonLine { chats: refused.clone(), ..person },
            _ => person,
        })
        .collect();
    let people = PeoplePage { link: None, mistake: None, ..people };
    let (known, wrong) = (account(kept), account(refused));
    let pages = [
        ("account-chats", known.render(), known.render_main()),
        ("account-chats-refused", wrong.render(), wrong.render_main()),
        ("people-chats", people.render(), people.render_main()),
    ];
    let sample = |(name, page, main)| -> Sample {
        let (page, main): (Result<String, _>, Result<String, _>) = (page, main);
        Sample { name, page: page.expect("a page of samples renders"), main: main.expect("a page of samples renders") }
    };
    pages.into_iter().map(sample).collect()
}
