//! Who is on duty. What has been stays as it was: an import ends and begins duties from now on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use lobby_contract::SiteId;
use lobby_domain::{
    roster::{AHEAD, Changes, Duty, Gap, Holder, KEPT_FOR, Plan, Staffing, gaps},
    time::Timestamp,
};

use super::{Store, StoreError, Tx, on, statements};
use crate::audit::{Actor, Change};

statements! {
    HOLD_ROSTER = "INSERT INTO roster (site, changed_at) VALUES ($1, $2)
        ON CONFLICT (site) DO UPDATE SET changed_at = excluded.changed_at";
    ROSTERS = "SELECT site FROM roster ORDER BY site";
    DUTIES = "SELECT duty.day, duty.post, duty.place, duty.person, person.name, duty.starts_at, duty.ends_at, person.disabled_at
        FROM duty JOIN person ON person.id = duty.person
        WHERE duty.site = $1 AND duty.ends_at > $2 AND duty.starts_at < $3
        ORDER BY duty.starts_at, duty.post, duty.place, person.login";
    DUTIES_OF_ALL = "SELECT duty.site, duty.day, duty.post, duty.place, duty.person, person.name, duty.starts_at, duty.ends_at,
            person.disabled_at
        FROM duty JOIN person ON person.id = duty.person
        WHERE duty.site IN (SELECT roster.site FROM roster) AND duty.ends_at > $1 AND duty.starts_at < $2
        ORDER BY duty.site, duty.post, duty.place, duty.starts_at, person.login";
    POSTS = "SELECT DISTINCT post FROM duty WHERE site = $1 AND ends_at > $2 ORDER BY post";
    THERE = "SELECT duty.post, person.id, person.name FROM duty JOIN person ON person.id = duty.person
        WHERE duty.site = $1 AND duty.starts_at <= $2 AND duty.ends_at > $2
        AND (person.disabled_at IS NULL OR person.disabled_at > $2)
        ORDER BY duty.post, duty.place, duty.starts_at, person.login";
    KEPT = "SELECT DISTINCT post FROM duty WHERE site = $1 AND starts_at <= $2 AND ends_at > $3";
    BEGIN_DUTY = "INSERT INTO duty (site, day, post, person, starts_at, ends_at, place) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    END_DUTY = "UPDATE duty SET ends_at = $6 WHERE site = $1 AND day = $2 AND post = $3 AND person = $4 AND starts_at = $5";
    FORGET_DUTY = "DELETE FROM duty WHERE site = $1 AND day = $2 AND post = $3 AND person = $4 AND starts_at = $5";
}

/// Most duties that an entry of the audit log names.
const NAMED: usize = 200;

/// A duty as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DutyRow {
    /// The duty.
    pub duty: Duty,
    /// Since when whose duty it is may no longer sign in: from then on they are not on duty.
    pub disabled_at: Option<Timestamp>,
}

impl DutyRow {
    /// The time in which they are truly on duty.
    fn effective(self) -> Option<Duty> {
        let until = self.disabled_at.map_or(self.duty.until, |disabled| disabled.min(self.duty.until));
        (self.duty.from < until).then_some(Duty { until, ..self.duty })
    }
}

/// The coming days of a site that keeps a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coming {
    /// Its posts: those of the roster, unless others were asked for.
    pub posts: Vec<Box<str>>,
    /// When they have nobody.
    pub gaps: Vec<Gap>,
}

/// Who is on duty at the posts of a site of which a roster is kept.
#[derive(Debug)]
pub(super) struct Posts(BTreeMap<Box<str>, Vec<Holder>>);

impl Posts {
    /// Who is at a post.
    pub(super) fn at(&self, post: &str) -> Staffing {
        match self.0.get(post) {
            None => Staffing::Unkept,
            Some(people) if people.is_empty() => Staffing::Nobody,
            Some(people) => Staffing::People(people.clone()),
        }
    }
}

type RawDuty = (String, String, i64, String, String, i64, i64, Option<i64>);

fn duty_row((day, post, place, id, name, from, until, disabled_at): RawDuty) -> Result<DutyRow, StoreError> {
    let bad = |error: jiff::Error| StoreError::Inconsistent { table: "duty", id: day.clone(), what: error.to_string() };
    let day: Date = day.parse().map_err(bad)?;
    let [from, until] = [from, until].map(Timestamp::from_millis);
    let who = Holder { id: id.into(), name: name.into() };
    let duty = Duty { day, post: post.into(), place, who, from, until };
    Ok(DutyRow { duty, disabled_at: disabled_at.map(Timestamp::from_millis) })
}

