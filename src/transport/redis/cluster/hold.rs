//! What waits because of one subject, in the order in which it was submitted. One command of it is on its way at a time.

use crate::transport::redis::cluster::lanes::{LaneId, Mark};
use crate::transport::redis::cluster::routes::Group;
use redis::{Cmd, Value};
use std::collections::BTreeMap;

/// See the module.
#[derive(Debug)]
pub struct Hold {
    /// Nothing is sent before all of this has been answered.
    pub marks: Vec<Mark>,
    /// Nothing is sent before a pause is over.
    pub is_paused: bool,
    queue: BTreeMap<u64, Held>,
    /// Its first command is on its way.
    under_way: Option<Held>,
}

/// A group that waits for its turn, or is having it.
#[derive(Debug)]
pub struct Held {
    /// The group.
    pub group: Group,
    /// How often its next command was sent somewhere else.
    pub attempts: u32,
    /// Where its next command must be asked, because of an `ASK`.
    pub asking: Option<LaneId>,
    /// Replies to those before the next command.
    replies: Vec<Value>,
    /// What the first try brought, some of it redirected.
    first_try: Vec<Value>,
}

impl Hold {
    /// One that begins when these have been answered.
    pub fn until(marks: Vec<Mark>) -> Self {
        Self {
            marks,
            is_paused: false,
            queue: BTreeMap::new(),
            under_way: None,
        }
    }

    /// Puts a group where its number belongs.
    pub fn push(&mut self, held: Held) {
        self.queue.insert(held.group.number, held);
    }

    /// Whether something that was submitted before this number waits, or is on its way.
    pub fn waits_before(&self, number: u64) -> bool {
        let first = self.under_way.as_ref().or(self.queue.values().next());
        first.is_some_and(|held| held.group.number < number)
    }

    /// Whether the next command may be sent, as far as this subject is concerned.
    pub fn may_step(&self) -> bool {
        !self.is_paused && self.under_way.is_none()
    }

    /// The group whose turn it is; none: the hold is over.
    pub fn begin_step(&mut self) -> Option<&Held> {
        let (_, first) = self.queue.pop_first()?;
        Some(self.under_way.insert(first))
    }

    /// The group whose command has been answered.
    pub fn end_step(&mut self) -> Option<Held> {
        self.under_way.take()
    }

    /// Those that were submitted before this number and have not begun.
    pub fn take_before(&mut self, number: u64) -> Vec<Held> {
        let rest = self.queue.split_off(&number);
        std::mem::replace(&mut self.queue, rest).into_values().collect()
    }
}

impl Held {
    /// One that was never sent.
    pub fn new(group: Group) -> Self {
        Self::redirected(group, Vec::new())
    }

    /// One of which something was redirected: it begins anew.
    pub fn redirected(group: Group, first_try: Vec<Value>) -> Self {
        Self {
            group,
            attempts: 0,
            asking: None,
            replies: Vec::new(),
            first_try,
        }
    }

    /// The next command.
    pub fn command(&self) -> &Cmd {
        &self.group.commands[self.replies.len()]
    }

    /// The next command has been executed; all replies, if it was the last.
    pub fn replied(&mut self, value: Value) -> Option<Vec<Value>> {
        // What was removed by the first try cannot be removed by the second: there was something nevertheless.
        let value = match (self.first_try.get(self.replies.len()), value) {
            (Some(Value::Int(first)), Value::Int(second)) => Value::Int(second.max(*first)),
            (_, value) => value,
        };
        self.replies.push(value);
        (self.attempts, self.asking) = (0, None);
        (self.replies.len() == self.group.commands.len()).then(|| std::mem::take(&mut self.replies))
    }
}
