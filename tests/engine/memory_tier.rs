//! What every store of the memory tier must do, for each of them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use turbocache::clock::Millis;
use turbocache::entry::{Entry, LoadTime, SerializerId, Stamp, TagFloor, TagSet};
use turbocache::options::{Eviction, MemoryOptions};
use turbocache::tier::{MemoryTier, open_memory};

const MAX_BYTES: u64 = 1 << 20;

fn stores() -> [Arc<dyn MemoryTier>; 2] {
    stores_of(MAX_BYTES)
}

fn stores_of(max_bytes: u64) -> [Arc<dyn MemoryTier>; 2] {
    [Eviction::S3Fifo, Eviction::TinyLfu].map(|eviction| {
        let options = MemoryOptions { max_bytes, eviction };
        open_memory(&options, 1 << 18, 7)
    })
}

fn entry(payload: &[u8]) -> Entry {
    Entry {
        payload: payload.into(),
        serializer: SerializerId::JSON,
        ttl: 1_000,
        fresh_until: Millis(1_000),
        grace: 500,
        load_time: LoadTime::from_millis(80),
        gone_at: Millis(1_500),
        stamp: Stamp {
            generation: 0,
            namespace: 3,
            tags: 4,
            softened: 2,
        },
        tags: None,
    }
}

#[test]
fn an_entry_is_found_as_it_was_stored_until_it_is_removed() {
    let tags = TagSet {
        names: ["blue".into()].into(),
        floors: [TagFloor {
            field: "t::blue".into(),
            slot: 9,
        }]
        .into(),
    };
    let tagged = Entry {
        tags: Some(Arc::new(tags)),
        ..entry(b"value")
    };
    for store in stores() {
        store.insert(b"plain", entry(b""));
        store.insert(b"tagged", tagged.clone());
        assert_eq!(store.get(b"plain"), Some(entry(b"")));
        assert_eq!(store.get(b"tagged"), Some(tagged.clone()));
        assert_eq!(store.get(b"other"), None);
        store.insert(b"plain", entry(b"newer"));
        assert_eq!(store.remove(b"plain"), Some(entry(b"newer")));
        assert_eq!((store.get(b"plain"), store.remove(b"plain")), (None, None));
        assert_eq!(store.get(b"tagged"), Some(tagged.clone()));
    }
}

#[test]
fn a_value_outlives_its_place() {
    for store in stores() {
        store.insert(b"key", entry(b"value"));
        let held = store.get(b"key").expect("it is there");
        store.remove(b"key");
        drop(store);
        assert_eq!(&held.payload[..], b"value");
    }
}

#[test]
fn the_limit_holds_whatever_the_sizes_and_replacements() {
    for store in stores() {
        for round in 0..3 {
            for n in 0..5_000_usize {
                store.insert(
                    format!("key:{n}").as_bytes(),
                    entry(&vec![b'x'; (n * 31 + round) % 2_000]),
                );
            }
            store.settle();
            assert!(store.bytes() <= MAX_BYTES, "{} bytes", store.bytes());
            assert!(store.bytes() > MAX_BYTES * 3 / 4, "{} bytes", store.bytes());
        }
    }
}

#[test]
fn a_value_too_large_for_the_store_does_not_leave_the_one_before() {
    for store in stores() {
        store.insert(b"key", entry(b"small"));
        store.insert(b"key", entry(&vec![b'x'; 2 << 20]));
        store.settle();
        assert_ne!(store.get(b"key"), Some(entry(b"small")));
        assert!(store.bytes() <= MAX_BYTES);
    }
}

#[test]
fn a_value_as_large_as_allowed_is_held() {
    for store in stores() {
        for n in 0..100 {
            store.insert(format!("small:{n}").as_bytes(), entry(b"small"));
        }
        let largest = entry(&vec![b'x'; (1 << 18) - 1_000]);
        store.insert(b"largest", largest.clone());
        store.settle();
        assert_eq!(store.get(b"largest"), Some(largest));
    }
}

#[test]
fn a_sweep_takes_the_dead_and_nothing_else() {
    for store in stores() {
        for n in 0..1_000 {
            store.insert(format!("key:{n}").as_bytes(), entry(format!("{n}").as_bytes()));
        }
        store.settle();
        let odd = |key: &[u8], entry: &Entry| {
            assert!(key.ends_with(&entry.payload));
            key.last().is_some_and(|digit| digit % 2 == 1)
        };
        store.sweep(&odd);
        store.settle();
        assert_eq!(store.entries(), 500);
        let left: HashSet<_> = (0..1_000)
            .filter(|n| store.get(format!("key:{n}").as_bytes()).is_some())
            .collect();
        assert!(left.len() == 500 && left.iter().all(|n| n % 2 == 0));
    }
}

/// So many that it pauses again and again.
#[test]
fn a_sweep_of_many_costs_nobody_what_he_writes_beside_it() {
    for store in stores_of(64 * MAX_BYTES) {
        for n in 0..30_000 {
            store.insert(format!("dead:{n}").as_bytes(), entry(b"dead"));
        }
        store.settle();
        let swept = AtomicBool::new(false);
        let written = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                (0..2_000)
                    .inspect(|n| {
                        let key = format!("new:{n}");
                        store.insert(key.as_bytes(), entry(b"new"));
                        assert_eq!(store.get(key.as_bytes()), Some(entry(b"new")));
                    })
                    .take_while(|n| *n < 100 || !swept.load(Ordering::SeqCst))
                    .count()
            });
            store.sweep(&|key, _| key.starts_with(b"dead"));
            swept.store(true, Ordering::SeqCst);
            writer.join().expect("it writes")
        });
        store.settle();
        assert!(store.keys(&|key, _| key.starts_with(b"dead")).is_empty());
        assert!((0..written).all(|n| store.get(format!("new:{n}").as_bytes()).is_some()));
    }
}

#[test]
fn popular_entries_survive_a_scan() {
    for store in stores() {
        let popular: Vec<String> = (0..100).map(|n| format!("popular:{n}")).collect();
        for key in &popular {
            store.insert(key.as_bytes(), entry(&[b'x'; 100]));
        }
        for scanned in 0..50_000 {
            store.get(popular[scanned % 100].as_bytes());
            store.insert(format!("scan:{scanned}").as_bytes(), entry(&[b'x'; 100]));
        }
        store.settle();
        let held = popular.iter().filter(|key| store.get(key.as_bytes()).is_some()).count();
        assert!(held >= 95, "{held} of 100");
    }
}
