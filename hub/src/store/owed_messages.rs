//! That what is urgent reaches every channel at once (CON-D4, CON-S10, PAS-D4): one instance for each urgent alert and channel. A person's
//! own address is no channel of the site.

use std::collections::BTreeMap;

use lobby_domain::{
    alert::AlertId,
    compliance::{AT_ONCE, By, Duty, Evidence, Excuse, Instance, Kept, URGENT},
    label::Label,
    notice::What,
    rule::Severity,
    time::Timestamp,
};
use uuid::Uuid;

use super::{StoreError, Tx, compliance::Owing, on, person_of, statements};

statements! {
    // What was discovered late, and what nobody was to be told, was never urgent.
    URGENT_ALERTS = "SELECT a.id, a.title_zh, a.title_en, a.opened_at, a.victim_of,
            EXISTS (SELECT 1 FROM outbox o WHERE o.alert = a.id) AS recorded
        FROM alert a WHERE a.site = $1 AND a.opened_at >= $2 AND a.opened_at < $3 AND a.severity = $4 AND a.tells <> '' AND NOT a.late
        ORDER BY a.opened_at, a.id";
    URGENT_SENT = "SELECT d.alert, d.event, d.channel, d.created_at, d.state, d.told_at FROM delivery d JOIN alert a ON a.id = d.alert
        WHERE a.site = $1 AND a.opened_at >= $2 AND a.opened_at < $3 AND a.severity = $4 AND a.tells <> '' AND NOT a.late
        ORDER BY d.alert, d.channel, d.created_at, d.event, d.post";
    CHANNELS_SINCE = "SELECT name, since FROM channel";
}

#[derive(sqlx::FromRow)]
struct Urgent {
    id: Uuid,
    title_zh: String,
    title_en: String,
    opened_at: i64,
    victim_of: Option<Uuid>,
    recorded: bool,
}

#[derive(sqlx::FromRow)]
struct Sent {
    alert: Uuid,
    event: String,
    channel: String,
    created_at: i64,
    state: String,
    told_at: Option<i64>,
}

/// What came of telling one channel that something urgent began.
#[derive(Default)]
struct Told {
    /// Since when it was to be told.
    from: Option<i64>,
    /// When the receiver first heard of it.
    heard: Option<i64>,
    /// It waits, or is kept quiet.
    waits: bool,
    /// The receiver did not take it.
    failed: bool,
    /// Nobody had to be told any more.
    needless: bool,
}

impl Told {
    fn add(&mut self, sent: &Sent) {
        self.from = [self.from, Some(sent.created_at)].into_iter().flatten().min();
        match sent.state.as_str() {
            "sent" | "digested" => self.heard = [self.heard, sent.told_at].into_iter().flatten().min(),
            "queued" => self.waits = true,
            "cancelled" => self.needless = true,
            // It is being sent, is tried again, or is dead: nobody has heard of it.
            _ => self.failed = true,
        }
    }

    fn kept(&self, due: Timestamp, heard: Option<Timestamp>, now: Timestamp) -> Kept {
        match heard {
            None if self.failed => Kept::by_time(due, None, now),
            // Whether it is kept quiet or a channel fails shows when it is sent or dropped.
            None if self.waits => Kept::Open,
            None if self.needless => Kept::Excused(Excuse::Quiet),
            heard => Kept::by_time(due, heard, now),
        }
    }
}

impl Urgent {
    fn instance(&self, of: &Owing<'_>, channel: &str, told: &Told) -> Instance {
        let from = Timestamp::from_millis(told.from.unwrap_or(self.opened_at));
        let heard = told.heard.map(|heard| Timestamp::from_millis(heard).max(from));
        let due = from + AT_ONCE;
        let title = |title: &str| if channel.is_empty() { title.to_owned() } else { format!("{title} · {channel}") };
        Instance {
            duty: Duty::Message,
            clauses: of.clauses(&URGENT),
            post: None,
            title: Label::new(title(&self.title_zh), title(&self.title_en)),
            due,
            done: heard,
            by: By::Hub,
            kept: told.kept(due, heard, of.now),
            evidence: Evidence::Messages(AlertId(self.id)),
        }
    }
}

impl Tx {
    /// Every urgent alert of the month on every channel that serves whom it concerns. One that no channel serves has reached nobody; where no
    /// channel is set up at all, none is asked for.
    pub(super) async fn owed_messages(&mut self, of: Owing<'_>) -> Result<Vec<Instance>, StoreError> {
        let (site, (from, to), urgent) = (of.site.as_str(), of.period(), Severity::Critical.as_str());
        let alerts: Vec<Urgent> = on!(self, "read the urgent alerts of a month", conn => sqlx::query_as(URGENT_ALERTS)
            .bind(site).bind(from.millis()).bind(to.millis()).bind(urgent).fetch_all(conn).await)?;
        let sent: Vec<Sent> = on!(self, "read what was sent of urgent alerts", conn => sqlx::query_as(URGENT_SENT)
            .bind(site).bind(from.millis()).bind(to.millis()).bind(urgent).fetch_all(conn).await)?;
        let since: Vec<(String, i64)> =
            on!(self, "read channels", conn => sqlx::query_as(CHANNELS_SINCE).fetch_all(conn).await)?;
        let mut told: BTreeMap<Uuid, BTreeMap<String, Told>> = BTreeMap::new();
        for sent in sent.iter().filter(|sent| person_of(&sent.channel).is_none()) {
            if matches!(What::of(&sent.event), What::Raised | What::Unmuted(_)) {
                told.entry(sent.alert).or_default().entry(sent.channel.clone()).or_default().add(sent);
            }
        }
        let has_channel = |at: i64| since.iter().any(|(name, since)| person_of(name).is_none() && *since <= at);
        let mut all = Vec::new();
        for alert in alerts {
            let channels = told.remove(&alert.id).unwrap_or_default();
            all.extend(channels.iter().map(|(channel, told)| alert.instance(&of, channel, told)));
            if !channels.is_empty() {
                continue;
            }
            if !alert.recorded || alert.victim_of.is_some() {
                all.push(alert.instance(&of, "", &Told { needless: true, ..Told::default() }));
            } else if has_channel(alert.opened_at) {
                all.push(alert.instance(&of, "", &Told { failed: true, ..Told::default() }));
            }
        }
        Ok(all)
    }
}
