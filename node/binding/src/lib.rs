//! The Node-API binding: convert, call, convert. `node/client/native.ts` is the contract, this crate its other half.
//!
//! Nothing here decides anything about a cache. What is here: the functions ([`exports`]), words and bits of the boundary ([`layout`]), memory that
//! both sides use ([`shared_memory`]), the queue of answers ([`completions`]), the requests of a turn ([`requests`]), the
//! adapter tier that lives in JavaScript ([`adapter`]), and who shares an engine with whom ([`engines`]).

mod adapter;
mod allocator;
mod answer;
mod completions;
mod engines;
mod errors;
mod exports;
mod host;
mod key_argument;
mod layout;
mod options;
mod requests;
mod session;
mod shared_memory;
mod stats;
mod sync;
mod words;

/// Requests are made on the event loop's thread and end on another, answers the other way round: an allocator for which
/// freeing memory of another thread is no special case.
#[global_allocator]
static ALLOCATOR: allocator::Mimalloc = allocator::Mimalloc;
