//! Law 6: of all who miss a key one loads, and however his load ends, nobody is left waiting.

use crate::rig::{At, SlowMemory, World, answer, eventually, loads, soon, space};
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::oneshot;
use turbocache::bus::{Bus, Heard};
use turbocache::engine::{FillOutcome, Lookup, Space};
use turbocache::entry::SerializerId;
use turbocache::event::{Change, Frame, KeyChange, Message, Stream};
use turbocache::options::Eviction;
use turbocache::tier::{RemoteReply, RemoteRequest};
use turbocache::{Cache, ErrorKind, LoadError, WriteOptions};

/// Polls a future once.
async fn once<F: Future>(mut future: std::pin::Pin<&mut F>) {
    poll_fn(|context| {
        let _ = future.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
}

async fn seven() -> Result<u8, Infallible> {
    Ok(7)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_callers_on_many_threads_make_one_load() {
    let world = World::new();
    let cache = world.alone(Cache::builder());
    for round in 0..20 {
        let count = Arc::new(AtomicUsize::new(0));
        let callers: Vec<_> = (0..1_000)
            .map(|_| {
                let (cache, count) = (cache.clone(), count.clone());
                tokio::spawn(async move {
                    let load = || async {
                        count.fetch_add(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        seven().await
                    };
                    cache.get_or_load(&format!("k{round}"), load).await
                })
            })
            .collect();
        for caller in callers {
            assert_eq!(soon(caller).await.unwrap().unwrap(), 7);
        }
        assert_eq!(count.load(Ordering::SeqCst), 1, "in round {round}");
    }
}

#[tokio::test]
async fn a_thousand_callers_in_two_processes_make_one_load() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, _) = world.join().await;
    let count = AtomicUsize::new(0);
    let load = || async {
        count.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        seven().await
    };
    let callers = (0..1_000).map(|n| [&a, &b][n % 2].get_or_load("k", load));
    for loaded in soon(futures_util::future::join_all(callers)).await {
        assert_eq!(loaded.unwrap(), 7);
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn when_a_load_fails_the_next_one_loads_and_each_gets_his_own_error() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        let (fail, failing) = oneshot::channel::<()>();
        let first = cache.get_or_load("k", || async {
            failing.await.ok();
            Err::<u8, _>("the first fails")
        });
        let second = async {
            eventually("the first loads", async || loads(cache.engine()) == 1).await;
            let mut second = pin!(cache.get_or_load("k", || async { Ok::<_, Infallible>(7) }));
            once(second.as_mut()).await;
            fail.send(()).unwrap();
            second.await
        };
        let (first, second) = soon(async { tokio::join!(first, second) }).await;
        assert!(matches!(first, Err(LoadError::Loader("the first fails"))));
        assert_eq!(second.unwrap(), 7);
        assert_eq!(cache.engine().counters().loads_failed.value(), 1);
    }
}

#[tokio::test]
async fn a_caller_who_goes_while_he_loads_hands_the_lease_to_the_next() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        let leader = tokio::spawn({
            let cache = cache.clone();
            async move { cache.get_or_load("k", pending::<Result<u8, Infallible>>).await }
        });
        eventually("he loads", async || loads(cache.engine()) == 1).await;
        let mut next = pin!(cache.get_or_load("k", seven));
        once(next.as_mut()).await;
        leader.abort();
        assert_eq!(soon(next).await.unwrap(), 7);
    }
}

#[tokio::test]
async fn a_caller_who_goes_before_he_takes_his_lease_hands_it_to_the_next() {
    let cache = World::new().alone(Cache::builder());
    let mut third = pin!(cache.get_or_load("k", seven));
    {
        let mut first = Box::pin(cache.get_or_load("k", pending::<Result<u8, Infallible>>));
        let mut second = Box::pin(cache.get_or_load("k", seven));
        once(first.as_mut()).await;
        once(second.as_mut()).await;
        once(third.as_mut()).await;
        drop(first);
        eventually("the lease is on its way to the second", async || {
            loads(cache.engine()) == 2
        })
        .await;
    }
    assert_eq!(soon(third).await.unwrap(), 7);
}

