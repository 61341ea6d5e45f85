//! Every option and the default of each, once. The TypeScript client reads its defaults from here.

use crate::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// Options of an engine. Times in milliseconds, sizes in bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Options {
    /// Isolation: first part of every key.
    pub namespace: Option<String>,
    /// Separates deploys.
    pub version: Option<String>,
    /// L1, or `None` to switch it off.
    pub memory: Option<MemoryOptions>,
    /// L2 over Redis, or `None`.
    pub redis: Option<RedisOptions>,
    /// Compression in L2, or `None`.
    pub compression: Option<CompressionOptions>,
    /// Longest key in UTF-8 bytes.
    pub max_key_bytes: usize,
    /// Largest encoded value.
    pub max_value_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: None,
            version: None,
            memory: Some(MemoryOptions::default()),
            redis: None,
            compression: Some(CompressionOptions::default()),
            max_key_bytes: 1_024,
            max_value_bytes: 16 << 20,
        }
    }
}

/// L1: encoded values in this process' memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct MemoryOptions {
    /// Upper limit in true bytes: key + value + bookkeeping.
    pub max_bytes: u64,
    /// What is given up when it is full.
    pub eviction: Eviction,
}

/// How the memory tier decides what to give up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Eviction {
    /// S3-FIFO, about 115 bytes of bookkeeping an entry.
    #[default]
    #[serde(rename = "s3-fifo")]
    S3Fifo,
    /// W-TinyLFU, about 425 bytes of bookkeeping an entry.
    TinyLfu,
}

impl Eviction {
    /// As it is written in options.
    pub fn name(self) -> &'static str {
        match self {
            Eviction::S3Fifo => "s3-fifo",
            Eviction::TinyLfu => "tiny-lfu",
        }
    }
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            eviction: Eviction::default(),
        }
    }
}

/// L2: Redis, found at one of `url`, `cluster` and `sentinel`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RedisOptions {
    /// One server: `redis://[user:password@]host[:port][/db]`, or `rediss://…` for TLS.
    pub url: Option<String>,
    /// Some nodes of a Cluster, from which the others are learned: `redis://[user:password@]host[:port]`. User, password and
    /// scheme hold for all nodes and must be the same in each.
    pub cluster: Option<Vec<String>>,
    /// Sentinels that know where the master is.
    pub sentinel: Option<SentinelOptions>,
    /// Limit for one connection attempt, in milliseconds.
    pub connect_timeout: u64,
    /// Deadline of every command, in milliseconds in which this process runs: a pause of it counts at most an eighth.
    pub command_timeout: u64,
    /// Whether the server is asked to tell of changes by other programs (server-assisted tracking).
    pub tracking: bool,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            url: None,
            cluster: None,
            sentinel: None,
            connect_timeout: 1_000,
            command_timeout: 500,
            tracking: true,
        }
    }
}

/// A master that Sentinels watch.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SentinelOptions {
    /// Name of the master.
    pub name: String,
    /// The Sentinels: `redis://[user:password@]host[:port]`, or `rediss://…` for TLS. User and password are the Sentinel's
    /// own; the port is 26379 when there is none.
    pub nodes: Vec<String>,
    /// User of the master and its replicas.
    pub username: Option<String>,
    /// Password of the master and its replicas.
    pub password: Option<String>,
    /// Number of the database on the master.
    pub database: u32,
    /// TLS to the master and its replicas.
    pub tls: bool,
}

/// Compression of what goes to the remote tier; kept only when it makes the value smaller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CompressionOptions {
    /// Encoded values of at least this size are compressed.
    pub threshold: usize,
    /// zstd level, 1 to 19.
    pub level: i32,
}

impl Default for CompressionOptions {
    fn default() -> Self {
        Self {
            threshold: 1_024,
            level: 1,
        }
    }
}