/// Duties in words, for the audit log.
fn described(duties: &[Duty]) -> String {
    let minute = |at: Timestamp| {
        let at = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
        at.strftime("%Y-%m-%dT%H:%MZ").to_string()
    };
    let one = |duty: &Duty| {
        format!("{} {} {} {}/{}", duty.day, duty.post, duty.who.name, minute(duty.from), minute(duty.until))
    };
    let mut lines: Vec<String> = duties.iter().take(NAMED).map(one).collect();
    if let Some(more) = duties.len().checked_sub(NAMED).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    lines.join("; ")
}

impl Tx {
    /// Who is on duty at the posts of a site at that time. Of a post a roster is kept from its first duty on until [`KEPT_FOR`] after its
    /// last.
    pub(super) async fn posts(&mut self, site: &SiteId, at: Timestamp) -> Result<Posts, StoreError> {
        let kept: Vec<String> = on!(self, "look of which posts a roster is kept", conn => sqlx::query_scalar(KEPT)
            .bind(site.as_str()).bind(at.millis()).bind((at - KEPT_FOR).millis()).fetch_all(conn).await)?;
        let mut posts: BTreeMap<Box<str>, Vec<Holder>> =
            kept.into_iter().map(|post| (post.into(), Vec::new())).collect();
        if posts.is_empty() {
            return Ok(Posts(posts));
        }
        let there: Vec<(String, String, String)> = on!(self, "look up who is on duty", conn => sqlx::query_as(THERE)
            .bind(site.as_str()).bind(at.millis()).fetch_all(conn).await)?;
        for (post, id, name) in there {
            let people = posts.entry(post.into()).or_default();
            if people.iter().all(|known| *known.id != *id) {
                people.push(Holder { id: id.into(), name: name.into() });
            }
        }
        Ok(Posts(posts))
    }

