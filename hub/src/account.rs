//! Accounts of people: how the first is made, how a password is chosen, and how somebody signs in and stays so.
//!
//! ```text
//! first start ─► setup-link.txt in the data folder ─► the first administrator
//! administrator ─► enters somebody ─► a link, good once ─► that person chooses a password
//! sign in ─► may they try? ─► argon2id, one at a time ─► a session, whose hash alone is kept
//! ```
//!
//! Until anybody is entered, whoever sits at this computer may do everything, if the web is heard nowhere else.

mod attempts;

use std::{
    fs::OpenOptions,
    io::Write,
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use argon2::password_hash::PasswordHashString;
use lobby_domain::{
    access::{Grant, Role},
    time::{Span, Timestamp},
};
use tokio::time::timeout;
use tracing::info;

pub(crate) use self::attempts::network;
use self::attempts::{Attempts, Trying};
use crate::{
    audit::Actor,
    clock::Clock,
    password::{self, HashError, Passwords, Weak},
    store::{LinkFor, PersonError, PersonRow, SessionRow, Store, StoreError},
    token,
};

/// For how long a session lasts: a shift and what comes before and after it.
const SHIFT: Span = Span::from_mins(12 * 60);
/// For how long it lasts on a device of one's own.
const REMEMBERED: Span = Span::from_mins(30 * 24 * 60);
/// For how long a link by which a password is chosen is good.
pub const LINK_LASTS: Span = Span::from_mins(3 * 24 * 60);
/// The longest name to sign in with, in bytes.
const LONGEST_LOGIN: usize = 64;
/// The longest name of a person, in bytes.
const LONGEST_NAME: usize = 200;
/// Of what a browser calls itself, so many characters are kept.
const LONGEST_BROWSER: usize = 200;
/// How long the database is waited for where an earlier answer of it will do.
const PATIENCE: Duration = Duration::from_millis(250);
/// The file with the link of the first administrator.
const LINK_FILE: &str = "setup-link.txt";
/// A password is compared with this where there is none, so that the time it takes does not tell who has an account.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyBpdA$4nVnXgZbzDSSQKkIS2PWPDFYqAOEB3Wo2nSKBT1z0lA";

/// Accounts at work.
pub struct Accounts {
    store: Store,
    clock: Arc<dyn Clock>,
    passwords: Passwords,
    attempts: Mutex<Attempts>,
    /// Whether the web is heard on this computer alone.
    local: bool,
    /// Whether anybody was entered; that is never taken back.
    closed: AtomicBool,
    /// Whether nobody was when the database was last asked.
    was_new: AtomicBool,
    link_file: PathBuf,
}

/// Somebody who wants to sign in.
#[derive(Debug)]
pub struct SignIn<'a> {
    /// The name to sign in with.
    pub login: &'a str,
    /// The password.
    pub password: &'a str,
    /// From where.
    pub from: IpAddr,
    /// What the browser proves that it was here before with.
    pub browser: Option<&'a str>,
    /// What the browser calls itself.
    pub browser_name: &'a str,
    /// Whether it is a device of their own.
    pub remember: bool,
}

/// Somebody who has signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// Who.
    pub person: PersonRow,
    /// What the browser is to prove that with from now on.
    pub session: String,
    /// What it is to prove with that somebody has signed in with it.
    pub browser: String,
    /// For how long the browser is to keep the session, if beyond its own end.
    pub keep: Option<Span>,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Name or password is wrong, or the account is disabled.
    #[error("the name or the password is wrong")]
    Wrong,
    /// Too many wrong passwords.
    #[error("too many wrong passwords: wait {0}")]
    Wait(Span),
    /// Too many sign in at once.
    #[error("too many sign in at the same time: try again in a moment")]
    Busy,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why somebody could not be entered, or a password not be chosen.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The name to sign in with is none.
    #[error("a name to sign in with has 1 to {LONGEST_LOGIN} of the characters a-z, 0-9, `.`, `-`, `_` and `@`")]
    Login,
    /// The person's name is none.
    #[error("a name has 1 to {LONGEST_NAME} bytes and no control characters")]
    Name,
    /// The password.
    #[error(transparent)]
    Weak(#[from] Weak),
    /// The password was to be given twice.
    #[error("the two passwords differ")]
    Differ,
    /// Too many passwords are hashed at once.
    #[error("too many sign in at the same time: try again in a moment")]
    Busy,
    /// What the database says.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// The password could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        Self::Person(error.into())
    }
}

/// A name to sign in with as it is kept.
///
/// # Errors
///
/// If it is none.
pub fn login(text: &str) -> Result<String, AccountError> {
    let login = text.trim().to_ascii_lowercase();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_@".contains(&byte);
    let good = (1..=LONGEST_LOGIN).contains(&login.len()) && login.bytes().all(fits);
    if good { Ok(login) } else { Err(AccountError::Login) }
}

