//! More than the hub was made for, and exactly what it was made for: how long things take, how much memory, and that nothing that
//! was acknowledged is lost. Limits are generous, because other things run on this machine too; the figures are told.

#![expect(clippy::print_stderr, reason = "the figures are told with the test")]

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    crowd::Crowd,
    delivery::Delivered,
    hub::Hub,
    load::{Connection, display_record},
    program,
    reports::Script,
    sender::Sender,
    wait,
};
use tokio::{
    runtime::Builder,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

const PATIENCE: Duration = Duration::from_mins(2);
/// How long the load lasts.
const LOAD: Duration = Duration::from_secs(20);
/// How much longer than promised things may take on a machine that does other things too; the figure itself is told.
const SLACK: u32 = 3;
/// Where the faults are.
const SITE: &str = "faults";

fn broker(hub: &Hub) -> Result<SocketAddr> {
    hub.mqtt_url().trim_start_matches("mqtt://").parse().context("the broker's address")
}

/// `count` agents with `devices` displays each, ten agents to a site.
fn senders(broker: SocketAddr, count: usize, devices: usize) -> Vec<Sender> {
    let sender = |number: usize| {
        let devices = (0..devices).map(|device| (format!("led-{number}-{device}"), "led-display")).collect();
        Sender::new(broker, &format!("site-{}", number / 10), &format!("box-{number}"), devices)
    };
    (0..count).map(sender).collect()
}

fn all_stored(hub: &Hub, senders: &[(Sender, bool)]) -> Result<u64> {
    let mut sum = 0;
    for site in 0..senders.len().div_ceil(10) {
        let records = hub.api.records(&format!("site-{site}"))?;
        for (number, (sender, all)) in senders.iter().enumerate().skip(site * 10).take(10) {
            assert!(all, "box-{number}: acknowledged {} of {}", sender.acknowledged(), sender.made());
            let stored = Delivered::of(&records, &format!("box-{number}"))?;
            assert_eq!(stored.count(1, u64::MAX >> 1), sender.made(), "box-{number}: none lost, none made up");
            sum += sender.made();
        }
    }
    Ok(sum)
}

/// What took how long, sorted.
struct Times(Vec<Duration>);

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    fn p99(&self) -> Duration {
        self.0.get(self.0.len() * 99 / 100).copied().unwrap_or_default()
    }

    fn tell(&self, what: &str) {
        let p50 = self.0.get(self.0.len() / 2).copied().unwrap_or_default();
        let worst = self.0.last().copied().unwrap_or_default();
        eprintln!("{what}: p50 {p50:?}, p99 {:?}, worst {worst:?} of {}", self.p99(), self.0.len());
    }
}

