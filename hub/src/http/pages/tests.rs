//! Every page over real parts: the router, SQLite in a folder of its own, the built-in standards, and a site that has reported.

use std::{
    collections::BTreeMap,
    path::Path as FsPath,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderValue, Request, StatusCode, header},
};
use futures_util::StreamExt;
use jiff::tz::TimeZone;
use lobby_contract::{AgentId, AgentInfo, Birth, Data, DeviceInfo, FactValue, Reach, Record, SiteId};
use lobby_domain::{pack::Pack, site::Changes, time::Timestamp};
use rstest::rstest;
use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};
use tower::ServiceExt;

use super::*;
use crate::{
    clock::Clock,
    fleet::{Changed, Fleet, SiteSettings},
    http::router,
    ingest::Counters,
    lifecycle::Lifecycle,
    mqtt::{self, EmbeddedSettings, Settings},
    store::{Batch, Store, Writer},
};

/// 2026-11-23 15:00 in Shanghai.
const BEGIN: i64 = 1_795_417_200_000;
const SITE: &str = "hz-01";

#[derive(Debug)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A hub whose site has one agent with one device of each board.
struct Hub {
    app: App,
    clock: Arc<Hands>,
    writer: Writer,
    seq: u64,
    _folder: TempDir,
    _lifecycle: Lifecycle,
}

/// What the hub answered.
struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: String,
}

fn facts(of: &[(&str, FactValue)]) -> BTreeMap<Box<str>, FactValue> {
    of.iter().map(|(name, value)| ((*name).into(), value.clone())).collect()
}

fn device(id: &str, kind: &str, name: &str) -> DeviceInfo {
    DeviceInfo {
        id: id.parse().unwrap(),
        kind: kind.into(),
        name: name.into(),
        place: "大门口".into(),
        every_ms: 10_000,
    }
}

fn code() -> String {
    static NEXT: AtomicI64 = AtomicI64::new(0);
    format!("c0de{:04}", NEXT.fetch_add(1, Ordering::SeqCst))
}

impl Hub {
    async fn new(sites: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path()).await;
        let (lifecycle, clock) = (Lifecycle::new(), Arc::new(Hands(AtomicI64::new(BEGIN))));
        let pack = Pack::built_in();
        let settings = |name: &&str| {
            (name.parse().unwrap(), SiteSettings { name: Some(format!("云汀 <{name}>")), calendar: None })
        };
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let fleet = Arc::new(Fleet::new(pack.clone(), sites.iter().map(settings).collect(), zone));
        let (inbound, _) = mpsc::channel(1);
        let any = "127.0.0.1:0".parse().unwrap();
        let embedded = Settings::Embedded(EmbeddedSettings { listen: vec![any], ..EmbeddedSettings::default() });
        let mqtt = mqtt::start(embedded, &lifecycle, clock.clone(), inbound).await.unwrap();
        let app = App {
            store: store.clone(),
            fleet,
            clock: clock.clone(),
            counters: Arc::new(Counters::default()),
            desk: crate::ingest::Desk::new().0,
            findings: Arc::default(),
            progress: Arc::default(),
            mqtt: Arc::new(mqtt),
            stop: lifecycle.stop_token(),
            demo: false,
        };
        let writer = Writer::new(store, pack, code);
        Self { app, clock, writer, seq: 0, _folder: folder, _lifecycle: lifecycle }
    }

    /// A hub of one site that has reported that all is well.
    async fn reporting() -> Self {
        let mut hub = Self::new(&[SITE]).await;
        hub.birth().await;
        hub.report("ok", 180.0).await;
        hub
    }

    /// A hub of one site whose display has had no signal for half a minute and whose machine runs low.
    async fn in_trouble() -> Self {
        let mut hub = Self::reporting().await;
        for _ in 0..4 {
            hub.pass(10_000);
            hub.report("none", 42.0).await;
        }
        hub
    }

    fn pass(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    async fn judge(&mut self, judge: impl FnOnce(&mut lobby_domain::site::Site, &AgentId, Timestamp, &mut Changes)) {
        let (site, agent): (SiteId, AgentId) = (SITE.parse().unwrap(), "lobby-box".parse().unwrap());
        let (now, mut changes) = (self.clock.now(), Changes::default());
        let batch = {
            let mut sites = self.app.fleet.write();
            let live = sites.entry(site.clone()).or_insert_with(|| self.app.fleet.new_site(&site, now));
            judge(live, &agent, now, &mut changes);
            live.tick(now, &mut changes);
            let zone = live.calendar.zone().clone();
            let (agents, devices) = (live.agents().cloned().collect(), live.devices().cloned().collect());
            Batch { site, zone, changes, agents, devices }
        };
        self.writer.commit(&[batch], now).await.unwrap();
    }

    async fn birth(&mut self) {
        let devices = vec![
            device("entrance-led", "led-display", "入口屏<b>"),
            device("covers-1", "shoe-cover-machine", "一号鞋套机"),
            device("snooker-1", "snooker-table", "一号台"),
            device("laptop-1", "laptop", "一号电脑"),
        ];
        let sent_at = self.clock.now().millis();
        let agent = AgentInfo { version: "0.1.0".into() };
        let birth = Birth { epoch: 1, session: 1, sent_at, agent, queued: 0, devices };
        self.judge(|site, agent, now, changes| site.birth(agent, &birth, now, changes)).await;
    }

    async fn report(&mut self, signal: &str, covers: f64) {
        let (at, seq) = (self.clock.now().millis(), self.seq);
        let record = |nth, device: &str, facts| {
            let device = device.parse().unwrap();
            Record { seq: seq + nth, at, device, reach: Reach::Ok, facts, faults: vec![] }
        };
        let records = vec![
            record(
                1,
                "entrance-led",
                facts(&[
                    ("power", "on".into()),
                    ("signal", signal.into()),
                    ("temperature_c", (30.0 + covers / 10.0).into()),
                ]),
            ),
            record(
                2,
                "covers-1",
                facts(&[
                    ("covers_left", covers.into()),
                    ("capacity", 200.0.into()),
                    ("low_at", 50.0.into()),
                    ("jam", false.into()),
                ]),
            ),
            record(3, "snooker-1", facts(&[("lamp", "on".into()), ("occupied", true.into())])),
            record(4, "laptop-1", facts(&[("disk_percent", 40.0.into())])),
        ];
        self.seq += 4;
        let data = Data { epoch: 1, session: 1, sent_at: at, oldest: None, records, refused: vec![] };
        self.judge(|site, agent, now, changes| site.data(agent, data, now, changes)).await;
    }

    async fn ask(&self, mut request: Request<Body>) -> Answer {
        request.headers_mut().entry(header::HOST).or_insert(HeaderValue::from_static("127.0.0.1:8080"));
        let response = router(self.app.clone()).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 4 << 20).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str, lang: &str) -> Answer {
        let request = Request::get(path).header(header::COOKIE, format!("a=b; lang={lang}"));
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, form: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    /// The number of the only open ticket.
    async fn ticket(&self) -> String {
        let open = Open::read(&self.app.store, None).await.unwrap();
        assert_eq!(open.tickets.len(), 1);
        open.tickets[0].number.to_string()
    }
}

