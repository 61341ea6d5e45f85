//! Order on real connections: what is sent on a new one overtakes nothing that still stands on the old one.

use crate::rig::{RedisServer, Reply, eventually, hearing, soon};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use turbocache::Cache;

/// The default deadline of a command.
const COMMAND: Duration = Duration::from_millis(500);

/// A way to a server on which one connection can be made to stand still, while others are served.
struct Line {
    port: u16,
    still: Arc<watch::Sender<bool>>,
    connections: Arc<AtomicUsize>,
}

impl Line {
    async fn to(server: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let still = Arc::new(watch::Sender::new(false));
        let connections = Arc::<AtomicUsize>::default();
        let (to, stands, count) = (server.port(), Arc::clone(&still), Arc::clone(&connections));
        tokio::spawn(async move {
            while let Ok((here, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                // What connects while others stand still does not.
                let stands = (!*stands.borrow()).then(|| stands.subscribe());
                let there = TcpStream::connect(("127.0.0.1", to)).await.expect("the server");
                let ((from_here, to_here), (from_there, to_there)) = (here.into_split(), there.into_split());
                tokio::spawn(pass(from_here, to_there, stands.clone()));
                tokio::spawn(pass(from_there, to_here, stands));
            }
        });
        Self {
            port,
            still,
            connections,
        }
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, stands: Option<watch::Receiver<bool>>) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if let Some(mut stands) = stands.clone()
            && stands.wait_for(|still| !still).await.is_err()
        {
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_read_on_a_new_connection_brings_nothing_back_that_was_deleted_on_the_old_one() {
    let server = RedisServer::start();
    let line = Line::to(&server).await;
    let a = Cache::builder()
        .namespace("shop")
        .redis(format!("redis://127.0.0.1:{}", line.port))
        .build()
        .expect("a cache");
    hearing(&a).await;
    a.set("k", &1).await.unwrap();
    let b = Cache::builder()
        .namespace("shop")
        .redis(server.url())
        .build()
        .expect("a cache");
    b.set("other", &2).await.unwrap();
    let before = line.connections.load(Ordering::SeqCst);
    line.still.send_replace(true);
    let first = a.get::<u8>("x");
    let deleted = async {
        // On its way when the first one is given up, and not given up itself.
        tokio::time::sleep(COMMAND / 2).await;
        a.delete("k").await
    };
    let read = async {
        first.await.unwrap();
        a.get::<u8>("k").await
    };
    let (deleted, read) = soon(async { tokio::join!(deleted, read) }).await;
    deleted.unwrap();
    assert_eq!(read.unwrap(), None, "it knows that it has deleted it");
    eventually("a new connection serves", async || {
        a.get::<u8>("other").await.unwrap() == Some(2)
    })
    .await;
    assert!(line.connections.load(Ordering::SeqCst) > before);
    line.still.send_replace(false);
    eventually("it is made good", async || {
        a.get::<u8>("k").await.unwrap().is_none() && server.run("EXISTS tc:{shop:k}:v") == Reply::Number(0)
    })
    .await;
}

/// Their futures are dropped with the commands on their way; the replies still come, and belong to nobody.
#[tokio::test]
async fn calls_that_are_given_up_leave_the_replies_to_those_who_wait() {
    let server = RedisServer::start();
    let line = Line::to(&server).await;
    let join = |url: String| Cache::builder().namespace("shop").redis(url).build().expect("a cache");
    let a = join(format!("redis://127.0.0.1:{}", line.port));
    let b = join(server.url());
    hearing(&a).await;
    for n in 0..60_u8 {
        b.set(&format!("k{n}"), &n).await.unwrap();
    }
    let connections = line.connections.load(Ordering::SeqCst);
    for round in 0..20_u8 {
        let [first, second, third] = [0, 20, 40].map(|from| from + round);
        line.still.send_replace(true);
        // Asked, and given up at once.
        let at_once = Duration::ZERO;
        let key = format!("k{first}");
        assert!(tokio::time::timeout(at_once, a.get::<u8>(&key)).await.is_err());
        assert!(tokio::time::timeout(at_once, a.set("given up", &round)).await.is_err());
        let loaded = a.get_or_load(&key, async || Ok::<_, std::convert::Infallible>(99));
        assert!(tokio::time::timeout(at_once, loaded).await.is_err());
        let keys = [second, third].map(|n| format!("k{n}"));
        let waiting = async { tokio::join!(a.get::<u8>(&keys[0]), a.get::<u8>(&keys[1])) };
        let released = async { line.still.send_replace(false) };
        let ((one, other), _) = soon(async { tokio::join!(waiting, released) }).await;
        assert_eq!((one.unwrap(), other.unwrap()), (Some(second), Some(third)));
        assert_eq!(soon(a.get::<u8>(&key)).await.unwrap(), Some(first));
        assert_eq!(
            soon(a.get::<u8>("given up")).await.unwrap(),
            Some(round),
            "what was sent is done"
        );
    }
    assert_eq!(
        line.connections.load(Ordering::SeqCst),
        connections,
        "none was given up for that"
    );
}
