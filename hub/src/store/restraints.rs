//! Silences and maintenance windows. Their past is kept, because who was told of an alert follows from it; when one is over, whoever
//! would have been told of an alert that still fires is told now, once.

use std::collections::BTreeSet;

use lobby_contract::SiteId;
use lobby_domain::{
    alert::AlertId,
    matchers::{Field, Matchers},
    restraint::{Changed, Kind, Refusal, Restraint, RestraintId, State, about},
    time::Timestamp,
};
use uuid::Uuid;

use super::{AlertFilter, Cursor, CursorError, Store, StoreError, Tx, on, page, statements};
use crate::{
    audit::{Actor, Change},
    fleet::Setup,
};

/// Most restraints that are not over. More than that is a program gone wild, and every alert is compared with each.
const MOST: i64 = 1000;

/// Which restraints are wanted.
#[derive(Debug, Clone, Copy)]
pub struct RestraintFilter {
    /// Maintenance windows, or silences.
    pub maintenance: bool,
    /// Those that stand so at this time only.
    pub state: Option<State>,
}

/// What became of a restraint that was to be made.
#[derive(Debug, Clone, PartialEq)]
pub enum Made {
    /// It was made.
    New,
    /// The same request had made it before; it may have changed since.
    Repeat(Restraint),
    /// Another request had been made under the same key.
    Other,
    /// It is about an alert that is not open.
    NotOpen,
    /// There are too many already.
    TooMany,
}

/// Why a restraint was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such restraint.
    #[error("there is none of that id")]
    NotFound,
    /// Somebody else changed it at the same moment.
    #[error("it was changed meanwhile: look at it again")]
    Conflict,
    /// The change makes no sense.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(sqlx::FromRow)]
struct Raw {
    id: Uuid,
    kind: String,
    matchers: Option<String>,
    alert: Option<Uuid>,
    include_firing: bool,
    starts_at: i64,
    ends_at: Option<i64>,
    author: String,
    comment: String,
    created_at: i64,
    changed_by: String,
    replaces: Option<Uuid>,
    request: Option<Uuid>,
    version: i64,
}

/// Maintenance windows that those of the condition went on from without a gap, and those that these went on from.
macro_rules! gone_on_from {
    ($of:literal) => {
        concat!("WITH RECURSIVE work (id, starts_at) AS (
                SELECT id, starts_at FROM restraint WHERE kind = 'maintenance' AND ", $of, "
                UNION
                SELECT r.id, r.starts_at FROM restraint r JOIN work w ON r.starts_at < w.starts_at AND r.ends_at >= w.starts_at
                WHERE r.kind = 'maintenance' AND r.starts_at < r.ends_at)
            SELECT id, kind, matchers, alert, include_firing, starts_at, ends_at, author, comment, created_at, changed_by, replaces,
                request, version
            FROM restraint WHERE id IN (SELECT id FROM work) AND NOT (", $of, ") ORDER BY created_at, id")
    };
}

