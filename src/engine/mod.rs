//! The engine: decides what is valid, who loads, what is dropped. It owns no socket and no format; time, randomness, the
//! remote tier and the bus are handed to it.
//!
//! Work is done in callbacks on the thread that has the news, not in a task per call: a host with many callers submits a
//! batch and gets a batch of answers. No callback runs while a lock of the engine is held.

pub mod generation;

mod answers;
mod audit;
mod backoff;
mod delete_pattern;
mod elsewhere;
mod flights;
mod foreign;
mod hearing;
mod housekeeping;
mod inbound;
mod load;
mod load_table;
mod locks;
mod namespaces;
mod outbox;
mod owners;
mod purges;
mod raised;
mod read;
mod recovery;
mod refresh;
mod replay;
mod space;
mod tags;
mod underway;
mod voice;
mod witness;
mod write;

pub use answers::{
    Capture, CountDone, FillDone, FillOutcome, Found, LeaseId, LockDone, LockId, LockLost, Lookup, LookupDone, Peek,
    Progress, ProgressTold, ValuesDone, Write, WriteDone,
};
pub use foreign::Tracking;
pub use raised::TagOptions;
pub use space::Space;

use crate::bus::{Bus, NoBus};
use crate::clock::{Clock, SystemClock};
use crate::entry::Entry;
use crate::error::Result;
use crate::event::Change;
use crate::key;
use crate::metrics::Counters;
use crate::options::Options;
use crate::random::{Random, SystemRandom};
use crate::tier::{
    MemoryTier, NamespaceState, NoMemory, NoRemote, RemoteRequest, RemoteState, RemoteTier, open_memory,
};
use crate::warning::{Warning, Warnings};
use flights::Flights;
use foreign::Watching;
use generation::GenerationTable;
use inbound::Inbound;
use namespaces::{Namespace, Namespaces};
use outbox::{BatchState, Outbox};
use owners::Owners;
use recovery::Recovery;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tags::TagFloors;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use underway::Underway;
use voice::Voice;
use witness::Witness;

/// What an engine stands on. The defaults are the real ones, without a remote tier.
pub struct Parts {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// L1.
    pub memory: Arc<dyn MemoryTier>,
    /// L2.
    pub remote: Arc<dyn RemoteTier>,
    /// Invalidation messages.
    pub bus: Arc<dyn Bus>,
    /// What the tiers and the bus lack.
    pub warnings: Arc<Warnings>,
    /// Where its tasks run.
    pub runtime: Handle,
}

impl Parts {
    /// The real clock and randomness, the memory tier of the options, no remote tier, no bus.
    pub fn local(options: &Options, runtime: Handle) -> Self {
        let random = SystemRandom::default();
        Self {
            clock: Arc::new(SystemClock::default()),
            memory: match &options.memory {
                Some(memory) => open_memory(memory, options.max_value_bytes, random.next()),
                None => Arc::new(NoMemory),
            },
            random: Arc::new(random),
            remote: Arc::new(NoRemote),
            bus: Arc::new(NoBus),
            warnings: Arc::default(),
            runtime,
        }
    }
}

/// See the module.
pub struct Engine {
    options: Options,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    memory: Arc<dyn MemoryTier>,
    outbox: Outbox,
    bus: Arc<dyn Bus>,
    warnings: Arc<Warnings>,
    runtime: Handle,
    table: GenerationTable,
    namespaces: Namespaces,
    tags: TagFloors,
    reads: Flights<read::Reader>,
    loads: load::Loads,
    owners: Owners,
    locks: locks::Locks,
    backoffs: backoff::Backoffs,
    counters: Counters,
    /// Incarnation and counter of the namespace state as last seen: what an unconditional write is stamped with.
    last_state: parking_lot::Mutex<LastState>,
    voice: Arc<Voice>,
    recovery: Arc<Recovery>,
    underway: Arc<Underway>,
    witness: Arc<Witness>,
    inbound: Inbound,
    watching: Watching,
    closed: AtomicBool,
    /// Much of the memory tier has become worthless: time for a sweep.
    cleared: Arc<Notify>,
    /// Its tasks end when this says so, or is dropped with the engine.
    ending: watch::Sender<bool>,
}

