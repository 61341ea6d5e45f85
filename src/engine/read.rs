//! Reads: the memory tier at once, the remote tier through shared flights.

use crate::clock::{FOREVER, Millis};
use crate::codec::envelope::{self, Envelope};
use crate::engine::answers::{Capture, Found, Peek, ValuesDone, tell};
use crate::engine::flights::Joined;
use crate::engine::namespaces::Namespace;
use crate::engine::outbox::{BATCH, BatchState};
use crate::engine::raised::{Rule, soft_field, together_field};
use crate::engine::recovery::Before;
use crate::engine::tags::Verdict;
use crate::engine::{Engine, with_memory_key};
use crate::entry::{Entry, SerializerId, Stamp, TagSet};
use crate::error::Result;
use crate::key::RemoteKey;
use crate::payload::{Fetched, Payload};
use crate::tier::{NamespaceState, RemoteReply, RemoteRequest, Stored};
use bytes::Bytes;
use std::sync::Arc;

/// Who waits for a remote read.
pub(super) type Reader = Box<dyn FnOnce(&ReadAnswer) + Send>;

/// What a remote read found, with the state that was true before it.
pub(super) struct ReadAnswer {
    pub found: Option<Found>,
    /// Incarnation and counter: the stamp of what a loader makes after this read; incarnation 0 = unknown.
    pub born: (u64, u64),
}

impl Engine {
    pub(super) fn peek(&self, namespace: &Namespace, key: &str) -> Peek {
        let peek = self.look(namespace, key);
        match &peek.found {
            Some(found) if !found.is_stale() => self.counters.memory_hits.add(),
            _ => self.counters.memory_misses.add(),
        }
        peek
    }

    /// A look into the memory tier that is not counted.
    pub(super) fn look(&self, namespace: &Namespace, key: &str) -> Peek {
        let slot = self.table.key_slot(namespace.id, key);
        // Writers change the memory tier first and bump then: whoever captures the new generation sees the new memory.
        let capture = self.capture_now(namespace, slot);
        let entry = with_memory_key(namespace, key, |key| self.memory.get(key));
        let found = entry.filter(|_| !namespace.purges.hide(key));
        let found = found.and_then(|entry| self.judge(namespace, entry, capture, false));
        Peek { capture, found }
    }

    fn capture_now(&self, namespace: &Namespace, slot: u32) -> Capture {
        // The namespace's word before its exact generation: a clear moves the exact one first.
        let namespace_word = self.table.generation(namespace.index) as u32;
        let generation = self.table.generation(slot);
        let stamp = Stamp {
            generation,
            namespace: namespace.generation(),
            tags: self.tags.count(),
            softened: namespace.softened(),
        };
        Capture {
            slot,
            stamp,
            namespace_word,
            purges: namespace.purges.count(),
        }
    }

    /// Captures such that a remote read queued from now on is behind the change that made the captured generation.
    pub(super) fn capture_ordered(&self, namespace: &Namespace, slot: u32) -> Capture {
        let _guard = self.table.lock(slot);
        self.capture_now(namespace, slot)
    }

    /// The value, unless something says that it is old.
    pub(super) fn judge(&self, namespace: &Namespace, entry: Entry, capture: Capture, remote: bool) -> Option<Found> {
        let tag_words = match &entry.tags {
            // Before the floors are asked: an invalidation sets the floor first and bumps then.
            Some(tags) => tags
                .floors
                .iter()
                .map(|tag| (tag.slot, self.table.generation(tag.slot) as u32))
                .collect(),
            None => Vec::new(),
        };
        let now = self.clock.now();
        // What came from below was judged by the state it was read with: whoever asked before a clear may have it, and a
        // doubt about what is held here (law 4) is none about it. It is not kept then.
        let cleared = !remote && entry.stamp.namespace != namespace.generation();
        if entry.is_gone(now) || cleared {
            return None;
        }
        let mut fresh_for = match entry.fresh_until {
            Millis::NEVER => i64::MAX,
            until => i64::try_from(until.0)
                .unwrap_or(i64::MAX)
                .saturating_sub_unsigned(now.0),
        };
        match self.verdict(namespace, &entry) {
            Verdict::Stands => {}
            Verdict::Stale if entry.grace > 0 => fresh_for = fresh_for.min(0),
            Verdict::Stale | Verdict::Gone => return None,
        }
        Some(Found {
            fresh_for,
            gone_in: entry.gone_at.since(now),
            entry,
            capture,
            tag_words,
            remote,
            keepable: true,
        })
    }

    /// What tags and soft clears have made of an entry since it was captured.
    pub(super) fn verdict(&self, namespace: &Namespace, entry: &Entry) -> Verdict {
        match self.tags.judge(entry) {
            Verdict::Stands if entry.stamp.softened != namespace.softened() => Verdict::Stale,
            verdict => verdict,
        }
    }

