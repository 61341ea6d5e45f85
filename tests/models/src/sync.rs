//! The same names as in the engine's `sync`.

#[cfg(not(feature = "loom"))]
pub use parking_lot::{Mutex, MutexGuard, RwLock};

/// As in the standard library.
pub mod atomic {
    #[cfg(feature = "loom")]
    pub use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
    #[cfg(not(feature = "loom"))]
    pub use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}

#[cfg(feature = "loom")]
pub use checked::{Mutex, RwLock};
#[cfg(feature = "loom")]
pub use loom::sync::MutexGuard;

/// loom's locks with the face of parking_lot's.
#[cfg(feature = "loom")]
mod checked {
    use loom::sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};
    use std::sync::PoisonError;

    pub struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
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

    pub struct RwLock<T>(loom::sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub fn new(value: T) -> Self {
            Self(loom::sync::RwLock::new(value))
        }

        pub fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        pub fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }
}
