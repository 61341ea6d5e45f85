//! A remote tier and a bus that do as they are told.

use super::Model;
use parking_lot::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use turbocache::bus::{Bus, Heard};
use turbocache::error::{Error, ErrorKind};
use turbocache::tier::{RemoteReply, RemoteRequest, RemoteState, RemoteTier, Replies};

type Matches = Box<dyn Fn(&RemoteRequest) -> bool + Send>;
type Instead = Box<dyn Fn(&RemoteRequest) -> Option<RemoteReply> + Send>;
type Lie = Box<dyn Fn(&RemoteRequest, RemoteReply) -> Option<RemoteReply> + Send>;

/// Which batch is held, whom to tell that it is there, and who says that it may go on.
struct Hold {
    matches: Matches,
    arrived: oneshot::Sender<()>,
    released: oneshot::Receiver<()>,
}

/// One engine's way to the model.
pub struct FakeRemote {
    model: Arc<Model>,
    hold: Mutex<Option<Hold>>,
    lie: Mutex<Option<Lie>>,
    instead: Mutex<Option<Instead>>,
    failing: AtomicBool,
    /// Batches that will fail.
    failures: AtomicU64,
    deadline: Mutex<Option<Duration>>,
    down: AtomicBool,
    successions: AtomicU64,
    pub batches: AtomicU64,
}

/// A batch whose replies are on their way.
pub struct Held {
    arrived: Option<oneshot::Receiver<()>>,
    release: oneshot::Sender<()>,
}

impl Held {
    /// The store has executed it.
    pub async fn arrived(&mut self) {
        if let Some(arrived) = self.arrived.take() {
            super::soon(arrived).await.expect("the remote tier is gone");
        }
    }

    /// The replies reach the engine.
    pub fn release(self) {
        let _ = self.release.send(());
    }
}

impl FakeRemote {
    pub fn new(model: Arc<Model>) -> Self {
        Self {
            model,
            hold: Mutex::default(),
            lie: Mutex::default(),
            instead: Mutex::default(),
            failing: AtomicBool::new(false),
            failures: AtomicU64::new(0),
            deadline: Mutex::default(),
            down: AtomicBool::new(false),
            successions: AtomicU64::new(0),
            batches: AtomicU64::new(0),
        }
    }

    /// The replies of the next batch with such a request are held back until they are released.
    pub fn hold(&self, matches: impl Fn(&RemoteRequest) -> bool + Send + 'static) -> Held {
        let (arrived, arrives) = oneshot::channel();
        let (release, released) = oneshot::channel();
        *self.hold.lock() = Some(Hold {
            matches: Box::new(matches),
            arrived,
            released,
        });
        Held {
            arrived: Some(arrives),
            release,
        }
    }

    /// From now on replies are what `lie` makes of them; `None` is a failure.
    pub fn lie(&self, lie: impl Fn(&RemoteRequest, RemoteReply) -> Option<RemoteReply> + Send + 'static) {
        *self.lie.lock() = Some(Box::new(lie));
    }

    /// From now on requests are answered so; `None` is a failure.
    pub fn instead(&self, answer: impl Fn(&RemoteRequest) -> Option<RemoteReply> + Send + 'static) {
        *self.instead.lock() = Some(Box::new(answer));
    }

    /// From now on nothing reaches the store.
    pub fn fail(&self) {
        self.failing.store(true, Ordering::SeqCst);
    }

    /// So many batches do not reach the store.
    pub fn fail_next(&self, batches: u64) {
        self.failures.store(batches, Ordering::SeqCst);
    }

    /// From now on callers wait so long.
    pub fn set_deadline(&self, deadline: Duration) {
        *self.deadline.lock() = Some(deadline);
    }

    /// From now on it does again.
    pub fn heal(&self) {
        self.failing.store(false, Ordering::SeqCst);
    }

    /// Another server answers from now on, and nothing failed.
    pub fn succeed(&self) {
        self.successions.fetch_add(1, Ordering::SeqCst);
    }

    /// From now on it says that it does not answer, as behind an open breaker.
    pub fn look_down(&self) {
        self.down.store(true, Ordering::SeqCst);
    }

