//! Who shares an engine: hosts of this process that name the same namespace and server, across worker threads. An engine
//! ends with the last of them.

use crate::allocator;
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
pub fn open(options: Options, runtime: &Handle) -> Result<(Arc<Engine>, Vec<Error>)> {
    allocator::tune(runtime);
    if options.namespace.is_none() {
        return start(options, runtime).map(|engine| (engine, Vec::new()));
    }
    let root = key::root_path(options.namespace.as_deref(), options.version.as_deref())?;
    let identity = (root, options.redis.as_ref().map(place_of));
    let mut shared = SHARED.lock();
    shared.retain(|_, engine| engine.strong_count() > 0);
    if let Some(engine) = shared.get(&identity).and_then(Weak::upgrade) {
        let clashes = clashes(engine.options(), &options);
        return Ok((engine, clashes));
    }
    let engine = start(options, runtime)?;
    shared.insert(identity, Arc::downgrade(&engine));
    Ok((engine, Vec::new()))
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

/// An error for each option in which the two differ: the engine keeps the ones that stand.
fn clashes(stands: &Options, asked: &Options) -> Vec<Error> {
    let stands = shared_options(stands).into_iter();
    stands
        .zip(shared_options(asked))
        .filter(|(stands, asked)| stands != asked)
        .map(|((option, stands), (_, asked))| {
            let message = format!(
                "{option} is {asked} here, but this process has opened the namespace with {stands}: that one stands"
            );
            Error::new(ErrorKind::Clash, message)
                .with("option", option)
                .with("got", asked)
                .with("expected", stands)
        })
        .collect()
}

/// The options that an engine has once for all who share it, in words.
fn shared_options(options: &Options) -> [(&'static str, String); 7] {
    let memory = options.memory.as_ref().map_or("off".to_owned(), |memory| {
        format!("{} bytes, {}", memory.max_bytes, memory.eviction.name())
    });
    let compression = options.compression.as_ref().map_or("off".to_owned(), |compression| {
        format!("level {} from {} bytes on", compression.level, compression.threshold)
    });
    let redis = |option: fn(&RedisOptions) -> String| options.redis.as_ref().map_or(String::new(), option);
    [
        ("memory", memory),
        ("compression", compression),
        (
            "redis.connectTimeout",
            redis(|redis| format!("{} ms", redis.connect_timeout)),
        ),
        (
            "redis.commandTimeout",
            redis(|redis| format!("{} ms", redis.command_timeout)),
        ),
        (
            "redis.tracking",
            redis(|redis| (if redis.tracking { "on" } else { "off" }).to_owned()),
        ),
        ("maxKeyBytes", options.max_key_bytes.to_string()),
        ("maxValueBytes", options.max_value_bytes.to_string()),
    ]
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
