//! The tiers that are switched off: they answer at once, and hold nothing.

use crate::entry::Entry;
use crate::tier::{MemoryTier, RemoteReply, RemoteRequest, RemoteState, RemoteTier, Replies};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// No memory tier.
pub struct NoMemory;

impl MemoryTier for NoMemory {
    fn get(&self, _: &[u8]) -> Option<Entry> {
        None
    }
    fn insert(&self, _: &[u8], _: Entry) {}
    fn remove(&self, _: &[u8]) -> Option<Entry> {
        None
    }
    fn keys(&self, _: &dyn Fn(&[u8], &Entry) -> bool) -> Vec<Arc<[u8]>> {
        Vec::new()
    }
    fn sweep(&self, _: &dyn Fn(&[u8], &Entry) -> bool) {}
    fn wants_sweeps(&self) -> bool {
        false
    }
    fn settle(&self) {}
    fn entries(&self) -> u64 {
        0
    }
    fn bytes(&self) -> u64 {
        0
    }
}

/// No remote tier: every read is a miss, every lease is granted, every write is done.
pub struct NoRemote;

impl RemoteTier for NoRemote {
    fn immediate(&self, request: &RemoteRequest) -> Option<RemoteReply> {
        Some(match request {
            RemoteRequest::State { .. } => RemoteReply::State(Default::default()),
            RemoteRequest::Read { .. } => RemoteReply::Value(None),
            RemoteRequest::ReadBytes { keys } => RemoteReply::Bytes(keys.iter().map(|_| Ok(None)).collect()),
            RemoteRequest::Lease { .. } | RemoteRequest::TakeOver { .. } => RemoteReply::Granted,
            RemoteRequest::Write { .. } | RemoteRequest::Fill { .. } => RemoteReply::Done(true),
            RemoteRequest::Remove { .. } | RemoteRequest::Expire { .. } => RemoteReply::Done(false),
            RemoteRequest::RemoveMany { .. } => RemoteReply::Removed(0),
            RemoteRequest::Scan(_) => RemoteReply::Keys(Vec::new(), None),
            // Nobody asks: without a remote tier locks are those of the process.
            RemoteRequest::Lock { .. } => RemoteReply::Held(None),
            RemoteRequest::KeepLock { .. } | RemoteRequest::Unlock { .. } => RemoteReply::Done(false),
            RemoteRequest::Renew { .. }
            | RemoteRequest::ShowLife { .. }
            | RemoteRequest::HasLife { .. }
            | RemoteRequest::Unlease { .. }
            | RemoteRequest::Raise { .. }
            | RemoteRequest::RaiseRule { .. }
            | RemoteRequest::Abandon { .. } => RemoteReply::Done(true),
            RemoteRequest::Tell { .. } => RemoteReply::Told(Vec::new()),
            RemoteRequest::ReadLog { .. } => RemoteReply::Log(Vec::new(), 0),
        })
    }

    fn execute<'a>(&'a self, batch: &'a [RemoteRequest]) -> Pin<Box<dyn Future<Output = Replies> + Send + 'a>> {
        let replies = batch
            .iter()
            .filter_map(|request| self.immediate(request))
            .map(Ok)
            .collect();
        Box::pin(std::future::ready(replies))
    }

    fn state(&self) -> RemoteState {
        RemoteState::None
    }
}
