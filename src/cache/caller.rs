//! Who waits for a spawned load: he is answered once, before the load ends if his time is over, and may go at any time.

use super::load::LoadError;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

/// The load's side.
pub struct Caller<T, E> {
    sender: Option<oneshot::Sender<Result<T, LoadError<E>>>>,
    wait: Wait,
}

/// The caller's side.
pub struct Reply<T, E> {
    receiver: oneshot::Receiver<Result<T, LoadError<E>>>,
    wait: Wait,
}

/// Whether somebody waits; ends when he is answered, or gone.
#[derive(Clone)]
pub struct Wait(Arc<AtomicBool>);

impl<T, E> Caller<T, E> {
    /// Somebody waits.
    pub fn waiting() -> (Self, Reply<T, E>) {
        let (sender, receiver) = oneshot::channel();
        let wait = Wait(Arc::new(AtomicBool::new(true)));
        let caller = Self {
            sender: Some(sender),
            wait: wait.clone(),
        };
        (caller, Reply { receiver, wait })
    }

    /// The load is done for its own sake.
    pub fn nobody() -> Self {
        Self {
            sender: None,
            wait: Wait(Arc::new(AtomicBool::new(false))),
        }
    }

    /// What the loader is told.
    pub fn wait(&self) -> Wait {
        self.wait.clone()
    }

    /// Whether he was there, and was not answered yet.
    pub fn is_unanswered(&self) -> bool {
        self.sender.is_some()
    }

    /// Answers him; the first answer counts.
    pub fn answer(&mut self, outcome: Result<T, LoadError<E>>) {
        if let Some(sender) = self.sender.take() {
            self.wait.end();
            // He may have gone.
            drop(sender.send(outcome));
        }
    }

    /// Answers him with an old value, if there is one.
    pub fn answer_with(&mut self, old: &mut Option<T>) {
        if let Some(old) = old.take() {
            self.answer(Ok(old));
        }
    }

    /// Resolves when he has gone unanswered.
    pub async fn gone(&mut self) {
        match &mut self.sender {
            Some(sender) => sender.closed().await,
            None => pending().await,
        }
    }
}

impl<T, E> Reply<T, E> {
    /// The answer; `None` when the load broke off without one.
    pub async fn receive(mut self) -> Option<Result<T, LoadError<E>>> {
        (&mut self.receiver).await.ok()
    }
}

impl<T, E> Drop for Reply<T, E> {
    fn drop(&mut self) {
        self.wait.end();
    }
}

impl Wait {
    pub fn goes_on(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    fn end(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}
