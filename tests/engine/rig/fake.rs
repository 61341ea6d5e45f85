//! A remote tier and a bus that do as they are told.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot};
use turbocache::bus::{Bus, Heard};
use turbocache::clock::{Clock, Millis};
use turbocache::error::{Error, ErrorKind};
use turbocache::key::RemoteKey;
use turbocache::tier::{NamespaceState, RemoteReply, RemoteRequest, RemoteState, RemoteTier, Replies, Stored};

/// A remote store in memory: what all engines of a test share. Kept honest by the contract tests.
pub struct Model {
    clock: Arc<dyn Clock>,
    data: Mutex<Data>,
}

#[derive(Default)]
struct Data {
    incarnations: u64,
    incarnation: u64,
    counter: u64,
    floors: HashMap<Box<str>, u64>,
    values: HashMap<RemoteKey, (bytes::Bytes, Millis)>,
    leases: HashMap<RemoteKey, (u64, Millis)>,
}

impl Model {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            data: Mutex::default(),
        }
    }

    /// FLUSHALL.
    pub fn flush(&self) {
        let mut data = self.data.lock();
        *data = Data {
            incarnations: data.incarnations,
            ..Data::default()
        };
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.data.lock().values.len()
    }

    pub fn apply(&self, request: &RemoteRequest) -> RemoteReply {
        let now = self.clock.now();
        self.data.lock().apply(request, now)
    }
}

impl Data {
    fn apply(&mut self, request: &RemoteRequest, now: Millis) -> RemoteReply {
        self.values.retain(|_, (_, until)| *until > now);
        self.leases.retain(|_, (_, until)| *until > now);
        let until = |life: &Option<u64>| life.map_or(Millis::NEVER, |life| now.after(life));
        match request {
            RemoteRequest::State { fields } => self.state(fields),
            RemoteRequest::Raise { fields } => {
                if fields.is_empty() {
                    self.incarnation = 0;
                }
                self.state(&[]);
                if !fields.is_empty() {
                    self.counter += 1;
                }
                for field in fields {
                    self.floors.insert(field.clone(), self.counter);
                }
                self.state(fields)
            }
            RemoteRequest::Read { key } => RemoteReply::Value(self.stored(key, now)),
            RemoteRequest::ReadBytes { key } => RemoteReply::Bytes(self.stored(key, now).map(|stored| stored.envelope)),
            RemoteRequest::Write { key, envelope, life } => {
                self.leases.remove(key);
                self.values.insert(key.clone(), (envelope.clone(), until(life)));
                RemoteReply::Done(true)
            }
            RemoteRequest::Remove { key } => {
                self.leases.remove(key);
                RemoteReply::Done(self.values.remove(key).is_some())
            }
            RemoteRequest::Expire { key } => {
                self.leases.remove(key);
                let Some(stored) = self.stored(key, now) else {
                    return RemoteReply::Done(false);
                };
                let grace = stored.envelope.get(48..56).and_then(|bytes| bytes.try_into().ok());
                let grace = grace.map_or(0, u64::from_le_bytes);
                if grace == 0 {
                    self.values.remove(key);
                } else if stored.life.is_some_and(|life| life <= grace) {
                    return RemoteReply::Done(false);
                } else if let Some((_, until)) = self.values.get_mut(key) {
                    *until = now.after(grace);
                }
                RemoteReply::Done(true)
            }
            RemoteRequest::Lease {
                key,
                token,
                life,
                unless_value,
            } => match self.stored(key, now) {
                Some(stored) if *unless_value => RemoteReply::Value(Some(stored)),
                _ if self.leases.contains_key(key) => RemoteReply::Held,
                _ => {
                    self.leases.insert(key.clone(), (*token, now.after(*life)));
                    RemoteReply::Granted
                }
            },
            RemoteRequest::Renew { key, token, life } => match self.leases.get_mut(key) {
                Some((holder, until)) if holder == token => {
                    *until = now.after(*life);
                    RemoteReply::Done(true)
                }
                _ => RemoteReply::Done(false),
            },
            RemoteRequest::Unlease { key, token } => RemoteReply::Done(self.unlease(key, *token)),
            RemoteRequest::Fill {
                key,
                token,
                envelope,
                life,
            } => {
                let held = self.unlease(key, *token);
                if held {
                    self.values.insert(key.clone(), (envelope.clone(), until(life)));
                }
                RemoteReply::Done(held)
            }
        }
    }

    fn unlease(&mut self, key: &RemoteKey, token: u64) -> bool {
        let held = self.leases.get(key).is_some_and(|(holder, _)| *holder == token);
        if held {
            self.leases.remove(key);
        }
        held
    }

    fn stored(&self, key: &RemoteKey, now: Millis) -> Option<Stored> {
        self.values.get(key).map(|(envelope, until)| Stored {
            envelope: envelope.clone(),
            life: (*until != Millis::NEVER).then(|| until.since(now)),
        })
    }

    fn state(&mut self, fields: &[Box<str>]) -> RemoteReply {
        if self.incarnation == 0 {
            self.incarnations += 1;
            self.incarnation = self.incarnations;
            self.counter = 0;
            self.floors.clear();
        }
        let floor = |field| self.floors.get(field).copied().unwrap_or(0);
        RemoteReply::State(NamespaceState {
            incarnation: self.incarnation,
            counter: self.counter,
            floors: fields.iter().map(floor).collect(),
        })
    }
}

type Matches = Box<dyn Fn(&RemoteRequest) -> bool + Send>;
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
    failing: AtomicBool,
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
            failing: AtomicBool::new(false),
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

    /// From now on nothing reaches the store.
    pub fn fail(&self) {
        self.failing.store(true, Ordering::SeqCst);
    }

    async fn run(&self, batch: Vec<RemoteRequest>) -> Replies {
        self.batches.fetch_add(1, Ordering::SeqCst);
        let replies = batch.iter().map(|request| self.reply(request)).collect();
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
        match &*self.lie.lock() {
            None => Ok(self.model.apply(request)),
            Some(lie) => lie(request, self.model.apply(request)).ok_or_else(failed),
        }
    }
}

impl RemoteTier for FakeRemote {
    fn execute(&self, batch: Vec<RemoteRequest>) -> Pin<Box<dyn Future<Output = Replies> + Send + '_>> {
        Box::pin(self.run(batch))
    }

    fn batches_in_flight(&self) -> usize {
        8
    }

    fn state(&self) -> RemoteState {
        RemoteState::Up
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
    mute: bool,
}

impl FakeBus {
    /// Messages are lost from now on, and nobody notices.
    pub fn cut(&self) {
        self.shared.lock().cut = true;
    }

    /// Who begins to listen from now on is never told that he does.
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
    fn publish(&self, message: Vec<u8>) {
        let shared = self.shared.lock();
        if !shared.cut {
            for ear in &shared.all {
                let _ = ear.send(Heard::Message(message.clone()));
            }
        }
    }

    fn listen(&self, engine: mpsc::UnboundedSender<Heard>) {
        let mut shared = self.shared.lock();
        if !shared.mute {
            let _ = engine.send(Heard::Listening);
        }
        shared.all.push(engine);
    }
}
