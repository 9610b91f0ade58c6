//! How often somebody may guess a password: five wrong ones in a quarter of an hour for an account, and as many from one address. A
//! browser in which they have signed in before has a count of its own, so that strangers who guess cannot shut anybody out.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
};

use lobby_domain::time::{Span, Timestamp};

/// Wrong passwords within [`WINDOW`] after which no more are looked at.
const MOST: usize = 5;
/// For how long a wrong password counts.
const WINDOW: Span = Span::from_mins(15);
/// So many accounts, addresses and browsers are counted at once; while there are more, strangers wait.
const COUNTED: usize = 20_000;

/// Who tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trying {
    /// The account, as it was typed.
    pub login: String,
    /// From where.
    pub from: IpAddr,
    /// The browser, by its hash, if they have signed in with it before.
    pub known: Option<Vec<u8>>,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Account(String),
    Address(IpAddr),
    Browser(String, Vec<u8>),
}

/// The wrong passwords of the last quarter of an hour.
#[derive(Debug, Default)]
pub struct Attempts(HashMap<Key, Vec<Timestamp>>);

impl Attempts {
    /// Counts an attempt as wrong until [`Attempts::was_right`] says otherwise, so that many at once are no way around the count.
    ///
    /// # Errors
    ///
    /// How long to wait, if there were too many.
    pub fn may_try(&mut self, trying: &Trying, now: Timestamp) -> Result<(), Span> {
        let keys = keys(trying);
        if self.0.len() + keys.len() > COUNTED {
            self.0.retain(|_, times| times.iter().any(|at| now.since(*at) < WINDOW));
            if self.0.len() + keys.len() > COUNTED {
                return Err(WINDOW);
            }
        }
        for key in &keys {
            let Some(times) = self.0.get_mut(key) else { continue };
            times.retain(|at| now.since(*at) < WINDOW);
            if times.len() >= MOST
                && let Some(oldest) = times.first()
            {
                return Err(Span::from_millis(WINDOW.millis() - now.since(*oldest).millis()));
            }
        }
        for key in keys {
            self.0.entry(key).or_default().push(now);
        }
        Ok(())
    }

    /// The attempt that was made at `at` was none.
    pub fn was_right(&mut self, trying: &Trying, at: Timestamp) {
        for key in keys(trying) {
            if let Some(times) = self.0.get_mut(&key) {
                if let Some(place) = times.iter().rposition(|time| *time == at) {
                    times.remove(place);
                }
                if times.is_empty() {
                    self.0.remove(&key);
                }
            }
        }
    }
}

fn keys(trying: &Trying) -> Vec<Key> {
    match &trying.known {
        Some(browser) => vec![Key::Browser(trying.login.clone(), browser.clone())],
        None => vec![Key::Account(trying.login.clone()), Key::Address(network(trying.from))],
    }
}

/// The address, or the network of 64 bits that a single line is given with IPv6.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(1_795_140_000_000 + secs * 1000)
    }

    fn stranger(login: &str, from: &str) -> Trying {
        Trying { login: login.into(), from: from.parse().unwrap(), known: None }
    }

    fn wrong(attempts: &mut Attempts, trying: &Trying, times: i64) {
        for second in 0..times {
            assert_eq!(attempts.may_try(trying, at(second)), Ok(()), "attempt {second}");
        }
    }

    #[test]
    fn the_sixth_wrong_password_for_an_account_waits_wherever_it_comes_from() {
        let mut attempts = Attempts::default();
        for second in 0..5 {
            assert_eq!(attempts.may_try(&stranger("li", &format!("10.0.0.{second}")), at(second)), Ok(()));
        }
        assert_eq!(attempts.may_try(&stranger("li", "10.0.0.9"), at(10)), Err(Span::from_secs(15 * 60 - 10)));
        assert_eq!(attempts.may_try(&stranger("wang", "10.0.0.9"), at(10)), Ok(()), "others are not concerned");
        assert_eq!(attempts.may_try(&stranger("li", "10.0.0.9"), at(15 * 60)), Ok(()), "the first is past");
        assert!(attempts.may_try(&stranger("li", "10.0.0.9"), at(15 * 60)).is_err());
    }

    #[test]
    fn one_address_guesses_at_five_accounts_and_no_more() {
        let mut attempts = Attempts::default();
        for (second, login) in (0..).zip(["a", "b", "c", "d", "e"]) {
            assert_eq!(attempts.may_try(&stranger(login, "2001:db8:0:1::5"), at(second)), Ok(()));
        }
        assert!(attempts.may_try(&stranger("f", "2001:db8:0:1:ffff::7"), at(9)).is_err(), "it is the same line");
        assert_eq!(attempts.may_try(&stranger("f", "2001:db8:0:2::5"), at(9)), Ok(()));
    }

    #[test]
    fn a_browser_that_is_known_is_not_shut_out_by_strangers_and_may_not_guess_for_ever_either() {
        let mut attempts = Attempts::default();
        wrong(&mut attempts, &stranger("li", "10.0.0.1"), 5);
        let known = Trying { known: Some(vec![7]), ..stranger("li", "10.0.0.1") };
        wrong(&mut attempts, &known, 5);
        assert!(attempts.may_try(&known, at(9)).is_err());
    }

    #[test]
    fn a_right_password_is_not_counted() {
        let mut attempts = Attempts::default();
        let li = stranger("li", "10.0.0.1");
        for second in 0..50 {
            assert_eq!(attempts.may_try(&li, at(second)), Ok(()));
            attempts.was_right(&li, at(second));
        }
        assert!(attempts.0.is_empty());
    }

    #[test]
    fn a_flood_of_addresses_takes_a_bounded_room_and_passes() {
        let mut attempts = Attempts::default();
        let flood =
            |n: usize| stranger(&format!("login-{n}"), &format!("10.{}.{}.{}", n / 65536, n / 256 % 256, n % 256));
        let taken = (0..COUNTED).filter(|n| attempts.may_try(&flood(*n), at(0)).is_ok()).count();
        assert_eq!(taken, COUNTED / 2, "each takes two places");
        assert!(attempts.may_try(&stranger("li", "192.0.2.1"), at(1)).is_err());
        assert_eq!(attempts.may_try(&stranger("li", "192.0.2.1"), at(15 * 60)), Ok(()));
    }
}
