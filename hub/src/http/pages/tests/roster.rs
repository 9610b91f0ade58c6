//! Who is on duty, on its page and in the API.

use lobby_domain::access::{Grant, Role};

use super::*;
use crate::{account, audit::Actor};

/// The hub's now is 2026-11-23 15:00 in Shanghai.
const TABLE: &str = "日期,岗位,班次,人员\n2026-11-23,礼宾岗,08:00-16:30,zhao\n2026-11-24,concierge,08:00-16:30,chen\n";
const PATH: &str = "/roster/hz-01";

/// A hub of one site with people, who may all sign in by now.
async fn hub_with_people() -> Hub {
    let hub = Hub::reporting().await;
    for login in ["zhao", "chen"] {
        let grant = Grant { role: Role::Concierge, site: None };
        let now = hub.app.clock.now();
        account::enter(&hub.app.store, (login, &format!("{login} <b>")), grant, now, &Actor::here("")).await.unwrap();
    }
    hub
}

/// Sends the form with a program's token of that role.
async fn send(hub: &Hub, role: Role, path: &str, parts: &[(&str, &str)]) -> Answer {
    let grant = Grant { role, site: Some(SITE.parse().unwrap()) };
    let now = hub.app.clock.now();
    let (token, _) =
        crate::token::create(&hub.app.store, role.to_string(), grant, None, now, &Actor::here("")).await.unwrap();
    let part = |(name, value): &(&str, &str)| {
        let file = if *name == "file" { "; filename=\"roster.csv\"" } else { "" };
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n")
    };
    let body = parts.iter().map(part).collect::<String>() + "--edge--\r\n";
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=edge")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::COOKIE, "lang=en")
        .header(header::ACCEPT, "text/html");
    hub.ask(request.body(Body::from(body)).unwrap()).await
}

async fn read(hub: &Hub, path: &str) -> Answer {
    let grant = Grant { role: Role::Viewer, site: None };
    let now = hub.app.clock.now();
    let (token, _) =
        crate::token::create(&hub.app.store, "reader".into(), grant, None, now, &Actor::here("")).await.unwrap();
    let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
    hub.ask(request.header(header::COOKIE, "lang=en").body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_roster_is_previewed_imported_and_shown_and_the_same_again_is_no_change() {
    let hub = hub_with_people().await;
    read(&hub, "/roster").await.says(&["This site keeps no roster at present"]);
    let preview = send(&hub, Role::Supervisor, PATH, &[("table", TABLE), ("what", "preview")]).await;
    assert_eq!(preview.status, StatusCode::OK, "{}", preview.body);
    preview.says(&["Added: 2", "zhao &#60;b&#62;", "15:00 - 16:30", "value=\"import\"", "2026-11-24,concierge"]);
    read(&hub, "/roster").await.says(&["This site keeps no roster at present"]);

    // A file counts more than what stands in the field.
    let imported = send(&hub, Role::Manager, PATH, &[("table", "nonsense"), ("file", TABLE), ("what", "import")]).await;
    assert_eq!(imported.status, StatusCode::SEE_OTHER, "{}", imported.body);
    assert_eq!(imported.header("location"), "/roster?site=hz-01&notice=saved");
    let page = read(&hub, "/roster?site=hz-01").await;
    page.says(&["On duty now", "zhao &#60;b&#62;", "chen &#60;b&#62;", "16:30 - 2026-11-24 08:00", "nobody on duty"]);
    assert!(!page.body.contains("multipart"), "a viewer imports nothing");
    send(&hub, Role::Admin, PATH, &[("table", TABLE), ("what", "preview")]).await.says(&["nothing changes"]);

    read(&hub, "/alerts").await.says(&["id=\"duty\"", "<strong>zhao &#60;b&#62;</strong>"]);

    let now = read(&hub, "/api/v1/roster/now").await;
    let now: serde_json::Value = serde_json::from_str(&now.body).unwrap();
    assert_eq!(now["items"][0]["post"], "concierge");
    assert_eq!(now["items"][0]["people"][0]["name"], "zhao <b>");
    let duties: serde_json::Value = serde_json::from_str(&read(&hub, "/api/v1/roster").await.body).unwrap();
    let days: Vec<_> = duties["items"].as_array().unwrap().iter().map(|duty| duty["day"].as_str().unwrap()).collect();
    assert_eq!(days, ["2026-11-23", "2026-11-24"]);
    for query in ["from=2&until=1", "from=0&until=99999999999", "site=A"] {
        assert_eq!(read(&hub, &format!("/api/v1/roster?{query}")).await.status, StatusCode::BAD_REQUEST, "{query}");
    }
    hub.pass(2 * 3_600_000);
    read(&hub, "/api/v1/roster/now").await.says(&["\"people\":[]"]);
    assert!(!read(&hub, "/alerts").await.body.contains("id=\"duty\""), "they have gone home");
}

#[tokio::test]
async fn every_mistake_of_a_table_is_on_the_page_and_nothing_is_imported() {
    let hub = hub_with_people().await;
    let table = "date,post,shift,person\n2026-11-24,conserge,early,zhap\n2026-13-01,concierge,08:00-16:30,chen\n";
    let refused = send(&hub, Role::Supervisor, PATH, &[("table", table), ("what", "import")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.says(&["Mistakes in the table: 4", "did you mean `concierge`?", "did you mean `zhao`?", "line 3"]);
    refused.says(&["2026-11-24,conserge,early,zhap"]);
    let large = "x".repeat(super::super::roster::LARGEST_FORM);
    let refused = send(&hub, Role::Supervisor, PATH, &[("table", &large), ("what", "import")]).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", refused.body);
    assert!(hub.app.store.sites_with_roster().await.unwrap().is_empty());
}

#[rstest]
#[case::engineering(Role::Engineering, PATH, StatusCode::FORBIDDEN)]
#[case::concierge(Role::Concierge, PATH, StatusCode::FORBIDDEN)]
#[case::of_another_site(Role::Supervisor, "/roster/hz-02", StatusCode::NOT_FOUND)]
#[tokio::test]
async fn whoever_may_not_say_who_is_on_duty_is_refused(
    #[case] role: Role,
    #[case] path: &str,
    #[case] status: StatusCode,
) {
    let hub = hub_with_people().await;
    assert_eq!(send(&hub, role, path, &[("table", TABLE), ("what", "import")]).await.status, status);
    assert!(hub.app.store.sites_with_roster().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_gap_of_a_roster_is_found_and_gone_when_it_is_filled() {
    let hub = hub_with_people().await;
    let find = async || {
        let (app, now) = (&hub.app, hub.app.clock.now());
        let found = crate::findings::rosters(&app.store, &app.fleet.setup(), now).await.unwrap();
        app.findings.replace(crate::findings::Domain::Roster, found, now);
        app.findings.all().iter().map(crate::findings::Finding::english).collect::<Vec<_>>()
    };
    assert!(find().await.is_empty(), "without a roster nothing is missing");
    let import = async |table: &str| {
        let done = send(&hub, Role::Manager, PATH, &[("table", table), ("what", "import")]).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    };
    import(TABLE).await;
    let found = find().await;
    assert_eq!(
        found,
        ["hz-01/concierge has nobody on duty 2 times in the next 7 days, first 2026-11-23 16:30 - 2026-11-24 08:00"]
    );
    let around = |day| format!("2026-11-{day},concierge,00:00-00:00,chen\n");
    import(&format!("date,post,shift,person\n{}", (23..=30).map(around).collect::<String>())).await;
    assert!(find().await.is_empty());
}
