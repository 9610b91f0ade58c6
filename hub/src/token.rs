//! Tokens with which programs use the API: how they are made and recognised.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use lobby_domain::{access::Grant, time::Timestamp};
use ring::digest::{SHA256, digest};

use crate::{
    audit::Actor,
    store::{Store, StoreError, TokenRow},
};

/// With what every token begins, so that people and programs that look for leaked secrets recognise one.
const PREFIX: &str = "lobby_";
/// Its random part, in bytes.
const RANDOM: usize = 32;

/// A token as it is kept: its SHA-256. It is as random as the hash is long, so a slow hash would protect nothing more.
pub fn hash(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

/// Whether a text has the shape of a token, so that it is worth looking up.
pub fn may_be(text: &str) -> bool {
    text.strip_prefix(PREFIX).is_some_and(|rest| rest.len() == RANDOM.div_ceil(3) * 4 - 1)
}

/// Makes a token, keeps its hash, and returns it with its row. It cannot be shown again.
///
/// # Errors
///
/// Where the database cannot be written.
pub async fn create(
    store: &Store,
    name: String,
    grant: Grant,
    expires_at: Option<Timestamp>,
    now: Timestamp,
    actor: &Actor,
) -> Result<(String, TokenRow), StoreError> {
    let (token, id) = (format!("{PREFIX}{}", random::<RANDOM>()), id());
    let row = TokenRow { id, name, grant, created_at: now, expires_at, revoked_at: None, last_used_at: None };
    store.make_token(&row, &hash(&token), actor).await?;
    Ok((token, row))
}

/// What names a token in lists and commands. Its letters and digits are never taken for an option of a command line.
fn id() -> String {
    let mut random = [0; 6];
    getrandom::fill(&mut random).expect("the operating system has random numbers");
    random.iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

/// So many random bytes, in letters, digits, `-` and `_`, which an address may have.
pub(crate) fn random<const BYTES: usize>() -> String {
    let mut random = [0; BYTES];
    getrandom::fill(&mut random).expect("the operating system has random numbers");
    URL_SAFE_NO_PAD.encode(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_never_the_same_and_recognised_by_their_hash() {
        let tokens: Vec<String> = (0..100).map(|_| random::<RANDOM>()).collect();
        let mut distinct = tokens.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), tokens.len());
        assert!(tokens.iter().all(|token| may_be(&format!("{PREFIX}{token}"))));
        assert!(!may_be(&tokens[0]) && !may_be("lobby_x"));
        assert_eq!(hash("lobby_x"), hash("lobby_x"));
        assert_ne!(hash("lobby_x"), hash("lobby_y"));
    }
}
