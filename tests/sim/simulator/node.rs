//! A process: an engine, and a host around it that does what the real hosts do: looks into its own hot tier, asks the
//! engine, runs loaders, brings back what they load.

use crate::simulator::bus::{End, Wire};
use crate::simulator::checker::{InvalidationId, Key, LoadId, ReadId, ValueId};
use crate::simulator::faults::Faults;
use crate::simulator::memory::Memory;
use crate::simulator::network::Link;
use crate::simulator::plan::{Call, Loader, LoaderEnding};
use crate::simulator::world::{NodeClock, World};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Handle;
use turbocache::clock::{Clock, Millis};
use turbocache::engine::generation::GenerationTable;
use turbocache::engine::{Engine, FillOutcome, Found, LeaseId, Lookup, Parts, Space, TagOptions, Write};
use turbocache::entry::{Lifetime, SerializerId};
use turbocache::event::{Change, KeyChange};
use turbocache::options::{MemoryOptions, Options};
use turbocache::payload::Fetched;
use turbocache::random::{Random, SeededRandom};
use turbocache::tier::{Compact, MemoryTier, NoMemory};

/// The root namespace and one below it.
const PATHS: [&str; 2] = ["", "n"];
pub const TAGS: [&str; 2] = ["s", "t"];
const DEADLINE: Duration = Duration::from_millis(500);

/// Two keys in the root namespace, two below it.
pub fn namespace_of(key: Key) -> usize {
    key / 2
}

pub fn tags_of(key: Key) -> &'static [&'static str] {
    [&TAGS[..1], &TAGS[..], &TAGS[1..], &[]][key]
}

/// Keys 0 and 1 share a slot of the generation table.
fn name_of(key: Key) -> &'static str {
    static TWIN: OnceLock<String> = OnceLock::new();
    let twin = || {
        let table = GenerationTable::new(TABLE_SEED);
        let same = |name: &String| table.key_slot(0, name) == table.key_slot(0, "a");
        (0..)
            .map(|n| format!("twin{n}"))
            .find(same)
            .expect("the slots are finite")
    };
    ["a", TWIN.get_or_init(twin), "c", "d"][key]
}

const TABLE_SEED: u64 = 7;

/// The first number seeds the generation table: the same in every history, so that the twins are twins.
struct NodeRandom {
    asked: AtomicU64,
    rest: SeededRandom,
}

impl Random for NodeRandom {
    fn next(&self) -> u64 {
        match self.asked.fetch_add(1, Ordering::SeqCst) {
            0 => TABLE_SEED,
            _ => self.rest.next(),
        }
    }
}

/// The place of a process; another one takes it after a crash.
pub struct Node {
    pub index: usize,
    pub clock: Arc<NodeClock>,
    random: SeededRandom,
    faults: Faults,
    process: Mutex<Option<Arc<Process>>>,
}

struct Process {
    node: usize,
    engine: Arc<Engine>,
    spaces: [Space; 2],
    link: Arc<Link>,
    wire: Arc<Wire>,
    /// `None`: it keeps nothing, in a hot tier neither.
    memory: Option<Arc<Memory>>,
    hot: Mutex<HashMap<Key, Hot>>,
}

/// What a hot tier keeps, and what must still stand in the mirror when it serves it again.
struct Hot {
    value: ValueId,
    words: Vec<(u32, u32)>,
    fresh_until: Millis,
}

impl Node {
    pub fn new(index: usize, seed: u64, faults: &Faults) -> Self {
        let random = SeededRandom::new(seed);
        Self {
            index,
            clock: Arc::new(NodeClock::new(random.next() >> 24)),
            random,
            faults: *faults,
            process: Mutex::default(),
        }
    }

    /// Unless it runs.
    pub fn start(&self, world: &Arc<World>) {
        if self.process.lock().is_some() {
            return;
        }
        let link = Arc::new(Link::new(world, self.index));
        let wire = Arc::new(Wire::new(world, self.index));
        let inner = Arc::new(Compact::new(1 << 20, 1 << 10, self.random.next()));
        let memory = Arc::new(Memory::new(inner, self.faults.memory_sticks));
        let memory = (self.index >= world.plan.keep_nothing).then_some(memory);
        let clock: Arc<dyn Clock> = self.clock.clone();
        let options = Options {
            memory: memory.is_some().then(MemoryOptions::default),
            compression: None,
            ..Options::default()
        };
        let parts = Parts {
            random: Arc::new(NodeRandom {
                asked: AtomicU64::new(0),
                rest: SeededRandom::new(self.random.next()),
            }),
            memory: memory.clone().map_or_else(
                || Arc::new(NoMemory) as Arc<dyn MemoryTier>,
                |memory| memory as Arc<dyn MemoryTier>,
            ),
            remote: turbocache::guarded(Shared(link.clone()), DEADLINE, &clock),
            bus: Arc::new(End(wire.clone())),
            runtime: Handle::current(),
            clock,
            warnings: Arc::default(),
        };
        let engine = Engine::open(options, parts).expect("an engine");
        let spaces = PATHS.map(|path| Space::open(&engine, path, SerializerId::JSON));
        *self.process.lock() = Some(Arc::new(Process {
            node: self.index,
            engine,
            spaces,
            link,
            wire,
            memory,
            hot: Mutex::default(),
        }));
    }

