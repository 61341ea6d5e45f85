//! Every order of the threads in which these pieces can meet (Norris and Demsky, CDSChecker, 2013, as in loom).

#![cfg(feature = "loom")]

use loom::sync::Arc;
use loom::thread;
use std::sync::Arc as StdArc;
use turbocache_models::answer::Answer;
use turbocache_models::clock::Millis;
use turbocache_models::completions::Completions;
use turbocache_models::generation::{GenerationTable, MIRROR_WORDS, Mirror, PULSE_INDEX};
use turbocache_models::sync::Mutex;
use turbocache_models::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A mirror as an isolate sees it.
struct Words(Vec<AtomicU32>);

impl Words {
    fn new() -> StdArc<Self> {
        StdArc::new(Self((0..MIRROR_WORDS).map(|_| AtomicU32::new(0)).collect()))
    }
}

impl Mirror for Words {
    fn store(&self, index: usize, value: u32) {
        self.0[index].store(value, Ordering::SeqCst);
    }

    fn advance(&self, index: usize) {
        self.0[index].fetch_add(1, Ordering::SeqCst);
    }
}

/// An entry of a hot tier that was captured before anything was bumped, as `hot-tier.ts` looks at it.
struct HotEntry {
    pulse: Option<u32>,
    slot: u32,
}

impl HotEntry {
    /// What JavaScript reads plainly is relaxed here: so V8 and processors read it, and behind what the reader has waited for
    /// JavaScript's memory model asks for no less.
    fn is_current(&mut self, words: &Words) -> bool {
        if self.pulse == Some(words.0[PULSE_INDEX].load(Ordering::Relaxed)) {
            return true;
        }
        let pulse = words.0[PULSE_INDEX].load(Ordering::SeqCst);
        let is_current = words.0[self.slot as usize].load(Ordering::Relaxed) == 0;
        if is_current {
            self.pulse = Some(pulse);
        }
        is_current
    }
}

/// An isolate looks at an entry while two threads bump its slot and another one, through `bump`. Whoever knows that its bump has
/// returned finds the entry old.
fn look_while_bumped(bump: fn(&GenerationTable, &Words, u32)) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let table = Arc::new(GenerationTable::new(1));
        let slot = table.key_slot(0, "k");
        let other = table.namespace_index(0);
        let words = Words::new();
        table.register(words.clone(), Millis(0));
        let returned = Arc::new(AtomicU32::new(0));
        let bumping = [slot, other].map(|index| {
            let (table, words, returned) = (table.clone(), words.clone(), returned.clone());
            thread::spawn(move || {
                bump(&table, &words, index);
                if index == slot {
                    returned.store(1, Ordering::SeqCst);
                }
            })
        });
        let mut entry = HotEntry { pulse: None, slot };
        for _ in 0..2 {
            let is_old = returned.load(Ordering::SeqCst) == 1;
            assert!(!entry.is_current(&words) || !is_old, "it is served behind the bump");
        }
        bumping.into_iter().for_each(|bumping| bumping.join().unwrap());
        assert!(!entry.is_current(&words), "it is served behind the bump");
    });
}

/// A slot over a tier below it: what a fill and an invalidation do in the engine, in its order.
struct World {
    table: GenerationTable,
    slot: u32,
    /// L1.
    memory: Mutex<Option<u64>>,
    /// The layer below: a version that grows.
    below: AtomicU64,
}

impl World {
    fn new() -> Arc<Self> {
        let table = GenerationTable::new(1);
        let slot = table.key_slot(0, "k");
        Arc::new(Self {
            table,
            slot,
            memory: Mutex::new(None),
            below: AtomicU64::new(1),
        })
    }

    fn read_and_fill(&self) {
        let captured = self.table.generation(self.slot);
        let value = self.below.load(Ordering::SeqCst);
        let guard = self.table.lock(self.slot);
        if guard.generation() == captured {
            *self.memory.lock() = Some(value);
        }
    }

    /// The layer below is newer already when it is told that what was above is old.
    fn invalidate(&self) {
        self.below.store(2, Ordering::SeqCst);
        let guard = self.table.lock(self.slot);
        *self.memory.lock() = None;
        guard.bump();
    }
}

#[test]
fn capture_read_fill_cannot_straddle_remove_bump() {
    loom::model(|| {
        let world = World::new();
        let reader = thread::spawn({
            let world = world.clone();
            move || world.read_and_fill()
        });
        world.invalidate();
        // From here on nobody sees the old value, whatever the reader does.
        assert_ne!(*world.memory.lock(), Some(1));
        reader.join().unwrap();
        assert_ne!(*world.memory.lock(), Some(1));
    });
}

/// That a model can fail: the same fill, comparing before it has the lock.
#[test]
#[should_panic(expected = "an old value stays")]
fn a_fill_that_compares_without_the_lock_is_found() {
    loom::model(|| {
        let world = World::new();
        let reader = thread::spawn({
            let world = world.clone();
            move || {
                let captured = world.table.generation(world.slot);
                let value = world.below.load(Ordering::SeqCst);
                if world.table.generation(world.slot) == captured {
                    *world.memory.lock() = Some(value);
                }
            }
        });
        world.invalidate();
        reader.join().unwrap();
        assert_ne!(*world.memory.lock(), Some(1), "an old value stays");
    });
}

