//! Alerts: raised once per incident, cleared once, told to the posts concerned through the outbox.

use lobby_contract::SiteId;
use lobby_domain::{
    alert::{AlertId, Clear, ClearReason, Raise, Subject, keeps_acknowledgement},
    label::Label,
    matchers::Labels,
    overlay::Facts,
    report::is_stated,
    rule::Severity,
    time::Timestamp,
    watch::Unstable,
};
use sqlx::{Database, Encode, QueryBuilder, Type};
use uuid::Uuid;

use super::{Cursor, CursorError, Store, StoreError, Tx, joined, on, page, split, statements};
use crate::{
    audit::{Actor, Change},
    failpoint,
    fleet::Setup,
};

/// An alert as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRow {
    /// Its id.
    pub id: AlertId,
    /// Its site.
    pub site: SiteId,
    /// What it is about.
    pub subject: Subject,
    /// The rule's id.
    pub rule: String,
    /// The clauses the rule serves.
    pub clauses: Vec<String>,
    /// The severity's name.
    pub severity: String,
    /// The department that works its ticket, if it has one.
    pub department: Option<String>,
    /// The posts told.
    pub tells: Vec<String>,
    /// The fault in words.
    pub title: Label,
    /// Why it was raised, in words.
    pub evidence: Label,
    /// Since when the fault has been there.
    pub since: Timestamp,
    /// When the alert was raised.
    pub opened_at: Timestamp,
    /// When it was cleared.
    pub cleared_at: Option<Timestamp>,
    /// Why it was cleared.
    pub clear_reason: Option<String>,
    /// Who cleared it; empty for the hub itself.
    pub cleared_by: String,
    /// Its ticket's number.
    pub ticket: Option<String>,
    /// The alert whose ticket it shares, as its consequence.
    pub victim_of: Option<AlertId>,
    /// Whether it began and ended before the hub heard of it.
    pub late: bool,
    /// Whether people state it, rather than data.
    pub reported: bool,
    /// When somebody took notice, and who; since then it has not become worse.
    pub acked: Option<(Timestamp, String)>,
    /// How often it has been raised.
    pub hits: i64,
    /// When it was last raised.
    pub last_seen: Timestamp,
    /// The alert before it of the same subject and rule.
    pub previous: Option<AlertId>,
    /// Its device, as it is known now; empty if it is about none.
    pub device: WatchedDevice,
}

/// What can be matched of the device of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WatchedDevice {
    /// The agent that watches it.
    pub agent: String,
    /// Its kind.
    pub kind: String,
    /// Where it stands.
    pub place: String,
}

impl AlertRow {
    /// The post that alone takes notice of it: the superior, to whom damage or loss was reported.
    pub fn superior(&self) -> Option<&str> {
        let is_told = self.reported && self.ticket.is_none();
        self.tells.first().filter(|_| is_told).map(String::as_str)
    }

    /// What decides whether it may be told.
    pub fn facts(&self) -> Facts<'_> {
        let about = Labels::of(&self.site, &self.subject);
        let labels = Labels {
            agent: if about.device.is_empty() { about.agent } else { &self.device.agent },
            kind: &self.device.kind,
            place: &self.device.place,
            rule: &self.rule,
            severity: &self.severity,
            ..about
        };
        Facts { id: self.id, labels, opened_at: self.opened_at, cleared_at: self.cleared_at }
    }
}

/// Which alerts are wanted.
#[derive(Debug, Clone, Default)]
pub struct AlertFilter {
    /// Of this site only.
    pub site: Option<SiteId>,
    /// About this subject only.
    pub subject: Option<Subject>,
    /// Open ones only, or cleared ones only.
    pub open: Option<bool>,
    /// Of this ticket only.
    pub ticket: Option<String>,
    /// Those only that were open at this time, also if that was discovered late.
    pub open_at: Option<Timestamp>,
    /// Those only that were open at any time of this period.
    pub within: Option<(Timestamp, Timestamp)>,
}

/// Reads the columns of a [`Raw`].
macro_rules! alert_rows {
    () => {
        "SELECT a.id, a.site, a.subject, a.rule, a.clauses, a.severity, a.department, a.tells, a.title_zh, a.title_en,
            a.evidence_zh, a.evidence_en, a.since, a.opened_at, a.cleared_at, a.clear_reason, a.cleared_by, a.ticket, a.victim_of, a.late, a.reported,
            a.acked_at, a.acked_by, a.hits, a.last_seen, a.previous,
            d.agent AS device_agent, d.kind AS device_kind, d.place AS device_place
        FROM alert a LEFT JOIN device d ON d.site = a.site AND d.id = a.subject"
    };
}

