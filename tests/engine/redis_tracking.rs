//! Changes in Redis by programs that know nothing of caches: what is held of them goes at once, and only that.

#![allow(
    clippy::await_holding_lock,
    reason = "each test has a thread and a runtime of its own: who waits for the shared servers holds up nobody else"
)]

use crate::rig::{RedisCluster, RedisServer, Reply, eventually, hearing, loads, shared, soon};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::Notify;
use turbocache::engine::Tracking;
use turbocache::warning::Warning;
use turbocache::{Cache, CacheBuilder, WriteOptions};

async fn open(builder: CacheBuilder) -> Cache {
    let cache = builder.namespace("shop").build().expect("a cache");
    hearing(&cache).await;
    cache
}

async fn join(server: &RedisServer) -> Cache {
    open(Cache::builder().redis(server.url())).await
}

/// The name under which Redis has a key of the namespace.
fn name(key: &str) -> String {
    format!("tc:{{shop:{key}}}:v")
}

async fn seven() -> Result<u8, Infallible> {
    Ok(7)
}

async fn hold(cache: &Cache, key: &str) {
    eventually("the value is in memory", async || {
        // One that was lost on its way is removed when the connection is there again.
        cache.set(key, &1).await.expect("an answer");
        settled(cache).await;
        cache.peek::<u8>(key).is_some() && cache.engine().is_settled()
    })
    .await;
}

async fn forgets(cache: &Cache, key: &str, why: &str) {
    eventually(why, async || cache.peek::<u8>(key).is_none()).await;
}

/// Everything that the server had to say up to now has been heard: pushes come in order with the replies.
async fn settled(cache: &Cache) {
    for _ in 0..3 {
        cache.has("nothing").await.expect("an answer");
    }
}

fn told(cache: &Cache) -> u64 {
    cache.engine().counters().foreign_changes.value()
}

fn drops(cache: &Cache) -> u64 {
    cache.engine().counters().bus_drops.value()
}

async fn warning_about(cache: &Cache, about: &str) -> Warning {
    let mut found = None;
    eventually(&format!("a warning about {about}"), async || {
        cache.has("k").await.expect("an answer");
        let mut standing = cache.engine().warnings().into_iter();
        found = standing.find(|warning| warning.about == about);
        found.is_some()
    })
    .await;
    found.expect("it was just found")
}

#[tokio::test]
async fn whatever_another_program_does_to_a_key_costs_its_value_and_no_other() {
    let server = RedisServer::start();
    let cache = join(&server).await;
    assert_eq!(cache.engine().tracking(), Tracking::On);
    hold(&cache, "other").await;
    let (k, source) = (name("k"), name("source"));
    for words in [
        format!("DEL {k}"),
        format!("UNLINK {k}"),
        format!("GETDEL {k}"),
        format!("SET {k} anything"),
        format!("SET {k} anything KEEPTTL"),
        format!("APPEND {k} x"),
        format!("PEXPIRE {k} 1"),
        format!("EXPIRE {k} 1000"),
        format!("PERSIST {k}"),
        format!("RENAME {k} elsewhere"),
        format!("RENAME {source} {k}"),
        format!("COPY {source} {k} REPLACE"),
        format!("MOVE {k} 1"),
    ] {
        let lasts = WriteOptions {
            ttl: Some(Duration::from_secs(1_000)),
            ..WriteOptions::default()
        };
        cache.set("source", &2).await.unwrap();
        cache.set_with("k", &1, &lasts).await.unwrap();
        assert_eq!(cache.peek::<u8>("k"), Some(1));
        server.run(&words);
        forgets(&cache, "k", &words).await;
    }
    assert_eq!((cache.peek::<u8>("other"), drops(&cache)), (Some(1), 0));
}

#[tokio::test]
async fn bytes_that_are_restored_from_a_dump_cost_the_value_before() {
    let server = RedisServer::start();
    let cache = join(&server).await;
    cache.set("k", &1).await.unwrap();
    let Reply::Bytes(dump) = server.command([b"DUMP", name("k").as_bytes()]) else {
        panic!("no dump")
    };
    cache.set("k", &2).await.unwrap();
    assert_eq!(cache.peek::<u8>("k"), Some(2));
    server.command([b"RESTORE", name("k").as_bytes(), b"100000", &dump, b"REPLACE"]);
    forgets(&cache, "k", "RESTORE").await;
    assert_eq!(
        cache.get::<u8>("k").await.unwrap(),
        Some(1),
        "what was restored is a value"
    );
}

