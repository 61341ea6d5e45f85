//! Connections. The only place that names the Redis client.

#[cfg(feature = "redis")]
pub mod redis;
