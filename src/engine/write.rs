//! Everything that makes something old: set, delete, expire, clear, tags. Each goes through the key's slot: memory first,
//! then the bump, then the remote change, all under one lock (see `outbox`), which tells the others behind it.

use crate::codec::envelope::Envelope;
use crate::engine::answers::{Write, WriteDone};
use crate::engine::generation::SlotGuard;
use crate::engine::namespaces::{Namespace, tag_field};
use crate::engine::outbox::BatchState;
use crate::engine::raised::{Raised, Rule, TagOptions, soft_clear_field, soft_field};
use crate::engine::recovery::Missed;
use crate::engine::tags::Verdict;
use crate::engine::underway::Writing;
use crate::engine::{Engine, with_memory_key};
use crate::entry::{Entry, Lifetime, Stamp};
use crate::error::Result;
use crate::event::{Change, KeyChange};
use crate::key::RemoteKey;
use crate::tier::{RemoteReply, RemoteRequest};
use bytes::Bytes;
use std::sync::Arc;

impl Engine {
    pub(super) fn set(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        key: &str,
        write: Write<'_>,
        memory_ttl: Option<u64>,
        done: WriteDone,
    ) {
        let tags = namespace.tag_set(&self.table, write.tags);
        let slot = self.table.key_slot(namespace.id, key);
        let stamp = Stamp {
            generation: 0,
            namespace: namespace.generation(),
            tags: self.tags.count(),
            softened: namespace.softened(),
        };
        let mut entry = write.entry(self.clock.now(), memory_ttl, stamp, tags);
        let born = self.born();
        let sealed = self.seal_for(&RemoteKey::new(&namespace.full_path, key), &entry, write.lifetime, born);
        let guard = self.table.lock(slot);
        let generation = guard.generation() + 1;
        entry.stamp.generation = generation;
        if !self.is_closed() {
            with_memory_key(namespace, key, |key| self.memory.insert(key, entry.clone()));
        }
        guard.bump();
        let remembers_nothing = self.options.memory.is_none() && self.outbox.is_remote();
        let writing = remembers_nothing.then(|| self.underway.begin(slot, namespace.id, key, generation));
        let task = SetTask {
            namespace: Arc::clone(namespace),
            key: key.into(),
            slot,
            generation,
            entry,
            lifetime: write.lifetime,
            clears: namespace.clears(),
            writing,
            repeats: 0,
        };
        let answer = self.push_set(task, sealed, done);
        drop(guard);
        answer.run();
    }

    /// The envelope of an entry with the stamp it is born with, made before any lock is taken: compressing takes its time.
    fn seal_for(&self, key: &RemoteKey, entry: &Entry, lifetime: Lifetime, born: (u64, u64)) -> Sealed {
        let envelope = if self.outbox.is_remote() {
            self.seal(key, entry, lifetime, born)
        } else {
            Bytes::new()
        };
        Sealed { born, envelope }
    }

