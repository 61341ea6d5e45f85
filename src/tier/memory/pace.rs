//! The pace of a walk over all entries: with millions of them it takes a second, and whoever it holds up waits for the thread that
//! walks until the scheduler gives it a turn again. One that pauses often is seldom interrupted, and holds nobody up for long.

use std::thread::sleep;
use std::time::{Duration, Instant};

const WORK: Duration = Duration::from_micros(200);
const PAUSE: Duration = Duration::from_micros(500);
/// Entries between two looks at the clock.
const STRIDE: u32 = 64;

/// See the module.
pub struct Pace {
    steps: u32,
    since: Instant,
}

impl Pace {
    /// The walk begins.
    pub fn new() -> Self {
        Self {
            steps: 0,
            since: Instant::now(),
        }
    }

    /// One entry was looked at. Call it when no lock is held.
    pub fn step(&mut self) {
        self.steps += 1;
        if self.steps.is_multiple_of(STRIDE) && self.since.elapsed() >= WORK {
            sleep(PAUSE);
            self.since = Instant::now();
        }
    }
}
