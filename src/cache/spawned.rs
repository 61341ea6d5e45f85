//! Loads in a task of their own: they answer a caller when his time is over, and go on without him.
//!
//! asking → leading → storing. Every ending answers the caller, if he still waits, and the lease.

use super::ahead::is_due;
use super::caller::Caller;
use super::context::LoadContext;
use super::freshness::memory_ttl_of;
use super::held::{Answer, Held};
use super::load::{Keeping, LoadError, backoff, or_old};
use super::recursion::Loading;
use super::{Cache, LoadOptions, closed};
use crate::clock::FOREVER;
use crate::engine::Found;
use crate::error::{Error, ErrorKind, Result};
use crate::key::RemoteKey;
use crate::options::Freshness;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tracing::Instrument;

impl Cache {
    /// The value, loaded and stored on a miss, by a loader that runs in a task of its own: so it can go on when its caller
    /// was served something else, or has gone. All of [`LoadOptions`] counts.
    ///
    /// A fresh value is served from memory, else from the remote tier, else loaded; callers of one key share one load, here
    /// and in other processes. The loader is told what it loads for, and may say how its value is kept: [`LoadContext`]. It
    /// runs on the cache's runtime, as do its timers.
    ///
    /// Errors: [`LoadError::Loader`] is the loader's own, if there is no old value. [`LoadError::Cache`] is of kind
    /// [`LoaderTimeout`](ErrorKind::LoaderTimeout) after `hard_timeout` or `loader_deadline` without an old value,
    /// [`Overloaded`](ErrorKind::Overloaded) when the bulkhead and its row are full, [`Closed`](ErrorKind::Closed) when the
    /// cache is closed, [`Argument`](ErrorKind::Argument) for a wrong option or a loader that asks for its own key. A loader
    /// that panics does so in its caller, if he still waits.
    ///
    /// ```
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = turbocache::Cache::builder().build()?;
    /// use std::time::Duration;
    /// use turbocache::{LoadContext, LoadOptions, WriteOptions};
    ///
    /// let options = LoadOptions {
    ///     write: WriteOptions { grace: Some(Duration::from_secs(3_600)), ..WriteOptions::default() },
    ///     soft_timeout: Some(Duration::from_millis(100)), // with an old value: wait 100 ms, then take the old one
    ///     hard_timeout: Some(Duration::from_secs(2)),     // without one: an error after 2 s
    ///     eager_refresh: Some(0.8),                       // reload behind a hit when 80 % of the ttl are gone
    ///     ..LoadOptions::default()
    /// };
    /// let report = cache
    ///     .get_or_spawn("report", &options, |_: LoadContext<String>| async { Ok::<_, std::io::Error>("slow".into()) })
    ///     .await?;
    /// assert_eq!(report, "slow");
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run()).unwrap();
    /// ```
    pub async fn get_or_spawn<T, E, F, Fut>(
        &self,
        key: &str,
        options: &LoadOptions<'_>,
        loader: F,
    ) -> Result<T, LoadError<E>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: Send + 'static,
        F: FnOnce(LoadContext<T>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.space.check_key(key)?;
        let freshness = options.over(&self.freshness)?;
        if self.space.engine().is_closed() {
            return Err(closed().into());
        }
        let held_here = self.space.peek(key).found;
        let found = held_here.and_then(|found| Some((self.decoded(&found)?, found)));
        let job = |loading| Job {
            plan: Plan {
                cache: self.clone(),
                key: key.into(),
                freshness,
                tags: options.write.tags.iter().map(|tag| (*tag).into()).collect(),
            },
            loading,
            loader,
        };
        if let Some((value, found)) = found {
            if !found.is_stale() {
                if is_due(&freshness, &found, self.space.engine().random())
                    // One that is within its own load reloads nothing.
                    && let Ok(loading) = Loading::enter(&self.space, key)
                    && self.claims_reload(key, &found)
                {
                    self.spawn(job(loading).reload());
                }
                return Ok(value);
            }
            if freshness.swr {
                let loading = Loading::enter(&self.space, key)?;
                self.spawn(job(loading).load(Caller::nobody()));
                return Ok(value);
            }
        }
        let loading = Loading::enter(&self.space, key)?;
        let (caller, reply) = Caller::waiting();
        let task = self.spawn(job(loading).load(caller));
        match reply.receive().await {
            Some(outcome) => outcome,
            None => Err(broken_off(task).await.into()),
        }
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.space.engine().runtime().spawn(work.in_current_span())
    }

    /// Whether this hit starts the reload that is due; `true` once an entry.
    fn claims_reload(&self, key: &str, found: &Found) -> bool {
        self.claims.claim(RemoteKey::new(self.space.full_path(), key), found)
    }

    /// What a slow remote tier may take: a slow cache shall not look like a slow loader.
    fn remote_limit(&self) -> u64 {
        let redis = self.space.engine().options().redis.as_ref();
        redis.map_or(0, |redis| redis.command_timeout)
    }
}

/// One call's load.
struct Job<F> {
    plan: Plan,
    loading: Arc<Loading>,
    loader: F,
}

/// What is loaded, and how.
struct Plan {
    cache: Cache,
    key: Box<str>,
    freshness: Freshness,
    tags: Box<[Box<str>]>,
}

