//! What the memory tier holds under a key.

use crate::clock::{FOREVER, Millis};
use crate::payload::Payload;
use std::sync::Arc;

/// Identifies an encoding in stored bytes. 128 to 255 are the user's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SerializerId(pub u8);

impl SerializerId {
    /// JSON text in UTF-8.
    pub const JSON: SerializerId = SerializerId(1);
    /// MessagePack.
    pub const MESSAGE_PACK: SerializerId = SerializerId(2);
}

/// How long an entry lives, in milliseconds; [`FOREVER`] does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Time in which it is fresh.
    pub ttl: u64,
    /// Time after that in which it may be served when the loader fails or is slow.
    pub grace: u64,
}

/// Longer than this is for ever: 8,900 years, and far from any overflow, here and in Redis.
const LONGEST: u64 = 1 << 48;

impl Lifetime {
    /// How long a store keeps the bytes, grace included; `None` = without end.
    pub fn stored(self) -> Option<u64> {
        (self.ttl != FOREVER).then(|| self.ttl.saturating_add(self.grace))
    }

    /// The same life in times that every tier can reckon with.
    #[must_use]
    pub fn clamped(self) -> Self {
        Self {
            ttl: if self.ttl > LONGEST { FOREVER } else { self.ttl },
            grace: self.grace.min(LONGEST),
        }
    }
}

/// The tags of an entry with the slots of their generations.
#[derive(Debug, PartialEq, Eq)]
pub struct TagSet {
    /// As the user wrote them, sorted, without duplicates.
    pub names: Box<[Box<str>]>,
    /// One for each tag and each namespace level at which it can be invalidated.
    pub floors: Box<[TagFloor]>,
}

/// A place where an invalidation of a tag is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagFloor {
    /// Field of the namespace state: `t:<path>:<tag>`.
    pub field: Box<str>,
    /// Index of its generation.
    pub slot: u32,
}

/// State of the process at the moment before the value's origin was read. Whatever happened later makes the value old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Generation of the key's slot.
    pub generation: u64,
    /// Generation of the namespace.
    pub namespace: u64,
    /// Number of tag invalidations so far.
    pub tags: u64,
}

impl Stamp {
    /// Whether nothing was invalidated between `earlier` and `self` that would matter to a load.
    pub fn covers(&self, earlier: &Stamp) -> bool {
        self.generation >= earlier.generation && self.namespace >= earlier.namespace && self.tags >= earlier.tags
    }
}

/// A value in its encoded form, with everything needed to judge it. Cloning shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The encoded value, not compressed, not encrypted.
    pub payload: Payload,
    /// How `payload` is encoded.
    pub serializer: SerializerId,
    /// The whole ttl in milliseconds.
    pub ttl: u64,
    /// From here on it is stale.
    pub fresh_until: Millis,
    /// From here on it is gone.
    pub gone_at: Millis,
    /// Captured before the origin was read.
    pub stamp: Stamp,
    /// `None` for an entry without tags.
    pub tags: Option<Arc<TagSet>>,
}

impl Entry {
    /// Whether it may be served without asking anybody.
    pub fn is_fresh(&self, now: Millis) -> bool {
        now < self.fresh_until
    }

    /// Whether it may not be served at all.
    pub fn is_gone(&self, now: Millis) -> bool {
        now >= self.gone_at
    }
}
