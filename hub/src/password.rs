//! Passwords of people and of agents: hashed with argon2id, checked a few at a time, and refused where they are easily guessed.

use argon2::{
    Argon2, PasswordHasher, PasswordVerifier,
    password_hash::{PasswordHashString, SaltString},
};
use tokio::sync::{Semaphore, SemaphorePermit};
use zxcvbn::zxcvbn;

/// Passwords checked at once: each takes 19 MiB and a core for some 20 ms.
const AT_ONCE: usize = 2;
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

/// Hashes and checks passwords, a few at a time, so that no storm of log-ins takes the memory or the cores of the hub.
#[derive(Debug)]
pub struct Passwords {
    checking: Semaphore,
    waiting: Semaphore,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { checking: Semaphore::new(AT_ONCE), waiting: Semaphore::new(WAITING) }
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
    _waits: Turn<'a>,
    _checks: SemaphorePermit<'a>,
}

impl<'a> Turn<'a> {
    /// Waits until the turn has come.
    pub async fn comes(self) -> Work<'a> {
        let checks = self.of.checking.acquire().await.expect("it is never closed");
        Work { _waits: self, _checks: checks }
    }
}

impl Work<'_> {
    /// Whether `password` is the one that was hashed.
    pub async fn is_right(self, hash: PasswordHashString, password: Vec<u8>) -> bool {
        let check = move || Argon2::default().verify_password(&password, &hash.password_hash()).is_ok();
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
    async fn no_more_wait_than_there_are_places() {
        let passwords = Passwords::default();
        let turns: Vec<_> = std::iter::from_fn(|| passwords.turn()).take(WAITING + 1).collect();
        assert_eq!(turns.len(), WAITING);
        drop(turns);
        assert!(passwords.turn().is_some());
    }
}
