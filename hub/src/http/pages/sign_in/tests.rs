//! From the first link to a second person at work, by the forms of the pages, as browsers send them.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use rstest::rstest;

use crate::http::{
    cookies,
    gate::Caller,
    pages::tests::{Answer, Hub},
};

const PASSWORD: &str = "门口的大屏总是亮着";
const ENCODED: &str = "%E9%97%A8%E5%8F%A3%E7%9A%84%E5%A4%A7%E5%B1%8F%E6%80%BB%E6%98%AF%E4%BA%AE%E7%9D%80";

/// A browser: what it was told to keep, it sends.
#[derive(Default)]
struct Browser {
    cookies: Vec<(String, String)>,
}

impl Browser {
    fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "127.0.0.1:8080")
            .header(header::ACCEPT, "text/html,application/xhtml+xml")
            .header(header::ACCEPT_LANGUAGE, "zh")
            .header(header::COOKIE, cookies.join("; "))
    }

    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    async fn get(&mut self, hub: &Hub, path: &str) -> Answer {
        let answer = hub.ask(self.request("GET", path).body(Body::empty()).unwrap()).await;
        self.keep(&answer);
        answer
    }

    async fn post(&mut self, hub: &Hub, path: &str, form: &str) -> Answer {
        let request = self.request("POST", path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.header("origin", "http://127.0.0.1:8080").header("sec-fetch-site", "same-origin");
        let answer = hub.ask(request.body(Body::from(form.to_owned())).unwrap()).await;
        self.keep(&answer);
        answer
    }
}

fn goes_to(answer: &Answer) -> &str {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    answer.headers[header::LOCATION].to_str().unwrap()
}

/// A hub whose administrator `boss` is signed in in the browser returned.
async fn administered() -> (Hub, Browser) {
    let hub = Hub::in_trouble().await;
    hub.app.accounts.offer_first_admin("http://x").await.unwrap();
    let file = hub.folder().join("setup-link.txt");
    let link = std::fs::read_to_string(file).unwrap().trim().replace("http://x", "");
    let mut boss = Browser::default();
    boss.get(&hub, &link).await.says(&["首次设置"]);
    let form = format!("name=%E7%8E%8B%E6%95%8F&login=boss&password={ENCODED}&again={ENCODED}");
    assert_eq!(goes_to(&boss.post(&hub, &link, &form).await), "/sign-in");
    let answer = boss.post(&hub, "/sign-in", &format!("login=boss&password={ENCODED}&back=")).await;
    assert_eq!(goes_to(&answer), "/");
    (hub, boss)
}