#[tokio::test]
async fn one_push_of_many_keys_costs_all_of_them_and_nothing_else() {
    let server = RedisServer::start();
    let cache = join(&server).await;
    let keys: Vec<String> = (0..50).map(|n| format!("key {n}")).collect();
    for key in keys.iter().map(String::as_str).chain(["other"]) {
        hold(&cache, key).await;
    }
    let before = told(&cache);
    server.command([
        b"EVAL",
        b"for _, k in ipairs(redis.call('KEYS', '*key*:v')) do redis.call('DEL', k) end",
        b"0",
    ]);
    for key in &keys {
        forgets(&cache, key, "DEL of many").await;
    }
    assert_eq!((cache.peek::<u8>("other"), told(&cache) - before), (Some(1), 50));
}

#[tokio::test]
async fn a_push_that_names_nothing_costs_everything() {
    let server = RedisServer::start();
    let cache = join(&server).await;
    for words in ["FLUSHALL", "FLUSHDB", "FLUSHALL ASYNC"] {
        hold(&cache, "k").await;
        server.run(words);
        forgets(&cache, "k", words).await;
        assert_eq!(cache.get::<u8>("k").await.unwrap(), None);
        hold(&cache, "after").await;
        let other = join(&server).await;
        eventually("others find what is stored afterwards", async || {
            other.get::<u8>("after").await.unwrap() == Some(1)
        })
        .await;
    }
}

#[tokio::test]
async fn what_the_server_evicts_is_not_held_either() {
    let server = RedisServer::start_with(&["--maxmemory", "4mb", "--maxmemory-policy", "allkeys-random"]);
    let cache = join(&server).await;
    for n in 0..400 {
        cache.set(&n.to_string(), &n).await.unwrap();
    }
    let held = || {
        (0..400)
            .filter(|n: &i32| cache.peek::<i32>(&n.to_string()).is_some())
            .count()
    };
    let there = || {
        (0..400)
            .filter(|n| server.run(&format!("EXISTS {}", name(&n.to_string()))) == Reply::Number(1))
            .count()
    };
    assert_eq!((held(), there()), (400, 400));
    let filler = "x".repeat(20_000);
    for n in 0..150 {
        server.run(&format!("SET filler:{n} {filler}"));
    }
    assert!(there() < 400, "nothing was evicted");
    eventually("what is held is there", async || held() <= there()).await;
}

fn is_stored(server: &RedisServer, key: &str) -> bool {
    server.run(&format!("EXISTS {}", name(key))) == Reply::Number(1)
}

#[tokio::test]
async fn what_this_process_writes_and_loads_itself_stays() {
    let server = RedisServer::start();
    let cache = join(&server).await;
    for round in 0..20_u8 {
        let key = format!("loaded{round}");
        assert_eq!(cache.get_or_load(&key, seven).await.unwrap(), 7);
        settled(&cache).await;
        assert_eq!(cache.peek::<u8>(&key), Some(7), "round {round}");
        assert!(is_stored(&server, &key));
        cache.set("written", &round).await.unwrap();
        settled(&cache).await;
        assert_eq!(cache.peek::<u8>("written"), Some(round));
    }
    let counters = cache.engine().counters();
    assert_eq!((told(&cache), drops(&cache)), (0, 0));
    assert_eq!((counters.loads_refused.value(), loads(cache.engine())), (0, 20));
}

/// A server whose user may do all but these.
async fn join_without(server: &RedisServer, without: &str) -> Cache {
    server.run(&format!("ACL SETUSER limited reset on >secret ~* &* +@all {without}"));
    let url = server.url().replace("redis://", "redis://limited:secret@");
    open(Cache::builder().redis(url)).await
}