    /// kill -9.
    pub fn crash(&self, world: &Arc<World>) {
        self.stop();
        world.died(self.index);
    }

    pub fn stop(&self) {
        if let Some(process) = self.process.lock().take() {
            process.link.die();
            process.wire.die();
            process.engine.close();
        }
    }

    pub fn wire(&self) -> Option<Arc<Wire>> {
        self.process().map(|process| process.wire.clone())
    }

    pub fn with_link(&self, act: impl FnOnce(&Link)) {
        if let Some(process) = self.process() {
            act(&process.link);
        }
    }

    pub fn evict(&self) {
        if let Some(process) = self.process() {
            process.memory.iter().for_each(|memory| memory.evict());
        }
    }

    /// Somebody calls; nobody does while the process is dead.
    pub fn call(&self, world: &Arc<World>, call: Call) {
        let Some(process) = self.process() else { return };
        match call {
            Call::Get(key) => process.get(world, call, key),
            Call::Peek(key) => process.peek(world, call, key),
            Call::GetOrSet(key, loader) => process.get_or_set(world, call, key, loader),
            Call::Refresh(key, loader) => process.refresh(world, key, loader),
            _ => process.change(world, call),
        }
    }

    fn process(&self) -> Option<Arc<Process>> {
        self.process.lock().clone()
    }

    fn is_alive(&self, process: &Arc<Process>) -> bool {
        self.process
            .lock()
            .as_ref()
            .is_some_and(|alive| Arc::ptr_eq(alive, process))
    }
}

impl Process {
    fn get(self: &Arc<Self>, world: &Arc<World>, call: Call, key: Key) {
        let read = self.begin(world, call, key);
        if let Some(value) = self.hot_value(key) {
            return self.answer(world, read, Some((value, false)));
        }
        if self.memory.is_none() {
            return self.get_and_keep_nothing(world, read, key);
        }
        let done = self.unless_dead(world, move |process, world, found: Option<Found>| {
            let found = found.filter(|found| !found.is_stale());
            process.found(world, read, key, found.as_ref());
        });
        self.space(key).read(name_of(key), done);
    }

    fn get_and_keep_nothing(self: &Arc<Self>, world: &Arc<World>, read: ReadId, key: Key) {
        let done = self.unless_dead(world, move |process, world, value: Option<Fetched>| {
            process.answer(world, read, value.map(|value| (value_in(&value), false)));
        });
        let done = Mutex::new(Some(done));
        self.space(key).values(
            &[name_of(key)],
            Arc::new(move |_, value| (done.lock().take().expect("one answer"))(value)),
        );
    }

    fn peek(self: &Arc<Self>, world: &Arc<World>, call: Call, key: Key) {
        let read = self.begin(world, call, key);
        let found = self
            .space(key)
            .peek(name_of(key))
            .found
            .filter(|found| !found.is_stale());
        self.found(world, read, key, found.as_ref());
    }

    fn get_or_set(self: &Arc<Self>, world: &Arc<World>, call: Call, key: Key, loader: Loader) {
        let read = self.begin(world, call, key);
        if let Some(value) = self.hot_value(key) {
            return self.answer(world, read, Some((value, false)));
        }
        let done = self.unless_dead(world, move |process, world, lookup: Lookup| {
            let read_by = Some(read);
            match lookup {
                Lookup::Hit(found) | Lookup::Stale(found, None) => process.found(world, read, key, Some(&found)),
                Lookup::Stale(found, Some((lease, _))) => {
                    let stale = Some((value_of(&found), true));
                    process.load(
                        world,
                        Task {
                            key,
                            loader,
                            lease,
                            read: read_by,
                            stale,
                        },
                    );
                }
                Lookup::Load(lease, _) => process.load(
                    world,
                    Task {
                        key,
                        loader,
                        lease,
                        read: read_by,
                        stale: None,
                    },
                ),
                Lookup::Nothing => process.answer(world, read, None),
            }
        });
        self.space(key).lookup(name_of(key), done);
    }

