//! The task that sends. It looks at once when something is queued or an exchange is over, and twice a second; each channel has one
//! exchange at a time, so that a slow receiver holds up nobody else and messages of a channel keep their order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use lobby_dashboards::FindingKey;
use lobby_domain::{
    alert::AlertId,
    notice::{Fate, Holds, Kind, Telling, Waiting, What, backoff, plan},
    rule::Severity,
    time::{Span, Timestamp},
};
use tokio::{
    select,
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tracing::{debug, warn};
use uuid::Uuid;

use super::{
    Channel, Letter, Notify, Settings, Target,
    letter::{self, Told},
    outcome::Outcome,
    pause,
    personal::Own,
    random,
};
use crate::{
    findings::{Domain, Found, Severity as Gravity},
    fleet::Changed,
    lifecycle::Lifecycle,
    progress::Part,
    store::{AlertRow, Attempted, Draft, Hold, Mailbox, Outgoing, Queued, StoreError, TAKEN_AT_ONCE, Then},
};

/// How often the outbox is looked at.
const TICK: Duration = Duration::from_millis(500);
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
/// The namespace of ids of messages.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c6f_6262_792d_4a75_a1e5_0000_0000_0003);

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
                () = queued.notified() => {}
                // Waiting times end, another process may have queued something, and a look that failed is taken again.
                _ = ticks.tick() => {}
            }
            self.progress.beat(Part::Sender);
            let in_effect = Arc::clone(&settings.borrow());
            let seconds = LOOK.as_secs();
            // A database that does not answer is told by others; this task is alive. What is cut short is looked at again.
            let done = timeout(LOOK, self.look(&in_effect, &mut memory, &exchanges)).await;
            let done = done.unwrap_or(Err(StoreError::Late { doing: "look at what is to be sent", seconds }));
            let failed = done.is_err();
            if let Err(cause) = done
                && !failing
            {
                let cause = format!("{:#}", anyhow::Error::from(cause));
                warn!(cause, "could not look at what is to be sent; trying again");
            }
            failing = failed;
        }
    }

    async fn look(
        &self,
        settings: &Arc<Settings>,
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
        let mailboxes: Vec<Mailbox> = owns.values().map(|own| own.mailbox.clone()).collect();
        let routes = settings.routes();
        let mut news = 0;
        loop {
            let taken = self.store.expand_outbox(&routes, &mailboxes).await?;
            news += taken;
            if taken < TAKEN_AT_ONCE {
                break;
            }
        }
        let idle = |name: &&str| !memory.busy.contains(*name);
        let due =
            |name: &&str| news > 0 || memory.look_at.get(*name).is_none_or(|at| *at <= now || at.since(now) > HORIZON);
        let names: Vec<&str> = all.iter().map(String::as_str).filter(idle).filter(due).collect();
        if !names.is_empty() {
            let holds = self.store.channel_holds().await?;
            for name in names {
                let own = owns.get(name);
                let channel = own.map_or_else(|| &settings.channels[name], |own| &own.channel);
                let hold = holds.get(name);
                let until = hold.and_then(|(_, paused)| *paused).filter(|at| *at > now && at.since(now) < HORIZON);
                let next = if hold.is_none_or(|(disabled, _)| disabled.is_some()) {
                    None
                } else if until.is_some() {
                    until
                } else {
                    match self.next((channel, own), settings, memory, now).await? {
                        Next::Send(outgoing) => {
                            memory.busy.insert(name.to_owned());
                            exchanges.start(Arc::clone(channel), outgoing);
                            continue;
                        }
                        Next::Wait(at) => at,
                    }
                };
                let anyway = now + ANYWAY;
                memory.look_at.insert(name.to_owned(), next.map_or(anyway, |at| at.min(anyway)));
            }
            self.tell_findings(settings, &holds, now);
        } else if settings.channels.is_empty() {
            self.tell_findings(settings, &BTreeMap::new(), now);
        }
        if memory.clean_at.is_none_or(|at| at <= now || at.since(now) > HORIZON) {
            let more = self.store.forget_notifications(now - KEPT).await?;
            memory.clean_at = Some(now + if more { ANYWAY } else { CLEAN_EVERY });
        }
        Ok(())
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
        let bucket = self.bucket(channel, now).await?;
        let theirs = own.and_then(|own| own.mailbox.sites());
        if let Some((id, due)) = self.store.under_way(name).await? {
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
            && memory.again_at.get(name).is_none_or(|at| *at <= now || at.since(now) > HORIZON)
        {
            self.store.queue_again(name, now - repeat, now).await?;
            memory.again_at.insert(name.to_owned(), now + AGAIN_EVERY.min(repeat));
        }
        let (queued, flushed) = self.store.queued_for(name).await?;
        if queued.is_empty() {
            return Ok(Next::Wait(None));
        }
        if let Some(sites) = &theirs
            && queued.iter().any(|one| !sites.contains(&&one.site))
        {
            self.store.cancel_elsewhere(name, sites, now).await?;
            return Ok(Next::Wait(Some(now)));
        }
        let alerts = self.store.alerts_queued_for(name).await?;
        let alerts: BTreeMap<AlertId, AlertRow> = alerts.into_iter().map(|alert| (alert.id, alert)).collect();
        let waiting: Vec<Waiting> = queued.iter().map(|one| self.waiting(one, &alerts, now)).collect();
        let flushed = flushed.into_iter().collect();
        let plan = match own {
            Some(own) => self.plan_own(own, (&queued, waiting), (&alerts, &flushed), &bucket, now).await?,
            None => plan(&waiting, &flushed, &channel.grouping, &bucket, now),
        };
        if !plan.dropped.is_empty() {
            let why = |fate| match fate {
                Fate::Over => "over",
                Fate::Unwanted => "unwanted",
                Fate::Needless | Fate::Tell | Fate::Hold => "needless",
            };
            let dropped: Vec<_> = plan.dropped.iter().map(|(index, fate)| (&queued[*index], why(*fate))).collect();
            let dropped: Vec<_> =
                dropped.iter().map(|(one, why)| (one.event.as_str(), one.post.as_str(), *why)).collect();
            self.store.drop_deliveries(name, &dropped).await?;
        }
        if let (Some(own), Some(_)) = (own, &plan.telling)
            && self.store.cancel_left(&own.mailbox, now).await? > 0
        {
            // Of what is left another message is made.
            return Ok(Next::Wait(Some(now)));
        }
        match plan.telling {
            Some(telling) => self.compose(channel, settings, &queued, &alerts, telling, now).await,
            None => Ok(Next::Wait(plan.look_at)),
        }
    }

    fn waiting(&self, one: &Queued, alerts: &BTreeMap<AlertId, AlertRow>, now: Timestamp) -> Waiting {
        let alert = alerts.get(&one.alert);
        Waiting {
            alert: one.alert,
            site: one.site.clone(),
            what: What::of(&one.event),
            critical: alert.is_some_and(|alert| alert.severity == Severity::Critical.as_str()),
            since: one.created_at,
            open: alert.is_some_and(|alert| alert.cleared_at.is_none()),
            muted: alert.is_some_and(|alert| self.restraints.over(alert, now).1.is_some()),
            told_at: one.told_at,
        }
    }

    /// Makes the message of a plan, as far as it fits, and notes that it is being sent.
    async fn compose(
        &self,
        channel: &Channel,
        settings: &Settings,
        queued: &[Queued],
        alerts: &BTreeMap<AlertId, AlertRow>,
        telling: Telling,
        now: Timestamp,
    ) -> Result<Next, StoreError> {
        let mut told = Vec::with_capacity(telling.alerts.len());
        let mut tickets = BTreeMap::new();
        for indexes in telling.alerts.iter().take(letter::MOST_ALERTS) {
            let Some(alert) = indexes.first().and_then(|index| alerts.get(&queued[*index].alert)) else { continue };
            if let Some(number) = &alert.ticket
                && !tickets.contains_key(number)
            {
                tickets.insert(number.clone(), self.store.ticket(number).await?.map(|(ticket, _)| ticket));
            }
            let ticket = alert.ticket.as_ref().and_then(|number| tickets.get(number).cloned().flatten());
            let mut events: Vec<String> = indexes.iter().map(|index| queued[*index].event.clone()).collect();
            events.dedup();
            // Whose it is, is told of one matter alone.
            let is_alone = telling.alerts.len() == 1;
            let escalation = if is_alone || events.iter().any(|event| What::of(event) == What::Escalated) {
                match &alert.ticket {
                    Some(number) => self.store.escalation_of_ticket(number).await?,
                    None => self.store.escalation_of_alert(alert.id).await?,
                }
            } else {
                None
            };
            told.push(Told { alert: alert.clone(), ticket, escalation, events });
        }
        let Some(first) = telling.alerts.first().and_then(|indexes| indexes.first()).map(|index| &queued[*index])
        else {
            return Ok(Next::Wait(None));
        };
        // A delivery is carried by one message at most, so its name makes that message's.
        let seed = format!("{}\n{}\n{}", first.event, first.post, channel.name);
        let id = Uuid::new_v5(&NAMESPACE, seed.as_bytes());
        let kind = match telling.kind {
            Kind::Single => "single",
            Kind::Group => "group",
            Kind::Digest => "digest",
        };
        let (mut letter, taken) =
            letter::write(&self.fleet, channel, settings.public_url.as_deref(), (id, kind), &told, now);
        if let ([one], 1) = (told.as_slice(), telling.alerts.len()) {
            letter.mention = self.holder_of(channel, one);
        }
        let whole = taken == telling.alerts.len();
        let carried: Vec<&Queued> = telling.alerts[..taken].iter().flatten().map(|index| &queued[*index]).collect();
        // What did not fit is due at once.
        let flushed: BTreeSet<_> =
            carried.iter().filter(|_| whole && telling.kind != Kind::Single).map(|one| &one.site).collect();
        let text = serde_json::to_string(&letter).expect("a letter is texts and numbers");
        let draft = Draft {
            id,
            channel: channel.name.as_str(),
            counts_for: channel.counts_for(),
            kind,
            letter: &text,
            carries: carried.iter().map(|one| (one.event.as_str(), one.post.as_str())).collect(),
            flushed: flushed.into_iter().collect(),
        };
        if !self.store.compose(&draft, now, lease(channel)).await? {
            // Something was cancelled a moment ago: look again.
            return Ok(Next::Wait(Some(now)));
        }
        Ok(Next::Send(Outgoing { id, letter: text, nth: 1, since: now }))
    }

    /// The person who has what is told of an alert to see to, if it is one, and the channel is one of their post: the groups of other
    /// posts need not learn by what number they are reached.
    fn holder_of(&self, channel: &Channel, told: &Told) -> Option<String> {
        let serves = |post: &str| channel.posts.iter().any(|served| **served == *post);
        match letter::held(told) {
            Some(Holds::Person(id)) => {
                let is_theirs = told.escalation.as_ref().is_some_and(|row| serves(row.escalation.post()));
                is_theirs.then(|| id.to_owned())
            }
            Some(Holds::Worker(id)) => {
                let setup = self.fleet.setup();
                let department =
                    told.ticket.as_ref().and_then(|ticket| setup.pack.departments.get(&*ticket.department));
                let is_theirs = department.is_some_and(|department| serves(&department.post));
                (is_theirs && !id.is_empty()).then(|| id.to_owned())
            }
            None => None,
        }
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
        if matches!(then, Then::Dead | Then::Gone) && self.nobody_else(channel, outgoing.id).await {
            self.watched.lock().died.push((channel.counts_for().to_owned(), sent.answer.clone()));
        }
        for site in letter.alerts.iter().filter_map(|item| item.site.parse().ok()).collect::<BTreeSet<_>>() {
            self.fleet.tell(Changed { site, device: None });
        }
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
        for (name, _) in holds.iter().filter(|(_, (disabled, _))| disabled.is_some()) {
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
