//! The invalidation bus as the engine hears it: a channel. What it says goes through the remote tier
//! ([`Tell`](crate::tier::RemoteRequest::Tell)), behind the changes that it tells of.

mod none;
#[cfg(feature = "redis")]
mod redis;

pub use none::NoBus;
#[cfg(feature = "redis")]
pub use redis::RedisBus;

use tokio::sync::mpsc;

/// What an engine hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The bytes of a message, not yet believed. In the order in which they were published, unless some are missing.
    Message(Vec<u8>),
    /// The bus listens from here on. Whatever was said before may have been missed.
    Listening,
    /// The bus has lost its connection: nothing is heard until the next `Listening`.
    Lost,
}

/// A bus between the processes that share a remote tier.
pub trait Bus: Send + Sync + 'static {
    /// Begins to listen; what is heard goes to `engine` until it is dropped.
    fn listen(&self, engine: mpsc::UnboundedSender<Heard>);

    /// Whether anything can be heard on it at all.
    fn is_there(&self) -> bool {
        true
    }
}
