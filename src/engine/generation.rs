//! The generation table: the one place where "this is old now" is said (law 1).
//!
//! Each key and each tag hashes to a slot; each namespace has one. A slot's generation only grows. It grows under the
//! slot's lock, through [`SlotGuard::bump`] and nowhere else, so that "capture, read, fill" cannot straddle
//! "bump, remove": a fill compares the captured generation under the same lock.
//!
//! Hosts that keep decoded values of their own (an isolate's hot tier) register a [`Mirror`]: memory in which they can
//! see the low 32 bits of every generation without a call. A bump has reached every mirror before it returns. Behind it, and
//! behind the time, moves the mirror's pulse: where that stands still, all else does.

use crate::clock::Millis;
use crate::options::generations::{LOCKS, NAMESPACES, SLOTS};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard, RwLock};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Index of the coarse clock in a mirror: milliseconds, wrapping at 32 bits.
pub const CLOCK_INDEX: usize = 0;
/// Index of the pulse in a mirror: it moves behind each other word that has changed, wrapping at 32 bits.
pub const PULSE_INDEX: usize = 1;
const FIRST_NAMESPACE: usize = 16;
const FIRST_SLOT: usize = FIRST_NAMESPACE + NAMESPACES;
/// Number of 32-bit words in a mirror.
pub const MIRROR_WORDS: usize = FIRST_SLOT + SLOTS;

/// Memory of a host in which the low 32 bits of every generation are kept.
pub trait Mirror: Send + Sync + 'static {
    /// Stores `value` at `index` so that every thread sees it at once (sequentially consistent).
    fn store(&self, index: usize, value: u32);

    /// Adds one to what stands at `index`, likewise.
    fn advance(&self, index: usize);
}

/// A registered mirror; hand it back to [`GenerationTable::unregister`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MirrorId(u64);

/// See the module.
pub struct GenerationTable {
    generations: Box<[AtomicU64]>,
    locks: Box<[Mutex<()>]>,
    mirrors: RwLock<Vec<(MirrorId, Arc<dyn Mirror>)>>,
    mirrors_ever: AtomicU64,
    seed: u64,
}

impl GenerationTable {
    /// A table whose slots are spread by `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            generations: (0..MIRROR_WORDS).map(|_| AtomicU64::new(0)).collect(),
            locks: (0..LOCKS).map(|_| Mutex::new(())).collect(),
            mirrors: RwLock::new(Vec::new()),
            mirrors_ever: AtomicU64::new(0),
            seed,
        }
    }

    /// The slot of a key.
    pub fn key_slot(&self, namespace: u32, key: &str) -> u32 {
        slot(xxh3_64_with_seed(key.as_bytes(), self.seed ^ u64::from(namespace)))
    }

    /// The slot of a field of the namespace state, e.g. a tag.
    pub fn field_slot(&self, field: &str) -> u32 {
        slot(xxh3_64_with_seed(field.as_bytes(), !self.seed))
    }

    /// The index of a namespace's generation. Namespaces beyond 4,096 share indices: clearing one costs the others
    /// their hot tier, not their memory tier.
    pub fn namespace_index(&self, namespace: u32) -> u32 {
        (FIRST_NAMESPACE + namespace as usize % NAMESPACES) as u32
    }

    /// The generation now. Capture it before the layer below is read.
    pub fn generation(&self, index: u32) -> u64 {
        self.generations[index as usize].load(Ordering::SeqCst)
    }

    /// Locks a slot against every other change of it.
    pub fn lock(&self, index: u32) -> SlotGuard<'_> {
        SlotGuard {
            table: self,
            index,
            _lock: self.locks[index as usize % LOCKS].lock(),
        }
    }

    /// Waits for everybody who holds a lock now, one after the other: what they have begun is done when this returns.
    pub fn pass_all_locks(&self) {
        for lock in &self.locks {
            drop(lock.lock());
        }
    }

    /// From here on the mirror sees every generation, and the time from `now` on.
    pub fn register(&self, mirror: Arc<dyn Mirror>, now: Millis) -> MirrorId {
        let id = MirrorId(self.mirrors_ever.fetch_add(1, Ordering::Relaxed));
        mirror.store(CLOCK_INDEX, now.0 as u32);
        let mut mirrors = self.mirrors.write();
        // Bumps wait for this write lock before they store, and store after it what they added: none is lost.
        for (index, generation) in self.generations.iter().enumerate().skip(FIRST_NAMESPACE) {
            let value = generation.load(Ordering::SeqCst) as u32;
            if value != 0 {
                mirror.store(index, value);
            }
        }
        mirrors.push((id, mirror));
        id
    }

    /// After this returns the mirror is not written any more.
    pub fn unregister(&self, id: MirrorId) {
        self.mirrors.write().retain(|(other, _)| *other != id);
    }

    /// Shows the time to the mirrors; `false` when there are none.
    pub fn tick(&self, now: Millis) -> bool {
        let mirrors = self.mirrors.read();
        for (_, mirror) in mirrors.iter() {
            mirror.store(CLOCK_INDEX, now.0 as u32);
            mirror.advance(PULSE_INDEX);
        }
        !mirrors.is_empty()
    }
}

