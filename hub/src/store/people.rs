//! People who sign in, the links by which they choose their passwords, and their sessions.

use lobby_contract::SiteId;
use lobby_domain::{
    access::{Grant, Held, Role},
    time::{Span, Timestamp},
};

use super::{Store, StoreError, Tx, on, statements};
use crate::audit::{Actor, Change};

statements! {
    HAS_PEOPLE = "SELECT COUNT(*) > 0 FROM person";
    PEOPLE = "SELECT id, login, name, role, site, password IS NOT NULL, created_at, disabled_at, erased_at FROM person ORDER BY login";
    PERSON = "SELECT id, login, name, role, site, password IS NOT NULL, created_at, disabled_at, erased_at FROM person WHERE id = $1";
    PERSON_BY_LOGIN = "SELECT id, login, name, role, site, password IS NOT NULL, created_at, disabled_at, erased_at FROM person WHERE login = $1";
    // Whoever signs in by it before those who are called so, of whom there may be several.
    MEANT = "SELECT p.id, p.name, p.login = $2 FROM person p WHERE (p.name = $1 OR p.login = $2) AND p.disabled_at IS NULL
            AND (p.site IS NULL OR p.site = $3
                OR EXISTS (SELECT 1 FROM person_grant g WHERE g.person = p.id AND (g.site = '' OR g.site = $3)))
        ORDER BY p.login = $2 DESC, p.id LIMIT 2";
    PASSWORD = "SELECT password FROM person WHERE id = $1";
    MAKE_PERSON = "INSERT INTO person (id, login, name, role, site, created_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (login) DO NOTHING";
    SET_PASSWORD = "UPDATE person SET password = $2 WHERE id = $1";
    DISABLE = "UPDATE person SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL";
    ERASED = "SELECT COUNT(*) FROM person WHERE erased_at IS NOT NULL";
    ERASE = "UPDATE person SET login = $3, name = $4, password = NULL, disabled_at = COALESCE(disabled_at, $2), erased_at = $2
        WHERE id = $1";
    ENABLE = "UPDATE person SET disabled_at = NULL WHERE id = $1";
    // A change of the row keeps two of them from being disabled at once, each for the sake of the other.
    HOLD_ADMINS = "UPDATE person SET role = role WHERE (role = 'admin' AND site IS NULL)
        OR id IN (SELECT person FROM person_grant WHERE role = 'admin' AND site = '')";
    OTHER_ADMINS = "SELECT COUNT(*) FROM person WHERE disabled_at IS NULL AND password IS NOT NULL AND id <> $1
        AND ((role = 'admin' AND site IS NULL)
            OR id IN (SELECT person FROM person_grant WHERE role = 'admin' AND site = ''))";
    MAKE_LINK = "INSERT INTO setup_link (hash, person, expires_at) VALUES ($1, $2, $3)";
    FORGET_LINK_OF = "DELETE FROM setup_link WHERE person = $1";
    FORGET_FIRST_LINKS = "DELETE FROM setup_link WHERE person IS NULL";
    LINK = "SELECT person FROM setup_link WHERE hash = $1 AND (expires_at IS NULL OR expires_at > $2)";
    USE_LINK = "DELETE FROM setup_link WHERE hash = $1 AND (expires_at IS NULL OR expires_at > $2)";
    OPEN_SESSION = "INSERT INTO web_session (id, hash, person, browser, created_at, expires_at, last_used_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    FORGET_SESSIONS = "DELETE FROM web_session WHERE expires_at <= $1";
    SESSION = "SELECT id, person, browser, created_at, expires_at, last_used_at FROM web_session WHERE hash = $1 AND expires_at > $2";
    SESSIONS = "SELECT id, person, browser, created_at, expires_at, last_used_at FROM web_session WHERE person = $1
        AND expires_at > $2 ORDER BY last_used_at DESC, id";
    USE_SESSION = "UPDATE web_session SET last_used_at = $2 WHERE id = $1 AND last_used_at < $2";
    END_SESSION = "DELETE FROM web_session WHERE person = $1 AND id = $2";
    END_OTHER_SESSIONS = "DELETE FROM web_session WHERE person = $1 AND id <> $2";
    KNOWS_BROWSER = "SELECT COUNT(*) > 0 FROM known_browser WHERE hash = $1 AND person = $2 AND used_at > $3";
    KNOW_BROWSER = "INSERT INTO known_browser (hash, person, used_at) VALUES ($1, $2, $3)
        ON CONFLICT (hash, person) DO UPDATE SET used_at = excluded.used_at";
    FORGET_BROWSERS = "DELETE FROM known_browser WHERE used_at <= $1";
    FORGET_BROWSERS_OF = "DELETE FROM known_browser WHERE person = $1";
}

