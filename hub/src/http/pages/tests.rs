//! Every page over real parts: the router, SQLite in a folder of its own, the built-in standards, and a site that has reported.

mod all_sites;
mod areas;
mod chats;
mod compliance;
mod grants;
mod months;
mod outbox;
mod register;
mod register_refused;
mod roster;
mod rounds;
mod stock;

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
use jiff::{civil::time, tz::TimeZone};
use lobby_contract::{AgentId, AgentInfo, Birth, Data, DeviceInfo, FactValue, Reach, Record, SiteId};
use lobby_domain::{
    access::Grant,
    calendar::{Calendar, Day},
    check::Checklist,
    pack::Pack,
    site::Changes,
    time::{Span, Timestamp},
};
use rstest::rstest;
use tempfile::TempDir;
use tokio::time::timeout;
use tower::ServiceExt;

use super::*;
use crate::{
    account::{self, Accounts},
    audit::Actor,
    clock::Clock,
    fleet::{Changed, Fleet, SiteSettings},
    http::router,
    ingest::Counters,
    lifecycle::Lifecycle,
    mqtt::{self, EmbeddedSettings, Settings},
    restraints::Restraints,
    store::{Batch, Looking, RoundFilter, RoundRow, SessionRow, Store, Writer},
    token,
};

/// 2026-11-23 15:00 in Shanghai.
const BEGIN: i64 = 1_795_417_200_000;
const SITE: &str = "hz-01";

#[derive(Debug)]
pub(in crate::http) struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A hub whose site has one agent with one device of each board.
pub(in crate::http) struct Hub {
    pub(in crate::http) app: App,
    pub(in crate::http) clock: Arc<Hands>,
    writer: Writer,
    /// Which agent reports.
    agent: &'static str,
    seq: u64,
    folder: TempDir,
    _lifecycle: Lifecycle,
}

/// What the hub answered.
pub(in crate::http) struct Answer {
    pub(in crate::http) status: StatusCode,
    pub(in crate::http) headers: axum::http::HeaderMap,
    pub(in crate::http) body: String,
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
    /// Somebody who holds this, signed in by `proof of LOGIN`; their id.
    pub(in crate::http) async fn person(&self, login: &str, held: Grant) -> String {
        let now = self.app.clock.now();
        let (row, _) = account::enter(&self.app.store, (login, login), held, now, &Actor::here("")).await.unwrap();
        let session = SessionRow {
            id: format!("session of {login}"),
            person: row.id.clone(),
            browser: "a browser".into(),
            created_at: now,
            expires_at: now + Span::from_mins(600),
            last_used_at: now,
        };
        self.app.store.open_session(&session, &token::hash(&format!("proof of {login}")), b"browser").await.unwrap();
        row.id
    }

