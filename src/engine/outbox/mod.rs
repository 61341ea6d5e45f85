//! The one way to the remote tier: an ordered queue, executed in batches.
//!
//! Order is what makes the memory tier and the remote tier agree. Whoever changes a key pushes the remote change while
//! he holds the key's slot; whoever is about to read a key remotely captures under the same slot. So a read that saw the
//! new generation is queued behind the change that made it.
//!
//! Each batch begins with the namespace state, so that every answer can be judged by the state that was true before it, and
//! ends with what the others must know of its changes: when a change is answered, they have been told.

mod asking;
mod batch;
mod opening;

pub use batch::BatchState;

use crate::clock::Clock;
use crate::engine::namespaces::Namespace;
use crate::engine::recovery::Recovery;
use crate::engine::voice::Voice;
use crate::error::Result;
use crate::event::Change;
use crate::metrics::Counter;
use crate::random::Random;
use crate::resilience::retry::Retry;
use crate::tier::{Foreign, RemoteReply, RemoteRequest, RemoteState, RemoteTier};
use asking::execute;
use batch::Batch;
use futures_util::stream::{FuturesUnordered, StreamExt};
use opening::Openings;
use parking_lot::Mutex;
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// Requests of one batch at most; keys that are read together count each, and there are never more of them.
pub const BATCH: usize = 512;

/// Called once with the answer.
pub type Done = Box<dyn FnOnce(&BatchState, Result<RemoteReply>) + Send>;

struct Item {
    request: Option<RemoteRequest>,
    say: Option<Say>,
    namespace: Option<Arc<Namespace>>,
    done: Done,
}

impl Item {
    /// As how many requests it counts.
    fn size(&self) -> usize {
        match &self.request {
            Some(RemoteRequest::ReadBytes { keys }) => keys.len(),
            _ => 1,
        }
    }

    /// The engine asks of its own accord, again and again, and no caller waits for it.
    fn is_housekeeping(&self) -> bool {
        match &self.request {
            Some(RemoteRequest::State { fields }) => fields.is_empty(),
            Some(RemoteRequest::ReadLog { .. }) => true,
            Some(_) => false,
            None => matches!(self.say, Some(Say::Beat)),
        }
    }
}

/// What the others are told behind the requests of a batch.
enum Say {
    Change(Change),
    /// That this engine is there.
    Beat,
}

/// An answer that was there at once. Run it when no lock is held.
#[must_use = "run it after the locks are released"]
pub struct Deferred(Option<Box<dyn FnOnce() + Send>>);

impl Deferred {
    /// Hands the answer over, if there is one already.
    pub fn run(self) {
        if let Some(run) = self.0 {
            run();
        }
    }
}

/// See the module.
pub struct Outbox {
    remote: Arc<dyn RemoteTier>,
    queue: Arc<Queue>,
}

struct Queue {
    items: Mutex<VecDeque<Item>>,
    /// Something was queued, or the outbox was dropped.
    news: Notify,
    closed: AtomicBool,
    /// Requests without an answer.
    pending: AtomicUsize,
    idle: Notify,
    /// A batch has failed since the last opening.
    failed: AtomicBool,
    /// [`RemoteTier::successions`] when the last batch began.
    successions: AtomicU64,
    /// Batches that were sent.
    sent: AtomicU64,
    /// What the first batch after a failure begins with.
    opening: OnceLock<MakeOpening>,
    openings: Openings,
    clock: Arc<dyn Clock>,
    retry: Retry,
    /// Batches that were sent again.
    retries: Counter,
}

type MakeOpening = Box<dyn Fn(Cause) -> Option<(RemoteRequest, Done)> + Send + Sync>;

/// Why a batch begins with an opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The one before has failed.
    Failure,
    /// Another server than before may answer.
    Succession,
}

thread_local! {
    /// Address of the queue whose task this thread will wake later, see [`Outbox::together`].
    static HELD: Cell<usize> = const { Cell::new(0) };
}

