//! Faults on purpose, in the parts that the engine stands on: the proof that the checker can fail.

use crate::simulator::network::Lie;

/// See the module. By default there are none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// The store answers something else.
    pub lie: Option<Lie>,
    /// What is removed from the memory tier stays there.
    pub memory_sticks: bool,
    /// Messages are lost: only the log tells.
    pub bus_is_deaf: bool,
    /// Nobody is told that the store is several servers, and that its log does not show what the others have lost.
    pub passes_for_one: bool,
}