    async fn new(sites: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path()).await;
        let (lifecycle, clock) = (Lifecycle::new(), Arc::new(Hands(AtomicI64::new(BEGIN))));
        let pack = Pack::built_in();
        let settings = |name: &&str| {
            (name.parse().unwrap(), SiteSettings { name: Some(format!("云汀 <{name}>")), ..SiteSettings::default() })
        };
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let fleet = Arc::new(Fleet::new(pack.clone(), sites.iter().map(settings).collect(), zone));
        let (inbound, _) = mqtt::queue(1);
        let any = "127.0.0.1:0".parse().unwrap();
        let embedded = Settings::Embedded(EmbeddedSettings { listen: vec![any], ..EmbeddedSettings::default() });
        let mqtt = mqtt::start(embedded, &lifecycle, clock.clone(), inbound).await.unwrap();
        let restraints = Restraints::load(store.clone(), fleet.clone(), clock.clone()).await.unwrap();
        let notify = crate::notify::Notify {
            store: store.clone(),
            fleet: fleet.clone(),
            restraints: restraints.clone(),
            clock: clock.clone(),
            findings: Arc::default(),
            progress: Arc::default(),
            settings: tokio::sync::watch::channel(Arc::default()).1,
            watched: crate::notify::Watched::default(),
        };
        let setup = fleet.setup();
        let app = App {
            store: store.clone(),
            fleet,
            restraints,
            clock: clock.clone(),
            counters: Arc::new(Counters::default()),
            desk: crate::ingest::Desk::new().0,
            findings: Arc::default(),
            progress: Arc::default(),
            mqtt: Arc::new(mqtt),
            stop: lifecycle.stop_token(),
            demo: false,
            backups: crate::backup::Status::default(),
            notify: Arc::new(notify),
            accounts: Arc::new(Accounts::new(store.clone(), clock.clone(), true, folder.path())),
            https: false,
            hosts: Arc::default(),
            reports: Arc::default(),
        };
        let writer = Writer::new(store, setup, code);
        Self { app, clock, writer, agent: "lobby-box", seq: 0, folder, _lifecycle: lifecycle }
    }

    /// A hub of one site that has reported that all is well.
    pub(in crate::http) async fn reporting() -> Self {
        let mut hub = Self::new(&[SITE]).await;
        hub.birth().await;
        hub.report("ok", 180.0).await;
        hub
    }

    /// A hub of one site whose display has had no signal for half a minute and whose machine runs low.
    pub(in crate::http) async fn in_trouble() -> Self {
        let mut hub = Self::reporting().await;
        for _ in 0..4 {
            hub.pass(10_000);
            hub.report("none", 42.0).await;
        }
        hub
    }

    /// Another agent has the devices from now on.
    pub(in crate::http) async fn moves_to(&mut self, agent: &'static str) {
        self.agent = agent;
        self.birth().await;
    }

    pub(in crate::http) fn pass(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    pub(in crate::http) async fn judge(
        &mut self,
        judge: impl FnOnce(&mut lobby_domain::site::Site, &AgentId, Timestamp, &mut Changes),
    ) {
        let (site, agent): (SiteId, AgentId) = (SITE.parse().unwrap(), self.agent.parse().unwrap());
        let (now, mut changes) = (self.clock.now(), Changes::default());
        let batch = {
            let mut sites = self.app.fleet.write();
            let live = sites.entry(site.clone()).or_insert_with(|| self.app.fleet.new_site(&site, now));
            judge(live, &agent, now, &mut changes);
            live.tick(now, &mut changes);
            let zone = live.calendar.zone().clone();
            let (agents, devices) = (live.agents().cloned().collect(), live.devices().cloned().collect());
            Batch { site, zone, changes, agents, devices, told: Vec::new() }
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
        let birth = Birth { epoch: 1, session: 1, sent_at, agent, queued: 0, unsaved: 0, refused: Vec::new(), devices };
        self.judge(|site, agent, now, changes| site.birth(agent, &birth, now, changes)).await;
    }

    pub(in crate::http) async fn report(&mut self, signal: &str, covers: f64) {
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

    pub(in crate::http) async fn ask(&self, request: Request<Body>) -> Answer {
        let (status, headers, body) = self.ask_bytes(request).await;
        Answer { status, headers, body: String::from_utf8(body).unwrap() }
    }

    /// The same where the answer may be no text.
    pub(in crate::http) async fn ask_bytes(
        &self,
        mut request: Request<Body>,
    ) -> (StatusCode, axum::http::HeaderMap, Vec<u8>) {
        request.headers_mut().entry(header::HOST).or_insert(HeaderValue::from_static("127.0.0.1:8080"));
        let response = router(self.app.clone()).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, to_bytes(body, 4 << 20).await.unwrap().to_vec())
    }

    pub(in crate::http) async fn get(&self, path: &str, lang: &str) -> Answer {
        let request = Request::get(path).header(header::COOKIE, format!("a=b; lang={lang}"));
        let request = request.header(header::ACCEPT, "text/html,*/*;q=0.8");
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, form: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    /// When its site is open, where a test is about that: half past eight to six.
    pub(in crate::http) fn hours() -> Calendar {
        let [ready_by, open, close] = [(8, 20), (8, 30), (18, 0)].map(|(hour, minute)| time(hour, minute, 0, 0));
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        Calendar::new(zone, [Some(Day { ready_by, open, close }); 7], BTreeMap::new())
    }

    /// Opens the rounds of its site whose time has come.
    pub(in crate::http) async fn open_rounds(&self) -> Vec<RoundRow> {
        let (site, now): (SiteId, _) = (SITE.parse().unwrap(), self.app.clock.now());
        let mut setup = (*self.app.fleet.setup()).clone();
        setup.sites.get_mut(&site).unwrap().calendar = Some(Self::hours());
        let of = |list: &Checklist| (list.id.clone(), crate::checks::lines(self.app.fleet.read().get(&site), list));
        let lines = setup.pack.checklists.iter().map(of).collect();
        let looking = Looking { site: &site, setup: &setup, lines: &lines, now };
        self.app.store.look_at_rounds(looking).await.unwrap();
        self.app.store.rounds(&RoundFilter::default()).await.unwrap()
    }

    /// The folder of its files.
    pub(in crate::http) fn folder(&self) -> &FsPath {
        self.folder.path()
    }

    /// The number of the only open ticket.
    pub(in crate::http) async fn ticket(&self) -> String {
        let open = Open::read(&self.app.store, None, self.app.clock.now()).await.unwrap();
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

    pub(in crate::http) fn says(&self, words: &[&str]) {
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
#[case("/outbox", ["没有配置通知通道", "No channel is set up"])]
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

/// The check code that a page shows.
fn check_of(page: &str) -> String {
    let end = page.split_once("Check code").expect("the page has a check code").1;
    let digits =
        end.split(['>', '<']).find(|part| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_hexdigit()));
    digits.expect("twelve digits").to_owned()
}

#[tokio::test]
async fn a_ticket_is_printed_with_what_is_known_and_its_check_code_tells_old_paper() {
    let mut hub = Hub::in_trouble().await;
    let no = hub.ticket().await;
    let (page, print) = (format!("/t/{no}"), format!("/t/{no}/print"));
    hub.get(&page, "zh").await.says(&[&format!("href=\"{print}\""), "打印报修单", "核对码"]);
    let zh = hub.get(&print, "zh").await;
    let device = "入口屏&#60;b&#62;";
    zh.says(&["设备报修单", &no, "礼宾", "工程部", device, "大门口", "entrance-led", "无信号", "UTC+8"]);
    zh.says(&["<svg class=\"qr\"", &format!("http://127.0.0.1:8080/t/{no}"), "只有本机能打开"]);
    assert!(!zh.body.contains("<script"));
    let first = hub.get(&print, "en").await.body;
    assert_eq!(check_of(&first), check_of(&hub.get(&page, "en").await.body), "paper and page agree");

    let form = "version=1&by=Li&unscanned=label_missing&note=the+plug+was+loose";
    assert_eq!(hub.post(&format!("/t/{no}/start"), form, &[]).await.status, StatusCode::SEE_OTHER);
    let second = hub.get(&print, "en").await;
    second.says(&["Li Arrived, work started: Not scanned (Label missing or unreadable)", "the plug was loose"]);
    second.says(&["Arrived at</dt><dd>2026-11-23 15:00 · not scanned"]);
    assert_ne!(check_of(&second.body), check_of(&first), "the first paper is out of date");
    hub.pass(10_000);
    hub.report("ok", 180.0).await;
    hub.pass(120_000);
    hub.report("ok", 180.0).await;
    for (verb, version) in [("finish", 2), ("confirm", 3)] {
        let form = format!("version={version}&by=Zhou&note=fine&cause=loose+plug&materials=cable+%C3%97+2&cost=12.5");
        let done = hub.post(&format!("/t/{no}/{verb}"), &form, &[]).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    }
    hub.get(&print, "en").await.says(&["Closed", "choice chosen", "Zhou Handed over: fine", "Zhou fine"]);
    hub.get(&print, "en").await.says(&["loose plug", "<td>cable</td><td>2</td>", "¥12.50"]);
}

#[rstest]
#[case::usual("", 1, "sheet form a4")]
#[case::three("?copies=3", 3, "第三联 报修部门")]
#[case::small("?paper=a5&copies=1", 1, "sheet form a5")]
#[tokio::test]
async fn a_form_is_printed_in_as_many_copies_and_on_the_paper_that_is_asked_for(
    #[case] query: &str,
    #[case] copies: usize,
    #[case] words: &str,
) {
    let hub = Hub::in_trouble().await;
    let form = hub.get(&format!("/t/{}/print{query}", hub.ticket().await), "zh").await;
    form.says(&[words]);
    assert_eq!(form.body.matches("<article").count(), copies);
}

#[rstest]
#[case("?copies=2", StatusCode::BAD_REQUEST)]
#[case("?paper=letter", StatusCode::BAD_REQUEST)]
#[tokio::test]
async fn a_form_that_is_not_offered_is_answered_by_a_page(#[case] query: &str, #[case] status: StatusCode) {
    let hub = Hub::in_trouble().await;
    let answer = hub.get(&format!("/t/{}/print{query}", hub.ticket().await), "zh").await;
    assert_eq!(answer.status, status, "{}", answer.body);
    answer.says(&["<html", "请求无法识别"]);
    assert_eq!(hub.get("/t/BX-1/print", "zh").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn labels_are_of_all_devices_of_a_site_or_of_one_and_lead_where_they_are_told_to() {
    let mut hub = Hub::reporting().await;
    let site: SiteId = SITE.parse().unwrap();
    let code = hub.app.store.code(&site, &"laptop-1".parse().unwrap()).await.unwrap().unwrap();
    let all = hub.get("/labels?site=hz-01", "zh").await;
    all.says(&[
        "入口屏&#60;b&#62;",
        "一号鞋套机",
        "一号台",
        "一号电脑",
        "大门口",
        &code,
        "云汀 &#60;hz-01&#62;",
        "只有本机能打开",
    ]);
    assert_eq!(all.body.matches("<svg class=\"qr\"").count(), 4);
    let (_sender, settings) = tokio::sync::watch::channel(Arc::new(crate::notify::Settings {
        public_url: Some("https://lobby.example.com".into()),
        ..crate::notify::Settings::default()
    }));
    Arc::get_mut(&mut hub.app.notify).unwrap().settings = settings;
    let one = hub.get("/labels?site=hz-01&device=laptop-1", "en").await;
    one.says(&["Device labels", &code]);
    assert_eq!(one.body.matches("<svg class=\"qr\"").count(), 1);
    assert!(!one.body.contains("public_url"), "nothing is left to be set up");
    hub.get("/d/laptop-1?site=hz-01", "en").await.says(&["/labels?site=hz-01&amp;device=laptop-1"]);
    hub.get("/engineering", "en").await.says(&["href=\"/labels\""]);
    for nothing in ["/labels?site=hz-09", "/labels?site=hz-01&device=none"] {
        assert_eq!(hub.get(nothing, "en").await.status, StatusCode::NOT_FOUND, "{nothing}");
    }
}

#[tokio::test]
async fn why_there_is_an_alert_or_none_is_told_for_any_minute() {
    let hub = Hub::in_trouble().await;
    let why = "/d/entrance-led/why?site=hz-01";
    hub.get(why, "zh").await.says(&["为什么没有告警", "无信号", "成立", "营业时段"]);
    hub.get(why, "en").await.says(&[
        "Why was there an alert, or none?",
        "LED display has no signal",
        "Each rule",
        "holds",
    ]);
    hub.get(&format!("{why}&at=0"), "en").await.says(&["no record tells of the device", "1970-01-01"]);
    assert_eq!(hub.get(&format!("{why}&at=soon"), "en").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(hub.get("/d/nothing/why?site=hz-01", "en").await.status, StatusCode::NOT_FOUND);
    hub.get("/d/entrance-led?site=hz-01", "zh").await.says(&["/d/entrance-led/why?site=hz-01&#38;at=", "为什么？"]);
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
        let form = format!(
            "version={version}&by=%E6%9D%8E&note=&cause=x&unscanned=label_missing&back=%2Fengineering%3Fsite%3Dhz-01"
        );
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
async fn a_device_is_found_by_the_code_on_its_label_and_an_agent_on_its_own_page() {
    let hub = Hub::reporting().await;
    let device = "entrance-led".parse().unwrap();
    let code = hub.app.store.code(&SITE.parse().unwrap(), &device).await.unwrap().unwrap();
    hub.get(&format!("/d/{code}"), "zh").await.says(&["入口屏"]);
    let answer = hub.get("/d/lobby-box?site=hz-01", "zh").await;
    assert_eq!(answer.header("location"), "/a/hz-01/lobby-box");
    assert_eq!(hub.get("/d/nothing?site=hz-01", "zh").await.status, StatusCode::NOT_FOUND);
    assert_eq!(hub.get("/d/Not%20a%20name", "zh").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn agents_are_listed_and_each_has_a_page_that_tells_of_its_records() {
    let mut hub = Hub::reporting().await;
    hub.get("/agents", "zh").await.says(&["1 个采集端全部在线", "/a/hz-01/lobby-box"]);
    hub.get("/a/hz-01/lobby-box", "zh").await.says(&["采集正常，记录全部入库", "没有记录丢失"]);
    hub.pass(60_000);
    let lost = |from, to| lobby_contract::Lost { epoch: 1, from, to };
    hub.judge(|site, agent, now, changes| site.lost(agent, &lost(5, 7), now, changes)).await;
    hub.seq = 7;
    hub.report("ok", 180.0).await;
    hub.get("/a/hz-01/lobby-box", "zh").await.says(&["曾有 3 条记录丢失", "1/5–7", "15:00", "15:01"]);
    hub.get("/a/hz-01/lobby-box", "en").await.says(&["Records lost: 3", "Delivery ledger"]);
    hub.get("/d/entrance-led?site=hz-01", "zh").await.says(&["此时段有记录丢失", "3 条记录丢失"]);
    hub.pass(8 * 86_400_000);
    let page = hub.get("/d/entrance-led?site=hz-01&range=7d", "zh").await.body;
    assert!(!page.contains("此时段有记录丢失"), "it was before the time shown");
    assert_eq!(hub.get("/a/hz-01/nobody", "zh").await.status, StatusCode::NOT_FOUND);
    assert_eq!(hub.get("/agents?after=nonsense", "zh").await.status, StatusCode::BAD_REQUEST);
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

const OURS: [(&str, &str); 2] = [("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8080")];

impl Hub {
    /// The id of the only open alert about the display.
    async fn alert(&self) -> String {
        let open = Open::read(&self.app.store, None, self.app.clock.now()).await.unwrap();
        let about = open.alerts.iter().filter(|alert| alert.subject.to_string() == "entrance-led");
        let ids: Vec<_> = about.map(|alert| alert.id.to_string()).collect();
        assert_eq!(ids.len(), 1);
        ids[0].clone()
    }

    /// Sends a form of ours and returns where it leads.
    async fn send(&self, path: &str, form: &str) -> String {
        let answer = self.post(path, form, &OURS).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        answer.header("location").to_owned()
    }
}

#[rstest]
#[case("/silences", ["没有静默，所有告警照常通知", "Nothing is silenced"])]
#[case("/maintenance", ["没有正在进行的检修", "No maintenance is going on"])]
#[tokio::test]
async fn the_forms_for_silences_and_maintenance_offer_what_the_site_has(#[case] path: &str, #[case] words: [&str; 2]) {
    let hub = Hub::reporting().await;
    for (lang, word) in ["zh", "en"].into_iter().zip(words) {
        let answer = hub.get(&format!("{path}?device=entrance-led"), lang).await;
        answer.says(&[
            word,
            "入口屏&#60;b&#62;",
            "value=\"entrance-led\" selected",
            "value=\"critical\"",
            "2026-11-23T17:00",
        ]);
    }
}

#[tokio::test]
async fn a_fault_is_acknowledged_and_silenced_until_it_is_solved_by_forms() {
    let mut hub = Hub::in_trouble().await;
    let (id, no) = (hub.alert().await, hub.ticket().await);
    let pages = ["/alerts".to_owned(), format!("/t/{no}"), "/d/entrance-led?site=hz-01".into(), "/engineering".into()];
    for page in &pages {
        hub.get(page, "zh").await.says(&[&format!("/alerts/{id}/ack"), &format!("/alerts/{id}/silence")]);
    }
    let place = hub.send(&format!("/alerts/{id}/ack"), "by=%E6%9D%8E%E5%B7%A5&back=%2Fengineering").await;
    assert_eq!(place, "/engineering?notice=saved");
    for _ in 0..2 {
        assert_eq!(hub.send(&format!("/alerts/{id}/silence"), "by=").await, "/alerts?notice=saved");
    }
    assert_eq!(hub.app.restraints.all().len(), 1, "asking twice is one silence");
    for page in &pages {
        let answer = hub.get(page, "zh").await;
        answer.says(&["已知悉", "李工", "已静默，直到恢复"]);
        assert!(!answer.body.contains(&format!("action=\"/alerts/{id}/ack\"><button")), "{page}");
    }
    hub.get("/silences", "zh").await.says(&["1 项静默生效中", "直到恢复"]);
    for _ in 0..6 {
        hub.pass(10_000);
        hub.report("ok", 180.0).await;
    }
    assert_eq!(hub.send(&format!("/alerts/{id}/silence"), "").await, "/alerts?notice=over");
    let cleared =
        hub.app.store.alert(lobby_domain::alert::AlertId(id.parse().unwrap())).await.unwrap().unwrap().cleared_at;
    let silence = &hub.app.store.unsettled_restraints().await.unwrap()[0];
    assert!(cleared.is_some() && silence.ends == cleared, "it ended with its alert: {silence:?}");
}

#[tokio::test]
async fn maintenance_is_planned_shown_in_plain_words_and_ended_by_forms() {
    let hub = Hub::in_trouble().await;
    let form =
        "site=hz-01&device=entrance-led&starts=&ends=2026-11-23T18%3A00&include_firing=yes&comment=x&by=Li&kind=&rule=";
    assert_eq!(hub.send("/maintenance", form).await, "/maintenance?notice=saved");
    hub.get("/maintenance", "zh").await.says(&["1 项检修进行中", "入口屏", "18:00", "检修前已有的告警也不通知"]);
    hub.get("/d/entrance-led?site=hz-01", "zh").await.says(&["检修中，至 18:00"]);
    hub.get("/alerts", "en").await.says(&["Under maintenance until 18:00"]);
    let id = hub.app.restraints.all()[0].id;
    assert_eq!(
        hub.post(&format!("/silences/{id}/end"), "", &OURS).await.status,
        StatusCode::NOT_FOUND,
        "it is no silence"
    );
    assert_eq!(hub.send(&format!("/maintenance/{id}/end"), "by=Li").await, "/maintenance?notice=saved");
    assert_eq!(hub.send(&format!("/maintenance/{id}/end"), "by=Li").await, "/maintenance?notice=over");
    hub.pass(1000);
    let answer = hub.get("/d/entrance-led?site=hz-01", "zh").await;
    assert!(!answer.body.contains("检修中，至"), "{}", answer.body);
    hub.get("/maintenance", "zh").await.says(&["已结束"]);
}

#[rstest]
#[case::of_everything("ends=2026-11-23T18%3A00")]
#[case::without_an_end("kind=tv&ends=")]
#[case::in_the_past("kind=tv&ends=2026-11-23T14%3A59")]
#[tokio::test]
async fn a_silence_that_makes_no_sense_is_not_made_and_the_page_says_so(#[case] form: &str) {
    let hub = Hub::reporting().await;
    let refused =
        hub.post("/silences", &format!("{form}&comment=%3Cb%3E&by=Li&back=%2Fsilences%3Fsite%3Dhz-01"), &OURS).await;
    assert_eq!((refused.status, hub.app.restraints.all().len()), (StatusCode::UNPROCESSABLE_ENTITY, 0));
    // The form as it was filled in, and no script that would fetch an empty one.
    refused.says(&["未保存", "&#60;b&#62;</textarea>", "value=\"Li\"", "value=\"/silences?site=hz-01\""]);
    assert_eq!(refused.body.contains("value=\"tv\" selected"), form.contains("kind=tv"));
    assert!(!refused.body.contains("<script"), "{}", refused.body);
}

#[rstest]
#[case("/alerts/no-id/ack", StatusCode::NOT_FOUND)]
#[case("/alerts/00000000-0000-0000-0000-000000000000/ack", StatusCode::NOT_FOUND)]
#[case("/silences/00000000-0000-0000-0000-000000000000/end", StatusCode::NOT_FOUND)]
#[tokio::test]
async fn a_form_about_nothing_is_answered_by_a_page(#[case] path: &str, #[case] status: StatusCode) {
    let hub = Hub::reporting().await;
    assert_eq!(hub.post(path, "", &OURS).await.status, status);
    let foreign =
        hub.post("/silences", "kind=tv&ends=2026-11-23T18%3A00", &[("origin", "https://other.example")]).await;
    assert_eq!((foreign.status, hub.app.restraints.all().len()), (StatusCode::FORBIDDEN, 0));
}

#[rstest]
#[case("/d/%FF")]
#[case("/d/%FF/why")]
#[case("/t/%FF")]
#[case("/t/%FF/print")]
#[case("/a/hz-01/%FF")]
#[case("/lang/%FF")]
#[case("/lang/en?back=/&back=/")]
#[case("/static/%FF/lobby.css")]
#[tokio::test]
async fn an_address_that_nobody_can_read_is_answered_with_a_page(#[case] path: &str) {
    let answer = Hub::reporting().await.get(path, "en").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert!(answer.headers.contains_key(header::CONTENT_SECURITY_POLICY));
    answer.says(&["<main"]);
}

/// The value of a hidden field of a page.
fn hidden(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).expect("the page has the field");
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_comment_is_in_the_timeline_once_however_often_its_form_is_sent() {
    let hub = Hub::in_trouble().await;
    let no = hub.ticket().await;
    let (page, path) = (format!("/t/{no}"), format!("/t/{no}/comment"));
    let key = hidden(&hub.get(&page, "zh").await.body, "key");
    for note in ["too+dark+%3Cb%3E", "too+dark+%3Cb%3E", "another+word"] {
        let place = hub.send(&path, &format!("key={key}&by=Zhou&note={note}&back=%2Ft%2F{no}")).await;
        assert_eq!(place, format!("{page}?notice=saved"));
    }
    let shown = hub.get(&page, "en").await;
    shown.says(&["another word", "Zhou", "<strong>Note</strong>"]);
    assert_eq!(shown.body.matches("too dark &#60;b&#62;").count(), 1);
    assert_ne!(hidden(&shown.body, "key"), key, "each form makes a comment of its own");
    assert_eq!(hub.send(&path, &format!("key={key}&note=+")).await, format!("{page}?notice=empty"));
    hub.get(&format!("{page}?notice=empty"), "zh").await.says(&["未保存：请写明内容"]);
    assert_eq!(hub.post(&path, "key=none&note=x", &OURS).await.status, StatusCode::BAD_REQUEST);
    let nobody = format!("key={key}&note=x");
    assert_eq!(hub.post("/t/BX-0/comment", &nobody, &OURS).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_repair_is_handed_over_with_its_cause_and_its_cost_and_what_is_wrong_comes_back_as_it_was_filled_in() {
    let hub = Hub::in_trouble().await;
    let no = hub.ticket().await;
    let (page, finish) = (format!("/t/{no}"), format!("/t/{no}/finish"));
    hub.send(&format!("/t/{no}/start"), "version=1&by=Li&unscanned=label_missing").await;
    hub.get(&page, "zh").await.says(&["id=\"finish\" open", "name=\"cause\"", "提请验收"]);
    hub.get("/engineering", "zh").await.says(&[&format!("href=\"/t/{no}#finish\"")]);
    let long = "x".repeat(201);
    for (form, words) in [
        ("cause=+&note=done".to_owned(), "请填写故障原因"),
        ("cause=plug&cost=12.345".into(), "费用应为"),
        ("cause=plug&cost=much".into(), "费用应为"),
        (format!("cause=plug&materials=a%0D%0A{long}"), "第 2 行用料太长"),
        (format!("cause=plug&materials={}", "a%0A".repeat(51)), "用料最多 50 行"),
    ] {
        let refused = hub.post(&finish, &format!("version=2&by=%3Cb%3E&{form}"), &OURS).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        refused.says(&[words, "value=\"&#60;b&#62;\"", "name=\"version\" value=\"2\""]);
        assert_eq!(refused.body.contains(">plug</textarea>"), form.contains("plug"));
    }
    let form = "version=2&by=Li&cause=plug+%3Ci%3E&note=tightened&materials=HDMI+cable+%C3%97+2%0D%0A%0D%0Aties&cost=%C2%A51%2C200.5";
    assert_eq!(hub.send(&finish, form).await, format!("{page}?notice=saved"));
    let shown = hub.get(&page, "en").await;
    shown.says(&["plug &#60;i&#62;", "HDMI cable × 2<br>ties", "¥1200.50", "tightened\nCause: plug"]);
    hub.get(&format!("{page}/print"), "zh").await.says(&[
        "<td>HDMI cable</td><td>2</td>",
        "<td>ties</td><td></td>",
        "¥1200.50",
    ]);
    // It was no repair: what was said of it is in the history, and the form has room for the next one.
    hub.send(&format!("/t/{no}/reopen"), "version=3").await;
    let shown = hub.get(&page, "en").await;
    assert_eq!(shown.body.matches("plug &#60;i&#62;").count(), 1);
    let print = hub.get(&format!("{page}/print"), "zh").await;
    assert!(!print.body.contains("¥1200.50") && print.body.contains("<dd class=\"lines\"><i></i><i></i><i></i></dd>"));
}

#[tokio::test]
async fn a_ticket_that_is_no_repair_is_rejected_and_the_post_sees_why() {
    let hub = Hub::in_trouble().await;
    let no = hub.ticket().await;
    let (page, path) = (format!("/t/{no}"), format!("/t/{no}/reject"));
    let shown = hub.get(&page, "zh").await;
    shown.says(&["退回（无需维修）", "value=\"out_of_scope\""]);
    assert!(!shown.body.contains("value=\"no_fault_found\"") && !shown.body.contains("value=\"duplicate\""));
    assert_eq!(hub.send(&path, "version=1&reason=no_fault_found").await, format!("{page}?notice=step"));
    let original = "version=1&reason=duplicate&duplicate_of=BX-202611-0099";
    assert_eq!(hub.send(&path, original).await, format!("{page}?notice=original"));
    hub.get(&format!("{page}?notice=original"), "en").await.says(&["choose another open ticket"]);
    assert_eq!(hub.post(&path, "version=1&reason=boredom", &OURS).await.status, StatusCode::BAD_REQUEST);
    let form = "version=1&reason=out_of_scope&by=Li&note=the+%3Ctenant%27s%3E+own";
    assert_eq!(hub.send(&path, form).await, format!("{page}?notice=saved"));
    let shown = hub.get(&page, "en").await;
    shown.says(&["Rejected", "Not for us to repair", "the &#60;tenant&#39;s&#62; own", "Li"]);
    assert!(!shown.body.contains(&format!("action=\"/t/{no}")), "it is over");
    hub.get("/concierge", "zh").await.says(&["无信号", &no, "已退回", "不属维修范围"]);
    hub.get("/engineering", "zh").await.says(&["没有待办工单", &no]);
    hub.get("/alerts", "en").await.says(&["LED display has no signal"]);
    hub.get(&format!("{page}/print"), "zh").await.says(&["已退回"]);
}
