//! The lock of what is model-checked: `tests/models` compiles the same files against loom's.

pub use parking_lot::Mutex;
