//! The hub dies at each named place of its work, from the first message to the last word. Whatever it has said yes to is there
//! afterwards, and nothing is there twice. See `hub/src/failpoint.rs`.

#![expect(clippy::print_stderr, reason = "the figures are told with the test")]

use std::{collections::BTreeSet, env, net::SocketAddr, os::unix::process::ExitStatusExt, time::Duration};

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    delivery::Delivered,
    hub::{self, Api, Options},
    process::Process,
    program,
    sender::Sender,
    wait,
};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::{runtime::Runtime, time::Instant};

const SITE: &str = "demo";
const AGENT: &str = "box";
const PATIENCE: Duration = Duration::from_mins(1);
/// How soon a hub is ready again after its power came back.
const READY: Duration = Duration::from_secs(3);
/// One step of the life of agents and staff.
const STEP: Duration = Duration::from_millis(40);

/// Where it dies while it starts on a new database, and at which time of coming there.
const STARTING: [&str; 2] = ["migrated:4", "backup_made:1"];
/// Where it dies at its work. What it comes to with every batch, it comes to a few times first.
const WORKING: [&str; 16] = [
    "received:9",
    "judged:9",
    "storing:9",
    "fleet_written:5",
    "records_written:7",
    "alert_written:1",
    "notification_queued:1",
    "notification_queued:2",
    "ticket_opened:1",
    "ticket_attached:1",
    "alert_cleared:1",
    "commit:8",
    "committed:8",
    "acknowledged:8",
    "decided:1",
    "ticket_moved:2",
];
const ANSWERING: &str = "ticket_committed:1";
/// Where it dies on SQLite after that: while it starts, at the records that the one before had staged.
const MERGING: &str = "records_merged:1";
/// And while and after it puts what came in small batches where it belongs.
const SORTING: [&str; 2] = ["records_sorted:1", "records_moved:1"];
/// Records of a small batch.
const A_FEW: usize = 100;
/// Machines that never break, so many that their records are put into several places.
const SOUND: usize = 150;

#[test]
fn a_hub_that_dies_at_any_place_keeps_its_word() -> Result<()> {
    die_everywhere(Options::default(), |data, runtime| {
        runtime.block_on(async {
            let url = format!("sqlite://{}?mode=ro", data.path().join("lobby.db").display());
            let mut connection = SqliteConnection::connect(&url).await?;
            Ok(sqlx::query_as(NOTIFICATIONS).fetch_all(&mut connection).await?)
        })
    })
}

#[test]
fn a_hub_that_dies_at_any_place_keeps_its_word_on_postgres() -> Result<()> {
    let Some(database) = lobby_tests::database::Database::create()? else { return Ok(()) };
    let url = database.url();
    die_everywhere(Options { database_url: Some(url.clone()), ..Options::default() }, |_, runtime| {
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&url).await?;
            Ok(sqlx::query_as(NOTIFICATIONS).fetch_all(&mut connection).await?)
        })
    })
}

const NOTIFICATIONS: &str = "SELECT event, post FROM outbox";

/// Notifications: the id of each, and whom it tells.
type Notifications = Vec<(String, String)>;

