//! The one way to the remote tier: an ordered queue, executed in batches.
//!
//! Order is what makes the memory tier and the remote tier agree. Whoever changes a key pushes the remote change while
//! he holds the key's slot; whoever is about to read a key remotely captures under the same slot. So a read that saw the
//! new generation is queued behind the change that made it.
//!
//! Each batch begins with the namespace state, so that every answer can be judged by the state that was true before it.

use crate::engine::namespaces::Namespace;
use crate::error::{Error, ErrorKind, Result};
use crate::tier::{NamespaceState, RemoteReply, RemoteRequest, RemoteState, RemoteTier};
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use parking_lot::Mutex;
use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tracing::Instrument;

/// Requests of one batch at most.
const BATCH: usize = 512;

/// Namespace state as it was just before a batch's other requests were executed.
#[derive(Debug, Default)]
pub struct BatchState {
    /// 0 = unknown, or no remote tier.
    pub incarnation: u64,
    /// Number of raises.
    pub counter: u64,
    floors: HashMap<Box<str>, u64>,
}

impl BatchState {
    /// Whether nobody cleared the namespace of an entry since it was born. A state that is unknown allows nothing.
    pub fn allows(&self, namespace: &Namespace, incarnation: u64, born: u64) -> bool {
        let floor = |field| self.floors.get(field).copied().unwrap_or(0);
        self.incarnation != 0
            && self.incarnation == incarnation
            && namespace.floors.iter().all(|field| floor(field) <= born)
    }

    /// Whether somebody cleared the namespace softly since an entry was born.
    pub fn softens(&self, namespace: &Namespace, born: u64) -> bool {
        let floor = |field| self.floors.get(field).copied().unwrap_or(0);
        namespace.soft_floors.iter().any(|field| floor(field) > born)
    }
}

/// Called once with the answer.
pub type Done = Box<dyn FnOnce(&BatchState, Result<RemoteReply>) + Send>;

struct Item {
    request: RemoteRequest,
    namespace: Option<Arc<Namespace>>,
    done: Done,
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

#[derive(Default)]
struct Queue {
    items: Mutex<VecDeque<Item>>,
    /// Something was queued, or the outbox was dropped.
    news: Notify,
    closed: AtomicBool,
    /// Requests without an answer.
    pending: AtomicUsize,
    idle: Notify,
}

thread_local! {
    /// Address of the queue whose task this thread will wake later, see [`Outbox::together`].
    static HELD: Cell<usize> = const { Cell::new(0) };
}

impl Outbox {
    /// Starts the queue's task on the runtime; it ends when the outbox is dropped and the queue is empty.
    pub fn start(remote: Arc<dyn RemoteTier>, runtime: &Handle) -> Self {
        let queue = Arc::new(Queue::default());
        runtime.spawn(run(Arc::clone(&remote), Arc::clone(&queue)));
        Self { remote, queue }
    }

    /// Queues a request. `namespace` is the one whose floors the answer will be judged by.
    pub fn push(&self, request: RemoteRequest, namespace: Option<&Arc<Namespace>>, done: Done) -> Deferred {
        if let Some(reply) = self.remote.immediate(&request) {
            return Deferred(Some(Box::new(move || done(&BatchState::default(), Ok(reply)))));
        }
        let queue = &*self.queue;
        queue.pending.fetch_add(1, Ordering::SeqCst);
        let namespace = namespace.cloned();
        queue.items.lock().push_back(Item {
            request,
            namespace,
            done,
        });
        if HELD.get() != queue.address() {
            queue.news.notify_one();
        }
        Deferred(None)
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

    /// Whether there is a remote tier at all.
    pub fn is_remote(&self) -> bool {
        self.remote.state() != RemoteState::None
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
        let count = items.len().min(BATCH);
        items.drain(..count).collect()
    }

    fn leave(&self, count: usize) {
        if self.pending.fetch_sub(count, Ordering::SeqCst) == count {
            self.idle.notify_waiters();
        }
    }
}

async fn run(remote: Arc<dyn RemoteTier>, queue: Arc<Queue>) {
    let mut in_flight = FuturesUnordered::new();
    loop {
        while in_flight.len() < remote.batches_in_flight() {
            // Read before the queue: whoever closes it pushes nothing behind that.
            let closed = queue.closed.load(Ordering::SeqCst);
            let batch = queue.take();
            if batch.is_empty() {
                if closed && in_flight.is_empty() {
                    return;
                }
                break;
            }
            // Polled in the order of pushing: the batches reach the remote tier's connection in that order.
            in_flight.push(execute(&*remote, batch, &queue));
        }
        tokio::select! {
            biased;
            Some(()) = in_flight.next(), if !in_flight.is_empty() => {}
            () = queue.news.notified(), if in_flight.len() < remote.batches_in_flight() => {}
        }
    }
}

async fn execute(remote: &dyn RemoteTier, batch: Vec<Item>, queue: &Queue) {
    let fields = floor_fields(&batch);
    let mut requests = Vec::with_capacity(batch.len() + 1);
    requests.push(RemoteRequest::State { fields: fields.clone() });
    let mut waiting = Vec::with_capacity(batch.len());
    for item in batch {
        requests.push(item.request);
        waiting.push(item.done);
    }
    let count = waiting.len();
    // A store may be a user's own code: its panic is the failure of this batch, and the queue goes on.
    let replies = AssertUnwindSafe(async { remote.execute(requests).await }).catch_unwind();
    let span = tracing::debug_span!("turbocache.batch", requests = count);
    let mut replies = replies.instrument(span).await.unwrap_or_default().into_iter();
    let state = match replies.next() {
        Some(Ok(RemoteReply::State(state))) => batch_state(state, fields),
        _ => BatchState::default(),
    };
    for done in waiting {
        let reply = replies.next().unwrap_or_else(|| Err(lost_reply()));
        if catch_unwind(AssertUnwindSafe(|| done(&state, reply))).is_err() {
            tracing::error!("the receiver of an answer panicked");
        }
    }
    queue.leave(count);
}

fn lost_reply() -> Error {
    Error::new(
        ErrorKind::Remote,
        "the remote tier gave fewer replies than it got requests",
    )
}

fn floor_fields(batch: &[Item]) -> Vec<Box<str>> {
    let mut seen: Vec<u32> = Vec::new();
    let mut fields: Vec<Box<str>> = Vec::new();
    for namespace in batch.iter().filter_map(|item| item.namespace.as_ref()) {
        if !seen.contains(&namespace.id) {
            seen.push(namespace.id);
            fields.extend(
                namespace
                    .floors
                    .iter()
                    .chain(&namespace.soft_floors)
                    .filter(|field| !fields.contains(field))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
        }
    }
    fields
}

fn batch_state(state: NamespaceState, fields: Vec<Box<str>>) -> BatchState {
    BatchState {
        incarnation: state.incarnation,
        counter: state.counter,
        floors: fields.into_iter().zip(state.floors).collect(),
    }
}
