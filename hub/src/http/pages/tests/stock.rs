//! The stock ledger, on its page and in the API.

use lobby_domain::access::{Grant, Role};
use serde_json::{Value, json};

use super::*;
use crate::{audit::Actor, stock};

const PATH: &str = "/stock/hz-01";
const KEY: &str = "0192f0c1-1111-7000-8000-000000000001";

impl Hub {
    /// The machine's counter stands at `count`.
    async fn dispensed(&mut self, count: f64) {
        self.pass(10_000);
        let (at, seq) = (self.clock.now().millis(), self.seq + 1);
        let facts =
            facts(&[("covers_dispensed", count.into()), ("covers_dispensed_epoch", 0.0.into()), ("jam", false.into())]);
        let record = Record { seq, at, device: "covers-1".parse().unwrap(), reach: Reach::Ok, facts, faults: vec![] };
        self.seq = seq;
        let data = Data { epoch: 1, session: 1, sent_at: at, oldest: None, records: vec![record], refused: vec![] };
        self.judge(|site, agent, now, changes| site.data(agent, data, now, changes)).await;
    }

    async fn token(&self, role: Role) -> String {
        let grant = Grant { role, site: Some(SITE.parse().unwrap()) };
        let now = self.app.clock.now();
        let made = crate::token::create(&self.app.store, role.to_string(), grant, None, now, &Actor::here("")).await;
        made.unwrap().0
    }

    /// Sends a form with a program's token of that role.
    pub(super) async fn form(&self, role: Role, path: &str, fields: &[(&str, &str)]) -> Answer {
        let field = |(name, value): &(&str, &str)| format!("{name}={}", crate::http::pages::reader::encoded(value));
        let body = fields.iter().map(field).collect::<Vec<_>>().join("&");
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token(role).await))
            .header(header::ACCEPT, "text/html")
            .header(header::COOKIE, "lang=en");
        self.ask(request.body(Body::from(body)).unwrap()).await
    }

    /// The same of show-flat staff, who come back to a page with that notice.
    async fn enters(&self, fields: &[(&str, &str)], notice: &str) {
        let form = [&[("key", KEY), ("item", "shoe-cover")], fields].concat();
        let answer = self.form(Role::Showflat, PATH, &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        assert_eq!(answer.headers[header::LOCATION], format!("/stock?site=hz-01&notice={notice}"));
    }

    /// The same, where it is not entered: the page says so and has what was typed in the form.
    async fn refuses(&self, fields: &[(&str, &str)], status: u16, says: &[&str]) {
        let before = self.stock().await;
        let form = [&[("key", KEY), ("item", "shoe-cover")], fields].concat();
        let answer = self.form(Role::Showflat, PATH, &form).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
        answer.says(says);
        assert_eq!(self.stock().await, before, "nothing is entered");
    }

    pub(super) async fn as_role(&self, role: Role, path: &str) -> Answer {
        let request = Request::get(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token(role).await))
            .header(header::COOKIE, "lang=en");
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    pub(super) async fn posts(&self, role: Role, path: &str, body: &Value, key: Option<&str>) -> (u16, Value) {
        let mut request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token(role).await));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = self.ask(request.body(Body::from(body.to_string())).unwrap()).await;
        (answer.status.as_u16(), serde_json::from_str(&answer.body).unwrap_or(Value::Null))
    }

    async fn stock(&self) -> Value {
        let answer = self.as_role(Role::Viewer, "/api/v1/stock?site=hz-01").await;
        let all: Value = serde_json::from_str(&answer.body).unwrap();
        all["items"][0].clone()
    }

    /// The open alerts of stock, by rule.
    async fn told(&self) -> Vec<String> {
        let open = self.app.store.open_low(&SITE.parse().unwrap()).await.unwrap();
        open.into_iter().map(|(subject, rule)| format!("{subject} {rule}")).collect()
    }

    async fn look(&self) {
        stock::look_at(&self.app.store, &self.app.fleet, &SITE.parse().unwrap(), self.app.clock.now()).await.unwrap();
    }
}

