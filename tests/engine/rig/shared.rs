//! A Cluster and a Sentinel trio that the tests of this process share, one test at a time, emptied for each. They take
//! seconds to start.

use super::{RedisCluster, RedisServer, SentinelTrio};
use parking_lot::{Mutex, MutexGuard};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

pub struct Shared {
    pub cluster: RedisCluster,
    pub trio: SentinelTrio,
    _leash: Child,
}

static SHARED: LazyLock<Mutex<Shared>> = LazyLock::new(|| {
    let trio = std::thread::spawn(SentinelTrio::start);
    let cluster = RedisCluster::start();
    let trio = trio.join().expect("a Sentinel trio");
    let leash = leash(cluster.nodes.iter().chain(&trio.servers).chain(&trio.sentinels));
    Mutex::new(Shared {
        cluster,
        trio,
        _leash: leash,
    })
});

/// Both, empty, for the caller alone.
pub fn shared() -> MutexGuard<'static, Shared> {
    let shared = SHARED.lock();
    for node in shared.cluster.nodes.iter().chain(&shared.trio.servers[..1]) {
        node.run("FLUSHALL");
    }
    shared
}

/// What is static is not dropped. A shell holds the servers: when this process ends, its input does, and it ends them.
fn leash<'a>(servers: impl Iterator<Item = &'a RedisServer>) -> Child {
    let mut kill = String::from("cat >/dev/null; kill -9");
    let mut remove = String::from("rm -rf");
    for server in servers {
        kill += &format!(" {}", server.pid());
        remove += &format!(" '{}'", server.directory().display());
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{kill}; {remove}")]).stdin(Stdio::piped());
    shell
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("run sh")
}