impl Engine {
    /// Checks the options and starts the engine's tasks.
    pub fn open(options: Options, parts: Parts) -> Result<Arc<Engine>> {
        options.validate()?;
        let root = key::root_path(options.namespace.as_deref(), options.version.as_deref())?;
        let Parts {
            clock,
            random,
            memory,
            remote,
            bus,
            warnings,
            runtime,
        } = parts;
        let table = GenerationTable::new(random.next());
        let witness = Arc::new(Witness::new(remote.is_scattered()));
        let voice = Arc::new(Voice::new(random.next(), Arc::clone(&witness)));
        let recovery = Arc::<Recovery>::default();
        let engine = Arc::new(Engine {
            table,
            outbox: Outbox::start(
                remote,
                bus.is_there().then(|| Arc::clone(&voice)),
                Arc::clone(&recovery),
                (Arc::clone(&clock), Arc::clone(&random)),
                &runtime,
            ),
            namespaces: Namespaces::new(root),
            tags: TagFloors::default(),
            reads: Flights::default(),
            loads: load::Loads::default(),
            owners: Owners::default(),
            locks: locks::Locks::default(),
            backoffs: backoff::Backoffs::default(),
            counters: Counters::default(),
            last_state: parking_lot::Mutex::default(),
            voice,
            recovery,
            underway: Arc::default(),
            witness,
            inbound: Inbound::default(),
            watching: Watching::default(),
            closed: AtomicBool::new(false),
            cleared: Arc::default(),
            ending: watch::Sender::new(false),
            options,
            clock,
            random,
            memory,
            bus,
            warnings,
            runtime,
        });
        let weak = Arc::downgrade(&engine);
        engine.outbox.open_with(move |cause| weak.upgrade()?.opening(cause));
        // Before the first connection.
        engine.start_watching();
        engine.learn_state();
        engine.start_listening();
        engine.start_recovering();
        engine.start_housekeeping();
        Ok(engine)
    }

    /// The options it was opened with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Path of its root namespace.
    pub fn root_path(&self) -> &str {
        self.namespaces.root()
    }

    /// What it has counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Generations, and the mirrors in which hosts see them.
    pub fn generations(&self) -> &GenerationTable {
        &self.table
    }

    /// Its clock.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Its randomness.
    pub(crate) fn random(&self) -> &dyn Random {
        &*self.random
    }

