//! What happens in a history: made from a seed, so that it can be made again, and made shorter.

use crate::simulator::checker::Key;
use crate::simulator::dice::Dice;
use std::fmt;

/// How a loader goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loader {
    /// It reads the database so long after it was called,
    pub reads_after: u64,
    /// ends so long after that,
    pub ends_after: u64,
    /// and so:
    pub ending: LoaderEnding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoaderEnding {
    Value,
    Error,
    /// The caller has gone.
    Cancelled,
}

/// What a caller does. Deletion by pattern is not here: it looks through the memory on a thread of its own, whose time is
/// not virtual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Get(Key),
    Peek(Key),
    GetOrSet(Key, Loader),
    Refresh(Key, Loader),
    /// The others change the database first.
    Set(Key),
    Delete(Key),
    Expire(Key),
    InvalidateTag(usize),
    InvalidateTagSoftly(usize),
    /// What carries both tags.
    InvalidateAll,
    /// Of a namespace.
    Clear(usize),
    ClearSoftly(usize),
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing passes between this node and the store.
    Hole { node: usize, time: u64 },
    /// The same twice, with a pause in which something may come through. `deaf`: the first time only the subscription is silent.
    Silences {
        node: usize,
        deaf: bool,
        first: u64,
        pause: u64,
        second: u64,
    },
    /// Nothing passes to this node on its subscription.
    BusHole { node: usize, time: u64 },
    /// The next message to this node is lost, and nothing else is.
    Lose { node: usize },
    /// The node's connections are closed by the other side.
    Reset { node: usize },
    /// The process dies, and another one takes its place.
    Crash { node: usize, time: u64 },
    /// The node's clock jumps ahead.
    ClockStep { node: usize, by: u64 },
    /// The memory tier drops what it holds.
    Evict { node: usize },
    /// The store stops for a while: SIGSTOP.
    Freeze { time: u64 },
    /// The store ends, and comes back empty.
    Restart { time: u64 },
    /// FLUSHALL.
    Flush,
    /// The store takes nothing into the log: the rules forbid it, or its key is of another type.
    LogRefused { time: u64 },
    /// The store forgets who loads, and who lives: it is full, and these have an end.
    Forget,
    /// A replica takes over that lacks what was changed in the last `lag`.
    Failover { lag: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Call { node: usize, call: Call },
    Fault(Fault),
}

impl Act {
    /// The node that makes something old.
    fn changer(self) -> Option<usize> {
        match self {
            Act::Call {
                call: Call::Get(_) | Call::Peek(_) | Call::GetOrSet(..) | Call::Refresh(..),
                ..
            }
            | Act::Fault(_) => None,
            Act::Call { node, .. } => Some(node),
        }
    }
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Milliseconds after the one before.
    pub pause: u64,
    pub act: Act,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    /// Another one makes the same things take other times.
    pub luck: u64,
    pub nodes: usize,
    pub keys: usize,
    /// Longest way of a request, a reply or a message.
    pub delay: u64,
    /// Percentage of requests between which others of other nodes may be executed.
    pub splits: u64,
    pub ttl: u64,
    pub grace: u64,
    /// The first so many nodes have no memory and no hot tier.
    pub keep_nothing: usize,
    /// The store is several servers. The one with the state and the log never fails; when a replica takes over, it is another's.
    pub scattered: bool,
    pub steps: Vec<Step>,
}

