//! What other threads need of a session: where answers go, and the leases that must not be lost with it.

use crate::answer::Answer;
use crate::completions::Completions;
use crate::layout::Status;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use turbocache::engine::{Engine, LeaseId, LockId, Lookup, Space, WriteDone};

/// See the module. It outlives the session as long as answers are under way.
pub struct Host {
    /// The root namespace: leases of all namespaces can be given back through it.
    root: Space,
    completions: Arc<Completions>,
    leases: Mutex<HashSet<LeaseId>>,
    /// By the client's numbers; `None` while the engine is being asked.
    locks: Mutex<HashMap<u64, Option<LockId>>>,
}

impl Host {
    /// A host of this engine's root namespace.
    pub fn new(root: Space, completions: Arc<Completions>) -> Self {
        Self {
            root,
            completions,
            leases: Mutex::default(),
            locks: Mutex::default(),
        }
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        self.root.engine()
    }

    /// The queue of answers.
    pub fn completions(&self) -> &Completions {
        &self.completions
    }

    /// Queues an answer; what comes after the end of the host is dropped.
    pub fn push(&self, answer: Answer) {
        let _ = self.completions.push(answer);
    }

    /// The same for a lookup: a lease that nobody is there to take goes to the next.
    pub fn push_lookup(&self, id: u32, lookup: Lookup) {
        let answer = looked_up(id, lookup);
        if let Some(lease) = answer.lease {
            self.leases.lock().insert(lease);
        }
        if let Err(refused) = self.completions.push(answer)
            && let Some(lease) = refused.lease
        {
            self.give_back(lease);
        }
    }

    /// A lease was given outside of the queue.
    pub fn remember_lease(&self, lease: LeaseId) {
        self.leases.lock().insert(lease);
    }

    /// The lease is being answered.
    pub fn forget_lease(&self, lease: LeaseId) {
        self.leases.lock().remove(&lease);
    }

    fn give_back(&self, lease: LeaseId) {
        self.forget_lease(lease);
        self.root.release(lease, false);
    }

    /// The client wants a lock. The engine may answer before it has a name for it, on this thread or on another.
    pub fn expect_lock(&self, number: u64) {
        self.locks.lock().insert(number, None);
    }

    /// The client holds or wants this lock, unless it was forgotten meanwhile.
    pub fn name_lock(&self, number: u64, lock: LockId) {
        if let Some(expected) = self.locks.lock().get_mut(&number) {
            *expected = Some(lock);
        }
    }

    /// It does not, any more.
    pub fn forget_lock(&self, number: u64) {
        self.locks.lock().remove(&number);
    }

    /// Gives a lock back, or ceases to want it.
    pub fn unlock(&self, number: u64, done: WriteDone) {
        let lock = self.locks.lock().remove(&number).flatten();
        match lock {
            Some(lock) => self.root.unlock(lock, done),
            None => done(Ok(false)),
        }
    }

    /// Tells the client that it has lost a lock.
    pub fn lost_lock(&self, number: u64) {
        self.forget_lock(number);
        self.push(Answer {
            lease: Some(LeaseId(number)),
            ..Answer::new(0, Status::Lost)
        });
    }

    /// Nobody is there to hold locks.
    pub fn give_locks_back(&self) {
        let locks = std::mem::take(&mut *self.locks.lock());
        for lock in locks.into_values().flatten() {
            self.root.unlock(lock, Box::new(|_| ()));
        }
    }

    /// The host is gone: others load what it was loading, and get what it had locked.
    pub fn end(&self) {
        self.completions.close();
        self.give_locks_back();
        let leases = std::mem::take(&mut *self.leases.lock());
        for lease in leases {
            self.root.release(lease, false);
        }
    }
}

/// The answer of a lookup, with the lease it brings.
fn looked_up(id: u32, lookup: Lookup) -> Answer {
    match lookup {
        Lookup::Hit(found) | Lookup::Stale(found, None) => Answer::found(id, found),
        Lookup::Stale(found, Some((lease, capture))) => {
            // What the host keeps after its load belongs to the load's capture, not to the old value's.
            Answer {
                // Fresh, when it is to be reloaded ahead of time.
                status: Status::Stale,
                lease: Some(lease),
                capture: Some(capture),
                ..Answer::found(id, found)
            }
        }
        Lookup::Load(lease, capture) => Answer {
            lease: Some(lease),
            capture: Some(capture),
            ..Answer::new(id, Status::Load)
        },
        Lookup::Nothing => Answer::new(id, Status::Miss),
    }
}
