//! The hub is killed again and again while records come in and people move tickets: what it has said yes to is there afterwards.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use lobby_tests::{
    crowd::Crowd,
    delivery::Delivered,
    hub::{Api, Hub, Options},
    load::Connection,
    reports::Script,
    sender::Sender,
    wait,
};
use serde_json::{Value, json};
use tokio::time::Instant;

const SITE: &str = "demo";
const KILLS: usize = 30;
const MACHINES: usize = 40;
const PATIENCE: Duration = Duration::from_mins(1);
/// How soon a hub is ready again after its power came back.
const READY: Duration = Duration::from_secs(3);

/// What the hub said yes to: the ticket, what was done, and the version that this made.
type Moves = Vec<(String, &'static str, i64)>;

#[test]
fn what_the_hub_has_said_yes_to_is_there_after_thirty_kills() -> Result<()> {
    survive(Options::default(), 7)
}

#[test]
fn what_the_hub_has_said_yes_to_is_there_after_thirty_kills_on_postgres() -> Result<()> {
    let Some(database) = lobby_tests::database::Database::create()? else { return Ok(()) };
    survive(Options { database_url: Some(database.url()), ..Options::default() }, 8)
}

fn survive(options: Options, seed: u64) -> Result<()> {
    let mut hub = Hub::with(options)?;
    let broker = hub.mqtt_url().trim_start_matches("mqtt://").parse()?;
    let machines = break_machines(&hub)?;
    let displays = (0..20).map(|number| (format!("led-{number}"), "led-display")).collect();
    // Two hundred records a second.
    let crowd = Crowd::start(vec![Sender::new(broker, SITE, "box", displays)], Duration::from_millis(5))?;

    let stop = AtomicBool::new(false);
    let moves = Mutex::new(Moves::new());
    let mut slowest = Duration::ZERO;
    let killed = thread::scope(|scope| {
        let (api, moves, stop) = (hub.api.clone(), &moves, &stop);
        let staff = scope.spawn(move || work(&api, moves, stop));
        let killed = (|| {
            let mut random = fastrand::Rng::with_seed(seed);
            for _ in 0..KILLS {
                wait::pause(Duration::from_millis(random.u64(100..900)));
                hub.kill()?;
                slowest = slowest.max(restart(&mut hub)?);
            }
            anyhow::Ok(())
        })();
        stop.store(true, Relaxed);
        let worked = staff.join().map_err(|_| anyhow::anyhow!("the staff panicked"));
        killed.and(worked)
    });
    killed?;
    assert!(slowest <= READY, "ready after {slowest:?}");

    let mut senders = crowd.finish(PATIENCE)?;
    let (sender, all) = senders.pop().context("the sender")?;
    assert!(all, "acknowledged {} of {}", sender.acknowledged(), sender.made());
    let stored = Delivered::at(&hub.api, SITE, "box")?;
    assert_eq!(stored.count(1, u64::MAX >> 1), sender.made(), "none lost, none made up");
    let moves = moves.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(moves.len() > KILLS, "too little was done: {moves:?}");
    tickets_kept(&hub, &machines, &moves)
}

/// Machines whose fault has opened a ticket each.
fn break_machines(hub: &Hub) -> Result<Vec<String>> {
    let machines: Vec<String> = (0..MACHINES).map(|number| format!("covers-{number}")).collect();
    let mut script = Script::new(SITE, "covers-box");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let broker = hub.mqtt_url().trim_start_matches("mqtt://").parse()?;
        let mut connection = Connection::open(broker, "covers-box", &script).await?;
        let announced: Vec<_> = machines.iter().map(|id| (id.as_str(), "shoe-cover-machine")).collect();
        connection.publish(&script.topic("birth"), script.birth(&announced)).await?;
        let fault = [("motor", "fault".into()), ("covers_left", 300.0.into())];
        let records = machines.iter().map(|id| script.record(id, &fault)).collect();
        connection.publish(&script.topic("data"), script.data(records)).await?;
        connection.committed(script.last_seq()).await
    })?;
    wait::until("a ticket for each machine", PATIENCE, || {
        Ok((hub.api.tickets(SITE, "open")?.len() == MACHINES).then_some(()))
    })?;
    Ok(machines)
}

fn restart(hub: &mut Hub) -> Result<Duration> {
    let begun = Instant::now();
    hub.restart()?;
    wait::until("the hub to be ready", PATIENCE, || Ok((hub.api.get("/readyz")?.status == 200).then_some(())))?;
    Ok(begun.elapsed())
}

/// Moves tickets on, one after the other, and notes what succeeded; goes on while the hub is away.
fn work(api: &Api, moves: &Mutex<Moves>, stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        let Ok(open) = api.tickets(SITE, "open") else {
            wait::pause(Duration::from_millis(20));
            continue;
        };
        for ticket in open {
            if stop.load(Relaxed) {
                return;
            }
            // A move that got no answer may or may not have happened: only a yes binds the hub.
            if let Some(done) = advance(api, &ticket) {
                moves.lock().unwrap_or_else(PoisonError::into_inner).push(done);
            }
        }
    }
}

fn advance(api: &Api, ticket: &Value) -> Option<(String, &'static str, i64)> {
    let action = match ticket["state"].as_str()? {
        "new" => "accept",
        "accepted" => "start",
        "in_progress" => "finish",
        _ => return None,
    };
    let number = ticket["number"].as_str()?;
    let mut body = json!({ "version": ticket["version"], "by": "工程 王", "note": action });
    if action == "start" {
        body["unscanned"] = "label_missing".into();
    }
    let answer = api.post(&format!("/api/v1/tickets/{number}/{action}"), &body).ok()?;
    // Slowly enough that there is work left at the last kill.
    wait::pause(Duration::from_millis(100));
    if !(200..300).contains(&answer.status) {
        return None;
    }
    Some((number.to_owned(), action, answer.json().ok()?["version"].as_i64()?))
}

fn tickets_kept(hub: &Hub, machines: &[String], moves: &Moves) -> Result<()> {
    let tickets = hub.api.tickets(SITE, "all")?;
    for machine in machines {
        let of_machine = tickets.iter().filter(|ticket| ticket["device"] == machine.as_str());
        assert_eq!(of_machine.count(), 1, "one incident of {machine}, one ticket");
    }
    let versions: BTreeMap<&str, i64> =
        tickets.iter().filter_map(|ticket| Some((ticket["number"].as_str()?, ticket["version"].as_i64()?))).collect();
    for (number, action, version) in moves {
        let kept = versions.get(number.as_str());
        assert!(kept.is_some_and(|kept| kept >= version), "{action} of {number} made version {version}: {kept:?}");
        let ticket = hub.api.json(&format!("/api/v1/tickets/{number}"))?;
        let noted = ticket["events"].as_array().into_iter().flatten().filter(|event| event["note"] == *action).count();
        assert_eq!(noted, 1, "{action} of {number} happened once: {ticket}");
    }
    Ok(())
}
