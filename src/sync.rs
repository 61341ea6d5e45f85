//! The locks and atomics of what is model-checked. `tests/models` compiles the same files against loom's, which try every
//! order of threads; that is why they are named here and not where they are used.

pub use parking_lot::{Mutex, MutexGuard, RwLock};

/// As in the standard library.
pub mod atomic {
    pub use std::sync::atomic::{AtomicU64, Ordering};
}
