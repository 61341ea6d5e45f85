//! Waiting for a load of another process.
//!
//! | what happens there | what wakes the waiter |
//! |---|---|
//! | the value is stored | a `Filled` message |
//! | the load ends without a value | a `Freed` message |
//! | the key is written or removed | its message |
//! | the process dies | its key of life ends, see `owners`; the lease is taken over |
//! | nothing, for longer than he wants to wait | his own time: he loads, for his process alone |
//!
//! Messages may get lost: he polls, too.

use crate::engine::Engine;
use crate::engine::answers::{LeaseId, Lookup, LookupDone};
use crate::engine::load_table::{Load, Phase};
use crate::engine::namespaces::Namespace;
use crate::engine::owners::Life;
use crate::options::lease;
use crate::tier::{RemoteRequest, Token};
use std::sync::Arc;
use std::time::Duration;

impl Engine {
    /// Another holder has the lease that was asked for as `asked`.
    pub(super) fn held_elsewhere(self: &Arc<Self>, id: LeaseId, asked: Token, holder: Option<Token>) {
        let Some(holder) = holder.filter(|holder| holder.owner != self.voice.sender()) else {
            return self.wait_elsewhere(id, asked);
        };
        let engine = Arc::clone(self);
        self.with_life_of(holder.owner, move |life| match life {
            Life::Ended => engine.take_over(id, asked, holder),
            Life::Assumed | Life::Unknown => engine.wait_elsewhere(id, asked),
        });
    }

    fn take_over(self: &Arc<Self>, id: LeaseId, asked: Token, from: Token) {
        let token = self.new_token();
        let request = {
            let mut table = self.loads.table.lock();
            let Some(load) = at_asking(table.at(id, Phase::Asking), asked) else {
                return;
            };
            load.asked = Some(token);
            RemoteRequest::TakeOver {
                key: load.remote_key(),
                from,
                token,
                life: lease::TTL,
            }
        };
        self.show_life();
        self.ask(id, token, request);
    }

    /// Whoever has an old value takes it; the others wait for a push, or poll; who has waited long enough loads.
    fn wait_elsewhere(self: &Arc<Self>, id: LeaseId, asked: Token) {
        let now = self.clock.now();
        let mut served: Vec<(LookupDone, Lookup)> = Vec::new();
        let mut wait = None;
        {
            let mut table = self.loads.table.lock();
            let Some(load) = at_asking(table.at(id, Phase::Asking), asked) else {
                return;
            };
            for waiter in std::mem::take(&mut load.waiters) {
                match waiter.stale {
                    _ if load.refresh => served.push((waiter.done, Lookup::Nothing)),
                    Some(stale) => served.push((waiter.done, Lookup::Stale(*stale, None))),
                    None => load.waiters.push_back(waiter),
                }
            }
            let first = load
                .waiters
                .iter()
                .enumerate()
                .min_by_key(|(_, waiter)| waiter.patient_until);
            match first.map(|(at, waiter)| (at, waiter.patient_until)) {
                None => drop(table.take(id)),
                // He leads; the others get what he loads.
                Some((at, until)) if until <= now => load.waiters.rotate_left(at),
                Some((_, until)) => {
                    load.phase = Phase::Elsewhere;
                    load.polls += 1;
                    wait = Some((load.polls, until.since(now)));
                }
            }
        }
        for (done, answer) in served {
            done(answer);
        }
        match wait {
            None => self.lead(id, None),
            Some((polls, patience)) => self.poll_later(id, polls, patience),
        }
    }

    fn poll_later(self: &Arc<Self>, id: LeaseId, polls: u32, patience: u64) {
        let longest = (lease::POLL_MIN << polls.min(5)).min(lease::POLL_MAX);
        let pause = longest / 2 + self.random.next() % (longest / 2 + 1);
        let engine = Arc::clone(self);
        self.runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(pause.min(patience))).await;
            // Unless somebody already asked since.
            let due = |load: &mut Load| load.polls == polls;
            if engine.loads.table.lock().at(id, Phase::Elsewhere).is_some_and(due) {
                engine.ask_lease(id, Phase::Elsewhere);
            }
        });
    }

    /// Another process has said something about this key: whoever waits for it asks now.
    pub(super) fn wake_waiters(self: &Arc<Self>, namespace: &Namespace, key: &str) {
        let waiting = self.loads.table.lock().id(namespace, key);
        if let Some(id) = waiting {
            self.ask_lease(id, Phase::Elsewhere);
        }
    }
}

/// The load, if it still asks for this lease.
fn at_asking(load: Option<&mut Load>, asked: Token) -> Option<&mut Load> {
    load.filter(|load| load.asked == Some(asked))
}
