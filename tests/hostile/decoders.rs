//! What is done with bytes from outside, whatever they are: nothing here may panic, or take more than it is allowed. Run with
//! random changes of good bytes by this folder's tests, and with what libFuzzer finds by `fuzz/`.

use serde::Deserialize;
use std::collections::BTreeMap;
use turbocache::Serializer;
use turbocache::codec::envelope::{decode, grace_of};
use turbocache::event::{Frame, LogId, Message, Place};
use turbocache::key::RemoteKey;
use turbocache::pattern::Pattern;
use xxhash_rust::xxh3::xxh3_64;

/// Of a value.
const LARGEST: usize = 1 << 20;
/// Of a pattern and of the key it is compared with.
const LONGEST: usize = 512;

/// What was found under a key.
pub fn envelope(bytes: &[u8]) {
    let key = RemoteKey::new("shop", "k");
    let _ = grace_of(bytes);
    let _ = decode(&key, bytes, LARGEST);
    // Past the checksum and the digest, which chance would never find.
    let mut honest = bytes.to_vec();
    if honest.len() < 64 + 8 {
        return;
    }
    honest[..4].copy_from_slice(b"TCE\x01");
    honest[8..24].copy_from_slice(&key.digest().to_le_bytes());
    let end = honest.len() - 8;
    let checksum = xxh3_64(&honest[..end]).to_le_bytes();
    honest[end..].copy_from_slice(&checksum);
    let Ok(envelope) = decode(&key, &honest, LARGEST) else {
        return;
    };
    assert!(envelope.payload.len() <= LARGEST);
    let again = envelope.encode(&key, None);
    assert_eq!(decode(&key, &again, LARGEST).as_ref(), Ok(&envelope));
}

/// What was heard on the bus, or read in its log.
pub fn frame(bytes: &[u8]) {
    let _ = Frame::bytes(bytes.to_vec());
    if let Some(Message::Frame(frame, place)) = Frame::heard(bytes) {
        let again = [frame.encode(), place.to_string().into_bytes()].concat();
        assert_eq!(Frame::heard(&again), Some(Message::Frame(frame, place)));
    }
    // Whatever length it gives itself.
    let mut honest = bytes.to_vec();
    if honest.len() >= 5 {
        let length = (honest.len() as u32).to_le_bytes();
        honest[1..5].copy_from_slice(&length);
    }
    for bytes in [bytes, &honest] {
        let Some(frame) = Frame::decode(bytes) else { continue };
        let again = frame.encode();
        assert_eq!(Frame::decode(&again).as_ref(), Some(&frame));
        assert_eq!(Frame::heard(&again), Some(Message::Frame(frame, Place::Unknown)));
    }
}

/// An id of the log.
pub fn log_id(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(id) = LogId::parse(&text) {
        assert_eq!(LogId::parse(&id.to_string()), Some(id), "{text}");
    }
}

/// A type with everything in it, to be found in bytes that hold another one.
#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "it is only decoded")]
struct Everything {
    number: f64,
    count: u64,
    text: Option<String>,
    list: Vec<Everything>,
    map: BTreeMap<String, Vec<u8>>,
    pair: (i8, char),
}

/// A value in MessagePack.
pub fn message_pack(bytes: &[u8]) {
    let _ = Serializer::MessagePack.decode::<serde::de::IgnoredAny>(bytes);
    let _ = Serializer::MessagePack.decode::<serde_json::Value>(bytes);
    let _ = Serializer::MessagePack.decode::<Everything>(bytes);
    let _ = Serializer::MessagePack.decode::<Vec<Vec<String>>>(bytes);
}

/// A value in JSON.
pub fn json(bytes: &[u8]) {
    let _ = Serializer::Json.decode::<serde_json::Value>(bytes);
    let _ = Serializer::Json.decode::<Everything>(bytes);
}

/// A pattern that somebody sends, and a key to compare it with.
pub fn pattern(bytes: &[u8]) {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(2 * LONGEST)]).into_owned();
    let (pattern, key) = text.split_once('\n').unwrap_or((&text, &text));
    if let Ok(parsed) = Pattern::parse(pattern) {
        let matches = parsed.matches(key);
        assert!(
            !matches || (key.starts_with(&parsed.prefix()) && key.ends_with(&parsed.suffix())),
            "{pattern} {key}"
        );
    }
    let literal = Pattern::parse(&Pattern::escape(key));
    assert!(
        literal.is_ok_and(|literal| literal.matches(key)) || key.is_empty(),
        "{key}"
    );
}
