//! The store as the nodes reach it: requests travel, are executed one after another between those of other nodes, and
//! replies travel back; unless something comes between. Kept in one place with the bus, because both break together.

use crate::simulator::dice::Dice;
use crate::simulator::model::Model;
use crate::simulator::world::World;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::oneshot;
use turbocache::error::{Error, ErrorKind};
use turbocache::tier::{RemoteReply, RemoteRequest, RemoteState, RemoteTier, Replies};

/// What stands in the way, by time.
#[derive(Default)]
pub struct Weather {
    /// The store does nothing until then.
    pub frozen_until: u64,
    /// The store refuses connections until then.
    pub down_until: u64,
    /// By node: nothing passes until then.
    pub hole_until: Vec<u64>,
    /// By node: nothing passes on the subscription until then.
    pub bus_hole_until: Vec<u64>,
}

/// A change on purpose of what the store answers: the proof that the checker sees it.
pub type Lie = fn(&Model, &RemoteRequest) -> Option<RemoteReply>;

/// The store.
pub struct Server {
    pub model: Model,
    /// What the model has published, and nobody has sent yet.
    pub published: Arc<Mutex<Vec<Vec<u8>>>>,
    pub weather: Mutex<Weather>,
    /// By node: what happens to one does not change the luck of the others.
    pub dice: Vec<Dice>,
    /// Longest way.
    pub delay: u64,
    pub splits: u64,
    pub lie: Option<Lie>,
}

impl Server {
    /// How long something is on its way to or from this node.
    pub fn way(&self, node: usize) -> u64 {
        self.dice[node].below(self.delay + 1)
    }

    fn execute(&self, request: &RemoteRequest) -> RemoteReply {
        let lie = self.lie.and_then(|lie| lie(&self.model, request));
        lie.unwrap_or_else(|| self.model.apply(request))
    }
}

/// One process' way to the store; another connection after each failure.
pub struct Link {
    world: Weak<World>,
    node: usize,
    connection: Mutex<Arc<Connection>>,
    /// Connections before this one: another server may answer on each.
    before: AtomicU64,
    /// The process has died: nothing comes or goes any more.
    dead: AtomicBool,
}

#[derive(Default)]
struct Connection {
    /// Requests on their way, in order.
    chunks: Mutex<VecDeque<Chunk>>,
    /// Replies on their way back, in order.
    replies: Mutex<VecDeque<(oneshot::Sender<Replies>, Replies)>>,
}

/// Some requests of a batch that are executed without a pause.
struct Chunk {
    requests: Vec<RemoteRequest>,
    exchange: Arc<Mutex<Exchange>>,
    is_last: bool,
}

struct Exchange {
    replies: Replies,
    /// `None`: nobody waits any more.
    done: Option<oneshot::Sender<Replies>>,
}

impl Link {
    pub fn new(world: &Arc<World>, node: usize) -> Self {
        Self {
            world: Arc::downgrade(world),
            node,
            connection: Mutex::default(),
            before: AtomicU64::new(0),
            dead: AtomicBool::new(false),
        }
    }

    /// The process has died.
    pub fn die(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.reset();
    }

    /// The server has gone, and another one takes its place: what is on its way is never executed.
    pub fn succeed(&self) {
        let connection = std::mem::take(&mut *self.connection.lock());
        self.before.fetch_add(1, Ordering::SeqCst);
        connection.replies.lock().clear();
        connection.chunks.lock().drain(..).for_each(|chunk| {
            chunk.exchange.lock().done = None;
        });
    }

    /// The connection is closed. What is on its way may still be executed, or not.
    pub fn reset(&self) {
        let Some(world) = self.world.upgrade() else { return };
        let connection = std::mem::take(&mut *self.connection.lock());
        self.before.fetch_add(1, Ordering::SeqCst);
        connection.replies.lock().clear();
        let mut lost = false;
        connection.chunks.lock().retain(|chunk| {
            chunk.exchange.lock().done = None;
            // What is behind something that did not arrive has not arrived either.
            lost = lost || world.server.dice[self.node].chance(50);
            !lost
        });
    }

