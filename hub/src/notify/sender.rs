//! The task that sends. It looks at once when something is queued or an exchange is over, and twice a second; each channel has one
//! exchange at a time, so that a slow receiver holds up nobody else and messages of a channel keep their order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use lobby_dashboards::FindingKey;
use lobby_domain::{
    notice::backoff,
    time::{Span, Timestamp},
};
use tokio::{
    select,
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tracing::{debug, warn};
use uuid::Uuid;

use super::{Channel, Letter, Notify, Settings, Target, letter, outcome::Outcome, pause, personal::Own, random};
use crate::{
    findings::{Domain, Found, Severity as Gravity},
    fleet::Changed,
    lifecycle::Lifecycle,
    progress::Part,
    store::{Attempted, Expanded, Hold, Mailbox, Outgoing, Routes, StoreError, TAKEN_AT_ONCE, Then, Tx},
};

/// How often the outbox is looked at.
const TICK: Duration = Duration::from_millis(500);
/// Most deliveries that may wait for a channel for a message to be made in the transaction that takes them in: others who write wait for it.
const LITTLE: usize = 32;
/// Most channels for which a message is made in it.
const CHANNELS: usize = 8;
/// How often a channel is looked at of which nothing is new: a silence may have begun or ended.
const ANYWAY: Span = Span::from_secs(2);
/// How often it is looked for what is to be told again.
const AGAIN_EVERY: Span = Span::from_secs(10);
/// The longest pause after failures.
const LONGEST_PAUSE: Span = Span::from_mins(1);
/// A time farther away than this was noted by a clock that has been set back.
const HORIZON: Span = Span::from_mins(25 * 60);
/// How long a look may take.
const LOOK: Duration = Duration::from_secs(8);
/// How long exchanges may go on when the hub stops.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long what is over is kept.
const KEPT: Span = Span::from_mins(90 * 24 * 60);
/// How often it is looked for what is older.
const CLEAN_EVERY: Span = Span::from_mins(60);
/// A receiver may take nothing for this long before it is told as a trouble.
const PATIENCE: Span = Span::from_mins(5);

/// What the sender remembers from one look to the next. Nothing of it needs to survive.
#[derive(Default)]
struct Memory {
    /// The channels that the database knows, once it knows them.
    knows: Option<BTreeSet<String>>,
    /// Channels with an exchange under way.
    busy: BTreeSet<String>,
    /// When each channel is to be looked at without anything new.
    look_at: BTreeMap<String, Timestamp>,
    again_at: BTreeMap<String, Timestamp>,
    clean_at: Option<Timestamp>,
}

impl Memory {
    /// Whether it is time to look for what is to be told again on a channel.
    fn is_to_tell_again(&self, channel: &Channel, now: Timestamp) -> bool {
        let at = self.again_at.get(channel.name.as_str());
        channel.grouping.repeat.is_some() && at.is_none_or(|at| *at <= now || at.since(now) > HORIZON)
    }

    /// Lets a channel do what is next.
    fn goes_on(&mut self, channel: &Arc<Channel>, next: Next, exchanges: &Exchanges, now: Timestamp) {
        let name = channel.name.to_string();
        match next {
            Next::Send(outgoing) => {
                self.busy.insert(name);
                exchanges.start(Arc::clone(channel), outgoing);
            }
            Next::Wait(at) => {
                let anyway = now + ANYWAY;
                self.look_at.insert(name, at.map_or(anyway, |at| at.min(anyway)));
            }
        }
    }
}

/// Starts exchanges, each a task of its own: one that waits for the database must get on while the sender waits for it too.
struct Exchanges {
    notify: Arc<Notify>,
    lifecycle: Lifecycle,
    /// Who is free again. Each channel is in it once at most.
    landed: mpsc::UnboundedSender<String>,
}

/// Tells at its end, however that comes about, that a channel is free again.
struct Landing(mpsc::UnboundedSender<String>, String);

impl Drop for Landing {
    fn drop(&mut self) {
        // A sender that has stopped does not care.
        let _ = self.0.send(std::mem::take(&mut self.1));
    }
}

impl Exchanges {
    fn start(&self, channel: Arc<Channel>, outgoing: Outgoing) {
        let (notify, stop) = (Arc::clone(&self.notify), self.lifecycle.stop_token());
        let landing = Landing(self.landed.clone(), channel.name.to_string());
        self.lifecycle.detach("a message", async move {
            let _landing = landing;
            select! {
                () = notify.fly(&channel, outgoing) => {}
                // What does not end in time is sent again after the start, under the same id.
                () = async { stop.cancelled().await; sleep(FAREWELL).await } => {}
            }
        });
    }
}

impl Notify {
    /// Sends until everything stops.
    pub async fn run(self: Arc<Self>, lifecycle: Lifecycle) -> anyhow::Result<()> {
        let (stop, mut settings, queued) = (lifecycle.stop_token(), self.settings.clone(), self.store.outbox_filled());
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (landed, mut landings) = mpsc::unbounded_channel();
        let exchanges = Exchanges { notify: Arc::clone(&self), lifecycle, landed };
        let (mut memory, mut failing, mut fixed) = (Memory::default(), false, false);
        loop {
            let mut is_filled = false;
            select! {
                () = stop.cancelled() => return Ok(()),
                Some(landed) = landings.recv() => {
                    memory.look_at.remove(&landed);
                    memory.busy.remove(&landed);
                }
                changed = settings.changed(), if !fixed => {
                    // Without a file nobody ever changes them.
                    fixed = changed.is_err();
                    memory.knows = None;
                }
                () = queued.notified() => is_filled = true,
                // Waiting times end, another process may have queued something, and a look that failed is taken again.
                _ = ticks.tick() => {}
            }
            self.progress.beat(Part::Sender);
            let in_effect = Arc::clone(&settings.borrow());
            let seconds = LOOK.as_secs();
            // A database that does not answer is told by others; this task is alive. What is cut short is looked at again.
            let done = timeout(LOOK, self.look(&in_effect, is_filled, &mut memory, &exchanges)).await;
            let done = done.unwrap_or(Err(StoreError::Late { doing: "look at what is to be sent", seconds }));
            let failed = done.is_err();
            if let Err(cause) = done
                && !failing
            {
                let cause = format!("{:#}", anyhow::Error::from(cause));
                warn!(cause, "could not look at what is to be sent; trying again");
            }
            failing = failed;
            if failed {
                // Who holds what this one needed gets on meanwhile.
                ticks.reset();
            }
        }
    }

    async fn look(
        &self,
        settings: &Settings,
        is_filled: bool,
        memory: &mut Memory,
        exchanges: &Exchanges,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let owns = self.owns(settings).await?;
        let configured = settings.channels.keys().map(ToString::to_string);
        let all: BTreeSet<String> = configured.chain(owns.keys().cloned()).collect();
        if memory.knows.as_ref() != Some(&all) {
            let names: Vec<&str> = all.iter().map(String::as_str).collect();
            self.store.know_channels(&names, now).await?;
            memory.look_at.clear();
            memory.knows = Some(all.clone());
        }
        let (mut has_news, mut done) = (false, Ok(()));
        if is_filled || self.store.is_outbox_filled().await? {
            let mailboxes: Vec<Mailbox> = owns.values().map(|own| own.mailbox.clone()).collect();
            loop {
                match self.take_in(settings, &mailboxes, (&mut *memory, exchanges)).await {
                    Ok(taken) => {
                        has_news |= taken > 0;
                        if taken < TAKEN_AT_ONCE {
                            break;
                        }
                    }
                    // What waits for channels is told all the same.
                    Err(error) => {
                        done = Err(error);
                        break;
                    }
                }
            }
        }
        // It may have waited for others who write.
        let now = self.clock.now();
        let idle = |name: &&str| !memory.busy.contains(*name);
        let due = |name: &&str| memory.look_at.get(*name).is_none_or(|at| *at <= now || at.since(now) > HORIZON);
        let names: Vec<&str> = all.iter().map(String::as_str).filter(idle).filter(due).collect();
        if has_news || !names.is_empty() {
            let holds = self.store.read().await?.channel_holds().await?;
            for name in names {
                let own = owns.get(name);
                let channel = own.map_or_else(|| &settings.channels[name], |own| &own.channel);
                let next = match held(&holds, name, now) {
                    Held::Not => self.next((channel, own), settings, memory, now).await,
                    Held::Until(until) => Ok(Next::Wait(until)),
                };
                match next {
                    Ok(next) => memory.goes_on(channel, next, exchanges, now),
                    // A row that is wrong holds up no other channel.
                    Err(error) => done = done.and(Err(error)),
                }
            }
            self.tell_findings(settings, &holds, now);
        } else if settings.channels.is_empty() {
            self.tell_findings(settings, &BTreeMap::new(), now);
        }
        if memory.clean_at.is_none_or(|at| at <= now || at.since(now) > HORIZON) {
            let more = self.store.forget_notifications(now - KEPT).await?;
            memory.clean_at = Some(now + if more { ANYWAY } else { CLEAN_EVERY });
        }
        done
    }

    /// Gives some of what is in the outbox to the channels, and where that is all that waits for one, makes the message of it in the same
    /// transaction: a fault is told without waiting for another. Returns how much was taken. A batch that clears several alerts may need what
    /// this one has taken while this one needs what the batch has: then this one gives way.
    async fn take_in(
        &self,
        settings: &Settings,
        mailboxes: &[Mailbox],
        (memory, exchanges): (&mut Memory, &Exchanges),
    ) -> Result<usize, StoreError> {
        let routes = self.routes(settings);
        let mut tx = self.store.begin_yielding().await?;
        let Expanded { mut taken, mut channels, holds } =
            tx.expand_outbox(&routes, mailboxes, self.clock.now()).await?;
        // Nothing that was taken is of later.
        let (now, mut nexts) = (self.clock.now(), Vec::new());
        let is_free = |name: &&String| !memory.busy.contains(*name) && matches!(held(&holds, name, now), Held::Not);
        let free = channels.iter().filter(is_free).filter_map(|name| settings.channels.get(name.as_str()));
        let free = free.filter(|channel| !memory.is_to_tell_again(channel, now));
        // With all of a storm before it, the first message is of the gravest.
        let most = if taken < TAKEN_AT_ONCE { CHANNELS } else { 0 };
        for channel in free.take(most) {
            match self.at_once(&mut tx, channel, settings, now).await {
                Ok(AtOnce::Does(next)) => nexts.push((channel, next)),
                Ok(AtOnce::Later) => {}
                Ok(AtOnce::Contested) | Err(_) => {
                    // Nothing of this was done. Somebody has cancelled what was to be told a moment ago or still holds it, or a row is wrong,
                    // which is then told of this channel alone: without a message it succeeds.
                    drop(tx);
                    tx = self.store.begin_yielding().await?;
                    Expanded { taken, channels, .. } = tx.expand_outbox(&routes, mailboxes, now).await?;
                    nexts.clear();
                    break;
                }
            }
        }
        tx.commit().await?;
        for name in &channels {
            memory.look_at.remove(name);
        }
        for (channel, next) in nexts {
            memory.goes_on(channel, next, exchanges, now);
        }
        Ok(taken)
    }

    /// Makes a message of what waits for a channel, if that is little.
    async fn at_once(
        &self,
        tx: &mut Tx,
        channel: &Channel,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<AtOnce, StoreError> {
        let name = channel.name.as_str();
        let bucket = self.bucket(tx, channel, now).await?;
        if tx.under_way(name).await?.is_some() {
            return Ok(AtOnce::Later);
        }
        let waits = tx.queued_for(name, LITTLE + 1).await?;
        if waits.queued.len() > LITTLE {
            return Ok(AtOnce::Later);
        }
        let planned = self.plan(tx, (channel, None), settings, &waits, &bucket, now).await?;
        tx.drop_deliveries(name, &planned.dropped).await?;
        let Some(mut draft) = planned.draft else { return Ok(AtOnce::Does(Next::Wait(planned.look_at))) };
        draft.carries_all = draft.carries.len() + planned.dropped.len() == waits.queued.len();
        let sent = tx.compose(draft, now, lease(channel)).await?;
        Ok(sent.map_or(AtOnce::Contested, |outgoing| AtOnce::Does(Next::Send(outgoing))))
    }

    /// What a channel does next.
    async fn next(
        &self,
        (channel, own): (&Channel, Option<&Own>),
        settings: &Settings,
        memory: &mut Memory,
        now: Timestamp,
    ) -> Result<Next, StoreError> {
        let name = channel.name.as_str();
        let theirs = own.and_then(|own| own.mailbox.sites());
        let mut tx = self.store.read().await?;
        let bucket = self.bucket(&mut tx, channel, now).await?;
        if let Some((id, due)) = tx.under_way(name).await? {
            drop(tx);
            let at = if due.since(now) > HORIZON { now } else { due }.max(bucket.next(true, now));
            if at > now {
                return Ok(Next::Wait(Some(at)));
            }
            if let Some(sites) = &theirs {
                // They may work elsewhere by now: then there is nothing to take.
                self.store.cancel_elsewhere(name, sites, now).await?;
            }
            if let Some(own) = own {
                self.store.cancel_left(&own.mailbox, now).await?;
            }
            let claimed = self.store.claim(id, channel.counts_for(), due, now, lease(channel)).await?;
            return Ok(claimed.map_or(Next::Wait(None), Next::Send));
        }
        if let Some(repeat) = channel.grouping.repeat
            && memory.is_to_tell_again(channel, now)
        {
            drop(tx);
            self.store.queue_again(name, now - repeat, now).await?;
            memory.again_at.insert(name.to_owned(), now + AGAIN_EVERY.min(repeat));
            tx = self.store.read().await?;
        }
        let waits = tx.queued_for(name, usize::MAX).await?;
        if waits.queued.is_empty() {
            return Ok(Next::Wait(None));
        }
        if let Some(sites) = &theirs
            && waits.queued.iter().any(|one| !sites.contains(&&one.site))
        {
            drop(tx);
            self.store.cancel_elsewhere(name, sites, now).await?;
            return Ok(Next::Wait(Some(now)));
        }
        let planned = self.plan(&mut tx, (channel, own), settings, &waits, &bucket, now).await?;
        drop(tx);
        if !planned.dropped.is_empty() {
            let mut tx = self.store.begin_yielding().await?;
            tx.drop_deliveries(name, &planned.dropped).await?;
            tx.commit().await?;
        }
        let Some(draft) = planned.draft else { return Ok(Next::Wait(planned.look_at)) };
        if let Some(own) = own
            && self.store.cancel_left(&own.mailbox, now).await? > 0
        {
            // Of what is left another message is made.
            return Ok(Next::Wait(Some(now)));
        }
        let mut tx = self.store.begin_yielding().await?;
        let Some(outgoing) = tx.compose(draft, now, lease(channel)).await? else {
            // Something was cancelled a moment ago: look again.
            return Ok(Next::Wait(Some(now)));
        };
        tx.commit().await?;
        Ok(Next::Send(outgoing))
    }

    /// One attempt, and what follows from it.
    async fn fly(&self, channel: &Channel, outgoing: Outgoing) {
        let name = channel.name.to_string();
        let letter = match serde_json::from_str::<Letter>(&outgoing.letter) {
            Ok(letter) => letter,
            Err(cause) => {
                warn!(%cause, message.id = %outgoing.id, "a stored message cannot be read");
                Letter { text: outgoing.letter.clone(), ..letter::test(channel, None, outgoing.id, outgoing.since) }
            }
        };
        let (sent, took) = self.send(channel, &letter).await;
        let now = self.clock.now();
        let given_up = now.since(outgoing.since) >= channel.give_up;
        let pause = pause(channel, sent.outcome);
        let failures = u32::try_from(outgoing.nth).unwrap_or(u32::MAX);
        let dice = u64::from_le_bytes(random()[..8].try_into().expect("eight of sixteen bytes"));
        let then = match sent.outcome {
            Outcome::Taken => Then::Sent,
            Outcome::Gone => Then::Gone,
            Outcome::Refused => Then::Dead,
            Outcome::Later(_) | Outcome::Throttled(_) if given_up => Then::Dead,
            Outcome::Later(_) | Outcome::Throttled(_) => {
                let usual = backoff(failures, channel.retry, LONGEST_PAUSE, dice);
                Then::Again(now + pause.map_or(usual, |pause| pause.max(usual)))
            }
        };
        let died = matches!(then, Then::Dead | Then::Gone) && self.nobody_else(channel, outgoing.id).await;
        let instead = died.then(|| self.routes(&self.settings()));
        let attempted = Attempted {
            message: outgoing.id,
            nth: outgoing.nth,
            channel: &name,
            took,
            outcome: sent.outcome.as_str(),
            answer: &sent.answer,
            heard: sent.heard,
            then,
            paused_until: pause.map(|pause| now + pause),
            instead: instead.as_ref(),
        };
        for _ in 0..3 {
            match self.store.settle_attempt(&attempted, now).await {
                Ok(()) => break,
                // At worst the lease ends, and the message is sent once more under its id.
                Err(cause) => {
                    let cause = format!("{:#}", anyhow::Error::from(cause));
                    warn!(cause, message.id = %outgoing.id, "could not store what came of a message");
                }
            }
        }
        if instead.is_some() {
            self.watched.lock().died.push((channel.counts_for().to_owned(), sent.answer.clone()));
        }
        for site in letter.alerts.iter().filter_map(|item| item.site.parse().ok()).collect::<BTreeSet<_>>() {
            self.fleet.tell(Changed { site, device: None });
        }
    }

    /// Where notifications go as the channels are configured.
    fn routes(&self, settings: &Settings) -> Routes {
        Routes { channels: settings.routes(), last_resort: self.fleet.setup().pack.chain.last_resort.clone() }
    }

    /// Whether it is everybody's trouble that a message will not be taken: a person sees that of their own address on their own page, and
    /// others only if nobody else of that post was told.
    async fn nobody_else(&self, channel: &Channel, message: Uuid) -> bool {
        channel.through.is_none() || self.store.is_told_alone(message).await.unwrap_or(true)
    }

    /// What is wrong with channels. What died is told until somebody has seen it.
    fn tell_findings(&self, settings: &Settings, holds: &BTreeMap<String, Hold>, now: Timestamp) {
        let (died, failing) = {
            let mut state = self.watched.lock();
            state.failing.retain(|name, _| settings.channels.contains_key(name.as_str()));
            (std::mem::take(&mut state.died), state.failing.clone())
        };
        let mut found = Vec::new();
        for (name, answer) in died {
            debug!(channel = name, "a message will not be taken");
            let letter = Found::new(FindingKey::DeadLetter, Gravity::Error).about(&name).with(&name).with(answer);
            found.push(letter.persistent());
        }
        for (name, _) in holds.iter().filter(|(_, hold)| hold.disabled_at.is_some()) {
            found.push(Found::new(FindingKey::ChannelGone, Gravity::Error).about(name).with(name));
        }
        for (name, (since, answer)) in failing {
            if now.since(since) >= PATIENCE {
                let failing = Found::new(FindingKey::ChannelFailing, Gravity::Error).about(&name);
                found.push(failing.with(&name).with(answer));
            }
        }
        self.findings.replace(Domain::Notifications, found, now);
    }
}

/// What keeps a channel from sending.
enum Held {
    Not,
    /// It is paused until then, or given up.
    Until(Option<Timestamp>),
}

/// By what the database knows of channels.
fn held(holds: &BTreeMap<String, Hold>, name: &str, now: Timestamp) -> Held {
    match holds.get(name) {
        None | Some(Hold { disabled_at: Some(_), .. }) => Held::Until(None),
        Some(Hold { paused_until: Some(at), .. }) if *at > now && at.since(now) < HORIZON => Held::Until(Some(*at)),
        Some(_) => Held::Not,
    }
}

/// What came of trying to tell something in the transaction that takes it in.
enum AtOnce {
    Does(Next),
    /// It is looked at as ever: more waits than can be looked through meanwhile, or a message is under way.
    Later,
    /// What was to be told has changed meanwhile: nothing may be committed.
    Contested,
}

/// What a channel does next.
enum Next {
    Send(Outgoing),
    /// Nothing before this time, as far as is known.
    Wait(Option<Timestamp>),
}

/// How long an exchange takes at most; after that it is over, whatever became of it.
fn lease(channel: &Channel) -> Span {
    // Connecting and the exchange; for mails looking the name up, and both for each receiver.
    let steps = match &channel.target {
        Target::Smtp(mail) => 1 + 2 * mail.to.len(),
        _ => 2,
    };
    let each = i64::try_from(channel.timeout.as_millis()).unwrap_or(60_000);
    Span::from_millis(each.saturating_mul(i64::try_from(steps).unwrap_or(1)).saturating_add(1000))
}
