//! Makes good what the remote tier missed, when it answers again (see `recovery`), and tells the others.

use crate::engine::Engine;
use crate::engine::namespaces::Namespace;
use crate::engine::outbox::BatchState;
use crate::engine::recovery::{Item, Missed};
use crate::engine::write::of_key;
use crate::error::Result;
use crate::event::{Change, KeyChange};
use crate::key::RemoteKey;
use crate::tier::{RemoteReply, RemoteRequest};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Items of one batch.
const PAGE: usize = 256;
/// A remote tier that answers, and refuses what is to be made good, is not asked again before this.
const PAUSE: Duration = Duration::from_millis(250);

impl Engine {
    pub(super) fn start_recovering(self: &Arc<Self>) {
        self.runtime
            .spawn(recover(Arc::downgrade(self), self.ending.subscribe()));
    }

    /// A change of a key has failed, or nobody knows. `keep` when what is held of it here is what was written.
    pub(super) fn missed_key(
        &self,
        namespace: &Arc<Namespace>,
        key: &str,
        generation: u64,
        missed: Missed,
        keep: bool,
    ) {
        if !self.recovery.missed_key(namespace, key, generation, missed) {
            self.counters.recovery_folds.add();
        }
        if !keep {
            // A read that was queued behind the change may have been answered as if it were not there.
            match missed {
                Missed::Expiry => self.expire_again(namespace, key),
                Missed::Value => self.drop_key(namespace, key),
            }
        }
    }

    /// A raise has failed, or nobody knows.
    pub(super) fn missed_raise(&self, request: &RemoteRequest, change: &Change) {
        if !self.recovery.missed_raise(request, change) {
            self.counters.recovery_folds.add();
        }
    }

    /// Queues these; resolves with whether all were made good.
    async fn make_good(self: Arc<Self>, items: Vec<Item>) -> bool {
        let count = items.len();
        let (sender, mut answers) = mpsc::unbounded_channel();
        self.outbox.together(|| {
            for item in items {
                let (engine, sender) = (Arc::clone(&self), sender.clone());
                let (request, namespace, change) = remedy(&item);
                let done = Box::new(move |before: &BatchState, reply: Result<RemoteReply>| {
                    engine.saw_state(before);
                    if let Ok(RemoteReply::State(state)) = &reply {
                        engine.saw_reply(before, state);
                    }
                    if reply.is_ok() {
                        engine.recovery.made_good(&item);
                        engine.counters.recovered.add();
                    }
                    let _ = sender.send(reply.is_ok());
                });
                self.push_change(request, namespace.as_ref(), change, done).run();
            }
        });
        drop((self, sender));
        let mut good = 0;
        while let Some(true) = answers.recv().await {
            good += 1;
        }
        good == count
    }
}

/// What makes it good, and what the others are told.
fn remedy(item: &Item) -> (RemoteRequest, Option<Arc<Namespace>>, Change) {
    match item {
        Item::Raise { request, change, .. } => (request.clone(), None, change.clone()),
        Item::Key {
            namespace, key, missed, ..
        } => {
            let remote_key = RemoteKey::new(&namespace.full_path, key);
            let (request, how) = match missed {
                Missed::Value => (RemoteRequest::Remove { key: remote_key }, KeyChange::Delete),
                Missed::Expiry => (RemoteRequest::Expire { key: remote_key }, KeyChange::Expire),
            };
            (request, Some(Arc::clone(namespace)), of_key(how, namespace, key))
        }
    }
}

/// Ends with the engine.
async fn recover(engine: Weak<Engine>, mut ending: watch::Receiver<bool>) {
    let Some(recovery) = engine.upgrade().map(|engine| Arc::clone(&engine.recovery)) else {
        return;
    };
    loop {
        tokio::select! {
            // Its sender goes with the engine.
            _ = ending.wait_for(|ending| *ending) => return,
            () = recovery.answered.notified() => {}
        }
        loop {
            let (Some(engine), page) = (engine.upgrade(), recovery.page(PAGE)) else {
                return;
            };
            if page.is_empty() {
                break;
            }
            if !engine.make_good(page).await {
                tokio::time::sleep(PAUSE).await;
                break;
            }
        }
    }
}