/// How exactly it is kept when a session was last used.
const USED_TO: Span = Span::from_mins(1);
/// For how long a browser is known in which nobody signs in.
const KNOWN_FOR: Span = Span::from_mins(366 * 24 * 60);

/// Somebody who may sign in, less their password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    /// Names them in addresses.
    pub id: String,
    /// What they sign in with.
    pub login: String,
    /// What people call them.
    pub name: String,
    /// What they may do, and where: the first that they were granted.
    pub grant: Grant,
    /// What else they may do, and where.
    pub further: Vec<Grant>,
    /// Whether they have chosen a password.
    pub has_password: bool,
    /// When they were entered.
    pub created_at: Timestamp,
    /// Since when they may no longer sign in.
    pub disabled_at: Option<Timestamp>,
    /// When they were erased: nothing here names them any more.
    pub erased_at: Option<Timestamp>,
}

/// A signed-in browser, less what it proves that with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Names it in lists and where it is ended.
    pub id: String,
    /// Who is signed in.
    pub person: String,
    /// What the browser calls itself.
    pub browser: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Timestamp,
}

/// Whose password a setup link sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkFor {
    /// The first administrator, who is not known yet.
    FirstAdmin,
    /// Somebody who is known.
    Person(PersonRow),
}

/// Why somebody could not be entered or changed.
#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    /// Somebody else signs in with that name.
    #[error("somebody else signs in as `{0}`: choose another name to sign in with")]
    Taken(String),
    /// There is nobody of that name or id.
    #[error("there is nobody called `{0}`")]
    NotFound(String),
    /// The link was used, is over, or never was.
    #[error("the link was used already or is over: ask for a new one")]
    Link,
    /// They were erased, for good.
    #[error("whoever that was has been erased: enter them anew")]
    Erased,
    /// Nobody could administer the product any more.
    #[error("this is the only administrator of all sites who can sign in: make another one first")]
    LastAdmin,
    /// Whoever holds nothing is nobody here.
    #[error("this is all that they hold: grant them something else first, or disable them")]
    OnlyGrant,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PersonRow {
    /// The one who does what they do themselves.
    pub fn actor(&self) -> Actor {
        Actor::person(&self.id, &self.name)
    }

    /// All that they hold, the first that they were granted first.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        std::iter::once(&self.grant).chain(&self.further)
    }

    /// The same, by which it is decided what they may do.
    pub fn held(&self) -> Held {
        Held::new(self.grants().cloned())
    }

    /// Whether they hold anything at a site.
    pub fn reaches(&self, site: &SiteId) -> bool {
        self.grants().any(|grant| grant.reaches(site))
    }

    /// The only sites at which they hold something, that of what they were granted first first; `None` if that is every site.
    pub fn sites(&self) -> Option<Vec<&SiteId>> {
        self.grants().map(|grant| grant.site.as_ref()).collect()
    }

    /// Whether they run the product at all sites.
    pub fn is_admin(&self) -> bool {
        self.grants().any(|grant| *grant == Grant { role: Role::Admin, site: None })
    }

    /// What is told of a change of theirs.
    fn told(&self, actor: &Actor, at: Timestamp, action: &str) -> Change {
        Change::new(actor, at, action, &self.id).of_site(self.grant.site.as_ref())
    }

    fn described(&self) -> String {
        format!("{} ({}): {}", self.name, self.login, self.grant.role)
    }
}