    /// Queues the remote write, stamped with the namespace state as last seen. When the state turns out to have moved, the
    /// write is repeated with the right stamp, unless the value is old by now.
    fn push_set(self: &Arc<Self>, task: SetTask, sealed: Sealed, done: WriteDone) -> super::outbox::Deferred {
        let Sealed { born, envelope } = sealed;
        let request = RemoteRequest::Write {
            key: RemoteKey::new(&task.namespace.full_path, &task.key),
            envelope,
            life: task.lifetime.stored(),
        };
        let (engine, namespace) = (Arc::clone(self), Arc::clone(&task.namespace));
        let change = of_key(KeyChange::Set, &namespace, &task.key);
        let finish = Box::new(move |state: &BatchState, reply: Result<RemoteReply>| {
            let now = (state.incarnation, state.counter);
            let moved = reply.is_ok() && state.incarnation != 0 && now != born;
            if moved && task.repeats < REPEATS && task.must_be_current(state, born) {
                let key = RemoteKey::new(&task.namespace.full_path, &task.key);
                let sealed = engine.seal_for(&key, &task.entry, task.lifetime, now);
                let guard = engine.table.lock(task.slot);
                if engine.may_repeat(&guard, &task) {
                    // Whatever was read since is older than what is written now.
                    let generation = if task.writing.is_some() {
                        guard.bump()
                    } else {
                        task.generation
                    };
                    let repeats = task.repeats + 1;
                    let task = SetTask {
                        repeats,
                        generation,
                        ..task
                    };
                    let again = engine.push_set(task, sealed, done);
                    drop(guard);
                    // Not before: a new incarnation makes all that is held here old, and this write is newer than it.
                    engine.saw_state(state);
                    return again.run();
                }
            }
            engine.saw_state(state);
            let (namespace, key, generation) = (&task.namespace, &task.key, task.generation);
            match &reply {
                Ok(_) => engine.recovery.changed(namespace, key, generation, Missed::Value),
                Err(_) => {
                    let keep = engine.is_current(&engine.table.lock(task.slot), &task);
                    engine.missed_key(namespace, key, generation, Missed::Value, keep);
                }
            }
            engine.wrote(reply.map(|_| true), done);
        });
        self.push_change(request, Some(&namespace), change, finish)
    }

    /// Whether nothing has made the written value old: then, and only then, it may be written again with a newer stamp.
    fn may_repeat(&self, guard: &SlotGuard<'_>, task: &SetTask) -> bool {
        match &task.writing {
            Some(writing) => writing.is_last() && self.stands(task),
            None => self.is_current(guard, task),
        }
    }

    /// Whether no clear and no tag has made the written value old: they do not move the key's own generation. What is dropped out
    /// of doubt, or by others, may be written again: nobody has been told yet that the write is done, so it may as well be the
    /// later of the two.
    fn stands(&self, task: &SetTask) -> bool {
        task.clears == task.namespace.clears() && self.tags.judge(&task.entry) == Verdict::Stands
    }

    /// Whether it stands, and what is held here, if anything, is that.
    fn is_current(&self, guard: &SlotGuard<'_>, task: &SetTask) -> bool {
        // Another key of the slot moves it: then the memory tier knows, as long as it holds the same.
        let is_held = || {
            with_memory_key(&task.namespace, &task.key, |key| self.memory.get(key)).is_some_and(|held| {
                let written = &task.entry;
                held.fresh_until == written.fresh_until && held.tags == written.tags && held.payload == written.payload
            })
        };
        self.stands(task) && (guard.generation() == task.generation || is_held())
    }

    pub(super) fn delete(self: &Arc<Self>, namespace: &Arc<Namespace>, key: &str, done: WriteDone) {
        let request = |key| RemoteRequest::Remove { key };
        self.change(namespace, key, request, KeyChange::Delete, done, |engine, key| {
            engine.memory.remove(key).is_some()
        });
    }

    pub(super) fn expire(self: &Arc<Self>, namespace: &Arc<Namespace>, key: &str, done: WriteDone) {
        let request = |key| RemoteRequest::Expire { key };
        self.change(
            namespace,
            key,
            request,
            KeyChange::Expire,
            done,
            |engine, memory_key| engine.expire_held(namespace, key, memory_key),
        );
    }

    /// Leaves of what is held its grace; whether it was fresh. Under the slot's lock: what is hidden now may have been passed
    /// by whoever looks for it.
    fn expire_held(&self, namespace: &Namespace, key: &str, memory_key: &[u8]) -> bool {
        let entry = self.memory.remove(memory_key).filter(|_| !namespace.purges.hide(key));
        let Some(entry) = entry else { return false };
        let now = self.clock.now();
        let fresh = entry.is_fresh(now);
        if let Some(left) = entry.expired(now) {
            self.memory.insert(memory_key, left);
        }
        fresh
    }

    /// An expiry has failed, or nobody knows: what a read that was queued behind it may have brought back is stale, too.
    pub(super) fn expire_again(&self, namespace: &Namespace, key: &str) {
        let guard = self.table.lock(self.table.key_slot(namespace.id, key));
        with_memory_key(namespace, key, |memory_key| {
            self.expire_held(namespace, key, memory_key)
        });
        guard.bump();
    }

