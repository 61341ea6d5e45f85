//! What Redis refuses, and what is configured by half: named, with what is lost, and everything else goes on.

#![allow(
    clippy::await_holding_lock,
    reason = "each test has a thread and a runtime of its own: who waits for the shared servers holds up nobody else"
)]

use crate::rig::{RedisServer, SentinelTrio, eventually, hearing, shared, soon};
use std::convert::Infallible;
use turbocache::options::SentinelOptions;
use turbocache::warning::{Warning, WarningKind};
use turbocache::{Cache, CacheBuilder, ErrorKind};

fn open(builder: CacheBuilder) -> Cache {
    builder.namespace("shop").build().expect("a cache")
}

/// Uses everything, and must get its answers.
async fn use_it(cache: &Cache) {
    soon(cache.set("k", &1)).await.expect("an answer");
    // What cannot be trusted is dropped from memory, and Redis may not tell: a miss is right too.
    assert!(matches!(
        soon(cache.get::<u8>("k")).await.expect("an answer"),
        Some(1) | None
    ));
    soon(cache.get::<u8>("elsewhere")).await.expect("an answer");
    soon(cache.expire("k")).await.expect("an answer");
    let load = async || {
        soon(cache.get_or_load("loaded", || async { Ok::<_, Infallible>(7) }))
            .await
            .expect("an answer")
    };
    assert_eq!(load().await, 7);
    soon(cache.delete("loaded")).await.expect("an answer");
    soon(cache.invalidate_tags(&["t"])).await.expect("an answer");
    soon(cache.clear()).await.expect("an answer");
}

async fn warning_about(cache: &Cache, about: &str) -> Warning {
    let find = || {
        cache
            .engine()
            .warnings()
            .into_iter()
            .find(|warning| warning.about == about)
    };
    eventually(&format!("a warning about {about}"), async || {
        use_it(cache).await;
        find().is_some()
    })
    .await;
    find().expect("a warning")
}

#[tokio::test]
async fn a_command_that_the_access_rules_refuse_is_named_once_with_what_it_costs() {
    let server = RedisServer::start();
    let url = |user: &str| format!("redis://{user}:secret@127.0.0.1:{}", server.port());
    for (user, rule, about, lost) in [
        ("scriptless", "-eval", "eval", "one load for all processes"),
        ("deaf", "-subscribe", "subscribe", "changes by others are not heard"),
        ("mute", "-publish", "publish", "other processes are not told"),
        (
            "unlogged",
            "-xadd",
            "xadd",
            "messages that were missed cannot be read again",
        ),
        ("stateless", "-hmget", "hmget", "no value of Redis can be judged"),
        (
            "unscripted",
            "-hset",
            "eval (hexists, hmget, hset)",
            "one load for all processes",
        ),
    ] {
        server.run("FLUSHALL");
        server.run(&format!("ACL SETUSER {user} on >secret ~* &* +@all {rule}"));
        let cache = open(Cache::builder().redis(url(user)));
        let warning = warning_about(&cache, about).await;
        assert_eq!(warning.kind, WarningKind::Refused);
        assert!(
            warning.message.contains(lost) && warning.message.contains("What still holds: "),
            "{}",
            warning.message
        );
        for _ in 0..3 {
            use_it(&cache).await;
        }
        let abouts = cache.engine().warnings().into_iter().map(|warning| warning.about);
        assert_eq!(abouts.filter(|each| each == about).count(), 1);
        server.run(&format!("ACL SETUSER {user} +@all"));
        eventually(&format!("{about} is over when the rules are mended"), async || {
            use_it(&cache).await;
            cache.engine().warnings().is_empty()
        })
        .await;
        soon(cache.close()).await;
    }
}

#[tokio::test]
async fn a_user_who_may_use_everything_causes_no_warning() {
    let server = RedisServer::start();
    let cache = open(Cache::builder().redis(server.url()));
    hearing(&cache).await;
    use_it(&cache).await;
    assert_eq!(cache.engine().warnings(), []);
}

