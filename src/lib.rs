//! TurboCache: a coherent multi-tier cache. This crate is the engine; `turbocache-js` is its face for Node.
//!
//! A value is served from memory, else from Redis, else from a loader that runs once for all callers; and never after it
//! was invalidated, by anyone, anywhere. [`Cache`] is the place to start; `ARCHITECTURE.md` tells how the pieces fit.
//!
//! - typed values over serde, in JSON or MessagePack: [`Cache`], [`CacheBuilder`]
//! - bytes, leases and generations for hosts of other languages: [`engine`]
//! - stores, buses, clocks of your own: [`tier`], [`bus`], [`clock`], [`random`]

#![forbid(unsafe_code)]

pub mod bus;
pub mod clock;
pub mod codec;
pub mod engine;
pub mod entry;
pub mod error;
pub mod event;
pub mod key;
pub mod lock;
pub mod metrics;
pub mod options;
pub mod pattern;
pub mod payload;
pub mod random;
pub mod runtime;
pub mod tier;
pub mod warning;

mod builder;
mod cache;
mod resilience;
mod sync;
mod transport;

pub use builder::{CacheBuilder, guarded, parts};
pub use cache::{Cache, LoadContext, LoadError, LoadOptions, Lock, LockOptions, WriteOptions};
pub use codec::serializer::Serializer;
pub use engine::TagOptions;
pub use error::{Error, ErrorKind, Result};
pub use options::Options;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../docs/guides/rust.md")]
struct RustGuide;
