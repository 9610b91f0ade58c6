//! Passwords of people and of agents: hashed with argon2id, checked one at a time, and refused where they are easily guessed.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordHasher, Version,
    password_hash::{Output, PasswordHash, PasswordHashString, SaltString},
};
use tokio::sync::{Semaphore, SemaphorePermit};
use zxcvbn::zxcvbn;

/// Passwords looked at at once: it takes 19 MiB and a core for some 20 ms.
const AT_ONCE: usize = 1;
/// Log-ins that may wait for that; the others are told to come again.
const WAITING: usize = 256;
/// Longest password, in bytes.
pub(crate) const LONGEST: usize = 1024;
/// Least characters of a password that a person chooses.
pub const SHORTEST: usize = 8;
/// A password that is guessed sooner than with so many guesses is refused: that are all that are used most, and what differs little.
const LEAST_GUESSES: u64 = 1_000_000;
/// Only so much of a password is looked at for how soon it is guessed.
const LOOKED_AT: usize = 100;
/// What is often chosen in Chinese and is not in the lists of English words: numbers and initials that sound like words of love or luck.
const OFTEN_CHOSEN: [&str; 16] = [
    "woaini",
    "woaiwojia",
    "wodemima",
    "mima",
    "aini",
    "5201314",
    "1314520",
    "1314521",
    "7758521",
    "7758258",
    "147258",
    "110110",
    "888888",
    "666666",
    "168168",
    "anchang",
];

/// Why a password could not be hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Empty, or longer than 1024 bytes.
    #[error("a password has 1 to {LONGEST} bytes")]
    Length,
    /// The system has no randomness to give.
    #[error("the system gives no random bytes")]
    Random,
    /// The hash function failed.
    #[error("the password cannot be hashed")]
    Argon2,
}

/// Why a person may not have a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    /// It has too few characters, or more bytes than are looked at.
    #[error("a password has at least {SHORTEST} characters and at most {LONGEST} bytes")]
    Length,
    /// It is used by many, or follows from who they are.
    #[error("this password is easily guessed: use several words, or one that a password manager makes")]
    Guessed,
}

/// The password's argon2id in PHC form.
pub fn hash_password(password: &str) -> Result<String, HashError> {
    if password.is_empty() || password.len() > LONGEST {
        return Err(HashError::Length);
    }
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| HashError::Random)?;
    let salt = SaltString::encode_b64(&salt).map_err(|_| HashError::Argon2)?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(|_| HashError::Argon2)?;
    Ok(hash.to_string())
}

/// Whether a person of whom `known` is known (such as their name) may have a password (OWASP ASVS 5.0 6.2.1, 6.2.4).
pub fn is_strong(password: &str, known: &[&str]) -> Result<(), Weak> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return Err(Weak::Length);
    }
    let looked_at: String = password.chars().take(LOOKED_AT).collect();
    let guessed_first: Vec<&str> = known.iter().copied().chain(OFTEN_CHOSEN).collect();
    if zxcvbn(&looked_at, &guessed_first).guesses() < LEAST_GUESSES { Err(Weak::Guessed) } else { Ok(()) }
}

/// Whether `password` is the one of a hash. `memory` is what argon2id works in.
fn verify(hash: &PasswordHash<'_>, password: &[u8], memory: &mut Vec<Block>) -> bool {
    let digest = || {
        let params = Params::try_from(hash).ok()?;
        let version = hash.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
        let mut salt = [0; argon2::password_hash::Salt::MAX_LENGTH];
        let salt = hash.salt?.decode_b64(&mut salt).ok()?;
        let mut digest = vec![0; hash.hash?.len()];
        if memory.len() < params.block_count() {
            memory.resize(params.block_count(), Block::default());
        }
        Argon2::new(Algorithm::try_from(hash.algorithm).ok()?, version, params)
            .hash_password_into_with_memory(password, salt, &mut digest, memory)
            .ok()?;
        Output::new(&digest).ok()
    };
    // Outputs are compared in a time that does not tell where they differ.
    digest().is_some_and(|digest| Some(digest) == hash.hash)
}

/// Hashes and checks passwords, one at a time, so that no storm of log-ins takes the memory or the cores of the hub.
pub struct Passwords {
    checking: Semaphore,
    waiting: Semaphore,
    /// What argon2id works in. Kept, because memory that many threads take in turn is not given back by all allocators.
    memory: Arc<Mutex<Vec<Block>>>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self { checking: Semaphore::new(AT_ONCE), waiting: Semaphore::new(WAITING), memory: Arc::default() }
    }
}

