//! Rounds of posts: which there are, when they open, and which nobody has done in time.

use std::collections::BTreeMap;

use jiff::civil::Date;
use lobby_contract::SiteId;
use lobby_domain::{
    alert::{AlertId, Clear, ClearReason, Raise, Step, Subject},
    check::{self, Line, Look, Slot, State},
    label::Label,
    pack::Pack,
    stock::low::Low,
    time::{Span, Timestamp},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Store, StoreError, Tx, on, split, statements};
use crate::fleet::Setup;

/// Most rounds that are listed at once.
const MOST: i64 = 500;
/// How old the last look at a site's rounds may be before it is written down anew. A round that opens is written at once.
const REMEMBERED: Span = Span::from_mins(5);

/// Who signed, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The id of the person or program; empty if none is known.
    pub id: String,
    /// Their name.
    pub name: String,
    /// When.
    pub at: Timestamp,
}

/// What whoever takes over is handed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PassedOn {
    /// The open tickets of the post, by number.
    pub tickets: Vec<String>,
    /// What keeps alerts quiet, in words.
    pub silences: Vec<String>,
    /// What is to be refilled.
    pub refills: Vec<Refill>,
}

/// A device that is to be refilled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refill {
    /// The device.
    pub device: String,
    /// What it lacks.
    pub title: Label,
}

/// One round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundRow {
    /// Tells it from any other.
    pub id: Uuid,
    /// Its site.
    pub site: SiteId,
    /// Its checklist.
    pub checklist: String,
    /// Its day, at the site.
    pub day: String,
    /// Its place among those of the day.
    pub nth: i64,
    /// The post that makes it.
    pub post: String,
    /// The post that takes over, if it is a handover.
    pub takes_over: Option<String>,
    /// What people call it.
    pub label: Label,
    /// The clauses that ask for it.
    pub clauses: Vec<String>,
    /// What is looked at.
    pub lines: Vec<Line>,
    /// From when it may be made.
    pub opens_at: Timestamp,
    /// By when it is to be made.
    pub due_at: Timestamp,
    /// From when it is missed.
    pub closes_at: Timestamp,
    /// How far it is.
    pub state: State,
    /// When it was found that nobody had done it in time.
    pub missed_at: Option<Timestamp>,
    /// Whether nobody could, because the hub was not running.
    pub excused: bool,
    /// Who signed as who made it.
    pub signed_out: Option<Signature>,
    /// Who signed as who takes over.
    pub signed_in: Option<Signature>,
    /// With what whoever takes over does not agree.
    pub dispute: String,
    /// What whoever took over was handed.
    pub passed_on: Option<PassedOn>,
    /// How many lines are answered.
    pub answered: usize,
    pub(super) version: i64,
}

