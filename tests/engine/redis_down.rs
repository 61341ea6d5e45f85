//! Law 9 on a real Redis: killed, frozen, paused, emptied, without its scripts, never there.

use crate::rig::{RedisServer, Reply, TimeAwake, eventually, hearing, soon};
use std::convert::Infallible;
use std::time::{Duration, Instant};
use turbocache::tier::RemoteState;
use turbocache::{Cache, LockOptions, TagOptions, WriteOptions};

/// The default deadline of a command.
const COMMAND: Duration = Duration::from_millis(500);

fn open(server: &RedisServer) -> Cache {
    Cache::builder()
        .namespace("shop")
        .redis(server.url())
        .build()
        .expect("a cache")
}

async fn join(server: &RedisServer) -> Cache {
    let cache = open(server);
    hearing(&cache).await;
    cache
}

async fn seven() -> Result<u8, Infallible> {
    Ok(7)
}

#[tokio::test]
async fn a_cache_whose_redis_was_never_there_works_on_its_memory() {
    let cache = Cache::builder()
        .redis("redis://127.0.0.1:1")
        .build()
        .expect("no connection is needed");
    assert_eq!(soon(cache.get::<u8>("k")).await.unwrap(), None);
    assert_eq!(soon(cache.get_or_load("k", seven)).await.unwrap(), 7);
    assert_eq!(cache.peek::<u8>("k"), Some(7));
    soon(cache.set("k", &8)).await.unwrap();
    assert_eq!(soon(cache.get::<u8>("k")).await.unwrap(), Some(8));
    soon(cache.delete("k")).await.unwrap();
    soon(cache.clear()).await.unwrap();
    soon(cache.close()).await;
}

#[tokio::test]
async fn a_killed_server_is_gone_without_and_used_again_when_it_is_back() {
    let mut server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    a.set("before", &1).await.unwrap();
    server.kill();
    eventually("the bus is lost", async || {
        !a.engine().hears_bus() && !b.engine().hears_bus()
    })
    .await;
    for n in 0..20 {
        let key = format!("during {n}");
        let begin = TimeAwake::start();
        assert_eq!(soon(a.get_or_load(&key, seven)).await.unwrap(), 7);
        soon(a.set(&key, &8)).await.unwrap();
        assert_eq!(soon(a.get::<u8>(&key)).await.unwrap(), Some(8));
        soon(a.delete(&key)).await.unwrap();
        assert!(begin.elapsed() < 4 * COMMAND, "{:?}", begin.elapsed());
    }
    assert_eq!(a.engine().remote_state(), RemoteState::Down);
    server.restart();
    // Nobody calls: the heartbeat finds it.
    for cache in [&a, &b] {
        eventually("it is up again", async || {
            cache.engine().remote_state() == RemoteState::Up
        })
        .await;
        eventually("the bus is heard again", async || cache.engine().hears_bus()).await;
    }
    assert_eq!(a.get::<u8>("before").await.unwrap(), None, "the server has lost it");
    a.set("after", &2).await.unwrap();
    eventually("B has it", async || b.get::<u8>("after").await.unwrap() == Some(2)).await;
    a.delete("after").await.unwrap();
    eventually("B is told", async || b.peek::<u8>("after").is_none()).await;
}