fn slot(hash: u64) -> u32 {
    (FIRST_SLOT + (hash as usize & (SLOTS - 1))) as u32
}

/// A locked slot. Fills and removals of its keys happen while it lives.
pub struct SlotGuard<'a> {
    table: &'a GenerationTable,
    index: u32,
    _lock: MutexGuard<'a, ()>,
}

impl SlotGuard<'_> {
    /// The generation now; it cannot change while the guard lives.
    pub fn generation(&self) -> u64 {
        self.table.generation(self.index)
    }

    /// The linearisation point of every invalidation: from here on whatever was captured before is old, on every thread.
    pub fn bump(&self) -> u64 {
        let generation = self.table.generations[self.index as usize].fetch_add(1, Ordering::SeqCst) + 1;
        for (_, mirror) in self.table.mirrors.read().iter() {
            mirror.store(self.index as usize, generation as u32);
            mirror.advance(PULSE_INDEX);
        }
        generation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    struct Words(Box<[AtomicU32]>);

    impl Words {
        fn new() -> Arc<Self> {
            Arc::new(Self((0..MIRROR_WORDS).map(|_| AtomicU32::new(0)).collect()))
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

    #[test]
    fn a_bump_is_seen_in_every_mirror_when_it_returns() {
        let table = GenerationTable::new(7);
        let (first, second) = (Words::new(), Words::new());
        table.register(first.clone(), Millis(0));
        let slot = table.key_slot(0, "a");
        assert_eq!(table.lock(slot).bump(), 1);
        table.register(second.clone(), Millis(0));
        assert_eq!(table.lock(slot).bump(), 2);
        assert_eq!(first.0[slot as usize].load(Ordering::SeqCst), 2);
        assert_eq!(second.0[slot as usize].load(Ordering::SeqCst), 2);
    }

    #[test]
    fn the_pulse_moves_behind_each_bump_and_the_time() {
        let table = GenerationTable::new(7);
        let mirror = Words::new();
        table.register(mirror.clone(), Millis(0));
        let pulse = || mirror.0[PULSE_INDEX].load(Ordering::SeqCst);
        let mut before = pulse();
        let mut moved = || std::mem::replace(&mut before, pulse()) != pulse();
        assert!(!moved());
        table.lock(table.key_slot(0, "a")).bump();
        assert!(moved());
        table.lock(table.namespace_index(3)).bump();
        assert!(moved());
        table.tick(Millis(5));
        assert!(moved() && !moved());
    }

    #[test]
    fn a_late_mirror_shows_the_generations_that_stand() {
        let table = GenerationTable::new(7);
        let slot = table.key_slot(3, "a");
        table.lock(slot).bump();
        let late = Words::new();
        table.register(late.clone(), Millis(0));
        assert_eq!(late.0[slot as usize].load(Ordering::SeqCst), 1);
    }

    #[test]
    fn an_unregistered_mirror_is_not_written_any_more() {
        let table = GenerationTable::new(7);
        let mirror = Words::new();
        let id = table.register(mirror.clone(), Millis(0));
        table.unregister(id);
        let slot = table.key_slot(0, "a");
        table.lock(slot).bump();
        assert_eq!(mirror.0[slot as usize].load(Ordering::SeqCst), 0);
        assert!(!table.tick(Millis(5)));
    }

    #[test]
    fn bumps_of_many_threads_leave_table_and_mirror_equal() {
        let table = GenerationTable::new(7);
        let mirror = Words::new();
        table.register(mirror.clone(), Millis(0));
        let slot = table.key_slot(0, "hot");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| assert!(table.lock(slot).bump() > 0)));
            }
        });
        assert_eq!(table.generation(slot), 4_000);
        assert_eq!(mirror.0[slot as usize].load(Ordering::SeqCst), 4_000);
        assert_eq!(mirror.0[PULSE_INDEX].load(Ordering::SeqCst), 4_000);
    }
}
