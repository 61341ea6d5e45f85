//! The namespaces of one engine: a small number for each path, and the generation by which a whole namespace is dropped.

use crate::engine::generation::GenerationTable;
use crate::engine::purges::Purges;
use crate::engine::raised::soft_clear_field;
use crate::entry::{LoadTime, TagFloor, TagSet};
use crate::key;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One namespace of an engine.
pub struct Namespace {
    /// Its number in this engine.
    pub id: u32,
    /// Path below the root, `""` for the root.
    pub path: Box<str>,
    /// Path with the root: what remote keys begin with.
    pub full_path: Box<str>,
    /// Index of its generation in the table and its mirrors.
    pub index: u32,
    /// Fields of the namespace state that say when this namespace or an ancestor was cleared.
    pub floors: Box<[Box<str>]>,
    /// What was deleted by pattern here.
    pub purges: Purges,
    /// The same for soft clears, the root's included.
    pub soft_floors: Box<[Box<str>]>,
    /// Exact generation, for the memory tier: unlike `index` it is shared with nobody.
    generation: AtomicU64,
    /// Soft clears of it and its ancestors.
    softened: AtomicU64,
    /// Clears that callers of this process have asked for.
    clears: AtomicU64,
    /// How long loads take, in milliseconds: a moving average.
    load_time: AtomicU64,
}

impl Namespace {
    /// Counts the clears of this namespace and its ancestors.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Counts the soft clears of this namespace and its ancestors: what was captured before one is stale.
    pub fn softened(&self) -> u64 {
        self.softened.load(Ordering::SeqCst)
    }

    /// Counts the clears that callers of this process have asked for, here or in an ancestor: the generation without what
    /// is dropped out of doubt, or because others say so.
    pub fn clears(&self) -> u64 {
        self.clears.load(Ordering::SeqCst)
    }

    /// A load took so many milliseconds.
    pub fn note_load_time(&self, millis: u64) {
        let average = |before: u64| {
            Some(match before {
                0 => millis,
                before => (7 * before + millis.min(1 << 32)) / 8,
            })
        };
        // Two loads that end at once: one of them counts.
        let _ = self
            .load_time
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, average);
    }

    /// About how long loads take here.
    pub fn load_time(&self) -> LoadTime {
        LoadTime::from_millis(self.load_time.load(Ordering::Relaxed))
    }

    /// The tags with every place where one of them can be invalidated. `None` for no tags.
    pub fn tag_set(&self, table: &GenerationTable, tags: &[impl AsRef<str>]) -> Option<Arc<TagSet>> {
        if tags.is_empty() {
            return None;
        }
        let mut names: Vec<Box<str>> = tags.iter().map(|tag| tag.as_ref().into()).collect();
        names.sort_unstable();
        names.dedup();
        let floors = key::ancestors(&self.path)
            .flat_map(|path| names.iter().map(move |tag| tag_field(path, tag)))
            .map(|field| TagFloor {
                slot: table.field_slot(&field),
                field,
            })
            .collect();
        Some(Arc::new(TagSet {
            names: names.into_boxed_slice(),
            floors,
        }))
    }
}

/// Field of the namespace state that says when the namespace was cleared last.
pub fn clear_field(path: &str) -> Box<str> {
    format!("n:{path}").into_boxed_str()
}

/// Field of the namespace state that says when the tag was invalidated last.
pub fn tag_field(path: &str, tag: &str) -> Box<str> {
    format!("t:{path}:{tag}").into_boxed_str()
}

/// See the module.
pub struct Namespaces {
    root: Box<str>,
    by_path: RwLock<HashMap<Box<str>, Arc<Namespace>>>,
}

impl Namespaces {
    /// No namespaces yet, below this root path.
    pub fn new(root: String) -> Self {
        Self {
            root: root.into_boxed_str(),
            by_path: RwLock::default(),
        }
    }

    /// The root path.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The namespace of this path below the root, made when it is new.
    pub fn open(&self, table: &GenerationTable, path: &str) -> Arc<Namespace> {
        if let Some(known) = self.find(path) {
            return known;
        }
        let mut by_path = self.by_path.write();
        let id = by_path.len() as u32;
        by_path
            .entry(path.into())
            .or_insert_with(|| {
                Arc::new(Namespace {
                    id,
                    path: path.into(),
                    full_path: key::join_path(&self.root, path).into_boxed_str(),
                    index: table.namespace_index(id),
                    // Clearing the root makes a new incarnation instead of a floor.
                    floors: key::ancestors(path)
                        .filter(|path| !path.is_empty())
                        .map(clear_field)
                        .collect(),
                    purges: Purges::default(),
                    soft_floors: key::ancestors(path).map(soft_clear_field).collect(),
                    generation: AtomicU64::new(0),
                    softened: AtomicU64::new(0),
                    clears: AtomicU64::new(0),
                    load_time: AtomicU64::new(0),
                })
            })
            .clone()
    }

    /// The namespace of this path, if anybody in this process uses it.
    pub fn find(&self, path: &str) -> Option<Arc<Namespace>> {
        self.by_path.read().get(path).cloned()
    }

    /// Number and generation of each namespace.
    pub fn generations(&self) -> Vec<(u32, u64)> {
        self.by_path
            .read()
            .values()
            .map(|namespace| (namespace.id, namespace.generation()))
            .collect()
    }

    /// Makes everything of the namespace and of those nested in it old. A namespace opened later has nothing to drop.
    pub fn clear(&self, table: &GenerationTable, path: &str) {
        self.each_below(path, |namespace| {
            namespace.generation.fetch_add(1, Ordering::SeqCst);
            table.lock(namespace.index).bump();
        });
    }

    /// Makes everything of the namespace and of those nested in it stale.
    pub fn soften(&self, table: &GenerationTable, path: &str) {
        self.each_below(path, |namespace| {
            namespace.softened.fetch_add(1, Ordering::SeqCst);
            // The mirrors' word counts both kinds: a host that keeps decoded values looks into the memory tier again.
            table.lock(namespace.index).bump();
        });
    }

    /// A caller is about to clear, softly or for good: his own writes that are under way are old, too.
    pub fn note_clear(&self, path: &str) {
        self.each_below(path, |namespace| {
            namespace.clears.fetch_add(1, Ordering::SeqCst);
        });
    }

    fn each_below(&self, path: &str, visit: impl Fn(&Namespace)) {
        let nested = format!("{path}/");
        for namespace in self.by_path.read().values() {
            if path.is_empty() || *namespace.path == *path || namespace.path.starts_with(&nested) {
                visit(namespace);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clearing_a_namespace_reaches_the_nested_ones_and_no_other() {
        let table = GenerationTable::new(1);
        let namespaces = Namespaces::new("shop".into());
        let [users, nested, lookalike, root] =
            ["users", "users/admins", "users2", ""].map(|path| namespaces.open(&table, path));
        namespaces.clear(&table, "users");
        let generations = [&users, &nested, &lookalike, &root].map(|namespace| namespace.generation());
        assert_eq!(generations, [1, 1, 0, 0]);
        namespaces.clear(&table, "");
        let generations = [&users, &nested, &lookalike, &root].map(|namespace| namespace.generation());
        assert_eq!(generations, [2, 2, 1, 1]);
    }
}
