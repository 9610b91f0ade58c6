//! A sales centre to try the product with: simulated equipment that speaks the real protocols on loopback, watched by real agents, with
//! a script of faults and recoveries that repeats for ever.
//!
//! Owns: the equipment, the script, the agents' configurations, its people, and a month of made-up history. Must not know: rules, pages;
//! only `seed` and `staff` know storage.
//! What the demonstration shows of them comes about as at any other site.

mod agents;
mod cabinet;
mod covers;
mod curve;
mod display;
mod gateway;
mod history;
mod laptop;
mod registers;
mod script;
mod seed;
mod snooker;
mod staff;
mod uplink;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use jiff::tz::{Offset, TimeZone};
use lobby_contract::SiteId;
use lobby_domain::{calendar::Calendar, label::Label};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep},
};
use tracing::debug;

use self::{
    cabinet::Cabinet,
    covers::CoverMachine,
    display::Display,
    gateway::Gateway,
    laptop::Laptop,
    snooker::{Rack, Table},
    staff::Refilled,
    uplink::Uplink,
};
pub use self::{
    history::{HistoryRecord, history},
    seed::{settings, store_history},
    staff::Staff,
};
use crate::{clock::Clock, lifecycle::Lifecycle};

/// How often the simulated equipment moves on.
const TICK: Duration = Duration::from_secs(1);
/// Pause after a connection that could not be accepted.
const AFTER_REFUSED: Duration = Duration::from_millis(100);

/// The site that the demonstration plays.
#[derive(Debug, Clone)]
pub struct Demo {
    /// Its id, the same at each start.
    pub site: SiteId,
    /// What people call it.
    pub name: Label,
    /// Open around the clock, so that every scripted fault counts whenever somebody tries the demonstration.
    pub calendar: Calendar,
}

impl Default for Demo {
    fn default() -> Self {
        let offset = Offset::constant(8);
        let zone = TimeZone::get("Asia/Shanghai").unwrap_or_else(|_| TimeZone::fixed(offset));
        Self {
            site: "demo".parse().expect("the id is a name"),
            name: Label::new("云汀案场（演示）", "Yunting sales centre (demonstration)"),
            calendar: Calendar::always_open(zone),
        }
    }
}

/// What every page says, so that nobody takes the demonstration for a real site.
pub fn banner() -> Label {
    Label::new(
        "演示：设备为模拟，故障按脚本每 30 秒发生或恢复一次；“本机”与“上网区网络”为真实数据。",
        "Demonstration: the equipment is simulated, and a script makes or mends a fault every 30 s. “This computer” and \
         “Internet area network” are real.",
    )
}

/// Everything that can be made to fail.
struct Centre {
    entrance_led: Arc<Display>,
    lift_tv: Arc<Display>,
    cabinet: Arc<Cabinet>,
    covers_1: Arc<CoverMachine>,
    covers_2: Arc<CoverMachine>,
    table: Arc<Table>,
    rack: Arc<Rack>,
    laptop: Arc<Laptop>,
    uplink: Arc<Uplink>,
    /// What is put into the machines, for whoever enters it in the ledger.
    refilled: mpsc::UnboundedSender<Refilled>,
}

/// The sockets of the simulated equipment: bound before any agent asks for them.
struct Sockets {
    entrance_led: TcpListener,
    lift_tv: TcpListener,
    lobby_gateway: TcpListener,
    recreation_gateway: TcpListener,
    laptop: TcpListener,
    uplink: TcpListener,
}

/// Where the equipment listens.
struct Places {
    entrance_led: SocketAddr,
    lift_tv: SocketAddr,
    lobby_gateway: SocketAddr,
    recreation_gateway: SocketAddr,
    laptop: SocketAddr,
    uplink: SocketAddr,
}

/// Starts the equipment, the script and the agents as tasks of `lifecycle`. The agents report to the broker at `mqtt` and keep their
/// records below `state_dir`; `clock` sets what depends on the time of day; `staff` keep its ledger and begin its rounds.
///
/// An error says which socket or directory could not be used; tasks started until then end with `lifecycle`.
pub async fn start(
    lifecycle: &Lifecycle,
    mqtt: SocketAddr,
    state_dir: &Path,
    clock: Arc<dyn Clock>,
    staff: Staff,
) -> anyhow::Result<()> {
    let sockets = Sockets::bind().await?;
    let places = sockets.places().context("asking the simulated equipment for its ports")?;
    let configs = agents::configs(&places, mqtt, state_dir)?;
    let (refilled, entered) = mpsc::unbounded_channel();
    let centre = Arc::new(Centre::new(mqtt, clock, refilled));
    centre.open(lifecycle, sockets);
    for (task, config) in configs {
        tokio::fs::create_dir_all(&config.state_dir)
            .await
            .with_context(|| format!("creating the directory {} of an agent", config.state_dir.display()))?;
        lifecycle.supervise(task, lobby_agent::run(config, lifecycle.stop_token()));
    }
    lifecycle.supervise("demo staff", staff.run(entered, lifecycle.stop_token()));
    lifecycle.supervise("demo script", script::run(centre, lifecycle.stop_token()));
    Ok(())
}

