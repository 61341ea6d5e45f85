//! Randomness comes in from outside, so that a seeded run can be repeated.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

/// A source of random numbers. Tokens and incarnations must not repeat between processes.
pub trait Random: Send + Sync + 'static {
    /// 64 random bits.
    fn next(&self) -> u64;
}

/// Seeded by the operating system through the standard library's hash keys. Not for cryptography.
#[derive(Debug)]
pub struct SystemRandom {
    keys: RandomState,
    count: AtomicU64,
}

impl Default for SystemRandom {
    fn default() -> Self {
        Self {
            keys: RandomState::new(),
            count: AtomicU64::new(0),
        }
    }
}

impl Random for SystemRandom {
    fn next(&self) -> u64 {
        let mut hasher = self.keys.build_hasher();
        hasher.write_u64(self.count.fetch_add(1, Ordering::Relaxed));
        hasher.finish()
    }
}

/// The same numbers for the same seed (SplitMix64, Steele et al. 2014). For tests and simulators.
#[derive(Debug)]
pub struct SeededRandom {
    state: AtomicU64,
}

impl SeededRandom {
    /// Starts the sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self {
            state: AtomicU64::new(seed),
        }
    }
}

impl Random for SeededRandom {
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
