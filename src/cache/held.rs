//! A lease in Rust hands, and the answer that brings it.

use super::closed;
use super::freshness::Lives;
use crate::engine::{FillOutcome, Found, LeaseId, Lookup, Space, Write};
use crate::error::Result;
use tokio::sync::oneshot;

/// The answer of a lookup on its way to a caller who may have gone.
pub enum Answer {
    /// Fresh, or stale while somebody else loads.
    Value(Found),
    /// He shall load; the value is what he may serve meanwhile.
    Load(Held, Option<Found>),
    /// Only of a refresh: somebody else is at it.
    Nothing,
}

impl Answer {
    /// What `ask` is answered. A caller who has gone never takes his answer out: dropping it hands its lease to the next.
    pub async fn to(space: &Space, ask: impl FnOnce(crate::engine::LookupDone)) -> Result<Self> {
        let (sender, answer) = oneshot::channel();
        let space = space.clone();
        ask(Box::new(move |lookup| drop(sender.send(Self::of(space, lookup)))));
        answer.await.map_err(|_| closed())
    }

    fn of(space: Space, lookup: Lookup) -> Self {
        match lookup {
            Lookup::Hit(found) | Lookup::Stale(found, None) => Self::Value(found),
            Lookup::Stale(found, Some((lease, _))) => Self::Load(Held::new(space, lease), Some(found)),
            Lookup::Load(lease, _) => Self::Load(Held::new(space, lease), None),
            Lookup::Nothing => Self::Nothing,
        }
    }
}

/// A lease: whatever happens to the caller or his loader, it is answered.
pub struct Held {
    space: Space,
    lease: Option<LeaseId>,
    begun: bool,
}

impl Held {
    fn new(space: Space, lease: LeaseId) -> Self {
        Self {
            space,
            lease: Some(lease),
            begun: false,
        }
    }

    /// The loader is called: without a value it has failed.
    pub fn begin(&mut self) {
        self.begun = true;
    }

    /// The loader brought a value that nobody shall keep.
    pub fn skip(mut self) {
        self.begun = false;
    }

    /// There is no value. If the loader was called, whoever has an old value takes that for so many milliseconds.
    pub fn fail(mut self, backoff: u64) {
        if self.begun
            && let Some(lease) = self.lease.take()
        {
            self.space.back_off(lease, backoff);
        }
    }

    /// The loader brought a value.
    pub async fn fill(mut self, write: Write<'_>, lives: Lives) -> Result<FillOutcome> {
        let Some(lease) = self.lease.take() else {
            return Err(closed());
        };
        let (sender, answer) = oneshot::channel();
        let done = Box::new(move |outcome| drop(sender.send(outcome)));
        self.space.with_memory_ttl(lives.in_memory).fill(
            lease,
            Write {
                lifetime: lives.in_remote,
                ..write
            },
            done,
        );
        answer.await.map_err(|_| closed())?
    }

    /// The old value is still right. Without tags it keeps its own.
    pub async fn renew(mut self, lives: Lives, tags: &[&str]) -> Result<FillOutcome> {
        let Some(lease) = self.lease.take() else {
            return Err(closed());
        };
        let (sender, answer) = oneshot::channel();
        let done = Box::new(move |outcome| drop(sender.send(outcome)));
        self.space
            .with_memory_ttl(lives.in_memory)
            .renew(lease, lives.in_remote, tags, done);
        answer.await.map_err(|_| closed())?
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.space.release(lease, self.begun);
        }
    }
}
