//! A remote tier that lives in JavaScript: batches go out as completions, replies come back as one call.

use crate::answer::{Answer, Value};
use crate::completions::Completions;
use crate::layout::Status;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use turbocache::tier::{KeyValueItem, KeyValueStore, Stored};
use turbocache::{Error, ErrorKind, Result};

/// Deadline of one batch: adapters talk to databases, not to a cache server next door.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// Batches are numbered from here on, requests from 1: both name large values.
const FIRST_BATCH: u32 = 1 << 30;

/// Bytes before key and value of an item: kind, key bytes, value bytes, unused, ttl.
const ITEM: usize = 24;
/// Bytes before the value of a reply item: yes, value bytes, ttl.
const REPLY: usize = 16;

type Reply = Result<Vec<Option<Stored>>>;

/// The batches of one session that wait for their reply.
pub struct Batches {
    completions: Arc<Completions>,
    waiting: Mutex<HashMap<u32, (usize, oneshot::Sender<Reply>)>>,
    last: AtomicU32,
}

impl Batches {
    /// No batches yet.
    pub fn new(completions: Arc<Completions>) -> Self {
        Self {
            completions,
            waiting: Mutex::default(),
            last: AtomicU32::new(0),
        }
    }

    /// Hands the reply of a batch to whoever waits for it.
    pub fn reply(&self, batch: u32, items: Option<&[u8]>, error: Option<&str>) {
        let Some((count, waiter)) = self.waiting.lock().remove(&batch) else {
            return;
        };
        let reply = match (items, error) {
            (Some(items), None) => read_reply(items, count)
                .ok_or_else(|| Error::new(ErrorKind::Remote, "the adapter's reply was not understood")),
            (_, error) => Err(Error::new(ErrorKind::Remote, error.unwrap_or("the adapter failed"))),
        };
        // Nobody waits any more after the deadline.
        let _ = waiter.send(reply);
    }
}

/// The store as the engine sees it.
pub struct JavaScriptStore(pub Arc<Batches>);

impl KeyValueStore for JavaScriptStore {
    fn execute(&self, items: Vec<KeyValueItem>) -> Pin<Box<dyn Future<Output = Reply> + Send + '_>> {
        Box::pin(async move {
            let batches = &self.0;
            let id = FIRST_BATCH | (batches.last.fetch_add(1, Ordering::Relaxed) % FIRST_BATCH);
            let (sender, reply) = oneshot::channel();
            batches.waiting.lock().insert(id, (items.len(), sender));
            let _forget = Forget { batches, id };
            let answer = Answer {
                value: Value::Owned(write_items(&items)),
                ..Answer::new(id, Status::Adapter)
            };
            let gone = || Error::new(ErrorKind::Closed, "the adapter's manager is closed");
            batches.completions.push(answer).map_err(|_| gone())?;
            reply.await.map_err(|_| gone())?
        })
    }
}

/// A batch whose future is dropped (its deadline) is not waited for.
struct Forget<'a> {
    batches: &'a Batches,
    id: u32,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.batches.waiting.lock().remove(&self.id);
    }
}

fn write_items(items: &[KeyValueItem]) -> Vec<u8> {
    let mut out = Vec::new();
    for item in items {
        let (kind, key, value, life): (u32, &str, &[u8], Option<u64>) = match item {
            KeyValueItem::Get(key) => (1, key, &[], None),
            KeyValueItem::Set(key, value, life) => (2, key, value, *life),
            KeyValueItem::Delete(key) => (3, key, &[], None),
        };
        for number in [kind, key.len() as u32, value.len() as u32, 0] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&life.map_or(f64::INFINITY, |life| life as f64).to_le_bytes());
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(value);
        out.resize(out.len().next_multiple_of(8), 0);
    }
    debug_assert!(out.len() >= items.len() * ITEM);
    out
}

fn read_reply(mut bytes: &[u8], count: usize) -> Option<Vec<Option<Stored>>> {
    let mut answers = Vec::with_capacity(count);
    for _ in 0..count {
        let (head, rest) = bytes.split_at_checked(REPLY)?;
        let yes = u32::from_le_bytes(head[..4].try_into().ok()?) != 0;
        let length = u32::from_le_bytes(head[4..8].try_into().ok()?) as usize;
        let life = f64::from_le_bytes(head[8..].try_into().ok()?);
        let envelope = Bytes::copy_from_slice(rest.get(..length)?);
        bytes = rest.get(length.next_multiple_of(8)..)?;
        answers.push(yes.then(|| Stored {
            envelope,
            life: life.is_finite().then_some(life.max(0.0) as u64),
        }));
    }
    Some(answers)
}