#[tokio::test]
async fn many_callers_who_have_all_gone_cost_no_stack() {
    let cache = World::new().alone(Cache::builder());
    let mut leader = Box::pin(cache.get_or_load("k", pending::<Result<u8, Infallible>>));
    once(leader.as_mut()).await;
    for _ in 0..50_000 {
        once(Box::pin(cache.get_or_load("k", seven)).as_mut()).await;
    }
    let mut last = pin!(cache.get_or_load("k", seven));
    once(last.as_mut()).await;
    drop(leader);
    assert_eq!(soon(last).await.unwrap(), 7);
}

#[tokio::test]
async fn a_loader_that_panics_leaves_nobody_waiting() {
    let cache = World::new().alone(Cache::builder());
    let (go, gone) = oneshot::channel::<()>();
    let leader = tokio::spawn({
        let cache = cache.clone();
        async move {
            let load = || async {
                gone.await.ok();
                panic!("the loader panics, as the test wants")
            };
            cache.get_or_load::<u8, Infallible, _, _>("k", load).await
        }
    });
    eventually("it loads", async || loads(cache.engine()) == 1).await;
    let mut next = pin!(cache.get_or_load("k", seven));
    once(next.as_mut()).await;
    go.send(()).unwrap();
    assert!(leader.await.unwrap_err().is_panic());
    assert_eq!(soon(next).await.unwrap(), 7);
}

#[tokio::test]
async fn a_loader_that_asks_for_its_own_key_fails_at_once() {
    let cache = World::new().alone(Cache::builder());
    let inner = || async {
        let outer = || async {
            cache
                .get_or_load("outer", seven)
                .await
                .map_err(|error| error.to_string())
        };
        cache.get_or_load("inner", outer).await
    };
    let error = soon(cache.get_or_load("outer", inner)).await.unwrap_err();
    assert!(error.to_string().contains("would wait for itself"), "{error}");
    assert_eq!(
        soon(cache.get_or_load("outer", seven)).await.unwrap(),
        7,
        "and harms nobody"
    );
    let nested = || async { cache.get_or_load("another", seven).await };
    assert_eq!(
        soon(cache.get_or_load("one", nested)).await.unwrap(),
        7,
        "another key is another matter"
    );
}

/// Takes the lease as somebody who is never heard of again.
async fn lead_and_die(cache: &Cache, key: &str) {
    let Lookup::Load(..) = answer(|done| space(cache).lookup(key, done)).await else {
        panic!("a lease");
    };
    cache.engine().close();
}

fn looks_for_life(request: &RemoteRequest) -> bool {
    matches!(request, RemoteRequest::HasLife { .. })
}

#[tokio::test]
async fn the_death_of_a_process_frees_the_others_when_it_has_not_shown_life_for_a_while() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, remote) = world.join().await;
    lead_and_die(&a, "k").await;
    let mut waiting = pin!(b.get_or_load("k", seven));
    let mut looked = remote.hold(looks_for_life);
    once(waiting.as_mut()).await;
    looked.arrived().await;
    looked.release();
    world.clock.advance(Duration::from_millis(1_199));
    let mut looked = remote.hold(looks_for_life);
    looked.arrived().await;
    looked.release();
    assert_eq!(loads(b.engine()), 0, "A may live");
    world.clock.advance(Duration::from_millis(1));
    // Twice, with some time in between: one look may have come at a bad moment.
    for _ in 0..2 {
        let mut looked = remote.hold(looks_for_life);
        world.clock.advance(Duration::from_millis(50));
        looked.arrived().await;
        assert_eq!(loads(b.engine()), 0);
        looked.release();
    }
    assert_eq!(soon(waiting).await.unwrap(), 7);
    assert_eq!(soon(b.get::<u8>("k")).await.unwrap(), Some(7));
}

