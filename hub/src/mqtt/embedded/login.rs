//! Passwords of agents: hashed for the file, and checked so that neither guessing nor a storm of reconnects costs the hub much.

use std::sync::{Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Params, Version, password_hash::PasswordHashString};
use tokio::time::{Duration, Instant};

use crate::password::{HashError, LONGEST, Passwords};

/// Failed log-ins of one user within [`WINDOW`] after which only the password that is known to be right is accepted.
const MAX_FAILURES: u32 = 5;
const WINDOW: Duration = Duration::from_mins(1);

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
    passwords: Passwords,
    salt: [u8; 16],
}

impl Gate {
    pub(super) fn new() -> Result<Self, HashError> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| HashError::Random)?;
        Ok(Self { passwords: Passwords::default(), salt })
    }

    /// Checks `password`. The one last found right is recognised at once, also while the account is locked, so that nobody can
    /// shut an agent out by guessing.
    pub(super) async fn check(&self, account: &Account, password: &[u8]) -> Verdict {
        if password.is_empty() || password.len() > LONGEST {
            return Verdict::Wrong;
        }
        let fingerprint = self.fingerprint(password);
        if account.knows(&fingerprint) {
            return Verdict::Right;
        }
        let Some(turn) = self.passwords.turn() else { return Verdict::Busy };
        if !account.may_guess() {
            return Verdict::Locked;
        }
        if turn.comes().await.is_right(account.hash.clone(), password.to_vec()).await {
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
    use argon2::{PasswordHasher, password_hash::SaltString};

    use super::*;
    use crate::password::hash_password;

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
        assert_eq!(gate.check(&account, &[b'x'; LONGEST + 1]).await, Verdict::Wrong);
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
}
