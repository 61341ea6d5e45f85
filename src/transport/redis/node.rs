//! One server: a connection that is made when it is needed, shared by everybody, and thrown away when it fails.

use crate::error::{Error, ErrorKind, Result};
use crate::transport::redis::address::{Address, connection_config};
use crate::transport::redis::greeting::{Greeting, Identity, Push, Watch, Wish, greet};
use crate::transport::redis::place::Place;
use crate::transport::redis::refusal::{READ_ONLY, examine, refusal};
use crate::warning::{Warning, WarningKind, Warnings};
use futures_util::StreamExt;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisError, Value};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

/// The least time between two connections that were made because a server refused a write.
const DEMOTION: Duration = Duration::from_millis(250);

/// One server. Cloning shares the connection.
#[derive(Clone)]
pub struct Node {
    place: Place,
    /// The option that says where it is; none for a node of a Cluster, where redirections are no surprise.
    option: Option<&'static str>,
    config: AsyncConnectionConfig,
    connect_timeout: Duration,
    warnings: Arc<Warnings>,
    watch: Arc<OnceLock<Arc<Watch>>>,
    shared: Arc<Shared>,
}

/// The connection; another number than the newest one is that of a connection that failed.
#[derive(Clone)]
struct Open {
    number: u64,
    address: Option<Address>,
    connection: MultiplexedConnection,
    /// How the server names it.
    identity: Option<Identity>,
    /// Whether it was given up: whoever waits for it waits in vain.
    left: Arc<watch::Sender<bool>>,
}

#[derive(Default)]
struct Shared {
    connection: Arc<Mutex<Option<Open>>>,
    connected: AtomicBool,
    unreachable: AtomicBool,
    connections: AtomicU64,
    successions: AtomicU64,
    /// The newest connection was given up, if this says so.
    left: parking_lot::Mutex<Option<Arc<watch::Sender<bool>>>>,
    /// Connections that were given up, and that the server may still have.
    given_up: parking_lot::Mutex<Vec<Identity>>,
    /// The server was asked once to tell of changes by others.
    tracked: AtomicBool,
    /// It lets a transaction write a value aside, and rename it.
    transacts: AtomicBool,
    /// It was connected once.
    had_connection: AtomicBool,
    /// A server refused a write a moment ago, and its connection was given up for that.
    demoted: AtomicBool,
}

impl Node {
    /// Connects later. `option` is what names its place.
    pub fn new(place: Place, option: &'static str, connect_timeout: Duration, warnings: Arc<Warnings>) -> Self {
        Self {
            place,
            option: Some(option),
            config: connection_config(connect_timeout),
            connect_timeout,
            warnings,
            watch: Arc::default(),
            shared: Arc::default(),
        }
    }

    /// The same, and what its server says of changes by others goes where this says, once it says so.
    #[must_use]
    pub fn watched(self, watch: &Arc<OnceLock<Arc<Watch>>>) -> Self {
        Self {
            watch: Arc::clone(watch),
            ..self
        }
    }

    /// A node of a Cluster.
    pub fn of_cluster(place: Place, connect_timeout: Duration, warnings: Arc<Warnings>) -> Self {
        Self {
            option: None,
            ..Self::new(place, "", connect_timeout, warnings)
        }
    }

    /// Grows when a connection is replaced, before anything is asked on the new one: also behind the same address may be
    /// another server by now.
    pub fn successions(&self) -> u64 {
        self.shared.successions.load(Ordering::SeqCst)
    }

    /// Whether the last attempt to connect to it failed.
    pub fn is_unreachable(&self) -> bool {
        self.shared.unreachable.load(Ordering::Relaxed)
    }

    /// Whether the last thing that was heard of the server is good.
    pub fn is_connected(&self) -> bool {
        self.shared.connected.load(Ordering::Relaxed)
    }

    /// Whether its server lets a transaction write a value aside, and rename it; asked only where the server tells of changes.
    pub fn transacts(&self) -> bool {
        self.shared.transacts.load(Ordering::Relaxed)
    }

    /// The next user connects anew, and who waits for an answer gets none.
    pub fn distrust(&self) {
        self.shared.connections.fetch_add(1, Ordering::SeqCst);
        self.shared.give_up();
    }

    /// Executes the pipeline: one value for each command, errors of single commands among them. A connection that had
    /// ended before anything was sent is replaced, once.
    pub async fn send(&self, pipeline: &Pipeline, count: usize) -> Result<Vec<Value>> {
        // Whose turn it is connects, and hands over what he has before the next one gets the turn: the order in which batches
        // were first polled is that in which they leave. Fair.
        let turn = Arc::clone(&self.shared.connection).lock_owned().await;
        let turn = match self.attempt(turn, pipeline, count).await? {
            Attempt::Answered(values) => return Ok(values),
            Attempt::Unsent(turn, _) => turn,
        };
        match self.attempt(turn, pipeline, count).await? {
            Attempt::Answered(values) => Ok(values),
            Attempt::Unsent(_, cause) => Err(failed("lost", &cause)),
        }
    }

