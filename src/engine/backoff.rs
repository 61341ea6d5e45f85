//! Keys whose reload failed a moment ago: whoever has an old value takes that, and nobody asks the origin until the time is
//! over. What makes the old value old for good (a set, a delete, a clear) ends that, too.

use crate::clock::Millis;
use crate::engine::answers::Capture;
use crate::engine::namespaces::Namespace;
use crate::engine::with_memory_key;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// More than this are forgotten at once: each costs one more call of a loader, nothing else.
const MOST: usize = 10_000;

/// See the module.
#[derive(Default)]
pub struct Backoffs {
    /// Most engines never have one.
    any: AtomicBool,
    by_key: Mutex<HashMap<Box<[u8]>, Failed>>,
}

/// The load that failed, and until when nobody tries again.
type Failed = (Capture, Millis);

impl Backoffs {
    /// A load that began at this capture has failed; nobody shall try until then.
    pub fn begin(&self, namespace: &Namespace, key: &str, capture: Capture, until: Millis) {
        let mut by_key = self.by_key.lock();
        if by_key.len() >= MOST {
            by_key.clear();
        }
        with_memory_key(namespace, key, |key| by_key.insert(key.into(), (capture, until)));
        self.any.store(true, Ordering::Release);
    }

    /// Whether somebody who captured this now shall not try.
    pub fn holds(&self, namespace: &Namespace, key: &str, capture: &Capture, now: Millis) -> bool {
        if !self.any.load(Ordering::Acquire) {
            return false;
        }
        let mut by_key = self.by_key.lock();
        with_memory_key(namespace, key, |key| match by_key.get(key) {
            Some((failed, until)) if now < *until && failed.covers(capture) => true,
            Some(_) => {
                by_key.remove(key);
                false
            }
            None => false,
        })
    }
}