impl Centre {
    fn new(mqtt: SocketAddr, clock: Arc<dyn Clock>, refilled: mpsc::UnboundedSender<Refilled>) -> Self {
        Self {
            refilled,
            entrance_led: Arc::new(Display::new(&display::ENTRANCE_LED)),
            lift_tv: Arc::new(Display::new(&display::LIFT_TV)),
            cabinet: Arc::new(Cabinet::new(clock.clone())),
            covers_1: Arc::new(CoverMachine::new(covers::MACHINES[0])),
            covers_2: Arc::new(CoverMachine::new(covers::MACHINES[1])),
            table: Arc::new(Table::new(clock)),
            rack: Arc::new(Rack::new()),
            laptop: Arc::new(Laptop::new()),
            uplink: Arc::new(Uplink::new(mqtt)),
        }
    }

    /// Puts a pack into each machine, which whoever does it enters in the ledger.
    fn refill(&self) {
        for (device, machine) in [("covers-1", &self.covers_1), ("covers-2", &self.covers_2)] {
            let pieces = i64::from(machine.refill());
            if pieces > 0 {
                // Nobody enters it any more once the hub is stopping.
                self.refilled.send((device, pieces)).ok();
            }
        }
    }

    /// Starts everything that listens or moves.
    fn open(self: &Arc<Self>, lifecycle: &Lifecycle, sockets: Sockets) {
        let stop = || lifecycle.stop_token();
        let lobby = Gateway::new([
            (1, self.covers_1.clone() as _),
            (2, self.covers_2.clone() as _),
            (3, self.cabinet.clone() as _),
        ]);
        let recreation = Gateway::new([(1, self.table.clone() as _), (2, self.rack.clone() as _)]);
        lifecycle.supervise("demo entrance LED", self.entrance_led.clone().serve(sockets.entrance_led, stop()));
        lifecycle.supervise("demo lift TV", self.lift_tv.clone().serve(sockets.lift_tv, stop()));
        lifecycle.supervise("demo lobby gateway", lobby.serve(sockets.lobby_gateway, stop()));
        lifecycle.supervise("demo recreation gateway", recreation.serve(sockets.recreation_gateway, stop()));
        lifecycle.supervise("demo laptop", self.laptop.clone().serve(sockets.laptop, stop()));
        lifecycle.supervise("demo uplink", self.uplink.clone().serve(sockets.uplink, lifecycle.clone()));
        let (centre, stop) = (self.clone(), stop());
        lifecycle.supervise("demo equipment", async move {
            stop.run_until_cancelled(centre.go_on()).await;
            Ok(())
        });
    }

    /// Moves what moves by itself.
    async fn go_on(&self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            self.covers_1.tick();
            self.covers_2.tick();
            self.cabinet.tick();
            self.table.tick(TICK);
        }
    }
}

impl Sockets {
    async fn bind() -> anyhow::Result<Self> {
        let bind = || async {
            let any = (Ipv4Addr::LOCALHOST, 0);
            TcpListener::bind(any).await.context("binding a loopback port for the simulated equipment")
        };
        Ok(Self {
            entrance_led: bind().await?,
            lift_tv: bind().await?,
            lobby_gateway: bind().await?,
            recreation_gateway: bind().await?,
            laptop: laptop::bind().context("binding a loopback port for the simulated laptop")?,
            uplink: bind().await?,
        })
    }

    fn places(&self) -> std::io::Result<Places> {
        Ok(Places {
            entrance_led: self.entrance_led.local_addr()?,
            lift_tv: self.lift_tv.local_addr()?,
            lobby_gateway: self.lobby_gateway.local_addr()?,
            recreation_gateway: self.recreation_gateway.local_addr()?,
            laptop: self.laptop.local_addr()?,
            uplink: self.uplink.local_addr()?,
        })
    }
}

/// The next connection. One that cannot be accepted costs only itself.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                debug!(%error, "a connection to the simulated equipment was not accepted");
                sleep(AFTER_REFUSED).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