    /// The funnel of one key: memory, bump, remote, in this order and under the key's slot.
    fn change(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        key: &str,
        request: impl FnOnce(RemoteKey) -> RemoteRequest,
        how: KeyChange,
        done: WriteDone,
        memory: impl FnOnce(&Engine, &[u8]) -> bool,
    ) {
        let slot = self.table.key_slot(namespace.id, key);
        let (engine, owned, name) = (Arc::clone(self), Arc::clone(namespace), Box::<str>::from(key));
        let missed = match how {
            KeyChange::Expire => Missed::Expiry,
            KeyChange::Set | KeyChange::Delete => Missed::Value,
        };
        let guard = self.table.lock(slot);
        let held = with_memory_key(namespace, key, |key| memory(self, key));
        let generation = guard.bump();
        self.underway.overtake(slot, namespace.id, key);
        let finish = Box::new(move |state: &BatchState, reply: Result<RemoteReply>| {
            engine.saw_state(state);
            match &reply {
                Ok(_) => engine.recovery.changed(&owned, &name, generation, missed),
                Err(_) => engine.missed_key(&owned, &name, generation, missed, false),
            }
            let there = reply.map(|reply| held || matches!(reply, RemoteReply::Done(true)));
            engine.wrote(there, done);
        });
        let request = request(RemoteKey::new(&namespace.full_path, key));
        let answer = self.push_change(request, Some(namespace), of_key(how, namespace, key), finish);
        drop(guard);
        answer.run();
    }

    /// Applies what another process did to a key.
    pub(super) fn drop_key(&self, namespace: &Namespace, key: &str) {
        let guard = self.table.lock(self.table.key_slot(namespace.id, key));
        with_memory_key(namespace, key, |key| self.memory.remove(key));
        guard.bump();
    }

    fn wrote(&self, result: Result<bool>, done: WriteDone) {
        if result.is_err() {
            self.counters.remote_errors.add();
        }
        done(result);
    }

    pub(super) fn clear(self: &Arc<Self>, namespace: &Arc<Namespace>, done: WriteDone) {
        self.namespaces.note_clear(&namespace.path);
        self.namespaces.clear(&self.table, &namespace.path);
        self.cleared.notify_one();
        // The root is cleared by a new incarnation, anything below by a floor.
        let fields = namespace.floors.last().cloned().into_iter().collect();
        let (path, again) = (namespace.path.clone(), namespace.path.clone());
        self.raise(
            RemoteRequest::Raise { fields },
            done,
            move |engine| engine.drop_held(&again),
            Change::Clear { path },
        );
    }

    /// Makes everything of the namespace and of those nested in it stale.
    pub(super) fn clear_softly(self: &Arc<Self>, namespace: &Arc<Namespace>, done: WriteDone) {
        self.namespaces.note_clear(&namespace.path);
        let fields = vec![soft_clear_field(&namespace.path)];
        self.raise_told(RemoteRequest::Raise { fields: fields.clone() }, fields, done);
    }

    pub(super) fn invalidate_tags(
        self: &Arc<Self>,
        namespace: &Namespace,
        tags: &[&str],
        options: TagOptions,
        done: WriteDone,
    ) {
        let rule = Rule::new(tags, options.soft);
        let path = &namespace.path;
        if options.all && rule.tags.len() > 1 {
            let text = rule.text();
            let told = vec![format!("all:{path}:{text}").into()];
            let places = rule.places(path);
            return self.raise_told(RemoteRequest::RaiseRule { rule: text, places }, told, done);
        }
        let field = |tag: &str| match (tag_field(path, tag), options.soft) {
            (field, true) => soft_field(&field),
            (field, false) => field,
        };
        let fields: Vec<Box<str>> = rule.tags.iter().map(|tag| field(tag)).collect();
        if fields.is_empty() {
            return done(Ok(false));
        }
        self.raise_told(RemoteRequest::Raise { fields: fields.clone() }, fields, done);
    }