statements! {
    MAKE = "INSERT INTO restraint (id, kind, matchers, alert, include_firing, starts_at, ends_at, author, comment, created_at,
            changed_by, replaces, request, version, settled)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, FALSE) ON CONFLICT DO NOTHING";
    CHANGE = "UPDATE restraint SET starts_at = $3, ends_at = $4, comment = $5, changed_by = $6, version = version + 1
        WHERE id = $1 AND version = $2 AND settled = FALSE";
    // One that was made while its alert was being cleared may begin after that.
    END_WITH_ALERT = "UPDATE restraint SET version = version + 1,
            ends_at = CASE WHEN starts_at > $2 THEN starts_at ELSE $2 END
        WHERE alert = $1 AND (ends_at IS NULL OR ends_at > $2)";
    ONE = "SELECT id, kind, matchers, alert, include_firing, starts_at, ends_at, author, comment, created_at, changed_by, replaces,
            request, version
        FROM restraint WHERE id = $1";
    LIST = "SELECT id, kind, matchers, alert, include_firing, starts_at, ends_at, author, comment, created_at, changed_by, replaces,
            request, version
        FROM restraint
        WHERE (kind = 'maintenance') = $1 AND (CAST($2 AS TEXT) IS NULL OR CAST($2 AS TEXT) =
                CASE WHEN ends_at <= $3 THEN 'expired' WHEN starts_at <= $3 THEN 'active' ELSE 'pending' END)
            AND (created_at, id) < ($4, $5)
        ORDER BY created_at DESC, id DESC LIMIT $6";
    UNSETTLED = "SELECT id, kind, matchers, alert, include_firing, starts_at, ends_at, author, comment, created_at, changed_by, replaces,
            request, version
        FROM restraint WHERE settled = FALSE ORDER BY created_at, id";
    GONE_ON_FROM = gone_on_from!("settled = FALSE");
    GONE_ON_FROM_AT = gone_on_from!("starts_at <= $1 AND ends_at > $1");
    COUNT_UNSETTLED = "SELECT COUNT(*) FROM restraint WHERE settled = FALSE";
    BETWEEN = "SELECT id, kind, matchers, alert, include_firing, starts_at, ends_at, author, comment, created_at, changed_by, replaces,
            request, version
        FROM restraint WHERE starts_at <= $2 AND (ends_at IS NULL OR ends_at > $1) ORDER BY created_at, id";
    // One that somebody has just made longer is not over.
    SETTLE = "UPDATE restraint SET settled = TRUE WHERE id = $1 AND ends_at <= $2";
}

impl TryFrom<Raw> for Restraint {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let bad = |what: String| StoreError::Inconsistent { table: "restraint", id: raw.id.to_string(), what };
        let matchers = || -> Result<Matchers, StoreError> {
            let json = raw.matchers.as_deref().ok_or_else(|| bad("no matchers".to_owned()))?;
            serde_json::from_str(json).map_err(|error| bad(format!("matchers: {error}")))
        };
        let kind = match (raw.kind.as_str(), raw.alert) {
            ("silence", None) => Kind::Silence(matchers()?),
            ("until_resolved", Some(alert)) => Kind::UntilResolved(AlertId(alert)),
            ("maintenance", None) => Kind::Maintenance { matchers: matchers()?, include_firing: raw.include_firing },
            (kind, _) => return Err(bad(format!("kind `{kind}`"))),
        };
        Ok(Self {
            id: RestraintId(raw.id),
            kind,
            starts: Timestamp::from_millis(raw.starts_at),
            ends: raw.ends_at.map(Timestamp::from_millis),
            author: raw.author.into(),
            comment: raw.comment.into(),
            created_at: Timestamp::from_millis(raw.created_at),
            changed_by: raw.changed_by.into(),
            replaces: raw.replaces.map(RestraintId),
        })
    }
}

impl Tx {
    /// Silences until an alert is resolved end with it.
    pub(super) async fn end_silences_of(&mut self, alert: AlertId, at: Timestamp) -> Result<(), StoreError> {
        on!(self, "end the silences of an alert", conn => sqlx::query(END_WITH_ALERT).bind(alert.0).bind(at.millis())
            .execute(conn).await.map(drop))
    }

    /// Returns false if there is one of that id.
    async fn insert_restraint(&mut self, restraint: &Restraint, request: Option<Uuid>) -> Result<bool, StoreError> {
        let (kind, alert, include_firing) = match &restraint.kind {
            Kind::Silence(_) => ("silence", None, false),
            Kind::UntilResolved(alert) => ("until_resolved", Some(alert.0), false),
            Kind::Maintenance { include_firing, .. } => ("maintenance", None, *include_firing),
        };
        let matchers = restraint.kind.matchers().map(json);
        on!(self, "store a silence or a maintenance window", conn => sqlx::query(MAKE)
            .bind(restraint.id.0).bind(kind).bind(matchers).bind(alert).bind(include_firing)
            .bind(restraint.starts.millis()).bind(restraint.ends.map(Timestamp::millis)).bind(&*restraint.author)
            .bind(&*restraint.comment).bind(restraint.created_at.millis()).bind(&*restraint.changed_by)
            .bind(restraint.replaces.map(|id| id.0)).bind(request)
            .execute(conn).await.map(|done| done.rows_affected() == 1))
    }

