//! The bus between the nodes: one channel of the store. What a node says comes with its requests; each subscription has its
//! own way back.

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

/// One process' end of the bus.
pub struct Wire {
    world: Weak<World>,
    node: usize,
    incoming: Mutex<Incoming>,
    dead: AtomicBool,
}

#[derive(Default)]
struct Incoming {
    engine: Option<mpsc::UnboundedSender<Heard>>,
    /// The store sends what is published here.
    subscribed: bool,
    /// The next message is lost.
    loses: bool,
    /// On their way, in order; of a `Listening` or `Lost` nobody needs a name.
    on_way: VecDeque<(Option<MessageId>, Heard)>,
}

impl Wire {
    pub fn new(world: &Arc<World>, node: usize) -> Self {
        Self {
            world: Arc::downgrade(world),
            node,
            incoming: Mutex::default(),
            dead: AtomicBool::new(false),
        }
    }

    /// The process has died.
    pub fn die(&self) {
        self.dead.store(true, Ordering::SeqCst);
        *self.incoming.lock() = Incoming::default();
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

    /// The next message is lost.
    pub fn lose(&self) {
        self.incoming.lock().loses = true;
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

    /// The store sends a message to this subscriber.
    pub fn send_back(self: &Arc<Self>, world: &World, id: Option<MessageId>, heard: Heard) {
        {
            let mut incoming = self.incoming.lock();
            if !incoming.subscribed || (id.is_some() && std::mem::take(&mut incoming.loses)) {
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
    fn listen(&self, engine: mpsc::UnboundedSender<Heard>) {
        let wire = &self.0;
        let Some(world) = wire.world.upgrade() else { return };
        wire.incoming.lock().engine = Some(engine);
        wire.subscribe_after(&world, world.server.way(wire.node));
    }
}
