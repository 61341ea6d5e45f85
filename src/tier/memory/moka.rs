//! A store on moka: W-TinyLFU (Einziger et al., ACM Transactions on Storage 2017). Its own per-entry expiry is not used: it
//! showed passes of a second.

use crate::entry::Entry;
use crate::tier::MemoryTier;
use crate::tier::memory::pace::Pace;
use crate::tier::memory::tag_bytes;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use std::cell::RefCell;
use std::sync::Arc;

/// Bytes of bookkeeping per entry: moka's nodes and table, the entry itself, the key's and the value's own allocations.
/// Measured with a million entries by `examples/memory.rs`.
const OVERHEAD: usize = 425;

/// Entries in this process' memory, bounded in true bytes.
pub struct Moka {
    cache: Cache<Box<[u8]>, Entry>,
}

impl Moka {
    /// An empty store of at most this many bytes.
    pub fn new(max_bytes: u64) -> Self {
        let cache = Cache::<Box<[u8]>, Entry>::builder()
            .max_capacity(max_bytes)
            .weigher(|key, entry| {
                let bytes = key.len() + entry.payload.len() + tag_bytes(entry.tags.as_ref());
                u32::try_from(bytes + OVERHEAD).unwrap_or(u32::MAX)
            })
            .eviction_policy(EvictionPolicy::tiny_lfu())
            .build();
        Self { cache }
    }
}

impl MemoryTier for Moka {
    fn get(&self, key: &[u8]) -> Option<Entry> {
        self.cache.get(key)
    }

    fn insert(&self, key: &[u8], entry: Entry) {
        self.cache.insert(key.into(), entry);
    }

    fn remove(&self, key: &[u8]) -> Option<Entry> {
        self.cache.remove(key)
    }

    fn keys(&self, wanted: &dyn Fn(&[u8], &Entry) -> bool) -> Vec<Arc<[u8]>> {
        let wanted = self.cache.iter().filter(|(key, entry)| wanted(key, entry));
        wanted.map(|(key, _)| Arc::from(&**key)).collect()
    }

    fn sweep(&self, dead: &dyn Fn(&[u8], &Entry) -> bool) {
        let pace = RefCell::new(Pace::default());
        let look = |key: &[u8], entry: &Entry| {
            pace.borrow_mut().step();
            dead(key, entry)
        };
        for key in self.keys(&look) {
            pace.borrow_mut().step();
            // Between the look and the removal a fresh value may have come: losing it costs a miss, never an old value.
            if self.cache.get(&*key).is_some_and(|entry| dead(&key, &entry)) {
                self.cache.invalidate(&*key);
            }
        }
        self.cache.run_pending_tasks();
    }

    fn settle(&self) {
        self.cache.run_pending_tasks();
    }

    fn entries(&self) -> u64 {
        self.cache.entry_count()
    }

    fn bytes(&self) -> u64 {
        self.cache.weighted_size()
    }
}
