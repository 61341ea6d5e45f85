//! Loads of one key in two processes over one store: the table of each (`src/engine/load_table.rs`), with the steps that
//! `src/engine/load.rs` makes on it, in its order, and the store's scripts as single steps.

use crate::explore;
use shuttle::sync::Arc;
use shuttle::sync::mpsc::{Sender, channel};
use shuttle::thread;
use std::sync::Arc as StdArc;
use turbocache_models::clock::Millis;
use turbocache_models::engine::answers::{Capture, LeaseId, Lookup};
use turbocache_models::engine::namespaces::Namespace;
use turbocache_models::entry::SerializerId;
use turbocache_models::generation::GenerationTable;
use turbocache_models::load_table::{Load, Phase, Table, Waiter};
use turbocache_models::sync::Mutex;
use turbocache_models::sync::atomic::{AtomicU64, Ordering};
use turbocache_models::tier::Token;

/// A way to do it wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    No,
    /// Who finds no load does not look into memory again before he begins one.
    LooksOnce,
    /// The load ends before its value is in memory.
    EndsTooEarly,
    /// The memory tier takes what is loaded without looking at the generation.
    FillsWithoutLooking,
    /// The store takes what is loaded without looking at the lease.
    StoresWithoutLease,
    /// A lease that is handed on keeps its name.
    KeepsItsName,
    /// Who gives a lease back tells nobody.
    ReleasesSilently,
}

/// A value, a lease, and the database behind them.
#[derive(Default)]
struct Store {
    value: Option<u64>,
    lease: Option<Token>,
}

struct World {
    wrong: Wrong,
    /// Without a store each process loads for itself.
    has_store: bool,
    store: Mutex<Store>,
    database: AtomicU64,
    tokens: AtomicU64,
    loads: AtomicU64,
}

struct Process {
    world: Arc<World>,
    namespace: StdArc<Namespace>,
    generations: GenerationTable,
    slot: u32,
    memory: Mutex<Option<u64>>,
    table: Mutex<Table>,
}

impl World {
    fn new(wrong: Wrong, has_store: bool) -> Arc<Self> {
        Arc::new(Self {
            wrong,
            has_store,
            store: Mutex::default(),
            database: AtomicU64::new(1),
            tokens: AtomicU64::new(0),
            loads: AtomicU64::new(0),
        })
    }

    fn process(self: &Arc<Self>) -> Arc<Process> {
        let generations = GenerationTable::new(1);
        let slot = generations.key_slot(0, "k");
        Arc::new(Process {
            world: self.clone(),
            namespace: StdArc::new(Namespace { full_path: "".into() }),
            generations,
            slot,
            memory: Mutex::new(None),
            table: Mutex::default(),
        })
    }
}

impl Process {
    /// What a caller gets, who loads when he is told to; `None` when his loader brings nothing.
    fn get_or_load(self: &Arc<Self>, brings: bool) -> Option<u64> {
        let (lookup, answer) = channel();
        self.lookup(lookup);
        match answer.recv().expect("everybody is answered") {
            Lookup::Hit(value) => Some(value),
            Lookup::Load(id, capture) => {
                self.world.loads.fetch_add(1, Ordering::SeqCst);
                let value = self.world.database.load(Ordering::SeqCst);
                if brings {
                    self.fill(id, capture, value);
                    return Some(value);
                }
                self.release(id);
                // A host that does not know that it is over, or that ends at this moment.
                assert!(!self.fill(id, capture, 0), "what was given back is filled");
                None
            }
        }
    }

    fn lookup(self: &Arc<Self>, caller: Sender<Lookup>) {
        if let Some(value) = *self.memory.lock() {
            return caller.send(Lookup::Hit(value)).expect("he waits");
        }
        let capture = Capture(self.generations.lock(self.slot).generation());
        let waiter = Waiter {
            serializer: SerializerId(1),
            patient_until: Millis(u64::MAX),
            memory_ttl: None,
            stale: None,
            done: Box::new(move |lookup| caller.send(lookup).expect("he waits")),
        };
        let mut table = self.table.lock();
        let Err(waiter) = table.join(&self.namespace, "k", &capture, waiter) else {
            return;
        };
        // A load that ended between the look and now has left its value there.
        let landed = (*self.memory.lock()).filter(|_| self.world.wrong != Wrong::LooksOnce);
        if let Some(value) = landed {
            drop(table);
            return (waiter.done)(Lookup::Hit(value));
        }
        let load = Load::new(&self.namespace, "k", capture, waiter);
        let id = table.add(Load {
            phase: Phase::Asking,
            ..load
        });
        drop(table);
        if self.world.has_store {
            self.ask(id);
        } else {
            self.lead(id, None);
        }
    }

