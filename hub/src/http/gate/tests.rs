//! Every route, by every role, at one's own site and at another one.

mod grants;

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use lobby_domain::{
    access::{Grant, Role},
    time::{Span, Timestamp},
};
use rstest::rstest;
use tower::ServiceExt;

use super::*;
use crate::{
    audit::Actor,
    http::{self, pages::tests::Hub},
    token,
};

const OURS: &str = "hz-01";
const THEIRS: &str = "hz-02";

/// One thing of each kind at our site, and a token of each role at our site, at another one, and everywhere.
struct World {
    hub: Hub,
    ticket: String,
    alert: String,
    silence: String,
    window: String,
    code: String,
    round: String,
}

impl World {
    async fn new() -> Self {
        let hub = Hub::in_trouble().await;
        let (theirs, now) = (THEIRS.parse::<SiteId>().unwrap(), hub.app.clock.now());
        hub.app.fleet.write().insert(theirs.clone(), hub.app.fleet.new_site(&theirs, now));
        let store = &hub.app.store;
        let alerts = hub.read("/api/v1/alerts?device=entrance-led").await;
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let (alert, ticket) = (text(&alerts["items"][0]["id"]), text(&alerts["items"][0]["ticket"]));
        let matchers = serde_json::json!({ "site": OURS, "device": "covers-1" });
        let ends = hub.app.clock.now().millis() + 3_600_000;
        let body = serde_json::json!({ "matchers": matchers, "ends": ends });
        let silence = text(&hub.make("silences", body.clone()).await["id"]);
        let window = text(&hub.make("maintenance", body).await["id"]);
        let code = store.code(&OURS.parse().unwrap(), &"entrance-led".parse().unwrap()).await.unwrap().unwrap();
        // One of the post reception.
        hub.pass(2 * 3_600_000);
        let rounds = hub.open_rounds().await;
        let round = rounds.iter().find(|round| round.is_handover()).unwrap().id.to_string();
        Self { hub, ticket, alert, silence, window, code, round }
    }

    async fn token(&self, role: Role, site: Option<&str>) -> String {
        let grant = Grant { role, site: site.map(|site| site.parse().unwrap()) };
        let now = self.hub.app.clock.now();
        token::create(&self.hub.app.store, role.to_string(), grant, None, now, &Actor::here("")).await.unwrap().0
    }

    /// A path with what is at our site in place of its parameters.
    fn filled(&self, path: &str) -> String {
        let id = match path {
            _ if path.contains("/devices/") => "entrance-led",
            _ if path.contains("/agents/") => "lobby-box",
            _ if path.contains("/alerts/") => &self.alert,
            _ if path.contains("/silences/") => &self.silence,
            _ if path.contains("/maintenance/") => &self.window,
            _ if path.contains("/checks/") => &self.round,
            _ => "disk",
        };
        let verb = if path.contains("/alerts/") { "clear" } else { "accept" };
        let parameters = [
            ("{site}", OURS),
            ("{id}", id),
            ("{agent}", "lobby-box"),
            ("{number}", &self.ticket),
            ("{no}", &self.ticket),
            ("{role}", "viewer"),
            ("{action}", verb),
            ("{verb}", verb),
            ("{domain}", "storage"),
            ("{channel}", "none"),
            ("{name}", "none"),
            ("{code}", &self.code),
            ("{lang}", "en"),
            ("{version}", "none"),
            ("{link}", "none"),
            ("{asset}", "00001-3"),
        ];
        parameters.iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
    }

    async fn ask(&self, method: &Method, path: &str, token: Option<&str>) -> (StatusCode, String) {
        let token = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
        self.send(method, path, &headers).await
    }

    /// The same in a browser that proves with `proof` who is signed in.
    async fn ask_as(&self, method: &Method, path: &str, proof: &str, headers: &[(&str, &str)]) -> (StatusCode, String) {
        let cookie = format!("lobby_session={proof}");
        let headers = [&[("cookie", cookie.as_str())], headers].concat();
        self.send(method, path, &headers).await
    }

