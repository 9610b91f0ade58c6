//! Passwords of agents: hashed for the file, and checked so that neither guessing nor a storm of reconnects costs the hub much.

use std::sync::{Mutex, PoisonError};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::{PasswordHashString, SaltString},
};
use tokio::{
    sync::Semaphore,
    time::{Duration, Instant},
};

/// Failed log-ins of one user within [`WINDOW`] after which only the password that is known to be right is accepted.
const MAX_FAILURES: u32 = 5;
const WINDOW: Duration = Duration::from_mins(1);
/// Passwords checked at once: each takes 19 MiB and a core for some 20 ms.
const AT_ONCE: usize = 2;
/// Log-ins that may wait for that; the others are told to come again.
const WAITING: usize = 256;
/// Longest password, in bytes.
const MAX_PASSWORD: usize = 1024;

/// Why a password could not be hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Empty, or longer than 1024 bytes.
    #[error("a password has 1 to {MAX_PASSWORD} bytes")]
    Length,
    /// The system has no randomness to give.
    #[error("the system gives no random bytes")]
    Random,
    /// The hash function failed.
    #[error("the password cannot be hashed")]
    Argon2,
}

/// The `password_hash` of an entry of the users file: argon2id in PHC form.
pub fn hash_password(password: &str) -> Result<String, HashError> {
    if password.is_empty() || password.len() > MAX_PASSWORD {
        return Err(HashError::Length);
    }
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| HashError::Random)?;
    let salt = SaltString::encode_b64(&salt).map_err(|_| HashError::Argon2)?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(|_| HashError::Argon2)?;
    Ok(hash.to_string())
}

/// One agent's password and how log-ins with it have gone.
pub(super) struct Account {
    hash: PasswordHashString,
    attempts: Mutex<Attempts>,
}

#[derive(Default)]
struct Attempts {
    /// Fingerprint of the password last found right, which makes a reconnect cheap.
    known: Option<[u8; 32]>,
    failures: u32,
    since: Option<Instant>,
}

impl Account {
    /// `None` if the hash is not one of argon2.
    pub(super) fn new(hash: PasswordHashString) -> Option<Self> {
        let usable = hash.algorithm() == argon2::ARGON2ID_IDENT && Params::try_from(&hash.password_hash()).is_ok();
        usable.then(|| Self { hash, attempts: Mutex::default() })
    }

    pub(super) fn same_password(&self, other: &Self) -> bool {
        self.hash == other.hash
    }

    fn attempts(&self) -> std::sync::MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn knows(&self, fingerprint: &[u8; 32]) -> bool {
        self.attempts().known.is_some_and(|known| same(&known, fingerprint))
    }

    /// Whether another guess is allowed; counts it as failed until it is found right.
    fn may_guess(&self) -> bool {
        let mut attempts = self.attempts();
        if attempts.since.is_none_or(|since| since.elapsed() >= WINDOW) {
            attempts.since = Some(Instant::now());
            attempts.failures = 0;
        }
        attempts.failures += 1;
        attempts.failures <= MAX_FAILURES
    }

    fn found_right(&self, fingerprint: [u8; 32]) {
        let mut attempts = self.attempts();
        attempts.known = Some(fingerprint);
        attempts.failures = 0;
    }
}

/// What came of a log-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    Wrong,
    /// Too many failures: not even looked at.
    Locked,
    /// Too many log-ins at once: to be tried again.
    Busy,
}

/// Checks passwords, a few at a time.
pub(super) struct Gate {
    checking: Semaphore,
    waiting: Semaphore,
    salt: [u8; 16],
}

impl Gate {
    pub(super) fn new() -> Result<Self, HashError> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| HashError::Random)?;
        Ok(Self { checking: Semaphore::new(AT_ONCE), waiting: Semaphore::new(WAITING), salt })
    }

    /// Checks `password`. The one last found right is recognised at once, also while the account is locked, so that nobody can
    /// shut an agent out by guessing.
    pub(super) async fn check(&self, account: &Account, password: &[u8]) -> Verdict {
        if password.is_empty() || password.len() > MAX_PASSWORD {
            return Verdict::Wrong;
        }
        let fingerprint = self.fingerprint(password);
        if account.knows(&fingerprint) {
            return Verdict::Right;
        }
        let Ok(_waits) = self.waiting.try_acquire() else { return Verdict::Busy };
        if !account.may_guess() {
            return Verdict::Locked;
        }
        let Ok(_checks) = self.checking.acquire().await else { return Verdict::Busy };
        let (hash, password) = (account.hash.clone(), password.to_vec());
        let right = tokio::task::spawn_blocking(move || {
            Argon2::default().verify_password(&password, &hash.password_hash()).is_ok()
        });
        if right.await.unwrap_or(false) {
            account.found_right(fingerprint);
            return Verdict::Right;
        }
        Verdict::Wrong
    }

    /// A keyed digest that lives only in this process: cheap, because what it protects is its own memory.
    fn fingerprint(&self, password: &[u8]) -> [u8; 32] {
        let params = Params::new(Params::MIN_M_COST, 1, 1, Some(32)).expect("the least parameters are valid");
        let mut digest = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(password, &self.salt, &mut digest)
            .expect("salt, password and digest are within argon2's lengths");
        digest
    }
}

/// Compares in a time that does not tell where the difference is.
fn same(left: &[u8; 32], right: &[u8; 32]) -> bool {
    left.iter().zip(right).fold(0, |difference, (left, right)| difference | (left ^ right)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(password: &str) -> Account {
        Account::new(PasswordHashString::new(&hash_password(password).unwrap()).unwrap()).unwrap()
    }

    /// With the least work that argon2id allows.
    fn cheap_account(password: &str) -> Account {
        let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
        let salt = SaltString::encode_b64(b"salt of tests").unwrap();
        let hash = cheap.hash_password(password.as_bytes(), &salt).unwrap();
        Account::new(PasswordHashString::new(&hash.to_string()).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn the_right_password_is_accepted_and_any_other_is_not() {
        let (gate, account) = (Gate::new().unwrap(), account("正确 password"));
        assert_eq!(gate.check(&account, b"wrong").await, Verdict::Wrong);
        assert_eq!(gate.check(&account, b"").await, Verdict::Wrong);
        assert_eq!(gate.check(&account, &[b'x'; MAX_PASSWORD + 1]).await, Verdict::Wrong);
        assert_eq!(gate.check(&account, "正确 password".as_bytes()).await, Verdict::Right);
    }

    #[tokio::test]
    async fn guessing_locks_the_account_but_never_the_agent_that_is_known() {
        let (gate, account, fresh) = (Gate::new().unwrap(), cheap_account("right"), cheap_account("right"));
        assert_eq!(gate.check(&account, b"right").await, Verdict::Right);
        for _ in 0..MAX_FAILURES {
            assert_eq!(gate.check(&account, b"guess").await, Verdict::Wrong);
            assert_eq!(gate.check(&fresh, b"guess").await, Verdict::Wrong);
        }
        assert_eq!(gate.check(&account, b"guess").await, Verdict::Locked);
        assert_eq!(gate.check(&account, b"right").await, Verdict::Right);
        // Without a log-in since the start the hub cannot know, and the lock holds.
        assert_eq!(gate.check(&fresh, b"right").await, Verdict::Locked);
    }

    #[test]
    fn a_hash_is_salted_and_never_holds_the_password() {
        let (one, two) = (hash_password("secret").unwrap(), hash_password("secret").unwrap());
        assert_ne!(one, two);
        assert!(one.starts_with("$argon2id$") && !one.contains("secret"));
        assert_eq!(hash_password(""), Err(HashError::Length));
    }
}
