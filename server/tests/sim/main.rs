//! The whole engine in one process against a model of the remote server: the real poller, lifecycle and store, under
//! tokio's paused clock, with faults and deaths at any step. One number, the seed, makes the whole run, again and again.
//!
//! `make sim` runs many seeds, `make sim SEED=…` one, with all that happened. See docs/reliability.md.

// A run that can't be set up is no run.
#![allow(clippy::unwrap_used, clippy::similar_names)]

mod bench;
mod dice;
mod fate;
mod gate;
mod ground;
mod line;
mod old_faults;
mod people;
mod process;
mod profile;
mod run;
mod verdict;
mod witness;
mod world;

use run::{Report, run};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seeds of `make test`.
const SEEDS: u64 = 300;

/// Runs of which each found a fault once.
const FOUND: &[u64] = &[85, 124, 259, 261, 494, 536, 862, 921, 2162, 7946, 9060];

/// The same of runs in which our own machine's clock is set.
const FOUND_BY_CLOCK: &[u64] = &[99, 247];

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

#[test]
fn every_promise_is_kept_whatever_fails() {
    // A world in which no process dies, so that it is no part of the other runs.
    let sets_clock = std::env::var_os("CLOCK_STEPS").is_some();
    if let Some(seed) = variable("SEED") {
        let report = run(seed, sets_clock);
        report.trace.iter().for_each(|line| println!("{line}"));
        sum_up(&[report]);
        return;
    }
    let first = variable("FIRST").unwrap_or(1);
    let seeds: Vec<u64> = FOUND.iter().copied().chain(first..first + variable("SEEDS").unwrap_or(SEEDS)).collect();
    sum_up(&run_all(&seeds, sets_clock));
}

#[test]
fn every_promise_is_kept_where_our_own_clock_is_set() {
    sum_up(&run_all(FOUND_BY_CLOCK, true));
}

#[test]
fn a_seed_is_the_same_run_each_time() {
    for seed in 1..=6 {
        let (first, second) = (run(seed, false), run(seed, false));
        for (before, after) in first.trace.iter().zip(&second.trace) {
            assert_eq!(before, after, "seed {seed}");
        }
        // One that says less is another run, though the same as far as it goes.
        assert_eq!(first.trace.len(), second.trace.len(), "seed {seed}");
        assert_eq!(first.steps, second.steps, "seed {seed}");
    }
}

/// On all cores; ends at the first seed that breaks a promise, since the others would be waited for.
fn run_all(seeds: &[u64], sets_clock: bool) -> Vec<Report> {
    let (next, reports) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(seed) = seeds.get(usize::try_from(next.fetch_add(1, Ordering::SeqCst)).unwrap()) {
            let mut report = run(*seed, sets_clock);
            let is_broken = !report.broken.is_empty();
            if is_broken {
                next.store(u64::MAX / 2, Ordering::SeqCst);
            } else {
                report.trace.clear();
            }
            reports.lock().unwrap().push(report);
        }
    };
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    reports.into_inner().unwrap()
}

/// Prints what was run, and fails if a promise was broken.
fn sum_up(reports: &[Report]) {
    let mut faults: BTreeMap<&str, u64> = BTreeMap::new();
    for (fault, n) in reports.iter().flat_map(|report| &report.faults) {
        *faults.entry(fault).or_default() += n;
    }
    let steps: u64 = reports.iter().map(|report| report.steps).sum();
    let deaths: u64 = reports.iter().map(|report| report.deaths).sum();
    let hours = reports.iter().map(|report| report.lasted).sum::<std::time::Duration>().as_secs() / 3_600;
    let all: u64 = faults.values().sum();
    println!("{} seeds, {steps} steps, {all} faults, {deaths} deaths, {hours} simulated hours", reports.len());
    println!("{}", faults.iter().map(|(fault, n)| format!("{fault} {n}")).collect::<Vec<_>>().join(", "));
    for report in reports.iter().filter(|report| !report.broken.is_empty()) {
        let words = report.broken.join("\n  ");
        println!("seed {} breaks a promise; `make sim SEED={}` shows how:\n  {words}", report.seed, report.seed);
    }
    let broken: Vec<u64> =
        reports.iter().filter(|report| !report.broken.is_empty()).map(|report| report.seed).collect();
    assert!(broken.is_empty(), "seeds that break a promise: {broken:?}");
}
