//! A server that comes back without changes that it had acknowledged: they are made again, and nobody is served what they had
//! made old.

use crate::rig::{FakeRemote, RedisServer, World, eventually, hearing, soon};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use turbocache::event::LogId;
use turbocache::tier::{LOG_LENGTH, RemoteRequest};
use turbocache::{Cache, WriteOptions};

fn tagged(tags: &'static [&'static str]) -> WriteOptions<'static> {
    WriteOptions {
        tags,
        ..WriteOptions::default()
    }
}

/// Two processes; all keys were set by the first, and are held by both.
async fn pair(world: &World) -> [(Cache, Arc<FakeRemote>); 2] {
    let pair = [world.join().await, world.join().await];
    for key in ["k", "other"] {
        pair[0].0.set_with(key, &1, &tagged(&["t"])).await.expect("it is set");
    }
    pair
}

/// The server acknowledges a change, and comes back without it.
async fn lose<T>(world: &World, change: impl Future<Output = turbocache::Result<T>>) {
    let before = world.model.saved();
    change.await.expect("it is acknowledged");
    world.model.put_back(before);
}

/// The log is looked at, and what it shows is settled.
async fn settled(world: &World, cache: &Cache) {
    world.clock.advance(Duration::from_millis(400));
    eventually("the loss is known", async || {
        cache.engine().counters().changes_lost.value() > 0 && cache.engine().is_settled()
    })
    .await;
}

#[tokio::test]
async fn a_change_that_was_lost_is_made_again() {
    for way in ["delete", "set", "expire"] {
        let world = World::new();
        let [(a, _), (b, _)] = pair(&world).await;
        let before = world.model.saved();
        match way {
            "delete" => drop(a.delete("k").await.unwrap()),
            "set" => a.set("k", &2).await.unwrap(),
            _ => drop(a.expire("k").await.unwrap()),
        }
        world.model.put_back(before);
        settled(&world, &a).await;
        let (c, _) = world.join().await;
        for cache in [&a, &b, &c] {
            assert_ne!(soon(cache.get::<u8>("k")).await.unwrap(), Some(1), "{way}");
        }
        assert_eq!(
            c.get::<u8>("other").await.unwrap(),
            Some(1),
            "{way}: nothing else is lost"
        );
    }
}

#[tokio::test]
async fn whoever_heard_of_a_change_makes_it_again_when_its_maker_is_gone() {
    let world = World::new();
    let [(a, _), (b, _)] = pair(&world).await;
    eventually("B holds it", async || {
        b.get::<u8>("k").await.unwrap();
        b.peek::<u8>("k").is_some()
    })
    .await;
    let before = world.model.saved();
    a.delete("k").await.unwrap();
    eventually("B has heard", async || b.peek::<u8>("k").is_none()).await;
    a.close().await;
    world.model.put_back(before);
    settled(&world, &b).await;
    assert_eq!(soon(b.get::<u8>("k")).await.unwrap(), None);
    assert_eq!(soon(world.join().await.0.get::<u8>("k")).await.unwrap(), None);
}

#[tokio::test]
async fn raises_that_were_lost_make_everything_old() {
    for way in ["tags", "clear", "clear nested"] {
        let world = World::new();
        let [(a, _), _] = pair(&world).await;
        let nested = a.nested("below");
        nested.set("k", &1).await.unwrap();
        let before = world.model.saved();
        match way {
            "tags" => a.invalidate_tags(&["t"]).await.unwrap(),
            "clear" => a.clear().await.unwrap(),
            _ => nested.clear().await.unwrap(),
        }
        world.model.put_back(before);
        world.clock.advance(Duration::from_millis(400));
        let (c, _) = world.join().await;
        let key_of = |cache: &Cache| {
            if way == "clear nested" {
                cache.nested("below")
            } else {
                cache.clone()
            }
        };
        eventually(way, async || key_of(&c).get::<u8>("k").await.unwrap().is_none()).await;
        // Of what is raised from now on nothing is lost.
        eventually("settled", async || a.engine().is_settled()).await;
        c.set_with("new", &1, &tagged(&["u"])).await.unwrap();
        a.invalidate_tags(&["u"]).await.unwrap();
        assert_eq!(world.join().await.0.get::<u8>("new").await.unwrap(), None, "{way}");
    }
}

