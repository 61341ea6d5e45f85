//! An entry and its key in one allocation, because bookkeeping is most of what a small entry costs.
//!
//! | word | low to high bits |
//! |---|---|
//! | 0 | `fresh_until` 48, serializer 8, "has a grace" 1 |
//! | 1 | `ttl` 48, length of the key 16 |
//! | 2 | namespace generation 32, tag count 32 |
//!
//! Then `gone_at` (8 bytes, only with a grace), the key, the payload. The generation of the key's slot is not kept: an
//! entry is judged by the one that is captured when it is read.

use crate::clock::{FOREVER, Millis};
use crate::entry::{Entry, SerializerId, Stamp, TagSet};
use crate::payload::{Payload, Record};
use std::sync::Arc;

const TIME: u64 = (1 << 48) - 1;
const GRACE: u64 = 1 << 56;

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
        let has_grace = entry.gone_at != entry.fresh_until;
        let head = [
            time(entry.fresh_until.0) | u64::from(entry.serializer.0) << 48 | if has_grace { GRACE } else { 0 },
            time(entry.ttl) | u64::from(key_length) << 48,
            u64::from(namespace) | u64::from(tag_count) << 32,
        ];
        let gone_at = entry.gone_at.0.to_le_bytes();
        let parts: [&[u8]; 3] = [if has_grace { &gone_at } else { &[] }, key, &entry.payload];
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
        let gone_at = match self.record.slice.first_chunk() {
            Some(bytes) if self.has_grace() => Millis(u64::from_le_bytes(*bytes)),
            _ => fresh_until,
        };
        Entry {
            serializer: SerializerId((head[0] >> 48) as u8),
            ttl: untime(head[1]),
            fresh_until,
            gone_at,
            stamp: Stamp {
                generation: 0,
                namespace: head[2] & u64::from(u32::MAX),
                tags: head[2] >> 32,
            },
            tags: self.tags.clone(),
            payload: Payload::of(self.record.clone(), self.key_begin() + self.key_length()),
        }
    }

    fn has_grace(&self) -> bool {
        self.record.header.header[0] & GRACE != 0
    }

    fn key_begin(&self) -> usize {
        if self.has_grace() { 8 } else { 0 }
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

    fn entry(fresh_until: u64, gone_at: u64, ttl: u64, payload: &[u8]) -> Entry {
        Entry {
            payload: payload.into(),
            serializer: SerializerId(200),
            ttl,
            fresh_until: Millis(fresh_until),
            gone_at: Millis(gone_at),
            stamp: Stamp {
                generation: 0,
                namespace: 7,
                tags: 9,
            },
            tags: None,
        }
    }

    proptest! {
        #[test]
        fn an_entry_is_what_it_was(
            key: Vec<u8>,
            payload: Vec<u8>,
            fresh_until in prop_oneof![0..TIME, Just(FOREVER)],
            grace in prop_oneof![Just(0), 1..TIME],
            ttl in prop_oneof![0..TIME, Just(FOREVER)],
        ) {
            let before = entry(fresh_until, fresh_until.saturating_add(grace), ttl, &payload);
            let held = Held::pack(&key, &before).expect("it fits");
            prop_assert_eq!(held.key(), &key[..]);
            prop_assert_eq!(held.unpack(), before);
        }
    }

    #[test]
    fn what_does_not_fit_is_not_held() {
        let plain = entry(1, 1, 1, b"value");
        assert!(Held::pack(&[0; 65_536], &plain).is_none());
        let mut late = plain.clone();
        late.stamp.namespace = 1 << 32;
        assert!(Held::pack(b"key", &late).is_none());
        late = plain;
        late.stamp.tags = 1 << 32;
        assert!(Held::pack(b"key", &late).is_none());
    }
}