impl AlertFilter {
    /// The newest first, after the one of `key`. It says no more than is asked: a condition that may hold of everything keeps the database
    /// from finding the few that are wanted by their index.
    pub(super) fn query<D: Database>(&self, (at, id): (i64, Uuid), most: i64) -> QueryBuilder<D>
    where
        i64: for<'q> Encode<'q, D> + Type<D>,
        String: for<'q> Encode<'q, D> + Type<D>,
        Uuid: for<'q> Encode<'q, D> + Type<D>,
    {
        let mut query = QueryBuilder::new(concat!(alert_rows!(), " WHERE (a.opened_at, a.id) < ("));
        query.push_bind(at).push(", ").push_bind(id).push(")");
        if let Some(site) = &self.site {
            query.push(" AND a.site = ").push_bind(site.to_string());
        }
        if let Some(subject) = &self.subject {
            query.push(" AND a.subject = ").push_bind(subject.to_string());
        }
        match self.open {
            Some(true) => drop(query.push(" AND a.cleared_at IS NULL")),
            Some(false) => drop(query.push(" AND a.cleared_at IS NOT NULL")),
            None => {}
        }
        if let Some(ticket) = &self.ticket {
            query.push(" AND a.ticket = ").push_bind(ticket.clone());
        }
        if let Some(at) = self.open_at {
            query.push(" AND a.opened_at <= ").push_bind(at.millis());
            query.push(" AND (a.cleared_at IS NULL OR a.cleared_at > ").push_bind(at.millis()).push(")");
        }
        if let Some((from, to)) = self.within {
            query.push(" AND a.opened_at < ").push_bind(to.millis());
            query.push(" AND (a.cleared_at IS NULL OR a.cleared_at > ").push_bind(from.millis()).push(")");
        }
        query.push(" ORDER BY a.opened_at DESC, a.id DESC LIMIT ").push_bind(most);
        query
    }
}

