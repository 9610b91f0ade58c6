//! What was owed at a site, read from what is kept anyway: rounds, alerts, tickets with their breaches, and escalations here; purchases,
//! supplies, the register and messages in the files beside. Nothing is written twice: an instance is as true as the row it is made of.

use lobby_contract::{DeviceId, SiteId};
use lobby_domain::{
    alert::AlertId,
    calendar::Calendar,
    check::State as RoundState,
    compliance::{AT_ONCE, By, CONFIRMS, Duty, Evidence, Excuse, Instance, Kept},
    label::Label,
    pack::Pack,
    past::{Period, Times},
    purchase::Month,
    time::{Span, Timestamp},
};
use uuid::Uuid;

use super::{Grain, Store, StoreError, Tx, on, statements};

statements! {
    ROUNDS = "SELECT id, post, takes_over, label_zh, label_en, clauses, closes_at, state, missed_at, excused,
            COALESCE(in_at, out_at) AS done_at, COALESCE(in_name, out_name) AS done_by
        FROM check_round WHERE site = $1 AND due_at >= $2 AND due_at < $3 ORDER BY due_at, id";
    // Reports of rounds are about what the round says already.
    TOLD = "SELECT a.id, a.clauses, a.title_zh, a.title_en, a.opened_at, a.victim_of, a.acked_at, t.opened_at AS ticket_at,
            (SELECT MIN(d.told_at) FROM delivery d WHERE d.alert = a.id AND d.state IN ('sent', 'digested')) AS heard_at,
            EXISTS (SELECT 1 FROM delivery d WHERE d.alert = a.id AND d.state = 'queued') AS waits,
            EXISTS (SELECT 1 FROM delivery d WHERE d.alert = a.id AND d.state = 'cancelled') AS needless,
            EXISTS (SELECT 1 FROM outbox o WHERE o.alert = a.id) AS recorded
        FROM alert a LEFT JOIN ticket t ON t.number = a.ticket
        WHERE a.site = $1 AND a.opened_at >= $2 AND a.opened_at < $3 AND a.clauses <> '' AND a.tells <> '' AND NOT a.late
            AND a.rule NOT LIKE 'reported/round%'
        ORDER BY a.opened_at, a.id";
    TICKETS = "SELECT t.number, t.clauses, t.department, t.confirmed_by, t.title_zh, t.title_en, t.owner, t.respond_by, t.arrive_by,
            t.complete_by, t.accepted_at, t.started_at, t.fixed_at, t.closed_at, t.rejected,
            (SELECT COUNT(*) FROM breach b WHERE b.ticket = t.number AND b.promise = 'response') AS response_breaches,
            (SELECT COUNT(*) FROM breach b WHERE b.ticket = t.number AND b.promise = 'arrival') AS arrival_breaches,
            (SELECT COUNT(*) FROM breach b WHERE b.ticket = t.number AND b.promise = 'completion') AS completion_breaches,
            (SELECT COUNT(*) FROM escalation e WHERE e.ticket = t.number AND e.phase = 'confirm' AND e.level > 0) AS confirm_breaches
        FROM ticket t WHERE t.site = $1 AND t.opened_at >= $2 AND t.opened_at < $3 AND t.duplicate_of = '' ORDER BY t.opened_at, t.number";
    CHAIN = "SELECT e.ticket, e.alert, e.state, e.level, e.holder_name, e.since, e.due, e.ended_at, a.tells, a.title_zh, a.title_en
        FROM escalation e JOIN alert a ON a.id = e.alert
        WHERE e.site = $1 AND e.started_at >= $2 AND e.started_at < $3 AND e.phase <> 'confirm' ORDER BY e.started_at, e.no";
    SEEN = "SELECT d.id AS device, CAST(SUM(r.open_normal) AS BIGINT) AS normal, CAST(SUM(r.open_abnormal) AS BIGINT) AS abnormal,
            CAST(SUM(r.open_offline) AS BIGINT) AS offline, CAST(SUM(r.open_unknown) AS BIGINT) AS unknown
        FROM device d JOIN rollup r ON r.device_no = d.no
        WHERE d.site = $1 AND r.grain = $2 AND r.at >= $3 AND r.at < $4 GROUP BY d.id ORDER BY d.id";
    LIVES = "SELECT subject AS device, at, COALESCE(before, ''), after FROM audit
        WHERE site = $1 AND action = 'device.life' AND at < $2 AND after IS NOT NULL AND (CAST($3 AS TEXT) IS NULL OR subject = $3)
        ORDER BY no";
    DEVICES_OF = "SELECT CAST(no AS BIGINT), id, every_ms FROM device WHERE site = $1 ORDER BY no";
}