    pub(super) async fn duties(
        &mut self,
        site: &SiteId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<DutyRow>, StoreError> {
        let rows: Vec<RawDuty> = on!(self, "read a roster", conn => sqlx::query_as(DUTIES).bind(site.as_str())
            .bind(from.millis()).bind(until.millis()).fetch_all(conn).await)?;
        rows.into_iter().map(duty_row).collect()
    }

    async fn roster_posts(&mut self, site: &SiteId, at: Timestamp) -> Result<Vec<Box<str>>, StoreError> {
        let posts: Vec<String> = on!(self, "read the posts of a roster", conn => sqlx::query_scalar(POSTS)
            .bind(site.as_str()).bind((at - KEPT_FOR).millis()).fetch_all(conn).await)?;
        Ok(posts.into_iter().map(Into::into).collect())
    }

    async fn roster_changes(&mut self, site: &SiteId, plan: &Plan, now: Timestamp) -> Result<Changes, StoreError> {
        let rows = self.duties(site, now, Timestamp::from_millis(i64::MAX)).await?;
        let stored: Vec<Duty> = rows.into_iter().map(|row| row.duty).collect();
        Ok(plan.changes(&stored, now))
    }

    pub(super) async fn end_duty(&mut self, site: &SiteId, duty: &Duty, now: Timestamp) -> Result<(), StoreError> {
        let (site, day, post, who) = (site.as_str(), duty.day.to_string(), &*duty.post, &*duty.who.id);
        if duty.from < now {
            return on!(self, "end a duty", conn => sqlx::query(END_DUTY).bind(site).bind(day).bind(post).bind(who)
                .bind(duty.from.millis()).bind(now.millis()).execute(conn).await.map(drop));
        }
        on!(self, "take a duty away", conn => sqlx::query(FORGET_DUTY).bind(site).bind(day).bind(post).bind(who)
            .bind(duty.from.millis()).execute(conn).await.map(drop))
    }

    async fn begin_duty(&mut self, site: &SiteId, duty: &Duty) -> Result<(), StoreError> {
        on!(self, "store a duty", conn => sqlx::query(BEGIN_DUTY).bind(site.as_str()).bind(duty.day.to_string())
            .bind(&*duty.post).bind(&*duty.who.id).bind(duty.from.millis()).bind(duty.until.millis()).bind(duty.place)
            .execute(conn).await.map(drop))
    }
}

impl Store {
    /// The duties of all sites between two times as they truly are, in the order in which people answer for their posts.
    pub async fn duties_of_all(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<SiteId, Vec<Duty>>, StoreError> {
        type OfSite = (String, String, String, i64, String, String, i64, i64, Option<i64>);
        let mut tx = self.read().await?;
        let rows: Vec<OfSite> = on!(&mut tx, "read the rosters", conn => sqlx::query_as(DUTIES_OF_ALL)
            .bind(from.millis()).bind(until.millis()).fetch_all(conn).await)?;
        let mut all: BTreeMap<SiteId, Vec<Duty>> = BTreeMap::new();
        for (site, day, post, place, id, name, starts, ends, disabled) in rows {
            let site: SiteId = site.parse().map_err(|error| StoreError::Inconsistent {
                table: "duty",
                id: day.clone(),
                what: format!("site: {error}"),
            })?;
            let row = duty_row((day, post, place, id, name, starts, ends, disabled))?;
            all.entry(site).or_default().extend(row.effective());
        }
        Ok(all)
    }

    /// Who is on duty at each post of a site's roster at that time; `None` if it keeps none.
    pub async fn on_duty(
        &self,
        site: &SiteId,
        at: Timestamp,
    ) -> Result<Option<BTreeMap<Box<str>, Vec<Holder>>>, StoreError> {
        let mut tx = self.read().await?;
        let Posts(mut posts) = tx.posts(site, at).await?;
        if posts.is_empty() {
            return Ok(None);
        }
        for post in tx.roster_posts(site, at).await? {
            posts.entry(post).or_default();
        }
        Ok(Some(posts))
    }

    /// Who is on duty at a post of a site at that time.
    pub async fn staffing(&self, site: &SiteId, post: &str, at: Timestamp) -> Result<Staffing, StoreError> {
        Ok(self.read().await?.posts(site, at).await?.at(post))
    }

    /// A site's duties between two times, in order.
    pub async fn duties(&self, site: &SiteId, from: Timestamp, until: Timestamp) -> Result<Vec<DutyRow>, StoreError> {
        self.read().await?.duties(site, from, until).await
    }

    /// When a post of the roster, or one of `posts` if any are given, has nobody in the coming days; `None` if the site has no roster
    /// for them.
    pub async fn coming(
        &self,
        site: &SiteId,
        posts: &[Box<str>],
        now: Timestamp,
    ) -> Result<Option<Coming>, StoreError> {
        let mut tx = self.read().await?;
        let named = tx.roster_posts(site, now).await?;
        if named.is_empty() {
            return Ok(None);
        }
        let posts = if posts.is_empty() { named } else { posts.to_vec() };
        let rows = tx.duties(site, now, now + AHEAD).await?;
        let duties: Vec<Duty> = rows.into_iter().filter_map(DutyRow::effective).collect();
        let gaps = gaps(&duties, posts.iter().map(|post| &**post), now, now + AHEAD);
        Ok(Some(Coming { posts, gaps }))
    }

    /// The sites that were given a roster.
    pub async fn sites_with_roster(&self) -> Result<BTreeSet<SiteId>, StoreError> {
        let mut tx = self.read().await?;
        let sites: Vec<String> =
            on!(&mut tx, "read which sites have a roster", conn => sqlx::query_scalar(ROSTERS).fetch_all(conn).await)?;
        let site = |site: String| {
            site.parse().map_err(|error: lobby_contract::NameError| StoreError::Inconsistent {
                table: "roster",
                id: site.clone(),
                what: error.to_string(),
            })
        };
        sites.into_iter().map(site).collect()
    }

    /// What an import of `plan` would change.
    pub async fn roster_changes(&self, site: &SiteId, plan: &Plan, now: Timestamp) -> Result<Changes, StoreError> {
        self.read().await?.roster_changes(site, plan, now).await
    }

    /// Puts `plan` in the place of what was planned for its days and posts, from now on. Returns what that changed.
    pub async fn import_roster(
        &self,
        site: &SiteId,
        plan: &Plan,
        now: Timestamp,
        actor: &Actor,
    ) -> Result<Changes, StoreError> {
        let mut tx = self.begin().await?;
        on!(&mut tx, "hold a roster", conn => sqlx::query(HOLD_ROSTER).bind(site.as_str()).bind(now.millis())
            .execute(conn).await.map(drop))?;
        let changes = tx.roster_changes(site, plan, now).await?;
        if changes.is_empty() {
            // Nothing is committed: the roster is what it was.
            return Ok(changes);
        }
        for duty in &changes.ends {
            tx.end_duty(site, duty, now).await?;
        }
        for duty in &changes.begins {
            tx.begin_duty(site, duty).await?;
        }
        let told = Change::new(actor, now, "roster.import", site.as_str()).of_site(Some(site));
        tx.commit_with(&told.before(described(&changes.ends)).after(described(&changes.begins))).await?;
        Ok(changes)
    }
}