/// Who has raised a tag writes, on the server that has lost that, and dies before it learns so: what it wrote is stamped with a count
/// that the others have yet to reach.
#[tokio::test]
async fn what_was_written_with_a_count_that_is_lost_is_older_than_the_next_raise() {
    let world = World::new();
    let [(a, remote), (b, _)] = pair(&world).await;
    world.bus.cut();
    lose(&world, a.invalidate_tags(&["t"])).await;
    let mut held = remote.hold(|request| matches!(request, RemoteRequest::Write { .. }));
    let dies = tokio::spawn(async move { a.set_with("k", &2, &tagged(&["t"])).await });
    held.arrived().await;
    remote.fail();
    world.clock.advance(Duration::from_millis(1));
    b.invalidate_tags(&["t"]).await.unwrap();
    for cache in [&b, &world.join().await.0] {
        assert_eq!(soon(cache.get::<u8>("k")).await.unwrap(), None);
    }
    dies.abort();
}

#[tokio::test]
async fn a_server_that_lost_more_than_is_remembered_has_nothing_that_counts() {
    let world = World::new();
    let [(a, _), (b, _)] = pair(&world).await;
    let before = world.model.saved();
    a.delete("k").await.unwrap();
    // By the server's clock, that was long ago.
    world.model.let_log_pass(20_000);
    a.delete("unrelated").await.unwrap();
    world.model.put_back(before);
    world.clock.advance(Duration::from_millis(400));
    for cache in [&a, &b] {
        eventually("it is old", async || cache.get::<u8>("other").await.unwrap().is_none()).await;
        assert_eq!(cache.get::<u8>("k").await.unwrap(), None);
    }
}

#[tokio::test]
async fn nothing_is_believed_before_the_loss_is_known() {
    let world = World::new();
    let [(a, remote), _] = pair(&world).await;
    let before = world.model.saved();
    a.delete("k").await.unwrap();
    // The connection breaks, the server is another one, and the next thing that happens is a read.
    remote.fail();
    assert_eq!(soon(a.get::<u8>("other")).await.unwrap(), Some(1), "from memory");
    assert_eq!(soon(a.get::<u8>("nothing")).await.unwrap(), None);
    world.model.put_back(before);
    remote.heal();
    assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), None, "the first read after it");
    eventually("it is removed", async || world.model.len() == 1).await;
    assert_eq!(a.engine().counters().changes_lost.value(), 1);
}

#[tokio::test]
async fn a_connection_that_is_replaced_while_nothing_fails_is_not_believed_before_the_log() {
    let world = World::new();
    let [(a, remote), _] = pair(&world).await;
    lose(&world, a.delete("k")).await;
    remote.succeed();
    assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), None);
}

/// The log is asked for by a batch of the housekeeping or of another caller, and its answer is looked at later than the next one's.
#[tokio::test]
async fn nothing_is_believed_that_overtakes_the_look_at_the_log() {
    for looks in [true, false] {
        let world = World::new();
        let [(a, remote), _] = pair(&world).await;
        lose(&world, a.delete("k")).await;
        let mut held = remote.hold(|request| matches!(request, RemoteRequest::ReadLog { .. }));
        remote.succeed();
        if !looks {
            remote.fail_next(1);
        }
        let first = tokio::spawn({
            let a = a.clone();
            async move { a.get::<u8>("nothing").await }
        });
        held.arrived().await;
        let batches = remote.batches.load(Ordering::SeqCst);
        let read = tokio::spawn({
            let a = a.clone();
            async move { a.get::<u8>("k").await }
        });
        eventually("the read was answered", async || {
            remote.batches.load(Ordering::SeqCst) > batches
        })
        .await;
        held.release();
        assert_eq!(soon(read).await.unwrap().unwrap(), None, "the look went well: {looks}");
        assert_eq!(soon(first).await.unwrap().unwrap(), None);
    }
}