/// That somebody has said where a device stands in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifeChange {
    /// The device.
    pub device: String,
    /// When.
    pub at: Timestamp,
    /// Where it stood before.
    pub before: String,
    /// Where it has stood since.
    pub after: String,
}

#[derive(sqlx::FromRow)]
struct Round {
    id: Uuid,
    post: String,
    takes_over: Option<String>,
    label_zh: String,
    label_en: String,
    clauses: String,
    closes_at: i64,
    state: String,
    missed_at: Option<i64>,
    excused: bool,
    done_at: Option<i64>,
    done_by: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Told {
    id: Uuid,
    clauses: String,
    title_zh: String,
    title_en: String,
    opened_at: i64,
    victim_of: Option<Uuid>,
    acked_at: Option<i64>,
    ticket_at: Option<i64>,
    /// When a first receiver heard of it.
    heard_at: Option<i64>,
    /// Something about it waits to be sent.
    waits: bool,
    /// Something about it was not sent, because nobody had to be told any more.
    needless: bool,
    /// There is still a record of who was to be told.
    recorded: bool,
}

#[derive(sqlx::FromRow)]
struct Ticket {
    number: String,
    clauses: String,
    department: String,
    confirmed_by: String,
    title_zh: String,
    title_en: String,
    owner: String,
    respond_by: i64,
    arrive_by: i64,
    complete_by: i64,
    accepted_at: Option<i64>,
    started_at: Option<i64>,
    fixed_at: Option<i64>,
    closed_at: Option<i64>,
    rejected: String,
    response_breaches: i64,
    arrival_breaches: i64,
    completion_breaches: i64,
    confirm_breaches: i64,
}

#[derive(sqlx::FromRow)]
struct Followed {
    ticket: Option<String>,
    alert: Uuid,
    state: String,
    level: i64,
    holder_name: Option<String>,
    since: i64,
    due: Option<i64>,
    ended_at: Option<i64>,
    tells: String,
    title_zh: String,
    title_en: String,
}

#[derive(sqlx::FromRow)]
struct Seen {
    device: String,
    normal: i64,
    abnormal: i64,
    offline: i64,
    unknown: i64,
}

fn words(text: &str) -> Vec<Box<str>> {
    text.split_whitespace().map(Box::from).collect()
}

pub(super) fn person(name: Option<&str>) -> By {
    name.filter(|name| !name.is_empty()).map_or(By::Nobody, |name| By::Person(name.into()))
}

impl Round {
    fn instance(self, now: Timestamp) -> Result<Instance, StoreError> {
        let state = RoundState::from_text(&self.state).ok_or_else(|| StoreError::Inconsistent {
            table: "check_round",
            id: self.id.to_string(),
            what: format!("state `{}`", self.state),
        })?;
        let (handover, closes) = (self.takes_over.is_some(), Timestamp::from_millis(self.closes_at));
        let is_done = state.is_done(handover);
        let done = self.done_at.filter(|_| is_done).map(Timestamp::from_millis);
        let kept = match (is_done, self.missed_at.is_some()) {
            (false, true) if self.excused => Kept::Excused(Excuse::HubOff),
            (false, true) => Kept::Missed,
            // Whoever makes up for what nobody could do in time is not late.
            (true, true) if self.excused => Kept::Met,
            (true, true) => Kept::Late,
            _ => Kept::by_time(closes, done, now),
        };
        Ok(Instance {
            duty: if handover { Duty::Handover } else { Duty::Round },
            clauses: words(&self.clauses),
            post: Some(self.post.into()),
            title: Label::new(self.label_zh, self.label_en),
            due: closes,
            done,
            by: if is_done { person(self.done_by.as_deref()) } else { By::Nobody },
            kept,
            evidence: Evidence::Round(self.id),
        })
    }
}

impl Told {
    fn instance(self, now: Timestamp) -> Instance {
        let due = Timestamp::from_millis(self.opened_at) + AT_ONCE;
        // A receiver took it, the department has it in its queue, or somebody has said that they know. What opened a ticket before this
        // alert joined it was told before.
        let told = [self.heard_at, self.ticket_at, self.acked_at].into_iter().flatten().min();
        let told = told.map(|told| Timestamp::from_millis(told.max(self.opened_at)));
        let kept = match told {
            None if self.victim_of.is_some() || self.needless || !self.recorded => Kept::Excused(Excuse::Quiet),
            // It is kept quiet, or a channel fails: which of the two shows when it is sent or dropped.
            None if self.waits => Kept::Open,
            told => Kept::by_time(due, told, now),
        };
        Instance {
            duty: Duty::Told,
            clauses: words(&self.clauses),
            post: None,
            title: Label::new(self.title_zh, self.title_en),
            due,
            done: told,
            by: By::Hub,
            kept,
            evidence: Evidence::Alert(AlertId(self.id)),
        }
    }
}

impl Ticket {
    /// What was promised with it, and the confirmation once it is repaired.
    fn instances(self, pack: &Pack, known: &mut Vec<Instance>) {
        let department = pack.departments.get(&*self.department).map(|department| department.post.clone());
        let (closed, by) = (self.closed_at.is_some(), person(Some(&self.owner)));
        let promises = [
            (Duty::Response, self.respond_by, self.accepted_at, self.response_breaches),
            (Duty::Arrival, self.arrive_by, self.started_at, self.arrival_breaches),
            (Duty::Completion, self.complete_by, self.fixed_at, self.completion_breaches),
        ];
        let title = Label::new(self.title_zh.as_str(), self.title_en.as_str());
        let of = |duty, due: i64, done: Option<i64>, kept| Instance {
            duty,
            clauses: words(&self.clauses),
            post: department.clone(),
            title: title.clone(),
            due: Timestamp::from_millis(due),
            done: done.map(Timestamp::from_millis),
            by: if done.is_some() { by.clone() } else { By::Nobody },
            kept,
            evidence: Evidence::Ticket(self.number.as_str().into()),
        };
        for (duty, due, done, breaches) in promises {
            known.push(of(duty, due, done, Kept::promise(breaches > 0, done.is_some(), closed)));
        }
        // Until it is repaired there is nothing to confirm; what was rejected was no fault.
        let Some(fixed) = self.fixed_at.filter(|_| self.rejected.is_empty()) else { return };
        let kept = Kept::promise(self.confirm_breaches > 0, closed, closed);
        let due = Timestamp::from_millis(fixed) + pack.chain.confirm_within;
        let mut confirmation = of(Duty::Confirmation, due.millis(), self.closed_at, kept);
        let of_post =
            CONFIRMS.iter().filter(|(post, clause)| *post == self.confirmed_by && pack.clauses.contains_key(*clause));
        confirmation.clauses.extend(of_post.map(|(_, clause)| Box::from(*clause)));
        confirmation.post = Some(self.confirmed_by.as_str().into());
        confirmation.by = By::Nobody;
        known.push(confirmation);
    }
}

impl Followed {
    /// Whether the first step of the chain answered. The clauses are those of the posts that the incident was told to.
    fn instance(self, pack: &Pack) -> Option<Instance> {
        let tells: Vec<&str> = self.tells.split_whitespace().collect();
        let of_posts = |id: &str| {
            let post = pack.clauses.get(id).and_then(|clause| clause.post.as_deref());
            post.is_some_and(|post| tells.contains(&post))
        };
        let clauses: Vec<Box<str>> = pack.chain.clauses.iter().filter(|id| of_posts(id)).cloned().collect();
        let answered = self.state != "triggered" || self.ended_at.is_some();
        let kept = match (self.level > 0, answered) {
            (true, true) => Kept::Late,
            (true, false) => Kept::Missed,
            (false, true) => Kept::Met,
            (false, false) => Kept::Open,
        };
        let done = answered.then(|| Timestamp::from_millis(self.ended_at.unwrap_or(self.since)));
        let alert = AlertId(self.alert);
        (!clauses.is_empty()).then(|| Instance {
            duty: Duty::Chain,
            clauses,
            post: None,
            title: Label::new(self.title_zh, self.title_en),
            due: Timestamp::from_millis(self.due.or(self.ended_at).unwrap_or(self.since)),
            done,
            by: person(self.holder_name.as_deref()),
            kept,
            evidence: self.ticket.map_or(Evidence::Alert(alert), |number| Evidence::Ticket(number.into())),
        })
    }
}

/// Of what somebody asks what was owed.
#[derive(Debug, Clone, Copy)]
pub struct Owing<'a> {
    /// The site.
    pub site: &'a SiteId,
    /// The month.
    pub month: Month,
    /// When the site is open.
    pub calendar: &'a Calendar,
    /// The standards.
    pub pack: &'a Pack,
    /// How long a stock-take of the register is good for.
    pub taking: Span,
    /// Now.
    pub now: Timestamp,
}

