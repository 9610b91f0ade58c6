//! Reports by the forms of the pages, as browsers send them: of guests, and of the staff.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use lobby_domain::{
    access::{Grant, Role},
    register::{AssetNumber, Field, Item},
    time::Span,
};
use rstest::rstest;

use crate::{
    account,
    audit::Actor,
    http::pages::tests::{Answer, Hub},
    store::{Acting, AlertFilter, SessionRow},
    token,
};

mod arrivals;

const SITE: &str = "hz-01";
const KEY: &str = "6f9619ff-8b86-4d01-b42d-00c04fc964ff";

/// A hub where somebody was entered, so that nobody else may do anything, and the code on the display's label.
async fn with_label() -> (Hub, String) {
    let hub = Hub::reporting().await;
    signed_in(&hub, Role::Admin).await;
    let code = hub.app.store.code(&SITE.parse().unwrap(), &"entrance-led".parse().unwrap()).await.unwrap().unwrap();
    (hub, code)
}

/// Somebody of that role, with what their browser proves it with.
async fn signed_in(hub: &Hub, role: Role) -> String {
    let (store, now) = (&hub.app.store, hub.app.clock.now());
    let grant = Grant { role, site: None };
    let names = (role.as_str(), "周敏");
    let (row, _) = account::enter(store, names, grant, now, &Actor::here("")).await.unwrap();
    let proof = format!("proof-of-{role}");
    let session = SessionRow {
        id: format!("session of {role}"),
        person: row.id,
        browser: "a browser".into(),
        created_at: now,
        expires_at: now + Span::from_mins(600),
        last_used_at: now,
    };
    store.open_session(&session, &token::hash(&proof), b"a browser").await.unwrap();
    proof
}

async fn ask(hub: &Hub, method: &str, path: &str, proof: Option<&str>, form: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::ACCEPT, "text/html")
        .header(header::ACCEPT_LANGUAGE, "zh")
        .header(header::HOST, "127.0.0.1:8080")
        .header("origin", "http://127.0.0.1:8080")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::COOKIE, proof.map(|proof| format!("lobby_session={proof}")).unwrap_or_default());
    hub.ask(request.body(Body::from(form.to_owned())).unwrap()).await
}