/// A place in the row of those who wait for their password to be looked at.
#[derive(Debug)]
pub struct Turn<'a> {
    of: &'a Passwords,
    _waits: SemaphorePermit<'a>,
}

impl Passwords {
    /// A place in the row; none if too many wait.
    pub fn turn(&self) -> Option<Turn<'_>> {
        Some(Turn { of: self, _waits: self.waiting.try_acquire().ok()? })
    }
}

/// The turn of one password, which has come.
#[derive(Debug)]
pub struct Work<'a> {
    turn: Turn<'a>,
    _checks: SemaphorePermit<'a>,
}

impl<'a> Turn<'a> {
    /// Waits until the turn has come.
    pub async fn comes(self) -> Work<'a> {
        let checks = self.of.checking.acquire().await.expect("it is never closed");
        Work { turn: self, _checks: checks }
    }
}

impl Work<'_> {
    /// Whether `password` is the one that was hashed.
    pub async fn is_right(self, hash: PasswordHashString, password: Vec<u8>) -> bool {
        let memory = Arc::clone(&self.turn.of.memory);
        let check = move || {
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            verify(&hash.password_hash(), &password, &mut memory)
        };
        tokio::task::spawn_blocking(check).await.unwrap_or(false)
    }

    /// The password's hash.
    pub async fn hash(self, password: String) -> Result<String, HashError> {
        tokio::task::spawn_blocking(move || hash_password(&password)).await.unwrap_or(Err(HashError::Argon2))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_hash_is_salted_and_never_holds_the_password() {
        let (one, two) = (hash_password("secret").unwrap(), hash_password("secret").unwrap());
        assert_ne!(one, two);
        assert!(one.starts_with("$argon2id$") && !one.contains("secret"));
        assert_eq!(hash_password(""), Err(HashError::Length));
    }

    #[rstest]
    #[case("seven77", Err(Weak::Length))]
    #[case("七个字的密码啊", Err(Weak::Length))]
    #[case("password", Err(Weak::Guessed))]
    #[case("Password1", Err(Weak::Guessed))]
    #[case("12345678", Err(Weak::Guessed))]
    #[case("qwertyuiop", Err(Weak::Guessed))]
    #[case("iloveyou1", Err(Weak::Guessed))]
    #[case("11111111", Err(Weak::Guessed))]
    #[case("a123456789", Err(Weak::Guessed))]
    #[case("woaini1314", Err(Weak::Guessed))]
    #[case("woaini520", Err(Weak::Guessed))]
    #[case("5201314520", Err(Weak::Guessed))]
    #[case("20261128", Err(Weak::Guessed))]
    #[case::ones_own_name("zhangwei", Err(Weak::Guessed))]
    #[case::ones_own_name_and_a_year("zhangwei2026", Err(Weak::Guessed))]
    #[case("correct horse battery staple", Ok(()))]
    #[case("门口的大屏总是亮着", Ok(()))]
    #[case("x7#Lq2!mZp", Ok(()))]
    fn what_many_use_or_follows_from_the_person_is_refused(#[case] password: &str, #[case] strong: Result<(), Weak>) {
        assert_eq!(is_strong(password, &["zhangwei", "张伟"]), strong);
    }

    #[tokio::test]
    async fn a_password_is_right_only_for_its_own_hash_whatever_was_checked_before() {
        let passwords = Passwords::default();
        // Another program may have made it, with other parameters.
        let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let salt = SaltString::encode_b64(b"0123456789abcdef").unwrap();
        let cheap = cheap.hash_password(b"secret", &salt).unwrap().to_string();
        for hash in [hash_password("secret").unwrap(), cheap, hash_password("secret").unwrap()] {
            let hash = PasswordHashString::new(&hash).unwrap();
            for (password, right) in [("secret", true), ("Secret", false), ("", false)] {
                let work = passwords.turn().unwrap().comes().await;
                assert_eq!(work.is_right(hash.clone(), password.into()).await, right, "{password}");
            }
        }
    }

    #[tokio::test]
    async fn no_more_wait_than_there_are_places() {
        let passwords = Passwords::default();
        let turns: Vec<_> = std::iter::from_fn(|| passwords.turn()).take(WAITING + 1).collect();
        assert_eq!(turns.len(), WAITING);
        drop(turns);
        assert!(passwords.turn().is_some());
    }
}
