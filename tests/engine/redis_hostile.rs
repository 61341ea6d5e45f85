//! Law 10 on a real Redis: bytes and messages that somebody else has put there.

use crate::rig::{RedisServer, Reply, eventually, hearing, soon};
use std::convert::Infallible;
use turbocache::Cache;
use turbocache::event::{Change, Frame, KeyChange, Stream};

const VALUE: &[u8] = b"tc:{shop:k}:v";

async fn join(server: &RedisServer) -> Cache {
    let cache = Cache::builder()
        .namespace("shop")
        .redis(server.url())
        .build()
        .expect("a cache");
    hearing(&cache).await;
    cache
}

#[tokio::test]
async fn foreign_damaged_and_others_bytes_are_counted_misses() {
    let server = RedisServer::start();
    let a = join(&server).await;
    a.set("k", &"mine").await.unwrap();
    a.set("other", &"not mine").await.unwrap();
    let Reply::Bytes(good) = server.command([b"GET", VALUE]) else {
        panic!("no bytes")
    };
    let Reply::Bytes(of_other) = server.command([b"GET", b"tc:{shop:other}:v"]) else {
        panic!("no bytes")
    };
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let planted = [
        ("nothing", Vec::new()),
        ("foreign", b"hello".to_vec()),
        ("foreign and long", vec![0x54; 10_000]),
        ("damaged", damaged),
        ("truncated", good[..good.len() - 1].to_vec()),
        ("of another key", of_other),
    ];
    for (rejected, (what, bytes)) in (1..).zip(planted) {
        let b = join(&server).await;
        server.command([b"SET", VALUE, &bytes, b"PX", b"60000"]);
        assert_eq!(b.get::<String>("k").await.unwrap(), None, "{what}");
        assert_eq!(b.engine().counters().remote_rejected.value(), 1, "{what}");
        let load = || async { Ok::<_, Infallible>(format!("loaded {rejected}")) };
        assert_eq!(
            soon(b.get_or_load("k", load)).await.unwrap(),
            format!("loaded {rejected}"),
            "{what}"
        );
        assert_eq!(
            join(&server).await.get::<String>("k").await.unwrap(),
            Some(format!("loaded {rejected}")),
            "{what}"
        );
    }
    server.command([b"SET", VALUE, &good]);
    let b = join(&server).await;
    assert_eq!(
        b.get::<String>("k").await.unwrap(),
        None,
        "who took its end away has made its age unknown"
    );
}

#[tokio::test]
async fn a_value_of_another_type_is_a_miss_and_a_set_replaces_it() {
    let server = RedisServer::start();
    let a = join(&server).await;
    server.command([b"RPUSH", VALUE, b"x"]);
    assert_eq!(a.get::<u8>("k").await.unwrap(), None);
    let loaded = soon(a.get_or_load("k", || async { Ok::<_, Infallible>(7) })).await;
    assert_eq!(loaded.unwrap(), 7);
    a.set("k", &8).await.unwrap();
    assert_eq!(join(&server).await.get::<u8>("k").await.unwrap(), Some(8));
}

#[tokio::test]
async fn a_namespace_state_of_somebody_else_costs_the_remote_tier_and_nothing_more() {
    let server = RedisServer::start();
    server.command([b"SET", b"tc:{shop}:g", b"not a hash"]);
    let a = join(&server).await;
    let loaded = soon(a.get_or_load("k", || async { Ok::<_, Infallible>(7) })).await;
    assert_eq!(loaded.unwrap(), 7);
    assert_eq!(a.peek::<u8>("k"), Some(7));
    soon(a.clear()).await.unwrap();
    assert_eq!(a.get::<u8>("k").await.unwrap(), None);
}

#[tokio::test]
async fn hostile_messages_are_ignored() {
    let server = RedisServer::start();
    let a = join(&server).await;
    a.set("k", &1).await.unwrap();
    let event = |path: &str| {
        let change = Change::Key {
            how: KeyChange::Delete,
            path: path.into(),
            key: "k".into(),
        };
        Frame {
            sender: 7,
            session: 0,
            stream: Stream::Unlogged,
            first: 0,
            next: 0,
            incarnation: 0,
            counter: 0,
            changes: vec![change],
        }
        .encode()
    };
    let honest = event("");
    let mut endless = honest.clone();
    endless[1..5].copy_from_slice(&u32::MAX.to_le_bytes());
    let hostile = [
        vec![],
        vec![0xff; 1_000],
        honest[..honest.len() - 1].to_vec(),
        endless,
        b"FLUSHALL".to_vec(),
    ];
    for message in hostile {
        server.command([b"PUBLISH", b"tc:{shop}:bus", &message]);
    }
    let foreign = event("nobody/here");
    server.command([b"PUBLISH", b"tc:{shop}:bus", &foreign]);
    eventually("what follows is heard", async || {
        a.engine().counters().events_received.value() == 1
    })
    .await;
    assert_eq!(a.peek::<u8>("k"), Some(1));
    server.command([b"PUBLISH", b"tc:{shop}:bus", &honest]);
    eventually("an honest one is applied", async || a.peek::<u8>("k").is_none()).await;
}