fn goes_to(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    answer.headers[header::LOCATION].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_guest_reports_what_they_see_and_is_told_how_far_it_is_and_nothing_else() {
    let (hub, code) = with_label().await;
    let place = format!("/d/{code}");
    let page = ask(&hub, "GET", &place, None, "").await;
    page.says(&["入口屏&#60;b&#62;", "大门口", "正常", "我要报修", "黑屏", "花屏", "联系电话"]);
    for secret in ["hz-01", "云汀", "entrance-led", "lobby-box", "温度", "信号"] {
        assert!(!page.body.contains(secret), "{secret} is in {}", page.body);
    }
    assert_eq!(goes_to(&ask(&hub, "GET", "/d/entrance-led", None, "").await), "/sign-in?back=/d/entrance-led");

    let form = format!("key={KEY}&symptom=dark&symptom=no-sound&note=%E5%85%A8%E9%BB%91&phone=13812341234");
    let sent = goes_to(&ask(&hub, "POST", &format!("{place}/report"), None, &form).await);
    assert!(sent.starts_with(&format!("{place}/report/")), "{sent}");
    let again = goes_to(&ask(&hub, "POST", &format!("{place}/report"), None, &form).await);
    assert_eq!(again, sent, "the same form is the same report");
    ask(&hub, "GET", &sent, None, "").await.says(&["收到，谢谢", "已报修，等待工程部接单，预计 15:30"]);
    ask(&hub, "GET", &place, None, "").await.says(&["已报修，等待工程部接单"]);

    let number = hub.ticket().await;
    let engineer = signed_in(&hub, Role::Engineering).await;
    let page = ask(&hub, "GET", &format!("/t/{number}"), Some(&engineer), "").await;
    page.says(&["报修：黑屏、无声", "客人", "13812341234", "全黑"]);
    let print = ask(&hub, "GET", &format!("/t/{number}/print"), Some(&engineer), "").await;
    print.says(&["客人", "13812341234", "黑屏、无声，全黑"]);
    let concierge = signed_in(&hub, Role::Concierge).await;
    for path in [format!("/t/{number}"), format!("/t/{number}/print")] {
        let page = ask(&hub, "GET", &path, Some(&concierge), "").await;
        page.says(&["138****1234"]);
        assert!(!page.body.contains("13812341234"), "{}", page.body);
    }
    goes_to(
        &ask(&hub, "POST", &format!("/t/{number}/start"), Some(&engineer), "version=1&unscanned=not_in_place").await,
    );
    let page = ask(&hub, "GET", &sent, None, "").await;
    page.says(&["已报修，工程部处理中"]);
    assert!(!page.body.contains("周敏"), "no names: {}", page.body);
}

#[rstest]
#[case::nothing("", "请选择一个现象")]
#[case::no_phone("&symptom=dark&phone=call+me", "电话号码不对")]
#[case::too_much(&format!("&note={}", "x".repeat(501)), "文字太长")]
#[tokio::test]
async fn a_form_that_cannot_be_taken_comes_back_as_it_was_filled_in(#[case] rest: &str, #[case] words: &str) {
    let (hub, code) = with_label().await;
    let answer = ask(&hub, "POST", &format!("/d/{code}/report"), None, &format!("key={KEY}{rest}")).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
    answer.says(&[words, "我要报修"]);
}

#[tokio::test]
async fn a_guest_reports_five_times_an_hour_and_from_our_own_page_alone() {
    let (hub, code) = with_label().await;
    let path = format!("/d/{code}/report");
    for nth in 0..5 {
        let form = format!("key={KEY}&symptom=dark&note={nth}");
        goes_to(&ask(&hub, "POST", &path, None, &form).await);
    }
    let refused = ask(&hub, "POST", &path, None, &format!("key={KEY}&symptom=dark&note=6")).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers[header::RETRY_AFTER], "3600");
    refused.says(&["请 60 分钟后再试"]);
    goes_to(&ask(&hub, "POST", &path, None, &format!("key={KEY}&symptom=dark&note=4")).await);
    hub.pass(3_600_000);
    goes_to(&ask(&hub, "POST", &path, None, &format!("key={KEY}&symptom=dark&note=6")).await);
    let _ = hub.ticket().await;

    let foreign = Request::post(&path).header("origin", "https://evil.example").body(Body::empty()).unwrap();
    assert_eq!(hub.ask(foreign).await.status, StatusCode::FORBIDDEN);
    let unsaid = Request::post(&path).body(Body::empty()).unwrap();
    assert_eq!(hub.ask(unsaid).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_staff_report_devices_and_other_things_and_damage_goes_to_the_superior() {
    let (hub, _) = with_label().await;
    let concierge = signed_in(&hub, Role::Concierge).await;
    let page = ask(&hub, "GET", "/d/entrance-led?site=hz-01", Some(&concierge), "").await;
    page.says(&["/d/entrance-led/report?site=hz-01"]);
    let place = "/d/entrance-led/report?site=hz-01";
    let page = ask(&hub, "GET", place, Some(&concierge), "").await;
    page.says(&["黑屏", "损坏", "保持现场原样"]);
    assert!(!page.body.contains("name=\"by\"") && !page.body.contains("name=\"phone\""), "{}", page.body);
    let ticket = goes_to(&ask(&hub, "POST", place, Some(&concierge), &format!("key={KEY}&symptom=dark")).await);
    assert!(ticket.starts_with("/t/BX-202611-0001?"), "{ticket}");
    ask(&hub, "GET", &ticket, Some(&concierge), "").await.says(&["员工 · 周敏 · 礼宾岗", "报修：黑屏"]);

    ask(&hub, "GET", "/report", Some(&concierge), "").await.says(&["一号鞋套机", "案场里的其他东西", "什么东西"]);
    let form = format!("key={KEY}&what=damage&thing=%E8%8A%B1%E7%93%B6");
    let told = goes_to(&ask(&hub, "POST", "/report?site=hz-01", Some(&concierge), &form).await);
    assert_eq!(told, "/report?site=hz-01&notice=told");
    ask(&hub, "GET", &told, Some(&concierge), "").await.says(&["已告知上级"]);
    let (alerts, _) = hub.app.store.alerts(&AlertFilter::default(), None, 10).await.unwrap().unwrap();
    let damage = alerts.iter().find(|alert| alert.ticket.is_none()).unwrap();
    assert_eq!((&*damage.title.zh, damage.tells.join(" ")), ("物品损坏：花瓶", "supervisor".to_owned()));
    let ack = format!("/alerts/{}/ack", damage.id);
    assert_eq!(ask(&hub, "POST", &ack, Some(&concierge), "").await.status, StatusCode::FORBIDDEN);
    let supervisor = signed_in(&hub, Role::Supervisor).await;
    goes_to(&ask(&hub, "POST", &ack, Some(&supervisor), "").await);

    let nothing = ask(&hub, "POST", "/report?site=hz-01", Some(&concierge), &format!("key={KEY}&symptom=broken")).await;
    assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY);
    nothing.says(&["请写明是什么东西"]);
    let viewer = signed_in(&hub, Role::Viewer).await;
    for path in ["/report", place] {
        assert_eq!(ask(&hub, "GET", path, Some(&viewer), "").await.status, StatusCode::FORBIDDEN, "{path}");
    }
}

const BOUNDARY: &str = "lobby-4f2a";

/// A form with files, as browsers send it.
fn multipart(fields: &[(&str, &str)], files: &[Vec<u8>]) -> Vec<u8> {
    let head = |rest: String| format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {rest}\r\n\r\n").into_bytes();
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(head(format!("name=\"{name}\"")));
        body.extend([value.as_bytes(), b"\r\n"].concat());
    }
    for file in files {
        let kind = "\r\nContent-Type: image/svg+xml";
        body.extend(head(format!("name=\"photo\"; filename=\"../../<b>.svg\"{kind}")));
        body.extend([file.as_slice(), b"\r\n"].concat());
    }
    body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
    body
}

