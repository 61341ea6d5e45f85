//! The threads on which engines work when the host has no tokio runtime of its own.

use std::sync::OnceLock;
use tokio::runtime::{Builder, Handle, Runtime};

const THREADS: usize = 2;

/// A runtime of this process that is never shut down: engines of several hosts (worker threads) share it, and a host may
/// go at any moment.
pub fn shared() -> std::io::Result<Handle> {
    static SHARED: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = SHARED.get() {
        return Ok(runtime.handle().clone());
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("turbocache")
        .enable_all()
        .build()?;
    let runtime = SHARED.get_or_init(|| runtime);
    Ok(runtime.handle().clone())
}
