//! An entry and its key in one allocation, because bookkeeping is most of what a small entry costs.
//!
//! | word | low to high bits |
//! |---|---|
//! | 0 | `fresh_until` 48, serializer 8, "has a grace" 1, "was captured behind a soft clear" 1, time of its load 6 |
//! | 1 | `ttl` 48, length of the key 16 |
//! | 2 | namespace generation 32, tag count 32 |
//!
//! Then `gone_at` and the grace (6 bytes each, only with a grace), the number of soft clears (4 bytes, only behind one), the
//! key, the payload. The generation of the key's slot is not kept: an
//! entry is judged by the one that is captured when it is read.

use crate::clock::{FOREVER, Millis};
use crate::entry::{Entry, LoadTime, SerializerId, Stamp, TagSet};
use crate::payload::{Payload, Record};
use std::sync::Arc;

const TIME: u64 = (1 << 48) - 1;
const GRACE: u64 = 1 << 56;
const SOFTENED: u64 = 1 << 57;
const LOAD_TIME: u32 = 58;
/// Bytes of a time.
const TIME_BYTES: usize = 6;

/// A stored entry.
#[derive(Clone)]
pub struct Held {
    record: Record,
    pub tags: Option<Arc<TagSet>>,
}

impl Held {
    /// `None` for an entry that the form cannot hold: a key above 65,535 bytes, or after four billion invalidations.
    pub fn pack(key: &[u8], entry: &Entry) -> Option<Held> {
        let key_length = u16::try_from(key.len()).ok()?;
        let namespace = u32::try_from(entry.stamp.namespace).ok()?;
        let tag_count = u32::try_from(entry.stamp.tags).ok()?;
        let softened = u32::try_from(entry.stamp.softened).ok()?;
        let has_grace = entry.grace > 0;
        let flags = if has_grace { GRACE } else { 0 } | if softened > 0 { SOFTENED } else { 0 };
        let load_time = u64::from(entry.load_time.code()) << LOAD_TIME;
        let head = [
            time(entry.fresh_until.0) | u64::from(entry.serializer.0) << 48 | flags | load_time,
            time(entry.ttl) | u64::from(key_length) << 48,
            u64::from(namespace) | u64::from(tag_count) << 32,
        ];
        let [gone_at, grace] = [entry.gone_at.0, entry.grace].map(|millis| time(millis).to_le_bytes());
        let softened = softened.to_le_bytes();
        let parts: [&[u8]; 5] = [
            if has_grace { &gone_at[..TIME_BYTES] } else { &[] },
            if has_grace { &grace[..TIME_BYTES] } else { &[] },
            if flags & SOFTENED != 0 { &softened } else { &[] },
            key,
            &entry.payload,
        ];
        Some(Held {
            record: record_of(head, &parts),
            tags: entry.tags.clone(),
        })
    }

    /// The key it was packed with.
    pub fn key(&self) -> &[u8] {
        let begin = self.key_begin();
        &self.record.slice[begin..begin + self.key_length()]
    }

    /// Bytes of key and value.
    pub fn len(&self) -> usize {
        self.record.slice.len()
    }

    /// The entry.
    pub fn unpack(&self) -> Entry {
        let head = self.record.header.header;
        let fresh_until = Millis(untime(head[0]));
        let (gone_at, grace) = if self.has(GRACE) {
            (Millis(self.time_at(0)), self.time_at(TIME_BYTES))
        } else {
            (fresh_until, 0)
        };
        let softened = match self.record.slice[..self.key_begin()].last_chunk() {
            Some(bytes) if self.has(SOFTENED) => u32::from_le_bytes(*bytes),
            _ => 0,
        };
        Entry {
            serializer: SerializerId((head[0] >> 48) as u8),
            ttl: untime(head[1]),
            grace,
            load_time: LoadTime::from_code((head[0] >> LOAD_TIME) as u8),
            fresh_until,
            gone_at,
            stamp: Stamp {
                generation: 0,
                namespace: head[2] & u64::from(u32::MAX),
                tags: head[2] >> 32,
                softened: u64::from(softened),
            },
            tags: self.tags.clone(),
            payload: Payload::of(self.record.clone(), self.key_begin() + self.key_length()),
        }
    }

    fn has(&self, flag: u64) -> bool {
        self.record.header.header[0] & flag != 0
    }

    fn time_at(&self, begin: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes[..TIME_BYTES].copy_from_slice(&self.record.slice[begin..begin + TIME_BYTES]);
        untime(u64::from_le_bytes(bytes))
    }

    fn key_begin(&self) -> usize {
        let grace = if self.has(GRACE) { 2 * TIME_BYTES } else { 0 };
        let softened = if self.has(SOFTENED) { 4 } else { 0 };
        grace + softened
    }

    fn key_length(&self) -> usize {
        (self.record.header.header[1] >> 48) as usize
    }
}

fn record_of(head: [u64; 3], parts: &[&[u8]]) -> Record {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut record = Record::from_header_and_iter(head, std::iter::repeat_n(0, length));
    record.with_arc_mut(|record| {
        let whole = triomphe::Arc::get_mut(record).expect("nobody else has it yet");
        let mut rest = &mut whole.slice_mut()[..];
        for part in parts {
            let (place, behind) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = behind;
        }
    });
    record
}

/// A time or a length of time; what is longer than 8,900 years is for ever.
fn time(millis: u64) -> u64 {
    millis.min(TIME)
}

fn untime(word: u64) -> u64 {
    match word & TIME {
        TIME => FOREVER,
        millis => millis,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(fresh_until: u64, grace: u64, ttl: u64, payload: &[u8]) -> Entry {
        Entry {
            payload: payload.into(),
            serializer: SerializerId(200),
            ttl,
            grace,
            load_time: LoadTime::UNKNOWN,
            fresh_until: Millis(fresh_until),
            gone_at: Millis(fresh_until).after(grace),
            stamp: Stamp {
                generation: 0,
                namespace: 7,
                tags: 9,
                softened: 0,
            },
            tags: None,
        }
    }

    proptest! {
        #[test]
        fn an_entry_is_what_it_was(
            key: Vec<u8>,
            payload: Vec<u8>,
            fresh_until in prop_oneof![0..TIME / 2, Just(FOREVER)],
            grace in prop_oneof![Just(0), 1..TIME / 2],
            ttl in prop_oneof![0..TIME, Just(FOREVER)],
            softened in prop_oneof![Just(0), 1..1u64 << 32],
            load_time: u16,
        ) {
            let mut before = entry(fresh_until, grace, ttl, &payload);
            before.stamp.softened = softened;
            before.load_time = LoadTime::from_millis(load_time.into());
            let held = Held::pack(&key, &before).expect("it fits");
            prop_assert_eq!(held.key(), &key[..]);
            prop_assert_eq!(held.unpack(), before);
        }
    }

    #[test]
    fn what_does_not_fit_is_not_held() {
        let plain = entry(1, 0, 1, b"value");
        assert!(Held::pack(&[0; 65_536], &plain).is_none());
        let mut late = plain.clone();
        late.stamp.namespace = 1 << 32;
        assert!(Held::pack(b"key", &late).is_none());
        late = plain.clone();
        late.stamp.tags = 1 << 32;
        assert!(Held::pack(b"key", &late).is_none());
        late = plain;
        late.stamp.softened = 1 << 32;
        assert!(Held::pack(b"key", &late).is_none());
    }
}
