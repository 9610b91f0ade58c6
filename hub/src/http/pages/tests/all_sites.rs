//! Pages of all sites: a row offers what its reader may do at that site, and of what was not read nothing is concluded.

use lobby_domain::access::Role;

use super::*;

async fn run(hub: &Hub, sql: String) {
    let Store::Sqlite(pool) = &hub.app.store else { unreachable!("the hub of these tests is on SQLite") };
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

/// A new ticket of a site's display, and its alert.
async fn trouble(hub: &Hub, site: &str, number: &str) {
    let now = hub.app.clock.now().millis();
    run(
        hub,
        format!(
            "INSERT INTO ticket (number, site, subject, fault_class, rule, clauses, department, priority, confirmed_by, title_zh,
                title_en, state, version, owner, opened_at, respond_by, arrive_by, complete_by)
            VALUES ('{number}', '{site}', 'led-1', 'dark', 'display-dark', '', 'engineering', 'P1', 'concierge', '黑屏', 'Dark', 'new', 1,
                '', {now}, {now}, {now}, {now})"
        ),
    )
    .await;
    run(
        hub,
        format!(
            "INSERT INTO alert (id, site, subject, rule, clauses, severity, tells, title_zh, title_en, evidence_zh, evidence_en, since,
                opened_at, last_seen, ticket)
            VALUES (randomblob(16), '{site}', 'led-1', 'display-dark', '', 'major', 'concierge', '黑屏', 'Dark', '', '', {now}, {now},
                {now}, '{number}')"
        ),
    )
    .await;
}

#[tokio::test]
async fn a_row_offers_what_its_reader_may_do_at_its_site() {
    let hub = Hub::new(&["hz-01", "hz-02"]).await;
    trouble(&hub, "hz-01", "BX-202611-0001").await;
    trouble(&hub, "hz-02", "BX-202611-0002").await;
    let li = hub.person("li", Grant { role: Role::Concierge, site: None }).await;
    let second = Grant { role: Role::Engineering, site: "hz-01".parse().ok() };
    hub.app.store.give_grant(&li, &second, hub.app.clock.now(), &Actor::here("")).await.unwrap();
    let page = hub.by("li", "GET", "/engineering", "").await;
    page.says(&["BX-202611-0001", "BX-202611-0002", "/t/BX-202611-0001/accept"]);
    assert!(!page.body.contains("/t/BX-202611-0002/accept"), "nobody accepts elsewhere: {}", page.body);
    assert_eq!(page.body.matches("/ack\"").count(), 2, "both posts take notice of alerts");
    assert_eq!(page.body.matches("/silence\"").count(), 1, "{}", page.body);
}

#[tokio::test]
async fn a_page_that_cannot_show_all_that_is_open_says_so() {
    let hub = Hub::new(&["hz-01", "hz-02"]).await;
    hub.person("boss", Grant { role: Role::Admin, site: None }).await;
    let cut = "More is open than this page can show";
    trouble(&hub, "hz-01", "BX-202611-0001").await;
    assert!(!hub.by("boss", "GET", "/", "").await.body.contains(cut));
    let more = "INSERT INTO alert (id, site, subject, rule, clauses, severity, tells, title_zh, title_en, evidence_zh, evidence_en, since,
            opened_at, last_seen)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
        SELECT randomblob(16), 'hz-01', 'led-' || (i + 1), 'display-dark', '', 'major', 'concierge', '黑屏', 'Dark', '', '', i, i, i FROM n";
    run(&hub, more.to_owned()).await;
    hub.by("boss", "GET", "/", "").await.says(&[cut]);
    let elsewhere = hub.by("boss", "GET", "/?site=hz-02", "").await;
    assert!(!elsewhere.body.contains(cut), "of another site all is known: {}", elsewhere.body);
    hub.by("boss", "GET", "/engineering", "").await.says(&["10001", "BX-202611-0001"]);
}
