//! The invariant of `routes`, over simulated nodes that lose, move, redirect and answer in every order.

use crate::error::{Error, ErrorKind, Result};
use crate::random::{Random, SeededRandom};
use crate::transport::redis::address::Address;
use crate::transport::redis::cluster::lanes::LaneId;
use crate::transport::redis::cluster::routes::{Dispatch, Routes};
use crate::transport::redis::cluster::slots::{key_of, slot_of};
use crate::transport::redis::cluster::view::{Member, View};
use redis::{Arg, Cmd, Value, cmd};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

const HISTORIES: u64 = 150;
const STEPS: usize = 220;
/// All in one slot, so that they meet.
const KEYS: [&str; 3] = ["tc:{k}a}", "tc:{k}b}", "tc:{k}c}"];
const NODES: usize = 3;

/// What a client asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Request {
    /// Delete the lease, set the value to this.
    Write(u64),
    /// The value.
    Read,
    /// A script over value and lease: read both.
    Script,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    Waits,
    Failed,
    /// What a read found.
    Done(Option<u64>),
}

struct Asked {
    key: usize,
    request: Request,
    outcome: Outcome,
}

impl Asked {
    fn written(&self) -> Option<Option<u64>> {
        match self.request {
            Request::Write(value) => Some(Some(value)),
            _ => None,
        }
    }
}

#[derive(Default)]
struct Node {
    values: HashMap<String, u64>,
    /// What it has got, in order.
    inbox: VecDeque<Dispatch>,
    owns: bool,
    /// The slot goes there.
    migrating: Option<usize>,
    importing: bool,
    answers: Vec<(u64, Result<Vec<Value>>)>,
}

struct World {
    random: SeededRandom,
    routes: Routes,
    nodes: Vec<Node>,
    asked: BTreeMap<u64, Asked>,
    paused: BTreeSet<Box<[u8]>>,
    lanes: HashMap<LaneId, usize>,
    writes: u64,
    log: Vec<String>,
}

fn address(node: usize) -> Address {
    Address::new("10.0.0.1", node as u16)
}

