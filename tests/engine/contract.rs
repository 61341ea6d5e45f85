//! What every remote tier must do, run against each of them, and against the fake that the other tests stand on.

use crate::rig::{FakeRemote, Model, RedisServer, Shared, eventually, shared};
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use turbocache::clock::{FOREVER, SystemClock};
use turbocache::codec::envelope::Envelope;
use turbocache::entry::{Lifetime, SerializerId};
use turbocache::event::{self, LogId};
use turbocache::key::RemoteKey;
use turbocache::options::{Options, RedisOptions};
use turbocache::random::SystemRandom;
use turbocache::tier::rules::Place;
use turbocache::tier::{
    KeyValue, KeyValueAnswers, KeyValueItem, KeyValueStore, LOG_PAGE, NamespaceState, NoRemote, RemoteReply,
    RemoteRequest, RemoteState, RemoteTier, Scan, ScanCursor, Stored, Token,
};

/// A store under test.
struct Subject {
    name: &'static str,
    tier: Arc<dyn RemoteTier>,
    /// Another process' way to the same data.
    other: Arc<dyn RemoteTier>,
    /// Leases are shared by processes; otherwise each process has its own, and the last asker of a process has it.
    shares_leases: bool,
    /// Processes can be told, and the log read.
    has_log: bool,
    _server: Server,
}

