//! Where people are told themselves, and of what: their addresses, each confirmed by a code, and their preferences.

use std::{collections::BTreeMap, fmt};

use lobby_contract::SiteId;
use lobby_domain::{
    access::Grant,
    alert::AlertId,
    label::Lang,
    notice::{Preferences, What},
    roster::Staffing,
    rule::Severity,
    time::{Span, Timestamp},
};
use uuid::Uuid;

use super::{PersonRow, Store, StoreError, Tx, on, statements};
use crate::audit::Change;

/// For how long a code is good.
pub const CODE_LASTS: Span = Span::from_mins(15);
/// So many wrong codes, and it is good no longer.
const MOST_TRIES: i64 = 5;
/// So many codes are sent to somebody …
const MOST_CODES: i64 = 5;
/// … in this time.
const CODES_PER: Span = Span::from_mins(60);
/// With what the name of everybody's own channel begins. No channel of a configuration has a colon in its name.
const OWN: &str = "person:";

/// The name of somebody's own channel: to the outbox each person who is told themselves is one.
pub fn channel_of(person: &str) -> String {
    format!("{OWN}{person}")
}

/// Whose own channel it is, if it is somebody's.
pub fn person_of(channel: &str) -> Option<&str> {
    channel.strip_prefix(OWN)
}

/// An address as those see it whom it does not concern: `l…@example.com`.
pub fn masked(address: &str) -> String {
    let (local, domain) = address.split_once('@').unwrap_or((address, ""));
    let first: String = local.chars().take(1).collect();
    format!("{first}…@{domain}")
}

/// Somebody's address.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ContactRow {
    /// Where they are told.
    pub address: Option<String>,
    /// The address to which a code was sent that has not been entered yet.
    pub asked: Option<String>,
    /// Until when that code is good.
    pub code_until: Option<Timestamp>,
}

/// Addresses are in no log.
impl fmt::Debug for ContactRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [address, asked] = [&self.address, &self.asked].map(|address| address.as_deref().map(masked));
        f.debug_struct("ContactRow").field("address", &address).field("asked", &asked).finish_non_exhaustive()
    }
}

/// What somebody has chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PreferenceRow {
    /// In which language; as the channel has it if none.
    pub lang: Option<Lang>,
    /// Of what, and when.
    pub told: Preferences,
}

/// Somebody who is told themselves: their address is confirmed and they may sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Who.
    pub person: String,
    /// Their name.
    pub name: String,
    /// What they hold, the first that they were granted first: the posts they are at where no roster is kept, and the sites they work at.
    pub grants: Vec<Grant>,
    /// Where they are told.
    pub address: String,
    /// What they have chosen.
    pub chosen: PreferenceRow,
}

impl Mailbox {
    /// The only sites they work at; `None` if that is every site.
    pub fn sites(&self) -> Option<Vec<&SiteId>> {
        self.grants.iter().map(|grant| grant.site.as_ref()).collect()
    }

    /// Whether they work at a site.
    pub fn reaches(&self, site: &SiteId) -> bool {
        self.grants.iter().any(|grant| grant.reaches(site))
    }

    /// Whether they are at a post of a site where no roster is kept.
    pub(super) fn is_at(&self, post: &str, site: &SiteId) -> bool {
        self.grants.iter().any(|grant| grant.role.as_str() == post && grant.reaches(site))
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("person", &self.person).finish_non_exhaustive()
    }
}

