//! Tag invalidations this process knows of: for each tag, as which one in a row it was invalidated last.

use crate::engine::generation::GenerationTable;
use crate::entry::{Entry, TagSet};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// More remembered tags than this are folded into one floor for all of them: tagged entries written before are dropped.
const REMEMBERED: usize = 100_000;

/// See the module.
#[derive(Default)]
pub struct TagFloors {
    invalidations: AtomicU64,
    floors: RwLock<Floors>,
}

#[derive(Default)]
struct Floors {
    of_all: u64,
    by_field: HashMap<Box<str>, u64>,
}

impl TagFloors {
    /// Number of invalidations so far. Capture it before the origin of a value is read.
    pub fn count(&self) -> u64 {
        self.invalidations.load(Ordering::SeqCst)
    }

    /// Makes every entry that carries one of these tags old: those that are held, and those being loaded.
    pub fn invalidate(&self, table: &GenerationTable, fields: &[Box<str>]) {
        let mut floors = self.floors.write();
        let floor = self.invalidations.fetch_add(1, Ordering::SeqCst) + 1;
        if floors.by_field.len() + fields.len() > REMEMBERED {
            floors.by_field.clear();
            floors.of_all = floor;
        }
        for field in fields {
            floors.by_field.insert(field.clone(), floor);
        }
        drop(floors);
        for field in fields {
            table.lock(table.field_slot(field)).bump();
        }
    }

    /// Whether none of the entry's tags was invalidated since it was captured.
    pub fn allow(&self, entry: &Entry) -> bool {
        match &entry.tags {
            Some(tags) if entry.stamp.tags != self.count() => self.allow_since(tags, entry.stamp.tags),
            _ => true,
        }
    }

    fn allow_since(&self, tags: &TagSet, captured: u64) -> bool {
        let floors = self.floors.read();
        let old = |field: &str| floors.by_field.get(field).is_some_and(|floor| *floor > captured);
        floors.of_all <= captured && !tags.floors.iter().any(|floor| old(&floor.field))
    }
}
