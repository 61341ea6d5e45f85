//! What was deleted by pattern in one namespace, as far as it still matters to somebody.
//!
//! The memory tier may hold millions of keys, and looking through it takes its time. Until that has been done the pattern
//! itself hides what matches from readers, so that the deletion is true at once.

use crate::pattern::Pattern;
use parking_lot::RwLock;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Whoever captured before more purges than this is refused whatever his key: a needless load, never an old value.
const REMEMBERED: usize = 64;

/// The purges of one namespace.
#[derive(Default)]
pub struct Purges {
    count: AtomicU64,
    /// How many of the remembered ones still hide keys.
    hiding: AtomicUsize,
    remembered: RwLock<VecDeque<Purge>>,
}

struct Purge {
    /// It is the so-manieth.
    number: u64,
    pattern: Arc<Pattern>,
    hides: bool,
}

impl Purges {
    /// Number of purges so far. Capture it before the origin of a value is read.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// From here on keys that match are hidden, and what was captured before is not stored for them; its number.
    pub fn begin(&self, pattern: Arc<Pattern>) -> u64 {
        let mut remembered = self.remembered.write();
        while remembered.len() >= REMEMBERED && remembered.front().is_some_and(|purge| !purge.hides) {
            remembered.pop_front();
        }
        self.hiding.fetch_add(1, Ordering::SeqCst);
        let number = self.count() + 1;
        let hides = true;
        remembered.push_back(Purge { number, pattern, hides });
        // Last: who sees the number finds the pattern.
        self.count.store(number, Ordering::SeqCst);
        number
    }

    /// Nothing that matched is held any more.
    pub fn end(&self, number: u64) {
        let mut remembered = self.remembered.write();
        if let Some(purge) = remembered.iter_mut().find(|purge| purge.number == number) {
            purge.hides = false;
            self.hiding.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Whether an entry of this key that is still held may not be served.
    pub fn hide(&self, key: &str) -> bool {
        self.hiding.load(Ordering::SeqCst) != 0 && {
            let remembered = self.remembered.read();
            remembered.iter().any(|purge| purge.hides && purge.pattern.matches(key))
        }
    }

    /// Whether a value of this key whose origin was read when the count was `captured` may be stored.
    pub fn allow(&self, key: &str, captured: u64) -> bool {
        if self.count() == captured {
            return true;
        }
        let remembered = self.remembered.read();
        let known_since = remembered.front().map_or(u64::MAX, |purge| purge.number);
        known_since <= captured + 1
            && !remembered
                .iter()
                .any(|purge| purge.number > captured && purge.pattern.matches(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Arc<Pattern> {
        Arc::new(Pattern::parse(text).unwrap())
    }

    #[test]
    fn a_purge_hides_its_keys_until_it_ends_and_refuses_old_captures_for_ever() {
        let purges = Purges::default();
        let before = purges.count();
        let number = purges.begin(pattern("a*"));
        assert!(purges.hide("a1") && !purges.hide("b1"));
        assert!(!purges.allow("a1", before) && purges.allow("b1", before));
        assert!(purges.allow("a1", purges.count()), "read behind it");
        purges.end(number);
        assert!(!purges.hide("a1"));
        assert!(!purges.allow("a1", before));
    }

    #[test]
    fn who_captured_before_what_is_remembered_is_refused() {
        let purges = Purges::default();
        for _ in 0..=REMEMBERED {
            purges.end(purges.begin(pattern("a*")));
        }
        assert!(!purges.allow("b", 0), "the first is forgotten");
        assert!(purges.allow("b", 1));
        assert!(!purges.allow("a", 1));
    }

    #[test]
    fn what_still_hides_is_not_forgotten() {
        let purges = Purges::default();
        purges.begin(pattern("a*"));
        for _ in 0..2 * REMEMBERED {
            purges.end(purges.begin(pattern("b*")));
        }
        assert!(purges.hide("a"));
    }
}