/// Which rounds are wanted.
#[derive(Debug, Clone, Default)]
pub struct RoundFilter {
    /// Of this site.
    pub site: Option<SiteId>,
    /// Due not before then.
    pub from: Option<Timestamp>,
    /// Due before then.
    pub until: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Raw {
    id: Uuid,
    site: String,
    checklist: String,
    day: String,
    nth: i64,
    post: String,
    takes_over: Option<String>,
    label_zh: String,
    label_en: String,
    clauses: String,
    lines: String,
    opens_at: i64,
    due_at: i64,
    closes_at: i64,
    state: String,
    missed_at: Option<i64>,
    excused: bool,
    out_by: Option<String>,
    out_name: Option<String>,
    out_at: Option<i64>,
    in_by: Option<String>,
    in_name: Option<String>,
    in_at: Option<i64>,
    dispute: String,
    passed_on: Option<String>,
    version: i64,
    answered: i64,
}

statements! {
    // Two hubs look at a site's rounds one after the other.
    WATCH = "INSERT INTO check_watch (site, looked_at) VALUES ($1, NULL)
        ON CONFLICT (site) DO UPDATE SET looked_at = check_watch.looked_at RETURNING looked_at";
    LOOKED = "UPDATE check_watch SET looked_at = $2 WHERE site = $1";
    LOOKED_AT = "SELECT looked_at FROM check_watch WHERE site = $1";
    THERE = "SELECT id FROM check_round WHERE site = $1 AND closes_at > $2";
    MAKE = "INSERT INTO check_round (id, site, checklist, day, nth, post, takes_over, label_zh, label_en, clauses, lines, opens_at, due_at,
            closes_at, state, missed_at, excused, dispute, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'open', $15, $16, '', 0) ON CONFLICT DO NOTHING";
    LATE = "SELECT id, clauses, label_zh, label_en FROM check_round
        WHERE site = $1 AND closes_at <= $2 AND missed_at IS NULL
            AND NOT (state = 'signed_in' OR (state = 'signed_out' AND takes_over IS NULL))
        ORDER BY closes_at, id";
    MISS = "UPDATE check_round SET missed_at = $2, version = version + 1 WHERE id = $1 AND missed_at IS NULL";
    ONE = "SELECT r.id, r.site, r.checklist, r.day, r.nth, r.post, r.takes_over, r.label_zh, r.label_en, r.clauses, r.lines, r.opens_at,
            r.due_at, r.closes_at, r.state, r.missed_at, r.excused, r.out_by, r.out_name, r.out_at, r.in_by, r.in_name, r.in_at,
            r.dispute, r.passed_on, r.version, (SELECT COUNT(DISTINCT a.line) FROM check_answer a WHERE a.round = r.id) AS answered
        FROM check_round r WHERE r.id = $1";
    LIST = "SELECT r.id, r.site, r.checklist, r.day, r.nth, r.post, r.takes_over, r.label_zh, r.label_en, r.clauses, r.lines, r.opens_at,
            r.due_at, r.closes_at, r.state, r.missed_at, r.excused, r.out_by, r.out_name, r.out_at, r.in_by, r.in_name, r.in_at,
            r.dispute, r.passed_on, r.version, (SELECT COUNT(DISTINCT a.line) FROM check_answer a WHERE a.round = r.id) AS answered
        FROM check_round r
        WHERE (CAST($1 AS TEXT) IS NULL OR r.site = $1) AND r.due_at >= $2 AND r.due_at < $3
        ORDER BY r.due_at DESC, r.id LIMIT $4";
    TICKETS_OF = "SELECT number FROM ticket WHERE site = $1 AND state <> 'closed' AND (confirmed_by = $2
            OR number IN (SELECT a.ticket FROM check_answer a WHERE a.round = $3))
        ORDER BY number LIMIT 200";
    REFILLS_OF = "SELECT subject, title_zh, title_en FROM alert
        WHERE site = $1 AND rule = $2 AND cleared_at IS NULL AND victim_of IS NULL ORDER BY subject";
}

fn signature(id: Option<String>, name: Option<String>, at: Option<i64>) -> Option<Signature> {
    at.map(|at| Signature {
        id: id.unwrap_or_default(),
        name: name.unwrap_or_default(),
        at: Timestamp::from_millis(at),
    })
}

impl TryFrom<Raw> for RoundRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let bad = |what: String| StoreError::Inconsistent { table: "check_round", id: raw.id.to_string(), what };
        let passed_on = raw.passed_on.as_deref().map(serde_json::from_str).transpose();
        Ok(Self {
            id: raw.id,
            site: raw.site.parse().map_err(|error| bad(format!("site: {error}")))?,
            lines: serde_json::from_str(&raw.lines).map_err(|error| bad(format!("lines: {error}")))?,
            state: State::from_text(&raw.state).ok_or_else(|| bad(format!("state `{}`", raw.state)))?,
            passed_on: passed_on.map_err(|error| bad(format!("passed_on: {error}")))?,
            checklist: raw.checklist,
            day: raw.day,
            nth: raw.nth,
            post: raw.post,
            takes_over: raw.takes_over,
            label: Label::new(raw.label_zh, raw.label_en),
            clauses: split(&raw.clauses),
            opens_at: Timestamp::from_millis(raw.opens_at),
            due_at: Timestamp::from_millis(raw.due_at),
            closes_at: Timestamp::from_millis(raw.closes_at),
            missed_at: raw.missed_at.map(Timestamp::from_millis),
            excused: raw.excused,
            signed_out: signature(raw.out_by, raw.out_name, raw.out_at),
            signed_in: signature(raw.in_by, raw.in_name, raw.in_at),
            dispute: raw.dispute,
            answered: usize::try_from(raw.answered).unwrap_or_default(),
            version: raw.version,
        })
    }
}