type RawPerson = (String, String, String, String, Option<String>, bool, i64, Option<i64>, Option<i64>);

fn person(raw: RawPerson) -> Result<PersonRow, StoreError> {
    let (id, login, name, role, site, has_password, created_at, disabled_at, erased_at) = raw;
    let bad = |what: String| StoreError::Inconsistent { table: "person", id: id.clone(), what };
    let role: Role = role.parse().map_err(|error: lobby_domain::access::NoSuchRole| bad(error.to_string()))?;
    let site: Option<SiteId> =
        site.map(|site| site.parse()).transpose().map_err(|error: lobby_contract::NameError| bad(error.to_string()))?;
    let created_at = Timestamp::from_millis(created_at);
    let [disabled_at, erased_at] = [disabled_at, erased_at].map(|at| at.map(Timestamp::from_millis));
    let (grant, further) = (Grant { role, site }, Vec::new());
    Ok(PersonRow { id, login, name, grant, further, has_password, created_at, disabled_at, erased_at })
}

type RawSession = (String, String, String, i64, i64, i64);

fn session((id, person, browser, created_at, expires_at, last_used_at): RawSession) -> SessionRow {
    let [created_at, expires_at, last_used_at] = [created_at, expires_at, last_used_at].map(Timestamp::from_millis);
    SessionRow { id, person, browser, created_at, expires_at, last_used_at }
}

impl Tx {
    pub(super) async fn person(&mut self, id: &str) -> Result<Option<PersonRow>, StoreError> {
        let row: Option<RawPerson> =
            on!(self, "look somebody up", conn => sqlx::query_as(PERSON).bind(id).fetch_optional(conn).await)?;
        self.with_further(row).await
    }

    /// Somebody, with all that they hold.
    async fn with_further(&mut self, row: Option<RawPerson>) -> Result<Option<PersonRow>, StoreError> {
        let Some(row) = row.map(person).transpose()? else { return Ok(None) };
        let further = self.further_of(&row.id).await?;
        Ok(Some(PersonRow { further, ..row }))
    }

    /// The one person whom `said` means at a site, by what they sign in with or are called: the id and the name. Nobody if several are
    /// called so.
    pub(super) async fn meant(&mut self, said: &str, site: &SiteId) -> Result<Option<(String, String)>, StoreError> {
        let mut found: Vec<(String, String, bool)> = on!(self, "look who is meant", conn => sqlx::query_as(MEANT).bind(said)
            .bind(said.to_lowercase()).bind(site.as_str()).fetch_all(conn).await)?;
        let alone = found.len() == 1 || found.first().is_some_and(|(.., signs_in)| *signs_in);
        found.truncate(usize::from(alone));
        Ok(found.pop().map(|(id, name, _)| (id, name)))
    }

    /// Somebody who was not erased.
    pub(super) async fn present(&mut self, id: &str) -> Result<PersonRow, PersonError> {
        let row = self.person(id).await?.ok_or_else(|| PersonError::NotFound(id.to_owned()))?;
        if row.erased_at.is_some() { Err(PersonError::Erased) } else { Ok(row) }
    }

    /// Keeps others from disabling an administrator at the same time.
    pub(super) async fn hold_admins(&mut self) -> Result<(), StoreError> {
        on!(self, "hold the administrators", conn => sqlx::query(HOLD_ADMINS).execute(conn).await.map(drop))
    }

