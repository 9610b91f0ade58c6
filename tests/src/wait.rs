//! Waiting for a condition, never for a time.

use std::{thread, time::Duration};

use anyhow::{Result, bail};
use tokio::time::Instant;

/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks again and again until `look` finds something; fails after `within`, saying what was waited for.
pub fn until<T>(what: &str, within: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + within;
    let mut trouble = None;
    loop {
        match look() {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            // A process that is being restarted refuses connections: what counts is the deadline.
            Err(error) => trouble = Some(error),
        }
        if Instant::now() >= deadline {
            match trouble {
                Some(error) => return Err(error.context(format!("waited {within:?} for {what}"))),
                None => bail!("waited {within:?} in vain for {what}"),
            }
        }
        pause(PAUSE);
    }
}

/// Looks during the whole of `during` and fails as soon as `look` does: for what must not happen.
pub fn throughout(during: Duration, mut look: impl FnMut() -> Result<()>) -> Result<()> {
    let end = Instant::now() + during;
    while Instant::now() < end {
        look()?;
        pause(PAUSE);
    }
    Ok(())
}

/// Lets time pass where time itself is what is tested, such as the moment of a kill or the length of a measurement.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that sleeps: between two looks, and until a chosen moment"
)]
pub fn pause(length: Duration) {
    thread::sleep(length);
}