impl RoundRow {
    /// Whether it is a handover.
    pub fn is_handover(&self) -> bool {
        self.takes_over.is_some()
    }

    /// Whether nothing is left to do.
    pub fn is_done(&self) -> bool {
        self.state.is_done(self.is_handover())
    }

    /// Whether nobody has done it in time, nor since.
    pub fn is_missed(&self) -> bool {
        self.missed_at.is_some() && !self.is_done()
    }

    /// The end of its alert, if there is one: it is done.
    pub(super) fn missed_is_over(&self, pack: &Pack, by: &str, at: Timestamp) -> Clear {
        let rule = check::missed_rule(pack, self.id, &[], &self.label).id;
        Clear { subject: Subject::Site, rule, at, reason: ClearReason::Manual, by: by.into() }
    }
}

/// A round that is to be made of a checklist.
#[derive(Debug, Clone)]
pub(super) struct Opening<'a> {
    pub(super) id: Uuid,
    pub(super) slot: Slot,
    pub(super) list: &'a check::Checklist,
    pub(super) lines: &'a [Line],
    pub(super) excused: bool,
}

/// What a site's rounds are made of.
#[derive(Debug, Clone, Copy)]
pub struct Looking<'a> {
    /// The site.
    pub site: &'a SiteId,
    /// The standards and the site's hours.
    pub setup: &'a Setup,
    /// What is looked at, by checklist, as the site is now: nothing if it has none of that.
    pub lines: &'a BTreeMap<Box<str>, Vec<Line>>,
    /// Now.
    pub now: Timestamp,
}

impl<'a> Looking<'a> {
    /// The rounds that are not there and are to be.
    fn openings(&self, before: Option<Timestamp>, there: &[Uuid]) -> Vec<Opening<'a>> {
        let Some(calendar) = self.setup.sites.get(self.site).and_then(|site| site.calendar.as_ref()) else {
            return Vec::new();
        };
        let mut openings = Vec::new();
        for list in &self.setup.pack.checklists {
            for slot in list.between(before, self.now, calendar) {
                let look = slot.look(before, self.now);
                let id = check::round_id(self.site.as_str(), &list.id, &slot);
                if !matches!(look, Look::Open | Look::Excused) || there.contains(&id) {
                    continue;
                }
                if let Some(lines) = self.lines.get(&list.id).filter(|lines| !lines.is_empty()) {
                    openings.push(Opening { id, slot, list, lines, excused: look == Look::Excused });
                }
            }
        }
        openings
    }
}

impl Tx {
    pub(super) async fn round(&mut self, id: Uuid) -> Result<Option<RoundRow>, StoreError> {
        let raw: Option<Raw> =
            on!(self, "look for a round", conn => sqlx::query_as(ONE).bind(id).fetch_optional(conn).await)?;
        raw.map(RoundRow::try_from).transpose()
    }

    async fn rounds_there(&mut self, site: &SiteId, now: Timestamp) -> Result<Vec<Uuid>, StoreError> {
        // Those of the time in which rounds are looked for, and some more.
        let since = now - Span::from_mins(10 * 24 * 60);
        on!(self, "look which rounds there are", conn => sqlx::query_scalar(THERE).bind(site.as_str()).bind(since.millis())
            .fetch_all(conn).await)
    }

