//! What failed is tried again after a pause: exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter",
//! AWS Architecture Blog, 2015), within a [`Budget`], and never past the deadline of the call.

mod budget;

pub use budget::Budget;

use crate::random::Random;
use std::sync::Arc;
use std::time::Duration;

/// Longest pause before the first retry; it doubles with each.
const BASE: Duration = Duration::from_millis(20);
/// And is never longer than this.
const CAP: Duration = Duration::from_millis(500);

/// See the module.
pub struct Retry {
    budget: Budget,
    random: Arc<dyn Random>,
}

impl Retry {
    /// With a full budget.
    pub fn new(random: Arc<dyn Random>) -> Self {
        Self {
            budget: Budget::default(),
            random,
        }
    }

    /// A call begins.
    pub fn called(&self) {
        self.budget.deposit();
    }

    /// How long to wait before the call is tried again, if it may be; then that is spent. `failures` of it came before, and
    /// `left` is the time until its deadline.
    pub fn pause(&self, failures: u32, left: Duration) -> Option<Duration> {
        let longest = BASE.saturating_mul(1 << failures.min(16)).min(CAP);
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        let pause = Duration::from_micros(self.random.next() % (micros + 1));
        (pause < left && self.budget.withdraw()).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    const AGES: Duration = Duration::from_secs(60);

    fn retry() -> Retry {
        Retry::new(Arc::new(SeededRandom::new(7)))
    }

    #[test]
    fn pauses_grow_to_a_limit_and_are_random_down_to_nothing() {
        for (failures, longest) in [(0, BASE), (1, BASE * 2), (3, BASE * 8), (5, CAP), (40, CAP)] {
            let retry = retry();
            let pauses: Vec<_> = (0..500)
                .map(|_| {
                    (0..10).for_each(|_| retry.called());
                    retry.pause(failures, AGES).expect("the budget allows it")
                })
                .collect();
            assert!(pauses.iter().all(|pause| *pause <= longest), "{failures}");
            assert!(pauses.iter().any(|pause| *pause > longest * 9 / 10), "{failures}");
            assert!(pauses.iter().any(|pause| *pause < longest / 10), "{failures}");
        }
    }

    #[test]
    fn nothing_is_tried_past_the_deadline_and_nothing_is_spent_for_it() {
        let retry = retry();
        assert_eq!(retry.pause(0, Duration::ZERO), None);
        let allowed = (0..20).filter(|_| retry.pause(0, AGES).is_some()).count();
        assert_eq!(allowed, 10);
    }
}