#[tokio::test]
async fn a_change_is_missed_behind_what_others_have_told_since() {
    let world = World::new();
    let [(a, _), (b, _)] = pair(&world).await;
    // What A tells now it does not hear itself: it reads the log from before.
    world.bus.cut();
    lose(&world, a.delete("k")).await;
    b.delete("unrelated").await.unwrap();
    settled(&world, &a).await;
    assert_eq!(soon(world.join().await.0.get::<u8>("k")).await.unwrap(), None);
}

/// What A has told it has not heard, and then it hears somebody who has told the other server first: that follows on what A has
/// heard, and not on what A has told.
#[tokio::test]
async fn a_change_that_is_missed_only_by_its_maker_shows_in_the_next_message() {
    let world = World::new();
    let [(a, _), (b, _)] = pair(&world).await;
    let before = world.model.saved();
    world.bus.lose(1);
    a.delete("k").await.unwrap();
    world.model.put_back(before);
    b.delete("unrelated").await.unwrap();
    eventually("the loss is known, and nobody has asked", async || {
        a.engine().counters().changes_lost.value() == 1 && a.engine().is_settled()
    })
    .await;
    assert_eq!(
        b.engine().counters().changes_lost.value(),
        0,
        "it has never heard of it"
    );
    for cache in [&a, &b, &world.join().await.0] {
        assert_eq!(soon(cache.get::<u8>("k")).await.unwrap(), None);
    }
}

/// The acknowledgement comes from the server before, and is later than what was told to the one behind.
#[tokio::test]
async fn a_change_whose_acknowledgement_is_later_than_its_loss_is_made_again() {
    let world = World::new();
    let [(a, remote), (b, _)] = pair(&world).await;
    let before = world.model.saved();
    world.bus.lose(1);
    let mut held = remote.hold(|request| matches!(request, RemoteRequest::Remove { .. }));
    let deleted = tokio::spawn({
        let a = a.clone();
        async move { a.delete("k").await }
    });
    held.arrived().await;
    world.model.put_back(before);
    b.delete("unrelated").await.unwrap();
    let received = async || a.engine().counters().events_received.value() > 0;
    eventually("A has heard of the other server", received).await;
    held.release();
    assert!(soon(deleted).await.unwrap().is_ok());
    settled(&world, &a).await;
    for cache in [&a, &b, &world.join().await.0] {
        assert_eq!(soon(cache.get::<u8>("k")).await.unwrap(), None);
    }
}

#[tokio::test]
async fn what_is_acknowledged_right_behind_a_clear_is_missed() {
    let world = World::new();
    let [(a, remote), _] = pair(&world).await;
    a.clear().await.unwrap();
    a.set("k", &1).await.unwrap();
    // Nobody has looked at the log since the clear.
    lose(&world, a.delete("k")).await;
    remote.succeed();
    assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), None);
    eventually("the loss is known", async || {
        a.engine().counters().changes_lost.value() == 1
    })
    .await;
    eventually("settled", async || a.engine().is_settled()).await;
    assert_eq!(soon(world.join().await.0.get::<u8>("k")).await.unwrap(), None);
}

#[tokio::test]
async fn values_that_were_cleared_and_are_back_are_old_also_when_only_the_clear_was_not_heard() {
    let world = World::new();
    let [(a, remote), (b, _)] = pair(&world).await;
    world.bus.cut();
    let before = world.model.saved();
    a.delete("k").await.unwrap();
    b.clear().await.unwrap();
    // The state tells A that everything is another now.
    assert_eq!(soon(a.get::<u8>("nothing")).await.unwrap(), None);
    b.close().await;
    world.model.put_back(before);
    remote.succeed();
    assert_eq!(soon(a.get::<u8>("other")).await.unwrap(), None);
    eventually("settled", async || a.engine().is_settled()).await;
    assert_eq!(soon(world.join().await.0.get::<u8>("other")).await.unwrap(), None);
}

