//! Where devices stand: on the pages, on paper and in the API.

use super::*;

#[tokio::test]
async fn devices_are_shown_by_the_area_of_their_kind_without_any_configuration() {
    let hub = Hub::in_trouble().await;
    let home = hub.get("/?site=hz-01", "zh").await;
    home.says(&["区域", "<strong>入口</strong>", "<strong>样板房</strong>", "<strong>桌球区</strong>", "上网区"]);
    assert!(!home.body.contains("水吧</strong>"), "nothing stands there: {}", home.body);
    let one = hub.get("/?site=hz-01&area=snooker", "zh").await;
    one.says(&["<strong>桌球区</strong>", "一号台", "href=\"/?site=hz-01\">全部区域"]);
    assert!(!one.body.contains("<strong>入口</strong>"), "{}", one.body);
    hub.get("/?site=hz-01&area=water-bar", "zh").await.says(&["<strong>水吧</strong>", "此区域没有设备"]);
    hub.get("/?site=hz-01&area=cellar", "zh").await.says(&["本案场没有区域“cellar”"]);
    hub.get("/d/entrance-led", "zh").await.says(&["入口 · 大门口"]);
    hub.get("/engineering", "zh").await.says(&["<span>入口 · <a href=\"/d/entrance-led?site=hz-01\">"]);
    let no = hub.ticket().await;
    hub.get(&format!("/t/{no}"), "en").await.says(&["Entrance · 大门口"]);
    hub.get(&format!("/t/{no}/print"), "zh").await.says(&["入口 · 大门口"]);
}

#[tokio::test]
async fn the_api_names_areas_and_lists_what_stands_in_one() {
    let hub = Hub::in_trouble().await;
    let sites = hub.read("/api/v1/sites").await;
    assert_eq!(sites["items"][0]["areas"][0]["id"], "entrance", "{sites}");
    let led = hub.read("/api/v1/devices/hz-01/entrance-led").await;
    assert_eq!(led["area"]["label"]["zh"], "入口", "{led}");
    let there = hub.read("/api/v1/devices?area=snooker").await;
    let ids: Vec<_> = there["items"].as_array().unwrap().iter().map(|device| device["id"].clone()).collect();
    assert_eq!(ids, ["snooker-1"]);
    assert_eq!(hub.read("/api/v1/devices?area=water-bar").await["items"], serde_json::json!([]));
    let unknown = Request::get("/api/v1/devices?area=cellar").body(Body::empty()).unwrap();
    let unknown = hub.ask(unknown).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST, "what is not there is not empty: {}", unknown.body);
    let tickets = hub.read("/api/v1/tickets").await;
    assert_eq!(tickets["items"][0]["area"]["id"], "entrance", "{tickets}");
}
