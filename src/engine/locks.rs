//! Locks that callers ask for by name.
//!
//! Callers of one process stand in line; the first one asks the remote tier. Without one the first in line has the lock, so
//! that it is a lock of the process and its threads. Endings of a lock:
//!
//! | ending | the holder | the next |
//! |---|---|---|
//! | given back ([`Engine::unlock`]) | is told whether it was still his | tries, and so do other processes, who are told |
//! | somebody else has it, or it was removed | is told that he has lost it | tries |
//! | it could not be kept for as long as it lives | the same, before anybody else can get it | tries |
//! | the process dies | | gets it when its life ends |
//!
//! A holder who is stopped finds out only when he goes on: what he does in between is what the fencing token is there for.

use crate::clock::{FOREVER, Millis};
use crate::engine::Engine;
use crate::engine::answers::{LockDone, LockId, LockLost, WriteDone};
use crate::engine::namespaces::Namespace;
use crate::engine::outbox::BatchState;
use crate::engine::with_memory_key;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Change;
use crate::key::RemoteKey;
use crate::lock::Lines;
use crate::options::{lease, lock};
use crate::tier::{RemoteReply, RemoteRequest, Token};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::oneshot;

/// The locks of an engine: those that are held, and those that are wanted.
#[derive(Default)]
pub(super) struct Locks {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: u64,
    fences: u64,
    lines: Lines,
    claims: HashMap<LockId, Claim>,
}

/// A lock that somebody holds or wants.
struct Claim {
    namespace: Arc<Namespace>,
    key: Box<str>,
    token: Token,
    ttl: u64,
    phase: Phase,
    /// How often somebody else had it.
    tries: u32,
    /// He does not want to wait any longer.
    expired: bool,
    failure: Option<Error>,
    done: Option<LockDone>,
    lost: Option<LockLost>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Behind somebody of this process.
    InLine,
    /// The remote tier is being asked.
    Trying,
    /// Somebody else has it; asked again soon.
    Pausing,
    /// He has it, until then at least.
    Held(Millis),
}

impl Claim {
    fn remote_key(&self) -> RemoteKey {
        RemoteKey::new(&self.namespace.full_path, &self.key)
    }
}

impl State {
    /// Takes a claim out; who is first in line by that.
    fn take(&mut self, id: LockId) -> Option<(Claim, Option<LockId>)> {
        let claim = self.claims.remove(&id)?;
        let next = with_memory_key(&claim.namespace, &claim.key, |key| self.lines.leave(key, id.0));
        Some((claim, next.map(LockId)))
    }
}

impl Engine {
    /// Asks for a lock. `wait` in milliseconds, [`FOREVER`] without end; `lost` is called once, if the lock is lost while it
    /// is held.
    pub(super) fn lock(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        key: &str,
        ttl: u64,
        wait: u64,
        lost: LockLost,
        done: LockDone,
    ) -> LockId {
        let (id, first) = {
            let mut state = self.locks.state.lock();
            state.last += 1;
            let id = LockId(state.last);
            let first = with_memory_key(namespace, key, |key| state.lines.join(key, id.0));
            let claim = Claim {
                namespace: Arc::clone(namespace),
                key: key.into(),
                token: self.new_token(),
                ttl,
                phase: Phase::InLine,
                tries: 0,
                expired: wait == 0,
                failure: None,
                done: Some(done),
                lost: Some(lost),
            };
            state.claims.insert(id, claim);
            (id, first)
        };
        if self.is_closed() {
            self.end_lock(id, || Error::new(ErrorKind::Closed, "the cache is closed"));
            return id;
        }
        if first {
            self.try_lock(id);
        } else if wait == 0 {
            self.give_up(id);
        }
        if wait != 0 && wait != FOREVER {
            let engine = Arc::downgrade(self);
            self.runtime.spawn(async move {
                tokio::time::sleep(Duration::from_millis(wait)).await;
                if let Some(engine) = engine.upgrade() {
                    engine.give_up(id);
                }
            });
        }
        id
    }

    /// Gives a lock back, or ceases to want it; whether it was held until now.
    pub(super) fn unlock(self: &Arc<Self>, id: LockId, done: WriteDone) {
        let Some((claim, next)) = self.locks.state.lock().take(id) else {
            return done(Ok(false));
        };
        let held = matches!(claim.phase, Phase::Held(until) if self.clock.now() < until);
        if let Some(wanted) = claim.done {
            wanted(Err(Error::new(ErrorKind::Closed, "the lock is not wanted any more")));
        }
        if self.outbox.is_remote() && matches!(claim.phase, Phase::Held(_)) {
            let engine = Arc::clone(self);
            let (path, key) = (claim.namespace.path.clone(), claim.key.clone());
            let given_back = Box::new(move |_: &BatchState, reply: Result<RemoteReply>| {
                let was_his = matches!(reply, Ok(RemoteReply::Done(true)));
                if was_his {
                    engine.outbox.tell(Change::Freed { path, key }, Box::new(|_, _| ()));
                }
                done(reply.map(|_| held && was_his));
            });
            let key = RemoteKey::new(&claim.namespace.full_path, &claim.key);
            let request = RemoteRequest::Unlock {
                key,
                token: claim.token,
            };
            self.outbox.push(request, None, given_back).run();
        } else {
            done(Ok(held));
        }
        self.let_next_try(next);
    }