/// An alert that was open until now.
#[derive(Debug)]
pub(super) struct Cleared {
    /// The number of its own ticket; a consequence has none.
    pub ticket: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Raw {
    id: Uuid,
    site: String,
    subject: String,
    rule: String,
    clauses: String,
    severity: String,
    department: Option<String>,
    tells: String,
    title_zh: String,
    title_en: String,
    evidence_zh: String,
    evidence_en: String,
    since: i64,
    opened_at: i64,
    cleared_at: Option<i64>,
    clear_reason: Option<String>,
    cleared_by: String,
    ticket: Option<String>,
    victim_of: Option<Uuid>,
    late: bool,
    reported: bool,
    acked_at: Option<i64>,
    acked_by: Option<String>,
    hits: i64,
    last_seen: i64,
    previous: Option<Uuid>,
    device_agent: Option<String>,
    device_kind: Option<String>,
    device_place: Option<String>,
}

/// Puts severities in order, the gravest first.
macro_rules! gravity {
    ($severity:literal) => {
        concat!("CASE ", $severity, " WHEN 'critical' THEN 0 WHEN 'major' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END")
    };
}

statements! {
    RAISE = "INSERT INTO alert (id, site, subject, rule, clauses, severity, department, tells, title_zh, title_en,
            evidence_zh, evidence_en, since, opened_at, last_seen, reported, previous)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15,
            (SELECT p.id FROM alert p WHERE p.site = $2 AND p.subject = $3 AND p.rule = $4
                ORDER BY p.opened_at DESC, p.id DESC LIMIT 1)) ON CONFLICT DO NOTHING";
    // The same decision again is no further hit, nor is one that was counted already.
    OPEN_BEFORE = "SELECT id, severity FROM alert
        WHERE site = $1 AND subject = $2 AND rule = $3 AND cleared_at IS NULL AND id <> $4 AND last_seen < $5";
    HIT = "UPDATE alert SET hits = hits + 1, last_seen = $2 WHERE id = $1";
    SEVERITIES = "SELECT id, rule, severity FROM alert WHERE cleared_at IS NULL";
    REGRADE = "UPDATE alert SET severity = $2, acked_at = CASE WHEN $3 THEN acked_at ELSE NULL END,
            acked_by = CASE WHEN $3 THEN acked_by ELSE NULL END
        WHERE id = $1";
    ACKNOWLEDGE = "UPDATE alert SET acked_at = $2, acked_by = $3 WHERE id = $1 AND acked_at IS NULL";
    // Takes the row's lock without changing it: what ends an open alert waits until this transaction is through.
    HOLD_OPEN = "UPDATE alert SET hits = hits WHERE id = $1 AND cleared_at IS NULL";
    CLEAR = "UPDATE alert SET cleared_at = $4, clear_reason = $5, cleared_by = $6
        WHERE site = $1 AND subject = $2 AND rule = $3 AND cleared_at IS NULL RETURNING id, CASE WHEN victim_of IS NULL THEN ticket END";
    // With its victims that are still there.
    ATTACH = "UPDATE alert SET ticket = $2, victim_of = CASE WHEN id = $1 THEN NULL ELSE victim_of END
        WHERE id = $1 OR (victim_of = $1 AND cleared_at IS NULL)";
    ATTACH_VICTIM = "UPDATE alert SET victim_of = $2, ticket = (SELECT cause.ticket FROM alert cause WHERE cause.id = $2)
        WHERE id = $1 RETURNING ticket";
    TELL = "INSERT INTO outbox (event, post, site, alert, created_at, state) VALUES ($1, $2, $3, $4, $5, 'queued')
        ON CONFLICT DO NOTHING";
    // To whoever was told of it: the posts of its rule, those to whom it went up, and those one of whom was given it.
    TELL_MORE = "INSERT INTO outbox (event, post, site, alert, created_at, state)
        SELECT DISTINCT CAST($2 AS TEXT), post, site, alert, CAST($3 AS BIGINT), 'queued' FROM outbox
        WHERE alert = $1 AND (event LIKE '%:raised' OR event LIKE '%:escalated:%' OR event LIKE '%:assigned:%') ON CONFLICT DO NOTHING";
    ONE = concat!(alert_rows!(), " WHERE a.id = $1");
    OF_CHANNEL = concat!(alert_rows!(), "
        WHERE a.id IN (SELECT n.alert FROM delivery n WHERE n.channel = $1 AND n.state = 'queued')");
    // Which ones is found in the index `alert_open_of_site` alone.
    GRAVEST = concat!(alert_rows!(), " JOIN (SELECT id AS listed FROM alert
            WHERE cleared_at IS NULL AND (CAST($1 AS TEXT) IS NULL OR site = $1)
            ORDER BY ", gravity!("severity"), ", since, id LIMIT $2) AS gravest ON a.id = listed
        ORDER BY ", gravity!("a.severity"), ", a.since, a.id");
    OPEN = "SELECT id, ticket FROM alert WHERE site = $1 AND subject = $2 AND rule = $3 AND cleared_at IS NULL";
    COUNT_OPEN = "SELECT COUNT(*) FROM alert WHERE cleared_at IS NULL AND (CAST($1 AS TEXT) IS NULL OR site = $1)";
}

impl TryFrom<Raw> for AlertRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let bad = |what: String| StoreError::Inconsistent { table: "alert", id: raw.id.to_string(), what };
        Ok(Self {
            id: AlertId(raw.id),
            site: raw.site.parse().map_err(|error| bad(format!("site: {error}")))?,
            subject: raw.subject.parse().map_err(|error| bad(format!("subject: {error}")))?,
            rule: raw.rule,
            clauses: split(&raw.clauses),
            severity: raw.severity,
            department: raw.department,
            tells: split(&raw.tells),
            title: Label::new(raw.title_zh, raw.title_en),
            evidence: Label::new(raw.evidence_zh, raw.evidence_en),
            since: Timestamp::from_millis(raw.since),
            opened_at: Timestamp::from_millis(raw.opened_at),
            cleared_at: raw.cleared_at.map(Timestamp::from_millis),
            clear_reason: raw.clear_reason,
            cleared_by: raw.cleared_by,
            ticket: raw.ticket,
            victim_of: raw.victim_of.map(AlertId),
            late: raw.late,
            reported: raw.reported,
            acked: raw.acked_at.map(|at| (Timestamp::from_millis(at), raw.acked_by.unwrap_or_default())),
            hits: raw.hits,
            last_seen: Timestamp::from_millis(raw.last_seen),
            previous: raw.previous.map(AlertId),
            device: WatchedDevice {
                agent: raw.device_agent.unwrap_or_default(),
                kind: raw.device_kind.unwrap_or_default(),
                place: raw.device_place.unwrap_or_default(),
            },
        })
    }
}

