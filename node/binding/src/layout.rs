//! Words and bits of the boundary, the same as in `node/client/native.ts`. A test of the package compares the two.

use napi_derive::napi;
use turbocache::engine::generation::{CLOCK_INDEX, MIRROR_WORDS, PULSE_INDEX};

/// Bytes of the header of a request, a completion and the answer of `read`.
pub const HEADER: usize = 64;
/// Longest value that is copied into a shared buffer.
pub const INLINE: usize = 32 << 10;
/// Times are capped to this on their way to JavaScript, which also means "never".
pub const FAR: i64 = 1 << 30;

/// Indices of the 32-bit words of an answer's header.
pub mod word {
    pub const REQUEST_ID: usize = 0;
    pub const STATUS: usize = 1;
    pub const FLAGS: usize = 2;
    pub const SLOT: usize = 3;
    pub const GENERATION: usize = 4;
    pub const NAMESPACE_GENERATION: usize = 5;
    pub const FRESH_FOR: usize = 6;
    pub const GONE_IN: usize = 7;
    pub const TTL: usize = 8;
    pub const VALUE_BYTES: usize = 9;
    pub const TAG_PAIRS: usize = 10;
    pub const ERROR_CODE: usize = 11;
    /// A float64 in two words.
    pub const LEASE: usize = 12;
    pub const TAG_NAME_BYTES: usize = 14;
    pub const LOAD_TIME: usize = 15;
}

/// Kinds of a completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    Miss = 0,
    Hit = 1,
    Stale = 2,
    Load = 3,
    Done = 4,
    Error = 5,
    Adapter = 6,
    /// The request goes on; another answer will follow.
    Progress = 7,
    /// A lock was lost; no request waits for it.
    Lost = 8,
}

/// Bits of the flags word.
pub mod flag {
    pub const ASCII: u32 = 1;
    pub const PLAIN: u32 = 16;
    pub const LARGE: u32 = 2;
    pub const YES: u32 = 4;
    pub const REMOTE: u32 = 8;
}

/// What a host must know before it allocates the shared buffers.
#[napi(object, object_from_js = false)]
pub struct Layout {
    /// Words of the mirror.
    pub mirror_length: u32,
    /// Index of the coarse clock in the mirror.
    pub clock: u32,
    /// Index of the pulse in the mirror.
    pub pulse: u32,
    /// Bytes of a header.
    pub header_bytes: u32,
    /// Longest value that is copied into a shared buffer.
    pub inline_bytes: u32,
}

/// The layout that this binary speaks.
#[napi(catch_unwind)]
pub fn layout() -> Layout {
    Layout {
        mirror_length: MIRROR_WORDS as u32,
        clock: CLOCK_INDEX as u32,
        pulse: PULSE_INDEX as u32,
        header_bytes: HEADER as u32,
        inline_bytes: INLINE as u32,
    }
}
