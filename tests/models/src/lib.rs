//! Files of the engine and of the binding, compiled against other locks: loom's with the feature `loom`, which try every
//! order of threads, or shuttle's with the feature `shuttle`, which try many at random; without either the real ones, small
//! enough for Miri and ThreadSanitizer.
//!
//! What those files need of their own crates stands in here, as small as can be.

#![allow(dead_code, reason = "the files have more than is tried here")]

pub mod sync;

#[path = "../../../node/binding/src/completions.rs"]
pub mod completions;
#[path = "../../../src/engine/flights.rs"]
pub mod flights;
#[path = "../../../src/engine/generation.rs"]
pub mod generation;
#[path = "../../../src/lock/lines.rs"]
pub mod lines;
#[path = "../../../src/engine/load_table.rs"]
pub mod load_table;
#[path = "../../../node/binding/src/words.rs"]
pub mod words;

/// The engine's clock, as far as a mirror shows it.
pub mod clock {
    /// Milliseconds.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub struct Millis(pub u64);
}

/// One namespace, whose values are numbers.
pub mod engine {
    pub mod answers {
        use crate::entry::Entry;

        /// Of the key's slot.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Capture(pub u64);

        impl Capture {
            pub fn covers(&self, earlier: &Self) -> bool {
                self.0 >= earlier.0
            }
        }

        pub struct Found {
            pub entry: Entry,
        }

        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct LeaseId(pub u64);

        pub enum Lookup {
            Hit(u64),
            Load(LeaseId, Capture),
        }

        pub type LookupDone = Box<dyn FnOnce(Lookup) + Send>;
    }

    pub mod namespaces {
        pub struct Namespace {
            pub full_path: Box<str>,
        }
    }

    pub fn with_memory_key<R>(_: &namespaces::Namespace, key: &str, use_it: impl FnOnce(&[u8]) -> R) -> R {
        use_it(key.as_bytes())
    }
}

pub mod entry {
    #[derive(Clone, Copy)]
    pub struct Entry(pub u64);

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub struct SerializerId(pub u8);
}

pub mod key {
    pub struct RemoteKey;

    impl RemoteKey {
        pub fn new(_: &str, _: &str) -> Self {
            Self
        }
    }
}

pub mod tier {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Token(pub u64);
}

/// A table with two slots: what is true of two is true of 65,536.
pub mod options {
    pub(crate) mod generations {
        pub const SLOTS: usize = 2;
        pub const NAMESPACES: usize = 2;
        pub const LOCKS: usize = 2;
    }
}

/// Answers of a fixed size.
pub mod answer {
    pub struct Answer {
        pub request_id: u32,
        pub large: bool,
    }

    impl Answer {
        pub fn size(&self) -> usize {
            4
        }

        pub fn write(&self, out: &mut [u8]) {
            out.copy_from_slice(&self.request_id.to_le_bytes());
        }

        pub fn is_large(&self) -> bool {
            self.large
        }

        pub fn into_value(self) -> Vec<u8> {
            vec![0; 8]
        }
    }
}
