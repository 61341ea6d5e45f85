//! Which node gets which command, and when. Decides only: it sends nothing and waits for nothing.
//!
//! **The invariant.** Of the commands about one subject (see [`subject_of`]), none is executed after one that was submitted
//! later, unless it fails for its caller. Two things could break that. A key's slot moves: then commands for its old and
//! its new node would race, so those for the new one are held until the old one has answered all. And a command is
//! redirected: then it is executed anew elsewhere, so whatever comes behind it is held until that has happened; and if
//! something behind it was executed already, it is not executed any more.
//!
//! Commands of one group (a request: "delete the lease, set the value") keep their order among themselves in the same way:
//! a redirected group begins anew.

use crate::error::{Error, ErrorKind, Result};
use crate::transport::redis::address::Address;
use crate::transport::redis::cluster::hold::{Held, Hold};
use crate::transport::redis::cluster::lanes::{LaneId, Lanes, Mark, Origin, Placed, Sent};
use crate::transport::redis::cluster::redirect::Redirect;
use crate::transport::redis::cluster::slots::{SLOTS, key_of, only_reads, slot_of, subject_of};
use crate::transport::redis::cluster::view::View;
use redis::{Cmd, Pipeline, Value, cmd};
use std::collections::HashMap;
use std::sync::Arc;

/// Attempts of one command before it is given up. Redirections are followed at once; `TRYAGAIN` after a pause.
const ATTEMPTS: u32 = 8;

/// Commands about one subject that are answered together.
#[derive(Debug)]
pub struct Group {
    /// Counts up: the order in which they were submitted.
    pub number: u64,
    /// Whose they are.
    pub ticket: Ticket,
    /// What is to be executed, in this order.
    pub commands: Vec<Cmd>,
}

/// Whom an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The batch.
    pub batch: u64,
    /// Place of the first reply in it.
    pub at: usize,
}

/// Commands to send to a node now. Nodes must get those with smaller numbers first.
#[derive(Debug)]
pub struct Dispatch {
    /// To whom.
    pub lane: LaneId,
    /// Counts up for each lane.
    pub number: u64,
    /// The commands.
    pub pipeline: Arc<Pipeline>,
    /// How many.
    pub count: usize,
}

/// The end of a group: one reply for each of its commands.
#[derive(Debug)]
pub struct Settled {
    /// For whom.
    pub ticket: Ticket,
    /// The replies.
    pub replies: Vec<Result<Value>>,
}

/// What is to be done now.
#[derive(Debug, Default)]
pub struct Work {
    /// In this order.
    pub dispatches: Vec<Dispatch>,
    /// In any order.
    pub settled: Vec<Settled>,
    /// Subjects to call [`Routes::resume`] for, after a pause that grows with the number.
    pub pauses: Vec<(Box<[u8]>, u32)>,
    /// The view is out of date.
    pub stale: bool,
    /// A node serves slots that served none before: a replica that was promoted, most likely. To be told before anything is sent.
    pub promoted: bool,
}

/// See the module.
pub struct Routes {
    lanes: Lanes,
    owners: Vec<Option<LaneId>>,
    /// Slots that moved while their old node still had something to answer.
    fences: HashMap<u16, Vec<Mark>>,
    holds: HashMap<Box<[u8]>, Hold>,
    groups: u64,
    work: Work,
}

impl Default for Routes {
    fn default() -> Self {
        Self {
            lanes: Lanes::default(),
            owners: vec![None; SLOTS],
            fences: HashMap::new(),
            holds: HashMap::new(),
            groups: 0,
            work: Work::default(),
        }
    }
}

impl Routes {
    /// What is to be done since this was asked last.
    pub fn take_work(&mut self) -> Work {
        std::mem::take(&mut self.work)
    }

    /// The lanes, for those who send.
    pub fn lanes(&mut self) -> &mut Lanes {
        &mut self.lanes
    }

    /// Slots whose node does not answer, or that have none.
    pub fn unserved(&self) -> usize {
        let is_served = |owner: &&Option<LaneId>| owner.is_some_and(|lane| !self.lanes.is_down(lane));
        SLOTS - self.owners.iter().filter(is_served).count()
    }