async fn send(hub: &Hub, path: &str, proof: Option<&str>, body: Vec<u8>) -> Answer {
    let request = Request::post(path)
        .header(header::ACCEPT, "text/html")
        .header(header::ACCEPT_LANGUAGE, "zh")
        .header("origin", "http://127.0.0.1:8080")
        .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"))
        .header(header::COOKIE, proof.map(|proof| format!("lobby_session={proof}")).unwrap_or_default());
    hub.ask(request.body(Body::from(body)).unwrap()).await
}

fn picture(shade: u8) -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(40, 30, image::Rgb([shade, 0, 0])).write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

/// Where the photos on a page are.
fn photos_on(page: &Answer) -> Vec<String> {
    let parts = page.body.split("<img src=\"").skip(1);
    parts.map(|part| part.split('"').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn photos_are_sent_with_reports_notes_and_repairs_and_shown_to_those_who_are_signed_in() {
    let (hub, code) = with_label().await;
    let form = [("key", KEY), ("symptom", "dark"), ("note", "左边")];
    let sent = send(&hub, &format!("/d/{code}/report"), None, multipart(&form, &[picture(1), Vec::new()])).await;
    let place = goes_to(&sent);
    assert_eq!(photos_on(&ask(&hub, "GET", &place, None, "").await), [""; 0], "not to guests");
    let number = hub.ticket().await;
    let engineer = signed_in(&hub, Role::Engineering).await;
    let page = format!("/t/{number}");
    let noted = multipart(&[("key", KEY), ("back", &page)], &[picture(2)]);
    assert_eq!(
        goes_to(&send(&hub, &format!("{page}/comment"), Some(&engineer), noted).await),
        format!("{page}?notice=saved")
    );
    goes_to(&ask(&hub, "POST", &format!("{page}/start"), Some(&engineer), "version=1&unscanned=not_in_place").await);
    let bad = multipart(&[("version", "2"), ("cause", "松了")], &[b"<svg onload='alert(1)'/>".to_vec()]);
    let refused = send(&hub, &format!("{page}/finish"), Some(&engineer), bad).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.says(&["这不是照片", "松了"]);
    let good = multipart(&[("version", "2"), ("cause", "松了")], &[picture(3)]);
    goes_to(&send(&hub, &format!("{page}/finish"), Some(&engineer), good).await);

    let shown = ask(&hub, "GET", &page, Some(&engineer), "").await;
    shown.says(&["左边", "报修时", "维修前", "维修后", "松了"]);
    let photos = photos_on(&shown);
    assert_eq!(photos.len(), 3, "{photos:?}");
    ask(&hub, "GET", &format!("{page}/print"), Some(&engineer), "").await.says(&["黑屏，左边，照片 1 张"]);
    let request = |proof: &str| {
        let request = Request::get(&photos[0]).header(header::COOKIE, format!("lobby_session={proof}"));
        hub.ask_bytes(request.body(Body::empty()).unwrap())
    };
    let (status, headers, bytes) = request(&engineer).await;
    assert_eq!((status, &bytes[..3]), (StatusCode::OK, &[0xff, 0xd8, 0xff][..]));
    let says = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!((says("content-type"), says("x-content-type-options")), ("image/jpeg".into(), "nosniff".into()));
    assert!(
        says("cache-control").starts_with("private") && says("content-disposition").starts_with("inline; filename=")
    );
    assert_eq!(request("nobody").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_photo_that_is_none_is_refused_with_a_sentence_and_nothing_is_reported() {
    let (hub, code) = with_label().await;
    let path = format!("/d/{code}/report");
    let large = vec![0xff; crate::photo::LARGEST + 1];
    let seven: Vec<_> = (0..7).map(picture).collect();
    let cases: [(Vec<Vec<u8>>, &str); 4] = [
        (vec![b"\0\0\0\x18ftypheic".to_vec()], "这不是照片"),
        (vec![picture(1)[..40].to_vec()], "照片打不开"),
        (vec![large], "照片太大"),
        (seven, "最多 6 张"),
    ];
    for (files, words) in cases {
        let answer = send(&hub, &path, None, multipart(&[("key", KEY), ("symptom", "dark")], &files)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{words}: {}", answer.body);
        answer.says(&[words, "symptom-dark\" name=\"symptom\" value=\"dark\" checked"]);
    }
    assert!(super::Open::read(&hub.app.store, None, hub.app.clock.now()).await.unwrap().tickets.is_empty());
    let admin = format!("proof-of-{}", Role::Admin);
    for body in [b"--lobby-4f2a\r\nnonsense".to_vec(), Vec::new()] {
        let answer = send(&hub, &path, Some(&admin), body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
    }
}

#[tokio::test]
async fn the_superior_sees_what_was_reported_to_them() {
    let (hub, _) = with_label().await;
    let (concierge, supervisor) = (signed_in(&hub, Role::Concierge).await, signed_in(&hub, Role::Supervisor).await);
    let form = multipart(&[("key", KEY), ("what", "damage"), ("thing", "花瓶"), ("note", "裂了")], &[picture(1)]);
    goes_to(&send(&hub, "/report?site=hz-01", Some(&concierge), form).await);
    let (alerts, _) = hub.app.store.alerts(&AlertFilter::default(), None, 10).await.unwrap().unwrap();
    let page = format!("/alerts/{}", alerts[0].id);
    ask(&hub, "GET", "/alerts", Some(&supervisor), "").await.says(&[&page]);
    let shown = ask(&hub, "GET", &page, Some(&supervisor), "").await;
    shown.says(&["物品损坏：花瓶", "裂了", "保持现场原样", "周敏", &format!("{page}/ack")]);
    assert_eq!(photos_on(&shown).len(), 1);
    let shown = ask(&hub, "GET", &page, Some(&concierge), "").await;
    assert!(!shown.body.contains(&format!("{page}/ack")), "it is for the superior: {}", shown.body);
}

/// The same with a vase in the register, by the code on its label.
async fn with_item() -> (Hub, String) {
    let (hub, _) = with_label().await;
    let (site, actor) = (SITE.parse().unwrap(), Actor::here(""));
    let by = Acting { site: &site, who: "", post: "", actor: &actor, at: hub.app.clock.now() };
    let text = |field| match field {
        Field::Name => "青花瓷瓶",
        Field::Place => "客厅",
        Field::Value => "1280",
        _ => "",
    };
    let vase = Item::read(|field| Some(text(field))).unwrap();
    let code = "7k3f9q2m";
    hub.app.store.add_to_register(uuid::Uuid::from_u128(1), &vase, &[], code, by).await.unwrap();
    (hub, code.into())
}

#[tokio::test]
async fn a_guest_reports_an_item_by_its_label_once_and_the_supervisor_is_told() {
    let (hub, code) = with_item().await;
    let place = format!("/d/{code}");
    let page = ask(&hub, "GET", &place, None, "").await;
    page.says(&["青花瓷瓶", "客厅", "报告损坏或遗失", "联系电话"]);
    for secret in ["1280", "hz-01", "00001-", "我要报修"] {
        assert!(!page.body.contains(secret), "{secret} is in {}", page.body);
    }
    let empty = ask(&hub, "POST", &format!("{place}/report"), None, &format!("key={KEY}&phone=13812341234")).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    empty.says(&["请写一句话说明情况", "怎么了？", "13812341234", "青花瓷瓶"]);
    let form = format!("key={KEY}&note=%E7%A2%8E%E4%BA%86&phone=13812341234");
    let sent = goes_to(&ask(&hub, "POST", &format!("{place}/report"), None, &form).await);
    assert_eq!(goes_to(&ask(&hub, "POST", &format!("{place}/report"), None, &form).await), sent, "it is one report");
    let thanks = ask(&hub, "GET", &sent, None, "").await;
    thanks.says(&["收到，谢谢", "会转告现场主管"]);
    assert!(!thanks.body.contains("碎了"), "{}", thanks.body);
    let alerts = hub.app.store.alerts(&AlertFilter::default(), None, 10).await.unwrap().unwrap().0;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let number = AssetNumber::of(1);
    assert_eq!(&*alerts[0].title.zh, format!("物品损坏：青花瓷瓶 {number} 客厅"));
    assert_eq!((&*alerts[0].tells, alerts[0].ticket.is_none()), (&["supervisor".into()][..], true));
    assert!(alerts[0].evidence.zh.starts_with("客人报告"), "{:?}", alerts[0].evidence);
    // It is told of under its own label alone.
    let device = hub.app.store.code(&SITE.parse().unwrap(), &"entrance-led".parse().unwrap()).await.unwrap().unwrap();
    let elsewhere = sent.replace(&code, &device);
    assert_eq!(ask(&hub, "GET", &elsewhere, None, "").await.status, StatusCode::NOT_FOUND);
    for nth in 0..4 {
        goes_to(&ask(&hub, "POST", &format!("{place}/report"), None, &format!("key={KEY}&note={nth}")).await);
    }
    let refused = ask(&hub, "POST", &format!("{place}/report"), None, &format!("key={KEY}&note=5")).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn staff_report_damage_or_loss_of_an_item_by_its_label_to_their_superior() {
    let (hub, code) = with_item().await;
    let (place, number) = (format!("/d/{code}"), AssetNumber::of(1));
    let (staff, viewer) = (signed_in(&hub, Role::Showflat).await, signed_in(&hub, Role::Viewer).await);
    let item = format!("/register/{SITE}/{number}");
    assert_eq!(goes_to(&ask(&hub, "GET", &place, Some(&staff), "").await), item);
    ask(&hub, "GET", &item, Some(&staff), "").await.says(&[&format!("href=\"{place}/report\""), "报告损坏或遗失"]);
    let form = ask(&hub, "GET", &format!("{place}/report"), Some(&staff), "").await;
    assert_eq!(form.status, StatusCode::OK, "{}", form.body);
    form.says(&["青花瓷瓶", &number.to_string(), "客厅", &item, "value=\"damage\" checked", "value=\"loss\""]);
    assert!(!form.body.contains("name=\"thing\"") && !form.body.contains("name=\"phone\""), "{}", form.body);
    let refused = ask(&hub, "GET", &format!("{place}/report"), Some(&viewer), "").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "a viewer reports nothing");

    let long = format!("key={KEY}&what=loss&note={}", "a".repeat(501));
    let again = ask(&hub, "POST", &format!("{place}/report"), Some(&staff), &long).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    again.says(&["青花瓷瓶", &"a".repeat(501), "value=\"loss\" checked", &format!("action=\"{place}/report\"")]);
    // The label says what is lost, whatever the form says.
    let lost = format!("key={KEY}&what=loss&thing=another&note=");
    for _ in 0..2 {
        let sent = ask(&hub, "POST", &format!("{place}/report"), Some(&staff), &lost).await;
        assert_eq!(goes_to(&sent), format!("{item}?notice=told"), "sent twice, it is one report");
    }
    let alerts = hub.app.store.alerts(&AlertFilter::default(), None, 10).await.unwrap().unwrap().0;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(&*alerts[0].title.zh, format!("物品丢失：青花瓷瓶 {number} 客厅"));
    assert_eq!((&*alerts[0].tells, alerts[0].ticket.is_none()), (&["supervisor".into()][..], true));
}

#[tokio::test]
async fn a_label_that_is_void_or_on_nothing_takes_no_report() {
    let (hub, code) = with_item().await;
    let (site, actor) = (SITE.parse().unwrap(), Actor::here(""));
    let by = Acting { site: &site, who: "", post: "", actor: &actor, at: hub.app.clock.now() };
    hub.app.store.bind_label(&code, None, (1, "掉了"), by).await.unwrap();
    for (method, path) in [("GET", format!("/d/{code}")), ("POST", format!("/d/{code}/report"))] {
        let answer = ask(&hub, method, &path, None, &format!("key={KEY}&note=x")).await;
        assert_eq!(goes_to(&answer).split('?').next(), Some("/sign-in"), "{method}");
    }
    let alerts = hub.app.store.alerts(&AlertFilter::default(), None, 10).await.unwrap().unwrap().0;
    assert!(alerts.is_empty(), "{alerts:?}");
}
