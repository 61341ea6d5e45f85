//! What a remote store does with requests, in memory. Kept honest by the contract tests; the simulator stands on it, too.

use parking_lot::Mutex;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use turbocache::clock::{Clock, Millis};
use turbocache::event::{LogId, Place};
use turbocache::key::RemoteKey;
use turbocache::tier::{LOG_PAGE, NamespaceState, RemoteReply, RemoteRequest, Scan, ScanCursor, Stored, Token, rules};

/// A remote store in memory: what all engines of a test share. Kept honest by the contract tests.
pub struct Model {
    clock: Arc<dyn Clock>,
    data: Mutex<Data>,
    publish: Box<dyn Fn(Vec<u8>) + Send + Sync>,
    is_scattered: AtomicBool,
}

/// See [`Model::saved`].
pub struct Saved(Data);

#[derive(Default, Clone)]
struct Data {
    incarnations: u64,
    incarnation: u64,
    counter: u64,
    floors: HashMap<Box<str>, u64>,
    lists: HashMap<Box<str>, String>,
    values: HashMap<RemoteKey, (bytes::Bytes, Millis)>,
    leases: HashMap<RemoteKey, (Token, Millis)>,
    lives: HashMap<u64, Millis>,
    locks: HashMap<RemoteKey, (Token, Millis)>,
    fences: u64,
    log: Log,
}

#[derive(Default, Clone)]
struct Log {
    frames: Vec<(LogId, bytes::Bytes)>,
    /// Ids never repeat, whatever is deleted.
    last: u64,
    /// The clock that makes ids.
    millis: u64,
    refuses: bool,
    asked: bool,
    /// Moves with each frame that was refused.
    mark: u64,
    /// The last mark there was: none comes back, whatever is deleted.
    marks: u64,
}

impl Model {
    /// A store that nobody listens to.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::publishing(clock, drop)
    }

    /// A store that hands to `publish` what it is told to publish.
    pub fn publishing(clock: Arc<dyn Clock>, publish: impl Fn(Vec<u8>) + Send + Sync + 'static) -> Self {
        Self {
            clock,
            data: Mutex::default(),
            publish: Box::new(publish),
            is_scattered: AtomicBool::new(false),
        }
    }

    /// FLUSHALL.
    pub fn flush(&self) {
        let mut data = self.data.lock();
        *data = Data {
            incarnations: data.incarnations,
            log: Log {
                last: data.log.last,
                marks: data.log.marks,
                refuses: data.log.refuses,
                ..Log::default()
            },
            ..Data::default()
        };
    }

    /// What it holds now, to be put back.
    pub fn saved(&self) -> Saved {
        Saved(self.data.lock().clone())
    }

    /// It holds what it held once; what happened since is lost. Ids of the log go on.
    pub fn put_back(&self, saved: Saved) {
        let mut data = self.data.lock();
        let (incarnations, log) = (data.incarnations, data.log.clone());
        *data = saved.0;
        data.incarnations = incarnations;
        data.log.last = log.last;
        data.log.millis = log.millis;
        data.log.marks = log.marks;
        data.log.refuses = log.refuses;
    }

    /// From now on it is several servers. To be said before anybody joins.
    pub fn scatter(&self) {
        self.is_scattered.store(true, Ordering::SeqCst);
    }

    /// Whether it is.
    pub fn is_scattered(&self) -> bool {
        self.is_scattered.load(Ordering::SeqCst)
    }

    /// The servers that have values and leases hold what they held once; the one with the state and the log has lost nothing.
    pub fn put_back_values(&self, saved: Saved) {
        let mut data = self.data.lock();
        (data.values, data.leases) = (saved.0.values, saved.0.leases);
    }

    /// Only so many of the newest frames stay in the log.
    pub fn trim_log(&self, keep: usize) {
        let frames = &mut self.data.lock().log.frames;
        let old = frames.len().saturating_sub(keep);
        frames.drain(..old);
    }

    /// Time passes, as far as the log is concerned.
    pub fn let_log_pass(&self, millis: u64) {
        self.data.lock().log.millis += millis;
    }

    /// Frames in the log.
    pub fn log_length(&self) -> usize {
        self.data.lock().log.frames.len()
    }

    /// Whether somebody has tried to append to the log.
    pub fn log_was_asked(&self) -> bool {
        self.data.lock().log.asked
    }

    /// From now on the log takes nothing, or does again.
    pub fn refuse_log(&self, refuses: bool) {
        self.data.lock().log.refuses = refuses;
    }

    /// The store has evicted every lease.
    pub fn forget_leases(&self) {
        self.data.lock().leases.clear();
    }

    /// The store has evicted every sign of life.
    pub fn forget_lives(&self) {
        self.data.lock().lives.clear();
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.data.lock().values.len()
    }

    pub fn apply(&self, request: &RemoteRequest) -> RemoteReply {
        let now = self.clock.now();
        let mut data = self.data.lock();
        match request {
            // Published while locked: in the order of the log.
            RemoteRequest::Tell { frames, hints } => self.tell(&mut data.log, frames, hints),
            request => data.apply(request, now),
        }
    }

    fn tell(&self, log: &mut Log, frames: &[bytes::Bytes], hints: &[bytes::Bytes]) -> RemoteReply {
        let places = frames.iter().map(|frame| {
            let place = log.append(frame);
            (self.publish)([&frame[..], place.to_string().as_bytes()].concat());
            place
        });
        let places = places.collect();
        hints.iter().for_each(|hint| (self.publish)(hint.to_vec()));
        RemoteReply::Told(places)
    }
}