impl Outbox {
    /// Starts the queue's task on the runtime; it ends when the outbox is dropped and the queue is empty. Without a voice
    /// nobody is told. The recovery is told when the remote tier answers.
    pub fn start(
        remote: Arc<dyn RemoteTier>,
        voice: Option<Arc<Voice>>,
        recovery: Arc<Recovery>,
        (clock, random): (Arc<dyn Clock>, Arc<dyn Random>),
        runtime: &Handle,
    ) -> Self {
        let queue = Arc::new(Queue {
            items: Mutex::default(),
            news: Notify::default(),
            closed: AtomicBool::default(),
            pending: AtomicUsize::default(),
            idle: Notify::default(),
            failed: AtomicBool::default(),
            successions: AtomicU64::default(),
            sent: AtomicU64::default(),
            opening: OnceLock::default(),
            openings: Openings::default(),
            clock,
            retry: Retry::new(random),
            retries: Counter::default(),
        });
        runtime.spawn(run(Arc::clone(&remote), voice, recovery, Arc::clone(&queue)));
        Self { remote, queue }
    }

    /// Queues a request. `namespace` is the one whose floors the answer will be judged by.
    pub fn push(&self, request: RemoteRequest, namespace: Option<&Arc<Namespace>>, done: Done) -> Deferred {
        self.push_saying(request, namespace, None, done)
    }

    /// Queues a change, and what the others are told of it.
    pub fn push_telling(
        &self,
        request: RemoteRequest,
        namespace: Option<&Arc<Namespace>>,
        change: Change,
        done: Done,
    ) -> Deferred {
        self.push_saying(request, namespace, Some(Say::Change(change)), done)
    }

    /// Queues something that the others are told; the reply is `Told`.
    pub fn tell(&self, change: Change, done: Done) {
        self.queue_up(None, Some(Say::Change(change)), None, done);
    }

    /// Tells the others that this engine is there; the reply is `Told`.
    pub fn beat(&self, done: Done) {
        self.queue_up(None, Some(Say::Beat), None, done);
    }

    fn push_saying(
        &self,
        request: RemoteRequest,
        namespace: Option<&Arc<Namespace>>,
        say: Option<Say>,
        done: Done,
    ) -> Deferred {
        if let Some(reply) = self.remote.immediate(&request) {
            return Deferred(Some(Box::new(move || done(&BatchState::default(), Ok(reply)))));
        }
        self.queue_up(Some(request), say, namespace.cloned(), done);
        Deferred(None)
    }

    fn queue_up(
        &self,
        request: Option<RemoteRequest>,
        say: Option<Say>,
        namespace: Option<Arc<Namespace>>,
        done: Done,
    ) {
        let queue = &*self.queue;
        queue.pending.fetch_add(1, Ordering::SeqCst);
        queue.items.lock().push_back(Item {
            request,
            say,
            namespace,
            done,
        });
        if HELD.get() != queue.address() {
            queue.news.notify_one();
        }
    }

    /// What `work` pushes on this thread wakes the queue's task once, behind it: one batch instead of many, and one
    /// switch of threads.
    pub fn together<R>(&self, work: impl FnOnce() -> R) -> R {
        let _held = Held {
            queue: &self.queue,
            before: HELD.replace(self.queue.address()),
        };
        work()
    }

    /// From now on the first batch after a failure begins with this request.
    pub fn open_with(&self, opening: impl Fn(Cause) -> Option<(RemoteRequest, Done)> + Send + Sync + 'static) {
        // Set once, by the engine that owns it.
        let _ = self.queue.opening.set(Box::new(opening));
    }

    /// From now on changes by others go there, if the remote tier can tell them.
    pub fn watch(&self, told: Arc<dyn Fn(Foreign) + Send + Sync>) {
        self.remote.watch(told);
    }

    /// Whether there is a remote tier at all.
    pub fn is_remote(&self) -> bool {
        self.remote.state() != RemoteState::None
    }

    /// See [`RemoteTier::is_scattered`].
    pub fn is_scattered(&self) -> bool {
        self.remote.is_scattered()
    }

    /// Batches of reads that were sent again.
    pub fn retries(&self) -> u64 {
        self.queue.retries.value()
    }

    /// Whether it answers.
    pub fn state(&self) -> RemoteState {
        self.remote.state()
    }

