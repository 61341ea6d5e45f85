//! Circuit breaker (Nygard, *Release It!*): a remote tier that fails is not asked again for a while, so that no caller
//! waits for what will not come. After the pause somebody tries for whom nobody waits (a probe); callers go on without until that has
//! succeeded.

use crate::clock::{Clock, Millis};
use parking_lot::Mutex;
use std::sync::Arc;

/// Failures in a row that open it.
const FAILURES: u32 = 3;
/// How long it stays open before a probe may try, in milliseconds.
const PAUSE: u64 = 500;

/// Whether the protected thing is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is.
    Closed,
    /// It is not, until the pause is over.
    Open {
        /// When the next try is due.
        until: Millis,
    },
    /// A probe tries.
    HalfOpen,
}

/// See the module.
pub struct Breaker {
    clock: Arc<dyn Clock>,
    inner: Mutex<(State, u32)>,
}

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Try, and report the outcome.
    Try,
    /// Do without.
    Refused,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            inner: Mutex::new((State::Closed, 0)),
        }
    }

    /// Whether a caller may try.
    pub fn permit(&self) -> Permit {
        match self.state() {
            State::Closed => Permit::Try,
            State::Open { .. } | State::HalfOpen => Permit::Refused,
        }
    }

    /// Whether somebody may try for whom nobody waits.
    pub fn permit_probe(&self) -> Permit {
        let mut inner = self.inner.lock();
        match inner.0 {
            State::Closed => Permit::Try,
            State::Open { until } if self.clock.now() >= until => {
                inner.0 = State::HalfOpen;
                Permit::Try
            }
            State::Open { .. } | State::HalfOpen => Permit::Refused,
        }
    }

    /// The try succeeded; `true` when that closed the breaker.
    pub fn succeeded(&self) -> bool {
        let mut inner = self.inner.lock();
        let was_closed = inner.0 == State::Closed;
        *inner = (State::Closed, 0);
        !was_closed
    }

    /// The try failed; `true` when that opened a closed breaker.
    pub fn failed(&self) -> bool {
        let mut inner = self.inner.lock();
        inner.1 += 1;
        let was_closed = inner.0 == State::Closed;
        if !was_closed || inner.1 >= FAILURES {
            inner.0 = State::Open {
                until: self.clock.now().after(PAUSE),
            };
        }
        was_closed && inner.0 != State::Closed
    }

    /// Its state now.
    pub fn state(&self) -> State {
        self.inner.lock().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use std::time::Duration;

    #[test]
    fn it_opens_after_failures_in_a_row_and_lets_one_probe_try_after_the_pause() {
        let clock = Arc::new(ManualClock::default());
        let breaker = Breaker::new(clock.clone());
        assert!(!breaker.failed() && !breaker.succeeded());
        assert!(
            !breaker.failed() && !breaker.failed() && breaker.failed(),
            "the third in a row opens it"
        );
        assert_eq!(breaker.permit_probe(), Permit::Refused);
        clock.advance(Duration::from_millis(PAUSE));
        assert_eq!(breaker.permit(), Permit::Refused, "callers do not try");
        assert_eq!(breaker.permit_probe(), Permit::Try);
        assert_eq!(breaker.permit_probe(), Permit::Refused, "one tries at a time");
        assert_eq!(breaker.permit(), Permit::Refused, "callers do not wait for it");
        assert!(!breaker.failed());
        assert_eq!(breaker.permit_probe(), Permit::Refused, "a failed try opens it again");
        clock.advance(Duration::from_millis(PAUSE));
        assert_eq!(breaker.permit_probe(), Permit::Try);
        assert!(breaker.succeeded());
        assert_eq!(breaker.permit(), Permit::Try);
    }
}
