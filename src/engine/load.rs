//! Loads: of all callers that miss a key, one gets a lease and loads; the others wait for what he brings (law 6).
//!
//! A load belongs to the generations that were captured before the remote tier was read. A caller who knows of a later
//! invalidation does not join it, and what it brings is not stored (law 2). Endings of a lease:
//!
//! | ending | the waiters | the value |
//! |---|---|---|
//! | [`Engine::fill`], nothing was invalidated | get it | is stored |
//! | [`Engine::fill`], something was | get it, may not keep it | is dropped |
//! | [`Engine::release`] (failed, skipped, cancelled, host gone) | the next one gets a lease | there is none |

use crate::clock::Millis;
use crate::engine::namespaces::Namespace;
use crate::engine::outbox::BatchState;
use crate::engine::read::{Capture, Found, ReadAnswer};
use crate::engine::space::Write;
use crate::engine::write::life;
use crate::engine::{Engine, with_memory_key};
use crate::entry::{Entry, SerializerId};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Change;
use crate::key::RemoteKey;
use crate::options::lease;
use crate::tier::{RemoteReply, RemoteRequest, Stored, Token};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Names one lease of this engine. Never reused; fits a JavaScript number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseId(pub u64);

/// The answer of a lookup.
#[derive(Debug)]
pub enum Lookup {
    /// A fresh value, from a tier or from somebody's load.
    Hit(Found),
    /// A value in its grace. With a lease this caller shall load, without one somebody else does.
    Stale(Found, Option<(LeaseId, Capture)>),
    /// No value: this caller shall load.
    Load(LeaseId, Capture),
    /// Only for a refresh: somebody else is at it already.
    Nothing,
}

/// What became of a loaded value.
#[derive(Debug)]
pub enum FillOutcome {
    /// It is in the tiers, and may be kept by the host.
    Stored(Found),
    /// Something was invalidated meanwhile, or the lease was lost: it may be returned, and kept by nobody.
    Refused,
}

pub(super) type LookupDone = Box<dyn FnOnce(Lookup) + Send>;
pub(super) type FillDone = Box<dyn FnOnce(Result<FillOutcome>) + Send>;

struct Waiter {
    serializer: SerializerId,
    stale: Option<Found>,
    done: LookupDone,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The remote lease is being asked for.
    Asking,
    /// Another process has it; somebody polls.
    Elsewhere,
    /// A caller of this process loads.
    Leased,
    /// His value is on its way to the remote tier.
    Filling,
}

struct Load {
    namespace: Arc<Namespace>,
    key: Box<str>,
    capture: Capture,
    /// Remote stamp of what is loaded: incarnation and counter before the remote read.
    born: (u64, u64),
    /// The remote lease, if there is one.
    token: Option<Token>,
    refresh: bool,
    /// The bytes that are stored are no fresh value: take the lease whatever is there.
    insist: bool,
    phase: Phase,
    began: Millis,
    polls: u32,
    waiters: Vec<Waiter>,
}

/// The loads of an engine.
#[derive(Default)]
pub(super) struct Loads {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    last: u64,
    by_key: HashMap<Box<[u8]>, LeaseId>,
    loads: HashMap<LeaseId, Load>,
}

impl Table {
    fn add(&mut self, load: Load) -> LeaseId {
        self.last += 1;
        let id = LeaseId(self.last);
        with_memory_key(&load.namespace, &load.key, |key| self.by_key.insert(key.into(), id));
        self.loads.insert(id, load);
        id
    }

    fn take(&mut self, id: LeaseId) -> Option<Load> {
        let load = self.loads.remove(&id)?;
        with_memory_key(&load.namespace, &load.key, |key| {
            if self.by_key.get(key) == Some(&id) {
                self.by_key.remove(key);
            }
        });
        Some(load)
    }

    fn current(&mut self, namespace: &Namespace, key: &str) -> Option<&mut Load> {
        let id = with_memory_key(namespace, key, |key| self.by_key.get(key).copied())?;
        self.loads.get_mut(&id)
    }
}