    async fn run(&self, batch: &[RemoteRequest]) -> Replies {
        self.batches.fetch_add(1, Ordering::SeqCst);
        let count_down = |failures: u64| failures.checked_sub(1);
        let fails = self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, count_down)
            .is_ok();
        let failed = |_| Err(Error::new(ErrorKind::Remote, "the fake fails"));
        let replies = if fails {
            batch.iter().map(failed).collect()
        } else {
            batch.iter().map(|request| self.reply(request)).collect()
        };
        let held = {
            let mut hold = self.hold.lock();
            match &*hold {
                Some(held) if batch.iter().any(&held.matches) => hold.take(),
                _ => None,
            }
        };
        if let Some(held) = held {
            let _ = held.arrived.send(());
            let _ = held.released.await;
        }
        replies
    }

    fn reply(&self, request: &RemoteRequest) -> turbocache::Result<RemoteReply> {
        let failed = || Error::new(ErrorKind::Remote, "the fake fails");
        if self.failing.load(Ordering::SeqCst) {
            return Err(failed());
        }
        if let Some(instead) = &*self.instead.lock() {
            return instead(request).ok_or_else(failed);
        }
        match &*self.lie.lock() {
            None => Ok(self.model.apply(request)),
            Some(lie) => lie(request, self.model.apply(request)).ok_or_else(failed),
        }
    }
}

impl RemoteTier for FakeRemote {
    fn execute<'a>(&'a self, batch: &'a [RemoteRequest]) -> Pin<Box<dyn Future<Output = Replies> + Send + 'a>> {
        Box::pin(self.run(batch))
    }

    fn batches_in_flight(&self) -> usize {
        8
    }

    fn state(&self) -> RemoteState {
        if self.down.load(Ordering::SeqCst) {
            RemoteState::Down
        } else {
            RemoteState::Up
        }
    }

    fn successions(&self) -> u64 {
        self.successions.load(Ordering::SeqCst)
    }

    fn is_scattered(&self) -> bool {
        self.model.is_scattered()
    }

    fn deadline(&self) -> Option<Duration> {
        *self.deadline.lock()
    }
}

/// A bus between the engines of a test. What is published is heard at once, unless it is cut.
#[derive(Clone, Default)]
pub struct FakeBus {
    shared: Arc<Mutex<Ears>>,
}

#[derive(Default)]
struct Ears {
    all: Vec<mpsc::UnboundedSender<Heard>>,
    cut: bool,
    lose: usize,
    mute: bool,
}

impl FakeBus {
    /// Says something to everybody who listens, unless it is lost.
    pub fn publish(&self, message: Vec<u8>) {
        let mut shared = self.shared.lock();
        if shared.cut || shared.lose > 0 {
            shared.lose = shared.lose.saturating_sub(1);
            return;
        }
        for ear in &shared.all {
            let _ = ear.send(Heard::Message(message.clone()));
        }
    }

    /// Messages are lost from now on, and nobody notices.
    pub fn cut(&self) {
        self.shared.lock().cut = true;
    }

    /// So many of the next messages are lost.
    pub fn lose(&self, messages: usize) {
        self.shared.lock().lose = messages;
    }

    /// Who begins to listen from now on hears nothing.
    pub fn mute(&self) {
        self.shared.lock().mute = true;
    }

    /// Says something to everybody.
    pub fn say(&self, heard: &Heard) {
        for ear in &self.shared.lock().all {
            let _ = ear.send(heard.clone());
        }
    }

    /// The number of engines that listen.
    pub fn listeners(&self) -> usize {
        let open = |ear: &&mpsc::UnboundedSender<Heard>| !ear.is_closed();
        self.shared.lock().all.iter().filter(open).count()
    }
}

impl Bus for FakeBus {
    fn listen(&self, engine: mpsc::UnboundedSender<Heard>) {
        let mut shared = self.shared.lock();
        if !shared.mute {
            let _ = engine.send(Heard::Listening);
            shared.all.push(engine);
        }
    }
}
