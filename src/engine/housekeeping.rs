//! What an engine does when nobody calls: shows the time to mirrors, renews leases, wins memory back.

use crate::clock::Millis;
use crate::engine::outbox::BatchState;
use crate::engine::{Engine, is_dead, namespace_of};
use crate::error::Result;
use crate::options::lease;
use crate::tier::{RemoteReply, RemoteRequest};
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How far a mirror's clock may lag.
pub const TICK: Duration = Duration::from_millis(5);
const WITHOUT_MIRRORS: Duration = Duration::from_millis(100);
const SWEEP: u64 = 10_000;

impl Engine {
    pub(super) fn start_housekeeping(self: &Arc<Self>) {
        self.runtime.spawn(keep_house(Arc::downgrade(self)));
    }

    /// Asks for the namespace state, so that the first write is stamped right.
    pub(super) fn learn_state(self: &Arc<Self>) {
        let engine = Arc::clone(self);
        let done = Box::new(move |_: &BatchState, reply: Result<RemoteReply>| {
            if let Ok(RemoteReply::State(state)) = reply {
                engine.saw_incarnation(state.incarnation, state.counter);
            }
        });
        self.outbox
            .push(RemoteRequest::State { fields: Vec::new() }, None, done)
            .run();
    }

    fn sweep(&self) {
        let generations: HashMap<u32, u64> = self.namespaces.generations().into_iter().collect();
        let now = self.clock.now();
        self.memory.sweep(&|key, entry| {
            generations
                .get(&namespace_of(key))
                .is_none_or(|generation| is_dead(entry, *generation, now))
        });
    }
}

async fn keep_house(engine: Weak<Engine>) {
    let (mut renewed, mut swept) = (Millis(0), Millis(0));
    loop {
        let pause = {
            let Some(engine) = engine.upgrade().filter(|engine| !engine.is_closed()) else {
                return;
            };
            let now = engine.clock.now();
            if now.since(renewed) >= lease::RENEWAL {
                renewed = now;
                engine.renew_leases();
            }
            if now.since(swept) >= SWEEP {
                swept = now;
                engine.sweep();
            }
            if engine.table.tick(now) { TICK } else { WITHOUT_MIRRORS }
        };
        tokio::time::sleep(pause).await;
    }
}