async fn open(folder: &FsPath) -> Store {
    Store::open(&format!("sqlite://{}", folder.join("hub.db").display())).await.unwrap()
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.body.contains(word), "{word} is not in {}", self.body);
        }
    }
}

#[rstest]
#[case("/", ["所有岗位一切正常", "All posts report normal"])]
#[case("/concierge", ["全部 1 块屏正常", "All displays are fine (1)"])]
#[case("/showflat", ["剩 180 / 200 只", "180 of 200 left"])]
#[case("/reception", ["有人", "Occupied"])]
#[case("/engineering", ["没有待办工单", "Nothing to do"])]
#[case("/alerts", ["没有未恢复的告警", "No open alerts"])]
#[case("/d/entrance-led", ["信号", "Signal"])]
#[case("/d/entrance-led?site=hz-01&range=30d", ["30 天", "30 days"])]
#[case("/nowhere", ["没有这个页面", "There is no such page"])]
#[tokio::test]
async fn every_page_of_a_site_where_all_is_well_is_shown_in_both_languages(
    #[case] path: &str,
    #[case] words: [&str; 2],
) {
    let hub = Hub::reporting().await;
    let status = if path == "/nowhere" { StatusCode::NOT_FOUND } else { StatusCode::OK };
    for (lang, word) in ["zh", "en"].into_iter().zip(words) {
        let answer = hub.get(path, lang).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        answer.says(&[word, "云汀 &#60;hz-01&#62;"]);
        assert!(!answer.body.contains("入口屏<b>"), "a hostile name is escaped");
    }
}

