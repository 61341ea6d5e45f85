//! The bus between the nodes: one channel of the store. Each node publishes over a connection of its own, in order, until
//! the store has taken the message; each subscription has its own way back.

use crate::simulator::checker::MessageId;
use crate::simulator::world::World;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::mpsc;
use turbocache::bus::{Bus, Heard};

/// A subscription that hears nothing for so long is given up: twice the period of its ping.
const SILENT: u64 = 800;
/// A message that the store has not taken after so long is sent again.
const DEADLINE: u64 = 500;

/// One process' end of the bus.
pub struct Wire {
    world: Weak<World>,
    node: usize,
    outgoing: Mutex<Outgoing>,
    incoming: Mutex<Incoming>,
    dead: AtomicBool,
}

#[derive(Default)]
struct Outgoing {
    waiting: VecDeque<(MessageId, Vec<u8>)>,
    /// The first one is on its way.
    sending: bool,
}

#[derive(Default)]
struct Incoming {
    engine: Option<mpsc::UnboundedSender<Heard>>,
    /// The store sends what is published here.
    subscribed: bool,
    /// On their way, in order; of a `Listening` or `Lost` nobody needs a name.
    on_way: VecDeque<(Option<MessageId>, Heard)>,
}

impl Wire {
    pub fn new(world: &Arc<World>, node: usize) -> Self {
        Self {
            world: Arc::downgrade(world),
            node,
            outgoing: Mutex::default(),
            incoming: Mutex::default(),
            dead: AtomicBool::new(false),
        }
    }

    /// The process has died.
    pub fn die(&self) {
        self.dead.store(true, Ordering::SeqCst);
        *self.incoming.lock() = Incoming::default();
        self.outgoing.lock().waiting.clear();
    }

    /// The subscription is closed, and noticed so: it is made again when the store can be reached.
    pub fn reset(self: &Arc<Self>, world: &World) {
        let was = {
            let mut incoming = self.incoming.lock();
            // What is on its way is lost with the connection.
            incoming.on_way.clear();
            std::mem::replace(&mut incoming.subscribed, false)
        };
        if was {
            self.arrives(world, None, Heard::Lost);
            self.subscribe_after(world, 20 + world.server.dice[self.node].below(1_000));
        }
    }

    /// Nothing passes for `time`; the subscription is lost if that is long enough to be noticed.
    pub fn hole(self: &Arc<Self>, world: &World, time: u64) {
        let noticed = SILENT / 2 + world.server.dice[self.node].below(SILENT / 2);
        if time > noticed {
            let wire = Arc::clone(self);
            world
                .schedule
                .after(noticed, move |world: &Arc<World>| wire.reset(world));
        }
    }

    fn subscribe_after(self: &Arc<Self>, world: &World, pause: u64) {
        let wire = Arc::clone(self);
        world.schedule.after(pause, move |world: &Arc<World>| {
            let now = world.schedule.now();
            let blocked = wire.blocked(world);
            if blocked > now {
                return wire.subscribe_after(world, blocked - now + 20 + world.server.dice[wire.node].below(1_000));
            }
            if wire.dead.load(Ordering::SeqCst) || std::mem::replace(&mut wire.incoming.lock().subscribed, true) {
                return;
            }
            wire.send_back(world, None, Heard::Listening);
        });
    }

    fn blocked(&self, world: &World) -> u64 {
        let weather = world.server.weather.lock();
        let way = weather.hole_until[self.node].max(weather.bus_hole_until[self.node]);
        way.max(weather.frozen_until).max(weather.down_until)
    }

    fn send_after(self: &Arc<Self>, world: &World, pause: u64, sent_at: u64) {
        let wire = Arc::clone(self);
        world.schedule.after(pause, move |world: &Arc<World>| {
            let now = world.schedule.now();
            let blocked = {
                let weather = world.server.weather.lock();
                weather.hole_until[wire.node]
                    .max(weather.frozen_until)
                    .max(weather.down_until)
            };
            if blocked > now && blocked - sent_at < DEADLINE {
                return wire.send_after(world, blocked - now, sent_at);
            }
            if blocked > now {
                // It was not answered in time, and goes again. The first one may arrive, too.
                if world.server.dice[wire.node].chance(50) {
                    let late = wire.outgoing.lock().waiting.front().cloned();
                    world.schedule.after(blocked - now, move |world: &Arc<World>| {
                        if let Some((id, message)) = late {
                            world.fan_out(id, &message);
                        }
                    });
                }
                let pause = blocked - now + world.server.dice[wire.node].below(1_000);
                return wire.send_after(world, pause, now + pause);
            }
            let message = {
                let mut outgoing = wire.outgoing.lock();
                let message = outgoing.waiting.pop_front();
                outgoing.sending = !outgoing.waiting.is_empty();
                message
            };
            let Some((id, message)) = message else { return };
            world.fan_out(id, &message);
            if wire.outgoing.lock().sending {
                wire.send_after(world, world.server.dice[wire.node].below(2), now);
            }
        });
    }

    /// The store sends a message to this subscriber.
    pub fn send_back(self: &Arc<Self>, world: &World, id: Option<MessageId>, heard: Heard) {
        {
            let mut incoming = self.incoming.lock();
            if !incoming.subscribed {
                return;
            }
            incoming.on_way.push_back((id, heard));
        }
        self.arrive_after(world, world.server.way(self.node));
    }

    fn arrive_after(self: &Arc<Self>, world: &World, pause: u64) {
        let wire = Arc::clone(self);
        world.schedule.after(pause, move |world: &Arc<World>| {
            let now = world.schedule.now();
            let blocked = {
                let weather = world.server.weather.lock();
                weather.hole_until[wire.node].max(weather.bus_hole_until[wire.node])
            };
            if blocked > now {
                return wire.arrive_after(world, blocked - now + world.server.way(wire.node));
            }
            let next = wire.incoming.lock().on_way.pop_front();
            if let Some((id, heard)) = next {
                wire.arrives(world, id, heard);
            }
        });
    }

    fn arrives(&self, world: &World, id: Option<MessageId>, heard: Heard) {
        if self.dead.load(Ordering::SeqCst) {
            return;
        }
        let engine = self.incoming.lock().engine.clone();
        if let Some(engine) = engine
            && engine.send(heard).is_ok()
        {
            world.arrived(self.node, id);
        }
    }
}

/// What an engine holds of its wire.
pub struct End(pub Arc<Wire>);

impl Bus for End {
    fn publish(&self, message: Vec<u8>) {
        let wire = &self.0;
        let Some(world) = wire.world.upgrade() else { return };
        if wire.dead.load(Ordering::SeqCst) {
            return;
        }
        let id = world.published(wire.node, &message);
        let idle = {
            let mut outgoing = wire.outgoing.lock();
            outgoing.waiting.push_back((id, message));
            !std::mem::replace(&mut outgoing.sending, true)
        };
        if idle {
            wire.send_after(&world, world.server.way(wire.node), world.schedule.now());
        }
    }

    fn listen(&self, engine: mpsc::UnboundedSender<Heard>) {
        let wire = &self.0;
        let Some(world) = wire.world.upgrade() else { return };
        wire.incoming.lock().engine = Some(engine);
        wire.subscribe_after(&world, world.server.way(wire.node));
    }
}