    async fn send(&self, method: &Method, path: &str, headers: &[(&str, &str)]) -> (StatusCode, String) {
        let mut request = Request::builder().method(method.clone()).uri(path).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = http::router(self.hub.app.clone()).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = answer.status();
        // The stream of events does not end.
        let body = if path.starts_with("/events") {
            String::new()
        } else {
            let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        (status, body)
    }
}

/// Every route, sorted.
fn routes() -> Vec<(Box<str>, Method, Policy)> {
    let routes = http::routes();
    let mut all: Vec<_> =
        routes.policies().iter().map(|((path, method), policy)| (path.clone(), method.clone(), *policy)).collect();
    all.sort_by(|one, other| (&one.0, one.1.as_str()).cmp(&(&other.0, other.1.as_str())));
    all
}

/// What the route of a request needs, as the gate finds it.
fn need(policy: Policy) -> Need {
    match policy.about {
        About::TicketStep => need_of_step("accept"),
        About::AlertStep => need_of_alert("clear"),
        _ => policy.need,
    }
}

#[rstest]
#[case::no_browser(&[("host", "hub:8080")], None)]
#[case::our_page(&[("host", "hub:8080"), ("origin", "http://hub:8080"), ("sec-fetch-site", "same-origin")], Some(true))]
#[case::typed(&[("host", "hub"), ("sec-fetch-site", "none")], Some(true))]
#[case::other_site(&[("host", "hub"), ("sec-fetch-site", "cross-site")], Some(false))]
#[case::sibling(&[("host", "hub"), ("sec-fetch-site", "same-site")], Some(false))]
#[case::other_origin(&[("host", "hub:8080"), ("origin", "http://other.example")], Some(false))]
#[case::other_port(&[("host", "hub:8080"), ("origin", "http://hub:8081")], Some(false))]
#[case::hidden_origin(&[("host", "hub"), ("origin", "null")], Some(false))]
#[case::no_host(&[("origin", "http://hub")], Some(false))]
fn a_browser_says_from_whose_page_a_request_comes(
    #[case] headers: &[(&'static str, &'static str)],
    #[case] ours: Option<bool>,
) {
    let headers = headers
        .iter()
        .map(|(name, value)| (axum::http::HeaderName::from_static(name), axum::http::HeaderValue::from_static(value)));
    assert_eq!(says_ours(&headers.collect()), ours);
}

#[test]
fn who_may_do_what_at_a_glance() {
    let line = |(path, method, policy): (Box<str>, Method, Policy)| {
        format!("{:<6} {path:<48} {:?}, about {:?}", method.as_str(), policy.need, policy.about)
    };
    let all: Vec<String> = routes().into_iter().map(line).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test]
async fn every_route_is_open_to_whom_it_is_meant_for_and_to_nobody_else() {
    let world = World::new().await;
    let mut asked = 0;
    for role in Role::ALL {
        let tokens = [Some(OURS), Some(THEIRS), None].map(|site| (site, world.token(role, site)));
        for (site, token) in tokens {
            let token = token.await;
            for (path, method, policy) in routes() {
                // What ends things is asked of those who may not alone: the others would find nothing any more.
                let (ends, may) = (method == Method::DELETE || path.ends_with("/end"), role.may(need(policy)));
                let elsewhere = policy.about != About::RoundStep || site == Some(THEIRS);
                let allowed = may && (elsewhere || stands_at(Some(role), "reception"));
                if ends && allowed && site != Some(THEIRS) {
                    continue;
                }
                asked += 1;
                let (status, body) = world.ask(&method, &world.filled(&path), Some(&token)).await;
                let told = format!("{role} of {site:?}: {method} {path}: {status} {body}");
                assert_ne!(status, StatusCode::UNAUTHORIZED, "{told}");
                if !allowed {
                    assert_eq!(status, StatusCode::FORBIDDEN, "{told}");
                    assert!(body.contains("/problems/forbidden") && body.contains("roles"), "{told}");
                    continue;
                }
                match (site, policy.about) {
                    (Some(_), About::AllSites) => assert_eq!(status, StatusCode::FORBIDDEN, "{told}"),
                    (Some(THEIRS), About::Nothing | About::Handler | About::List) => {
                        assert_ne!(status, StatusCode::FORBIDDEN, "{told}");
                        let named = [OURS, "entrance-led", "入口屏", &world.ticket, &world.alert];
                        assert!(!named.iter().any(|name| body.contains(name)), "it tells of another site: {told}");
                    }
                    (Some(THEIRS), _) => assert_eq!(status, StatusCode::NOT_FOUND, "{told}"),
                    _ => {
                        assert_ne!(status, StatusCode::FORBIDDEN, "{told}");
                        assert!(!body.contains("thing at your site"), "{told}");
                    }
                }
            }
        }
    }
    assert!(asked > 1000, "{asked}");
}

#[rstest]
#[case::of_another_site("site=hz-01")]
#[case::of_both("site=hz-02&site=hz-01")]
#[case::in_other_letters("%73ite=hz%2D01")]
#[tokio::test]
async fn a_list_of_another_site_is_refused_however_it_is_written(#[case] query: &str) {
    let world = World::new().await;
    let token = world.token(Role::Admin, Some(THEIRS)).await;
    for path in ["/api/v1/tickets", "/api/v1/devices", "/engineering", "/events"] {
        let (status, body) = world.ask(&Method::GET, &format!("{path}?{query}"), Some(&token)).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {body}");
    }
}

#[tokio::test]
async fn a_page_whose_query_cannot_be_read_shows_no_other_site() {
    let world = World::new().await;
    let token = world.token(Role::Viewer, Some(THEIRS)).await;
    let (status, body) = world.ask(&Method::GET, "/engineering?range=1&range=2", Some(&token)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!body.contains("入口屏"), "{body}");
}

#[rstest]
#[case::names_no_site(serde_json::json!({ "device": "covers-1" }), StatusCode::FORBIDDEN)]
#[case::names_another_one(serde_json::json!({ "site": THEIRS }), StatusCode::FORBIDDEN)]
#[case::names_both(serde_json::json!({ "site": [OURS, THEIRS] }), StatusCode::FORBIDDEN)]
#[case::names_its_own(serde_json::json!({ "site": OURS, "device": "covers-1" }), StatusCode::CREATED)]
#[tokio::test]
async fn whoever_is_limited_to_a_site_keeps_no_other_quiet(
    #[case] matchers: serde_json::Value,
    #[case] expected: StatusCode,
) {
    let world = World::new().await;
    let token = world.token(Role::Engineering, Some(OURS)).await;
    let ends = world.hub.app.clock.now().millis() + 60_000;
    for what in ["silences", "maintenance"] {
        let body = serde_json::json!({ "matchers": matchers, "ends": ends });
        let request = Request::post(format!("/api/v1/{what}"))
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("authorization", format!("bearer {token}"))
            .body(Body::from(body.to_string()))
            .unwrap();
        let answer = http::router(world.hub.app.clone()).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), expected, "{what}");
    }
}

