//! Who shares an engine: hosts of this process that name the same namespace and server, across worker threads. An engine
//! ends with the last of them.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Weak};
use tokio::runtime::Handle;
use turbocache::engine::Engine;
use turbocache::options::RedisOptions;
use turbocache::{Error, ErrorKind, Options, Result, key};

/// Root path, and where Redis is.
type Identity = (String, Option<RedisOptions>);

static SHARED: LazyLock<Mutex<HashMap<Identity, Weak<Engine>>>> = LazyLock::new(Mutex::default);

/// The engine of these options, and what they ask for in vain because it was there already with others. Without a
/// namespace it is the caller's alone.
pub fn open(options: Options, runtime: &Handle) -> Result<(Arc<Engine>, Option<Error>)> {
    if options.namespace.is_none() {
        return start(options, runtime).map(|engine| (engine, None));
    }
    let root = key::root_path(options.namespace.as_deref(), options.version.as_deref())?;
    let identity = (root, options.redis.as_ref().map(place_of));
    let mut shared = SHARED.lock();
    shared.retain(|_, engine| engine.strong_count() > 0);
    if let Some(engine) = shared.get(&identity).and_then(Weak::upgrade) {
        let clash = clash(engine.options(), &options);
        return Ok((engine, clash));
    }
    let engine = start(options, runtime)?;
    shared.insert(identity, Arc::downgrade(&engine));
    Ok((engine, None))
}

/// The same options without what says nothing about the place.
fn place_of(redis: &RedisOptions) -> RedisOptions {
    RedisOptions {
        url: redis.url.clone(),
        cluster: redis.cluster.clone(),
        sentinel: redis.sentinel.clone(),
        ..RedisOptions::default()
    }
}

/// The first option in which the two differ: the engine keeps the one that stands.
fn clash(stands: &Options, asked: &Options) -> Option<Error> {
    let differs = |option: &'static str, stands: String, asked: String| {
        (stands != asked).then(|| {
            let message = format!(
                "{option} is {asked} here, but this process has opened the namespace with {stands}: that one stands"
            );
            Error::new(ErrorKind::Clash, message)
                .with("option", option)
                .with("got", asked)
                .with("expected", stands)
        })
    };
    let memory = |options: &Options| match &options.memory {
        Some(memory) => format!("{} bytes, {}", memory.max_bytes, memory.eviction.name()),
        None => "off".to_owned(),
    };
    let compression = |options: &Options| match &options.compression {
        Some(compression) => format!("level {} from {} bytes on", compression.level, compression.threshold),
        None => "off".to_owned(),
    };
    let timeouts = |options: &Options| match &options.redis {
        Some(redis) => format!("{} ms and {} ms", redis.connect_timeout, redis.command_timeout),
        None => String::new(),
    };
    differs("memory", memory(stands), memory(asked))
        .or_else(|| differs("compression", compression(stands), compression(asked)))
        .or_else(|| {
            differs(
                "redis.connectTimeout and redis.commandTimeout",
                timeouts(stands),
                timeouts(asked),
            )
        })
        .or_else(|| {
            let tracking = |options: &Options| match &options.redis {
                Some(redis) if redis.tracking => "on".to_owned(),
                _ => "off".to_owned(),
            };
            differs("redis.tracking", tracking(stands), tracking(asked))
        })
        .or_else(|| {
            differs(
                "maxKeyBytes",
                stands.max_key_bytes.to_string(),
                asked.max_key_bytes.to_string(),
            )
        })
        .or_else(|| {
            differs(
                "maxValueBytes",
                stands.max_value_bytes.to_string(),
                asked.max_value_bytes.to_string(),
            )
        })
}

fn start(options: Options, runtime: &Handle) -> Result<Arc<Engine>> {
    let parts = turbocache::parts(&options, runtime.clone())?;
    Engine::open(options, parts)
}

/// The threads on which all engines of this process work.
pub fn runtime() -> Result<Handle> {
    turbocache::runtime::shared()
        .map_err(|cause| Error::new(ErrorKind::Unsupported, "no thread could be started").caused_by(cause))
}
