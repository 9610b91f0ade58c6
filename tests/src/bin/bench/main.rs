//! Measures the product as customers get it, beside what the machine can do at best.
//!
//! `cargo run --release -p lobby-tests --bin bench -- [ingest|backlog|latency|disk|memory|history|pages|sign-ins|agent]... [--rounds=N]`; all of them
//! without arguments. Build the programs first: `cargo build --release --workspace --bins`. PostgreSQL is measured where `TEST_POSTGRES_URL`
//! names a server. Figures of a machine that does other things as well are worth little: read medians and ratios. The load runs on the
//! same cores as the hub.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

mod agent;
mod backlog;
mod disk;
mod fleet;
mod history;
mod ingest;
mod latency;
mod memory;
mod pages;
mod sign_ins;

use std::{env, net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use lobby_tests::hub::{Hub, Options};

/// Rounds of each line, unless told otherwise; what is compared takes turns.
const ROUNDS: u64 = 5;
const PARTS: [&str; 9] = ["ingest", "backlog", "latency", "disk", "memory", "history", "pages", "sign-ins", "agent"];

fn main() -> Result<()> {
    if env::args().any(|word| matches!(&*word, "--help" | "-h")) {
        println!(
            "Usage: bench [PART]... [--rounds=N]\n\nParts: {}; all of them unless some are named.",
            PARTS.join(", ")
        );
        return Ok(());
    }
    let (options, asked): (Vec<String>, Vec<String>) = env::args().skip(1).partition(|word| word.starts_with("--"));
    let mut rounds = ROUNDS;
    for option in options {
        let number = option.strip_prefix("--rounds=").with_context(|| format!("`{option}` is not --rounds=N"))?;
        rounds = number.parse().with_context(|| format!("`{option}`: not a number"))?;
    }
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|word| word == name);
    if let Some(unknown) = asked.iter().find(|word| !PARTS.contains(&word.as_str())) {
        anyhow::bail!("`{unknown}` is none of {}", PARTS.join(", "));
    }
    // One thread for the whole load: the other core is the hub's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for part in PARTS.into_iter().filter(|part| wanted(part)) {
        match part {
            "ingest" => ingest::measure(&runtime, rounds)?,
            "backlog" => backlog::measure(&runtime, rounds)?,
            "latency" => latency::measure(&runtime)?,
            "disk" => disk::measure(&runtime)?,
            "memory" => memory::measure(&runtime)?,
            "history" => history::measure(&runtime)?,
            "pages" => pages::measure(&runtime)?,
            "sign-ins" => sign_ins::measure()?,
            _ => agent::measure()?,
        }
    }
    Ok(())
}

/// A hub that keeps its log to itself.
fn start(options: Options) -> Result<Hub> {
    let mut hub = Hub::with(options)?;
    hub.process().hush();
    Ok(hub)
}

fn broker(hub: &Hub) -> Result<SocketAddr> {
    hub.mqtt_url().trim_start_matches("mqtt://").parse().context("the broker's address")
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value that so many percent of sorted times do not exceed, in ms.
fn percentile(times: &[Duration], percent: usize) -> f64 {
    let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
