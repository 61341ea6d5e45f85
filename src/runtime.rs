//! The threads on which engines work when the host has no tokio runtime of its own.

use std::num::NonZero;
use std::sync::OnceLock;
use std::thread::available_parallelism;
use tokio::runtime::{Builder, Handle, Runtime};

/// A second thread serves when several engines are busy. Beside a host's own thread and a store on the same two cores it
/// only takes turns with them, and the two wake each other: 12.6 calls of the kernel for a lone read of Redis instead of
/// 9.5, a fifth to a third more time for it (measured at Node 20).
fn threads() -> usize {
    if available_parallelism().map_or(1, NonZero::get) > 2 {
        2
    } else {
        1
    }
}

/// A runtime of this process that is never shut down: engines of several hosts (worker threads) share it, and a host may
/// go at any moment.
pub fn shared() -> std::io::Result<Handle> {
    static SHARED: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = SHARED.get() {
        return Ok(runtime.handle().clone());
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads())
        .thread_name("turbocache")
        .enable_all()
        .build()?;
    let runtime = SHARED.get_or_init(|| runtime);
    Ok(runtime.handle().clone())
}
