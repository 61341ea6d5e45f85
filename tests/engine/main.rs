//! The engine through its public API: forced schedules over tiers that do as they are told, and real Redis servers that are
//! killed, frozen and emptied. One binary, so that it links once.

#![allow(missing_docs, reason = "test names are sentences that state the rule")]

mod rig;

mod bulkhead;
mod bus;
mod contract;
mod delete_pattern;
mod examples;
mod failing;
mod failover;
mod freshness;
mod invalidation;
mod leases;
mod loader_context;
mod locks;
mod many;
mod memory_only;
mod memory_tier;
mod promotion;
mod recovery;
mod redis_bus;
mod redis_cluster;
mod redis_down;
mod redis_hostile;
mod redis_order;
mod redis_permissions;
mod redis_sentinel;
mod redis_shared;
mod redis_tracking;
mod redis_warnings;
mod renewal;
mod retries;
mod spawned_loads;
mod tag_options;
mod times;
mod topologies;
