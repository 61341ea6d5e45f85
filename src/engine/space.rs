//! A namespace of an engine as hosts use it: bytes in, bytes out. The Rust face (`Cache`) and the Node binding stand on it.

use crate::clock::FOREVER;
use crate::engine::Engine;
use crate::engine::answers::{
    Capture, CountDone, FillDone, Found, LeaseId, LockDone, LockId, LockLost, LookupDone, Peek, ProgressTold,
    ValuesDone, Write, WriteDone,
};
use crate::engine::namespaces::Namespace;
use crate::engine::raised::TagOptions;
use crate::engine::read::ReadAnswer;
use crate::entry::{Lifetime, SerializerId};
use crate::error::{Error, ErrorKind, Result};
use crate::options::{Freshness, lock, pattern};
use crate::pattern::Pattern;
use crate::payload::Fetched;
use std::sync::Arc;

/// Tags of one entry at most.
pub const MAX_TAGS: usize = 64;
/// Bytes of one tag at most.
pub const MAX_TAG_BYTES: usize = 256;

/// A handle on one namespace. Answers come through callbacks, on any thread, and never while a lock is held.
#[derive(Clone)]
pub struct Space {
    engine: Arc<Engine>,
    namespace: Arc<Namespace>,
    serializer: SerializerId,
    memory_ttl: Option<u64>,
}

impl Space {
    /// The namespace of this path below the engine's root, for values in this encoding. Levels are separated by `/` and
    /// escaped with [`escape_level`](crate::key::escape_level).
    pub fn open(engine: &Arc<Engine>, path: &str, serializer: SerializerId) -> Self {
        let namespace = engine.namespaces.open(&engine.table, path);
        Self {
            engine: Arc::clone(engine),
            namespace,
            serializer,
            memory_ttl: None,
        }
    }

