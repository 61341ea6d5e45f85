//! The one way to the remote tier: an ordered queue, executed in batches.
//!
//! Order is what makes the memory tier and the remote tier agree. Whoever changes a key pushes the remote change while
//! he holds the key's slot; whoever is about to read a key remotely captures under the same slot. So a read that saw the
//! new generation is queued behind the change that made it.
//!
//! Each batch begins with the namespace state, so that every answer can be judged by the state that was true before it, and
//! ends with what the others must know of its changes: when a change is answered, they have been told.

use crate::engine::namespaces::Namespace;
use crate::engine::recovery::Recovery;
use crate::engine::voice::{Speech, Voice};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Change, LogId};
use crate::tier::{Foreign, NamespaceState, RemoteReply, RemoteRequest, RemoteState, RemoteTier};
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use parking_lot::Mutex;
use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
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
    request: Option<RemoteRequest>,
    say: Option<Say>,
    namespace: Option<Arc<Namespace>>,
    done: Done,
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

#[derive(Default)]
struct Queue {
    items: Mutex<VecDeque<Item>>,
    /// Something was queued, or the outbox was dropped.
    news: Notify,
    closed: AtomicBool,
    /// Requests without an answer.
    pending: AtomicUsize,
    idle: Notify,
    /// The last batch that ended has failed.
    failed: AtomicBool,
    /// What the first batch after a failure begins with.
    opening: OnceLock<Opening>,
}

type Opening = Box<dyn Fn() -> Option<(RemoteRequest, Done)> + Send + Sync>;

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
        runtime: &Handle,
    ) -> Self {
        let queue = Arc::new(Queue::default());
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
    pub fn open_with(&self, opening: impl Fn() -> Option<(RemoteRequest, Done)> + Send + Sync + 'static) {
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
        let count = one_batch(items.iter().take(BATCH));
        items.drain(..count).collect()
    }

    fn open(&self) -> Option<(RemoteRequest, Done)> {
        if !self.failed.swap(false, Ordering::SeqCst) {
            return None;
        }
        self.opening.get().and_then(|opening| opening())
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
    let mut raised = false;
    items
        .take_while(|item| {
            let fits = !raised || item.namespace.is_none();
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
            let batch = Batch::new(batch, queue.open(), voice.as_deref(), remote.state());
            in_flight.push(execute(&*remote, batch, &recovery, &queue));
        }
        tokio::select! {
            biased;
            Some(()) = in_flight.next(), if !in_flight.is_empty() => {}
            () = queue.news.notified(), if in_flight.len() < remote.batches_in_flight() => {}
        }
    }
}

/// Requests with those who wait for the answers, and what is said behind them.
struct Batch<'a> {
    requests: Vec<RemoteRequest>,
    fields: Vec<Box<str>>,
    /// For the opening and each item whether it has a request of its own, and who waits.
    waiting: Vec<(bool, Done)>,
    /// How many of them were queued.
    items: usize,
    voice: Option<(&'a Voice, Speech)>,
}

impl<'a> Batch<'a> {
    /// What is said is numbered here: in the order of the batches.
    fn new(
        items: Vec<Item>,
        opening: Option<(RemoteRequest, Done)>,
        voice: Option<&'a Voice>,
        remote: RemoteState,
    ) -> Self {
        let fields = floor_fields(&items);
        let mut requests = Vec::with_capacity(items.len() + 3);
        requests.push(RemoteRequest::State { fields: fields.clone() });
        let mut waiting = Vec::with_capacity(items.len() + 1);
        if let Some((request, done)) = opening {
            requests.push(request);
            waiting.push((true, done));
        }
        let items_waiting = items.len();
        let (mut changes, mut beat) = (Vec::new(), false);
        for item in items {
            waiting.push((item.request.is_some(), item.done));
            requests.extend(item.request);
            match item.say {
                Some(Say::Change(change)) => changes.push(change),
                Some(Say::Beat) => beat = true,
                None => {}
            }
        }
        // The log is read once in a while: then what waits tries its luck too.
        let reads_log = |request: &RemoteRequest| matches!(request, RemoteRequest::ReadLog { .. });
        let along = beat || remote != RemoteState::Down || requests.iter().any(reads_log);
        let voice = voice.map(|voice| (voice, voice.speak(changes, beat, along)));
        if let Some((_, speech)) = voice.as_ref().filter(|(_, speech)| !speech.is_empty()) {
            let (frames, hints) = (speech.frames.clone(), speech.hints.clone());
            requests.push(RemoteRequest::Tell { frames, hints });
        }
        Self {
            requests,
            fields,
            waiting,
            items: items_waiting,
            voice,
        }
    }
}

async fn execute(remote: &dyn RemoteTier, batch: Batch<'_>, recovery: &Recovery, queue: &Queue) {
    let Batch {
        requests,
        fields,
        waiting,
        items,
        voice,
    } = batch;
    let (count, sent) = (waiting.len(), requests.len());
    // A store may be a user's own code: its panic is the failure of this batch, and the queue goes on.
    let replies = AssertUnwindSafe(async { remote.execute(requests).await }).catch_unwind();
    let span = tracing::debug_span!("turbocache.batch", requests = count);
    let mut replies = replies.instrument(span).await.unwrap_or_default();
    let told = match voice {
        Some((voice, speech)) if !speech.is_empty() => {
            let last = if replies.len() == sent { replies.pop() } else { None };
            let reply = last.unwrap_or_else(|| Err(lost_reply()));
            voice.told(speech, places(&reply));
            reply
        }
        _ => Ok(RemoteReply::Told(Vec::new())),
    };
    let mut replies = replies.into_iter();
    let state = match replies.next() {
        Some(Ok(RemoteReply::State(state))) => batch_state(state, fields),
        _ => BatchState::default(),
    };
    for (asked, done) in waiting {
        let reply = if asked {
            replies.next().unwrap_or_else(|| Err(lost_reply()))
        } else {
            told.clone()
        };
        if catch_unwind(AssertUnwindSafe(|| done(&state, reply))).is_err() {
            tracing::error!("the receiver of an answer panicked");
        }
    }
    if state.incarnation != 0 && recovery.is_pending() {
        recovery.answered.notify_one();
    }
    queue.failed.store(state.incarnation == 0, Ordering::SeqCst);
    queue.leave(items);
}

fn places(reply: &Result<RemoteReply>) -> Option<&[Option<(LogId, LogId)>]> {
    match reply {
        Ok(RemoteReply::Told(places)) => Some(places),
        _ => None,
    }
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