#[tokio::test]
async fn a_server_from_before_the_process_is_not_taken_for_an_empty_one() {
    let world = World::new();
    let [(a, _), _] = pair(&world).await;
    let before = world.model.saved();
    a.clear().await.unwrap();
    let (late, remote) = world.join().await;
    late.delete("k").await.unwrap();
    // What comes back had ended before it began: it has never heard of that.
    world.model.put_back(before);
    remote.succeed();
    assert_eq!(soon(late.get::<u8>("k")).await.unwrap(), None);
    eventually("settled", async || late.engine().is_settled()).await;
    assert_eq!(soon(late.get::<u8>("other")).await.unwrap(), None);
    assert_eq!(soon(world.join().await.0.get::<u8>("other")).await.unwrap(), None);
}

#[tokio::test]
async fn what_was_told_of_an_emptied_server_is_made_again_on_one_from_before_that() {
    for logged in [false, true] {
        let world = World::new();
        let (a, _) = world.join().await;
        assert_eq!(
            soon(a.get_or_load("k", async || Ok::<_, std::convert::Infallible>(1u8)))
                .await
                .unwrap(),
            1
        );
        if logged {
            a.set("other", &1).await.unwrap();
        }
        let before = world.model.saved();
        a.close().await;
        world.model.flush();
        let (late, remote) = world.join().await;
        late.delete("k").await.unwrap();
        world.model.put_back(before);
        remote.succeed();
        assert_eq!(soon(late.get::<u8>("k")).await.unwrap(), None, "{logged}");
        eventually("settled", async || late.engine().is_settled()).await;
        assert_eq!(soon(late.get::<u8>("k")).await.unwrap(), None, "{logged}");
        assert_eq!(
            soon(world.join().await.0.get::<u8>("k")).await.unwrap(),
            None,
            "{logged}"
        );
    }
}

#[tokio::test]
async fn a_mark_that_went_back_makes_everything_old() {
    let world = World::new();
    world.model.refuse_log(true);
    let [(a, remote), _] = pair(&world).await;
    lose(&world, a.delete("k")).await;
    remote.succeed();
    assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), None);
    eventually("settled", async || a.engine().is_settled()).await;
    assert_eq!(soon(world.join().await.0.get::<u8>("k")).await.unwrap(), None);
}

/// The value comes from the server before, and whether its tag was invalidated is asked of the one behind.
#[tokio::test]
async fn what_is_said_of_tags_is_not_believed_before_the_log() {
    let world = World::new();
    pair(&world).await;
    let (b, remote) = world.join().await;
    remote.set_deadline(Duration::from_secs(60));
    let before = world.model.saved();
    b.invalidate_tags(&["t"]).await.unwrap();
    let mut held = remote.hold(
        |request| matches!(request, RemoteRequest::State { fields } if fields.iter().any(|field| field.contains("::t"))),
    );
    let read = tokio::spawn({
        let b = b.clone();
        async move { b.get::<u8>("k").await }
    });
    held.arrived().await;
    world.model.put_back(before);
    remote.succeed();
    // It is asked again, of the other server.
    held.release();
    assert_eq!(soon(read).await.unwrap().unwrap(), None);
}

#[tokio::test]
async fn what_is_read_while_the_connection_is_replaced_is_not_believed() {
    let world = World::new();
    let [(a, remote), _] = pair(&world).await;
    lose(&world, a.delete("k")).await;
    let mut held =
        remote.hold(|request| matches!(request, RemoteRequest::ReadBytes { .. } | RemoteRequest::Read { .. }));
    let read = tokio::spawn({
        let a = a.clone();
        async move { a.get::<u8>("k").await }
    });
    held.arrived().await;
    remote.succeed();
    held.release();
    assert_eq!(soon(read).await.unwrap().unwrap(), None);
}

/// It stands behind what the audit has read.
#[tokio::test]
async fn what_is_changed_while_it_is_found_out_what_was_lost_stands() {
    let world = World::new();
    let [(a, remote), _] = pair(&world).await;
    lose(&world, a.delete("unrelated")).await;
    let mut held = remote.hold(|request| matches!(request, RemoteRequest::ReadLog { from } if *from == LogId::START));
    world.clock.advance(Duration::from_millis(400));
    held.arrived().await;
    soon(a.set("k", &2)).await.unwrap();
    soon(a.invalidate_tags(&["another"])).await.unwrap();
    held.release();
    settled(&world, &a).await;
    assert_eq!(a.engine().counters().changes_lost.value(), 1);
    let (late, _) = world.join().await;
    assert_eq!(soon(late.get::<u8>("k")).await.unwrap(), Some(2));
    assert_eq!(soon(late.get::<u8>("other")).await.unwrap(), Some(1));
}