    /// Ends every lock, held or wanted: the cache closes.
    pub fn end_locks(self: &Arc<Self>) {
        let ids: Vec<LockId> = self.locks.state.lock().claims.keys().copied().collect();
        for id in ids {
            let lost = self.locks.state.lock().claims.get_mut(&id).and_then(|claim| {
                let held = matches!(claim.phase, Phase::Held(_));
                claim.lost.take().filter(|_| held)
            });
            self.unlock(id, Box::new(|_| ()));
            if let Some(lost) = lost {
                lost();
            }
        }
    }

    /// Something of this key was given back: the first in line asks now.
    pub(super) fn wake_lock(self: &Arc<Self>, namespace: &Namespace, key: &str) {
        let first = {
            let state = self.locks.state.lock();
            let first = with_memory_key(namespace, key, |key| state.lines.first(key)).map(LockId);
            first.filter(|id| state.claims.get(id).is_some_and(|claim| claim.phase == Phase::Pausing))
        };
        if let Some(id) = first {
            self.try_lock(id);
        }
    }

    /// The first in line asks the remote tier. Without one he has the lock.
    fn try_lock(self: &Arc<Self>, id: LockId) {
        let asked = {
            let mut state = self.locks.state.lock();
            let Some(claim) = state.claims.get_mut(&id) else { return };
            if !matches!(claim.phase, Phase::InLine | Phase::Pausing) {
                return;
            }
            claim.phase = Phase::Trying;
            if self.outbox.is_remote() {
                Some((claim.remote_key(), claim.token, claim.ttl))
            } else {
                None
            }
        };
        let Some((key, token, life)) = asked else {
            let fence = {
                let mut state = self.locks.state.lock();
                state.fences += 1;
                state.fences
            };
            self.locked(id, fence, Millis::NEVER);
            return;
        };
        // It lives from the moment of the question: the answer comes later than the lock begins.
        let until = self.clock.now().after(life);
        let engine = Arc::clone(self);
        let request = RemoteRequest::Lock {
            key: key.clone(),
            token,
            life,
        };
        let done = Box::new(move |_: &BatchState, reply: Result<RemoteReply>| match reply {
            Ok(RemoteReply::Locked(fence)) => {
                if !engine.locked(id, fence, until) {
                    // Nobody wants it any more.
                    let request = RemoteRequest::Unlock { key, token };
                    engine.outbox.push(request, None, Box::new(|_, _| ())).run();
                }
            }
            Ok(RemoteReply::Held(_)) => engine.try_later(id, None),
            Ok(_) => engine.end_lock(id, || {
                Error::new(ErrorKind::Remote, "the remote tier answered another question")
            }),
            Err(error) if error.kind() == ErrorKind::Unsupported => engine.end_lock(id, || error),
            Err(error) => {
                engine.counters.remote_errors.add();
                engine.try_later(id, Some(error));
            }
        });
        self.outbox.push(request, None, done).run();
    }

    /// The lock is his; `false` when he does not want it any more.
    fn locked(self: &Arc<Self>, id: LockId, fence: u64, until: Millis) -> bool {
        let now = self.clock.now();
        let (done, ttl) = {
            let mut state = self.locks.state.lock();
            let Some(claim) = state.claims.get_mut(&id).filter(|_| now < until) else {
                drop(state);
                // Unless nobody wants it: the answer took longer than the lock lives.
                self.try_later(id, None);
                return false;
            };
            claim.phase = Phase::Held(until);
            (claim.done.take(), claim.ttl)
        };
        if until != Millis::NEVER {
            self.runtime.spawn(keep(Arc::downgrade(self), id, ttl));
        }
        if let Some(done) = done {
            done(Ok(fence));
        }
        true
    }