#[tokio::test]
async fn a_token_that_is_not_good_opens_nothing() {
    let world = World::new().await;
    let store = &world.hub.app.store;
    let now = world.hub.app.clock.now();
    let grant = || Grant { role: Role::Admin, site: None };
    let (revoked, row) = token::create(store, "x".into(), grant(), None, now, &Actor::here("")).await.unwrap();
    assert!(store.revoke_token(&row.id, now, &Actor::here("")).await.unwrap());
    assert!(!store.revoke_token(&row.id, now, &Actor::here("")).await.unwrap(), "once");
    let (over, _) = token::create(store, "x".into(), grant(), Some(now), now, &Actor::here("")).await.unwrap();
    let until = now + Span::from_mins(1);
    let (good, row) =
        token::create(store, "watcher".into(), grant(), Some(until), now, &Actor::here("")).await.unwrap();
    let unknown = format!("lobby_{}", "A".repeat(43));
    for token in [&*revoked, &over, &unknown, "lobby_", "", "nonsense", "'; DROP TABLE api_token; --"] {
        for path in ["/api/v1/tickets", "/engineering", "/metrics", "/livez"] {
            let (status, body) = world.ask(&Method::GET, path, Some(token)).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{token} {path}: {body}");
            assert!(!body.contains(&*over), "{body}");
        }
    }
    assert_eq!(world.ask(&Method::GET, "/api/v1/tickets", Some(&good)).await.0, StatusCode::OK);
    let used =
        |rows: Vec<crate::store::TokenRow>| rows.into_iter().find(|known| known.id == row.id).unwrap().last_used_at;
    assert_eq!(used(store.tokens().await.unwrap()).map(Timestamp::millis), Some(now.millis()));
    world.hub.pass(60_000);
    assert_eq!(world.ask(&Method::GET, "/api/v1/tickets", Some(&good)).await.0, StatusCode::UNAUTHORIZED, "it is over");
}

#[tokio::test]
async fn what_a_program_does_is_signed_with_the_name_of_its_token_unless_it_names_somebody() {
    let world = World::new().await;
    let now = world.hub.app.clock.now();
    let grant = Grant { role: Role::Engineering, site: Some(OURS.parse().unwrap()) };
    let (token, _) =
        token::create(&world.hub.app.store, "night watch".into(), grant, None, now, &Actor::here("")).await.unwrap();
    let path = format!("/api/v1/tickets/{}", world.ticket);
    let version = world.hub.read(&path).await["version"].clone();
    let request = Request::post(format!("{path}/accept"))
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::from(serde_json::json!({ "version": version }).to_string()))
        .unwrap();
    let answer = http::router(world.hub.app.clone()).oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(world.hub.read(&path).await["owner"], "night watch");
}

