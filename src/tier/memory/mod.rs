//! L1: what each store of entries must do, and the stores. What is worth keeping is theirs to decide; what is *valid* is
//! decided above: expiry, generations and tags are never left to them.

mod compact;
mod moka;
mod pace;
mod record;

pub use compact::{Compact, OVERHEAD};
pub use moka::Moka;

use crate::entry::TagSet;
use crate::options::{Eviction, MemoryOptions};
use crate::tier::MemoryTier;
use std::sync::Arc;

/// The store that the options ask for. `seed` makes its hashes unlike those of another process.
pub fn open(options: &MemoryOptions, max_value_bytes: usize, seed: u64) -> Arc<dyn MemoryTier> {
    match options.eviction {
        Eviction::S3Fifo => Arc::new(Compact::new(options.max_bytes, max_value_bytes, seed)),
        Eviction::TinyLfu => Arc::new(Moka::new(options.max_bytes)),
    }
}

/// Bytes of an entry's tags, as both stores count them.
fn tag_bytes(tags: Option<&Arc<TagSet>>) -> usize {
    tags.map_or(0, |tags| tags.names.iter().map(|name| 32 + 2 * name.len()).sum())
}