    /// Routes the groups of a batch: to the node of their key, or to this one.
    pub fn submit<'a>(&mut self, batch: u64, groups: impl IntoIterator<Item = (Vec<Cmd>, Option<&'a Address>)>) {
        let mut at = 0;
        for (commands, node) in groups {
            let ticket = Ticket { batch, at };
            at += commands.len();
            self.groups += 1;
            let number = self.groups;
            let group = Group {
                number,
                ticket,
                commands,
            };
            match node.map(|node| self.lanes.at(node)) {
                None => self.route(group),
                Some(lane) => match self.lanes.why_down(lane) {
                    None => self.lanes.add(lane, group),
                    Some(error) => self.fail(ticket, group.commands.len(), &error),
                },
            }
        }
        self.dispatch();
    }

    /// The answer to a dispatch.
    pub fn answered(&mut self, lane: LaneId, number: u64, result: Result<Vec<Value>>) {
        for (sent, result) in self.lanes.answered(lane, number, result) {
            match &sent.origin {
                Origin::Groups(groups) => self.groups_answered(lane, &sent, groups, result),
                Origin::Hold(subject) => self.hold_answered(lane, subject, result),
            }
        }
        self.fences.retain(|_, marks| {
            marks.retain(|mark| !self.lanes.is_past(mark));
            !marks.is_empty()
        });
        self.resume_all();
        self.dispatch();
    }

    /// A pause is over.
    pub fn resume(&mut self, subject: &[u8]) {
        if let Some(hold) = self.holds.get_mut(subject) {
            hold.is_paused = false;
        }
        self.step(subject);
        self.dispatch();
    }

    /// A node does not answer: what is meant for it fails at once, until it does.
    pub fn set_down(&mut self, lane: LaneId, why: Option<Error>) {
        self.lanes.set_down(lane, why);
    }

    /// Who has which slot.
    pub fn learn(&mut self, view: &View) {
        let mut owners = vec![None; SLOTS];
        let is_first = self.owners.iter().all(Option::is_none);
        for master in view.masters() {
            let lane = self.lanes.at(master);
            self.work.promoted |= !is_first && !self.serves(lane);
        }
        for (first, last, master) in &view.ranges {
            let lane = self.lanes.at(&master.address);
            owners[usize::from(*first)..=usize::from(*last)].fill(Some(lane));
        }
        for (slot, owner) in owners.into_iter().enumerate() {
            self.set_owner(slot as u16, owner);
        }
        self.resume_all();
        self.dispatch();
    }

    fn serves(&self, lane: LaneId) -> bool {
        self.owners.contains(&Some(lane))
    }

    fn set_owner(&mut self, slot: u16, owner: Option<LaneId>) {
        let before = std::mem::replace(&mut self.owners[usize::from(slot)], owner);
        if before == owner {
            return;
        }
        if let Some(mark) = before.and_then(|before| self.lanes.mark(before)) {
            self.fences.entry(slot).or_default().push(mark);
        }
    }

    fn route(&mut self, group: Group) {
        let key = group.commands.first().map_or(&[][..], key_of);
        let slot = slot_of(key);
        if !self.holds.is_empty()
            && let Some(hold) = self.holds.get_mut(subject_of(key))
        {
            return hold.push(Held::new(group));
        }
        if let Some(marks) = self.fences.get(&slot) {
            let subject: Box<[u8]> = subject_of(key).into();
            let mut hold = Hold::until(marks.clone());
            hold.push(Held::new(group));
            self.holds.insert(subject, hold);
            return;
        }
        match self.lane_of(slot) {
            Ok(lane) => self.lanes.add(lane, group),
            Err(error) => self.fail(group.ticket, group.commands.len(), &error),
        }
    }

    fn lane_of(&mut self, slot: u16) -> Result<LaneId> {
        let Some(lane) = self.owners[usize::from(slot)] else {
            self.work.stale = true;
            let message = format!("redis: no node of the Cluster serves slot {slot}");
            return Err(Error::new(ErrorKind::Remote, message));
        };
        match self.lanes.why_down(lane) {
            None => Ok(lane),
            Some(error) => Err(error),
        }
    }

    /// Hands over what was added to the lanes.
    fn dispatch(&mut self) {
        self.work.dispatches.extend(self.lanes.take_added());
    }

    fn groups_answered(&mut self, lane: LaneId, sent: &Sent, groups: &[Placed], result: Result<Vec<Value>>) {
        let mut values = match result {
            Ok(values) => values.into_iter(),
            Err(error) => {
                for placed in groups {
                    // It may have been executed, or not.
                    self.overtake(sent.subject(placed), placed.number);
                    self.fail(placed.ticket, placed.count, &error);
                }
                return;
            }
        };
        for placed in groups {
            let replies: Vec<Value> = values.by_ref().take(placed.count).collect();
            let from = self.lanes.address(lane);
            let redirects: Vec<_> = replies.iter().filter_map(|reply| Redirect::of(reply, from)).collect();
            if redirects.is_empty() && !self.is_early(sent, placed) {
                self.overtake(sent.subject(placed), placed.number);
                self.settle(placed.ticket, replies.into_iter().map(Ok).collect());
                continue;
            }
            for redirect in redirects {
                if let Some(command) = sent.commands(placed).next() {
                    self.follow(command, &redirect);
                }
            }
            let group = Group {
                number: placed.number,
                ticket: placed.ticket,
                commands: sent.commands(placed).cloned().collect(),
            };
            let marks = self.lanes.mark(lane).into_iter().collect();
            let hold = self
                .holds
                .entry(sent.subject(placed).into())
                .or_insert_with(|| Hold::until(marks));
            hold.push(Held::redirected(group, replies));
        }
    }

    /// A read that has not seen what waits before it: it is made again behind that.
    fn is_early(&self, sent: &Sent, placed: &Placed) -> bool {
        let waits = |hold: &Hold| hold.waits_before(placed.number);
        !self.holds.is_empty()
            && self.holds.get(sent.subject(placed)).is_some_and(waits)
            && sent.commands(placed).all(only_reads)
    }

    /// What a redirection teaches. The command is tried by the map again, and a second answer leads further.
    fn follow(&mut self, command: &Cmd, redirect: &Redirect) {
        if let Redirect::Moved(address) = redirect {
            let lane = self.lanes.at(address);
            self.work.promoted |= !self.serves(lane);
            self.set_owner(slot_of(key_of(command)), Some(lane));
            self.work.stale = true;
        }
    }

    /// The group of this number was, or may have been, executed: those of its subject that were submitted before it and
    /// still wait come too late.
    fn overtake(&mut self, subject: &[u8], number: u64) {
        if self.holds.is_empty() {
            return;
        }
        let Some(hold) = self.holds.get_mut(subject) else {
            return;
        };
        let late = hold.take_before(number);
        let error = Error::new(
            ErrorKind::Remote,
            "redis: a redirected command was overtaken by a later one of its key, and is not executed any more",
        );
        for held in late {
            self.fail(held.group.ticket, held.group.commands.len(), &error);
        }
    }

    fn hold_answered(&mut self, lane: LaneId, subject: &[u8], result: Result<Vec<Value>>) {
        let Some(hold) = self.holds.get_mut(subject) else {
            return;
        };
        let Some(mut held) = hold.end_step() else { return };
        // The reply before the last is that to ASKING.
        let value = match result {
            Ok(mut values) => values.pop().unwrap_or(Value::Nil),
            Err(error) => {
                self.fail(held.group.ticket, held.group.commands.len(), &error);
                return self.step(subject);
            }
        };
        match Redirect::of(&value, self.lanes.address(lane)) {
            None => {
                if let Some(replies) = held.replied(value) {
                    self.settle(held.group.ticket, replies.into_iter().map(Ok).collect());
                } else {
                    hold.push(held);
                }
            }
            Some(_) if held.attempts >= ATTEMPTS => {
                let error = Error::new(ErrorKind::Remote, format!("redis: redirected {ATTEMPTS} times"));
                self.fail(held.group.ticket, held.group.commands.len(), &error);
            }
            Some(redirect) => {
                held.attempts += 1;
                held.asking = match &redirect {
                    Redirect::Ask(address) => Some(self.lanes.at(address)),
                    Redirect::Moved(_) => None,
                    Redirect::TryAgain => {
                        hold.is_paused = true;
                        self.work.pauses.push((subject.into(), held.attempts));
                        None
                    }
                };
                let command = held.command().clone();
                hold.push(held);
                self.follow(&command, &redirect);
            }
        }
        self.step(subject);
    }

    fn resume_all(&mut self) {
        if self.holds.is_empty() {
            return;
        }
        let is_ready = |hold: &Hold| hold.marks.iter().all(|mark| self.lanes.is_past(mark)) && hold.may_step();
        let ready = self
            .holds
            .iter()
            .filter(|(_, hold)| is_ready(hold))
            .map(|(subject, _)| subject.clone());
        for subject in ready.collect::<Vec<_>>() {
            self.step(&subject);
        }
    }

    /// Sends the next command of a subject that is held, if it is its turn.
    fn step(&mut self, subject: &[u8]) {
        loop {
            let Some(hold) = self.holds.get_mut(subject) else {
                return;
            };
            hold.marks.retain(|mark| !self.lanes.is_past(mark));
            if !hold.marks.is_empty() || !hold.may_step() {
                return;
            }
            let Some(held) = hold.begin_step() else {
                self.holds.remove(subject);
                return;
            };
            let (command, asking) = (held.command().clone(), held.asking);
            let (ticket, count) = (held.group.ticket, held.group.commands.len());
            let lane = match asking {
                Some(lane) => self.lanes.why_down(lane).map_or(Ok(lane), Err),
                None => self.lane_of(slot_of(key_of(&command))),
            };
            match lane {
                Ok(lane) => {
                    let mut pipeline = Pipeline::with_capacity(2);
                    if asking.is_some() {
                        pipeline.add_command(cmd("ASKING"));
                    }
                    pipeline.add_command(command);
                    return self
                        .lanes
                        .add_alone(lane, pipeline, 1 + usize::from(asking.is_some()), subject.into());
                }
                Err(error) => {
                    if let Some(hold) = self.holds.get_mut(subject) {
                        hold.end_step();
                    }
                    self.fail(ticket, count, &error);
                }
            }
        }
    }

    fn fail(&mut self, ticket: Ticket, count: usize, error: &Error) {
        self.settle(ticket, vec![Err(error.clone()); count]);
    }

    fn settle(&mut self, ticket: Ticket, replies: Vec<Result<Value>>) {
        self.work.settled.push(Settled { ticket, replies });
    }
}
