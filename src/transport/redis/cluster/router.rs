//! The task that sends what `routes` decides, and tells it what has become of that.

use crate::error::{Error, ErrorKind, Result};
use crate::resilience::deadline::within;
use crate::transport::redis::address::Address;
use crate::transport::redis::cluster::lanes::LaneId;
use crate::transport::redis::cluster::routes::{Dispatch, Routes, Settled, Work};
use crate::transport::redis::cluster::slots::SLOTS;
use crate::transport::redis::cluster::view::View;
use crate::transport::redis::cluster::{Nodes, Sending};
use crate::transport::redis::node::Node;
use crate::warning::{Warning, WarningKind};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use redis::{Pipeline, ServerErrorKind, Value, cmd};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// The least time between two looks at the view, while something is wrong with it.
const LOOK_AGAIN: Duration = Duration::from_millis(150);
/// The time between two looks when nothing seems wrong.
const LOOK: Duration = Duration::from_secs(10);
/// How long the others may take to tell their view after the first.
const OTHERS: Duration = Duration::from_millis(50);
/// Nodes that are asked for their view.
const ASKED: usize = 5;
/// The time between two attempts to reach a node that does not answer.
const PROBE: Duration = Duration::from_millis(150);
/// The first pause after a TRYAGAIN; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(2);

/// What others may know of the Cluster.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Whether a node answers.
    pub is_up: bool,
    /// The newest view.
    pub view: Option<Arc<View>>,
    /// Masters that answer, for those who listen.
    pub listeners: Vec<Address>,
    /// How often nodes were found to serve slots that had served none: replicas that have become masters.
    pub promotions: u64,
}

/// See the module. It ends with the last sender.
pub struct Router {
    nodes: Nodes,
    seeds: Arc<[Address]>,
    deadline: Duration,
    /// Somebody got a reply that was none to his question.
    distrusted: Arc<AtomicBool>,
    status: watch::Sender<Status>,
    routes: Routes,
    lanes: HashMap<LaneId, Node>,
    batches: HashMap<u64, Waiting>,
    count: u64,
    /// Batches that came before the first view.
    early: VecDeque<Sending>,
    running: FuturesUnordered<BoxFuture<'static, Event>>,
    looking: Looking,
}

/// Whether the view is being looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looking {
    /// It is.
    Now,
    /// It was a moment ago; whether to look again when the pause is over.
    Pause {
        again: bool,
    },
    No,
}

struct Waiting {
    replies: Vec<Option<Result<Value>>>,
    missing: usize,
    answer: oneshot::Sender<Vec<Result<Value>>>,
}

enum Event {
    Answered(LaneId, u64, Result<Vec<Value>>, Silence),
    Looked(Result<View>),
    MayLook,
    Look,
    Probe(LaneId),
    Probed(LaneId, bool),
    Resume(Box<[u8]>),
}

/// Whether a failure says that the node is gone, and not only that a connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    No,
    Yes,
}

impl Router {
    /// Tells of the Cluster on `status`.
    pub fn new(
        nodes: Nodes,
        seeds: Arc<[Address]>,
        deadline: Duration,
        distrusted: Arc<AtomicBool>,
        status: watch::Sender<Status>,
    ) -> Self {
        Self {
            nodes,
            seeds,
            deadline,
            distrusted,
            status,
            routes: Routes::default(),
            lanes: HashMap::new(),
            batches: HashMap::new(),
            count: 0,
            early: VecDeque::new(),
            running: FuturesUnordered::new(),
            looking: Looking::No,
        }
    }

    /// Ends when there is no sender any more, and everything has been answered.
    pub async fn run(mut self, mut incoming: mpsc::UnboundedReceiver<Sending>) {
        self.look();
        self.later(LOOK, Event::Look);
        let mut open = true;
        while open || !self.batches.is_empty() {
            tokio::select! {
                sending = incoming.recv(), if open => match sending {
                    Some(sending) => self.take(sending),
                    None => open = false,
                },
                Some(event) = self.running.next() => self.handle(event),
            }
            self.work();
        }
    }