#[tokio::test]
async fn a_fault_is_on_the_boards_with_its_ticket_and_low_stock_is_a_warning() {
    let hub = Hub::in_trouble().await;
    let no = hub.ticket().await;
    hub.get("/concierge", "zh").await.says(&["无信号", "工程部", &no, "已报修", "接单时限"]);
    hub.get("/concierge", "en").await.says(&["has no signal", "Engineering", "It cannot be used"]);
    hub.get("/engineering", "zh").await.says(&[&no, "CON-S9", "接单", "lobby-box"]);
    hub.get("/alerts?state=all", "en").await.says(&["LED display has no signal", "Shoe covers running low"]);
    hub.get("/showflat", "zh").await.says(&["鞋套不足，请补货", "样板房", "剩 42 / 200 只"]);
    hub.get("/", "en").await.says(&["Needs attention: Concierge"]);
    hub.get("/d/entrance-led?site=hz-01", "zh").await.says(&["<svg", "异常", &no]);
    hub.get(&format!("/t/{no}"), "en").await.says(&["Signal none", "Accept", "Accept by", "LED display has no signal"]);
}

#[tokio::test]
async fn a_device_that_fell_silent_is_unknown_and_never_normal() {
    let hub = Hub::reporting().await;
    hub.pass(3_600_000);
    let answer = hub.get("/concierge", "zh").await;
    answer.says(&["情况未知", "state unknown", "1\u{a0}小时前"]);
    assert!(!answer.body.contains("state normal") && !answer.body.contains("块屏正常"));
}

#[tokio::test]
async fn a_ticket_goes_from_report_to_close_by_forms_and_the_post_confirms() {
    let mut hub = Hub::in_trouble().await;
    let no = hub.ticket().await;
    let ours = [("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-origin")];
    for (version, verb) in [(1, "accept"), (2, "start"), (3, "finish")] {
        let form = format!("version={version}&by=%E6%9D%8E&note=&back=%2Fengineering%3Fsite%3Dhz-01");
        let answer = hub.post(&format!("/t/{no}/{verb}"), &form, &ours).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        assert_eq!(answer.header("location"), "/engineering?site=hz-01&notice=saved");
    }
    // The signal is still missing: nobody can confirm.
    let page = hub.get(&format!("/t/{no}"), "zh").await;
    assert!(!page.body.contains("确认已恢复"));
    assert_eq!(
        hub.post(&format!("/t/{no}/confirm"), "version=4", &ours).await.header("location"),
        format!("/t/{no}?notice=step")
    );
    for _ in 0..6 {
        hub.pass(10_000);
        hub.report("ok", 180.0).await;
    }
    hub.get("/concierge", "zh").await.says(&["确认已恢复", "待验收", "数据显示已恢复"]);
    let answer = hub.post(&format!("/t/{no}/confirm"), "version=4&back=/concierge", &ours).await;
    assert_eq!(answer.header("location"), "/concierge?notice=saved");
    hub.get(&format!("/t/{no}?notice=saved"), "zh").await.says(&["已关闭", "已保存", "李"]);
}

#[tokio::test]
async fn whoever_acts_on_an_older_version_is_told_so() {
    let hub = Hub::in_trouble().await;
    let no = hub.ticket().await;
    hub.post(&format!("/t/{no}/accept"), "version=1", &[]).await;
    let answer = hub.post(&format!("/t/{no}/accept"), "version=1", &[]).await;
    assert_eq!(answer.header("location"), format!("/t/{no}?notice=conflict"));
    hub.get(answer.header("location"), "zh").await.says(&["该工单已被他人更新"]);
}

#[rstest]
#[case::other_site(&[("host", "localhost"), ("sec-fetch-site", "cross-site")])]
#[case::other_origin(&[("host", "localhost"), ("origin", "https://other.example")])]
#[tokio::test]
async fn a_form_of_another_site_changes_nothing(#[case] headers: &[(&str, &str)]) {
    let hub = Hub::in_trouble().await;
    let no = hub.ticket().await;
    let answer = hub.post(&format!("/t/{no}/accept"), "version=1", headers).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    hub.get(&format!("/t/{no}"), "en").await.says(&["name=\"version\" value=\"1\""]);
}

#[rstest]
#[case::no_number("/t/BX-1/accept", "version=1", StatusCode::NOT_FOUND)]
#[case::no_verb("/t/BX-1/burn", "version=1", StatusCode::NOT_FOUND)]
#[case::no_version("/t/BX-1/accept", "by=x", StatusCode::BAD_REQUEST)]
#[case::large("/t/BX-1/accept", &"n".repeat(20_000), StatusCode::PAYLOAD_TOO_LARGE)]
#[tokio::test]
async fn a_form_that_is_none_of_ours_is_answered_by_a_page(
    #[case] path: &str,
    #[case] form: &str,
    #[case] status: StatusCode,
) {
    let answer = Hub::new(&[SITE]).await.post(path, form, &[]).await;
    assert_eq!(answer.status, status);
    answer.says(&["<!doctype html>"]);
}

