//! Networks that are slow, late, choppy, or break all the time: everything arrives, and nobody storms the hub.

use std::{net::TcpListener, time::Duration};

use anyhow::{Context, Result};
use lobby_tests::{
    agent::{Agent, Draft},
    crowd::Crowd,
    delivery::Delivered,
    hub::Hub,
    proxy::{Faults, Proxy},
    sender::Sender,
    spool, wait,
};
use tokio::time::Instant;

use crate::{backlog::Backlog, equipment::busy_laptop};

const SITE: &str = "demo";
const BACKLOG: u64 = 400;
const PATIENCE: Duration = Duration::from_secs(90);
/// Attempts of one agent are never closer together; a little less, because times are taken at the proxy.
const ATTEMPTS_APART: Duration = Duration::from_millis(900);

/// An agent behind a line of its own.
struct Branch {
    agent: Agent,
    id: String,
    proxy: Proxy,
    backlog: Backlog,
}

impl Branch {
    fn open(hub: &Hub, id: &str, faults: Faults, laptop: u16) -> Result<Self> {
        let proxy = Proxy::to_broker(&hub.mqtt_url())?;
        proxy.inflict(faults);
        let draft = Draft::new(SITE, id, &proxy.url(), &busy_laptop(&format!("laptop-{id}"), laptop))?;
        let backlog = Backlog::of(&draft, BACKLOG)?;
        Ok(Self { agent: draft.start()?, id: id.to_owned(), proxy, backlog })
    }

    fn has_backlog(&self, hub: &Hub) -> Result<bool> {
        Ok(Delivered::at(&hub.api, SITE, &self.id)?.holds(&self.backlog.marks()))
    }

    /// Kills the agent and checks that the hub has, or gets, everything that it had accepted; and that it never hurried.
    fn nothing_lost(mut self, hub: &Hub) -> Result<()> {
        self.agent.kill()?;
        let mut accepted = spool::accepted(&self.agent.state_dir())?;
        spool::merge(&mut accepted, self.backlog.marks());
        self.agent.restart()?;
        wait::until(&format!("everything of {}", self.id), PATIENCE, || {
            Ok(Delivered::at(&hub.api, SITE, &self.id)?.holds(&accepted).then_some(()))
        })
    }

    fn never_hurries(&self) {
        let most = self.proxy.most_within(ATTEMPTS_APART);
        assert!(most <= 1, "{}: {most} attempts within {ATTEMPTS_APART:?}: {:?}", self.id, self.proxy.seen());
    }
}

#[test]
fn slow_late_and_choppy_lines_deliver_everything_while_they_are_so() -> Result<()> {
    let laptop = TcpListener::bind("127.0.0.1:0")?;
    let port = laptop.local_addr()?.port();
    let hub = Hub::start()?;
    let lines = [
        ("slow-box", Faults::rate(64_000)),
        ("late-box", Faults::latency(Duration::from_secs(2))),
        ("choppy-box", Faults::slices(1)),
    ];
    let branches: Vec<Branch> =
        lines.iter().map(|(id, faults)| Branch::open(&hub, id, *faults, port)).collect::<Result<_>>()?;
    for branch in &branches {
        wait::until(&format!("the backlog of {}", branch.id), PATIENCE, || {
            Ok(branch.has_backlog(&hub)?.then_some(()))
        })?;
        branch.never_hurries();
        let connections = branch.proxy.seen().len();
        assert_eq!(connections, 1, "{}: a line that works is not given up: {:?}", branch.id, branch.proxy.seen());
    }
    for branch in branches {
        branch.proxy.inflict(Faults::default());
        branch.nothing_lost(&hub)?;
    }
    Ok(())
}

#[test]
fn lines_that_break_again_and_again_cost_nothing_and_are_not_stormed() -> Result<()> {
    const ROUNDS: usize = 6;
    const ROUND: Duration = Duration::from_secs(4);
    let laptop = TcpListener::bind("127.0.0.1:0")?;
    let port = laptop.local_addr()?.port();
    let hub = Hub::start()?;
    let lines = [
        ("reset-box", Faults::reset_after(ROUND / 2)),
        ("half-box", Faults::half_close()),
        ("dark-box", Faults::blackhole()),
        ("refused-box", Faults::refuse()),
    ];
    let branches: Vec<(Branch, Faults)> = lines
        .iter()
        .map(|(id, faults)| Ok((Branch::open(&hub, id, Faults::default(), port)?, *faults)))
        .collect::<Result<_>>()?;
    for round in 0..ROUNDS {
        for (branch, faults) in &branches {
            branch.proxy.inflict(if round % 2 == 0 { *faults } else { Faults::default() });
            if *faults == Faults::refuse() {
                // Those that are open would not notice.
                branch.proxy.reset();
            }
        }
        wait::pause(ROUND);
    }
    for (branch, _) in branches {
        branch.proxy.inflict(Faults::default());
        branch.never_hurries();
        branch.nothing_lost(&hub)?;
    }
    Ok(())
}

#[test]
fn two_hundred_agents_that_lose_their_line_at_once_come_back_without_a_storm() -> Result<()> {
    const AGENTS: usize = 200;
    const CALM: Duration = Duration::from_secs(30);
    let mut hub = Hub::start()?;
    let proxy = Proxy::to_broker(&hub.mqtt_url())?;
    let sender = |number: usize| {
        let devices = vec![(format!("led-{number}"), "led-display")];
        Sender::new(proxy.address(), &format!("site-{}", number % 10), &format!("box-{number}"), devices)
    };
    let crowd = Crowd::start((0..AGENTS).map(sender).collect(), Duration::from_secs(2))?;
    let open = || proxy.seen().iter().filter(|seen| seen.open).count();
    wait::until("all to be connected", PATIENCE, || Ok((open() == AGENTS).then_some(())))?;
    for _ in 0..2 {
        proxy.reset();
        let begun = Instant::now();
        wait::until("all to be back", CALM, || Ok((open() == AGENTS).then_some(())))?;
        let share = wait::until("the hub to be calm", CALM, || {
            let (before, from) = (hub.process().cpu()?, Instant::now());
            wait::pause(Duration::from_secs(1));
            let share = hub.process().cpu()?.saturating_sub(before).as_secs_f64() / from.elapsed().as_secs_f64();
            Ok((share < 0.5).then_some(share))
        })?;
        let took = begun.elapsed();
        assert!(took <= CALM, "calm ({share:.2} of a core) only after {took:?}");
    }
    let senders = crowd.finish(PATIENCE)?;
    for (sender, all) in &senders {
        assert!(all, "acknowledged {} of {}", sender.acknowledged(), sender.made());
    }
    for site in 0..10 {
        let records = hub.api.records(&format!("site-{site}"))?;
        for number in (site..AGENTS).step_by(10) {
            let (sender, _) = senders.get(number).context("a sender")?;
            let stored = Delivered::of(&records, &format!("box-{number}"))?;
            assert_eq!(stored.count(1, u64::MAX >> 1), sender.made(), "box-{number}: none lost, none made up");
        }
    }
    Ok(())
}
