//! What people report: an alert that no rule raises, the ticket that it opens or joins, and what was said, in one transaction.

use jiff::tz::TimeZone;
use lobby_contract::SiteId;
use lobby_domain::{
    alert::{AlertId, Clear, ClearReason, Raise, Step, Subject},
    label::Label,
    report::{Source, What},
    rule::Rule,
    time::Timestamp,
};
use uuid::Uuid;

use super::{Shown, Stage, Store, StoreError, Tx, on, split, statements};
use crate::{
    audit::{Actor, Change},
    fleet::Setup,
    photo::Photo,
};

/// Most reports of one ticket that are read.
const MOST: i64 = 100;

/// A report as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRow {
    /// Tells it from any other.
    pub id: Uuid,
    /// Its site.
    pub site: SiteId,
    /// What it is about.
    pub subject: Subject,
    /// What is no device, and where it is, in words.
    pub thing: String,
    /// What is reported.
    pub what: What,
    /// Who reports.
    pub source: Source,
    /// Their name; empty if it is not known.
    pub reporter: String,
    /// What they are; empty if that is not known.
    pub post: String,
    /// Where they can be called; empty if they did not say.
    pub phone: String,
    /// The symptoms, by name.
    pub symptoms: Vec<String>,
    /// The symptoms in words, as the pack had them.
    pub words: Label,
    /// In their own words.
    pub note: String,
    /// When.
    pub at: Timestamp,
    /// Its alert.
    pub alert: AlertId,
    /// Its ticket, if there is one.
    pub ticket: Option<String>,
}

/// What is done with a report.
#[derive(Debug, Clone, Copy)]
pub struct Reporting<'a> {
    /// The report, whose alert and ticket are found or made.
    pub report: &'a ReportRow,
    /// The rule that stands for it.
    pub rule: &'a std::sync::Arc<Rule>,
    /// Why the alert is raised.
    pub evidence: &'a Label,
    /// The site's zone, for the number of a ticket.
    pub zone: &'a TimeZone,
    /// The standards.
    pub setup: &'a Setup,
    /// Who reports, as far as that is known.
    pub actor: &'a Actor,
    /// The photos: as many as the ticket has room for are kept.
    pub photos: &'a [Photo],
}

/// Why a report was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The key is that of a report that said something else.
    #[error("another report had this key")]
    KeyReused,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(sqlx::FromRow)]
struct Raw {
    id: Uuid,
    site: String,
    subject: String,
    thing: String,
    what: String,
    source: String,
    reporter: String,
    post: String,
    phone: String,
    symptoms: String,
    words_zh: String,
    words_en: String,
    note: String,
    at: i64,
    alert: Uuid,
    ticket: Option<String>,
}

statements! {
    MAKE = "INSERT INTO report (id, site, subject, thing, what, source, reporter, post, phone, symptoms, words_zh, words_en, note,
            at, alert, ticket)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT DO NOTHING";
    ONE = "SELECT id, site, subject, thing, what, source, reporter, post, phone, symptoms, words_zh, words_en, note, at, alert, ticket
        FROM report WHERE id = $1";
    OF_TICKET = "SELECT id, site, subject, thing, what, source, reporter, post, phone, symptoms, words_zh, words_en, note, at, alert,
            ticket
        FROM report WHERE ticket = $1 ORDER BY at, id LIMIT $2";
    OF_ALERT = "SELECT id, site, subject, thing, what, source, reporter, post, phone, symptoms, words_zh, words_en, note, at, alert,
            ticket
        FROM report WHERE alert = $1 ORDER BY at, id LIMIT $2";
    // The row is locked, so that nobody closes its ticket before this report is on it.
    HOLD = "UPDATE alert SET hits = hits WHERE site = $1 AND subject = $2 AND rule = $3 AND cleared_at IS NULL RETURNING id, ticket";
    STATED = "SELECT site, subject, rule FROM alert WHERE ticket = $1 AND reported AND cleared_at IS NULL";
    // A ticket that is reopened is closed at no time.
    FORGET_PHONES = "UPDATE report SET phone = '' WHERE id IN (SELECT r.id FROM report r JOIN alert a ON a.id = r.alert
            LEFT JOIN ticket t ON t.number = r.ticket
        WHERE r.phone <> '' AND a.cleared_at <= $1 AND (r.ticket IS NULL OR t.closed_at <= $1) LIMIT $2)";
    MOVE = "UPDATE report SET ticket = $2 WHERE ticket = $1 AND alert IN (SELECT a.id FROM alert a WHERE a.ticket = $2)";
}

