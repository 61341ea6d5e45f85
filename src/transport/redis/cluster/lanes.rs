//! The ways to the nodes: what is on each, in the order in which it was sent.

use crate::error::{Error, Result};
use crate::transport::redis::address::Address;
use crate::transport::redis::cluster::routes::{Dispatch, Group, Ticket};
use crate::transport::redis::cluster::slots::{key_of, subject_of};
use redis::{Cmd, Pipeline, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A node, for as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId(usize);

/// Everything that was sent on a lane up to some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    lane: LaneId,
    number: u64,
}

/// What was sent, and what for.
#[derive(Debug)]
pub struct Sent {
    /// The commands.
    pub pipeline: Arc<Pipeline>,
    /// What for.
    pub origin: Origin,
}

/// See [`Sent`].
#[derive(Debug)]
pub enum Origin {
    /// The commands of these, one after another.
    Groups(Vec<Placed>),
    /// One command of a subject that is held.
    Hold(Box<[u8]>),
}

/// A group whose commands are in a pipeline.
#[derive(Debug, Clone, Copy)]
pub struct Placed {
    /// See [`Group`].
    pub number: u64,
    /// See [`Group`].
    pub ticket: Ticket,
    /// Its first command.
    pub first: usize,
    /// Number of its commands.
    pub count: usize,
}

impl Sent {
    /// Commands of a group.
    pub fn commands(&self, placed: &Placed) -> impl Iterator<Item = &Cmd> {
        self.pipeline.cmd_iter().skip(placed.first).take(placed.count)
    }

    /// What a group is about.
    pub fn subject(&self, placed: &Placed) -> &[u8] {
        self.commands(placed)
            .next()
            .map_or(&[], |command| subject_of(key_of(command)))
    }
}

/// See the module.
#[derive(Default)]
pub struct Lanes {
    lanes: Vec<Lane>,
    by_address: HashMap<Address, LaneId>,
    added: Vec<Dispatch>,
}

struct Lane {
    address: Address,
    down: Option<Error>,
    numbers: u64,
    /// Added, not yet dispatched.
    building: Vec<Group>,
    unanswered: BTreeMap<u64, Sent>,
    /// Answers that came before those of what was sent earlier.
    early: BTreeMap<u64, Result<Vec<Value>>>,
}

impl Lanes {
    /// The lane to this address.
    pub fn at(&mut self, address: &Address) -> LaneId {
        if let Some(lane) = self.by_address.get(address) {
            return *lane;
        }
        let lane = LaneId(self.lanes.len());
        self.lanes.push(Lane {
            address: address.clone(),
            down: None,
            numbers: 0,
            building: Vec::new(),
            unanswered: BTreeMap::new(),
            early: BTreeMap::new(),
        });
        self.by_address.insert(address.clone(), lane);
        lane
    }

    /// The lane to this address, if there is one.
    pub fn find(&self, address: &Address) -> Option<LaneId> {
        self.by_address.get(address).copied()
    }

    /// Where it leads.
    pub fn address(&self, lane: LaneId) -> &Address {
        &self.lanes[lane.0].address
    }

    /// All of them, with whether their nodes answer.
    pub fn all(&self) -> impl Iterator<Item = (LaneId, &Address, bool)> {
        let numbered = self.lanes.iter().enumerate();
        numbered.map(|(number, lane)| (LaneId(number), &lane.address, lane.down.is_none()))
    }

    /// See [`super::routes::Routes::set_down`].
    pub fn set_down(&mut self, lane: LaneId, why: Option<Error>) {
        self.lanes[lane.0].down = why;
    }

    /// Whether its node does not answer.
    pub fn is_down(&self, lane: LaneId) -> bool {
        self.lanes[lane.0].down.is_some()
    }

    /// Why its node cannot be used.
    pub fn why_down(&self, lane: LaneId) -> Option<Error> {
        self.lanes[lane.0].down.clone()
    }

    /// Everything that was added to the lane so far, unless all of it has been answered.
    pub fn mark(&mut self, lane: LaneId) -> Option<Mark> {
        // What is being built goes out under the next number.
        self.close(lane);
        let Lane {
            unanswered, numbers, ..
        } = &self.lanes[lane.0];
        (!unanswered.is_empty()).then_some(Mark { lane, number: *numbers })
    }

    /// Whether everything before the mark has been answered.
    pub fn is_past(&self, mark: &Mark) -> bool {
        let first = self.lanes[mark.lane.0].unanswered.first_key_value();
        first.is_none_or(|(number, _)| *number > mark.number)
    }

    /// Adds a group to what is sent next.
    pub fn add(&mut self, lane: LaneId, group: Group) {
        self.lanes[lane.0].building.push(group);
    }

    /// Sends one command of a subject that is held, behind what was added.
    pub fn add_alone(&mut self, lane: LaneId, pipeline: Pipeline, count: usize, subject: Box<[u8]>) {
        self.close(lane);
        self.send(lane, pipeline, count, Origin::Hold(subject));
    }

    /// What was added since this was asked last.
    pub fn take_added(&mut self) -> Vec<Dispatch> {
        for number in 0..self.lanes.len() {
            self.close(LaneId(number));
        }
        std::mem::take(&mut self.added)
    }

    /// The answer to a dispatch: it and those that waited for it, in the order in which they were sent.
    pub fn answered(
        &mut self,
        lane: LaneId,
        number: u64,
        result: Result<Vec<Value>>,
    ) -> Vec<(Sent, Result<Vec<Value>>)> {
        let lane = &mut self.lanes[lane.0];
        lane.early.insert(number, result);
        let mut in_order = Vec::new();
        while let Some(first) = lane.unanswered.first_entry()
            && let Some(result) = lane.early.remove(first.key())
        {
            in_order.push((first.remove(), result));
        }
        in_order
    }

    fn close(&mut self, lane: LaneId) {
        let groups = std::mem::take(&mut self.lanes[lane.0].building);
        if groups.is_empty() {
            return;
        }
        let mut pipeline = Pipeline::with_capacity(groups.iter().map(|group| group.commands.len()).sum());
        let mut first = 0;
        let mut placed = Vec::with_capacity(groups.len());
        for group in groups {
            let count = group.commands.len();
            placed.push(Placed {
                number: group.number,
                ticket: group.ticket,
                first,
                count,
            });
            first += count;
            for command in group.commands {
                pipeline.add_command(command);
            }
        }
        self.send(lane, pipeline, first, Origin::Groups(placed));
    }

    fn send(&mut self, id: LaneId, pipeline: Pipeline, count: usize, origin: Origin) {
        let lane = &mut self.lanes[id.0];
        lane.numbers += 1;
        let pipeline = Arc::new(pipeline);
        self.added.push(Dispatch {
            lane: id,
            number: lane.numbers,
            pipeline: Arc::clone(&pipeline),
            count,
        });
        lane.unanswered.insert(lane.numbers, Sent { pipeline, origin });
    }
}
