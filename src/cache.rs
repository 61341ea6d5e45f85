//! The public handle for Rust: typed values over an engine's namespace.

mod ahead;
mod bulkhead;
mod caller;
mod context;
mod freshness;
mod held;
mod load;
mod lock;
mod recursion;
mod spawned;

pub use context::LoadContext;
pub use freshness::{LoadOptions, WriteOptions};
pub use load::LoadError;
pub use lock::{Lock, LockOptions};

use crate::builder::CacheBuilder;
use crate::codec::serializer::Serializer;
use crate::engine::{Engine, Found, Progress, Space, TagOptions, Write};
use crate::entry::Lifetime;
use crate::error::{Error, ErrorKind, Result};
use crate::key;
use crate::options::{BulkheadOptions, Freshness};
use ahead::Claims;
use bulkhead::Bulkhead;
use freshness::{lives_of, memory_ttl_of};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

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
    freshness: Arc<Freshness>,
    bulkhead: Option<Arc<Bulkhead>>,
    /// The reloads ahead of time that were begun, by this handle and by all that came from the same builder.
    claims: Arc<Claims>,
}

impl Cache {
    /// Starts with the defaults.
    pub fn builder() -> CacheBuilder {
        CacheBuilder::default()
    }

    pub(crate) fn new(
        space: &Space,
        serializer: Serializer,
        freshness: Freshness,
        bulkhead: Option<BulkheadOptions>,
    ) -> Self {
        Self {
            space: space.with_memory_ttl(memory_ttl_of(&freshness)),
            serializer,
            freshness: Arc::new(freshness),
            bulkhead: bulkhead.map(|limits| Arc::new(Bulkhead::new(limits))),
            claims: Arc::default(),
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
        let space = Space::open(self.space.engine(), &path, self.space.serializer());
        Self {
            space: space.with_memory_ttl(memory_ttl_of(&self.freshness)),
            ..self.clone()
        }
    }

    /// The fresh value, or `None`. A tier that fails is a miss.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.space.check_key(key)?;
        if let Some(value) = self.peek(key) {
            return Ok(Some(value));
        }
        Ok(self.fetch(&[key]).await?.pop().flatten())
    }

    /// The fresh value of the memory tier, without waiting.
    pub fn peek<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let found = self.space.peek(key).found.filter(|found| !found.is_stale())?;
        self.serializer.decode(&found.entry.payload).ok()
    }

    /// The values of many keys, in their order, in one round trip.
    pub async fn get_many<T: DeserializeOwned>(&self, keys: &[&str]) -> Result<Vec<Option<T>>> {
        keys.iter().try_for_each(|key| self.space.check_key(key))?;
        let mut values: Vec<Option<T>> = keys.iter().map(|key| self.peek(key)).collect();
        let missing: Vec<usize> = (0..keys.len()).filter(|index| values[*index].is_none()).collect();
        let names: Vec<&str> = missing.iter().map(|index| keys[*index]).collect();
        for (index, value) in missing.into_iter().zip(self.fetch(&names).await?) {
            values[index] = value;
        }
        Ok(values)
    }

    /// The values of what is not held here.
    async fn fetch<T: DeserializeOwned>(&self, keys: &[&str]) -> Result<Vec<Option<T>>> {
        let mut values: Vec<Option<T>> = keys.iter().map(|_| None).collect();
        let (sender, mut answers) = mpsc::unbounded_channel();
        self.space
            .values(keys, Arc::new(move |index, value| drop(sender.send((index, value)))));
        for _ in keys {
            let (index, value) = answers.recv().await.ok_or_else(closed)?;
            // Bytes that do not decode into `T` were stored as something else: a miss.
            values[index] = value.and_then(|value| self.serializer.decode(&value).ok());
        }
        Ok(values)
    }

    /// Whether there is a fresh value.
    pub async fn has(&self, key: &str) -> Result<bool> {
        Ok(self.read(key).await?.is_some_and(|found| !found.is_stale()))
    }

    /// Stores a value in every tier.
    pub async fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<()> {
        self.set_with(key, value, &WriteOptions::default()).await
    }

    /// Stores a value in every tier, for as long and under the tags that the options say. Errors:
    /// [`ErrorKind::Argument`] for an option that cannot be right.
    pub async fn set_with<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        options: &WriteOptions<'_>,
    ) -> Result<()> {
        let freshness = options.over(&self.freshness)?;
        let payload = self.serializer.encode(value)?;
        let lives = lives_of(&freshness, None, self.space.engine().random());
        let write = self.write_of(&payload, lives.in_remote, options.tags);
        self.write(|done| match lives.in_memory {
            None => self.space.set(key, write, done),
            memory_ttl => self.space.with_memory_ttl(memory_ttl).set(key, write, done),
        })
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

    fn write_of<'a>(&self, payload: &'a [u8], lifetime: Lifetime, tags: &'a [&'a str]) -> Write<'a> {
        Write {
            payload,
            serializer: self.serializer.id(),
            lifetime,
            tags,
        }
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the cache is closed")
}
