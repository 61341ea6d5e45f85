//! A memory tier that holds up the next call of one kind.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use turbocache::entry::Entry;
use turbocache::options::{Eviction, MemoryOptions};
use turbocache::tier::{MemoryTier, open_memory};

/// Where a call is held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// `get`, right behind its look.
    Looked,
    /// `keys`, before it begins.
    Walk,
    /// `sweep`, before it begins.
    Sweep,
}

/// See the module.
pub struct SlowMemory {
    memory: Arc<dyn MemoryTier>,
    pause: Mutex<Option<Pause>>,
    /// Sweeps that have ended.
    pub swept: AtomicUsize,
}

struct Pause {
    at: At,
    begins: Sender<()>,
    goes_on: Receiver<()>,
}

/// A call that is held up, or will be.
pub struct HeldCall {
    begun: Receiver<()>,
    go_on: Sender<()>,
}

impl SlowMemory {
    pub fn new(eviction: Eviction) -> Arc<Self> {
        let options = MemoryOptions {
            max_bytes: 1 << 20,
            eviction,
        };
        Arc::new(Self {
            memory: open_memory(&options, 1 << 16, 1),
            pause: Mutex::default(),
            swept: AtomicUsize::new(0),
        })
    }

    pub fn hold(&self, at: At) -> HeldCall {
        let (begins, begun) = channel();
        let (go_on, goes_on) = channel();
        *self.pause.lock() = Some(Pause { at, begins, goes_on });
        HeldCall { begun, go_on }
    }

    fn pass(&self, at: At) {
        let pause = self.pause.lock().take_if(|pause| pause.at == at);
        if let Some(pause) = pause {
            pause.begins.send(()).expect("the test waits");
            pause.goes_on.recv().expect("the test goes on");
        }
    }
}

impl HeldCall {
    /// Until the call is there, and held up.
    pub async fn arrived(self) -> Self {
        tokio::task::spawn_blocking(move || {
            self.begun.recv().expect("the call comes");
            self
        })
        .await
        .expect("it waits")
    }

    pub fn release(self) {
        self.go_on.send(()).expect("the call waits");
    }
}

impl MemoryTier for SlowMemory {
    fn get(&self, key: &[u8]) -> Option<Entry> {
        let found = self.memory.get(key);
        self.pass(At::Looked);
        found
    }

    fn insert(&self, key: &[u8], entry: Entry) {
        self.memory.insert(key, entry);
    }

    fn remove(&self, key: &[u8]) -> Option<Entry> {
        self.memory.remove(key)
    }

    fn keys(&self, wanted: &dyn Fn(&[u8], &Entry) -> bool) -> Vec<Arc<[u8]>> {
        self.pass(At::Walk);
        self.memory.keys(wanted)
    }

    fn sweep(&self, dead: &dyn Fn(&[u8], &Entry) -> bool) {
        self.pass(At::Sweep);
        self.memory.sweep(dead);
        self.swept.fetch_add(1, Ordering::SeqCst);
    }

    fn settle(&self) {
        self.memory.settle();
    }

    fn entries(&self) -> u64 {
        self.memory.entries()
    }

    fn bytes(&self) -> u64 {
        self.memory.bytes()
    }
}