impl TryFrom<Raw> for ReportRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let bad = |what: String| StoreError::Inconsistent { table: "report", id: raw.id.to_string(), what };
        Ok(Self {
            id: raw.id,
            site: raw.site.parse().map_err(|error| bad(format!("site: {error}")))?,
            subject: raw.subject.parse().map_err(|error| bad(format!("subject: {error}")))?,
            what: What::from_text(&raw.what).ok_or_else(|| bad(format!("what `{}`", raw.what)))?,
            source: Source::from_text(&raw.source).ok_or_else(|| bad(format!("source `{}`", raw.source)))?,
            thing: raw.thing,
            reporter: raw.reporter,
            post: raw.post,
            phone: raw.phone,
            symptoms: split(&raw.symptoms),
            words: Label::new(raw.words_zh, raw.words_en),
            note: raw.note,
            at: Timestamp::from_millis(raw.at),
            alert: AlertId(raw.alert),
            ticket: raw.ticket,
        })
    }
}

impl ReportRow {
    /// What is answered when a report comes that has its key.
    fn repeated(self, again: &Self) -> Result<(Self, bool), ReportError> {
        let said = |row: &Self| {
            let Self { site, subject, thing, what, phone, symptoms, note, .. } = row.clone();
            (site, subject, thing, what, phone, symptoms, note)
        };
        if said(&self) == said(again) { Ok((self, false)) } else { Err(ReportError::KeyReused) }
    }
}

impl Tx {
    async fn report(&mut self, id: Uuid) -> Result<Option<ReportRow>, StoreError> {
        let raw: Option<Raw> =
            on!(self, "look for a report", conn => sqlx::query_as(ONE).bind(id).fetch_optional(conn).await)?;
        raw.map(ReportRow::try_from).transpose()
    }

    /// Raises the alert of a report, or finds the one that is open. Returns its id and its ticket, if there is one.
    async fn state(&mut self, site: &SiteId, raise: &Raise) -> Result<(AlertId, Option<String>), StoreError> {
        loop {
            if self.raise_alert(site, raise).await? {
                return Ok((raise.id, None));
            }
            let open: Option<(Uuid, Option<String>)> = on!(self, "look for an open report", conn => sqlx::query_as(HOLD)
                .bind(site.as_str()).bind(raise.subject.to_string()).bind(&*raise.rule.id).fetch_optional(conn).await)?;
            // On PostgreSQL it may have ended a moment ago; then this one is the first.
            if let Some((id, ticket)) = open {
                return Ok((AlertId(id), ticket));
            }
        }
    }

    /// Returns false if it is there already.
    async fn write_report(&mut self, row: &ReportRow) -> Result<bool, StoreError> {
        on!(self, "write a report", conn => sqlx::query(MAKE).bind(row.id).bind(row.site.as_str())
            .bind(row.subject.to_string()).bind(&row.thing).bind(row.what.as_str()).bind(row.source.as_str())
            .bind(&row.reporter).bind(&row.post).bind(&row.phone).bind(row.symptoms.join(" ")).bind(&*row.words.zh)
            .bind(&*row.words.en).bind(&row.note).bind(row.at.millis()).bind(row.alert.0).bind(&row.ticket)
            .execute(conn).await.map(|done| done.rows_affected() == 1))
    }

    /// Whether a ticket has something that people report.
    pub(super) async fn is_reported(&mut self, number: &str) -> Result<bool, StoreError> {
        Ok(!self.stated(number).await?.is_empty())
    }

    async fn stated(&mut self, number: &str) -> Result<Vec<(String, String, String)>, StoreError> {
        on!(self, "read what people report", conn => sqlx::query_as(STATED).bind(number).fetch_all(conn).await)
    }

    /// The ticket is closed: what people reported is done with.
    pub(super) async fn end_reports(&mut self, number: &str, by: &str, at: Timestamp) -> Result<(), StoreError> {
        for (site, subject, rule) in self.stated(number).await? {
            let bad = |what: String| StoreError::Inconsistent { table: "alert", id: rule.clone(), what };
            let site: SiteId = site.parse().map_err(|error| bad(format!("site: {error}")))?;
            let subject = subject.parse().map_err(|error| bad(format!("subject: {error}")))?;
            let (rule, reason) = (rule.as_str().into(), ClearReason::TicketClosed);
            self.clear_alert(&site, &Clear { subject, rule, at, reason, by: by.into() }).await?;
        }
        Ok(())
    }