impl Owing<'_> {
    /// From when until when the month is.
    pub fn period(&self) -> Period {
        (self.month.begins(self.calendar), self.month.next().begins(self.calendar))
    }

    /// The clauses of these that the standards in effect have.
    pub(super) fn clauses(&self, ids: &[&str]) -> Vec<Box<str>> {
        ids.iter().filter(|id| self.pack.clauses.contains_key(**id)).map(|id| Box::from(*id)).collect()
    }
}

impl Tx {
    async fn owed(&mut self, of: Owing<'_>) -> Result<Vec<Instance>, StoreError> {
        let Owing { pack, now, .. } = of;
        let (site, (from, to)) = (of.site.as_str(), of.period());
        let (from, to) = (from.millis(), to.millis());
        let rounds: Vec<Round> = on!(self, "read the rounds of a month", conn => sqlx::query_as(ROUNDS).bind(site).bind(from)
            .bind(to).fetch_all(conn).await)?;
        let told: Vec<Told> = on!(self, "read the alerts of a month", conn => sqlx::query_as(TOLD).bind(site).bind(from)
            .bind(to).fetch_all(conn).await)?;
        let tickets: Vec<Ticket> = on!(self, "read the tickets of a month", conn => sqlx::query_as(TICKETS).bind(site).bind(from)
            .bind(to).fetch_all(conn).await)?;
        let chain: Vec<Followed> = on!(self, "read the escalations of a month", conn => sqlx::query_as(CHAIN).bind(site).bind(from)
            .bind(to).fetch_all(conn).await)?;
        let mut all = rounds.into_iter().map(|round| round.instance(now)).collect::<Result<Vec<_>, _>>()?;
        all.extend(told.into_iter().map(|told| told.instance(now)));
        for ticket in tickets {
            ticket.instances(pack, &mut all);
        }
        all.extend(chain.into_iter().filter_map(|followed| followed.instance(pack)));
        all.extend(self.owed_purchases(of).await?);
        let seen = self.seen_open(of.site, of.period()).await?;
        all.extend(self.owed_supply(of, &seen).await?);
        all.extend(self.owed_register(of).await?);
        all.extend(self.owed_messages(of).await?);
        Ok(all)
    }

