//! The public handle for Rust: typed values over an engine's namespace.

mod lock;

pub use lock::{Lock, LockOptions};

use crate::builder::CacheBuilder;
use crate::clock::millis;
use crate::codec::serializer::Serializer;
use crate::engine::{Engine, FillOutcome, Found, LeaseId, Lookup, Progress, Space, TagOptions, Write};
use crate::entry::Lifetime;
use crate::error::{Error, ErrorKind, Result};
use crate::key;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tracing::Instrument;

/// A cache of one namespace. Cloning is cheap and shares everything.
///
/// ```
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use turbocache::Cache;
///
/// let cache = Cache::builder().namespace("shop").ttl(std::time::Duration::from_secs(60)).build()?;
/// let price: u32 = cache.get_or_load("price:7", || async { Ok::<_, std::io::Error>(1299) }).await?;
/// assert_eq!(price, 1299);
/// assert_eq!(cache.get::<u32>("price:7").await?, Some(1299));
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(run()).unwrap();
/// ```
#[derive(Clone)]
pub struct Cache {
    space: Space,
    serializer: Serializer,
    lifetime: Lifetime,
    lock_timeout: u64,
}

/// How one value is stored; what is `None` is the cache's default.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions<'a> {
    /// Time it is fresh.
    pub ttl: Option<Duration>,
    /// Time after that in which it may still be served.
    pub grace: Option<Duration>,
    /// Labels by which it can be dropped.
    pub tags: &'a [&'a str],
}

/// Why there is no value.
#[derive(Debug, thiserror::Error)]
pub enum LoadError<E> {
    /// What the loader said.
    #[error("the loader failed: {0}")]
    Loader(#[source] E),
    /// The value could not be encoded or decoded, or the key cannot be.
    #[error(transparent)]
    Cache(#[from] Error),
}

impl Cache {
    /// Starts with the defaults.
    pub fn builder() -> CacheBuilder {
        CacheBuilder::default()
    }

    pub(crate) fn new(space: Space, serializer: Serializer, lifetime: Lifetime, lock_timeout: u64) -> Self {
        Self {
            space,
            serializer,
            lifetime,
            lock_timeout,
        }
    }

    /// The engine below: counters, generations, state of the remote tier.
    pub fn engine(&self) -> &Arc<Engine> {
        self.space.engine()
    }

    /// A nested namespace: clearing this one clears it too.
    pub fn nested(&self, name: &str) -> Cache {
        let root = self.space.engine().root_path();
        let below = self
            .space
            .full_path()
            .strip_prefix(root)
            .unwrap_or_default()
            .trim_start_matches('/');
        let path = match below {
            "" => key::escape_level(name),
            below => format!("{below}/{}", key::escape_level(name)),
        };
        Self {
            space: Space::open(self.space.engine(), &path, self.space.serializer()),
            ..self.clone()
        }
    }

    /// The fresh value, or `None`. A tier that fails is a miss.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.space.check_key(key)?;
        if let Some(value) = self.peek(key) {
            return Ok(Some(value));
        }
        let (sender, answer) = oneshot::channel();
        self.space.value(key, Box::new(move |value| drop(sender.send(value))));
        let value = answer.await.map_err(|_| closed())?;
        // Bytes that do not decode into `T` were stored as something else: a miss.
        Ok(value.and_then(|value| self.serializer.decode(&value).ok()))
    }

    /// The fresh value of the memory tier, without waiting.
    pub fn peek<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let found = self.space.peek(key).found.filter(|found| !found.is_stale())?;
        self.serializer.decode(&found.entry.payload).ok()
    }

    /// The values of many keys, in their order, in one round trip.
    pub async fn get_many<T: DeserializeOwned>(&self, keys: &[&str]) -> Result<Vec<Option<T>>> {
        // Reads are queued in the same poll, so they leave as one batch.
        futures_util::future::join_all(keys.iter().map(|key| self.get(key)))
            .await
            .into_iter()
            .collect()
    }

    /// Whether there is a fresh value.
    pub async fn has(&self, key: &str) -> Result<bool> {
        Ok(self.read(key).await?.is_some_and(|found| !found.is_stale()))
    }

    /// Stores a value in every tier.
    pub async fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<()> {
        self.set_with(key, value, &WriteOptions::default()).await
    }