#[tokio::test]
async fn who_has_an_old_value_takes_over_from_the_dead_too() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, _) = world.join().await;
    let kept = WriteOptions {
        ttl: Some(Duration::from_secs(1)),
        grace: Some(Duration::from_secs(1_000)),
        ..WriteOptions::default()
    };
    a.set_with("k", &1, &kept).await.unwrap();
    world.clock.advance(Duration::from_millis(1_500));
    let Lookup::Stale(_, Some(_)) = answer(|done| space(&a).lookup("k", done)).await else {
        panic!("a lease");
    };
    a.engine().close();
    assert_eq!(soon(b.get_or_load("k", seven)).await.unwrap(), 1, "A lives");
    world.clock.advance(Duration::from_millis(1_200));
    assert_eq!(soon(b.get_or_load("k", seven)).await.unwrap(), 1, "A may live");
    world.clock.advance(Duration::from_millis(50));
    assert_eq!(soon(b.get_or_load("k", seven)).await.unwrap(), 7, "A is dead");
}

#[tokio::test]
async fn who_was_stopped_and_comes_back_stores_nothing_over_the_one_who_took_over() {
    let world = World::new();
    let (a, stopped) = world.join().await;
    let (b, _) = world.join().await;
    let begun = crate::invalidation::lease(&space(&a), "k").await;
    // Its signs of life reach nobody.
    stopped.lie(|request, reply| match request {
        RemoteRequest::ShowLife { .. } => None,
        _ => Some(reply),
    });
    world.model.forget_lives();
    assert_eq!(soon(taking_over(&world, b.get_or_load("k", seven))).await.unwrap(), 7);
    let outcome = crate::invalidation::fill(&space(&a), begun, b"1", &[]).await;
    assert!(matches!(outcome, FillOutcome::Refused), "{outcome:?}");
    for cache in [&a, &b] {
        assert_eq!(soon(cache.get::<u8>("k")).await.unwrap(), Some(7));
    }
}

/// Time goes on while somebody waits.
async fn taking_over<T>(world: &World, waiting: impl Future<Output = T>) -> T {
    let mut waiting = pin!(waiting);
    loop {
        tokio::select! {
            done = &mut waiting => return done,
            () = tokio::time::sleep(Duration::from_millis(2)) => world.clock.advance(Duration::from_millis(50)),
        }
    }
}

#[tokio::test]
async fn a_living_leader_keeps_its_lease_however_long_it_loads() {
    let world = World::new();
    let (a, remote) = world.join().await;
    let (b, looks) = world.join().await;
    let begun = crate::invalidation::lease(&space(&a), "k").await;
    let mut waiting = pin!(b.get_or_load("k", || async { Err::<u8, _>("must not load") }));
    once(waiting.as_mut()).await;
    for _ in 0..8 {
        let mut shown = remote.hold(|request| matches!(request, RemoteRequest::ShowLife { .. }));
        let mut looked = looks.hold(looks_for_life);
        world.clock.advance(Duration::from_millis(400));
        shown.arrived().await;
        shown.release();
        looked.arrived().await;
        looked.release();
    }
    let filled = answer(|done| space(&a).fill(begun, crate::invalidation::write(b"7", &[]), done)).await;
    filled.unwrap();
    assert_eq!(soon(waiting).await.unwrap(), 7);
}

#[tokio::test]
async fn a_lease_is_renewed_long_before_it_ends() {
    let world = World::new();
    let (a, remote) = world.join().await;
    let (b, _) = world.join().await;
    let begun = crate::invalidation::lease(&space(&a), "k").await;
    for _ in 0..4 {
        let mut renewal = remote.hold(|request| matches!(request, RemoteRequest::Renew { .. }));
        world.clock.advance(Duration::from_millis(10_000));
        renewal.arrived().await;
        renewal.release();
    }
    assert_eq!(loads(b.engine()), 0);
    let outcome = crate::invalidation::fill(&space(&a), begun, b"7", &[]).await;
    assert!(matches!(outcome, FillOutcome::Stored(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_lease_that_was_evicted_in_mid_load_stores_nothing() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, _) = world.join().await;
    let begun = crate::invalidation::lease(&space(&a), "k").await;
    world.model.forget_leases();
    assert_eq!(soon(b.get_or_load("k", seven)).await.unwrap(), 7);
    let outcome = crate::invalidation::fill(&space(&a), begun, b"1", &[]).await;
    assert!(matches!(outcome, FillOutcome::Refused), "{outcome:?}");
    assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), Some(7));
}

