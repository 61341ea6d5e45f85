//! What the laws allow a read to return. Knows nothing of the engine: it is told what callers did, what they got, and
//! what each node has heard, and compares versions of a database that stands behind the cache.
//!
//! Each change of a key gives it a new version in the database, and then invalidates it (or sets the new version). A
//! value is *older* than an invalidation when its version is. The rules:
//!
//! - A read that begins when its node knows of an invalidation never returns an older value. A node knows of it from the call
//!   on when it was made there (law 1), from the message on (law 3), and a second after the acknowledgement in any case
//!   (law 4); what it loaded or set itself it may serve for longer while it cannot reach the store. Also not a value that a
//!   load brings that began before (law 2).
//! - An invalidation that failed promises nothing to other nodes; its own knows of it as long as the process lives.
//! - Nothing is served as fresh after its ttl, nor at all after its grace.
//! - When nothing fails and nothing is invalidated, one load of a key runs in the whole cluster (law 6).
//! - Every call is answered.
//!
//! A set that overlaps an invalidation may be the later of the two, whatever its version: nobody can say.

use std::fmt;

/// In milliseconds: what a node may not know of an invalidation for, with a tick of its housekeeping.
pub const BOUND: u64 = 1_000 + 150;
/// How much later than its ttl a value may be served: requests and replies travel, and the life is counted by the store.
pub const TTL_SLACK: u64 = 1_100;

/// How long a caller waits for somebody else's load.
const WAIT_MAX: u64 = 10_000;

pub type Node = usize;
pub type Key = usize;
pub type Version = u64;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueId(pub usize);
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidationId(usize);
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageId(pub usize);
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadId(usize);
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadId(usize);

/// A point in a history: the order tells what came first within a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    order: u64,
    ms: u64,
}

/// How long a value lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    pub ttl: u64,
    pub grace: u64,
}

#[derive(Debug)]
struct Value {
    key: Key,
    version: Version,
    life: Life,
    origin: Origin,
    /// It was last written not later than this.
    written: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
enum Origin {
    Set(InvalidationId),
    Load(Node),
}

#[derive(Debug)]
struct Invalidation {
    what: String,
    node: Node,
    /// Each key it touches, with the version that is new then.
    floors: Vec<(Key, Version)>,
    /// What is stale may still be served as stale.
    soft: bool,
    begun: Point,
    acknowledged: Option<Point>,
    /// The process that was asked still lives, or has been answered by the store.
    stands: bool,
    /// The store has lost it after that.
    lost: bool,
    /// By which the others are told.
    message: Option<MessageId>,
}

#[derive(Debug)]
struct Read {
    what: String,
    node: Node,
    key: Key,
    begun: Point,
    ending: Option<Ending>,
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    /// A value, whether it was called stale, and when.
    Value(ValueId, bool, Point),
    /// No value, or nobody who waits for one.
    Nothing,
}

#[derive(Debug)]
struct Load {
    node: Node,
    key: Key,
    called: Point,
    begun: Point,
    running: bool,
    alone: bool,
}

/// A law that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub law: &'static str,
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law, self.text)
    }
}

/// See the module.
pub struct Checker {
    now: Point,
    /// By message and node: when it was there first.
    arrivals: Vec<Vec<Option<Point>>>,
    /// By node: when it dropped all that it held.
    forgot: Vec<Vec<Point>>,
    /// By node: when it died last.
    died: Vec<Option<Point>>,
    /// By node: from when until when it cannot reach the store, or not quickly, or has something left of that. In the order in
    /// which they begin.
    troubles: Vec<Vec<(u64, u64)>>,
    /// Nothing fails in this history.
    calm: bool,
    values: Vec<Value>,
    invalidations: Vec<Invalidation>,
    reads: Vec<Read>,
    loads: Vec<Load>,
    violations: Vec<Violation>,
}

