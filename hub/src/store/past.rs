//! The past: how agents were heard, faults that were discovered late, and the records that a trace replays.

use lobby_contract::{AgentId, DeviceId, SiteId};
use lobby_domain::{
    condition::Sample,
    device::LinkWord,
    late::LateIncident,
    site::LinkChange,
    time::{Span, Timestamp},
    trace::{LinkEvent, Received},
};

use super::{
    Store, StoreError, Tx, joined, on,
    records::{Forms, reach_from},
    staged::of_device,
    statements,
};

/// The most records that one trace replays; of more, the oldest are left out.
pub const MOST_TRACED: i64 = 20_000;

statements! {
    // Several changes within one millisecond: the last one is what was known.
    LINK = "INSERT INTO link_event (site, agent, at, link) VALUES ($1, $2, $3, $4)
        ON CONFLICT (site, agent, at) DO UPDATE SET link = excluded.link";
    LINK_EVENTS = "SELECT at, link FROM link_event WHERE site = $1 AND agent = $2 AND at > $3 AND at <= $4 ORDER BY at";
    LINK_BEFORE = "SELECT at, link FROM link_event WHERE site = $1 AND agent = $2 AND at <= $3 ORDER BY at DESC LIMIT 1";
    // A fault of which another alert tells is not told of again.
    LATE = "INSERT INTO alert (id, site, subject, rule, clauses, severity, tells, title_zh, title_en, evidence_zh, evidence_en,
            since, opened_at, cleared_at, clear_reason, late)
        SELECT $1, $2, $3, $4, $5, $6, '', $7, $8, $9, $10, $11, $12, $13, 'recovered', TRUE
        WHERE NOT EXISTS (SELECT 1 FROM alert WHERE site = $2 AND subject = $3 AND rule = $4 AND since <= $13
            AND (cleared_at IS NULL OR cleared_at >= $11))
        ON CONFLICT DO NOTHING";
    TRACED = of_device!("SELECT r.epoch, r.seq, r.at, r.lag, CAST(r.reach AS BIGINT) AS reach, CAST(r.form AS BIGINT) AS form, r.measured
        FROM device d JOIN agent a ON a.site = d.site AND a.id = $7", "AND r.agent_no = a.no
        WHERE d.site = $1 AND d.id = $2 AND r.at >= $3 AND r.at <= $4 AND r.at + r.lag <= $4 AND r.lag <= $5",
        " ORDER BY at DESC LIMIT $6");
    // Whose record was the newest that had come by then.
    WATCHER = of_device!("SELECT a.id, r.at FROM device d JOIN agent a ON a.site = d.site", "AND r.agent_no = a.no
        WHERE d.site = $1 AND d.id = $2 AND r.at >= $3 AND r.at <= $4 AND r.at + r.lag <= $4", " ORDER BY at DESC LIMIT 1");
}

#[derive(sqlx::FromRow)]
struct Traced {
    epoch: i64,
    seq: i64,
    at: i64,
    lag: i64,
    reach: i64,
    form: i64,
    measured: Vec<u8>,
}

impl Tx {
    /// Stores what the link of an agent became.
    pub(super) async fn store_link(&mut self, site: &SiteId, change: &LinkChange) -> Result<(), StoreError> {
        on!(self, "store how an agent is heard", conn => sqlx::query(LINK).bind(site.as_str()).bind(change.agent.as_str())
            .bind(change.at.millis()).bind(change.link.as_str()).execute(conn).await.map(drop))
    }

    /// Stores an alert that is over. Returns false if it is there already, or another alert of its rule tells of that time.
    pub(super) async fn late_alert(&mut self, site: &SiteId, late: &LateIncident) -> Result<bool, StoreError> {
        let (raise, rule) = (&late.raise, &late.raise.rule);
        on!(self, "store an alert that was discovered late", conn => sqlx::query(LATE)
            .bind(raise.id.0).bind(site.as_str()).bind(raise.subject.to_string()).bind(&*rule.id)
            .bind(joined(&rule.clauses)).bind(rule.severity.as_str()).bind(&*rule.title.zh).bind(&*rule.title.en)
            .bind(&*raise.evidence.zh).bind(&*raise.evidence.en).bind(raise.since.millis()).bind(raise.at.millis())
            .bind(late.cleared_at.millis()).execute(conn).await.map(|done| done.rows_affected() == 1))
    }
}