#[tokio::test]
async fn from_the_first_link_to_an_engineer_at_work() {
    let (hub, mut boss) = administered().await;
    boss.get(&hub, "/").await.says(&["王敏", "/people", "/sign-out"]);

    // Entered by the administrator, an engineer of this site opens the link once.
    let answer = boss.post(&hub, "/people", "name=%E6%9D%8E%E5%B7%A5&login=Li&role=engineering&site=hz-01").await;
    answer.says(&["李工", "http://127.0.0.1:8080/setup/"]);
    assert!(!answer.body.contains("data-events"), "a page that follows changes would lose what is shown once");
    let link = answer.body.split("http://127.0.0.1:8080").nth(1).unwrap().split('<').next().unwrap().to_owned();
    boss.post(&hub, "/people", "name=x&login=li&role=viewer&site=").await.says(&["这个账号已有人使用"]);
    let mut li = Browser::default();
    li.get(&hub, &link).await.says(&["李工", "li"]);
    let weak = li.post(&hub, &link, "password=12345678&again=12345678").await;
    weak.says(&["太容易被猜到"]);
    assert_eq!(goes_to(&li.post(&hub, &link, &format!("password={ENCODED}&again={ENCODED}")).await), "/sign-in");
    assert_eq!(li.get(&hub, &link).await.status, StatusCode::GONE);

    // They come to what they wanted to see.
    assert_eq!(goes_to(&li.get(&hub, "/t/x?a=1").await), "/sign-in?back=/t/x%3Fa%3D1");
    li.get(&hub, "/sign-in?back=/t/x%3Fa%3D1").await.says(&["value=\"/t/x?a=1\""]);
    let answer = li.post(&hub, "/sign-in", &format!("login=li&password={ENCODED}&back=/t/x?a=1&remember=yes")).await;
    assert_eq!(goes_to(&answer), "/t/x?a=1");
    let cookies: Vec<_> = answer.headers.get_all(header::SET_COOKIE).iter().map(|c| c.to_str().unwrap()).collect();
    assert!(cookies.iter().all(|c| c.contains("HttpOnly") && c.contains("SameSite=Lax")), "{cookies:?}");

    // What they do is signed with their name, whatever the form says.
    let number = hub.ticket().await;
    let page = li.get(&hub, &format!("/t/{number}")).await;
    assert!(!page.body.contains("name=\"by\""), "nobody who is signed in types their name");
    goes_to(&li.post(&hub, &format!("/t/{number}/accept"), "version=1&by=%E7%8E%8B%E6%95%8F").await);
    li.get(&hub, &format!("/t/{number}")).await.says(&["李工"]);

    // What is not theirs is told so by a page, and its ways are not shown.
    let home = li.get(&hub, "/engineering").await;
    assert!(!home.body.contains("href=\"/people\"") && !home.body.contains("href=\"/health\""), "{}", home.body);
    let refused = li.get(&hub, "/people").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    refused.says(&["没有权限"]);

    assert_eq!(goes_to(&li.post(&hub, "/sign-out", "").await), "/sign-in");
    assert!(goes_to(&li.get(&hub, "/engineering").await).starts_with("/sign-in"));
}

#[tokio::test]
async fn a_manager_enters_people_of_their_site_alone_and_nobody_above_them() {
    let (hub, mut boss) = administered().await;
    let answer = boss.post(&hub, "/people", "name=%E5%88%98%E7%BB%8F%E7%90%86&login=liu&role=manager&site=hz-01").await;
    let link = answer.body.split("http://127.0.0.1:8080").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let mut liu = Browser::default();
    liu.post(&hub, &link, &format!("password={ENCODED}&again={ENCODED}")).await;
    liu.post(&hub, "/sign-in", &format!("login=liu&password={ENCODED}")).await;

    let page = liu.get(&hub, "/people").await;
    page.says(&["刘经理"]);
    assert!(!page.body.contains("王敏") && !page.body.contains("value=\"admin\""), "{}", page.body);
    for form in ["role=admin&site=hz-01", "role=viewer&site=", "role=viewer&site=hz-02"] {
        let refused = liu.post(&hub, "/people", &format!("name=x&login=x&{form}")).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{form}");
    }
    liu.post(&hub, "/people", "name=x&login=x&role=viewer&site=hz-01").await.says(&["/setup/"]);
    // Nobody takes over an account above their own by a new link.
    let people = hub.app.store.people().await.unwrap();
    let boss_id = &people.iter().find(|row| row.login == "boss").unwrap().id;
    for what in ["link", "disable", "enable"] {
        let refused = liu.post(&hub, &format!("/people/{boss_id}"), &format!("what={what}")).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{what}");
    }
    // The only administrator cannot lock everybody out.
    let refused = boss.post(&hub, &format!("/people/{boss_id}"), "what=disable").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    refused.says(&["唯一能登录的管理员"]);
    let liu_id = &people.iter().find(|row| row.login == "liu").unwrap().id;
    goes_to(&boss.post(&hub, &format!("/people/{liu_id}"), "what=disable").await);
    assert!(goes_to(&liu.get(&hub, "/").await).starts_with("/sign-in"), "signed out at once");
}

