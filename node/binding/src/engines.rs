//! Who shares an engine: hosts of this process that name the same namespace and server, across worker threads. An engine
//! ends with the last of them.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Weak};
use tokio::runtime::Handle;
use turbocache::engine::Engine;
use turbocache::{Error, ErrorKind, Options, Result, key};

/// Root path and address of the server.
type Identity = (String, Option<String>);

static SHARED: LazyLock<Mutex<HashMap<Identity, Weak<Engine>>>> = LazyLock::new(Mutex::default);

/// The engine of these options; `true` when it was there already. Without a namespace it is the caller's alone.
pub fn open(options: Options, runtime: &Handle) -> Result<(Arc<Engine>, bool)> {
    if options.namespace.is_none() {
        return start(options, runtime).map(|engine| (engine, false));
    }
    let root = key::root_path(options.namespace.as_deref(), options.version.as_deref())?;
    let identity = (root, options.redis.as_ref().map(|redis| redis.url.clone()));
    let mut shared = SHARED.lock();
    shared.retain(|_, engine| engine.strong_count() > 0);
    if let Some(engine) = shared.get(&identity).and_then(Weak::upgrade) {
        return Ok((engine, true));
    }
    let engine = start(options, runtime)?;
    shared.insert(identity, Arc::downgrade(&engine));
    Ok((engine, false))
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
