//! Tag invalidations this process knows of: for each tag, as which one in a row it was invalidated last, for good and softly;
//! and the rules that reach only what carries several tags.

use crate::engine::generation::GenerationTable;
use crate::engine::namespaces::tag_field;
use crate::engine::raised::Rule;
use crate::entry::{Entry, TagSet};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// More remembered tags than this are folded into one floor for all of them: tagged entries written before are dropped.
const REMEMBERED: usize = 100_000;
/// More rules than this at one tag are folded into its floor: whatever carries the tag and was written before is dropped.
const RULES: usize = 32;

/// What invalidations have made of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Stands,
    /// Only its grace is left.
    Stale,
    /// It is not served any more.
    Gone,
}

/// See the module.
#[derive(Default)]
pub struct TagFloors {
    invalidations: AtomicU64,
    floors: RwLock<Floors>,
}

#[derive(Default)]
struct Floors {
    of_all: u64,
    by_field: HashMap<Box<str>, Floor>,
}

#[derive(Default)]
struct Floor {
    hard: u64,
    soft: u64,
    rules: Vec<(u64, Rule)>,
}

impl TagFloors {
    /// Number of invalidations so far. Capture it before the origin of a value is read.
    pub fn count(&self) -> u64 {
        self.invalidations.load(Ordering::SeqCst)
    }

    /// Makes every entry that carries one of these tags old: those that are held, and those being loaded.
    pub fn invalidate(&self, table: &GenerationTable, fields: &[Box<str>], soft: bool) {
        let mut floors = self.floors.write();
        let count = self.invalidations.fetch_add(1, Ordering::SeqCst) + 1;
        for field in fields {
            let floor = floors.at(field, count);
            *(if soft { &mut floor.soft } else { &mut floor.hard }) = count;
        }
        drop(floors);
        for field in fields {
            table.lock(table.field_slot(field)).bump();
        }
    }

    /// Makes every entry that carries all tags of the rule old.
    pub fn invalidate_together(&self, table: &GenerationTable, path: &str, rule: &Rule) {
        let mut floors = self.floors.write();
        let count = self.invalidations.fetch_add(1, Ordering::SeqCst) + 1;
        // At the tag that has the fewest, as in the remote tier: whatever carries all of them carries that one.
        let fields = rule.tags.iter().map(|tag| tag_field(path, tag));
        let rules_at = |field: &str| floors.by_field.get(field).map_or(0, |floor| floor.rules.len());
        let Some(field) = fields.min_by_key(|field| rules_at(field)) else {
            return;
        };
        let floor = floors.at(&field, count);
        floor.rules.retain(|(_, other)| other != rule);
        if floor.rules.len() < RULES {
            floor.rules.push((count, rule.clone()));
        } else {
            floor.rules.clear();
            floor.hard = count;
        }
        drop(floors);
        table.lock(table.field_slot(&field)).bump();
    }

    /// What has become of the entry since it was captured.
    pub fn judge(&self, entry: &Entry) -> Verdict {
        match &entry.tags {
            Some(tags) if entry.stamp.tags != self.count() => self.floors.read().judge(tags, entry.stamp.tags),
            _ => Verdict::Stands,
        }
    }
}

impl Floors {
    fn at(&mut self, field: &str, count: u64) -> &mut Floor {
        if self.by_field.len() >= REMEMBERED && !self.by_field.contains_key(field) {
            self.by_field.clear();
            self.of_all = count;
        }
        self.by_field.entry(field.into()).or_default()
    }

    fn judge(&self, tags: &TagSet, captured: u64) -> Verdict {
        if self.of_all > captured {
            return Verdict::Gone;
        }
        let mut verdict = Verdict::Stands;
        for floor in tags.floors.iter().filter_map(|tag| self.by_field.get(&tag.field)) {
            let newer = |count: u64| count > captured;
            let reached = |soft| {
                let reaches =
                    |(count, rule): &(u64, Rule)| rule.soft == soft && newer(*count) && rule.reaches(&tags.names);
                floor.rules.iter().any(reaches)
            };
            if newer(floor.hard) || reached(false) {
                return Verdict::Gone;
            }
            if newer(floor.soft) || reached(true) {
                verdict = Verdict::Stale;
            }
        }
        verdict
    }
}
