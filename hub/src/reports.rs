//! How often guests may report something: five times an hour for a device, or an item, from one address. Nobody has to prove who they are to report, so
//! that is all that keeps one prankster from filling a ticket.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use lobby_contract::SiteId;
use lobby_domain::time::{Span, Timestamp};

use crate::{account::network, photo::Photos};

/// Reports within [`WINDOW`] after which no more are taken.
const MOST: usize = 5;
/// For how long a report counts.
const WINDOW: Span = Span::from_mins(60);
/// So many devices and addresses are counted at once; while there are more, guests wait.
const COUNTED: usize = 20_000;

/// A thing at a site, and the network from where it was reported.
type Key = (SiteId, Box<str>, IpAddr);

/// What is needed to take what people report.
#[derive(Debug, Default)]
pub struct Reports {
    /// How often guests have reported something.
    pub guests: Guests,
    /// What reads photos.
    pub photos: Photos,
}

/// The reports of guests within the last hour.
#[derive(Debug, Default)]
pub struct Guests(Mutex<HashMap<Key, Vec<Timestamp>>>);

impl Guests {
    /// Counts a report, until [`Guests::was_none`] says otherwise, so that many at once are no way around the count.
    ///
    /// # Errors
    ///
    /// How long to wait, if there were too many.
    pub fn may_report(&self, site: &SiteId, thing: &str, from: IpAddr, now: Timestamp) -> Result<(), Span> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() >= COUNTED {
            counted.retain(|_, times| times.iter().any(|at| now.since(*at) < WINDOW));
            if counted.len() >= COUNTED {
                return Err(WINDOW);
            }
        }
        let times = counted.entry((site.clone(), thing.into(), network(from))).or_default();
        times.retain(|at| now.since(*at) < WINDOW);
        match times.first() {
            Some(oldest) if times.len() >= MOST => {
                Err(Span::from_millis(WINDOW.millis() - now.since(*oldest).millis()))
            }
            _ => {
                times.push(now);
                Ok(())
            }
        }
    }

    /// Whether one more would be too many.
    pub fn are_enough(&self, site: &SiteId, thing: &str, from: IpAddr, now: Timestamp) -> bool {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = counted.get(&(site.clone(), thing.into(), network(from)));
        times.is_some_and(|times| times.iter().filter(|at| now.since(**at) < WINDOW).count() >= MOST)
    }

    /// What was counted at `at` was a repeat, or was not taken.
    pub fn was_none(&self, site: &SiteId, thing: &str, from: IpAddr, at: Timestamp) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = counted.get_mut(&(site.clone(), thing.into(), network(from)))
            && let Some(place) = times.iter().rposition(|time| *time == at)
        {
            times.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mins: i64) -> Timestamp {
        Timestamp::from_millis(1_795_140_000_000 + mins * 60_000)
    }

    #[test]
    fn the_sixth_report_of_an_hour_waits_and_others_do_not() {
        let guests = Guests::default();
        let (site, led, tv) = ("hz-01".parse().unwrap(), "led", "tv");
        let (here, there) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        for minute in 0..5 {
            assert_eq!(guests.may_report(&site, led, here, at(minute)), Ok(()));
        }
        assert_eq!(guests.may_report(&site, led, here, at(10)), Err(Span::from_mins(50)));
        assert!(guests.are_enough(&site, led, here, at(10)) && !guests.are_enough(&site, led, here, at(60)));
        assert_eq!(guests.may_report(&site, tv, here, at(10)), Ok(()));
        assert_eq!(guests.may_report(&site, led, there, at(10)), Ok(()));
        guests.was_none(&site, led, here, at(4));
        assert_eq!(guests.may_report(&site, led, here, at(11)), Ok(()), "a repeat does not count");
        assert_eq!(guests.may_report(&site, led, here, at(60)), Ok(()), "the first is past");
        assert!(guests.may_report(&site, led, here, at(60)).is_err());
    }

    #[test]
    fn a_flood_of_addresses_takes_a_bounded_room_and_passes() {
        let guests = Guests::default();
        let (site, led) = ("hz-01".parse().unwrap(), "led");
        let from = |n: usize| format!("10.{}.{}.{}", n / 65536, n / 256 % 256, n % 256).parse().unwrap();
        assert!((0..COUNTED).all(|n| guests.may_report(&site, led, from(n), at(0)).is_ok()));
        assert!(guests.may_report(&site, led, "192.0.2.1".parse().unwrap(), at(1)).is_err());
        assert_eq!(guests.may_report(&site, led, "192.0.2.1".parse().unwrap(), at(60)), Ok(()));
    }
}