#[tokio::test]
async fn without_transactions_what_is_loaded_is_read_once_more_and_then_stays() {
    let server = RedisServer::start();
    for without in ["-multi", "-exec", "-rename"] {
        let cache = join_without(&server, without).await;
        server.run("FLUSHALL");
        settled(&cache).await;
        assert_eq!(cache.get_or_load("k", seven).await.unwrap(), 7);
        eventually("the value is in memory", async || {
            assert_eq!(cache.get::<u8>("k").await.unwrap(), Some(7));
            cache.peek::<u8>("k") == Some(7)
        })
        .await;
        settled(&cache).await;
        assert_eq!(cache.peek::<u8>("k"), Some(7));
        server.run(&format!("DEL {}", name("k")));
        forgets(&cache, "k", without).await;
        assert_eq!(
            server.run("KEYS *}:n"),
            Reply::Many(Vec::new()),
            "nothing is left aside"
        );
        assert_eq!(cache.engine().warnings(), []);
    }
}

#[tokio::test]
async fn a_load_from_before_a_foreign_change_is_stored_nowhere() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    for words in ["DEL", "SET"] {
        a.delete("k").await.unwrap();
        let (begun, go_on) = (Notify::new(), Notify::new());
        server.run(&format!("SET {} anything", name("k")));
        let loading = a.get_or_load("k", async || {
            begun.notify_one();
            go_on.notified().await;
            Ok::<_, Infallible>(1)
        });
        let changing = async {
            begun.notified().await;
            let before = told(&a);
            match words {
                "DEL" => server.run(&format!("DEL {}", name("k"))),
                _ => server.run(&format!("SET {} changed", name("k"))),
            };
            eventually("A is told", async || told(&a) > before).await;
            go_on.notify_one();
        };
        let (loaded, ()) = tokio::join!(soon(loading), soon(changing));
        assert_eq!(loaded.unwrap(), 1, "who asked before may have it");
        assert_eq!(a.peek::<u8>("k"), None, "{words}");
        assert_eq!(b.get::<u8>("k").await.unwrap(), None, "{words}");
        assert_eq!(a.get_or_load("k", async || Ok::<_, Infallible>(2)).await.unwrap(), 2);
        assert_eq!(
            b.get_or_load("k", async || Ok::<_, Infallible>(3)).await.unwrap(),
            2,
            "the lease was free"
        );
    }
}

#[tokio::test]
async fn a_value_that_ends_by_itself_costs_one_load_and_not_two() {
    let server = RedisServer::start_with(&["--enable-debug-command", "yes"]);
    server.run("DEBUG SET-ACTIVE-EXPIRE 0");
    let cache = open(Cache::builder().redis(server.url()).ttl(Duration::from_millis(20))).await;
    for _ in 0..20 {
        eventually("the value has ended", async || cache.peek::<u8>("k").is_none()).await;
        assert_eq!(cache.get_or_load("k", seven).await.unwrap(), 7);
    }
    // Now and then the value of before may not have ended yet in Redis.
    assert!((5..=20).contains(&loads(cache.engine())), "{}", loads(cache.engine()));
    let refused = cache.engine().counters().loads_refused.value();
    assert_eq!(
        refused, 0,
        "that the value before has ended does not concern the one that is loaded"
    );
}

#[tokio::test]
async fn a_connection_that_was_lost_costs_what_is_held_because_nobody_knows_what_was_missed() {
    let server = RedisServer::start();
    let cache = join(&server).await;
    for _ in 0..10 {
        hold(&cache, "k").await;
        hold(&cache, "other").await;
        // Nobody hears of the change.
        server.run_at_once(&["CLIENT KILL TYPE normal", &format!("DEL {}", name("k"))]);
        forgets(&cache, "k", "the value that was changed").await;
        forgets(&cache, "other", "nobody knows whether it was").await;
        eventually("it is heard again", async || {
            hold(&cache, "k").await;
            server.run(&format!("DEL {}", name("k")));
            forgets(&cache, "k", "DEL").await;
            true
        })
        .await;
    }
    assert!(drops(&cache) >= 10);
}