fn error(line: String) -> Value {
    redis::parse_redis_value(line.as_bytes()).expect("an error")
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            random: SeededRandom::new(seed),
            routes: Routes::default(),
            nodes: (0..NODES).map(|_| Node::default()).collect(),
            asked: BTreeMap::new(),
            paused: BTreeSet::new(),
            lanes: HashMap::new(),
            writes: 0,
            log: Vec::new(),
        };
        world.nodes[0].owns = true;
        world.learn(0);
        world
    }

    fn choose(&self, below: usize) -> usize {
        (self.random.next() % below as u64) as usize
    }

    /// The client hears that this node has the slot.
    fn learn(&mut self, owner: usize) {
        let member = Member {
            id: format!("{owner}").into(),
            address: address(owner),
        };
        let slot = slot_of(KEYS[0].as_bytes());
        self.routes.learn(&View {
            ranges: vec![(slot, slot, member)],
            replicas: BTreeMap::new(),
        });
    }

    fn submit(&mut self) {
        let groups = 1 + self.choose(3);
        let mut commands = Vec::new();
        let mut tickets = Vec::new();
        for _ in 0..groups {
            let key = self.choose(KEYS.len());
            let (value, lease) = (format!("{}:v", KEYS[key]), format!("{}:l", KEYS[key]));
            let (request, group) = match self.choose(4) {
                0 | 1 => {
                    self.writes += 1;
                    let set = cmd("SET").arg(&value).arg(self.writes).to_owned();
                    (
                        Request::Write(self.writes),
                        vec![cmd("DEL").arg(&lease).to_owned(), set],
                    )
                }
                2 => {
                    let life = cmd("PTTL").arg(&value).to_owned();
                    (Request::Read, vec![life, cmd("GET").arg(&value).to_owned()])
                }
                _ => {
                    let script = cmd("EVAL").arg("both").arg(2).arg(&value).arg(&lease).to_owned();
                    (Request::Script, vec![script])
                }
            };
            commands.push(group);
            tickets.push((key, request));
        }
        // A batch a group, so that a batch number is a request's.
        for (group, (key, request)) in commands.into_iter().zip(tickets) {
            let number = self.asked.len() as u64 + 1;
            self.log.push(format!("{number}: {request:?} of key {key}"));
            let outcome = Outcome::Waits;
            self.asked.insert(number, Asked { key, request, outcome });
            self.routes.submit(number, [(group, None)]);
        }
    }

    /// Hands over what the routes want to be done.
    fn work(&mut self) {
        let work = self.routes.take_work();
        for dispatch in work.dispatches {
            let to = self.routes.lanes().address(dispatch.lane).port as usize;
            self.lanes.insert(dispatch.lane, to);
            self.nodes[to].inbox.push_back(dispatch);
        }
        self.paused.extend(work.pauses.into_iter().map(|(subject, _)| subject));
        for settled in work.settled {
            let asked = self.asked.get_mut(&settled.ticket.batch).expect("a request");
            assert_eq!(asked.outcome, Outcome::Waits, "answered twice");
            asked.outcome = match settled.replies.into_iter().collect::<Result<Vec<_>>>() {
                Err(_) => Outcome::Failed,
                Ok(replies) => match replies.last().expect("a reply") {
                    Value::ServerError(_) => Outcome::Failed,
                    Value::Int(found) => Outcome::Done(Some(*found as u64)),
                    _ => Outcome::Done(None),
                },
            };
            self.log.push(format!("{} → {:?}", settled.ticket.batch, asked.outcome));
        }
    }

    /// A node executes the next pipeline that it has got.
    fn execute(&mut self, at: usize) {
        let Some(dispatch) = self.nodes[at].inbox.pop_front() else {
            return;
        };
        let mut asking = false;
        let mut replies = Vec::new();
        let mut moves = None;
        for command in dispatch.pipeline.cmd_iter() {
            // In the middle of a pipeline a key may be migrated, or the slot given away.
            if self.choose(8) == 0 {
                moves = Some(self.choose(5));
            }
            if let Some(what) = moves.take() {
                self.rearrange(what);
            }
            if command.args_iter().next() == Some(Arg::Simple(b"ASKING")) {
                asking = true;
                replies.push(Value::Okay);
                continue;
            }
            let reply = self.reply(at, command, asking);
            self.log
                .push(format!("   node {at}: {} → {reply:?}", words(command).join(" ")));
            replies.push(reply);
            asking = false;
        }
        self.nodes[at].answers.push((dispatch.number, Ok(replies)));
        let lane = dispatch.lane;
        assert_eq!(self.lanes[&lane], at);
    }

    /// As `getNodeByQuery` of Redis decides.
    fn reply(&mut self, at: usize, command: &Cmd, asking: bool) -> Value {
        let words = words(command);
        let slot = slot_of(key_of(command));
        let keys: Vec<String> = if words[0] == "EVAL" {
            words[3..5].to_vec()
        } else {
            vec![words[1].clone()]
        };
        let node = &mut self.nodes[at];
        let missing = keys.iter().filter(|key| !node.values.contains_key(*key)).count();
        if let (true, Some(target)) = (node.owns, node.migrating)
            && missing > 0
        {
            return if missing < keys.len() {
                error("-TRYAGAIN Multiple keys request during rehashing of slot\r\n".into())
            } else {
                error(format!("-ASK {slot} 10.0.0.1:{target}\r\n"))
            };
        }
        if node.importing && asking && keys.len() > 1 && missing > 0 {
            return error("-TRYAGAIN Multiple keys request during rehashing of slot\r\n".into());
        }
        if !(node.owns || node.importing && asking) {
            let owner = self.nodes.iter().position(|node| node.owns).expect("an owner");
            return error(format!("-MOVED {slot} 10.0.0.1:{owner}\r\n"));
        }
        match words[0].as_str() {
            "SET" => {
                node.values
                    .insert(words[1].clone(), words[2].parse().expect("a number"));
                Value::Okay
            }
            "DEL" => Value::Int(i64::from(node.values.remove(&words[1]).is_some())),
            "PTTL" => Value::Int(-1),
            _ => node
                .values
                .get(&keys[0])
                .map_or(Value::Nil, |found| Value::Int(*found as i64)),
        }
    }

    /// The slot moves: one step of a migration, or all at once.
    fn rearrange(&mut self, what: usize) {
        let owner = self.nodes.iter().position(|node| node.owns).expect("an owner");
        let target = self.nodes[owner].migrating;
        match (what, target) {
            (0, None) => {
                let target = (owner + 1 + self.choose(NODES - 1)) % NODES;
                self.nodes[owner].migrating = Some(target);
                self.nodes[target].importing = true;
                self.log
                    .push(format!("   the slot begins to move from {owner} to {target}"));
            }
            (0..=2, Some(target)) => {
                let Some(key) = self.nodes[owner].values.keys().min().cloned() else {
                    self.nodes[owner] = Node {
                        owns: false,
                        migrating: None,
                        ..std::mem::take(&mut self.nodes[owner])
                    };
                    self.nodes[target].owns = true;
                    self.nodes[target].importing = false;
                    self.log.push(format!("   the slot is {target}'s"));
                    return;
                };
                let value = self.nodes[owner].values.remove(&key).expect("a value");
                self.log.push(format!("   {key} goes to {target}"));
                // MIGRATE without REPLACE would refuse: no key is ever at both.
                let before = self.nodes[target].values.insert(key, value);
                assert_eq!(before, None, "a key at two nodes\n{}", self.log.join("\n"));
            }
            _ => {}
        }
    }

    /// The answers of a node arrive, in any order; some are lost.
    fn answer(&mut self, from: usize) {
        let count = self.nodes[from].answers.len();
        if count == 0 {
            return;
        }
        let at = self.choose(count);
        let (number, result) = self.nodes[from].answers.remove(at);
        let lane = *self.lanes.iter().find(|(_, node)| **node == from).expect("a lane").0;
        let result = if self.choose(25) == 0 {
            self.log.push(format!("   an answer of {from} is lost"));
            Err(Error::new(ErrorKind::Remote, "lost"))
        } else {
            result
        };
        self.routes.answered(lane, number, result);
    }

    fn step(&mut self) {
        match self.choose(12) {
            0..=2 => self.submit(),
            3..=5 => self.execute(self.choose(NODES)),
            6..=8 => self.answer(self.choose(NODES)),
            9 => self.rearrange(self.choose(5)),
            10 => self.learn(self.choose(NODES)),
            _ => self.resume(),
        }
        self.work();
    }

    fn resume(&mut self) {
        if let Some(subject) = self.paused.pop_first() {
            self.routes.resume(&subject);
        }
    }

    /// A read sees the last write before it that succeeded, or one between the two that failed for its caller; or one that
    /// came while it was under way, which no generation allows to be kept.
    fn check(&self) {
        for (number, asked) in &self.asked {
            let (Request::Read | Request::Script, Outcome::Done(found)) = (asked.request, &asked.outcome) else {
                continue;
            };
            let mut allowed = self.allowed(asked.key, *number);
            let later = self.asked.range(number + 1..).map(|(_, asked)| asked);
            allowed.extend(later.filter(|later| later.key == asked.key).filter_map(Asked::written));
            assert!(
                allowed.contains(found),
                "request {number} found {found:?}, allowed: {allowed:?}\n{}",
                self.log.join("\n")
            );
        }
    }

    fn allowed(&self, key: usize, before: u64) -> BTreeSet<Option<u64>> {
        let mut allowed = BTreeSet::from([None]);
        for asked in self
            .asked
            .range(..before)
            .map(|(_, asked)| asked)
            .filter(|asked| asked.key == key)
        {
            let Some(written) = asked.written() else { continue };
            if matches!(asked.outcome, Outcome::Done(_)) {
                allowed.clear();
            }
            // One that failed may have been executed; one that waits may yet fail.
            allowed.insert(written);
        }
        allowed
    }

    /// Until nothing is under way any more.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            if self.asked.values().all(|asked| asked.outcome != Outcome::Waits) {
                return;
            }
            // A migration ends, or what asks for both keys of a subject would be tried in vain.
            self.rearrange(1);
            for node in 0..NODES {
                self.execute(node);
                self.answer(node);
                self.work();
            }
            self.resume();
            self.work();
        }
        panic!("something waits for ever\n{}", self.log.join("\n"));
    }

    fn final_values(&self) {
        for (key, name) in KEYS.iter().enumerate() {
            let name = format!("{name}:v");
            let found: Vec<_> = self.nodes.iter().filter_map(|node| node.values.get(&name)).collect();
            assert!(found.len() <= 1, "a key at two nodes\n{}", self.log.join("\n"));
            let allowed = self.allowed(key, u64::MAX);
            let found = found.first().copied().copied();
            assert!(
                allowed.contains(&found),
                "at last key {key} is {found:?}, allowed: {allowed:?}\n{}",
                self.log.join("\n")
            );
        }
    }
}

fn words(command: &Cmd) -> Vec<String> {
    let word = |arg| match arg {
        Arg::Simple(word) => String::from_utf8_lossy(word).into_owned(),
        _ => String::new(),
    };
    command.args_iter().map(word).collect()
}

#[test]
fn no_command_is_executed_after_a_later_one_of_its_key_unless_it_fails() {
    let mut failed = 0;
    let mut done = 0;
    for seed in 0..HISTORIES {
        let mut world = World::new(seed);
        world.log.push(format!("seed {seed}"));
        for _ in 0..STEPS {
            world.step();
        }
        world.settle();
        world.check();
        world.final_values();
        failed += world
            .asked
            .values()
            .filter(|asked| asked.outcome == Outcome::Failed)
            .count();
        done += world.asked.len();
    }
    println!("{failed} of {done} requests failed");
    assert!(
        failed * 4 < done,
        "{failed} of {done} requests failed: the test shows little"
    );
}