impl<F> Job<F> {
    /// Asks as one who wants the value, and loads if it is his turn.
    async fn load<T, E, Fut>(self, mut caller: Caller<T, E>)
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce(LoadContext<T>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let Plan {
            cache, key, freshness, ..
        } = &self.plan;
        // Somebody else's load may be what is waited for.
        let limit = freshness.hard_timeout.filter(|_| caller.is_unanswered());
        let answer = tokio::select! {
            answer = cache.ask(key, freshness) => answer,
            () = caller.gone() => return,
            () = passed(limit.map(|limit| limit.saturating_add(cache.remote_limit()))) => Err(too_slow("hard_timeout", limit)),
            () = cache.space.engine().closing() => Err(closed()),
        };
        match answer {
            Err(error) => caller.answer(Err(error.into())),
            Ok(Answer::Load(held, stale)) => self.lead(Some(held), stale, caller).await,
            Ok(Answer::Value(found)) => match cache.decoded(&found) {
                // Stored as another type under the same key: the caller gets his own, and the cache keeps what it has.
                None => self.lead(None, None, caller).await,
                Some(value) => {
                    caller.answer(Ok(value));
                    if is_due(freshness, &found, cache.space.engine().random()) && cache.claims_reload(key, &found) {
                        self.reload().await;
                    }
                }
            },
            // Only a refresh is answered so.
            Ok(Answer::Nothing) => {}
        }
    }

    /// Loads anew what is still fresh, unless somebody is at it.
    async fn reload<T, E, Fut>(self)
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce(LoadContext<T>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let Plan {
            cache, key, freshness, ..
        } = &self.plan;
        let space = cache.space.with_memory_ttl(memory_ttl_of(freshness));
        let answer = tokio::select! {
            answer = Answer::to(&space, |done| space.lookup_refresh(key, done)) => answer,
            () = space.engine().closing() => return,
        };
        if let Ok(Answer::Load(held, found)) = answer {
            self.lead(Some(held), found, Caller::nobody()).await;
        }
    }

    /// Loads, and gives the caller the best that there is when his time is over. Without a lease nothing is stored.
    async fn lead<T, E, Fut>(self, mut held: Option<Held>, stale: Option<Found>, mut caller: Caller<T, E>)
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce(LoadContext<T>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let Self { plan, loading, loader } = self;
        let Plan {
            cache,
            key,
            freshness,
            tags,
        } = &plan;
        let mut old = stale.as_ref().and_then(|found| cache.decoded(found));
        let has_old = old.is_some();
        let at_once = has_old || !caller.is_unanswered();
        let patience = patience(freshness, has_old);
        if has_old && patience == Some(0) {
            // Before the loader runs, so that it knows that nobody waits.
            caller.answer_with(&mut old);
        }
        let stale = stale.map(|found| found.entry.payload);
        let (context, end) = LoadContext::new(key.clone(), cache.serializer, stale, caller.wait());
        let said = context.clone();
        let brought = {
            let loader = loading.run(async move { loader(context).await });
            let mut bringing = pin!(plan.bring(&mut held, at_once, loader));
            let waits = caller.is_unanswered();
            tokio::select! {
                biased;
                brought = &mut bringing => brought,
                () = passed(patience.filter(|_| waits)) => {
                    if has_old {
                        caller.answer_with(&mut old);
                    } else {
                        caller.answer(Err(too_slow("hard_timeout", freshness.hard_timeout).into()));
                    }
                    bringing.await
                }
            }
        };
        drop(end);
        let outcome = match (brought, held) {
            (Ok(value), Some(held)) => {
                let choices = said.take_choices();
                let unchanged = choices.unchanged.then(|| said.stale()).flatten();
                let value = unchanged.unwrap_or(value);
                let tags: Vec<&str> = tags.iter().map(|tag| &**tag).collect();
                let how = Keeping {
                    freshness,
                    tags: &tags,
                    choices,
                };
                cache.keep(held, value, how).await.map_err(LoadError::Cache)
            }
            (Err(error), Some(held)) => {
                held.fail(backoff(freshness, has_old));
                or_old(Err(error), old)
            }
            (brought, None) => brought,
        };
        caller.answer(outcome);
    }
}

impl Plan {
    /// What the loader brings within its deadline, when it is its turn.
    async fn bring<T, E>(
        &self,
        held: &mut Option<Held>,
        at_once: bool,
        loader: impl Future<Output = Result<T, E>>,
    ) -> Result<T, LoadError<E>> {
        let Plan { cache, freshness, .. } = self;
        let in_turn = async {
            let _place = cache.place(at_once).await?;
            if let Some(held) = held {
                held.begin();
            }
            let deadline = freshness.loader_deadline;
            tokio::select! {
                biased;
                loaded = loader.instrument(cache.span()) => loaded.map_err(LoadError::Loader),
                () = passed(deadline) => Err(too_slow("loader_deadline", deadline).into()),
            }
        };
        tokio::select! {
            biased;
            brought = in_turn => brought,
            () = cache.space.engine().closing() => Err(closed().into()),
        }
    }
}

/// How long a caller waits once a loader may run for him.
fn patience(freshness: &Freshness, has_old: bool) -> Option<u64> {
    let soft = match freshness.swr {
        true => Some(0),
        false => freshness.soft_timeout,
    };
    let limits = [soft.filter(|_| has_old), freshness.hard_timeout];
    limits.into_iter().flatten().min()
}

/// Resolves when so many milliseconds are over; never without a limit.
async fn passed(limit: Option<u64>) {
    match limit {
        None | Some(FOREVER) => pending().await,
        Some(limit) => tokio::time::sleep(Duration::from_millis(limit)).await,
    }
}

fn too_slow(option: &'static str, limit: Option<u64>) -> Error {
    let limit = limit.unwrap_or(FOREVER);
    let message = format!(
        "the loader needed longer than {limit} ms ({option}), and there is no old value: expected a value by then"
    );
    Error::new(ErrorKind::LoaderTimeout, message).with("option", option)
}

/// Why a load ended without an answer. A loader's panic is its caller's.
async fn broken_off(task: JoinHandle<()>) -> Error {
    match task.await {
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        _ => closed(),
    }
}
