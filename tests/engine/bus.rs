//! Law 4: what was said and not heard is found in the log, or costs what is held.

use crate::rig::{FakeRemote, World, eventually, soon};
use std::sync::Arc;
use std::time::Duration;
use turbocache::bus::Heard;
use turbocache::event::{Change, Frame, KeyChange, Stream};
use turbocache::tier::RemoteRequest;
use turbocache::{Cache, WriteOptions};

/// Puts `k` into the memory of the cache, from the remote tier.
async fn hold(cache: &Cache, key: &str) {
    eventually("the value is in memory", async || {
        cache.get::<u8>(key).await.expect("an answer");
        cache.peek::<u8>(key).is_some()
    })
    .await;
}

/// Two processes that both hold `k`, and `other`.
async fn pair(world: &World) -> [(Cache, Arc<FakeRemote>); 2] {
    let pair = [world.join().await, world.join().await];
    for key in ["k", "other"] {
        pair[0].0.set(key, &1).await.expect("it is set");
        for (cache, _) in &pair {
            hold(cache, key).await;
        }
    }
    pair
}

fn replayed(cache: &Cache) -> u64 {
    cache.engine().counters().events_replayed.value()
}

fn received(cache: &Cache) -> u64 {
    cache.engine().counters().events_received.value()
}

fn drops(cache: &Cache) -> u64 {
    cache.engine().counters().bus_drops.value()
}

/// Time goes on until it holds.
async fn in_time(world: &World, what: &str, mut holds: impl FnMut() -> bool) {
    eventually(what, async || {
        world.clock.advance(Duration::from_millis(20));
        holds()
    })
    .await;
}