    fn take(&mut self, sending: Sending) {
        let Some(view) = self.status.borrow().view.clone() else {
            self.early.push_back(sending);
            return self.look();
        };
        if self.distrusted.swap(false, Ordering::SeqCst) {
            self.lanes.values().for_each(Node::distrust);
        }
        self.count += 1;
        let count = sending.groups.iter().map(|group| group.commands.len()).sum();
        let waiting = Waiting {
            replies: vec![None; count],
            missing: count,
            answer: sending.answer,
        };
        self.batches.insert(self.count, waiting);
        let masters: Vec<&Address> = view.masters().collect();
        let addressed = sending.groups.into_iter().map(|group| {
            let at = group.at.map(|number| masters[number as usize % masters.len()]);
            (group.commands, at)
        });
        self.routes.submit(self.count, addressed);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Answered(lane, number, result, silence) => self.answered(lane, number, result, silence),
            Event::Looked(view) => self.looked(view),
            Event::MayLook => {
                if std::mem::replace(&mut self.looking, Looking::No) == (Looking::Pause { again: true }) {
                    self.look();
                }
            }
            Event::Look => {
                self.look();
                self.later(LOOK, Event::Look);
            }
            Event::Probe(lane) if self.is_member(lane) => self.probe(lane),
            // It will be tried when it is back in the view.
            Event::Probe(lane) => self.routes.set_down(lane, None),
            Event::Probed(lane, true) => {
                self.routes.set_down(lane, None);
                self.tell();
                self.look();
            }
            Event::Probed(lane, false) => self.later(PROBE, Event::Probe(lane)),
            Event::Resume(subject) => self.routes.resume(&subject),
        }
    }

    fn answered(&mut self, lane: LaneId, number: u64, result: Result<Vec<Value>>, silence: Silence) {
        if let Err(error) = &result {
            if silence == Silence::Yes && !self.routes.lanes().is_down(lane) {
                self.routes.set_down(lane, Some(error.clone()));
                self.tell();
                self.probe(lane);
            }
            self.look();
        } else if result.as_ref().is_ok_and(|values| values.iter().any(is_doubtful)) {
            self.look();
        }
        self.routes.answered(lane, number, result);
    }

    /// Does what is to be done now.
    fn work(&mut self) {
        let Work {
            dispatches,
            settled,
            pauses,
            stale,
            promoted,
        } = self.routes.take_work();
        // First: whoever gets an answer of the new one finds it told.
        if promoted {
            self.status.send_modify(|status| status.promotions += 1);
        }
        for dispatch in dispatches {
            self.dispatch(dispatch);
        }
        for Settled { ticket, replies } in settled {
            let Some(waiting) = self.batches.get_mut(&ticket.batch) else {
                continue;
            };
            waiting.missing -= replies.len();
            for (place, reply) in waiting.replies[ticket.at..].iter_mut().zip(replies) {
                *place = Some(reply);
            }
            if waiting.missing == 0
                && let Some(done) = self.batches.remove(&ticket.batch)
            {
                // Who waited may have left.
                let _ = done.answer.send(done.replies.into_iter().flatten().collect());
            }
        }
        for (subject, attempts) in pauses {
            self.later(PAUSE * 2_u32.pow(attempts.min(6)), Event::Resume(subject));
        }
        if stale {
            self.look();
        }
    }

    fn dispatch(&mut self, dispatch: Dispatch) {
        let Dispatch {
            lane,
            number,
            pipeline,
            count,
        } = dispatch;
        let deadline = self.deadline;
        match self.node(lane) {
            Ok(node) => self.running.push(
                async move {
                    let sent = within(deadline, node.send(&pipeline, count)).await;
                    match sent {
                        Ok(Err(error)) if node.is_unreachable() => {
                            Event::Answered(lane, number, Err(error), Silence::Yes)
                        }
                        Ok(answered) => Event::Answered(lane, number, answered, Silence::No),
                        Err(_) => {
                            let message = format!(
                                "a node of the Cluster did not answer within {} ms",
                                deadline.as_millis()
                            );
                            let error = Error::new(ErrorKind::Remote, message);
                            Event::Answered(lane, number, Err(error), Silence::Yes)
                        }
                    }
                }
                .boxed(),
            ),
            Err(error) => self
                .running
                .push(std::future::ready(Event::Answered(lane, number, Err(error), Silence::No)).boxed()),
        }
    }

    fn node(&mut self, lane: LaneId) -> Result<Node> {
        if let Some(node) = self.lanes.get(&lane) {
            return Ok(node.clone());
        }
        let node = self.nodes.at(self.routes.lanes().address(lane))?;
        // Only here: values come over no other connection.
        let node = node.watched(&self.nodes.watch);
        self.lanes.insert(lane, node.clone());
        Ok(node)
    }

    fn later(&self, pause: Duration, event: Event) {
        self.running.push(tokio::time::sleep(pause).map(|()| event).boxed());
    }

    fn is_member(&mut self, lane: LaneId) -> bool {
        let view = self.status.borrow().view.clone();
        view.is_none_or(|view| view.has(self.routes.lanes().address(lane)))
    }

    /// Asks whether a node is back.
    fn probe(&mut self, lane: LaneId) {
        let deadline = self.deadline;
        let Ok(node) = self.node(lane) else { return };
        let mut ping = Pipeline::with_capacity(1);
        ping.add_command(cmd("PING"));
        self.running.push(
            async move {
                let answered = within(deadline, node.send(&ping, 1)).await;
                // LOADING is an answer, but nothing that helps.
                let is_back = matches!(answered, Ok(Ok(values)) if !values.iter().any(is_doubtful));
                Event::Probed(lane, is_back)
            }
            .boxed(),
        );
    }

    /// Looks at the view, or does so soon if that was done a moment ago.
    fn look(&mut self) {
        match &mut self.looking {
            Looking::Now => {}
            Looking::Pause { again } => *again = true,
            Looking::No => {
                self.looking = Looking::Now;
                let answering = self.routes.lanes().all().filter(|(_, _, answers)| *answers);
                let mut first: Vec<Address> = answering.map(|(_, address, _)| address.clone()).collect();
                // Not always the same.
                let turn = self.count as usize % first.len().max(1);
                first.rotate_left(turn);
                first.truncate(ASKED);
                let rest: Vec<Address> = self
                    .seeds
                    .iter()
                    .filter(|seed| !first.contains(seed))
                    .cloned()
                    .collect();
                let mut known = |addresses: Vec<Address>| -> Vec<(Address, Node)> {
                    let node = |address: Address| {
                        let lane = self.routes.lanes().find(&address);
                        let node = lane.and_then(|lane| self.lanes.get(&lane).cloned());
                        let node = node.map_or_else(|| self.nodes.at(&address), Ok);
                        Some((address, node.ok()?))
                    };
                    addresses.into_iter().filter_map(node).collect()
                };
                let (first, rest) = (known(first), known(rest));
                let deadline = self.deadline;
                self.running.push(
                    async move {
                        let looked = match views(first, deadline).await {
                            Ok(view) => Ok(view),
                            Err(_) => views(rest, deadline).await,
                        };
                        Event::Looked(looked)
                    }
                    .boxed(),
                );
            }
        }
    }

    fn looked(&mut self, looked: Result<View>) {
        self.looking = Looking::Pause { again: false };
        match looked {
            Ok(view) => {
                self.routes.learn(&view);
                let view = Arc::new(view);
                self.status.send_if_modified(|status| {
                    let before = status.view.replace(Arc::clone(&view));
                    before.as_ref() != Some(&view)
                });
                for sending in std::mem::take(&mut self.early) {
                    self.take(sending);
                }
            }
            Err(error) => {
                self.nodes.warnings.raise(unknown(&error));
                for sending in std::mem::take(&mut self.early) {
                    let count: usize = sending.groups.iter().map(|group| group.commands.len()).sum();
                    let _ = sending.answer.send(vec![Err(error.clone()); count]);
                }
            }
        }
        self.tell();
        if self.routes.unserved() > 0 && self.status.borrow().view.is_some() {
            self.looking = Looking::Pause { again: true };
        }
        self.later(LOOK_AGAIN, Event::MayLook);
    }

    /// Tells others what has become of the nodes.
    fn tell(&mut self) {
        let Some(view) = self.status.borrow().view.clone() else {
            return;
        };
        let lanes: HashMap<Address, bool> = self
            .routes
            .lanes()
            .all()
            .map(|(_, address, answers)| (address.clone(), answers))
            .collect();
        let answers = |address: &&Address| lanes.get(*address).copied().unwrap_or(true);
        let listeners: Vec<Address> = view.masters().filter(answers).cloned().collect();
        let silent: Vec<String> = view
            .masters()
            .filter(|master| !answers(master))
            .map(ToString::to_string)
            .collect();
        self.warn(&view, &silent);
        self.status.send_if_modified(|status| {
            let is_up = !listeners.is_empty();
            let changed = status.is_up != is_up || status.listeners != listeners;
            (status.is_up, status.listeners) = (is_up, listeners);
            changed
        });
    }

    fn warn(&self, view: &View, silent: &[String]) {
        let unserved = self.routes.unserved();
        if unserved == 0 {
            return self.nodes.warnings.clear(ABOUT);
        }
        let masters = view.masters().count();
        let which = match silent {
            [] => format!("{} of {SLOTS} slots have no master", SLOTS - view.covered()),
            silent => format!(
                "{} of {masters} masters do not answer: {}",
                silent.len(),
                silent.join(", ")
            ),
        };
        let holds = "the keys of the other nodes, memory, one load a process";
        self.nodes.warnings.raise(Warning {
            kind: WarningKind::Topology,
            about: ABOUT.to_owned(),
            message: format!(
                "{which}. Lost for now: what Redis holds of {unserved} of {SLOTS} slots, and of all keys if the namespace's \
                 state is among them. What still holds: {holds}."
            ),
            expected: "a Cluster whose slots are all served".to_owned(),
        });
    }
}

