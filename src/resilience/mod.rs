//! One policy a folder. A policy knows nothing about tiers.

pub mod breaker;
pub mod deadline;
pub mod retry;