#[tokio::test]
async fn a_load_that_ends_without_a_value_is_told_to_the_others() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (ear, mut heard) = tokio::sync::mpsc::unbounded_channel();
    world.bus.listen(ear);
    let begun = crate::invalidation::lease(&space(&a), "k").await;
    space(&a).release(begun, true);
    let freed = async {
        while let Some(heard) = heard.recv().await {
            if let Heard::Message(bytes) = heard
                && let Some(Message::Frame(frame, _)) = Frame::heard(&bytes)
                && let Some(change) = frame.changes.into_iter().next()
            {
                return change;
            }
        }
        panic!("nothing was said");
    };
    let (path, key) = ("".into(), "k".into());
    assert_eq!(soon(freed).await, Change::Freed { path, key });
}

#[tokio::test]
async fn messages_of_a_freed_a_filled_and_a_changed_key_make_waiters_ask_again() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, remote) = world.join().await;
    let _begun = crate::invalidation::lease(&space(&a), "k").await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    remote.lie(move |request, reply| {
        count.fetch_add(
            usize::from(matches!(request, RemoteRequest::Lease { .. })),
            Ordering::SeqCst,
        );
        Some(reply)
    });
    let mut waiting = pin!(b.get_or_load("k", seven));
    once(waiting.as_mut()).await;
    eventually("it polls seldom", async || asked.load(Ordering::SeqCst) >= 7).await;
    let (path, key) = (Box::<str>::from(""), Box::<str>::from("k"));
    let kinds = [
        Change::Freed {
            path: path.clone(),
            key: key.clone(),
        },
        Change::Filled {
            path: path.clone(),
            key: key.clone(),
        },
        Change::Key {
            how: KeyChange::Set,
            path,
            key,
        },
    ];
    let mut said = 0;
    for kind in kinds {
        const ROUNDS: usize = 20;
        let mut waited = Vec::new();
        for _ in 0..ROUNDS {
            let begin = std::time::Instant::now();
            let before = asked.load(Ordering::SeqCst);
            let frame = Frame {
                sender: 1,
                session: 0,
                stream: Stream::Unlogged,
                first: said,
                next: said + 1,
                incarnation: 0,
                counter: 0,
                changes: vec![kind.clone()],
            };
            said += 1;
            world.bus.say(&Heard::Message(frame.encode()));
            eventually("it asks", async || asked.load(Ordering::SeqCst) > before).await;
            waited.push(begin.elapsed());
        }
        // Polls are at least 50 ms apart by now. A busy machine may be late now and then.
        waited.sort();
        assert!(
            waited[ROUNDS / 2] < Duration::from_millis(30),
            "{waited:?}: it polls, and does not hear"
        );
    }
}

#[tokio::test]
async fn who_has_waited_as_long_as_he_wants_loads_for_his_process_alone() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, _) = world
        .join_as(Cache::builder().lock_timeout(Duration::from_millis(300)))
        .await;
    let begun = crate::invalidation::lease(&space(&a), "k").await;
    let mut first = pin!(b.get_or_load("k", seven));
    once(first.as_mut()).await;
    world.clock.advance(Duration::from_millis(299));
    assert_eq!(loads(b.engine()), 0);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(soon(first).await.unwrap(), 7);
    assert_eq!(b.peek::<u8>("k"), Some(7), "kept here");
    assert_eq!(world.model.len(), 0, "and not for the others, who wait for A");
    let outcome = crate::invalidation::fill(&space(&a), begun, b"1", &[]).await;
    assert!(matches!(outcome, FillOutcome::Stored(_)), "{outcome:?}");
}

