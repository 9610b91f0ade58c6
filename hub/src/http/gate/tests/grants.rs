//! Every route, by people who hold one role at one site and another at another: what either lets do is done at its own site, and nothing else.

use super::*;

/// As a browser sends what a page of ours asks.
const OUR_PAGE: [(&str, &str); 2] = [("origin", "http://localhost"), ("sec-fetch-site", "same-origin")];

/// Somebody who holds these, with their id and what their browser proves it with.
async fn holding(world: &World, login: &str, grants: &[(Role, Option<&str>)]) -> (String, String) {
    let (store, now, actor) = (&world.hub.app.store, world.hub.app.clock.now(), Actor::here(""));
    let grants: Vec<Grant> =
        grants.iter().map(|(role, site)| Grant { role: *role, site: site.map(|site| site.parse().unwrap()) }).collect();
    let id = world.hub.person(login, grants[0].clone()).await;
    for grant in &grants[1..] {
        store.give_grant(&id, grant, now, &actor).await.unwrap();
    }
    (id, format!("proof of {login}"))
}

/// Every route but those that end the session with which the others are asked for.
fn staying() -> impl Iterator<Item = (Box<str>, Method, Policy)> {
    routes().into_iter().filter(|(path, ..)| &**path != "/sign-out" && !path.starts_with("/account/sessions"))
}

/// Whether a body tells of our site.
fn tells_of_ours(world: &World, body: &str) -> bool {
    // The switch from role to role names it to whoever holds one there.
    ["entrance-led", "入口屏", &world.ticket, &world.alert].iter().any(|name| body.contains(name))
}

#[tokio::test]
async fn each_of_two_roles_is_held_at_its_own_site_alone() {
    let world = World::new().await;
    let mut asked = 0;
    // Elsewhere they may do all that can be done at one site: none of it may be done at ours because of that.
    for role in Role::ALL {
        let (_, proof) = holding(&world, role.as_str(), &[(role, Some(OURS)), (Role::Admin, Some(THEIRS))]).await;
        for (path, method, policy) in staying() {
            let needs = need(policy);
            let at_post = policy.about != About::RoundStep || stands_at(Some(role), "reception");
            let allowed = role.may(needs) && at_post;
            let ends = method == Method::DELETE || path.ends_with("/end");
            if ends && allowed {
                continue;
            }
            asked += 1;
            let (status, body) = world.ask_as(&method, &world.filled(&path), &proof, &OUR_PAGE).await;
            let told = format!("{role} of ours, admin of theirs: {method} {path}: {status} {body}");
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{told}");
            match policy.about {
                _ if needs == Need::Nothing => assert_ne!(status, StatusCode::FORBIDDEN, "{told}"),
                About::AllSites => assert_eq!(status, StatusCode::FORBIDDEN, "{told}"),
                About::Nothing | About::Handler => {
                    assert!(allowed || !tells_of_ours(&world, &body), "{told}");
                }
                About::List => {
                    let of_ours = format!("{}?site={OURS}", world.filled(&path));
                    let (status, body) = world.ask_as(&method, &of_ours, &proof, &OUR_PAGE).await;
                    assert_eq!(status == StatusCode::FORBIDDEN, !allowed, "{told} {of_ours}: {status} {body}");
                    assert!(allowed || !tells_of_ours(&world, &body), "{told}");
                }
                _ if allowed => {
                    assert_ne!(status, StatusCode::FORBIDDEN, "{told}");
                    assert!(!body.contains("thing at your site"), "{told}");
                }
                _ => {
                    assert_eq!(status, StatusCode::FORBIDDEN, "{told}");
                    assert!(body.contains("/problems/forbidden") && body.contains("roles"), "{told}");
                }
            }
        }
    }
    assert!(asked > 1000, "{asked}");
}

#[tokio::test]
async fn a_lesser_role_at_all_sites_adds_nothing_to_the_greater_one_at_another_site() {
    let world = World::new().await;
    let (_, proof) = holding(&world, "zhou", &[(Role::Viewer, None), (Role::Manager, Some(THEIRS))]).await;
    let mut asked = 0;
    for (path, method, policy) in staying() {
        let is_thing = !matches!(policy.about, About::Nothing | About::Handler | About::List | About::AllSites);
        let needs = need(policy);
        if is_thing && !Role::Viewer.may(needs) {
            asked += 1;
            let (status, body) = world.ask_as(&method, &world.filled(&path), &proof, &OUR_PAGE).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: {body}");
        }
        if policy.about == About::AllSites {
            let (status, body) = world.ask_as(&method, &world.filled(&path), &proof, &OUR_PAGE).await;
            assert_eq!(status == StatusCode::FORBIDDEN, !Role::Viewer.may(needs), "{method} {path}: {body}");
        }
    }
    assert!(asked > 30, "{asked}");
    // What they may read of every site is read of ours too, and lists what they may.
    let (status, body) = world.ask_as(&Method::GET, "/api/v1/tickets", &proof, &[]).await;
    assert!(status == StatusCode::OK && body.contains(&world.ticket), "{body}");
    let (status, body) = world.ask_as(&Method::GET, &format!("/t/{}", world.ticket), &proof, &[]).await;
    assert!(status == StatusCode::OK && !body.contains("/accept\""), "{body}");
}

