//! Histories without end, or one of them to look at.
//!
//! ```text
//! cargo run --release --example simulate -- --histories 1000000 --from 1 --threads 2
//! cargo run --release --example simulate -- --refusals           in each of them the log takes nothing for a while
//! cargo run --release --example simulate -- --failovers          in each of them a replica takes over
//! cargo run --release --example simulate -- --with Silences      only those in which this happens
//! cargo run --release --example simulate -- --seed 4711          the shortest history that breaks the same law
//! cargo run --release --example simulate -- --seed 4711 --whole  all of it
//! ```

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program that prints what it finds"
)]

mod simulator;

use simulator::{Faults, Plan, run, shrink};
use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// So many broken histories are enough to look at.
const ENOUGH: usize = 20;

fn main() -> ExitCode {
    let arguments = arguments();
    let number = |name: &str, default: u64| {
        arguments.get(name).map_or(default, |text| {
            text.parse()
                .unwrap_or_else(|_| panic!("--{name} is {text}: expected a number"))
        })
    };
    let make: fn(u64) -> Plan = if arguments.contains_key("refusals") {
        Plan::with_refusals
    } else if arguments.contains_key("failovers") {
        Plan::with_failovers
    } else {
        Plan::new
    };
    if arguments.contains_key("seed") {
        return show(&make(number("seed", 0)), arguments.contains_key("whole"));
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    many(
        make,
        number("from", 0),
        number("histories", 100_000),
        number("threads", threads),
        arguments.get("with").map_or("", String::as_str),
    )
}

fn arguments() -> HashMap<String, String> {
    let mut given = HashMap::new();
    let mut all = std::env::args().skip(1).peekable();
    while let Some(name) = all.next() {
        let value = all.next_if(|next| !next.starts_with("--")).unwrap_or_default();
        given.insert(name.trim_start_matches("--").to_owned(), value);
    }
    given
}

fn show(plan: &Plan, whole: bool) -> ExitCode {
    let (faults, seed) = (Faults::default(), plan.seed);
    let outcome = run(plan, &faults, true);
    let outcome = match outcome.violations.first() {
        Some(violation) if !whole => run(&shrink(plan, &faults, violation.law), &faults, true),
        _ => outcome,
    };
    let violations = outcome.violations;
    println!(
        "{} nodes, {} keys, ttl {}, grace {}, delay {}, scattered {}",
        plan.nodes, plan.keys, plan.ttl, plan.grace, plan.delay, plan.scattered
    );
    outcome.log.iter().for_each(|line| println!("{line}"));
    violations.iter().for_each(|violation| println!("BROKEN {violation}"));
    println!(
        "seed {seed}: {} ms of virtual time, {} violations",
        outcome.time,
        violations.len()
    );
    ExitCode::from(u8::from(!violations.is_empty()))
}

fn many(make: fn(u64) -> Plan, from: u64, count: u64, threads: u64, with: &str) -> ExitCode {
    let (next, time, broken) = (AtomicU64::new(from), AtomicU64::new(0), AtomicUsize::new(0));
    let left_out = AtomicU64::new(0);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while broken.load(Ordering::Relaxed) < ENOUGH {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count {
                        return;
                    }
                    let plan = make(seed);
                    if !with.is_empty() && !format!("{:?}", plan.steps).contains(with) {
                        left_out.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    let outcome = run(&plan, &Faults::default(), false);
                    time.fetch_add(outcome.time, Ordering::Relaxed);
                    if let Some(violation) = outcome.violations.first() {
                        broken.fetch_add(1, Ordering::Relaxed);
                        println!("seed {seed}: {violation}");
                    }
                    if (seed - from + 1).is_multiple_of(50_000) {
                        println!("{} histories after {:?}", seed - from + 1, begin.elapsed());
                    }
                }
            });
        }
    });
    let done = next.load(Ordering::Relaxed).min(from + count) - from - left_out.load(Ordering::Relaxed);
    let (real, time) = (begin.elapsed(), Duration::from_millis(time.load(Ordering::Relaxed)));
    let broken = broken.load(Ordering::Relaxed);
    println!(
        "{done} histories, {broken} broken, {:.0} histories a second; {:.0} s of virtual time in {:.0} s: {:.0} times real time",
        done as f64 / real.as_secs_f64(),
        time.as_secs_f64(),
        real.as_secs_f64(),
        time.as_secs_f64() / real.as_secs_f64(),
    );
    ExitCode::from(u8::from(broken > 0))
}
