//! Counters of an engine: named fields, added to with one relaxed instruction.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The number now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What an engine counts.
#[derive(Debug, Default)]
pub struct Counters {
    /// Reads that the memory tier answered.
    pub memory_hits: Counter,
    /// Reads that it did not.
    pub memory_misses: Counter,
    /// Remote reads that found a valid value.
    pub remote_hits: Counter,
    /// Remote reads that did not.
    pub remote_misses: Counter,
    /// Remote requests that failed.
    pub remote_errors: Counter,
    /// Remote values that were refused: foreign, damaged, of another key, of another encoding.
    pub remote_rejected: Counter,
    /// Leases handed to hosts.
    pub loads_started: Counter,
    /// Leases given back without a value.
    pub loads_failed: Counter,
    /// Loaded values that were not stored because something was invalidated meanwhile.
    pub loads_refused: Counter,
    /// Loads that a full bulkhead of a Rust host left out or turned away.
    pub loads_shed: Counter,
    /// Invalidations told to others.
    pub events_sent: Counter,
    /// Invalidations heard from others, or read in the log.
    pub events_received: Counter,
    /// Invalidations read in the log because they had not been heard.
    pub events_replayed: Counter,
    /// How often something was missing that the log had to be asked for.
    pub bus_gaps: Counter,
    /// Changes in the remote tier that it told of by itself: by other programs, and again those of other processes.
    pub foreign_changes: Counter,
    /// Changes that the remote tier had missed, and that were made good.
    pub recovered: Counter,
    /// Changes that the remote tier had acknowledged and lost, and that were made again.
    pub changes_lost: Counter,
    /// How often it had missed more than can be remembered, so that everything was cleared.
    pub recovery_folds: Counter,
    /// How often everything held was dropped, because nobody knew what was missing, or for too long.
    pub bus_drops: Counter,
}
