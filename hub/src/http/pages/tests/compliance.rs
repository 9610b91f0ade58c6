//! How the standards are kept, on its pages: what was owed, what was done, what was not, and where each is to be looked up.

use lobby_domain::access::Role;
use serde_json::{Value, json};

use super::*;
use crate::history::{History, HistorySettings};

const MONTH: &str = "/api/v1/sites/hz-01/compliance/2026-11";

/// What the API tells of a clause.
fn clause<'a>(told: &'a Value, id: &str) -> Option<&'a Value> {
    told["clauses"].as_array().unwrap().iter().find(|clause| clause["id"] == id)
}

#[tokio::test]
async fn a_month_in_which_nothing_was_owed_says_so_and_lists_every_clause() {
    let hub = Hub::reporting().await;
    let page = hub.get("/compliance", "en").await;
    page.says(&["Nothing was owed this month", "Not owed", "By clause", "Clauses of which no figure is kept"]);
    page.says(&["No opening hours are configured", "Rules that cite no clause"]);
    for id in Pack::built_in().clauses.keys() {
        assert!(page.body.contains(&format!(">{id}</a>")), "{id}: {}", page.body);
    }
    assert!(!page.body.contains("</span></th><td>100 %</td>"), "nothing owed is not everything kept: {}", page.body);
}

#[tokio::test]
async fn a_fault_and_a_missed_round_are_on_the_page_with_the_way_to_them() {
    let hub = Hub::in_trouble().await;
    hub.pass(2 * 3_600_000);
    hub.open_rounds().await;
    hub.pass(2 * 3_600_000);
    let rounds = hub.open_rounds().await;
    let missed = rounds.iter().find(|round| round.is_missed() && round.is_handover()).expect("nobody has handed over");
    let month = hub.get("/compliance", "en").await;
    month.says(&["things owed", "0 %", "Reception", "/compliance/2026-11/REC-S4.3"]);
    let clause = hub.get("/compliance/2026-11/REC-S4.3", "en").await;
    clause.says(&["REC-S4.3", "Missed", "Handover", &format!("/checks/{}", missed.id)]);
    hub.get("/compliance/2026-11/REC-S4.3", "zh").await.says(&["未做", "交接"]);
    let table = hub.get("/compliance/2026-11/table/csv", "en").await;
    assert_eq!(table.status, StatusCode::OK);
    table.says(&["REC-S4.3", "Missed", "By post"]);
}

