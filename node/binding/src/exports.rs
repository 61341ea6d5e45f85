//! The functions that JavaScript calls: convert, call, convert.
//!
//! Sessions are named by numbers that are never used twice, in a table of their isolate's thread. Plain functions, not
//! methods of a class: napi's bookkeeping of borrows costs a method call 350 ns, more than a read of the memory tier.

use crate::errors::{Thrown, broken_contract};
use crate::key_argument::KeyArgument;
use crate::session::{Buffers, Session};
use crate::stats;
use napi::bindgen_prelude::{BufferSlice, Env, Function};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;
use std::cell::RefCell;

thread_local! {
    /// The sessions of this thread's isolate, by their number. Closed ones leave an empty place.
    static SESSIONS: RefCell<Vec<Option<Session>>> = const { RefCell::new(Vec::new()) };
}

fn with<R>(session: u32, call: impl FnOnce(&mut Session) -> Result<R, Thrown>) -> Result<R, Thrown> {
    SESSIONS.with_borrow_mut(|sessions| match sessions.get_mut(session as usize) {
        Some(Some(session)) => call(session),
        _ => Err(broken_contract("the session has ended")),
    })
}

/// Opens a session; its number.
#[napi(catch_unwind)]
pub fn open(env: Env, options: String, buffers: Buffers, on_wake: Function<'_, (), ()>) -> Result<u32, Thrown> {
    // Weak: a session that waits for nothing does not keep the process alive; the client does, while something is due.
    let wake = on_wake
        .build_threadsafe_function::<()>()
        .weak::<true>()
        .build()
        .map_err(|error| broken_contract(&format!("onWake cannot be called from threads: {}", error.reason)))?;
    let wake = Box::new(move || {
        wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
    });
    let session = Session::open(&options, buffers, wake)?;
    let id = SESSIONS.with_borrow_mut(|sessions| {
        sessions.push(Some(session));
        sessions.len() as u32 - 1
    });
    // A worker that is terminated runs this before its memory goes.
    env.add_env_cleanup_hook(id, end)
        .map_err(|error| broken_contract(&error.reason))?;
    Ok(id)
}

/// Forgets a session after its last completion.
#[napi(catch_unwind)]
pub fn end(session: u32) {
    let ended = SESSIONS.with_borrow_mut(|sessions| sessions.get_mut(session as usize).and_then(Option::take));
    drop(ended);
}

/// For each option that another manager of this process has set otherwise, the JSON of an error that says so.
#[napi(catch_unwind)]
pub fn clashes(session: u32) -> Result<Vec<String>, Thrown> {
    with(session, |session| Ok(session.clashes()))
}

/// Id of a namespace below the root.
#[napi(catch_unwind)]
pub fn open_namespace(session: u32, path: String, serializer_id: u32) -> Result<u32, Thrown> {
    with(session, |session| session.open_namespace(&path, serializer_id))
}

/// Index in the mirror of a namespace's generation.
#[napi(catch_unwind)]
pub fn namespace_index(session: u32, namespace: u32) -> Result<u32, Thrown> {
    with(session, |session| session.space(namespace).map(|space| space.index()))
}

/// Synchronous read of L1 into the read buffer.
#[napi(catch_unwind)]
pub fn read(session: u32, namespace: u32, key: KeyArgument) -> Result<u32, Thrown> {
    let read = |key: &str| {
        with(session, |session| {
            session.read(namespace, key).map(|status| status as u32)
        })
    };
    key.with(read).map_err(|_| broken_contract("the key is no string"))?
}

/// Takes a lease for this process alone, at once; it is in the read buffer.
#[napi(catch_unwind)]
pub fn lease_here(session: u32, namespace: u32, key: KeyArgument) -> Result<(), Thrown> {
    key.with(|key| with(session, |session| session.lease_here(namespace, key)))
        .map_err(|_| broken_contract("the key is no string"))?
}

/// Executes the requests of a turn; the number of answers that already wait.
#[napi(catch_unwind)]
pub fn submit(session: u32, requests: &[u8], bytes: u32, count: u32) -> Result<u32, Thrown> {
    let requests = requests
        .get(..bytes as usize)
        .ok_or_else(|| broken_contract("the requests are cut off"))?;
    with(session, |session| session.submit(requests, count))
}

/// Writes answers into the completion buffer; their number.
#[napi(catch_unwind)]
pub fn drain(session: u32) -> Result<u32, Thrown> {
    with(session, |session| Ok(session.drain()))
}

/// A value that did not fit: of the last read (0), or of a completion.
#[napi(catch_unwind)]
pub fn take_large<'env>(env: &'env Env, session: u32, request_id: u32) -> Result<BufferSlice<'env>, Thrown> {
    let value = with(session, |session| {
        session
            .take_large(request_id)
            .ok_or_else(|| broken_contract("there is no value to take"))
    })?;
    BufferSlice::copy_from(env, value).map_err(|error| broken_contract(&error.reason))
}

/// The adapter's answer to a batch.
#[napi(catch_unwind)]
pub fn adapter_reply(session: u32, batch: u32, items: Option<&[u8]>, error: Option<String>) -> Result<(), Thrown> {
    with(session, |session| {
        session.batches().reply(batch, items, error.as_deref());
        Ok(())
    })
}

/// JSON of the engine's counters.
#[napi(catch_unwind)]
pub fn stats(session: u32) -> Result<String, Thrown> {
    with(session, |session| Ok(stats::json(session.engine())))
}

/// Ends a session: when every write has been answered, a completion with id 0 says so, and is the last.
#[napi(catch_unwind)]
pub fn close(session: u32) -> Result<(), Thrown> {
    with(session, |session| {
        session.close();
        Ok(())
    })
}
