//! The real memory tier, which can be told to drop something. Dead entries are not swept out: sweeps run on threads of
//! their own, whose time is not virtual.

use std::sync::Arc;
use turbocache::entry::Entry;
use turbocache::tier::MemoryTier;

pub struct Memory {
    inner: Arc<dyn MemoryTier>,
    /// A fault on purpose: what is removed stays.
    sticks: bool,
}

impl Memory {
    pub fn new(inner: Arc<dyn MemoryTier>, sticks: bool) -> Self {
        Self { inner, sticks }
    }

    /// A full memory tier drops what it likes; here all.
    pub fn evict(&self) {
        self.inner.sweep(&|_, _| true);
    }
}

impl MemoryTier for Memory {
    fn get(&self, key: &[u8]) -> Option<Entry> {
        self.inner.get(key)
    }

    fn insert(&self, key: &[u8], entry: Entry) {
        self.inner.insert(key, entry);
    }

    fn remove(&self, key: &[u8]) -> Option<Entry> {
        if self.sticks {
            self.inner.get(key)
        } else {
            self.inner.remove(key)
        }
    }

    fn sweep(&self, dead: &dyn Fn(&[u8], &Entry) -> bool) {
        self.inner.sweep(dead);
    }

    fn wants_sweeps(&self) -> bool {
        false
    }

    fn keys(&self, wanted: &dyn Fn(&[u8], &Entry) -> bool) -> Vec<Arc<[u8]>> {
        self.inner.keys(wanted)
    }

    fn settle(&self) {
        self.inner.settle();
    }

    fn entries(&self) -> u64 {
        self.inner.entries()
    }

    fn bytes(&self) -> u64 {
        self.inner.bytes()
    }
}