    /// Stores a value in every tier, for as long and under the tags that the options say.
    pub async fn set_with<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        options: &WriteOptions<'_>,
    ) -> Result<()> {
        let payload = self.serializer.encode(value)?;
        self.write(|done| self.space.set(key, self.write_of(&payload, options), done))
            .await
            .map(drop)
    }

    /// Stores many values in one round trip.
    pub async fn set_many<T: Serialize>(&self, entries: &[(&str, T)]) -> Result<()> {
        let writes = entries.iter().map(|(key, value)| self.set(key, value));
        futures_util::future::join_all(writes).await.into_iter().collect()
    }

    /// Removes a key from every tier; whether there was something.
    pub async fn delete(&self, key: &str) -> Result<bool> {
        self.write(|done| self.space.delete(key, done)).await
    }

    /// Removes many keys in one round trip; the number that there were.
    pub async fn delete_many(&self, keys: &[&str]) -> Result<usize> {
        let deletes = futures_util::future::join_all(keys.iter().map(|key| self.delete(key))).await;
        deletes
            .into_iter()
            .try_fold(0, |count, there| Ok(count + usize::from(there?)))
    }

    /// Makes a value stale at once: gone without a grace. Whether there was one.
    pub async fn expire(&self, key: &str) -> Result<bool> {
        self.write(|done| self.space.expire(key, done)).await
    }

    /// Drops every entry of this namespace and of those nested in it, without scanning.
    pub async fn clear(&self) -> Result<()> {
        self.write(|done| self.space.clear(done)).await.map(drop)
    }

    /// Makes every entry of this namespace and of those nested in it stale: gone without a grace.
    pub async fn clear_softly(&self) -> Result<()> {
        self.write(|done| self.space.clear_softly(done)).await.map(drop)
    }

    /// Removes every key of this namespace that matches a [`Pattern`](crate::pattern::Pattern), not those of nested ones;
    /// how many there were remotely, or in memory without a remote tier. Walks over all keys of the store.
    ///
    /// A key that is written meanwhile may go or stay. A load that began before stores nothing.
    pub async fn delete_pattern(&self, pattern: &str) -> Result<u64> {
        self.delete_pattern_with(pattern, |_| ()).await
    }

    /// [`Cache::delete_pattern`]; `progress` is called after each step.
    pub async fn delete_pattern_with(
        &self,
        pattern: &str,
        progress: impl FnMut(Progress) + Send + 'static,
    ) -> Result<u64> {
        let (sender, answer) = oneshot::channel();
        let done = Box::new(move |count| drop(sender.send(count)));
        self.space.delete_pattern(pattern, None, Some(Box::new(progress)), done);
        match answer.await.map_err(|_| closed())? {
            Err(error) if error.kind() == ErrorKind::Remote => Ok(0),
            count => count,
        }
    }

    /// Drops every entry that carries one of the tags.
    pub async fn invalidate_tags(&self, tags: &[&str]) -> Result<()> {
        self.write(|done| self.space.invalidate_tags(tags, done))
            .await
            .map(drop)
    }

    /// Drops entries by their tags, or makes them stale.
    pub async fn invalidate_tags_with(&self, tags: &[&str], options: TagOptions) -> Result<()> {
        self.write(|done| self.space.invalidate_tags_with(tags, options, done))
            .await
            .map(drop)
    }

    /// The value, loaded and stored on a miss. Callers of one key share one load; when it fails the next one tries.
    pub async fn get_or_load<T, E, F, Fut>(&self, key: &str, loader: F) -> Result<T, LoadError<E>>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.get_or_load_with(key, &WriteOptions::default(), loader).await
    }

    /// [`Cache::get_or_load`], stored for as long and under the tags that the options say.
    pub async fn get_or_load_with<T, E, F, Fut>(
        &self,
        key: &str,
        options: &WriteOptions<'_>,
        loader: F,
    ) -> Result<T, LoadError<E>>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.space.check_key(key)?;
        if let Some(value) = self.peek(key) {
            return Ok(value);
        }
        let loading = Loading::enter(&self.space, key)?;
        let (sender, answer) = oneshot::channel();
        let space = self.space.clone();
        // A caller who has gone never takes his answer out: dropping it hands its lease to the next.
        let done = move |lookup| drop(sender.send(Answer::new(space, lookup)));
        self.space.lookup_within(key, self.lock_timeout, Box::new(done));
        let loader = || LOADING.scope(Arc::new(loading), loader());
        match answer.await.map_err(|_| closed())? {
            Answer::Value(found) => match self.serializer.decode(&found.entry.payload) {
                Ok(value) => Ok(value),
                // Stored as another type under the same key: the caller gets his own, and the cache keeps what it has.
                Err(_) => loader().await.map_err(LoadError::Loader),
            },
            Answer::Load(held, stale) => match (self.load(held, options, loader).await, stale) {
                (Err(LoadError::Loader(error)), Some(stale)) => self
                    .serializer
                    .decode(&stale.entry.payload)
                    .map_err(|_| LoadError::Loader(error)),
                (loaded, _) => loaded,
            },
            // Only a refresh is answered so.
            Answer::Nothing => Err(closed().into()),
        }
    }

    async fn load<T, E, F, Fut>(&self, mut held: Held, options: &WriteOptions<'_>, loader: F) -> Result<T, LoadError<E>>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        held.begun = true;
        // The namespace, not the key: keys may name people.
        let span = tracing::debug_span!("turbocache.load", namespace = self.space.full_path());
        let value = loader().instrument(span).await.map_err(LoadError::Loader)?;
        let payload = self.serializer.encode(&value)?;
        drop(value);
        held.fill(self.write_of(&payload, options)).await?;
        // The decoded form of what was stored: the first call gives what every later one gives (law 7).
        Ok(self.serializer.decode(&payload)?)
    }

    /// Waits until every write made so far has reached the remote tier, and ends the engine's own tasks.
    pub async fn close(&self) {
        self.space.engine().end_locks();
        self.space.engine().idle().await;
        self.space.engine().close();
    }

    async fn read(&self, key: &str) -> Result<Option<Found>> {
        self.space.check_key(key)?;
        let (sender, answer) = oneshot::channel();
        self.space.read(key, Box::new(move |found| drop(sender.send(found))));
        answer.await.map_err(|_| closed())
    }

    async fn write(&self, begin: impl FnOnce(Box<dyn FnOnce(Result<bool>) + Send>)) -> Result<bool> {
        let (sender, answer) = oneshot::channel();
        begin(Box::new(move |result| drop(sender.send(result))));
        match answer.await.map_err(|_| closed())? {
            // A remote tier that fails is not the caller's failure; it is counted and logged.
            Err(error) if error.kind() == ErrorKind::Remote => Ok(false),
            result => result,
        }
    }

    fn write_of<'a>(&self, payload: &'a [u8], options: &WriteOptions<'a>) -> Write<'a> {
        let ttl = options.ttl.map_or(self.lifetime.ttl, millis);
        let grace = options.grace.map_or(self.lifetime.grace, millis);
        Write {
            payload,
            serializer: self.serializer.id(),
            lifetime: Lifetime { ttl, grace },
            tags: options.tags,
        }
    }
}

