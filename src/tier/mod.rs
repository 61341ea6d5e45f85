//! The tiers as the engine sees them. A tier moves and holds bytes; it decides nothing about their validity.

mod guarded;
mod key_value;
mod memory;
mod none;
#[cfg(feature = "redis")]
mod redis;
pub mod rules;

pub use guarded::Guarded;
pub use key_value::{KeyValue, KeyValueAnswers, KeyValueItem, KeyValueStore};
pub use memory::{Compact, Moka, OVERHEAD, open as open_memory};
pub use none::{NoMemory, NoRemote};
#[cfg(feature = "redis")]
pub use redis::Redis;

use crate::codec::envelope::grace_of;
use crate::entry::Entry;
use crate::error::Result;
use crate::event::{LogId, Place};
use crate::key::RemoteKey;
pub use crate::lock::Token;
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Entries in this process' memory. The key is the namespace's number followed by the user's key.
pub trait MemoryTier: Send + Sync + 'static {
    /// The entry, valid or not.
    fn get(&self, key: &[u8]) -> Option<Entry>;
    /// Stores an entry; the tier may drop any entry at any time.
    fn insert(&self, key: &[u8], entry: Entry);
    /// Removes and returns the entry.
    fn remove(&self, key: &[u8]) -> Option<Entry>;
    /// The keys of the entries that are `wanted`; an entry stored before the call is looked at.
    fn keys(&self, wanted: &dyn Fn(&[u8], &Entry) -> bool) -> Vec<Arc<[u8]>>;
    /// Drops what is `dead`, and brings the counts up to date.
    fn sweep(&self, dead: &dyn Fn(&[u8], &Entry) -> bool);
    /// Whether dead entries cost anything until they are swept out.
    fn wants_sweeps(&self) -> bool {
        true
    }
    /// Brings the counts and the size limit up to date.
    fn settle(&self);
    /// Number of entries.
    fn entries(&self) -> u64;
    /// Bytes in use: keys, values and bookkeeping.
    fn bytes(&self) -> u64;
}

/// One request to a remote tier. Life times are milliseconds, `None` = without end.
#[derive(Debug, Clone)]
pub enum RemoteRequest {
    /// Incarnation and counter of the namespace state, made when they are not there; these floors, and the rules of these
    /// lists. → `State`
    State {
        /// Fields whose floors are wanted; those that begin with `all:` are lists of rules.
        fields: Vec<Box<str>>,
    },
    /// Counts up, and makes that the floor of these fields; no fields: a new incarnation. → `State` with these floors
    Raise {
        /// Fields whose floor becomes the new count.
        fields: Vec<Box<str>>,
    },
    /// Counts up, and adds the rule with that count to the shortest list of its places, or to the one in which it stands;
    /// see [`rules`]. → `State` without floors
    RaiseRule {
        /// The rule; there is no line break in it.
        rule: Box<str>,
        /// Where it may stand.
        places: Vec<rules::Place>,
    },
    /// Begins a new incarnation, unless that has been done. → `State`
    Abandon {
        /// The one that is left.
        incarnation: u64,
    },
    /// The value and its remaining life. → `Value`
    Read {
        /// Where.
        key: RemoteKey,
    },
    /// Values alone, for a reader who keeps nothing and needs no ages. → `Bytes`
    ReadBytes {
        /// Where.
        keys: Arc<[RemoteKey]>,
    },
    /// Stores a value whatever is there, and revokes the lease. → `Done`
    Write {
        /// Where.
        key: RemoteKey,
        /// The envelope.
        envelope: Bytes,
        /// Life of the stored bytes.
        life: Option<u64>,
    },
    /// Removes value and lease. → `Done(there was a value)`
    Remove {
        /// Where.
        key: RemoteKey,
    },
    /// Removes the values and the leases of many keys. → `Removed`
    RemoveMany {
        /// Where.
        keys: Vec<RemoteKey>,
    },
    /// One step of a walk over the keys of one namespace, nested ones left out. → `Keys`
    Scan(Scan),
    /// Makes the value stale: only its grace remains. Revokes the lease. → `Done(there was a value)`
    Expire {
        /// Where.
        key: RemoteKey,
    },
    /// Takes the lease, if nobody has it. → `Granted`, `Held`, or `Value(Some)` when `unless_value` and there is a fresh one.
    Lease {
        /// Where.
        key: RemoteKey,
        /// Whose it becomes.
        token: Token,
        /// Life of the lease when it is not renewed.
        life: u64,
        /// A fresh value makes the lease unnecessary.
        unless_value: bool,
    },
    /// Takes a lock that somebody asked for by name, if nobody else has it. → `Locked` or `Held`
    Lock {
        /// Where.
        key: RemoteKey,
        /// Whose it becomes.
        token: Token,
        /// Life of the lock when it is not kept.
        life: u64,
    },
    /// Prolongs a lock, if it is still this one's. → `Done(it was)`
    KeepLock {
        /// Where.
        key: RemoteKey,
        /// Whose.
        token: Token,
        /// New life.
        life: u64,
    },
    /// Gives a lock back, if it is still this one's. → `Done(it was)`
    Unlock {
        /// Where.
        key: RemoteKey,
        /// Whose.
        token: Token,
    },
    /// Takes the lease from a holder who is dead, if it is still his. → `Granted` or `Held`
    TakeOver {
        /// Where.
        key: RemoteKey,
        /// The dead one's.
        from: Token,
        /// Whose it becomes.
        token: Token,
        /// Life of the lease when it is not renewed.
        life: u64,
    },
    /// An owner of leases shows that he lives. → `Done`
    ShowLife {
        /// Who.
        owner: u64,
        /// How long he counts as alive, in milliseconds.
        life: u64,
    },
    /// Whether an owner of leases has shown lately that he lives. → `Done(he has)`
    HasLife {
        /// Who.
        owner: u64,
    },
    /// Prolongs the lease, if it is still this one's. → `Done(it was)`
    Renew {
        /// Where.
        key: RemoteKey,
        /// Whose.
        token: Token,
        /// New life.
        life: u64,
    },
    /// Gives the lease back, if it is still this one's. → `Done`
    Unlease {
        /// Where.
        key: RemoteKey,
        /// Whose.
        token: Token,
    },
    /// Stores the value and gives the lease back, if it is still this one's. → `Done(it was)`
    Fill {
        /// Where.
        key: RemoteKey,
        /// Whose.
        token: Token,
        /// The envelope.
        envelope: Bytes,
        /// Life of the stored bytes.
        life: Option<u64>,
    },
    /// Tells the other processes, when every request before it in the batch has been executed: appends each frame to the
    /// log and publishes it. A frame that the log refuses moves the mark, in one step with being published. → `Told`
    Tell {
        /// The frames.
        frames: Vec<Bytes>,
        /// Published only: whoever misses them misses nothing.
        hints: Vec<Bytes>,
    },
    /// The log from this place on, itself included, at most [`LOG_PAGE`] frames; and the mark. → `Log`
    ReadLog {
        /// Where to begin.
        from: LogId,
    },
}