    async fn restraint(&mut self, id: RestraintId) -> Result<Option<Raw>, StoreError> {
        on!(self, "read a silence or a maintenance window", conn => sqlx::query_as(ONE).bind(id.0)
            .fetch_optional(conn).await)
    }

    async fn unsettled(&mut self) -> Result<Vec<Restraint>, StoreError> {
        let raw: Vec<Raw> = on!(self, "read silences and maintenance windows", conn => sqlx::query_as(UNSETTLED)
            .fetch_all(conn).await)?;
        raw.into_iter().map(Restraint::try_from).collect()
    }

    /// Maintenance windows that are settled, and that others went on from which are not.
    async fn gone_on_from(&mut self) -> Result<Vec<Restraint>, StoreError> {
        let raw: Vec<Raw> = on!(self, "read earlier maintenance windows", conn => sqlx::query_as(GONE_ON_FROM)
            .fetch_all(conn).await)?;
        raw.into_iter().map(Restraint::try_from).collect()
    }

    /// Maintenance windows that were over at `at`, and that others went on from which were not.
    async fn gone_on_from_at(&mut self, at: Timestamp) -> Result<Vec<Restraint>, StoreError> {
        let raw: Vec<Raw> = on!(self, "read earlier maintenance windows", conn => sqlx::query_as(GONE_ON_FROM_AT)
            .bind(at.millis()).fetch_all(conn).await)?;
        raw.into_iter().map(Restraint::try_from).collect()
    }

    /// Those that were active at any time from `from` to `to`.
    async fn restraints_between(&mut self, from: Timestamp, to: Timestamp) -> Result<Vec<Restraint>, StoreError> {
        let raw: Vec<Raw> = on!(self, "read silences and maintenance windows", conn => sqlx::query_as(BETWEEN)
            .bind(from.millis()).bind(to.millis()).fetch_all(conn).await)?;
        raw.into_iter().map(Restraint::try_from).collect()
    }
}

impl Tx {
    /// What is told of a change of a restraint; of its site, if it is about one alone.
    async fn told(
        &mut self,
        actor: &Actor,
        at: Timestamp,
        verb: &str,
        restraint: &Restraint,
    ) -> Result<Change, StoreError> {
        let what = if restraint.kind.is_maintenance() { "maintenance" } else { "silence" };
        let site = match &restraint.kind {
            Kind::UntilResolved(alert) => self.alert(*alert).await?.map(|alert| alert.site),
            Kind::Silence(matchers) | Kind::Maintenance { matchers, .. } => only_site(matchers),
        };
        Ok(Change::new(actor, at, format!("{what}.{verb}"), restraint.id.to_string()).of_site(site.as_ref()))
    }
}

/// The only site that matchers are about, if there is one.
fn only_site(matchers: &Matchers) -> Option<SiteId> {
    let (_, mut named) = matchers.fields().find(|(field, _)| *field == Field::Site)?;
    let first = named.next()?;
    if named.next().is_some() { None } else { first.parse().ok() }
}

/// A restraint in the words of the API.
fn described(restraint: &Restraint) -> String {
    let (alert, firing) = match &restraint.kind {
        Kind::Silence(_) => (None, None),
        Kind::UntilResolved(alert) => (Some(alert.to_string()), None),
        Kind::Maintenance { include_firing, .. } => (None, Some(*include_firing)),
    };
    let all = [
        ("id", Some(restraint.id.to_string().into())),
        ("matchers", restraint.kind.matchers().map(|matchers| serde_json::json!(matchers))),
        ("until_resolved", alert.map(Into::into)),
        ("include_firing", firing.map(Into::into)),
        ("starts", Some(restraint.starts.millis().into())),
        ("ends", restraint.ends.map(|ends| ends.millis().into())),
        ("comment", Some((*restraint.comment).into())),
    ];
    let there = all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    serde_json::Value::Object(there.collect()).to_string()
}

impl Store {
    /// The maintenance windows that were active at any time of a period.
    pub async fn maintenance_between(&self, (from, to): (Timestamp, Timestamp)) -> Result<Vec<Restraint>, StoreError> {
        let mut all = self.read().await?.restraints_between(from, to).await?;
        all.retain(|restraint| restraint.kind.is_maintenance());
        Ok(all)
    }

