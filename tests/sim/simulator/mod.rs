//! The engine's real decisions without I/O: several nodes over one store and one bus, in virtual time, in an order that a
//! seed decides.
//!
//! - `plan`: what a seed makes happen: calls, faults, delays; `shrink` makes it shorter
//! - `world`: one history, from the first event to the last; `schedule`: virtual time
//! - `node`: an engine with its host; `memory`, `network`, `bus`: what it stands on; `trouble`: what befalls them
//! - `checker`: what the laws allow; `faults`: faults on purpose, that it must find

mod bus;
mod checker;
mod dice;
mod faults;
mod memory;
#[allow(dead_code, reason = "the engine's tests ask it more than the simulator does")]
#[path = "../../engine/rig/model.rs"]
mod model;
mod network;
mod node;
mod plan;
mod schedule;
mod shrink;
mod trouble;
mod world;

pub use faults::Faults;
#[cfg(test)]
pub use network::Lie;
pub use plan::Plan;
pub use shrink::shrink;
pub use world::run;