impl RemoteRequest {
    /// Changes nothing: asked a second time, it does no harm.
    pub fn is_read(&self) -> bool {
        matches!(
            self,
            Self::State { .. }
                | Self::Read { .. }
                | Self::ReadBytes { .. }
                | Self::Scan(_)
                | Self::HasLife { .. }
                | Self::ReadLog { .. }
        )
    }

    /// Others rely on it as soon as it is acknowledged.
    pub fn is_change(&self) -> bool {
        matches!(
            self,
            Self::Raise { .. }
                | Self::RaiseRule { .. }
                | Self::Abandon { .. }
                | Self::Write { .. }
                | Self::Remove { .. }
                | Self::RemoveMany { .. }
                | Self::Expire { .. }
        )
    }
}

/// Which keys a walk is about, and how far it has come.
///
/// A walk sees every key that is there from its first step to its last; one that comes or goes meanwhile it may or may not
/// see, and it may see a key twice.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Path of the namespace, with the root.
    pub path: Box<str>,
    /// What the wanted keys begin with.
    pub prefix: Box<str>,
    /// What they end with, behind the prefix. A tier may give other keys too: the engine looks again.
    pub suffix: Box<str>,
    /// Also keys that have a lease and no value yet.
    pub leases: bool,
    /// Where to go on.
    pub cursor: ScanCursor,
    /// About how many keys to look at in this step.
    pub count: u32,
}

/// A place in a walk, the tier's own affair. The default is the beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanCursor {
    /// Which of several servers.
    pub node: u32,
    /// Where on it.
    pub position: u64,
}

/// Frames that a log keeps at least, when it has had so many.
pub const LOG_LENGTH: usize = 10_000;
/// Frames in one answer to [`RemoteRequest::ReadLog`].
pub const LOG_PAGE: usize = 1_000;

/// A stored value with its remaining life in milliseconds, by the store's own clock (law 5).
#[derive(Debug, Clone)]
pub struct Stored {
    /// The envelope, not yet believed.
    pub envelope: Bytes,
    /// `None` = without end.
    pub life: Option<u64>,
}