    /// What was reported goes with its alerts to another ticket.
    pub(super) async fn move_reports(&mut self, from: &str, to: &str) -> Result<(), StoreError> {
        on!(self, "move reports to another ticket", conn => sqlx::query(MOVE).bind(from).bind(to).execute(conn).await
            .map(drop))
    }

    /// Raises the alert of a report or joins the one that is open, opens or joins the ticket that its rule asks for, and writes the report
    /// with its photos. Nothing if the report is there already: then the transaction is not to be kept.
    pub(super) async fn place_report(&mut self, asked: Reporting<'_>) -> Result<Option<ReportRow>, StoreError> {
        let Reporting { report, rule, evidence, zone, setup, photos, .. } = asked;
        let raise = Raise {
            id: AlertId::of_report(report.id),
            subject: report.subject.clone(),
            rule: std::sync::Arc::clone(rule),
            since: report.at,
            at: report.at,
            evidence: evidence.clone(),
            step: if rule.ticket.is_some() { Step::Open } else { Step::None },
            tell: true,
        };
        let (alert, joined) = self.state(&report.site, &raise).await?;
        let ticket = match (&joined, &rule.ticket) {
            (Some(number), _) => {
                let number = self.join_ticket(number, setup, &raise).await?;
                self.follow_ticket(&number, setup, report.at, false).await?;
                Some(number)
            }
            (None, Some(opens)) => Some(self.put_on_ticket(alert, (&report.site, zone), setup, &raise, opens).await?),
            (None, None) if alert == raise.id => {
                self.follow_alert(&report.site, &raise, setup).await?;
                None
            }
            (None, None) => None,
        };
        let row = ReportRow { alert, ticket, ..report.clone() };
        if !self.write_report(&row).await? {
            return Ok(None);
        }
        let shown = Shown { stage: Stage::Report, by: &row.reporter, at: row.at };
        self.keep_photos(&row.site, (row.ticket.as_deref(), Some(row.id)), photos, shown).await?;
        Ok(Some(row))
    }
}

impl Store {
    /// Clears some phone numbers of reports whose alert and ticket were over at `before`. Returns how many.
    pub async fn forget_phones(&self, before: Timestamp, most: i64) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let cleared = on!(&mut tx, "clear phone numbers", conn => sqlx::query(FORGET_PHONES).bind(before.millis()).bind(most)
            .execute(conn).await.map(|done| done.rows_affected()))?;
        tx.commit().await?;
        Ok(cleared)
    }

    /// Takes a report: raises its alert or joins the one that is open, and opens or joins the ticket that its rule asks for. The same report
    /// again is answered as it was, and changes nothing; the second value says whether it was new.
    pub async fn take_report(&self, asked: Reporting<'_>) -> Result<(ReportRow, bool), ReportError> {
        let mut tx = self.begin().await?;
        if let Some(before) = tx.report(asked.report.id).await? {
            return before.repeated(asked.report);
        }
        let Some(row) = tx.place_report(asked).await? else {
            // On PostgreSQL the same one may have come at the same time: nothing of this one is kept.
            drop(tx);
            let before = self.report(asked.report.id).await?;
            return before.map_or(Err(ReportError::KeyReused), |before| before.repeated(asked.report));
        };
        let about = row.ticket.clone().unwrap_or_else(|| row.alert.to_string());
        let told = Change::new(asked.actor, row.at, format!("report.{}", row.what), about).of_site(Some(&row.site));
        tx.commit_with(&told.after(format!("{} {}", row.source.as_str(), row.id))).await?;
        Ok((row, true))
    }

    /// One report.
    pub async fn report(&self, id: Uuid) -> Result<Option<ReportRow>, StoreError> {
        self.read().await?.report(id).await
    }

    /// What was reported of a ticket, the oldest first.
    pub async fn reports_of_ticket(&self, number: &str) -> Result<Vec<ReportRow>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<Raw> = on!(&mut tx, "read a ticket's reports", conn => sqlx::query_as(OF_TICKET).bind(number).bind(MOST)
            .fetch_all(conn).await)?;
        raw.into_iter().map(ReportRow::try_from).collect()
    }

    /// What was reported of an alert, the oldest first.
    pub async fn reports_of_alert(&self, alert: AlertId) -> Result<Vec<ReportRow>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<Raw> = on!(&mut tx, "read an alert's reports", conn => sqlx::query_as(OF_ALERT).bind(alert.0).bind(MOST)
            .fetch_all(conn).await)?;
        raw.into_iter().map(ReportRow::try_from).collect()
    }
}