#[tokio::test]
async fn a_load_that_runs_while_the_connection_is_lost_is_stored_nowhere() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    let (begun, go_on) = (Notify::new(), Notify::new());
    let loading = a.get_or_load("k", async || {
        begun.notify_one();
        go_on.notified().await;
        Ok::<_, Infallible>(1)
    });
    let losing = async {
        begun.notified().await;
        let before = drops(&a);
        server.run("CLIENT KILL TYPE normal");
        eventually("A knows, and has connected again", async || {
            settled(&a).await;
            drops(&a) >= before + 2
        })
        .await;
        go_on.notify_one();
    };
    let (loaded, ()) = tokio::join!(soon(loading), soon(losing));
    assert_eq!((loaded.unwrap(), a.peek::<u8>("k")), (1, None));
    assert!(!is_stored(&server, "k"));
    assert_eq!(soon(b.get_or_load("k", seven)).await.unwrap(), 7);
}

#[tokio::test]
async fn a_user_who_may_not_be_told_is_named_with_what_is_lost_and_everything_else_goes_on() {
    let server = RedisServer::start();
    let cache = join_without(&server, "-client|tracking").await;
    let warning = warning_about(&cache, "client tracking").await;
    assert!(
        warning.message.contains("NOPERM") && warning.message.contains("not TurboCache"),
        "{}",
        warning.message
    );
    assert_eq!(cache.engine().tracking(), Tracking::Refused);
    let other = join(&server).await;
    for _ in 0..5 {
        hold(&cache, "k").await;
        other.delete("k").await.unwrap();
        forgets(&cache, "k", "messages are heard").await;
    }
    assert_eq!((drops(&cache), told(&cache)), (0, 0));
    // A connection that is lost has told nothing before: it costs nothing.
    hold(&cache, "k").await;
    server.run("CLIENT KILL TYPE normal");
    settled(&cache).await;
    assert_eq!((drops(&cache), cache.peek::<u8>("k")), (0, Some(1)));
    server.run("ACL SETUSER limited +client|tracking");
    server.run("CLIENT KILL TYPE normal");
    eventually("it tells once it may", async || {
        settled(&cache).await;
        cache.engine().tracking() == Tracking::On && cache.engine().warnings().is_empty()
    })
    .await;
    hold(&cache, "k").await;
    server.run(&format!("DEL {}", name("k")));
    forgets(&cache, "k", "DEL").await;
}

#[tokio::test]
async fn a_server_that_speaks_only_the_old_protocol_is_used_without() {
    let server = RedisServer::start_with(&["--rename-command", "HELLO", ""]);
    let cache = join(&server).await;
    let warning = warning_about(&cache, "client tracking").await;
    assert!(warning.message.contains("does not speak RESP3"), "{}", warning.message);
    assert_eq!(cache.engine().tracking(), Tracking::Refused);
    let other = join(&server).await;
    assert_eq!(cache.get_or_load("k", seven).await.unwrap(), 7);
    assert_eq!(other.get::<u8>("k").await.unwrap(), Some(7));
    other.delete("k").await.unwrap();
    forgets(&cache, "k", "messages are heard").await;
}

#[tokio::test]
async fn nothing_is_asked_where_nothing_could_become_old() {
    let server = RedisServer::start();
    let without_memory = open(Cache::builder().redis(server.url()).without_memory()).await;
    let switched_off = open(Cache::builder().redis(server.url()).without_tracking()).await;
    for cache in [&without_memory, &switched_off] {
        assert_eq!(cache.engine().tracking(), Tracking::Off);
        assert_eq!(cache.engine().warnings(), []);
    }
    let Reply::Bytes(clients) = server.run("CLIENT LIST") else {
        panic!("no list")
    };
    let clients = String::from_utf8(clients).unwrap();
    assert!(!clients.contains("flags=tB"), "{clients}");
    let _watching = join(&server).await;
    let Reply::Bytes(clients) = server.run("CLIENT LIST") else {
        panic!("no list")
    };
    assert_eq!(String::from_utf8(clients).unwrap().matches("flags=tB").count(), 1);
}

