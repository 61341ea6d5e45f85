//! Remote reads under way: callers that ask for the same key while a read is on its way share it.
//!
//! A caller may only join a read that began after everything he already knows to be invalidated; otherwise he starts a
//! new one, and the old one lands for those who were there before.

use crate::engine::answers::Capture;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};
use std::collections::HashMap;

const SHARDS: usize = 16;

/// See the module. `W` is what waits.
pub struct Flights<W> {
    shards: [Mutex<Shard<W>>; SHARDS],
    ids: AtomicU64,
}

struct Shard<W> {
    current: HashMap<Box<[u8]>, Flight<W>>,
    /// Flights whose key was invalidated while they were under way: nobody joins them any more.
    overtaken: Vec<Flight<W>>,
}

struct Flight<W> {
    id: u64,
    capture: Capture,
    pilot: W,
    passengers: Vec<W>,
}

impl<W> Flight<W> {
    fn everybody(self) -> impl Iterator<Item = W> {
        std::iter::once(self.pilot).chain(self.passengers)
    }
}

/// What a caller is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Joined {
    /// Somebody else reads; the waiter will be handed to him.
    Passenger,
    /// This caller reads, and lands this flight afterwards.
    Pilot(u64),
}

impl<W> Default for Flights<W> {
    fn default() -> Self {
        let shard = || Shard {
            current: HashMap::new(),
            overtaken: Vec::new(),
        };
        Self {
            shards: std::array::from_fn(|_| Mutex::new(shard())),
            ids: AtomicU64::new(0),
        }
    }
}

impl<W> Flights<W> {
    /// Joins the flight of this key, or starts one that began at `capture`.
    pub fn join(&self, key: &[u8], capture: Capture, waiter: W) -> Joined {
        let mut shard = self.shard(key).lock();
        let shard = &mut *shard;
        let current = shard.current.get_mut(key);
        if let Some(flight) = &current
            && !flight.capture.covers(&capture)
        {
            shard.overtaken.extend(shard.current.remove(key));
        } else if let Some(flight) = current {
            flight.passengers.push(waiter);
            return Joined::Passenger;
        }
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let flight = Flight {
            id,
            capture,
            pilot: waiter,
            passengers: Vec::new(),
        };
        shard.current.insert(key.into(), flight);
        Joined::Pilot(id)
    }

    /// Ends the flight; everybody who was on it.
    pub fn land(&self, key: &[u8], id: u64) -> impl Iterator<Item = W> + use<W> {
        let mut shard = self.shard(key).lock();
        let flight = if shard.current.get(key).is_some_and(|flight| flight.id == id) {
            shard.current.remove(key)
        } else {
            let place = shard.overtaken.iter().position(|flight| flight.id == id);
            place.map(|place| shard.overtaken.swap_remove(place))
        };
        flight.into_iter().flat_map(Flight::everybody)
    }

    fn shard(&self, key: &[u8]) -> &Mutex<Shard<W>> {
        &self.shards[xxhash_rust::xxh3::xxh3_64(key) as usize % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Stamp;

    fn at(generation: u64, purges: u64) -> Capture {
        Capture {
            slot: 0,
            stamp: Stamp {
                generation,
                namespace: 0,
                tags: 0,
                softened: 0,
            },
            namespace_word: 0,
            purges,
        }
    }

    #[test]
    fn callers_of_one_key_share_a_flight() {
        let flights = Flights::default();
        assert_eq!(flights.join(b"k", at(0, 0), 'a'), Joined::Pilot(0));
        assert_eq!(flights.join(b"k", at(0, 0), 'b'), Joined::Passenger);
        assert_eq!(flights.land(b"k", 0).collect::<Vec<_>>(), ['a', 'b']);
        assert_eq!(flights.join(b"k", at(0, 0), 'c'), Joined::Pilot(1));
    }

    #[test]
    fn a_caller_after_an_invalidation_starts_a_flight_of_his_own() {
        let flights = Flights::default();
        assert_eq!(flights.join(b"k", at(0, 0), 'a'), Joined::Pilot(0));
        assert_eq!(flights.join(b"k", at(1, 0), 'b'), Joined::Pilot(1));
        assert_eq!(flights.join(b"k", at(1, 0), 'c'), Joined::Passenger);
        assert_eq!(flights.land(b"k", 0).collect::<Vec<_>>(), ['a']);
        assert_eq!(flights.join(b"k", at(1, 0), 'd'), Joined::Passenger);
        assert_eq!(flights.land(b"k", 1).collect::<Vec<_>>(), ['b', 'c', 'd']);
        assert_eq!(flights.join(b"k", at(1, 0), 'e'), Joined::Pilot(2));
        assert_eq!(flights.join(b"k", at(1, 1), 'f'), Joined::Pilot(3), "by pattern too");
    }
}
