//! The same names as in the engine's `sync`.

#[cfg(not(any(feature = "loom", feature = "shuttle")))]
pub use parking_lot::{Mutex, MutexGuard, RwLock};

/// As in the standard library.
pub mod atomic {
    #[cfg(feature = "loom")]
    pub use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
    #[cfg(feature = "shuttle")]
    pub use shuttle::sync::atomic::{AtomicU32, AtomicU64, Ordering};
    #[cfg(not(any(feature = "loom", feature = "shuttle")))]
    pub use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}

#[cfg(any(feature = "loom", feature = "shuttle"))]
pub use checked::{Mutex, MutexGuard, RwLock};

/// The checkers' locks with the face of parking_lot's.
#[cfg(any(feature = "loom", feature = "shuttle"))]
mod checked {
    #[cfg(feature = "loom")]
    use loom::sync;
    #[cfg(feature = "shuttle")]
    use shuttle::sync;
    use sync::{RwLockReadGuard, RwLockWriteGuard};

    pub use sync::MutexGuard;

    use std::sync::PoisonError;

    pub struct Mutex<T>(sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub fn new(value: T) -> Self {
            Self(sync::Mutex::new(value))
        }

        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl<T: Default> Default for Mutex<T> {
        fn default() -> Self {
            Self::new(T::default())
        }
    }

    pub struct RwLock<T>(sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub fn new(value: T) -> Self {
            Self(sync::RwLock::new(value))
        }

        pub fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        pub fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }
}
