//! People who hold several roles, over HTTP: given and taken by pages and the API, within what whoever does it has.

use lobby_domain::access::Role;
use serde_json::Value;

use super::*;

fn grant(role: Role, site: Option<&str>) -> Grant {
    Grant { role, site: site.map(|site| site.parse().unwrap()) }
}

impl Hub {
    pub(super) async fn by(&self, login: &str, method: &str, path: &str, form: &str) -> Answer {
        let accept = if path.starts_with("/api/") { "application/json" } else { "text/html" };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, format!("lobby_session=proof of {login}; lang=en"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, accept)
            .header("sec-fetch-site", "same-origin");
        self.ask(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    async fn held(&self, id: &str) -> Vec<String> {
        let people = self.app.store.people().await.unwrap();
        people.iter().find(|row| row.id == id).unwrap().grants().map(ToString::to_string).collect()
    }
}

#[tokio::test]
async fn roles_are_given_and_taken_on_the_page_and_the_header_leads_from_one_to_another() {
    let hub = Hub::new(&["hz-01", "hz-02"]).await;
    hub.person("boss", grant(Role::Admin, None)).await;
    let zhou = hub.person("zhou", grant(Role::Engineering, Some("hz-01"))).await;
    let page = format!("/people/{zhou}");
    let change = async |what: &str, role: &str, site: &str| {
        hub.by("boss", "POST", &page, &format!("what={what}&role={role}&site={site}")).await
    };
    assert!(
        !hub.by("zhou", "GET", "/engineering", "").await.body.contains("Change role"),
        "who holds one has no choice"
    );
    for _ in 0..2 {
        let given = change("grant", "supervisor", "hz-02").await;
        assert_eq!(given.status, StatusCode::SEE_OTHER, "{}", given.body);
    }
    assert_eq!(hub.held(&zhou).await, ["engineering at hz-01", "supervisor at hz-02"]);
    let list = hub.by("boss", "GET", "/people", "").await;
    list.says(&["Take away", "Supervisor", "Grant a role"]);
    let engineering = hub.by("zhou", "GET", "/engineering", "").await;
    engineering.says(&[
        "Change role",
        "href=\"/engineering?site=hz-01\" aria-current=\"true\"",
        "href=\"/?site=hz-02\"",
    ]);
    hub.by("zhou", "GET", "/account", "").await.says(&["Engineering", "Supervisor"]);

    assert_eq!(change("revoke", "engineering", "hz-01").await.status, StatusCode::SEE_OTHER);
    assert_eq!(change("revoke", "engineering", "hz-01").await.status, StatusCode::SEE_OTHER, "once more is no mistake");
    assert_eq!(hub.by("zhou", "GET", "/engineering?site=hz-01", "").await.status, StatusCode::NOT_FOUND, "at once");
    let only = change("revoke", "supervisor", "hz-02").await;
    assert_eq!(only.status, StatusCode::CONFLICT);
    only.says(&["This is all that they hold"]);
    for (role, site) in [("king", "hz-01"), ("leader", "no such site"), ("leader", "hz-99"), ("", "")] {
        assert_eq!(change("grant", role, site).await.status, StatusCode::BAD_REQUEST, "{role} at {site}");
    }
    hub.by("boss", "GET", "/audit", "").await.says(&["Granted a role", "Took a role away"]);
}

#[rstest]
#[case::of_a_site("/account?site=hz-02", "/account?site=hz-02&notice=saved")]
#[case::of_no_site("/account", "/account?notice=saved")]
#[case::of_a_site_that_is_not_theirs("/account?site=hz-03", "/account?notice=saved")]
#[tokio::test]
async fn after_an_action_the_site_is_shown_again_that_was_looked_at(#[case] page: &str, #[case] expected: &str) {
    let hub = Hub::new(&["hz-01", "hz-02", "hz-03"]).await;
    let zhou = hub.person("zhou", grant(Role::Engineering, Some("hz-01"))).await;
    let second = grant(Role::Supervisor, Some("hz-02"));
    hub.app.store.give_grant(&zhou, &second, hub.app.clock.now(), &Actor::here("")).await.unwrap();
    let request = Request::post("/account/chats")
        .header(header::COOKIE, "lobby_session=proof of zhou")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::REFERER, format!("http://127.0.0.1:8080{page}"))
        .header("sec-fetch-site", "same-origin");
    let answer = hub.ask(request.body(Body::from("wecom=Zhou")).unwrap()).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, expected));
}