    async fn seen_open(&mut self, site: &SiteId, (from, to): Period) -> Result<Vec<(DeviceId, Times)>, StoreError> {
        let seen: Vec<Seen> = on!(self, "read how long devices worked", conn => sqlx::query_as(SEEN).bind(site.as_str())
            .bind(Grain::Day.code()).bind(from.millis()).bind(to.millis()).fetch_all(conn).await)?;
        let times = |seen: Seen| {
            let bad = |error| StoreError::Inconsistent {
                table: "device",
                id: seen.device.clone(),
                what: format!("id: {error}"),
            };
            let id = seen.device.parse().map_err(bad)?;
            let Seen { normal, abnormal, offline, unknown, .. } = seen;
            Ok((id, Times { normal, abnormal, offline, unknown }))
        };
        seen.into_iter().map(times).collect()
    }
}

impl Tx {
    /// The devices of a site: number, name and heartbeat in ms.
    pub(crate) async fn devices_of(&mut self, site: &SiteId) -> Result<Vec<(i64, DeviceId, i64)>, StoreError> {
        let raw: Vec<(i64, String, i64)> = on!(self, "read the devices of a site", conn => sqlx::query_as(DEVICES_OF)
            .bind(site.as_str()).fetch_all(conn).await)?;
        let read = |(no, id, every): (i64, String, i64)| match id.parse() {
            Ok(id) => Ok((no, id, every)),
            Err(error) => {
                let error: lobby_contract::NameError = error;
                Err(StoreError::Inconsistent { table: "device", id, what: error.to_string() })
            }
        };
        raw.into_iter().map(read).collect()
    }
}

impl Store {
    /// Where people have said that a device of a site, or each, stands in its life, until a moment, in order.
    pub async fn lives(
        &self,
        site: &SiteId,
        device: Option<&DeviceId>,
        until: Timestamp,
    ) -> Result<Vec<LifeChange>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<(String, i64, String, String)> = on!(&mut tx, "read the lives of devices", conn => sqlx::query_as(LIVES)
            .bind(site.as_str()).bind(until.millis()).bind(device.map(DeviceId::as_str)).fetch_all(conn).await)?;
        let change = |(device, at, before, after)| LifeChange { device, at: Timestamp::from_millis(at), before, after };
        Ok(raw.into_iter().map(change).collect())
    }

    /// All that was owed at a site and arose within a month, whether it was done or not.
    pub async fn owed(&self, of: Owing<'_>) -> Result<Vec<Instance>, StoreError> {
        self.read().await?.owed(of).await
    }

    /// In which states the devices of a site were seen in opening hours, on the days that begin within a period. A device of which
    /// nothing is kept is not among them.
    pub async fn seen_open(&self, site: &SiteId, period: Period) -> Result<Vec<(DeviceId, Times)>, StoreError> {
        self.read().await?.seen_open(site, period).await
    }
}
