//! The envelope: what stands around a value in the remote tier. `docs/spec/envelope.md` is its specification, and
//! `fixtures/envelope/v1` are bytes that must decode for ever.
//!
//! Nothing in it is believed before it is checked: the digest says whose it is, the checksum that it is whole, the sizes
//! that it is not a bomb. Every failure is a [`Rejection`], which the engine counts as a miss.

use crate::codec::compression;
use crate::entry::{Lifetime, SerializerId};
use crate::key::RemoteKey;
use crate::options::CompressionOptions;
use bytes::Bytes;
use std::borrow::Cow;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: [u8; 4] = *b"TCE\x01";
const HEADER: usize = 64;
const CHECKSUM: usize = 8;
/// Where the grace stands: the expire script reads it in place.
pub const GRACE_OFFSET: usize = 48;

/// The grace that bytes speak of, if they are an envelope; for who need not believe the rest of them.
pub fn grace_of(bytes: &[u8]) -> u64 {
    let grace = bytes.get(GRACE_OFFSET..GRACE_OFFSET + 8);
    grace
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u64::from_le_bytes)
}

/// What an envelope says, apart from whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Encoding of the payload.
    pub serializer: SerializerId,
    /// Namespace state when the value's origin was read: incarnation.
    pub incarnation: u64,
    /// Namespace state when the value's origin was read: counter.
    pub born: u64,
    /// Life of the value.
    pub lifetime: Lifetime,
    /// Sorted, without duplicates.
    pub tags: Vec<&'a str>,
    /// The encoded value.
    pub payload: Cow<'a, [u8]>,
}

/// Why bytes are not the value of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Not an envelope of version 1.
    Foreign,
    /// Shorter than it says, or damaged.
    Damaged,
    /// Of another key.
    OtherKey,
    /// Says that it is larger than allowed.
    TooLarge,
    /// Compressed or encrypted in an unknown way.
    UnknownCodec,
}

impl Envelope<'_> {
    /// The bytes for this key; the payload is compressed when the options want it and it pays.
    pub fn encode(&self, key: &RemoteKey, options: Option<&CompressionOptions>) -> Bytes {
        let compressed = compression::compress(&self.payload, options);
        let (compression, stored) = match &compressed {
            Some(stored) => (compression::ZSTD, &stored[..]),
            None => (compression::NONE, &self.payload[..]),
        };
        let tag_bytes: usize = self.tags.iter().map(|tag| 2 + tag.len()).sum();
        let mut bytes = Vec::with_capacity(HEADER + tag_bytes + stored.len() + CHECKSUM);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[self.serializer.0, compression, 0, 0]);
        bytes.extend_from_slice(&key.digest().to_le_bytes());
        for number in [self.incarnation, self.born, self.lifetime.ttl, self.lifetime.grace] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&(self.payload.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(tag_bytes as u16).to_le_bytes());
        bytes.extend_from_slice(&0u16.to_le_bytes());
        for tag in &self.tags {
            bytes.extend_from_slice(&(tag.len() as u16).to_le_bytes());
            bytes.extend_from_slice(tag.as_bytes());
        }
        bytes.extend_from_slice(stored);
        bytes.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
        bytes.into()
    }

    /// Where the payload stands in the bytes that it was decoded from; `None` when it was compressed there.
    pub fn place_in(&self, bytes: &[u8]) -> Option<Range<usize>> {
        let Cow::Borrowed(payload) = &self.payload else {
            return None;
        };
        let end = bytes.len() - CHECKSUM;
        Some(end - payload.len()..end)
    }
}

/// Reads the bytes found under `key`. Hostile bytes give a rejection, never a panic and never another key's value.
pub fn decode<'a>(key: &RemoteKey, bytes: &'a [u8], max_value_bytes: usize) -> Result<Envelope<'a>, Rejection> {
    if bytes.len() < HEADER + CHECKSUM || bytes[..4] != MAGIC {
        return Err(Rejection::Foreign);
    }
    let (body, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
    if xxh3_64(body).to_le_bytes() != checksum {
        return Err(Rejection::Damaged);
    }
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|index| body[at + index]));
    if body[8..24] != key.digest().to_le_bytes() {
        return Err(Rejection::OtherKey);
    }
    if body[6] != 0 || body[7] != 0 || body[62] != 0 || body[63] != 0 {
        return Err(Rejection::UnknownCodec);
    }
    let raw_length = u32::from_le_bytes([body[56], body[57], body[58], body[59]]) as usize;
    if raw_length > max_value_bytes {
        return Err(Rejection::TooLarge);
    }
    let tag_bytes = u16::from_le_bytes([body[60], body[61]]) as usize;
    let (tag_bytes, stored) = body[HEADER..].split_at_checked(tag_bytes).ok_or(Rejection::Damaged)?;
    let payload = match body[5] {
        compression::NONE if stored.len() == raw_length => stored.into(),
        compression::NONE => return Err(Rejection::Damaged),
        compression::ZSTD => compression::decompress(stored, raw_length)
            .ok_or(Rejection::Damaged)?
            .into(),
        _ => return Err(Rejection::UnknownCodec),
    };
    Ok(Envelope {
        serializer: SerializerId(body[4]),
        incarnation: number(24),
        born: number(32),
        lifetime: Lifetime {
            ttl: number(40),
            grace: number(GRACE_OFFSET),
        },
        tags: tags(tag_bytes).ok_or(Rejection::Damaged)?,
        payload,
    })
}

fn tags(mut bytes: &[u8]) -> Option<Vec<&str>> {
    let mut tags = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_at_checked(2)?;
        let (tag, rest) = rest.split_at_checked(u16::from_le_bytes([length[0], length[1]]) as usize)?;
        tags.push(std::str::from_utf8(tag).ok()?);
        bytes = rest;
    }
    Some(tags)
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
