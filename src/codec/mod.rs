//! Bytes: the envelope around every remote value, serializers for Rust hosts, compression.

pub mod compression;
pub mod envelope;
pub mod serializer;
