//! Two processes and a real Redis: what one does the other sees. Two caches have two engines, which is what two processes
//! are to each other.

use crate::rig::{RedisServer, Reply, answer, eventually, hearing, loads, soon, space};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use turbocache::{Cache, CacheBuilder, Serializer, WriteOptions};

async fn join_as(server: &RedisServer, builder: CacheBuilder) -> Cache {
    let cache = builder.redis(server.url()).build().expect("a cache");
    hearing(&cache).await;
    cache
}

async fn join(server: &RedisServer) -> Cache {
    join_as(server, Cache::builder().namespace("shop")).await
}

fn tagged<'a>(tags: &'a [&'a str]) -> WriteOptions<'a> {
    WriteOptions {
        tags,
        ..WriteOptions::default()
    }
}

#[tokio::test]
async fn a_value_of_one_is_a_hit_of_the_other() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    a.set("k", &"v").await.unwrap();
    assert_eq!(b.get::<String>("k").await.unwrap().as_deref(), Some("v"));
    // The news of the set may arrive after the value, and costs it its place once.
    eventually("it is in the memory of B", async || {
        b.get::<String>("k").await.unwrap();
        b.peek::<String>("k").as_deref() == Some("v")
    })
    .await;
    assert!((1..=2).contains(&b.engine().counters().remote_hits.value()));
    let loaded = b.get_or_load("k", || async { Err::<String, _>("must not load") }).await;
    assert_eq!(loaded.unwrap(), "v");
    assert_eq!(
        server.command([b"EXISTS", b"tc:{shop:k}:v"]),
        Reply::Number(1),
        "under the documented name"
    );
}

#[tokio::test]
async fn a_change_of_one_reaches_the_memory_of_the_other() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    for way in ["delete", "set", "expire", "tags", "clear"] {
        a.set_with("k", &1, &tagged(&["t"])).await.unwrap();
        eventually("the value is in the memory of B", async || {
            b.get::<u8>("k").await.unwrap();
            b.peek::<u8>("k") == Some(1)
        })
        .await;
        match way {
            "delete" => assert!(a.delete("k").await.unwrap()),
            "set" => a.set("k", &2).await.unwrap(),
            "expire" => assert!(a.expire("k").await.unwrap()),
            "tags" => a.invalidate_tags(&["t"]).await.unwrap(),
            _ => a.clear().await.unwrap(),
        }
        eventually(way, async || b.peek::<u8>("k") != Some(1)).await;
        let expected = (way == "set").then_some(2);
        assert_eq!(b.get::<u8>("k").await.unwrap(), expected, "{way}");
        assert_eq!(a.get::<u8>("k").await.unwrap(), expected, "{way}");
    }
}

#[tokio::test]
async fn delete_says_whether_there_was_something_remotely() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    a.set("k", &1).await.unwrap();
    assert!(b.delete("k").await.unwrap());
    assert!(!b.delete("k").await.unwrap());
    assert_eq!(a.get::<u8>("k").await.unwrap(), None);
}

#[tokio::test]
async fn tags_and_clears_reach_what_is_nested_and_nothing_else() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    let family = |cache: &Cache| {
        let users = cache.nested("users");
        [
            cache.clone(),
            users.clone(),
            users.nested("admins"),
            cache.nested("users2"),
        ]
    };
    for reach in ["tags", "clear", "clear all"] {
        for cache in family(&a) {
            cache.set_with("k", &1, &tagged(&["t"])).await.unwrap();
        }
        match reach {
            "tags" => a.nested("users").invalidate_tags(&["t", "unused"]).await.unwrap(),
            "clear" => a.nested("users").clear().await.unwrap(),
            _ => a.clear().await.unwrap(),
        }
        let expected = if reach == "clear all" {
            [false; 4]
        } else {
            [true, false, false, true]
        };
        for cache in [&a, &b, &join(&server).await] {
            let mut there = [false; 4];
            for (at, cache) in family(cache).iter().enumerate() {
                there[at] = cache.get::<u8>("k").await.unwrap().is_some();
            }
            assert_eq!(there, expected, "{reach}");
        }
    }
}

