//! What a channel is to say next: from what waits for it to the draft of a message.

use std::collections::{BTreeMap, BTreeSet};

use lobby_domain::{
    alert::AlertId,
    notice::{Bucket, Fate, Holds, Kind, Telling, Waiting, What, plan},
    rule::Severity,
    time::Timestamp,
};
use uuid::Uuid;

use super::{
    Channel, Notify, Settings,
    letter::{self, Told},
    personal::Own,
};
use crate::store::{AlertRow, Draft, EscalationOf, Queued, StoreError, Tx, Waits};

/// The namespace of ids of messages.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c6f_6262_792d_4a75_a1e5_0000_0000_0003);

/// What becomes of what waits for a channel.
pub(super) struct Planned<'a> {
    /// What will not be told, each by its event and post, and why.
    pub dropped: Vec<(&'a str, &'a str, &'static str)>,
    /// What is told now.
    pub draft: Option<Draft<'a>>,
    /// If nothing is told now: when it is to be looked at again, as far as is known.
    pub look_at: Option<Timestamp>,
}

impl Notify {
    /// Decides what becomes of everything that waits for a channel.
    pub(super) async fn plan<'a>(
        &self,
        tx: &mut Tx,
        (channel, own): (&'a Channel, Option<&Own>),
        settings: &Settings,
        waits: &'a Waits,
        bucket: &Bucket,
        now: Timestamp,
    ) -> Result<Planned<'a>, StoreError> {
        let alerts = tx.alerts_queued_for(channel.name.as_str()).await?;
        let alerts: BTreeMap<AlertId, AlertRow> = alerts.into_iter().map(|alert| (alert.id, alert)).collect();
        let Waits { queued, told } = waits;
        let waiting: Vec<Waiting> = queued.iter().map(|one| self.waiting(one, &alerts, now)).collect();
        let plan = match own {
            Some(own) => self.plan_own(tx, own, (queued, waiting), (&alerts, told), bucket, now).await?,
            None => plan(&waiting, told, &channel.grouping, bucket, now),
        };
        let why = |fate| match fate {
            Fate::Over => "over",
            Fate::Unwanted => "unwanted",
            Fate::Needless | Fate::Tell | Fate::Hold => "needless",
        };
        let dropped = plan.dropped.iter().map(|(index, fate)| {
            let one = &queued[*index];
            (one.event.as_str(), one.post.as_str(), why(*fate))
        });
        let dropped = dropped.collect();
        let draft = match plan.telling {
            Some(telling) => self.draft(tx, channel, settings, (queued, &alerts), telling, now).await?,
            None => None,
        };
        Ok(Planned { dropped, draft, look_at: plan.look_at })
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

    /// The message of a plan, as far as it fits.
    async fn draft<'a>(
        &self,
        tx: &mut Tx,
        channel: &'a Channel,
        settings: &Settings,
        (queued, alerts): (&'a [Queued], &BTreeMap<AlertId, AlertRow>),
        telling: Telling,
        now: Timestamp,
    ) -> Result<Option<Draft<'a>>, StoreError> {
        let mut told = Vec::with_capacity(telling.alerts.len());
        let mut tickets = BTreeMap::new();
        for indexes in telling.alerts.iter().take(letter::MOST_ALERTS) {
            let Some(alert) = indexes.first().and_then(|index| alerts.get(&queued[*index].alert)) else { continue };
            if let Some(number) = &alert.ticket
                && !tickets.contains_key(number)
            {
                tickets.insert(number.clone(), tx.ticket(number).await?);
            }
            let ticket = alert.ticket.as_ref().and_then(|number| tickets.get(number).cloned().flatten());
            let mut events: Vec<String> = indexes.iter().map(|index| queued[*index].event.clone()).collect();
            events.dedup();
            // Whose it is, is told of one matter alone.
            let is_alone = telling.alerts.len() == 1;
            let escalation = if is_alone || events.iter().any(|event| What::of(event) == What::Escalated) {
                let of = alert.ticket.as_deref().map_or(EscalationOf::Alert(alert.id), EscalationOf::Ticket);
                tx.escalation(of).await?
            } else {
                None
            };
            told.push(Told { alert: alert.clone(), ticket, escalation, events });
        }
        let Some(first) = telling.alerts.first().and_then(|indexes| indexes.first()).map(|index| &queued[*index])
        else {
            return Ok(None);
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
        Ok(Some(Draft {
            id,
            channel: channel.name.as_str(),
            counts_for: channel.counts_for(),
            kind,
            letter: serde_json::to_string(&letter).expect("a letter is texts and numbers"),
            carries: carried.iter().map(|one| (one.event.as_str(), one.post.as_str())).collect(),
            carries_all: false,
            flushed: flushed.into_iter().collect(),
        }))
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
}
