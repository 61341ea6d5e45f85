//! The first batch after a failure begins with an opening: a look at what the remote tier still has of what it had. Nothing that
//! is asked for behind it counts until that look is over, in whatever order the answers arrive, and nothing at all if it failed.

use parking_lot::Mutex;
use tokio::sync::watch;

/// The openings of a queue.
#[derive(Default)]
pub(super) struct Openings {
    /// The newest one, and whether its look is over.
    newest: Mutex<Option<watch::Receiver<bool>>>,
}

/// How a batch begins.
pub(super) enum Start {
    /// With an opening. Dropped before it is [settled](Self::settle), it has failed.
    Opening(watch::Sender<bool>),
    /// Without, and behind one whose look was not over when it was sent.
    Behind(watch::Receiver<bool>),
    /// Without, and there was none, or all was well.
    Plain,
}

impl Openings {
    /// A batch is sent that begins with one.
    pub(super) fn begin(&self) -> Start {
        let (sender, receiver) = watch::channel(false);
        *self.newest.lock() = Some(receiver);
        Start::Opening(sender)
    }

    /// A batch is sent that has none. After one that failed that means that there is nothing to look for.
    pub(super) fn behind(&self) -> Start {
        let newest = self.newest.lock();
        let is_open = |looked: &&watch::Receiver<bool>| !*looked.borrow() && looked.has_changed().is_ok();
        let open = newest.as_ref().filter(is_open);
        open.map_or(Start::Plain, |looked| Start::Behind(looked.clone()))
    }
}

impl Start {
    /// All of the batch's answers have been looked at, and what follows from them is known.
    pub(super) fn settle(&self) {
        if let Self::Opening(looked) = self {
            looked.send_replace(true);
        }
    }

    /// Resolves when the look in front of the batch is over: whether it did not fail.
    pub(super) async fn is_settled(&mut self) -> bool {
        match self {
            Self::Behind(looked) => looked.wait_for(|looked| *looked).await.is_ok(),
            Self::Opening(_) | Self::Plain => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_sent_behind_an_opening_counts_unless_that_fails_and_later_ones_do_in_any_case() {
        for succeeds in [true, false] {
            let openings = Openings::default();
            let opening = openings.begin();
            let mut behind = openings.behind();
            assert!(matches!(behind, Start::Behind(_)));
            if succeeds {
                opening.settle();
            }
            drop(opening);
            assert_eq!(behind.is_settled().await, succeeds);
            assert!(matches!(openings.behind(), Start::Plain), "it succeeds: {succeeds}");
        }
    }
}
