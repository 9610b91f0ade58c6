//! What the store promises, on SQLite always and on PostgreSQL where `TEST_POSTGRES_URL` names a server.

mod arrivals;
mod audit;
mod backups;
mod chat_ids;
mod checkpoint;
mod checks;
mod compliance;
mod contacts;
mod database;
mod deadlines;
mod escalations;
mod gone;
mod grants;
mod incidents;
mod ledger;
mod outbox;
mod owed;
mod pages;
mod past;
mod people;
mod purchases;
mod queue;
mod records;
mod register;
mod reports;
mod restart;
mod restraints;
mod rollup;
mod roster;
mod schema;
mod staged;
mod stock;
mod tickets;
mod troubles;
mod turns;
mod unanswered;
mod workers;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use jiff::tz::TimeZone;
use lobby_contract::{AgentId, DeviceId, Reach, Record, SiteId};
use lobby_domain::{
    agent::Agent,
    alert::{AlertId, Clear, ClearReason, Raise, Step, Subject},
    device::Device,
    label::Label,
    pack::Pack,
    rule::Rule,
    site::{AlertChange, Changes, NewRecord},
    time::{Span, Timestamp},
};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use self::database::{Database, Kind};
use super::{AlertFilter, AlertRow, Batch, Committed, Store, StoreError, TicketFilter, TicketRow, Writer};
use crate::{audit::Actor, fleet::Setup};

/// 2026-11-20 10:00 in Shanghai.
const T0: Timestamp = Timestamp::from_millis(1_795_140_000_000);
const MINUTE: Span = Span::from_mins(1);
const LED: &str = "entrance-led";
const DARK: &str = "display-dark";
/// Shares its ticket with `display-dark`.
const MUTED: &str = "display-muted";

fn site() -> SiteId {
    "demo".parse().unwrap()
}

/// Whoever sits at this computer.
fn by() -> Actor {
    Actor::here("")
}

/// The same, for as long as it is wanted.
fn doer() -> &'static Actor {
    static HERE: LazyLock<Actor> = LazyLock::new(by);
    &HERE
}

/// Of whoever has scanned the label of the device.
#[expect(clippy::unnecessary_wraps, reason = "as it stands where not everybody arrives")]
fn by_label() -> Option<crate::store::Arrived> {
    Some(crate::store::Arrived { by: lobby_domain::ticket::arrival::Arrival::Label, key: None })
}

fn shanghai() -> TimeZone {
    TimeZone::get("Asia/Shanghai").unwrap()
}

/// Codes as the hub makes them, but countable.
fn code() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("code-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn writer(store: &Store) -> Writer {
    Writer::new(store.clone(), Arc::new(setup()), code)
}

/// The built-in standards, and a site without hours.
fn setup() -> Setup {
    Setup { pack: Pack::built_in(), sites: BTreeMap::new(), zone: shanghai() }
}

fn rule(id: &str) -> Arc<Rule> {
    let pack = Pack::built_in();
    pack.rule(id).cloned().unwrap()
}

/// The notifications of a kind: when and to which post.
async fn told(store: &Store, what: &str) -> Vec<(i64, String)> {
    let mut tx = store.read().await.unwrap();
    let rows: Vec<(String, i64, String)> = on!(&mut tx, "read the outbox", conn =>
        sqlx::query_as("SELECT event, created_at, post FROM outbox ORDER BY created_at, post").fetch_all(conn).await)
    .unwrap();
    let named = rows.into_iter().filter(|(event, ..)| event.split(':').nth(1) == Some(what));
    named.map(|(_, at, post)| ((at - T0.millis()) / MINUTE.millis(), post)).collect()
}

fn raise(device: &str, rule_id: &str, at: Timestamp) -> AlertChange {
    let (subject, rule) = (Subject::Device(device.parse().unwrap()), rule(rule_id));
    let id = AlertId::derive(&site(), &subject, rule_id, at, 0);
    let rule_has_ticket = rule.ticket.is_some();
    AlertChange::Raise(Raise {
        id,
        subject,
        rule,
        since: at - MINUTE,
        at,
        evidence: Label::new("电源：关机", "power: off"),
        step: if rule_has_ticket { Step::Open } else { Step::None },
        tell: true,
    })
}