#[tokio::test]
async fn an_administrator_alone_erases_somebody_and_types_their_login_to_confirm() {
    let (hub, mut boss) = administered().await;
    for (login, role) in [("liu", "manager"), ("chen", "engineering")] {
        let answer =
            boss.post(&hub, "/people", &format!("name=Name-{login}&login={login}&role={role}&site=hz-01")).await;
        let link = answer.body.split("http://127.0.0.1:8080").nth(1).unwrap().split('<').next().unwrap().to_owned();
        let mut own = Browser::default();
        own.post(&hub, &link, &format!("password={ENCODED}&again={ENCODED}")).await;
    }
    let people = hub.app.store.people().await.unwrap();
    let id_of = |login: &str| people.iter().find(|row| row.login == login).unwrap().id.clone();
    let [boss_id, chen_id] = [id_of("boss"), id_of("chen")];
    let mut liu = Browser::default();
    liu.post(&hub, "/sign-in", &format!("login=liu&password={ENCODED}")).await;
    let page = liu.get(&hub, "/people").await;
    assert!(page.body.contains("Name-chen") && !page.body.contains("value=\"erase\""), "{}", page.body);
    let refused = liu.post(&hub, &format!("/people/{chen_id}"), "what=erase&login=chen").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "a manager disables, and erases nobody");

    let refused = boss.post(&hub, &format!("/people/{chen_id}"), "what=erase&login=liu").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.says(&["未删除：输入的账号与此人的不一致", "Name-chen"]);
    let refused = boss.post(&hub, &format!("/people/{boss_id}"), "what=erase&login=boss").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    refused.says(&["唯一能登录的管理员"]);
    for _ in 0..2 {
        goes_to(&boss.post(&hub, &format!("/people/{chen_id}"), "what=erase&login=Chen").await);
    }
    let page = boss.get(&hub, "/people").await;
    page.says(&["已删除人员 1 / Former member 1", "已删除</span>"]);
    assert!(!page.body.contains("Name-chen"), "{}", page.body);
    let refused = boss.post(&hub, &format!("/people/{chen_id}"), "what=enable").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let refused = Browser::default().post(&hub, "/sign-in", &format!("login=former+member+1&password={ENCODED}")).await;
    refused.says(&["账号或密码不对"]);
}

#[tokio::test]
async fn ones_sessions_are_listed_and_ended_and_the_password_changed() {
    let (hub, mut boss) = administered().await;
    let mut phone = Browser::default();
    phone.post(&hub, "/sign-in", &format!("login=boss&password={ENCODED}")).await;
    let page = boss.get(&hub, "/account").await;
    page.says(&["当前设备", "退出其他所有设备"]);
    let other = page.body.split("/account/sessions/").find(|rest| rest.contains("/end") && !rest.starts_with("end"));
    let other = other.unwrap().split('/').next().unwrap().to_owned();
    goes_to(&boss.post(&hub, &format!("/account/sessions/{other}/end"), "").await);
    assert!(goes_to(&phone.get(&hub, "/account").await).starts_with("/sign-in"));

    phone.post(&hub, "/sign-in", &format!("login=boss&password={ENCODED}")).await;
    let wrong = boss.post(&hub, "/account/password", &format!("present=x&password={ENCODED}&again={ENCODED}")).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let new = "nine-lamps-over-the-lobby";
    let done = boss.post(&hub, "/account/password", &format!("present={ENCODED}&password={new}&again={new}")).await;
    assert_eq!(goes_to(&done), "/account?notice=saved");
    boss.get(&hub, "/account").await.says(&["王敏"]);
    assert!(
        goes_to(&phone.get(&hub, "/account").await).starts_with("/sign-in"),
        "other sessions end with the password"
    );
}

