//! Named places on the main path at which a test lets the process die or stand still, to see what is left of work half done.
//!
//! `LOBBY_FAILPOINT=NAME:NTH` ends the process, as a power cut does, when it comes to `NAME` for the `NTH` time;
//! `LOBBY_FAILPOINT=NAME:NTH:stall` lets the task that comes there stand still for ever. Only programs with debug assertions have this:
//! a release reads nothing and does nothing.

/// The process has come to `name`.
#[cfg(not(debug_assertions))]
pub(crate) fn pass(_name: &str) {}

#[cfg(debug_assertions)]
pub(crate) use armed::pass;

#[cfg(debug_assertions)]
mod armed {
    use std::{
        env,
        sync::{
            LazyLock,
            atomic::{AtomicU32, Ordering::Relaxed},
        },
    };

    static ARMED: LazyLock<Option<Failpoint>> =
        LazyLock::new(|| env::var("LOBBY_FAILPOINT").ok().as_deref().and_then(Failpoint::from_text));

    /// The one place at which something happens in this process.
    #[derive(Debug)]
    struct Failpoint {
        name: Box<str>,
        nth: u32,
        stalls: bool,
        passed: AtomicU32,
    }

    impl Failpoint {
        fn from_text(text: &str) -> Option<Self> {
            let (rest, stalls) = text.strip_suffix(":stall").map_or((text, false), |rest| (rest, true));
            let (name, nth) = rest.split_once(':')?;
            Some(Self { name: name.into(), nth: nth.parse().ok()?, stalls, passed: AtomicU32::new(0) })
        }

        /// Whether this is the time at which something happens.
        fn is_hit(&self, name: &str) -> bool {
            *self.name == *name && self.passed.fetch_add(1, Relaxed) + 1 == self.nth
        }
    }

    /// The process has come to `name`.
    pub(crate) fn pass(name: &str) {
        let Some(failpoint) = ARMED.as_ref().filter(|failpoint| failpoint.is_hit(name)) else { return };
        tracing::error!(name, "a test ends the work here");
        if !failpoint.stalls {
            // Should the signal not come, what comes after it ends the process just as suddenly.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            std::process::abort();
        }
        loop {
            std::thread::park();
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_failpoint_is_hit_once_at_the_time_it_is_set_for() {
            let failpoint = Failpoint::from_text("committed:2:stall").unwrap();
            assert!(failpoint.stalls);
            let hits = ["committed", "judged", "committed", "committed"].map(|name| failpoint.is_hit(name));
            assert_eq!(hits, [false, false, true, false]);
            assert!(Failpoint::from_text("committed").is_none());
        }
    }
}
