//! What others say: heard on the engine's own task, and applied before the next message is looked at (law 3).

use crate::bus::Heard;
use crate::engine::Engine;
use crate::event::{Change, Event};
use crate::pattern::Pattern;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use tokio::sync::{mpsc, watch};

impl Engine {
    pub(super) fn start_listening(self: &Arc<Self>) {
        let (sink, heard) = mpsc::unbounded_channel();
        self.bus.listen(sink);
        self.runtime
            .spawn(listen(Arc::downgrade(self), heard, self.ending.subscribe()));
    }

    fn hear(self: &Arc<Self>, heard: Heard) {
        match &heard {
            Heard::Message(bytes) => match Event::decode(bytes) {
                Some(event) if event.sender != self.sender => self.apply(event.change),
                Some(_) => {}
                None => tracing::debug!(bytes = bytes.len(), "a message on the bus was not understood"),
            },
            // Whatever was said while nobody listened is unknown: nothing that is held can be trusted (law 4).
            Heard::Listening => {
                self.drop_held("");
                self.hears.store(true, Ordering::SeqCst);
                // It may be another server, or one that has forgotten: better to know before somebody reads.
                self.learn_state();
            }
            Heard::Lost => {
                self.hears.store(false, Ordering::SeqCst);
                self.drop_held("");
            }
        }
    }

    fn apply(self: &Arc<Self>, change: Change) {
        if change.is_invalidation() {
            self.counters.events_received.add();
        }
        match change {
            Change::Key { path, key } => {
                // A namespace that nobody here has opened holds nothing.
                if let Some(namespace) = self.namespaces.find(&path) {
                    self.drop_key(&namespace, &key);
                }
            }
            Change::Filled { path, key } => {
                if let Some(namespace) = self.namespaces.find(&path) {
                    self.filled_elsewhere(&namespace, &key);
                }
            }
            Change::Pattern { path, pattern } => self.purge_as_told(&path, &pattern),
            Change::Tags { fields } => self.apply_raised(&fields),
            Change::Clear { path } => self.drop_held(&path),
        }
    }
}

impl Engine {
    /// A pattern that cannot be read here comes from a newer version: all that it may mean is dropped.
    fn purge_as_told(self: &Arc<Self>, path: &str, pattern: &str) {
        let Some(namespace) = self.namespaces.find(path) else {
            return;
        };
        match Pattern::parse(pattern) {
            Ok(pattern) => drop(self.runtime.spawn(self.purge(&namespace, &Arc::new(pattern)))),
            Err(_) => self.drop_held(path),
        }
    }
}

/// Ends with the engine, and so does the bus, which sees that nobody receives any more.
async fn listen(engine: Weak<Engine>, mut heard: mpsc::UnboundedReceiver<Heard>, mut ending: watch::Receiver<bool>) {
    loop {
        let heard = tokio::select! {
            biased;
            _ = ending.wait_for(|ending| *ending) => return,
            heard = heard.recv() => heard,
        };
        match (heard, engine.upgrade()) {
            (Some(heard), Some(engine)) => engine.hear(heard),
            _ => return,
        }
    }
}
