//! What people hold: the first role with its site stands with the person, any further one here.

use std::collections::BTreeMap;

use lobby_contract::SiteId;
use lobby_domain::{
    access::{Grant, Role},
    time::Timestamp,
};

use super::{PersonError, PersonRow, Store, StoreError, Tx, on, statements};
use crate::audit::{Actor, Change};

statements! {
    FURTHER = "SELECT person, role, site FROM person_grant ORDER BY person, given_at, role, site";
    FURTHER_OF = "SELECT person, role, site FROM person_grant WHERE person = $1 ORDER BY given_at, role, site";
    // A change of the row keeps two from changing what the same person holds at once.
    HOLD_PERSON = "UPDATE person SET role = role WHERE id = $1";
    GIVE = "INSERT INTO person_grant (person, role, site, given_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    TAKE = "DELETE FROM person_grant WHERE person = $1 AND role = $2 AND site = $3";
    FORGET_GRANTS = "DELETE FROM person_grant WHERE person = $1";
    SET_FIRST = "UPDATE person SET role = $2, site = $3 WHERE id = $1";
    DUTY_SITES = "SELECT DISTINCT site FROM duty WHERE person = $1 AND ends_at > $2 ORDER BY site";
}

type RawGrant = (String, String, String);

/// A site as it stands in a further grant; empty for all of them.
fn site_text(grant: &Grant) -> &str {
    grant.site.as_ref().map_or("", SiteId::as_str)
}

fn further((person, role, site): RawGrant) -> Result<(String, Grant), StoreError> {
    let bad = |what: String| StoreError::Inconsistent { table: "person_grant", id: person.clone(), what };
    let role: Role = role.parse().map_err(|error: lobby_domain::access::NoSuchRole| bad(error.to_string()))?;
    let site = (!site.is_empty()).then(|| site.parse()).transpose();
    let site = site.map_err(|error: lobby_contract::NameError| bad(error.to_string()))?;
    Ok((person, Grant { role, site }))
}

