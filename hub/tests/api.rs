//! The API as a caller sees it: whole answers, whole mistakes.

#![expect(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped is a failure")]

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use jiff::tz::TimeZone;
use lobby_contract::{AgentId, DeviceId, Lost, Reach, Record, SiteId};
use lobby_domain::{
    agent::Agent,
    alert::{AlertId, Raise, Step, Subject},
    delivery::Stream,
    device::Device,
    label::Label,
    pack::Pack,
    site::{AlertChange, Changes, NewRecord},
    time::{Span, Timestamp},
};
use lobby_hub::{
    account::Accounts,
    clock::Clock,
    fleet::Fleet,
    history::{History, HistorySettings},
    http::{self, App},
    ingest::{self, Counters, Desk},
    lifecycle::Lifecycle,
    mqtt::{self, EmbeddedSettings, Settings},
    notify::{Notify, Watched},
    restraints::Restraints,
    store::{Batch, Store, Writer},
};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;

/// 2026-11-20 10:00 in Shanghai.
const T0: Timestamp = Timestamp::from_millis(1_795_140_000_000);
const TICKET: &str = "/api/v1/tickets/BX-202611-0001";

/// A clock that stands, so that an answer is the same in every run.
struct Stopped(Timestamp);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// A hub's web side, with what one display has reported: three records and a fault.
struct Web {
    router: Router,
    lifecycle: Lifecycle,
    _folder: TempDir,
}

fn reported() -> Batch {
    let (agent, device): (AgentId, DeviceId) = ("box".parse().unwrap(), "entrance-led".parse().unwrap());
    let record = |seq: u64| {
        let at = T0 + Span::from_secs(u32::try_from(seq).unwrap());
        let facts = [("power".into(), "off".into()), ("temperature_c".into(), 41.5.into())].into();
        let record =
            Record { seq, at: at.millis(), device: device.clone(), reach: Reach::Ok, facts, faults: vec!["E1".into()] };
        NewRecord { agent: agent.clone(), epoch: 7, record, received_at: at.shifted(20), at, clock_suspect: false }
    };
    let rule = Arc::clone(Pack::built_in().rule("display-dark").unwrap());
    let (site, subject, at): (SiteId, _, _) =
        ("demo".parse().unwrap(), Subject::Device(device.clone()), T0.shifted(3000));
    let id = AlertId::derive(&site, &subject, &rule.id, at, 0);
    let evidence = Label::new("电源：关机", "Power: off");
    let changes = Changes {
        records: (1..=3).map(record).collect(),
        alerts: vec![AlertChange::Raise(Raise {
            id,
            subject,
            rule,
            since: T0,
            at,
            evidence,
            step: Step::Open,
            tell: true,
        })],
        agents: [agent.clone()].into(),
        devices: [device.clone()].into(),
        ..Changes::default()
    };
    let mut known = Device::new(device, agent.clone());
    known.kind = "led-display".into();
    known.name = "门口电子显示屏".into();
    known.announced = true;
    known.every = Span::from_mins(4);
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let mut stream = Stream::restored(0, 0);
    for seq in 1..=3 {
        stream.take(seq);
        stream.delayed(Span::from_millis(20), T0);
    }
    let mut changes = changes;
    let lost = stream.give_up(4, 9);
    changes.lost = lost.into_iter().map(|(from, to)| (agent.clone(), Lost { epoch: 7, from, to })).collect();
    changes.streams.insert((agent.clone(), 7));
    let mut agent = Agent::new(agent, T0);
    agent.streams.insert(7, stream);
    Batch { site, zone, changes, agents: vec![agent], devices: vec![known], told: Vec::new() }
}

impl Web {
    async fn start() -> Self {
        Self::at(T0).await
    }