    /// Resolves when every request that was queued has been answered.
    pub async fn idle(&self) {
        loop {
            let changed = self.queue.idle.notified();
            if self.queue.pending.load(Ordering::SeqCst) == 0 {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.queue.closed.store(true, Ordering::SeqCst);
        self.queue.news.notify_one();
    }
}

/// Wakes the task also when `work` panics.
struct Held<'a> {
    queue: &'a Queue,
    before: usize,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        HELD.set(self.before);
        if !self.queue.items.lock().is_empty() {
            self.queue.news.notify_one();
        }
    }
}

impl Queue {
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn take(&self) -> Vec<Item> {
        let mut items = self.items.lock();
        let count = one_batch(items.iter());
        items.drain(..count).collect()
    }

    /// The same of a remote tier that does not answer: what the housekeeping asks, or what callers do. Who calls is refused at once
    /// then, and shall not go with a question that waits for its answer.
    fn take_apart(&self, housekeeping: bool) -> Vec<Item> {
        let mut items = self.items.lock();
        let (mut wanted, mut others): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut *items)
            .into_iter()
            .partition(|item| item.is_housekeeping() == housekeeping);
        let count = one_batch(wanted.iter());
        others.extend(wanted.drain(count..));
        *items = others;
        wanted.into()
    }

    /// What a batch begins with that is the first one after a failure, or the first one of another server.
    fn open(&self, successions: u64) -> Option<(RemoteRequest, Done)> {
        let failed = self.failed.swap(false, Ordering::SeqCst);
        let another = self.successions.swap(successions, Ordering::SeqCst) != successions;
        let cause = match (another, failed) {
            (true, _) => Cause::Succession,
            (false, true) => Cause::Failure,
            (false, false) => return None,
        };
        self.opening.get().and_then(|opening| opening(cause))
    }

    /// The number of a batch that is sent now.
    fn number(&self) -> u64 {
        self.sent.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn leave(&self, count: usize) {
        if self.pending.fetch_sub(count, Ordering::SeqCst) == count {
            self.idle.notify_waiters();
        }
    }
}

/// How many make one batch. Answers are judged by the state in front of their batch: who asks behind a raise goes with the
/// next one, and sees it.
fn one_batch<'a>(items: impl Iterator<Item = &'a Item>) -> usize {
    let (mut raised, mut size) = (false, 0);
    items
        .take_while(|item| {
            size += item.size();
            let fits = size <= BATCH && (!raised || item.namespace.is_none());
            raised |= matches!(
                item.request,
                Some(RemoteRequest::Raise { .. } | RemoteRequest::RaiseRule { .. } | RemoteRequest::Abandon { .. })
            );
            fits
        })
        .count()
}

async fn run(remote: Arc<dyn RemoteTier>, voice: Option<Arc<Voice>>, recovery: Arc<Recovery>, queue: Arc<Queue>) {
    let mut in_flight = FuturesUnordered::new();
    // One at most, and none of those in flight: nothing that callers ask waits behind it.
    let mut probes = FuturesUnordered::new();
    loop {
        while in_flight.len() < remote.batches_in_flight() {
            // Read before the queue: whoever closes it pushes nothing behind that.
            let closed = queue.closed.load(Ordering::SeqCst);
            let is_down = remote.state() == RemoteState::Down;
            if is_down && probes.is_empty() {
                let batch = queue.take_apart(true);
                if !batch.is_empty() {
                    let batch = Batch::new(batch, &queue, voice.as_deref(), &*remote).probing();
                    probes.push(execute(&*remote, batch, &recovery, &queue));
                }
            }
            let batch = if is_down { queue.take_apart(false) } else { queue.take() };
            if batch.is_empty() {
                if closed && in_flight.is_empty() && probes.is_empty() {
                    return;
                }
                break;
            }
            // Polled in the order of pushing: the batches reach the remote tier's connection in that order.
            let batch = Batch::new(batch, &queue, voice.as_deref(), &*remote);
            in_flight.push(execute(&*remote, batch, &recovery, &queue));
        }
        tokio::select! {
            biased;
            Some(()) = in_flight.next(), if !in_flight.is_empty() => {}
            Some(()) = probes.next(), if !probes.is_empty() => {}
            () = queue.news.notified(), if in_flight.len() < remote.batches_in_flight() => {}
        }
    }
}