    /// Reads the remote tier, together with whoever already does.
    pub(super) fn read_remote(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        key: &str,
        capture: Capture,
        memory_ttl: Option<u64>,
        reader: Reader,
    ) {
        let joined = with_memory_key(namespace, key, |key| self.reads.join(key, capture, reader));
        let Joined::Pilot(flight) = joined else { return };
        let remote_key = RemoteKey::new(&namespace.full_path, key);
        let request = RemoteRequest::Read {
            key: remote_key.clone(),
        };
        let before = self.recovery.before(namespace, key);
        let (engine, owned, key) = (Arc::clone(self), Arc::clone(namespace), Box::<str>::from(key));
        let done = Box::new(move |state: &BatchState, reply: Result<RemoteReply>| {
            engine.saw_state(state);
            let stored = match reply {
                Ok(RemoteReply::Value(stored)) => stored,
                Ok(_) => None,
                Err(_) => {
                    engine.counters.remote_errors.add();
                    return engine.land(
                        &owned,
                        &key,
                        flight,
                        ReadAnswer {
                            found: None,
                            born: (0, 0),
                        },
                    );
                }
            };
            let born = (state.incarnation, state.counter);
            let landing = Landing {
                namespace: owned,
                key,
                remote_key,
                capture,
                memory_ttl,
                flight,
                born,
                before,
            };
            match stored.and_then(|stored| engine.open_envelope(&landing, stored, state)) {
                None => landing.land(&engine, None),
                Some((entry, doubts)) if doubts.is_empty() => landing.land(&engine, Some(entry)),
                Some((entry, doubts)) => engine.settle_tags(landing, entry, doubts),
            }
        });
        self.outbox.push(request, Some(namespace), done).run();
    }

    /// Reads fresh values for a caller who keeps nothing: without their ages, and without flights for others to join. What
    /// cannot be judged that way (it has a grace, or tags that may have been invalidated) is read as usual.
    pub(super) fn read_values(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        keys: &[&str],
        serializer: SerializerId,
        done: &ValuesDone,
    ) {
        for (number, keys) in keys.chunks(BATCH).enumerate() {
            self.read_batch(namespace, keys, number * BATCH, serializer, Arc::clone(done));
        }
    }

    /// `first`: the place of the first of these keys among all that were asked for.
    fn read_batch(
        self: &Arc<Self>,
        namespace: &Arc<Namespace>,
        keys: &[&str],
        first: usize,
        serializer: SerializerId,
        done: ValuesDone,
    ) {
        let befores: Vec<Before> = keys.iter().map(|key| self.recovery.before(namespace, key)).collect();
        let keys: Arc<[RemoteKey]> = keys
            .iter()
            .map(|key| RemoteKey::new(&namespace.full_path, key))
            .collect();
        let request = RemoteRequest::ReadBytes {
            keys: Arc::clone(&keys),
        };
        let (engine, owned) = (Arc::clone(self), Arc::clone(namespace));
        let answered = Box::new(move |state: &BatchState, reply: Result<RemoteReply>| {
            engine.saw_state(state);
            let answers = match reply {
                Ok(RemoteReply::Bytes(answers)) => answers,
                Ok(_) => Vec::new(),
                Err(error) => vec![Err(error); keys.len()],
            };
            let answers = answers.into_iter().chain(std::iter::repeat(Ok(None)));
            for (index, ((key, before), bytes)) in (first..).zip(keys.iter().zip(befores).zip(answers)) {
                let bytes = bytes.unwrap_or_else(|_| {
                    engine.counters.remote_errors.add();
                    None
                });
                let reading = Unkept {
                    namespace: &owned,
                    key,
                    before,
                    serializer,
                };
                match bytes.and_then(|bytes| engine.open_unkept(&reading, bytes, state)) {
                    Some(Opening::Value(value)) => {
                        engine.counters.remote_hits.add();
                        tell(|| done(index, Some(value)));
                    }
                    Some(Opening::Unjudged) => engine.read_unkept(&reading, index, &done),
                    None => {
                        engine.counters.remote_misses.add();
                        tell(|| done(index, None));
                    }
                }
            }
        });
        self.outbox.push(request, Some(namespace), answered).run();
    }