    /// Refuses to go on if somebody is the last administrator of all sites who can sign in.
    pub(super) async fn others_administer(&mut self, row: &PersonRow) -> Result<(), PersonError> {
        let admins: i64 = on!(self, "count the administrators", conn => sqlx::query_scalar(OTHER_ADMINS).bind(&row.id)
            .fetch_one(conn).await)?;
        if row.is_admin() && admins == 0 { Err(PersonError::LastAdmin) } else { Ok(()) }
    }

    /// Somebody may sign in no longer, and is signed out everywhere; not the last administrator.
    async fn shut_out(&mut self, row: &PersonRow, now: Timestamp) -> Result<(), PersonError> {
        self.others_administer(row).await?;
        on!(self, "disable somebody", conn => sqlx::query(DISABLE).bind(&row.id).bind(now.millis()).execute(conn).await
            .map(drop))?;
        self.end_sessions(&row.id, "").await?;
        Ok(
            on!(self, "forget a setup link", conn => sqlx::query(FORGET_LINK_OF).bind(&row.id).execute(conn).await.map(drop))?,
        )
    }

    async fn enter(&mut self, row: &PersonRow) -> Result<(), PersonError> {
        let made = on!(self, "enter somebody", conn => sqlx::query(MAKE_PERSON).bind(&row.id).bind(&row.login)
            .bind(&row.name).bind(row.grant.role.as_str()).bind(row.grant.site.as_ref().map(SiteId::as_str))
            .bind(row.created_at.millis()).execute(conn).await.map(|done| done.rows_affected()))?;
        if made == 1 { Ok(()) } else { Err(PersonError::Taken(row.login.clone())) }
    }

    async fn set_password(&mut self, id: &str, password: &str) -> Result<(), StoreError> {
        on!(self, "set a password", conn => sqlx::query(SET_PASSWORD).bind(id).bind(password).execute(conn).await.map(drop))
    }

    /// Uses a link up. Returns whether it was good.
    async fn use_link(&mut self, hash: &[u8], now: Timestamp) -> Result<bool, StoreError> {
        let used = on!(self, "use a setup link", conn => sqlx::query(USE_LINK).bind(hash).bind(now.millis()).execute(conn)
            .await.map(|done| done.rows_affected()))?;
        Ok(used == 1)
    }

    async fn make_link(
        &mut self,
        hash: &[u8],
        person: Option<&str>,
        expires: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        match person {
            Some(person) => on!(self, "forget a setup link", conn => sqlx::query(FORGET_LINK_OF).bind(person)
                .execute(conn).await.map(drop))?,
            None => {
                on!(self, "forget a setup link", conn => sqlx::query(FORGET_FIRST_LINKS).execute(conn).await.map(drop))?;
            }
        }
        on!(self, "make a setup link", conn => sqlx::query(MAKE_LINK).bind(hash).bind(person)
            .bind(expires.map(Timestamp::millis)).execute(conn).await.map(drop))
    }

    async fn end_sessions(&mut self, person: &str, but: &str) -> Result<u64, StoreError> {
        on!(self, "end sessions", conn => sqlx::query(END_OTHER_SESSIONS).bind(person).bind(but).execute(conn).await
            .map(|done| done.rows_affected()))
    }

    async fn forget_browsers(&mut self, person: &str) -> Result<(), StoreError> {
        on!(self, "forget browsers", conn => sqlx::query(FORGET_BROWSERS_OF).bind(person).execute(conn).await.map(drop))
    }
}

impl Store {
    /// Whether anybody was ever entered who may sign in.
    pub async fn has_people(&self) -> Result<bool, StoreError> {
        let mut tx = self.read().await?;
        on!(&mut tx, "look whether somebody may sign in", conn => sqlx::query_scalar(HAS_PEOPLE).fetch_one(conn).await)
    }

