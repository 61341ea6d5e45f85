//! What tests stand on: servers, tiers and buses under control, and waiting without sleeping.

mod awake;
mod cluster;
mod fake;
mod model;
mod sentinel;
mod server;
mod shared;
mod slow_memory;

pub use awake::TimeAwake;
pub use cluster::RedisCluster;
pub use fake::{FakeBus, FakeRemote};
pub use model::Model;
pub use sentinel::SentinelTrio;
pub use server::{RedisServer, Reply};
pub use shared::{Shared, shared};
pub use slow_memory::{At, SlowMemory};

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use turbocache::clock::{Clock, ManualClock, Millis};
use turbocache::engine::{Engine, Parts, Space};
use turbocache::{Cache, CacheBuilder};

/// Longest wait for something that must happen.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Waits until the condition holds: for what another thread or process brings about.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !holds().await {
        assert!(begin.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The result of a future that must not hang.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("it hangs")
}

/// What a callback is given.
pub async fn answer<T: Send + 'static>(begin: impl FnOnce(Box<dyn FnOnce(T) + Send>)) -> T {
    let (sender, answer) = oneshot::channel();
    begin(Box::new(move |value| drop(sender.send(value))));
    soon(answer).await.expect("the callback was dropped")
}

/// Several engines over one model of a remote tier and one bus, on a clock that stands still.
pub struct World {
    pub clock: Arc<ManualClock>,
    pub model: Arc<Model>,
    pub bus: FakeBus,
}

impl World {
    pub fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let bus = FakeBus::default();
        let published = bus.clone();
        let model = Model::publishing(clock.clone(), move |message| published.publish(message));
        Self {
            model: Arc::new(model),
            bus,
            clock,
        }
    }

    /// The time of every process.
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Whether so much time has passed since the world began.
    pub fn clock_is_past(&self, time: Duration) -> bool {
        self.now().0 > time.as_millis() as u64
    }

    /// One more process: its cache, and its way to the remote tier.
    pub async fn join(&self) -> (Cache, Arc<FakeRemote>) {
        self.join_as(Cache::builder()).await
    }

    pub async fn join_as(&self, builder: CacheBuilder) -> (Cache, Arc<FakeRemote>) {
        let (cache, remote) = self.join_unheard(builder);
        hearing(&cache).await;
        (cache, remote)
    }

    /// One more process, which may not hear the bus yet.
    pub fn join_unheard(&self, builder: CacheBuilder) -> (Cache, Arc<FakeRemote>) {
        let remote = Arc::new(FakeRemote::new(self.model.clone()));
        let parts = Parts {
            clock: self.clock.clone(),
            remote: remote.clone(),
            bus: Arc::new(self.bus.clone()),
            ..Parts::local(builder.options(), Handle::current())
        };
        (builder.build_on(parts).expect("a cache"), remote)
    }

    /// A process without remote tier.
    pub fn alone(&self, builder: CacheBuilder) -> Cache {
        let parts = Parts {
            clock: self.clock.clone(),
            ..Parts::local(builder.options(), Handle::current())
        };
        builder.build_on(parts).expect("a cache")
    }
}

/// Waits until the cache hears what others do.
pub async fn hearing(cache: &Cache) {
    eventually("the bus is heard", async || cache.engine().hears_bus()).await;
}

/// The root namespace of a cache's engine, for values in JSON.
pub fn space(cache: &Cache) -> Space {
    Space::open(cache.engine(), "", turbocache::entry::SerializerId::JSON)
}

/// The number of loads that the engine has handed out.
pub fn loads(engine: &Engine) -> u64 {
    engine.counters().loads_started.value()
}
