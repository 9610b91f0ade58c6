//! What was not taken is sent again from the page.

use axum::http::{StatusCode, header};
use lobby_domain::time::{Span, Timestamp};
use uuid::Uuid;

use super::{BEGIN, Hub};
use crate::store::{Attempted, Draft, Route, Routes, Then};

const OPS: &str = "ops";

/// A message that was not taken.
async fn dead(hub: &Hub) -> Uuid {
    let (store, now, id) = (&hub.app.store, hub.app.clock.now(), Uuid::from_u128(1));
    store.know_channels(&[OPS], Timestamp::from_millis(BEGIN)).await.unwrap();
    let route = Route { channel: OPS.into(), posts: vec!["engineering".into()], sites: Vec::new() };
    let mut tx = store.begin().await.unwrap();
    tx.expand_outbox(&Routes { channels: vec![route], ..Routes::default() }, &[], now).await.unwrap();
    let queued = tx.queued_for(OPS, 9).await.unwrap().queued;
    let carries = queued.iter().map(|one| (one.event.as_str(), one.post.as_str())).collect();
    let draft = Draft {
        id,
        channel: OPS,
        counts_for: OPS,
        kind: "single",
        letter: "{}".to_owned(),
        carries,
        carries_all: false,
        flushed: Vec::new(),
    };
    assert!(tx.compose(draft, now, Span::from_secs(30)).await.unwrap().is_some());
    tx.commit().await.unwrap();
    let attempted = Attempted {
        message: id,
        nth: 1,
        channel: OPS,
        took: Span::ZERO,
        outcome: "refused",
        answer: "wrong",
        heard: false,
        then: Then::Dead,
        paused_until: None,
        instead: None,
    };
    store.settle_attempt(&attempted, now).await.unwrap();
    id
}

#[tokio::test]
async fn what_was_not_taken_is_sent_again_once_and_the_page_says_so() {
    let hub = Hub::in_trouble().await;
    let path = format!("/outbox/messages/{}/resend", dead(&hub).await);
    let press = async |path: &str| {
        let answer = hub.post(path, "back=%2Foutbox%3Fstate%3Ddead", &[]).await;
        let place = answer.headers.get(header::LOCATION).map(|place| place.to_str().unwrap().to_owned());
        (answer.status, place.unwrap_or_default())
    };
    let (status, place) = press(&path).await;
    assert_eq!((status, place.as_str()), (StatusCode::SEE_OTHER, "/outbox?state=dead&notice=resent"));
    hub.get(&place, "en").await.says(&["It is queued again"]);
    hub.get("/outbox", "zh").await.says(&["将重试"]);
    let (_, place) = press(&path).await;
    hub.get(&place, "zh").await.says(&["未重发：该消息已送达"]);
    for path in ["/outbox/messages/nothing/resend".to_owned(), path.replace("01/", "02/")] {
        assert_eq!(press(&path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn what_was_to_go_through_a_channel_that_is_gone_is_not_sent_again() {
    let hub = Hub::in_trouble().await;
    let path = format!("/outbox/messages/{}/resend", dead(&hub).await);
    hub.app.store.know_channels(&[], hub.app.clock.now()).await.unwrap();
    let page = hub.get("/outbox", "zh").await;
    assert!(page.body.contains("未送达") && !page.body.contains("重新发送"), "{}", page.body);
    let answer = hub.post(&path, "", &[]).await;
    let place = answer.headers.get(header::LOCATION).unwrap().to_str().unwrap();
    hub.get(place, "zh").await.says(&["未重发：该通道已从配置中删除"]);
}
