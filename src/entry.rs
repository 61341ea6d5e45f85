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
    /// Number of soft clears of the namespace.
    pub softened: u64,
}

impl Stamp {
    /// Whether nothing was invalidated between `earlier` and `self` that would matter to a load.
    pub fn covers(&self, earlier: &Stamp) -> bool {
        self.generation >= earlier.generation
            && self.namespace >= earlier.namespace
            && self.tags >= earlier.tags
            && self.softened >= earlier.softened
    }
}

/// How long a loader took, to a tenth of it: what decides about a reload ahead of time needs no more, and it takes six bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadTime(u8);

impl LoadTime {
    /// Nobody knows, or it took no time.
    pub const UNKNOWN: LoadTime = LoadTime(0);
    /// Number of bits of [`LoadTime::code`].
    pub const BITS: u32 = 6;
    const LONGEST: u8 = (1 << Self::BITS) - 1;

    /// The nearest to this many milliseconds; at most 46 s.
    pub fn from_millis(millis: u64) -> Self {
        match millis {
            0 => Self::UNKNOWN,
            millis => Self(((millis as f64).log2() * 4.0).round().min(f64::from(Self::LONGEST - 1)) as u8 + 1),
        }
    }

    /// In milliseconds; 0 when nobody knows.
    pub fn millis(self) -> u64 {
        match self.0 {
            0 => 0,
            code => (f64::from(code - 1) / 4.0).exp2().round() as u64,
        }
    }

    /// The same as a small number.
    pub fn code(self) -> u8 {
        self.0
    }

    /// The inverse of [`LoadTime::code`].
    pub fn from_code(code: u8) -> Self {
        Self(code & Self::LONGEST)
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
    /// Time after the ttl in which it may be served when the loader fails or is slow, in milliseconds.
    pub grace: u64,
    /// How long the loader took.
    pub load_time: LoadTime,
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

    /// The same for a memory in which it is fresh for so long at most.
    pub(crate) fn capped(self, now: Millis, ttl: u64) -> Self {
        let fresh_until = self.fresh_until.min(now.after(ttl));
        Self {
            ttl: self.ttl.min(ttl),
            fresh_until,
            gone_at: self.gone_at.min(fresh_until.max(now).after(self.grace)),
            ..self
        }
    }

    /// What an expiry leaves of it now: its grace, or the rest of that.
    pub(crate) fn expired(self, now: Millis) -> Option<Self> {
        if !self.is_fresh(now) {
            return Some(self);
        }
        (self.grace > 0).then_some(Self {
            fresh_until: now,
            gone_at: now.after(self.grace),
            ..self
        })
    }

    /// The same with only its grace left, `None` without one.
    pub(crate) fn softened(self, now: Millis) -> Option<Self> {
        let fresh_until = self.fresh_until.min(now);
        (self.grace > 0).then_some(Self { fresh_until, ..self })
    }

    /// Whether it may not be served at all.
    pub fn is_gone(&self, now: Millis) -> bool {
        now >= self.gone_at
    }
}
