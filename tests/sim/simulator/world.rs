//! A history: nodes over one store and one bus, in virtual time; what is said and done goes to the checker, and, when
//! somebody wants to read it, into a log.

use crate::simulator::bus::Wire;
use crate::simulator::checker::{Checker, InvalidationId, Key, Life, MessageId, Version, Violation};
use crate::simulator::dice::Dice;
use crate::simulator::faults::Faults;
use crate::simulator::model::Model;
use crate::simulator::network::{Server, Weather};
use crate::simulator::node::Node;
use crate::simulator::plan::{Act, Call, Plan};
use crate::simulator::schedule::Schedule;
use parking_lot::Mutex;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::time::Instant;
use turbocache::bus::Heard;
use turbocache::clock::{Clock, Millis};
use turbocache::event::{Change, Frame, Message};
use turbocache::tier::RemoteRequest;

/// Until then all nodes listen.
const BEGIN: u64 = 200;
/// After the last fault: time in which all that was broken is found and repaired,
const SETTLE: u64 = 4_000;
/// and after the last call: longer than law 4 gives.
const SETTLE_CALM: u64 = 1_500;
/// Nobody waits longer than this after the last call.
const HANGS: u64 = 40_000;

/// What a history ended with.
pub struct Outcome {
    pub violations: Vec<Violation>,
    /// Virtual milliseconds.
    pub time: u64,
    /// Empty unless it was asked for.
    pub log: Vec<String>,
}

/// See the module.
pub struct World {
    pub plan: Plan,
    pub schedule: Schedule<Arc<World>>,
    pub server: Server,
    pub nodes: Vec<Node>,
    checker: Mutex<Checker>,
    /// The database behind the cache: the version of each key.
    database: Mutex<Vec<Version>>,
    told: Mutex<Told>,
    bus_is_deaf: bool,
    log: Option<Mutex<Vec<String>>>,
    over: AtomicBool,
}

#[derive(Default)]
struct Told {
    /// Who published what, by message.
    messages: Vec<(usize, Vec<Change>)>,
    /// Given to an engine, which has not had the time to look at it.
    arrived: Vec<(usize, MessageId)>,
}

/// A clock that runs with virtual time, from a point of its own.
pub struct NodeClock {
    began: Instant,
    ahead: AtomicU64,
}

impl NodeClock {
    pub fn new(ahead: u64) -> Self {
        Self {
            began: Instant::now(),
            ahead: AtomicU64::new(ahead),
        }
    }

    pub fn step(&self, by: u64) {
        self.ahead.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Millis {
        Millis(self.began.elapsed().as_millis() as u64 + self.ahead.load(Ordering::SeqCst))
    }
}

/// Runs a plan to its end, on a runtime whose clock is paused.
pub fn run(plan: &Plan, faults: &Faults, with_log: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let world = World::begin(plan.clone(), faults, with_log);
        world.run().await;
        world.end()
    })
}

impl World {
    fn begin(plan: Plan, faults: &Faults, with_log: bool) -> Arc<Self> {
        let dice = Dice::new(!plan.seed ^ plan.luck);
        let weather = Weather {
            hole_until: vec![0; plan.nodes],
            bus_hole_until: vec![0; plan.nodes],
            ..Weather::default()
        };
        let published = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let publish = Arc::clone(&published);
        let clock = Arc::new(NodeClock::new(dice.below(1 << 40)));
        let model = Model::publishing(clock, move |message| publish.lock().push(message));
        if plan.scattered && !faults.passes_for_one {
            model.scatter();
        }
        let world = Arc::new(World {
            schedule: Schedule::new(dice.next()),
            server: Server {
                model,
                published,
                weather: Mutex::new(weather),
                delay: plan.delay,
                splits: plan.splits,
                lie: faults.lie,
                dice: (0..plan.nodes).map(|_| Dice::new(dice.next())).collect(),
            },
            nodes: (0..plan.nodes)
                .map(|index| Node::new(index, dice.next(), faults))
                .collect(),
            checker: Mutex::new(Checker::new(plan.nodes, plan.is_calm())),
            database: Mutex::new(vec![1; plan.keys]),
            told: Mutex::default(),
            bus_is_deaf: faults.bus_is_deaf,
            log: with_log.then(Mutex::default),
            over: AtomicBool::new(false),
            plan,
        });
        world.nodes.iter().for_each(|node| node.start(&world));
        world.schedule_plan();
        world
    }

    /// All steps, then silence, then each node reads each key.
    fn schedule_plan(self: &Arc<Self>) {
        let mut at = BEGIN;
        let mut probe = at;
        for step in &self.plan.steps {
            at += step.pause;
            let act = step.act;
            self.schedule.after(at, move |world: &Arc<World>| world.act(act));
            probe = probe.max(match act {
                Act::Call { .. } => at + SETTLE_CALM,
                Act::Fault(_) => at + crate::simulator::trouble::time_of(act) + SETTLE,
            });
        }
        for node in 0..self.plan.nodes {
            for key in 0..self.plan.keys {
                for call in [Call::Peek(key), Call::Get(key)] {
                    let act = Act::Call { node, call };
                    self.schedule.after(probe, move |world: &Arc<World>| world.act(act));
                }
            }
        }
        self.schedule
            .after(probe + 1, |world: &Arc<World>| world.wait_for_all(0));
    }

    fn wait_for_all(self: &Arc<Self>, waited: u64) {
        const PAUSE: u64 = 100;
        if waited > HANGS || !self.checker.lock().has_open_reads() {
            return self.over.store(true, Ordering::SeqCst);
        }
        self.schedule
            .after(PAUSE, move |world: &Arc<World>| world.wait_for_all(waited + PAUSE));
    }

