//! The silences and maintenance windows that are not over, and the windows that those went on from, in memory for whoever has to ask at
//! every page and every alert. The database is the truth: what is here follows it within a second, also when another process changed it.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use lobby_contract::SiteId;
use lobby_domain::{
    alert::AlertId,
    overlay::{Muted, Overlay, muted, overlay},
    restraint::{Changed, Kind, Restraint, RestraintId, State},
    time::Timestamp,
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::{
    audit::Actor,
    clock::Clock,
    fleet::{self, Fleet},
    store::{AlertRow, ChangeError, Made, Store, StoreError},
};

/// How often beginnings and ends are looked for.
const TICK: Duration = Duration::from_secs(1);

/// The silences and maintenance windows that are not over, and the windows that those went on from.
pub struct Restraints {
    store: Store,
    fleet: Arc<Fleet>,
    clock: Arc<dyn Clock>,
    held: RwLock<Arc<[Restraint]>>,
}

/// What was told of restraints: each with where it stood.
type Seen = BTreeMap<RestraintId, (State, Restraint)>;

impl Restraints {
    /// Reads them from the database.
    pub async fn load(store: Store, fleet: Arc<Fleet>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StoreError> {
        let loaded = Self { store, fleet, clock, held: RwLock::new(Arc::new([])) };
        loaded.refresh().await?;
        Ok(Arc::new(loaded))
    }

    /// All of them.
    pub fn all(&self) -> Arc<[Restraint]> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The maintenance windows that may concern a site and are not over; whether they have begun is for whoever asks to see.
    pub fn maintenance(&self, site: &SiteId) -> Vec<Restraint> {
        let now = self.clock.now();
        let concerns = |window: &&Restraint| {
            window.kind.is_maintenance() && concerns(window, site) && window.state(now) != State::Expired
        };
        self.all().iter().filter(concerns).cloned().collect()
    }

    /// What lies over an alert at `now`, and what keeps it from being told as long as it is open.
    pub fn over(&self, alert: &AlertRow, now: Timestamp) -> (Overlay, Option<Muted>) {
        let live = self
            .fleet
            .read()
            .get(&alert.site)
            .map(|site| site.live(&alert.subject, &alert.rule, now))
            .unwrap_or_default();
        let (facts, held) = (alert.facts(), self.all());
        let muted = if facts.cleared_at.is_none() { muted(&facts, &held, live, now) } else { None };
        (overlay(&facts, &held, live, now), muted)
    }

    /// Stores a new one; see [`Store::make_restraint`].
    pub async fn make(&self, restraint: &Restraint, request: Option<Uuid>, actor: &Actor) -> Result<Made, StoreError> {
        let made = self.store.make_restraint(restraint, request, actor).await?;
        if made == Made::New {
            info!(restraint.id = %restraint.id, maintenance = restraint.kind.is_maintenance(), "alerts are restrained");
            self.changed(restraint).await?;
        }
        Ok(made)
    }

    /// Changes one; see [`Store::change_restraint`].
    pub async fn change(
        &self,
        id: RestraintId,
        actor: &Actor,
        change: impl FnOnce(&Restraint) -> Result<Changed, ChangeError> + Send,
    ) -> Result<Restraint, ChangeError> {
        let changed = self.store.change_restraint(id, (actor, self.clock.now()), change).await?;
        self.changed(&changed).await?;
        Ok(changed)
    }

    /// Lets time pass until `stop`: whatever ends is settled, and readers hear of every beginning and end. A database that does not
    /// answer is asked again; until then what is known goes on.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut seen, mut failing) = (Seen::new(), false);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = ticks.tick() => {}
            }
            let done = self.tick(&mut seen).await;
            let failed = done.is_err();
            if let Err(cause) = done
                && !failing
            {
                let cause = format!("{:#}", anyhow::Error::from(cause));
                warn!(cause, "could not look at silences and maintenance windows; trying again");
            }
            failing = failed;
        }
    }

    /// Settles what is over at `now`. Whoever acts on what is quiet does so after this, with the same `now`.
    pub async fn settle(&self, now: Timestamp) -> Result<(), StoreError> {
        if self.refresh().await?.iter().any(|restraint| restraint.state(now) == State::Expired) {
            for site in self.store.settle_restraints(&self.fleet.setup(), now).await? {
                self.fleet.tell(fleet::Changed { site, device: None });
            }
            self.refresh().await?;
        }
        Ok(())
    }

    async fn tick(&self, seen: &mut Seen) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.settle(now).await?;
        let held = self.all();
        let standing = held.iter().map(|restraint| (restraint.id, (restraint.state(now), restraint.clone())));
        let before = std::mem::replace(seen, standing.collect());
        let differs = |(id, (state, _)): &(&RestraintId, &(State, Restraint)), other: &Seen| {
            other.get(*id).is_none_or(|(known, _)| known != state)
        };
        let begun = seen.iter().filter(|entry| differs(entry, &before));
        let ended = before.iter().filter(|entry| differs(entry, seen));
        for (_, (_, restraint)) in begun.chain(ended) {
            // The end of an alert is told by whoever ended it.
            if restraint.kind.matchers().is_some() {
                self.tell(restraint);
            }
        }
        Ok(())
    }

    /// Returns those whose end has not been told.
    async fn refresh(&self) -> Result<Vec<Restraint>, StoreError> {
        let unsettled = self.store.unsettled_restraints().await?;
        let mut all = unsettled.clone();
        if all.iter().any(|restraint| restraint.kind.is_maintenance()) {
            all.extend(self.store.earlier_maintenance().await?);
        }
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = all.into();
        Ok(unsettled)
    }

    async fn changed(&self, restraint: &Restraint) -> Result<(), StoreError> {
        self.refresh().await?;
        match &restraint.kind {
            Kind::UntilResolved(alert) => self.tell_of_alert(*alert).await?,
            Kind::Silence(_) | Kind::Maintenance { .. } => self.tell(restraint),
        }
        Ok(())
    }

    async fn tell_of_alert(&self, alert: AlertId) -> Result<(), StoreError> {
        if let Some(alert) = self.store.alert(alert).await? {
            self.fleet.tell(fleet::Changed { site: alert.site, device: None });
        }
        Ok(())
    }

    fn tell(&self, restraint: &Restraint) {
        let sites: Vec<SiteId> = self.fleet.read().keys().filter(|site| concerns(restraint, site)).cloned().collect();
        for site in sites {
            self.fleet.tell(fleet::Changed { site, device: None });
        }
    }
}

/// Whether a restraint may be about anything of a site.
fn concerns(restraint: &Restraint, site: &SiteId) -> bool {
    restraint.kind.matchers().is_none_or(|matchers| matchers.concern(site.as_str()))
}

/// The id of a new restraint.
pub fn new_id() -> RestraintId {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the operating system has random numbers");
    RestraintId(uuid::Builder::from_random_bytes(random).into_uuid())
}
