//! What an engine does when nobody calls: shows the time to mirrors, renews leases, wins memory back.

use crate::clock::Millis;
use crate::engine::outbox::BatchState;
use crate::engine::{Engine, inbound, is_dead, namespace_of};
use crate::error::Result;
use crate::options::lease;
use crate::tier::{RemoteReply, RemoteRequest, RemoteState};
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// How far a mirror's clock may lag.
pub const TICK: Duration = Duration::from_millis(5);
const WITHOUT_MIRRORS: Duration = Duration::from_millis(100);
const SWEEP: Duration = Duration::from_secs(10);
/// The least time between two sweeps.
const SWEEP_PAUSE: Duration = Duration::from_millis(100);
/// How often a remote tier without a bus is asked for its namespace state when nobody calls, in milliseconds. It shows that
/// it was emptied or is back, and finds a dead connection before a caller does.
const HEARTBEAT: u64 = 1_000;
/// The same while it does not answer: no caller tries whether it does again.
const PROBE: u64 = inbound::ASK;

impl Engine {
    pub(super) fn start_housekeeping(self: &Arc<Self>) {
        self.runtime.spawn(keep_house(Arc::downgrade(self)));
        if self.memory.wants_sweeps() {
            self.runtime
                .spawn(keep_memory(Arc::downgrade(self), Arc::clone(&self.cleared)));
        }
    }

    /// Asks for the namespace state, so that the first write is stamped right.
    pub(super) fn learn_state(self: &Arc<Self>) {
        let engine = Arc::clone(self);
        let done = Box::new(move |before: &BatchState, reply: Result<RemoteReply>| {
            if let Ok(RemoteReply::State(state)) = &reply {
                engine.saw_reply(before, state);
            }
        });
        self.outbox
            .push(RemoteRequest::State { fields: Vec::new() }, None, done)
            .run();
    }

    fn heartbeat(&self) -> u64 {
        if self.remote_state() == RemoteState::Down {
            PROBE
        } else {
            HEARTBEAT
        }
    }

    /// Drops what is held of a namespace and of those nested in it.
    pub(super) fn drop_held(&self, path: &str) {
        self.namespaces.clear(&self.table, path);
        self.cleared.notify_one();
    }

    fn sweep(&self) {
        // As of now: what is written behind a clear that comes during the sweep is of a later generation, and what belongs to
        // a namespace opened since is of none. Both stay.
        let generations: HashMap<u32, u64> = self.namespaces.generations().into_iter().collect();
        let now = self.clock.now();
        self.memory.sweep(&|key, entry| {
            generations
                .get(&namespace_of(key))
                .is_some_and(|generation| is_dead(entry, *generation, now))
        });
    }
}

async fn keep_house(engine: Weak<Engine>) {
    let start = engine.upgrade().map_or(Millis(0), |engine| engine.clock.now());
    let (mut renewed, mut asked) = (start, start);
    loop {
        let pause = {
            let Some(engine) = engine.upgrade().filter(|engine| !engine.is_closed()) else {
                return;
            };
            let now = engine.clock.now();
            if now.since(renewed) >= lease::HEARTBEAT {
                renewed = now;
                engine.keep_leases();
            }
            if engine.bus.is_there() {
                if now.since(asked) >= inbound::ASK {
                    asked = now;
                    engine.ask_log(now);
                }
                engine.doubt(now);
            } else if engine.outbox.is_remote() && now.since(asked) >= engine.heartbeat() {
                asked = now;
                engine.learn_state();
            }
            if engine.table.tick(now) { TICK } else { WITHOUT_MIRRORS }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Apart from [`keep_house`], and on a thread of its own: with millions of entries a sweep takes longer than a tick.
///
/// After a clear at once: the dead entries were popular, and while they stand a full memory tier refuses new ones.
async fn keep_memory(engine: Weak<Engine>, cleared: Arc<Notify>) {
    loop {
        tokio::time::sleep(SWEEP_PAUSE).await;
        let _ = tokio::time::timeout(SWEEP, cleared.notified()).await;
        let Some(engine) = engine.upgrade().filter(|engine| !engine.is_closed()) else {
            return;
        };
        let swept = tokio::task::spawn_blocking(move || engine.sweep()).await;
        if let Err(error) = swept {
            tracing::error!(%error, "a sweep of the memory tier failed");
        }
    }
}