impl Plan {
    pub fn new(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let nodes = dice.pick(&[1, 2, 2, 2, 3, 3, 4]);
        let keys = dice.pick(&[1, 1, 2, 3, 4]);
        // Swarm testing (Groce et al. 2012): each history knows only some calls and faults, and so goes deeper into them.
        let calls = Kind::CALLS.into_iter().filter(|_| dice.chance(60)).collect::<Vec<_>>();
        let calls = if calls.is_empty() {
            vec![Kind::GetOrSet, Kind::Delete]
        } else {
            calls
        };
        let calm = dice.chance(40);
        let faults = Kind::FAULTS
            .into_iter()
            .filter(|_| !calm && dice.chance(35))
            .collect::<Vec<_>>();
        let often = dice.between(5, 20);
        let longest = dice.pick(&[0, 1, 2, 5, 20, 200]);
        let count = dice.between(20, 60);
        let delay = dice.pick(&[0, 1, 1, 3, 10, 60]);
        let mut steps: Vec<Step> = Vec::with_capacity(count as usize);
        for _ in 0..count {
            // The answer to a change is the moment that matters most: what follows it closely is worth a closer look.
            let changed = steps
                .last()
                .and_then(|step: &Step| step.act.changer())
                .filter(|_| dice.chance(30));
            let fault = !faults.is_empty() && dice.chance(if changed.is_some() { 50 } else { often });
            let kind = if fault { dice.pick(&faults) } else { dice.pick(&calls) };
            let pause = match dice.below(100) {
                _ if changed.is_some() => dice.below(3 * delay + 2),
                0..50 => 0,
                50..90 => dice.below(longest + 1),
                90..98 => dice.below(50),
                _ => dice.below(2_500),
            };
            let node = changed.filter(|_| fault).unwrap_or(dice.below(nodes as u64) as usize);
            let act = kind.act(&dice, node, keys);
            steps.push(Step { pause, act });
            if let Act::Fault(fault) = act {
                steps.extend(between_silences(&dice, fault, nodes, keys));
            }
        }
        Self {
            seed,
            luck: 0,
            nodes,
            keys,
            delay,
            splits: dice.pick(&[0, 0, 30, 100]),
            ttl: dice.pick(&[50, 1_000, 60_000, 60_000, 60_000]),
            grace: dice.pick(&[0, 0, 0, 60_000]),
            keep_nothing: dice.pick(&[0, 0, 0, 0, 1, nodes]),
            scattered: false,
            steps,
        }
    }

    /// The same, and in the middle of it the log takes nothing, while somebody says what somebody else does not hear.
    pub fn with_refusals(seed: u64) -> Self {
        let mut plan = Self::new(seed);
        let dice = Dice::new(!seed);
        plan.nodes = plan.nodes.max(2);
        for _ in 0..dice.between(1, 3) {
            let at = dice.below(plan.steps.len() as u64) as usize;
            let scene = while_the_log_refuses(&dice, plan.nodes, plan.keys);
            plan.steps.splice(at..at, scene);
        }
        plan
    }

    /// The same, and replicas take over in it.
    pub fn with_failovers(seed: u64) -> Self {
        let mut plan = Self::new(seed);
        let dice = Dice::new(!seed);
        let excluded = |step: &Step| matches!(step.act, Act::Fault(Fault::LogRefused { .. }));
        plan.steps.retain(|step| !excluded(step));
        plan.scattered = dice.chance(30);
        for _ in 0..dice.between(1, 3) {
            let at = dice.below(plan.steps.len() as u64) as usize;
            let lag = dice.pick(&[0, 5, 50, 500]);
            let act = Act::Fault(Fault::Failover { lag });
            plan.steps.insert(
                at,
                Step {
                    pause: dice.below(200),
                    act,
                },
            );
        }
        plan
    }

    /// Nothing fails.
    pub fn is_calm(&self) -> bool {
        !self.steps.iter().any(|step| matches!(step.act, Act::Fault(_)))
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Get,
    Peek,
    GetOrSet,
    Refresh,
    Set,
    Delete,
    Expire,
    InvalidateTag,
    InvalidateTagSoftly,
    InvalidateAll,
    Clear,
    ClearSoftly,
    Hole,
    Silences,
    BusHole,
    Lose,
    Reset,
    Crash,
    ClockStep,
    Evict,
    Freeze,
    Restart,
    Flush,
    LogRefused,
    Forget,
}

impl Kind {
    /// Some of them more often.
    const CALLS: [Kind; 16] = [
        Kind::Get,
        Kind::Get,
        Kind::Peek,
        Kind::GetOrSet,
        Kind::GetOrSet,
        Kind::GetOrSet,
        Kind::Refresh,
        Kind::Set,
        Kind::Delete,
        Kind::Delete,
        Kind::Expire,
        Kind::InvalidateTag,
        Kind::InvalidateTagSoftly,
        Kind::InvalidateAll,
        Kind::Clear,
        Kind::ClearSoftly,
    ];
    const FAULTS: [Kind; 13] = [
        Kind::Hole,
        Kind::Silences,
        Kind::BusHole,
        Kind::Lose,
        Kind::Reset,
        Kind::Crash,
        Kind::ClockStep,
        Kind::Evict,
        Kind::Freeze,
        Kind::Restart,
        Kind::Flush,
        Kind::LogRefused,
        Kind::Forget,
    ];

