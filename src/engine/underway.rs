//! The writes that are under way, by key, where no memory tier remembers them: whether a later change of the same key has begun
//! here. The generation of a slot does not say so, because another key may share the slot.

use crate::pattern::Pattern;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// What a slot's changes are told apart by.
type Key = (u32, Box<str>);

/// See the module. One lock for a part of the slots: who asks holds the slot's own.
pub struct Underway {
    parts: Box<[Mutex<HashMap<Key, Last>>]>,
}

/// The last change of a key, and how many writes of it are under way.
struct Last {
    change: u64,
    writes: usize,
}

const PARTS: usize = 64;
/// A change that no write is the same as.
const NO_WRITE: u64 = u64::MAX;

/// A write that is under way, until it is dropped.
pub struct Writing {
    all: Arc<Underway>,
    slot: u32,
    key: Key,
    change: u64,
}

impl Default for Underway {
    fn default() -> Self {
        Self {
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Underway {
    /// A write begins, which is this change of its slot.
    pub fn begin(self: &Arc<Self>, slot: u32, namespace: u32, key: &str, change: u64) -> Writing {
        let key: Key = (namespace, key.into());
        let mut part = self.part(slot).lock();
        let last = part.entry(key.clone()).or_insert(Last { change, writes: 0 });
        last.change = change;
        last.writes += 1;
        drop(part);
        Writing {
            all: Arc::clone(self),
            slot,
            key,
            change,
        }
    }

    /// The key is changed otherwise: what is under way is not written again.
    pub fn overtake(&self, slot: u32, namespace: u32, key: &str) {
        let mut part = self.part(slot).lock();
        // Mostly nothing is under way, and no name is made for the look.
        if part.is_empty() {
            return;
        }
        if let Some(last) = part.get_mut(&(namespace, Box::from(key))) {
            last.change = NO_WRITE;
        }
    }

    /// The same for the keys of a namespace that match.
    pub fn overtake_matching(&self, namespace: u32, pattern: &Pattern) {
        for part in &self.parts {
            for ((of, key), last) in part.lock().iter_mut() {
                if *of == namespace && pattern.matches(key) {
                    last.change = NO_WRITE;
                }
            }
        }
    }

    fn part(&self, slot: u32) -> &Mutex<HashMap<Key, Last>> {
        &self.parts[slot as usize % PARTS]
    }
}

impl Writing {
    /// Whether no later change of the key has begun. To be asked under the lock of the slot.
    pub fn is_last(&self) -> bool {
        let part = self.all.part(self.slot).lock();
        part.get(&self.key).is_some_and(|last| last.change == self.change)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut part = self.all.part(self.slot).lock();
        let Some(last) = part.get_mut(&self.key) else { return };
        last.writes -= 1;
        if last.writes == 0 {
            part.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_the_last_one_until_its_key_is_changed() {
        let all = Arc::new(Underway::default());
        let first = all.begin(1, 0, "k", 1);
        let neighbour = all.begin(1, 0, "other", 2);
        let namesake = all.begin(1, 7, "k", 3);
        assert!(first.is_last() && neighbour.is_last() && namesake.is_last());
        let second = all.begin(1, 0, "k", 4);
        assert!(!first.is_last() && second.is_last());
        drop(first);
        assert!(second.is_last());
        all.overtake(1, 0, "k");
        assert!(!second.is_last() && neighbour.is_last() && namesake.is_last());
        all.overtake_matching(0, &Pattern::parse("o*").unwrap());
        assert!(!neighbour.is_last() && namesake.is_last());
        drop((second, neighbour, namesake));
        assert!(all.parts.iter().all(|part| part.lock().is_empty()));
    }
}
