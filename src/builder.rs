//! Puts an engine together from options: which tiers, which bus, guarded how.

use crate::bus::Bus;
use crate::cache::Cache;
use crate::clock::{Clock, millis};
use crate::codec::serializer::Serializer;
use crate::engine::{Engine, Parts, Space};
use crate::error::{Error, ErrorKind, Result};
use crate::options::{
    BulkheadOptions, CompressionOptions, Eviction, Freshness, Options, RedisOptions, SentinelOptions,
};
use crate::tier::RemoteTier;
use crate::{key, runtime};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// Builds a [`Cache`]. Every setting has a default; [`Options`] says which.
#[derive(Debug, Clone, Default)]
pub struct CacheBuilder {
    options: Options,
    freshness: Freshness,
    bulkhead: Option<BulkheadOptions>,
    serializer: Serializer,
    runtime: Option<Handle>,
}

impl CacheBuilder {
    /// Isolation: first part of every key.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.options.namespace = Some(namespace.into());
        self
    }

    /// Separates deploys: another version sees none of this one's entries.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.options.version = Some(version.into());
        self
    }

    /// Upper limit of the memory tier in true bytes.
    #[must_use]
    pub fn memory_max_bytes(mut self, max_bytes: u64) -> Self {
        self.options.memory.get_or_insert_default().max_bytes = max_bytes;
        self
    }

    /// What the memory tier gives up when it is full.
    #[must_use]
    pub fn memory_eviction(mut self, eviction: Eviction) -> Self {
        self.options.memory.get_or_insert_default().eviction = eviction;
        self
    }

    /// No memory tier: every read asks the remote tier.
    #[must_use]
    pub fn without_memory(mut self) -> Self {
        self.options.memory = None;
        self
    }

    /// A Redis server as the remote tier: `redis://[user:password@]host[:port][/db]`.
    #[must_use]
    pub fn redis(mut self, url: impl Into<String>) -> Self {
        self.options.redis = Some(RedisOptions {
            url: Some(url.into()),
            ..RedisOptions::default()
        });
        self
    }

    /// A Redis Cluster as the remote tier: addresses of some of its nodes.
    #[must_use]
    pub fn redis_cluster(mut self, nodes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.options.redis = Some(RedisOptions {
            cluster: Some(nodes.into_iter().map(Into::into).collect()),
            ..RedisOptions::default()
        });
        self
    }

    /// The master that Sentinels watch as the remote tier.
    #[must_use]
    pub fn redis_sentinel(mut self, sentinel: SentinelOptions) -> Self {
        self.options.redis = Some(RedisOptions {
            sentinel: Some(sentinel),
            ..RedisOptions::default()
        });
        self
    }

    /// Redis is not asked to tell of changes by other programs. To be called behind the one that says where Redis is.
    #[must_use]
    pub fn without_tracking(mut self) -> Self {
        if let Some(redis) = &mut self.options.redis {
            redis.tracking = false;
        }
        self
    }

    /// Compression in the remote tier, `None` to switch it off.
    #[must_use]
    pub fn compression(mut self, compression: Option<CompressionOptions>) -> Self {
        self.options.compression = compression;
        self
    }

    /// Time a value is fresh; `None` = for ever. Default: 5 minutes. Zero is an error of [`CacheBuilder::build`], here and in
    /// the other ttls.
    #[must_use]
    pub fn ttl(mut self, ttl: impl Into<Option<Duration>>) -> Self {
        self.freshness.ttl = millis_of(ttl);
        self
    }

    /// Time a value is fresh in memory, instead of the ttl; [`Duration::MAX`] does not end. Default: the ttl.
    #[must_use]
    pub fn l1_ttl(mut self, ttl: impl Into<Option<Duration>>) -> Self {
        self.freshness.l1_ttl = millis_of(ttl);
        self
    }

    /// Time a value is fresh in the remote tier, instead of the ttl; [`Duration::MAX`] does not end. Default: the ttl.
    #[must_use]
    pub fn l2_ttl(mut self, ttl: impl Into<Option<Duration>>) -> Self {
        self.freshness.l2_ttl = millis_of(ttl);
        self
    }

    /// No ttl is longer, whoever decides it. Default: `None`, no limit.
    #[must_use]
    pub fn max_ttl(mut self, ttl: impl Into<Option<Duration>>) -> Self {
        self.freshness.max_ttl = millis_of(ttl);
        self
    }

    /// Upper limit of the random part by which each ttl is shortened, so that values written together do not end together.
    /// Default: zero.
    #[must_use]
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.freshness.jitter = millis(jitter);
        self
    }

    /// Time after the ttl in which an old value is served when the loader fails or is slow. Default: zero.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.freshness.grace = millis(grace);
        self
    }

    /// After a loader has failed and an old value was served: time until this process calls it again. Default: zero.
    #[must_use]
    pub fn grace_backoff(mut self, backoff: Duration) -> Self {
        self.freshness.grace_backoff = millis(backoff);
        self
    }

    /// Stale while revalidate: a value in its grace is served at once, and reloaded behind its caller. For
    /// [`Cache::get_or_spawn`], as are the four timeouts and refreshes below. Default: no.
    #[must_use]
    pub fn swr(mut self, swr: bool) -> Self {
        self.freshness.swr = swr;
        self
    }

    /// With an old value at hand, wait for the loader at most this long. Default: `None`, no limit.
    #[must_use]
    pub fn soft_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.freshness.soft_timeout = millis_of(timeout);
        self
    }

    /// Wait for the loader at most this long, in any case; then the call fails with
    /// [`ErrorKind::LoaderTimeout`]. Default: `None`, no limit.
    #[must_use]
    pub fn hard_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.freshness.hard_timeout = millis_of(timeout);
        self
    }

    /// Wait for a load of another process at most this long, then load here, for this process alone; `None` = no limit.
    /// Default: 10 seconds.
    #[must_use]
    pub fn lock_timeout(mut self, lock_timeout: impl Into<Option<Duration>>) -> Self {
        self.freshness.lock_timeout = millis_of(lock_timeout);
        self
    }

    /// A loader that needs longer is dropped, also when nobody waits for it; `None` = no limit. Default: 60 seconds.
    #[must_use]
    pub fn loader_deadline(mut self, deadline: impl Into<Option<Duration>>) -> Self {
        self.freshness.loader_deadline = millis_of(deadline);
        self
    }

    /// Fraction of the ttl after which a hit starts a reload in the background, above 0 and up to 1. Default: `None`, never.
    #[must_use]
    pub fn eager_refresh(mut self, fraction: impl Into<Option<f64>>) -> Self {
        self.freshness.eager_refresh = fraction.into();
        self
    }

    /// Beta of the probabilistic early reload (XFetch: Vattani, Chierichetti and Lowenstein, VLDB 2015): 1 is the optimum of
    /// the paper, more is earlier, 100 at most. Default: `None`, never.
    #[must_use]
    pub fn early_refresh(mut self, beta: impl Into<Option<f64>>) -> Self {
        self.freshness.early_refresh = beta.into();
        self
    }

    /// So many loaders of this cache and those nested in it run at a time, and so many loads wait; above that an old value is
    /// served, or the call fails with [`ErrorKind::Overloaded`]. Default: no limit.
    #[must_use]
    pub fn bulkhead(mut self, max_concurrent: usize, max_queued: usize) -> Self {
        self.bulkhead = Some(BulkheadOptions {
            max_concurrent,
            max_queued,
        });
        self
    }

    /// How values become bytes.
    #[must_use]
    pub fn serializer(mut self, serializer: Serializer) -> Self {
        self.serializer = serializer;
        self
    }

    /// Where the engine's tasks run. Without it: the current tokio runtime, else threads of its own.
    #[must_use]
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Checks the settings and starts the engine. Never fails because Redis is down.
    pub fn build(mut self) -> Result<Cache> {
        let runtime = match self.runtime.take().or_else(|| Handle::try_current().ok()) {
            Some(runtime) => runtime,
            None => runtime::shared()
                .map_err(|cause| Error::new(ErrorKind::Option, "no thread could be started").caused_by(cause))?,
        };
        if let (None, Some(redis)) = (&self.options.memory, &mut self.options.redis) {
            // There is nothing here that a change could make old.
            redis.tracking = false;
        }
        let parts = parts(&self.options, runtime)?;
        self.build_on(parts)
    }

    /// The same on parts of your own: tiers, bus, clock, randomness, runtime.
    pub fn build_on(self, parts: Parts) -> Result<Cache> {
        self.freshness.check(ErrorKind::Option)?;
        if self.bulkhead.is_some_and(|limits| limits.max_concurrent == 0) {
            let message = "bulkhead.max_concurrent is 0: expected 1 or more";
            return Err(Error::new(ErrorKind::Option, message).with("option", "bulkhead.max_concurrent"));
        }
        let engine = Engine::open(self.options, parts)?;
        let space = Space::open(&engine, "", self.serializer.id());
        Ok(Cache::new(&space, self.serializer, self.freshness, self.bulkhead))
    }

    /// The options so far.
    pub fn options(&self) -> &Options {
        &self.options
    }
}