    /// Until it has the lease, or finds a value.
    fn ask(self: &Arc<Self>, id: LeaseId) {
        let token = Token(self.world.tokens.fetch_add(1, Ordering::SeqCst));
        loop {
            // Captured and queued under the slot's lock, as changes are: the queue keeps that order.
            let guard = self.generations.lock(self.slot);
            let generation = guard.generation();
            let mut store = self.world.store.lock();
            if let Some(value) = store.value {
                drop((store, guard));
                return self.found_instead(id, generation, value);
            }
            if store.lease.is_none() {
                store.lease = Some(token);
                break;
            }
            drop((store, guard));
            // `wait_elsewhere`: it is asked again.
            thread::yield_now();
        }
        self.lead(id, Some(token));
    }

    fn found_instead(&self, id: LeaseId, generation: u64, value: u64) {
        self.fill_memory(Capture(generation), value);
        let load = self.table.lock().take(id);
        for waiter in load.into_iter().flat_map(|load| load.waiters) {
            (waiter.done)(Lookup::Hit(value));
        }
    }

    fn lead(&self, id: LeaseId, token: Option<Token>) {
        let mut table = self.table.lock();
        let Some(load) = table.at(id, Phase::Asking) else {
            return;
        };
        let waiter = load.waiters.pop_front().expect("waiters leave with their load");
        load.phase = Phase::Leased;
        load.token = token;
        let capture = load.capture;
        drop(table);
        (waiter.done)(Lookup::Load(id, capture));
    }

    /// Whether the lease was still this one's.
    fn fill(&self, id: LeaseId, capture: Capture, value: u64) -> bool {
        let token = {
            let mut table = self.table.lock();
            let Some(load) = table.at(id, Phase::Leased) else {
                return false;
            };
            load.phase = Phase::Filling;
            load.token
        };
        let kept = !self.world.has_store || {
            let mut store = self.world.store.lock();
            let is_his = store.lease == token || self.world.wrong == Wrong::StoresWithoutLease;
            if is_his {
                store.lease = None;
                store.value = Some(value);
            }
            is_his
        };
        // The load stays joinable until the memory tier has the value.
        let early = self.world.wrong == Wrong::EndsTooEarly;
        let ended = early.then(|| self.table.lock().take(id)).flatten();
        if kept {
            self.fill_memory(capture, value);
        }
        let load = ended.or_else(|| self.table.lock().take(id));
        for waiter in load.into_iter().flat_map(|load| load.waiters) {
            (waiter.done)(Lookup::Hit(value));
        }
        true
    }

    fn fill_memory(&self, capture: Capture, value: u64) {
        let guard = self.generations.lock(self.slot);
        if guard.generation() == capture.0 || self.world.wrong == Wrong::FillsWithoutLooking {
            *self.memory.lock() = Some(value);
        }
    }

    fn release(self: &Arc<Self>, id: LeaseId) {
        let mut table = self.table.lock();
        let Some(load) = table.at(id, Phase::Leased) else {
            return;
        };
        let token = load.token;
        if load.waiters.is_empty() {
            table.take(id);
            drop(table);
            let mut store = self.world.store.lock();
            if store.lease == token && self.world.wrong != Wrong::ReleasesSilently {
                store.lease = None;
            }
            return;
        }
        let next = if self.world.wrong == Wrong::KeepsItsName {
            id
        } else {
            table.rename(id).expect("it is there").0
        };
        table.at(next, Phase::Leased).expect("it is leased").phase = Phase::Asking;
        drop(table);
        let process = self.clone();
        thread::spawn(move || process.lead(next, token));
    }