#[tokio::test]
async fn whoever_guesses_is_told_how_long_to_wait() {
    let (hub, _) = administered().await;
    let mut stranger = Browser::default();
    for _ in 0..5 {
        let answer = stranger.post(&hub, "/sign-in", "login=boss&password=guess").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        answer.says(&["账号或密码不对", "value=\"boss\""]);
    }
    let answer = stranger.post(&hub, "/sign-in", &format!("login=boss&password={ENCODED}")).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers[header::RETRY_AFTER], "900");
    answer.says(&["15 分钟后再试"]);
}

#[rstest]
#[case::elsewhere("https://evil.example/")]
#[case::elsewhere_without_a_scheme("//evil.example/")]
#[case::elsewhere_as_browsers_read_it("/\\evil.example/")]
#[tokio::test]
async fn after_signing_in_nobody_is_sent_elsewhere(#[case] back: &str) {
    let (hub, _) = administered().await;
    let mut browser = Browser::default();
    let back = super::super::reader::encoded(back);
    let page = browser.get(&hub, &format!("/sign-in?back={back}")).await;
    page.says(&["name=\"back\" value=\"\""]);
    let answer = browser.post(&hub, "/sign-in", &format!("login=boss&password={ENCODED}&back={back}")).await;
    assert_eq!(goes_to(&answer), "/");
}

#[tokio::test]
async fn before_anybody_signs_in_no_page_tells_of_a_site() {
    let (hub, _) = administered().await;
    let mut stranger = Browser::default();
    for path in ["/sign-in", "/setup/none", "/nothing/here", "/lang/xx"] {
        let page = stranger.get(&hub, path).await;
        assert!(!page.body.contains("hz-01") && !page.body.contains("入口屏"), "{path}: {}", page.body);
        assert!(!page.body.contains("<nav"), "{path}: {}", page.body);
    }
    assert_eq!(PASSWORD.len(), ENCODED.len() / 3, "the form holds the same password");
}

#[tokio::test]
async fn nobody_is_offered_what_they_may_not_do() {
    let (hub, mut boss) = administered().await;
    let number = hub.ticket().await;
    let accept = format!("/t/{number}/accept");
    for (role, offered) in [("engineering", true), ("concierge", false), ("viewer", false)] {
        let answer = boss.post(&hub, "/people", &format!("name=x&login={role}&role={role}&site=hz-01")).await;
        let link = answer.body.split("http://127.0.0.1:8080").nth(1).unwrap().split('<').next().unwrap().to_owned();
        let mut they = Browser::default();
        they.post(&hub, &link, &format!("password={ENCODED}&again={ENCODED}")).await;
        they.post(&hub, "/sign-in", &format!("login={role}&password={ENCODED}")).await;
        for page in [&format!("/t/{number}"), "/engineering"] {
            let page = they.get(&hub, page).await;
            assert_eq!(page.status, StatusCode::OK);
            assert_eq!(page.body.contains(&accept), offered, "{role}: {}", page.body);
            assert_eq!(page.body.contains("/silence\""), offered, "{role}: {}", page.body);
        }
        let alerts = they.get(&hub, "/alerts").await;
        assert_eq!(alerts.body.contains("/ack\""), role != "viewer", "{role}: {}", alerts.body);
        assert!(!alerts.body.contains("/maintenance"), "{role} is of one site");
    }
}

#[tokio::test]
async fn whoever_listens_is_known_until_they_are_signed_out() {
    let (hub, mut boss) = administered().await;
    let headers = boss.request("GET", "/events").body(()).unwrap().headers().clone();
    let proof = cookies::session(&headers, false).unwrap();
    let (session, person) = hub.app.accounts.session(proof).await.unwrap().unwrap();
    let held = person.held();
    let caller = Caller::Person { person: Arc::new(person), session: session.id.into(), held };
    assert!(caller.is_still(&hub.app, &headers).await);
    goes_to(&boss.post(&hub, "/sign-out", "").await);
    assert!(!caller.is_still(&hub.app, &headers).await, "the same cookie stands for nobody now");
}