    /// Stores a new restraint. `request` stands for what was asked for, where a repeat of it must make no second one: its id is then
    /// derived from the key of the request.
    pub async fn make_restraint(
        &self,
        restraint: &Restraint,
        request: Option<Uuid>,
        actor: &Actor,
    ) -> Result<Made, StoreError> {
        let mut tx = self.begin().await?;
        if let Some(before) = tx.restraint(restraint.id).await? {
            return repeat(before, request);
        }
        let count: i64 = on!(&mut tx, "count silences and maintenance windows", conn =>
            sqlx::query_scalar(COUNT_UNSETTLED).fetch_one(conn).await)?;
        if count >= MOST {
            return Ok(Made::TooMany);
        }
        if let Kind::UntilResolved(alert) = &restraint.kind
            && !tx.hold_open(*alert).await?
        {
            return Ok(Made::NotOpen);
        }
        if !tx.insert_restraint(restraint, request).await? {
            // On PostgreSQL the same request may have come in at the same moment.
            let before = tx.restraint(restraint.id).await?;
            return before.map_or(Ok(Made::Other), |before| repeat(before, request));
        }
        let told = tx.told(actor, restraint.created_at, "make", restraint).await?.after(described(restraint));
        tx.commit_with(&told).await?;
        Ok(Made::New)
    }

    /// One restraint.
    pub async fn restraint(&self, id: RestraintId) -> Result<Option<Restraint>, StoreError> {
        self.read().await?.restraint(id).await?.map(Restraint::try_from).transpose()
    }

    /// Changes a restraint as `change` decides, and returns the one that holds from now on.
    pub async fn change_restraint(
        &self,
        id: RestraintId,
        (actor, now): (&Actor, Timestamp),
        change: impl FnOnce(&Restraint) -> Result<Changed, ChangeError> + Send,
    ) -> Result<Restraint, ChangeError> {
        let mut tx = self.begin().await?;
        let raw = tx.restraint(id).await?.ok_or(ChangeError::NotFound)?;
        let version = raw.version;
        let before = Restraint::try_from(raw)?;
        let (same, new) = match change(&before)? {
            Changed::Same(same) => (same, None),
            Changed::Replaced { old, new } => (old, Some(new)),
        };
        let changed = on!(&mut tx, "change a silence or a maintenance window", conn => sqlx::query(CHANGE)
            .bind(same.id.0).bind(version).bind(same.starts.millis()).bind(same.ends.map(Timestamp::millis))
            .bind(&*same.comment).bind(&*same.changed_by).execute(conn).await.map(|done| done.rows_affected()))?;
        if changed == 0 {
            return Err(ChangeError::Conflict);
        }
        if let Some(new) = &new {
            tx.insert_restraint(new, None).await?;
        }
        let after = new.as_ref().unwrap_or(&same);
        let over = after.state(now) == State::Expired;
        let told = tx.told(actor, now, if over { "end" } else { "change" }, &before).await?;
        tx.commit_with(&told.before(described(&before)).after(described(after))).await?;
        Ok(new.unwrap_or(same))
    }

    /// One page of restraints as they stand at `now`, newest first, and where the next begins.
    pub async fn restraints(
        &self,
        filter: RestraintFilter,
        now: Timestamp,
        after: Option<&Cursor>,
        limit: i64,
    ) -> Result<Result<(Vec<Restraint>, Option<Cursor>), CursorError>, StoreError> {
        let key = match after {
            None => Ok((i64::MAX, Uuid::max())),
            Some(cursor) => {
                cursor.number(0).and_then(|at| cursor.text(1)?.parse().map(|id| (at, id)).map_err(|_| CursorError))
            }
        };
        let Ok((at, id)) = key else { return Ok(Err(CursorError)) };
        let mut tx = self.read().await?;
        let raw: Vec<Raw> = on!(&mut tx, "read silences and maintenance windows", conn => sqlx::query_as(LIST)
            .bind(filter.maintenance).bind(filter.state.map(State::as_str)).bind(now.millis()).bind(at).bind(id)
            .bind(limit + 1).fetch_all(conn).await)?;
        let mut rows = raw.into_iter().map(Restraint::try_from).collect::<Result<Vec<_>, _>>()?;
        let next = page::cut(&mut rows, limit, |row| vec![row.created_at.millis().to_string(), row.id.to_string()]);
        Ok(Ok((rows, next)))
    }