/// Why an address was not taken on.
#[derive(Debug, thiserror::Error)]
pub enum ContactError {
    /// Too many codes were asked for.
    #[error("too many codes were sent: ask for the next in {0}")]
    TooOften(Span),
    /// The code is another, was used, or is over.
    #[error("this is not the code that was sent last, or it is no longer good: ask for a new one")]
    Code,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

statements! {
    CONTACT = "SELECT address, asked, code_until FROM contact WHERE person = $1";
    // Whoever asks twice at once is counted twice.
    COUNT_CODE = "INSERT INTO contact (person, tries, sent, sent_since) VALUES ($1, 0, 1, $2) ON CONFLICT (person) DO UPDATE SET
            sent = CASE WHEN contact.sent_since <= $3 OR contact.sent_since > $2 THEN 1 ELSE contact.sent + 1 END,
            sent_since = CASE WHEN contact.sent_since <= $3 OR contact.sent_since > $2 THEN $2 ELSE contact.sent_since END
        RETURNING sent, sent_since";
    ASK = "UPDATE contact SET asked = $2, code = $3, code_until = $4, tries = 0 WHERE person = $1";
    TRY_CODE = "UPDATE contact SET tries = tries + 1 WHERE person = $1 AND code IS NOT NULL AND code_until > $2 AND tries < $3
        RETURNING asked, code";
    CONFIRM = "UPDATE contact SET address = asked, confirmed_at = $2, asked = NULL, code = NULL, code_until = NULL WHERE person = $1";
    // Told of what comes from this moment on.
    KNOW_OWN = "INSERT INTO channel (name, since, taken, answer) VALUES ($1, $2, FALSE, '') ON CONFLICT DO NOTHING";
    REMOVE = "UPDATE contact SET address = NULL, confirmed_at = NULL, asked = NULL, code = NULL, code_until = NULL
        WHERE person = $1 AND (address IS NOT NULL OR asked IS NOT NULL)";
    FORGET_CONTACT = "DELETE FROM contact WHERE person = $1";
    FORGET_PREFERENCE = "DELETE FROM preference WHERE person = $1";
    PREFERENCE = "SELECT lang, least, held_only, quiet FROM preference WHERE person = $1";
    PREFER = "INSERT INTO preference (person, lang, least, held_only, quiet) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (person) DO UPDATE
        SET lang = excluded.lang, least = excluded.least, held_only = excluded.held_only, quiet = excluded.quiet";
    MAILBOXES = "SELECT p.id, p.name, p.role, p.site, c.address, f.lang, f.least, f.held_only, f.quiet
        FROM contact c JOIN person p ON p.id = c.person LEFT JOIN preference f ON f.person = p.id
        WHERE c.address IS NOT NULL AND p.disabled_at IS NULL ORDER BY p.id";
    LAST = "SELECT state, answer FROM message WHERE channel = $1 AND state IN ('sent', 'dead')
        ORDER BY settled_at DESC LIMIT 1";
    // The sites that are theirs stand between commas. A message says what it says: one that tells of another site too is not sent at all.
    CANCEL_MESSAGE_ELSEWHERE = "UPDATE message SET state = 'cancelled', next_at = NULL, lease_until = NULL, settled_at = $3
        WHERE channel = $1 AND state IN ('sending', 'retry', 'queued')
            AND EXISTS (SELECT 1 FROM delivery d WHERE d.message = message.id
                AND replace(CAST($2 AS TEXT), ',' || d.site || ',', '') = CAST($2 AS TEXT))";
    CANCEL_ELSEWHERE = "UPDATE delivery SET state = 'cancelled', why = 'moved'
        WHERE channel = $1 AND state IN ('queued', 'sending', 'retry')
            AND (replace(CAST($2 AS TEXT), ',' || site || ',', '') = CAST($2 AS TEXT) OR message IN (SELECT m.id FROM message m WHERE m.channel = $1 AND m.state = 'cancelled'))";
    // Of each alert that waits for somebody: the priority of its ticket, and whether it is theirs to see to.
    FACTS = "SELECT a.id, t.priority, CASE WHEN e.holder = $2 OR t.owner_id = $2 THEN TRUE ELSE FALSE END FROM alert a
        LEFT JOIN ticket t ON t.number = a.ticket
        LEFT JOIN escalation e ON e.ended_at IS NULL AND (e.ticket = a.ticket OR (e.alert = a.id AND e.ticket IS NULL))
        WHERE a.id IN (SELECT d.alert FROM delivery d WHERE d.channel = $1 AND d.state = 'queued')";
    // What a message tells of and nobody else at the post was or will be told.
    ALONE = "SELECT COUNT(*) > 0 FROM delivery d WHERE d.message = $1 AND NOT EXISTS (SELECT 1 FROM delivery o
        WHERE o.event = d.event AND o.post = d.post AND o.channel <> d.channel
            AND o.state IN ('queued', 'sending', 'retry', 'sent', 'digested'))";
    WORKER = "SELECT t.owner_id FROM alert a JOIN ticket t ON t.number = a.ticket WHERE a.id = $1";
    HOLDER = "SELECT holder FROM escalation WHERE ended_at IS NULL AND holder IS NOT NULL
        AND (alert = $1 OR ticket = (SELECT a.ticket FROM alert a WHERE a.id = $1))";
}

