//! By what the chats know people, over HTTP: said by themselves and by whoever enters people, and nothing that is no id.

use lobby_domain::{access::Role, notice::Chat};

use super::*;

async fn kept(hub: &Hub, id: &str) -> Vec<(Chat, String)> {
    let ids = hub.app.store.chat_ids(id).await.unwrap();
    ids.into_iter().map(|(chat, id)| (chat, id.to_string())).collect()
}

fn at_hz(role: Role) -> Grant {
    Grant { role, site: Some("hz-01".parse().unwrap()) }
}

#[tokio::test]
async fn people_say_by_what_the_chats_know_them_and_what_is_no_id_stays_to_be_mended() {
    let hub = Hub::new(&["hz-01"]).await;
    let li = hub.person("li", at_hz(Role::Engineering)).await;
    for _ in 0..2 {
        let saved = hub.by("li", "POST", "/account/chats", "wecom=+LiGong+&feishu=").await;
        assert_eq!((saved.status, saved.header("location")), (StatusCode::SEE_OTHER, "/account?notice=saved"));
    }
    assert_eq!(kept(&hub, &li).await, [(Chat::Wecom, "LiGong".to_owned())]);
    hub.by("li", "GET", "/account", "").await.says(&["Mentions in chat groups", "value=\"LiGong\""]);
    hub.by("li", "POST", "/account/chats", "dingtalk=138+0013+8000").await;
    let now = [(Chat::Wecom, "LiGong".to_owned()), (Chat::Dingtalk, "13800138000".to_owned())];
    assert_eq!(kept(&hub, &li).await, now);
    for (form, words) in [
        ("wecom=%40all", ["This is no WeCom user id", "value=\"@all\""]),
        ("wecom=Li&dingtalk=a+b", ["neither a mobile number", "value=\"a b\""]),
    ] {
        let answer = hub.by("li", "POST", "/account/chats", form).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        answer.says(&words);
        assert_eq!(kept(&hub, &li).await, now, "of a form with a mistake nothing is taken");
    }
    hub.by("li", "POST", "/account/chats", "wecom=&dingtalk=").await;
    assert_eq!(kept(&hub, &li).await, []);
}

#[tokio::test]
async fn whoever_enters_people_says_it_for_those_who_are_all_theirs() {
    let hub = Hub::new(&["hz-01", "hz-02"]).await;
    hub.person("boss", Grant { role: Role::Admin, site: None }).await;
    hub.person("manager", at_hz(Role::Manager)).await;
    let li = hub.person("li", at_hz(Role::Engineering)).await;
    let page = format!("/people/{li}");
    let refused = hub.by("boss", "POST", &page, "what=chats&wecom=%40all").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(kept(&hub, &li).await, []);
    assert_eq!(hub.by("boss", "POST", &page, "what=chats&wecom=LiGong").await.status, StatusCode::SEE_OTHER);
    assert_eq!(kept(&hub, &li).await, [(Chat::Wecom, "LiGong".to_owned())]);
    hub.by("boss", "GET", "/people", "").await.says(&["Ids for mentions", "value=\"LiGong\""]);
    hub.by("boss", "GET", "/audit", "").await.says(&["Changed the ids for mentions", "wecom L…"]);

    // What they hold elsewhere is not the manager's.
    let elsewhere = Grant { role: Role::Leader, site: Some("hz-02".parse().unwrap()) };
    hub.app.store.give_grant(&li, &elsewhere, hub.app.clock.now(), &Actor::here("")).await.unwrap();
    let refused = hub.by("manager", "POST", &page, "what=chats&wecom=Other").await;
    assert_ne!(refused.status, StatusCode::SEE_OTHER);
    assert_eq!(kept(&hub, &li).await, [(Chat::Wecom, "LiGong".to_owned())]);
    assert!(!hub.by("manager", "GET", "/people", "").await.body.contains("LiGong"));
    let own = hub.by("li", "POST", &page, "what=chats&wecom=Other").await;
    assert!(own.status.is_client_error(), "{}", own.status);
    // Whoever is erased has no such form any more.
    let erased = hub.by("boss", "POST", &page, "what=erase&login=li").await;
    assert_eq!(erased.status, StatusCode::SEE_OTHER, "{}", erased.body);
    assert_eq!(hub.by("boss", "POST", &page, "what=chats&wecom=LiGong").await.status, StatusCode::CONFLICT);
    assert!(!hub.by("boss", "GET", "/people", "").await.body.contains("LiGong"));
}