    /// Every restraint that was in force at `at`, even if it is over now, and the maintenance windows that those went on from.
    pub async fn restraints_at(&self, at: Timestamp) -> Result<Vec<Restraint>, StoreError> {
        let mut tx = self.read().await?;
        let (mut found, earlier) = (tx.restraints_between(at, at).await?, tx.gone_on_from_at(at).await?);
        found.extend(earlier);
        Ok(found)
    }

    /// Every restraint whose end has not been told.
    pub async fn unsettled_restraints(&self) -> Result<Vec<Restraint>, StoreError> {
        self.read().await?.unsettled().await
    }

    /// The maintenance windows that are settled, and that others went on from without a gap whose end has not been told: what began in
    /// those began in the same work.
    pub async fn earlier_maintenance(&self) -> Result<Vec<Restraint>, StoreError> {
        self.read().await?.gone_on_from().await
    }

    /// Ends what is over at `now`: an alert that still fires and that nothing keeps quiet any more is told anew, once, whatever else kept
    /// it quiet before, and is followed up from its first post again. Returns the sites of such alerts.
    pub async fn settle_restraints(&self, setup: &Setup, now: Timestamp) -> Result<Vec<SiteId>, StoreError> {
        let mut tx = self.begin().await?;
        let mut all = tx.unsettled().await?;
        let standing = |wanted| {
            let so = all.iter().filter(|restraint| restraint.state(now) == wanted);
            so.map(|restraint| restraint.id).collect::<Vec<RestraintId>>()
        };
        let (over, going_on) = (standing(State::Expired), standing(State::Active));
        if over.is_empty() {
            return Ok(Vec::new());
        }
        all.extend(tx.gone_on_from().await?);
        let filter = AlertFilter { open: Some(true), ..AlertFilter::default() };
        // Alerts that were kept quiet until now, and tickets about something else that was not.
        let (mut unmuted, mut heard) = (Vec::new(), BTreeSet::new());
        for alert in tx.alerts(&filter, (i64::MAX, Uuid::max()), i64::MAX).await? {
            let facts = alert.facts();
            let about = about(&all, &facts);
            let ended = about.iter().filter(|restraint| over.contains(&restraint.id)).filter_map(|restraint| {
                restraint.ends.filter(|ends| restraint.starts < *ends && facts.opened_at < *ends)
            });
            // What is settled is over, also by a clock that was set back.
            if about.iter().any(|restraint| going_on.contains(&restraint.id)) {
                continue;
            }
            if let Some(ended) = ended.max() {
                unmuted.push((alert, ended));
            } else if alert.victim_of.is_none() {
                heard.extend(alert.ticket);
            }
        }
        if !unmuted.is_empty() {
            tx.await_openers().await?;
        }
        for (alert, ended) in &unmuted {
            let alone = alert.ticket.as_ref().is_none_or(|ticket| !heard.contains(ticket));
            tx.unmute(alert, (*ended, now), setup, alone).await?;
        }
        for restraint in over {
            on!(&mut tx, "settle a silence or a maintenance window", conn => sqlx::query(SETTLE).bind(restraint.0).bind(now.millis())
                .execute(conn).await.map(drop))?;
        }
        tx.commit().await?;
        let sites: BTreeSet<SiteId> = unmuted.into_iter().map(|(alert, _)| alert.site).collect();
        Ok(sites.into_iter().collect())
    }
}

fn repeat(before: Raw, request: Option<Uuid>) -> Result<Made, StoreError> {
    if request.is_some() && before.request == request {
        return Restraint::try_from(before).map(Made::Repeat);
    }
    Ok(Made::Other)
}

fn json(matchers: &Matchers) -> String {
    serde_json::to_string(matchers).expect("matchers are texts under the names of fields")
}
