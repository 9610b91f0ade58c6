//! One session with the broker, from its beginning to its end: birth, then what the spool holds, then what the hub asks.

use std::{collections::VecDeque, future::ready, pin::Pin, time::Duration};

use anyhow::Context;
use futures_util::{StreamExt, stream::FuturesUnordered};
use lobby_contract::{
    Ack, AgentInfo, Birth, Channel, Command, CommandResult, Data, Death, DeathReason, HUB_TOPIC, HubState, Lost, Order,
    ToAgent, encode,
};
use rumqttc::v5::{AsyncClient, mqttbytes::QoS};
use serde::Serialize;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{Shared, link::Inbound, window::Window};
use crate::{
    cause::chain,
    spool::{Acked, Again, Batch, Changes, Place},
};

/// Most ranges asked for again that may wait; the hub repeats what it misses.
const MAX_RESENDS: usize = 16;
/// Most commands being carried out at once.
const MAX_COMMANDS: usize = 32;
/// Most bytes of a bad message that are logged.
const EXCERPT: usize = 120;

/// A range that the hub wants again.
struct Resend {
    epoch: u64,
    from: u64,
    to: u64,
}

/// The session's side of the connection.
pub(super) struct Session<'a> {
    shared: &'a Shared,
    client: AsyncClient,
    number: u32,
    window: Window,
    resends: VecDeque<Resend>,
    commands: FuturesUnordered<Pin<Box<dyn Future<Output = CommandResult> + Send>>>,
    /// What was said to be lost in this session.
    told: Vec<Lost>,
    told_at: Option<u64>,
    hub_online: Option<bool>,
    bad: u64,
}

impl<'a> Session<'a> {
    pub(super) fn new(shared: &'a Shared, client: AsyncClient, number: u32) -> Self {
        Self {
            shared,
            client,
            number,
            window: Window::new(shared.patience),
            resends: VecDeque::new(),
            commands: FuturesUnordered::new(),
            told: Vec::new(),
            told_at: None,
            hub_online: None,
            bad: 0,
        }
    }