#[tokio::test]
async fn a_tagged_value_that_nobody_invalidated_is_a_hit() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    a.set_with("k", &1, &tagged(&["mine"])).await.unwrap();
    a.invalidate_tags(&["other"]).await.unwrap();
    assert_eq!(b.get::<u8>("k").await.unwrap(), Some(1));
}

#[tokio::test]
async fn versions_and_namespaces_are_isolated() {
    let server = RedisServer::start();
    let shop = |version: Option<&str>| {
        let builder = Cache::builder().namespace("shop");
        match version {
            Some(version) => builder.version(version),
            None => builder,
        }
    };
    let builders = [
        shop(None),
        shop(Some("1")),
        shop(Some("2")),
        Cache::builder().namespace("shop@1"),
    ];
    let mut caches = Vec::new();
    for builder in builders {
        caches.push(join_as(&server, builder).await);
    }
    for (value, cache) in caches.iter().enumerate() {
        cache.set("k", &value).await.unwrap();
    }
    caches[1].clear().await.unwrap();
    for (value, cache) in caches.iter().enumerate() {
        assert_eq!(cache.get::<usize>("k").await.unwrap(), (value != 1).then_some(value));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_in_two_processes_make_one_load() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    let count = AtomicUsize::new(0);
    let load = || async {
        count.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok::<_, Infallible>("loaded".to_owned())
    };
    let callers = (0..1_000).map(|n| [&a, &b][n % 2].get_or_load("k", load));
    for loaded in soon(futures_util::future::join_all(callers)).await {
        assert_eq!(loaded.unwrap(), "loaded");
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert_eq!(loads(a.engine()) + loads(b.engine()), 1);
    assert_eq!(
        server.command([b"EXISTS", b"tc:{shop:k}:l"]),
        Reply::Number(0),
        "the lease has ended"
    );
}

#[tokio::test]
async fn ages_come_from_the_server() {
    let server = RedisServer::start();
    let a = join_as(
        &server,
        Cache::builder()
            .namespace("shop")
            .ttl(Duration::from_secs(100))
            .grace(Duration::from_secs(50)),
    )
    .await;
    a.set("k", &1).await.unwrap();
    // As if 40 seconds had passed on the server.
    assert_eq!(
        server.command([b"PEXPIRE", b"tc:{shop:k}:v", b"110000"]),
        Reply::Number(1)
    );
    let b = join(&server).await;
    let found = answer(|done| space(&b).read("k", done)).await.expect("a value");
    assert!((50_000..=60_000).contains(&found.fresh_for), "{}", found.fresh_for);
    assert!((100_000..=110_000).contains(&found.gone_in), "{}", found.gone_in);
    assert!(found.remote);
}

#[tokio::test]
async fn a_value_ends_remotely_when_its_ttl_and_grace_do() {
    let server = RedisServer::start();
    let a = join(&server).await;
    let short = WriteOptions {
        ttl: Some(Duration::from_millis(20)),
        grace: Some(Duration::from_millis(20)),
        ..WriteOptions::default()
    };
    a.set_with("k", &1, &short).await.unwrap();
    eventually("the value is gone", async || {
        server.command([b"EXISTS", b"tc:{shop:k}:v"]) == Reply::Number(0)
    })
    .await;
    assert_eq!(a.get::<u8>("k").await.unwrap(), None);
    for endless in [Duration::MAX, Duration::from_millis(i64::MAX as u64)] {
        let ttl = Some(endless);
        a.set_with("k", &1, &WriteOptions { ttl, ..short.clone() })
            .await
            .unwrap();
        let life = server.command([b"PTTL", b"tc:{shop:k}:v"]);
        assert_eq!(life, Reply::Number(-1), "for ever");
        a.delete("k").await.unwrap();
    }
}

#[tokio::test]
async fn large_values_are_compressed_and_small_ones_are_not() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    let large = "all work and no play makes a dull cache. ".repeat(500);
    a.set("large", &large).await.unwrap();
    a.set("small", &"x".repeat(500)).await.unwrap();
    let length = |key: &[u8]| match server.command([b"STRLEN", key]) {
        Reply::Number(length) => length,
        other => panic!("{other:?}"),
    };
    assert!(
        length(b"tc:{shop:large}:v") < 1_000,
        "{} bytes",
        length(b"tc:{shop:large}:v")
    );
    assert!(length(b"tc:{shop:small}:v") > 500);
    assert_eq!(b.get::<String>("large").await.unwrap(), Some(large));
}

#[tokio::test]
async fn message_pack_goes_there_and_back_and_is_no_json() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Order {
        id: u64,
        lines: BTreeMap<String, Option<f64>>,
        paid: bool,
    }
    let server = RedisServer::start();
    let packed = || Cache::builder().namespace("shop").serializer(Serializer::MessagePack);
    let (a, b) = (join_as(&server, packed()).await, join_as(&server, packed()).await);
    let order = || Order {
        id: u64::MAX,
        lines: BTreeMap::from([("é".to_owned(), Some(1.5)), ("none".to_owned(), None)]),
        paid: true,
    };
    a.set("k", &order()).await.unwrap();
    assert_eq!(b.get::<Order>("k").await.unwrap(), Some(order()));
    let json = join(&server).await;
    assert_eq!(json.get::<Order>("k").await.unwrap(), None);
    assert_eq!(json.engine().counters().remote_rejected.value(), 1);
}