    /// The same namespace for values that are fresh in memory for so many milliseconds, whatever their ttl is elsewhere:
    /// those that are stored through this handle, and at most those that it finds remotely. `None` = for their ttl.
    #[must_use]
    pub fn with_memory_ttl(&self, memory_ttl: Option<u64>) -> Self {
        Self {
            memory_ttl,
            ..self.clone()
        }
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Path with the root.
    pub fn full_path(&self) -> &str {
        &self.namespace.full_path
    }

    /// Index of the namespace's generation in mirrors.
    pub fn index(&self) -> u32 {
        self.namespace.index
    }

    /// The encoding of its values.
    pub fn serializer(&self) -> SerializerId {
        self.serializer
    }

    /// Looks into the memory tier, at once. Hosts look before they ask for more; this look is the one that is counted.
    pub fn peek(&self, key: &str) -> Peek {
        let mut peek = self.engine.peek(&self.namespace, key);
        peek.found = peek.found.filter(|found| self.engine.speaks(found, self.serializer));
        peek
    }

    fn look(&self, key: &str) -> Peek {
        let mut peek = self.engine.look(&self.namespace, key);
        peek.found = peek.found.filter(|found| found.entry.serializer == self.serializer);
        peek
    }

    /// The value in memory or remotely, fresh or in its grace.
    pub fn read(&self, key: &str, done: Box<dyn FnOnce(Option<Found>) + Send>) {
        let peek = self.look(key);
        match peek.found {
            Some(found) if !found.is_stale() => return done(Some(found)),
            stale if !self.engine.outbox.is_remote() => return done(stale),
            _ => {}
        }
        let capture = self.engine.capture_ordered(&self.namespace, peek.capture.slot);
        let (space, name) = (self.clone(), Box::<str>::from(key));
        let reader = Box::new(move |answer: &ReadAnswer| {
            let found = answer.found.clone();
            let found = found.filter(|found| space.engine.speaks(found, space.serializer));
            // Nobody knows what stands there: then what is held here counts, if only for its grace.
            let unknown = answer.found.is_none() && answer.born.0 == 0;
            done(found.or_else(|| space.look(&name).found.filter(|_| unknown)));
        });
        self.engine
            .read_remote(&self.namespace, key, capture, self.memory_ttl, reader);
    }

    /// Fresh values for a caller who keeps nothing of them.
    pub fn values(&self, keys: &[&str], done: ValuesDone) {
        let engine = &self.engine;
        if engine.options().memory.is_none() && engine.outbox.is_remote() {
            return engine.read_values(&self.namespace, keys, self.serializer, &done);
        }
        let fresh = |found: Found| (!found.is_stale()).then_some(Fetched::Held(found.entry.payload));
        for (index, key) in keys.iter().enumerate() {
            let done = Arc::clone(&done);
            self.read(key, Box::new(move |found| done(index, found.and_then(fresh))));
        }
    }

    /// The core question: is there a value, and if not, who loads?
    pub fn lookup(&self, key: &str, done: LookupDone) {
        let default = Freshness::default().lock_timeout;
        self.lookup_within(key, default.unwrap_or(FOREVER), done);
    }

    /// The same for a caller who waits for a load of another process at most `lock_timeout` milliseconds.
    pub fn lookup_within(&self, key: &str, lock_timeout: u64, done: LookupDone) {
        self.engine.lookup(
            &self.namespace,
            key,
            self.serializer,
            lock_timeout,
            self.memory_ttl,
            done,
        );
    }

    /// A lease to reload a value that is still fresh, or [`Lookup::Nothing`] when somebody is at it.
    pub fn lookup_refresh(&self, key: &str, done: LookupDone) {
        self.engine
            .lookup_refresh(&self.namespace, key, self.serializer, self.memory_ttl, done);
    }

    /// A lease at once and for this process alone: the remote tier is not asked, and gets nothing of what is loaded. The
    /// capture is what the value may be kept by.
    pub fn lease_here(&self, key: &str) -> (LeaseId, Capture) {
        self.engine.lease_here(&self.namespace, key)
    }

    /// Answers a lease with the loaded value.
    pub fn fill(&self, lease: LeaseId, write: Write<'_>, done: FillDone) {
        match self.check_value(&write) {
            Ok(()) => self.engine.fill(lease, write.clamped(), self.memory_ttl, done),
            Err(error) => {
                self.engine.release(lease, true, 0);
                done(Err(error));
            }
        }
    }

    /// Answers a lease with the old value that came with it, for another life. Without tags it keeps its own.
    pub fn renew(&self, lease: LeaseId, lifetime: Lifetime, tags: &[&str], done: FillDone) {
        match check_tags(tags) {
            Ok(()) => self
                .engine
                .renew(lease, lifetime.clamped(), self.memory_ttl, tags, done),
            Err(error) => {
                self.engine.release(lease, true, 0);
                done(Err(error));
            }
        }
    }

    /// Answers a lease without a value.
    pub fn release(&self, lease: LeaseId, failed: bool) {
        self.engine.release(lease, failed, 0);
    }

    /// Answers a lease without a value because the loader failed: for so many milliseconds whoever has an old value of this
    /// key takes that, in this process, and nobody loads.
    pub fn back_off(&self, lease: LeaseId, backoff: u64) {
        self.engine.release(lease, true, backoff);
    }

    /// Stores a value in every tier.
    pub fn set(&self, key: &str, write: Write<'_>, done: WriteDone) {
        match self.check_key(key).and_then(|()| self.check_value(&write)) {
            Ok(()) => self
                .engine
                .set(&self.namespace, key, write.clamped(), self.memory_ttl, done),
            Err(error) => done(Err(error)),
        }
    }

    /// Removes a key from every tier; whether there was something.
    pub fn delete(&self, key: &str, done: WriteDone) {
        self.engine.delete(&self.namespace, key, done);
    }

    /// Makes a value stale; whether there was something.
    pub fn expire(&self, key: &str, done: WriteDone) {
        self.engine.expire(&self.namespace, key, done);
    }

    /// Drops everything in this namespace and those nested in it.
    pub fn clear(&self, done: WriteDone) {
        self.engine.clear(&self.namespace, done);
    }

    /// Makes everything in this namespace and those nested in it stale: gone without a grace.
    pub fn clear_softly(&self, done: WriteDone) {
        self.engine.clear_softly(&self.namespace, done);
    }

    /// Asks for a lock of this name: `ttl` is how long it outlives a holder who is not heard of any more, `wait` how long the
    /// caller waits for it; milliseconds, `None` = the default, [`FOREVER`] = without end. `lost` is called when it is lost.
    pub fn lock(
        &self,
        key: &str,
        ttl: Option<u64>,
        wait: Option<u64>,
        lost: LockLost,
        done: LockDone,
    ) -> Option<LockId> {
        let (ttl, wait) = (ttl.unwrap_or(lock::TTL), wait.unwrap_or(lock::WAIT));
        let checked = self.check_key(key).and_then(|()| check_lock(ttl));
        match checked {
            Ok(()) => Some(self.engine.lock(&self.namespace, key, ttl, wait, lost, done)),
            Err(error) => {
                done(Err(error));
                None
            }
        }
    }

    /// Gives a lock back, or ceases to want it; whether it was held until now.
    pub fn unlock(&self, lock: LockId, done: WriteDone) {
        self.engine.unlock(lock, done);
    }

    /// Removes every key of this namespace that matches the [`Pattern`], not those of nested ones. `batch`: keys of one
    /// step, `None` = the default.
    pub fn delete_pattern(&self, text: &str, batch: Option<u32>, told: Option<ProgressTold>, done: CountDone) {
        match self.check_pattern(text, batch) {
            Ok((pattern, batch)) => self.engine.delete_pattern(&self.namespace, pattern, batch, told, done),
            Err(error) => done(Err(error)),
        }
    }

    fn check_pattern(&self, text: &str, batch: Option<u32>) -> Result<(Pattern, u32)> {
        let batch = batch.unwrap_or(pattern::BATCH);
        if !(1..=pattern::BATCH_MAX).contains(&batch) {
            let message = format!("batch is {batch}: expected 1 to {}", pattern::BATCH_MAX);
            return Err(Error::new(ErrorKind::Argument, message).with("option", "batch"));
        }
        // Twice: every character of a key may have to be escaped.
        let most = 2 * self.engine.options().max_key_bytes;
        if text.len() > most {
            let message = format!("the pattern has {} bytes: expected at most {most}", text.len());
            return Err(Error::new(ErrorKind::Argument, message).with("option", "pattern"));
        }
        Ok((Pattern::parse(text)?, batch))
    }

    /// Drops every entry of this namespace, and of those nested in it, that carries one of the tags.
    pub fn invalidate_tags(&self, tags: &[&str], done: WriteDone) {
        self.invalidate_tags_with(tags, TagOptions::default(), done);
    }

    /// Drops entries of this namespace and of those nested in it by their tags, or makes them stale.
    pub fn invalidate_tags_with(&self, tags: &[&str], options: TagOptions, done: WriteDone) {
        match check_tags(tags) {
            Ok(()) => self.engine.invalidate_tags(&self.namespace, tags, options, done),
            Err(error) => done(Err(error)),
        }
    }

    /// Refuses a key that no tier can hold.
    pub fn check_key(&self, key: &str) -> Result<()> {
        let most = self.engine.options().max_key_bytes;
        if key.is_empty() {
            return Err(Error::new(
                ErrorKind::Argument,
                "the key is empty: expected at least one character",
            ));
        }
        if key.len() > most {
            return Err(Error::new(
                ErrorKind::KeyTooLong,
                format!("the key has {} bytes: expected at most {most} (maxKeyBytes)", key.len()),
            ));
        }
        Ok(())
    }

    fn check_value(&self, write: &Write<'_>) -> Result<()> {
        let most = self.engine.options().max_value_bytes;
        if write.payload.len() > most {
            return Err(Error::new(
                ErrorKind::ValueTooLarge,
                format!(
                    "the encoded value has {} bytes: expected at most {most} (maxValueBytes)",
                    write.payload.len()
                ),
            ));
        }
        check_tags(write.tags)
    }
}

fn check_lock(ttl: u64) -> Result<()> {
    if (lock::TTL_MIN..=lock::TTL_MAX).contains(&ttl) {
        return Ok(());
    }
    let message = format!("ttl is {ttl} ms: expected {} ms to 24 h", lock::TTL_MIN);
    Err(Error::new(ErrorKind::Argument, message).with("option", "ttl"))
}

fn check_tags(tags: &[&str]) -> Result<()> {
    if tags.len() > MAX_TAGS {
        let message = format!("{} tags: expected at most {MAX_TAGS}", tags.len());
        return Err(Error::new(ErrorKind::Argument, message).with("option", "tags"));
    }
    match tags.iter().find(|tag| tag.is_empty() || tag.len() > MAX_TAG_BYTES) {
        Some(tag) => {
            let message = format!("a tag has {} bytes: expected 1 to {MAX_TAG_BYTES}", tag.len());
            Err(Error::new(ErrorKind::Argument, message).with("option", "tags"))
        }
        None => Ok(()),
    }
}
