//! Reads of one key that share their way to the tier below (`src/engine/flights.rs`), while it is invalidated.

use crate::explore;
use shuttle::sync::Arc;
use shuttle::sync::mpsc::{Sender, channel};
use shuttle::thread;
use turbocache_models::engine::answers::Capture;
use turbocache_models::flights::{Flights, Joined};
use turbocache_models::generation::GenerationTable;
use turbocache_models::sync::Mutex;
use turbocache_models::sync::atomic::{AtomicU64, Ordering};

/// A way to do it wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    No,
    /// A caller joins whatever flies, also what began before an invalidation he knows of.
    JoinsWhatFlies,
    /// The pilot keeps what he brings without looking whether something was invalidated meanwhile.
    FillsWithoutLooking,
}

struct World {
    wrong: Wrong,
    table: GenerationTable,
    slot: u32,
    flights: Flights<Sender<u64>>,
    memory: Mutex<Option<u64>>,
    /// The tier below: a version that grows.
    below: AtomicU64,
    /// The last version whose invalidation was acknowledged.
    acknowledged: AtomicU64,
}

impl World {
    fn new(wrong: Wrong) -> Arc<Self> {
        let table = GenerationTable::new(1);
        let slot = table.key_slot(0, "k");
        Arc::new(Self {
            wrong,
            table,
            slot,
            flights: Flights::default(),
            memory: Mutex::new(None),
            below: AtomicU64::new(1),
            acknowledged: AtomicU64::new(1),
        })
    }

    /// As `read_remote` does it.
    fn read(&self) -> u64 {
        let captured = self.table.lock(self.slot).generation();
        let (waiter, answer) = channel();
        let known = if self.wrong == Wrong::JoinsWhatFlies {
            0
        } else {
            captured
        };
        if let Joined::Pilot(id) = self.flights.join(b"k", Capture(known), waiter) {
            let value = self.below.load(Ordering::SeqCst);
            let guard = self.table.lock(self.slot);
            if guard.generation() == captured || self.wrong == Wrong::FillsWithoutLooking {
                *self.memory.lock() = Some(value);
            }
            drop(guard);
            for waiter in self.flights.land(b"k", id) {
                waiter.send(value).expect("everybody waits for his answer");
            }
        }
        let value = answer.recv().expect("everybody is answered");
        assert!(answer.try_recv().is_err(), "and once");
        value
    }

    fn invalidate(&self) {
        let version = self.below.fetch_add(1, Ordering::SeqCst) + 1;
        let guard = self.table.lock(self.slot);
        *self.memory.lock() = None;
        guard.bump();
        drop(guard);
        self.acknowledged.fetch_max(version, Ordering::SeqCst);
    }

    fn read_and_judge(&self) {
        let known = self.acknowledged.load(Ordering::SeqCst);
        let value = self.read();
        assert!(value >= known, "version {value}, though {known} was known");
    }
}

fn model(wrong: Wrong) {
    let world = World::new(wrong);
    let readers = [2, 1, 1].map(|reads| {
        let world = world.clone();
        thread::spawn(move || (0..reads).for_each(|_| world.read_and_judge()))
    });
    for _ in 0..2 {
        world.invalidate();
    }
    for reader in readers {
        reader.join().expect("a reader");
    }
    let held = *world.memory.lock();
    assert!(held.is_none_or(|version| version == 3), "{held:?} is held");
    world.read_and_judge();
}

#[test]
fn everybody_is_answered_once_with_nothing_older_than_what_he_knows() {
    explore(|| model(Wrong::No));
}

#[test]
#[should_panic(expected = "was known")]
fn a_flight_that_anybody_joins_brings_old_values() {
    explore(|| model(Wrong::JoinsWhatFlies));
}

#[test]
#[should_panic(expected = "is held")]
fn a_fill_that_does_not_look_keeps_old_values() {
    explore(|| model(Wrong::FillsWithoutLooking));
}
