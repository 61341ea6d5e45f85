//! Time comes in from outside: the engine never asks the operating system itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A point in time of one process: milliseconds since its clock began. Never compared with another machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// A point that is never reached.
    pub const NEVER: Millis = Millis(u64::MAX);

    /// `self` plus a time; [`FOREVER`] leads to [`Millis::NEVER`].
    pub fn after(self, time: u64) -> Millis {
        Millis(self.0.saturating_add(time))
    }

    /// Milliseconds from `earlier` to `self`, 0 when `earlier` is later; [`FOREVER`] for [`Millis::NEVER`].
    pub fn since(self, earlier: Millis) -> u64 {
        if self == Self::NEVER {
            FOREVER
        } else {
            self.0.saturating_sub(earlier.0)
        }
    }
}

/// A length of time in milliseconds that does not end.
pub const FOREVER: u64 = u64::MAX;

/// A duration in milliseconds; one too long for that does not end.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(FOREVER)
}

/// A monotonic clock.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Millis;
}

/// The machine's monotonic clock.
#[derive(Debug)]
pub struct SystemClock {
    begin: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { begin: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        Millis(self.begin.elapsed().as_millis() as u64)
    }
}

/// A clock that moves only when told to. For tests and simulators.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: AtomicU64,
}

impl ManualClock {
    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.now.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        Millis(self.now.load(Ordering::SeqCst))
    }
}