impl Engine {
    /// The core question: is there a value, and if not, who loads?
    pub(super) fn lookup(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        key: &str,
        serializer: SerializerId,
        done: LookupDone,
    ) {
        let peek = self.peek(namespace, key);
        let local = peek.found.filter(|found| found.entry.serializer == serializer);
        let stale = match local {
            Some(found) if !found.is_stale() => return done(Lookup::Hit(found)),
            stale => stale,
        };
        let capture = self.capture_ordered(namespace, peek.capture.slot);
        let Some(waiter) = self.join_load(
            namespace,
            key,
            capture,
            Waiter {
                serializer,
                stale,
                done,
            },
        ) else {
            return;
        };
        if !self.outbox.is_remote() {
            return self.start_load(namespace, key, capture, (0, 0), waiter);
        }
        let (engine, owned, name) = (Arc::clone(self), Arc::clone(namespace), Box::<str>::from(key));
        let reader = Box::new(move |answer: &ReadAnswer| {
            let mut waiter = waiter;
            if let Some(found) = answer
                .found
                .as_ref()
                .filter(|found| engine.speaks(found, waiter.serializer))
            {
                if !found.is_stale() {
                    return (waiter.done)(Lookup::Hit(found.clone()));
                }
                waiter.stale = Some(found.clone());
            }
            if let Some(waiter) = engine.join_load(&owned, &name, capture, waiter) {
                engine.start_load(&owned, &name, capture, answer.born, waiter);
            }
        });
        self.read_remote(namespace, key, capture, reader);
    }

    /// A lease to reload a value that is still fresh, unless somebody is at it.
    pub(super) fn lookup_refresh(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        key: &str,
        serializer: SerializerId,
        done: LookupDone,
    ) {
        let slot = self.table.key_slot(namespace.id, key);
        let capture = self.capture_ordered(namespace, slot);
        let mut table = self.loads.table.lock();
        if table
            .current(namespace, key)
            .is_some_and(|load| load.capture.stamp.covers(&capture.stamp))
        {
            drop(table);
            return done(Lookup::Nothing);
        }
        let waiter = Waiter {
            serializer,
            stale: None,
            done,
        };
        let id = table.add(self.new_load(namespace, key, capture, (0, 0), true, waiter));
        drop(table);
        self.ask_lease(id);
    }

    /// Adds the waiter to a load that began after all he knows; else gives him back.
    fn join_load(&self, namespace: &Namespace, key: &str, capture: Capture, waiter: Waiter) -> Option<Waiter> {
        let mut table = self.loads.table.lock();
        match table.current(namespace, key) {
            Some(load) if load.capture.stamp.covers(&capture.stamp) && !load.refresh => match waiter.stale {
                // Somebody loads already, and an old value is at hand: nobody waits.
                Some(stale) => {
                    drop(table);
                    (waiter.done)(Lookup::Stale(stale, None));
                }
                None => load.waiters.push(waiter),
            },
            _ => return Some(waiter),
        }
        None
    }

    fn start_load(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        key: &str,
        capture: Capture,
        born: (u64, u64),
        waiter: Waiter,
    ) {
        let load = self.new_load(namespace, key, capture, born, false, waiter);
        let id = self.loads.table.lock().add(load);
        self.ask_lease(id);
    }

    fn new_load(
        &self,
        namespace: &Arc<Namespace>,
        key: &str,
        capture: Capture,
        born: (u64, u64),
        refresh: bool,
        waiter: Waiter,
    ) -> Load {
        Load {
            namespace: Arc::clone(namespace),
            key: key.into(),
            capture,
            born,
            token: None,
            refresh,
            insist: refresh,
            phase: Phase::Asking,
            began: self.clock.now(),
            polls: 0,
            waiters: vec![waiter],
        }
    }