    fn open_unkept(&self, reading: &Unkept<'_>, bytes: Bytes, state: &BatchState) -> Option<Opening> {
        let Unkept { namespace, key, .. } = *reading;
        let stored = Stored {
            envelope: bytes,
            life: None,
        };
        let envelope = self.decode(key, &stored)?;
        let may_be_stale = envelope.lifetime.grace > 0;
        let stands = state.allows(namespace, envelope.incarnation, envelope.born)
            && (may_be_stale || !state.softens(namespace, envelope.born))
            // One with tags is read as usual.
            && !self.recovery.refuses(reading.before, namespace, key.user_key(&namespace.full_path), None);
        if !stands {
            return None;
        }
        if may_be_stale || !envelope.tags.is_empty() {
            return Some(Opening::Unjudged);
        }
        if envelope.serializer != reading.serializer {
            self.counters.remote_rejected.add();
            return None;
        }
        Some(Opening::Value(match envelope.place_in(&stored.envelope) {
            None => Fetched::Held(Payload::from(&envelope.payload[..])),
            Some(place) => Fetched::Within(stored.envelope, place),
        }))
    }

    fn read_unkept(self: &Arc<Self>, reading: &Unkept<'_>, index: usize, done: &ValuesDone) {
        let Unkept {
            namespace, serializer, ..
        } = *reading;
        let key = reading.key.user_key(&namespace.full_path);
        let capture = self.capture_ordered(namespace, self.table.key_slot(namespace.id, key));
        let done = Arc::clone(done);
        let reader = Box::new(move |answer: &ReadAnswer| {
            let fresh = |found: &&Found| !found.is_stale() && found.entry.serializer == serializer;
            let found = answer.found.as_ref().filter(fresh);
            done(index, found.map(|found| Fetched::Held(found.entry.payload.clone())));
        });
        self.read_remote(namespace, key, capture, None, reader);
    }

    /// The entry in the envelope, and the tag floors that must still be asked for before it is believed.
    fn open_envelope(&self, at: &Landing, stored: Stored, state: &BatchState) -> Option<(Opened, Vec<Box<str>>)> {
        let envelope = self.decode(&at.remote_key, &stored)?;
        if !state.allows(&at.namespace, envelope.incarnation, envelope.born) {
            return None;
        }
        let mut entry = self.entry_of(&at.namespace, &envelope, &stored, at.capture.stamp, at.memory_ttl)?;
        if state.softens(&at.namespace, envelope.born) {
            entry = entry.softened(self.clock.now())?;
        }
        if self.refuses(at, &entry) {
            return None;
        }
        let doubts = match &entry.tags {
            // Nothing at all was raised since it was born.
            Some(tags) if state.counter != envelope.born => fields_of(tags),
            _ => Vec::new(),
        };
        Some((
            Opened {
                entry,
                incarnation: envelope.incarnation,
                born: envelope.born,
            },
            doubts,
        ))
    }

    fn refuses(&self, at: &Landing, entry: &Entry) -> bool {
        let tags = entry.tags.as_deref();
        self.recovery.refuses(at.before, &at.namespace, &at.key, tags)
    }

    /// Asks for the floors of the entry's tags, and lands.
    fn settle_tags(self: &Arc<Self>, landing: Landing, opened: Opened, fields: Vec<Box<str>>) {
        let engine = Arc::clone(self);
        let done = Box::new(move |_: &BatchState, reply: Result<RemoteReply>| {
            // Another server may have answered than the one that had the value.
            let refused = engine.refuses(&landing, &opened.entry);
            let opened = match reply {
                Ok(RemoteReply::State(state)) if state.incarnation == opened.incarnation && !refused => {
                    opened.judged(&state, engine.clock.now())
                }
                _ => None,
            };
            landing.land(&engine, opened);
        });
        self.outbox.push(RemoteRequest::State { fields }, None, done).run();
    }