    fn refresh(self: &Arc<Self>, world: &Arc<World>, key: Key, loader: Loader) {
        let done = self.unless_dead(world, move |process, world, lookup: Lookup| {
            if let Lookup::Load(lease, _) | Lookup::Stale(_, Some((lease, _))) = lookup {
                process.load(
                    world,
                    Task {
                        key,
                        loader,
                        lease,
                        read: None,
                        stale: None,
                    },
                );
            }
        });
        self.space(key).lookup_refresh(name_of(key), done);
    }

    fn load(self: &Arc<Self>, world: &Arc<World>, task: Task) {
        let load = world.check(|checker| checker.load(self.node, task.key, task.read));
        world.note(|| format!("     node {} loads key {} with {:?}", self.node, task.key, task.lease));
        let ended = self.unless_dead(world, move |process, world, version| {
            process.loaded(world, task, load, version)
        });
        world
            .schedule
            .after(task.loader.reads_after, move |world: &Arc<World>| {
                let version = world.version(task.key);
                world
                    .schedule
                    .after(task.loader.ends_after, move |_: &Arc<World>| ended(version));
            });
    }

    fn loaded(self: &Arc<Self>, world: &Arc<World>, task: Task, load: LoadId, version: u64) {
        world.check(|checker| checker.load_ended(load));
        let space = self.space(task.key);
        match task.loader.ending {
            LoaderEnding::Value => {}
            LoaderEnding::Error => {
                space.release(task.lease, true);
                return task.read.map_or((), |read| self.answer(world, read, task.stale));
            }
            LoaderEnding::Cancelled => {
                space.release(task.lease, false);
                return task
                    .read
                    .map_or((), |read| world.check(|checker| checker.gave_up(read)));
            }
        }
        world.note(|| {
            format!(
                "     node {} has loaded version {version} of key {}",
                self.node, task.key
            )
        });
        let value = world.check(|checker| checker.loaded_value(self.node, task.key, version, world.life()));
        let done = self.unless_dead(
            world,
            move |process, world, outcome: turbocache::Result<FillOutcome>| {
                world.note(|| format!("     node {} filled: {}", process.node, kind(&outcome)));
                if let Ok(FillOutcome::Stored(found)) = &outcome {
                    process.keep(task.key, found);
                }
                if let Some(read) = task.read {
                    process.answer(world, read, Some((value, false)));
                }
            },
        );
        let payload = (value.0 as u64).to_le_bytes();
        space.fill(task.lease, write(world, &payload, task.key), done);
    }

    fn change(self: &Arc<Self>, world: &Arc<World>, call: Call) {
        let soft = matches!(
            call,
            Call::Expire(_) | Call::InvalidateTagSoftly(_) | Call::ClearSoftly(_)
        );
        let soft = soft && world.plan.grace > 0;
        let id = world.invalidate(call, self.node, soft);
        let done = |change| self.done(world, call, id, change);
        let of_key = |how, key: Key| {
            Some(Change::Key {
                how,
                path: PATHS[namespace_of(key)].into(),
                key: name_of(key).into(),
            })
        };
        match call {
            Call::Set(key) => {
                let version = world.version(key);
                let value = world.check(|checker| checker.set_value(id, key, version, world.life()));
                let payload = (value.0 as u64).to_le_bytes();
                let write = write(world, &payload, key);
                self.space(key)
                    .set(name_of(key), write, done(of_key(KeyChange::Set, key)));
            }
            Call::Delete(key) => self
                .space(key)
                .delete(name_of(key), done(of_key(KeyChange::Delete, key))),
            Call::Expire(key) => self
                .space(key)
                .expire(name_of(key), done(of_key(KeyChange::Expire, key))),
            Call::InvalidateTag(tag) => {
                let fields = vec![format!("t::{}", TAGS[tag]).into()];
                self.spaces[0].invalidate_tags(&[TAGS[tag]], done(Some(Change::Tags { fields })));
            }
            Call::Clear(namespace) => {
                let path = PATHS[namespace].into();
                self.spaces[namespace].clear(done(Some(Change::Clear { path })));
            }
            Call::InvalidateTagSoftly(tag) => {
                let options = TagOptions {
                    soft: true,
                    ..TagOptions::default()
                };
                self.spaces[0].invalidate_tags_with(&[TAGS[tag]], options, done(None));
            }
            Call::InvalidateAll => {
                let options = TagOptions {
                    all: true,
                    ..TagOptions::default()
                };
                self.spaces[0].invalidate_tags_with(&TAGS, options, done(None));
            }
            Call::ClearSoftly(namespace) => self.spaces[namespace].clear_softly(done(None)),
            Call::Get(_) | Call::Peek(_) | Call::GetOrSet(..) | Call::Refresh(..) => {}
        }
    }

