//! One server, a master that Sentinels watch, a Cluster: the rules of the engine hold on each of them. Each scenario is
//! written once; what is peculiar to one topology has a file of its own.

#![allow(
    clippy::await_holding_lock,
    reason = "each test has a thread and a runtime of its own: who waits for the shared servers holds up nobody else"
)]
#![allow(clippy::unwrap_used, reason = "scenarios are the bodies of tests")]

use crate::redis_sentinel::ELECTION;
use crate::rig::{
    RedisCluster, RedisServer, Reply, SentinelTrio, TimeAwake, answer, eventually, hearing, loads, shared, soon, space,
};
use futures_util::future::join_all;
use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use turbocache::engine::Lookup;
use turbocache::options::SentinelOptions;
use turbocache::{Cache, CacheBuilder, LoadContext, LoadOptions, Lock, LockOptions, TagOptions, WriteOptions};

/// A test of each scenario on each topology. Those that harm nothing share a Cluster and a Sentinel trio; the others have
/// their own.
macro_rules! on_each_topology {
    (shared: $($scenario:ident)*; alone: $($harmful:ident)*) => {
        mod one_server {
            use super::*;
            $(#[tokio::test] async fn $scenario() {
                super::$scenario(&Place::One(&RedisServer::start())).await;
            })*
            $(#[tokio::test] async fn $harmful() {
                super::$harmful(&Place::One(&RedisServer::start())).await;
            })*
        }
        mod sentinels {
            use super::*;
            $(#[tokio::test] async fn $scenario() {
                super::$scenario(&Place::Sentinels(&shared().trio)).await;
            })*
            $(#[tokio::test] async fn $harmful() {
                let _alone = ELECTION.lock().await;
                super::$harmful(&Place::Sentinels(&SentinelTrio::start())).await;
            })*
        }
        mod cluster {
            use super::*;
            $(#[tokio::test] async fn $scenario() {
                super::$scenario(&Place::Cluster(&shared().cluster)).await;
            })*
            $(#[tokio::test] async fn $harmful() {
                super::$harmful(&Place::Cluster(&RedisCluster::start())).await;
            })*
        }
    };
}

on_each_topology! {
    shared:
    tags_reach_every_process_any_of_them_all_of_them_and_softly
    a_clear_and_a_deletion_by_pattern_reach_every_process
    processes_make_one_load_and_a_leader_who_is_dropped_frees_the_others
    a_process_that_dies_while_it_loads_frees_the_others_within_two_seconds
    a_lock_passes_on_with_a_greater_token_and_who_loses_it_is_told
    a_refresh_ahead_of_time_is_made_by_one_process
    an_old_value_is_served_to_all_while_one_process_loads
    a_change_of_which_nobody_is_told_is_noticed;
    alone:
    what_was_changed_while_its_server_was_frozen_is_served_old_to_nobody
    what_is_held_is_dropped_when_the_server_of_the_bus_falls_silent
}