fn millis_of(time: impl Into<Option<Duration>>) -> Option<u64> {
    time.into().map(millis)
}

/// The real parts that these options ask for.
pub fn parts(options: &Options, runtime: Handle) -> Result<Parts> {
    options.validate()?;
    let mut parts = Parts::local(options, runtime);
    if let Some(redis) = &options.redis {
        let root = key::root_path(options.namespace.as_deref(), options.version.as_deref())?;
        (parts.remote, parts.bus) = redis_parts(redis, &root, &parts)?;
    }
    Ok(parts)
}

#[cfg(feature = "redis")]
fn redis_parts(options: &RedisOptions, root: &str, parts: &Parts) -> Result<(Arc<dyn RemoteTier>, Arc<dyn Bus>)> {
    use crate::bus::RedisBus;
    use crate::tier::Redis;
    use crate::transport::redis::Link;
    let link = Link::new(options, &parts.warnings, &parts.runtime)?;
    let deadline = Duration::from_millis(options.command_timeout);
    let bus = RedisBus::new(link.clone(), key::channel_name(root), parts.runtime.clone());
    let tier = Redis::new(link, root, Arc::clone(&parts.random));
    Ok((guarded(tier, deadline, &parts.clock), Arc::new(bus)))
}

#[cfg(not(feature = "redis"))]
fn redis_parts(_: &RedisOptions, _: &str, _: &Parts) -> Result<(Arc<dyn RemoteTier>, Arc<dyn Bus>)> {
    let message = "redis is set, but the crate was built without its feature `redis`";
    Err(Error::new(ErrorKind::Unsupported, message).with("option", "redis"))
}

/// Puts deadline and breaker around a remote tier.
pub fn guarded(tier: impl RemoteTier, deadline: Duration, clock: &Arc<dyn Clock>) -> Arc<dyn RemoteTier> {
    Arc::new(crate::tier::Guarded::new(tier, deadline, Arc::clone(clock)))
}