/// Somebody of that role at our site, with what their browser proves it with.
async fn signed_in(world: &World, role: Role) -> String {
    let (store, now) = (&world.hub.app.store, world.hub.app.clock.now());
    let grant = Grant { role, site: Some(OURS.parse().unwrap()) };
    let (row, _) =
        crate::account::enter(store, (role.as_str(), "somebody"), grant, now, &Actor::here("")).await.unwrap();
    let proof = format!("proof of {role}");
    let session = crate::store::SessionRow {
        id: format!("session of {role}"),
        person: row.id,
        browser: "a browser".into(),
        created_at: now,
        expires_at: now + Span::from_mins(10),
        last_used_at: now,
    };
    store.open_session(&session, &token::hash(&proof), b"a browser").await.unwrap();
    proof
}

#[tokio::test]
async fn once_somebody_was_entered_whoever_is_not_signed_in_may_do_nothing() {
    let world = World::new().await;
    let (before, _) = world.ask(&Method::GET, "/api/v1/tickets", None).await;
    assert_eq!(before, StatusCode::OK, "until then whoever sits at this computer may");
    signed_in(&world, Role::Viewer).await;
    for (path, method, policy) in routes() {
        let filled = world.filled(&path);
        for (status, body) in
            [world.ask(&method, &filled, None).await, world.ask_as(&method, &filled, "made up", &[]).await]
        {
            let told = format!("{method} {path}: {status} {body}");
            if need(policy) == Need::Nothing {
                assert_ne!(status, StatusCode::UNAUTHORIZED, "{told}");
            } else if policy.about == About::Label {
                // Its code stands on the label in their hands; a form is taken from our own page alone.
                let (safe, forbidden) = (method.is_safe(), status == StatusCode::FORBIDDEN);
                assert!(status != StatusCode::UNAUTHORIZED && safe != forbidden, "{told}");
                assert!(!body.contains(OURS), "{told}");
                let unknown = path.replace("{code}", "entrance-led").replace("{id}", "disk");
                let (status, body) = world.ask(&method, &unknown, None).await;
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {unknown}: {body}");
            } else {
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{told}");
                assert!(path.starts_with("/events") || body.contains("/problems/token"), "{told}");
                assert!(!body.contains(OURS), "{told}");
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_changed_for_somebody_signed_in_unless_it_surely_comes_from_our_own_page() {
    let world = World::new().await;
    let proof = signed_in(&world, Role::Manager).await;
    let foreign: [&[(&'static str, &'static str)]; 5] = [
        &[],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-origin"), ("origin", "http://evil.example")],
    ];
    let mut asked = 0;
    for (path, method, _) in routes().into_iter().filter(|(_, method, _)| !method.is_safe()) {
        for headers in foreign {
            asked += 1;
            let (status, body) = world.ask_as(&method, &world.filled(&path), &proof, headers).await;
            let told = format!("{method} {path} with {headers:?}: {status} {body}");
            assert_eq!(status, StatusCode::FORBIDDEN, "{told}");
            assert!(body.contains("/problems/forbidden") && body.contains("another site"), "{told}");
        }
        if path.contains("/t/") || path.contains("/tickets/") {
            let ours = [("origin", "http://localhost"), ("sec-fetch-site", "same-origin")];
            let (status, body) = world.ask_as(&method, &world.filled(&path), &proof, &ours).await;
            assert_ne!(status, StatusCode::FORBIDDEN, "{method} {path}: {body}");
        }
    }
    assert!(asked > 100, "{asked}");
    assert_eq!(world.ask_as(&Method::GET, "/api/v1/tickets", &proof, &[]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn every_role_that_is_signed_in_may_do_what_its_tokens_may() {
    let world = World::new().await;
    let ours = [("origin", "http://localhost"), ("sec-fetch-site", "same-origin")];
    for role in Role::ALL {
        let proof = signed_in(&world, role).await;
        for (path, method, policy) in routes() {
            if role.may(need(policy)) {
                continue;
            }
            let (status, body) = world.ask_as(&method, &world.filled(&path), &proof, &ours).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{role}: {method} {path}: {body}");
        }
    }
}