    /// As it is at `now`, with every hour that has ended rolled up.
    async fn at(now: Timestamp) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}", folder.path().join("lobby.db").display())).await.unwrap();
        let (pack, clock) = (Pack::built_in(), Arc::new(Stopped(now)) as Arc<dyn Clock>);
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let fleet = Arc::new(Fleet::new(pack.clone(), BTreeMap::new(), zone));
        let mut writer = Writer::new(store.clone(), fleet.setup(), || "k7m2q9xa".to_owned());
        writer.commit(&[reported()], T0).await.unwrap();
        ingest::restore(&store, &fleet, clock.as_ref()).await.unwrap();
        let settings = HistorySettings::default();
        let history = History { store: store.clone(), fleet: fleet.clone(), clock: clock.clone(), settings };
        history.roll_up().await.unwrap();
        let lifecycle = Lifecycle::new();
        let anywhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let settings = Settings::Embedded(EmbeddedSettings { listen: vec![anywhere], ..EmbeddedSettings::default() });
        let mqtt = mqtt::start(settings, &lifecycle, clock.clone(), mqtt::queue(1).0).await.unwrap();
        let (counters, mqtt) = (Arc::new(Counters::default()), Arc::new(mqtt));
        let stop = lifecycle.stop_token();
        let backups = lobby_hub::backup::Status::default();
        let restraints = Restraints::load(store.clone(), fleet.clone(), clock.clone()).await.unwrap();
        let (findings, progress, desk) = (Arc::default(), Arc::default(), Desk::new().0);
        let notify = Notify {
            store: store.clone(),
            fleet: fleet.clone(),
            restraints: restraints.clone(),
            clock: clock.clone(),
            findings: Arc::default(),
            progress: Arc::default(),
            settings: watch::channel(Arc::default()).1,
            watched: Watched::default(),
        };
        let accounts = Accounts::new(store.clone(), clock.clone(), true, folder.path());
        let app = App {
            store,
            fleet,
            clock,
            counters,
            desk,
            restraints,
            findings,
            progress,
            mqtt,
            stop,
            demo: false,
            backups,
            accounts: Arc::new(accounts),
            notify: Arc::new(notify),
            https: false,
            hosts: Arc::default(),
            reports: Arc::default(),
        };
        Self { router: http::router(app), lifecycle, _folder: folder }
    }

    async fn answer(&self, request: Request<Body>) -> (StatusCode, String, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, kind) = (response.status(), response.headers().get(header::CONTENT_TYPE).cloned());
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let kind = kind.map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
        (status, kind, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> Value {
        let request = Request::get(path).header(header::HOST, "localhost").body(Body::empty()).unwrap();
        let (status, kind, body) = self.answer(request).await;
        assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/json"), "{path}: {body}");
        body
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, String, Value) {
        let request = Request::post(path).header(header::HOST, "127.0.0.1:8080");
        let request = request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string()));
        self.answer(request.unwrap()).await
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

#[rstest]
#[case::sites("sites", "/api/v1/sites")]
#[case::devices("devices", "/api/v1/devices")]
#[case::device("device", "/api/v1/devices/demo/entrance-led")]
#[case::agents("agents", "/api/v1/agents?site=demo")]
#[case::agent("agent", "/api/v1/agents/demo/box")]
#[case::lost("lost", "/api/v1/agents/demo/box/lost?limit=1")]
#[case::records("records", "/api/v1/records?site=demo&limit=1")]
#[case::alerts("alerts", "/api/v1/alerts?state=open")]
#[case::tickets("tickets", "/api/v1/tickets?device=entrance-led")]
#[case::ticket("ticket", TICKET)]
#[tokio::test]
async fn an_answer_is_what_callers_have_been_promised(#[case] name: &str, #[case] path: &str) {
    let body = Web::start().await.get(path).await;
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_json_snapshot!(name, body);
    });
}

#[tokio::test]
async fn the_past_is_told_by_hours_and_by_days_of_the_sites_zone() {
    let web = Web::at(T0 + Span::from_mins(120)).await;
    let [hours, days] = [
        web.get("/api/v1/history?site=demo&device=entrance-led&range=7d").await,
        web.get("/api/v1/history?site=demo&device=entrance-led&range=1y").await,
    ];
    let known = json!({ "abnormal": 722_000, "normal": 0, "offline": 0, "unknown": 2_878_000 });
    let figures = json!({ "temperature_c": { "count": 3, "low": 41.5, "high": 41.5, "mean": 41.5 } });
    let item = |at: i64| json!({ "at": at, "records": 3, "all": known, "open": known, "figures": figures });
    assert_eq!((&hours["grain"], &hours["items"]), (&json!("hour"), &json!([item(T0.millis())])));
    let midnight = T0.millis() - 10 * 60 * 60 * 1000;
    assert_eq!((&days["grain"], &days["items"]), (&json!("day"), &json!([item(midnight)])));
}

#[rstest]
#[case::by_number("/api/v1/records?site=demo&limit=2")]
#[case::by_time("/api/v1/records?site=demo&device=entrance-led&limit=2")]
#[tokio::test]
async fn the_next_page_begins_where_the_last_one_ended(#[case] path: &str) {
    let web = Web::start().await;
    let first = web.get(path).await;
    let second = web.get(&format!("{path}&after={}", first["next"].as_str().unwrap())).await;
    let seqs =
        |page: &Value| page["items"].as_array().unwrap().iter().map(|row| row["seq"].clone()).collect::<Vec<_>>();
    assert_eq!(
        (seqs(&first), seqs(&second), &second["next"]),
        (vec![json!(1), json!(2)], vec![json!(3)], &Value::Null)
    );
}

