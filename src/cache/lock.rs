//! Locks for Rust callers: a handle that gives back what it holds when it goes.

use super::{Cache, closed};
use crate::clock::millis;
use crate::engine::{LockId, Space};
use crate::error::Result;
use crate::options::lock;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// How a lock is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockOptions {
    /// How long the lock outlives a holder who is not heard of any more: 100 ms to 24 h. A living one keeps it for as long
    /// as he likes.
    pub ttl: Duration,
    /// How long to wait for it; `None` = without end.
    pub wait: Option<Duration>,
}

impl Default for LockOptions {
    fn default() -> Self {
        Self {
            ttl: Duration::from_millis(lock::TTL),
            wait: Some(Duration::from_millis(lock::WAIT)),
        }
    }
}

/// A lock that is held; kept by the engine until it is released, dropped or lost.
///
/// It is no substitute for a transaction: a holder who stands still for longer than the ttl loses it and may go on for a
/// moment without knowing. Hand the [fencing token](Lock::fencing_token) to what the lock protects, and have it refuse tokens
/// that are less than one it has seen.
#[derive(Debug)]
pub struct Lock {
    want: Want,
    fence: u64,
    lost: watch::Receiver<bool>,
}

/// A lock that is held or wanted: given back when this is dropped.
struct Want {
    space: Space,
    id: Option<LockId>,
}

impl Cache {
    /// A lock of this name, in this namespace: of all processes that share the remote tier, or of this process without one.
    /// Not reentrant. Errors: [`ErrorKind::LockTimeout`](crate::ErrorKind::LockTimeout) when it was not free in time.
    ///
    /// ```
    /// # async fn run() -> turbocache::Result<()> {
    /// # let cache = turbocache::Cache::builder().build()?;
    /// let lock = cache.lock("invoices", &turbocache::LockOptions::default()).await?;
    /// println!("token {}", lock.fencing_token());
    /// lock.release().await;
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run()).unwrap();
    /// ```
    pub async fn lock(&self, key: &str, options: &LockOptions) -> Result<Lock> {
        let (sender, answer) = oneshot::channel();
        let (lose, lost) = watch::channel(false);
        let wait = options.wait.map_or(crate::clock::FOREVER, millis);
        let lost_it = Box::new(move || {
            lose.send_replace(true);
        });
        let done = Box::new(move |fence| drop(sender.send(fence)));
        let id = self
            .space
            .lock(key, Some(millis(options.ttl)), Some(wait), lost_it, done);
        let want = Want {
            space: self.space.clone(),
            id,
        };
        let fence = answer.await.map_err(|_| closed())??;
        Ok(Lock { want, fence, lost })
    }
}

impl Lock {
    /// Greater than that of every lock of this key before.
    pub fn fencing_token(&self) -> u64 {
        self.fence
    }

    /// Whether it has been lost, as far as is known.
    pub fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }

    /// Resolves when it is lost.
    pub async fn lost(&mut self) {
        // The sender goes with the claim: then it is not held any more.
        let _ = self.lost.wait_for(|lost| *lost).await;
    }

    /// Gives it back; whether it was held until now.
    pub async fn release(mut self) -> bool {
        let Some(id) = self.want.id.take() else { return false };
        let (sender, answer) = oneshot::channel();
        self.want
            .space
            .unlock(id, Box::new(move |held| drop(sender.send(held))));
        matches!(answer.await, Ok(Ok(true)))
    }
}

impl Drop for Want {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.space.unlock(id, Box::new(|_| ()));
        }
    }
}

impl std::fmt::Debug for Want {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Want").field(&self.id).finish()
    }
}