/// How long a value lives and how it is renewed, in milliseconds. The hosts' loaders follow it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Freshness {
    /// Time a value is fresh; `None` = for ever.
    pub ttl: Option<u64>,
    /// The same in memory, where it is not `ttl`.
    pub l1_ttl: Option<u64>,
    /// The same in the remote tier, where it is not `ttl`.
    pub l2_ttl: Option<u64>,
    /// No ttl is longer, whoever decides it.
    pub max_ttl: Option<u64>,
    /// The ttl of the value `null`.
    pub null_ttl: Option<u64>,
    /// Time in which a loader that failed without an old value is not called again; `None` = errors are not remembered.
    pub error_ttl: Option<u64>,
    /// Time after `ttl` in which it may be served when the loader fails or is slow.
    pub grace: u64,
    /// After a loader has failed and an old value was served: time until the next attempt of this process.
    pub grace_backoff: u64,
    /// Stale while revalidate: a value in its grace is served at once, and reloaded behind its caller.
    pub swr: bool,
    /// With an old value at hand, wait for the loader at most this long.
    pub soft_timeout: Option<u64>,
    /// Wait for the loader at most this long, in any case.
    pub hard_timeout: Option<u64>,
    /// Wait for a load of another process at most this long, then load here, for this process alone; `None` = no limit.
    pub lock_timeout: Option<u64>,
    /// A loader that needs longer is given up, also when nobody waits for it.
    pub loader_deadline: Option<u64>,
    /// Fraction of `ttl` after which a hit starts a reload in the background.
    pub eager_refresh: Option<f64>,
    /// Beta of the probabilistic early reload (XFetch): 1 is the optimum of the paper, more is earlier; `None` = off.
    pub early_refresh: Option<f64>,
    /// Upper limit of the random part by which each ttl is shortened.
    pub jitter: u64,
}

impl Default for Freshness {
    fn default() -> Self {
        Self {
            ttl: Some(300_000),
            l1_ttl: None,
            l2_ttl: None,
            max_ttl: None,
            null_ttl: None,
            error_ttl: None,
            grace: 0,
            grace_backoff: 0,
            swr: false,
            soft_timeout: None,
            hard_timeout: None,
            lock_timeout: Some(10_000),
            loader_deadline: Some(60_000),
            eager_refresh: None,
            early_refresh: None,
            jitter: 0,
        }
    }
}

/// How many loaders of one cache run at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkheadOptions {
    /// Loaders that run.
    pub max_concurrent: usize,
    /// Loads that wait for their turn.
    pub max_queued: usize,
}

/// Deletion by pattern.
pub(crate) mod pattern {
    /// Keys of one step.
    pub const BATCH: u32 = 1_000;
    /// More would keep the server busy for too long at a time.
    pub const BATCH_MAX: u32 = 10_000;
}

/// Locks that callers ask for; times in milliseconds.
pub(crate) mod lock {
    /// Life of a lock whose holder is not heard of any more.
    pub const TTL: u64 = 10_000;
    /// A shorter one would end in the middle of a short delay.
    pub const TTL_MIN: u64 = 100;
    /// A longer one would outlive its dead holder for too long.
    pub const TTL_MAX: u64 = 86_400_000;
    /// How long a caller waits for a lock.
    pub const WAIT: u64 = 10_000;
    /// How long the counter of fencing tokens outlives the last lock. When it has ended, tokens go on from the server's time.
    #[cfg(feature = "redis")]
    pub const FENCE_LIFE: u64 = 86_400_000;
    /// Longest random pause before the next in line of this process asks for a lock that was given back: others may be first.
    pub const COURTESY: u64 = 3;
}

/// The generation table. Not for users to set: hosts know the layout of a mirror. Powers of two.
pub(crate) mod generations {
    /// Slots that keys and tags hash to.
    pub const SLOTS: usize = 1 << 16;
    /// Namespaces with an index of their own.
    pub const NAMESPACES: usize = 1 << 12;
    /// Locks that the slots share.
    pub const LOCKS: usize = 1 << 10;
}

/// The lease that makes one load out of many. Not for users to set; times in milliseconds.
pub(crate) mod lease {
    /// Life of a lease that is not renewed. Long: that its owner is dead is seen by [`LIFE`], and a lease that ends
    /// while its owner lives costs a second load.
    pub const TTL: u64 = 30_000;
    /// How often an owner renews it.
    pub const RENEWAL: u64 = TTL / 3;
    /// How long an owner counts as alive after he has shown it.
    pub const LIFE: u64 = 1_200;
    /// How often an owner of leases shows that he lives. With [`LOOK`] and [`POLL_MAX`] a dead one is noticed within
    /// `LIFE + 2 * LOOK + 2 * POLL_MAX`, 1.5 s.
    pub const HEARTBEAT: u64 = LIFE / 3;
    /// The least time between two looks for an owner.
    pub const LOOK: u64 = 50;
    /// A waiter polls at first after this time, then after doubled times up to [`POLL_MAX`].
    pub const POLL_MIN: u64 = 5;
    /// Longest time between two polls.
    pub const POLL_MAX: u64 = 100;
}