impl Log {
    fn append(&mut self, frame: &bytes::Bytes) -> Place {
        self.asked = true;
        let before = self.frames.last().map_or(LogId::START, |(id, _)| *id);
        if self.refuses {
            self.marks += 1;
            let (mark, end) = (self.marks, before);
            let before = std::mem::replace(&mut self.mark, mark);
            return Place::Refused { end, before, mark };
        }
        self.last += 1;
        let id = LogId {
            millis: 1 + self.millis,
            count: self.last,
        };
        self.frames.push((id, frame.clone()));
        Place::Logged { before, id }
    }

    fn read(&self, from: LogId) -> Vec<(LogId, bytes::Bytes)> {
        let behind = self.frames.iter().filter(|(id, _)| *id >= from);
        behind.take(LOG_PAGE).cloned().collect()
    }
}

impl Data {
    fn apply(&mut self, request: &RemoteRequest, now: Millis) -> RemoteReply {
        self.values.retain(|_, (_, until)| *until > now);
        self.leases.retain(|_, (_, until)| *until > now);
        self.locks.retain(|_, (_, until)| *until > now);
        let until = |life: &Option<u64>| life.map_or(Millis::NEVER, |life| now.after(life));
        match request {
            RemoteRequest::State { fields } => self.state(fields),
            RemoteRequest::Raise { fields } => {
                if fields.is_empty() {
                    self.incarnation = 0;
                }
                self.state(&[]);
                if !fields.is_empty() {
                    self.count_up(now);
                }
                for field in fields {
                    self.floors.insert(field.clone(), self.counter);
                }
                self.state(fields)
            }
            RemoteRequest::Abandon { incarnation } => {
                if self.incarnation == *incarnation {
                    self.incarnation = 0;
                }
                self.state(&[])
            }
            RemoteRequest::RaiseRule { rule, places } => {
                self.state(&[]);
                self.count_up(now);
                let list_at = |field: &str| Cow::from(self.lists.get(field).map_or("", String::as_str));
                let placed = rules::add(places, rule, self.counter, list_at).expect("a rule has a place");
                if placed.folded {
                    self.lists.remove(&placed.place.list);
                    self.floors.insert(placed.place.floor.clone(), self.counter);
                } else {
                    self.lists.insert(placed.place.list.clone(), placed.text);
                }
                self.state(&[])
            }
            RemoteRequest::Read { key } => RemoteReply::Value(self.stored(key, now)),
            RemoteRequest::ReadBytes { keys } => {
                let bytes = |key| Ok(self.stored(key, now).map(|stored| stored.envelope));
                RemoteReply::Bytes(keys.iter().map(bytes).collect())
            }
            RemoteRequest::Write { key, envelope, life } => {
                self.leases.remove(key);
                self.values.insert(key.clone(), (envelope.clone(), until(life)));
                RemoteReply::Done(true)
            }
            RemoteRequest::Remove { key } => {
                self.leases.remove(key);
                RemoteReply::Done(self.values.remove(key).is_some())
            }
            RemoteRequest::RemoveMany { keys } => {
                self.leases.retain(|key, _| !keys.contains(key));
                RemoteReply::Removed(keys.iter().filter_map(|key| self.values.remove(key)).count() as u64)
            }
            RemoteRequest::Scan(scan) => self.scan(scan),
            RemoteRequest::Expire { key } => {
                self.leases.remove(key);
                let Some(stored) = self.stored(key, now) else {
                    return RemoteReply::Done(false);
                };
                let grace = stored.envelope.get(48..56).and_then(|bytes| bytes.try_into().ok());
                let grace = grace.map_or(0, u64::from_le_bytes);
                if grace == 0 {
                    self.values.remove(key);
                } else if stored.life.is_some_and(|life| life <= grace) {
                    return RemoteReply::Done(false);
                } else if let Some((_, until)) = self.values.get_mut(key) {
                    *until = now.after(grace);
                }
                RemoteReply::Done(true)
            }
            RemoteRequest::Lease {
                key,
                token,
                life,
                unless_value,
            } => match self.stored(key, now) {
                Some(stored) if *unless_value && stored.is_fresh() => RemoteReply::Value(Some(stored)),
                _ => self.take(key, None, *token, now.after(*life)),
            },
            RemoteRequest::TakeOver { key, from, token, life } => self.take(key, Some(*from), *token, now.after(*life)),
            RemoteRequest::Lock { key, token, life } => match self.locks.get(key) {
                Some((holder, _)) if holder != token => RemoteReply::Held(None),
                _ => {
                    self.locks.insert(key.clone(), (*token, now.after(*life)));
                    self.fences += 1;
                    RemoteReply::Locked(self.fences)
                }
            },
            RemoteRequest::KeepLock { key, token, life } => match self.locks.get_mut(key) {
                Some((holder, until)) if holder == token => {
                    *until = now.after(*life);
                    RemoteReply::Done(true)
                }
                _ => RemoteReply::Done(false),
            },
            RemoteRequest::Unlock { key, token } => {
                let held = self.locks.get(key).is_some_and(|(holder, _)| holder == token);
                if held {
                    self.locks.remove(key);
                }
                RemoteReply::Done(held)
            }
            RemoteRequest::ShowLife { owner, life } => {
                self.lives.insert(*owner, now.after(*life));
                RemoteReply::Done(true)
            }
            RemoteRequest::HasLife { owner } => {
                RemoteReply::Done(self.lives.get(owner).is_some_and(|until| *until > now))
            }
            RemoteRequest::Renew { key, token, life } => match self.leases.get_mut(key) {
                Some((holder, until)) if holder == token => {
                    *until = now.after(*life);
                    RemoteReply::Done(true)
                }
                _ => RemoteReply::Done(false),
            },
            RemoteRequest::Unlease { key, token } => RemoteReply::Done(self.unlease(key, *token)),
            RemoteRequest::Fill {
                key,
                token,
                envelope,
                life,
            } => {
                let held = self.unlease(key, *token);
                if held {
                    self.values.insert(key.clone(), (envelope.clone(), until(life)));
                }
                RemoteReply::Done(held)
            }
            RemoteRequest::Tell { .. } => unreachable!("the model tells, not its data"),
            RemoteRequest::ReadLog { from } => RemoteReply::Log(self.log.read(*from), self.log.mark),
        }
    }