#[derive(sqlx::FromRow)]
struct RawMailbox {
    id: String,
    name: String,
    role: String,
    site: Option<String>,
    address: String,
    lang: Option<String>,
    least: Option<String>,
    held_only: Option<bool>,
    quiet: Option<String>,
}

type RawPreference = (Option<String>, String, bool, Option<String>);

fn preference(person: &str, (lang, least, held_only, quiet): RawPreference) -> Result<PreferenceRow, StoreError> {
    let bad = |what: String| StoreError::Inconsistent { table: "preference", id: person.to_owned(), what };
    let lang = match lang.as_deref() {
        None => None,
        Some("zh") => Some(Lang::Zh),
        Some("en") => Some(Lang::En),
        Some(other) => return Err(bad(format!("language `{other}`"))),
    };
    let least = Severity::from_text(&least).ok_or_else(|| bad(format!("severity `{least}`")))?;
    let quiet = quiet.map(|text| text.parse()).transpose();
    let quiet = quiet.map_err(|error: lobby_domain::notice::QuietHoursError| bad(error.to_string()))?;
    Ok(PreferenceRow { lang, told: Preferences { least, held_only, quiet } })
}

const fn lang_text(lang: Lang) -> &'static str {
    match lang {
        Lang::Zh => "zh",
        Lang::En => "en",
    }
}

impl PreferenceRow {
    /// In words, for the audit log.
    fn described(&self) -> String {
        let lang = self.lang.map_or("channel", lang_text);
        let quiet = self.told.quiet.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        format!("lang {lang}, least {}, held only {}, quiet {quiet}", self.told.least.as_str(), self.told.held_only)
    }
}

/// Somebody who is told themselves, with what else they hold.
fn mailbox(raw: RawMailbox, further: Vec<Grant>) -> Result<Mailbox, StoreError> {
    let bad = |what: String| StoreError::Inconsistent { table: "person", id: raw.id.clone(), what };
    let role = raw.role.parse().map_err(|error: lobby_domain::access::NoSuchRole| bad(error.to_string()))?;
    let site = raw.site.as_ref().map(|site| site.parse()).transpose();
    let site = site.map_err(|error: lobby_contract::NameError| bad(error.to_string()))?;
    let chosen = match (raw.least, raw.held_only) {
        (Some(least), Some(held_only)) => preference(&raw.id, (raw.lang, least, held_only, raw.quiet))?,
        _ => PreferenceRow::default(),
    };
    let grants = [vec![Grant { role, site }], further].concat();
    Ok(Mailbox { person: raw.id, name: raw.name, grants, address: raw.address, chosen })
}

impl Tx {
    /// The own channels of those who are to be told themselves of what a post is told; `heard` are the channels that heard of the alert.
    pub(super) async fn people_of(
        &mut self,
        (event, post, site, alert): (&str, &str, &SiteId, Uuid),
        heard: &[String],
        mailboxes: &[Mailbox],
        at: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let here: Vec<&Mailbox> = mailboxes.iter().filter(|one| one.reaches(site)).collect();
        if here.is_empty() {
            return Ok(Vec::new());
        }
        let what = What::of(event);
        if matches!(what, What::Cleared | What::Acknowledged | What::Rejected) {
            let is_here = |channel: &&String| here.iter().any(|one| person_of(channel) == Some(&one.person));
            return Ok(heard.iter().filter(is_here).cloned().collect());
        }
        if what == What::Assigned {
            // It was given to one person, on duty or not.
            let worker: Option<Option<String>> = on!(self, "look who was given a ticket", conn =>
                sqlx::query_scalar(WORKER).bind(alert).fetch_optional(conn).await)?;
            if let Some(worker) = worker.flatten() {
                let theirs = here.into_iter().filter(|one| one.person == worker);
                return Ok(theirs.map(|one| channel_of(&one.person)).collect());
            }
        }
        let there: Vec<&Mailbox> = match self.posts(site, at).await?.at(post) {
            Staffing::Nobody => Vec::new(),
            Staffing::Unkept => here.into_iter().filter(|one| one.is_at(post, site)).collect(),
            Staffing::People(people) => {
                here.into_iter().filter(|one| people.iter().any(|person| *person.id == *one.person)).collect()
            }
        };
        if what == What::Escalated {
            // It went to one of them by name: the others need not get up.
            let holders: Vec<String> = on!(self, "look who has an alert", conn => sqlx::query_scalar(HOLDER).bind(alert)
                .fetch_all(conn).await)?;
            if there.iter().any(|one| holders.contains(&one.person)) {
                let has = there.into_iter().filter(|one| holders.contains(&one.person));
                return Ok(has.map(|one| channel_of(&one.person)).collect());
            }
        }
        Ok(there.into_iter().map(|one| channel_of(&one.person)).collect())
    }

