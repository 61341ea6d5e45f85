//! Answers that wait for JavaScript: pushed from any thread, taken by the isolate's own. One wake-up for many.

use crate::answer::Answer;
use crate::sync::Mutex;
use std::collections::{HashMap, VecDeque};

/// Answers taken at most with one call.
const DRAIN: usize = 1_024;

/// Called when answers wait and nobody has been told yet.
type Wake = Box<dyn Fn() + Send + Sync>;

/// The queue of one session. It is unbounded: a host that does not drain keeps its own answers, and blocks nobody.
pub struct Completions {
    inner: Mutex<Inner>,
    wake: Wake,
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<Answer>,
    /// Values too long for the shared buffer, until they are fetched.
    large: HashMap<u32, Vec<u8>>,
    /// The host has been woken, or is about to drain by itself.
    told: bool,
    closed: bool,
}

impl Completions {
    /// An empty queue.
    pub fn new(wake: Wake) -> Self {
        Self {
            inner: Mutex::default(),
            wake,
        }
    }

    /// Queues an answer; gives it back when the host is gone.
    pub fn push(&self, answer: Answer) -> Result<(), Box<Answer>> {
        {
            let mut inner = self.inner.lock();
            if inner.closed {
                return Err(Box::new(answer));
            }
            inner.queue.push_back(answer);
            if std::mem::replace(&mut inner.told, true) {
                return Ok(());
            }
        }
        (self.wake)();
        Ok(())
    }

    /// Runs `submit` without wake-ups, because the host drains right after it; the number of answers that wait.
    pub fn without_waking(&self, submit: impl FnOnce()) -> u32 {
        self.inner.lock().told = true;
        submit();
        let mut inner = self.inner.lock();
        inner.told = !inner.queue.is_empty();
        inner.queue.len() as u32
    }

    /// Writes answers into `out` until it is full; their number. 0 = nothing waits.
    pub fn drain(&self, out: &mut [u8]) -> u32 {
        let mut inner = self.inner.lock();
        let (mut at, mut count) = (0, 0);
        while count < DRAIN
            && let Some(answer) = inner.queue.front()
            && answer.size() <= out.len() - at
            && let Some(answer) = inner.queue.pop_front()
        {
            let size = answer.size();
            answer.write(&mut out[at..at + size]);
            if answer.is_large() {
                inner.large.insert(answer.request_id, answer.into_value());
            }
            at += size;
            count += 1;
        }
        inner.told = !inner.queue.is_empty();
        count as u32
    }

    /// A value that did not fit, once.
    pub fn take_large(&self, request_id: u32) -> Option<Vec<u8>> {
        self.inner.lock().large.remove(&request_id)
    }

    /// From here on answers are given back to whoever pushes them.
    pub fn close(&self) {
        let mut inner = self.inner.lock();
        inner.closed = true;
        inner.queue.clear();
    }
}
