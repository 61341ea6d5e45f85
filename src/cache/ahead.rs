//! When a hit starts a reload ahead of time, so that a hot key is never missed: at a fraction of the ttl, or by chance.

use crate::clock::{FOREVER, Millis};
use crate::engine::Found;
use crate::key::RemoteKey;
use crate::options::Freshness;
use crate::random::Random;
use parking_lot::Mutex;
use std::collections::HashMap;

/// More remembered reloads than this are forgotten: one too many is only a needless question to the engine.
const MOST: usize = 10_000;
/// Two readings of one entry's end differ by the rounding of remote times.
const SAME_ENTRY: u64 = 50;

/// Whether a hit starts a reload now. By chance: XFetch (Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache
/// Stampede Prevention", VLDB 2015). The nearer the end and the longer the load, the likelier; no two callers need to agree.
pub fn is_due(freshness: &Freshness, found: &Found, random: &dyn Random) -> bool {
    let (ttl, load_time) = (found.entry.ttl, found.entry.load_time.millis());
    if ttl == FOREVER || found.fresh_for == i64::MAX || found.is_stale() {
        return false;
    }
    let (whole, left) = (ttl as f64, found.fresh_for as f64);
    if freshness.eager_refresh.is_some_and(|part| whole - left > part * whole) {
        return true;
    }
    match freshness.early_refresh {
        Some(beta) if load_time > 0 => -(1.0 - below_one(random)).ln() * beta * load_time as f64 >= left,
        _ => false,
    }
}

/// Uniform in [0, 1), with the 53 bits that a float holds.
fn below_one(random: &dyn Random) -> f64 {
    (random.next() >> 11) as f64 / (1_u64 << 53) as f64
}

/// The entries for which a reload was begun, by their end: one each, also when it fails.
#[derive(Default)]
pub struct Claims {
    by_key: Mutex<HashMap<RemoteKey, Millis>>,
}

impl Claims {
    /// `true` once an entry.
    pub fn claim(&self, key: RemoteKey, found: &Found) -> bool {
        let end = found.entry.fresh_until;
        let mut by_key = self.by_key.lock();
        if by_key
            .get(&key)
            .is_some_and(|asked| asked.0.abs_diff(end.0) <= SAME_ENTRY)
        {
            return false;
        }
        if by_key.len() >= MOST {
            by_key.clear();
        }
        by_key.insert(key, end);
        true
    }
}
