//! A master, a replica, and three Sentinels that watch them.

use super::server::{RedisServer, Reply, free_port};
use std::fs;
use std::time::{Duration, Instant};
use turbocache::options::SentinelOptions;

/// Name of the master.
pub const NAME: &str = "shop";
const STARTS_WITHIN: Duration = Duration::from_secs(20);

pub struct SentinelTrio {
    /// The master of the beginning, and its replica.
    pub servers: Vec<RedisServer>,
    pub sentinels: Vec<RedisServer>,
}

impl SentinelTrio {
    pub fn start() -> Self {
        Self::with(&[], "")
    }

    /// With further arguments of the servers, and further lines of the Sentinels.
    pub fn with(arguments: &[&str], lines: &str) -> Self {
        let master = RedisServer::start_with(arguments);
        let port = master.port().to_string();
        let replica = RedisServer::start_with(
            &[
                arguments,
                &["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"],
            ]
            .concat(),
        );
        // They know each other from the beginning; otherwise it takes them seconds to meet.
        let ports: Vec<u16> = (0..3).map(|_| free_port()).collect();
        let id = |port: u16| format!("{port:040x}");
        let sentinels = ports.iter().map(|&own| {
            let mut configuration = format!(
                "sentinel myid {}\nsentinel monitor {NAME} 127.0.0.1 {port} 2\n\
                 sentinel down-after-milliseconds {NAME} 400\nsentinel failover-timeout {NAME} 1500\n{lines}\n",
                id(own)
            );
            for &other in ports.iter().filter(|&&other| other != own) {
                configuration += &format!("sentinel known-sentinel {NAME} 127.0.0.1 {other} {}\n", id(other));
            }
            let directory = tempfile::tempdir().expect("a directory");
            fs::write(directory.path().join("sentinel.conf"), configuration).expect("write the configuration");
            RedisServer::start_on(own, directory, &["sentinel.conf", "--sentinel"])
        });
        let trio = Self {
            sentinels: sentinels.collect(),
            servers: vec![master, replica],
        };
        for sentinel in &trio.sentinels {
            // A replica is promoted only if what is known of it is newer than five ping periods, and while its master is down it is
            // asked once a second.
            sentinel.run("SENTINEL DEBUG ping-period 300 ask-period 100 info-period 200 publish-period 200 tilt-trigger 60000 election-timeout 500");
            trio.wait("the Sentinels know the replica", || {
                // An error as long as it does not see the others.
                let reply = sentinel.command([b"SENTINEL", b"CKQUORUM", NAME.as_bytes()]);
                let replicas = sentinel.run(&format!("SENTINEL REPLICAS {NAME}"));
                matches!(reply, Reply::Bytes(_)) && matches!(replicas, Reply::Many(replicas) if replicas.len() == 1)
            });
        }
        trio.wait("the replica follows", || {
            match trio.servers[1].run("INFO replication") {
                Reply::Bytes(text) => String::from_utf8_lossy(&text).contains("master_link_status:up"),
                _ => false,
            }
        });
        trio
    }

    /// How a client finds the master.
    pub fn options(&self) -> SentinelOptions {
        SentinelOptions {
            name: NAME.to_owned(),
            nodes: self.sentinels.iter().map(RedisServer::url).collect(),
            ..SentinelOptions::default()
        }
    }

    fn wait(&self, what: &str, holds: impl Fn() -> bool) {
        let begin = Instant::now();
        while !holds() {
            assert!(begin.elapsed() < STARTS_WITHIN, "not within {STARTS_WITHIN:?}: {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
