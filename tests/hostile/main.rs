//! Bytes that were changed at random, by the hundred thousand, given to every decoder of bytes from outside. `make fuzz` gives
//! them the inputs that libFuzzer finds, for as long as one likes.

#![allow(missing_docs, reason = "test names are sentences that state the rule")]

mod decoders;

use std::path::Path;
use turbocache::event::{Change, Frame, KeyChange, Stream};
use turbocache::random::{Random, SeededRandom};

/// For each decoder.
const INPUTS: usize = 50_000;

/// What decoders trip over: ends of ranges, and what the formats are made of.
const TELLING: [u8; 12] = [0, 1, 2, 0x7f, 0x80, 0xff, b'-', b' ', b'*', b'[', 0xc1, 0xdf];

/// Gives the decoder bytes that were made from good ones by a few changes.
fn give(decoder: fn(&[u8]), good: &[Vec<u8>]) {
    let random = SeededRandom::new(7);
    let below = |end: usize| random.next() as usize % end.max(1);
    for _ in 0..INPUTS {
        let mut bytes = good[below(good.len())].clone();
        for _ in 0..=below(6) {
            let at = below(bytes.len());
            match below(8) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, random.next() as u8),
                2 => bytes.extend((0..below(40)).map(|_| random.next() as u8)),
                3 if !bytes.is_empty() => drop(bytes.remove(at)),
                4 => {
                    let other = &good[below(good.len())];
                    let from = below(other.len());
                    bytes.splice(at.., other[from..].iter().copied());
                }
                5 => bytes.splice(at.., random.next().to_le_bytes()).for_each(drop),
                6 if !bytes.is_empty() => bytes[at] = TELLING[below(TELLING.len())],
                _ if !bytes.is_empty() => bytes[at] ^= 1 << below(8),
                _ => {}
            }
        }
        decoder(&bytes);
    }
}

#[test]
fn envelopes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/envelope/v1");
    let files = std::fs::read_dir(folder).expect("fixtures");
    let bytes = |file: std::io::Result<std::fs::DirEntry>| std::fs::read(file.expect("a file").path()).expect("bytes");
    let good: Vec<Vec<u8>> = files.map(bytes).collect();
    assert!(good.len() > 3);
    give(decoders::envelope, &good);
}

#[test]
fn frames_and_their_places() {
    let key = |how| Change::Key {
        how,
        path: "users".into(),
        key: "1".into(),
    };
    let changes = vec![
        key(KeyChange::Set),
        key(KeyChange::Delete),
        Change::Tags {
            fields: vec!["t:users:a".into(), "st::b".into()],
        },
        Change::Clear { path: "".into() },
        Change::Pattern {
            path: "".into(),
            pattern: "user:*".into(),
        },
    ];
    let good = [Stream::Logged, Stream::Unlogged, Stream::Hint].map(|stream| {
        let frame = Frame {
            sender: 7,
            session: 1,
            stream,
            first: 3,
            next: 8,
            incarnation: 9,
            counter: 2,
            changes: changes.clone(),
        };
        let mut bytes = frame.encode();
        if stream == Stream::Logged {
            bytes.extend_from_slice(b"1730000000000-0 1730000000005-0");
        }
        bytes
    });
    give(decoders::frame, &good);
}

#[test]
fn ids_of_the_log() {
    give(
        decoders::log_id,
        &[b"1730000000000-0".to_vec(), b"18446744073709551615-1".to_vec()],
    );
}

#[test]
fn values_in_message_pack_and_json() {
    let value = serde_json::json!({
        "number": 1.5, "count": 7, "text": "ä", "list": [], "map": { "a": [1, 2, 255] }, "pair": [-1, "x"],
    });
    let packed = turbocache::Serializer::MessagePack.encode(&value).expect("bytes");
    // Deeper than any decoder may follow.
    give(
        decoders::message_pack,
        &[packed, vec![0x91; 5_000], vec![0xdd, 0xff, 0xff, 0xff, 0xff]],
    );
    give(decoders::json, &[value.to_string().into_bytes(), vec![b'['; 5_000]]);
}

#[test]
fn patterns_and_keys() {
    let good = [
        "user:*\nuser:1",
        "a[b-y]?\\*\nabc*",
        "*a*a*a*a*a*a*b\naaaaaaaaaaaaaaaaaaaaaaa",
    ];
    give(decoders::pattern, &good.map(|text| text.as_bytes().to_vec()));
}