#[test]
fn of_two_fills_and_an_invalidation_no_old_value_stays() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let world = World::new();
        let readers = [(), ()].map(|()| {
            let world = world.clone();
            thread::spawn(move || world.read_and_fill())
        });
        world.invalidate();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        assert_ne!(*world.memory.lock(), Some(1));
    });
}

#[test]
fn a_bump_is_in_the_mirror_when_it_returns() {
    loom::model(|| {
        let table = Arc::new(GenerationTable::new(1));
        let slot = table.key_slot(0, "k");
        let words = Words::new();
        table.register(words.clone(), Millis(0));
        let other = thread::spawn({
            let table = table.clone();
            move || {
                table.lock(slot).bump();
            }
        });
        let generation = table.lock(slot).bump();
        assert!(u64::from(words.0[slot as usize].load(Ordering::SeqCst)) >= generation);
        other.join().unwrap();
        assert_eq!(words.0[slot as usize].load(Ordering::SeqCst), 2);
    });
}

#[test]
fn no_entry_is_current_behind_a_bump_because_it_was_at_the_same_pulse() {
    look_while_bumped(|table, _, index| {
        table.lock(index).bump();
    });
}

/// That the model can fail: the pulse moves in front of the generation.
#[test]
#[should_panic(expected = "it is served behind the bump")]
fn a_pulse_in_front_of_the_generation_is_found() {
    look_while_bumped(|_, words, index| {
        words.advance(PULSE_INDEX);
        words.store(index as usize, 1);
    });
}

#[test]
fn a_mirror_that_registers_during_a_bump_misses_none() {
    loom::model(|| {
        let table = Arc::new(GenerationTable::new(1));
        let slot = table.key_slot(0, "k");
        let words = Words::new();
        let bumping = thread::spawn({
            let table = table.clone();
            move || {
                table.lock(slot).bump();
            }
        });
        table.register(words.clone(), Millis(0));
        bumping.join().unwrap();
        assert_eq!(words.0[slot as usize].load(Ordering::SeqCst), 1);
    });
}

#[test]
fn an_unregistered_mirror_is_not_stored_into_any_more() {
    loom::model(|| {
        let table = Arc::new(GenerationTable::new(1));
        let slot = table.key_slot(0, "k");
        let words = Words::new();
        let id = table.register(words.clone(), Millis(0));
        let bumping = thread::spawn({
            let table = table.clone();
            move || {
                table.lock(slot).bump();
            }
        });
        table.unregister(id);
        let seen = words.0[slot as usize].load(Ordering::SeqCst);
        bumping.join().unwrap();
        assert_eq!(words.0[slot as usize].load(Ordering::SeqCst), seen);
    });
}

fn answer(request_id: u32) -> Answer {
    Answer {
        request_id,
        large: false,
    }
}

/// A host that drains when it is woken gets every answer: no wake-up is lost between a push and a drain.
#[test]
fn every_answer_reaches_a_host_that_drains_when_it_is_woken() {
    loom::model(|| {
        let woken = Arc::new(loom::sync::Notify::new());
        let wake = woken.clone();
        let ring = Arc::new(Completions::new(Box::new(move || wake.notify())));
        let pushers = [1, 2].map(|id| {
            let ring = ring.clone();
            thread::spawn(move || assert!(ring.push(answer(id)).is_ok()))
        });
        let mut out = [0; 64];
        let mut drained = 0;
        while drained < 2 {
            woken.wait();
            drained += ring.drain(&mut out);
        }
        pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
        assert_eq!(ring.drain(&mut out), 0);
    });
}

/// Room for one answer only: what is left over must not be forgotten. The host drains on until nothing is left.
#[test]
fn an_answer_pushed_while_the_host_submits_is_seen_by_its_drain_or_wakes_it() {
    loom::model(|| {
        let woken = Arc::new(AtomicU32::new(0));
        let wake = woken.clone();
        let ring = Arc::new(Completions::new(Box::new(move || {
            wake.fetch_add(1, Ordering::SeqCst);
        })));
        let pusher = thread::spawn({
            let ring = ring.clone();
            move || assert!(ring.push(answer(1)).is_ok())
        });
        let waiting = ring.without_waking(|| assert!(ring.push(answer(2)).is_ok()));
        assert!(waiting >= 1);
        let mut out = [0; 64];
        let mut drained = ring.drain(&mut out);
        pusher.join().unwrap();
        if drained < 2 {
            assert_eq!(woken.load(Ordering::SeqCst), 1, "nobody would fetch the other one");
            drained += ring.drain(&mut out);
        }
        assert_eq!(drained, 2);
    });
}

#[test]
fn after_a_close_an_answer_is_given_back_or_was_never_there() {
    loom::model(|| {
        let ring = Arc::new(Completions::new(Box::new(|| {})));
        let pusher = thread::spawn({
            let ring = ring.clone();
            move || ring.push(answer(1)).is_ok()
        });
        ring.close();
        let mut out = [0; 64];
        assert_eq!(ring.drain(&mut out), 0);
        pusher.join().unwrap();
        assert_eq!(ring.drain(&mut out), 0);
    });
}
