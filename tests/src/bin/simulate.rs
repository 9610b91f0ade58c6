//! Runs the simulation: one seed or many, for as long as wanted, with a trace or without.

#![expect(clippy::print_stdout, reason = "this is a program for people")]

use std::{
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};

use clap::Parser;
use lobby_tests::simulation::{Breach, Bug, Options, Summary, run};
use tokio::time::Instant;

/// Runs the cores of agent and hub in a simulated world of faults, and checks every promise at every step.
///
/// The same seed always gives the same run. A seed that breaks a promise is run once more with its trace.
#[derive(Debug, Parser)]
struct Arguments {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, one after the other.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Virtual hours of each, with faults; some time to settle is added.
    #[arg(long, default_value_t = 24)]
    hours: u32,
    /// Print everything that happens.
    #[arg(long)]
    trace: bool,
    /// Plant a bug: `ack-before-commit`, `sync-lies`, `stale-will`, `no-dedupe`, `believes-links` or `puts-off-backlog`.
    #[arg(long, value_parser = bug)]
    bug: Option<Bug>,
    /// Seeds run at once.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn bug(name: &str) -> Result<Bug, String> {
    Bug::ALL.into_iter().find(|bug| bug.as_str() == name).ok_or_else(|| format!("there is no bug `{name}` to plant"))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options { hours: arguments.hours, bug: arguments.bug, trace: arguments.trace };
    let started = Instant::now();
    let next = AtomicU64::new(arguments.seed);
    let work = || {
        let (mut done, mut total) = (0, Summary::default());
        loop {
            let seed = next.fetch_add(1, Relaxed);
            if seed >= arguments.seed.saturating_add(arguments.seeds) {
                return Ok((done, total));
            }
            let summary = run(seed, options)?;
            done += 1;
            add(&mut total, summary);
        }
    };
    let ended: Vec<Result<(u64, Summary), Box<Breach>>> = thread::scope(|scope| {
        let running: Vec<_> = (0..arguments.threads.max(1)).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|thread| thread.join().expect("a run does not panic")).collect()
    });
    let (mut done, mut total) = (0, Summary::default());
    let mut first: Option<Box<Breach>> = None;
    for one in ended {
        match one {
            Ok((count, summary)) => {
                done += count;
                add(&mut total, summary);
            }
            Err(breach) if first.as_ref().is_none_or(|known| known.seed > breach.seed) => first = Some(breach),
            Err(_) => {}
        }
    }
    if let Some(breach) = first {
        let again = run(breach.seed, Options { trace: true, ..options });
        println!("{}", again.err().unwrap_or(breach));
        return ExitCode::FAILURE;
    }
    let Summary { steps, records, lost, duplicates, crashes, alerts, digest } = total;
    println!(
        "{done} seeds of {} h in {:.1} s: {steps} steps, {records} records ({lost} given up by full or damaged disks, {duplicates} repeats refused), \
         {crashes} crashes, {alerts} alerts; every promise kept; digest {digest:016x}",
        arguments.hours,
        started.elapsed().as_secs_f64()
    );
    ExitCode::SUCCESS
}

fn add(total: &mut Summary, one: Summary) {
    total.steps += one.steps;
    total.records += one.records;
    total.lost += one.lost;
    total.duplicates += one.duplicates;
    total.crashes += one.crashes;
    total.alerts += one.alerts;
    // The same in whatever order the seeds end.
    total.digest = total.digest.wrapping_add(one.digest);
}