    /// Everybody, by what they sign in with.
    pub async fn people(&self) -> Result<Vec<PersonRow>, StoreError> {
        let mut tx = self.read().await?;
        let rows: Vec<RawPerson> =
            on!(&mut tx, "read who may sign in", conn => sqlx::query_as(PEOPLE).fetch_all(conn).await)?;
        let mut further = tx.further().await?;
        let with_further = |raw| {
            let row = person(raw)?;
            Ok(PersonRow { further: further.remove(&row.id).unwrap_or_default(), ..row })
        };
        rows.into_iter().map(with_further).collect()
    }

    /// Who signs in with that name.
    pub async fn person_by_login(&self, login: &str) -> Result<Option<PersonRow>, StoreError> {
        let mut tx = self.read().await?;
        let row: Option<RawPerson> = on!(&mut tx, "look somebody up", conn => sqlx::query_as(PERSON_BY_LOGIN).bind(login)
            .fetch_optional(conn).await)?;
        tx.with_further(row).await
    }

    /// Somebody's password as it is kept.
    pub async fn password_of(&self, person: &str) -> Result<Option<String>, StoreError> {
        let mut tx = self.read().await?;
        let row: Option<Option<String>> = on!(&mut tx, "look a password up", conn => sqlx::query_scalar(PASSWORD)
            .bind(person).fetch_optional(conn).await)?;
        Ok(row.flatten())
    }

    /// Enters somebody, with the link by which they choose their password.
    pub async fn enter_person(
        &self,
        row: &PersonRow,
        link: &[u8],
        until: Timestamp,
        actor: &Actor,
    ) -> Result<(), PersonError> {
        let mut tx = self.begin().await?;
        tx.enter(row).await?;
        tx.make_link(link, Some(&row.id), Some(until)).await?;
        Ok(tx.commit_with(&row.told(actor, row.created_at, "person.enter").after(row.described())).await?)
    }

    /// Makes somebody a new link; an earlier one is no longer good.
    pub async fn link_person(
        &self,
        id: &str,
        link: &[u8],
        until: Timestamp,
        (actor, now): (&Actor, Timestamp),
    ) -> Result<PersonRow, PersonError> {
        let mut tx = self.begin().await?;
        let row = tx.present(id).await?;
        tx.make_link(link, Some(id), Some(until)).await?;
        tx.commit_with(&row.told(actor, now, "person.link").after(&row.login)).await?;
        Ok(row)
    }

    /// Makes the link of the first administrator; an earlier one is no longer good.
    pub async fn link_first_admin(&self, link: &[u8]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.make_link(link, None, None).await?;
        tx.commit().await
    }

    /// Whose password a link sets, if it is good.
    pub async fn link(&self, hash: &[u8], now: Timestamp) -> Result<Option<LinkFor>, StoreError> {
        let mut tx = self.read().await?;
        let found: Option<Option<String>> = on!(&mut tx, "look a setup link up", conn => sqlx::query_scalar(LINK)
            .bind(hash).bind(now.millis()).fetch_optional(conn).await)?;
        match found {
            None => Ok(None),
            Some(None) => Ok(Some(LinkFor::FirstAdmin)),
            Some(Some(id)) => Ok(tx.person(&id).await?.map(LinkFor::Person)),
        }
    }

    /// Enters the first administrator, who has come by a link, which is used up. From then on no such link is good.
    pub async fn enter_first_admin(&self, link: &[u8], row: &PersonRow, password: &str) -> Result<(), PersonError> {
        let mut tx = self.begin().await?;
        if !tx.use_link(link, row.created_at).await? {
            return Err(PersonError::Link);
        }
        tx.enter(row).await?;
        tx.set_password(&row.id, password).await?;
        on!(&mut tx, "forget setup links", conn => sqlx::query(FORGET_FIRST_LINKS).execute(conn).await.map(drop))?;
        let told = row.told(&row.actor(), row.created_at, "person.set_up");
        Ok(tx.commit_with(&told.after(row.described())).await?)
    }