    /// Where its tasks run.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Resolves when it is closed.
    pub(crate) fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ending = self.ending.subscribe();
        async move {
            // An error: the engine is gone.
            let _ = ending.wait_for(|ending| *ending).await;
        }
    }

    /// Whether the remote tier answers.
    pub fn remote_state(&self) -> RemoteState {
        self.outbox.state()
    }

    /// Whether it hears the bus: from then on what others do is known here.
    pub fn hears_bus(&self) -> bool {
        self.inbound.is_heard()
    }

    /// Changes that the remote tier has missed, and that wait to be made good.
    pub fn missed_changes(&self) -> usize {
        self.recovery.len()
    }

    /// What it lacks now, while everything else goes on.
    pub fn warnings(&self) -> Vec<Warning> {
        self.warnings.standing()
    }

    /// Whether the remote tier is believed: what it has missed or lost is known, and made good.
    pub fn is_settled(&self) -> bool {
        !self.recovery.is_pending()
    }

    /// Entries and bytes of the memory tier.
    pub fn memory_usage(&self) -> (u64, u64) {
        self.memory.settle();
        (self.memory.entries(), self.memory.bytes())
    }

    /// Remote requests that `work` makes on this thread leave in one batch behind it.
    pub fn together<R>(&self, work: impl FnOnce() -> R) -> R {
        self.outbox.together(work)
    }

    /// Resolves when every remote request made so far has been answered, and the others have been told.
    pub async fn idle(&self) {
        self.outbox.idle().await;
    }

    /// Ends the engine's own tasks. Requests under way are still answered; nothing is kept in memory any more, because
    /// nothing is heard any more.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.namespaces.clear(&self.table, "");
        self.ending.send_replace(true);
    }

    /// Batches of reads that were sent to the remote tier again.
    pub fn remote_retries(&self) -> u64 {
        self.outbox.retries()
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Queues a change, and what the others are told of it.
    fn push_change(
        &self,
        request: RemoteRequest,
        namespace: Option<&Arc<Namespace>>,
        change: Change,
        done: outbox::Done,
    ) -> outbox::Deferred {
        self.counters.events_sent.add();
        self.outbox.push_telling(request, namespace, change, done)
    }

    /// Remembers the newest namespace state for writes that cannot wait for it.
    fn saw_state(&self, state: &BatchState) {
        if state.incarnation != 0 {
            self.inbound.remote_answered();
        }
        self.saw_incarnation(2 * state.number, state.incarnation, state.counter);
    }

    /// Incarnation and counter that a write is stamped with.
    fn born(&self) -> (u64, u64) {
        let last = self.last_state.lock();
        (last.incarnation, last.counter)
    }

    /// The same of the reply to a request of a batch: it was true behind the state in front of it.
    fn saw_reply(&self, before: &BatchState, state: &NamespaceState) {
        self.saw_incarnation(2 * before.number + 1, state.incarnation, state.counter);
    }

    /// `order`: what has a lower one was true before.
    fn saw_incarnation(&self, order: u64, incarnation: u64, counter: u64) {
        if incarnation == 0 {
            return;
        }
        let before = {
            let mut last = self.last_state.lock();
            let is_same = last.incarnation == incarnation;
            // Answers may come out of order. The counter of one incarnation only grows, and one that has ended does not come back thereby.
            if order < last.order && !is_same {
                return;
            }
            let newest = if is_same { last.counter.max(counter) } else { counter };
            self.voice.knows(incarnation, newest);
            let now = LastState {
                order: last.order.max(order),
                incarnation,
                counter: newest,
            };
            std::mem::replace(&mut *last, now).incarnation
        };
        // The remote tier was emptied, or is another one: what came from the one before is gone.
        if before != 0 && before != incarnation {
            self.witness.left(before);
            self.drop_held("");
        }
    }
}

/// The namespace state as it was seen last.
#[derive(Default, Clone, Copy)]
struct LastState {
    incarnation: u64,
    counter: u64,
    /// See `Engine::saw_incarnation`.
    order: u64,
}

/// Bytes before the user's key in a key of the memory tier.
const MEMORY_KEY_HEAD: usize = 4;

/// The key of the memory tier: the namespace's number, then the user's key.
fn with_memory_key<R>(namespace: &Namespace, key: &str, use_it: impl FnOnce(&[u8]) -> R) -> R {
    const ON_STACK: usize = 256;
    let length = MEMORY_KEY_HEAD + key.len();
    if length <= ON_STACK {
        let mut buffer = [0; ON_STACK];
        buffer[..MEMORY_KEY_HEAD].copy_from_slice(&namespace.id.to_le_bytes());
        buffer[MEMORY_KEY_HEAD..length].copy_from_slice(key.as_bytes());
        use_it(&buffer[..length])
    } else {
        let mut buffer = Vec::with_capacity(length);
        buffer.extend_from_slice(&namespace.id.to_le_bytes());
        buffer.extend_from_slice(key.as_bytes());
        use_it(&buffer)
    }
}

/// Namespace number of a memory key.
fn namespace_of(memory_key: &[u8]) -> u32 {
    memory_key.first_chunk().map_or(u32::MAX, |id| u32::from_le_bytes(*id))
}

/// An entry whose namespace was cleared before it had this generation, or that has expired: only memory is left to win back.
fn is_dead(entry: &Entry, namespace_generation: u64, now: crate::clock::Millis) -> bool {
    entry.is_gone(now) || entry.stamp.namespace < namespace_generation
}
