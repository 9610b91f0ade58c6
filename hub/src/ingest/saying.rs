//! The last part of the main path: what is stored is said, to agents, to people who wait for an answer, and to readers. While it is said,
//! the next batch is being stored. Of several batches that are stored by then, each agent hears the last acknowledgement alone, because
//! it covers the others; and where nobody waits for more than that, it is said a few times a second at most, however small the batches are.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use lobby_contract::{Ack, AgentId, Channel, Command, DeviceId, Order, SiteId, Topic, encode};
use lobby_domain::site::{Changes, Complaint, Site};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tracing::{info, warn};

use super::{Counters, Reply, Stage, Storing};
use crate::{
    failpoint,
    fleet::{Changed, Fleet},
    mqtt::{Link, Receipt},
};

/// Most batches that are stored and not yet said. With more, storing waits.
pub(super) const MOST: usize = 8;
/// How long acknowledgements wait for others after the last ones. At rest none waits, and none with which somebody acts.
const TOGETHER: Duration = Duration::from_millis(20);
/// Complaints of one agent and cause are logged once in this time; all are counted.
const COMPLAIN_EVERY: Duration = Duration::from_mins(1);

/// What saying works with.
pub(super) struct Saying {
    fleet: Arc<Fleet>,
    link: Link,
    counters: Arc<Counters>,
}

/// What is to be said, now that it is stored.
#[derive(Default)]
pub(super) struct Stored {
    pub receipts: Vec<Receipt>,
    pub replies: Vec<Reply>,
    pub follow_ups: Vec<FollowUp>,
}

/// What is to be said of a site once a batch is stored.
pub(super) struct FollowUp {
    pub(super) site: SiteId,
    pub(super) acks: Vec<(AgentId, Ack)>,
    orders: Vec<(AgentId, Order)>,
    complaints: Vec<Complaint>,
    touched: BTreeSet<DeviceId>,
    duplicates: u64,
    alerts: bool,
}

/// When complaints were last logged, by site, agent and cause.
type Logged = BTreeMap<(SiteId, AgentId, &'static str), Instant>;

/// The acknowledgements of some batches, by agent and epoch: first those of sites of which there is more to tell.
type Acks = BTreeMap<(Reverse<bool>, SiteId, AgentId, u64), u64>;

impl Saying {
    /// With what `storing` works with.
    pub(super) fn of(storing: &Storing) -> Self {
        let (fleet, counters) = (Arc::clone(&storing.fleet), Arc::clone(&storing.counters));
        Self { fleet, link: storing.link.clone(), counters }
    }

    /// Says what is stored until storing has ended.
    pub(super) async fn run(self, mut stored: mpsc::Receiver<Stored>) -> anyhow::Result<()> {
        let mut logged = Logged::new();
        let mut next = Instant::now();
        while let Some(first) = stored.recv().await {
            let mut follow_ups = first.settle();
            while !follow_ups.iter().any(FollowUp::is_urgent)
                && let Ok(Some(more)) = timeout_at(next, stored.recv()).await
            {
                follow_ups.extend(more.settle());
            }
            let begun = Instant::now();
            next = begun + TOGETHER;
            let mut acks = Acks::new();
            let urgent: BTreeSet<SiteId> =
                follow_ups.iter().filter(|one| one.is_urgent()).map(|one| one.site.clone()).collect();
            for follow_up in &mut follow_ups {
                for (agent, ack) in follow_up.acks.drain(..) {
                    let first = Reverse(urgent.contains(&follow_up.site));
                    let committed = acks.entry((first, follow_up.site.clone(), agent, ack.epoch)).or_default();
                    *committed = ack.committed.max(*committed);
                }
            }
            for ((_, site, agent, epoch), committed) in acks {
                self.acknowledge(&site, &agent, &Ack { epoch, committed }).await;
            }
            for follow_up in follow_ups {
                self.follow_up(follow_up, &mut logged).await;
            }
            failpoint::pass("acknowledged");
            self.counters.spent(Stage::Say, begun.elapsed());
        }
        Ok(())
    }

    async fn follow_up(&self, follow_up: FollowUp, logged: &mut Logged) {
        let site = follow_up.site;
        self.counters.duplicates(follow_up.duplicates);
        for complaint in follow_up.complaints {
            self.counters.complaint(complaint.cause);
            let key = (site.clone(), complaint.agent.clone(), complaint.cause.as_str());
            let now = Instant::now();
            if logged.get(&key).is_none_or(|last| now.duration_since(*last) >= COMPLAIN_EVERY) {
                logged.insert(key, now);
                let device = complaint.device.as_ref().map(tracing::field::display);
                warn!(%site, agent = %complaint.agent, device, cause = complaint.cause.as_str(), "{}", complaint.detail);
            }
        }
        for (agent, order) in follow_up.orders {
            let id = self.counters.next_command().to_string().into();
            self.send(&site, &agent, Channel::Command, encode(&Command { id, order })).await;
        }
        for device in follow_up.touched {
            self.fleet.tell(Changed { site: site.clone(), device: Some(device) });
        }
        if follow_up.alerts {
            self.fleet.tell(Changed { site, device: None });
        }
    }

    async fn acknowledge(&self, site: &SiteId, agent: &AgentId, ack: &Ack) {
        self.send(site, agent, Channel::Ack, encode(ack)).await;
    }

    async fn send(&self, site: &SiteId, agent: &AgentId, channel: Channel, payload: Vec<u8>) {
        let topic = Topic::new(site.clone(), agent.clone(), channel);
        // An agent that hears nothing sends its records again, so this may be lost.
        if let Err(cause) = self.link.send(&topic, payload).await {
            info!(%topic, %cause, "could not reach an agent");
        }
    }
}

impl Stored {
    /// Says at once what somebody waits for: a broker, which sends only so much before, and people.
    fn settle(self) -> Vec<FollowUp> {
        for receipt in self.receipts {
            receipt.settle();
        }
        for (reply, decided) in self.replies {
            failpoint::pass("decided");
            // Whoever asked may have gone away; what was decided stands.
            let _ = reply.send(decided);
        }
        self.follow_ups
    }
}

impl FollowUp {
    /// Whether somebody waits for it: a page that shows an alert, or an agent that is to do something.
    fn is_urgent(&self) -> bool {
        self.alerts || !self.orders.is_empty()
    }

    /// What is to be said of `changes`, as the site is now: once they are stored, and not a record that comes later.
    pub(super) fn of(site: &Site, changes: &mut Changes) -> Self {
        let acks = std::mem::take(&mut changes.acks);
        let ack = |(agent, epoch): (AgentId, u64)| {
            let committed = site.agent(&agent)?.streams.get(&epoch)?.committed()?;
            Some((agent, Ack { epoch, committed }))
        };
        Self {
            site: site.id.clone(),
            acks: acks.into_iter().filter_map(ack).collect(),
            orders: std::mem::take(&mut changes.orders),
            complaints: std::mem::take(&mut changes.complaints),
            touched: std::mem::take(&mut changes.touched),
            duplicates: changes.duplicates,
            alerts: !changes.alerts.is_empty() || !changes.agents.is_empty(),
        }
    }

    /// Takes out what is said of records.
    pub(super) fn take_acks(&mut self) -> Self {
        Self {
            site: self.site.clone(),
            acks: std::mem::take(&mut self.acks),
            orders: Vec::new(),
            complaints: Vec::new(),
            touched: BTreeSet::new(),
            duplicates: 0,
            alerts: false,
        }
    }
}
