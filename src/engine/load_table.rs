//! The loads of an engine that are under way: who waits for which, and which one the callers of a key join.

use crate::clock::Millis;
use crate::engine::answers::{Capture, Found, LeaseId, LookupDone};
use crate::engine::namespaces::Namespace;
use crate::engine::with_memory_key;
use crate::entry::{Entry, SerializerId};
use crate::key::RemoteKey;
use crate::tier::Token;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Somebody who asked for a key.
pub struct Waiter {
    /// The encoding he understands.
    pub serializer: SerializerId,
    /// Until when he waits for another process.
    pub patient_until: Millis,
    /// How long what he finds is fresh in the memory tier at most.
    pub memory_ttl: Option<u64>,
    /// What he takes rather than wait for somebody else's load.
    pub stale: Option<Box<Found>>,
    /// Called once.
    pub done: LookupDone,
}

/// Where a load stands. Each change of it happens under the table's lock, and only from the phase that it follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Nobody has asked for the remote lease yet.
    Begun,
    /// The remote lease is being asked for, or is about to be handed on.
    Asking,
    /// Another process has it; somebody polls.
    Elsewhere,
    /// A caller of this process loads.
    Leased,
    /// His value is on its way to the remote tier.
    Filling,
}

/// One load.
pub struct Load {
    /// Of what.
    pub namespace: Arc<Namespace>,
    /// Of what.
    pub key: Box<str>,
    /// Before the origin is read.
    pub capture: Capture,
    /// Remote stamp of what is loaded: incarnation and counter before the remote read.
    pub born: (u64, u64),
    /// The remote lease, if there is one.
    pub token: Option<Token>,
    /// The lease that is asked for in phase [`Phase::Asking`]: the answer to another question is not for this load.
    pub asked: Option<Token>,
    /// When its remote lease was taken, or renewed.
    pub renewed: Millis,
    /// Begun to renew a value that is still fresh.
    pub refresh: bool,
    /// The bytes that are stored are no fresh value: take the lease whatever is there.
    pub insist: bool,
    /// What its loader may say is still right.
    pub stale: Option<Entry>,
    /// When its loader began.
    pub led: Millis,
    /// Somebody changed the key in the remote tier while the value was on its way there: it may stand over the change.
    pub overtaken: bool,
    /// Where it stands.
    pub phase: Phase,
    /// How often another process had the lease.
    pub polls: u32,
    /// In the order in which they came.
    pub waiters: VecDeque<Waiter>,
}

impl Load {
    /// A load that nobody has asked a lease for.
    pub fn new(namespace: &Arc<Namespace>, key: &str, capture: Capture, waiter: Waiter) -> Self {
        Self {
            phase: Phase::Begun,
            waiters: VecDeque::from([waiter]),
            ..Self::begun_here(namespace, key, capture, Millis(0))
        }
    }

    /// A load that begins with a lease of this process alone, for a caller who is at it already.
    pub fn begun_here(namespace: &Arc<Namespace>, key: &str, capture: Capture, led: Millis) -> Self {
        Self {
            namespace: Arc::clone(namespace),
            key: key.into(),
            capture,
            born: (0, 0),
            token: None,
            asked: None,
            renewed: Millis(0),
            refresh: false,
            insist: false,
            stale: None,
            led,
            overtaken: false,
            phase: Phase::Leased,
            polls: 0,
            waiters: VecDeque::new(),
        }
    }

    /// Where its value goes.
    pub fn remote_key(&self) -> RemoteKey {
        RemoteKey::new(&self.namespace.full_path, &self.key)
    }

    /// Whether somebody who captured this may wait for it: it began after all he knows, and is going to bring a value.
    pub fn is_joinable(&self, capture: &Capture) -> bool {
        // A refresh that finds another process at work is called off, with all who would wait for it.
        let called_off = self.refresh && !matches!(self.phase, Phase::Leased | Phase::Filling);
        self.capture.covers(capture) && !called_off
    }
}

/// See the module.
#[derive(Default)]
pub struct Table {
    last: u64,
    by_key: HashMap<Box<[u8]>, LeaseId>,
    loads: HashMap<LeaseId, Load>,
}

impl Table {
    /// Adds the waiter to the load of the key; gives him back when he may not wait for it. One who has an old value is not
    /// made to wait: it comes back, to be handed to him when the lock is released.
    pub fn join(
        &mut self,
        namespace: &Namespace,
        key: &str,
        capture: &Capture,
        waiter: Waiter,
    ) -> Result<Option<(LookupDone, Box<Found>)>, Waiter> {
        let load = self.id(namespace, key).and_then(|id| self.loads.get_mut(&id));
        let Some(load) = load.filter(|load| load.is_joinable(capture)) else {
            return Err(waiter);
        };
        match waiter.stale {
            Some(stale) => Ok(Some((waiter.done, stale))),
            None => {
                load.waiters.push_back(waiter);
                Ok(None)
            }
        }
    }

    /// The load that callers of the key find first.
    pub fn current(&self, namespace: &Namespace, key: &str) -> Option<&Load> {
        self.loads.get(&self.id(namespace, key)?)
    }

    /// Its name.
    pub fn id(&self, namespace: &Namespace, key: &str) -> Option<LeaseId> {
        with_memory_key(namespace, key, |key| self.by_key.get(key).copied())
    }

    /// A new load, which callers of the key find from now on.
    pub fn add(&mut self, load: Load) -> LeaseId {
        let id = self.name();
        with_memory_key(&load.namespace, &load.key, |key| self.by_key.insert(key.into(), id));
        self.loads.insert(id, load);
        id
    }

    /// A new load that callers of the key do not find: they wait for another one.
    pub fn add_beside(&mut self, load: Load) -> LeaseId {
        let id = self.name();
        self.loads.insert(id, load);
        id
    }

    /// The load of this name.
    pub fn get(&self, id: LeaseId) -> Option<&Load> {
        self.loads.get(&id)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, id: LeaseId) -> Option<&mut Load> {
        self.loads.get_mut(&id)
    }

    /// The load of this name, if it stands there.
    pub fn at(&mut self, id: LeaseId, phase: Phase) -> Option<&mut Load> {
        self.loads.get_mut(&id).filter(|load| load.phase == phase)
    }

    /// Ends a load.
    pub fn take(&mut self, id: LeaseId) -> Option<Load> {
        let load = self.loads.remove(&id)?;
        with_memory_key(&load.namespace, &load.key, |key| {
            if self.by_key.get(key) == Some(&id) {
                self.by_key.remove(key);
            }
        });
        Some(load)
    }

    /// Gives a load a new name, so that whoever knew the old one can end nothing any more. A later load of the key stays
    /// the one that callers find.
    pub fn rename(&mut self, id: LeaseId) -> Option<(LeaseId, &mut Load)> {
        let load = self.loads.remove(&id)?;
        let new = self.name();
        with_memory_key(&load.namespace, &load.key, |key| {
            if let Some(current) = self.by_key.get_mut(key).filter(|current| **current == id) {
                *current = new;
            }
        });
        Some((new, self.loads.entry(new).or_insert(load)))
    }

    /// All loads, in the order of their names: a seeded run can be repeated.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Load> {
        let mut loads: Vec<_> = self.loads.iter_mut().collect();
        loads.sort_unstable_by_key(|(id, _)| **id);
        loads.into_iter().map(|(_, load)| load)
    }

    fn name(&mut self) -> LeaseId {
        self.last += 1;
        LeaseId(self.last)
    }
}
