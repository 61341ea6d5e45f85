use super::*;
use crate::clock::FOREVER;
use proptest::prelude::*;

fn envelope<'a>(payload: &'a [u8], tags: Vec<&'a str>) -> Envelope<'a> {
    Envelope {
        serializer: SerializerId::JSON,
        incarnation: 7,
        born: 3,
        lifetime: Lifetime {
            ttl: 60_000,
            grace: 500,
        },
        tags,
        payload: payload.into(),
    }
}

const LIMIT: usize = 1 << 20;

proptest! {
    #[test]
    fn an_envelope_survives_its_bytes(
        payload in proptest::collection::vec(any::<u8>(), 0..4_000),
        tags in proptest::collection::btree_set("[a-z]{1,8}", 0..4),
        threshold in prop_oneof![Just(1usize), Just(100_000)],
    ) {
        let key = RemoteKey::new("shop", "k");
        let original = envelope(&payload, tags.iter().map(String::as_str).collect());
        let options = CompressionOptions { threshold, level: 1 };
        let bytes = original.encode(&key, Some(&options));
        let decoded = decode(&key, &bytes, LIMIT);
        let place = decoded.as_ref().ok().and_then(|decoded| decoded.place_in(&bytes));
        let compressed = bytes[5] != compression::NONE;
        prop_assert_eq!(place.map(|place| &bytes[place]), (!compressed).then_some(&payload[..]));
        prop_assert_eq!(decoded, Ok(original));
    }

    #[test]
    fn one_changed_byte_is_a_rejection(payload in proptest::collection::vec(any::<u8>(), 0..200), at: prop::sample::Index, flip in 1u8..) {
        let key = RemoteKey::new("shop", "k");
        let mut bytes = envelope(&payload, vec!["t"]).encode(&key, None).to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(decode(&key, &bytes, LIMIT).is_err());
    }

    #[test]
    fn a_truncated_envelope_is_a_rejection(cut: prop::sample::Index) {
        let key = RemoteKey::new("shop", "k");
        let bytes = envelope(b"\"value\"", vec![]).encode(&key, None);
        prop_assert!(decode(&key, &bytes[..cut.index(bytes.len())], LIMIT).is_err());
    }

    #[test]
    fn hostile_bytes_are_a_rejection_and_no_panic(mut bytes: Vec<u8>, honest_ends: bool) {
        if honest_ends && bytes.len() > 12 {
            bytes[..4].copy_from_slice(&MAGIC);
            let end = bytes.len() - CHECKSUM;
            let checksum = xxh3_64(&bytes[..end]).to_le_bytes();
            bytes[end..].copy_from_slice(&checksum);
        }
        prop_assert!(decode(&RemoteKey::new("shop", "k"), &bytes, LIMIT).is_err());
    }
}

#[test]
fn an_envelope_of_another_key_is_refused() {
    let bytes = envelope(b"1", vec![]).encode(&RemoteKey::new("shop", "a"), None);
    assert_eq!(
        decode(&RemoteKey::new("shop", "b"), &bytes, LIMIT),
        Err(Rejection::OtherKey)
    );
}

#[test]
#[cfg(feature = "zstd")]
fn a_value_that_says_it_is_too_large_is_refused_before_it_is_unpacked() {
    let key = RemoteKey::new("shop", "k");
    let bomb = envelope(&vec![0; 100_000], vec![]).encode(&key, Some(&CompressionOptions { threshold: 1, level: 1 }));
    assert!(bomb.len() < 1_000, "it is small on the wire: {}", bomb.len());
    assert_eq!(decode(&key, &bomb, 99_999), Err(Rejection::TooLarge));
}

/// The bytes of released versions decode for ever. Made by this test when a fixture is missing and `BLESS=1` is set.
#[test]
fn every_fixture_of_version_1_decodes() {
    let text = "a long text that compresses well. ".repeat(60);
    let cases = [
        ("plain", envelope(br#"{"id":1,"name":"Ada"}"#, vec![])),
        ("tagged", envelope(b"[1,2,3]", vec!["list", "user:1"])),
        ("compressed", envelope(text.as_bytes(), vec![])),
        (
            "forever",
            Envelope {
                lifetime: Lifetime { ttl: FOREVER, grace: 0 },
                ..envelope(b"null", vec![])
            },
        ),
        (
            "message-pack",
            Envelope {
                serializer: SerializerId::MESSAGE_PACK,
                ..envelope(b"\x93\x01\x02\x03", vec![])
            },
        ),
    ];
    let key = RemoteKey::new("shop@2/users", "user:1");
    for (name, expected) in cases {
        if name == "compressed" && !cfg!(feature = "zstd") {
            continue;
        }
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/envelope/v1/{name}.bin"));
        if !path.exists() && std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, expected.encode(&key, Some(&CompressionOptions::default())))
                .expect("write the fixture");
        }
        let bytes = std::fs::read(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()));
        assert_eq!(decode(&key, &bytes, LIMIT), Ok(expected), "{name}");
    }
}
