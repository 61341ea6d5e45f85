//! Callers of one process in line for a lock (`src/lock/lines.rs`).

use crate::explore;
use shuttle::sync::Arc;
use shuttle::sync::mpsc::{Receiver, Sender, channel};
use shuttle::thread;
use std::collections::BTreeMap;
use turbocache_models::lines::Lines;
use turbocache_models::sync::Mutex;
use turbocache_models::sync::atomic::{AtomicU64, Ordering};

/// A way to do it wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    No,
    /// Who gives up wakes somebody, wherever he himself stood.
    WakesAnybody,
    /// Who gives up tells nobody, though he may have come to the front.
    GivesUpSilently,
}

#[derive(Default)]
struct State {
    lines: Lines,
    callers: BTreeMap<u64, Sender<()>>,
}

impl State {
    fn wake(&self, caller: Option<u64>) {
        if let Some(turn) = caller.and_then(|caller| self.callers.get(&caller)) {
            turn.send(()).expect("who is in line waits");
        }
    }
}

struct World {
    wrong: Wrong,
    state: Mutex<State>,
    holders: AtomicU64,
}

impl World {
    fn join(&self, caller: u64) -> (bool, Receiver<()>) {
        let (turn, comes) = channel();
        let mut state = self.state.lock();
        state.callers.insert(caller, turn);
        (state.lines.join(b"k", caller), comes)
    }

    fn leave(&self, caller: u64) {
        let mut state = self.state.lock();
        state.callers.remove(&caller);
        let next = state.lines.leave(b"k", caller);
        state.wake(next);
    }

    fn pass(&self, caller: u64) {
        let (first, comes) = self.join(caller);
        if !first {
            comes.recv().expect("everybody has his turn");
        }
        assert_eq!(self.holders.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
        thread::yield_now();
        self.holders.fetch_sub(1, Ordering::SeqCst);
        self.leave(caller);
    }

    fn give_up(&self, caller: u64) {
        let (_, _turn) = self.join(caller);
        thread::yield_now();
        match self.wrong {
            Wrong::No => self.leave(caller),
            Wrong::WakesAnybody => {
                self.leave(caller);
                let state = self.state.lock();
                state.wake(state.callers.keys().next().copied());
            }
            Wrong::GivesUpSilently => {
                let mut state = self.state.lock();
                state.callers.remove(&caller);
                let _ = state.lines.leave(b"k", caller);
            }
        }
    }
}

fn model(wrong: Wrong) {
    let world = Arc::new(World {
        wrong,
        state: Mutex::default(),
        holders: AtomicU64::new(0),
    });
    let callers = [1, 2, 3].map(|caller| {
        let world = world.clone();
        thread::spawn(move || world.pass(caller))
    });
    world.give_up(4);
    world.pass(5);
    for caller in callers {
        caller.join().expect("a caller");
    }
    assert_eq!(world.state.lock().lines.first(b"k"), None);
}

#[test]
fn one_at_a_time_comes_to_the_front_and_everybody_does() {
    explore(|| model(Wrong::No));
}

#[test]
#[should_panic(expected = "two hold it")]
fn who_wakes_anybody_wakes_one_who_stands_behind_the_holder() {
    explore(|| model(Wrong::WakesAnybody));
}

#[test]
#[should_panic(expected = "deadlock")]
fn who_gives_up_at_the_front_and_says_nothing_leaves_the_others_waiting() {
    explore(|| model(Wrong::GivesUpSilently));
}
