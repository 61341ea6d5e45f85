//! The pace of a walk over all entries: with millions of them it takes a second, and whoever it holds up waits for the thread that
//! walks until the scheduler gives it a turn again. One that pauses often is seldom interrupted, and holds nobody up for long.

use std::thread::sleep;
use std::time::Duration;

/// About 0.2 ms.
const ENTRIES: u32 = 2_000;
const PAUSE: Duration = Duration::from_micros(500);

/// See the module.
#[derive(Default)]
pub struct Pace {
    steps: u32,
}

impl Pace {
    /// One more entry is looked at. Call it when no lock is held.
    pub fn step(&mut self) {
        self.steps += 1;
        if self.steps == ENTRIES {
            self.steps = 0;
            sleep(PAUSE);
        }
    }
}
