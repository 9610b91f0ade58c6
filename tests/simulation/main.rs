//! The promises under every fault that the simulation knows, over many seeds; and whether it would notice if one were broken.
//!
//! `SIMULATION_SEEDS` runs more of them. A seed that fails is told with its trace; `cargo run -p lobby-tests --bin simulate -- --seed N
//! --trace` runs it again.

use std::{
    env,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};

use lobby_tests::simulation::{Bug, Options, Summary, run};
use rstest::rstest;

/// Seeds of one run, and how many virtual hours each lasts.
const SEEDS: u64 = 500;

/// Lines at the end of a trace that are told.
const TAIL: usize = 200;

#[test]
fn five_hundred_days_of_faults_break_no_promise() {
    let seeds = env::var("SIMULATION_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(SEEDS);
    let next = AtomicU64::new(1);
    let work = || {
        let mut crashes = 0;
        loop {
            let seed = next.fetch_add(1, Relaxed);
            if seed > seeds {
                return crashes;
            }
            match run(seed, Options::default()) {
                Ok(summary) => crashes += summary.crashes,
                Err(breach) => tell(breach.seed),
            }
        }
    };
    let crashes: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no seed breaks a promise")).sum()
    });
    assert!(crashes > seeds, "too little happened: {crashes} crashes in {seeds} runs");
}

/// Runs a seed again that broke a promise, and tells all about it.
fn tell(seed: u64) -> ! {
    let mut breach = run(seed, Options { trace: true, ..Options::default() }).expect_err("the same run again");
    breach.trace.drain(..breach.trace.len().saturating_sub(TAIL));
    panic!("{breach}");
}

#[rstest]
#[case(Bug::AckBeforeCommit, "is acknowledged and not stored")]
#[case(Bug::SyncLies, "lost")]
#[case(Bug::StaleWill, "by the will of an earlier session")]
#[case(Bug::NoDedupe, "is stored 2 times")]
#[case(Bug::BelievesLinks, "nothing has been heard of its agent")]
#[case(Bug::PutsOffBacklog, "waits, and newer ones get through")]
fn a_planted_bug_is_found(#[case] bug: Bug, #[case] what: &str) {
    let options = Options { bug: Some(bug), ..Options::default() };
    let breach = (1..=SEEDS).find_map(|seed| run(seed, options).err()).expect("one of these seeds finds it");
    assert!(breach.what.contains(what), "{breach}");
}

#[test]
fn the_same_seed_is_the_same_run_to_the_last_step_and_another_is_another() {
    let run = |seed, trace| run(seed, Options { trace, ..Options::default() }).expect("it breaks no promise");
    let first: Vec<Summary> = (1..=5).map(|seed| run(seed, false)).collect();
    let again: Vec<Summary> = (1..=5).map(|seed| run(seed, true)).collect();
    assert_eq!(first, again);
    assert_ne!(first[0].digest, first[1].digest);
}

#[test]
fn a_run_that_fails_replays_exactly() {
    let options = Options { bug: Some(Bug::SyncLies), trace: true, ..Options::default() };
    let failing = (1..=SEEDS).find(|seed| run(*seed, options).is_err()).expect("one of these seeds finds it");
    let [first, again] = [(); 2].map(|()| run(failing, options).expect_err("it fails").to_string());
    assert_eq!(first, again);
}
