//! What hosts ask an engine and what it answers: values to store, values found, leases, and how a load ends.

use crate::clock::Millis;
use crate::entry::{Entry, Lifetime, LoadTime, SerializerId, Stamp, TagSet};
use crate::error::Result;
use crate::payload::Fetched;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A value to store.
#[derive(Debug, Clone, Copy)]
pub struct Write<'a> {
    /// The encoded value.
    pub payload: &'a [u8],
    /// How it is encoded.
    pub serializer: SerializerId,
    /// How long it lives.
    pub lifetime: Lifetime,
    /// Labels by which it can be dropped.
    pub tags: &'a [&'a str],
}

impl Write<'_> {
    pub(super) fn clamped(self) -> Self {
        let lifetime = self.lifetime.clamped();
        Self { lifetime, ..self }
    }

    /// What the memory tier keeps of it, in which it may have a ttl of its own.
    pub(super) fn entry(&self, now: Millis, memory_ttl: Option<u64>, stamp: Stamp, tags: Option<Arc<TagSet>>) -> Entry {
        let Lifetime { ttl, grace } = self.lifetime;
        let ttl = memory_ttl.unwrap_or(ttl);
        Entry {
            payload: self.payload.into(),
            serializer: self.serializer,
            ttl,
            grace,
            load_time: LoadTime::UNKNOWN,
            fresh_until: now.after(ttl),
            gone_at: now.after(ttl).after(grace),
            stamp,
            tags,
        }
    }
}

/// The generations of a key as they stood before the layer below was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capture {
    /// Slot of the key.
    pub slot: u32,
    /// What an entry made from the read is stamped with.
    pub stamp: Stamp,
    /// Low 32 bits of the namespace's generation in the table, as a mirror shows it.
    pub namespace_word: u32,
    /// Number of deletions by pattern in the namespace so far.
    pub purges: u64,
}

impl Capture {
    /// Whether nothing was invalidated between `earlier` and `self` that would matter to a load.
    pub(super) fn covers(&self, earlier: &Capture) -> bool {
        self.stamp.covers(&earlier.stamp) && self.purges >= earlier.purges
    }

    /// The later one, if only keys were changed between. What a clear or a tag has made old stays so: it is judged by the
    /// state in which the remote tier was read.
    pub(super) fn renewed(self, later: Capture) -> Capture {
        let generation = self.stamp.generation;
        let before = Capture {
            stamp: Stamp {
                generation,
                ..later.stamp
            },
            ..later
        };
        if before == self { later } else { self }
    }
}

/// A value that may be served.
#[derive(Debug, Clone)]
pub struct Found {
    /// The value.
    pub entry: Entry,
    /// For a host's hot tier: what must still stand in the mirror when it serves the value again.
    pub capture: Capture,
    /// The same for each tag: (index, low 32 bits of the generation).
    pub tag_words: Vec<(u32, u32)>,
    /// It came from the remote tier or a loader, not from memory.
    pub remote: bool,
    /// `false`: it may be handed to those who waited, and kept by nobody.
    pub keepable: bool,
    /// Milliseconds until stale, negative when stale since; `i64::MAX` = never.
    pub fresh_for: i64,
    /// Milliseconds until gone; [`FOREVER`] = never.
    pub gone_in: u64,
}

impl Found {
    /// Whether only its grace keeps it.
    pub fn is_stale(&self) -> bool {
        self.fresh_for <= 0
    }
}

/// The answer of a synchronous read of the memory tier.
#[derive(Debug, Clone)]
pub struct Peek {
    /// Captured before the look, also for a miss.
    pub capture: Capture,
    /// The value, fresh or in its grace.
    pub found: Option<Found>,
}

/// Names one lease of this engine. Never reused; fits a JavaScript number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseId(pub u64);

/// Names a lock of this engine, held or wanted. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LockId(pub u64);

/// The answer of a lookup.
#[derive(Debug)]
pub enum Lookup {
    /// A fresh value, from a tier or from somebody's load.
    Hit(Found),
    /// A value in its grace. With a lease this caller shall load, without one somebody else does.
    Stale(Found, Option<(LeaseId, Capture)>),
    /// No value: this caller shall load.
    Load(LeaseId, Capture),
    /// Only for a refresh: somebody else is at it already.
    Nothing,
}

/// What became of a loaded value.
#[derive(Debug)]
pub enum FillOutcome {
    /// It is in the tiers, and may be kept by the host.
    Stored(Found),
    /// Something was invalidated meanwhile, or the lease was lost: it may be returned, and kept by nobody.
    Refused,
}

/// Called once with the answer of a lookup.
pub type LookupDone = Box<dyn FnOnce(Lookup) + Send>;
/// Called once when the loaded value has been dealt with.
pub type FillDone = Box<dyn FnOnce(Result<FillOutcome>) + Send>;
/// Called once: whether there was something to change; an error only of the remote tier, or of what was asked.
pub type WriteDone = Box<dyn FnOnce(Result<bool>) + Send>;
/// Called once with the fencing token of a lock, or why there is none.
pub type LockDone = Box<dyn FnOnce(Result<u64>) + Send>;
/// Called at most once: the lock is lost.
pub type LockLost = Box<dyn FnOnce() + Send>;
/// How far a deletion by pattern has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Keys that were compared with the pattern, one twice that was seen twice.
    pub scanned: u64,
    /// Values that were removed.
    pub deleted: u64,
}

/// Called after each step.
pub type ProgressTold = Box<dyn FnMut(Progress) + Send>;
/// Called once with the number of values that were removed.
pub type CountDone = Box<dyn FnOnce(Result<u64>) + Send>;
/// Called once for each key, with its place among those that were asked for and its fresh value's bytes, or `None`.
pub type ValuesDone = Arc<dyn Fn(usize, Option<Fetched>) + Send + Sync>;

/// Gives a receiver its answer. It may be a user's own code: when it panics, the others still get theirs.
pub(super) fn tell(receiver: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(receiver)).is_err() {
        tracing::error!("the receiver of an answer panicked");
    }
}