    async fn run(self: &Arc<Self>) {
        let dice = Dice::new(self.plan.seed ^ 0x5eed);
        while !self.over.load(Ordering::SeqCst) {
            let (event, passed) = self.schedule.next().await;
            if passed {
                self.settle();
            }
            event(self);
            // Sometimes several things happen before any engine has the time to look.
            if dice.chance(60) {
                tokio::task::yield_now().await;
                self.settle();
            }
        }
    }

    fn act(self: &Arc<Self>, act: Act) {
        self.note(|| act);
        match act {
            Act::Call { node, call } => self.nodes[node].call(self, call),
            Act::Fault(fault) => crate::simulator::trouble::befall(self, fault),
        }
    }

    /// The engines have looked at everything that has arrived.
    fn settle(&self) {
        let arrived = std::mem::take(&mut self.told.lock().arrived);
        for (node, id) in arrived {
            self.check(|checker| checker.heard(node, id));
        }
    }

    fn end(self: Arc<Self>) -> Outcome {
        self.nodes.iter().for_each(Node::stop);
        let time = self.schedule.now();
        let checker = std::mem::replace(&mut *self.checker.lock(), Checker::new(0, true));
        let log = self.log.as_ref().map(|log| std::mem::take(&mut *log.lock()));
        Outcome {
            violations: checker.finish(),
            time,
            log: log.unwrap_or_default(),
        }
    }

    /// Tells the checker something that happens now.
    pub fn check<R>(&self, tell: impl FnOnce(&mut Checker) -> R) -> R {
        tell(self.checker.lock().at(self.schedule.now()))
    }

    /// Writes a line.
    pub fn note<T: Display>(&self, line: impl FnOnce() -> T) {
        if let Some(log) = &self.log {
            let now = self.schedule.now();
            log.lock().push(format!("{now:>6} {}", line()));
        }
    }

    /// The store executes a request.
    pub fn executes(&self, node: usize, request: &RemoteRequest) {
        if !matches!(request, RemoteRequest::State { .. }) {
            self.note(|| {
                format!(
                    "       store: node {node} {}",
                    crate::simulator::trouble::short(request)
                )
            });
        }
    }

    /// The store publishes what a node tells the others: it sends it to all who have subscribed.
    pub fn publish(self: &Arc<Self>, node: usize, message: &[u8]) {
        let Some(Message::Frame(frame, _)) = Frame::heard(message) else {
            panic!("a message of the engine");
        };
        let id = self.check(Checker::published);
        self.note(|| format!("       node {node} is heard: {id:?} {:?}", frame.changes));
        self.told.lock().messages.push((node, frame.changes));
        if self.bus_is_deaf {
            return;
        }
        for wire in self.nodes.iter().filter_map(Node::wire) {
            Wire::send_back(&wire, self, Some(id), Heard::Message(message.to_vec()));
        }
    }

    /// Something has arrived at an engine, but was not looked at yet.
    pub fn arrived(&self, node: usize, id: Option<MessageId>) {
        self.note(|| format!("       node {node} hears {id:?}"));
        // When the subscription begins or ends, what was missed is read in the log, within the bound of law 4.
        self.told.lock().arrived.extend(id.map(|id| (node, id)));
    }

    /// What had arrived at a process that is dead now, and what it would have heard of.
    pub fn died(&self, node: usize) {
        self.told.lock().arrived.retain(|(at, _)| *at != node);
        self.check(|checker| checker.died(node));
    }

    /// A call that changes something: the database first.
    pub fn invalidate(&self, call: Call, node: usize, soft: bool) -> InvalidationId {
        let floors = {
            let mut database = self.database.lock();
            let mut floors = Vec::new();
            for (key, version) in database.iter_mut().enumerate().filter(|(key, _)| touches(call, *key)) {
                *version += 1;
                floors.push((key, *version));
            }
            floors
        };
        let what = format!("{call:?} of node {node}");
        self.check(|checker| checker.invalidate(what, node, floors, soft))
    }

    /// It has returned. The message that tells the others was published before.
    pub fn acknowledged(&self, id: InvalidationId, node: usize, change: Option<&Change>) {
        let messages = self
            .told
            .lock()
            .messages
            .iter()
            .rposition(|told| told.0 == node && change.is_some_and(|change| told.1.contains(change)));
        self.check(|checker| checker.acknowledged(id, messages.map(MessageId)));
    }

    /// What a loader finds.
    pub fn version(&self, key: Key) -> Version {
        self.database.lock()[key]
    }

    pub fn life(&self) -> Life {
        Life {
            ttl: self.plan.ttl,
            grace: self.plan.grace,
        }
    }
}

fn touches(call: Call, key: Key) -> bool {
    use crate::simulator::node::{namespace_of, tags_of};
    match call {
        Call::Set(of) | Call::Delete(of) | Call::Expire(of) => of == key,
        Call::InvalidateTag(tag) | Call::InvalidateTagSoftly(tag) => {
            tags_of(key).contains(&crate::simulator::node::TAGS[tag])
        }
        Call::InvalidateAll => tags_of(key).len() == crate::simulator::node::TAGS.len(),
        Call::Clear(namespace) | Call::ClearSoftly(namespace) => namespace == 0 || namespace == namespace_of(key),
        Call::Get(_) | Call::Peek(_) | Call::GetOrSet(..) | Call::Refresh(..) => false,
    }
}