    /// As `delete` does it, and what the other process does when it hears of it.
    fn delete(&self, other: &Self) {
        self.world.database.fetch_add(1, Ordering::SeqCst);
        self.forget(|| *self.world.store.lock() = Store::default());
        other.forget(|| ());
    }

    fn forget(&self, queue: impl FnOnce()) {
        let guard = self.generations.lock(self.slot);
        *self.memory.lock() = None;
        guard.bump();
        queue();
    }
}

/// Callers while nothing is invalidated, in two processes if they have a store: one of them loads.
fn calm(wrong: Wrong, has_store: bool) {
    let world = World::new(wrong, has_store);
    let here = world.process();
    let there = if has_store { world.process() } else { here.clone() };
    let callers = [&here, &here, &there].map(|process| {
        let process = process.clone();
        thread::spawn(move || assert_eq!(process.get_or_load(true), Some(1)))
    });
    assert_eq!(here.get_or_load(true), Some(1));
    for caller in callers {
        caller.join().expect("a caller");
    }
    assert_eq!(world.loads.load(Ordering::SeqCst), 1, "one loads");
}

/// The same while the first who loads brings nothing: the next one does.
fn handed_on(wrong: Wrong) {
    let world = World::new(wrong, true);
    let (here, there) = (world.process(), world.process());
    let callers = [(&here, true), (&here, false), (&there, true)].map(|(process, brings)| {
        let process = process.clone();
        thread::spawn(move || {
            let got = process.get_or_load(brings);
            assert!(got == Some(1) || !brings, "{got:?}");
        })
    });
    here.get_or_load(false);
    for caller in callers {
        caller.join().expect("a caller");
    }
    assert_ne!(world.store.lock().value, Some(0));
}

/// The same while one process deletes the key: who calls after that gets nothing old, and nothing old is kept.
fn deleted(wrong: Wrong) {
    let world = World::new(wrong, true);
    let (here, there) = (world.process(), world.process());
    let callers = [&here, &there].map(|process| {
        let process = process.clone();
        thread::spawn(move || process.get_or_load(true))
    });
    here.delete(&there);
    for process in [&here, &there] {
        let got = process.get_or_load(true);
        assert_eq!(got, Some(2), "behind the delete nobody gets the old one");
    }
    for caller in callers {
        caller.join().expect("a caller");
    }
    for held in [*here.memory.lock(), *there.memory.lock(), world.store.lock().value] {
        assert!(held.is_none_or(|version| version == 2), "{held:?} is kept, and is old");
    }
}

#[test]
fn one_loads_and_everybody_gets_what_he_brings() {
    explore(|| calm(Wrong::No, true));
    explore(|| calm(Wrong::No, false));
}

#[test]
#[should_panic(expected = "one loads")]
fn who_does_not_look_again_loads_once_more() {
    explore(|| calm(Wrong::LooksOnce, false));
}

#[test]
#[should_panic(expected = "one loads")]
fn a_load_that_ends_before_its_value_is_there_is_made_again() {
    explore(|| calm(Wrong::EndsTooEarly, false));
}

#[test]
fn a_lease_that_is_given_back_goes_to_the_next() {
    explore(|| handed_on(Wrong::No));
}

#[test]
#[should_panic(expected = "what was given back is filled")]
fn a_lease_that_keeps_its_name_is_filled_by_who_had_it_before() {
    explore(|| handed_on(Wrong::KeepsItsName));
}

#[test]
#[should_panic(expected = "exceeded")]
fn a_lease_that_is_given_back_silently_is_waited_for_without_end() {
    explore(|| handed_on(Wrong::ReleasesSilently));
}

#[test]
fn nothing_that_was_loaded_before_a_delete_is_kept_or_served_behind_it() {
    explore(|| deleted(Wrong::No));
}

#[test]
#[should_panic(expected = "old")]
fn memory_that_does_not_look_keeps_what_was_deleted() {
    explore(|| deleted(Wrong::FillsWithoutLooking));
}

#[test]
#[should_panic(expected = "old")]
fn a_store_that_does_not_look_at_the_lease_keeps_what_was_deleted() {
    explore(|| deleted(Wrong::StoresWithoutLease));
}
