//! A Redis Cluster: commands go to the nodes of their keys, in an order that redirections do not upset (`routes`). One task
//! does it for all senders.

mod hold;
mod lanes;
mod redirect;
mod router;
mod routes;
#[cfg(test)]
mod routes_tests;
mod slots;
mod view;

use crate::error::{Error, ErrorKind, Result};
use crate::options::RedisOptions;
use crate::transport::redis::address::{Access, Address, parse};
use crate::transport::redis::batch::Group;
use crate::transport::redis::greeting::Watch;
use crate::transport::redis::node::Node;
use crate::transport::redis::place::Place;
use crate::warning::Warnings;
use redis::Value;
use router::{Router, Status};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

const PORT: u16 = 6_379;

/// See the module.
#[derive(Clone)]
pub struct Cluster {
    nodes: Nodes,
    seeds: Arc<[Address]>,
    router: mpsc::UnboundedSender<Sending>,
    status: watch::Receiver<Status>,
    /// Which node was listened to last.
    listened: Arc<AtomicUsize>,
    distrusted: Arc<AtomicBool>,
}

/// A batch on its way to the router.
pub struct Sending {
    /// Commands of one request each.
    pub groups: Vec<Group>,
    /// One reply for each command.
    pub answer: oneshot::Sender<Vec<Result<Value>>>,
}

/// How nodes are connected to.
#[derive(Clone)]
pub struct Nodes {
    access: Access,
    connect_timeout: Duration,
    /// What the nodes lack.
    pub warnings: Arc<Warnings>,
    /// Who wants to know of changes by others.
    pub watch: Arc<OnceLock<Arc<Watch>>>,
}

impl Nodes {
    /// The node at an address; connects later.
    pub fn at(&self, address: &Address) -> Result<Node> {
        let place = Place::Fixed(Box::new(self.access.client(address)?));
        Ok(Node::of_cluster(
            place,
            self.connect_timeout,
            Arc::clone(&self.warnings),
        ))
    }
}

impl Cluster {
    /// Checks the addresses, and begins to look for the nodes.
    pub fn start(
        options: &RedisOptions,
        urls: &[String],
        warnings: &Arc<Warnings>,
        watch: &Arc<OnceLock<Arc<Watch>>>,
        runtime: &Handle,
    ) -> Result<Self> {
        let (seeds, access) = seeds(urls)?;
        let nodes = Nodes {
            access,
            connect_timeout: Duration::from_millis(options.connect_timeout),
            warnings: Arc::clone(warnings),
            watch: Arc::clone(watch),
        };
        let seeds: Arc<[Address]> = seeds.into();
        let (router, incoming) = mpsc::unbounded_channel();
        let (told, status) = watch::channel(Status::default());
        // Less than the whole deadline: who waits for the other nodes shall not wait in vain because of one.
        let deadline = Duration::from_millis(options.command_timeout).mul_f64(0.8);
        let distrusted: Arc<AtomicBool> = Arc::default();
        let task = Router::new(
            nodes.clone(),
            Arc::clone(&seeds),
            deadline,
            Arc::clone(&distrusted),
            told,
        );
        runtime.spawn(task.run(incoming));
        Ok(Self {
            nodes,
            seeds,
            router,
            status,
            listened: Arc::default(),
            distrusted,
        })
    }

    /// Executes a batch; a reply for each command.
    pub async fn send(&self, groups: Vec<Group>) -> Result<Vec<Result<Value>>> {
        let (answer, answered) = oneshot::channel();
        let ended = || Error::new(ErrorKind::Closed, "the runtime has ended");
        self.router.send(Sending { groups, answer }).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())
    }

    /// Whether a node answers.
    pub fn is_connected(&self) -> bool {
        self.status.borrow().is_up
    }

    /// All connections are replaced before anything else is sent.
    pub fn distrust(&self) {
        self.distrusted.store(true, Ordering::SeqCst);
    }

    /// Number of masters.
    pub fn masters(&self) -> u32 {
        self.status
            .borrow()
            .view
            .as_ref()
            .map_or(1, |view| view.masters().count() as u32)
    }

    /// Grows when replicas have become masters.
    pub fn promotions(&self) -> u64 {
        self.status.borrow().promotions
    }

    /// Listens to a channel on one of the nodes: each hears what is published on any. Another one each time, and until it
    /// is no node of the Cluster any more.
    pub async fn listen(
        &self,
        channel: &str,
        heard: impl FnMut(Option<Vec<u8>>) -> bool,
        ping_every: Duration,
    ) -> Result<()> {
        let candidates = self.status.borrow().listeners.clone();
        let candidates = if candidates.is_empty() {
            &self.seeds[..]
        } else {
            &candidates[..]
        };
        let turn = self.listened.fetch_add(1, Ordering::Relaxed);
        let address = &candidates[turn % candidates.len()];
        let node = self.nodes.at(address)?;
        let mut status = self.status.clone();
        let expelled = status.wait_for(|status| {
            status
                .view
                .as_ref()
                .is_some_and(|view| !view.has(address) && !self.seeds.contains(address))
        });
        tokio::select! {
            ended = node.listen(channel, heard, ping_every) => ended,
            _ = expelled => Err(Error::new(ErrorKind::Remote, format!("redis: {address} has left the Cluster"))),
        }
    }
}

/// Addresses of the first nodes, and what opens all.
fn seeds(urls: &[String]) -> Result<(Vec<Address>, Access)> {
    let mut seeds = urls
        .iter()
        .map(|url| parse("redis.cluster", url, PORT))
        .collect::<Result<Vec<_>>>()?
        .into_iter();
    let refuse = |what: String, expected: &'static str| {
        let error = Error::new(ErrorKind::Option, format!("redis.cluster {what}: expected {expected}"));
        error.with("option", "redis.cluster").with("expected", expected)
    };
    let Some((first, access)) = seeds.next() else {
        return Err(refuse("is empty".into(), "the address of one node or more"));
    };
    if access.database() != 0 {
        let what = format!("names database {}", access.database());
        return Err(refuse(what, "no database: a Cluster has only one"));
    }
    let mut addresses = vec![first];
    for (address, its) in seeds {
        if its != access {
            let what = format!(
                "gives {address} another user, password, database or scheme than {}",
                addresses[0]
            );
            return Err(refuse(what, "the same for all nodes"));
        }
        addresses.push(address);
    }
    Ok((addresses, access))
}