    fn done(
        self: &Arc<Self>,
        world: &Arc<World>,
        call: Call,
        id: InvalidationId,
        change: Option<Change>,
    ) -> Box<dyn FnOnce(turbocache::Result<bool>) + Send> {
        self.unless_dead(world, move |process, world, result: turbocache::Result<bool>| {
            world.note(|| format!("     node {} {call:?} is done: {}", process.node, result.is_ok()));
            if result.is_ok() {
                world.acknowledged(id, process.node, change.as_ref());
            }
        })
    }

    /// A callback. What a dead process does has no effect; and no callback keeps a process, or a world, alive.
    fn unless_dead<T>(
        self: &Arc<Self>,
        world: &Arc<World>,
        act: impl FnOnce(&Arc<Self>, &Arc<World>, T) + Send + 'static,
    ) -> Box<dyn FnOnce(T) + Send> {
        let (process, world) = (Arc::downgrade(self), Arc::downgrade(world));
        Box::new(move |given| {
            if let (Some(process), Some(world)) = (process.upgrade(), world.upgrade())
                && world.nodes[process.node].is_alive(&process)
            {
                act(&process, &world, given);
            }
        })
    }

    fn space(&self, key: Key) -> &Space {
        &self.spaces[namespace_of(key)]
    }

    fn begin(&self, world: &World, call: Call, key: Key) -> ReadId {
        world.check(|checker| checker.read(format!("{call:?}"), self.node, key))
    }

    fn found(&self, world: &World, read: ReadId, key: Key, found: Option<&Found>) {
        if let Some(found) = found {
            self.keep(key, found);
        }
        self.answer(world, read, found.map(|found| (value_of(found), found.is_stale())));
    }

    fn answer(&self, world: &World, read: ReadId, answer: Option<(ValueId, bool)>) {
        world.note(|| format!("     node {} answers {read:?}: {answer:?}", self.node));
        world.check(|checker| checker.answered(read, answer));
    }

    fn keep(&self, key: Key, found: &Found) {
        if !found.keepable || found.is_stale() || self.memory.is_none() {
            return;
        }
        let capture = &found.capture;
        let mut words = found.tag_words.clone();
        words.push((capture.slot, capture.stamp.generation as u32));
        words.push((self.space(key).index(), capture.namespace_word));
        let fresh_until = self.engine.clock().now().after(found.fresh_for.unsigned_abs());
        let value = value_of(found);
        self.hot.lock().insert(
            key,
            Hot {
                value,
                words,
                fresh_until,
            },
        );
    }

    fn hot_value(&self, key: Key) -> Option<ValueId> {
        let hot = self.hot.lock();
        let entry = hot.get(&key)?;
        let table = self.engine.generations();
        let stands = |(index, word): &(u32, u32)| table.generation(*index) as u32 == *word;
        (self.engine.clock().now() < entry.fresh_until && entry.words.iter().all(stands)).then_some(entry.value)
    }
}

#[derive(Clone, Copy)]
struct Task {
    key: Key,
    loader: Loader,
    lease: LeaseId,
    /// `None` for a refresh.
    read: Option<ReadId>,
    stale: Option<(ValueId, bool)>,
}

fn write<'a>(world: &World, payload: &'a [u8], key: Key) -> Write<'a> {
    let life = world.life();
    Write {
        payload,
        serializer: SerializerId::JSON,
        lifetime: Lifetime {
            ttl: life.ttl,
            grace: life.grace,
        },
        tags: tags_of(key),
    }
}

fn value_of(found: &Found) -> ValueId {
    value_in(&found.entry.payload)
}

fn value_in(payload: &[u8]) -> ValueId {
    let bytes = payload.first_chunk().expect("a value of this history");
    ValueId(u64::from_le_bytes(*bytes) as usize)
}

fn kind(outcome: &turbocache::Result<FillOutcome>) -> &'static str {
    match outcome {
        Ok(FillOutcome::Stored(_)) => "stored",
        Ok(FillOutcome::Refused) => "refused",
        Err(_) => "failed",
    }
}

/// The link is the process' own, and the tier's.
struct Shared(Arc<Link>);

impl turbocache::tier::RemoteTier for Shared {
    fn execute<'a>(
        &'a self,
        batch: &'a [turbocache::tier::RemoteRequest],
    ) -> std::pin::Pin<Box<dyn Future<Output = turbocache::tier::Replies> + Send + 'a>> {
        self.0.execute(batch)
    }

    fn batches_in_flight(&self) -> usize {
        self.0.batches_in_flight()
    }

    fn successions(&self) -> u64 {
        self.0.successions()
    }

    fn is_scattered(&self) -> bool {
        self.0.is_scattered()
    }

    fn state(&self) -> turbocache::tier::RemoteState {
        self.0.state()
    }
}