#[tokio::test]
async fn the_least_patient_of_those_who_wait_together_loads_and_the_others_get_his_value() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, _) = world.join().await;
    let _begun = crate::invalidation::lease(&space(&a), "k").await;
    let wait = |patience| {
        let (sender, answer) = oneshot::channel();
        space(&b).lookup_within("k", patience, Box::new(move |lookup| drop(sender.send(lookup))));
        answer
    };
    let (patient, impatient, for_ever) = (wait(60_000), wait(100), wait(turbocache::clock::FOREVER));
    world.clock.advance(Duration::from_millis(100));
    let Lookup::Load(lease, _) = soon(impatient).await.unwrap() else {
        panic!("he loads");
    };
    crate::invalidation::fill(&space(&b), lease, b"7", &[]).await;
    for waiter in [patient, for_ever] {
        assert!(matches!(soon(waiter).await.unwrap(), Lookup::Hit(_)));
    }
    let at_once = soon(wait(0)).await.unwrap();
    assert!(matches!(at_once, Lookup::Hit(_)), "there is a value now");
}

#[tokio::test]
async fn a_process_without_leases_shows_no_life() {
    let world = World::new();
    let (a, remote) = world.join().await;
    a.set("k", &1).await.unwrap();
    let shown = Arc::new(AtomicUsize::new(0));
    let count = shown.clone();
    remote.lie(move |request, reply| {
        count.fetch_add(
            usize::from(matches!(request, RemoteRequest::ShowLife { .. })),
            Ordering::SeqCst,
        );
        Some(reply)
    });
    for _ in 0..3 {
        let mut heartbeat = remote.hold(|request| matches!(request, RemoteRequest::State { .. }));
        world.clock.advance(Duration::from_millis(1_000));
        heartbeat.arrived().await;
        heartbeat.release();
    }
    assert_eq!(shown.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_grant_that_comes_too_late_is_given_back() {
    let world = World::new();
    let (a, remote) = world.join().await;
    let is_lease = |request: &RemoteRequest| matches!(request, RemoteRequest::Lease { .. });
    let mut asked = remote.hold(is_lease);
    let mut cleared = pin!(a.get_or_load("k", seven));
    once(cleared.as_mut()).await;
    asked.arrived().await;
    // The clear makes the one who comes after it begin anew; the old question is answered later.
    a.clear().await.unwrap();
    let mut after = pin!(a.get_or_load("k", seven));
    once(after.as_mut()).await;
    asked.release();
    let (first, second) = soon(async { tokio::join!(cleared, after) }).await;
    assert_eq!((first.unwrap(), second.unwrap()), (7, 7));
    assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), Some(7));
}

#[tokio::test]
async fn a_refresh_is_joined_by_those_who_miss_meanwhile() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        cache.set("k", &1).await.unwrap();
        let Lookup::Stale(_, Some((lease, _))) = answer(|done| space(&cache).lookup_refresh("k", done)).await else {
            panic!("a lease");
        };
        let second = answer(|done| space(&cache).lookup_refresh("k", done)).await;
        assert!(matches!(second, Lookup::Nothing), "one refreshes at a time");
        world.clock.advance(Duration::from_secs(600));
        let mut missing = pin!(cache.get_or_load("k", || async { Err::<u8, _>("must not load") }));
        once(missing.as_mut()).await;
        let filled = answer(|done| space(&cache).fill(lease, crate::invalidation::write(b"7", &[]), done)).await;
        filled.unwrap();
        assert_eq!(soon(missing).await.unwrap(), 7);
    }
}

