//! The way to Redis, whatever stands there. Tier and bus make batches, send them, and listen; they know no addresses.

mod batch;
mod node;

pub use batch::{Answers, Batch, Read};
pub use redis::{Cmd, Value, cmd};

use crate::error::Result;
use crate::options::RedisOptions;
use node::Node;
use std::time::Duration;

/// See the module. Cloning shares the connections.
#[derive(Clone)]
pub struct Link {
    node: Node,
}

impl Link {
    /// Checks the addresses; connects later.
    pub fn new(options: &RedisOptions) -> Result<Self> {
        Ok(Self {
            node: Node::new(options)?,
        })
    }

    /// An empty batch for about so many commands.
    pub fn batch(&self, capacity: usize) -> Batch {
        Batch::new(capacity)
    }

    /// Executes a batch. Batches reach a key's server in the order in which these futures are first polled.
    pub async fn send(&self, batch: Batch) -> Result<Answers> {
        self.node.send(&batch.pipeline, batch.count).await.map(Answers::new)
    }

    /// Whether the last thing that was heard of Redis is good.
    pub fn is_connected(&self) -> bool {
        self.node.is_connected()
    }

    /// A reply was none to what was asked: whatever comes next belongs to another question. The connection is replaced.
    pub fn distrust(&self) {
        self.node.distrust();
    }

    /// A connection of its own that listens to a channel. Ends when the connection does, or is silent to a ping.
    pub async fn listen(
        &self,
        channel: &str,
        heard: impl FnMut(Option<Vec<u8>>) -> bool,
        ping_every: Duration,
    ) -> Result<()> {
        self.node.listen(channel, heard, ping_every).await
    }
}
