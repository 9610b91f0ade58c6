//! How the standards are kept, on its pages: what was owed, what was done, what was not, and where each is to be looked up.

use super::*;

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
    for path in ["/compliance/2026-13", "/compliance/2026-11/XYZ-1", "/compliance/2026-11/table/pdf"] {
        assert_eq!(hub.get(path, "en").await.status, StatusCode::NOT_FOUND, "{path}");
    }
}