#[tokio::test]
async fn a_machine_is_refilled_and_counted_on_the_page_once_whatever_is_sent_again() {
    let mut hub = Hub::reporting().await;
    hub.dispensed(100.0).await;
    hub.as_role(Role::Showflat, "/stock").await.says(&["nobody keeps the ledger yet", "Nothing was entered yet"]);
    let refill = [("kind", "refill"), ("place", "machine/covers-1"), ("pieces", "200")];
    hub.enters(&refill, "saved").await;
    hub.enters(&refill, "saved").await;
    assert_eq!(
        hub.stock().await["balances"],
        json!([
            { "place": "store", "pieces": -200 }, { "place": "machine/covers-1", "pieces": 200 }
        ])
    );
    hub.dispensed(130.0).await;
    let now = hub.stock().await;
    assert_eq!(now["machines"][0]["booked"], Value::Null, "what was in it before is not known");
    assert_eq!((&now["machines"][0]["dispensed"], &now["machines"][0]["dispensed_today"]), (&json!(30), &json!(30)));
    // A count that finds another number says why.
    let count = |reason| [("kind", "count"), ("place", "machine/covers-1"), ("pieces", "165"), ("reason", reason)];
    let beside = "aria-describedby=\"recount-r-covers-1-wrong\"";
    let refused =
        ["Nothing was entered", "say why and send it again", "id=\"recount-covers-1\" open", "value=\"165\"", beside];
    hub.refuses(&count(""), 422, &refused).await;
    hub.enters(&count("掉了 <5> 片"), "saved").await;
    assert_eq!(hub.stock().await["machines"][0]["booked"], 165);
    let beside = "aria-describedby=\"receive-n-shoe-cover-wrong\"";
    for typed in ["many", "", "0", "1000001"] {
        let kept = format!("value=\"{typed}\" aria-invalid=\"true\" {beside}");
        hub.refuses(&[("kind", "receive"), ("pieces", typed), ("by", "王敏")], 422, &[&kept, "value=\"王敏\""]).await;
    }
    let to = "aria-describedby=\"transfer-t-shoe-cover-wrong\"";
    let transfer = [("kind", "transfer"), ("place", "machine/covers-1"), ("to", "machine/covers-1"), ("pieces", "5")];
    hub.refuses(&transfer, 422, &[to, "<option value=\"machine/covers-1\" selected>", "value=\"5\""]).await;
    let order = [("kind", "order"), ("pieces", "800"), ("due", "tomorrow")];
    hub.refuses(&order, 422, &["value=\"tomorrow\"", "A day is written like", "value=\"800\""]).await;
    // A form of another page that is put right goes back there.
    let from = [("kind", "refill"), ("place", "machine/covers-1"), ("pieces", "x"), ("back", "/showflat")];
    hub.refuses(&from, 422, &["name=\"back\" value=\"/showflat\"", "value=\"x\""]).await;
    let page = hub.as_role(Role::Showflat, "/stock").await;
    page.says(&[
        "Below zero by the ledger",
        "Last refill 200",
        "165 pcs left",
        "&#60;5&#62;",
        "Difference",
        "value=\"200\"",
    ]);
    hub.as_role(Role::Showflat, "/showflat").await.says(&["Dispensed today", "name=\"pieces\"", "Last refill 200"]);
}

#[tokio::test]
async fn a_slip_is_undone_once_by_a_counter_entry() {
    let hub = Hub::reporting().await;
    hub.enters(&[("kind", "receive"), ("pieces", "5000")], "saved").await;
    let rows = hub.as_role(Role::Viewer, "/api/v1/stock/movements").await;
    let rows: Value = serde_json::from_str(&rows.body).unwrap();
    let id = rows["items"][0]["id"].as_str().unwrap();
    let undo = [("key", KEY), ("of", id)];
    for notice in ["saved", "saved"] {
        let answer = hub.form(Role::Supervisor, "/stock/hz-01/correct", &undo).await;
        assert_eq!(answer.headers[header::LOCATION], format!("/stock?site=hz-01&notice={notice}"));
    }
    let again = [("key", "0192f0c1-1111-7000-8000-000000000009"), ("of", id)];
    let answer = hub.form(Role::Supervisor, "/stock/hz-01/correct", &again).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    answer.says(&["something has changed since the page was opened", "This was undone already"]);
    assert_eq!(hub.stock().await["balances"][0], json!({ "place": "store", "pieces": 0 }));
    hub.as_role(Role::Viewer, "/stock").await.says(&["Undone", "Undoes another"]);
}

