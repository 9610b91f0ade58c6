//! Carries out on a real broker, a real spool and real devices what the [`Session`] says.

use std::{pin::Pin, time::Duration};

use anyhow::Context;
use futures_util::{StreamExt, stream::FuturesUnordered};
use lobby_contract::{Channel, DeviceId, HUB_TOPIC};
use rumqttc::v5::{AsyncClient, mqttbytes::QoS};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{Shared, link::Inbound};
use crate::{
    session::{Action, Answer, Now, Query, Session, Speaker},
    spool::{Acked, Closed},
};

/// Most commands being carried out at once.
const MAX_COMMANDS: usize = 32;
/// How long a probe asked for by the hub may take, beyond the device's own timeout: another may be running, and the record has to
/// reach the disk.
pub(super) const PROBE_SLACK: Duration = Duration::from_secs(10);

/// How a probe ended that the hub asked for.
type Probed = (Box<str>, Result<(), String>);

/// The driver of one session.
pub(super) struct Driver<'a> {
    shared: &'a Shared,
    client: AsyncClient,
    number: u32,
    started: Instant,
    probes: FuturesUnordered<Pin<Box<dyn Future<Output = Probed> + Send>>>,
}

impl<'a> Driver<'a> {
    pub(super) fn new(shared: &'a Shared, client: AsyncClient, number: u32) -> Self {
        Self { shared, client, number, started: Instant::now(), probes: FuturesUnordered::new() }
    }

    /// Waits for the connection and then works until `stop`; then says goodbye.
    pub(super) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Inbound>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            first = inbox.recv() => first.context("the connection ended before it began")?,
        };
        if !self.shared.outage.over(Instant::now()) {
            info!(session = self.number, hub = %self.shared.hub.url, "connected to the broker");
        }
        let mut changes = self.shared.spool.changes();
        let speaker = Speaker {
            epoch: self.shared.spool.epoch(),
            session: self.number,
            devices: self.shared.devices.clone(),
            patience: self.shared.patience,
        };
        let mut session = Session::begin(speaker, *changes.borrow_and_update());
        loop {
            self.act(&mut session, &mut inbox, &stop).await?;
            let deadline = session.deadline().map(|deadline| self.started + deadline);
            tokio::select! {
                () = stop.cancelled() => return self.say_goodbye(&session).await,
                Some(inbound) = inbox.recv() => self.receive(&mut session, inbound),
                more = changes.changed() => {
                    more.context("the spool closed before the session")?;
                    session.spool_changed(*changes.borrow_and_update());
                }
                () = until(deadline) => {}
                Some((id, done)) = self.probes.next() => session.finished(id, done),
            }
        }
    }

    /// Does what there is to do now. What the hub says is heard between, so that its acknowledgements do not pile up.
    async fn act(
        &mut self,
        session: &mut Session,
        inbox: &mut mpsc::Receiver<Inbound>,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        while let Some(action) = session.next(self.now()) {
            match action {
                Action::Subscribe => self.subscribe().await?,
                Action::Publish { channel, payload } => self.publish(channel, payload).await?,
                Action::Spool(query) => session.answer(self.ask(query).await?, self.now()),
                Action::Probe { id, device } => self.probe(session, id, &device),
            }
            while let Ok(inbound) = inbox.try_recv() {
                self.receive(session, inbound);
            }
            if stop.is_cancelled() {
                break;
            }
        }
        Ok(())
    }

    fn now(&self) -> Now {
        Now { at: self.started.elapsed(), wall: self.shared.clock.now() }
    }

    fn receive(&self, session: &mut Session, inbound: Inbound) {
        let Inbound::Message { topic, payload } = inbound else { return };
        if &*topic == HUB_TOPIC {
            session.hub_state(&payload, self.now());
            return self.shared.notes.online(session.hub_online() == Some(true));
        }
        // The two topics subscribed to differ in their last level only.
        let channel = if topic.ends_with(Channel::Ack.as_str()) { Channel::Ack } else { Channel::Command };
        session.message(channel, &payload, self.now());
    }

    async fn subscribe(&mut self) -> anyhow::Result<()> {
        let topics = [Channel::Ack, Channel::Command].map(|channel| self.shared.topic(channel));
        for topic in topics.into_iter().chain([HUB_TOPIC.to_owned()]) {
            self.client.subscribe(topic, QoS::AtLeastOnce).await?;
        }
        Ok(())
    }

    async fn publish(&mut self, channel: Channel, payload: Vec<u8>) -> anyhow::Result<()> {
        Ok(self.client.publish(self.shared.topic(channel), QoS::AtLeastOnce, false, payload).await?)
    }

    async fn ask(&mut self, query: Query) -> Result<Answer, Closed> {
        let spool = &self.shared.spool;
        Ok(match query {
            Query::Status => Answer::Status(spool.status().await?),
            Query::Ack(ack) => {
                let acked = spool.ack(ack).await?;
                if acked != Acked::Refused {
                    self.shared.notes.acknowledged();
                }
                Answer::Ack(acked)
            }
            Query::Unacked { from, until, most } => Answer::Unacked(spool.unacked(from, until, most).await?),
            Query::Again { epoch, from, to } => Answer::Again(spool.again(epoch, from, to).await?),
        })
    }

    async fn say_goodbye(&mut self, session: &Session) -> anyhow::Result<()> {
        self.publish(Channel::Death, session.goodbye()).await?;
        Ok(self.client.disconnect().await?)
    }

    fn probe(&mut self, session: &mut Session, id: Box<str>, device: &DeviceId) {
        match self.start_probe(id.clone(), device) {
            Ok(()) => {}
            Err(refusal) => session.finished(id, Err(refusal)),
        }
    }

    fn start_probe(&mut self, id: Box<str>, device: &DeviceId) -> Result<(), String> {
        let asks = self.shared.asks.get(device).ok_or_else(|| format!("this agent has no device `{device}`"))?;
        if self.probes.len() >= MAX_COMMANDS {
            return Err(format!("{MAX_COMMANDS} commands are being carried out already: ask again later"));
        }
        let (reply, answer) = oneshot::channel();
        asks.sender.try_send(reply).map_err(|_| format!("device `{device}` is about to be probed already"))?;
        let patience = asks.patience;
        self.probes.push(Box::pin(async move {
            let done = match timeout(patience, answer).await {
                Ok(Ok(Ok(()))) => Ok(()),
                Ok(Ok(Err(not_on_disk))) => Err(not_on_disk.to_string()),
                Ok(Err(_)) => Err("the agent is stopping".to_owned()),
                Err(_) => Err("the probe took too long".to_owned()),
            };
            (id, done)
        }));
        Ok(())
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