#[tokio::test]
async fn nobody_gives_or_takes_more_than_they_have_nor_becomes_somebody_who_has_more() {
    let hub = Hub::new(&["hz-01", "hz-02"]).await;
    let boss = hub.person("boss", grant(Role::Admin, None)).await;
    let zhou = hub.person("zhou", grant(Role::Manager, Some("hz-01"))).await;
    let chen = hub.person("chen", grant(Role::Engineering, Some("hz-01"))).await;
    let li = hub.person("li", grant(Role::Viewer, Some("hz-02"))).await;
    let put = async |id: &str, role: &str, site: &str| {
        let answer = hub.by("zhou", "PUT", &format!("/api/v1/people/{id}/grants/{role}{site}"), "").await;
        answer.status
    };
    assert_eq!(put(&chen, "leader", "?site=hz-01").await, StatusCode::OK);
    for (role, site) in [("leader", "?site=hz-02"), ("leader", ""), ("admin", "?site=hz-01"), ("viewer", "?site=hz-99")]
    {
        assert_eq!(put(&chen, role, site).await, StatusCode::FORBIDDEN, "{role} {site}");
    }
    for unseen in [&boss, &li, "nobody"] {
        assert_eq!(put(unseen, "viewer", "?site=hz-01").await, StatusCode::NOT_FOUND, "{unseen}");
    }
    assert_eq!(hub.held(&chen).await, ["engineering at hz-01", "leader at hz-01"]);

    // Chen comes to hold more at a site that is not Zhou's: Zhou still gives and takes at theirs, and that is all.
    let by = Actor::here("");
    hub.app.store.give_grant(&chen, &grant(Role::Manager, Some("hz-02")), hub.app.clock.now(), &by).await.unwrap();
    for what in ["link", "disable", "enable", "erase"] {
        let refused = hub.by("zhou", "POST", &format!("/people/{chen}"), &format!("what={what}&login=chen")).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{what}");
    }
    let take = hub.by("zhou", "POST", &format!("/people/{chen}"), "what=revoke&role=manager&site=hz-02").await;
    assert_eq!(take.status, StatusCode::FORBIDDEN);
    let list = hub.by("zhou", "GET", "/people", "").await;
    list.says(&["They hold roles that are not yours to give"]);
    assert!(!list.body.contains("hz-02") && !list.body.contains(">li<"), "{}", list.body);
    assert_eq!(
        hub.by("zhou", "POST", &format!("/people/{chen}"), "what=revoke&role=leader&site=hz-01").await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(hub.held(&chen).await, ["engineering at hz-01", "manager at hz-02"]);

    // A manager of one site who is supervisor of another gives at the first alone.
    hub.app.store.give_grant(&zhou, &grant(Role::Supervisor, Some("hz-02")), hub.app.clock.now(), &by).await.unwrap();
    assert_eq!(put(&chen, "viewer", "?site=hz-02").await, StatusCode::FORBIDDEN);
    let people = hub.by("zhou", "GET", "/people", "").await;
    assert!(!people.body.contains("<option value=\"hz-02\""), "{}", people.body);
}

#[tokio::test]
async fn the_api_lists_people_and_says_why_a_role_is_not_taken_away() {
    let hub = Hub::new(&["hz-01"]).await;
    let boss = hub.person("boss", grant(Role::Admin, None)).await;
    let viewer = format!("/api/v1/people/{boss}/grants/viewer");
    for _ in 0..2 {
        let given = hub.by("boss", "PUT", &viewer, "").await;
        let person: Value = serde_json::from_str(&given.body).unwrap();
        assert_eq!(given.status, StatusCode::OK, "{person}");
        assert_eq!(person["grants"][1], serde_json::json!({ "role": "viewer", "site": null }));
        assert_eq!((&person["login"], &person["holds_more"]), (&"boss".into(), &false.into()));
    }
    let last = hub.by("boss", "DELETE", &format!("/api/v1/people/{boss}/grants/admin"), "").await;
    assert_eq!(last.status, StatusCode::CONFLICT);
    assert!(last.body.contains("only administrator"), "{}", last.body);
    for _ in 0..2 {
        assert_eq!(hub.by("boss", "DELETE", &viewer, "").await.status, StatusCode::OK);
    }
    let only = hub.by("boss", "DELETE", &format!("/api/v1/people/{boss}/grants/admin"), "").await;
    assert!(only.status == StatusCode::CONFLICT && only.body.contains("all that they hold"), "{}", only.body);
    let unknown = hub.by("boss", "PUT", &format!("/api/v1/people/{boss}/grants/king"), "").await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    let people: Value = serde_json::from_str(&hub.by("boss", "GET", "/api/v1/people", "").await.body).unwrap();
    assert_eq!(people["items"][0]["grants"], serde_json::json!([{ "role": "admin", "site": null }]));
}

#[tokio::test]
async fn each_page_offers_what_the_role_at_its_site_lets_do() {
    let mut hub = Hub::in_trouble().await;
    hub.report("ok", 400.0).await;
    hub.person("boss", grant(Role::Admin, None)).await;
    let zhou = hub.person("zhou", grant(Role::Viewer, None)).await;
    let by = Actor::here("");
    let ticket = hub.ticket().await;
    let page = format!("/t/{ticket}");
    assert!(!hub.by("zhou", "GET", &page, "").await.body.contains("/accept\""));
    hub.app.store.give_grant(&zhou, &grant(Role::Engineering, Some(SITE)), hub.app.clock.now(), &by).await.unwrap();
    hub.by("zhou", "GET", &page, "").await.says(&["/accept\""]);
    // The only site of the hub is shown where none is asked for, with what is held there.
    hub.by("zhou", "GET", "/engineering", "").await.says(&["Change role", "/accept\""]);
    let audit = hub.by("zhou", "GET", "/engineering", "").await;
    assert!(!audit.body.contains("href=\"/audit\"") && audit.body.contains("href=\"/health\""), "{}", audit.body);
}
