//! What the remote tier says by itself (server-assisted tracking): keys that somebody has changed who does not speak on the bus.
//! Applied where it is heard, before the reply behind it (law 3).

use crate::engine::Engine;
use crate::engine::load_table::{Load, Phase};
use crate::engine::namespaces::Namespace;
use crate::engine::outbox::BatchState;
use crate::error::Result;
use crate::tier::{Foreign, RemoteReply, RemoteRequest, Token};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Whether changes by others than this product are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracking {
    /// Nobody was asked to tell, or there is nobody.
    Off = 0,
    /// They are.
    On = 1,
    /// The server was asked, and does not tell.
    Refused = 2,
}

/// What is known of it.
#[derive(Default)]
pub(super) struct Watching {
    tracking: AtomicU8,
    /// What this process stores is told as if somebody else had done it.
    tells_own: AtomicBool,
    /// The namespace state is being asked for.
    learning: AtomicBool,
}

impl Engine {
    /// Whether changes in the remote tier by others than this product are noticed.
    pub fn tracking(&self) -> Tracking {
        match self.watching.tracking.load(Ordering::SeqCst) {
            1 => Tracking::On,
            2 => Tracking::Refused,
            _ => Tracking::Off,
        }
    }

    /// Without a tier above the remote one there is nothing to drop.
    pub(super) fn start_watching(self: &Arc<Self>) {
        if self.options.redis.as_ref().is_some_and(|redis| !redis.tracking) {
            return;
        }
        let engine = Arc::downgrade(self);
        self.outbox.watch(Arc::new(move |foreign| {
            if let Some(engine) = engine.upgrade() {
                engine.changed_by_others(&foreign);
            }
        }));
    }

    fn changed_by_others(self: &Arc<Self>, foreign: &Foreign) {
        let now = |tracking: Tracking| self.watching.tracking.swap(tracking as u8, Ordering::SeqCst);
        match foreign {
            Foreign::Began { again, tells_own } => {
                self.watching.tells_own.store(*tells_own, Ordering::SeqCst);
                now(Tracking::On);
                if *again {
                    // What others did while the connection was lost is unknown (law 4).
                    self.drop_unheard();
                    self.overtake_all();
                }
            }
            Foreign::Lost => self.drop_unheard(),
            Foreign::Refused => {
                if now(Tracking::Refused) == Tracking::On as u8 {
                    self.drop_unheard();
                    self.overtake_all();
                }
            }
            Foreign::Key { path, key } => {
                self.counters.foreign_changes.add();
                if let Some(namespace) = self.namespaces.find(path) {
                    self.drop_key(&namespace, key);
                    self.overtake(&namespace, key);
                    self.wake_waiters(&namespace, key);
                }
            }
            Foreign::State => self.learn_state_once(),
            Foreign::Everything => {
                self.counters.foreign_changes.add();
                self.drop_unheard();
                self.learn_state_once();
            }
        }
    }

    /// Whoever changed the key knows nothing of leases: what is being loaded here is from before, and is not to be stored
    /// (law 2).
    fn overtake(self: &Arc<Self>, namespace: &Arc<Namespace>, key: &str) {
        // Where one's own writes are told, too, this may be the value that is on its way.
        let surely = !self.watching.tells_own.load(Ordering::SeqCst);
        let token = {
            let mut table = self.loads.table.lock();
            let load = table.id(namespace, key).and_then(|id| table.get_mut(id));
            load.and_then(|load| overtaken(load, surely))
        };
        if let Some(token) = token {
            self.unlease(namespace, key, token);
        }
    }

    fn overtake_all(self: &Arc<Self>) {
        let mut leased = Vec::new();
        for load in self.loads.table.lock().iter_mut() {
            if let Some(token) = overtaken(load, true) {
                leased.push((Arc::clone(&load.namespace), load.key.clone(), token));
            }
        }
        for (namespace, key, token) in leased {
            self.unlease(&namespace, &key, token);
        }
    }

    /// Asks for the namespace state, unless somebody has just done so.
    fn learn_state_once(self: &Arc<Self>) {
        if self.watching.learning.swap(true, Ordering::SeqCst) {
            return;
        }
        let engine = Arc::clone(self);
        let done = Box::new(move |before: &BatchState, reply: Result<RemoteReply>| {
            engine.watching.learning.store(false, Ordering::SeqCst);
            if let Ok(RemoteReply::State(state)) = &reply {
                engine.saw_reply(before, state);
            }
        });
        self.outbox
            .push(RemoteRequest::State { fields: Vec::new() }, None, done)
            .run();
    }
}

/// Marks a load whose value is on its way; the lease of one that is not so far, to be given back.
fn overtaken(load: &mut Load, surely: bool) -> Option<Token> {
    load.overtaken |= surely && load.phase == Phase::Filling;
    load.token.filter(|_| load.phase == Phase::Leased)
}