impl Tx {
    /// Stores an alert and whom to tell. Returns false if it is there already, or another one of the same incident is open, which is
    /// then hit once more.
    pub(super) async fn raise_alert(&mut self, site: &SiteId, raise: &Raise) -> Result<bool, StoreError> {
        let rule = &raise.rule;
        let department = rule.ticket.as_ref().map(|ticket| &*ticket.department);
        let raised = on!(self, "raise an alert", conn => sqlx::query(RAISE)
            .bind(raise.id.0).bind(site.as_str()).bind(raise.subject.to_string()).bind(&*rule.id)
            .bind(joined(&rule.clauses)).bind(rule.severity.as_str()).bind(department).bind(joined(&rule.tells))
            .bind(&*rule.title.zh).bind(&*rule.title.en).bind(&*raise.evidence.zh).bind(&*raise.evidence.en)
            .bind(raise.since.millis()).bind(raise.at.millis()).bind(is_stated(&rule.id))
            .execute(conn).await.map(|done| done.rows_affected() == 1))?;
        failpoint::pass("alert_written");
        if raised && raise.tell {
            self.tell(site, raise).await?;
        } else if !raised {
            self.hit_alert(site, raise).await?;
        }
        Ok(raised)
    }

    /// Tells the posts concerned of an alert, each once.
    pub(super) async fn tell(&mut self, site: &SiteId, raise: &Raise) -> Result<(), StoreError> {
        for post in &raise.rule.tells {
            self.tell_post(site, raise.id, "raised", post, raise.at).await?;
        }
        Ok(())
    }