    /// Asks for the remote lease of a load that nobody holds yet.
    fn ask_lease(self: &Arc<Self>, id: LeaseId) {
        let token = self.random.next() | 1;
        let (namespace, request) = {
            let mut table = self.loads.table.lock();
            let Some(load) = table.loads.get_mut(&id) else { return };
            load.phase = Phase::Asking;
            let key = RemoteKey::new(&load.namespace.full_path, &load.key);
            // Since the remote read somebody may have stored a value.
            let request = RemoteRequest::Lease {
                key,
                token,
                life: lease::TTL,
                unless_value: !load.insist,
            };
            (Arc::clone(&load.namespace), request)
        };
        let engine = Arc::clone(self);
        let done = Box::new(move |state: &BatchState, reply: Result<RemoteReply>| {
            engine.saw_state(state);
            match reply {
                Ok(RemoteReply::Granted) => engine.granted(id, token, state),
                Ok(RemoteReply::Value(Some(stored))) => engine.found_instead(id, stored, state),
                Ok(RemoteReply::Held) => engine.held_elsewhere(id),
                Ok(_) => engine.lead(id, None),
                Err(_) => {
                    engine.counters.remote_errors.add();
                    engine.lead(id, None);
                }
            }
        });
        self.outbox.push(request, Some(&namespace), done).run();
    }

    fn granted(self: &Arc<Self>, id: LeaseId, token: Token, state: &BatchState) {
        if let Some(load) = self.loads.table.lock().loads.get_mut(&id)
            && load.born.0 == 0
        {
            // A refresh has read nothing before: what it loads is born now.
            load.born = (state.incarnation, state.counter);
        }
        self.lead(id, Some(token));
    }

    /// Hands the lease to the first waiter. Without a token the others of the cluster are not kept waiting, and what he
    /// loads stays in this process.
    fn lead(self: &Arc<Self>, id: LeaseId, token: Option<Token>) {
        let (waiter, capture) = {
            let mut table = self.loads.table.lock();
            // Waiters only leave together with their load, or here.
            let Some(load) = table.loads.get_mut(&id).filter(|load| !load.waiters.is_empty()) else {
                return;
            };
            load.phase = Phase::Leased;
            load.token = token;
            (load.waiters.remove(0), load.capture)
        };
        self.counters.loads_started.add();
        (waiter.done)(match waiter.stale {
            Some(stale) => Lookup::Stale(stale, Some((id, capture))),
            None => Lookup::Load(id, capture),
        });
    }

    /// Another process has stored the value while the lease was asked for.
    fn found_instead(self: &Arc<Self>, id: LeaseId, stored: Stored, state: &BatchState) {
        let found = {
            let table = self.loads.table.lock();
            let Some(load) = table.loads.get(&id) else { return };
            let (namespace, key, capture) = (Arc::clone(&load.namespace), load.key.clone(), load.capture);
            drop(table);
            let remote_key = RemoteKey::new(&namespace.full_path, &key);
            self.decode(&remote_key, &stored)
                .filter(|envelope| state.allows(&namespace, envelope.incarnation, envelope.born))
                // Tags that were raised since would have to be asked for: then it is loaded again.
                .filter(|envelope| envelope.tags.is_empty() || envelope.born == state.counter)
                .and_then(|envelope| self.entry_of(&namespace, &envelope, &stored, capture.stamp))
                .filter(|entry| entry.is_fresh(self.clock.now()))
                .and_then(|entry| {
                    let keepable = self.fill_memory(&namespace, &key, capture, &entry);
                    self.judge(&namespace, entry, capture, true).map(|found| Found { keepable, ..found })
                })
        };
        match found {
            Some(found) => {
                self.counters.remote_hits.add();
                let Some(load) = self.loads.table.lock().take(id) else {
                    return;
                };
                self.answer_all(load.waiters, &found);
            }
            None => {
                if let Some(load) = self.loads.table.lock().loads.get_mut(&id) {
                    load.insist = true;
                }
                self.ask_lease(id);
            }
        }
    }