fn die_everywhere(
    options: Options,
    notifications: impl FnOnce(&TempDir, &Runtime) -> Result<Notifications>,
) -> Result<()> {
    if env::var_os("LOBBY_BIN_DIR").is_some() {
        eprintln!("skipped: the programs of a release have no failpoints");
        return Ok(());
    }
    let house = House::of(options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for place in STARTING {
        let mut process = house.start(place)?;
        died(&mut process, place)?;
    }
    let working = || WORKING.into_iter().chain([ANSWERING]);
    let mut town = Town::of(&house, working().count());
    let (mut places, mut slowest) = (STARTING.len() + working().count(), Duration::ZERO);
    for place in working() {
        let begun = Instant::now();
        let mut process = house.start(place)?;
        house.ready()?;
        slowest = slowest.max(begun.elapsed());
        town.next_machine();
        let deadline = Instant::now() + PATIENCE;
        while process.runs() {
            ensure!(Instant::now() < deadline, "the hub never came to {place}");
            runtime.block_on(town.step());
            town.work(&house.api);
        }
        died(&mut process, place)?;
    }
    if house.options.database_url.is_none() {
        let mut process = house.start("")?;
        runtime.block_on(town.step());
        ensure!(runtime.block_on(town.agent.finish(PATIENCE)), "something is staged");
        process.kill()?;
        let mut process = house.start(MERGING)?;
        died(&mut process, MERGING)?;
        for place in SORTING {
            let begun = Instant::now();
            let mut process = house.start(place)?;
            house.ready()?;
            slowest = slowest.max(begun.elapsed());
            runtime.block_on(town.report_little(&mut process, place))?;
            died(&mut process, place)?;
        }
        places += 1 + SORTING.len();
    }
    eprintln!("died at {places} places; ready after {slowest:?} at most");
    ensure!(slowest <= READY, "ready after {slowest:?}");

    let mut hub = house.start("")?;
    house.ready()?;
    ensure!(runtime.block_on(town.agent.finish(PATIENCE)), "all that was made is acknowledged in the end");
    let stored = Delivered::at(&house.api, SITE, AGENT)?;
    ensure!(stored.count(1, u64::MAX >> 1) == town.agent.made(), "none lost, none made up: {:?}", stored.highest());
    town.kept(&house.api)?;
    let alerts = house.api.alerts(SITE, "all")?;
    ensure!(hub.terminate(PATIENCE)?.success());
    told_once(&alerts, notifications(&house.data, &runtime)?)
}

/// The one end that a failpoint makes.
fn died(process: &mut Process, place: &str) -> Result<()> {
    let status = process.exit(PATIENCE).with_context(|| format!("dying at {place}"))?;
    ensure!(status.signal() == Some(9), "{place}: {status}");
    Ok(())
}

/// Every post that an alert tells has been told of its beginning, and of its end if it has one, each once and of nothing else.
fn told_once(alerts: &[Value], notifications: Notifications) -> Result<()> {
    let mut expected = BTreeSet::new();
    for alert in alerts {
        let id = alert["id"].as_str().context("an id")?;
        for post in alert["tells"].as_array().context("posts")?.iter().filter_map(Value::as_str) {
            expected.insert((format!("{id}:raised"), post.to_owned()));
            if alert["cleared_at"].is_i64() {
                expected.insert((format!("{id}:cleared"), post.to_owned()));
            }
        }
    }
    ensure!(expected.len() > WORKING.len(), "too little was told: {expected:?}");
    let count = notifications.len();
    let told: BTreeSet<_> = notifications.into_iter().collect();
    ensure!(told.len() == count && told == expected, "in the outbox {told:?}, expected {expected:?}");
    Ok(())
}

/// Where one hub after the other lives, at the same addresses.
struct House {
    data: TempDir,
    options: Options,
    http: SocketAddr,
    mqtt: SocketAddr,
    api: Api,
}

impl House {
    fn of(options: Options) -> Result<Self> {
        let address = || Ok::<_, anyhow::Error>(SocketAddr::from(([127, 0, 0, 1], program::free_port()?)));
        let (http, mqtt) = (address()?, address()?);
        Ok(Self { data: tempfile::tempdir()?, options, http, mqtt, api: Api::at(http) })
    }

    /// Starts a hub that dies at `place`.
    fn start(&self, place: &str) -> Result<Process> {
        let mut command = hub::command(self.data.path(), &self.options, self.http, self.mqtt)?;
        let mut process = Process::start("lobby-hub", command.env("LOBBY_FAILPOINT", place))?;
        process.hush();
        Ok(process)
    }

    fn ready(&self) -> Result<()> {
        wait::until("the hub to be ready", PATIENCE, || Ok((self.api.get("/readyz")?.status == 200).then_some(())))
    }
}

/// An agent with one machine for each death of the hub, and the staff who look after them.
struct Town {
    agent: Sender,
    machines: usize,
    /// Moves of tickets that the hub has said yes to: which, what, and the version that it made.
    moves: Vec<(String, &'static str, i64)>,
    /// Alerts that the hub has said are cleared.
    cleared: BTreeSet<String>,
    steps: usize,
}

fn machine(number: usize) -> String {
    format!("covers-{number}")
}

fn sound(number: usize) -> String {
    format!("sound-{}", number % SOUND)
}

impl Town {
    fn of(house: &House, machines: usize) -> Self {
        let devices = (1..=machines).map(machine).chain((0..SOUND).map(sound));
        let devices = devices.map(|id| (id, "shoe-cover-machine")).collect();
        let agent = Sender::new(house.mqtt, SITE, AGENT, devices);
        Self { agent, machines: 0, moves: Vec::new(), cleared: BTreeSet::new(), steps: 0 }
    }

    /// One more machine breaks.
    fn next_machine(&mut self) {
        self.machines += 1;
        self.steps = 0;
        self.report(&machine(self.machines), "fault");
    }

    fn report(&mut self, device: &str, motor: &str) {
        self.agent.report(device, &[("motor", motor.into()), ("covers_left", 300.0.into())]);
    }

    /// Some time in which the machine that broke last says something; after a while, that it is in order.
    async fn step(&mut self) {
        self.steps += 1;
        let motor = if self.steps < 10 { "fault" } else { "ok" };
        self.report(&machine(self.machines), motor);
        self.agent.live(Instant::now() + STEP).await;
    }

    /// Reports a few records of many machines whenever all before are acknowledged, for as long as the hub lives.
    async fn report_little(&mut self, process: &mut Process, place: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while process.runs() {
            ensure!(Instant::now() < deadline, "the hub never came to {place}");
            if self.agent.acknowledged() == self.agent.made() {
                let made = usize::try_from(self.agent.made())?;
                (made..made + A_FEW).for_each(|number| self.report(&sound(number), "ok"));
            }
            self.agent.live(Instant::now() + STEP).await;
        }
        Ok(())
    }

    /// The staff move every ticket on by one, and clear what is in order. What got no answer may or may not have happened.
    fn work(&mut self, api: &Api) {
        if !self.steps.is_multiple_of(5) {
            return;
        }
        for ticket in api.tickets(SITE, "open").unwrap_or_default() {
            self.moves.extend(advance(api, &ticket));
        }
        for alert in api.alerts(SITE, "open").unwrap_or_default() {
            let Some(id) = alert["id"].as_str() else { continue };
            let answer = api.post(&format!("/api/v1/alerts/{id}/clear"), &json!({ "by": "样板房 李" }));
            if answer.is_ok_and(|answer| answer.status == 200) {
                self.cleared.insert(id.to_owned());
            }
        }
    }

    /// Everything that the hub has said yes to is there, once.
    fn kept(&self, api: &Api) -> Result<()> {
        let (alerts, tickets) = (api.alerts(SITE, "all")?, api.tickets(SITE, "all")?);
        for number in 1..=self.machines {
            let of_machine = |item: &&Value| item["device"] == machine(number).as_str();
            ensure!(tickets.iter().filter(of_machine).count() == 1, "one incident, one ticket: {tickets:?}");
            let open = alerts.iter().filter(of_machine).filter(|alert| alert["cleared_at"].is_null());
            ensure!(open.count() <= 1, "one incident, one open alert: {alerts:?}");
        }
        for id in &self.cleared {
            let alert = alerts.iter().find(|alert| alert["id"] == id.as_str()).context("a cleared alert")?;
            ensure!(alert["cleared_at"].is_i64(), "it was said to be cleared: {alert}");
        }
        ensure!(self.moves.len() > 3 && !self.cleared.is_empty(), "too little was done");
        for (number, action, version) in &self.moves {
            let ticket = api.json(&format!("/api/v1/tickets/{number}"))?;
            ensure!(ticket["version"].as_i64() >= Some(*version), "{action} made version {version}: {ticket}");
            let noted = ticket["events"].as_array().into_iter().flatten();
            let noted = noted.filter(|event| event["what"] == *action && event["note"] == version.to_string().as_str());
            ensure!(noted.count() == 1, "{action} of {number} to version {version} happened once: {ticket}");
        }
        Ok(())
    }
}

fn advance(api: &Api, ticket: &Value) -> Option<(String, &'static str, i64)> {
    let action = match ticket["state"].as_str()? {
        "new" => "accept",
        "accepted" => "start",
        "in_progress" => "finish",
        _ => return None,
    };
    let (number, version) = (ticket["number"].as_str()?, ticket["version"].as_i64()?);
    // The note tells moves apart that are made again when a ticket is opened again.
    let mut body = json!({ "version": version, "by": "工程 王", "note": (version + 1).to_string() });
    if action == "start" {
        body["unscanned"] = "label_missing".into();
    }
    let answer = api.post(&format!("/api/v1/tickets/{number}/{action}"), &body).ok()?;
    if !(200..300).contains(&answer.status) {
        return None;
    }
    Some((number.to_owned(), action, answer.json().ok()?["version"].as_i64()?))
}