#[tokio::test]
async fn a_frozen_server_costs_a_deadline_and_then_nothing() {
    let server = RedisServer::start();
    let a = join(&server).await;
    a.set("held", &1).await.unwrap();
    server.freeze();
    assert_eq!(a.peek::<u8>("held"), Some(1));
    let (begin, awake) = (Instant::now(), TimeAwake::start());
    assert_eq!(soon(a.get_or_load("first", seven)).await.unwrap(), 7);
    let first = begin.elapsed();
    assert!(first >= COMMAND / 2 && awake.elapsed() < 3 * COMMAND, "{first:?}");
    eventually("it is given up", async || {
        soon(a.get::<u8>("none")).await.unwrap();
        a.engine().remote_state() == RemoteState::Down
    })
    .await;
    // Long enough for some probes, each of which waits for its deadline. None of the callers does.
    let begin = TimeAwake::start();
    while begin.elapsed() < 6 * COMMAND {
        let call = TimeAwake::start();
        assert_eq!(soon(a.get_or_load("k", seven)).await.unwrap(), 7);
        soon(a.set("other", &1)).await.unwrap();
        soon(a.get::<u8>("none")).await.unwrap();
        soon(a.delete("k")).await.unwrap();
        assert!(call.elapsed() < COMMAND / 2, "{:?}", call.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.thaw();
    eventually("it is up again", async || a.engine().remote_state() == RemoteState::Up).await;
    hearing(&a).await;
    a.set("after", &2).await.unwrap();
    assert_eq!(join(&server).await.get::<u8>("after").await.unwrap(), Some(2));
}

#[tokio::test]
async fn a_server_that_is_frozen_is_noticed_by_who_only_listens() {
    let server = RedisServer::start();
    let a = join(&server).await;
    a.set("k", &1).await.unwrap();
    server.freeze();
    let begin = TimeAwake::start();
    eventually("the silence is noticed", async || a.peek::<u8>("k").is_none()).await;
    assert!(begin.elapsed() < Duration::from_millis(1_500), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn an_emptied_server_has_none_of_the_old_and_takes_the_new() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    a.set("k", &1).await.unwrap();
    a.nested("users").set("k", &1).await.unwrap();
    assert_eq!(b.get::<u8>("k").await.unwrap(), Some(1));
    server.command([b"FLUSHALL"]);
    for cache in [&a, &b] {
        eventually("the memory is empty too", async || cache.peek::<u8>("k").is_none()).await;
        assert_eq!(cache.get::<u8>("k").await.unwrap(), None);
        assert_eq!(cache.nested("users").get::<u8>("k").await.unwrap(), None);
    }
    // Until it is clear that the server has none of the old, nothing that it says is believed; and what is written meanwhile may
    // be taken for that.
    eventually("the new is believed", async || {
        a.set("k", &2).await.unwrap();
        b.get::<u8>("k").await.unwrap() == Some(2)
    })
    .await;
    assert_eq!(soon(b.get_or_load("new", seven)).await.unwrap(), 7);
    assert_eq!(a.get::<u8>("new").await.unwrap(), Some(7));
}

#[tokio::test]
async fn a_connection_that_the_server_closes_is_replaced() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    for round in 0..3 {
        server.command([b"CLIENT", b"KILL", b"TYPE", b"normal"]);
        server.command([b"CLIENT", b"KILL", b"TYPE", b"pubsub"]);
        let clients = || match server.command([b"CLIENT", b"LIST", b"TYPE", b"normal"]) {
            Reply::Bytes(list) => String::from_utf8(list).unwrap().lines().count(),
            other => panic!("{other:?}"),
        };
        eventually("the connections are closed", async || clients() <= 1).await;
        let listeners = || server.command([b"PUBSUB", b"NUMSUB", b"tc:{shop}:bus"]);
        let both = Reply::Many(vec![Reply::Bytes(b"tc:{shop}:bus".to_vec()), Reply::Number(2)]);
        eventually("and both listen again", async || listeners() == both).await;
        // Not even the first command is lost.
        a.set("k", &round).await.unwrap();
        assert_eq!(b.get::<u8>("k").await.unwrap(), Some(round));
        assert!(a.delete("k").await.unwrap());
        assert_eq!(join(&server).await.get::<u8>("k").await.unwrap(), None);
        hearing(&a).await;
        hearing(&b).await;
        b.delete("k").await.unwrap();
    }
}

/// As before a failover by hand. It ends by itself: while all clients are paused, nobody can end it.
#[tokio::test]
async fn a_server_that_pauses_its_clients_costs_deadlines_and_is_used_again() {
    for mode in ["ALL", "WRITE"] {
        let server = RedisServer::start();
        let (a, b) = (join(&server).await, join(&server).await);
        a.set("deleted", &1).await.unwrap();
        assert_eq!(b.get::<u8>("deleted").await.unwrap(), Some(1));
        server.run(&format!("CLIENT PAUSE 3000 {mode}"));
        let in_time = |what: &str, call: TimeAwake| {
            assert!(call.elapsed() < 2 * COMMAND, "{mode}: {what}: {:?}", call.elapsed());
        };
        let call = TimeAwake::start();
        soon(a.delete("deleted")).await.unwrap();
        in_time("delete", call);
        assert!(a.engine().missed_changes() > 0, "{mode}: it was paused");
        let call = TimeAwake::start();
        assert_eq!(soon(a.get_or_load("k", seven)).await.unwrap(), 7);
        in_time("load", call);
        let call = TimeAwake::start();
        soon(a.set("k", &8)).await.unwrap();
        in_time("set", call);
        assert_eq!(soon(a.get::<u8>("deleted")).await.unwrap(), None, "{mode}");
        eventually("all is made good", async || {
            a.engine().missed_changes() == 0 && a.engine().is_settled()
        })
        .await;
        eventually("B is told", async || {
            soon(b.get::<u8>("deleted")).await.unwrap().is_none() && b.engine().is_settled()
        })
        .await;
        eventually("it is used again", async || {
            soon(a.set("after", &2)).await.unwrap();
            soon(b.get::<u8>("after")).await.unwrap() == Some(2)
        })
        .await;
        assert_eq!(join(&server).await.get::<u8>("deleted").await.unwrap(), None, "{mode}");
    }
}

#[tokio::test]
async fn a_server_that_forgets_its_scripts_is_sent_them_with_every_call() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    let tagged = WriteOptions {
        tags: &["t", "u"],
        ..WriteOptions::default()
    };
    let all = TagOptions { all: true, soft: false };
    for round in 0..5 {
        let key = format!("k{round}");
        let forget = || server.run("SCRIPT FLUSH");
        forget();
        let loaded = soon(a.get_or_load_with(&key, &tagged, seven)).await;
        assert_eq!(loaded.unwrap(), 7);
        forget();
        let lock = soon(b.lock(&key, &LockOptions::default())).await.unwrap();
        forget();
        assert!(lock.release().await);
        assert_eq!(soon(b.get::<u8>(&key)).await.unwrap(), Some(7));
        forget();
        b.invalidate_tags_with(&["t", "u"], all).await.unwrap();
        eventually("A is told", async || a.peek::<u8>(&key).is_none()).await;
        assert_eq!(soon(a.get::<u8>(&key)).await.unwrap(), None);
        forget();
        b.set(&key, &8).await.unwrap();
        assert_eq!(soon(a.get::<u8>(&key)).await.unwrap(), Some(8));
    }
    for cache in [&a, &b] {
        assert_eq!(cache.engine().counters().remote_errors.value(), 0);
        assert_eq!(cache.engine().warnings(), []);
    }
    let Reply::Bytes(stats) = server.run("INFO commandstats") else {
        panic!("no statistics");
    };
    let stats = String::from_utf8(stats).unwrap();
    assert!(
        stats.contains("cmdstat_eval:") && !stats.contains("cmdstat_evalsha:"),
        "{stats}"
    );
}