    fn act(self, dice: &Dice, node: usize, keys: usize) -> Act {
        let key = dice.below(keys as u64) as usize;
        let time = dice.pick(&[1, 30, 300, 700, 1_500, 4_000]);
        let time = dice.between(time / 2, time);
        let call = |call| Act::Call { node, call };
        match self {
            Kind::Get => call(Call::Get(key)),
            Kind::Peek => call(Call::Peek(key)),
            Kind::GetOrSet => call(Call::GetOrSet(key, loader(dice))),
            Kind::Refresh => call(Call::Refresh(key, loader(dice))),
            Kind::Set => call(Call::Set(key)),
            Kind::Delete => call(Call::Delete(key)),
            Kind::Expire => call(Call::Expire(key)),
            Kind::InvalidateTag => call(Call::InvalidateTag(dice.below(2) as usize)),
            Kind::InvalidateTagSoftly => call(Call::InvalidateTagSoftly(dice.below(2) as usize)),
            Kind::InvalidateAll => call(Call::InvalidateAll),
            Kind::Clear => call(Call::Clear(dice.below(2) as usize)),
            Kind::ClearSoftly => call(Call::ClearSoftly(dice.below(2) as usize)),
            Kind::Hole => Act::Fault(Fault::Hole { node, time }),
            Kind::Silences => Act::Fault(Fault::Silences {
                node,
                deaf: dice.chance(30),
                first: dice.between(300, 2_500),
                pause: dice.pick(&[20, 300, 1_500, 1_500]) * dice.between(10, 100) / 100,
                second: dice.between(1_500, 4_000),
            }),
            Kind::BusHole => Act::Fault(Fault::BusHole { node, time }),
            Kind::Lose => Act::Fault(Fault::Lose { node }),
            Kind::Reset => Act::Fault(Fault::Reset { node }),
            Kind::Crash => Act::Fault(Fault::Crash { node, time }),
            Kind::ClockStep => Act::Fault(Fault::ClockStep {
                node,
                by: dice.pick(&[10, 1_000, 3_600_000]),
            }),
            Kind::Evict => Act::Fault(Fault::Evict { node }),
            Kind::Freeze => Act::Fault(Fault::Freeze { time }),
            Kind::Restart => Act::Fault(Fault::Restart { time }),
            Kind::Flush => Act::Fault(Fault::Flush),
            Kind::LogRefused => Act::Fault(Fault::LogRefused { time: 2 * time }),
            Kind::Forget => Act::Fault(Fault::Forget),
        }
    }
}

/// What the two silences are for: somebody reads while nothing stands in the way, another node changes that in the second
/// one, and the first asks again when it should know.
fn between_silences(dice: &Dice, fault: Fault, nodes: usize, keys: usize) -> Vec<Step> {
    let Fault::Silences {
        node,
        deaf,
        first,
        pause,
        second,
    } = fault
    else {
        return Vec::new();
    };
    if nodes < 2 || dice.chance(40) {
        return Vec::new();
    }
    let other = (node + 1 + dice.below(nodes as u64 - 1) as usize) % nodes;
    let key = dice.below(keys as u64) as usize;
    let call = |node, call| Act::Call { node, call };
    let change = dice.pick(&[Call::Set(key), Call::Delete(key), Call::Clear(0)]);
    let changed = first + pause + dice.below(second / 3);
    let mut times = vec![
        (0, call(other, Call::Set(key))),
        (changed, call(other, change)),
        (changed + 1_200 + dice.below(second / 2), call(node, Call::Peek(key))),
    ];
    // Nothing is known of the log yet, or any more, or there is none.
    match dice.below(6) {
        _ if deaf => {
            let time = first + pause + second;
            times.push((0, Act::Fault(Fault::LogRefused { time })));
            times.push((
                1,
                Act::Fault(Fault::Crash {
                    node,
                    time: dice.below(100),
                }),
            ));
        }
        0 => times.push((dice.below(first), Act::Fault(Fault::Flush))),
        1 => times.push((
            dice.below(first),
            Act::Fault(Fault::Crash {
                node,
                time: dice.below(300),
            }),
        )),
        _ => {}
    }
    times.push((first, call(other, Call::Set(key))));
    // The first of them come through, the others may not.
    let mut at = first
        + if dice.chance(50) {
            dice.below(pause)
        } else {
            pause.saturating_sub(dice.below(20))
        };
    for _ in 0..dice.between(1, 8) {
        times.push((at, call(node, Call::Get(key))));
        at += dice.below(5);
    }
    // Only a node that is asked all the time finds out at once that nobody answers.
    if let often @ 1.. = dice.pick(&[0, 20, 60, 150]) {
        let mut at = dice.below(often);
        while at < changed + 1_200 {
            times.push((at, call(node, Call::Get(key))));
            at += dice.between(1, 2 * often);
        }
    }
    in_order(times)
}

/// Somebody holds what another one changes; he does not hear it, it stands nowhere, and its maker may be gone at once.
fn while_the_log_refuses(dice: &Dice, nodes: usize, keys: usize) -> Vec<Step> {
    let node = dice.below(nodes as u64) as usize;
    let other = (node + 1 + dice.below(nodes as u64 - 1) as usize) % nodes;
    let key = dice.below(keys as u64) as usize;
    let call = |node, call| Act::Call { node, call };
    let refused = dice.below(600);
    let changed = refused + dice.below(2_000);
    let deaf = dice.pick(&[
        Fault::Lose { node },
        Fault::BusHole {
            node,
            time: dice.between(100, 2_000),
        },
    ]);
    let change = dice.pick(&[
        Call::Set(key),
        Call::Delete(key),
        Call::Expire(key),
        Call::InvalidateTag(dice.below(2) as usize),
        Call::Clear(0),
        Call::ClearSoftly(0),
    ]);
    let mut times = vec![
        (0, call(other, Call::Set(key))),
        (
            refused,
            Act::Fault(Fault::LogRefused {
                time: dice.between(1, 2 * (changed - refused) + 1_000),
            }),
        ),
        (changed.saturating_sub(dice.below(100)), Act::Fault(deaf)),
        (changed, call(other, change)),
        (changed + 1_000 + dice.below(1_500), call(node, Call::Peek(key))),
    ];
    if dice.chance(60) {
        let time = dice.pick(&[50, 500, 5_000]);
        let fault = Fault::Crash { node: other, time };
        times.push((changed + dice.below(100), Act::Fault(fault)));
    }
    for _ in 0..dice.between(1, 8) {
        times.push((dice.below(changed + 1), call(node, Call::Get(key))));
    }
    in_order(times)
}

/// Steps that happen so many milliseconds after the first.
fn in_order(mut times: Vec<(u64, Act)>) -> Vec<Step> {
    times.sort_by_key(|(at, _)| *at);
    let mut before = 0;
    let step = |(at, act)| {
        let pause = at - std::mem::replace(&mut before, at);
        Step { pause, act }
    };
    times.into_iter().map(step).collect()
}

fn loader(dice: &Dice) -> Loader {
    let time = dice.pick(&[0, 1, 3, 10, 100, 1_500, 5_000]);
    let time = dice.between(time / 2, time);
    let reads_after = dice.below(time + 1);
    Loader {
        reads_after,
        ends_after: time - reads_after,
        ending: match dice.below(10) {
            0 => LoaderEnding::Error,
            1 => LoaderEnding::Cancelled,
            _ => LoaderEnding::Value,
        },
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Call { node, call } => write!(f, "node {node} {call:?}"),
            Act::Fault(fault) => write!(f, "FAULT {fault:?}"),
        }
    }
}
