//! Time in which this process was running: what a busy machine keeps it waiting counts a few milliseconds, however long it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(5);
/// What one tick counts at most.
const MOST: Duration = Duration::from_millis(20);

/// Counts from its beginning until it is dropped.
pub struct TimeAwake(Arc<AtomicU64>);

impl TimeAwake {
    pub fn start() -> Self {
        let micros = Arc::<AtomicU64>::default();
        let counted = Arc::downgrade(&micros);
        std::thread::spawn(move || {
            let mut last = Instant::now();
            loop {
                std::thread::sleep(TICK);
                let Some(counted) = counted.upgrade() else { return };
                let tick = last.elapsed().min(MOST);
                last = Instant::now();
                counted.fetch_add(tick.as_micros() as u64, Ordering::SeqCst);
            }
        });
        Self(micros)
    }

    pub fn elapsed(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::SeqCst))
    }
}
