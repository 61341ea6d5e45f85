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
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};

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
    queue: mpsc::UnboundedSender<Item>,
    pending: Arc<Pending>,
}

#[derive(Default)]
struct Pending {
    count: AtomicUsize,
    idle: Notify,
}

impl Outbox {
    /// Starts the queue's task on the runtime; it ends when the outbox is dropped and the queue is empty.
    pub fn start(remote: Arc<dyn RemoteTier>, runtime: &Handle) -> Self {
        let (queue, requests) = mpsc::unbounded_channel();
        let pending = Arc::new(Pending::default());
        runtime.spawn(run(Arc::clone(&remote), requests, Arc::clone(&pending)));
        Self { remote, queue, pending }
    }

    /// Queues a request. `namespace` is the one whose floors the answer will be judged by.
    pub fn push(&self, request: RemoteRequest, namespace: Option<&Arc<Namespace>>, done: Done) -> Deferred {
        if let Some(reply) = self.remote.immediate(&request) {
            return Deferred(Some(Box::new(move || done(&BatchState::default(), Ok(reply)))));
        }
        self.pending.count.fetch_add(1, Ordering::SeqCst);
        let item = Item {
            request,
            namespace: namespace.cloned(),
            done,
        };
        let Err(refused) = self.queue.send(item) else {
            return Deferred(None);
        };
        self.pending.leave(1);
        let done = refused.0.done;
        Deferred(Some(Box::new(move || done(&BatchState::default(), Err(closed())))))
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
            let changed = self.pending.idle.notified();
            if self.pending.count.load(Ordering::SeqCst) == 0 {
                return;
            }
            changed.await;
        }
    }
}

impl Pending {
    fn leave(&self, count: usize) {
        if self.count.fetch_sub(count, Ordering::SeqCst) == count {
            self.idle.notify_waiters();
        }
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the cache is closed")
}

async fn run(remote: Arc<dyn RemoteTier>, mut requests: mpsc::UnboundedReceiver<Item>, pending: Arc<Pending>) {
    let mut in_flight = FuturesUnordered::new();
    let mut open = true;
    while open || !in_flight.is_empty() {
        tokio::select! {
            biased;
            Some(()) = in_flight.next(), if !in_flight.is_empty() => {}
            item = requests.recv(), if open && in_flight.len() < remote.batches_in_flight() => match item {
                None => open = false,
                Some(first) => {
                    let mut batch = vec![first];
                    while batch.len() < BATCH && let Ok(item) = requests.try_recv() {
                        batch.push(item);
                    }
                    // Polled in the order of pushing: the batches reach the remote tier's connection in that order.
                    in_flight.push(execute(&*remote, batch, &pending));
                }
            },
        }
    }
}

async fn execute(remote: &dyn RemoteTier, batch: Vec<Item>, pending: &Pending) {
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
    let mut replies = replies.await.unwrap_or_default().into_iter();
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
    pending.leave(count);
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
