//! Words that a host has lent, and that any thread stores into. Apart from Node, so that Miri can run it (`tests/models`).

use std::sync::atomic::{AtomicU32, Ordering};

/// See the module.
pub struct Words {
    first: *mut u32,
    count: usize,
}

// SAFETY: the words are only accessed as atomics, by whichever thread.
unsafe impl Send for Words {}
// SAFETY: as above.
unsafe impl Sync for Words {}

impl Words {
    /// # Safety
    /// `first` points to `count` aligned words that stay allocated as long as this lives, and that nobody accesses but
    /// atomically.
    pub unsafe fn new(first: *mut u32, count: usize) -> Self {
        Self { first, count }
    }

    /// Stores a word so that every thread sees it at once.
    pub fn store(&self, index: usize, value: u32) {
        self.word(index).store(value, Ordering::SeqCst);
    }

    /// Adds one to a word, likewise.
    pub fn advance(&self, index: usize) {
        self.word(index).fetch_add(1, Ordering::SeqCst);
    }

    fn word(&self, index: usize) -> &AtomicU32 {
        assert!(index < self.count, "word {index} of {}", self.count);
        // SAFETY: in bounds by the assertion; aligned, alive and accessed atomically, because `new` was promised it.
        unsafe { AtomicU32::from_ptr(self.first.add(index)) }
    }
}
