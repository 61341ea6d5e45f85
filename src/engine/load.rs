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
use crate::entry::{Entry, LoadTime, SerializerId};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Change;
use crate::key::RemoteKey;
use crate::options::lease;
use crate::tier::{RemoteReply, RemoteRequest, Stored, Token};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// The loads of an engine.
#[derive(Default)]
pub(super) struct Loads {
    table: Mutex<Table>,
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
        let peek = self.look(namespace, key);
        let local = peek.found.filter(|found| found.entry.serializer == serializer);
        let stale = match local {
            Some(found) if !found.is_stale() => return done(Lookup::Hit(found)),
            stale => stale.map(Box::new),
        };
        let capture = self.capture_ordered(namespace, peek.capture.slot);
        let waiter = Waiter {
            serializer,
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
            .is_some_and(|load| load.capture.covers(&capture))
        {
            drop(table);
            return done(Lookup::Nothing);
        }
        let waiter = Waiter {
            serializer,
            stale: None,
            done,
        };
        let id = table.add(Load {
            refresh: true,
            insist: true,
            ..Load::new(namespace, key, capture, self.clock.now(), waiter)
        });
        drop(table);
        self.ask_lease(id, Phase::Begun);
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
        waiter: Waiter,
    ) {
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
            .and_then(|load| Some((load.remote_key(), load.token?)));
        // Without the state nothing that is loaded can be stored remotely, and nobody need wait for a remote lease.
        let alone = self.outbox.is_remote() && born.0 == 0;
        let id = table.add(Load {
            born,
            phase: if alone { Phase::Asking } else { Phase::Begun },
            ..Load::new(namespace, key, capture, self.clock.now(), waiter)
        });
        drop(table);
        if let Some((key, token)) = doomed {
            self.unlease(key, token);
        }
        if alone {
            self.lead(id, None);
        } else {
            self.ask_lease(id, Phase::Begun);
        }
    }