impl Checker {
    pub fn new(nodes: usize, calm: bool) -> Self {
        Self {
            now: Point { order: 0, ms: 0 },
            arrivals: Vec::new(),
            forgot: vec![Vec::new(); nodes],
            died: vec![None; nodes],
            troubles: vec![Vec::new(); nodes],
            calm,
            values: Vec::new(),
            invalidations: Vec::new(),
            reads: Vec::new(),
            loads: Vec::new(),
            violations: Vec::new(),
        }
    }

    /// What follows happens at this time.
    pub fn at(&mut self, ms: u64) -> &mut Self {
        self.now = Point {
            order: self.now.order + 1,
            ms,
        };
        self
    }

    /// The node cannot reach the store, or not quickly, until `ms`.
    pub fn troubled(&mut self, node: Node, until: u64) {
        self.troubles[node].push((self.now.ms, until));
    }

    /// Somebody calls `what`, which makes these versions the oldest that are right.
    pub fn invalidate(&mut self, what: String, node: Node, floors: Vec<(Key, Version)>, soft: bool) -> InvalidationId {
        self.invalidations.push(Invalidation {
            what,
            node,
            floors,
            soft,
            begun: self.now,
            acknowledged: None,
            stands: true,
            lost: false,
            message: None,
        });
        InvalidationId(self.invalidations.len() - 1)
    }

    /// His call has returned without an error. `message` is the one that tells the others.
    pub fn acknowledged(&mut self, id: InvalidationId, message: Option<MessageId>) {
        self.invalidations[id.0].acknowledged = Some(self.now);
        self.invalidations[id.0].message = message;
        for value in &mut self.values {
            if matches!(value.origin, Origin::Set(set) if set == id) {
                value.written = Some(self.now.ms);
            }
        }
    }

    /// The point in time.
    pub fn point(&self) -> Point {
        self.now
    }

    /// What was acknowledged `since` is lost. Who made it, or has heard of it, and lives, knows of it, and makes it again; if
    /// nobody does, it never was.
    pub fn has_lost(&mut self, since: Point) {
        for invalidation in &mut self.invalidations {
            invalidation.lost |= invalidation.acknowledged.is_none_or(|ended| ended.order >= since.order);
        }
        for node in 0..self.died.len() {
            if let Some(died) = self.died[node] {
                self.forget_lost(node, died);
            }
        }
    }

    /// What is lost, and the node knew before it died, it does not know any more.
    fn forget_lost(&mut self, node: Node, died: Point) {
        for invalidation in self.invalidations.iter_mut().filter(|invalidation| invalidation.lost) {
            let knew = |since: Point| since.order < died.order;
            invalidation.stands &= invalidation.node != node || !knew(invalidation.begun);
            if let Some(message) = invalidation.message {
                let arrival = &mut self.arrivals[message.0][node];
                *arrival = arrival.filter(|heard| !knew(*heard));
            }
        }
    }

    /// Somebody tells the others something.
    pub fn published(&mut self) -> MessageId {
        self.arrivals.push(vec![None; self.forgot.len()]);
        MessageId(self.arrivals.len() - 1)
    }

    /// The node has heard it.
    pub fn heard(&mut self, node: Node, message: MessageId) {
        self.arrivals[message.0][node].get_or_insert(self.now);
    }

    /// The node holds nothing of what it held: all that was acknowledged until now is as good as heard.
    pub fn forgot_all(&mut self, node: Node) {
        self.forgot[node].push(self.now);
    }

    /// A value that a set brings.
    pub fn set_value(&mut self, by: InvalidationId, key: Key, version: Version, life: Life) -> ValueId {
        self.value(key, version, life, Origin::Set(by))
    }

    /// A value that a load of this node brings, and stores now.
    pub fn loaded_value(&mut self, node: Node, key: Key, version: Version, life: Life) -> ValueId {
        let id = self.value(key, version, life, Origin::Load(node));
        self.values[id.0].written = Some(self.now.ms);
        id
    }

