//! Trouble befalls the nodes, the store, and what is between them.

use crate::simulator::plan::{Act, Fault};
use crate::simulator::world::World;
use std::sync::Arc;
use turbocache::tier::RemoteRequest;

/// A node that could not reach the store may need so long until it trusts it again: the breaker's pause and a heartbeat.
const RECOVERY: u64 = 2_500;

/// How long it lasts.
pub fn time_of(act: Act) -> u64 {
    match act {
        Act::Fault(
            Fault::Hole { time, .. }
            | Fault::BusHole { time, .. }
            | Fault::Crash { time, .. }
            | Fault::Freeze { time }
            | Fault::Restart { time }
            | Fault::LogRefused { time }
            | Fault::Failover { lag: time },
        ) => time,
        Act::Fault(Fault::Silences {
            first, pause, second, ..
        }) => first + pause + second,
        _ => 0,
    }
}

pub fn befall(world: &Arc<World>, fault: Fault) {
    let now = world.schedule.now();
    match fault {
        Fault::Hole { node, time } => {
            let until = &mut world.server.weather.lock().hole_until[node];
            *until = (*until).max(now + time);
            troubled(world, node, time);
        }
        Fault::Silences {
            node,
            deaf,
            first,
            pause,
            second,
        } => {
            befall(
                world,
                if deaf {
                    Fault::BusHole { node, time: first }
                } else {
                    Fault::Hole { node, time: first }
                },
            );
            let again = move |world: &Arc<World>| befall(world, Fault::Hole { node, time: second });
            world.schedule.after(first + pause, again);
        }
        Fault::BusHole { node, time } => {
            let until = &mut world.server.weather.lock().bus_hole_until[node];
            *until = (*until).max(now + time);
        }
        Fault::Lose { node } => {
            if let Some(wire) = world.nodes[node].wire() {
                wire.lose();
            }
        }
        Fault::Reset { node } => {
            world.nodes[node].with_link(|link| link.reset());
            troubled(world, node, 0);
        }
        Fault::Freeze { time } => {
            let until = &mut world.server.weather.lock().frozen_until;
            *until = (*until).max(now + time);
            all_troubled(world, time);
        }
        Fault::Restart { time } => {
            let until = &mut world.server.weather.lock().down_until;
            *until = (*until).max(now + time);
            world.server.model.flush();
            world.nodes.iter().for_each(|node| node.with_link(|link| link.reset()));
            all_troubled(world, time);
        }
        Fault::Flush => world.server.model.flush(),
        Fault::LogRefused { time } => {
            world.server.model.refuse_log(true);
            world
                .schedule
                .after(time, |world: &Arc<World>| world.server.model.refuse_log(false));
        }
        Fault::Forget => {
            world.server.model.forget_leases();
            world.server.model.forget_lives();
        }
        Fault::Failover { lag } => {
            let replica = world.server.model.saved();
            let since = world.check(|checker| checker.point());
            all_troubled(world, lag);
            world.schedule.after(lag, move |world: &Arc<World>| {
                if world.plan.scattered {
                    world.server.model.put_back_values(replica);
                } else {
                    world.server.model.put_back(replica);
                }
                for node in &world.nodes {
                    node.with_link(|link| link.succeed());
                    if let Some(wire) = node.wire() {
                        wire.reset(world);
                    }
                }
                world.check(|checker| checker.has_lost(since));
                all_troubled(world, 0);
            });
        }
        Fault::Crash { node, time } => {
            world.nodes[node].crash(world);
            let restart = move |world: &Arc<World>| world.nodes[node].start(world);
            world.schedule.after(time, restart);
            troubled(world, node, time);
        }
        Fault::ClockStep { node, by } => world.nodes[node].clock.step(by),
        Fault::Evict { node } => world.nodes[node].evict(),
    }
    for node in &world.nodes {
        let Some(wire) = node.wire() else { continue };
        match fault {
            Fault::Hole { node: at, time } | Fault::BusHole { node: at, time } if at == node.index => {
                wire.hole(world, time);
            }
            Fault::Freeze { time } => wire.hole(world, time),
            Fault::Reset { node: at } if at == node.index => wire.reset(world),
            Fault::Restart { .. } => wire.reset(world),
            _ => {}
        }
    }
}

fn troubled(world: &World, node: usize, time: u64) {
    let until = world.schedule.now() + time + RECOVERY;
    world.check(|checker| checker.troubled(node, until));
}

fn all_troubled(world: &World, time: u64) {
    (0..world.nodes.len()).for_each(|node| troubled(world, node, time));
}

/// A request in few words.
pub fn short(request: &RemoteRequest) -> String {
    let mut text = format!("{request:?}");
    if let Some(at) = text.find(", envelope") {
        text.truncate(at);
    }
    text
}