    /// Sets the password of `person`, who has come by a link, which is used up. Wherever they were signed in they are no longer.
    pub async fn choose_password(
        &self,
        link: &[u8],
        person: &str,
        password: &str,
        now: Timestamp,
    ) -> Result<(), PersonError> {
        let mut tx = self.begin().await?;
        if !tx.use_link(link, now).await? {
            return Err(PersonError::Link);
        }
        let row = tx.person(person).await?.ok_or_else(|| PersonError::NotFound(person.to_owned()))?;
        tx.set_password(person, password).await?;
        tx.end_sessions(person, "").await?;
        tx.forget_browsers(person).await?;
        Ok(tx.commit_with(&row.told(&row.actor(), now, "password.choose")).await?)
    }

    /// Changes the password of somebody who is signed in by `session`; their other sessions end.
    pub async fn change_password(
        &self,
        person: &PersonRow,
        session: &str,
        password: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.set_password(&person.id, password).await?;
        tx.end_sessions(&person.id, session).await?;
        tx.commit_with(&person.told(&person.actor(), now, "password.change")).await
    }

    /// Lets somebody sign in no longer, and ends their sessions; or lets them sign in again.
    pub async fn set_disabled(
        &self,
        id: &str,
        disabled: bool,
        now: Timestamp,
        actor: &Actor,
    ) -> Result<(), PersonError> {
        let mut tx = self.begin().await?;
        tx.hold_admins().await?;
        let row = tx.present(id).await?;
        if disabled {
            tx.shut_out(&row, now).await?;
        } else {
            on!(&mut tx, "enable somebody", conn => sqlx::query(ENABLE).bind(id).execute(conn).await.map(drop))?;
        }
        if row.disabled_at.is_some() == disabled {
            return Ok(tx.commit().await?);
        }
        let [before, after] = if disabled { ["enabled", "disabled"] } else { ["disabled", "enabled"] };
        let told = row.told(actor, now, if disabled { "person.disable" } else { "person.enable" });
        Ok(tx.commit_with(&told.before(before).after(after)).await?)
    }

    /// Erases somebody for good: what names them, and what they sign in with, is replaced and forgotten; a row without a name stays, because
    /// history refers to it. What was written down before stays as it was written. Returns what they are called from now on; once
    /// more changes nothing.
    pub async fn erase_person(&self, id: &str, now: Timestamp, actor: &Actor) -> Result<String, PersonError> {
        let mut tx = self.begin().await?;
        // Whoever erases somebody else at the same time waits here, so that no two get the same number.
        tx.hold_admins().await?;
        tx.hold_person(id).await?;
        let row = tx.person(id).await?.ok_or_else(|| PersonError::NotFound(id.to_owned()))?;
        if row.erased_at.is_some() {
            return Ok(row.name);
        }
        tx.shut_out(&row, now).await?;
        tx.forget_browsers(id).await?;
        tx.forget_contact(id).await?;
        tx.forget_chat_ids(id).await?;
        tx.forget_grants(id).await?;
        let erased: i64 =
            on!(&mut tx, "count who was erased", conn => sqlx::query_scalar(ERASED).fetch_one(conn).await)?;
        let number = erased + 1;
        // A name to sign in with has no spaces: nobody else has this one.
        let (login, name) =
            (format!("former member {number}"), format!("已删除人员 {number} / Former member {number}"));
        on!(&mut tx, "erase somebody", conn => sqlx::query(ERASE).bind(id).bind(now.millis()).bind(&login).bind(&name)
            .execute(conn).await.map(drop))?;
        // Their name is not written down once more.
        tx.commit_with(&row.told(actor, now, "person.erase").after(&login)).await?;
        Ok(name)
    }