    /// Another process loads: whoever has an old value takes it; the others wait for a push, or poll.
    fn held_elsewhere(self: &Arc<Self>, id: LeaseId) {
        let mut served: Vec<(LookupDone, Lookup)> = Vec::new();
        let poll = {
            let mut table = self.loads.table.lock();
            let Some(load) = table.loads.get_mut(&id) else { return };
            if load.refresh {
                served.extend(load.waiters.drain(..).map(|waiter| (waiter.done, Lookup::Nothing)));
            }
            let (with_stale, waiting) = std::mem::take(&mut load.waiters)
                .into_iter()
                .partition::<Vec<_>, _>(|waiter| waiter.stale.is_some());
            load.waiters = waiting;
            for waiter in with_stale {
                if let Some(stale) = waiter.stale {
                    served.push((waiter.done, Lookup::Stale(stale, None)));
                }
            }
            if load.waiters.is_empty() {
                table.take(id);
                None
            } else {
                load.phase = Phase::Elsewhere;
                load.polls += 1;
                Some((load.polls, self.clock.now().since(load.began)))
            }
        };
        for (done, answer) in served {
            done(answer);
        }
        match poll {
            None => {}
            // Longer than anybody should wait: load here, for this process alone.
            Some((_, waited)) if waited >= lease::WAIT_MAX => self.lead(id, None),
            Some((polls, _)) => {
                let longest = (lease::POLL_MIN << polls.min(5)).min(lease::POLL_MAX);
                let pause = longest / 2 + self.random.next() % (longest / 2 + 1);
                let engine = Arc::clone(self);
                self.runtime.spawn(async move {
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    engine.poll_lease(id, polls);
                });
            }
        }
    }

    /// Asks again, unless somebody already did since.
    fn poll_lease(self: &Arc<Self>, id: LeaseId, polls: u32) {
        let due = |load: &Load| load.phase == Phase::Elsewhere && load.polls == polls;
        if self.loads.table.lock().loads.get(&id).is_some_and(due) {
            self.ask_lease(id);
        }
    }

    /// Another process says that it has stored this key: whoever waits for it reads it now.
    pub(super) fn filled_elsewhere(self: &Arc<Self>, namespace: &Namespace, key: &str) {
        let waiting = {
            let table = self.loads.table.lock();
            let id = with_memory_key(namespace, key, |key| table.by_key.get(key).copied());
            id.filter(|id| table.loads.get(id).is_some_and(|load| load.phase == Phase::Elsewhere))
        };
        if let Some(id) = waiting {
            self.ask_lease(id);
        }
    }

    /// What the holder of a lease loaded.
    pub(super) fn fill(self: &Arc<Self>, id: LeaseId, write: Write<'_>, done: FillDone) {
        let mut table = self.loads.table.lock();
        let Some(load) = table.loads.get_mut(&id).filter(|load| load.phase == Phase::Leased) else {
            drop(table);
            return done(Err(
                Error::new(ErrorKind::Argument, "the lease has ended").with("lease", id.0)
            ));
        };
        load.phase = Phase::Filling;
        let namespace = Arc::clone(&load.namespace);
        let now = self.clock.now();
        let entry = Entry {
            payload: write.payload.into(),
            serializer: write.serializer,
            ttl: write.lifetime.ttl,
            fresh_until: now.after(write.lifetime.ttl),
            gone_at: now.after(write.lifetime.ttl).after(write.lifetime.grace),
            stamp: load.capture.stamp,
            tags: namespace.tag_set(&self.table, write.tags),
        };
        let remote = load.token.filter(|_| load.born.0 != 0).map(|token| {
            let key = RemoteKey::new(&namespace.full_path, &load.key);
            let envelope = self.seal(&key, &entry, write.lifetime, load.born);
            RemoteRequest::Fill {
                key,
                token,
                envelope,
                life: life(write.lifetime),
            }
        });
        drop(table);
        let Some(request) = remote else {
            return self.filled(id, entry, true, done);
        };
        let engine = Arc::clone(self);
        let finish = Box::new(move |_: &BatchState, reply: Result<RemoteReply>| {
            // A remote tier that fails is not the caller's failure: the value is stored here. One that says no is obeyed.
            let kept = match reply {
                Ok(reply) => matches!(reply, RemoteReply::Done(true)),
                Err(_) => {
                    engine.counters.remote_errors.add();
                    true
                }
            };
            engine.filled(id, entry, kept, done);
        });
        self.outbox.push(request, Some(&namespace), finish).run();
    }