    fn value(&mut self, key: Key, version: Version, life: Life, origin: Origin) -> ValueId {
        self.values.push(Value {
            key,
            version,
            life,
            origin,
            written: None,
        });
        ValueId(self.values.len() - 1)
    }

    pub fn read(&mut self, what: String, node: Node, key: Key) -> ReadId {
        self.reads.push(Read {
            what,
            node,
            key,
            begun: self.now,
            ending: None,
        });
        ReadId(self.reads.len() - 1)
    }

    /// The caller has his answer: nothing, or a value, and whether it was called stale.
    pub fn answered(&mut self, id: ReadId, answer: Option<(ValueId, bool)>) {
        let value = |(value, stale)| Ending::Value(value, stale, self.now);
        self.reads[id.0].ending = Some(answer.map_or(Ending::Nothing, value));
    }

    /// Nobody waits for the answer any more.
    pub fn gave_up(&mut self, id: ReadId) {
        self.reads[id.0].ending.get_or_insert(Ending::Nothing);
    }

    /// The node has died, and with it all who called it.
    pub fn died(&mut self, node: Node) {
        for read in self.reads.iter_mut().filter(|read| read.node == node) {
            read.ending.get_or_insert(Ending::Nothing);
        }
        for invalidation in self
            .invalidations
            .iter_mut()
            .filter(|invalidation| invalidation.node == node)
        {
            invalidation.stands &= invalidation.acknowledged.is_some();
        }
        self.died[node] = Some(self.now);
        self.forget_lost(node, self.now);
        self.forgot_all(node);
    }

    /// A caller who asked when he began `read` is told to load.
    pub fn load(&mut self, node: Node, key: Key, read: Option<ReadId>) -> LoadId {
        let called = read.map_or(self.now, |read| self.reads[read.0].begun);
        // Who has waited for too long loads for himself, and what he does is no other's concern.
        let waited = self.now.ms - called.ms >= WAIT_MAX;
        let of_key = |load: &&Load| load.running && load.key == key && !load.alone;
        if self.calm
            && !waited
            && let Some(other) = self.loads.iter().find(of_key)
            && !self.touched_since(
                key,
                if other.called.order < called.order {
                    other.called
                } else {
                    called
                },
            )
        {
            self.violations.push(Violation {
                law: "law 6",
                text: format!(
                    "key {key} is loaded by node {node} while node {} loads it since {} ms",
                    other.node, other.begun.ms
                ),
            });
        }
        self.loads.push(Load {
            node,
            key,
            called,
            begun: self.now,
            running: true,
            alone: waited,
        });
        LoadId(self.loads.len() - 1)
    }

    pub fn load_ended(&mut self, id: LoadId) {
        self.loads[id.0].running = false;
    }

    /// Whether somebody still waits.
    pub fn has_open_reads(&self) -> bool {
        self.reads.iter().any(|read| read.ending.is_none())
    }

    /// The history is over: each call must have been answered, and right.
    pub fn finish(mut self) -> Vec<Violation> {
        let judged: Vec<Violation> = self.reads.iter().filter_map(|read| self.judge(read)).collect();
        self.violations.extend(judged);
        self.violations
    }