#[tokio::test]
async fn many_keys_take_one_round_trip() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    let keys: Vec<String> = (0..300).map(|n| format!("k{n}")).collect();
    let entries: Vec<(&str, usize)> = keys.iter().enumerate().map(|(n, key)| (&**key, n)).collect();
    a.set_many(&entries).await.unwrap();
    let keys: Vec<&str> = keys.iter().map(|key| &**key).collect();
    let found = b.get_many::<usize>(&keys).await.unwrap();
    assert!(found.iter().enumerate().all(|(n, value)| *value == Some(n)));
    assert_eq!(b.delete_many(&keys).await.unwrap(), 300);
    eventually("A is told of each", async || {
        a.get_many::<usize>(&keys).await.unwrap().iter().all(Option::is_none)
    })
    .await;
}

#[tokio::test]
async fn close_waits_until_writes_have_arrived_and_others_were_told() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    a.set("k", &1).await.unwrap();
    eventually("B has it", async || b.get::<u8>("k").await.unwrap() == Some(1)).await;
    let listening = || server.command([b"PUBSUB", b"NUMSUB", b"tc:{shop}:bus"]);
    let listeners = |count| Reply::Many(vec![Reply::Bytes(b"tc:{shop}:bus".to_vec()), Reply::Number(count)]);
    assert_eq!(listening(), listeners(2));
    let heard = b.engine().counters().events_received.value();
    // Nobody waits for the answer.
    space(&a).delete("k", Box::new(drop));
    a.close().await;
    assert_eq!(server.command([b"EXISTS", b"tc:{shop:k}:v"]), Reply::Number(0));
    eventually("B was told", async || {
        b.engine().counters().events_received.value() > heard
    })
    .await;
    eventually("A listens no more", async || listening() == listeners(1)).await;
    drop(b);
    eventually("nor does B", async || listening() == listeners(0)).await;
}

#[test]
fn what_was_said_before_close_is_heard_though_the_process_ends_at_once() {
    let server = RedisServer::start();
    let listening = tokio::runtime::Runtime::new().unwrap();
    let b = listening.block_on(join(&server));
    let heard = || b.engine().counters().events_received.value();
    for _ in 0..5 {
        // A process whose threads are gone the moment after.
        let ending = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let before = heard();
        ending.block_on(async {
            let a = join(&server).await;
            space(&a).delete("k", Box::new(drop));
            a.close().await;
        });
        drop(ending);
        listening.block_on(eventually("B was told", async || heard() > before));
    }
}