    async fn late_rounds(
        &mut self,
        site: &SiteId,
        now: Timestamp,
    ) -> Result<Vec<(Uuid, String, String, String)>, StoreError> {
        on!(self, "look for rounds that nobody has done", conn => sqlx::query_as(LATE).bind(site.as_str()).bind(now.millis())
            .fetch_all(conn).await)
    }

    /// Holds a site's rounds until the transaction ends, and tells when they were last looked at.
    pub(super) async fn hold_rounds(&mut self, site: &SiteId) -> Result<Option<Timestamp>, StoreError> {
        let before: Option<i64> = on!(self, "hold a site's rounds", conn => sqlx::query_scalar(WATCH).bind(site.as_str())
            .fetch_one(conn).await)?;
        Ok(before.map(Timestamp::from_millis))
    }

    pub(super) async fn open_round(
        &mut self,
        site: &SiteId,
        opening: &Opening<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Opening { id, slot, list, lines, excused } = opening;
        let lines = serde_json::to_string(lines).expect("lines are plain data");
        let clauses = list.clauses.join(" ");
        let day: Date = slot.day;
        on!(self, "open a round", conn => sqlx::query(MAKE).bind(id).bind(site.as_str()).bind(&*list.id).bind(day.to_string())
            .bind(slot.nth).bind(&*list.post).bind(list.takes_over.as_deref()).bind(&*list.label.zh).bind(&*list.label.en)
            .bind(&clauses).bind(&lines).bind(slot.opens.millis()).bind(slot.due.millis()).bind(slot.closes.millis())
            .bind(excused.then_some(now.millis())).bind(*excused).execute(conn).await.map(drop))
    }

    /// Marks a round as missed and tells the superior of its post, once.
    async fn miss_round(
        &mut self,
        site: &SiteId,
        (id, clauses, label): (Uuid, &str, &Label),
        setup: &Setup,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let first = on!(self, "mark a round as missed", conn => sqlx::query(MISS).bind(id).bind(now.millis()).execute(conn)
            .await.map(|done| done.rows_affected() == 1))?;
        if !first {
            return Ok(());
        }
        let clauses: Vec<Box<str>> = clauses.split_whitespace().map(Box::from).collect();
        let rule = check::missed_rule(&setup.pack, id, &clauses, label);
        let raise = Raise {
            id: check::missed_alert(id),
            subject: Subject::Site,
            rule: rule.into(),
            since: now,
            at: now,
            evidence: Label::new("到时无人完成并签字", "Nobody has done and signed it in time"),
            step: Step::None,
            tell: true,
        };
        if self.raise_alert(site, &raise).await? {
            self.follow_alert(site, &raise, setup).await?;
        }
        Ok(())
    }

    /// What a round hands on at this moment. Silences are not known here.
    pub(super) async fn passing_on(&mut self, round: &RoundRow, pack: &Pack) -> Result<PassedOn, StoreError> {
        let tickets = on!(self, "read the tickets that pass on", conn => sqlx::query_scalar(TICKETS_OF)
            .bind(round.site.as_str()).bind(&round.post).bind(round.id).fetch_all(conn).await)?;
        let mut passed = PassedOn { tickets, ..PassedOn::default() };
        for rule in refill_rules(pack, &round.post) {
            let refills: Vec<(String, String, String)> = on!(self, "read what is to be refilled", conn =>
                sqlx::query_as(REFILLS_OF).bind(round.site.as_str()).bind(&rule).fetch_all(conn).await)?;
            let refill = |(device, zh, en): (String, String, String)| Refill { device, title: Label::new(zh, en) };
            passed.refills.extend(refills.into_iter().map(refill));
        }
        Ok(passed)
    }
}