#[tokio::test]
async fn a_server_that_becomes_a_replica_is_left_and_used_again_when_it_is_a_master() {
    let (server, master) = (RedisServer::start(), RedisServer::start());
    let cache = open(Cache::builder().redis(server.url()));
    hearing(&cache).await;
    cache.set("k", &1).await.expect("an answer");
    server.run(&format!("REPLICAOF 127.0.0.1 {}", master.port()));
    let warning = warning_about(&cache, "readonly").await;
    assert_eq!(warning.kind, WarningKind::Topology);
    assert!(warning.message.contains("is a replica"), "{}", warning.message);
    server.run("REPLICAOF NO ONE");
    eventually("it takes writes again", async || {
        use_it(&cache).await;
        cache.engine().warnings().is_empty()
    })
    .await;
    soon(cache.set("after", &2)).await.expect("an answer");
    let other = open(Cache::builder().redis(server.url()));
    eventually("and has them", async || {
        soon(other.get::<u8>("after")).await.expect("an answer") == Some(2)
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_still_loading_its_data_is_gone_without_until_it_has() {
    let mut server = RedisServer::start();
    server.run("CONFIG SET rdbcompression no");
    let filler = "x".repeat(2_000);
    for n in 0..40 {
        server.run(&format!("SET filler:{n} {filler}"));
    }
    server.run("SAVE");
    server.kill();
    server.restart_with(&[
        "--key-load-delay",
        "40000",
        "--loading-process-events-interval-bytes",
        "1024",
    ]);
    let cache = open(Cache::builder().redis(server.url()));
    use_it(&cache).await;
    let reply = server.command([b"GET", b"filler:0"]);
    assert!(
        format!("{reply:?}").contains("LOADING"),
        "it was ready too early to show anything: {reply:?}"
    );
    eventually("it is used", async || {
        soon(cache.set("k", &1)).await.expect("an answer");
        let other = open(Cache::builder().redis(server.url()));
        soon(other.get::<u8>("k")).await.expect("an answer") == Some(1)
    })
    .await;
}

#[tokio::test]
async fn an_address_that_leads_to_another_kind_of_server_is_named() {
    let server = RedisServer::start();
    let not_a_cluster = open(Cache::builder().redis_cluster([server.url()]));
    let warning = warning_about(&not_a_cluster, "redis.cluster").await;
    assert!(
        warning.message.contains("cluster support disabled"),
        "{}",
        warning.message
    );
    let nobody = open(Cache::builder().redis_cluster(["redis://127.0.0.1:1", "redis://127.0.0.1:2"]));
    let warning = warning_about(&nobody, "redis.cluster").await;
    assert!(
        warning.message.contains("No node tells the slots"),
        "{}",
        warning.message
    );
    let shared = shared();
    let one_node = open(Cache::builder().redis(shared.cluster.nodes[0].url()));
    let warning = warning_about(&one_node, "redis.url").await;
    assert!(warning.message.contains("a node of a Cluster"), "{}", warning.message);
    assert_eq!(warning.expected, "redis.cluster with this address");
    // One address that leads nowhere, among some that do: nothing is lost.
    let mut urls = vec!["redis://127.0.0.1:1".to_owned()];
    urls.extend(shared.cluster.urls());
    let some = open(Cache::builder().redis_cluster(urls));
    hearing(&some).await;
    use_it(&some).await;
    assert_eq!(some.engine().warnings(), []);
}

#[tokio::test]
async fn sentinels_that_do_not_answer_or_do_not_know_the_name_are_named() {
    let shared = shared();
    let trio: &SentinelTrio = &shared.trio;
    let with = |name: &str, extra: &[&str]| SentinelOptions {
        name: name.to_owned(),
        nodes: trio
            .options()
            .nodes
            .into_iter()
            .chain(extra.iter().map(|&url| url.to_owned()))
            .collect(),
        ..SentinelOptions::default()
    };
    let misnamed = open(Cache::builder().redis_sentinel(with("shopp", &[])));
    let warning = warning_about(&misnamed, "redis.sentinel.name").await;
    assert!(
        warning.message.contains("3 of 3 Sentinels do not know the name"),
        "{}",
        warning.message
    );

    let partly = open(Cache::builder().redis_sentinel(with("shop", &["redis://127.0.0.1:1"])));
    hearing(&partly).await;
    let warning = warning_about(&partly, "redis.sentinel.nodes").await;
    assert!(
        warning
            .message
            .starts_with("1 of 4 Sentinels do not answer: 127.0.0.1:1"),
        "{}",
        warning.message
    );
    soon(partly.set("k", &1)).await.expect("an answer");
    let whole = open(Cache::builder().redis_sentinel(trio.options()));
    eventually("the others are enough", async || {
        soon(whole.get::<u8>("k")).await.expect("an answer") == Some(1)
    })
    .await;

    let nobody = SentinelOptions {
        nodes: vec!["redis://127.0.0.1:1".into()],
        ..with("shop", &[])
    };
    let nobody = open(Cache::builder().redis_sentinel(nobody));
    let warning = warning_about(&nobody, "redis.sentinel.nodes").await;
    assert!(
        warning.message.contains("memory, and one load a process"),
        "{}",
        warning.message
    );
    // A server that is no Sentinel.
    let server = RedisServer::start();
    let wrong = SentinelOptions {
        nodes: vec![server.url()],
        ..with("shop", &[])
    };
    let wrong = open(Cache::builder().redis_sentinel(wrong));
    let warning = warning_about(&wrong, "redis.sentinel.nodes").await;
    assert!(warning.message.contains("unknown command"), "{}", warning.message);
}

#[test]
fn an_address_that_cannot_be_right_is_an_error_with_the_option_and_without_the_password() {
    let sentinel = |name: &str, nodes: &[&str]| {
        Cache::builder().redis_sentinel(SentinelOptions {
            name: name.to_owned(),
            nodes: nodes.iter().map(|&node| node.to_owned()).collect(),
            ..SentinelOptions::default()
        })
    };
    let cluster = |nodes: &[&str]| Cache::builder().redis_cluster(nodes.iter().copied());
    for (builder, option) in [
        (cluster(&[]), "redis.cluster"),
        (cluster(&["http://app:hidden@h"]), "redis.cluster"),
        (cluster(&["redis://app:hidden@h:port"]), "redis.cluster"),
        (cluster(&["redis://app:hidden@h/3"]), "redis.cluster"),
        (
            cluster(&["redis://app:hidden@a", "redis://app:other@b"]),
            "redis.cluster",
        ),
        (cluster(&["redis://a", "rediss://b"]), "redis.cluster"),
        (sentinel("", &["redis://h"]), "redis.sentinel.name"),
        (sentinel("shop", &[]), "redis.sentinel.nodes"),
        (sentinel("shop", &["redis://app:hidden@"]), "redis.sentinel.nodes"),
    ] {
        let error = builder.build().err().unwrap_or_else(|| panic!("{option} was accepted"));
        assert_eq!(error.kind(), ErrorKind::Option);
        let text = error.to_string();
        assert!(error.context().contains(&("option", option.to_owned())), "{text}");
        assert!(!text.contains("hidden"), "{text}");
    }
}
