//! Loads in the caller's own task: the loader may borrow, and ends with its caller.

use super::bulkhead::Place;
use super::context::Choices;
use super::freshness::{lives_of, memory_ttl_of};
use super::held::{Answer, Held};
use super::recursion::Loading;
use super::{Cache, WriteOptions, closed};
use crate::clock::FOREVER;
use crate::engine::Found;
use crate::error::{Error, ErrorKind, Result};
use crate::options::Freshness;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::sync::Arc;
use tracing::{Instrument, Span};

/// Why there is no value.
#[derive(Debug, thiserror::Error)]
pub enum LoadError<E> {
    /// What the loader said.
    #[error("the loader failed: {0}")]
    Loader(#[source] E),
    /// The value could not be encoded or decoded, the key or an option cannot be right, the loader was too slow, or too many
    /// load.
    #[error(transparent)]
    Cache(#[from] Error),
}

impl<E> LoadError<E> {
    /// This value instead of a failure to load: the loader's error, its time limits, an overload. It is stored nowhere. Other
    /// errors stay, because a default would hide them: a closed cache, a wrong argument.
    ///
    /// ```
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = turbocache::Cache::builder().build()?;
    /// let load = || async { Err::<Vec<String>, _>(std::io::Error::other("no database")) };
    /// let shown = cache.get_or_load("recommended", load).await.or_else(|error| error.fallback(Vec::new()))?;
    /// assert!(shown.is_empty()); // better than an error page
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run()).unwrap();
    /// ```
    pub fn fallback<T>(self, value: T) -> Result<T, Self> {
        if self.is_of_load() { Ok(value) } else { Err(self) }
    }

    /// Whether it is a failure to load, for which an old value makes up.
    pub(super) fn is_of_load(&self) -> bool {
        match self {
            Self::Loader(_) => true,
            Self::Cache(error) => matches!(error.kind(), ErrorKind::LoaderTimeout | ErrorKind::Overloaded),
        }
    }
}

impl Cache {
    /// The value, loaded and stored on a miss. Callers of one key share one load; when it fails the next one tries, and who
    /// has an old value in its grace gets that.
    ///
    /// The loader may borrow, and lives in this call: nothing of it goes on in the background. So of the cache's defaults
    /// `swr`, `soft_timeout`, `hard_timeout`, `loader_deadline`, `eager_refresh` and `early_refresh` do not count here; see
    /// [`Cache::get_or_spawn`] for those.
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
        let freshness = options.over(&self.freshness)?;
        let loading = Loading::enter(&self.space, key)?;
        match self.ask(key, &freshness).await? {
            Answer::Value(found) => match self.decoded(&found) {
                Some(value) => Ok(value),
                // Stored as another type under the same key: the caller gets his own, and the cache keeps what it has.
                None => self.run_here(loading, None, loader).await,
            },
            Answer::Load(mut held, stale) => {
                let old = stale.and_then(|found| self.decoded(&found));
                let place = match self.place(old.is_some()).await {
                    Ok(place) => place,
                    Err(error) => return or_old(Err(error.into()), old),
                };
                held.begin();
                match self.run_here(loading, place, loader).await {
                    Ok(value) => {
                        let how = Keeping {
                            freshness: &freshness,
                            tags: options.tags,
                            choices: Choices::default(),
                        };
                        Ok(self.keep(held, value, how).await?)
                    }
                    Err(error) => {
                        held.fail(backoff(&freshness, old.is_some()));
                        or_old(Err(error), old)
                    }
                }
            }
            // Only a refresh is answered so.
            Answer::Nothing => Err(closed().into()),
        }
    }

    async fn run_here<T, E, F, Fut>(
        &self,
        loading: Arc<Loading>,
        place: Option<Place>,
        loader: F,
    ) -> Result<T, LoadError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let loaded = loading.run(async { loader().await }).instrument(self.span()).await;
        drop(place);
        loaded.map_err(LoadError::Loader)
    }

    /// Around every loader. It names the namespace, not the key: keys may name people.
    pub(super) fn span(&self) -> Span {
        tracing::debug_span!("turbocache.load", namespace = self.space.full_path())
    }

    /// The core question.
    pub(super) async fn ask(&self, key: &str, freshness: &Freshness) -> Result<Answer> {
        let patience = freshness.lock_timeout.unwrap_or(FOREVER);
        let space = self.space.with_memory_ttl(memory_ttl_of(freshness));
        Answer::to(&space, |done| space.lookup_within(key, patience, done)).await
    }

    pub(super) fn decoded<T: DeserializeOwned>(&self, found: &Found) -> Option<T> {
        self.serializer.decode(&found.entry.payload).ok()
    }

    /// A place for a loader: at once or not at all for who has something to serve instead, or in the row. Errors:
    /// [`ErrorKind::Overloaded`].
    pub(super) async fn place(&self, at_once: bool) -> Result<Option<Place>> {
        let Some(bulkhead) = &self.bulkhead else {
            return Ok(None);
        };
        let place = match at_once {
            true => bulkhead.try_enter(),
            false => bulkhead.enter().await,
        };
        if place.is_err() {
            self.space.engine().counters().loads_shed.add();
        }
        place.map(Some)
    }

    /// Stores what a loader brought, and gives its decoded form: the first call gives what every later one gives (law 7).
    pub(super) async fn keep<T>(&self, held: Held, value: T, how: Keeping<'_>) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        let Keeping {
            freshness,
            tags,
            choices,
        } = how;
        let own: Option<Vec<&str>> = choices
            .tags
            .as_ref()
            .map(|tags| tags.iter().map(String::as_str).collect());
        let tags = own.as_deref().unwrap_or(tags);
        let lives = lives_of(freshness, choices.ttl, self.space.engine().random());
        if choices.unchanged && !choices.skip {
            held.renew(lives, tags).await?;
            return Ok(value);
        }
        let payload = self.serializer.encode(&value)?;
        drop(value);
        if choices.skip {
            held.skip();
        } else {
            held.fill(self.write_of(&payload, lives.in_remote, tags), lives).await?;
        }
        self.serializer.decode(&payload)
    }
}

/// How a loaded value is kept.
pub struct Keeping<'a> {
    pub freshness: &'a Freshness,
    pub tags: &'a [&'a str],
    pub choices: Choices,
}

/// An old value makes up for a failure to load.
pub fn or_old<T, E>(loaded: Result<T, LoadError<E>>, old: Option<T>) -> Result<T, LoadError<E>> {
    match (loaded, old) {
        (Err(error), Some(old)) if error.is_of_load() => Ok(old),
        (loaded, _) => loaded,
    }
}

/// How long nobody tries again after a failure.
pub fn backoff(freshness: &Freshness, has_stale: bool) -> u64 {
    if has_stale { freshness.grace_backoff } else { 0 }
}
