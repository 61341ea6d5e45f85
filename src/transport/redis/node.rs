//! One server: a connection that is made when it is needed, shared by everybody, and thrown away when it fails.

use crate::error::{Error, ErrorKind, Result};
use crate::options::RedisOptions;
use futures_util::StreamExt;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisError, Value};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Commands that may wait in the client before a sender has to.
const BUFFER: usize = 1_024;

/// One server. Cloning shares the connection.
#[derive(Clone)]
pub struct Node {
    client: Client,
    config: AsyncConnectionConfig,
    connect_timeout: Duration,
    shared: Arc<Shared>,
}

/// The connection with its number; another number than the newest one is that of a connection that failed.
type Slot = Option<(u64, MultiplexedConnection)>;

#[derive(Default)]
struct Shared {
    connection: Arc<Mutex<Slot>>,
    connected: AtomicBool,
    connections: std::sync::atomic::AtomicU64,
}

impl Node {
    /// Checks the address; connects later.
    pub fn new(options: &RedisOptions) -> Result<Self> {
        install_crypto();
        let client = Client::open(options.url.as_str()).map_err(|cause| {
            // The cause may repeat the address, and the address may hold a password: it stays out of the message.
            let expected = "redis://[user:password@]host[:port][/db] or rediss://…";
            Error::new(
                ErrorKind::Option,
                format!("redis.url cannot be parsed ({:?}): expected {expected}", cause.kind()),
            )
            .with("option", "redis.url")
            .with("expected", expected)
        })?;
        let connect_timeout = Duration::from_millis(options.connect_timeout);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(connect_timeout))
            // Deadlines are the business of the tier's guard: it sees the whole batch.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(BUFFER);
        Ok(Self {
            client,
            config,
            connect_timeout,
            shared: Arc::default(),
        })
    }

    /// Whether the last thing that was heard of the server is good.
    pub fn is_connected(&self) -> bool {
        self.shared.connected.load(Ordering::Relaxed)
    }

    /// The next user connects anew.
    pub fn distrust(&self) {
        self.shared.connections.fetch_add(1, Ordering::SeqCst);
    }

    /// Executes the pipeline: one value for each command, errors of single commands among them. A connection that had
    /// ended before anything was sent is replaced, once.
    pub async fn send(&self, pipeline: &Pipeline, count: usize) -> Result<Vec<Value>> {
        match self.attempt(pipeline, count).await? {
            Attempt::Answered(values) => Ok(values),
            Attempt::Unsent(_) => match self.attempt(pipeline, count).await? {
                Attempt::Answered(values) => Ok(values),
                Attempt::Unsent(cause) => Err(failed("lost", &cause)),
            },
        }
    }

    async fn attempt(&self, pipeline: &Pipeline, count: usize) -> Result<Attempt> {
        let (number, mut connection) = self.connection().await?;
        // A caller that stops waiting (its deadline) leaves the connection in doubt: replies may never come.
        let doubt = Doubt {
            shared: &self.shared,
            number,
            settled: false,
        };
        let mut sending = pin!(connection.send_packed_commands(pipeline, 0, count));
        // Whoever is told at the first poll that the connection is gone has sent nothing: the client's task, which does the
        // sending, ended before. (The order of batches stays: none behind this one was polled meanwhile.)
        let sent = match poll_fn(|context| Poll::Ready(sending.as_mut().poll(context))).await {
            Poll::Ready(Err(cause)) if is_lost(&cause) => return Ok(Attempt::Unsent(cause)),
            Poll::Ready(sent) => sent,
            Poll::Pending => sending.await,
        };
        match sent {
            Ok(values) => {
                doubt.settle();
                Ok(Attempt::Answered(values))
            }
            Err(cause) if is_lost(&cause) => Err(failed("lost", &cause)),
            Err(cause) => {
                doubt.settle();
                Err(failed("refused the batch", &cause))
            }
        }
    }

    async fn connection(&self) -> Result<(u64, MultiplexedConnection)> {
        // Held while connecting: the others wait for this attempt instead of making their own. Fair, so order is kept.
        let mut slot = Arc::clone(&self.shared.connection).lock_owned().await;
        if let Some((number, connection)) = &*slot
            && self.shared.connections.load(Ordering::SeqCst) == *number
        {
            return Ok((*number, connection.clone()));
        }
        *slot = None;
        let node = self.clone();
        // A task of its own: the attempt outlives the deadline of the caller who began it, else a server that takes longer
        // than that to connect to would never be connected.
        let attempt = tokio::spawn(async move { node.connect(slot).await });
        attempt
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Closed, "the runtime has ended")))
    }

    async fn connect(&self, mut slot: OwnedMutexGuard<Slot>) -> Result<(u64, MultiplexedConnection)> {
        let connection = self
            .client
            .get_multiplexed_async_connection_with_config(&self.config)
            .await
            .map_err(|cause| {
                self.shared.connected.store(false, Ordering::Relaxed);
                failed("unreachable", &cause)
            })?;
        self.shared.connected.store(true, Ordering::Relaxed);
        let number = self.shared.connections.fetch_add(1, Ordering::SeqCst) + 1;
        *slot = Some((number, connection.clone()));
        Ok((number, connection))
    }

    /// A connection of its own that listens to a channel. Ends when the connection does, or is silent to a ping.
    pub async fn listen(
        &self,
        channel: &str,
        mut heard: impl FnMut(Option<Vec<u8>>) -> bool,
        ping_every: Duration,
    ) -> Result<()> {
        let connecting = async {
            let mut pubsub = self.client.get_async_pubsub().await?;
            pubsub.subscribe(channel).await?;
            redis::RedisResult::Ok(pubsub)
        };
        let pubsub = match tokio::time::timeout(self.connect_timeout, connecting).await {
            Ok(connected) => connected.map_err(|cause| failed("unreachable", &cause))?,
            Err(_) => {
                return Err(Error::new(
                    ErrorKind::Remote,
                    "redis did not accept the subscription in time",
                ));
            }
        };
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

enum Attempt {
    Answered(Vec<Value>),
    Unsent(RedisError),
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
            let _ = self.shared.connections.compare_exchange(
                self.number,
                self.number + 1,
                Ordering::SeqCst,
                Ordering::SeqCst,
            );
            self.shared.connected.store(false, Ordering::Relaxed);
        }
    }
}

fn failed(what: &str, cause: &RedisError) -> Error {
    Error::new(ErrorKind::Remote, format!("redis: {what}")).with("cause", cause)
}

/// rustls brings no cryptography of its own. A provider that the application has installed is kept.
fn install_crypto() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
