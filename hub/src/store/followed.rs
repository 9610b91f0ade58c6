//! What is followed up along the chain of command, read: page by page, by what is due, and by who has gone off duty.

use lobby_contract::SiteId;
use lobby_domain::{
    alert::{AlertId, Subject},
    label::Label,
    time::Timestamp,
};

use super::{
    Cursor, CursorError, EscalationRow, Store, StoreError,
    escalations::{EscalationOf, Raw, escalation_rows},
    on, page, statements,
};

/// Most that are looked at in one go.
const AT_ONCE: i64 = 200;

statements! {
    OPEN = concat!(escalation_rows!(), " WHERE ended_at IS NULL AND (CAST($1 AS TEXT) IS NULL OR site = $1)
        AND (COALESCE(due, 9223372036854775807) > $2 OR (COALESCE(due, 9223372036854775807) = $2 AND no > $3))
        ORDER BY COALESCE(due, 9223372036854775807), no LIMIT $4");
    LISTED = "SELECT e.no, e.site, e.ticket, e.alert, e.phase, e.route, e.state, e.level, e.holder, e.holder_name, e.since, e.due,
            e.version, e.started_at, COALESCE(t.subject, a.subject) AS subject, COALESCE(t.title_zh, a.title_zh) AS title_zh,
            COALESCE(t.title_en, a.title_en) AS title_en, t.owner_id AS owner
        FROM escalation e JOIN alert a ON a.id = e.alert LEFT JOIN ticket t ON t.number = e.ticket
        WHERE e.ended_at IS NULL AND (CAST($1 AS TEXT) IS NULL OR e.site = $1)
        ORDER BY COALESCE(e.due, 9223372036854775807), e.no LIMIT $2";
    DUE = concat!(escalation_rows!(), " WHERE ended_at IS NULL AND due <= $1 ORDER BY due, no LIMIT $2");
    // Whoever is named has not answered and is on duty nowhere at the site. Who was given it by name has it until its time is over.
    OFF_DUTY = concat!(escalation_rows!(), " WHERE ended_at IS NULL AND state = 'triggered' AND holder IS NOT NULL AND no > $2
        AND NOT EXISTS (SELECT 1 FROM ticket WHERE ticket.number = escalation.ticket AND ticket.owner_id = escalation.holder)
        AND NOT EXISTS (SELECT 1 FROM duty JOIN person ON person.id = duty.person
            WHERE duty.site = escalation.site AND duty.person = escalation.holder AND duty.starts_at <= $1 AND duty.ends_at > $1
            AND (person.disabled_at IS NULL OR person.disabled_at > $1))
        ORDER BY no LIMIT $3");
}

/// Something that is followed up, with what it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Followed {
    /// How it stands.
    pub row: EscalationRow,
    /// What its ticket, or its alert if it has none, is about.
    pub subject: Subject,
    /// The fault in words.
    pub title: Label,
    /// The id of whoever works the ticket, if that is known.
    pub owner: Option<String>,
}

#[derive(sqlx::FromRow)]
struct RawFollowed {
    #[sqlx(flatten)]
    row: Raw,
    subject: String,
    title_zh: String,
    title_en: String,
    owner: Option<String>,
}

impl TryFrom<RawFollowed> for Followed {
    type Error = StoreError;

    fn try_from(raw: RawFollowed) -> Result<Self, StoreError> {
        let row = EscalationRow::try_from(raw.row)?;
        let subject = raw.subject.parse().map_err(|error| StoreError::Inconsistent {
            table: "escalation",
            id: row.no.to_string(),
            what: format!("subject: {error}"),
        })?;
        Ok(Self { subject, title: Label::new(raw.title_zh, raw.title_en), owner: raw.owner, row })
    }
}

impl Store {
    /// What is followed up at a site or at all, with what it is about, what is due first before the others; so many at most.
    pub async fn followed(&self, site: Option<&SiteId>, limit: i64) -> Result<Vec<Followed>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<RawFollowed> = on!(&mut tx, "list what is followed up", conn => sqlx::query_as(LISTED)
            .bind(site.map(SiteId::as_str)).bind(limit).fetch_all(conn).await)?;
        raw.into_iter().map(Followed::try_from).collect()
    }

    /// One page of what is followed up, of a site or of all and of what a post has or any, what is due first before the others; and where
    /// the next begins.
    pub async fn escalations(
        &self,
        (site, post): (Option<&SiteId>, Option<&str>),
        after: Option<&Cursor>,
        limit: i64,
    ) -> Result<Result<(Vec<EscalationRow>, Option<Cursor>), CursorError>, StoreError> {
        let mut from = match after.map(|after| (after.number(0), after.number(1))) {
            None => (i64::MIN, 0),
            Some((Ok(due), Ok(no))) => (due, no),
            Some(_) => return Ok(Err(CursorError)),
        };
        let key = |row: &EscalationRow| (row.escalation.due.map_or(i64::MAX, Timestamp::millis), row.no);
        let (mut tx, mut found, wanted) = (self.read().await?, Vec::new(), usize::try_from(limit).unwrap_or(0));
        loop {
            let raw: Vec<Raw> = on!(&mut tx, "read escalations", conn => sqlx::query_as(OPEN)
                .bind(site.map(SiteId::as_str)).bind(from.0).bind(from.1).bind(limit + 1).fetch_all(conn).await)?;
            let is_last = raw.len() <= wanted;
            let rows = raw.into_iter().map(EscalationRow::try_from).collect::<Result<Vec<_>, _>>()?;
            from = rows.last().map_or(from, key);
            found.extend(rows.into_iter().filter(|row| post.is_none_or(|post| row.escalation.post() == post)));
            if is_last || found.len() > wanted {
                break;
            }
        }
        let next = page::cut(&mut found, limit, |row| {
            let (due, no) = key(row);
            vec![due.to_string(), no.to_string()]
        });
        Ok(Ok((found, next)))
    }

    /// How a ticket is followed up.
    pub async fn escalation_of_ticket(&self, number: &str) -> Result<Option<EscalationRow>, StoreError> {
        self.read().await?.escalation(EscalationOf::Ticket(number)).await
    }

    /// How an alert without a ticket is followed up.
    pub async fn escalation_of_alert(&self, id: AlertId) -> Result<Option<EscalationRow>, StoreError> {
        self.read().await?.escalation(EscalationOf::Alert(id)).await
    }

    /// What has come to its time by `now`; some at most, the longest due first.
    pub async fn due_escalations(&self, now: Timestamp) -> Result<Vec<EscalationRow>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<Raw> = on!(&mut tx, "look for what is to go up", conn => sqlx::query_as(DUE).bind(now.millis())
            .bind(AT_ONCE).fetch_all(conn).await)?;
        raw.into_iter().map(EscalationRow::try_from).collect()
    }

    /// What somebody has who has not answered and has gone off duty, from number `after` on; some at most.
    pub(super) async fn off_duty_escalations(
        &self,
        after: i64,
        now: Timestamp,
    ) -> Result<Vec<EscalationRow>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<Raw> = on!(&mut tx, "look for whoever has gone off duty", conn => sqlx::query_as(OFF_DUTY)
            .bind(now.millis()).bind(after).bind(AT_ONCE).fetch_all(conn).await)?;
        raw.into_iter().map(EscalationRow::try_from).collect()
    }
}