#[tokio::test]
async fn the_servers_table_of_tracked_keys_stays_empty() {
    let server = RedisServer::start_with(&["--tracking-table-max-keys", "1"]);
    let cache = join(&server).await;
    let keys: Vec<String> = (0..100).map(|n| format!("key{n}")).collect();
    for key in &keys {
        hold(&cache, key).await;
    }
    settled(&cache).await;
    assert!(
        keys.iter().all(|key| cache.peek::<u8>(key).is_some()),
        "nothing was pushed out"
    );
    let Reply::Bytes(stats) = server.run("INFO stats") else {
        panic!("no stats")
    };
    let stats = String::from_utf8(stats).unwrap();
    assert!(stats.contains("tracking_total_keys:0\r\n"), "{stats}");
    for key in &keys {
        server.run(&format!("DEL {}", name(key)));
    }
    for key in &keys {
        forgets(&cache, key, "DEL").await;
    }
}

#[tokio::test]
async fn the_namespace_state_is_watched_too() {
    let server = RedisServer::start();
    let cache = join(&server).await;
    hold(&cache, "k").await;
    server.run("DEL tc:{shop}:g");
    forgets(&cache, "k", "another incarnation begins").await;
    assert_eq!(cache.get::<u8>("k").await.unwrap(), None);
}

#[tokio::test]
async fn nested_namespaces_are_told_apart() {
    let server = RedisServer::start();
    let cache = join(&server).await;
    let users = cache.nested("users");
    for cache in [&cache, &users] {
        hold(cache, "k").await;
    }
    server.run("DEL tc:{shop/users:k}:v");
    forgets(&users, "k", "DEL").await;
    assert_eq!(cache.peek::<u8>("k"), Some(1));
    server.run("SET tc:{shop/nobody:k}:v x");
    server.run("SET tc:{shopping:k}:v x");
    settled(&cache).await;
    assert_eq!(cache.peek::<u8>("k"), Some(1));
}

fn key_of_each(cluster: &RedisCluster) -> [String; 3] {
    [0, 1, 2].map(|node| {
        let mut keys = (0..).map(|n| format!("key{n}"));
        keys.find(|key| cluster.owner_of(&name(key)) == node).expect("a key")
    })
}

#[tokio::test]
async fn each_node_of_a_cluster_tells_of_its_own_keys() {
    let shared = shared();
    let cluster = &shared.cluster;
    let cache = open(Cache::builder().redis_cluster(cluster.urls())).await;
    let keys = key_of_each(cluster);
    for round in 0..3 {
        for key in &keys {
            hold(&cache, key).await;
        }
        for (node, key) in keys.iter().enumerate() {
            cluster.nodes[node].run(&format!("DEL {}", name(key)));
            forgets(&cache, key, &format!("DEL, round {round}")).await;
        }
    }
    for key in &keys {
        assert_eq!(cache.get_or_load(key, seven).await.unwrap(), 7);
        eventually("what is loaded is held", async || {
            assert_eq!(cache.get::<u8>(key).await.unwrap(), Some(7));
            cache.peek::<u8>(key) == Some(7)
        })
        .await;
    }
    assert_eq!(cache.engine().tracking(), Tracking::On);
}

#[tokio::test]
async fn a_node_of_a_cluster_that_was_lost_costs_what_is_held() {
    let shared = shared();
    let cluster = &shared.cluster;
    let cache = open(Cache::builder().redis_cluster(cluster.urls())).await;
    let keys = key_of_each(cluster);
    for key in &keys {
        hold(&cache, key).await;
    }
    cluster.nodes[1].run_at_once(&["CLIENT KILL TYPE normal", &format!("DEL {}", name(&keys[1]))]);
    forgets(&cache, &keys[1], "the value that was changed").await;
    hold(&cache, &keys[1]).await;
    cluster.nodes[1].run(&format!("DEL {}", name(&keys[1])));
    forgets(&cache, &keys[1], "it tells again").await;
}

#[tokio::test]
async fn the_master_that_sentinels_name_tells() {
    let shared = shared();
    let trio = &shared.trio;
    let cache = open(Cache::builder().redis_sentinel(trio.options())).await;
    for _ in 0..3 {
        hold(&cache, "k").await;
        trio.servers[0].run(&format!("DEL {}", name("k")));
        forgets(&cache, "k", "DEL").await;
    }
    assert_eq!(cache.get_or_load("k", seven).await.unwrap(), 7);
    settled(&cache).await;
    assert_eq!((cache.peek::<u8>("k"), told(&cache)), (Some(7), 3));
}