#[tokio::test]
async fn what_is_no_month_and_no_clause_is_not_there() {
    let hub = Hub::reporting().await;
    let none = ["/compliance/2026-13", "/compliance/2026-11/XYZ-1", "/compliance/2026-11/table/pdf"];
    for path in none.into_iter().chain(["/compliance/2026-11/devices/none", "/compliance/2026-13/devices/covers-1"]) {
        assert_eq!(hub.get(path, "en").await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_api_tells_the_same_with_a_way_to_each_thing_and_every_way_leads_somewhere() {
    let mut hub = Hub::in_trouble().await;
    hub.pass(10_000);
    hub.report("none", 0.0).await;
    hub.pass(10_000);
    hub.report("none", 0.0).await;
    hub.open_rounds().await;
    let told = hub.read(MONTH).await;
    assert_eq!((&told["site"], &told["month"], &told["posts"]), (&json!("hz-01"), &json!("2026-11"), &Value::Null));
    assert_eq!(told["clauses"].as_array().unwrap().len(), Pack::built_in().clauses.len());
    let empty = clause(&told, "ALL-D").unwrap();
    assert_eq!((&empty["kept"]["percent"], &empty["instances"]), (&Value::Null, &json!([])));
    let out: Vec<&Value> = clause(&told, "SHO-D4").unwrap()["instances"].as_array().unwrap().iter().collect();
    let supply = out.iter().find(|one| one["duty"] == "supply").expect("the machine ran out");
    assert_eq!((&supply["kept"], &supply["post"]), (&json!("missed"), &json!("showflat")));
    assert!(out.iter().all(|one| one["excuse"].is_null() || one["kept"] == "excused"));
    let mut ways = 0;
    for clause in told["clauses"].as_array().unwrap() {
        for one in clause["instances"].as_array().unwrap() {
            let way = one["evidence"].as_str().unwrap();
            assert_eq!(hub.get(way, "en").await.status, StatusCode::OK, "{way}");
            ways += 1;
        }
    }
    assert!(ways > 5, "{told}");
    for path in ["/api/v1/sites/hz-01/compliance/2026-13", "/api/v1/sites/hz-09/compliance/2026-11"] {
        assert_eq!(hub.get(path, "en").await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_post_sees_its_own_clauses_and_no_others() {
    let hub = Hub::in_trouble().await;
    let page = hub.as_role(Role::Concierge, "/compliance").await;
    assert_eq!(page.status, StatusCode::OK);
    page.says(&["Only what concerns: Concierge", ">CON-S9</a>", ">ALL-D</a>"]);
    for other in [">SHO-D4</a>", ">REC-S4.3</a>", "Rules that cite no clause", "一号鞋套机"] {
        assert!(!page.body.contains(other), "{other}: {}", page.body);
    }
    assert_eq!(hub.as_role(Role::Concierge, "/compliance/2026-11/CON-S9").await.status, StatusCode::OK);
    assert_eq!(hub.as_role(Role::Concierge, "/compliance/2026-11/SHO-D4").await.status, StatusCode::NOT_FOUND);
    let table = hub.as_role(Role::Concierge, "/compliance/2026-11/table/csv").await;
    assert!(table.body.contains("CON-S9") && !table.body.contains("SHO-D4"), "{}", table.body);
    let told: Value = serde_json::from_str(&hub.as_role(Role::Concierge, MONTH).await.body).unwrap();
    assert_eq!(told["posts"], json!(["concierge"]));
    assert!(clause(&told, "CON-S9").is_some() && clause(&told, "SHO-D4").is_none(), "{told}");
    let own = hub.as_role(Role::Engineering, "/compliance").await;
    own.says(&[">CON-S9</a>"]);
    hub.as_role(Role::Supervisor, "/compliance").await.says(&[
        ">CON-S9</a>",
        ">SHO-D4</a>",
        "Rules that cite no clause",
    ]);
    for path in ["/compliance", MONTH] {
        assert_eq!(hub.as_role(Role::Viewer, path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn whoever_oversees_several_sites_compares_them_and_goes_to_each() {
    let mut hub = Hub::new(&[SITE, "hz-02"]).await;
    hub.birth().await;
    hub.report("none", 180.0).await;
    let page = hub.get("/compliance", "en").await;
    page.says(&["By site", "/compliance/2026-11?site=hz-01", "/compliance/2026-11?site=hz-02", "Not owed"]);
    page.says(&["href=\"/compliance/2026-10\""]);
    assert!(!page.body.contains("href=\"/compliance/2026-12\""), "it has not begun");
    hub.get("/compliance/2026-10", "zh").await.says(&["各案场 2026-10", "href=\"/compliance/2026-11\""]);
    hub.get("/compliance/2026-11?site=hz-02", "en").await.says(&["By clause", "Nothing was owed this month"]);
}

#[tokio::test]
async fn a_fault_during_maintenance_is_not_held_against_a_device_and_its_alerts_are_one_click_away() {
    let mut hub = Hub::reporting().await;
    let ends = hub.clock.now().millis() + 5 * 60_000;
    hub.make("maintenance", json!({ "matchers": { "site": SITE, "device": "entrance-led" }, "ends": ends })).await;
    for _ in 0..42 {
        hub.pass(10_000);
        hub.report("none", 180.0).await;
    }
    hub.pass(2 * 3_600_000);
    let app = &hub.app;
    let (store, fleet, clock) = (app.store.clone(), app.fleet.clone(), app.clock.clone());
    History { store, fleet, clock, settings: HistorySettings::default() }.roll_up().await.unwrap();
    let told = hub.read(MONTH).await;
    let devices = told["devices"].as_array().unwrap();
    let led = devices.iter().find(|device| device["device"] == "entrance-led").unwrap();
    assert_eq!(led["maintenance"], 5 * 60_000, "{led}");
    // Seven minutes of faults but for the five of maintenance, and until its last record is too old.
    let bad = led["bad"].as_i64().unwrap();
    assert!((120_000..180_000).contains(&bad), "{led}");
    let covers = devices.iter().find(|device| device["device"] == "covers-1").unwrap();
    assert_eq!((&covers["maintenance"], &covers["bad"]), (&json!(0), &json!(0)));
    hub.get("/compliance", "en")
        .await
        .says(&["/compliance/2026-11/devices/entrance-led?site=hz-01", ">5\u{a0}min</td>"]);
    let alerts = hub.get("/compliance/2026-11/devices/entrance-led?site=hz-01", "en").await;
    alerts.says(&["LED display has no signal", "Alerts: 1", "/d/entrance-led?site=hz-01"]);
    let before = hub.get("/compliance/2026-10/devices/entrance-led?site=hz-01", "en").await;
    before.says(&["No alert in this month"]);
}

#[tokio::test]
async fn a_statement_is_agreed_to_once_when_its_month_is_over() {
    let hub = Hub::reporting().await;
    let page = "/stock/statement/2026-10?site=hz-01&item=shoe-cover";
    hub.as_role(Role::Showflat, page).await.says(&["Agree to this statement"]);
    assert!(!hub.as_role(Role::Concierge, page).await.body.contains("Agree to this statement"));
    for _ in 0..2 {
        let answer = hub.form(Role::Showflat, "/stock/statement/hz-01/shoe-cover/2026-10", &[]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        assert_eq!(answer.headers[header::LOCATION], format!("{page}&notice=saved"));
    }
    let agreed = hub.as_role(Role::Showflat, page).await;
    agreed.says(&["Agreed to by showflat"]);
    assert!(!agreed.body.contains("Agree to this statement"), "once is enough");
    let early = hub.form(Role::Showflat, "/stock/statement/hz-01/shoe-cover/2026-11", &[]).await;
    assert!(early.headers[header::LOCATION].to_str().unwrap().ends_with("&notice=step"), "it is not over");
    for nothing in ["/stock/statement/hz-01/none/2026-10", "/stock/statement/hz-01/shoe-cover/2026-13"] {
        assert_eq!(hub.form(Role::Showflat, nothing, &[]).await.status, StatusCode::NOT_FOUND, "{nothing}");
    }
}
