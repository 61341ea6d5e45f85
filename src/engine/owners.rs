//! Whether the owners of leases live.
//!
//! A process that holds leases shows that it lives by a key of its own, which ends soon unless it is renewed. Who waits for a
//! lease looks at its owner's key; when it is gone, twice, he takes the lease over.
//!
//! The key of the owner and the lease may lie on two servers, so "he is dead" and "take it" are two steps, and between them
//! he may come back, or may never have been away (a process that was stopped, a key that was evicted). That is safe: the second
//! step takes the lease only from that very token, and whoever has lost his token can store nothing. What depends on the
//! owner's key is how many load at once, never which value stands.

use crate::clock::Millis;
use crate::engine::Engine;
use crate::engine::outbox::BatchState;
use crate::error::Result;
use crate::options::lease;
use crate::tier::{RemoteReply, RemoteRequest};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// More owners than this are forgotten, and looked at again.
const REMEMBERED: usize = 1_000;

/// See the module.
#[derive(Default)]
pub struct Owners {
    /// When this process showed that it lives.
    shown: Mutex<Option<Millis>>,
    others: Mutex<HashMap<u64, Looked>>,
}

/// What was seen of an owner.
#[derive(Clone, Copy)]
struct Looked {
    /// When somebody looked last.
    last: Millis,
    /// Since when he has not been seen.
    missing: Option<Millis>,
}

/// What is known about an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Nobody can say that he is dead: he was seen a moment ago, or somebody looks at this very moment.
    Assumed,
    /// The caller shall look.
    Unknown,
    /// Gone, and still gone at a second look.
    Ended,
}

impl Owners {
    /// Whether this process should show that it lives; then it counts as shown.
    fn is_due(&self, now: Millis) -> bool {
        let mut shown = self.shown.lock();
        let due = shown.is_none_or(|shown| now.since(shown) >= lease::HEARTBEAT);
        if due {
            *shown = Some(now);
        }
        due
    }

    /// What is known; whoever is told `Unknown` looks.
    pub fn life(&self, owner: u64, now: Millis) -> Life {
        let mut others = self.others.lock();
        let Some(looked) = others.get_mut(&owner) else {
            if others.len() >= REMEMBERED {
                others.clear();
            }
            let looked = Looked {
                last: now,
                missing: None,
            };
            others.insert(owner, looked);
            return Life::Unknown;
        };
        if now.since(looked.last) >= lease::LOOK {
            looked.last = now;
            return Life::Unknown;
        }
        looked.verdict()
    }

    /// What a look has shown, and what is known now.
    fn saw(&self, owner: u64, lives: bool) -> Life {
        let mut others = self.others.lock();
        let Some(looked) = others.get_mut(&owner) else {
            return Life::Assumed;
        };
        looked.missing = if lives {
            None
        } else {
            looked.missing.or(Some(looked.last))
        };
        looked.verdict()
    }
}

impl Looked {
    fn verdict(&self) -> Life {
        match self.missing {
            Some(since) if self.last.since(since) >= lease::LOOK => Life::Ended,
            _ => Life::Assumed,
        }
    }
}

impl Engine {
    /// Shows that this process lives, if it has not done so lately. Before it asks for a lease, and while it has one.
    pub(super) fn show_life(&self) {
        if self.outbox.is_remote() && self.owners.is_due(self.clock.now()) {
            let request = RemoteRequest::ShowLife {
                owner: self.voice.sender(),
                life: lease::LIFE,
            };
            self.outbox.push(request, None, Box::new(|_, _| ())).run();
        }
    }

    /// What is known about the owner of a lease; if somebody should look, after a look.
    pub(super) fn with_life_of(self: &Arc<Self>, owner: u64, known: impl FnOnce(Life) + Send + 'static) {
        let life = self.owners.life(owner, self.clock.now());
        if life != Life::Unknown {
            return known(life);
        }
        let engine = Arc::clone(self);
        let done = Box::new(move |_: &BatchState, reply: Result<RemoteReply>| {
            known(match reply {
                Ok(RemoteReply::Done(lives)) => engine.owners.saw(owner, lives),
                _ => Life::Assumed,
            });
        });
        self.outbox.push(RemoteRequest::HasLife { owner }, None, done).run();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_dead_only_at_the_second_look_and_not_for_long() {
        let owners = Owners::default();
        let at = |millis| Millis(1_000 + millis);
        assert_eq!(owners.life(7, at(0)), Life::Unknown);
        assert_eq!(owners.life(7, at(0)), Life::Assumed, "one looks at a time");
        assert_eq!(owners.saw(7, false), Life::Assumed);
        assert_eq!(owners.life(7, at(lease::LOOK - 1)), Life::Assumed);
        assert_eq!(owners.life(7, at(lease::LOOK)), Life::Unknown);
        assert_eq!(owners.saw(7, false), Life::Ended);
        assert_eq!(owners.life(7, at(lease::LOOK + 1)), Life::Ended);
        assert_eq!(owners.life(7, at(2 * lease::LOOK)), Life::Unknown, "he may be back");
        assert_eq!(owners.saw(7, true), Life::Assumed);
        assert_eq!(owners.life(7, at(3 * lease::LOOK)), Life::Unknown);
        assert_eq!(owners.saw(7, false), Life::Assumed, "missing anew");
    }

    #[test]
    fn life_is_shown_once_a_heartbeat() {
        let owners = Owners::default();
        assert!(owners.is_due(Millis(0)));
        assert!(!owners.is_due(Millis(lease::HEARTBEAT - 1)));
        assert!(owners.is_due(Millis(lease::HEARTBEAT)));
    }
}
