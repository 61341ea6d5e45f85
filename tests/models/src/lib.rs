//! Files of the engine and of the binding, compiled against other locks: loom's with the feature `loom`, which try every
//! order of threads; without it the real ones, small enough for Miri and ThreadSanitizer.
//!
//! What those files need of their own crates stands in here, as small as can be.

#![allow(dead_code, reason = "the files have more than is tried here")]

pub mod sync;

#[path = "../../../node/binding/src/completions.rs"]
pub mod completions;
#[path = "../../../src/engine/generation.rs"]
pub mod generation;
#[path = "../../../node/binding/src/words.rs"]
pub mod words;

/// The engine's clock, as far as a mirror shows it.
pub mod clock {
    /// Milliseconds.
    #[derive(Clone, Copy)]
    pub struct Millis(pub u64);
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