    /// Of each alert that waits for somebody: the priority of its ticket, and whether it is theirs to see to.
    pub(crate) async fn waits_for(
        &mut self,
        one: &Mailbox,
    ) -> Result<BTreeMap<AlertId, (Option<String>, bool)>, StoreError> {
        let rows: Vec<(Uuid, Option<String>, bool)> = on!(self, "read what waits for somebody", conn =>
            sqlx::query_as(FACTS).bind(channel_of(&one.person)).bind(&one.person).fetch_all(conn).await)?;
        let mut facts = BTreeMap::new();
        for (alert, priority, held) in rows {
            let (_, is_held) = facts.entry(AlertId(alert)).or_insert((priority, false));
            *is_held |= held;
        }
        Ok(facts)
    }

    /// Forgets where somebody is told, and of what.
    pub(super) async fn forget_contact(&mut self, person: &str) -> Result<(), StoreError> {
        for sql in [FORGET_CONTACT, FORGET_PREFERENCE] {
            on!(self, "forget a contact", conn => sqlx::query(sql).bind(person).execute(conn).await.map(drop))?;
        }
        Ok(())
    }
}

impl PersonRow {
    fn own(&self, now: Timestamp, action: &str) -> Change {
        Change::new(&self.actor(), now, action, &self.id).of_site(self.grant.site.as_ref())
    }
}

impl Store {
    /// Where somebody is told.
    pub async fn contact(&self, person: &str) -> Result<ContactRow, StoreError> {
        let mut tx = self.read().await?;
        let row: Option<(Option<String>, Option<String>, Option<i64>)> = on!(&mut tx, "read a contact", conn =>
            sqlx::query_as(CONTACT).bind(person).fetch_optional(conn).await)?;
        let (address, asked, until) = row.unwrap_or_default();
        Ok(ContactRow { address, asked, code_until: until.map(Timestamp::from_millis) })
    }

    /// Keeps the proof of a code that is about to be sent to an address; an earlier code is no longer good. Until it comes back,
    /// nothing changes where they are told.
    pub async fn ask_contact(
        &self,
        person: &PersonRow,
        address: &str,
        proof: &[u8],
        now: Timestamp,
    ) -> Result<(), ContactError> {
        let mut tx = self.begin().await?;
        let (sent, since): (i64, i64) = on!(&mut tx, "count a code", conn => sqlx::query_as(COUNT_CODE).bind(&person.id)
            .bind(now.millis()).bind((now - CODES_PER).millis()).fetch_one(conn).await)?;
        if sent > MOST_CODES {
            let wait = (Timestamp::from_millis(since) + CODES_PER).since(now);
            return Err(ContactError::TooOften(wait));
        }
        on!(&mut tx, "keep a code", conn => sqlx::query(ASK).bind(&person.id).bind(address).bind(proof)
            .bind((now + CODE_LASTS).millis()).execute(conn).await.map(drop))?;
        Ok(tx.commit_with(&person.own(now, "contact.ask").after(masked(address))).await?)
    }

    /// Takes on the address to which the code was sent, if `is_code` finds that address and proof to be those of what was entered. A code
    /// is good once.
    pub async fn confirm_contact(
        &self,
        person: &PersonRow,
        is_code: impl Fn(&str, &[u8]) -> bool + Send,
        now: Timestamp,
    ) -> Result<(), ContactError> {
        let mut tx = self.begin().await?;
        let kept: Option<(String, Vec<u8>)> = on!(&mut tx, "try a code", conn => sqlx::query_as(TRY_CODE).bind(&person.id)
            .bind(now.millis()).bind(MOST_TRIES).fetch_optional(conn).await)?;
        let Some((address, proof)) = kept else { return Err(ContactError::Code) };
        if !is_code(&address, &proof) {
            // That it was tried counts.
            tx.commit().await?;
            return Err(ContactError::Code);
        }
        on!(&mut tx, "confirm a contact", conn => sqlx::query(CONFIRM).bind(&person.id).bind(now.millis()).execute(conn)
            .await.map(drop))?;
        on!(&mut tx, "note a channel", conn => sqlx::query(KNOW_OWN).bind(channel_of(&person.id)).bind(now.millis())
            .execute(conn).await.map(drop))?;
        Ok(tx.commit_with(&person.own(now, "contact.confirm").after(masked(&address))).await?)
    }