    /// Waits for the connection, says hello, and then works until `stop`; then says goodbye.
    pub(super) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Inbound>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            first = inbox.recv() => first.context("the connection ended before it began")?,
        };
        self.begin().await?;
        let mut changes = self.shared.spool.changes();
        loop {
            let now = *changes.borrow_and_update();
            self.send(now).await?;
            tokio::select! {
                () = stop.cancelled() => return self.say_goodbye().await,
                Some(inbound) = inbox.recv() => self.receive(inbound).await?,
                more = changes.changed() => more.context("the spool closed before the session")?,
                () = until(self.window.deadline()) => self.lose_patience(),
                // What was asked for again goes out piece by piece, so that acknowledgements are heard between.
                () = ready(()), if !self.resends.is_empty() => {}
                Some(result) = self.commands.next() => self.publish(Channel::Result, &result).await?,
            }
        }
    }

    async fn begin(&mut self) -> anyhow::Result<()> {
        let topics = [Channel::Ack, Channel::Command].map(|channel| self.shared.topic(channel));
        for topic in topics.into_iter().chain([HUB_TOPIC.to_owned()]) {
            self.client.subscribe(topic, QoS::AtLeastOnce).await?;
        }
        info!(session = self.number, hub = %self.shared.hub.url, "connected to the broker");
        self.publish_birth().await
    }

    async fn publish_birth(&mut self) -> anyhow::Result<()> {
        let birth = Birth {
            epoch: self.shared.spool.epoch(),
            session: self.number,
            sent_at: self.shared.clock.now(),
            agent: AgentInfo { version: env!("CARGO_PKG_VERSION").into() },
            queued: self.shared.spool.status().await?.queued,
            devices: self.shared.devices.clone(),
        };
        self.publish(Channel::Birth, &birth).await
    }

    /// Sends what can be sent now: what is lost, what was asked for again, and what is new, as far as the window allows.
    async fn send(&mut self, changes: Changes) -> anyhow::Result<()> {
        if self.told_at != Some(changes.lost) {
            self.tell_losses().await?;
            self.told_at = Some(changes.lost);
        }
        if let Some(resend) = self.resends.pop_front() {
            self.resend(resend).await?;
        }
        while self.window.is_open() {
            let Some(batch) = self.shared.spool.unacked(self.window.next()).await? else { break };
            let last = batch.records.last().map_or(0, |record| record.seq);
            let last = Place { epoch: batch.epoch, seq: last };
            self.publish_batch(batch).await?;
            self.window.sent(last, Instant::now());
        }
        Ok(())
    }

    async fn tell_losses(&mut self) -> anyhow::Result<()> {
        let lost = self.shared.spool.status().await?.lost;
        let told = std::mem::replace(&mut self.told, lost.clone());
        for range in lost.iter().filter(|range| !told.contains(range)) {
            warn!(epoch = range.epoch, from = range.from, to = range.to, "telling the hub of lost records");
            self.publish(Channel::Lost, range).await?;
        }
        Ok(())
    }

    /// Sends the first piece of a range, and puts the rest of it back.
    async fn resend(&mut self, resend: Resend) -> anyhow::Result<()> {
        let Resend { epoch, from, to } = resend;
        let sent = match self.shared.spool.again(epoch, from, to).await? {
            None => return Ok(()),
            Some(Again::Gone(lost)) => {
                self.publish(Channel::Lost, &lost).await?;
                lost.to
            }
            Some(Again::Records(batch)) => {
                let last = batch.records.last().map_or(to, |record| record.seq);
                self.publish_batch(batch).await?;
                last
            }
        };
        if sent < to {
            self.resends.push_front(Resend { epoch, from: sent + 1, to });
        }
        Ok(())
    }

    async fn publish_batch(&mut self, batch: Batch) -> anyhow::Result<()> {
        let Batch { epoch, oldest, records } = batch;
        let sent_at = self.shared.clock.now();
        let data = Data { epoch, session: self.number, sent_at, oldest: Some(oldest), records, refused: Vec::new() };
        self.publish(Channel::Data, &data).await
    }

    async fn publish(&mut self, channel: Channel, message: &impl Serialize) -> anyhow::Result<()> {
        let topic = self.shared.topic(channel);
        Ok(self.client.publish(topic, QoS::AtLeastOnce, false, encode(message)).await?)
    }

    fn lose_patience(&mut self) {
        // Once is enough until it acknowledges something: it may be away for days.
        if !self.window.is_overdue() {
            warn!("the hub has acknowledged nothing for a while: what it lacks is sent again until it does");
        }
        self.window.rewind();
        // It may have missed these as well.
        self.told.clear();
        self.told_at = None;
    }

    async fn say_goodbye(&mut self) -> anyhow::Result<()> {
        let death = Death { epoch: self.shared.spool.epoch(), session: self.number, reason: DeathReason::Stopping };
        self.publish(Channel::Death, &death).await?;
        Ok(self.client.disconnect().await?)
    }

    async fn receive(&mut self, inbound: Inbound) -> anyhow::Result<()> {
        let Inbound::Message { topic, payload } = inbound else { return Ok(()) };
        if &*topic == HUB_TOPIC {
            return self.note_hub(&payload);
        }
        // The two topics subscribed to differ in their last level only.
        let channel = if topic.ends_with(Channel::Ack.as_str()) { Channel::Ack } else { Channel::Command };
        match ToAgent::decode(channel, &payload) {
            Ok(ToAgent::Ack(ack)) => self.take_ack(ack).await,
            Ok(ToAgent::Command(command)) => self.obey(command).await,
            Err(error) => self.note_bad(&topic, &payload, &error),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "an arm of `receive`")]
    fn note_hub(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        // An empty payload is how a retained state is removed.
        let online = serde_json::from_slice::<HubState>(payload).is_ok_and(|state| state.online);
        self.shared.notes.online(online);
        if self.hub_online.replace(online) != Some(online) {
            let state = if online { "online" } else { "offline" };
            info!(online, "the hub says that it is {state}");
        }
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "an arm of `receive`")]
    fn note_bad(&mut self, topic: &str, payload: &[u8], error: &lobby_contract::DecodeError) -> anyhow::Result<()> {
        self.bad += 1;
        if self.bad.is_power_of_two() {
            let excerpt = String::from_utf8_lossy(&payload[..payload.len().min(EXCERPT)]);
            let cause = chain(error);
            warn!(topic, %excerpt, cause, bad = self.bad, "a message of the hub cannot be read and is ignored");
        }
        Ok(())
    }

    async fn take_ack(&mut self, ack: Ack) -> anyhow::Result<()> {
        let acked = self.shared.spool.ack(ack).await?;
        if acked != Acked::Refused {
            self.shared.notes.acknowledged();
        }
        match acked {
            Acked::Advanced => self.window.advanced(ack, Instant::now()),
            Acked::Known => {}
            Acked::Refused => {
                self.bad += 1;
                warn!(
                    epoch = ack.epoch,
                    committed = ack.committed,
                    bad = self.bad,
                    "the hub acknowledges records that this agent never made: ignored"
                );
            }
        }
        Ok(())
    }

    async fn obey(&mut self, command: Command) -> anyhow::Result<()> {
        let Command { id, order } = command;
        debug!(command.id = %id, ?order, "the hub asks for something");
        let done = match order {
            Order::Rebirth => {
                self.publish_birth().await?;
                self.told.clear();
                self.told_at = None;
                Ok(())
            }
            Order::Resend { epoch, from, to } => self.queue_resend(epoch, from, to),
            Order::Probe { device } => match self.start_probe(&id, device.as_str()) {
                Ok(()) => return Ok(()),
                Err(error) => Err(error),
            },
        };
        self.publish(Channel::Result, &result(id, done)).await
    }

    fn queue_resend(&mut self, epoch: Option<u64>, from: u64, to: u64) -> Result<(), String> {
        let epoch = epoch.unwrap_or(self.shared.spool.epoch());
        if from == 0 || from > to {
            return Err(format!("from {from} to {to} is not a range of records"));
        }
        if self.resends.len() >= MAX_RESENDS {
            return Err(format!("{MAX_RESENDS} ranges are waiting already: ask again later"));
        }
        self.resends.push_back(Resend { epoch, from, to });
        Ok(())
    }

    fn start_probe(&mut self, id: &str, device: &str) -> Result<(), String> {
        let asks = self.shared.asks.get(device).ok_or_else(|| format!("this agent has no device `{device}`"))?;
        if self.commands.len() >= MAX_COMMANDS {
            return Err(format!("{MAX_COMMANDS} commands are being carried out already: ask again later"));
        }
        let (reply, answer) = oneshot::channel();
        asks.sender.try_send(reply).map_err(|_| format!("device `{device}` is about to be probed already"))?;
        let (id, patience) = (id.into(), asks.patience);
        self.commands.push(Box::pin(async move {
            let done = match timeout(patience, answer).await {
                Ok(Ok(Ok(()))) => Ok(()),
                Ok(Ok(Err(not_on_disk))) => Err(not_on_disk.to_string()),
                Ok(Err(_)) => Err("the agent is stopping".to_owned()),
                Err(_) => Err("the probe took too long".to_owned()),
            };
            result(id, done)
        }));
        Ok(())
    }
}

fn result(id: Box<str>, done: Result<(), String>) -> CommandResult {
    CommandResult { id, ok: done.is_ok(), error: done.err().map(Into::into) }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// How long a probe asked for by the hub may take, beyond the device's own timeout: another may be running, and the record has to
/// reach the disk.
pub(super) const PROBE_SLACK: Duration = Duration::from_secs(10);
