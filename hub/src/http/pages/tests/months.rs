//! An item's month on its pages and in the API: agreeing to the statement, and the plan's way along the chain.

use lobby_domain::access::Role;
use serde_json::{Value, json};

use super::*;

const PLAN: &str = "/stock/plan/hz-01/shoe-cover/2026-12";
const API: &str = "/api/v1/sites/hz-01/stock/shoe-cover";

impl Hub {
    /// Something was used on a whole day that is over, so that something can be proposed.
    async fn with_use() -> Self {
        let hub = Self::reporting().await;
        // The first day that is known was perhaps not seen from its beginning.
        for (kind, pieces, days) in [("receive", 5000, 0), ("hand-out", 10, 1), ("hand-out", 400, 1)] {
            let body =
                json!({ "site": "hz-01", "item": "shoe-cover", "kind": kind, "pieces": pieces, "reason": "访客" });
            let (status, told) = hub.posts(Role::Showflat, "/api/v1/stock/movements", &body, None).await;
            assert_eq!(status, 201, "{told}");
            hub.pass(days * 24 * 60 * 60_000);
        }
        hub
    }

    async fn decides(&self, role: Role, act: &str, body: &Value) -> (u16, Value) {
        self.posts(role, &format!("{API}/plans/2026-12/{act}"), body, None).await
    }
}

#[tokio::test]
async fn a_program_takes_a_plan_along_the_chain_once() {
    let hub = Hub::with_use().await;
    let (status, told) = hub.decides(Role::Showflat, "edit", &json!({ "seen": 0, "pieces": 700 })).await;
    assert_eq!((status, &told["type"]), (400, &json!("/problems/invalid-parameter")), "a reason is missing: {told}");
    let (status, told) = hub.decides(Role::Showflat, "edit", &json!({ "seen": 0, "reason": "x" })).await;
    assert_eq!((status, &told["detail"]), (400, &json!("`pieces` is missing")));
    let edited = json!({ "seen": 0, "pieces": 700, "reason": "有活动" });
    for _ in 0..2 {
        let (status, plan) = hub.decides(Role::Showflat, "edit", &edited).await;
        assert_eq!((status, &plan["pieces"], plan["steps"].as_array().unwrap().len()), (200, &json!(700), 1), "{plan}");
    }
    let (status, told) = hub.decides(Role::Showflat, "submit", &json!({ "seen": 0 })).await;
    assert_eq!((status, &told["type"]), (409, &json!("/problems/conflict")), "it was edited meanwhile: {told}");
    let (status, plan) = hub.decides(Role::Showflat, "submit", &json!({ "seen": 1 })).await;
    assert_eq!((status, &plan["waits_for"]), (200, &json!("supervisor")), "{plan}");
    let (status, told) = hub.decides(Role::Manager, "approve", &json!({ "seen": 2 })).await;
    assert_eq!((status, &told["type"]), (403, &json!("/problems/forbidden")), "it is the supervisor's turn: {told}");
    for (role, seen) in [(Role::Supervisor, 2), (Role::Manager, 3)] {
        let (status, plan) = hub.decides(role, "approve", &json!({ "seen": seen })).await;
        assert_eq!((status, plan["approved"].as_bool()), (200, Some(role == Role::Manager)), "{plan}");
    }
    let plan = hub.read(&format!("{API}/plans/2026-12")).await;
    let acts: Vec<&str> = plan["steps"].as_array().unwrap().iter().map(|step| step["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["edit", "submit", "approve", "approve"]);
    assert_eq!(hub.decides(Role::Showflat, "burn", &json!({ "seen": 4 })).await.0, 404);
}

#[tokio::test]
async fn a_program_agrees_to_a_statement_when_its_month_is_over() {
    let hub = Hub::with_use().await;
    let (path, early) = (format!("{API}/statements/2026-10/agree"), format!("{API}/statements/2026-11/agree"));
    assert_eq!(hub.read(&format!("{API}/statements/2026-10")).await["agreed"], Value::Null);
    let (status, first) = hub.posts(Role::Showflat, &path, &json!({}), None).await;
    assert_eq!((status, &first["agreed"]["by"]), (200, &json!("showflat")), "{first}");
    let (status, again) = hub.posts(Role::Manager, &path, &json!({}), None).await;
    assert_eq!((status, &again["agreed"]), (200, &first["agreed"]), "the first who agrees is noted");
    assert_eq!(hub.read(&format!("{API}/statements/2026-10")).await["agreed"], first["agreed"]);
    let (status, told) = hub.posts(Role::Showflat, &early, &json!({}), None).await;
    assert_eq!((status, &told["type"]), (409, &json!("/problems/conflict")), "{told}");
    assert_eq!(hub.posts(Role::Concierge, &path, &json!({}), None).await.0, 403);
}

#[tokio::test]
async fn a_refused_form_of_a_plan_comes_back_with_what_was_typed() {
    let hub = Hub::with_use().await;
    let refused = async |fields: &[(&str, &str)], says: &[&str]| {
        let answer = hub.form(Role::Showflat, PLAN, fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
        answer.says(says);
    };
    let no_pieces = [("seen", "0"), ("do", "edit"), ("pieces", "7oo"), ("reason", "有活动")];
    refused(&no_pieces, &["value=\"7oo\"", "value=\"有活动\"", "id=\"pieces-wrong\""]).await;
    refused(
        &[("seen", "0"), ("do", "edit"), ("pieces", "710"), ("reason", " ")],
        &["value=\"710\"", "id=\"why-wrong\""],
    )
    .await;
    let sent = hub.form(Role::Showflat, PLAN, &[("seen", "0"), ("do", "submit")]).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
    let returned = hub.form(Role::Supervisor, PLAN, &[("seen", "1"), ("do", "return"), ("reason", "")]).await;
    assert_eq!(returned.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", returned.body);
    returned.says(&["id=\"back-wrong\""]);
    let plan = hub.read(&format!("{API}/plans/2026-12")).await;
    assert_eq!(plan["steps"].as_array().unwrap().len(), 1, "nothing of it was done: {plan}");
}

#[tokio::test]
async fn a_month_is_to_be_had_on_paper_with_room_for_names() {
    let hub = Hub::with_use().await;
    let paper = async |path: &str, says: &[&str]| {
        let answer = hub.as_role(Role::Showflat, &format!("{path}/print?site=hz-01&item=shoe-cover")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.says(says);
    };
    paper("/stock/statement/2026-11", &["Counted by", "410", "The month is not over"]).await;
    paper("/stock/plan/2026-12", &["Asked for by", "Safety stock"]).await;
    let link = "/stock/plan/2026-12/print?site=hz-01";
    hub.as_role(Role::Showflat, "/stock/plan/2026-12?site=hz-01&item=shoe-cover").await.says(&[link]);
}