fn name(text: &str) -> Result<String, AccountError> {
    let name = text.trim();
    let good = (1..=LONGEST_NAME).contains(&name.len()) && !name.chars().any(char::is_control);
    if good { Ok(name.to_owned()) } else { Err(AccountError::Name) }
}

/// Enters somebody, and returns them with the secret of the link by which they choose their password.
///
/// # Errors
///
/// If the names are none, somebody signs in with that name already, or the database fails.
pub async fn enter(
    store: &Store,
    (login_name, person_name): (&str, &str),
    grant: Grant,
    now: Timestamp,
    actor: &Actor,
) -> Result<(PersonRow, String), AccountError> {
    let (row, link) = (row(login_name, person_name, grant, now)?, token::random::<32>());
    store.enter_person(&row, &token::hash(&link), now + LINK_LASTS, actor).await?;
    Ok((row, link))
}

/// Makes somebody a new link; an earlier one is no longer good.
///
/// # Errors
///
/// If there is nobody of that id, or the database fails.
pub async fn link(
    store: &Store,
    person: &str,
    now: Timestamp,
    actor: &Actor,
) -> Result<(PersonRow, String), PersonError> {
    let link = token::random::<32>();
    let row = store.link_person(person, &token::hash(&link), now + LINK_LASTS, (actor, now)).await?;
    Ok((row, link))
}

fn row(login_name: &str, person_name: &str, grant: Grant, now: Timestamp) -> Result<PersonRow, AccountError> {
    Ok(PersonRow {
        id: token::random::<9>(),
        login: login(login_name)?,
        name: name(person_name)?,
        grant,
        further: Vec::new(),
        has_password: false,
        created_at: now,
        disabled_at: None,
        erased_at: None,
    })
}

impl Accounts {
    /// Accounts of `store`, of a web that is heard on this computer alone if it is `local`; with what is to be kept for the first
    /// administrator in `folder`.
    pub fn new(store: Store, clock: Arc<dyn Clock>, local: bool, folder: &Path) -> Self {
        Self {
            store,
            clock,
            passwords: Passwords::default(),
            attempts: Mutex::default(),
            local,
            closed: AtomicBool::new(false),
            was_new: AtomicBool::new(false),
            link_file: folder.join(LINK_FILE),
        }
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody was entered yet.
    pub async fn is_new(&self) -> Result<bool, StoreError> {
        if self.closed.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let asked = self.store.has_people();
        let has_people = if self.was_new.load(Ordering::Relaxed) {
            // A database that is away, or stands still, keeps nobody from what the hub knows without it. Nobody can have been entered there.
            timeout(PATIENCE, asked).await.ok().and_then(Result::ok).unwrap_or(false)
        } else {
            asked.await?
        };
        self.was_new.store(!has_people, Ordering::Relaxed);
        if has_people {
            self.closed.store(true, Ordering::Relaxed);
            // Somebody may have been entered on the command line.
            self.forget_link_file();
        }
        Ok(!has_people)
    }

    /// Whether whoever sits at this computer may do everything.
    pub async fn is_open(&self) -> Result<bool, StoreError> {
        Ok(self.local && self.is_new().await?)
    }

    /// Writes the link of the first administrator to a file that is this user's alone, unless somebody is entered already. `address` is
    /// where people reach the pages.
    ///
    /// # Errors
    ///
    /// If the file or the database cannot be written.
    pub async fn offer_first_admin(&self, address: &str) -> anyhow::Result<()> {
        if !self.is_new().await? {
            return Ok(());
        }
        let link = token::random::<32>();
        self.store.link_first_admin(&token::hash(&link)).await?;
        self.forget_link_file();
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.link_file)?;
        writeln!(file, "{address}/setup/{link}")?;
        file.sync_all()?;
        info!(file = %self.link_file.display(), "nobody can sign in yet: the link in this file makes the first administrator");
        Ok(())
    }

