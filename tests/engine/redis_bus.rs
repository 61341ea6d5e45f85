//! The bus on a real Redis: connections that are lost, a log that is trimmed, deleted, or not allowed.

use crate::rig::{RedisServer, Reply, eventually, hearing};
use turbocache::Cache;

const LOG: &[u8] = b"tc:{shop}:log";

async fn join(server: &RedisServer) -> Cache {
    join_at(server.url()).await
}

async fn join_at(url: String) -> Cache {
    let cache = Cache::builder().namespace("shop").redis(url).build().expect("a cache");
    hearing(&cache).await;
    cache
}

async fn hold(cache: &Cache, key: &str) {
    eventually("the value is in memory", async || {
        cache.get::<u8>(key).await.expect("an answer");
        cache.peek::<u8>(key).is_some()
    })
    .await;
}

fn drops(cache: &Cache) -> u64 {
    cache.engine().counters().bus_drops.value()
}

fn number(reply: Reply) -> i64 {
    match reply {
        Reply::Number(number) => number,
        other => panic!("{other:?}"),
    }
}

/// The way by which a change of `k` reaches a process whose subscription is broken again and again.
#[tokio::test]
async fn subscriptions_that_break_cost_nothing_that_is_held() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    a.set("other", &1).await.unwrap();
    hold(&b, "other").await;
    for round in 0..20 {
        a.set("k", &round).await.unwrap();
        hold(&b, "k").await;
        server.command([b"CLIENT", b"KILL", b"TYPE", b"pubsub"]);
        a.delete("k").await.unwrap();
        eventually("B knows", async || b.peek::<u8>("k").is_none()).await;
    }
    assert_eq!((b.peek::<u8>("other"), drops(&b)), (Some(1), 0));
}

#[tokio::test]
async fn a_log_that_was_deleted_costs_what_is_held_and_begins_anew() {
    let server = RedisServer::start();
    let (a, b) = (join(&server).await, join(&server).await);
    for _ in 0..3 {
        a.set("k", &1).await.unwrap();
        hold(&b, "k").await;
        let before = [drops(&a), drops(&b)];
        server.command([b"DEL", LOG]);
        eventually("neither trusts what it holds", async || {
            drops(&a) > before[0] && drops(&b) > before[1] && b.peek::<u8>("k").is_none()
        })
        .await;
        eventually("the log is there again", async || {
            number(server.command([b"EXISTS", LOG])) == 1
        })
        .await;
        for cache in [&a, &b] {
            hearing(cache).await;
            eventually("it is settled what was lost", async || cache.engine().is_settled()).await;
        }
    }
    a.set("k", &1).await.unwrap();
    hold(&b, "k").await;
    let before = drops(&b);
    a.delete("k").await.unwrap();
    eventually("B is told", async || b.peek::<u8>("k").is_none()).await;
    assert_eq!(drops(&b), before);
}

#[tokio::test]
async fn a_log_of_another_type_is_done_without() {
    let server = RedisServer::start();
    server.command([b"SET", LOG, b"not a stream"]);
    let (a, b) = (join(&server).await, join(&server).await);
    a.set("k", &1).await.unwrap();
    hold(&b, "k").await;
    a.delete("k").await.unwrap();
    eventually("B is told", async || b.peek::<u8>("k").is_none()).await;
    a.set("k", &2).await.unwrap();
    hold(&b, "k").await;
    server.command([b"CLIENT", b"KILL", b"TYPE", b"pubsub"]);
    eventually("B does not trust what it holds", async || b.peek::<u8>("k").is_none()).await;
}

#[tokio::test]
async fn the_log_is_bounded_and_goes_when_nobody_appends() {
    let server = RedisServer::start();
    let a = join(&server).await;
    let keys: Vec<String> = (0..500).map(|n| format!("{n}{}", "x".repeat(1_018))).collect();
    let keys: Vec<&str> = keys.iter().map(|key| &**key).collect();
    for _ in 0..25 {
        a.delete_many(&keys).await.unwrap();
    }
    let length = number(server.command([b"XLEN", LOG]));
    assert!((10_000..10_500).contains(&length), "{length} frames");
    let life = number(server.command([b"PTTL", LOG]));
    assert!((86_000_000..=86_400_000).contains(&life), "{life} ms");
}

