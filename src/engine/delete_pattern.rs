//! Deletion by pattern: the only walk over the keys of a store.
//!
//! Remotely it takes two walks. A load that began before must store nothing (law 2), and a walk may miss what is written
//! while it runs:
//!
//! 1. over values and leases. Whoever loads a matching key now has a lease, and either the walk takes it away from him, and
//!    his fill is refused; or he fills before the walk comes along.
//! 2. over values. What was filled during the first walk is there when the second begins, so it is found.
//!
//! Then the memory of this process forgets what matches, and the others are told to do the same. In this order: a read
//! that comes behind the last step finds the remote tier without the old values.

use crate::engine::Engine;
use crate::engine::answers::{CountDone, Progress, ProgressTold};
use crate::engine::namespaces::Namespace;
use crate::engine::outbox::BatchState;
use crate::engine::tags::Verdict;
use crate::engine::{MEMORY_KEY_HEAD, is_dead, namespace_of, with_memory_key};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Change;
use crate::key::RemoteKey;
use crate::pattern::Pattern;
use crate::tier::{RemoteReply, RemoteRequest, Scan, ScanCursor};
use std::cell::Cell;
use std::sync::Arc;
use tokio::sync::oneshot;

/// One deletion under way.
struct Walk {
    engine: Arc<Engine>,
    namespace: Arc<Namespace>,
    pattern: Arc<Pattern>,
    batch: u32,
    progress: Progress,
    told: Option<ProgressTold>,
}

impl Engine {
    /// Removes every key of the namespace that matches; nested namespaces are left alone.
    pub(super) fn delete_pattern(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        pattern: Pattern,
        batch: u32,
        told: Option<ProgressTold>,
        done: CountDone,
    ) {
        let walk = Walk {
            engine: Arc::clone(self),
            namespace: Arc::clone(namespace),
            pattern: Arc::new(pattern),
            batch,
            progress: Progress::default(),
            told,
        };
        self.runtime.spawn(async move { done(walk.run().await) });
    }

    /// Makes this process forget what matches, at once: no reader sees it from here on, and what was read before is not
    /// stored. The memory is won back by the future, which counts what there was.
    pub(super) fn purge(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        pattern: &Arc<Pattern>,
    ) -> impl Future<Output = Progress> + use<> {
        let number = namespace.purges.begin(Arc::clone(pattern));
        // A fill that has looked at the count before is in the memory tier behind this; later ones are refused.
        self.table.pass_all_locks();
        // The hot tiers of all isolates: their next look at the namespace's word fails.
        self.table.lock(namespace.index).bump();
        self.underway.overtake_matching(namespace.id, pattern);
        let (engine, namespace, pattern) = (Arc::clone(self), Arc::clone(namespace), Arc::clone(pattern));
        async move {
            let swept = {
                let (engine, namespace) = (engine, Arc::clone(&namespace));
                tokio::task::spawn_blocking(move || engine.forget_matching(&namespace, &pattern)).await
            };
            namespace.purges.end(number);
            swept.unwrap_or_else(|error| {
                tracing::error!(%error, "a deletion by pattern failed");
                Progress::default()
            })
        }
    }

    fn forget_matching(&self, namespace: &Namespace, pattern: &Pattern) -> Progress {
        let generation = namespace.generation();
        let scanned = Cell::new(0);
        let keys = self.memory.keys(&|key, _| {
            let own = namespace_of(key) == namespace.id;
            scanned.set(scanned.get() + u64::from(own));
            own && user_key(key).is_some_and(|key| pattern.matches(key))
        });
        let now = self.clock.now();
        let deleted = keys.iter().filter_map(|key| user_key(key)).filter(|key| {
            let guard = self.table.lock(self.table.key_slot(namespace.id, key));
            let removed = with_memory_key(namespace, key, |key| self.memory.remove(key));
            guard.bump();
            removed.is_some_and(|entry| !is_dead(&entry, generation, now) && self.tags.judge(&entry) != Verdict::Gone)
        });
        Progress {
            deleted: deleted.count() as u64,
            scanned: scanned.get(),
        }
    }
}

impl Walk {
    async fn run(mut self) -> Result<u64> {
        let engine = Arc::clone(&self.engine);
        if !engine.outbox.is_remote() {
            self.progress = engine.purge(&self.namespace, &self.pattern).await;
            self.tell();
            return Ok(self.progress.deleted);
        }
        let walked = self.remotely().await;
        if let Err(error) = &walked
            && error.kind() == ErrorKind::Unsupported
        {
            return Err(error.clone());
        }
        // Whatever became of the walks: what is gone remotely may be held here and elsewhere.
        engine.purge(&self.namespace, &self.pattern).await;
        let change = Change::Pattern {
            path: self.namespace.path.clone(),
            pattern: self.pattern.text().into(),
        };
        engine.counters.events_sent.add();
        let (sender, told) = oneshot::channel();
        engine
            .outbox
            .tell(change, Box::new(move |_, reply| drop(sender.send(reply))));
        // Told or not: what was not heard is said again.
        let _ = told.await;
        walked.map(|()| self.progress.deleted).inspect_err(|_| {
            engine.counters.remote_errors.add();
        })
    }

    async fn remotely(&mut self) -> Result<()> {
        if let Some(key) = self.pattern.literal() {
            self.progress.scanned = 1;
            return self.remove(vec![RemoteKey::new(&self.namespace.full_path, &key)]).await;
        }
        self.walk(true).await?;
        self.walk(false).await
    }

    async fn walk(&mut self, leases: bool) -> Result<()> {
        let mut next = Some(ScanCursor::default());
        while let Some(cursor) = next {
            if self.engine.is_closed() {
                return Err(Error::new(ErrorKind::Closed, "the cache is closed"));
            }
            let scan = Scan {
                path: self.namespace.full_path.clone(),
                prefix: self.pattern.prefix().into(),
                suffix: self.pattern.suffix().into(),
                leases,
                cursor,
                count: self.batch,
            };
            let RemoteReply::Keys(keys, then) = ask(&self.engine, RemoteRequest::Scan(scan)).await? else {
                return Err(lied());
            };
            next = then;
            self.progress.scanned += keys.len() as u64;
            let matching = |key: &RemoteKey| self.pattern.matches(key.user_key(&self.namespace.full_path));
            let keys: Vec<RemoteKey> = keys.into_iter().filter(matching).collect();
            // A server may answer with more than it was asked for.
            for keys in keys.chunks(self.batch as usize) {
                self.remove(keys.to_vec()).await?;
            }
            self.tell();
        }
        Ok(())
    }

    async fn remove(&mut self, keys: Vec<RemoteKey>) -> Result<()> {
        let RemoteReply::Removed(count) = ask(&self.engine, RemoteRequest::RemoveMany { keys }).await? else {
            return Err(lied());
        };
        self.progress.deleted += count;
        Ok(())
    }

    fn tell(&mut self) {
        if let Some(told) = &mut self.told {
            told(self.progress);
        }
    }
}

async fn ask(engine: &Engine, request: RemoteRequest) -> Result<RemoteReply> {
    let (sender, reply) = oneshot::channel();
    let done = Box::new(move |_: &BatchState, reply| drop(sender.send(reply)));
    engine.outbox.push(request, None, done).run();
    reply
        .await
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Closed, "the cache is closed")))
}

fn user_key(memory_key: &[u8]) -> Option<&str> {
    std::str::from_utf8(memory_key.get(MEMORY_KEY_HEAD..)?).ok()
}

fn lied() -> Error {
    Error::new(ErrorKind::Remote, "the remote tier answered another question")
}