    async fn attempt(&self, turn: Turn, pipeline: &Pipeline, count: usize) -> Result<Attempt> {
        let (open, turn) = self.connection(turn).await?;
        let Open {
            number,
            address,
            mut connection,
            left,
            ..
        } = open;
        let mut left = left.subscribe();
        // A caller that stops waiting (its deadline) leaves the connection in doubt: replies may never come.
        let doubt = Doubt {
            shared: &self.shared,
            number,
            settled: false,
        };
        let mut sending = pin!(connection.send_packed_commands(pipeline, 0, count));
        // Whoever is told at the first poll that the connection is gone has sent nothing: the client's task, which does the
        // sending, ended before.
        let sent = match poll_fn(|context| Poll::Ready(sending.as_mut().poll(context))).await {
            Poll::Ready(Err(cause)) if is_lost(&cause) => return Ok(Attempt::Unsent(turn, cause)),
            Poll::Ready(sent) => sent,
            Poll::Pending => {
                drop(turn);
                // All that wait for a connection fail together: before anything is answered that was sent behind them on the next.
                tokio::select! {
                    biased;
                    sent = self.place.unless_left(&address, sending) => sent?,
                    _ = left.wait_for(|left| *left) => {
                        return Err(Error::new(ErrorKind::Remote, "redis: the connection was given up"));
                    }
                }
            }
        };
        match sent {
            Ok(values) => {
                if self.examine(pipeline, &values) {
                    drop(doubt);
                } else {
                    doubt.settle();
                }
                Ok(Attempt::Answered(values))
            }
            Err(cause) if is_lost(&cause) => Err(failed("lost", &cause)),
            Err(cause) => {
                doubt.settle();
                Err(failed("refused the batch", &cause))
            }
        }
    }