fn clear(device: &str, rule: &str, at: Timestamp) -> AlertChange {
    clear_because(device, rule, at, ClearReason::Recovered)
}

fn clear_because(device: &str, rule: &str, at: Timestamp, reason: ClearReason) -> AlertChange {
    AlertChange::Clear(Clear {
        subject: Subject::Device(device.parse().unwrap()),
        rule: rule.into(),
        at,
        reason,
        by: "".into(),
    })
}

fn batch(changes: Changes) -> Batch {
    Batch { site: site(), zone: shanghai(), changes, agents: Vec::new(), devices: Vec::new(), told: Vec::new() }
}

fn alerts(changes: impl IntoIterator<Item = AlertChange>) -> Batch {
    batch(Changes { alerts: changes.into_iter().collect(), ..Changes::default() })
}

async fn commit(writer: &mut Writer, change: AlertChange) -> Committed {
    writer.commit(&[alerts([change])], T0).await.unwrap()
}

/// Records of one agent about one device, with both their rows.
fn reports(agent: &str, device: &str, records: impl IntoIterator<Item = Record>) -> Batch {
    let agent_id: AgentId = agent.parse().unwrap();
    let device_id: DeviceId = device.parse().unwrap();
    let stored = |record: Record| NewRecord {
        agent: agent_id.clone(),
        epoch: 1,
        at: Timestamp::from_millis(record.at),
        received_at: Timestamp::from_millis(record.at + 20),
        clock_suspect: false,
        record,
    };
    let changes = Changes {
        records: records.into_iter().map(stored).collect(),
        agents: [agent_id.clone()].into(),
        devices: [device_id.clone()].into(),
        ..Changes::default()
    };
    Batch {
        agents: vec![Agent::new(agent_id.clone(), T0)],
        devices: vec![Device::new(device_id, agent_id)],
        ..batch(changes)
    }
}

fn record(seq: u64, device: &str, at: Timestamp) -> Record {
    Record {
        seq,
        at: at.millis(),
        device: device.parse().unwrap(),
        reach: Reach::Ok,
        facts: [("power".into(), "on".into())].into(),
        faults: Vec::new(),
    }
}

async fn all_alerts(store: &Store) -> Vec<AlertRow> {
    store.alerts(&AlertFilter::default(), None, 1000).await.unwrap().unwrap().0
}

async fn all_tickets(store: &Store) -> Vec<TicketRow> {
    store.tickets(&TicketFilter::default(), None, 1000).await.unwrap().unwrap().0
}

async fn numbers(store: &Store) -> Vec<String> {
    let mut numbers: Vec<_> = all_tickets(store).await.iter().map(|row| row.number.to_string()).collect();
    numbers.sort();
    numbers
}

async fn the_ticket(store: &Store) -> TicketRow {
    let tickets = all_tickets(store).await;
    assert_eq!(tickets.len(), 1, "{tickets:?}");
    tickets.into_iter().next().unwrap()
}

/// What happened to the only ticket, in order.
async fn happened(store: &Store) -> Vec<String> {
    let number = the_ticket(store).await.number;
    let (_, events) = store.ticket(number.as_str()).await.unwrap().unwrap();
    events.into_iter().map(|event| event.what).collect()
}

async fn count(store: &Store, table: &str) -> i64 {
    let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}")).into_sql_str();
    let mut tx = store.read().await.unwrap();
    on!(&mut tx, "count rows", conn => sqlx::query_scalar(sql).fetch_one(conn).await).unwrap()
}

/// Runs statements that no method of the store has.
async fn execute(store: &Store, sql: String) {
    let sql = AssertSqlSafe(sql).into_sql_str();
    let mut tx = store.begin().await.unwrap();
    on!(&mut tx, "run a statement", conn => sqlx::query(sql).execute(conn).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
}