    fn try_later(self: &Arc<Self>, id: LockId, failure: Option<Error>) {
        let tries = {
            let mut state = self.locks.state.lock();
            let Some(claim) = state.claims.get_mut(&id).filter(|claim| claim.phase == Phase::Trying) else {
                return;
            };
            claim.phase = Phase::Pausing;
            claim.failure = failure;
            claim.tries += 1;
            (!claim.expired).then_some(claim.tries)
        };
        let Some(tries) = tries else {
            return self.give_up(id);
        };
        let longest = (lease::POLL_MIN << tries.min(5)).min(lease::POLL_MAX);
        let pause = longest / 2 + self.random.next() % (longest / 2 + 1);
        let engine = Arc::downgrade(self);
        self.runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let Some(engine) = engine.upgrade() else { return };
            let due = |claim: &Claim| claim.phase == Phase::Pausing && claim.tries == tries;
            let due = engine.locks.state.lock().claims.get(&id).is_some_and(due);
            if due {
                engine.try_lock(id);
            }
        });
    }

    /// He has waited as long as he wanted to.
    fn give_up(self: &Arc<Self>, id: LockId) {
        {
            let mut state = self.locks.state.lock();
            let Some(claim) = state.claims.get_mut(&id) else { return };
            match claim.phase {
                Phase::Held(_) => return,
                // The answer decides.
                Phase::Trying => {
                    claim.expired = true;
                    return;
                }
                Phase::InLine | Phase::Pausing => {}
            }
        }
        self.end_lock(id, || {
            Error::new(ErrorKind::LockTimeout, "the lock was not free in time")
        });
    }

    /// Ends a claim that is not held.
    fn end_lock(self: &Arc<Self>, id: LockId, why: impl FnOnce() -> Error) {
        let Some((claim, next)) = self.locks.state.lock().take(id) else {
            return;
        };
        if let Some(done) = claim.done {
            done(Err(match claim.failure {
                Some(failure) => why().with("cause", &failure).caused_by(failure),
                None => why(),
            }));
        }
        self.let_next_try(next);
    }

    fn lose_lock(self: &Arc<Self>, id: LockId) {
        let Some((claim, next)) = self.locks.state.lock().take(id) else {
            return;
        };
        // It may still stand there with its old token, where nobody keeps it.
        let request = RemoteRequest::Unlock {
            key: claim.remote_key(),
            token: claim.token,
        };
        self.outbox.push(request, None, Box::new(|_, _| ())).run();
        if let Some(lost) = claim.lost {
            lost();
        }
        self.let_next_try(next);
    }

    /// Not on this stack: of a thousand who have all gone, each would hand on inside the one before. And not at once where
    /// other processes may wait: they are told about now.
    fn let_next_try(self: &Arc<Self>, next: Option<LockId>) {
        let Some(id) = next else { return };
        let pause = if self.outbox.is_remote() {
            self.random.next() % (lock::COURTESY + 1)
        } else {
            0
        };
        let engine = Arc::downgrade(self);
        self.runtime.spawn(async move {
            if pause > 0 {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            if let Some(engine) = engine.upgrade() {
                engine.try_lock(id);
            }
        });
    }

    /// What is needed to keep a lock that is held.
    fn held_lock(&self, id: LockId) -> Option<(RemoteKey, Token, Millis)> {
        let state = self.locks.state.lock();
        let claim = state.claims.get(&id)?;
        match claim.phase {
            Phase::Held(until) => Some((claim.remote_key(), claim.token, until)),
            _ => None,
        }
    }

    fn keep_lock_until(&self, id: LockId, until: Millis) {
        if let Some(claim) = self.locks.state.lock().claims.get_mut(&id)
            && matches!(claim.phase, Phase::Held(_))
        {
            claim.phase = Phase::Held(until);
        }
    }
}

/// Prolongs a lock until it is given back or lost. Not on the host's thread: a blocked event loop loses no lock.
async fn keep(engine: Weak<Engine>, id: LockId, ttl: u64) {
    let mut pause = ttl / 3;
    loop {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let Some(engine) = engine.upgrade() else { return };
        let Some((key, token, until)) = engine.held_lock(id) else {
            return;
        };
        let now = engine.clock.now();
        if now >= until {
            return engine.lose_lock(id);
        }
        let (sender, answer) = oneshot::channel();
        let done = Box::new(move |_: &BatchState, reply: Result<RemoteReply>| drop(sender.send(reply)));
        let request = RemoteRequest::KeepLock { key, token, life: ttl };
        engine.outbox.push(request, None, done).run();
        let kept = tokio::time::timeout(Duration::from_millis(until.since(now)), answer).await;
        pause = match kept {
            Ok(Ok(Ok(RemoteReply::Done(true)))) => {
                engine.keep_lock_until(id, now.after(ttl));
                ttl / 3
            }
            Ok(Ok(Ok(_))) => return engine.lose_lock(id),
            // No answer: it may still be his. Asked again, soon and not later than its end.
            _ => (ttl / 10).min(until.since(engine.clock.now())).max(1),
        };
    }
}
