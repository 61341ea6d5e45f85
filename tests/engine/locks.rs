//! Locks by name: one holder at a time, who is told when he has lost it, and nobody waits for a dead one for ever.

use crate::rig::{RedisServer, World, eventually, soon};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use turbocache::tier::{RemoteReply, RemoteRequest};
use turbocache::{Cache, ErrorKind, Lock, LockOptions};

fn at_once() -> LockOptions {
    LockOptions {
        wait: Some(Duration::ZERO),
        ..LockOptions::default()
    }
}

fn patient() -> LockOptions {
    LockOptions {
        wait: None,
        ..LockOptions::default()
    }
}

async fn take(cache: &Cache, key: &str) -> Lock {
    soon(cache.lock(key, &patient())).await.expect("the lock")
}

async fn is_free(cache: &Cache, key: &str) -> bool {
    match soon(cache.lock(key, &at_once())).await {
        Ok(lock) => lock.release().await,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::LockTimeout, "{error}");
            false
        }
    }
}

fn over(server: &RedisServer) -> Cache {
    Cache::builder()
        .namespace("shop")
        .redis(server.url())
        .build()
        .expect("a cache")
}

#[tokio::test]
async fn one_at_a_time_holds_a_lock_and_tokens_grow() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, _) = world.join().await;
    let alone = world.alone(Cache::builder());
    for (first, second) in [(&a, &b), (&a, &a), (&alone, &alone)] {
        let held = take(first, "k").await;
        assert!(!is_free(second, "k").await);
        assert!(is_free(second, "another").await && is_free(&second.nested("n"), "k").await);
        let token = held.fencing_token();
        assert!(held.release().await);
        let next = take(second, "k").await;
        assert!(next.fencing_token() > token);
        drop(next);
        eventually("who drops it gives it back", async || is_free(first, "k").await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_callers_of_two_processes_never_hold_it_together() {
    let server = RedisServer::start();
    let (a, b) = (over(&server), over(&server));
    let inside = Arc::new(AtomicUsize::new(0));
    let tokens = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let callers: Vec<_> = (0..200)
        .map(|n| {
            let cache = if n % 2 == 0 { a.clone() } else { b.clone() };
            let (inside, tokens) = (inside.clone(), tokens.clone());
            tokio::spawn(async move {
                let lock = cache.lock("k", &patient()).await.unwrap();
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                tokens.lock().push(lock.fencing_token());
                tokio::task::yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
                assert!(lock.release().await);
            })
        })
        .collect();
    for caller in callers {
        tokio::time::timeout(Duration::from_secs(60), caller)
            .await
            .expect("it hangs")
            .unwrap();
    }
    let tokens = tokens.lock();
    assert_eq!(tokens.len(), 200);
    assert!(tokens.windows(2).all(|pair| pair[0] < pair[1]), "{tokens:?}");
}

#[tokio::test]
async fn callers_of_a_process_get_it_in_the_order_in_which_they_came() {
    let cache = World::new().alone(Cache::builder());
    let held = take(&cache, "k").await;
    let (sender, mut order) = mpsc::unbounded_channel();
    for n in 0..20 {
        let (cache, sender) = (cache.clone(), sender.clone());
        tokio::spawn(async move {
            let lock = cache.lock("k", &patient()).await.unwrap();
            sender.send(n).unwrap();
            lock.release().await;
        });
        tokio::task::yield_now().await;
    }
    held.release().await;
    for n in 0..20 {
        assert_eq!(soon(order.recv()).await, Some(n));
    }
}

#[tokio::test]
async fn who_does_not_want_to_wait_any_longer_is_told_and_blocks_nobody() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        let held = take(&cache, "k").await;
        let short = LockOptions {
            wait: Some(Duration::from_millis(30)),
            ..LockOptions::default()
        };
        let error = soon(cache.lock("k", &short)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LockTimeout);
        for _ in 0..50_000 {
            // Wanted, and not wanted any more.
            let options = patient();
            let mut want = std::pin::pin!(cache.lock("k", &options));
            std::future::poll_fn(|context| {
                let _ = want.as_mut().poll(context);
                std::task::Poll::Ready(())
            })
            .await;
        }
        assert!(held.release().await);
        take(&cache, "k").await.release().await;
    }
}

#[tokio::test]
async fn a_lock_that_is_granted_to_one_who_has_gone_is_given_back() {
    let world = World::new();
    let (a, remote) = world.join().await;
    let (b, _) = world.join().await;
    let mut asked = remote.hold(|request| matches!(request, RemoteRequest::Lock { .. }));
    let wanted = tokio::spawn({
        let a = a.clone();
        async move { a.lock("k", &patient()).await }
    });
    asked.arrived().await;
    wanted.abort();
    let _ = wanted.await;
    assert!(!is_free(&b, "k").await, "the store has granted it");
    asked.release();
    eventually("it is given back", async || is_free(&b, "k").await).await;
}

#[tokio::test]
async fn a_lock_is_kept_for_as_long_as_its_holder_lives_and_ends_with_him() {
    let server = RedisServer::start();
    let (a, b) = (over(&server), over(&server));
    // Renewed three times in it: who stands still for two thirds of it loses the lock, and rightly.
    let short = LockOptions {
        ttl: Duration::from_millis(1_000),
        wait: None,
    };
    let held = soon(a.lock("k", &short)).await.unwrap();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(2_200) {
        assert!(!is_free(&b, "k").await);
    }
    assert!(!held.is_lost());
    assert!(held.release().await);
    // A holder that nobody keeps: as after the death of its process.
    server.command([b"SET", b"tc:{shop:k}:k", b"1.1", b"PX", b"300"]);
    assert!(!is_free(&b, "k").await);
    take(&b, "k").await.release().await;
}