    /// Looks for what the replies say about the server; whether its connection must be given up, because it is a replica:
    /// the master is elsewhere, and a name may lead there by now.
    fn examine(&self, pipeline: &Pipeline, values: &[Value]) -> bool {
        let symptoms = examine(pipeline, values, &self.warnings);
        let Some(option) = self.option else {
            return false;
        };
        if symptoms.redirects {
            self.warnings.raise(wrong_server(
                option,
                format!("The server that {option} leads to is a node of a Cluster"),
                "the keys of the other nodes",
                "its own keys, and memory",
                "redis.cluster with this address",
            ));
        }
        if !symptoms.read_only {
            return false;
        }
        self.warnings.raise(wrong_server(
            READ_ONLY,
            format!("The server that {option} leads to is a replica, which takes no writes"),
            "every change that is made here",
            "reads, and what is held in memory",
            "the address of the master",
        ));
        if self.shared.demoted.swap(true, Ordering::SeqCst) {
            return false;
        }
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            tokio::time::sleep(DEMOTION).await;
            shared.demoted.store(false, Ordering::SeqCst);
        });
        true
    }

    /// The others wait for this attempt instead of making their own.
    async fn connection(&self, mut turn: Turn) -> Result<(Open, Turn)> {
        if let Some(open) = &*turn
            && self.shared.connections.load(Ordering::SeqCst) == open.number
            && self.place.is_at(open.address.as_ref())
        {
            return Ok((open.clone(), turn));
        }
        if let Some(before) = turn.take() {
            before.left.send_replace(true);
            self.shared.given_up.lock().extend(before.identity);
        }
        let node = self.clone();
        // A task of its own: the attempt outlives the deadline of the caller who began it, else a server that takes longer
        // than that to connect to would never be connected.
        let attempt = tokio::spawn(async move { node.connect(turn).await });
        attempt
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Closed, "the runtime has ended")))
    }

    async fn connect(&self, mut turn: Turn) -> Result<(Open, Turn)> {
        let watch = self.watch.get();
        let wish = Wish::new(&self.config, watch);
        let connected = self.place.connect(&wish, &self.warnings).await;
        self.shared.connected.store(connected.is_ok(), Ordering::Relaxed);
        self.shared.unreachable.store(connected.is_err(), Ordering::Relaxed);
        let (address, mut connection, pushes) = connected?;
        let greeting = self.greet(&mut connection, watch.filter(|_| pushes)).await?;
        self.shared.transacts.store(greeting.transacts, Ordering::Relaxed);
        if let Some(watch) = watch {
            let before = self.shared.tracked.swap(true, Ordering::SeqCst);
            wish.tells.store(greeting.tracks, Ordering::SeqCst);
            (watch.told)(if greeting.tracks {
                Push::Began {
                    // The keys of a node of a Cluster may have been another's before.
                    again: before || self.option.is_none(),
                    tells_own: !greeting.transacts || self.option.is_none(),
                }
            } else {
                Push::Refused
            });
        }
        if self.shared.had_connection.swap(true, Ordering::SeqCst) {
            self.shared.successions.fetch_add(1, Ordering::SeqCst);
        }
        let left = Arc::new(watch::Sender::new(false));
        *self.shared.left.lock() = Some(Arc::clone(&left));
        let open = Open {
            number: self.shared.connections.fetch_add(1, Ordering::SeqCst) + 1,
            address,
            connection,
            identity: greeting.identity,
            left,
        };
        *turn = Some(open.clone());
        Ok((open, turn))
    }

    async fn greet(&self, connection: &mut MultiplexedConnection, watch: Option<&Arc<Watch>>) -> Result<Greeting> {
        let given_up = self.shared.given_up.lock().clone();
        let greeting = greet(connection, watch.map(|watch| &**watch), &given_up, &self.warnings);
        let greeting = match tokio::time::timeout(self.connect_timeout, greeting).await {
            Ok(greeting) => greeting?,
            Err(_) => {
                return Err(Error::new(
                    ErrorKind::Remote,
                    "redis: no answer on a new connection in time",
                ));
            }
        };
        // What the server refuses to close it will refuse the next time, too.
        self.shared
            .given_up
            .lock()
            .retain(|identity| !given_up.contains(identity));
        Ok(greeting)
    }

    /// A connection of its own that listens to a channel. Ends when the connection does, when it is silent to a ping, or
    /// when the server's place is another.
    pub async fn listen(
        &self,
        channel: &str,
        heard: impl FnMut(Option<Vec<u8>>) -> bool,
        ping_every: Duration,
    ) -> Result<()> {
        let (address, client) = self.place.client().await?;
        let listening = self.listen_to(client, channel, heard, ping_every);
        self.place.unless_left(&address, listening).await?
    }

    async fn listen_to(
        &self,
        client: Client,
        channel: &str,
        mut heard: impl FnMut(Option<Vec<u8>>) -> bool,
        ping_every: Duration,
    ) -> Result<()> {
        let connecting = async {
            let mut pubsub = client.get_async_pubsub().await?;
            pubsub.subscribe(channel).await?;
            redis::RedisResult::Ok(pubsub)
        };
        let pubsub = match tokio::time::timeout(self.connect_timeout, connecting).await {
            Ok(connected) => connected.map_err(|cause| {
                if let Some(warning) = refusal("subscribe", &cause) {
                    self.warnings.raise(warning);
                }
                failed("unreachable", &cause)
            })?,
            Err(_) => {
                return Err(Error::new(
                    ErrorKind::Remote,
                    "redis did not accept the subscription in time",
                ));
            }
        };
        self.warnings.clear("subscribe");
        let (mut sink, mut messages) = pubsub.split();
        if !heard(None) {
            return Ok(());
        }
        let mut ping = tokio::time::interval(ping_every);
        loop {
            tokio::select! {
                message = messages.next() => match message {
                    Some(message) if heard(Some(message.get_payload_bytes().to_vec())) => {}
                    Some(_) => return Ok(()),
                    None => return Err(Error::new(ErrorKind::Remote, "redis closed the subscription")),
                },
                _ = ping.tick() => {
                    // Messages wait in the client's queue meanwhile; a silent connection is given up after one period.
                    match tokio::time::timeout(ping_every, sink.ping::<Value>()).await {
                        Ok(Ok(_)) => {}
                        _ => return Err(Error::new(ErrorKind::Remote, "the subscription is silent")),
                    }
                }
            }
        }
    }
}

/// The right to connect and to send, and the connection.
type Turn = OwnedMutexGuard<Option<Open>>;

enum Attempt {
    Answered(Vec<Value>),
    Unsent(Turn, RedisError),
}

fn is_lost(cause: &RedisError) -> bool {
    cause.is_unrecoverable_error() || cause.is_io_error() || cause.is_timeout()
}

struct Doubt<'a> {
    shared: &'a Shared,
    number: u64,
    settled: bool,
}

impl Doubt<'_> {
    fn settle(mut self) {
        self.settled = true;
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if !self.settled {
            // The next user connects anew, unless somebody already did.
            let newest = self
                .shared
                .connections
                .compare_exchange(self.number, self.number + 1, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok();
            if newest {
                self.shared.give_up();
            }
            self.shared.connected.store(false, Ordering::Relaxed);
        }
    }
}

impl Shared {
    /// Who waits for an answer on the newest connection gets none.
    fn give_up(&self) {
        if let Some(left) = &*self.left.lock() {
            left.send_replace(true);
        }
    }
}

fn wrong_server(about: &str, what: String, lost: &str, holds: &str, expected: &str) -> Warning {
    Warning {
        kind: WarningKind::Topology,
        about: about.to_owned(),
        message: format!("{what}. Lost: {lost}. What still holds: {holds}."),
        expected: expected.to_owned(),
    }
}

/// The failure of a connection or of a whole pipeline.
pub fn failed(what: &str, cause: &RedisError) -> Error {
    Error::new(ErrorKind::Remote, format!("redis: {what}")).with("cause", cause)
}
