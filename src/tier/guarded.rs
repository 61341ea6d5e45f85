//! A deadline and a breaker around any remote tier: the one place where a slow or dead store is dealt with.

use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::resilience::breaker::{Breaker, Permit, State};
use crate::resilience::deadline::within;
use crate::tier::{Foreign, RemoteReply, RemoteRequest, RemoteState, RemoteTier, Replies};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// See the module.
pub struct Guarded<T> {
    inner: T,
    breaker: Breaker,
    deadline: Duration,
}

impl<T: RemoteTier> Guarded<T> {
    /// No batch takes longer than `deadline`; see [`within`] for what counts.
    pub fn new(inner: T, deadline: Duration, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner,
            breaker: Breaker::new(clock),
            deadline,
        }
    }

    async fn guard(&self, batch: &[RemoteRequest], permit: Permit) -> Replies {
        let count = batch.len();
        if permit == Permit::Refused {
            return refuse(
                count,
                &Error::new(
                    ErrorKind::Remote,
                    "the remote tier failed a moment ago and is not tried",
                ),
            );
        }
        let attempt = Attempt {
            breaker: &self.breaker,
            ended: false,
        };
        let replies = match within(self.deadline, self.inner.execute(batch)).await {
            Ok(replies) => replies,
            Err(_) => {
                let message = format!("the remote tier did not answer within {} ms", self.deadline.as_millis());
                refuse(count, &Error::new(ErrorKind::Remote, message))
            }
        };
        // A reply of the server is an answer, even when it refuses one request.
        attempt.end(replies.is_empty() || replies.iter().any(Result::is_ok), &replies);
        replies
    }
}

/// A try whose future may be dropped: then it counts as failed, so that the breaker does not wait for it for ever.
struct Attempt<'a> {
    breaker: &'a Breaker,
    ended: bool,
}

impl Attempt<'_> {
    fn end(mut self, answered: bool, replies: &Replies) {
        self.ended = true;
        if answered {
            if self.breaker.succeeded() {
                tracing::info!("the remote tier answers again");
            }
        } else if self.breaker.failed() {
            let error = replies.iter().find_map(|reply| reply.as_ref().err());
            tracing::warn!(
                error = error.map(tracing::field::display),
                "the remote tier does not answer: going on without it"
            );
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.breaker.failed();
        }
    }
}

fn refuse(count: usize, error: &Error) -> Replies {
    (0..count).map(|_| Err(error.clone())).collect()
}

impl<T: RemoteTier> RemoteTier for Guarded<T> {
    fn execute<'a>(&'a self, batch: &'a [RemoteRequest]) -> Pin<Box<dyn Future<Output = Replies> + Send + 'a>> {
        Box::pin(async { self.guard(batch, self.breaker.permit()).await })
    }

    fn probe<'a>(&'a self, batch: &'a [RemoteRequest]) -> Pin<Box<dyn Future<Output = Replies> + Send + 'a>> {
        Box::pin(async { self.guard(batch, self.breaker.permit_probe()).await })
    }

    fn immediate(&self, request: &RemoteRequest) -> Option<RemoteReply> {
        self.inner.immediate(request)
    }

    fn watch(&self, told: Arc<dyn Fn(Foreign) + Send + Sync>) {
        self.inner.watch(told);
    }

    fn batches_in_flight(&self) -> usize {
        self.inner.batches_in_flight()
    }

    fn state(&self) -> RemoteState {
        match self.breaker.state() {
            State::Closed => self.inner.state(),
            State::Open { .. } | State::HalfOpen => RemoteState::Down,
        }
    }

    fn successions(&self) -> u64 {
        self.inner.successions()
    }

    fn is_scattered(&self) -> bool {
        self.inner.is_scattered()
    }

    fn deadline(&self) -> Option<Duration> {
        Some(self.deadline)
    }
}