impl Store {
    /// How an agent was heard from `from` until `to`, in order; the first one may be from before.
    pub async fn link_events(
        &self,
        site: &SiteId,
        agent: &AgentId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<LinkEvent>, StoreError> {
        let mut tx = self.read().await?;
        let before: Option<(i64, String)> = on!(&mut tx, "read how an agent was heard", conn => sqlx::query_as(LINK_BEFORE)
            .bind(site.as_str()).bind(agent.as_str()).bind(from.millis()).fetch_optional(conn).await)?;
        let within: Vec<(i64, String)> = on!(&mut tx, "read how an agent was heard", conn => sqlx::query_as(LINK_EVENTS)
            .bind(site.as_str()).bind(agent.as_str()).bind(from.millis()).bind(to.millis()).fetch_all(conn).await)?;
        let event = |(at, link): (i64, String)| {
            let found = LinkWord::from_text(&link);
            let link = found.ok_or_else(|| StoreError::Inconsistent {
                table: "link_event",
                id: format!("{site}/{agent}/{at}"),
                what: format!("link `{link}`"),
            })?;
            Ok(LinkEvent { at: Timestamp::from_millis(at), link })
        };
        before.into_iter().chain(within).map(event).collect()
    }

    /// The agent that watched a device at `to`: whose record was the newest by then. Nothing if there is none since `from`.
    pub async fn watcher(
        &self,
        site: &SiteId,
        device: &DeviceId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Option<AgentId>, StoreError> {
        let mut tx = self.read().await?;
        let newest: Option<(String, i64)> = on!(&mut tx, "look who watched a device", conn => sqlx::query_as(WATCHER)
            .bind(site.as_str()).bind(device.as_str()).bind(from.millis()).bind(to.millis()).fetch_optional(conn).await)?;
        let Some((agent, _)) = newest else { return Ok(None) };
        let what = |error| StoreError::Inconsistent { table: "agent", id: agent.clone(), what: format!("id: {error}") };
        agent.parse().map(Some).map_err(what)
    }

    /// What an agent recorded of a device from `from` until `to` that was live when it came (within `fresh_for` of its probing),
    /// in the order in which it came; of more than [`MOST_TRACED`], the newest.
    pub async fn live_records(
        &self,
        site: &SiteId,
        (device, agent): (&DeviceId, &AgentId),
        from: Timestamp,
        to: Timestamp,
        fresh_for: Span,
    ) -> Result<Vec<Received>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<Traced> = on!(&mut tx, "read a device's live records", conn => sqlx::query_as(TRACED)
            .bind(site.as_str()).bind(device.as_str()).bind(from.millis()).bind(to.millis()).bind(fresh_for.millis())
            .bind(MOST_TRACED).bind(agent.as_str()).fetch_all(conn).await)?;
        let mut forms = Forms::default();
        let numbers: Vec<i64> = raw.iter().map(|raw| raw.form).collect();
        forms.read(&mut tx, &numbers).await?;
        let mut records = raw.iter().map(|raw| received(raw, &forms)).collect::<Result<Vec<_>, _>>()?;
        records.sort_by_key(|record| (record.received_at, record.order));
        Ok(records)
    }
}

fn received(raw: &Traced, forms: &Forms) -> Result<Received, StoreError> {
    let (facts, faults) = forms.said(raw.form, &raw.measured)?;
    let at = Timestamp::from_millis(raw.at);
    Ok(Received {
        order: (u64::try_from(raw.epoch).unwrap_or(0), u64::try_from(raw.seq).unwrap_or(0)),
        at,
        received_at: at.shifted(raw.lag),
        sample: Sample { reach: reach_from(raw.reach), facts, faults },
    })
}