    /// Checks bytes from outside. Whatever is wrong with them is a counted miss.
    pub(super) fn decode<'a>(&self, key: &RemoteKey, stored: &'a Stored) -> Option<Envelope<'a>> {
        envelope::decode(key, &stored.envelope, self.options.max_value_bytes)
            .inspect_err(|rejection| {
                self.counters.remote_rejected.add();
                tracing::debug!(?rejection, "a remote value was refused");
            })
            .ok()
    }

    /// An entry whose ages come from the store's own clock; `None` when it is past its grace.
    pub(super) fn entry_of(
        &self,
        namespace: &Namespace,
        envelope: &Envelope<'_>,
        stored: &Stored,
        stamp: Stamp,
        memory_ttl: Option<u64>,
    ) -> Option<Entry> {
        let now = self.clock.now();
        let life = stored.life.unwrap_or(FOREVER);
        if life == FOREVER && envelope.lifetime.ttl != FOREVER {
            // Somebody took its end away: nobody can say how old it is.
            return None;
        }
        // Whatever the store says, no value outlives what it was given.
        let life = match envelope.lifetime.ttl {
            FOREVER => life,
            ttl => life.min(ttl.saturating_add(envelope.lifetime.grace)),
        };
        let grace = envelope.lifetime.grace;
        let fresh_until = match life {
            FOREVER => Millis::NEVER,
            // Less than its grace is left: it became stale a while ago.
            life if life < grace => Millis(now.0.saturating_sub(grace - life)),
            life => now.after(life - grace),
        };
        let entry = Entry {
            payload: envelope.payload[..].into(),
            serializer: envelope.serializer,
            ttl: envelope.lifetime.ttl,
            grace,
            // The envelope does not say it: what loads of this namespace take.
            load_time: namespace.load_time(),
            fresh_until,
            gone_at: now.after(life),
            stamp,
            tags: namespace.tag_set(&self.table, &envelope.tags),
        };
        Some(match memory_ttl {
            Some(ttl) => entry.capped(now, ttl),
            None => entry,
        })
    }

    /// Stores what came from below, unless something was invalidated since the capture (laws 1 and 2): it would take the
    /// place of a newer value.
    pub(super) fn fill_memory(&self, namespace: &Namespace, key: &str, capture: Capture, entry: &Entry) -> bool {
        let guard = self.table.lock(capture.slot);
        let current = guard.generation() == capture.stamp.generation
            && entry.stamp.namespace == namespace.generation()
            && namespace.purges.allow(key, capture.purges)
            && self.verdict(namespace, entry) == Verdict::Stands;
        if !current || self.is_closed() {
            return false;
        }
        with_memory_key(namespace, key, |key| self.memory.insert(key, entry.clone()));
        true
    }

    fn land(&self, namespace: &Namespace, key: &str, flight: u64, answer: ReadAnswer) {
        match answer.found {
            Some(_) => self.counters.remote_hits.add(),
            None => self.counters.remote_misses.add(),
        }
        for reader in with_memory_key(namespace, key, |key| self.reads.land(key, flight)) {
            reader(&answer);
        }
    }

    /// Whether a value can be decoded by the host that asks.
    pub(super) fn speaks(&self, found: &Found, serializer: SerializerId) -> bool {
        let same = found.entry.serializer == serializer;
        if !same {
            self.counters.remote_rejected.add();
        }
        same
    }
}

/// A key that is read for a caller who keeps nothing.
struct Unkept<'a> {
    namespace: &'a Arc<Namespace>,
    key: &'a RemoteKey,
    before: Before,
    serializer: SerializerId,
}

/// What its bytes are.
enum Opening {
    Value(Fetched),
    /// It may be old: its age and its tags say so.
    Unjudged,
}

/// A decoded envelope.
struct Opened {
    entry: Entry,
    incarnation: u64,
    born: u64,
}

/// The fields that say whether one of these tags was invalidated: hard floors, soft ones, lists of rules.
fn fields_of(tags: &TagSet) -> Vec<Box<str>> {
    let hard = tags.floors.iter().map(|tag| tag.field.clone());
    let soft = tags.floors.iter().map(|tag| soft_field(&tag.field));
    // A rule names two tags at least.
    let several = tags.names.len() > 1;
    let rules = tags
        .floors
        .iter()
        .filter(|_| several)
        .map(|tag| together_field(&tag.field));
    hard.chain(soft).chain(rules).collect()
}

impl Opened {
    /// What the fields of its tags have made of it.
    fn judged(self, state: &NamespaceState, now: Millis) -> Option<Self> {
        let tags = self.entry.tags.as_ref()?;
        let newer = |count: &u64| *count > self.born;
        let (hard, soft) = state.floors.split_at_checked(tags.floors.len())?;
        let soft = soft.get(..tags.floors.len())?;
        let reached = |wanted: bool| {
            state
                .rules
                .iter()
                .filter(|(count, _)| newer(count))
                .filter_map(|(_, rule)| Rule::read(rule))
                .any(|rule| rule.soft == wanted && rule.reaches(&tags.names))
        };
        if hard.iter().any(newer) || reached(false) {
            return None;
        }
        if soft.iter().any(newer) || reached(true) {
            return Some(Self {
                entry: self.entry.softened(now)?,
                ..self
            });
        }
        Some(self)
    }
}

/// A remote read on its way back.
struct Landing {
    namespace: Arc<Namespace>,
    key: Box<str>,
    remote_key: RemoteKey,
    capture: Capture,
    /// How long it is fresh in the memory tier at most.
    memory_ttl: Option<u64>,
    flight: u64,
    born: (u64, u64),
    /// What the remote tier had missed when it was asked.
    before: Before,
}

impl Landing {
    fn land(self, engine: &Engine, opened: Option<Opened>) {
        let found = opened.and_then(|opened| {
            let keepable = engine.fill_memory(&self.namespace, &self.key, self.capture, &opened.entry);
            let found = engine.judge(&self.namespace, opened.entry, self.capture, true)?;
            Some(Found { keepable, ..found })
        });
        engine.land(
            &self.namespace,
            &self.key,
            self.flight,
            ReadAnswer { found, born: self.born },
        );
    }
}
