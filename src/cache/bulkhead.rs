//! So many loaders of one cache run at a time (bulkhead: Nygard, *Release It!*), so that a slow origin does not take all of a
//! process. Who comes too many waits in a row; when that is full, he is turned away.

use crate::error::{Error, ErrorKind, Result};
use crate::options::BulkheadOptions;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// See the module.
pub struct Bulkhead {
    limits: BulkheadOptions,
    places: Arc<Semaphore>,
    queued: AtomicUsize,
}

/// A loader runs in it; the next one may when it is dropped.
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

/// Somebody in the row, until he runs or goes.
struct Queued<'a>(&'a AtomicUsize);

impl Bulkhead {
    pub fn new(limits: BulkheadOptions) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits.max_concurrent.min(Semaphore::MAX_PERMITS))),
            limits,
            queued: AtomicUsize::new(0),
        }
    }

    /// A place without waiting.
    pub fn try_enter(&self) -> Result<Place> {
        let permit = Arc::clone(&self.places).try_acquire_owned();
        permit.map(|permit| Place { _permit: permit }).map_err(|_| self.full())
    }

    /// A place, now or later. Errors: [`ErrorKind::Overloaded`] when too many wait.
    pub async fn enter(&self) -> Result<Place> {
        if let Ok(place) = self.try_enter() {
            return Ok(place);
        }
        let _queued = self.queue()?;
        // Never closed: it waits until somebody leaves.
        let permit = Arc::clone(&self.places).acquire_owned().await;
        permit.map(|permit| Place { _permit: permit }).map_err(|_| self.full())
    }

    fn queue(&self) -> Result<Queued<'_>> {
        let one_more = |queued| (queued < self.limits.max_queued).then_some(queued + 1);
        match self.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more) {
            Ok(_) => Ok(Queued(&self.queued)),
            Err(_) => Err(self.full()),
        }
    }

    fn full(&self) -> Error {
        let BulkheadOptions {
            max_concurrent,
            max_queued,
        } = self.limits;
        let message = format!(
            "a load came too many, {max_concurrent} loaders run and {max_queued} loads wait: expected at most {} at a time (bulkhead)",
            max_concurrent.saturating_add(max_queued)
        );
        Error::new(ErrorKind::Overloaded, message).with("option", "bulkhead")
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