    /// A walk over names in their order: where it goes on is the hash of the name that it has reached.
    fn scan(&self, scan: &Scan) -> RemoteReply {
        let leases = self.leases.keys().filter(|_| scan.leases);
        let position = |key: &RemoteKey| key.digest() as u64;
        let mut keys: Vec<&RemoteKey> = self.values.keys().chain(leases).collect();
        keys.retain(|key| position(key) > scan.cursor.position);
        keys.sort_by_key(|key| position(key));
        let next = keys.get(scan.count as usize).map(|_| ScanCursor {
            position: position(keys[scan.count as usize - 1]),
            ..scan.cursor
        });
        let found = keys.into_iter().take(scan.count as usize).filter(|key| {
            let user_key = RemoteKey::of_name(&scan.path, &key.value_name());
            user_key.is_some_and(|key| key.user_key(&scan.path).starts_with(&*scan.prefix))
        });
        RemoteReply::Keys(found.cloned().collect(), next)
    }

    /// Takes the lease from the given holder, or from nobody.
    fn take(&mut self, key: &RemoteKey, from: Option<Token>, token: Token, until: Millis) -> RemoteReply {
        let holder = self.leases.get(key).map(|(holder, _)| *holder);
        if holder != from {
            return RemoteReply::Held(holder);
        }
        self.leases.insert(key.clone(), (token, until));
        RemoteReply::Granted
    }

    fn unlease(&mut self, key: &RemoteKey, token: Token) -> bool {
        let held = self.leases.get(key).is_some_and(|(holder, _)| *holder == token);
        if held {
            self.leases.remove(key);
        }
        held
    }

    fn stored(&self, key: &RemoteKey, now: Millis) -> Option<Stored> {
        self.values.get(key).map(|(envelope, until)| Stored {
            envelope: envelope.clone(),
            life: (*until != Millis::NEVER).then(|| until.since(now)),
        })
    }

    /// By the time in microseconds.
    fn count_up(&mut self, now: Millis) {
        self.counter = (self.counter + 1).max(now.0 * 1_000);
    }

    fn state(&mut self, fields: &[Box<str>]) -> RemoteReply {
        if self.incarnation == 0 {
            self.incarnations += 1;
            self.incarnation = self.incarnations;
            self.counter = 0;
            self.floors.clear();
            self.lists.clear();
        }
        let rules = fields.iter().filter_map(|field| self.lists.get(field));
        let rules = rules
            .flat_map(|list| rules::read(list))
            .map(|(count, rule)| (count, rule.into()));
        let rules = rules.collect();
        let floor = |field| self.floors.get(field).copied().unwrap_or(0);
        RemoteReply::State(NamespaceState {
            incarnation: self.incarnation,
            counter: self.counter,
            floors: fields.iter().map(floor).collect(),
            rules,
        })
    }
}