    fn filled(self: &Arc<Self>, id: LeaseId, entry: Entry, kept: bool, done: FillDone) {
        // The flight stays joinable until the memory tier has the value: nobody falls between the two.
        let Some((namespace, key, capture, remote)) = ({
            let table = self.loads.table.lock();
            let parts = |load: &Load| {
                (
                    Arc::clone(&load.namespace),
                    load.key.clone(),
                    load.capture,
                    load.token.is_some(),
                )
            };
            table.loads.get(&id).map(parts)
        }) else {
            return done(Ok(FillOutcome::Refused));
        };
        let stored = kept && self.fill_memory(&namespace, &key, capture, &entry);
        let judged = self.judge(&namespace, entry.clone(), capture, true);
        let keepable = stored && judged.is_some();
        let waiters = self
            .loads
            .table
            .lock()
            .take(id)
            .map_or_else(Vec::new, |load| load.waiters);
        let now = self.clock.now();
        let found = judged.unwrap_or_else(|| Found {
            fresh_for: 0,
            gone_in: entry.gone_at.since(now),
            entry,
            capture,
            tag_words: Vec::new(),
            remote: true,
            keepable,
        });
        let found = Found { keepable, ..found };
        if keepable {
            if remote && self.outbox.is_remote() {
                self.tell(Change::Filled {
                    path: namespace.path.clone(),
                    key,
                });
            }
            done(Ok(FillOutcome::Stored(found.clone())));
        } else {
            self.counters.loads_refused.add();
            done(Ok(FillOutcome::Refused));
        }
        self.answer_all(waiters, &found);
    }

    fn answer_all(self: &Arc<Self>, waiters: Vec<Waiter>, found: &Found) {
        for waiter in waiters {
            (waiter.done)(Lookup::Hit(found.clone()));
        }
    }

    /// The holder of a lease has nothing to store: the next waiter gets it, or it is given back.
    pub fn release(self: &Arc<Self>, id: LeaseId, failed: bool) {
        let mut table = self.loads.table.lock();
        let held = |load: &Load| load.phase == Phase::Leased;
        if !table.loads.get(&id).is_some_and(held) {
            return;
        }
        let Some(load) = table.take(id) else { return };
        if failed {
            self.counters.loads_failed.add();
        }
        if load.waiters.is_empty() {
            drop(table);
            return self.give_back(&load);
        }
        // A new name: the old holder can end nothing any more.
        let token = load.token;
        let next = table.add(load);
        drop(table);
        self.lead(next, token);
    }

    fn give_back(&self, load: &Load) {
        if let Some(token) = load.token {
            let key = RemoteKey::new(&load.namespace.full_path, &load.key);
            self.outbox
                .push(RemoteRequest::Unlease { key, token }, None, Box::new(|_, _| ()))
                .run();
        }
    }

    /// Prolongs every remote lease that is held.
    pub(super) fn renew_leases(&self) {
        let held: Vec<RemoteRequest> = {
            let table = self.loads.table.lock();
            let renew = |load: &Load| {
                let token = load
                    .token
                    .filter(|_| matches!(load.phase, Phase::Leased | Phase::Filling))?;
                let key = RemoteKey::new(&load.namespace.full_path, &load.key);
                Some(RemoteRequest::Renew {
                    key,
                    token,
                    life: lease::TTL,
                })
            };
            table.loads.values().filter_map(renew).collect()
        };
        for request in held {
            self.outbox.push(request, None, Box::new(|_, _| ())).run();
        }
    }
}