#[tokio::test]
async fn who_has_lost_it_is_told_and_gives_back_nothing_of_his_successor() {
    let server = RedisServer::start();
    let (a, b) = (over(&server), over(&server));
    let short = LockOptions {
        ttl: Duration::from_millis(300),
        wait: None,
    };
    let mut held = soon(a.lock("k", &short)).await.unwrap();
    server.command([b"DEL", b"tc:{shop:k}:k"]);
    let next = take(&b, "k").await;
    soon(held.lost()).await;
    assert!(held.is_lost());
    assert!(next.fencing_token() > held.fencing_token());
    assert!(!held.release().await);
    assert!(!is_free(&a, "k").await, "it is B's");
    assert!(next.release().await);
}

#[tokio::test]
async fn a_lock_of_an_emptied_server_is_lost() {
    let mut server = RedisServer::start();
    let a = over(&server);
    let short = LockOptions {
        ttl: Duration::from_millis(600),
        wait: None,
    };
    let mut held = soon(a.lock("k", &short)).await.unwrap();
    server.kill();
    server.restart();
    soon(held.lost()).await;
    let next = take(&a, "k").await;
    assert!(next.fencing_token() > held.fencing_token());
}

#[tokio::test]
async fn a_lock_that_cannot_be_kept_is_lost_before_anybody_else_can_have_it() {
    let server = RedisServer::start();
    let a = over(&server);
    let short = LockOptions {
        ttl: Duration::from_millis(500),
        wait: None,
    };
    let begin = Instant::now();
    let mut held = soon(a.lock("k", &short)).await.unwrap();
    server.freeze();
    soon(held.lost()).await;
    assert!(begin.elapsed() >= Duration::from_millis(400), "not at the first delay");
    server.thaw();
    assert!(!held.release().await);
}

#[tokio::test]
async fn without_redis_no_lock_is_given_and_the_cause_is_told() {
    let mut server = RedisServer::start();
    let a = over(&server);
    take(&a, "k").await.release().await;
    server.kill();
    let wait = LockOptions {
        wait: Some(Duration::from_millis(200)),
        ..LockOptions::default()
    };
    let error = soon(a.lock("k", &wait)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockTimeout);
    let cause = std::error::Error::source(&error).expect("a cause").to_string();
    assert!(cause.contains("remote tier") || cause.contains("redis"), "{cause}");
    server.restart();
    take(&a, "k").await;
}

#[tokio::test]
async fn a_lock_given_back_is_told_to_those_who_wait_elsewhere() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, remote) = world.join().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    remote.lie(move |request, reply| {
        count.fetch_add(
            usize::from(matches!(request, RemoteRequest::Lock { .. })),
            Ordering::SeqCst,
        );
        Some(reply)
    });
    const ROUNDS: usize = 20;
    let mut waited = Vec::new();
    for _ in 0..ROUNDS {
        let held = take(&a, "k").await;
        let before = asked.load(Ordering::SeqCst);
        let wanted = tokio::spawn({
            let b = b.clone();
            async move { b.lock("k", &patient()).await.unwrap() }
        });
        eventually("B polls seldom by now", async || {
            asked.load(Ordering::SeqCst) >= before + 6
        })
        .await;
        let begin = Instant::now();
        held.release().await;
        let got = soon(wanted).await.unwrap();
        waited.push(begin.elapsed());
        got.release().await;
    }
    // Polls are 50 to 100 ms apart by then: who does not hear waits half of that. A busy machine may be late now and then.
    waited.sort();
    assert!(waited[ROUNDS / 2] < Duration::from_millis(20), "{waited:?}");
}

#[tokio::test]
async fn what_cannot_be_a_lock_is_refused() {
    let world = World::new();
    let cache = world.alone(Cache::builder());
    for ttl in [Duration::ZERO, Duration::from_millis(99), Duration::from_secs(86_401)] {
        let options = LockOptions { ttl, wait: None };
        let error = soon(cache.lock("k", &options)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument, "{error}");
    }
    assert_eq!(
        soon(cache.lock("", &at_once())).await.unwrap_err().kind(),
        ErrorKind::Argument
    );
    let (lying, remote) = world.join().await;
    remote.lie(|request, reply| match request {
        RemoteRequest::Lock { .. } => Some(RemoteReply::Done(true)),
        _ => Some(reply),
    });
    assert_eq!(
        soon(lying.lock("k", &patient())).await.unwrap_err().kind(),
        ErrorKind::Remote
    );
}

#[tokio::test]
async fn closing_ends_every_lock() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, _) = world.join().await;
    let held = take(&a, "held").await;
    let wanted = tokio::spawn({
        let a = a.clone();
        async move { a.lock("held", &patient()).await }
    });
    tokio::task::yield_now().await;
    a.close().await;
    assert!(held.is_lost());
    assert_eq!(soon(wanted).await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(
        soon(a.lock("k", &patient())).await.unwrap_err().kind(),
        ErrorKind::Closed
    );
    eventually("it is free for others", async || is_free(&b, "held").await).await;
}
