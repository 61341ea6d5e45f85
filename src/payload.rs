//! The bytes of an encoded value, shared by whoever holds it.

use bytes::Bytes;
use std::fmt;
use std::ops::{Deref, Range};
use triomphe::ThinArc;

/// One allocation: three words for whoever stores it, and bytes. A memory tier keeps an entry and its key in one.
pub type Record = ThinArc<[u64; 3], u8>;

/// An encoded value: the end of a [`Record`]. Cloning shares the bytes.
#[derive(Clone)]
pub struct Payload {
    record: Record,
    start: usize,
}

impl Payload {
    /// The bytes of a record from `start` on.
    ///
    /// # Panics
    /// When the record is shorter.
    pub fn of(record: Record, start: usize) -> Self {
        assert!(start <= record.slice.len(), "a payload begins inside its record");
        Self { record, start }
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Self {
            record: Record::from_header_and_slice([0; 3], bytes),
            start: 0,
        }
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.record.slice[self.start..]
    }
}

/// The bytes of an encoded value for a reader who keeps nothing: held by the cache, or where they lie among what a store has
/// answered.
#[derive(Debug)]
pub enum Fetched {
    /// Shared with the memory tier, or made for this reader.
    Held(Payload),
    /// A part of an answer.
    Within(Bytes, Range<usize>),
}

impl Deref for Fetched {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Held(payload) => payload,
            Self::Within(answer, part) => &answer[part.clone()],
        }
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Payload({} bytes)", self.len())
    }
}
