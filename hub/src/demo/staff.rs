//! What the people of the demonstration do: they fill the machines and enter it in the ledger, and begin the rounds that there would be at
//! their opening hours. Everything is entered as at any other site.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lobby_contract::{DeviceId, FactValue};
use lobby_domain::{
    stock::Deed,
    time::{Span, Timestamp},
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;

use super::{Demo, HistoryRecord};
use crate::{
    audit::Actor,
    checks::lines,
    clock::Clock,
    fleet::{Changed, Fleet},
    restraints::new_id,
    store::{Posting, Starting, StockError, Store},
};

/// What the machines hand out.
const ITEM: &str = "shoe-cover";
/// The post that fills them.
const POST: &str = "showflat";
/// Pieces in the store room when the demonstration begins.
const IN_STORE: i64 = 2_400;
/// When they first look which round is to be begun: the agents have announced the equipment by then.
const FIRST_AFTER: Duration = Duration::from_secs(8);
/// How often they look.
const EVERY: Duration = Duration::from_secs(30);
/// How long after one began they begin the same round again.
const AGAIN_AFTER: Span = Span::from_mins(60);
/// The rounds, and after how long each is begun first.
const ROUNDS: [(&str, Span); 3] =
    [("internet-handover", Span::ZERO), ("concierge-opening", Span::ZERO), ("waterbar-patrol", Span::from_mins(10))];

/// Pieces that were put into a machine.
pub(super) type Refilled = (&'static str, i64);

/// Who they are.
const NAME: &str = "林悦";

/// What was filled into the machines in the made-up month, as their records tell it.
#[derive(Debug, Default)]
pub(super) struct Fillings {
    /// By machine: how many pieces were left, and how many it had handed out.
    last: BTreeMap<DeviceId, (i64, i64)>,
    filled: Vec<(Timestamp, DeviceId, i64)>,
}

impl Fillings {
    /// Takes notice of a record.
    pub(super) fn see(&mut self, record: &HistoryRecord) {
        let number = |fact: &str| match record.facts.get(fact) {
            #[expect(clippy::cast_possible_truncation, reason = "a machine holds a few hundred pieces")]
            Some(FactValue::Number(number)) => Some(*number as i64),
            _ => None,
        };
        let (Some(left), Some(dispensed)) = (number("covers_left"), number("covers_dispensed")) else { return };
        let device = record.device.clone();
        let filled = match self.last.insert(device.clone(), (left, dispensed)) {
            Some((before, counted)) => left - before + dispensed - counted,
            None => left,
        };
        if filled > 0 {
            self.filled.push((record.at, device, filled));
        }
    }

    /// Enters in the ledger what came, and what was filled into the machines.
    pub(super) async fn enter(self, store: &Store) -> Result<(), StockError> {
        let Some((first, ..)) = self.filled.first() else { return Ok(()) };
        let all: i64 = self.filled.iter().map(|(.., pieces)| pieces).sum();
        enter(store, &Deed::Receive { pieces: all + IN_STORE, order: None }, *first).await?;
        for (at, machine, pieces) in self.filled {
            enter(store, &Deed::Refill { machine, pieces }, at).await?;
        }
        Ok(())
    }
}

async fn enter(store: &Store, deed: &Deed, at: Timestamp) -> Result<(), StockError> {
    let (site, actor) = (Demo::default().site, Actor::here(NAME));
    let id = new_id().0;
    let posting = Posting { id, site: &site, item: ITEM, reason: "", who: NAME, post: POST, at, actor: &actor };
    store.post_stock(posting, deed, &[]).await.map(drop)
}

/// The people while the demonstration runs.
pub struct Staff {
    store: Store,
    fleet: Arc<Fleet>,
    clock: Arc<dyn Clock>,
}

impl Staff {
    /// Those who work with this database.
    pub fn new(store: &Store, fleet: &Arc<Fleet>, clock: &Arc<dyn Clock>) -> Self {
        Self { store: store.clone(), fleet: fleet.clone(), clock: clock.clone() }
    }

    /// Works until `stop`.
    pub(super) async fn run(
        self,
        mut refilled: mpsc::UnboundedReceiver<Refilled>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut looks = interval_at(Instant::now() + FIRST_AFTER, EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut due: BTreeMap<&str, Timestamp> =
            ROUNDS.iter().map(|(id, after)| (*id, self.clock.now() + *after)).collect();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some((machine, pieces)) = refilled.recv() => {
                    let machine = machine.parse().expect("the ids of the demonstration are names");
                    enter(&self.store, &Deed::Refill { machine, pieces }, self.clock.now()).await?;
                    self.fleet.tell(Changed { site: Demo::default().site, device: None });
                }
                _ = looks.tick() => {
                    let now = self.clock.now();
                    for (id, at) in &mut due {
                        if *at <= now && self.begin(id, now).await? {
                            *at = now + AGAIN_AFTER;
                        }
                    }
                }
            }
        }
    }

    /// Begins a round, if there is something to look at.
    async fn begin(&self, id: &str, now: Timestamp) -> anyhow::Result<bool> {
        let (site, setup) = (Demo::default().site, self.fleet.setup());
        let Some(list) = setup.pack.checklists.iter().find(|list| *list.id == *id) else { return Ok(false) };
        let of = {
            let sites = self.fleet.read();
            lines(sites.get(&site), list)
        };
        // A handover without its laptops would be none.
        if of.iter().all(|line| line.device.is_none()) {
            return Ok(false);
        }
        let (zone, actor, key) = (setup.zone_of(&site), Actor::here(NAME), new_id().0);
        let asked = Starting { key, site: &site, list, lines: &of, zone: &zone, actor: &actor, at: now };
        self.store.start_round(asked).await?;
        self.fleet.tell(Changed { site, device: None });
        Ok(true)
    }
}
