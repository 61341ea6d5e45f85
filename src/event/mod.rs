//! What processes tell each other over the bus. Keys only, never values. `docs/spec/bus.md` describes the bytes.

mod frame;
mod log_id;

pub use frame::{Frame, Message, Place, Stream};
pub use log_id::LogId;

/// What happened. Paths are those below the root namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Whatever is held of the key is old.
    Key {
        /// Why.
        how: KeyChange,
        /// Namespace below the root.
        path: Box<str>,
        /// The key.
        key: Box<str>,
    },
    /// A load was stored: those who wait for it can read it.
    Filled {
        /// Namespace below the root.
        path: Box<str>,
        /// The key.
        key: Box<str>,
    },
    /// A load ended without a value: those who wait for it may take the lease.
    Freed {
        /// Namespace below the root.
        path: Box<str>,
        /// The key.
        key: Box<str>,
    },
    /// Tags were invalidated, or a namespace was cleared softly: fields of the namespace state that were raised.
    Tags {
        /// `t:<path>:<tag>`, and the others that `engine::raised` reads.
        fields: Vec<Box<str>>,
    },
    /// The keys of a namespace that match a pattern are gone, those of nested ones not.
    Pattern {
        /// Namespace below the root.
        path: Box<str>,
        /// A [`Pattern`](crate::pattern::Pattern), as it was written.
        pattern: Box<str>,
    },
    /// The namespace and those nested in it were cleared.
    Clear {
        /// Namespace below the root.
        path: Box<str>,
    },
}

/// What made a key old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChange {
    /// It has a new value.
    Set,
    /// It is gone.
    Delete,
    /// It became stale.
    Expire,
}

impl Change {
    /// Whether it makes something old.
    pub fn is_invalidation(&self) -> bool {
        !matches!(self, Change::Filled { .. } | Change::Freed { .. })
    }
}