impl Stored {
    /// Whether more of its life is left than its grace.
    pub fn is_fresh(&self) -> bool {
        self.life.is_none_or(|life| life > grace_of(&self.envelope))
    }
}

/// Incarnation, counter and floors of a root namespace. An incarnation of 0 is "no remote state".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamespaceState {
    /// A random number; another one means that everything before is gone.
    pub incarnation: u64,
    /// Grows with each raise in this incarnation.
    pub counter: u64,
    /// Floors of the fields that were asked for, in their order; 0 = never raised, or a list.
    pub floors: Vec<u64>,
    /// Rules of the lists that were asked for, each with the count at which it was raised.
    pub rules: Vec<(u64, Box<str>)>,
}

/// Whether a field of the namespace state is a list of rules.
pub fn is_list(field: &str) -> bool {
    field.starts_with("all:")
}

/// The answer to one [`RemoteRequest`].
#[derive(Debug, Clone)]
pub enum RemoteReply {
    /// See the request.
    State(NamespaceState),
    /// See the request.
    Value(Option<Stored>),
    /// One for each key. Where none could be read, the request has failed instead.
    Bytes(Vec<Result<Option<Bytes>>>),
    /// How many values were removed.
    Removed(u64),
    /// Keys of one step of a walk, and where to go on; `None` = it has ended.
    Keys(Vec<RemoteKey>, Option<ScanCursor>),
    /// The lease is the caller's.
    Granted,
    /// The lock is the caller's; its fencing token is greater than that of every lock of this key before.
    Locked(u64),
    /// Somebody else has the lease or the lock; whose it is, if that can be read.
    Held(Option<Token>),
    /// See the request.
    Done(bool),
    /// What stands behind each frame when it is published.
    Told(Vec<Place>),
    /// Frames with their places, in order, and the mark: a number that never comes back, 0 = the log has refused nothing.
    Log(Vec<(LogId, Bytes)>, u64),
}

/// One answer for each request, in their order.
pub type Replies = Vec<Result<RemoteReply>>;

/// Whether the remote tier answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteState {
    /// There is none.
    None,
    /// No answer yet.
    Connecting,
    /// It answers.
    Up,
    /// It does not answer; calls go on without it.
    Down,
}

/// What a remote tier says by itself, of changes by anybody but this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreign {
    /// From here on it tells.
    Began {
        /// It had done so before, and nobody knows what was changed between.
        again: bool,
        /// It may tell of what this process has stored, too.
        tells_own: bool,
    },
    /// From here on it does not tell, until it begins again.
    Lost,
    /// It does not tell.
    Refused,
    /// The value of a key was changed, removed, or has ended.
    Key {
        /// Namespace below the root.
        path: Box<str>,
        /// The key.
        key: Box<str>,
    },
    /// The namespace state was changed.
    State,
    /// Everything is gone.
    Everything,
}

/// A store that other processes share. It executes a batch in order, in one round trip if it can.
pub trait RemoteTier: Send + Sync + 'static {
    /// Executes the batch; exactly one reply for each request.
    fn execute<'a>(&'a self, batch: &'a [RemoteRequest]) -> Pin<Box<dyn Future<Output = Replies> + Send + 'a>>;

    /// The same while it is [`RemoteState::Down`], for a batch whose answers no caller waits for: it may find out whether the tier
    /// answers again.
    fn probe<'a>(&'a self, batch: &'a [RemoteRequest]) -> Pin<Box<dyn Future<Output = Replies> + Send + 'a>> {
        self.execute(batch)
    }

    /// The answer, for a tier that needs no waiting.
    fn immediate(&self, _request: &RemoteRequest) -> Option<RemoteReply> {
        None
    }

    /// From now on changes by others than this product go to `told`, in order with the replies, if the tier can tell them.
    /// `told` must not block.
    fn watch(&self, _told: Arc<dyn Fn(Foreign) + Send + Sync>) {}

    /// Batches that may be on their way at once without losing their order.
    fn batches_in_flight(&self) -> usize {
        1
    }

    /// Whether it answers.
    fn state(&self) -> RemoteState;

    /// Grows when another server than before may answer, which may lack the last changes: before anything is asked of it.
    fn successions(&self) -> u64 {
        0
    }

    /// Whether what it holds lies on several servers: then a log that has everything does not show that nothing else is lost.
    fn is_scattered(&self) -> bool {
        false
    }

    /// How long a caller waits for an answer; reads that fail earlier are tried again. `None` = nothing is tried again.
    fn deadline(&self) -> Option<Duration> {
        None
    }
}