    /// Queues a notification of an alert to one post: `what` names it. The same one again changes nothing.
    pub(super) async fn tell_post(
        &mut self,
        site: &SiteId,
        id: AlertId,
        what: &str,
        post: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self, "queue a notification", conn => sqlx::query(TELL).bind(format!("{id}:{what}")).bind(post)
            .bind(site.as_str()).bind(id.0).bind(at.millis()).execute(conn).await.map(drop))?;
        self.queues();
        failpoint::pass("notification_queued");
        Ok(())
    }

    /// The alerts of which something waits to be told on a channel.
    pub(crate) async fn alerts_queued_for(&mut self, channel: &str) -> Result<Vec<AlertRow>, StoreError> {
        let raw: Vec<Raw> = on!(self, "read the alerts that a channel is to be told of", conn =>
            sqlx::query_as(OF_CHANNEL).bind(channel).fetch_all(conn).await)?;
        raw.into_iter().map(AlertRow::try_from).collect()
    }

    async fn hit_alert(&mut self, site: &SiteId, raise: &Raise) -> Result<(), StoreError> {
        let open: Option<(Uuid, String)> = on!(self, "look for an open alert", conn => sqlx::query_as(OPEN_BEFORE)
            .bind(site.as_str()).bind(raise.subject.to_string()).bind(&*raise.rule.id).bind(raise.id.0)
            .bind(raise.at.millis()).fetch_optional(conn).await)?;
        let Some((id, severity)) = open else { return Ok(()) };
        on!(self, "count a repeated alert", conn => sqlx::query(HIT).bind(id).bind(raise.at.millis())
            .execute(conn).await.map(drop))?;
        self.regrade_alert(id, &severity, raise.rule.severity).await.map(drop)
    }

    /// Gives an alert the severity that its rule has now. Whoever took notice of it has not of something worse. Returns whether it is.
    async fn regrade_alert(&mut self, id: Uuid, before: &str, after: Severity) -> Result<bool, StoreError> {
        if before == after.as_str() {
            return Ok(false);
        }
        let kept = Severity::from_text(before).is_some_and(|before| keeps_acknowledgement(before, after));
        on!(self, "change an alert's severity", conn => sqlx::query(REGRADE).bind(id).bind(after.as_str()).bind(kept)
            .execute(conn).await.map(|_| !kept))
    }

    /// Clears an alert and tells whoever was told of it. Returns nothing if it was not open.
    pub(super) async fn clear_alert(&mut self, site: &SiteId, clear: &Clear) -> Result<Option<Cleared>, StoreError> {
        let cleared: Option<(Uuid, Option<String>)> = on!(self, "clear an alert", conn => sqlx::query_as(CLEAR)
            .bind(site.as_str()).bind(clear.subject.to_string()).bind(&*clear.rule)
            .bind(clear.at.millis()).bind(clear.reason.as_str()).bind(&*clear.by).fetch_optional(conn).await)?;
        let Some((id, ticket)) = cleared else { return Ok(None) };
        self.cancel_notifications(AlertId(id), "cleared", false).await?;
        self.tell_more(AlertId(id), "cleared", clear.at).await?;
        failpoint::pass("alert_cleared");
        self.end_silences_of(AlertId(id), clear.at).await?;
        self.unfollow_alert(AlertId(id), clear.at).await?;
        Ok(Some(Cleared { ticket }))
    }

    /// Tells whoever was told of an open alert that it comes and goes, once each time that it begins to; its ticket says so too.
    pub(super) async fn alert_unstable(&mut self, site: &SiteId, unstable: &Unstable) -> Result<(), StoreError> {
        let open: Option<(Uuid, Option<String>)> = on!(self, "look for an open alert", conn => sqlx::query_as(OPEN)
            .bind(site.as_str()).bind(unstable.subject.to_string()).bind(&*unstable.rule).fetch_optional(conn).await)?;
        let Some((id, ticket)) = open else { return Ok(()) };
        let what = format!("unstable:{}", unstable.at.millis());
        let told = self.tell_more(AlertId(id), &what, unstable.at).await?;
        match ticket {
            Some(ticket) if told => self.ticket_event(&ticket, unstable.at, "unstable", "").await,
            _ => Ok(()),
        }
    }

    /// Queues a further notification to the posts of an alert: `what` names it. The same one again changes nothing.
    /// Returns whether any is queued.
    pub(super) async fn tell_more(&mut self, id: AlertId, what: &str, at: Timestamp) -> Result<bool, StoreError> {
        let queued = on!(self, "queue a further notification", conn => sqlx::query(TELL_MORE)
            .bind(id.0).bind(format!("{id}:{what}")).bind(at.millis()).execute(conn).await
            .map(|done| done.rows_affected() > 0))?;
        if queued {
            self.queues();
        }
        Ok(queued)
    }

    /// Whether an alert is open, and stays so until this transaction is through.
    pub(super) async fn hold_open(&mut self, id: AlertId) -> Result<bool, StoreError> {
        on!(self, "hold an alert open", conn => sqlx::query(HOLD_OPEN).bind(id.0).execute(conn).await
            .map(|done| done.rows_affected() == 1))
    }

    /// One alert.
    pub(super) async fn alert(&mut self, id: AlertId) -> Result<Option<AlertRow>, StoreError> {
        let raw: Option<Raw> =
            on!(self, "read an alert", conn => sqlx::query_as(ONE).bind(id.0).fetch_optional(conn).await)?;
        raw.map(AlertRow::try_from).transpose()
    }

    /// Alerts before `(at, id)`, newest first.
    pub(super) async fn alerts(
        &mut self,
        filter: &AlertFilter,
        key: (i64, Uuid),
        most: i64,
    ) -> Result<Vec<AlertRow>, StoreError> {
        let raw: Vec<Raw> =
            on!(self, "read alerts", conn => filter.query(key, most).build_query_as().fetch_all(conn).await)?;
        raw.into_iter().map(AlertRow::try_from).collect()
    }

    /// Joins an alert, and those that are its consequences, to a ticket.
    pub(super) async fn attach_alert(&mut self, id: AlertId, ticket: &str) -> Result<(), StoreError> {
        on!(self, "attach an alert to its ticket", conn => sqlx::query(ATTACH).bind(id.0).bind(ticket)
            .execute(conn).await.map(drop))
    }

    /// Notes an alert on the ticket of its cause, which may have none yet.
    pub(super) async fn attach_victim(&mut self, victim: &Raise, source: AlertId) -> Result<(), StoreError> {
        let ticket: Option<Option<String>> = on!(self, "attach an alert to its cause", conn =>
            sqlx::query_scalar(ATTACH_VICTIM).bind(victim.id.0).bind(source.0).fetch_optional(conn).await)?;
        let Some(ticket) = ticket.flatten() else { return Ok(()) };
        self.ticket_event(&ticket, victim.at, "victim", &victim.rule.title.zh).await
    }
}