/// Whoever has a question has asked it: every process looks once in 100 ms whether it has one, and the clock stands still. Twice, because a
/// machine that was busy wakes all at once.
async fn have_asked() {
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

#[tokio::test]
async fn others_have_been_told_when_a_change_is_answered() {
    let world = World::new();
    let [(a, remote), (b, _)] = pair(&world).await;
    let before = remote.batches.load(std::sync::atomic::Ordering::SeqCst);
    a.delete("k").await.unwrap();
    let batches = remote.batches.load(std::sync::atomic::Ordering::SeqCst) - before;
    assert_eq!(batches, 1, "the change and the message take one round trip");
    // It is in B's queue already: only B's own task has to run.
    tokio::task::yield_now().await;
    eventually("B has heard it", async || b.peek::<u8>("k").is_none()).await;
}

#[tokio::test]
async fn a_message_that_was_lost_is_read_in_the_log_when_the_next_one_shows_the_gap() {
    let world = World::new();
    let [(a, _), (b, _)] = pair(&world).await;
    world.bus.lose(1);
    a.delete("k").await.unwrap();
    a.set("unrelated", &1).await.unwrap();
    eventually("B has read it", async || b.peek::<u8>("k").is_none()).await;
    assert_eq!(b.peek::<u8>("other"), Some(1), "nothing else is lost");
    assert_eq!(
        (b.engine().counters().bus_gaps.value(), replayed(&b), drops(&b)),
        (1, 1, 0)
    );
}

#[tokio::test]
async fn a_last_message_that_was_lost_is_read_in_the_log_within_half_a_second() {
    let world = World::new();
    let [(a, _), (b, _)] = pair(&world).await;
    for way in ["delete", "set", "expire", "tags", "clear"] {
        let tagged = WriteOptions {
            tags: &["t"],
            ..WriteOptions::default()
        };
        a.set_with("k", &1, &tagged).await.unwrap();
        hold(&b, "k").await;
        world.bus.lose(1);
        match way {
            "delete" => drop(a.delete("k").await.unwrap()),
            "set" => a.set("k", &2).await.unwrap(),
            "expire" => drop(a.expire("k").await.unwrap()),
            "tags" => a.invalidate_tags(&["t"]).await.unwrap(),
            _ => a.clear().await.unwrap(),
        }
        assert_eq!(b.peek::<u8>("k"), Some(1), "{way}: nobody told B");
        world.clock.advance(Duration::from_millis(500));
        eventually(way, async || b.peek::<u8>("k").is_none()).await;
    }
    assert_eq!(drops(&b), 0);
}

#[tokio::test]
async fn a_lost_subscription_costs_nothing_while_the_log_can_be_read() {
    let world = World::new();
    let [(a, _), (b, _)] = pair(&world).await;
    world.bus.say(&Heard::Lost);
    world.bus.cut();
    eventually("B does not listen", async || !b.engine().hears_bus()).await;
    a.delete("k").await.unwrap();
    in_time(&world, "the log tells", || b.peek::<u8>("k").is_none()).await;
    world.bus.say(&Heard::Listening);
    eventually("B listens", async || b.engine().hears_bus()).await;
    in_time(&world, "a second passes", || {
        world.clock_is_past(Duration::from_secs(2))
    })
    .await;
    assert_eq!((b.peek::<u8>("other"), drops(&b)), (Some(1), 0));
}

#[tokio::test]
async fn a_new_subscription_reads_at_once_what_was_said_before_it() {
    let world = World::new();
    let [(a, _), (b, _)] = pair(&world).await;
    world.bus.say(&Heard::Lost);
    world.bus.lose(1);
    a.delete("k").await.unwrap();
    world.bus.say(&Heard::Listening);
    eventually("B has read it", async || b.peek::<u8>("k").is_none()).await;
    assert_eq!((b.peek::<u8>("other"), drops(&b)), (Some(1), 0));
}

#[tokio::test]
async fn a_gap_that_is_not_in_the_log_any_more_costs_what_is_held() {
    let world = World::new();
    let [(a, _), (b, _)] = pair(&world).await;
    world.bus.lose(1);
    a.delete("k").await.unwrap();
    world.model.trim_log(0);
    a.set("unrelated", &1).await.unwrap();
    eventually("B holds nothing", async || b.peek::<u8>("other").is_none()).await;
    assert!(b.peek::<u8>("k").is_none());
    // It begins anew: the next loss is found again.
    for cache in [&a, &b] {
        in_time(&world, "it is settled", || {
            cache.engine().missed_changes() == 0 && cache.engine().hears_bus()
        })
        .await;
    }
    a.set("other", &1).await.unwrap();
    hold(&b, "other").await;
    let drops_before = drops(&b);
    world.bus.lose(1);
    a.delete("other").await.unwrap();
    in_time(&world, "B has read it", || b.peek::<u8>("other").is_none()).await;
    assert_eq!(drops(&b), drops_before);
}

#[tokio::test]
async fn thousands_of_missed_messages_are_read_page_by_page() {
    let world = World::new();
    let [(a, _), (b, _)] = pair(&world).await;
    world.bus.lose(usize::MAX);
    for n in 0..2_500 {
        a.delete(&format!("k{n}")).await.unwrap();
    }
    a.delete("k").await.unwrap();
    world.bus.lose(0);
    a.delete("unrelated").await.unwrap();
    eventually("B has read it", async || b.peek::<u8>("k").is_none()).await;
    assert_eq!((b.peek::<u8>("other"), drops(&b)), (Some(1), 0));
    assert_eq!(replayed(&b), 2_501);
}

#[tokio::test]
async fn a_remote_tier_that_does_not_answer_costs_what_is_held_within_a_second() {
    let world = World::new();
    let [(_, _), (b, remote)] = pair(&world).await;
    let begin = world.now();
    // A cable that was cut: the question leaves, and nothing comes back.
    let held = remote.hold(|_| true);
    in_time(&world, "B does not trust it", || b.peek::<u8>("k").is_none()).await;
    let passed = world.now().since(begin);
    // The housekeeping looks every 100 ms of real time, in which this clock runs on.
    assert!(passed >= 450, "{passed} ms");
    held.release();
    eventually("B is sure again", async || b.engine().hears_bus()).await;
}

#[tokio::test]
async fn what_was_read_between_two_silences_is_not_trusted_in_the_second() {
    let world = World::new();
    let [(a, _), (b, remote)] = pair(&world).await;
    // The log has not caught up when the lines fall silent again.
    let _held = remote.hold(|request| matches!(request, RemoteRequest::ReadLog { .. }));
    in_time(&world, "B does not trust it", || b.peek::<u8>("k").is_none()).await;
    hold(&b, "k").await;
    remote.look_down();
    world.bus.lose(1);
    a.delete("k").await.unwrap();
    in_time(&world, "B does not trust it again", || b.peek::<u8>("k").is_none()).await;
}

#[tokio::test]
async fn what_is_loaded_while_nothing_answers_is_dropped_once_only() {
    let world = World::new();
    let [_, (b, remote)] = pair(&world).await;
    remote.fail();
    remote.look_down();
    in_time(&world, "B does not trust it", || b.peek::<u8>("k").is_none()).await;
    let load = || async { Ok::<_, std::io::Error>(2u8) };
    assert_eq!(b.get_or_load("k", load).await.unwrap(), 2);
    let dropped = drops(&b);
    let begin = world.now();
    in_time(&world, "time has passed", || world.now().since(begin) >= 3_000).await;
    assert_eq!(b.peek::<u8>("k"), Some(2));
    assert_eq!(drops(&b), dropped);
}

#[tokio::test]
async fn without_a_log_the_numbers_of_a_sender_show_what_is_missing() {
    let world = World::new();
    world.model.refuse_log(true);
    let [(a, _), (b, _)] = pair(&world).await;
    world.bus.lose(1);
    a.delete("k").await.unwrap();
    a.set("unrelated", &1).await.unwrap();
    eventually("B holds nothing", async || b.peek::<u8>("k").is_none()).await;
    hold(&b, "other").await;
    // The last one: the next heartbeat of A shows it.
    world.bus.lose(1);
    a.delete("other").await.unwrap();
    in_time(&world, "B holds nothing", || b.peek::<u8>("other").is_none()).await;
    assert_eq!(replayed(&b), 0);
}

/// Only the mark in the store shows it: nobody says anything behind it, and the log looks as if nothing had happened.
#[tokio::test]
async fn what_the_log_refuses_and_nobody_hears_is_noticed_when_its_maker_has_died_at_once() {
    let world = World::new();
    for refused_from_the_beginning in [false, true] {
        world.model.refuse_log(refused_from_the_beginning);
        let [(a, remote), (b, _)] = pair(&world).await;
        world.model.refuse_log(true);
        world.bus.lose(1);
        a.delete("k").await.unwrap();
        remote.fail();
        // Time for one question, and none to doubt because of a missing answer.
        world.clock.advance(Duration::from_millis(400));
        eventually("B holds nothing", async || b.peek::<u8>("k").is_none()).await;
        assert_eq!(replayed(&b), 0);
    }
}

#[tokio::test]
async fn what_is_heard_while_the_log_refuses_costs_nothing_else() {
    let world = World::new();
    let [(a, remote), (b, _)] = pair(&world).await;
    world.model.refuse_log(true);
    for _ in 0..3 {
        let heard = received(&b);
        a.delete("k").await.unwrap();
        eventually("B is told", async || received(&b) > heard).await;
        // A says nothing while B asks: a reply may overtake a message, and shows then what nobody has heard.
        remote.fail();
        let begin = world.now();
        in_time(&world, "some heartbeats have passed", || {
            world.now().since(begin) > 2_000
        })
        .await;
        have_asked().await;
        remote.heal();
    }
    assert_eq!(
        (b.peek::<u8>("k"), b.peek::<u8>("other"), drops(&b)),
        (None, Some(1), 0)
    );
    a.delete("other").await.unwrap();
    eventually("B is told", async || b.peek::<u8>("other").is_none()).await;
    assert_eq!(drops(&b), 0);
}

/// One that may not append, among others that may.
#[tokio::test]
async fn who_does_not_read_the_log_hears_from_its_own_frames_how_far_it_reaches() {
    let world = World::new();
    let (a, _) = world.join().await;
    let (b, refused) = world.join_unheard(Cache::builder());
    let model = Arc::clone(&world.model);
    refused.instead(move |request| {
        model.refuse_log(matches!(request, RemoteRequest::Tell { .. }));
        let told = model.apply(request);
        model.refuse_log(false);
        Some(told)
    });
    eventually("B hears", async || b.engine().hears_bus()).await;
    a.set("k", &1).await.unwrap();
    hold(&b, "k").await;
    world.bus.lose(1);
    a.delete("k").await.unwrap();
    world.clock.advance(Duration::from_millis(400));
    eventually("B holds nothing", async || b.peek::<u8>("k").is_none()).await;
}

#[tokio::test]
async fn without_a_log_a_lost_subscription_costs_what_is_held() {
    let world = World::new();
    world.model.refuse_log(true);
    let (a, _) = world.join().await;
    for heard in [Heard::Lost, Heard::Listening] {
        a.set("k", &1).await.unwrap();
        assert_eq!(a.peek::<u8>("k"), Some(1));
        world.bus.say(&heard);
        eventually("the memory is empty", async || a.peek::<u8>("k").is_none()).await;
    }
}

#[tokio::test]
async fn without_a_log_a_bus_that_is_not_heard_is_not_trusted_longer_than_a_second() {
    let world = World::new();
    world.model.refuse_log(true);
    world.bus.mute();
    let (a, _) = world.join_unheard(Cache::builder());
    eventually("the log has refused", async || world.model.log_was_asked()).await;
    for _ in 0..3 {
        soon(a.set("k", &1)).await.unwrap();
        in_time(&world, "the memory is empty", || a.peek::<u8>("k").is_none()).await;
    }
}

#[tokio::test]
async fn a_log_that_takes_frames_again_begins_with_everything_being_old() {
    let world = World::new();
    let [(a, _), (b, _)] = pair(&world).await;
    world.model.refuse_log(true);
    world.bus.lose(1);
    // Published to nobody, and logged nowhere.
    a.delete("k").await.unwrap();
    a.set("unrelated", &1).await.unwrap();
    world.model.refuse_log(false);
    in_time(&world, "B holds nothing", || b.peek::<u8>("k").is_none()).await;
}

#[tokio::test]
async fn what_was_said_while_the_remote_tier_was_away_is_said_when_it_is_back() {
    let world = World::new();
    let [(a, remote), (b, _)] = pair(&world).await;
    remote.fail();
    a.delete("k").await.unwrap();
    assert_eq!(b.peek::<u8>("k"), Some(1));
    remote.heal();
    in_time(&world, "B is told", || b.peek::<u8>("k").is_none()).await;
    assert_eq!((b.peek::<u8>("other"), drops(&b)), (Some(1), 0), "and of nothing else");
}

#[tokio::test]
async fn messages_that_are_none_are_ignored() {
    let world = World::new();
    let (a, _) = world.join().await;
    a.set("k", &1).await.unwrap();
    let change = Change::Key {
        how: KeyChange::Delete,
        path: "".into(),
        key: "k".into(),
    };
    let frame = Frame {
        sender: 1,
        session: 0,
        stream: Stream::Unlogged,
        first: 0,
        next: 1,
        incarnation: 0,
        counter: 0,
        changes: vec![change],
    };
    let mut forged = frame.encode();
    forged[0] = 99;
    for bytes in [vec![], vec![2], vec![0xff; 40], b"hello".to_vec(), forged] {
        world.bus.say(&Heard::Message(bytes));
    }
    let changes = vec![Change::Clear { path: "nobody".into() }];
    let heard = a.engine().counters().events_received.value();
    world.bus.say(&Heard::Message(Frame { changes, ..frame }.encode()));
    eventually("what follows is heard", async || {
        a.engine().counters().events_received.value() == heard + 1
    })
    .await;
    assert_eq!(a.peek::<u8>("k"), Some(1));
}

#[tokio::test]
async fn a_message_of_another_version_costs_what_is_held() {
    let world = World::new();
    let (a, _) = world.join().await;
    for version in [1, 3] {
        a.set("k", &1).await.unwrap();
        let mut message = vec![0; 30];
        message[0] = version;
        world.bus.say(&Heard::Message(message));
        eventually("the memory is empty", async || a.peek::<u8>("k").is_none()).await;
    }
}
