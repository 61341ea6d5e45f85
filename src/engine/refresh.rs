//! Reloads ahead of time: of all processes that hold a value that is about to end, one loads; the others find what it has
//! stored.

use crate::clock::Millis;
use crate::engine::Engine;
use crate::engine::answers::{Capture, Found, Lookup, LookupDone};
use crate::engine::load_table::{Load, Phase, Waiter};
use crate::engine::namespaces::Namespace;
use crate::engine::read::ReadAnswer;
use crate::entry::SerializerId;
use std::sync::Arc;

/// A remote value is newer than the held one if it stays fresh for longer by this part of its ttl.
const NEWER: i64 = 10;

impl Engine {
    /// A lease to reload a value that is still fresh, unless somebody is at it, or has been.
    pub(super) fn lookup_refresh(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        key: &str,
        serializer: SerializerId,
        memory_ttl: Option<u64>,
        done: LookupDone,
    ) {
        let peek = self.look(namespace, key);
        let held = peek.found.filter(|found| found.entry.serializer == serializer);
        let capture = self.capture_ordered(namespace, peek.capture.slot);
        let waiter = Waiter {
            serializer,
            // It does not wait.
            patient_until: Millis(0),
            memory_ttl,
            stale: held.map(Box::new),
            done,
        };
        if !self.outbox.is_remote() {
            return self.begin_refresh(namespace, key, capture, (0, 0), waiter);
        }
        let (engine, owned, name) = (Arc::clone(self), Arc::clone(namespace), Box::<str>::from(key));
        let reader = Box::new(move |answer: &ReadAnswer| {
            let found = answer.found.as_ref();
            match found.filter(|found| engine.speaks(found, serializer) && is_newer(found, waiter.stale.as_deref())) {
                Some(found) => (waiter.done)(Lookup::Hit(found.clone())),
                None => engine.begin_refresh(&owned, &name, capture, answer.born, waiter),
            }
        });
        self.read_remote(namespace, key, capture, memory_ttl, reader);
    }

    fn begin_refresh(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        key: &str,
        capture: Capture,
        born: (u64, u64),
        waiter: Waiter,
    ) {
        let mut table = self.loads.table.lock();
        if table
            .current(namespace, key)
            .is_some_and(|load| load.capture.covers(&capture))
        {
            drop(table);
            return (waiter.done)(Lookup::Nothing);
        }
        let id = table.add(Load {
            born,
            refresh: true,
            insist: true,
            ..Load::new(namespace, key, capture, waiter)
        });
        drop(table);
        self.ask_lease(id, Phase::Begun);
    }
}

/// Whether somebody has reloaded it since the held one was stored.
fn is_newer(found: &Found, held: Option<&Found>) -> bool {
    let more = |held: &Found| found.fresh_for.saturating_sub(held.fresh_for);
    let enough = i64::try_from(found.entry.ttl).unwrap_or(i64::MAX) / NEWER;
    !found.is_stale() && held.is_some_and(|held| more(held) > enough)
}
