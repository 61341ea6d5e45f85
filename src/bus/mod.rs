//! The invalidation bus as the engine sees it: a way to tell others, and a channel on which the engine hears them.

mod none;
#[cfg(feature = "redis")]
mod redis;

pub use none::NoBus;
#[cfg(feature = "redis")]
pub use redis::RedisBus;

use std::future::{Future, ready};
use std::pin::Pin;
use tokio::sync::mpsc;

/// What an engine hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The bytes of a message, not yet believed.
    Message(Vec<u8>),
    /// The bus listens from here on. Whatever was said before may have been missed.
    Listening,
    /// The bus has lost its connection: nothing is heard until the next `Listening`.
    Lost,
}

/// A bus between the processes that share a remote tier.
pub trait Bus: Send + Sync + 'static {
    /// Tells the others. Returns at once; messages of one engine arrive in order or not at all.
    fn publish(&self, message: Vec<u8>);

    /// Begins to listen; what is heard goes to `engine` until it is dropped.
    fn listen(&self, engine: mpsc::UnboundedSender<Heard>);

    /// Resolves when what was published so far has been sent, or cannot be sent now.
    fn sent(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(ready(()))
    }

    /// Whether anything can be heard on it at all.
    fn is_there(&self) -> bool {
        true
    }
}
