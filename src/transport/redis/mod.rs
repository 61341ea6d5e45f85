//! The way to Redis, whatever stands there. Tier and bus make batches, send them, and listen; they know no addresses.

mod address;
mod batch;
mod cluster;
mod greeting;
mod node;
mod place;
mod refusal;
mod sentinel;

pub use batch::{Answers, Batch, Put, Read, ReadAnswer};
pub use greeting::{Push, Watch};
pub use redis::{Cmd, Value, cmd};

use crate::error::{Error, ErrorKind, Result};
use crate::options::RedisOptions;
use crate::warning::Warnings;
use batch::Form;
use cluster::Cluster;
use node::Node;
use place::Place;
use sentinel::Sentinels;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Handle;

/// See the module. Cloning shares the connections.
#[derive(Clone)]
pub struct Link(Topology, Arc<Warnings>, Arc<OnceLock<Arc<Watch>>>);

#[derive(Clone)]
enum Topology {
    /// One server has everything: at an address, or wherever Sentinels say.
    One(Box<Node>),
    /// Many, each with some of the keys.
    Cluster(Cluster),
}

impl Link {
    /// Checks the addresses; connects later. What it lacks for long it tells to `warnings`.
    pub fn new(options: &RedisOptions, warnings: &Arc<Warnings>, runtime: &Handle) -> Result<Self> {
        let watch = Arc::default();
        if let Some(urls) = &options.cluster {
            let cluster = Cluster::start(options, urls, warnings, &watch, runtime)?;
            return Ok(Self(Topology::Cluster(cluster), Arc::clone(warnings), watch));
        }
        let connect_timeout = Duration::from_millis(options.connect_timeout);
        let (place, option) = match &options.sentinel {
            Some(sentinel) => {
                let sentinels = Sentinels::start(sentinel, connect_timeout, Arc::clone(warnings), runtime)?;
                (Place::Master(sentinels), "redis.sentinel")
            }
            None => {
                let client = address::client_of("redis.url", options.url.as_deref().unwrap_or_default())?;
                (Place::Fixed(Box::new(client)), "redis.url")
            }
        };
        let node = Node::new(place, option, connect_timeout, Arc::clone(warnings)).watched(&watch);
        Ok(Self(Topology::One(Box::new(node)), Arc::clone(warnings), watch))
    }

    /// From the next connections on, what the servers say of changes by others goes there. Once.
    pub fn watch(&self, watch: Watch) {
        let _ = self.2.set(Arc::new(watch));
    }

    /// An empty batch for about so many commands.
    pub fn batch(&self, capacity: usize) -> Batch {
        match self.0 {
            Topology::One(_) => Batch::pipeline(capacity),
            Topology::Cluster(_) => Batch::groups(capacity),
        }
    }

    /// Executes a batch. Of the commands about one key none is executed after one of a batch whose future was first polled
    /// later, unless it fails.
    pub async fn send(&self, batch: Batch) -> Result<Answers> {
        match (&self.0, batch.0) {
            (Topology::One(node), Form::Pipeline(pipeline, count)) => {
                node.send(&pipeline, count).await.map(Answers::of_pipeline)
            }
            (Topology::Cluster(cluster), Form::Groups(groups)) => cluster.send(groups).await.map(Answers::of_groups),
            _ => Err(Error::new(ErrorKind::Unsupported, "a batch of another link")),
        }
    }

    /// Number of servers that have different keys. It may change between two questions.
    pub fn servers(&self) -> u32 {
        match &self.0 {
            Topology::One(_) => 1,
            Topology::Cluster(cluster) => cluster.masters(),
        }
    }

    /// Whether the last thing that was heard of Redis is good.
    pub fn is_connected(&self) -> bool {
        match &self.0 {
            Topology::One(node) => node.is_connected(),
            Topology::Cluster(cluster) => cluster.is_connected(),
        }
    }

    /// Whether commands about different keys are executed in the order in which they were added, too.
    pub fn is_ordered(&self) -> bool {
        matches!(self.0, Topology::One(_))
    }

    /// Whether values are written aside and renamed, so that the server does not tell of them. Scripts count as somebody else.
    pub fn writes_aside(&self) -> bool {
        match &self.0 {
            Topology::One(node) => node.transacts(),
            // The keys of a slot that moves are sent one by one.
            Topology::Cluster(_) => false,
        }
    }

    /// Whether the log of the bus takes what is appended to it: a script does that, and goes on without.
    pub fn note_log(&self, takes: bool) {
        if takes {
            self.1.clear(refusal::LOG);
        } else {
            self.1.raise(refusal::log());
        }
    }

    /// A reply was none to what was asked: whatever comes next belongs to another question. The connection is replaced.
    pub fn distrust(&self) {
        match &self.0 {
            Topology::One(node) => node.distrust(),
            Topology::Cluster(cluster) => cluster.distrust(),
        }
    }

    /// Grows when another server than before may answer for keys: one that may lack the last changes.
    pub fn successions(&self) -> u64 {
        match &self.0 {
            Topology::One(node) => node.successions(),
            Topology::Cluster(cluster) => cluster.promotions(),
        }
    }

    /// A connection of its own that listens to a channel. Ends when the connection does, is silent to a ping, or would
    /// not hear what is said any more.
    pub async fn listen(
        &self,
        channel: &str,
        heard: impl FnMut(Option<Vec<u8>>) -> bool,
        ping_every: Duration,
    ) -> Result<()> {
        match &self.0 {
            Topology::One(node) => node.listen(channel, heard, ping_every).await,
            Topology::Cluster(cluster) => cluster.listen(channel, heard, ping_every).await,
        }
    }
}