/// The subject of warnings about the whole.
const ABOUT: &str = "redis.cluster";

fn unknown(cause: &Error) -> Warning {
    Warning {
        kind: WarningKind::Topology,
        about: ABOUT.to_owned(),
        message: format!(
            "No node tells the slots of the Cluster: {cause}. Lost: what Redis holds, as far as its nodes are not known from \
             before. What still holds: memory, and one load a process."
        ),
        expected: "addresses of nodes of one Cluster, which answer CLUSTER SLOTS".to_owned(),
    }
}

/// Replies that say that the view may be old, or the node of no use.
fn is_doubtful(value: &Value) -> bool {
    let Value::ServerError(error) = value else { return false };
    matches!(
        error.kind(),
        Some(
            ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::BusyLoading
                | ServerErrorKind::ReadOnly
        )
    )
}

/// The view of these nodes.
async fn views(nodes: Vec<(Address, Node)>, deadline: Duration) -> Result<View> {
    let mut question = Pipeline::with_capacity(1);
    question.add_command(cmd("CLUSTER").arg("SLOTS").to_owned());
    let question = &question;
    let mut asking: FuturesUnordered<_> = nodes
        .iter()
        .map(|(address, node)| async move {
            let answered = within(deadline, node.send(question, 1)).await;
            match answered {
                Ok(Ok(mut values)) => read(values.pop().unwrap_or(Value::Nil), address),
                Ok(Err(error)) => Err(error),
                Err(_) => Err(Error::new(
                    ErrorKind::Remote,
                    format!("redis: {address} did not answer in time"),
                )),
            }
        })
        .collect();
    let mut views = Vec::new();
    let mut failure = Error::new(
        ErrorKind::Remote,
        "redis: no node of the Cluster is known that could be asked",
    );
    while views.is_empty() {
        match asking.next().await {
            Some(Ok(view)) => views.push(view),
            Some(Err(error)) => failure = error,
            None => break,
        }
    }
    let others = async {
        while let Some(view) = asking.next().await {
            views.extend(view);
        }
    };
    let _ = tokio::time::timeout(OTHERS, others).await;
    View::agreed(views).ok_or(failure)
}

fn read(value: Value, asked: &Address) -> Result<View> {
    if let Value::ServerError(error) = &value {
        let cause = format!("{} {}", error.code(), error.details().unwrap_or_default());
        return Err(
            Error::new(ErrorKind::Remote, format!("redis: {asked} refused CLUSTER SLOTS")).with("cause", cause),
        );
    }
    match View::parse(&value, asked) {
        Some(view) if !view.ranges.is_empty() => Ok(view),
        Some(_) => Err(Error::new(
            ErrorKind::Remote,
            format!("redis: {asked} knows no slots that are served"),
        )),
        None => Err(Error::new(
            ErrorKind::Remote,
            format!("redis: {asked} replied to CLUSTER SLOTS with something else"),
        )),
    }
}