/// The log would end a day after the last thing that was told.
#[tokio::test]
async fn who_has_nothing_to_tell_says_once_an_hour_that_he_is_there() {
    let world = World::new();
    let (a, _) = world.join().await;
    a.set("k", &1).await.unwrap();
    let told = || world.model.log_length();
    let before = told();
    for hour in 1..=3 {
        let since = world.now();
        eventually("it is told", async || {
            world.clock.advance(Duration::from_secs(20));
            told() == before + hour
        })
        .await;
        assert!(world.now().since(since) >= 3_500_000, "not more often");
    }
}

/// An answer that is older than what is known already: the incarnation that is, is not taken for one that has ended.
#[tokio::test]
async fn an_answer_from_before_a_clear_that_comes_behind_it_ends_nothing() {
    let world = World::new();
    let [(a, remote), (b, _)] = pair(&world).await;
    let mut held = remote.hold(|request| matches!(request, RemoteRequest::Remove { .. }));
    let late = tokio::spawn({
        let a = a.clone();
        async move { a.delete("nothing").await }
    });
    held.arrived().await;
    b.clear().await.unwrap();
    // Its own next batch shows A that everything is another now.
    assert_eq!(soon(a.get::<u8>("k")).await.unwrap(), None);
    held.release();
    soon(late).await.unwrap().unwrap();
    a.set("kept", &1).await.unwrap();
    lose(&world, a.delete("unrelated")).await;
    settled(&world, &a).await;
    assert_eq!(soon(world.join().await.0.get::<u8>("kept")).await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_log_that_was_only_trimmed_costs_no_value() {
    let world = World::new();
    let [(a, _), (b, _)] = pair(&world).await;
    world.bus.cut();
    for n in 0..LOG_LENGTH + 10 {
        a.delete(&format!("unrelated {n}")).await.unwrap();
    }
    world.model.trim_log(LOG_LENGTH);
    world.clock.advance(Duration::from_millis(400));
    eventually("B begins anew", async || b.engine().counters().bus_drops.value() > 0).await;
    hearing(&b).await;
    eventually("settled", async || b.engine().is_settled()).await;
    assert_eq!(soon(b.get::<u8>("other")).await.unwrap(), Some(1));
    assert_eq!(b.engine().counters().changes_lost.value(), 0);
}

/// A real server that is killed, and comes back with what it had saved before.
#[tokio::test]
async fn a_redis_that_comes_back_without_its_last_changes_serves_nothing_old() {
    let mut server = RedisServer::start();
    let join = async |server: &RedisServer| {
        let cache = Cache::builder().namespace("shop").redis(server.url()).build().unwrap();
        hearing(&cache).await;
        cache
    };
    let (a, b) = (join(&server).await, join(&server).await);
    for key in ["deleted", "set", "kept"] {
        a.set(key, &1).await.unwrap();
        assert_eq!(b.get::<u8>(key).await.unwrap(), Some(1));
    }
    server.command([b"SAVE"]);
    a.delete("deleted").await.unwrap();
    b.set("set", &2).await.unwrap();
    server.kill();
    server.restart();
    for cache in [&a, &b] {
        eventually("it is up again", async || {
            soon(cache.get::<u8>("nothing")).await.unwrap();
            cache.engine().hears_bus() && cache.engine().counters().changes_lost.value() > 0
        })
        .await;
        eventually("all is made good", async || cache.engine().is_settled()).await;
    }
    let c = join(&server).await;
    for cache in [&a, &b, &c] {
        assert_eq!(cache.get::<u8>("deleted").await.unwrap(), None);
        assert_ne!(cache.get::<u8>("set").await.unwrap(), Some(1));
        assert_eq!(cache.get::<u8>("kept").await.unwrap(), Some(1));
    }
}
