//! The farm in a simulated world: thousands of seeds, each with its own faults, and a judge that looks at every event.
//!
//! `SIM_SEED=n cargo test -p vc-farm --test sim -- --nocapture` runs one seed; `SIM_SEEDS=n` runs more than usual.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a model looks at few of many kinds, and ignores the rest"
)]

mod agent;
mod console;
mod disk;
mod engine;
mod faults;
mod fleet;
mod judge;
mod judge_devices;
mod judge_orders;
mod network;
mod operator;
mod rng;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use vc_farm::{FarmConfig, Mutant};

use crate::judge::Sometimes;
use crate::world::{Order, World};

/// Seeds in an ordinary run.
const SEEDS: u64 = 2_000;
/// Threads: the machines that run the tests have at least two cores.
const THREADS: u64 = 2;
/// Seeds within which a left-out rule must be noticed.
const MUTANT_SEEDS: u64 = 400;

/// What must happen at least once in a run, or the run proves nothing.
const MUST_HAPPEN: [&str; 47] = [
    "stale: question",
    "stale: report",
    "done: report came again",
    "inventory: continue",
    "inventory: commit",
    "inventory: done",
    "inventory: abandon",
    "taken back: silence",
    "taken back: after a restart",
    "taken back: agent came back without it",
    "settle: renamed for the holder",
    "settle: found in place",
    "settle: name taken",
    "settle: withdrawn",
    "settle: unreachable",
    "old grant asked for again",
    "late rename finds it done",
    "rename done, reported as failed",
    "agent died right after the rename",
    "agent went down in good order",
    "console restarted",
    "console stood still",
    "crash before the commit",
    "crash after the commit",
    "network: reordered",
    "network: duplicated",
    "network: lost",
    "operator: held",
    "operator: released",
    "operator: priority raised",
    "operator: paused",
    "operator: drained",
    "operator: took attempts back",
    "operator: stopped the server",
    "operator: revoked an agent",
    "device quarantined",
    "self-test passed",
    "self-test failed",
    "farm paused by itself",
    "moved to an idle slot",
    "devices: changed",
    "devices: gone with work on it",
    "devices: more work than slots",
    "devices: surplus taken back",
    "end: completed",
    "end: failed",
    "end: held",
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs one seed; a panic of the farm's own assertions counts as a failure of the seed.
fn run(seed: u64, config: FarmConfig, order: Order) -> Result<(u64, Sometimes), String> {
    let world = AssertUnwindSafe(|| World::new(seed, config, order).run());
    catch_unwind(world).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map_or("panic", String::as_str);
        Err(text.to_owned())
    })
}

#[test]
fn no_promise_is_broken_in_any_world() {
    let config = FarmConfig::default();
    if let Some(seed) = number("SIM_SEED") {
        println!("seed {seed}");
        let (events, sometimes) = run(seed, config, Order::CommitThenSend).unwrap();
        println!("{events} events, {sometimes:#?}");
        return;
    }
    let seeds = number("SIM_SEEDS").unwrap_or(SEEDS);
    let started = Instant::now();
    let next = AtomicU64::new(0);
    let totals = std::thread::scope(|scope| {
        let work = || {
            let mut seen = Sometimes::new();
            let mut count = 0;
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds {
                    return Ok((count, seen));
                }
                let (events, sometimes) = run(seed, config, Order::CommitThenSend)
                    .map_err(|e| format!("SIM_SEED={seed} cargo test -p vc-farm --test sim\n{e}"))?;
                count += events;
                for (what, times) in sometimes {
                    *seen.entry(what).or_default() += times;
                }
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect::<Result<Vec<_>, String>>()
    });
    let mut seen = Sometimes::new();
    let mut events = 0;
    for (count, sometimes) in totals.unwrap_or_else(|failure| panic!("{failure}")) {
        events += count;
        for (what, times) in sometimes {
            *seen.entry(what).or_default() += times;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{seeds} seeds, {events} events in {seconds:.1} s: {:.0} seeds a minute",
        seeds as f64 * 60.0 / seconds
    );
    println!("{seen:#?}");
    let never: Vec<_> = MUST_HAPPEN.iter().filter(|what| !seen.contains_key(**what)).collect();
    assert!(seeds < SEEDS || never.is_empty(), "never happened: {never:?}");
}

/// The rule that the judge names when this one is left out, and after how many seeds.
fn first_catch(config: FarmConfig, order: Order) -> Option<(u64, String)> {
    (0..MUTANT_SEEDS).find_map(|seed| run(seed, config, order).err().map(|e| (seed, e)))
}

#[test]
fn every_rule_that_is_left_out_is_noticed() {
    let with = |mutant| FarmConfig { mutant: Some(mutant), ..FarmConfig::default() };
    let mutants = BTreeMap::from([
        ("no attempt check", (with(Mutant::NoAttemptCheck), Order::CommitThenSend)),
        ("grant lapses with the lease", (with(Mutant::GrantLapses), Order::CommitThenSend)),
        ("taken back at once after a restart", (with(Mutant::TakeBackAtOnce), Order::CommitThenSend)),
        ("what is offered anew ignored", (with(Mutant::OfferKept), Order::CommitThenSend)),
        ("quarantine ignored", (with(Mutant::QuarantineIgnored), Order::CommitThenSend)),
        ("message sent before the commit", (FarmConfig::default(), Order::SendThenCommit)),
    ]);
    for (name, (config, order)) in mutants {
        let caught = first_catch(config, order);
        assert!(caught.is_some(), "{name}: not noticed in {MUTANT_SEEDS} seeds");
        println!("{name}: {caught:?}");
    }
}
