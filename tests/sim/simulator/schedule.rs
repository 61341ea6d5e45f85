//! Virtual time, and what is going to happen in it. Events of the same millisecond happen in a random order.

use crate::simulator::dice::Dice;
use parking_lot::Mutex;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// When, which of those at that time, and its name.
type Due = Reverse<(u64, u64, u64)>;

/// What happens at a point in time to `S`.
type Event<S> = Box<dyn FnOnce(&S) + Send>;

/// See the module. Runs on tokio's paused clock, the one that the engines sleep by.
pub struct Schedule<S> {
    began: Instant,
    order: Dice,
    waiting: Mutex<Waiting<S>>,
    news: Notify,
}

struct Waiting<S> {
    due: BinaryHeap<Due>,
    events: BTreeMap<u64, Event<S>>,
    names: u64,
}

impl<S> Schedule<S> {
    pub fn new(seed: u64) -> Self {
        Self {
            began: Instant::now(),
            order: Dice::new(seed),
            waiting: Mutex::new(Waiting {
                due: BinaryHeap::new(),
                events: BTreeMap::new(),
                names: 0,
            }),
            news: Notify::new(),
        }
    }

    /// Milliseconds since the beginning.
    pub fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    pub fn after(&self, pause: u64, event: impl FnOnce(&S) + Send + 'static) {
        let at = self.now() + pause;
        let mut waiting = self.waiting.lock();
        waiting.names += 1;
        let name = waiting.names;
        waiting.due.push(Reverse((at, self.order.next(), name)));
        waiting.events.insert(name, Box::new(event));
        drop(waiting);
        self.news.notify_one();
    }

    /// The next event, when its time has come; whether time has passed until then.
    pub async fn next(&self) -> (Event<S>, bool) {
        let mut passed = false;
        loop {
            let next = self.waiting.lock().due.peek().map(|Reverse((at, ..))| *at);
            match next {
                Some(at) if at <= self.now() => {
                    let mut waiting = self.waiting.lock();
                    if let Some(Reverse((.., name))) = waiting.due.pop()
                        && let Some(event) = waiting.events.remove(&name)
                    {
                        return (event, passed);
                    }
                }
                Some(at) => {
                    passed = true;
                    let due = tokio::time::sleep_until(self.began + Duration::from_millis(at));
                    tokio::select! {
                        biased;
                        () = self.news.notified() => {}
                        () = due => {}
                    }
                }
                None => {
                    passed = true;
                    self.news.notified().await;
                }
            }
        }
    }
}