/// The answer of a lookup on its way to a caller who may have gone.
enum Answer {
    Value(Found),
    Load(Held, Option<Found>),
    Nothing,
}

impl Answer {
    fn new(space: Space, lookup: Lookup) -> Self {
        match lookup {
            Lookup::Hit(found) | Lookup::Stale(found, None) => Self::Value(found),
            Lookup::Stale(found, Some((lease, _))) => Self::Load(Held::new(space, lease), Some(found)),
            Lookup::Load(lease, _) => Self::Load(Held::new(space, lease), None),
            Lookup::Nothing => Self::Nothing,
        }
    }
}

/// A lease in Rust hands: whatever happens to the caller or his loader, it is answered.
struct Held {
    space: Space,
    lease: Option<LeaseId>,
    /// The loader was called: without a value it has failed.
    begun: bool,
}

impl Held {
    fn new(space: Space, lease: LeaseId) -> Self {
        Self {
            space,
            lease: Some(lease),
            begun: false,
        }
    }

    async fn fill(mut self, write: Write<'_>) -> Result<FillOutcome> {
        let Some(lease) = self.lease.take() else {
            return Err(closed());
        };
        let (sender, answer) = oneshot::channel();
        self.space
            .fill(lease, write, Box::new(move |outcome| drop(sender.send(outcome))));
        answer.await.map_err(|_| closed())?
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.space.release(lease, self.begun);
        }
    }
}

tokio::task_local! {
    /// What the loader that runs in this task loads.
    static LOADING: Arc<Loading>;
}

/// A key being loaded, and the loads inside whose loaders that happens.
struct Loading {
    engine: usize,
    path: Box<str>,
    key: Box<str>,
    outer: Option<Arc<Loading>>,
}

impl Loading {
    /// Refuses a key whose own loader asks for it: it would wait for itself (law 6).
    fn enter(space: &Space, key: &str) -> Result<Self> {
        let outer = LOADING.try_with(Arc::clone).ok();
        let loading = Self {
            engine: Arc::as_ptr(space.engine()).addr(),
            path: space.full_path().into(),
            key: key.into(),
            outer,
        };
        let mut above = loading.outer.as_deref();
        while let Some(load) = above {
            if load.engine == loading.engine && load.path == loading.path && load.key == loading.key {
                let message = "the loader asks for the key that it loads: it would wait for itself";
                return Err(Error::new(ErrorKind::Argument, message).with("key", key));
            }
            above = load.outer.as_deref();
        }
        Ok(loading)
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the cache is closed")
}
