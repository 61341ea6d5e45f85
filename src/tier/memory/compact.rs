//! The default store, on quick_cache: its policy is S3-FIFO (Yang et al., SOSP 2023) as a variant of Clock-PRO, in about
//! 110 bytes an entry where moka takes 425.
//!
//! Keys are held as hashes; the key itself is in the record and is compared, so that two keys of one hash cost each other
//! their place and nothing else.

use crate::entry::Entry;
use crate::tier::MemoryTier;
use crate::tier::memory::pace::Pace;
use crate::tier::memory::record::Held;
use crate::tier::memory::tag_bytes;
use quick_cache::sync::Cache;
use quick_cache::{OptionsBuilder, Weighter};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// Bytes of bookkeeping per entry: slot, table, the record's head and its allocation. Measured with a million entries by
/// `examples/memory.rs`, which prints what it must be.
pub const OVERHEAD: usize = 110;

/// Bytes of a key that is remembered after its entry was evicted.
const GHOST: u64 = 64;

/// What a key takes at most, see [`Held::pack`].
const LONGEST_KEY: usize = u16::MAX as usize;

/// Shards at most: each has a lock of its own, and grows on its own.
const SHARDS: u64 = 256;

/// Entries in this process' memory, bounded in true bytes.
pub struct Compact {
    cache: Cache<u64, Held, Bytes, BuildHasherDefault<Hashed>>,
    seed: u64,
}

impl Compact {
    /// An empty store of at most this many bytes; no value is larger than `max_value_bytes`.
    pub fn new(max_bytes: u64, max_value_bytes: usize, seed: u64) -> Self {
        // Evicted keys are remembered to about a sixteenth of what is held: less adapts worse, more is memory without values.
        let estimated = max_bytes / 1_024;
        let ghosts = estimated / 4;
        let capacity = max_bytes - ghosts * GHOST;
        // The largest entry must fit into its shard.
        let largest = max_value_bytes.saturating_add(LONGEST_KEY + OVERHEAD) as u64;
        let shards = 1 << (capacity / largest).clamp(1, SHARDS).ilog2();
        let options = OptionsBuilder::new()
            .estimated_items_capacity(usize::try_from(estimated).unwrap_or(usize::MAX))
            .ghost_allocation(0.25)
            .weight_capacity(capacity)
            .shards(shards)
            .build()
            .expect("all options are set");
        Self {
            cache: Cache::with_options(options, Bytes, BuildHasherDefault::default(), Default::default()),
            seed,
        }
    }

    fn hash(&self, key: &[u8]) -> u64 {
        xxhash_rust::xxh3::xxh3_64_with_seed(key, self.seed)
    }
}

impl MemoryTier for Compact {
    fn get(&self, key: &[u8]) -> Option<Entry> {
        let held = self.cache.get(&self.hash(key))?;
        (held.key() == key).then(|| held.unpack())
    }

    fn insert(&self, key: &[u8], entry: Entry) {
        match Held::pack(key, &entry) {
            Some(held) => self.cache.insert(self.hash(key), held),
            None => drop(self.remove(key)),
        }
    }

    fn remove(&self, key: &[u8]) -> Option<Entry> {
        let (_, held) = self.cache.remove_if(&self.hash(key), |held| held.key() == key)?;
        Some(held.unpack())
    }

    fn keys(&self, wanted: &dyn Fn(&[u8], &Entry) -> bool) -> Vec<Arc<[u8]>> {
        let all = self.cache.iter().map(|(_, held)| held);
        let wanted = all.filter(|held| wanted(held.key(), &held.unpack()));
        wanted.map(|held| held.key().into()).collect()
    }

    fn sweep(&self, dead: &dyn Fn(&[u8], &Entry) -> bool) {
        // The lock of a shard is taken for one entry at a time, so that nobody waits for a sweep.
        let mut pace = Pace::default();
        for (hash, held) in self.cache.iter() {
            pace.step();
            if dead(held.key(), &held.unpack()) {
                // Unless a fresh one took its place meanwhile.
                self.cache.remove_if(&hash, |now| dead(now.key(), &now.unpack()));
            }
        }
    }

    fn settle(&self) {}

    fn entries(&self) -> u64 {
        self.cache.len() as u64
    }

    fn bytes(&self) -> u64 {
        self.cache.weight()
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<u64, Held> for Bytes {
    fn weight(&self, _: &u64, held: &Held) -> u64 {
        (held.len() + tag_bytes(held.tags.as_ref()) + OVERHEAD) as u64
    }
}

/// The keys are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