    fn judge(&self, read: &Read) -> Option<Violation> {
        let (id, stale, ended) = match read.ending {
            Some(Ending::Nothing) => return None,
            Some(Ending::Value(id, stale, ended)) => (id, stale, ended),
            None => {
                let text = format!(
                    "{} of node {}, begun at {} ms, has no answer",
                    read.what, read.node, read.begun.ms
                );
                return Some(Violation {
                    law: "no call hangs",
                    text,
                });
            }
        };
        let value = &self.values[id.0];
        let broken = |law, why: String| {
            Some(Violation {
                law,
                text: format!(
                    "{} of node {}, begun at {} ms, got version {} of key {} at {} ms, {why}",
                    read.what, read.node, read.begun.ms, value.version, value.key, ended.ms
                ),
            })
        };
        if value.key != read.key {
            return broken("law 10", format!("but asked for key {}", read.key));
        }
        for invalidation in &self.invalidations {
            let Some((_, floor)) = invalidation.floors.iter().find(|(key, _)| *key == read.key) else {
                continue;
            };
            if value.version >= *floor || (invalidation.soft && stale) || self.may_be_later(value, invalidation) {
                continue;
            }
            if let Some((law, since)) = self.knows(read, value, invalidation) {
                let what = &invalidation.what;
                let by = format!("but knew since {since} ms of {what}, which makes version {floor} the oldest");
                return broken(law, by);
            }
        }
        let end = value.written.map(|written| {
            // What could not get through is written when it does, and lives from then on.
            let written = self.reached(self.maker(value), written);
            let life = if stale {
                value.life.ttl.saturating_add(value.life.grace)
            } else {
                value.life.ttl
            };
            written.saturating_add(life)
        });
        if end.is_some_and(|end| read.begun.ms > end.saturating_add(TTL_SLACK)) {
            return broken("time to live", format!("which ended at {} ms", end.unwrap_or_default()));
        }
        None
    }

    /// Since when the reader's node knew of the invalidation when the read began, and by which law.
    fn knows(&self, read: &Read, value: &Value, invalidation: &Invalidation) -> Option<(&'static str, u64)> {
        let before = |point: &Point| point.order < read.begun.order;
        if invalidation.node == read.node && invalidation.stands && before(&invalidation.begun) {
            return Some(("law 1", invalidation.begun.ms));
        }
        // To others one that failed, or was never answered, promises nothing.
        let acknowledged = invalidation.acknowledged?;
        let message = invalidation
            .message
            .and_then(|message| self.arrivals[message.0][read.node]);
        let forgot = self.forgot[read.node]
            .iter()
            .find(|forgot| !invalidation.lost && forgot.order > acknowledged.order);
        if let Some(heard) = [message, forgot.copied()].into_iter().flatten().find(before) {
            return Some(("law 3", heard.ms));
        }
        let acknowledged = Some(acknowledged).filter(before).filter(|_| !invalidation.lost)?;
        let came_from_others = self.maker(value) != read.node;
        let known = if came_from_others {
            acknowledged.ms + BOUND
        } else {
            self.reached(read.node, acknowledged.ms) + BOUND
        };
        (known <= read.begun.ms).then_some(("law 4", known))
    }

    /// The node that loaded or set it.
    fn maker(&self, value: &Value) -> Node {
        match value.origin {
            Origin::Set(set) => self.invalidations[set.0].node,
            Origin::Load(node) => node,
        }
    }

    /// From when on, `since` or later, the node could reach the store for as long as law 4 gives it.
    fn reached(&self, node: Node, since: u64) -> u64 {
        let troubles = self.troubles[node].iter();
        troubles.fold(since, |since, (from, until)| {
            let disturbs = *from < since + BOUND && since < *until;
            if disturbs { *until } else { since }
        })
    }

    /// Whether the value was set by a call that had not ended when the invalidation began.
    fn may_be_later(&self, value: &Value, invalidation: &Invalidation) -> bool {
        match value.origin {
            Origin::Load(_) => false,
            Origin::Set(set) => self.invalidations[set.0]
                .acknowledged
                .is_none_or(|ended| ended.order > invalidation.begun.order),
        }
    }

    /// Whether the key was invalidated, or somebody still had to be told, since then.
    fn touched_since(&self, key: Key, since: Point) -> bool {
        self.invalidations.iter().any(|invalidation| {
            let told = |ended: Point| ended.ms + BOUND >= since.ms;
            invalidation.floors.iter().any(|(touched, _)| *touched == key) && invalidation.acknowledged.is_none_or(told)
        })
    }
}

#[cfg(test)]
#[path = "checker_tests.rs"]
mod tests;
