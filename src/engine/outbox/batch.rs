//! What goes to the remote tier together, and the state that its answers are judged by.

use super::opening::Start;
use super::{Done, Item, Queue, Say};
use crate::engine::namespaces::Namespace;
use crate::engine::voice::{Speech, Voice};
use crate::tier::{NamespaceState, RemoteRequest, RemoteState, RemoteTier};
use std::collections::HashMap;

/// Namespace state as it was just before a batch's other requests were executed.
#[derive(Debug, Default)]
pub struct BatchState {
    /// Batches are numbered in the order in which they are sent: one that is answered later than the next tells less. 0 = it was not sent.
    pub number: u64,
    /// 0 = unknown, or no remote tier.
    pub incarnation: u64,
    /// Grows with each raise.
    pub counter: u64,
    floors: HashMap<Box<str>, u64>,
    /// The highest of them: mostly nothing was raised since an entry was born, and one comparison says so.
    highest: u64,
}

impl BatchState {
    /// Whether nobody cleared the namespace of an entry since it was born. A state that is unknown allows nothing.
    pub fn allows(&self, namespace: &Namespace, incarnation: u64, born: u64) -> bool {
        let floor = |field| self.floors.get(field).copied().unwrap_or(0);
        self.incarnation != 0
            && self.incarnation == incarnation
            && (self.highest <= born || namespace.floors.iter().all(|field| floor(field) <= born))
    }

    /// Whether somebody cleared the namespace softly since an entry was born.
    pub fn softens(&self, namespace: &Namespace, born: u64) -> bool {
        let floor = |field| self.floors.get(field).copied().unwrap_or(0);
        self.highest > born && namespace.soft_floors.iter().any(|field| floor(field) > born)
    }
}

/// Requests with those who wait for the answers, and what is said behind them.
pub(super) struct Batch<'a> {
    pub(super) requests: Vec<RemoteRequest>,
    pub(super) fields: Vec<Box<str>>,
    /// For the opening and each item whether it has a request of its own, and who waits.
    pub(super) waiting: Vec<(bool, Done)>,
    /// How many of them were queued.
    pub(super) items: usize,
    pub(super) voice: Option<(&'a Voice, Speech)>,
    pub(super) start: Start,
    pub(super) way: Way,
}

/// How a batch is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    /// See [`RemoteTier::probe`].
    pub(super) probes: bool,
    /// [`RemoteTier::successions`] when it began, or was last sent.
    pub(super) successions: u64,
    /// See [`BatchState::number`].
    pub(super) number: u64,
}

impl<'a> Batch<'a> {
    /// What is said is numbered here: in the order of the batches.
    pub(super) fn new(items: Vec<Item>, queue: &Queue, voice: Option<&'a Voice>, remote: &dyn RemoteTier) -> Self {
        let successions = remote.successions();
        let opening = queue.open(successions);
        let fields = floor_fields(&items);
        let mut requests = Vec::with_capacity(items.len() + 3);
        requests.push(RemoteRequest::State { fields: fields.clone() });
        let mut waiting = Vec::with_capacity(items.len() + 1);
        let start = match opening {
            Some((request, done)) => {
                requests.push(request);
                waiting.push((true, done));
                queue.openings.begin()
            }
            None => queue.openings.behind(),
        };
        let items_waiting = items.len();
        let (mut changes, mut beat) = (Vec::new(), false);
        for item in items {
            waiting.push((item.request.is_some(), item.done));
            requests.extend(item.request);
            match item.say {
                Some(Say::Change(change)) => changes.push(change),
                Some(Say::Beat) => beat = true,
                None => {}
            }
        }
        // The log is read once in a while: then what waits tries its luck too.
        let reads_log = |request: &RemoteRequest| matches!(request, RemoteRequest::ReadLog { .. });
        let along = beat || remote.state() != RemoteState::Down || requests.iter().any(reads_log);
        let voice = voice.map(|voice| (voice, voice.speak(changes, beat, along)));
        if let Some((_, speech)) = voice.as_ref().filter(|(_, speech)| !speech.is_empty()) {
            let (frames, hints) = (speech.frames.clone(), speech.hints.clone());
            requests.push(RemoteRequest::Tell { frames, hints });
        }
        Self {
            requests,
            fields,
            waiting,
            items: items_waiting,
            voice,
            start,
            way: Way {
                probes: false,
                successions,
                number: queue.number(),
            },
        }
    }

    /// It may find out whether the remote tier answers again.
    pub(super) fn probing(mut self) -> Self {
        self.way.probes = true;
        self
    }

    /// Sent again, it is the first one after a failure.
    pub(super) fn open(&mut self, queue: &Queue, remote: &dyn RemoteTier) {
        self.way.successions = remote.successions();
        self.way.number = queue.number();
        let Some((request, done)) = queue.open(self.way.successions) else {
            return;
        };
        // Behind the state. What it began with before asked for less: more was told since.
        let from = usize::from(matches!(self.start, Start::Opening(_)));
        self.requests.splice(1..1 + from, [request]);
        self.waiting.splice(..from, [(true, done)]);
        self.start = queue.openings.begin();
    }
}

fn floor_fields(batch: &[Item]) -> Vec<Box<str>> {
    let mut seen: Vec<u32> = Vec::new();
    let mut fields: Vec<Box<str>> = Vec::new();
    for namespace in batch.iter().filter_map(|item| item.namespace.as_ref()) {
        if !seen.contains(&namespace.id) {
            seen.push(namespace.id);
            fields.extend(
                namespace
                    .floors
                    .iter()
                    .chain(&namespace.soft_floors)
                    .filter(|field| !fields.contains(field))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
        }
    }
    fields
}

pub(super) fn batch_state(number: u64, state: NamespaceState, fields: Vec<Box<str>>) -> BatchState {
    BatchState {
        number,
        incarnation: state.incarnation,
        counter: state.counter,
        highest: state.floors.iter().copied().max().unwrap_or(0),
        floors: fields.into_iter().zip(state.floors).collect(),
    }
}