#[tokio::test]
async fn what_is_held_at_one_site_by_two_roles_is_added_up() {
    let world = World::new().await;
    let two = [(Role::Showflat, Some(OURS)), (Role::Engineering, Some(OURS))];
    let (_, proof) = holding(&world, "chen", &two).await;
    for (path, method, policy) in staying() {
        let needs = need(policy);
        let at_post = policy.about != About::RoundStep;
        if method == Method::DELETE || path.ends_with("/end") || policy.about == About::AllSites || !at_post {
            continue;
        }
        let (status, body) = world.ask_as(&method, &world.filled(&path), &proof, &OUR_PAGE).await;
        let allowed = two.iter().any(|(role, _)| role.may(needs));
        assert_ne!(status, StatusCode::UNAUTHORIZED, "{method} {path}: {body}");
        assert_eq!(status == StatusCode::FORBIDDEN, !allowed, "{method} {path}: {status} {body}");
    }
}

#[tokio::test]
async fn a_list_that_names_no_site_is_never_taken_for_all_of_several() {
    let world = World::new().await;
    let two = [(Role::Engineering, Some(THEIRS)), (Role::Concierge, Some(OURS))];
    let (_, proof) = holding(&world, "chen", &two).await;
    let get = async |path: &str| world.ask_as(&Method::GET, path, &proof, &[]).await;
    let (status, body) = get("/api/v1/tickets").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    assert!(body.contains(OURS) && body.contains(THEIRS), "{body}");
    let (status, body) = get(&format!("/api/v1/tickets?site={OURS}")).await;
    assert!(status == StatusCode::OK && body.contains(&world.ticket), "{body}");
    for unknown in ["site=hz-03", "site=", "site=hz-01&site=hz-02", "site=%2F"] {
        let (status, body) = get(&format!("/api/v1/tickets?{unknown}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{unknown}: {body}");
    }
    // A page is of the first, and leads to the other.
    let (status, body) = get("/engineering").await;
    assert_eq!(status, StatusCode::OK);
    assert!(!body.contains("入口屏") && body.contains(&format!("/engineering?site={OURS}")), "{body}");
    assert!(get(&format!("/engineering?site={OURS}")).await.1.contains("入口屏"));
    // Both sites are known to them.
    let (_, body) = get("/api/v1/sites").await;
    assert!(body.contains(OURS) && body.contains(THEIRS), "{body}");
}

#[tokio::test]
async fn what_is_taken_away_ends_at_once_in_a_session_that_is_open() {
    let world = World::new().await;
    let two = [(Role::Concierge, Some(OURS)), (Role::Engineering, Some(OURS)), (Role::Manager, Some(THEIRS))];
    let (id, proof) = holding(&world, "chen", &two).await;
    let step = format!("/api/v1/tickets/{}/accept", world.ticket);
    let accepts = async || world.ask_as(&Method::POST, &step, &proof, &OUR_PAGE).await.0;
    let people = async || world.ask_as(&Method::GET, "/people", &proof, &[]).await.0;
    assert_ne!(accepts().await, StatusCode::FORBIDDEN);
    assert_eq!(people().await, StatusCode::OK);
    let (store, now, actor) = (&world.hub.app.store, world.hub.app.clock.now(), Actor::here(""));
    let taken = Grant { role: Role::Engineering, site: Some(OURS.parse().unwrap()) };
    store.take_grant(&id, &taken, now, &actor).await.unwrap();
    assert_eq!(accepts().await, StatusCode::FORBIDDEN);
    assert_eq!(people().await, StatusCode::OK, "what they hold at the other site stays");
    let taken = Grant { role: Role::Manager, site: Some(THEIRS.parse().unwrap()) };
    store.take_grant(&id, &taken, now, &actor).await.unwrap();
    assert_eq!(people().await, StatusCode::FORBIDDEN);
    let (status, _) = world.ask_as(&Method::GET, &format!("/api/v1/tickets?site={THEIRS}"), &proof, &[]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