impl Store {
    /// One page of alerts, newest first, and where the next begins.
    pub async fn alerts(
        &self,
        filter: &AlertFilter,
        after: Option<&Cursor>,
        limit: i64,
    ) -> Result<Result<(Vec<AlertRow>, Option<Cursor>), CursorError>, StoreError> {
        let key = match after {
            None => Ok((i64::MAX, Uuid::max())),
            Some(cursor) => {
                cursor.number(0).and_then(|at| cursor.text(1)?.parse().map(|id| (at, id)).map_err(|_| CursorError))
            }
        };
        let Ok((at, id)) = key else { return Ok(Err(CursorError)) };
        let mut rows = self.read().await?.alerts(filter, (at, id), limit + 1).await?;
        let next = page::cut(&mut rows, limit, |row| vec![row.opened_at.millis().to_string(), row.id.to_string()]);
        Ok(Ok((rows, next)))
    }

    /// One alert.
    pub async fn alert(&self, id: AlertId) -> Result<Option<AlertRow>, StoreError> {
        self.read().await?.alert(id).await
    }

    /// A person takes notice of an alert, which is told to the posts that were told of it. The first one to do so is kept. Returns
    /// nothing if there is no such alert.
    pub async fn acknowledge(
        &self,
        id: AlertId,
        by: &str,
        now: Timestamp,
        actor: &Actor,
        setup: &Setup,
    ) -> Result<Option<AlertRow>, StoreError> {
        let mut tx = self.begin().await?;
        let first = on!(&mut tx, "acknowledge an alert", conn => sqlx::query(ACKNOWLEDGE).bind(id.0).bind(now.millis())
            .bind(by).execute(conn).await.map(|done| done.rows_affected() == 1))?;
        if first {
            // A ticket stays with whom it came to, until somebody accepts it; without one, nobody else need see to it now.
            tx.cancel_notifications(id, "acknowledged", true).await?;
            tx.tell_more(id, &format!("acknowledged:{}", now.millis()), now).await?;
            tx.hold_alert(id, setup, now).await?;
        }
        let mut row = tx.alert(id).await?;
        // What people report without asking for a repair has done what it is for.
        if let Some(AlertRow { reported: true, ticket: None, cleared_at: None, site, subject, rule, .. }) = &row {
            let (subject, rule, reason) = (subject.clone(), rule.as_str().into(), ClearReason::Manual);
            tx.clear_alert(site, &Clear { subject, rule, at: now, reason, by: by.into() }).await?;
            row = tx.alert(id).await?;
        }
        match &row {
            Some(row) if first => {
                let told = Change::new(actor, now, "alert.acknowledge", id.to_string()).of_site(Some(&row.site));
                tx.commit_with(&told).await?;
            }
            _ => tx.commit().await?,
        }
        Ok(row)
    }

    /// Gives open alerts the severity that their rules have by `setup`, which may not be the one by which they were raised. What is worse than
    /// somebody took notice of is followed up as such.
    pub async fn regrade_alerts(&self, setup: &Setup, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let open: Vec<(Uuid, String, String)> =
            on!(&mut tx, "read open alerts", conn => sqlx::query_as(SEVERITIES).fetch_all(conn).await)?;
        for (id, rule, severity) in open {
            if let Some(rule) = setup.pack.rule(&rule)
                && tx.regrade_alert(id, &severity, rule.severity).await?
            {
                tx.follow_worse_alert(AlertId(id), rule.severity, setup, now).await?;
            }
        }
        tx.commit().await
    }

    /// The gravest open alerts of a site or of all, of those the oldest first.
    pub async fn gravest_alerts(&self, site: Option<&SiteId>, limit: i64) -> Result<Vec<AlertRow>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<Raw> = on!(&mut tx, "read the gravest alerts", conn => sqlx::query_as(GRAVEST)
            .bind(site.map(SiteId::as_str)).bind(limit).fetch_all(conn).await)?;
        raw.into_iter().map(AlertRow::try_from).collect()
    }

    /// How many alerts are open at a site or at all.
    pub async fn open_alerts(&self, site: Option<&SiteId>) -> Result<u32, StoreError> {
        let mut tx = self.read().await?;
        let open: i64 = on!(&mut tx, "count open alerts", conn => sqlx::query_scalar(COUNT_OPEN)
            .bind(site.map(SiteId::as_str)).fetch_one(conn).await)?;
        Ok(u32::try_from(open).unwrap_or(u32::MAX))
    }
}