    fn send(&self, world: &World, batch: Vec<RemoteRequest>, done: oneshot::Sender<Replies>) {
        let server = &world.server;
        let connection = Arc::clone(&self.connection.lock());
        let exchange = Arc::new(Mutex::new(Exchange {
            replies: Vec::with_capacity(batch.len()),
            done: Some(done),
        }));
        let mut at = server.way(self.node);
        let mut left = batch.into_iter().peekable();
        while left.peek().is_some() {
            let mut requests: Vec<RemoteRequest> = left.next().into_iter().collect();
            while left.peek().is_some() && !server.dice[self.node].chance(server.splits) {
                requests.extend(left.next());
            }
            connection.chunks.lock().push_back(Chunk {
                requests,
                exchange: Arc::clone(&exchange),
                is_last: left.peek().is_none(),
            });
            serve_after(world, at, self.node, Arc::clone(&connection));
            at += server.dice[self.node].below(2);
        }
    }
}

/// The next chunk of the connection is executed after a while. Whichever event comes first executes the first one: what is
/// on a connection stays in order.
fn serve_after(world: &World, pause: u64, node: usize, connection: Arc<Connection>) {
    world.schedule.after(pause, move |world: &Arc<World>| {
        let now = world.schedule.now();
        let blocked = {
            let weather = world.server.weather.lock();
            weather.hole_until[node]
                .max(weather.frozen_until)
                .max(weather.down_until)
        };
        if blocked > now {
            return serve_after(world, blocked - now + world.server.way(node), node, connection);
        }
        let Some(chunk) = connection.chunks.lock().pop_front() else {
            return;
        };
        let mut exchange = chunk.exchange.lock();
        for request in &chunk.requests {
            world.executes(node, request);
            exchange.replies.push(Ok(world.server.execute(request)));
            let published = std::mem::take(&mut *world.server.published.lock());
            published.iter().for_each(|message| world.publish(node, message));
        }
        if chunk.is_last
            && let Some(done) = exchange.done.take()
        {
            let replies = std::mem::take(&mut exchange.replies);
            connection.replies.lock().push_back((done, replies));
            reply_after(world, world.server.way(node), node, Arc::clone(&connection));
        }
    });
}

fn reply_after(world: &World, pause: u64, node: usize, connection: Arc<Connection>) {
    world.schedule.after(pause, move |world: &Arc<World>| {
        let now = world.schedule.now();
        let blocked = world.server.weather.lock().hole_until[node];
        if blocked > now {
            return reply_after(world, blocked - now + world.server.way(node), node, connection);
        }
        let next = connection.replies.lock().pop_front();
        if let Some((done, replies)) = next {
            let _ = done.send(replies);
        }
    });
}

/// A caller that stops waiting leaves the connection in doubt: the next one connects anew, and nobody waits on the old one.
struct Doubt<'a> {
    link: &'a Link,
    connection: Arc<Connection>,
    settled: bool,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        let mut current = self.link.connection.lock();
        if self.settled || !Arc::ptr_eq(&current, &self.connection) {
            return;
        }
        let old = std::mem::take(&mut *current);
        self.link.before.fetch_add(1, Ordering::SeqCst);
        drop(current);
        // What was sent may still be executed.
        let chunks = old.chunks.lock();
        chunks.iter().for_each(|chunk| chunk.exchange.lock().done = None);
        old.replies.lock().clear();
    }
}

impl RemoteTier for Link {
    fn execute<'a>(&'a self, batch: &'a [RemoteRequest]) -> Pin<Box<dyn Future<Output = Replies> + Send + 'a>> {
        let count = batch.len();
        let failed = move |what: &str| (0..count).map(|_| Err(Error::new(ErrorKind::Remote, what))).collect();
        let world = self.world.upgrade().filter(|_| !self.dead.load(Ordering::SeqCst));
        let Some(world) = world else {
            return Box::pin(async move { failed("the process is dead") });
        };
        if world.server.weather.lock().down_until > world.schedule.now() {
            return Box::pin(async move { failed("connection refused") });
        }
        let (done, replies) = oneshot::channel();
        let doubt = Doubt {
            link: self,
            connection: Arc::clone(&self.connection.lock()),
            settled: false,
        };
        self.send(&world, batch.to_vec(), done);
        drop(world);
        Box::pin(async move {
            let mut doubt = doubt;
            let replies = replies.await;
            doubt.settled = replies.is_ok();
            replies.unwrap_or_else(|_| failed("the connection was lost"))
        })
    }

    fn batches_in_flight(&self) -> usize {
        4
    }

    fn successions(&self) -> u64 {
        self.before.load(Ordering::SeqCst)
    }

    fn is_scattered(&self) -> bool {
        self.world
            .upgrade()
            .is_some_and(|world| world.server.model.is_scattered())
    }

    fn state(&self) -> RemoteState {
        RemoteState::Up
    }
}