/// Opens a cache as a user who has these rights, and is told of nothing by the server itself.
async fn join_as(server: &RedisServer, user: &str, rules: &str) -> Cache {
    let rules = format!("ACL SETUSER {user} reset on >secret ~* &* +@all -client|tracking {rules}");
    server.run(rules.trim_end());
    join_at(server.url().replace("redis://", &format!("redis://{user}:secret@"))).await
}

/// A's messages are published to nobody, and logged nowhere: only the mark shows that there was something.
#[tokio::test]
async fn what_the_log_refuses_and_nobody_hears_is_noticed_within_a_second() {
    for of_b in ["", "-xadd"] {
        let server = RedisServer::start();
        let (a, b) = (
            join_as(&server, "a", "-xadd -publish").await,
            join_as(&server, "b", of_b).await,
        );
        a.set("k", &1).await.unwrap();
        hold(&b, "k").await;
        let before = drops(&b);
        a.delete("k").await.unwrap();
        // Nothing of it follows: no heartbeat, and no clear when the log takes its frames again.
        server.run("CLIENT KILL USER a");
        server.run("ACL SETUSER a off");
        eventually("B holds nothing", async || b.peek::<u8>("k").is_none()).await;
        assert!(drops(&b) > before);
        assert_eq!(b.engine().counters().events_replayed.value(), 0);
    }
}

/// Memory is full: the log takes what is told nevertheless.
#[tokio::test]
async fn a_redis_that_is_full_logs_what_is_told() {
    let server = RedisServer::start();
    let (a, b) = (join_as(&server, "a", "-publish").await, join_as(&server, "b", "").await);
    for key in ["k", "other"] {
        a.set(key, &1).await.unwrap();
    }
    eventually("B has read of it", async || {
        b.engine().counters().events_replayed.value() == 2
    })
    .await;
    for key in ["k", "other"] {
        hold(&b, key).await;
    }
    let before = drops(&b);
    server.run("CONFIG SET maxmemory 1");
    let full = server.command([b"SET", b"more", b"bytes"]);
    assert!(matches!(full, Reply::Error(_)), "{full:?}");
    for make_the_log_anew in [false, true] {
        a.delete("k").await.unwrap();
        eventually("B has read it", async || b.peek::<u8>("k").is_none()).await;
        assert!(a.engine().warnings().iter().all(|warning| warning.about != "xadd"));
        if !make_the_log_anew {
            assert_eq!((b.peek::<u8>("other"), drops(&b)), (Some(1), before));
            server.command([b"DEL", LOG]);
            eventually("B says that it is there", async || {
                number(server.command([b"EXISTS", LOG])) == 1
            })
            .await;
        }
    }
}

/// Rights that were enough before there was a log.
#[tokio::test]
async fn a_user_who_may_not_use_the_log_is_told_by_messages_alone() {
    let server = RedisServer::start();
    for (name, without) in [("append", "-xadd"), ("read", "-xrange")] {
        let user = name.as_bytes();
        let words: [&[u8]; 9] = [
            b"ACL",
            b"SETUSER",
            user,
            b"on",
            b">secret",
            b"~*",
            b"&*",
            b"+@all",
            without.as_bytes(),
        ];
        server.command(words);
        let url = server.url().replace("redis://", &format!("redis://{name}:secret@"));
        let (a, b) = (join_at(url.clone()).await, join_at(url).await);
        a.set("k", &1).await.unwrap();
        hold(&b, "k").await;
        a.delete("k").await.unwrap();
        eventually("B is told", async || b.peek::<u8>("k").is_none()).await;
        a.set("k", &2).await.unwrap();
        hold(&b, "k").await;
        server.command([b"CLIENT", b"KILL", b"TYPE", b"pubsub"]);
        eventually("B does not trust what it holds", async || b.peek::<u8>("k").is_none()).await;
    }
}
