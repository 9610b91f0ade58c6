//! Silences, maintenance windows and acknowledgements as a caller of the API meets them, on a hub whose clock is moved by hand.

use axum::{
    body::Body,
    http::{Method, Request},
};
use lobby_contract::{AgentId, Channel, FromAgent};
use rstest::rstest;
use serde_json::{Value, json};

use crate::{clock::Clock, http::pages::tests::Hub};

const SECOND: i64 = 1000;

impl Hub {
    fn now(&self) -> i64 {
        self.clock.now().millis()
    }

    async fn api(&self, method: Method, path: &str, body: &Value, key: Option<&str>) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = self.ask(request.body(Body::from(body.to_string())).unwrap()).await;
        let json = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        if answer.status.as_u16() >= 400 {
            assert_eq!(answer.headers["content-type"], "application/problem+json", "{json}");
        }
        (answer.status.as_u16(), json)
    }

    pub(in crate::http) async fn read(&self, path: &str) -> Value {
        let (status, body) = self.api(Method::GET, path, &Value::Null, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub(in crate::http) async fn make(&self, what: &str, body: Value) -> Value {
        let (status, made) = self.api(Method::POST, &format!("/api/v1/{what}"), &body, None).await;
        assert_eq!(status, 201, "{made}");
        made
    }

    /// The only alert about the display.
    async fn display(&self) -> Value {
        let alerts = self.read("/api/v1/alerts?device=entrance-led").await;
        let [alert] = alerts["items"].as_array().unwrap().as_slice() else { panic!("{alerts}") };
        assert_eq!(self.read(&format!("/api/v1/alerts/{}", alert["id"].as_str().unwrap())).await, *alert);
        alert.clone()
    }

    async fn states(&self, what: &str) -> Vec<String> {
        let all = self.read(&format!("/api/v1/{what}")).await;
        all["items"].as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect()
    }
}

/// The reasons of one rule's trace that have a cause, with its id.
fn quieted(trace: &Value, rule: &str) -> Vec<(String, String)> {
    let rules = trace["rules"].as_array().unwrap().iter();
    let held = rules.filter(|told| told["rule"] == rule).flat_map(|told| told["held"].as_array().unwrap());
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    held.filter_map(|held| Some((text(&held["reason"]).unwrap(), text(&held["by"])?))).collect()
}

#[tokio::test]
async fn what_kept_an_alert_quiet_is_told_of_any_time_after_it_is_over() {
    let mut hub = Hub::in_trouble().await;
    let (asked, rule) = ("/api/v1/devices/hz-01/entrance-led/trace", "display-no-signal");
    let before = hub.now();
    assert_eq!(quieted(&hub.read(asked).await, rule), []);
    hub.pass(SECOND);
    let mut ids = Vec::new();
    for (what, body) in [
        ("silences", json!({ "matchers": led(), "ends": hub.now() + 20 * SECOND, "by": "李工", "comment": "等备件" })),
        ("maintenance", json!({ "matchers": led(), "include_firing": true, "ends": hub.now() + 20 * SECOND })),
        ("maintenance", json!({ "matchers": led(), "ends": hub.now() + 20 * SECOND })),
    ] {
        ids.push(hub.make(what, body).await["id"].as_str().unwrap().to_owned());
    }
    let during = hub.now() + SECOND;
    hub.pass(2 * SECOND);
    let expected = [("maintenance".to_owned(), ids[1].clone()), ("silenced".to_owned(), ids[0].clone())];
    assert_eq!(quieted(&hub.read(asked).await, rule), expected, "the last window leaves alone what fired before it");
    // They are over, and so is the fault.
    for _ in 0..30 {
        hub.pass(10 * SECOND);
        hub.report("ok", 180.0).await;
    }
    assert_eq!(quieted(&hub.read(asked).await, rule), []);
    let then = hub.read(&format!("{asked}?at={during}")).await;
    assert_eq!(quieted(&then, rule), expected);
    assert_eq!(then["alerts"].as_array().unwrap().len(), 1);
    assert_eq!(quieted(&hub.read(&format!("{asked}?at={before}")).await, rule), []);
    let page = format!("/d/entrance-led/why?site=hz-01&at={during}");
    hub.get(&page, "zh").await.says(&["当时处于静音（李工，等备件）", "当时处于维护窗口"]);
    hub.get(&page, "en").await.says(&["a silence kept it quiet (李工; 等备件)", "a maintenance window kept it quiet"]);
}

/// A box says so.
async fn say(hub: &mut Hub, channel: Channel, message: &Value) {
    let message = FromAgent::decode(channel, message.to_string().as_bytes()).unwrap();
    let agent: AgentId = "net-box".parse().unwrap();
    hub.judge(|site, _, now, changes| match message {
        FromAgent::Birth(birth) => site.birth(&agent, &birth, now, changes),
        FromAgent::Data(data) => site.data(&agent, data, now, changes),
        _ => unreachable!("nothing else is said here"),
    })
    .await;
}

/// Lets time pass, ten seconds at a time, while the network is so and the television behind it does not answer.
async fn lobby(hub: &mut Hub, seqs: std::ops::Range<u64>, link: &str) {
    for seq in seqs {
        hub.pass(10 * SECOND);
        let at = hub.now();
        let record = |seq, device, reach, facts: Value| json!({ "seq": seq, "at": at, "device": device, "reach": reach, "facts": facts });
        let records = [
            record(2 * seq - 1, "lan", "ok", json!({ "link": link })),
            record(2 * seq, "lift-tv", "unreachable", json!({})),
        ];
        say(hub, Channel::Data, &json!({ "epoch": 1, "session": 1, "sent_at": at, "records": records })).await;
    }
}

#[tokio::test]
async fn of_the_present_it_is_told_of_what_an_alert_was_a_consequence_until_it_is_plain_that_it_is_more() {
    let mut hub = Hub::reporting().await;
    let device = |(id, kind)| json!({ "id": id, "kind": kind, "every_ms": 10_000 });
    let devices = [("lan", "network"), ("lift-tv", "tv")].map(device);
    let agent = json!({ "version": "test" });
    let birth = json!({ "epoch": 1, "session": 1, "sent_at": hub.now(), "agent": agent, "devices": devices });
    say(&mut hub, Channel::Birth, &birth).await;
    lobby(&mut hub, 1..11, "down").await;
    let (asked, rule) = ("/api/v1/devices/hz-01/lift-tv/trace", "tv-unreachable");
    let alerts = hub.read("/api/v1/alerts?site=hz-01").await;
    let cause = alerts["items"].as_array().unwrap().iter().find(|alert| alert["device"] == "lan").unwrap();
    let inhibited = [("inhibited".to_owned(), cause["id"].as_str().unwrap().to_owned())];
    assert_eq!(quieted(&hub.read(asked).await, rule), inhibited);
    lobby(&mut hub, 11..15, "up").await;
    let ended = hub.read(&format!("/api/v1/alerts/{}", inhibited[0].1)).await;
    assert_eq!(ended["state"], "cleared");
    assert_eq!(quieted(&hub.read(asked).await, rule), inhibited, "it may only be slow to come back");
    let then = hub.now();
    lobby(&mut hub, 15..19, "up").await;
    assert_eq!(quieted(&hub.read(asked).await, rule), [], "it has a ticket of its own");
    assert_eq!(quieted(&hub.read(&format!("{asked}?at={then}")).await, rule), [], "only the present tells of that");
}

#[tokio::test]
async fn why_a_rule_fired_is_told_also_of_a_time_at_which_another_agent_watched_the_device() {
    let mut hub = Hub::in_trouble().await;
    let (asked, before) = ("/api/v1/devices/hz-01/entrance-led/trace", hub.now());
    hub.pass(SECOND);
    hub.moves_to("lobby-box-2").await;
    let what = |trace: &Value| {
        let rules = trace["rules"].as_array().unwrap().iter();
        let rule = rules.clone().find(|rule| rule["rule"] == "display-no-signal").unwrap();
        (trace["records"].clone(), trace["link"].clone(), rule["phase"].clone())
    };
    let past = format!("{asked}?at={before}");
    let expected = (json!(5), json!("up"), json!("firing"));
    assert_eq!(what(&hub.read(&past).await), expected);
    hub.pass(9 * SECOND);
    hub.report("ok", 180.0).await;
    assert_eq!(what(&hub.read(&past).await), expected, "also once the other one reports");
    assert_eq!(hub.read(asked).await["records"], 1, "what it made of the present begins with it");
}

fn led() -> Value {
    json!({ "device": "entrance-led" })
}

#[tokio::test]
async fn a_silence_holds_from_its_first_moment_up_to_its_end() {
    let hub = Hub::in_trouble().await;
    let now = hub.now();
    assert_eq!(hub.display().await["muted"], Value::Null);
    let body = json!({ "matchers": led(), "starts": now + 10 * SECOND, "ends": now + 20 * SECOND, "by": "李工", "comment": "x" });
    let made = hub.make("silences", body).await;
    assert_eq!((&made["state"], &made["author"], &made["matchers"]), (&json!("pending"), &json!("李工"), &led()));
    let mut seen = Vec::new();
    for (after, state) in [(9_999, "pending"), (1, "active"), (9_999, "active"), (1, "expired")] {
        hub.pass(after);
        assert_eq!(hub.states("silences").await, [state]);
        assert_eq!(hub.read(&format!("/api/v1/silences?state={state}")).await["items"].as_array().unwrap().len(), 1);
        let alert = hub.display().await;
        assert_eq!(alert["state"], "open", "it is judged as ever");
        seen.push((alert["muted"]["by"].clone(), alert["overlays"]["silenced_by"].as_array().unwrap().len()));
    }
    assert_eq!(seen, [(Value::Null, 0), (json!("silence"), 1), (json!("silence"), 1), (Value::Null, 0)]);
}

#[tokio::test]
async fn maintenance_leaves_alone_what_fired_before_unless_it_is_told_otherwise() {
    let hub = Hub::in_trouble().await;
    let ends = hub.now() + 60 * SECOND;
    let window = hub.make("maintenance", json!({ "matchers": led(), "ends": ends, "name": "李工" })).await;
    assert_eq!((&window["include_firing"], &window["author"]), (&json!(false), &json!("李工")));
    let alert = hub.display().await;
    assert_eq!((&alert["muted"], &alert["overlays"]["maintenance_by"]), (&Value::Null, &json!([])));
    let path = format!("/api/v1/maintenance/{}", window["id"].as_str().unwrap());
    let (status, wider) = hub.api(Method::PATCH, &path, &json!({ "include_firing": true, "by": "王工" }), None).await;
    assert_eq!((status, &wider["replaces"], &wider["author"]), (200, &window["id"], &json!("王工")));
    let alert = hub.display().await;
    assert_eq!(alert["muted"], json!({ "by": "maintenance", "id": wider["id"] }));
    assert_eq!(alert["overlays"]["maintenance_by"], json!([wider["id"]]));
    assert_eq!(hub.read(&path).await["state"], "expired", "the old one is kept as it was");
    assert_eq!(hub.app.restraints.maintenance(&"hz-01".parse().unwrap()).len(), 1);
    let (status, _) = hub.api(Method::DELETE, &path, &Value::Null, None).await;
    assert_eq!(status, 409, "it is over");
}

#[tokio::test]
async fn an_alert_is_muted_until_the_last_of_overlapping_windows_ends() {
    let hub = Hub::in_trouble().await;
    let now = hub.now();
    for (from, to) in [(0, 20), (10, 30)] {
        let window = json!({ "matchers": led(), "include_firing": true, "starts": now + from * SECOND, "ends": now + to * SECOND });
        hub.make("maintenance", window).await;
    }
    let mut windows = Vec::new();
    for _ in 0..4 {
        windows.push(hub.display().await["overlays"]["maintenance_by"].as_array().unwrap().len());
        hub.pass(10 * SECOND);
    }
    assert_eq!(windows, [1, 2, 1, 0]);
}

#[tokio::test]
async fn a_change_of_the_matchers_makes_another_silence_and_of_the_end_does_not() {
    let hub = Hub::in_trouble().await;
    let ends = hub.now() + 60 * SECOND;
    let made = hub.make("silences", json!({ "matchers": led(), "ends": ends })).await;
    let path = format!("/api/v1/silences/{}", made["id"].as_str().unwrap());
    let (_, longer) = hub.api(Method::PATCH, &path, &json!({ "ends": ends + SECOND, "by": "王工" }), None).await;
    assert_eq!(
        (&longer["id"], &longer["ends"], &longer["changed_by"]),
        (&made["id"], &json!(ends + SECOND), &json!("王工"))
    );
    let other = json!({ "matchers": { "kind": ["tv", "laptop"] } });
    let (_, another) = hub.api(Method::PATCH, &path, &other, None).await;
    assert_ne!(another["id"], made["id"]);
    assert_eq!((&another["replaces"], &another["matchers"]), (&made["id"], &json!({ "kind": ["laptop", "tv"] })));
    assert_eq!(hub.display().await["muted"], Value::Null);
    let (status, gone) = hub
        .api(
            Method::DELETE,
            &format!("/api/v1/silences/{}?name=Li", another["id"].as_str().unwrap()),
            &Value::Null,
            None,
        )
        .await;
    assert_eq!((status, &gone["state"], &gone["changed_by"]), (200, &json!("expired"), &json!("Li")));
    assert_eq!(hub.states("silences").await, ["expired", "expired"]);
}

#[rstest]
#[case("silences")]
#[case("maintenance")]
#[tokio::test]
async fn a_request_under_a_key_is_done_once(#[case] what: &str) {
    let hub = Hub::in_trouble().await;
    let path = format!("/api/v1/{what}");
    let body = json!({ "matchers": led(), "ends": hub.now() + 60 * SECOND, "by": "李工" });
    let (status, first) = hub.api(Method::POST, &path, &body, Some("k-1")).await;
    assert_eq!(status, 201);
    hub.pass(61 * SECOND);
    let (status, again) = hub.api(Method::POST, &path, &body, Some("k-1")).await;
    assert_eq!((status, &again["id"], &again["state"]), (200, &first["id"], &json!("expired")), "{again}");
    let other = json!({ "matchers": led(), "ends": hub.now() + 99 * SECOND, "by": "李工" });
    let (status, problem) = hub.api(Method::POST, &path, &other, Some("k-1")).await;
    assert_eq!((status, problem["type"].as_str()), (422, Some("/problems/idempotency-key-reused")));
    let (status, new) = hub.api(Method::POST, &path, &other, Some("k-2")).await;
    assert_eq!(status, 201);
    assert_ne!(new["id"], first["id"]);
    assert_eq!(hub.states(what).await, ["active", "expired"]);
}

#[rstest]
#[case::of_everything("silences", json!({ "matchers": {}, "ends": 9e15 }), 422)]
#[case::an_unknown_field("silences", json!({ "matchers": { "colour": "red" }, "ends": 9e15 }), 422)]
#[case::of_nothing("silences", json!({ "ends": i64::MAX }), 400)]
#[case::without_an_end("silences", json!({ "matchers": led() }), 400)]
#[case::in_the_past("silences", json!({ "matchers": led(), "ends": 1 }), 400)]
#[case::for_ever("silences", json!({ "matchers": led(), "ends": i64::MAX }), 400)]
#[case::two_things_at_once("silences", json!({ "matchers": led(), "until_resolved": "00000000-0000-0000-0000-000000000000" }), 400)]
#[case::of_no_alert("silences", json!({ "until_resolved": "00000000-0000-0000-0000-000000000000" }), 409)]
#[case::an_endless_name("silences", json!({ "matchers": led(), "ends": 1, "by": "x".repeat(201) }), 400)]
#[case::maintenance_without_matchers("maintenance", json!({ "ends": i64::MAX }), 422)]
#[case::maintenance_in_the_past("maintenance", json!({ "matchers": led(), "ends": 1 }), 400)]
#[tokio::test]
async fn a_wish_that_makes_no_sense_is_answered_with_a_problem(
    #[case] what: &str,
    #[case] body: Value,
    #[case] expected: u16,
) {
    let hub = Hub::reporting().await;
    let (status, problem) = hub.api(Method::POST, &format!("/api/v1/{what}"), &body, None).await;
    assert_eq!(status, expected, "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    assert_eq!(hub.states(what).await, [""; 0]);
}

#[rstest]
#[case(Method::GET, "/api/v1/silences/nothing")]
#[case(Method::GET, "/api/v1/maintenance/00000000-0000-0000-0000-000000000000")]
#[case(Method::PATCH, "/api/v1/silences/00000000-0000-0000-0000-000000000000")]
#[case(Method::DELETE, "/api/v1/maintenance/00000000-0000-0000-0000-000000000000")]
#[case(Method::GET, "/api/v1/alerts/00000000-0000-0000-0000-000000000000")]
#[case(Method::POST, "/api/v1/alerts/00000000-0000-0000-0000-000000000000/ack")]
#[case(Method::POST, "/api/v1/alerts/00000000-0000-0000-0000-000000000000/clear")]
#[case(Method::POST, "/api/v1/channels/nobody/test")]
#[case(Method::POST, "/api/v1/messages/nothing/resend")]
#[case(Method::POST, "/api/v1/messages/00000000-0000-0000-0000-000000000000/resend")]
#[tokio::test]
async fn what_is_not_there_is_not_found(#[case] method: Method, #[case] path: &str) {
    let (status, problem) = Hub::reporting().await.api(method, path, &json!({}), None).await;
    assert_eq!((status, problem["type"].as_str()), (404, Some("/problems/not-found")), "{problem}");
}

#[rstest]
#[case("state=lost")]
#[case("alert=x")]
#[case("message=x")]
#[case("site=X")]
#[case("after=x")]
#[case("limit=0")]
#[case("colour=red")]
#[tokio::test]
async fn a_question_about_notifications_that_makes_no_sense_is_answered_with_a_problem(#[case] query: &str) {
    let hub = Hub::reporting().await;
    let (status, problem) = hub.api(Method::GET, &format!("/api/v1/notifications?{query}"), &Value::Null, None).await;
    assert_eq!(status, 400, "{problem}");
    for path in ["/api/v1/notifications", "/api/v1/channels"] {
        assert_eq!(hub.read(path).await["items"], json!([]));
    }
}

#[tokio::test]
async fn a_silence_is_not_found_among_the_maintenance_windows() {
    let hub = Hub::reporting().await;
    let made = hub.make("silences", json!({ "matchers": led(), "ends": hub.now() + SECOND })).await;
    let path = format!("/api/v1/maintenance/{}", made["id"].as_str().unwrap());
    assert_eq!(hub.api(Method::GET, &path, &Value::Null, None).await.0, 404);
    assert_eq!(hub.api(Method::DELETE, &path, &Value::Null, None).await.0, 404);
}

#[tokio::test]
async fn an_alert_is_acknowledged_by_the_first_who_takes_notice() {
    let mut hub = Hub::in_trouble().await;
    let alert = hub.display().await;
    assert_eq!((&alert["acknowledged"], &alert["hits"], &alert["previous"]), (&json!(false), &json!(1), &Value::Null));
    let path = format!("/api/v1/alerts/{}/ack", alert["id"].as_str().unwrap());
    for name in ["李工", "王工"] {
        let (status, acked) = hub.api(Method::POST, &path, &json!({ "name": name }), None).await;
        assert_eq!((status, &acked["acknowledged"], &acked["acked_by"]), (200, &json!(true), &json!("李工")));
    }
    for _ in 0..6 {
        hub.pass(10 * SECOND);
        hub.report("ok", 180.0).await;
    }
    let cleared = hub.display().await;
    assert_eq!((&cleared["state"], &cleared["acknowledged"]), (&json!("cleared"), &json!(true)));
}

#[tokio::test]
async fn an_open_alert_of_a_device_that_fell_silent_is_unverified() {
    let hub = Hub::in_trouble().await;
    assert_eq!(hub.display().await["overlays"]["unverified"], false);
    hub.pass(3_600 * SECOND);
    let alert = hub.display().await;
    assert_eq!((&alert["state"], &alert["overlays"]["unverified"]), (&json!("open"), &json!(true)));
}

/// A request with headers: the status, the tag and the body.
async fn with(hub: &Hub, method: Method, path: &str, body: &str, headers: &[(&str, &str)]) -> (u16, String, String) {
    let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = hub.ask(request.body(Body::from(body.to_owned())).unwrap()).await;
    let tag = answer.headers.get("etag").map(|tag| tag.to_str().unwrap().to_owned());
    (answer.status.as_u16(), tag.unwrap_or_default(), answer.body)
}

#[tokio::test]
async fn an_answer_that_the_caller_has_is_not_sent_again() {
    let mut hub = Hub::reporting().await;
    for path in ["/api/v1/devices/hz-01/entrance-led", "/api/v1/devices", "/api/v1/alerts", "/api/v1/openapi.json"] {
        let (status, tag, _) = with(&hub, Method::GET, path, "", &[]).await;
        assert_eq!((status, tag.starts_with('"')), (200, true), "{path} has no strong tag: {tag}");
        let head = with(&hub, Method::HEAD, path, "", &[]).await;
        assert_eq!(head, (200, tag.clone(), String::new()), "{path}");
        for known in [tag.clone(), format!("W/{tag}"), "*".to_owned(), format!("\"other\", {tag}")] {
            let again = with(&hub, Method::GET, path, "", &[("if-none-match", &known)]).await;
            assert_eq!(again, (304, tag.clone(), String::new()), "{path} for {known}");
        }
        let (status, ..) = with(&hub, Method::GET, path, "", &[("if-none-match", "\"other\"")]).await;
        assert_eq!(status, 200, "{path}");
        for (wanted, expected) in [(tag.clone(), 200), ("*".to_owned(), 200), (format!("W/{tag}"), 412)] {
            let (status, ..) = with(&hub, Method::GET, path, "", &[("if-match", &wanted)]).await;
            assert_eq!(status, expected, "{path} for {wanted}");
        }
    }
    let path = "/api/v1/devices/hz-01/entrance-led";
    let (_, before, _) = with(&hub, Method::GET, path, "", &[]).await;
    hub.pass(10 * SECOND);
    hub.report("none", 180.0).await;
    let (status, after, body) = with(&hub, Method::GET, path, "", &[("if-none-match", &before)]).await;
    assert!(status == 200 && after != before && body.contains("\"none\""), "{status} {after} {body}");
    let missing = with(&hub, Method::GET, "/api/v1/tickets/BX-1", "", &[("if-none-match", "*")]).await;
    assert_eq!((missing.0, missing.1.as_str()), (404, ""));
}

#[rstest]
#[case::change("silences", Method::PATCH)]
#[case::change_of_maintenance("maintenance", Method::PATCH)]
#[case::end("silences", Method::DELETE)]
#[case::end_of_maintenance("maintenance", Method::DELETE)]
#[tokio::test]
async fn a_change_is_made_only_of_the_state_it_was_decided_on(#[case] what: &str, #[case] method: Method) {
    let hub = Hub::reporting().await;
    let made = hub.make(what, json!({ "matchers": led(), "ends": hub.now() + 60 * SECOND })).await;
    let path = format!("/api/v1/{what}/{}", made["id"].as_str().unwrap());
    let (_, seen, _) = with(&hub, Method::GET, &path, "", &[]).await;
    let other = json!({ "comment": "等备件" }).to_string();
    assert_eq!(with(&hub, Method::PATCH, &path, &other, &[("if-match", "*")]).await.0, 200);
    let (_, now, before) = with(&hub, Method::GET, &path, "", &[]).await;
    assert_ne!(now, seen);
    let body = json!({ "comment": "备件已到" }).to_string();
    let (weak, quoted) = (format!("W/{now}"), "\"*\"".to_owned());
    for (name, value) in [("if-match", &seen), ("if-match", &weak), ("if-match", &quoted), ("if-none-match", &weak)] {
        let (status, _, problem) = with(&hub, method.clone(), &path, &body, &[(name, value)]).await;
        assert!(status == 412 && problem.contains("/problems/precondition-failed"), "{name}: {value}: {problem}");
    }
    assert_eq!(with(&hub, Method::GET, &path, "", &[]).await.2, before, "nothing was changed");
    let both = format!("{seen}, {now}");
    assert_eq!(with(&hub, method, &path, &body, &[("if-match", &both)]).await.0, 200);
}

#[tokio::test]
async fn if_match_is_never_passed_over_where_there_is_nothing_to_compare() {
    let hub = Hub::in_trouble().await;
    let path = format!("/api/v1/alerts/{}/ack", hub.display().await["id"].as_str().unwrap());
    let (status, _, problem) = with(&hub, Method::POST, &path, "{}", &[("if-match", "*")]).await;
    assert!(status == 412 && problem.contains("leave it out"), "{problem}");
    assert_eq!(hub.display().await["acknowledged"], false);
}

#[rstest]
#[case(Method::GET, "/api/v1/devices/%FF")]
#[case(Method::GET, "/api/v1/devices/hz-01/%FF")]
#[case(Method::GET, "/api/v1/tickets/%C3%28")]
#[case(Method::POST, "/api/v1/alerts/%FF/ack")]
#[case(Method::PATCH, "/api/v1/silences/%FF")]
#[case(Method::POST, "/api/v1/findings/clock/%FF/ignore")]
#[tokio::test]
async fn an_address_that_is_not_utf_8_is_answered_with_a_problem(#[case] method: Method, #[case] path: &str) {
    let hub = Hub::reporting().await;
    let (status, problem) = hub.api(method, path, &json!({}), None).await;
    assert!(status == 400 || status == 404, "{status}");
    assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
}

#[rstest]
#[case::a_list("[]", 422, "a list")]
#[case::a_list_of_the_fields(" [\"李工\"]", 422, "a list")]
#[case::null("null", 422, "null")]
#[case::a_text("\"李工\"", 422, "a text")]
#[case::a_number("-1", 422, "a number")]
#[case::no_json("[", 400, "EOF")]
#[case::nothing("", 400, "EOF")]
#[tokio::test]
async fn a_body_that_is_no_object_is_not_taken_for_an_empty_one(
    #[case] body: &str,
    #[case] expected: u16,
    #[case] says: &str,
) {
    let hub = Hub::in_trouble().await;
    let path = format!("/api/v1/alerts/{}/ack", hub.display().await["id"].as_str().unwrap());
    for path in [path.as_str(), "/api/v1/silences", "/api/v1/channels/nobody/test"] {
        let (status, _, problem) = with(&hub, Method::POST, path, body, &[]).await;
        assert!(status == expected && problem.contains(says), "{path}: {status} {problem}");
    }
    assert_eq!(hub.display().await["acknowledged"], false);
}

#[tokio::test]
async fn a_comment_needs_no_version_and_is_noted_once_by_its_key() {
    let hub = Hub::in_trouble().await;
    let no = hub.ticket().await;
    let path = format!("/api/v1/tickets/{no}/comment");
    let body = json!({ "by": "周", "note": "已改道" });
    for key in [Some("k1"), Some("k1"), None] {
        let (status, ticket) = hub.api(Method::POST, &path, &body, key).await;
        assert_eq!((status, &ticket["version"]), (200, &json!(1)), "{ticket}");
    }
    let (status, problem) = hub.api(Method::POST, &path, &json!({ "note": "x" }), Some("k1")).await;
    assert_eq!((status, &problem["type"]), (422, &json!("/problems/idempotency-key-reused")));
    let (status, problem) = hub.api(Method::POST, &path, &json!({ "note": " " }), None).await;
    assert_eq!((status, &problem["detail"]), (400, &json!("`note` is empty: say what is to be noted")));
    let ticket = hub.read(&format!("/api/v1/tickets/{no}")).await;
    let said: Vec<_> = ticket["events"].as_array().unwrap().iter().filter(|event| event["what"] == "comment").collect();
    assert_eq!(said.len(), 2, "{ticket}");
    assert_eq!((&said[0]["actor"], &said[0]["note"]), (&json!("周"), &json!("已改道")));
}

#[tokio::test]
async fn a_repair_is_finished_with_or_without_what_it_took() {
    let hub = Hub::in_trouble().await;
    let no = hub.ticket().await;
    let path = |action: &str| format!("/api/v1/tickets/{no}/{action}");
    for (action, body, detail) in [
        ("finish", json!({ "version": 1, "cost_fen": -1 }), "the cost is no amount from 0 to 10000000 yuan"),
        ("finish", json!({ "version": 1, "materials": ["a", "b\nc"] }), "material 2 is not one line"),
        ("accept", json!({ "version": 1, "cause": "x" }), "go with `finish` alone"),
    ] {
        let (status, problem) = hub.api(Method::POST, &path(action), &body, None).await;
        assert!(status == 400 && problem["detail"].as_str().unwrap().contains(detail), "{problem}");
    }
    let work = json!({ "cause": "接口松动", "materials": ["网线 × 1"], "cost_fen": 1250 });
    for (action, body) in [
        ("start", json!({ "version": 1 })),
        ("finish", json!({ "version": 2 })),
        ("reopen", json!({ "version": 3 })),
        (
            "finish",
            json!({ "version": 4, "note": "已换线", "cause": "接口松动", "materials": ["网线 × 1"], "cost_fen": 1250 }),
        ),
    ] {
        let (status, ticket) = hub.api(Method::POST, &path(action), &body, None).await;
        assert_eq!(status, 200, "{action}: {ticket}");
    }
    let ticket = hub.read(&format!("/api/v1/tickets/{no}")).await;
    assert_eq!(ticket["arrival"], Value::Null, "a program need not say it, and then nothing shows it");
    let finished: Vec<_> =
        ticket["events"].as_array().unwrap().iter().filter(|event| event["what"] == "finish").collect();
    assert_eq!((&finished[0]["work"], &finished[1]["work"]), (&Value::Null, &work), "{ticket}");
}

#[tokio::test]
async fn a_ticket_is_rejected_for_one_of_three_reasons() {
    let hub = Hub::in_trouble().await;
    let no = hub.ticket().await;
    let path = format!("/api/v1/tickets/{no}/reject");
    for (body, status, detail) in [
        (json!({ "version": 1 }), 400, "`reason` is missing: no_fault_found, out_of_scope or duplicate"),
        (json!({ "version": 1, "reason": "duplicate" }), 400, "`duplicate_of` goes with"),
        (json!({ "version": 1, "reason": "out_of_scope", "duplicate_of": no }), 400, "`duplicate_of` goes with"),
        (
            json!({ "version": 1, "reason": "duplicate", "duplicate_of": no }),
            400,
            "no other open ticket of the same site",
        ),
        (json!({ "version": 1, "reason": "no_fault_found" }), 409, "the fault is still there"),
        (json!({ "version": 1, "reason": "boredom" }), 422, "unknown variant"),
    ] {
        let (got, problem) = hub.api(Method::POST, &path, &body, None).await;
        assert!(got == status && problem["detail"].as_str().unwrap().contains(detail), "{problem}");
    }
    let (status, ticket) = hub.api(Method::POST, &path, &json!({ "version": 1, "reason": "out_of_scope" }), None).await;
    assert_eq!((status, &ticket["state"], &ticket["rejected"]), (200, &json!("closed"), &json!("out_of_scope")));
    assert_eq!(hub.read("/api/v1/tickets?state=open").await["items"], json!([]));
    assert_eq!(hub.display().await["state"], "open", "it is visible still");
}

#[tokio::test]
async fn a_report_is_one_however_often_it_is_sent_with_its_key() {
    let hub = Hub::reporting().await;
    let new = json!({ "site": "hz-01", "device": "entrance-led", "symptoms": ["dark"], "by": "值班", "phone": "13812341234" });
    let (status, made) = hub.api(Method::POST, "/api/v1/tickets", &new, Some("night-1")).await;
    assert_eq!((status, &made["what"], &made["phone"]), (201, &json!("fault"), &json!("13812341234")), "{made}");
    assert_eq!(hub.api(Method::POST, "/api/v1/tickets", &new, Some("night-1")).await, (200, made.clone()));
    let other = json!({ "site": "hz-01", "device": "entrance-led", "note": "又黑了" });
    let (status, problem) = hub.api(Method::POST, "/api/v1/tickets", &other, Some("night-1")).await;
    assert_eq!((status, &problem["type"]), (422, &json!("/problems/idempotency-key-reused")));
    let ticket = hub.read(&format!("/api/v1/tickets/{}", made["ticket"].as_str().unwrap())).await;
    assert_eq!((&ticket["reports"], &ticket["photos"]), (&json!([made]), &json!([])));
    assert_eq!(ticket["rule"], "reported/device");

    let damage = json!({ "site": "hz-01", "what": "damage", "thing": "大堂花瓶" });
    let (status, told) = hub.api(Method::POST, "/api/v1/tickets", &damage, None).await;
    assert_eq!((status, &told["ticket"], &told["device"]), (201, &Value::Null, &Value::Null));
}

#[rstest]
#[case::nothing(json!({ "site": "hz-01", "device": "entrance-led" }), 400, "nothing is said")]
#[case::no_thing(json!({ "site": "hz-01", "note": "x" }), 400, "`thing` is missing")]
#[case::no_device(json!({ "site": "hz-01", "device": "none", "note": "x" }), 404, "no such device")]
#[case::no_site(json!({ "site": "none", "thing": "x", "note": "x" }), 404, "no such site")]
#[case::no_phone(json!({ "site": "hz-01", "thing": "x", "note": "x", "phone": "call me" }), 400, "`phone` is no phone")]
#[case::too_long(json!({ "site": "hz-01", "thing": "x", "note": "x".repeat(501) }), 400, "at most 500")]
#[case::unknown_key(json!({ "site": "hz-01", "nothing": 1 }), 422, "unknown field")]
#[tokio::test]
async fn a_report_that_is_not_valid_is_refused_with_what_is_wrong(
    #[case] body: Value,
    #[case] expected: u16,
    #[case] words: &str,
) {
    let hub = Hub::reporting().await;
    let (status, problem) = hub.api(Method::POST, "/api/v1/tickets", &body, None).await;
    assert_eq!(status, expected, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
}

#[tokio::test]
async fn a_program_says_how_somebody_arrived_and_a_label_is_believed_only_if_it_is_the_devices() {
    let hub = Hub::in_trouble().await;
    let no = hub.ticket().await;
    let site = "hz-01".parse().unwrap();
    let (led, other) = ("entrance-led".parse().unwrap(), "covers-1".parse().unwrap());
    let code = hub.app.store.code(&site, &led).await.unwrap().unwrap();
    let other = hub.app.store.code(&site, &other).await.unwrap().unwrap();
    let start = format!("/api/v1/tickets/{no}/start");
    for (body, detail) in [
        (json!({ "version": 1, "label": other }), "not the code of a label of the ticket's device"),
        (json!({ "version": 1, "label": "entrance-led" }), "not the code of a label"),
        (json!({ "version": 1, "unscanned": "label" }), "`unscanned` says why"),
        (json!({ "version": 1, "label": code, "unscanned": "other" }), "`unscanned` says why"),
        (json!({ "version": 1, "unscanned": "other" }), "say in `note` why the label was not scanned"),
    ] {
        let (status, problem) = hub.api(Method::POST, &start, &body, None).await;
        assert!(status == 400 && problem["detail"].as_str().unwrap().contains(detail), "{body}: {problem}");
    }
    let accept = json!({ "version": 1, "label": code });
    let (status, problem) = hub.api(Method::POST, &format!("/api/v1/tickets/{no}/accept"), &accept, None).await;
    assert_eq!(status, 400, "who accepts is not there yet: {problem}");
    let (status, ticket) = hub.api(Method::POST, &start, &json!({ "version": 1, "label": code }), None).await;
    assert_eq!(
        (status, &ticket["state"], &ticket["arrival"]),
        (200, &json!("in_progress"), &json!("label")),
        "{ticket}"
    );
    let ticket = hub.read(&format!("/api/v1/tickets/{no}")).await;
    let events = ticket["events"].as_array().unwrap();
    let shown: Vec<_> = events.iter().map(|event| (&event["what"], &event["arrival"])).collect();
    assert_eq!(shown, [(&json!("opened"), &Value::Null), (&json!("start"), &json!("label"))]);
}
