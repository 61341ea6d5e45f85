//! A Redis Cluster of one's own: masters that share the slots evenly, and a replica for each if that is wanted.

use super::server::{RedisServer, Reply, free_port};
use std::time::{Duration, Instant};

const SLOTS: usize = 16_384;
/// A node does not serve before two seconds are over.
const FORMS_WITHIN: Duration = Duration::from_secs(20);

pub struct RedisCluster {
    /// The masters of the beginning, in the order of their slots, then their replicas in the same order.
    pub nodes: Vec<RedisServer>,
    masters: usize,
}

impl RedisCluster {
    /// Three masters without replicas.
    pub fn start() -> Self {
        Self::with_replicas(0)
    }

    /// Three masters with a replica each.
    pub fn replicated() -> Self {
        Self::with_replicas(3)
    }

    fn with_replicas(replicas: usize) -> Self {
        let masters = 3;
        let nodes: Vec<RedisServer> = (0..masters + replicas)
            .map(|_| {
                let bus_port = free_port().to_string();
                RedisServer::start_with(&[
                    "--cluster-enabled",
                    "yes",
                    "--cluster-port",
                    &bus_port,
                    "--cluster-node-timeout",
                    "600",
                    "--cluster-replica-validity-factor",
                    "0",
                    "--cluster-require-full-coverage",
                    "no",
                    "--repl-diskless-sync-delay",
                    "0",
                    "--repl-ping-replica-period",
                    "1",
                    "--appendfsync",
                    "no",
                ])
            })
            .collect();
        let cluster = Self { nodes, masters };
        cluster.form();
        cluster
    }

    fn form(&self) {
        let first = &self.nodes[0];
        for (number, node) in self.nodes.iter().enumerate() {
            node.run(&format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1));
            if number < self.masters {
                let [from, to] = self.range(number);
                node.run(&format!("CLUSTER ADDSLOTSRANGE {from} {to}"));
            }
            let Reply::Bytes(bus_port) = config(node, "cluster-port") else {
                panic!("no port")
            };
            let bus_port = String::from_utf8(bus_port).expect("a number");
            first.run(&format!("CLUSTER MEET 127.0.0.1 {} {bus_port}", node.port()));
        }
        self.await_all("every node knows every other", |node| {
            lines(node).len() == self.nodes.len()
        });
        for (number, replica) in self.nodes.iter().enumerate().skip(self.masters) {
            replica.run(&format!("CLUSTER REPLICATE {}", id(&self.nodes[number - self.masters])));
        }
        let replicas = self.nodes.len() - self.masters;
        self.await_all("every node serves", |node| {
            let known = lines(node).iter().filter(|line| line.contains("slave")).count();
            info(node, "CLUSTER INFO").contains("cluster_state:ok") && known == replicas
        });
        let follows = |node: &RedisServer| info(node, "INFO replication").contains("master_link_status:up");
        for replica in &self.nodes[self.masters..] {
            wait("the replicas follow", || follows(replica));
        }
    }

    /// Addresses of all nodes.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// The master of the beginning that has this key.
    pub fn owner_of(&self, key: &str) -> usize {
        let slot = self.slot_of(key);
        (0..self.masters)
            .find(|&number| slot <= self.range(number)[1])
            .expect("a slot below 16,384")
    }

    /// The slot of a key, as the servers count.
    pub fn slot_of(&self, key: &str) -> usize {
        match self.living().command([b"CLUSTER", b"KEYSLOT", key.as_bytes()]) {
            Reply::Number(slot) => slot as usize,
            other => panic!("{other:?}"),
        }
    }

    fn living(&self) -> &RedisServer {
        let living = |node: &&RedisServer| std::net::TcpStream::connect(("127.0.0.1", node.port())).is_ok();
        self.nodes.iter().find(living).expect("a node that runs")
    }

    /// First and last slot of a master.
    fn range(&self, number: usize) -> [usize; 2] {
        [number * SLOTS / self.masters, (number + 1) * SLOTS / self.masters - 1]
    }

    /// Waits until the replica of a master of the beginning has what the master has.
    pub fn await_replication(&self, master: usize) {
        let offset = |node: &RedisServer, name: &str| {
            let text = info(node, "INFO replication");
            let line = text.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
            line.expect("an offset")
        };
        wait("the replica has everything", || {
            offset(&self.nodes[master], "master_repl_offset:")
                == offset(&self.nodes[master + self.masters], "slave_repl_offset:")
        });
    }

    /// Begins to move a slot: keys that `from` does not have are asked of `to`.
    pub fn begin_migration(&self, slot: usize, from: usize, to: usize) {
        let (from, to) = (&self.nodes[from], &self.nodes[to]);
        to.run(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", id(from)));
        from.run(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", id(to)));
    }

    /// Moves the keys of a slot.
    pub fn migrate_keys(&self, slot: usize, from: usize, to: usize) {
        let (from, to) = (&self.nodes[from], &self.nodes[to]);
        loop {
            let Reply::Many(keys) = from.run(&format!("CLUSTER GETKEYSINSLOT {slot} 100")) else {
                panic!("no keys")
            };
            for key in &keys {
                let Reply::Bytes(key) = key else { panic!("no key") };
                let port = to.port().to_string();
                let migrated = from.command([b"MIGRATE", b"127.0.0.1", port.as_bytes(), key, b"0", b"5000"]);
                assert!(matches!(migrated, Reply::Bytes(_)), "{migrated:?}");
            }
            if keys.is_empty() {
                return;
            }
        }
    }

    /// From now on the slot is `to`'s.
    pub fn end_migration(&self, slot: usize, from: usize, to: usize) {
        let new = id(&self.nodes[to]);
        for node in [to, from] {
            self.nodes[node].run(&format!("CLUSTER SETSLOT {slot} NODE {new}"));
        }
    }

    fn await_all(&self, what: &str, holds: impl Fn(&RedisServer) -> bool) {
        for node in &self.nodes {
            wait(what, || holds(node));
        }
    }
}

fn wait(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < FORMS_WITHIN, "not within {FORMS_WITHIN:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn id(node: &RedisServer) -> String {
    info(node, "CLUSTER MYID")
}

fn lines(node: &RedisServer) -> Vec<String> {
    let all = info(node, "CLUSTER NODES");
    all.lines()
        .filter(|line| !line.contains("handshake"))
        .map(str::to_owned)
        .collect()
}

fn info(node: &RedisServer, command: &str) -> String {
    match node.run(command) {
        Reply::Bytes(text) => String::from_utf8(text).expect("a text"),
        other => panic!("{other:?}"),
    }
}

fn config(node: &RedisServer, name: &str) -> Reply {
    match node.run(&format!("CONFIG GET {name}")) {
        Reply::Many(mut pair) => pair.pop().expect("a value"),
        other => panic!("{other:?}"),
    }
}
