//! An answer on its way to JavaScript, and how it is written: a header of words, tag pairs, the value.

use crate::layout::{FAR, HEADER, INLINE, Status, flag, word};
use turbocache::engine::{Capture, Found, LeaseId};
use turbocache::entry::LoadTime;
use turbocache::payload::{Fetched, Payload};

/// The bytes of an answer. Engine values are shared, not copied, until they are written.
#[derive(Debug, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    None,
    /// A cached value.
    Shared(Payload),
    /// A value for a reader who keeps nothing.
    Fetched(Fetched),
    /// A message, or a batch for the adapter.
    Owned(Vec<u8>),
}

impl Value {
    fn bytes(&self) -> &[u8] {
        match self {
            Value::None => &[],
            Value::Shared(bytes) => bytes,
            Value::Fetched(bytes) => bytes,
            Value::Owned(bytes) => bytes,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Answer {
    pub request_id: u32,
    pub status: Status,
    pub flags: u32,
    pub capture: Option<Capture>,
    pub fresh_for: i64,
    pub gone_in: u64,
    pub ttl: u64,
    pub load_time: LoadTime,
    pub error_code: u32,
    pub lease: Option<LeaseId>,
    pub tag_words: Vec<(u32, u32)>,
    pub tag_names: Vec<u8>,
    pub value: Value,
}

impl Answer {
    /// An answer without a value.
    pub fn new(request_id: u32, status: Status) -> Self {
        Self {
            request_id,
            status,
            flags: 0,
            capture: None,
            fresh_for: 0,
            gone_in: 0,
            ttl: 0,
            load_time: LoadTime::UNKNOWN,
            error_code: 0,
            lease: None,
            tag_words: Vec::new(),
            tag_names: Vec::new(),
            value: Value::None,
        }
    }

    /// The same with a yes or a no.
    pub fn yes(mut self, yes: bool) -> Self {
        self.flags |= if yes { flag::YES } else { 0 };
        self
    }

    /// An answer with a value.
    pub fn found(request_id: u32, found: Found) -> Self {
        let status = if found.is_stale() { Status::Stale } else { Status::Hit };
        Self {
            flags: if found.remote { flag::REMOTE } else { 0 },
            // Without a capture the host keeps nothing.
            capture: found.keepable.then_some(found.capture),
            fresh_for: found.fresh_for,
            gone_in: found.gone_in,
            ttl: found.entry.ttl,
            load_time: found.entry.load_time,
            tag_words: found.tag_words,
            value: Value::Shared(found.entry.payload),
            ..Self::new(request_id, status)
        }
    }

    /// Bytes it takes when its value is written with it.
    pub fn size(&self) -> usize {
        let value = if self.is_large() { 0 } else { self.value.bytes().len() };
        (HEADER + self.tag_words.len() * 8 + value + self.tag_names.len()).next_multiple_of(8)
    }

    /// Whether the value must be fetched on its own.
    pub fn is_large(&self) -> bool {
        self.value.bytes().len() > INLINE
    }

    /// Writes it to the front of `out`, which is at least [`Answer::size`] long.
    pub fn write(&self, out: &mut [u8]) {
        let value = self.value.bytes();
        let large = if self.is_large() { flag::LARGE } else { 0 };
        let mut words = [0u32; HEADER / 4];
        words[word::REQUEST_ID] = self.request_id;
        words[word::STATUS] = self.status as u32;
        words[word::FLAGS] = self.flags | large | letters_of(value);
        words[word::SLOT] = u32::MAX;
        if let Some(capture) = &self.capture {
            words[word::SLOT] = capture.slot;
            words[word::GENERATION] = capture.stamp.generation as u32;
            words[word::NAMESPACE_GENERATION] = capture.namespace_word;
        }
        words[word::FRESH_FOR] = self.fresh_for.clamp(-FAR, FAR) as i32 as u32;
        words[word::GONE_IN] = self.gone_in.min(FAR as u64) as u32;
        words[word::TTL] = self.ttl.min(FAR as u64) as u32;
        words[word::VALUE_BYTES] = value.len() as u32;
        words[word::TAG_PAIRS] = self.tag_words.len() as u32;
        words[word::ERROR_CODE] = self.error_code;
        let lease = (self.lease.map_or(0, |lease| lease.0) as f64).to_bits();
        words[word::LEASE] = lease as u32;
        words[word::LEASE + 1] = (lease >> 32) as u32;
        words[word::TAG_NAME_BYTES] = self.tag_names.len() as u32;
        words[word::LOAD_TIME] = self.load_time.millis() as u32;
        let (header, rest) = out.split_at_mut(HEADER);
        for (place, word) in header.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            rest[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        for (index, generation) in &self.tag_words {
            put(&index.to_le_bytes());
            put(&generation.to_le_bytes());
        }
        if large == 0 {
            put(value);
        }
        put(&self.tag_names);
    }

    /// The value, taken out.
    pub fn into_value(self) -> Vec<u8> {
        match self.value {
            Value::None => Vec::new(),
            Value::Shared(bytes) => bytes.to_vec(),
            Value::Fetched(bytes) => bytes.to_vec(),
            Value::Owned(bytes) => bytes,
        }
    }
}

/// What a reader may rely on. Each byte is looked at without a branch: many at a time.
fn letters_of(value: &[u8]) -> u32 {
    let special = |byte: &u8| (*byte < b' ') | (*byte > 0x7f) | (*byte == b'\\');
    if !value.iter().fold(false, |any, byte| any | special(byte)) {
        flag::PLAIN | flag::ASCII
    } else if value.is_ascii() {
        flag::ASCII
    } else {
        0
    }
}