    /// Raises here, remotely and for the others what these texts say (see `raised`).
    fn raise_told(self: &Arc<Self>, request: RemoteRequest, told: Vec<Box<str>>, done: WriteDone) {
        self.apply_raised(&told);
        let again = told.clone();
        let change = Change::Tags { fields: told };
        self.raise(request, done, move |engine| engine.apply_raised(&again), change);
    }

    /// Applies to what is held here what was raised by a caller or by another process.
    pub(super) fn apply_raised(&self, told: &[Box<str>]) {
        let (mut hard, mut soft) = (Vec::new(), Vec::new());
        for text in told {
            match Raised::read(text) {
                Some(Raised::Tag { field, soft: false }) => hard.push(field.into()),
                Some(Raised::Tag { field, soft: true }) => soft.push(field.into()),
                Some(Raised::Together { path, rule }) => self.tags.invalidate_together(&self.table, path, &rule),
                Some(Raised::SoftClear { path }) => self.namespaces.soften(&self.table, path),
                None => tracing::debug!("a raise was not understood"),
            }
        }
        for (fields, soft) in [(hard, false), (soft, true)] {
            if !fields.is_empty() {
                self.tags.invalidate(&self.table, &fields, soft);
            }
        }
    }

    /// Raises floors remotely. `local` runs once more behind it: a remote read that was queued between the first time and
    /// the raise has captured the new local state but may have found an old value.
    fn raise(
        self: &Arc<Self>,
        request: RemoteRequest,
        done: WriteDone,
        local: impl FnOnce(&Engine) + Send + 'static,
        change: Change,
    ) {
        let (engine, missed, told) = (Arc::clone(self), request.clone(), change.clone());
        let finish = Box::new(move |before: &BatchState, reply: Result<RemoteReply>| {
            if engine.outbox.is_remote() {
                local(&engine);
            }
            match &reply {
                Ok(RemoteReply::State(state)) => {
                    if before.incarnation != state.incarnation {
                        engine.witness.left(before.incarnation);
                    }
                    engine.saw_reply(before, state);
                }
                Ok(_) => {}
                Err(_) => {
                    engine.counters.remote_errors.add();
                    engine.missed_raise(&missed, &told);
                }
            }
            done(reply.map(|_| true));
        });
        self.push_change(request, None, change, finish).run();
    }

    /// The envelope of an entry.
    pub(super) fn seal(&self, key: &RemoteKey, entry: &Entry, lifetime: Lifetime, born: (u64, u64)) -> Bytes {
        let tags = entry.tags.as_ref().map_or(&[][..], |tags| &tags.names);
        Envelope {
            serializer: entry.serializer,
            incarnation: born.0,
            born: born.1,
            lifetime,
            tags: tags.iter().map(|tag| &**tag).collect(),
            payload: (&entry.payload[..]).into(),
        }
        .encode(key, self.options.compression.as_ref())
    }
}

/// A change of one key.
pub(super) fn of_key(how: KeyChange, namespace: &Namespace, key: &str) -> Change {
    Change::Key {
        how,
        path: namespace.path.clone(),
        key: key.into(),
    }
}

/// A write whose stamp is old is repeated so often: where tags are invalidated all the time the state never stands still,
/// and a value that others take for old is a miss, while a write that never ends is a hang.
const REPEATS: u32 = 3;

struct Sealed {
    born: (u64, u64),
    envelope: Bytes,
}

struct SetTask {
    namespace: Arc<Namespace>,
    key: Box<str>,
    slot: u32,
    generation: u64,
    entry: Entry,
    lifetime: Lifetime,
    /// Of its namespace, when it was written.
    clears: u64,
    /// Where the memory tier remembers nothing.
    writing: Option<Writing>,
    repeats: u32,
}

impl SetTask {
    /// Whether readers would take the stamp it was written with for old.
    fn must_be_current(&self, state: &BatchState, born: (u64, u64)) -> bool {
        self.entry.tags.is_some()
            || !state.allows(&self.namespace, born.0, born.1)
            || state.softens(&self.namespace, born.1)
    }
}
