//! The same pieces on real threads: small enough for Miri, and for ThreadSanitizer.

#![cfg(not(any(feature = "loom", feature = "shuttle")))]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, ScopedJoinHandle};
use turbocache_models::answer::Answer;
use turbocache_models::clock::Millis;
use turbocache_models::completions::Completions;
use turbocache_models::generation::{GenerationTable, MIRROR_WORDS, Mirror};
use turbocache_models::words::Words;

const BUMPS: u32 = if cfg!(miri) { 20 } else { 10_000 };

/// What an isolate lends: memory of its own, which it gives back when its mirror is unregistered.
struct Lent {
    words: Words,
    memory: *mut [u32],
}

// SAFETY: the memory is only accessed as atomics, and freed by the only thread that has it then.
unsafe impl Send for Lent {}
// SAFETY: as above.
unsafe impl Sync for Lent {}

impl Lent {
    fn new() -> Self {
        let memory = Box::into_raw(vec![0_u32; MIRROR_WORDS].into_boxed_slice());
        // SAFETY: the memory lives until the drop of `Lent`, which owns the words, too.
        let words = unsafe { Words::new(memory.cast(), MIRROR_WORDS) };
        Self { words, memory }
    }

    /// `Atomics.load`.
    fn load(&self, index: u32) -> u32 {
        // SAFETY: in bounds, aligned and alive; all accesses are atomic.
        unsafe { AtomicU32::from_ptr(self.memory.cast::<u32>().add(index as usize)) }.load(Ordering::SeqCst)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // SAFETY: made by `Box::into_raw`, and nobody has it any more.
        drop(unsafe { Box::from_raw(self.memory) });
    }
}

impl Mirror for Lent {
    fn store(&self, index: usize, value: u32) {
        self.words.store(index, value);
    }

    fn advance(&self, index: usize) {
        self.words.advance(index);
    }
}

#[test]
fn many_threads_bump_while_an_isolate_looks() {
    let table = GenerationTable::new(1);
    let slot = table.key_slot(0, "k");
    let lent = Arc::new(Lent::new());
    let id = table.register(lent.clone(), Millis(0));
    thread::scope(|scope| {
        let bumps = || (0..BUMPS).for_each(|_| assert!(table.lock(slot).bump() > 0));
        let bumping = [scope.spawn(bumps), scope.spawn(bumps)];
        let looking = scope.spawn(|| {
            let mut seen = 0;
            while seen < 2 * BUMPS {
                let now = lent.load(slot);
                assert!(now >= seen, "a generation only grows");
                seen = now;
                thread::yield_now();
            }
        });
        join(bumping.into_iter().chain([looking]));
    });
    table.unregister(id);
}

#[test]
fn memory_is_given_back_while_others_bump() {
    let table = GenerationTable::new(1);
    let slot = table.key_slot(0, "k");
    thread::scope(|scope| {
        let bumping = scope.spawn(|| (0..BUMPS).for_each(|_| assert!(table.lock(slot).bump() > 0)));
        for _ in 0..BUMPS / 10 {
            let lent = Arc::new(Lent::new());
            let id = table.register(lent.clone(), Millis(0));
            table.unregister(id);
            let lent = Arc::into_inner(lent).expect("the table has let go of it");
            drop(lent);
        }
        join([bumping]);
    });
}

#[test]
#[should_panic(expected = "word 99 of")]
fn a_word_out_of_bounds_is_refused() {
    Lent::new().store(99, 1);
}

#[test]
fn answers_pushed_by_many_threads_are_all_drained() {
    let ring = Completions::new(Box::new(|| {}));
    let mut drained = 0;
    thread::scope(|scope| {
        let push = |request_id| {
            ring.push(Answer {
                request_id,
                large: request_id % 7 == 0,
            })
            .is_ok()
        };
        let pushes = move || (0..BUMPS).for_each(|id| assert!(push(id)));
        let pushing = [scope.spawn(pushes), scope.spawn(pushes)];
        let mut out = [0; 256];
        while drained < 2 * BUMPS {
            drained += ring.drain(&mut out);
            thread::yield_now();
        }
        join(pushing);
    });
    assert!(ring.take_large(7).is_some());
    ring.close();
    assert!(
        ring.push(Answer {
            request_id: 1,
            large: false
        })
        .is_err()
    );
}

/// Waits for the threads. A scope does so, too, but by means of the standard library that ThreadSanitizer does not see when the
/// library is not built with it; what the system is asked for, it sees.
fn join<'scope>(threads: impl IntoIterator<Item = ScopedJoinHandle<'scope, ()>>) {
    for thread in threads {
        thread.join().expect("no thread panics");
    }
}