#[tokio::test]
async fn a_waiter_never_gets_bytes_of_an_encoding_that_he_does_not_understand() {
    let cache = World::new().alone(Cache::builder());
    let json = space(&cache);
    let packed = Space::open(cache.engine(), "", SerializerId::MESSAGE_PACK);
    let Lookup::Load(lease, _) = answer(|done| json.lookup("k", done)).await else {
        panic!("a lease");
    };
    let (sender, waiting) = oneshot::channel();
    packed.lookup("k", Box::new(move |lookup| drop(sender.send(lookup))));
    answer(|done| json.fill(lease, crate::invalidation::write(b"5", &[]), done))
        .await
        .unwrap();
    assert!(
        matches!(soon(waiting).await.unwrap(), Lookup::Load(..)),
        "0x35 is 53 in MessagePack"
    );
}

#[tokio::test]
async fn a_stale_value_is_served_when_the_loader_fails_and_gone_after_its_grace() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        let kept = WriteOptions {
            ttl: Some(Duration::from_secs(1)),
            grace: Some(Duration::from_secs(10)),
            ..WriteOptions::default()
        };
        let failing = || async { Err::<u8, _>("the origin is down") };
        cache.set_with("k", &1, &kept).await.unwrap();
        world.clock.advance(Duration::from_millis(1_500));
        assert_eq!(soon(cache.get::<u8>("k")).await.unwrap(), None, "not fresh any more");
        assert_eq!(soon(cache.get_or_load("k", failing)).await.unwrap(), 1);
        assert_eq!(
            soon(cache.get_or_load_with("k", &kept, seven)).await.unwrap(),
            7,
            "the loader goes first"
        );
        world.clock.advance(Duration::from_secs(12));
        let gone = soon(cache.get_or_load("k", failing)).await;
        assert!(matches!(gone, Err(LoadError::Loader("the origin is down"))));
    }
}

