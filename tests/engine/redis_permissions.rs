//! The smallest rules of `docs/guides/redis.md` are enough, on a Cluster and behind Sentinels too. (One server is tried by the
//! tests of the documentation.)

#![allow(
    clippy::await_holding_lock,
    reason = "each test has a thread and a runtime of its own: who waits for the shared servers holds up nobody else"
)]

use crate::rig::{RedisServer, Reply, eventually, hearing, shared};
use std::convert::Infallible;
use turbocache::engine::Tracking;
use turbocache::options::SentinelOptions;
use turbocache::{Cache, WriteOptions};

const GUIDE: &str = include_str!("../../docs/guides/redis.md");

/// `ACL SETUSER app …` as the guide shows it.
fn rules() -> String {
    let block = GUIDE.split("<!-- acl -->").nth(1).expect("the marked block");
    let block = block.split("```").nth(1).expect("a block of code");
    let words: Vec<&str> = block.trim_start_matches("text").split_whitespace().collect();
    words.join(" ")
}

/// A text that the guide must have, so that nobody changes it there alone.
fn told(rules: &str) -> &str {
    assert!(GUIDE.contains(&format!("`{rules}`")), "the guide does not say {rules}");
    rules
}

/// What the server has refused, but for the name of the library.
fn refused(server: &RedisServer) -> Vec<String> {
    let Reply::Many(entries) = server.run("ACL LOG") else {
        panic!("no list")
    };
    entries
        .iter()
        .map(text)
        .filter(|entry| !entry.contains("client|setinfo"))
        .collect()
}

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Many(parts) => parts.iter().map(text).collect::<Vec<_>>().join(" "),
        Reply::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

fn users(server: &RedisServer) -> String {
    match server.run("CLIENT LIST") {
        Reply::Bytes(list) => String::from_utf8(list).expect("a text"),
        other => panic!("{other:?}"),
    }
}

async fn use_everything(cache: &Cache, other: &Cache) {
    let tagged = WriteOptions {
        tags: &["t"],
        ..WriteOptions::default()
    };
    let keys: Vec<String> = (0..20).map(|n| format!("key{n}")).collect();
    for key in &keys {
        cache.set_with(key, &1, &tagged).await.expect("an answer");
        assert_eq!(other.get::<u8>(key).await.expect("an answer"), Some(1));
    }
    let names: Vec<&str> = keys.iter().map(|key| &**key).collect();
    cache.expire(names[0]).await.expect("an answer");
    cache.delete(names[1]).await.expect("an answer");
    cache.delete_many(&names[2..5]).await.expect("an answer");
    cache.delete_pattern("key1*").await.expect("an answer");
    cache.invalidate_tags(&["t"]).await.expect("an answer");
    assert_eq!(cache.get::<u8>(names[6]).await.expect("an answer"), None);
    for key in &names {
        let load = async || Ok::<_, Infallible>(7);
        assert_eq!(cache.get_or_load(key, load).await.expect("an answer"), 7);
        let must_not = async || Err::<u8, _>("must not load");
        assert_eq!(other.get_or_load(key, must_not).await.expect("an answer"), 7);
    }
    cache.clear().await.expect("an answer");
    eventually("the other is told", async || other.peek::<u8>(names[0]).is_none()).await;
    for cache in [cache, other] {
        assert_eq!(cache.engine().warnings(), []);
        assert_eq!(cache.engine().tracking(), Tracking::On);
    }
}

#[tokio::test]
async fn the_documented_rules_are_enough_in_a_cluster() {
    let shared = shared();
    let nodes = &shared.cluster.nodes;
    for node in nodes {
        node.run(&format!("{} {}", rules(), told("+cluster|slots +asking")));
        node.run("ACL LOG RESET");
    }
    let urls = || {
        shared
            .cluster
            .urls()
            .into_iter()
            .map(|url| url.replace("//", "//app:secret@"))
    };
    let [a, b] = [(); 2].map(|()| {
        Cache::builder()
            .namespace("shop")
            .redis_cluster(urls())
            .build()
            .expect("a cache")
    });
    hearing(&a).await;
    hearing(&b).await;
    use_everything(&a, &b).await;
    assert!(nodes.iter().all(|node| users(node).contains("user=app")));
    for node in nodes {
        assert_eq!(refused(node), Vec::<String>::new());
        node.run("ACL DELUSER app");
    }
}

#[tokio::test]
async fn the_documented_rules_are_enough_behind_sentinels_that_have_their_own_users() {
    let shared = shared();
    let trio = &shared.trio;
    for server in &trio.servers {
        server.run(&format!("{} {}", rules(), told("+role")));
        server.run("ACL LOG RESET");
    }
    let watcher = told("+ping +subscribe +sentinel|master");
    for sentinel in &trio.sentinels {
        sentinel.run(&format!(
            "ACL SETUSER watcher on >watched resetchannels &{} -@all {watcher}",
            told("+switch-master")
        ));
    }
    let options = SentinelOptions {
        nodes: trio
            .options()
            .nodes
            .iter()
            .map(|url| url.replace("//", "//watcher:watched@"))
            .collect(),
        username: Some("app".to_owned()),
        password: Some("secret".to_owned()),
        ..trio.options()
    };
    let [a, b] = [(); 2].map(|()| {
        let builder = Cache::builder().namespace("shop").redis_sentinel(options.clone());
        builder.build().expect("a cache")
    });
    hearing(&a).await;
    hearing(&b).await;
    assert!(users(&trio.servers[0]).contains("user=app"));
    assert!(
        trio.sentinels
            .iter()
            .all(|sentinel| users(sentinel).contains("user=watcher"))
    );
    use_everything(&a, &b).await;
    assert_eq!(refused(&trio.servers[0]), Vec::<String>::new());
    for server in &trio.servers {
        server.run("ACL DELUSER app");
    }
    for sentinel in &trio.sentinels {
        sentinel.run("ACL DELUSER watcher");
    }
}
