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

use crate::engine::Engine;
use crate::engine::answers::{Capture, FillDone, FillOutcome, Found, LeaseId, Lookup, LookupDone, Write};
use crate::engine::load_table::{Load, Phase, Table, Waiter};
use crate::engine::namespaces::Namespace;
use crate::engine::outbox::BatchState;
use crate::engine::read::ReadAnswer;
use crate::engine::recovery::Before;
use crate::entry::{Entry, Lifetime, LoadTime, SerializerId};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Change;
use crate::key::RemoteKey;
use crate::options::lease;
use crate::tier::{RemoteReply, RemoteRequest, Stored, Token};
use parking_lot::Mutex;
use std::sync::Arc;

/// The loads of an engine.
#[derive(Default)]
pub(super) struct Loads {
    pub(super) table: Mutex<Table>,
}

impl Engine {
    /// The core question: is there a value, and if not, who loads?
    pub(super) fn lookup(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        key: &str,
        serializer: SerializerId,
        lock_timeout: u64,
        memory_ttl: Option<u64>,
        done: LookupDone,
    ) {
        let peek = self.look(namespace, key);
        let local = peek.found.filter(|found| found.entry.serializer == serializer);
        let stale = match local {
            Some(found) if !found.is_stale() => return done(Lookup::Hit(found)),
            stale => stale.map(Box::new),
        };
        let capture = self.capture_ordered(namespace, peek.capture.slot);
        let waiter = Waiter {
            serializer,
            patient_until: self.clock.now().after(lock_timeout),
            memory_ttl,
            stale,
            done,
        };
        if !self.outbox.is_remote() {
            return self.join_or_load(namespace, key, capture, (0, 0), waiter);
        }
        let Err(waiter) = self.join(namespace, key, capture, waiter) else {
            return;
        };
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
                waiter.stale = Some(Box::new(found.clone()));
            }
            engine.join_or_load(&owned, &name, capture, answer.born, waiter);
        });
        self.read_remote(namespace, key, capture, memory_ttl, reader);
    }

    /// A lease at once, for a host that loads in the middle of a synchronous call and can wait for nobody. The remote tier is
    /// not asked: what is loaded stays in this process, like that of a caller who has waited too long.
    pub(super) fn lease_here(&self, namespace: &Arc<Namespace>, key: &str) -> (LeaseId, Capture) {
        let capture = self.capture_ordered(namespace, self.table.key_slot(namespace.id, key));
        let load = Load::begun_here(namespace, key, capture, self.clock.now());
        let mut table = self.loads.table.lock();
        let is_led = table
            .current(namespace, key)
            .is_some_and(|load| load.is_joinable(&capture));
        let id = if is_led {
            table.add_beside(load)
        } else {
            table.add(load)
        };
        drop(table);
        self.counters.loads_started.add();
        (id, capture)
    }

    /// Adds the waiter to a load that began after all he knows; else gives him back.
    fn join(&self, namespace: &Namespace, key: &str, capture: Capture, waiter: Waiter) -> Result<(), Waiter> {
        let joined = self.loads.table.lock().join(namespace, key, &capture, waiter)?;
        answer_now(joined);
        Ok(())
    }

    /// Joins a load, or begins one that was born with this state; under one lock, so that no two callers both begin.
    fn join_or_load(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        key: &str,
        capture: Capture,
        born: (u64, u64),
        mut waiter: Waiter,
    ) {
        if waiter.stale.is_some()
            && self.backoffs.holds(namespace, key, &capture, self.clock.now())
            && let Some(stale) = waiter.stale.take()
        {
            return (waiter.done)(Lookup::Stale(*stale, None));
        }
        let mut table = self.loads.table.lock();
        let waiter = match table.join(namespace, key, &capture, waiter) {
            Err(waiter) => waiter,
            Ok(joined) => {
                drop(table);
                return answer_now(joined);
            }
        };
        // A load that ended between this caller's look and now has left its value there.
        let landed = self
            .look(namespace, key)
            .found
            .filter(|found| !found.is_stale() && found.entry.serializer == waiter.serializer);
        if let Some(found) = landed {
            drop(table);
            return (waiter.done)(Lookup::Hit(found));
        }
        // A load from before a clear stores nothing any more: nobody shall wait for its lease.
        let doomed = table
            .current(namespace, key)
            .filter(|load| {
                let (load, caller) = (&load.capture.stamp, &capture.stamp);
                load.namespace < caller.namespace || load.softened < caller.softened
            })
            .and_then(|load| load.token);
        // Without the state nothing that is loaded can be stored remotely, and nobody need wait for a remote lease.
        let alone = self.outbox.is_remote() && born.0 == 0;
        let id = table.add(Load {
            born,
            phase: if alone { Phase::Asking } else { Phase::Begun },
            ..Load::new(namespace, key, capture, waiter)
        });
        drop(table);
        if let Some(token) = doomed {
            self.unlease(namespace, key, token);
        }
        if alone {
            self.lead(id, None);
        } else {
            self.ask_lease(id, Phase::Begun);
        }
    }

    /// Asks for the remote lease of a load, if that still stands where the caller saw it. Where there is no remote tier there
    /// is nobody to ask, and no lease to give back and to tell of.
    pub(super) fn ask_lease(self: &Arc<Self>, id: LeaseId, from: Phase) {
        let token = self.new_token();
        let Some(capture) = self.capture_again(id) else { return };
        let request = {
            let mut table = self.loads.table.lock();
            let Some(load) = table.at(id, from) else { return };
            load.phase = Phase::Asking;
            if !self.outbox.is_remote() {
                drop(table);
                return self.lead(id, None);
            }
            load.asked = Some(token);
            // A value may be found instead, from now on.
            load.capture = load.capture.renewed(capture);
            RemoteRequest::Lease {
                key: load.remote_key(),
                token,
                life: lease::TTL,
                // Since the remote read somebody may have stored a value.
                // Asked again, what was old then may have been replaced.
                unless_value: !std::mem::take(&mut load.insist),
            }
        };
        // Before the lease: whoever finds it looks for its owner.
        self.show_life();
        self.ask(id, token, request);
    }

    /// Asks for the remote lease of a load in the name of this token.
    pub(super) fn ask(self: &Arc<Self>, id: LeaseId, token: Token, request: RemoteRequest) {
        let Some((namespace, key)) = self.loads.named(id) else {
            return;
        };
        let before = self.recovery.before(&namespace, &key);
        let (engine, owned) = (Arc::clone(self), Arc::clone(&namespace));
        let done = Box::new(move |state: &BatchState, reply: Result<RemoteReply>| {
            engine.saw_state(state);
            let asked = |load: &Load| load.phase == Phase::Asking && load.asked == Some(token);
            let wanted = engine.loads.table.lock().get(id).is_some_and(asked);
            match reply {
                Ok(RemoteReply::Granted) if !wanted => engine.unlease(&owned, &key, token),
                _ if !wanted => {}
                Ok(RemoteReply::Granted) => engine.granted(id, token, state),
                Ok(RemoteReply::Value(Some(stored))) => engine.found_instead(id, stored, state, before),
                Ok(RemoteReply::Held(holder)) => engine.held_elsewhere(id, token, holder),
                Ok(_) => engine.lead(id, None),
                Err(_) => {
                    engine.counters.remote_errors.add();
                    engine.lead(id, None);
                }
            }
        });
        self.outbox.push(request, Some(&namespace), done).run();
    }

    /// The origin of a load has not been read yet: what was invalidated up to now concerns it no more.
    fn capture_again(&self, id: LeaseId) -> Option<Capture> {
        let (namespace, key) = self.loads.named(id)?;
        Some(self.capture_ordered(&namespace, self.table.key_slot(namespace.id, &key)))
    }

    pub(super) fn new_token(&self) -> Token {
        Token {
            owner: self.voice.sender(),
            number: self.random.next(),
        }
    }

    fn granted(self: &Arc<Self>, id: LeaseId, token: Token, state: &BatchState) {
        if let Some(load) = self.loads.table.lock().at(id, Phase::Asking)
            && load.born.0 == 0
        {
            // A refresh has read nothing before: what it loads is born now.
            load.born = (state.incarnation, state.counter);
        }
        self.lead(id, Some(token));
    }

    /// Hands the lease to the first waiter. Without a token the others of the cluster are not kept waiting, and what he
    /// loads stays in this process.
    pub(super) fn lead(self: &Arc<Self>, id: LeaseId, token: Option<Token>) {
        let Some(later) = self.capture_again(id) else { return };
        let (waiter, capture) = {
            let mut table = self.loads.table.lock();
            // Waiters only leave together with their load, or here.
            let Some(load) = table.at(id, Phase::Asking) else {
                return;
            };
            let Some(waiter) = load.waiters.pop_front() else { return };
            load.phase = Phase::Leased;
            load.token = token;
            load.renewed = self.clock.now();
            load.led = self.clock.now();
            load.stale = waiter.stale.as_ref().map(|stale| stale.entry.clone());
            load.capture = load.capture.renewed(later);
            (waiter, load.capture)
        };
        self.counters.loads_started.add();
        (waiter.done)(match waiter.stale {
            Some(stale) => Lookup::Stale(*stale, Some((id, capture))),
            None => Lookup::Load(id, capture),
        });
    }

    /// Another process has stored the value while the lease was asked for.
    fn found_instead(self: &Arc<Self>, id: LeaseId, stored: Stored, state: &BatchState, before: Before) {
        let (namespace, key, capture, serializer, memory_ttl) = {
            let table = self.loads.table.lock();
            let Some(load) = table.get(id) else { return };
            let first = load.waiters.front();
            let (serializer, memory_ttl) = (
                first.map(|waiter| waiter.serializer),
                first.and_then(|waiter| waiter.memory_ttl),
            );
            (
                Arc::clone(&load.namespace),
                load.key.clone(),
                load.capture,
                serializer,
                memory_ttl,
            )
        };
        let remote_key = RemoteKey::new(&namespace.full_path, &key);
        let found = self
            .decode(&remote_key, &stored)
            .filter(|envelope| Some(envelope.serializer) == serializer)
            .filter(|envelope| state.allows(&namespace, envelope.incarnation, envelope.born))
            .filter(|envelope| !state.softens(&namespace, envelope.born))
            // Tags that were raised since would have to be asked for: then it is loaded again.
            .filter(|envelope| envelope.tags.is_empty() || envelope.born == state.counter)
            .and_then(|envelope| self.entry_of(&namespace, &envelope, &stored, capture.stamp, memory_ttl))
            .filter(|entry| entry.is_fresh(self.clock.now()))
            .filter(|entry| !self.recovery.refuses(before, &namespace, &key, entry.tags.as_deref()))
            .and_then(|entry| {
                let keepable = self.fill_memory(&namespace, &key, capture, &entry);
                let found = self.judge(&namespace, entry, capture, true)?;
                Some(Found { keepable, ..found })
            });
        match found {
            Some(found) => {
                self.counters.remote_hits.add();
                let load = self.loads.table.lock().take(id);
                if let Some(load) = load {
                    self.answer_all(load, &found);
                }
            }
            None => {
                if let Some(load) = self.loads.table.lock().at(id, Phase::Asking) {
                    load.insist = true;
                    load.phase = Phase::Begun;
                }
                self.ask_lease(id, Phase::Begun);
            }
        }
    }

    /// What the holder of a lease loaded.
    pub(super) fn fill(self: &Arc<Self>, id: LeaseId, write: Write<'_>, memory_ttl: Option<u64>, done: FillDone) {
        let held = {
            let mut table = self.loads.table.lock();
            table.at(id, Phase::Leased).map(|load| {
                load.phase = Phase::Filling;
                let namespace = Arc::clone(&load.namespace);
                (
                    namespace,
                    load.key.clone(),
                    load.capture,
                    load.born,
                    load.token,
                    load.led,
                )
            })
        };
        let Some((namespace, key, capture, born, token, led)) = held else {
            return done(Err(
                Error::new(ErrorKind::Argument, "the lease has ended").with("lease", id.0)
            ));
        };
        let now = self.clock.now();
        let load_time = now.since(led);
        namespace.note_load_time(load_time);
        let tags = namespace.tag_set(&self.table, write.tags);
        let entry = Entry {
            load_time: LoadTime::from_millis(load_time),
            ..write.entry(now, memory_ttl, capture.stamp, tags)
        };
        let Some(token) = token else {
            return self.filled(id, entry, true, done);
        };
        if born.0 == 0 {
            // Nobody could ever judge it: it stays here, and the others need not wait for it.
            self.unlease(&namespace, &key, token);
            return self.filled(id, entry, true, done);
        }
        let key = RemoteKey::new(&namespace.full_path, &key);
        let request = RemoteRequest::Fill {
            envelope: self.seal(&key, &entry, write.lifetime, born),
            key,
            token,
            life: write.lifetime.stored(),
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
        // The load stays joinable until the memory tier has the value: nobody falls between the two.
        let parts = |load: &Load| (Arc::clone(&load.namespace), load.key.clone(), load.capture);
        let parts = self.loads.table.lock().get(id).map(parts);
        let Some((namespace, key, capture)) = parts else {
            return done(Ok(FillOutcome::Refused));
        };
        let stored = kept && self.fill_memory(&namespace, &key, capture, &entry);
        let judged = self.judge(&namespace, entry.clone(), capture, true);
        let keepable = stored && judged.is_some();
        let load = self.loads.table.lock().take(id);
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
        if kept && load.as_ref().is_some_and(|load| load.overtaken) {
            self.delete(&namespace, &key, Box::new(|_| ()));
        } else if kept && self.outbox.is_remote() && load.as_ref().is_some_and(|load| load.token.is_some()) {
            // Whether or not this process may keep it: others judge for themselves.
            let path = namespace.path.clone();
            self.outbox.tell(Change::Filled { path, key }, Box::new(|_, _| ()));
        }
        if keepable {
            done(Ok(FillOutcome::Stored(found.clone())));
        } else {
            self.counters.loads_refused.add();
            done(Ok(FillOutcome::Refused));
        }
        if let Some(load) = load {
            self.answer_all(load, &found);
        }
    }

    /// The holder of a lease says that the old value he got with it is still right.
    pub(super) fn renew(
        self: &Arc<Self>,
        id: LeaseId,
        lifetime: Lifetime,
        memory_ttl: Option<u64>,
        tags: &[&str],
        done: FillDone,
    ) {
        let stale = {
            let mut table = self.loads.table.lock();
            table.at(id, Phase::Leased).and_then(|load| load.stale.clone())
        };
        let Some(stale) = stale else {
            self.release(id, true, 0);
            let message = "there is no old value to renew, or the lease has ended";
            return done(Err(Error::new(ErrorKind::Argument, message).with("lease", id.0)));
        };
        let names = stale.tags.as_ref().map_or(&[][..], |tags| &tags.names);
        let own: Vec<&str> = names.iter().map(|name| &**name).collect();
        let write = Write {
            payload: &stale.payload,
            serializer: stale.serializer,
            lifetime,
            tags: if tags.is_empty() { &own } else { tags },
        };
        self.fill(id, write, memory_ttl, done);
    }

    /// Gives the value to all who waited. Who waited for another encoding asks anew.
    fn answer_all(self: &Arc<Self>, load: Load, found: &Found) {
        for waiter in load.waiters {
            if waiter.serializer == found.entry.serializer {
                (waiter.done)(Lookup::Hit(found.clone()));
            } else {
                let patience = waiter.patient_until.since(self.clock.now());
                self.lookup(
                    &load.namespace,
                    &load.key,
                    waiter.serializer,
                    patience,
                    waiter.memory_ttl,
                    waiter.done,
                );
            }
        }
    }

    /// The holder of a lease has nothing to store: the next waiter gets it, or it is given back.
    /// `backoff`: for so many milliseconds whoever has an old value takes that.
    pub(crate) fn release(self: &Arc<Self>, id: LeaseId, failed: bool, backoff: u64) {
        let mut table = self.loads.table.lock();
        let Some(load) = table.at(id, Phase::Leased) else {
            return;
        };
        if backoff > 0 {
            let until = self.clock.now().after(backoff);
            self.backoffs.begin(&load.namespace, &load.key, load.capture, until);
        }
        if load.waiters.is_empty() {
            let ended = table.take(id);
            drop(table);
            if let Some(load) = ended
                && let Some(token) = load.token
            {
                self.unlease(&load.namespace, &load.key, token);
            }
        } else if let Some((next, load)) = table.rename(id) {
            let token = load.token.take();
            load.phase = Phase::Asking;
            load.asked = None;
            load.refresh = false;
            drop(table);
            let engine = Arc::clone(self);
            // Not on this stack: of a thousand waiters who have all gone, each would hand on inside the one before.
            self.runtime.spawn(async move { engine.lead(next, token) });
        }
        if failed {
            self.counters.loads_failed.add();
        }
    }

    /// Gives a remote lease back, and wakes those who wait for it.
    pub(super) fn unlease(self: &Arc<Self>, namespace: &Arc<Namespace>, key: &str, token: Token) {
        let request = RemoteRequest::Unlease {
            key: RemoteKey::new(&namespace.full_path, key),
            token,
        };
        let (engine, path, key) = (Arc::clone(self), namespace.path.clone(), Box::<str>::from(key));
        let done = Box::new(move |_: &BatchState, reply: Result<RemoteReply>| {
            if matches!(reply, Ok(RemoteReply::Done(true))) {
                engine.outbox.tell(Change::Freed { path, key }, Box::new(|_, _| ()));
            }
        });
        self.outbox.push(request, None, done).run();
    }

    /// Shows that this process lives while it holds remote leases, and prolongs them.
    pub(super) fn keep_leases(&self) {
        let now = self.clock.now();
        let (mut any, mut due) = (false, Vec::new());
        for load in self.loads.table.lock().iter_mut() {
            if let Some(token) = load.token
                && matches!(load.phase, Phase::Leased | Phase::Filling)
            {
                any = true;
                if now.since(load.renewed) >= lease::RENEWAL {
                    load.renewed = now;
                    let (key, life) = (load.remote_key(), lease::TTL);
                    due.push(RemoteRequest::Renew { key, token, life });
                }
            }
        }
        if any {
            self.show_life();
        }
        for request in due {
            self.outbox.push(request, None, Box::new(|_, _| ())).run();
        }
    }
}

impl Loads {
    /// What a load is about.
    fn named(&self, id: LeaseId) -> Option<(Arc<Namespace>, Box<str>)> {
        let table = self.table.lock();
        table
            .get(id)
            .map(|load| (Arc::clone(&load.namespace), load.key.clone()))
    }
}

/// Somebody loads already: who has an old value at hand does not wait.
fn answer_now(joined: Option<(LookupDone, Box<Found>)>) {
    if let Some((done, stale)) = joined {
        done(Lookup::Stale(*stale, None));
    }
}