    /// Begins a session, by its hash, in the browser of that hash, which is known from now on.
    pub async fn open_session(&self, row: &SessionRow, hash: &[u8], browser: &[u8]) -> Result<(), StoreError> {
        let now = row.created_at;
        let mut tx = self.begin().await?;
        on!(&mut tx, "forget old sessions", conn => sqlx::query(FORGET_SESSIONS).bind(now.millis()).execute(conn).await
            .map(drop))?;
        on!(&mut tx, "begin a session", conn => sqlx::query(OPEN_SESSION).bind(&row.id).bind(hash).bind(&row.person)
            .bind(&row.browser).bind(now.millis()).bind(row.expires_at.millis()).bind(row.last_used_at.millis())
            .execute(conn).await.map(drop))?;
        on!(&mut tx, "forget old browsers", conn => sqlx::query(FORGET_BROWSERS).bind(now.millis() - KNOWN_FOR.millis())
            .execute(conn).await.map(drop))?;
        on!(&mut tx, "note a browser", conn => sqlx::query(KNOW_BROWSER).bind(browser).bind(&row.person)
            .bind(now.millis()).execute(conn).await.map(drop))?;
        let Some(person) = tx.person(&row.person).await? else { return tx.commit().await };
        let told = Change::new(&person.actor(), now, "session.begin", &row.id).of_site(person.grant.site.as_ref());
        tx.commit_with(&told.after(&row.browser)).await
    }

    /// The session of that hash with who is signed in, if both are still good.
    pub async fn session_by_hash(
        &self,
        hash: &[u8],
        now: Timestamp,
    ) -> Result<Option<(SessionRow, PersonRow)>, StoreError> {
        let mut tx = self.read().await?;
        let row: Option<RawSession> = on!(&mut tx, "look a session up", conn => sqlx::query_as(SESSION).bind(hash)
            .bind(now.millis()).fetch_optional(conn).await)?;
        let Some(session) = row.map(session) else { return Ok(None) };
        let person = tx.person(&session.person).await?.filter(|person| person.disabled_at.is_none());
        Ok(person.map(|person| (session, person)))
    }

    /// Where somebody is signed in, the last used first.
    pub async fn sessions_of(&self, person: &str, now: Timestamp) -> Result<Vec<SessionRow>, StoreError> {
        let mut tx = self.read().await?;
        let rows: Vec<RawSession> = on!(&mut tx, "read sessions", conn => sqlx::query_as(SESSIONS).bind(person)
            .bind(now.millis()).fetch_all(conn).await)?;
        Ok(rows.into_iter().map(session).collect())
    }

    /// Notes that a session is used, once a minute at most.
    pub async fn session_used(&self, session: &SessionRow, now: Timestamp) -> Result<(), StoreError> {
        if now.since(session.last_used_at) < USED_TO {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        on!(&mut tx, "note the use of a session", conn => sqlx::query(USE_SESSION).bind(&session.id).bind(now.millis())
            .execute(conn).await.map(drop))?;
        tx.commit().await
    }

    /// Ends one of somebody's sessions.
    pub async fn end_session(&self, person: &PersonRow, id: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let ended = on!(&mut tx, "end a session", conn => sqlx::query(END_SESSION).bind(&person.id).bind(id).execute(conn)
            .await.map(|done| done.rows_affected()))?;
        if ended == 0 {
            return Ok(());
        }
        let told = Change::new(&person.actor(), now, "session.end", id).of_site(person.grant.site.as_ref());
        tx.commit_with(&told).await
    }

    /// Ends somebody's sessions but this one.
    pub async fn end_other_sessions(&self, person: &PersonRow, but: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let ended = tx.end_sessions(&person.id, but).await?;
        if ended == 0 {
            return Ok(());
        }
        let told = person.told(&person.actor(), now, "session.end_others");
        tx.commit_with(&told.after(format!("{ended} ended"))).await
    }

    /// Whether somebody has signed in with a browser before.
    pub async fn knows_browser(&self, hash: &[u8], person: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.read().await?;
        on!(&mut tx, "look a browser up", conn => sqlx::query_scalar(KNOWS_BROWSER).bind(hash).bind(person)
            .bind(now.millis() - KNOWN_FOR.millis()).fetch_one(conn).await)
    }
}