/// What must stand while the subject is used.
enum Server {
    None,
    Own(#[allow(dead_code, reason = "it is dropped with the subject")] RedisServer),
    Shared(#[allow(dead_code, reason = "others wait for it")] Rc<MutexGuard<'static, Shared>>),
}

/// A map as a user would hand it in, with ends of lives.
#[derive(Clone, Default)]
struct MapStore(Arc<Mutex<HashMap<String, Item>>>);

/// Bytes, and when they end.
type Item = (Bytes, Option<Instant>);

impl KeyValueStore for MapStore {
    fn execute(&self, items: Vec<KeyValueItem>) -> Pin<Box<dyn Future<Output = KeyValueAnswers> + Send + '_>> {
        let mut map = self.0.lock();
        let now = Instant::now();
        map.retain(|_, (_, end)| end.is_none_or(|end| end > now));
        let stored = |(envelope, end): &Item| Stored {
            envelope: envelope.clone(),
            life: end.map(|end| (end - now).as_millis() as u64),
        };
        let answers = items.into_iter().map(|item| match item {
            KeyValueItem::Get(key) => map.get(&key).map(stored),
            KeyValueItem::Set(key, bytes, life) => {
                map.insert(key, (bytes, life.map(|life| now + Duration::from_millis(life))));
                None
            }
            KeyValueItem::Delete(key) => map.remove(&key).as_ref().map(stored),
        });
        Box::pin(std::future::ready(Ok(answers.collect())))
    }
}

/// Real tiers, of two processes.
fn redis_pair(redis: RedisOptions) -> [Arc<dyn RemoteTier>; 2] {
    let options = Options {
        redis: Some(redis),
        ..Options::default()
    };
    let tier = || {
        turbocache::parts(&options, tokio::runtime::Handle::current())
            .expect("parts")
            .remote
    };
    [tier(), tier()]
}

fn redis_subject(name: &'static str, options: RedisOptions, server: Server) -> Subject {
    let [tier, other] = redis_pair(options);
    Subject {
        name,
        tier,
        other,
        shares_leases: true,
        has_log: true,
        _server: server,
    }
}

fn subjects() -> Vec<Subject> {
    let server = RedisServer::start();
    let standalone = RedisOptions {
        url: Some(server.url()),
        ..RedisOptions::default()
    };
    let shared = Rc::new(shared());
    let sentinel = RedisOptions {
        sentinel: Some(shared.trio.options()),
        ..RedisOptions::default()
    };
    let cluster = RedisOptions {
        cluster: Some(shared.cluster.urls()),
        ..RedisOptions::default()
    };
    let map = MapStore::default();
    let key_value = || Arc::new(KeyValue::new(map.clone(), "default", Arc::new(SystemRandom::default())));
    let model = Arc::new(Model::new(Arc::new(SystemClock::default())));
    let fake = || Arc::new(FakeRemote::new(model.clone()));
    vec![
        redis_subject("Redis", standalone, Server::Own(server)),
        redis_subject("Redis behind Sentinels", sentinel, Server::Shared(Rc::clone(&shared))),
        redis_subject("Redis Cluster", cluster, Server::Shared(shared)),
        Subject {
            name: "KeyValue",
            tier: key_value(),
            other: key_value(),
            shares_leases: false,
            has_log: false,
            _server: Server::None,
        },
        Subject {
            name: "the fake",
            tier: fake(),
            other: fake(),
            shares_leases: true,
            has_log: true,
            _server: Server::None,
        },
    ]
}

fn key(name: &str) -> RemoteKey {
    RemoteKey::new("default", name)
}

fn envelope(key: &RemoteKey, payload: &[u8], grace: u64) -> Bytes {
    Envelope {
        serializer: SerializerId::JSON,
        incarnation: 1,
        born: 0,
        lifetime: Lifetime { ttl: 60_000, grace },
        tags: Vec::new(),
        payload: payload.into(),
    }
    .encode(key, None)
}

async fn ask(tier: &Arc<dyn RemoteTier>, request: RemoteRequest) -> RemoteReply {
    let mut replies = tier.execute(&[request]).await;
    assert_eq!(replies.len(), 1);
    replies.remove(0).expect("an answer")
}

async fn state(tier: &Arc<dyn RemoteTier>, fields: &[&str]) -> NamespaceState {
    let fields = fields.iter().map(|field| (*field).into()).collect();
    match ask(tier, RemoteRequest::State { fields }).await {
        RemoteReply::State(state) => state,
        other => panic!("{other:?}"),
    }
}

async fn raise(tier: &Arc<dyn RemoteTier>, fields: &[&str]) -> NamespaceState {
    let fields = fields.iter().map(|field| (*field).into()).collect();
    match ask(tier, RemoteRequest::Raise { fields }).await {
        RemoteReply::State(state) => state,
        other => panic!("{other:?}"),
    }
}

async fn stored(tier: &Arc<dyn RemoteTier>, key: &RemoteKey) -> Option<Stored> {
    match ask(tier, RemoteRequest::Read { key: key.clone() }).await {
        RemoteReply::Value(stored) => stored,
        other => panic!("{other:?}"),
    }
}

async fn done(tier: &Arc<dyn RemoteTier>, request: RemoteRequest) -> bool {
    match ask(tier, request).await {
        RemoteReply::Done(done) => done,
        other => panic!("{other:?}"),
    }
}

fn token(number: u64) -> Token {
    Token { owner: 1, number }
}

fn lease(key: &RemoteKey, number: u64, unless_value: bool) -> RemoteRequest {
    RemoteRequest::Lease {
        key: key.clone(),
        token: token(number),
        life: 3_000,
        unless_value,
    }
}

fn fill(key: &RemoteKey, number: u64, payload: &[u8]) -> RemoteRequest {
    RemoteRequest::Fill {
        key: key.clone(),
        token: token(number),
        envelope: envelope(key, payload, 0),
        life: Some(60_000),
    }
}

fn write(key: &RemoteKey, payload: &[u8], grace: u64, life: Option<u64>) -> RemoteRequest {
    RemoteRequest::Write {
        key: key.clone(),
        envelope: envelope(key, payload, grace),
        life,
    }
}

#[tokio::test]
async fn what_one_process_writes_another_reads_with_the_life_that_remains() {
    for Subject { name, tier, other, .. } in subjects() {
        let key = key("k");
        assert!(stored(&tier, &key).await.is_none(), "{name}");
        assert!(done(&tier, write(&key, b"1", 0, Some(60_000))).await, "{name}");
        let found = stored(&other, &key).await.unwrap_or_else(|| panic!("{name}: no value"));
        assert_eq!(found.envelope, envelope(&key, b"1", 0), "{name}");
        let life = found.life.expect("it ends");
        assert!((50_000..=60_000).contains(&life), "{name}: {life}");
        done(&tier, write(&key, b"2", 0, None)).await;
        let found = stored(&other, &key).await.expect("a value");
        assert_eq!((found.envelope, found.life), (envelope(&key, b"2", 0), None), "{name}");
    }
}

#[tokio::test]
async fn a_value_is_gone_when_its_life_ends() {
    for Subject { name, tier, .. } in subjects() {
        done(&tier, write(&key("k"), b"1", 0, Some(20))).await;
        eventually(name, async || stored(&tier, &key("k")).await.is_none()).await;
    }
}

#[tokio::test]
async fn any_bytes_survive() {
    for Subject { name, tier, other, .. } in subjects() {
        let payload: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        let key = key("schlüssel \u{0} } {tag} 🦀");
        done(&tier, write(&key, &payload, 0, Some(60_000))).await;
        let found = stored(&other, &key).await.expect(name);
        assert_eq!(found.envelope, envelope(&key, &payload, 0), "{name}");
    }
}

#[tokio::test]
async fn remove_says_whether_there_was_a_value() {
    for Subject { name, tier, other, .. } in subjects() {
        let remove = || RemoteRequest::Remove { key: key("k") };
        assert!(!done(&tier, remove()).await, "{name}");
        done(&other, write(&key("k"), b"1", 0, None)).await;
        assert!(done(&tier, remove()).await, "{name}");
        assert!(stored(&other, &key("k")).await.is_none(), "{name}");
    }
}

#[tokio::test]
async fn expire_leaves_the_grace_and_nothing_more() {
    for Subject { name, tier, .. } in subjects() {
        let expire = || RemoteRequest::Expire { key: key("k") };
        assert!(!done(&tier, expire()).await, "{name}");
        done(&tier, write(&key("k"), b"1", 0, Some(60_000))).await;
        assert!(done(&tier, expire()).await, "{name}");
        assert!(stored(&tier, &key("k")).await.is_none(), "{name}: no grace");
        for life in [Some(70_000), None] {
            done(&tier, write(&key("k"), b"1", 10_000, life)).await;
            assert!(done(&tier, expire()).await, "{name}");
            let life = stored(&tier, &key("k"))
                .await
                .expect("its grace")
                .life
                .expect("it ends");
            assert!((5_000..=10_000).contains(&life), "{name}: {life}");
            assert!(!done(&tier, expire()).await, "{name}: it is stale already");
        }
    }
}

#[tokio::test]
async fn one_at_a_time_has_the_lease() {
    for Subject {
        name,
        tier,
        other,
        shares_leases,
        ..
    } in subjects()
    {
        assert!(
            matches!(ask(&tier, lease(&key("k"), 1, true)).await, RemoteReply::Granted),
            "{name}"
        );
        if shares_leases {
            assert!(
                matches!(ask(&other, lease(&key("k"), 2, true)).await, RemoteReply::Held(Some(holder)) if holder == token(1)),
                "{name}"
            );
            assert!(
                matches!(
                    ask(&other, lease(&key("k"), 2, false)).await,
                    RemoteReply::Held(Some(_))
                ),
                "{name}"
            );
        } else {
            assert!(
                matches!(ask(&tier, lease(&key("k"), 2, true)).await, RemoteReply::Granted),
                "{name}"
            );
            assert!(
                !done(&tier, fill(&key("k"), 1, b"1")).await,
                "{name}: the last asker has it"
            );
            assert!(
                matches!(ask(&tier, lease(&key("k"), 1, true)).await, RemoteReply::Granted),
                "{name}"
            );
        }
        let unlease = |number| RemoteRequest::Unlease {
            key: key("k"),
            token: token(number),
        };
        assert!(!done(&tier, unlease(9)).await, "{name}: not his");
        assert!(done(&tier, unlease(1)).await, "{name}");
        assert!(!done(&tier, unlease(1)).await, "{name}: not any more");
        assert!(
            matches!(ask(&tier, lease(&key("k"), 3, false)).await, RemoteReply::Granted),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_lease_is_unnecessary_where_there_is_a_value() {
    for Subject { name, tier, .. } in subjects() {
        done(&tier, write(&key("k"), b"1", 0, Some(60_000))).await;
        match ask(&tier, lease(&key("k"), 1, true)).await {
            RemoteReply::Value(Some(found)) => {
                assert_eq!(found.envelope, envelope(&key("k"), b"1", 0), "{name}");
                assert!(found.life.is_some_and(|life| life > 50_000), "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
        assert!(
            matches!(ask(&tier, lease(&key("k"), 1, false)).await, RemoteReply::Granted),
            "{name}: he insists"
        );
        done(&tier, write(&key("stale"), b"1", 60_000, Some(59_000))).await;
        assert!(
            matches!(ask(&tier, lease(&key("stale"), 1, true)).await, RemoteReply::Granted),
            "{name}: only its grace is left"
        );
    }
}

#[tokio::test]
async fn a_fill_needs_its_lease_and_ends_it() {
    for Subject { name, tier, other, .. } in subjects() {
        assert!(!done(&tier, fill(&key("k"), 1, b"0")).await, "{name}: no lease");
        ask(&tier, lease(&key("k"), 1, true)).await;
        assert!(!done(&tier, fill(&key("k"), 2, b"0")).await, "{name}: not his");
        assert!(done(&tier, fill(&key("k"), 1, b"1")).await, "{name}");
        assert!(!done(&tier, fill(&key("k"), 1, b"2")).await, "{name}: once");
        let found = stored(&other, &key("k")).await.expect("the value");
        assert_eq!(found.envelope, envelope(&key("k"), b"1", 0), "{name}");
    }
}

#[tokio::test]
async fn every_change_of_a_key_revokes_its_lease() {
    for Subject {
        name,
        tier,
        other,
        shares_leases,
        ..
    } in subjects()
    {
        let changes = [
            RemoteRequest::Remove { key: key("k") },
            RemoteRequest::Expire { key: key("k") },
            write(&key("k"), b"new", 0, None),
        ];
        for change in changes {
            ask(&tier, lease(&key("k"), 1, false)).await;
            ask(if shares_leases { &other } else { &tier }, change.clone()).await;
            assert!(!done(&tier, fill(&key("k"), 1, b"old")).await, "{name}: {change:?}");
        }
    }
}

#[tokio::test]
async fn a_renewed_lease_lives_and_a_forgotten_one_ends() {
    for Subject {
        name,
        tier,
        other,
        shares_leases,
        ..
    } in subjects()
    {
        let renew = |number, life| RemoteRequest::Renew {
            key: key("k"),
            token: token(number),
            life,
        };
        assert!(!done(&tier, renew(1, 1_000)).await, "{name}: there is none");
        ask(&tier, lease(&key("k"), 1, true)).await;
        assert!(done(&tier, renew(1, 60_000)).await, "{name}");
        assert!(!done(&tier, renew(2, 60_000)).await, "{name}: not his");
        if shares_leases {
            assert!(done(&tier, renew(1, 20)).await, "{name}");
            eventually(name, async || {
                matches!(ask(&other, lease(&key("k"), 2, true)).await, RemoteReply::Granted)
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_lease_is_taken_over_only_from_the_holder_that_was_seen() {
    let shared = subjects().into_iter().filter(|subject| subject.shares_leases);
    for Subject { name, tier, other, .. } in shared {
        let take_over = |from, number| RemoteRequest::TakeOver {
            key: key("k"),
            from: token(from),
            token: token(number),
            life: 60_000,
        };
        let reply = ask(&other, take_over(1, 2)).await;
        assert!(
            matches!(reply, RemoteReply::Held(None)),
            "{name}: there is none, {reply:?}"
        );
        ask(&tier, lease(&key("k"), 1, true)).await;
        let reply = ask(&other, take_over(9, 2)).await;
        assert!(
            matches!(reply, RemoteReply::Held(Some(holder)) if holder == token(1)),
            "{name}: {reply:?}"
        );
        assert!(
            matches!(ask(&other, take_over(1, 2)).await, RemoteReply::Granted),
            "{name}"
        );
        assert!(!done(&tier, fill(&key("k"), 1, b"old")).await, "{name}: he has lost it");
        assert!(done(&other, fill(&key("k"), 2, b"new")).await, "{name}");
    }
}

#[tokio::test]
async fn a_lock_is_held_by_one_and_each_has_a_greater_fencing_token() {
    let shared = subjects().into_iter().filter(|subject| subject.shares_leases);
    for Subject { name, tier, other, .. } in shared {
        let lock = |number| RemoteRequest::Lock {
            key: key("k"),
            token: token(number),
            life: 60_000,
        };
        let fence = async |tier: &Arc<dyn RemoteTier>, number| match ask(tier, lock(number)).await {
            RemoteReply::Locked(fence) => fence,
            other => panic!("{name}: {other:?}"),
        };
        let keep = |number, life| RemoteRequest::KeepLock {
            key: key("k"),
            token: token(number),
            life,
        };
        let unlock = |number| RemoteRequest::Unlock {
            key: key("k"),
            token: token(number),
        };
        let first = fence(&tier, 1).await;
        assert!(matches!(ask(&other, lock(2)).await, RemoteReply::Held(_)), "{name}");
        let again = fence(&tier, 1).await;
        assert!(again > first, "{name}: whose answer was lost may ask again");
        assert!(
            !done(&other, unlock(2)).await && !done(&other, keep(2, 60_000)).await,
            "{name}: not his"
        );
        assert!(
            done(&tier, keep(1, 60_000)).await && done(&tier, unlock(1)).await,
            "{name}"
        );
        assert!(
            !done(&tier, unlock(1)).await && !done(&tier, keep(1, 60_000)).await,
            "{name}: not any more"
        );
        let second = fence(&other, 2).await;
        assert!(second > again, "{name}");
        assert!(done(&other, keep(2, 20)).await, "{name}");
        eventually(
            name,
            async || matches!(ask(&tier, lock(3)).await, RemoteReply::Locked(fence) if fence > second),
        )
        .await;
        done(&tier, write(&key("k"), b"1", 0, None)).await;
        ask(&tier, RemoteRequest::Remove { key: key("k") }).await;
        assert!(
            done(&tier, unlock(3)).await,
            "{name}: a value of the same key is another matter"
        );
    }
}

#[tokio::test]
async fn fencing_tokens_go_on_where_redis_has_forgotten_them() {
    let mut server = RedisServer::start();
    let [tier, _] = redis_pair(RedisOptions {
        url: Some(server.url()),
        ..RedisOptions::default()
    });
    let lock = || RemoteRequest::Lock {
        key: key("k"),
        token: token(1),
        life: 60_000,
    };
    let RemoteReply::Locked(before) = ask(&tier, lock()).await else {
        panic!("no lock");
    };
    // A clock that goes back does not matter while the last token is remembered.
    let ahead = (before + 60_000_000).to_string();
    server.command([b"SET", b"tc:{default:k}:f", ahead.as_bytes()]);
    let RemoteReply::Locked(ahead) = ask(&tier, lock()).await else {
        panic!("no lock");
    };
    assert_eq!(ahead, before + 60_000_001);
    server.kill();
    server.restart();
    let after = async || match tier.execute(&[lock()]).await.remove(0) {
        Ok(RemoteReply::Locked(fence)) => fence,
        _ => 0,
    };
    eventually("the emptied server gives greater tokens", async || {
        after().await > before
    })
    .await;
    server.command([b"SET", b"tc:{default:k}:f", b"garbage"]);
    assert!(after().await > before);
}

#[tokio::test]
async fn who_shows_that_he_lives_is_seen_by_others_for_a_while() {
    for Subject {
        name,
        tier,
        other,
        shares_leases,
        ..
    } in subjects()
    {
        let lives = || RemoteRequest::HasLife { owner: 0xfeed };
        if shares_leases {
            assert!(!done(&other, lives()).await, "{name}");
        }
        let shows = |life| RemoteRequest::ShowLife { owner: 0xfeed, life };
        assert!(done(&tier, shows(60_000)).await, "{name}");
        assert!(done(&other, lives()).await, "{name}");
        if shares_leases {
            assert!(done(&tier, shows(20)).await, "{name}");
            eventually(name, async || !done(&other, lives()).await).await;
        }
    }
}

#[tokio::test]
async fn what_another_client_has_put_in_the_place_of_a_lease_is_nobodys_and_is_kept() {
    let server = RedisServer::start();
    let [tier, _] = redis_pair(RedisOptions {
        url: Some(server.url()),
        ..RedisOptions::default()
    });
    server.command([b"SET", b"tc:{default:k}:l", b"\xff foreign"]);
    assert!(matches!(
        ask(&tier, lease(&key("k"), 1, true)).await,
        RemoteReply::Held(None)
    ));
    assert!(!done(&tier, fill(&key("k"), 1, b"1")).await);
}

#[tokio::test]
async fn the_namespace_state_counts_raises_and_is_one_for_all() {
    for Subject { name, tier, other, .. } in subjects() {
        let first = state(&tier, &["a", "b"]).await;
        assert!(first.incarnation != 0, "{name}");
        assert_eq!((first.counter, &first.floors[..]), (0, &[0, 0][..]), "{name}");
        let raised = raise(&other, &["b"]).await;
        let count = raised.counter;
        assert!(count > 0, "{name}");
        assert_eq!(
            (raised.incarnation, &raised.floors[..]),
            (first.incarnation, &[count][..]),
            "{name}"
        );
        let later = raise(&tier, &["a", "c"]).await.counter;
        assert!(later > count, "{name}");
        let now = state(&tier, &["a", "b", "x"]).await;
        assert_eq!(
            (now.incarnation, now.counter, &now.floors[..]),
            (first.incarnation, later, &[later, count, 0][..]),
            "{name}"
        );
        let cleared = raise(&tier, &[]).await;
        assert_ne!(cleared.incarnation, first.incarnation, "{name}");
        let abandon = async |incarnation| match ask(&tier, RemoteRequest::Abandon { incarnation }).await {
            RemoteReply::State(state) => state.incarnation,
            reply => panic!("{name}: {reply:?}"),
        };
        assert_eq!(
            abandon(first.incarnation).await,
            cleared.incarnation,
            "{name}: another one has begun"
        );
        let left = cleared.incarnation;
        let cleared = abandon(left).await;
        assert_ne!(cleared, left, "{name}");
        let cleared = state(&other, &[]).await;
        let now = state(&other, &["a"]).await;
        assert_eq!(
            (now.incarnation, now.counter, &now.floors[..]),
            (cleared.incarnation, 0, &[0][..]),
            "{name}"
        );
    }
}

/// Else a count that a failover has lost would come again, see `failover.rs`.
#[tokio::test]
async fn a_count_of_redis_is_its_time_and_grows_also_when_that_goes_back() {
    let server = RedisServer::start();
    let [tier, _] = redis_pair(RedisOptions {
        url: Some(server.url()),
        ..RedisOptions::default()
    });
    let micros = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time since 1970");
        u64::try_from(since.as_micros()).expect("a time before the year 500,000")
    };
    let before = micros();
    let count = raise(&tier, &["a"]).await.counter;
    assert!((before..=micros()).contains(&count), "{count}");
    let ahead = (micros() + 3_600_000_000).to_string();
    server.command([b"HSET", b"tc:{default}:g", b"c", ahead.as_bytes()]);
    let rule = RemoteRequest::RaiseRule {
        rule: "r".into(),
        places: vec![Place {
            list: "all::a".into(),
            floor: "t::a".into(),
        }],
    };
    let RemoteReply::State(raised) = ask(&tier, rule).await else {
        panic!("no state")
    };
    assert_eq!((raised.counter - 1).to_string(), ahead);
    assert_eq!((raise(&tier, &["a"]).await.counter - 2).to_string(), ahead);
}

#[tokio::test]
async fn a_rule_goes_to_the_shortest_list_replaces_itself_and_gives_way_to_a_floor_when_there_are_too_many() {
    let place = |tag: &str| Place {
        list: format!("all::{tag}").into(),
        floor: format!("t::{tag}").into(),
    };
    for Subject { name, tier, other, .. } in subjects() {
        let raise = async |rule: &str, tags: &[&str]| {
            let request = RemoteRequest::RaiseRule {
                rule: rule.into(),
                places: tags.iter().map(|tag| place(tag)).collect(),
            };
            match ask(&tier, request).await {
                RemoteReply::State(state) => state.counter,
                reply => panic!("{name}: {reply:?}"),
            }
        };
        let lists = async |tag: &str| {
            let now = state(&other, &[&format!("t::{tag}"), &format!("all::{tag}")]).await;
            let rules: Vec<String> = now
                .rules
                .iter()
                .map(|(count, rule)| format!("{count} {rule}"))
                .collect();
            (now.counter, now.floors, rules)
        };
        raise("r 1", &["a", "b"]).await;
        let second = raise("r 2", &["a", "c"]).await;
        let third = raise("r 3", &["b", "c"]).await;
        let last = raise("r 1", &["a", "b"]).await;
        let one = |count: u64, rule: &str| (last, vec![0, 0], vec![format!("{count} {rule}")]);
        assert_eq!(lists("a").await, one(last, "r 1"), "{name}");
        assert_eq!(lists("b").await, one(third, "r 3"), "{name}");
        assert_eq!(lists("c").await, one(second, "r 2"), "{name}");
        let mut counts = vec![last];
        for n in 0..40 {
            counts.push(raise(&format!("[\"%d\\n\",{n}]"), &["d"]).await);
        }
        assert!(counts.is_sorted_by(|before, after| before < after), "{name}");
        let (counter, floors, rules) = lists("d").await;
        assert_eq!((counter, floors), (counts[40], vec![counts[33], 0]), "{name}");
        assert_eq!(rules.len(), 7, "{name}");
        assert_eq!(rules[6], format!("{} [\"%d\\n\",39]", counts[40]), "{name}");
    }
}

#[tokio::test]
async fn a_batch_is_executed_in_its_order_with_one_reply_for_each_request() {
    for Subject { name, tier, .. } in subjects() {
        let batch = vec![
            RemoteRequest::State { fields: Vec::new() },
            write(&key("a"), b"1", 0, None),
            RemoteRequest::Read { key: key("a") },
            RemoteRequest::Read { key: key("b") },
            RemoteRequest::Remove { key: key("a") },
            RemoteRequest::Read { key: key("a") },
            lease(&key("a"), 1, true),
            fill(&key("a"), 1, b"2"),
            RemoteRequest::Read { key: key("a") },
        ];
        let count = batch.len();
        let replies: Vec<_> = tier
            .execute(&batch)
            .await
            .into_iter()
            .map(|reply| reply.expect(name))
            .collect();
        assert_eq!(replies.len(), count, "{name}");
        let value = |reply: &RemoteReply| match reply {
            RemoteReply::Value(stored) => stored.as_ref().map(|stored| stored.envelope.clone()),
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(value(&replies[2]), Some(envelope(&key("a"), b"1", 0)), "{name}");
        assert_eq!(value(&replies[3]), None, "{name}");
        assert_eq!(value(&replies[5]), None, "{name}");
        assert_eq!(value(&replies[8]), Some(envelope(&key("a"), b"2", 0)), "{name}");
        assert_eq!(tier.state(), RemoteState::Up, "{name}");
    }
}

#[tokio::test]
async fn expire_of_bytes_that_are_no_envelope_harms_nobody() {
    for Subject { name, tier, .. } in subjects() {
        for foreign in [&b""[..], b"hello", &[0xff; 100]] {
            let plant = RemoteRequest::Write {
                key: key("k"),
                envelope: Bytes::copy_from_slice(foreign),
                life: Some(60_000),
            };
            ask(&tier, plant).await;
            let reply = tier.execute(&[RemoteRequest::Expire { key: key("k") }]).await;
            assert_eq!(reply.len(), 1, "{name}");
        }
        assert_eq!(FOREVER, u64::MAX);
    }
}

#[tokio::test]
async fn no_remote_tier_answers_at_once_and_holds_nothing() {
    let none: Arc<dyn RemoteTier> = Arc::new(NoRemote);
    assert_eq!(none.state(), RemoteState::None);
    assert!(done(&none, write(&key("k"), b"1", 0, None)).await);
    assert!(stored(&none, &key("k")).await.is_none());
    assert!(matches!(
        ask(&none, lease(&key("k"), 1, true)).await,
        RemoteReply::Granted
    ));
    assert!(done(&none, fill(&key("k"), 1, b"1")).await);
    assert_eq!(state(&none, &["a"]).await, NamespaceState::default());
}

#[tokio::test]
async fn many_are_removed_together_with_their_leases() {
    for Subject { name, tier, other, .. } in subjects() {
        let keys: Vec<RemoteKey> = ["a", "b", "c"].map(key).to_vec();
        done(&other, write(&keys[0], b"1", 0, None)).await;
        done(&other, write(&keys[1], b"1", 0, Some(60_000))).await;
        assert!(matches!(
            ask(&tier, lease(&keys[2], 7, true)).await,
            RemoteReply::Granted
        ));
        let removed = ask(&tier, RemoteRequest::RemoveMany { keys: keys.clone() }).await;
        assert!(matches!(removed, RemoteReply::Removed(2)), "{name}: {removed:?}");
        assert!(stored(&other, &keys[0]).await.is_none(), "{name}");
        assert!(
            !done(&tier, fill(&keys[2], 7, b"1")).await,
            "{name}: the lease is revoked"
        );
    }
}

/// Every key of a walk, in no order.
async fn walk(tier: &Arc<dyn RemoteTier>, prefix: &str, suffix: &str, leases: bool) -> Vec<String> {
    let (mut keys, mut next) = (Vec::new(), Some(ScanCursor::default()));
    while let Some(cursor) = next {
        let scan = Scan {
            path: "default".into(),
            prefix: prefix.into(),
            suffix: suffix.into(),
            leases,
            cursor,
            count: 10,
        };
        match ask(tier, RemoteRequest::Scan(scan)).await {
            RemoteReply::Keys(found, then) => {
                keys.extend(found.iter().map(|key| key.user_key("default").to_owned()));
                next = then;
            }
            other => panic!("{other:?}"),
        }
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

#[tokio::test]
async fn a_walk_gives_every_key_of_the_namespace_that_begins_and_ends_so() {
    let walks = |subject: &Subject| subject.name != "KeyValue";
    for Subject { name, tier, other, .. } in subjects().into_iter().filter(walks) {
        for index in 0..95 {
            done(&other, write(&key(&format!("user:{index:02}")), b"1", 0, Some(60_000))).await;
        }
        done(&other, write(&RemoteKey::new("default/user", "user:99"), b"1", 0, None)).await;
        done(&other, write(&RemoteKey::new("defaults", "user:99"), b"1", 0, None)).await;
        done(&other, write(&key(r"a*?[b]\^:{x}:v"), b"1", 0, None)).await;
        done(&other, write(&key("axyb"), b"1", 0, None)).await;
        assert!(matches!(
            ask(&tier, lease(&key("user:9x"), 7, true)).await,
            RemoteReply::Granted
        ));

        let all = walk(&tier, "user:", "", false).await;
        assert_eq!(
            all,
            (0..95).map(|n| format!("user:{n:02}")).collect::<Vec<_>>(),
            "{name}"
        );
        assert!(
            walk(&tier, "user:", "", true).await.contains(&"user:9x".to_owned()),
            "{name}"
        );
        assert_eq!(walk(&tier, r"a*?[", "", false).await, [r"a*?[b]\^:{x}:v"], "{name}");
        assert!(
            walk(&tier, "", ":v", false)
                .await
                .contains(&r"a*?[b]\^:{x}:v".to_owned()),
            "{name}"
        );
        assert_eq!(walk(&tier, "", "", false).await.len(), 97, "{name}");
    }
}

#[tokio::test]
async fn a_store_that_cannot_list_its_keys_says_so() {
    let store = KeyValue::new(MapStore::default(), "default", Arc::new(SystemRandom::default()));
    let scan = Scan {
        path: "shop".into(),
        prefix: "".into(),
        suffix: "".into(),
        leases: true,
        cursor: ScanCursor::default(),
        count: 10,
    };
    let error = store.execute(&[RemoteRequest::Scan(scan)]).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), turbocache::ErrorKind::Unsupported);
    assert!(error.to_string().contains("cannot list its keys"), "{error}");
}

#[tokio::test]
async fn what_is_told_stands_in_the_log_and_is_read_from_its_place_on() {
    for Subject { name, tier, other, .. } in subjects().into_iter().filter(|subject| subject.has_log) {
        let frames = |names: &[&'static str]| names.iter().map(|name| Bytes::from_static(name.as_bytes())).collect();
        let tell = async |tier: &Arc<dyn RemoteTier>, names: &[&'static str]| {
            let (frames, hints) = (frames(names), vec![Bytes::from_static(b"hint")]);
            match ask(tier, RemoteRequest::Tell { frames, hints }).await {
                RemoteReply::Told(places) => places
                    .into_iter()
                    .map(|place| match place {
                        event::Place::Logged { before, id } => (before, id),
                        place => panic!("{name}: {place:?}"),
                    })
                    .collect::<Vec<_>>(),
                reply => panic!("{name}: {reply:?}"),
            }
        };
        let first = tell(&tier, &["a", "b"]).await;
        assert_eq!(first[0].0, LogId::START, "{name}");
        assert_eq!(
            first[1].0, first[0].1,
            "{name}: the place before is the one of the frame before"
        );
        let second = tell(&other, &["c"]).await;
        assert_eq!(second[0].0, first[1].1, "{name}: also when another process told it");
        assert_eq!(tell(&tier, &[]).await, [], "{name}: only a hint");
        let read = async |from| match ask(&other, RemoteRequest::ReadLog { from }).await {
            RemoteReply::Log(frames, _) => frames,
            reply => panic!("{name}: {reply:?}"),
        };
        let log: Vec<_> = frames(&["a", "b", "c"])
            .into_iter()
            .zip([first[0].1, first[1].1, second[0].1])
            .map(|(frame, id)| (id, frame))
            .collect();
        assert_eq!(read(LogId::START).await, log, "{name}");
        assert_eq!(read(log[1].0).await, log[1..], "{name}: itself included");
    }
}

#[tokio::test]
async fn a_page_of_the_log_has_an_end() {
    for Subject { name, tier, .. } in subjects().into_iter().filter(|subject| subject.has_log) {
        for _ in 0..11 {
            let frames = vec![Bytes::from_static(b"frame"); LOG_PAGE / 10];
            ask(
                &tier,
                RemoteRequest::Tell {
                    frames,
                    hints: Vec::new(),
                },
            )
            .await;
        }
        match ask(&tier, RemoteRequest::ReadLog { from: LogId::START }).await {
            RemoteReply::Log(frames, _) => assert_eq!(frames.len(), LOG_PAGE, "{name}"),
            reply => panic!("{name}: {reply:?}"),
        }
    }
}