/// Reports something every `every`, until `LOAD` is over, and measures each until the hub's acknowledgement, which follows the commit.
async fn measure(
    broker: SocketAddr,
    (site, agent): (&str, &str),
    every: Duration,
    devices: &[(String, &'static str)],
    mut report: impl FnMut(&mut Script, usize) -> Option<Vec<u8>>,
) -> Result<Vec<(Instant, Duration)>> {
    let mut script = Script::new(site, agent);
    let mut connection = Connection::open(broker, agent, &script).await?;
    let announced: Vec<_> = devices.iter().map(|(id, kind)| (id.as_str(), *kind)).collect();
    connection.publish(&script.topic("birth"), script.birth(&announced)).await?;
    connection.flush().await?;
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = Instant::now() + LOAD;
    let mut times = Vec::new();
    for number in 0.. {
        tick.tick().await;
        if Instant::now() >= end {
            break;
        }
        let Some(message) = report(&mut script, number) else { break };
        let begun = Instant::now();
        connection.publish(&script.topic("data"), message).await?;
        timeout(PATIENCE, connection.committed(script.last_seq())).await??;
        times.push((begun, begun.elapsed()));
    }
    Ok(times)
}

/// Machines that break one after the other.
fn machines(count: usize) -> Vec<(String, &'static str)> {
    (0..count).map(|number| (format!("covers-{number}"), "shoe-cover-machine")).collect()
}

fn fault(script: &mut Script, devices: &[(String, &'static str)], number: usize) -> Option<Vec<u8>> {
    let (device, _) = devices.get(number)?;
    Some(script.report(device, &[("motor", "fault".into()), ("covers_left", 300.0.into())]))
}

fn lengths(times: Vec<(Instant, Duration)>) -> Times {
    Times::of(times.into_iter().map(|(_, length)| length).collect())
}

#[test]
fn ten_times_the_load_costs_no_record_and_faults_still_come_through_in_time() -> Result<()> {
    const AGENTS: usize = 50;
    const EVERY: Duration = Duration::from_millis(10);
    const MEMORY_KIB: u64 = 256 * 1024;
    /// What is promised.
    const ALERT: Duration = Duration::from_secs(2);
    let mut hub = Hub::start()?;
    let broker = broker(&hub)?;
    let crowd = Crowd::start(senders(broker, AGENTS, 20), EVERY)?;
    let faults = machines(90);
    let measuring = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let every = Duration::from_millis(200);
        runtime.block_on(measure(broker, (SITE, "covers-box"), every, &faults, |script, number| {
            fault(script, &faults, number)
        }))
    });
    let mut memory = 0;
    wait::throughout(LOAD, || {
        memory = memory.max(hub.process().rss_kib()?);
        Ok(())
    })?;
    let times = lengths(measuring.join().map_err(|_| anyhow::anyhow!("the measurement panicked"))??);
    let begun = Instant::now();
    let senders = crowd.finish(PATIENCE)?;
    memory = memory.max(hub.process().rss_kib()?);
    let sum = all_stored(&hub, &senders)?;
    times.tell("fault to acknowledged ticket");
    eprintln!("{sum} records; memory at most {memory} KiB; {:?} to deliver what was left", begun.elapsed());
    assert!(memory <= MEMORY_KIB, "{memory} KiB");
    assert!(times.p99() <= ALERT * SLACK, "99 of 100 faults had their ticket within {:?}", times.p99());
    assert_eq!(hub.api.tickets(SITE, "all")?.len(), times.0.len(), "each fault has its ticket");
    Ok(())
}

/// What the stream of events told, and when: a device, or `*` for anything.
type Told = Arc<Mutex<Vec<(Instant, String)>>>;

/// Listens to the stream of events as a page does.
fn listen(hub: &Hub) -> Result<Told> {
    let mut response = ureq::get(format!("{}/events?site={SITE}", hub.url())).call()?;
    let told = Told::default();
    let keep = Arc::clone(&told);
    thread::spawn(move || {
        // Ends with the stream, and that with the hub.
        let mut changed = false;
        for line in BufReader::new(response.body_mut().as_reader()).lines().map_while(Result::ok) {
            if let Some(event) = line.strip_prefix("event:") {
                changed = event.trim() == "changed";
            } else if changed && let Some(device) = line.strip_prefix("data:") {
                let mut told = keep.lock().unwrap_or_else(PoisonError::into_inner);
                told.push((Instant::now(), device.trim().to_owned()));
            }
        }
    });
    Ok(told)
}

#[test]
fn at_the_load_it_is_made_for_records_tickets_and_pages_are_there_at_once() -> Result<()> {
    // What is promised.
    const STORED: Duration = Duration::from_millis(250);
    const TICKET: Duration = Duration::from_millis(500);
    const PAGE: Duration = Duration::from_secs(1);
    let hub = Hub::start()?;
    let broker = broker(&hub)?;
    // Five hundred devices, a hundred records a second.
    let crowd = Crowd::start(senders(broker, 10, 50), Duration::from_millis(100))?;
    let told = listen(&hub)?;
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let machines = machines(20);
    let (records, faults) = runtime.block_on(async {
        let display = [("led-own".to_owned(), "led-display")];
        let records = measure(broker, ("own", "led-box"), Duration::from_millis(100), &display, |script, number| {
            let record = display_record(script, "led-own", number as u64);
            Some(script.data(vec![record]))
        });
        // Farther apart than the stream gathers changes into one event.
        let every = Duration::from_millis(900);
        let faults =
            measure(broker, (SITE, "covers-box"), every, &machines, |script, number| fault(script, &machines, number));
        tokio::try_join!(records, faults)
    })?;
    let pages = wait::until("every fault to be told to the page", PATIENCE, || {
        let told = told.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = |(number, (begun, _)): (usize, &(Instant, Duration))| {
            let (machine, _) = machines.get(number)?;
            let tells = |(at, device): &&(Instant, String)| at >= begun && (device == "*" || device == machine);
            told.iter().find(tells).map(|(at, _)| *at - *begun)
        };
        let shown: Vec<Duration> = faults.iter().enumerate().filter_map(shown).collect();
        Ok((shown.len() == faults.len()).then(|| Times::of(shown)))
    });
    let (stored, tickets) = (lengths(records), lengths(faults));
    stored.tell("record to database");
    tickets.tell("fault to ticket");
    let pages = pages?;
    pages.tell("fault to page");
    all_stored(&hub, &crowd.finish(PATIENCE)?)?;
    assert_eq!(hub.api.tickets(SITE, "all")?.len(), tickets.0.len(), "each fault has its ticket");
    for (what, times, promised) in [("stored", stored, STORED), ("ticket", tickets, TICKET), ("page", pages, PAGE)] {
        assert!(times.p99() <= promised * SLACK, "{what}: p99 {:?}, promised {promised:?}", times.p99());
    }
    Ok(())
}

/// The program has been built with what `.cargo/config.toml` says.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
fn a_hub_gives_memory_back_soon() -> Result<()> {
    let mut hub = Command::new(program::own("lobby-hub")?);
    let said = hub.arg("--version").env("_RJEM_MALLOC_CONF", "stats_print:true").output()?;
    let said = String::from_utf8_lossy(&said.stderr);
    for option in ["opt.narenas: 2\n", "opt.background_thread: true ", "opt.dirty_decay_ms: 1000 "] {
        ensure!(said.contains(option), "{option:?} is not among {said}");
    }
    Ok(())
}
