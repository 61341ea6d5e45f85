//! A batch is sent, if need be more than once, and those who wait for its answers get them.

use super::Queue;
use super::batch::{Batch, BatchState, batch_state};
use crate::engine::answers::tell;
use crate::engine::recovery::Recovery;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Place;
use crate::resilience::deadline::within;
use crate::tier::{RemoteReply, RemoteRequest, RemoteState, RemoteTier, Replies};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::Instrument;

/// Sends a batch and answers those who wait.
pub(super) async fn execute(remote: &dyn RemoteTier, mut batch: Batch<'_>, recovery: &Recovery, queue: &Queue) {
    let mut replies = ask(remote, &mut batch, recovery, queue).await;
    let Batch {
        requests,
        fields,
        waiting,
        items,
        voice,
        start,
        way,
        ..
    } = batch;
    let sent = requests.len();
    let told = match voice {
        Some((voice, speech)) if !speech.is_empty() => {
            let last = if replies.len() == sent { replies.pop() } else { None };
            let reply = last.unwrap_or_else(|| Err(lost_reply()));
            if !voice.told(speech, places(&reply)) {
                // Found out what it lacks is with the next look at the log.
                recovery.doubt_all();
            }
            reply
        }
        _ => Ok(RemoteReply::Told(Vec::new())),
    };
    let mut replies = replies.into_iter();
    let state = match replies.next() {
        Some(Ok(RemoteReply::State(state))) => batch_state(way.number, state, fields),
        _ => BatchState::default(),
    };
    for (asked, done) in waiting {
        let reply = if asked {
            replies.next().unwrap_or_else(|| Err(lost_reply()))
        } else {
            told.clone()
        };
        tell(|| done(&state, reply));
    }
    if state.incarnation != 0 && recovery.is_pending() {
        recovery.answered.notify_one();
    }
    if state.incarnation == 0 {
        queue.failed.store(true, Ordering::SeqCst);
    } else {
        start.settle();
    }
    queue.leave(items);
}

/// The replies. Reads that got none are sent again, while the caller still waits: with a connection that is lost goes what was
/// under way on it, and the next one is there soon. What changes something is not: it may have been executed, and what was
/// pushed behind it is under way. The recovery knows what to do with that.
async fn ask(remote: &dyn RemoteTier, batch: &mut Batch<'_>, recovery: &Recovery, queue: &Queue) -> Replies {
    queue.retry.called();
    let begin = queue.clock.now();
    let mut replies = ask_once(remote, batch, recovery).await;
    let deadline = remote
        .deadline()
        .filter(|_| batch.requests.iter().all(RemoteRequest::is_read));
    let Some(deadline) = deadline else { return replies };
    for failures in 0.. {
        let left = deadline.saturating_sub(Duration::from_millis(queue.clock.now().since(begin)));
        if !is_worth_another(&replies) || remote.state() == RemoteState::Down {
            break;
        }
        let Some(pause) = queue.retry.pause(failures, left) else {
            break;
        };
        tokio::time::sleep(pause).await;
        // It may have come back as another one.
        queue.failed.store(true, Ordering::SeqCst);
        batch.open(queue, remote);
        queue.retries.add();
        match within(left.saturating_sub(pause), ask_once(remote, batch, recovery)).await {
            Ok(answers) => replies = answers,
            Err(_) => break,
        }
    }
    replies
}

async fn ask_once(remote: &dyn RemoteTier, batch: &mut Batch<'_>, recovery: &Recovery) -> Replies {
    let (requests, way) = (&batch.requests[..], batch.way);
    // A store may be a user's own code: its panic is the failure of this batch, and the queue goes on.
    let replies = AssertUnwindSafe(async {
        if way.probes {
            remote.probe(requests).await
        } else {
            remote.execute(requests).await
        }
    })
    .catch_unwind();
    let span = tracing::debug_span!("turbocache.batch", requests = requests.len());
    let mut replies = replies.instrument(span).await.unwrap_or_default();
    // Without an answer, or in doubt, nothing counts in any case.
    let may_count = replies.iter().any(Result::is_ok) && !recovery.doubts_all();
    let is_settled = !may_count || batch.start.is_settled().await;
    if !is_settled || remote.successions() != way.successions {
        disbelieve(requests, &mut replies, remote.is_scattered());
    }
    replies
}

/// Another server may have answered than the one whose log was heard, and it may lack the last changes: what was read is not
/// believed. The next batch begins with the log. Where the log is on another server than a change, it may take the message of a
/// change that is lost already: that counts as missed.
fn disbelieve(requests: &[RemoteRequest], replies: &mut Replies, is_scattered: bool) {
    for (request, reply) in requests.iter().zip(replies) {
        let doubtful = match reply {
            // Also where a lease was asked for.
            Ok(RemoteReply::Value(_)) => true,
            Ok(_) => request.is_read() || is_scattered && request.is_change(),
            Err(_) => false,
        };
        if !doubtful {
            continue;
        }
        *reply = Err(Error::new(
            ErrorKind::Remote,
            "the connection to the remote tier was replaced meanwhile",
        ));
    }
}

/// Nothing was answered, for a reason that may pass.
fn is_worth_another(replies: &Replies) -> bool {
    let passes = |reply: &Result<RemoteReply>| reply.as_ref().is_err_and(Error::is_retryable);
    !replies.is_empty() && replies.iter().all(passes)
}

fn places(reply: &Result<RemoteReply>) -> Option<&[Place]> {
    match reply {
        Ok(RemoteReply::Told(places)) => Some(places),
        _ => None,
    }
}

fn lost_reply() -> Error {
    Error::new(
        ErrorKind::Remote,
        "the remote tier gave fewer replies than it got requests",
    )
}