#[tokio::test]
async fn who_does_not_keep_the_stock_reads_and_enters_nothing() {
    let hub = Hub::reporting().await;
    for role in [Role::Engineering, Role::Concierge, Role::Viewer] {
        let form = [("key", KEY), ("item", "shoe-cover"), ("kind", "receive"), ("pieces", "5")];
        assert_eq!(hub.form(role, PATH, &form).await.status, StatusCode::FORBIDDEN, "{role}");
        let page = hub.as_role(role, "/stock").await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(!page.body.contains("name=\"pieces\""), "{role}");
    }
    assert_eq!(hub.form(Role::Manager, "/stock/hz-02", &[("key", KEY)]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_api_enters_a_movement_once_and_says_what_is_wrong() {
    let hub = Hub::reporting().await;
    let path = "/api/v1/stock/movements";
    let refill =
        json!({ "site": SITE, "item": "shoe-cover", "kind": "refill", "place": "machine/covers-1", "pieces": 80 });
    let (status, made) = hub.posts(Role::Showflat, path, &refill, Some("a")).await;
    assert_eq!((status, &made["from"], &made["post"]), (201, &json!("store"), &json!("showflat")), "{made}");
    assert_eq!(hub.posts(Role::Showflat, path, &refill, Some("a")).await.0, 200);
    let other = json!({ "site": SITE, "item": "shoe-cover", "kind": "receive", "pieces": 80 });
    assert_eq!(hub.posts(Role::Showflat, path, &other, Some("a")).await.0, 422);
    for (change, status, said) in [
        (json!({ "kind": "sell" }), 400, "there is no kind `sell`"),
        (json!({ "pieces": 0 }), 400, "from 1 to 1000000"),
        (json!({ "pieces": null }), 400, "`pieces` is missing"),
        (json!({ "place": "store" }), 400, "the machine that was refilled"),
        (json!({ "place": "machine/laptop-1" }), 404, "machine that hands this out"),
        (json!({ "kind": "waste", "place": "counter" }), 400, "`hand_out`"),
        (json!({ "kind": "waste", "place": "moon" }), 400, "there is no place `moon`"),
        (json!({ "kind": "count", "place": "store" }), 400, "say why in `reason`"),
        (json!({ "kind": "cancel" }), 400, "`order` is missing"),
        (json!({ "kind": "cancel", "order": KEY }), 404, "no such movement or order"),
        (json!({ "item": "gold" }), 404, "item in the standards"),
        (json!({ "site": "hz-02" }), 404, "site"),
    ] {
        let mut body = refill.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (got, problem) = hub.posts(Role::Showflat, path, &body, None).await;
        assert_eq!(got, status, "{change}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{change}: {problem}");
    }
    let id = made["id"].as_str().unwrap();
    let correct = format!("{path}/{id}/correct");
    assert_eq!(hub.posts(Role::Engineering, &correct, &json!({}), None).await.0, 403);
    assert_eq!(hub.posts(Role::Showflat, &correct, &json!({ "reason": "填错" }), None).await.0, 201);
    assert_eq!(hub.posts(Role::Showflat, &correct, &json!({}), None).await.0, 409);
}

#[tokio::test]
async fn a_store_room_that_runs_low_is_told_once_and_not_while_what_is_ordered_comes_in_time() {
    let hub = Hub::reporting().await;
    hub.look().await;
    assert_eq!(hub.told().await, Vec::<String>::new(), "nobody keeps the ledger");
    hub.enters(&[("kind", "receive"), ("pieces", "150")], "saved").await;
    assert_eq!(hub.told().await, ["site/ stock/low/shoe-cover"], "below the usual least of 200");
    hub.look().await;
    hub.enters(&[("kind", "hand-out"), ("pieces", "4")], "saved").await;
    let alerts = hub.app.store.alerts(&crate::store::AlertFilter::default(), None, 10).await.unwrap().unwrap().0;
    assert_eq!((alerts.len(), &*alerts[0].title.en), (1, "Shoe covers: the store room runs low"));
    assert!(alerts[0].evidence.en.starts_with("150 in the store room, 0 on order in time"), "{:?}", alerts[0].evidence);
    hub.as_role(Role::Viewer, "/alerts").await.says(&["Shoe covers: the store room runs low"]);
    hub.as_role(Role::Viewer, "/stock").await.says(&["Ask the supervisor to buy"]);
    hub.enters(&[("kind", "order"), ("pieces", "800")], "saved").await;
    assert_eq!(hub.told().await, Vec::<String>::new());
    let order = hub.stock().await["orders"][0]["id"].as_str().unwrap().to_owned();
    hub.pass(60_000);
    hub.enters(&[("kind", "cancel"), ("order", &order)], "saved").await;
    assert_eq!(hub.told().await, ["site/ stock/low/shoe-cover"], "it is low again");
    // A page from before still has the order's form.
    let late = [("kind", "receive"), ("order", &*order), ("pieces", "300"), ("by", "王敏")];
    hub.refuses(&late, 409, &["All of this order has come", "What you typed: 300 · 王敏"]).await;
    let gone = [("kind", "refill"), ("place", "machine/covers-9"), ("pieces", "31")];
    hub.refuses(&gone, 409, &["This machine or item is not here any more", "What you typed: 31"]).await;
}

#[tokio::test]
async fn a_machine_that_only_the_ledger_knows_is_told_when_it_is_empty_and_left_alone_while_nothing_is_heard() {
    let mut hub = Hub::new(&[SITE]).await;
    hub.birth().await;
    hub.dispensed(100.0).await;
    hub.look().await;
    assert_eq!(hub.told().await, Vec::<String>::new(), "how many are in it is not known");
    hub.enters(&[("kind", "refill"), ("place", "machine/covers-1"), ("pieces", "10")], "saved").await;
    hub.look().await;
    assert_eq!(hub.told().await, ["site/ stock/low/shoe-cover"], "nor now");
    let counted = [("kind", "count"), ("place", "machine/covers-1"), ("pieces", "30"), ("reason", "首次盘点")];
    hub.enters(&counted, "saved").await;
    hub.enters(&[("kind", "receive"), ("pieces", "2000")], "saved").await;
    hub.dispensed(130.0).await;
    hub.look().await;
    assert_eq!(hub.told().await, ["covers-1 stock/empty/shoe-cover"]);
    hub.pass(3_600_000);
    hub.look().await;
    assert_eq!(hub.told().await, ["covers-1 stock/empty/shoe-cover"], "nobody knows whether it was refilled");
    hub.enters(&[("kind", "refill"), ("place", "machine/covers-1"), ("pieces", "200")], "saved").await;
    hub.dispensed(130.0).await;
    hub.look().await;
    assert_eq!(hub.told().await, Vec::<String>::new());
}