/// Where processes meet.
enum Place<'a> {
    One(&'a RedisServer),
    Sentinels(&'a SentinelTrio),
    Cluster(&'a RedisCluster),
}

/// The name of the namespace's state; its messages are on the same server.
const STATE: &str = "tc:{shop}:g";

/// The name under which Redis has a value.
fn name(key: &str) -> String {
    format!("tc:{{shop:{key}}}:v")
}

impl Place<'_> {
    /// One more process.
    async fn join(&self) -> Cache {
        join(self.builder()).await
    }

    fn builder(&self) -> CacheBuilder {
        let builder = Cache::builder().namespace("shop");
        match self {
            Place::One(server) => builder.redis(server.url()),
            Place::Sentinels(trio) => builder.redis_sentinel(trio.options()),
            Place::Cluster(cluster) => builder.redis_cluster(cluster.urls()),
        }
    }

    /// As a user with the password `secret`.
    fn builder_as(&self, user: &str) -> CacheBuilder {
        let builder = Cache::builder().namespace("shop");
        let with_user = |url: String| url.replace("redis://", &format!("redis://{user}:secret@"));
        match self {
            Place::One(server) => builder.redis(with_user(server.url())),
            Place::Sentinels(trio) => builder.redis_sentinel(SentinelOptions {
                username: Some(user.to_owned()),
                password: Some("secret".to_owned()),
                ..trio.options()
            }),
            Place::Cluster(cluster) => builder.redis_cluster(cluster.urls().into_iter().map(with_user)),
        }
    }

    fn masters(&self) -> &[RedisServer] {
        match self {
            Place::One(server) => std::slice::from_ref(server),
            Place::Sentinels(trio) => &trio.servers[..1],
            Place::Cluster(cluster) => &cluster.nodes,
        }
    }

    /// The master that has this name.
    fn server_of(&self, name: &str) -> &RedisServer {
        match self {
            Place::Cluster(cluster) => &cluster.nodes[cluster.owner_of(name)],
            _ => &self.masters()[0],
        }
    }

    /// Two keys of one server: where there are several, of another one than the state's.
    fn keys_beside_state(&self) -> [String; 2] {
        let mut keys = (0..).map(|n| format!("key {n}"));
        [(); 2].map(|()| keys.find(|key| self.is_beside_state(key)).expect("a key"))
    }

    fn is_beside_state(&self, key: &str) -> bool {
        match self {
            Place::Cluster(cluster) => cluster.owner_of(&name(key)) == (cluster.owner_of(STATE) + 1) % 3,
            _ => true,
        }
    }

    /// Whoever may be promoted has this key.
    async fn has_replicated(&self, key: &str) {
        if let Place::Sentinels(trio) = self {
            let there = || trio.servers[1].has(&name(key));
            eventually("the replica has it", async || there()).await;
        }
    }

    /// Ends that a server was frozen: it goes on, or its replica has been promoted in its place.
    fn thaw(&self, frozen: &RedisServer) {
        if !matches!(self, Place::Sentinels(_)) {
            frozen.thaw();
        }
    }
}

async fn join(builder: CacheBuilder) -> Cache {
    let cache = builder.build().expect("a cache");
    hearing(&cache).await;
    cache
}

fn tagged<'a>(tags: &'a [&'a str], grace: Duration) -> WriteOptions<'a> {
    WriteOptions {
        grace: Some(grace),
        tags,
        ..WriteOptions::default()
    }
}

const GRACE: Duration = Duration::from_secs(60);

/// The process has the value in memory.
async fn hold(cache: &Cache, key: &str, value: u8) {
    eventually("the value is in memory", async || {
        soon(cache.get::<u8>(key)).await.expect("an answer");
        cache.peek::<u8>(key) == Some(value)
    })
    .await;
}

async fn reads(cache: &Cache, key: &str, value: Option<u8>) {
    eventually(&format!("{key} is {value:?}"), async || {
        soon(cache.get::<u8>(key)).await.expect("an answer") == value
    })
    .await;
}

async fn tags_reach_every_process_any_of_them_all_of_them_and_softly(place: &Place<'_>) {
    let (a, b) = (place.join().await, place.join().await);
    let entries: [(&str, &[&str]); 3] = [("ab", &["a", "b"]), ("b", &["b"]), ("none", &[])];
    for (way, all, soft, gone) in [
        ("any", false, false, &["ab", "b"][..]),
        ("all", true, false, &["ab"]),
        ("any, softly", false, true, &["ab", "b"]),
        ("all, softly", true, true, &["ab"]),
    ] {
        for (key, tags) in entries {
            a.set_with(key, &1, &tagged(tags, GRACE)).await.unwrap();
            hold(&b, key, 1).await;
        }
        let options = TagOptions { all, soft };
        a.invalidate_tags_with(&["b", "a"], options).await.unwrap();
        for cache in [&a, &b, &place.join().await] {
            for (key, _) in entries {
                reads(cache, key, (!gone.contains(&key)).then_some(1)).await;
            }
            for key in gone {
                let failing = || async { Err::<u8, _>("the origin is down") };
                let old = soon(cache.get_or_load(key, failing)).await.ok();
                assert_eq!(old, soft.then_some(1), "{way}: {key}");
            }
        }
    }
    assert_eq!(a.engine().warnings(), []);
}

async fn a_clear_and_a_deletion_by_pattern_reach_every_process(place: &Place<'_>) {
    let (a, b) = (place.join().await, place.join().await);
    // So many that each server has some.
    let users: Vec<String> = (0..30).map(|n| format!("user:{n}")).collect();
    for key in users.iter().map(String::as_str).chain(["order"]) {
        a.set(key, &1).await.unwrap();
        hold(&b, key, 1).await;
    }
    assert_eq!(soon(a.delete_pattern("user:*")).await.unwrap(), 30);
    for cache in [&a, &b, &place.join().await] {
        for key in &users {
            reads(cache, key, None).await;
        }
        assert_eq!(soon(cache.get::<u8>("order")).await.unwrap(), Some(1));
    }
    let nested = b.nested("below");
    nested.set("k", &1).await.unwrap();
    hold(&a.nested("below"), "k", 1).await;
    hold(&a, "order", 1).await;
    nested.clear().await.unwrap();
    reads(&a.nested("below"), "k", None).await;
    assert_eq!(a.peek::<u8>("order"), Some(1), "beside what was cleared");
    b.clear().await.unwrap();
    for cache in [&a, &b, &place.join().await] {
        reads(cache, "order", None).await;
    }
}

async fn processes_make_one_load_and_a_leader_who_is_dropped_frees_the_others(place: &Place<'_>) {
    let (a, b) = (place.join().await, place.join().await);
    for n in 0..10 {
        let key = format!("key {n}");
        let count = AtomicUsize::new(0);
        let load = || async {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(7)
        };
        let callers = (0..100).map(|n| [&a, &b][n % 2].get_or_load(&key, load));
        for loaded in soon(join_all(callers)).await {
            assert_eq!(loaded.unwrap(), 7);
        }
        assert_eq!(count.load(Ordering::SeqCst), 1, "{key}");
    }
    let before = loads(a.engine());
    let leader = tokio::spawn({
        let a = a.clone();
        async move { a.get_or_load("k", pending::<Result<u8, Infallible>>).await }
    });
    eventually("A loads", async || loads(a.engine()) > before).await;
    let misses = b.engine().counters().remote_misses.value();
    let waiting = tokio::spawn({
        let b = b.clone();
        async move { b.get_or_load("k", || async { Ok::<_, Infallible>(8) }).await }
    });
    eventually("B has asked", async || {
        b.engine().counters().remote_misses.value() > misses
    })
    .await;
    assert!(!waiting.is_finished(), "it waits for A");
    leader.abort();
    assert_eq!(soon(waiting).await.unwrap().unwrap(), 8);
    reads(&a, "k", Some(8)).await;
}

async fn a_process_that_dies_while_it_loads_frees_the_others_within_two_seconds(place: &Place<'_>) {
    let b = place.join().await;
    let builder = place.builder();
    let dying = move || {
        let process = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        process.block_on(async {
            let a = join(builder).await;
            let led = answer(|done| space(&a).lookup("k", done)).await;
            assert!(matches!(led, Lookup::Load(..)), "{led:?}");
            // Nothing of it ends in good order.
            std::mem::forget(a);
        });
        process.shutdown_background();
    };
    tokio::task::spawn_blocking(dying).await.expect("it leads");
    let leased = place.server_of(&name("k")).run("EXISTS tc:{shop:k}:l");
    assert_eq!(leased, Reply::Number(1), "it has given back nothing");
    let begin = TimeAwake::start();
    let loaded = soon(b.get_or_load("k", || async { Ok::<_, Infallible>(7) })).await;
    assert_eq!(loaded.unwrap(), 7);
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    reads(&place.join().await, "k", Some(7)).await;
}

async fn a_lock_passes_on_with_a_greater_token_and_who_loses_it_is_told(place: &Place<'_>) {
    let (a, b) = (place.join().await, place.join().await);
    let take = async |cache: &Cache, wait| {
        let ttl = Duration::from_millis(600);
        soon(cache.lock("k", &LockOptions { ttl, wait })).await
    };
    let mut tokens = Vec::new();
    let mut keep = |lock: &Lock| tokens.push(lock.fencing_token());
    let held = take(&a, None).await.unwrap();
    keep(&held);
    assert!(take(&b, Some(Duration::ZERO)).await.is_err(), "it is A's");
    let (released, next) = tokio::join!(held.release(), take(&b, None));
    assert!(released);
    let mut next = next.unwrap();
    keep(&next);
    place.server_of("tc:{shop:k}:k").run("DEL tc:{shop:k}:k");
    let last = take(&a, None).await.unwrap();
    keep(&last);
    soon(next.lost()).await;
    assert!(!next.release().await, "it gives back nothing of A's");
    assert!(take(&b, Some(Duration::ZERO)).await.is_err(), "it is A's");
    assert!(last.release().await);
    assert!(tokens.windows(2).all(|pair| pair[0] < pair[1]), "{tokens:?}");
}

type Loaded = Result<u8, &'static str>;

async fn unwanted(_: LoadContext<u8>) -> Loaded {
    Err("must not load")
}

/// A begins to load in the background, and ends as it is told.
async fn begins(a: &Cache, options: &LoadOptions<'_>, old: u8) -> oneshot::Sender<Loaded> {
    let ((begin, begun), (end, ending)) = (oneshot::channel(), oneshot::channel());
    let loader = |context: LoadContext<u8>| async move {
        let _ = begin.send(context.is_background());
        ending.await.expect("told")
    };
    let served = soon(a.get_or_spawn("k", options, loader)).await;
    assert_eq!(served.unwrap(), old, "nobody waits for it");
    assert_eq!(soon(begun).await, Ok(true));
    end
}

async fn a_refresh_ahead_of_time_is_made_by_one_process(place: &Place<'_>) {
    let (a, b) = (place.join().await, place.join().await);
    a.set("k", &1).await.unwrap();
    hold(&b, "k", 1).await;
    // As good as at once.
    let ahead = LoadOptions {
        eager_refresh: Some(1e-9),
        ..LoadOptions::default()
    };
    eventually("the value is older than nothing", async || {
        answer(|done| space(&a).read("k", done))
            .await
            .is_some_and(|found| (found.fresh_for as u64) < found.entry.ttl)
    })
    .await;
    let end = begins(&a, &ahead, 1).await;
    assert_eq!(soon(b.get_or_spawn("k", &ahead, unwanted)).await.unwrap(), 1);
    let refused = answer(|done| space(&b).lookup_refresh("k", done)).await;
    assert!(matches!(refused, Lookup::Nothing), "{refused:?}");
    end.send(Ok(7)).unwrap();
    reads(&a, "k", Some(7)).await;
    reads(&b, "k", Some(7)).await;
    assert_eq!((loads(a.engine()), loads(b.engine())), (1, 0));
}

async fn an_old_value_is_served_to_all_while_one_process_loads(place: &Place<'_>) {
    let (a, b) = (place.join().await, place.join().await);
    let short = WriteOptions {
        ttl: Some(Duration::from_millis(1)),
        ..tagged(&[], GRACE)
    };
    a.set_with("k", &1, &short).await.unwrap();
    reads(&a, "k", None).await;
    let swr = LoadOptions {
        swr: Some(true),
        ..LoadOptions::default()
    };
    let end = begins(&a, &swr, 1).await;
    for _ in 0..3 {
        assert_eq!(soon(b.get_or_spawn("k", &swr, unwanted)).await.unwrap(), 1);
        let failing = || async { Err::<u8, _>("must not load") };
        assert_eq!(soon(b.get_or_load("k", failing)).await.unwrap(), 1);
    }
    end.send(Ok(7)).unwrap();
    reads(&a, "k", Some(7)).await;
    reads(&b, "k", Some(7)).await;
    assert_eq!((loads(a.engine()), loads(b.engine())), (1, 0));
}

/// Its messages are published to nobody, and logged nowhere: only the mark shows that there was something.
async fn a_change_of_which_nobody_is_told_is_noticed(place: &Place<'_>) {
    let everywhere = |command: &str| {
        for master in place.masters() {
            master.run(command);
        }
    };
    everywhere("ACL SETUSER mute reset on >secret ~* &* +@all -publish -xadd");
    let a = join(place.builder_as("mute").without_tracking()).await;
    let b = join(place.builder().without_tracking()).await;
    a.set("k", &1).await.unwrap();
    hold(&b, "k", 1).await;
    a.delete("k").await.unwrap();
    // Nothing of it follows: no heartbeat, and no clear when the log takes its frames again.
    everywhere("ACL SETUSER mute off");
    everywhere("CLIENT KILL USER mute");
    let begin = TimeAwake::start();
    eventually("B holds nothing", async || b.peek::<u8>("k").is_none()).await;
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(soon(b.get::<u8>("k")).await.unwrap(), None);
    assert_eq!(b.engine().counters().events_replayed.value(), 0);
    everywhere("ACL DELUSER mute");
}

async fn what_was_changed_while_its_server_was_frozen_is_served_old_to_nobody(place: &Place<'_>) {
    let (a, b) = (place.join().await, place.join().await);
    let [deleted, set] = place.keys_beside_state();
    for key in [&deleted, &set] {
        a.set(key, &1).await.unwrap();
        hold(&b, key, 1).await;
        place.has_replicated(key).await;
    }
    let server = place.server_of(&name(&deleted));
    server.freeze();
    soon(a.delete(&deleted)).await.unwrap();
    soon(a.set(&set, &2)).await.unwrap();
    assert_eq!(soon(a.get::<u8>(&deleted)).await.unwrap(), None);
    assert_ne!(soon(a.get::<u8>(&set)).await.unwrap(), Some(1));
    assert!(a.engine().missed_changes() > 0);
    place.thaw(server);
    eventually("all is made good", async || {
        assert_eq!(soon(a.get::<u8>(&deleted)).await.unwrap(), None);
        assert_ne!(soon(a.get::<u8>(&set)).await.unwrap(), Some(1));
        a.engine().missed_changes() == 0 && a.engine().is_settled()
    })
    .await;
    eventually("B is told", async || {
        let old = [b.peek::<u8>(&deleted), b.peek::<u8>(&set)].contains(&Some(1));
        !old && b.engine().hears_bus() && b.engine().is_settled()
    })
    .await;
    for cache in [&a, &b, &place.join().await] {
        assert_eq!(soon(cache.get::<u8>(&deleted)).await.unwrap(), None);
        assert_ne!(soon(cache.get::<u8>(&set)).await.unwrap(), Some(1));
    }
    eventually("it is used again", async || {
        soon(a.set(&deleted, &3)).await.unwrap();
        soon(b.get::<u8>(&deleted)).await.unwrap() == Some(3)
    })
    .await;
}

async fn what_is_held_is_dropped_when_the_server_of_the_bus_falls_silent(place: &Place<'_>) {
    let (a, b) = (place.join().await, place.join().await);
    let [key, _] = place.keys_beside_state();
    a.set(&key, &1).await.unwrap();
    hold(&b, &key, 1).await;
    let server = place.server_of(STATE);
    server.freeze();
    let begin = TimeAwake::start();
    eventually("B trusts nothing", async || b.peek::<u8>(&key).is_none()).await;
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    place.thaw(server);
    eventually("it is used again", async || {
        soon(a.set(&key, &2)).await.unwrap();
        soon(b.get::<u8>(&key)).await.unwrap() == Some(2)
    })
    .await;
    hearing(&a).await;
    hearing(&b).await;
    hold(&b, &key, 2).await;
    a.delete(&key).await.unwrap();
    eventually("B is told", async || b.peek::<u8>(&key).is_none()).await;
}