    /// Asks for the remote lease of a load, if that still stands where the caller saw it.
    fn ask_lease(self: &Arc<Self>, id: LeaseId, from: Phase) {
        let token = self.random.next() | 1;
        let (namespace, key, insist) = {
            let mut table = self.loads.table.lock();
            let Some(load) = table.at(id, from) else { return };
            load.phase = Phase::Asking;
            load.asked = token;
            (Arc::clone(&load.namespace), load.remote_key(), load.insist)
        };
        let request = RemoteRequest::Lease {
            key: key.clone(),
            token,
            life: lease::TTL,
            // Since the remote read somebody may have stored a value.
            unless_value: !insist,
        };
        let before = self.recovery.before(&namespace, key.user_key(&namespace.full_path));
        let engine = Arc::clone(self);
        let done = Box::new(move |state: &BatchState, reply: Result<RemoteReply>| {
            engine.saw_state(state);
            let asked = |load: &Load| load.phase == Phase::Asking && load.asked == token;
            let wanted = engine.loads.table.lock().get(id).is_some_and(asked);
            match reply {
                Ok(RemoteReply::Granted) if !wanted => engine.unlease(key, token),
                _ if !wanted => {}
                Ok(RemoteReply::Granted) => engine.granted(id, token, state),
                Ok(RemoteReply::Value(Some(stored))) => engine.found_instead(id, stored, state, before),
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
    fn lead(self: &Arc<Self>, id: LeaseId, token: Option<Token>) {
        let (waiter, capture) = {
            let mut table = self.loads.table.lock();
            // Waiters only leave together with their load, or here.
            let Some(load) = table.at(id, Phase::Asking) else {
                return;
            };
            let Some(waiter) = load.waiters.pop_front() else { return };
            load.phase = Phase::Leased;
            load.token = token;
            (waiter, load.capture)
        };
        self.counters.loads_started.add();
        (waiter.done)(match waiter.stale {
            Some(stale) => Lookup::Stale(*stale, Some((id, capture))),
            None => Lookup::Load(id, capture),
        });
    }

    /// Another process has stored the value while the lease was asked for.
    fn found_instead(self: &Arc<Self>, id: LeaseId, stored: Stored, state: &BatchState, before: Option<Before>) {
        let (namespace, key, capture, serializer) = {
            let table = self.loads.table.lock();
            let Some(load) = table.get(id) else { return };
            let serializer = load.waiters.front().map(|waiter| waiter.serializer);
            (Arc::clone(&load.namespace), load.key.clone(), load.capture, serializer)
        };
        let remote_key = RemoteKey::new(&namespace.full_path, &key);
        let found = self
            .decode(&remote_key, &stored)
            .filter(|envelope| Some(envelope.serializer) == serializer)
            .filter(|envelope| state.allows(&namespace, envelope.incarnation, envelope.born))
            .filter(|envelope| !state.softens(&namespace, envelope.born))
            // Tags that were raised since would have to be asked for: then it is loaded again.
            .filter(|envelope| envelope.tags.is_empty() || envelope.born == state.counter)
            .and_then(|envelope| self.entry_of(&namespace, &envelope, &stored, capture.stamp))
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

    /// Another process loads: whoever has an old value takes it; the others wait for a push, or poll.
    fn held_elsewhere(self: &Arc<Self>, id: LeaseId) {
        let mut served: Vec<(LookupDone, Lookup)> = Vec::new();
        let mut polls = None;
        {
            let mut table = self.loads.table.lock();
            let Some(load) = table.at(id, Phase::Asking) else {
                return;
            };
            for waiter in std::mem::take(&mut load.waiters) {
                match waiter.stale {
                    _ if load.refresh => served.push((waiter.done, Lookup::Nothing)),
                    Some(stale) => served.push((waiter.done, Lookup::Stale(*stale, None))),
                    None => load.waiters.push_back(waiter),
                }
            }
            if load.waiters.is_empty() {
                table.take(id);
            } else if self.clock.now().since(load.began) < lease::WAIT_MAX {
                load.phase = Phase::Elsewhere;
                load.polls += 1;
                polls = Some(load.polls);
            }
        }
        for (done, answer) in served {
            done(answer);
        }
        let Some(polls) = polls else {
            // Longer than anybody should wait: load here, for this process alone.
            return self.lead(id, None);
        };
        let longest = (lease::POLL_MIN << polls.min(5)).min(lease::POLL_MAX);
        let pause = longest / 2 + self.random.next() % (longest / 2 + 1);
        let engine = Arc::clone(self);
        self.runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            // Unless somebody already asked since.
            let due = |load: &mut Load| load.polls == polls;
            if engine.loads.table.lock().at(id, Phase::Elsewhere).is_some_and(due) {
                engine.ask_lease(id, Phase::Elsewhere);
            }
        });
    }

    /// Another process says that it has stored this key: whoever waits for it reads it now.
    pub(super) fn filled_elsewhere(self: &Arc<Self>, namespace: &Namespace, key: &str) {
        let waiting = self.loads.table.lock().id(namespace, key);
        if let Some(id) = waiting {
            self.ask_lease(id, Phase::Elsewhere);
        }
    }

    /// What the holder of a lease loaded.
    pub(super) fn fill(self: &Arc<Self>, id: LeaseId, write: Write<'_>, done: FillDone) {
        let held = {
            let mut table = self.loads.table.lock();
            table.at(id, Phase::Leased).map(|load| {
                load.phase = Phase::Filling;
                let namespace = Arc::clone(&load.namespace);
                (namespace, load.remote_key(), load.capture, load.born, load.token)
            })
        };
        let Some((namespace, key, capture, born, token)) = held else {
            return done(Err(
                Error::new(ErrorKind::Argument, "the lease has ended").with("lease", id.0)
            ));
        };
        let now = self.clock.now();
        let entry = Entry {
            payload: write.payload.into(),
            serializer: write.serializer,
            ttl: write.lifetime.ttl,
            grace: write.lifetime.grace,
            load_time: LoadTime::UNKNOWN,
            fresh_until: now.after(write.lifetime.ttl),
            gone_at: now.after(write.lifetime.ttl).after(write.lifetime.grace),
            stamp: capture.stamp,
            tags: namespace.tag_set(&self.table, write.tags),
        };
        let Some(token) = token else {
            return self.filled(id, entry, true, done);
        };
        if born.0 == 0 {
            // Nobody could ever judge it: it stays here, and the others need not wait for it.
            self.unlease(key, token);
            return self.filled(id, entry, true, done);
        }
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
        if keepable {
            if self.outbox.is_remote() && load.as_ref().is_some_and(|load| load.token.is_some()) {
                let filled = Change::Filled {
                    path: namespace.path.clone(),
                    key,
                };
                self.outbox.tell(filled, Box::new(|_, _| ()));
            }
            done(Ok(FillOutcome::Stored(found.clone())));
        } else {
            self.counters.loads_refused.add();
            done(Ok(FillOutcome::Refused));
        }
        if let Some(load) = load {
            self.answer_all(load, &found);
        }
    }

    /// Gives the value to all who waited. Who waited for another encoding asks anew.
    fn answer_all(self: &Arc<Self>, load: Load, found: &Found) {
        for waiter in load.waiters {
            if waiter.serializer == found.entry.serializer {
                (waiter.done)(Lookup::Hit(found.clone()));
            } else {
                self.lookup(&load.namespace, &load.key, waiter.serializer, waiter.done);
            }
        }
    }

    /// The holder of a lease has nothing to store: the next waiter gets it, or it is given back.
    pub(crate) fn release(self: &Arc<Self>, id: LeaseId, failed: bool) {
        let mut table = self.loads.table.lock();
        let Some(load) = table.at(id, Phase::Leased) else {
            return;
        };
        if load.waiters.is_empty() {
            let given_back = load.token.map(|token| (load.remote_key(), token));
            table.take(id);
            drop(table);
            if let Some((key, token)) = given_back {
                self.unlease(key, token);
            }
        } else if let Some((next, load)) = table.rename(id) {
            let token = load.token.take();
            load.phase = Phase::Asking;
            load.asked = 0;
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

    fn unlease(&self, key: RemoteKey, token: Token) {
        let request = RemoteRequest::Unlease { key, token };
        self.outbox.push(request, None, Box::new(|_, _| ())).run();
    }

    /// Prolongs every remote lease that is held.
    pub(super) fn renew_leases(&self) {
        let renew = |load: &Load| {
            let token = load
                .token
                .filter(|_| matches!(load.phase, Phase::Leased | Phase::Filling))?;
            Some(RemoteRequest::Renew {
                key: load.remote_key(),
                token,
                life: lease::TTL,
            })
        };
        let held: Vec<RemoteRequest> = self.loads.table.lock().iter().filter_map(renew).collect();
        for request in held {
            self.outbox.push(request, None, Box::new(|_, _| ())).run();
        }
    }
}

/// Somebody loads already: who has an old value at hand does not wait.
fn answer_now(joined: Option<(LookupDone, Box<Found>)>) {
    if let Some((done, stale)) = joined {
        done(Lookup::Stale(*stale, None));
    }
}