#[tokio::test]
async fn a_page_lets_nothing_in_from_elsewhere_and_is_never_kept() {
    let hub = Hub::reporting().await;
    for path in ["/", "/d/entrance-led", "/nowhere", "/lang/en"] {
        let answer = hub.get(path, "zh").await;
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'; "), "{path}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(answer.header("vary"), "X-Fragment");
        assert!(!answer.body.contains(" style=") && !answer.body.contains("onclick"), "{path}");
    }
}

#[tokio::test]
async fn the_script_gets_the_changing_part_alone() {
    let hub = Hub::reporting().await;
    let request = Request::get("/concierge").header("x-fragment", "main").body(Body::empty()).unwrap();
    let answer = hub.ask(request).await;
    assert!(answer.body.starts_with("<main>"), "{}", answer.body);
}

#[tokio::test]
async fn a_chosen_language_is_kept_in_a_cookie_and_leads_back_to_the_page() {
    let hub = Hub::new(&[SITE]).await;
    let answer = hub.get("/lang/en?back=%2Fd%2Fled%3Fsite%3Dhz-01", "zh").await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/d/led?site=hz-01"));
    assert!(answer.header("set-cookie").starts_with("lang=en; Path=/; "));
    assert_eq!(hub.get("/lang/en?back=%2F%2Fother.example", "zh").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(hub.get("/lang/tlh", "zh").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn static_files_are_kept_for_ever_under_their_version_alone() {
    let hub = Hub::new(&[SITE]).await;
    let version = lobby_dashboards::VERSION;
    let answer = hub.get(&format!("/static/{version}/lobby.css"), "zh").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "text/css; charset=utf-8"));
    assert!(answer.header("cache-control").contains("immutable"));
    assert_eq!(hub.get("/static/0/lobby.css", "zh").await.status, StatusCode::NOT_FOUND);
    hub.get("/", "zh").await.says(&[&format!("/static/{version}/live.js")]);
}

#[tokio::test]
async fn several_sites_share_a_page_until_one_is_chosen() {
    let mut hub = Hub::new(&[SITE, "sh-02"]).await;
    hub.birth().await;
    hub.report("ok", 180.0).await;
    hub.get("/", "zh").await.says(&["全部案场", "云汀 &#60;sh-02&#62;", "?site=sh-02"]);
    hub.get("/concierge?site=sh-02", "zh").await.says(&["还没有登记显示屏"]);
    hub.get("/concierge?site=hz-01", "zh").await.says(&["全部 1 块屏正常"]);
    assert_eq!(hub.get("/concierge?site=nowhere", "zh").await.status, StatusCode::NOT_FOUND);
    assert_eq!(hub.get("/concierge?site=../etc", "zh").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_device_is_found_by_the_code_on_its_label_and_an_agent_on_the_engineers_page() {
    let hub = Hub::reporting().await;
    let device = "entrance-led".parse().unwrap();
    let code = hub.app.store.code(&SITE.parse().unwrap(), &device).await.unwrap().unwrap();
    hub.get(&format!("/d/{code}"), "zh").await.says(&["入口屏"]);
    let answer = hub.get("/d/lobby-box?site=hz-01", "zh").await;
    assert_eq!(answer.header("location"), "/engineering?site=hz-01");
    assert_eq!(hub.get("/d/nothing?site=hz-01", "zh").await.status, StatusCode::NOT_FOUND);
    assert_eq!(hub.get("/d/Not%20a%20name", "zh").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_database_that_is_gone_is_told_as_the_hubs_own_trouble() {
    let hub = Hub::reporting().await;
    hub.app.store.close().await;
    let answer = hub.get("/concierge", "zh").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    answer.says(&["服务暂时不可用", "设备本身不受影响"]);
    assert!(!answer.body.contains("pool") && !answer.body.contains("sqlite"));
}

#[tokio::test]
async fn the_stream_begins_with_a_heartbeat_tells_a_change_and_ends_with_the_hub() {
    let hub = Hub::new(&[SITE]).await;
    let request = Request::get("/events?page=concierge&site=hz-01")
        .header(header::HOST, "localhost")
        .body(Body::empty())
        .unwrap();
    let response = router(hub.app.clone()).oneshot(request).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut body = response.into_body().into_data_stream();
    let mut next = async || {
        let chunk = timeout(Duration::from_secs(10), body.next()).await.unwrap();
        chunk.map(|chunk| String::from_utf8(chunk.unwrap().to_vec()).unwrap())
    };
    assert!(next().await.unwrap().contains("event: heartbeat\ndata: *"));
    hub.app.fleet.tell(Changed { site: SITE.parse().unwrap(), device: Some("entrance-led".parse().unwrap()) });
    assert!(next().await.unwrap().contains("event: changed\ndata: entrance-led"));
    hub.app.stop.cancel();
    assert_eq!(next().await, None);
}