#[rstest]
#[case::nothing_there("/api/v1/robots", 404, "/problems/not-found")]
#[case::another_method("/api/v1/findings/clock/clock_stepped/ignore", 405, "/problems/method-not-allowed")]
#[case::no_such_ticket("/api/v1/tickets/BX-1", 404, "/problems/not-found")]
#[case::no_such_device("/api/v1/devices/demo/nothing", 404, "/problems/not-found")]
#[case::no_history("/api/v1/history?site=demo&device=nothing", 404, "/problems/not-found")]
#[case::unknown_range("/api/v1/history?site=demo&device=entrance-led&range=2d", 400, "/problems/invalid-parameter")]
#[case::why_of_no_such_device("/api/v1/devices/demo/nothing/trace", 404, "/problems/not-found")]
#[case::why_at_no_time("/api/v1/devices/demo/entrance-led/trace?at=soon", 400, "/problems/invalid-parameter")]
#[case::no_such_agent("/api/v1/agents/demo/nobody", 404, "/problems/not-found")]
#[case::nothing_lost_by_nobody("/api/v1/agents/demo/nobody/lost", 404, "/problems/not-found")]
#[case::a_foreign_cursor_of_agents("/api/v1/agents?after=yesterday", 400, "/problems/invalid-parameter")]
#[case::no_site("/api/v1/records", 400, "/problems/invalid-parameter")]
#[case::a_site_that_is_no_name("/api/v1/alerts?site=Demo!", 400, "/problems/invalid-parameter")]
#[case::unknown_parameter("/api/v1/alerts?colour=red", 400, "/problems/invalid-parameter")]
#[case::unknown_state("/api/v1/tickets?state=lost", 400, "/problems/invalid-parameter")]
#[case::too_many("/api/v1/alerts?limit=1001", 400, "/problems/invalid-parameter")]
#[case::none_at_all("/api/v1/devices?limit=0", 400, "/problems/invalid-parameter")]
#[case::a_foreign_cursor("/api/v1/tickets?after=yesterday", 400, "/problems/invalid-parameter")]
#[tokio::test]
async fn a_mistake_is_answered_with_a_problem_document(#[case] path: &str, #[case] status: u16, #[case] kind: &str) {
    let request = Request::get(path).header(header::HOST, "[::1]:8080").body(Body::empty()).unwrap();
    let (found, content, body) = Web::start().await.answer(request).await;
    assert_eq!(
        (found.as_u16(), content.as_str(), body["type"].as_str()),
        (status, "application/problem+json", Some(kind))
    );
    assert_eq!(body["status"], status);
    assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{body}");
}

#[tokio::test]
async fn why_a_rule_fired_or_not_is_told_part_by_part() {
    let web = Web::start().await;
    let why = web.get("/api/v1/devices/demo/entrance-led/trace").await;
    assert_eq!((&why["at"], &why["part_of_day"], &why["fresh"]), (&json!(T0.millis()), &json!("open"), &json!(false)));
    let rules = why["rules"].as_array().unwrap();
    let dark = rules.iter().find(|rule| rule["rule"] == "display-dark").unwrap();
    assert_eq!((&dark["phase"], &dark["fire"], &dark["applies"]), (&json!("ok"), &json!("unknown"), &json!(true)));
    // The records are from after the time at which this hub's clock stands.
    assert_eq!(dark["held"][0]["reason"], "no_record");
    assert!(dark["when"].as_array().is_some_and(|parts| parts.iter().all(|part| part["truth"] == "unknown")), "{dark}");
    let later = web.get("/api/v1/devices/demo/entrance-led/trace?at=9999999999999").await;
    assert_eq!(later["at"], why["at"], "of the future nothing is known");
}

#[tokio::test]
async fn a_ticket_moves_once_for_each_version_somebody_saw() {
    let web = Web::start().await;
    let (status, _, ticket) = web.post(&format!("{TICKET}/accept"), &json!({ "version": 1, "by": "李工" })).await;
    assert_eq!((status, &ticket["state"], &ticket["owner"]), (StatusCode::OK, &json!("accepted"), &json!("李工")));
    let (status, kind, problem) =
        web.post(&format!("{TICKET}/start"), &json!({ "version": 1, "by": "王工", "unscanned": "not_in_place" })).await;
    assert_eq!((status, kind.as_str()), (StatusCode::CONFLICT, "application/problem+json"));
    assert!(problem["detail"].as_str().unwrap().contains("version 2"), "{problem}");
    let (status, ..) = web.post(&format!("{TICKET}/confirm"), &json!({ "version": 2 })).await;
    assert_eq!(status, StatusCode::CONFLICT, "nobody has repaired it");
    assert_eq!(web.get(TICKET).await["version"], 2);
}

#[rstest]
#[case::no_version(json!({ "by": "李工" }), "accept", 422)]
#[case::unknown_field(json!({ "version": 1, "force": true }), "accept", 422)]
#[case::an_endless_note(json!({ "version": 1, "note": "!".repeat(4001) }), "accept", 400)]
#[case::unknown_action(json!({ "version": 1 }), "explode", 404)]
#[tokio::test]
async fn a_body_that_makes_no_sense_moves_nothing(#[case] body: Value, #[case] action: &str, #[case] expected: u16) {
    let web = Web::start().await;
    let (status, kind, _) = web.post(&format!("{TICKET}/{action}"), &body).await;
    assert_eq!((status.as_u16(), kind.as_str()), (expected, "application/problem+json"));
    assert_eq!(web.get(TICKET).await["version"], 1);
}

#[tokio::test]
async fn a_request_by_a_name_that_somebody_else_chose_is_refused() {
    let request = Request::get(TICKET).header(header::HOST, "rebound.example:8080").body(Body::empty()).unwrap();
    let (status, _, body) = Web::start().await.answer(request).await;
    assert_eq!((status, body["type"].as_str()), (StatusCode::MISDIRECTED_REQUEST, Some("/problems/host")));
}