impl RedisOptions {
    /// What is wrong with where Redis is said to be: option, what was got, what would be right.
    fn wrong_place(&self) -> Option<(&'static str, String, &'static str)> {
        let given: Vec<_> = [
            ("redis.url", self.url.is_some()),
            ("redis.cluster", self.cluster.is_some()),
            ("redis.sentinel", self.sentinel.is_some()),
        ]
        .into_iter()
        .filter_map(|(option, given)| given.then_some(option))
        .collect();
        match given[..] {
            [] => return Some(("redis", "without a place".into(), "one of url, cluster and sentinel")),
            [_] => {}
            [first, second, ..] => {
                return Some((
                    second,
                    format!("given beside {first}"),
                    "one of url, cluster and sentinel",
                ));
            }
        }
        if self.cluster.as_ref().is_some_and(Vec::is_empty) {
            return Some(("redis.cluster", "empty".into(), "the address of one node or more"));
        }
        let sentinel = self.sentinel.as_ref()?;
        if sentinel.nodes.is_empty() {
            return Some((
                "redis.sentinel.nodes",
                "empty".into(),
                "the address of one Sentinel or more",
            ));
        }
        if sentinel.name.is_empty() {
            return Some((
                "redis.sentinel.name",
                "empty".into(),
                "the master's name, as in `sentinel monitor <name> …`",
            ));
        }
        if sentinel.username.is_some() && sentinel.password.is_none() {
            let got = "missing beside redis.sentinel.username".into();
            return Some(("redis.sentinel.password", got, "the password of that user"));
        }
        None
    }
}

impl Freshness {
    /// Refuses what the types cannot say, as an error of this kind.
    pub(crate) fn check(&self, kind: ErrorKind) -> Result<()> {
        let refuse = |option: &'static str, got: String, expected: &str| {
            let message = format!("{option} is {got}: expected {expected}");
            Err(Error::new(kind, message).with("option", option))
        };
        for (option, time) in [
            ("ttl", self.ttl),
            ("l1_ttl", self.l1_ttl),
            ("l2_ttl", self.l2_ttl),
            ("max_ttl", self.max_ttl),
            ("loader_deadline", self.loader_deadline),
        ] {
            if time == Some(0) {
                return refuse(option, "0".into(), "1 ms or more");
            }
        }
        if let Some(part) = self.eager_refresh
            && !(part > 0.0 && part <= 1.0)
        {
            let expected = "a fraction of the ttl above 0, e.g. 0.8, or 1 for never";
            return refuse("eager_refresh", part.to_string(), expected);
        }
        if let Some(beta) = self.early_refresh
            && !(0.0..=100.0).contains(&beta)
        {
            return refuse(
                "early_refresh",
                beta.to_string(),
                "a number up to 100, e.g. 1, or 0 for never",
            );
        }
        Ok(())
    }
}

impl Options {
    /// Checks what the types cannot say.
    pub fn validate(&self) -> Result<()> {
        let refuse = |option: &'static str, got: String, expected: &str| {
            Err(
                Error::new(ErrorKind::Option, format!("{option} is {got}: expected {expected}"))
                    .with("option", option)
                    .with("got", got)
                    .with("expected", expected),
            )
        };
        if let Some(memory) = &self.memory
            && memory.max_bytes < 1 << 16
        {
            return refuse("memory.maxBytes", memory.max_bytes.to_string(), "at least 65536 bytes");
        }
        if let Some(redis) = &self.redis {
            for (option, time) in [
                ("redis.connectTimeout", redis.connect_timeout),
                ("redis.commandTimeout", redis.command_timeout),
            ] {
                if !(1..=3_600_000).contains(&time) {
                    return refuse(option, time.to_string(), "1 ms to 1 h");
                }
            }
            if let Some((option, got, expected)) = redis.wrong_place() {
                return refuse(option, got, expected);
            }
        }
        if let Some(compression) = &self.compression
            && !(1..=19).contains(&compression.level)
        {
            return refuse(
                "compression.level",
                compression.level.to_string(),
                "a zstd level from 1 to 19",
            );
        }
        if !(1..=65_536).contains(&self.max_key_bytes) {
            return refuse("maxKeyBytes", self.max_key_bytes.to_string(), "1 to 65536");
        }
        if !(1..=512 << 20).contains(&self.max_value_bytes) {
            return refuse("maxValueBytes", self.max_value_bytes.to_string(), "1 byte to 512 MiB");
        }
        Ok(())
    }
}