#[tokio::test]
async fn nobody_waits_for_a_load_who_has_an_old_value() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        let kept = WriteOptions {
            ttl: Some(Duration::from_secs(1)),
            grace: Some(Duration::from_secs(10)),
            ..WriteOptions::default()
        };
        cache.set_with("k", &1, &kept).await.unwrap();
        world.clock.advance(Duration::from_millis(1_500));
        let mut leader = pin!(cache.get_or_load("k", pending::<Result<u8, Infallible>>));
        eventually("he loads", async || {
            once(leader.as_mut()).await;
            loads(cache.engine()) == 1
        })
        .await;
        assert_eq!(soon(cache.get_or_load("k", seven)).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_value_that_is_too_large_is_refused_and_the_next_caller_loads() {
    let world = World::new();
    let cache = world.alone(Cache::builder());
    let large = || async { Ok::<_, Infallible>("x".repeat(17 << 20)) };
    match soon(cache.get_or_load("k", large)).await {
        Err(LoadError::Cache(error)) => assert_eq!(error.kind(), ErrorKind::ValueTooLarge),
        other => panic!("{other:?}"),
    }
    assert_eq!(soon(cache.get_or_load("k", seven)).await.unwrap(), 7);
}

#[tokio::test]
async fn a_lease_that_the_remote_tier_refuses_to_talk_about_is_no_reason_to_wait() {
    let world = World::new();
    let (a, remote) = world.join().await;
    remote.lie(|request, reply| match request {
        RemoteRequest::Lease { .. } => None,
        _ => Some(reply),
    });
    assert_eq!(soon(a.get_or_load("failing", seven)).await.unwrap(), 7);
    remote.lie(|request, reply| match request {
        RemoteRequest::Lease { .. } => Some(RemoteReply::Done(true)),
        _ => Some(reply),
    });
    assert_eq!(soon(a.get_or_load("lying", seven)).await.unwrap(), 7);
}

#[tokio::test]
async fn a_caller_who_looked_before_a_load_ended_and_asks_after_it_makes_no_second_load() {
    let memory = SlowMemory::new(Eviction::S3Fifo);
    let builder = Cache::builder();
    let parts = turbocache::engine::Parts {
        memory: memory.clone(),
        ..turbocache::engine::Parts::local(builder.options(), tokio::runtime::Handle::current())
    };
    let cache = builder.build_on(parts).unwrap();
    let space = space(&cache);
    let Lookup::Load(lease, _) = answer(|done| space.lookup("k", done)).await else {
        panic!("a lease");
    };
    let look = memory.hold(At::Looked);
    let (sender, answered) = oneshot::channel();
    let caller = std::thread::spawn({
        let space = space.clone();
        move || space.lookup("k", Box::new(move |lookup| drop(sender.send(lookup))))
    });
    let look = soon(look.arrived()).await;
    answer(|done| space.fill(lease, crate::invalidation::write(b"7", &[]), done))
        .await
        .unwrap();
    look.release();
    assert!(matches!(soon(answered).await.unwrap(), Lookup::Hit(_)));
    caller.join().unwrap();
    assert_eq!(loads(cache.engine()), 1);
}

#[tokio::test]
async fn a_lease_of_this_process_alone_is_there_at_once_and_what_it_brings_stays_here() {
    let world = World::new();
    let (here, remote) = world.join().await;
    let space = space(&here);
    remote.fail();
    let (lease, _) = space.lease_here("k");
    let stored = answer(|done| space.fill(lease, crate::invalidation::write(b"7", &["t"]), done)).await;
    assert!(matches!(stored, Ok(FillOutcome::Stored(_))));
    assert!(space.peek("k").found.is_some());
    assert_eq!(world.model.len(), 0, "nothing of it goes to the remote tier");
    assert_eq!(loads(here.engine()), 1);
}

#[tokio::test]
async fn what_such_a_lease_brings_is_refused_when_something_was_invalidated_meanwhile() {
    let world = World::new();
    for cache in [world.join().await.0, world.alone(Cache::builder())] {
        let space = space(&cache);
        for (n, invalidate) in ["delete", "tag", "clear"].into_iter().enumerate() {
            let (lease, _) = space.lease_here("k");
            match invalidate {
                "delete" => drop(cache.delete("k").await.unwrap()),
                "tag" => cache.invalidate_tags(&["t"]).await.unwrap(),
                _ => cache.clear().await.unwrap(),
            }
            let outcome = answer(|done| space.fill(lease, crate::invalidation::write(b"7", &["t"]), done)).await;
            assert!(matches!(outcome, Ok(FillOutcome::Refused)), "{n}: {invalidate}");
            assert!(space.peek("k").found.is_none(), "{invalidate}");
        }
    }
}

#[tokio::test]
async fn callers_who_come_during_a_load_of_this_process_alone_wait_for_it() {
    let world = World::new();
    let (here, _) = world.join().await;
    let space = space(&here);
    let (lease, _) = space.lease_here("k");
    let mut waits = pin!(here.get_or_load("k", seven));
    once(waits.as_mut()).await;
    answer(|done| space.fill(lease, crate::invalidation::write(b"8", &[]), done))
        .await
        .unwrap();
    assert_eq!(soon(waits).await.unwrap(), 8);

    let (lease, _) = space.lease_here("other");
    let mut next = pin!(here.get_or_load("other", seven));
    once(next.as_mut()).await;
    space.release(lease, true);
    assert_eq!(soon(next).await.unwrap(), 7, "it has ended without a value");
}

#[tokio::test]
async fn a_load_that_others_wait_for_stays_theirs_when_another_begins_beside_it() {
    let cache = World::new().alone(Cache::builder());
    let space = space(&cache);
    let Lookup::Load(first, _) = answer(|done| space.lookup("k", done)).await else {
        panic!("a lease");
    };
    let (beside, _) = space.lease_here("k");
    let mut waits = pin!(cache.get_or_load("k", seven));
    once(waits.as_mut()).await;
    space.release(beside, false);
    answer(|done| space.fill(first, crate::invalidation::write(b"8", &[]), done))
        .await
        .unwrap();
    assert_eq!(soon(waits).await.unwrap(), 8);
    assert_eq!(loads(cache.engine()), 2);
}