    /// From now on they are told nothing themselves. Once more changes nothing.
    pub async fn remove_contact(&self, person: &PersonRow, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let removed = on!(&mut tx, "remove a contact", conn => sqlx::query(REMOVE).bind(&person.id).execute(conn).await
            .map(|done| done.rows_affected() == 1))?;
        if removed { tx.commit_with(&person.own(now, "contact.remove")).await } else { tx.commit().await }
    }

    /// What somebody has chosen.
    pub async fn preference(&self, person: &str) -> Result<PreferenceRow, StoreError> {
        let mut tx = self.read().await?;
        let row: Option<RawPreference> = on!(&mut tx, "read preferences", conn => sqlx::query_as(PREFERENCE).bind(person)
            .fetch_optional(conn).await)?;
        row.map_or_else(|| Ok(PreferenceRow::default()), |row| preference(person, row))
    }

    /// Somebody chooses. The same once more changes nothing.
    pub async fn prefer(&self, person: &PersonRow, chosen: &PreferenceRow, now: Timestamp) -> Result<(), StoreError> {
        let before = self.preference(&person.id).await?;
        if before == *chosen {
            return Ok(());
        }
        let told = &chosen.told;
        let mut tx = self.begin().await?;
        on!(&mut tx, "keep preferences", conn => sqlx::query(PREFER).bind(&person.id).bind(chosen.lang.map(lang_text))
            .bind(told.least.as_str()).bind(told.held_only).bind(told.quiet.as_ref().map(ToString::to_string))
            .execute(conn).await.map(drop))?;
        let change = person.own(now, "preference.set").before(before.described()).after(chosen.described());
        tx.commit_with(&change).await
    }

    /// Everybody who is told themselves. Who may no longer sign in is not among them.
    pub async fn mailboxes(&self) -> Result<Vec<Mailbox>, StoreError> {
        let mut tx = self.read().await?;
        let rows: Vec<RawMailbox> =
            on!(&mut tx, "read who is told themselves", conn => sqlx::query_as(MAILBOXES).fetch_all(conn).await)?;
        let mut further = tx.further().await?;
        let with_further = |raw: RawMailbox| {
            let further = further.remove(&raw.id).unwrap_or_default();
            mailbox(raw, further)
        };
        rows.into_iter().map(with_further).collect()
    }

    /// The same by the names of their channels.
    pub async fn mailboxes_by_channel(&self) -> Result<BTreeMap<String, Mailbox>, StoreError> {
        Ok(self.mailboxes().await?.into_iter().map(|one| (channel_of(&one.person), one)).collect())
    }

    /// Why the last message of a channel was not taken; `None` if it was, or if there is none.
    pub async fn last_refused(&self, channel: &str) -> Result<Option<String>, StoreError> {
        let mut tx = self.read().await?;
        let last: Option<(String, String)> = on!(&mut tx, "read what came of a message", conn => sqlx::query_as(LAST)
            .bind(channel).fetch_optional(conn).await)?;
        Ok(last.filter(|(state, _)| state == "dead").map(|(_, answer)| answer))
    }

    /// Cancels what waits for somebody of sites that are not among theirs any more.
    pub async fn cancel_elsewhere(&self, channel: &str, sites: &[&SiteId], now: Timestamp) -> Result<(), StoreError> {
        let theirs = sites.iter().map(|site| format!(",{site},")).collect::<Vec<_>>().concat();
        let mut tx = self.begin_yielding().await?;
        on!(&mut tx, "cancel what is of another site", conn => sqlx::query(CANCEL_MESSAGE_ELSEWHERE).bind(channel)
            .bind(&theirs).bind(now.millis()).execute(conn).await.map(drop))?;
        on!(&mut tx, "cancel what is of another site", conn => sqlx::query(CANCEL_ELSEWHERE).bind(channel)
            .bind(&theirs).execute(conn).await.map(drop))?;
        tx.commit().await
    }

    /// Whether something that a message tells is told to nobody else of its post.
    pub async fn is_told_alone(&self, message: Uuid) -> Result<bool, StoreError> {
        let mut tx = self.read().await?;
        on!(&mut tx, "look who else is told", conn => sqlx::query_scalar(ALONE).bind(message).fetch_one(conn).await)
    }
}