    fn forget_link_file(&self) {
        if let Err(cause) = std::fs::remove_file(&self.link_file)
            && cause.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(file = %self.link_file.display(), %cause, "the link of the first administrator, which is no longer good, is still there");
        }
    }

    /// Whose password a link sets, if it is good.
    pub async fn link_for(&self, link: &str) -> Result<Option<LinkFor>, StoreError> {
        self.store.link(&token::hash(link), self.clock.now()).await
    }

    /// Makes the first administrator, who has come by a link.
    ///
    /// # Errors
    ///
    /// If the link is no longer good, or what they chose is not.
    pub async fn set_up(&self, link: &str, names: (&str, &str), password: [&str; 2]) -> Result<(), AccountError> {
        let grant = Grant { role: Role::Admin, site: None };
        let row = row(names.0, names.1, grant, self.clock.now())?;
        let hash = self.chosen(&row, password).await?;
        self.store.enter_first_admin(&token::hash(link), &row, &hash).await?;
        self.closed.store(true, Ordering::Relaxed);
        self.forget_link_file();
        Ok(())
    }

    /// Sets the password of somebody who has come by a link.
    ///
    /// # Errors
    ///
    /// If the link is no longer good, or the password is not.
    pub async fn choose(&self, link: &str, person: &PersonRow, password: [&str; 2]) -> Result<(), AccountError> {
        let hash = self.chosen(person, password).await?;
        Ok(self.store.choose_password(&token::hash(link), &person.id, &hash, self.clock.now()).await?)
    }

    /// Changes the password of somebody who is signed in and knows the present one; their other sessions end.
    ///
    /// # Errors
    ///
    /// [`SignInError`] if the present one is wrong, else if the new one is not good.
    pub async fn change(
        &self,
        (person, session): (&PersonRow, &str),
        from: IpAddr,
        present: &str,
        password: [&str; 2],
    ) -> Result<Result<(), AccountError>, SignInError> {
        let trying = Trying { login: person.login.clone(), from, known: Some(token::hash(session)) };
        self.verified(&trying, Some(person), present).await?;
        let hash = match self.chosen(person, password).await {
            Ok(hash) => hash,
            Err(error) => return Ok(Err(error)),
        };
        self.store.change_password(person, session, &hash, self.clock.now()).await?;
        Ok(Ok(()))
    }

    async fn chosen(&self, person: &PersonRow, [password, again]: [&str; 2]) -> Result<String, AccountError> {
        if password != again {
            return Err(AccountError::Differ);
        }
        password::is_strong(password, &[&person.login, &person.name])?;
        let turn = self.passwords.turn().ok_or(AccountError::Busy)?;
        Ok(turn.comes().await.hash(password.to_owned()).await?)
    }

    /// Signs somebody in.
    ///
    /// # Errors
    ///
    /// If name or password is wrong, or there were too many wrong ones.
    pub async fn sign_in(&self, asked: SignIn<'_>) -> Result<SignedIn, SignInError> {
        let typed = asked.login.trim().to_ascii_lowercase();
        if typed.len() > LONGEST_LOGIN || asked.password.len() > password::LONGEST {
            return Err(SignInError::Wrong);
        }
        let now = self.clock.now();
        let person = self.store.person_by_login(&typed).await?;
        let known = match (&person, asked.browser.map(token::hash)) {
            (Some(person), Some(hash)) if self.store.knows_browser(&hash, &person.id, now).await? => Some(hash),
            _ => None,
        };
        let trying = Trying { login: typed, from: asked.from, known };
        self.verified(&trying, person.as_ref(), asked.password).await?;
        let person = person.filter(|person| person.disabled_at.is_none()).ok_or(SignInError::Wrong)?;

        let (session, lasts) = (token::random::<32>(), if asked.remember { REMEMBERED } else { SHIFT });
        // One that was not known before gets a name of its own, whatever it brought.
        let known = trying.known.and(asked.browser);
        let browser = known.map_or_else(token::random::<32>, str::to_owned);
        let row = SessionRow {
            id: token::random::<9>(),
            person: person.id.clone(),
            browser: asked.browser_name.chars().filter(|char| !char.is_control()).take(LONGEST_BROWSER).collect(),
            created_at: now,
            expires_at: now + lasts,
            last_used_at: now,
        };
        self.store.open_session(&row, &token::hash(&session), &token::hash(&browser)).await?;
        Ok(SignedIn { person, session, browser, keep: asked.remember.then_some(lasts) })
    }

    /// Whether the password is that of `person`. Takes as long if there is nobody.
    async fn verified(&self, trying: &Trying, person: Option<&PersonRow>, password: &str) -> Result<(), SignInError> {
        // Counted when its turn has come: many who sign in from one address at once are no guesses, and many guesses at once are no way
        // around the count.
        let turn = self.passwords.turn().ok_or(SignInError::Busy)?.comes().await;
        let at = self.clock.now();
        self.attempts().may_try(trying, at).map_err(SignInError::Wait)?;
        let kept = match person {
            Some(person) => self.store.password_of(&person.id).await?,
            None => None,
        };
        let has_password = kept.is_some();
        let hash = PasswordHashString::new(kept.as_deref().unwrap_or(NOBODY)).map_err(|_| SignInError::Wrong)?;
        if !(turn.is_right(hash, password.as_bytes().to_vec()).await && has_password) {
            return Err(SignInError::Wrong);
        }
        self.attempts().was_right(trying, at);
        Ok(())
    }

    /// The session that a browser proves, with who is signed in.
    pub async fn session(&self, proof: &str) -> Result<Option<(SessionRow, PersonRow)>, StoreError> {
        self.store.session_by_hash(&token::hash(proof), self.clock.now()).await
    }
}

#[cfg(test)]
mod tests;
