//! How many retries are allowed: a share of the calls, so that a store that fails is not asked much more than otherwise.
//! After `finagle`'s and `tower`'s retry budgets, without their window: what is not used is kept only up to a limit.

use std::sync::atomic::{AtomicU32, Ordering};

/// A retry costs so many calls.
const CALLS: u32 = 10;
/// Retries that may be saved up.
const SAVED: u32 = 10;

/// See the module.
#[derive(Debug)]
pub struct Budget {
    /// Calls that have not been spent on a retry.
    calls: AtomicU32,
}

impl Default for Budget {
    /// Full: also the first call may be tried again.
    fn default() -> Self {
        Self {
            calls: AtomicU32::new(SAVED * CALLS),
        }
    }
}

impl Budget {
    /// A call that is no retry.
    pub fn deposit(&self) {
        let calls = self.calls.load(Ordering::Relaxed);
        if calls < SAVED * CALLS {
            // Two at once may count as one: never too many.
            self.calls.store(calls + 1, Ordering::Relaxed);
        }
    }

    /// Whether a retry is allowed; then it is spent.
    pub fn withdraw(&self) -> bool {
        self.calls
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |calls| calls.checked_sub(CALLS))
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_calls_may_be_retried_and_ten_at_once() {
        let budget = Budget::default();
        let spend = || {
            std::iter::repeat_with(|| budget.withdraw())
                .take_while(|allowed| *allowed)
                .count()
        };
        assert_eq!(spend(), 10);
        (0..9).for_each(|_| budget.deposit());
        assert_eq!(spend(), 0);
        budget.deposit();
        assert_eq!(spend(), 1);
        (0..100_000).for_each(|_| budget.deposit());
        assert_eq!(spend(), 10, "what is saved up does not make a storm");
    }
}
