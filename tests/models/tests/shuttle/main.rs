//! Many orders of threads, chosen at random from seeds (Burckhardt et al., a randomized scheduler with probabilistic
//! guarantees of finding bugs, 2010, as in shuttle), for what has too many of them to try all.
//!
//! Each model is run once as the engine does it, and once for each way to do it wrong: then it must fail.

#![cfg(feature = "shuttle")]

mod flights;
mod leases;
mod lines;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// The same orders in each run.
const SEED: u64 = 7;
/// By each scheduler.
const ORDERS: usize = 10_000;
/// How often the first one changes its mind.
const DEPTH: usize = 3;

/// Runs a model in many orders of its threads.
fn explore(model: impl Fn() + Send + Sync + Clone + 'static) {
    Runner::new(PctScheduler::new_from_seed(SEED, DEPTH, ORDERS), Config::default()).run(model.clone());
    Runner::new(RandomScheduler::new_from_seed(SEED, ORDERS), Config::default()).run(model);
}