/// All that somebody holds in words, for the audit log.
fn described(row: &PersonRow) -> String {
    row.grants().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Tx {
    /// What everybody holds besides what they were granted first.
    pub(super) async fn further(&mut self) -> Result<BTreeMap<String, Vec<Grant>>, StoreError> {
        let rows: Vec<RawGrant> =
            on!(self, "read what people hold", conn => sqlx::query_as(FURTHER).fetch_all(conn).await)?;
        let mut all: BTreeMap<String, Vec<Grant>> = BTreeMap::new();
        for row in rows {
            let (person, grant) = further(row)?;
            all.entry(person).or_default().push(grant);
        }
        Ok(all)
    }

    /// What somebody holds besides what they were granted first.
    pub(super) async fn further_of(&mut self, person: &str) -> Result<Vec<Grant>, StoreError> {
        let rows: Vec<RawGrant> = on!(self, "read what somebody holds", conn => sqlx::query_as(FURTHER_OF).bind(person)
            .fetch_all(conn).await)?;
        rows.into_iter().map(|row| Ok(further(row)?.1)).collect()
    }

    /// Keeps others from changing what somebody holds at the same time.
    pub(super) async fn hold_person(&mut self, person: &str) -> Result<(), StoreError> {
        on!(self, "hold somebody", conn => sqlx::query(HOLD_PERSON).bind(person).execute(conn).await.map(drop))
    }

    /// Whoever is erased holds nothing but what they were granted first, by which history may still tell what they were.
    pub(super) async fn forget_grants(&mut self, person: &str) -> Result<(), StoreError> {
        on!(self, "forget what somebody held", conn => sqlx::query(FORGET_GRANTS).bind(person).execute(conn).await.map(drop))
    }

    async fn take_further(&mut self, person: &str, grant: &Grant) -> Result<(), StoreError> {
        on!(self, "take a role away", conn => sqlx::query(TAKE).bind(person).bind(grant.role.as_str())
            .bind(site_text(grant)).execute(conn).await.map(drop))
    }

    /// Ends the duties that somebody has from now on where they hold nothing any more: a roster that named them there would leave the post
    /// without anybody who is told. Returns how many ended at each site.
    async fn end_duties_elsewhere(
        &mut self,
        row: &PersonRow,
        now: Timestamp,
    ) -> Result<BTreeMap<SiteId, usize>, StoreError> {
        let sites: Vec<String> = on!(self, "look where somebody is on duty", conn => sqlx::query_scalar(DUTY_SITES)
            .bind(&row.id).bind(now.millis()).fetch_all(conn).await)?;
        let mut ended = BTreeMap::new();
        for site in sites {
            let bad = |error: lobby_contract::NameError| StoreError::Inconsistent {
                table: "duty",
                id: row.id.clone(),
                what: error.to_string(),
            };
            let site: SiteId = site.parse().map_err(bad)?;
            if row.reaches(&site) {
                continue;
            }
            let duties = self.duties(&site, now, Timestamp::from_millis(i64::MAX)).await?;
            for duty in duties.into_iter().map(|row| row.duty).filter(|duty| *duty.who.id == *row.id) {
                self.end_duty(&site, &duty, now).await?;
                *ended.entry(site.clone()).or_insert(0) += 1;
            }
        }
        Ok(ended)
    }
}

impl Store {
    /// Grants somebody one more role, at one site or at all; what they hold already changes nothing. Returns them with all that they hold.
    ///
    /// # Errors
    ///
    /// If there is nobody of that id, they were erased, or the database fails.
    pub async fn give_grant(
        &self,
        id: &str,
        grant: &Grant,
        now: Timestamp,
        actor: &Actor,
    ) -> Result<PersonRow, PersonError> {
        let mut tx = self.begin().await?;
        tx.hold_person(id).await?;
        let row = tx.present(id).await?;
        if row.grants().any(|held| held == grant) {
            tx.commit().await?;
            return Ok(row);
        }
        on!(&mut tx, "grant a role", conn => sqlx::query(GIVE).bind(id).bind(grant.role.as_str()).bind(site_text(grant))
            .bind(now.millis()).execute(conn).await.map(drop))?;
        let before = described(&row);
        let row = tx.present(id).await?;
        let told = Change::new(actor, now, "person.grant", id).of_site(grant.site.as_ref());
        tx.commit_with(&told.before(before).after(described(&row))).await?;
        Ok(row)
    }

    /// Takes a role away that somebody holds, with all that it let them do, and the duties of theirs at a site where they hold nothing any
    /// more; what they do not hold changes nothing. Returns them with what they still hold.
    ///
    /// # Errors
    ///
    /// If there is nobody of that id, they were erased, it is all that they hold, nobody could administer the product any more, or the
    /// database fails.
    pub async fn take_grant(
        &self,
        id: &str,
        grant: &Grant,
        now: Timestamp,
        actor: &Actor,
    ) -> Result<PersonRow, PersonError> {
        let mut tx = self.begin().await?;
        tx.hold_admins().await?;
        tx.hold_person(id).await?;
        let row = tx.present(id).await?;
        if !row.grants().any(|held| held == grant) {
            tx.commit().await?;
            return Ok(row);
        }
        let Some(next) = row.further.first() else { return Err(PersonError::OnlyGrant) };
        if *grant == (Grant { role: Role::Admin, site: None }) {
            tx.others_administer(&row).await?;
        }
        if row.grant == *grant {
            // The next one becomes the first.
            tx.take_further(id, next).await?;
            on!(&mut tx, "set what somebody was granted first", conn => sqlx::query(SET_FIRST).bind(id)
                .bind(next.role.as_str()).bind(next.site.as_ref().map(SiteId::as_str)).execute(conn).await.map(drop))?;
        } else {
            tx.take_further(id, grant).await?;
        }
        let before = described(&row);
        let row = tx.present(id).await?;
        let ended = tx.end_duties_elsewhere(&row, now).await?;
        let ended = ended.iter().map(|(site, number)| format!("; {number} of their duties at {site} ended"));
        let after = described(&row) + &ended.collect::<String>();
        let told = Change::new(actor, now, "person.revoke", id).of_site(grant.site.as_ref());
        tx.commit_with(&told.before(before).after(after)).await?;
        Ok(row)
    }
}