/// The rules by which a post is told that something is to be refilled, of devices and of the ledger.
fn refill_rules<'p>(pack: &'p Pack, post: &'p str) -> impl Iterator<Item = String> {
    let tells = move |posts: &[Box<str>]| posts.iter().any(|told| **told == *post);
    let rules = pack.kinds.values().flat_map(|kind| &kind.rules);
    let of_devices =
        rules.filter(move |rule| rule.supply.is_some() && tells(&rule.tells)).map(|rule| rule.id.to_string());
    let items = pack.items.iter().filter(move |(_, item)| tells(&item.tells));
    let by_the_ledger = items.flat_map(|(id, _)| [Low::Machine, Low::Empty].map(|low| low.rule_id(id)));
    of_devices.chain(by_the_ledger)
}

impl Store {
    /// Opens the rounds of a site whose time has come, and marks those that nobody has done in time, each once. Returns whether anything
    /// changed.
    pub async fn look_at_rounds(&self, looking: Looking<'_>) -> Result<bool, StoreError> {
        let Looking { site, setup, now, .. } = looking;
        let mut tx = self.read().await?;
        let before: Option<Option<i64>> = on!(&mut tx, "read when rounds were last looked at", conn =>
            sqlx::query_scalar(LOOKED_AT).bind(site.as_str()).fetch_optional(conn).await)?;
        let before = before.flatten().map(Timestamp::from_millis);
        let there = tx.rounds_there(site, now).await?;
        let nothing = looking.openings(before, &there).is_empty() && tx.late_rounds(site, now).await?.is_empty();
        tx.commit().await?;
        if nothing && before.is_some_and(|before| now.since(before) < REMEMBERED) {
            return Ok(false);
        }
        let mut tx = self.begin().await?;
        let before = tx.hold_rounds(site).await?;
        let there = tx.rounds_there(site, now).await?;
        let openings = looking.openings(before, &there);
        for opening in &openings {
            tx.open_round(site, opening, now).await?;
        }
        let late = tx.late_rounds(site, now).await?;
        for (id, clauses, zh, en) in &late {
            let label = Label::new(zh.as_str(), en.as_str());
            tx.miss_round(site, (*id, clauses, &label), setup, now).await?;
        }
        // Another hub may have looked later.
        let looked = before.map_or(now, |before| before.max(now));
        on!(&mut tx, "note that rounds were looked at", conn => sqlx::query(LOOKED).bind(site.as_str()).bind(looked.millis())
            .execute(conn).await.map(drop))?;
        tx.commit().await?;
        Ok(!openings.is_empty() || !late.is_empty())
    }

    /// One round.
    pub async fn round(&self, id: Uuid) -> Result<Option<RoundRow>, StoreError> {
        self.read().await?.round(id).await
    }

    /// The rounds that are wanted, the latest due first; some at most.
    pub async fn rounds(&self, filter: &RoundFilter) -> Result<Vec<RoundRow>, StoreError> {
        let mut tx = self.read().await?;
        let from = filter.from.map_or(i64::MIN, Timestamp::millis);
        let until = filter.until.map_or(i64::MAX, Timestamp::millis);
        let raw: Vec<Raw> = on!(&mut tx, "list rounds", conn => sqlx::query_as(LIST)
            .bind(filter.site.as_ref().map(SiteId::as_str)).bind(from).bind(until).bind(MOST).fetch_all(conn).await)?;
        raw.into_iter().map(RoundRow::try_from).collect()
    }

    /// What a round hands on at this moment, or what it handed on when it was taken over. Silences are not known here.
    pub async fn passed_on(&self, round: &RoundRow, pack: &Pack) -> Result<PassedOn, StoreError> {
        match &round.passed_on {
            Some(passed) => Ok(passed.clone()),
            None => self.read().await?.passing_on(round, pack).await,
        }
    }

    /// The alert of a missed round.
    pub fn alert_of_round(round: &RoundRow) -> AlertId {
        check::missed_alert(round.id)
    }
}
