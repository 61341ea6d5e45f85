//! What the remote tier missed: changes that failed, or whose outcome is unknown. They are made good when it answers again;
//! until then nothing that it says about them is believed.
//!
//! There is one pending item a key, whatever happened to it how often. A change of a value is made good by removing it: what
//! stands there may be older or newer than what was written here, and nobody could tell. A later change of the key that
//! succeeds makes the item superfluous, so does a clear around it. More than can be remembered becomes a clear of everything:
//! a deletion is never forgotten.

use crate::engine::namespaces::Namespace;
use crate::engine::raised::Raised;
use crate::engine::with_memory_key;
use crate::entry::TagSet;
use crate::event::Change;
use crate::tier::RemoteRequest;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Keys remembered at most.
pub(super) const KEYS: usize = 10_000;
/// Their bytes.
const KEY_BYTES: usize = 4 << 20;
/// Raises remembered at most.
const RAISES: usize = 1_000;
/// A clear of the root.
const EVERYTHING: RemoteRequest = RemoteRequest::Raise { fields: Vec::new() };

/// See the module.
#[derive(Default)]
pub struct Recovery {
    /// Pending items, and one more for the doubt: where there is none, nobody takes the lock.
    count: AtomicUsize,
    /// Counts raises that were made good.
    made_good: AtomicU64,
    /// It is being found out what else is missing: nothing is believed.
    doubts_all: AtomicBool,
    /// The remote tier has answered while something was pending.
    pub answered: Notify,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    /// Items get a number each time they are noted.
    numbers: u64,
    /// By memory key.
    keys: BTreeMap<Box<[u8]>, Key>,
    key_bytes: usize,
    /// By the text that tells of it.
    raises: BTreeMap<Box<str>, Raise>,
}

struct Key {
    namespace: Arc<Namespace>,
    key: Box<str>,
    missed: Missed,
    /// Of the key's slot, when it was changed.
    generation: u64,
    number: u64,
}

/// What the remote tier missed of a key. The later one includes the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missed {
    /// It may be fresh there, and is stale.
    Expiry,
    /// It may have another value there, or one where there is none.
    Value,
}

struct Raise {
    request: RemoteRequest,
    change: Change,
    number: u64,
}

/// Something to make good.
pub enum Item {
    /// A key.
    Key {
        /// Its namespace.
        namespace: Arc<Namespace>,
        /// The key.
        key: Box<str>,
        /// What was missed.
        missed: Missed,
        /// Of the item.
        number: u64,
    },
    /// A clear, or an invalidation by tags.
    Raise {
        /// What was to be done.
        request: RemoteRequest,
        /// What the others are told.
        change: Change,
        /// Of the item.
        number: u64,
    },
}

/// What was pending when a read was queued.
#[derive(Debug, Clone, Copy, Default)]
pub struct Before {
    key: bool,
    made_good: u64,
}

impl Recovery {
    /// Whether something is pending.
    pub fn is_pending(&self) -> bool {
        self.count.load(Ordering::SeqCst) != 0
    }

    /// From here on nothing that the remote tier says is believed.
    pub fn doubt_all(&self) {
        self.doubts_all.store(true, Ordering::SeqCst);
        self.update(&self.pending.lock());
    }

    /// Whether that is so.
    pub fn doubts_all(&self) -> bool {
        self.doubts_all.load(Ordering::SeqCst)
    }

    /// What was missing is known, and noted.
    pub fn end_doubt(&self) {
        let pending = self.pending.lock();
        // A read that was asked before is not believed either: it may have been answered before it was known.
        self.made_good.fetch_add(1, Ordering::SeqCst);
        self.doubts_all.store(false, Ordering::SeqCst);
        self.update(&pending);
    }

    /// The number of pending items.
    pub fn len(&self) -> usize {
        self.pending.lock().len()
    }

    /// A change of the key, which gave its slot this generation, has failed; `false` when that was one too many.
    pub fn missed_key(&self, namespace: &Arc<Namespace>, key: &str, generation: u64, missed: Missed) -> bool {
        let mut pending = self.pending.lock();
        if pending.includes(namespace) {
            return true;
        }
        let number = pending.number();
        let pending = &mut *pending;
        with_memory_key(namespace, key, |memory_key| match pending.keys.get_mut(memory_key) {
            Some(item) => {
                item.missed = item.missed.max(missed);
                item.generation = item.generation.max(generation);
                item.number = number;
            }
            None => {
                let item = Key {
                    namespace: Arc::clone(namespace),
                    key: key.into(),
                    missed,
                    generation,
                    number,
                };
                pending.key_bytes += memory_key.len();
                pending.keys.insert(memory_key.into(), item);
            }
        });
        let kept = pending.keys.len() <= KEYS && pending.key_bytes <= KEY_BYTES;
        if !kept {
            pending.fold(&EVERYTHING);
        }
        self.update(pending);
        kept
    }

    /// A raise has failed, of which the others are told so; `false` when that was one too many.
    pub fn missed_raise(&self, request: &RemoteRequest, change: &Change) -> bool {
        let mut pending = self.pending.lock();
        match change {
            Change::Clear { .. } if matches!(request, RemoteRequest::Abandon { .. }) => {
                pending.add(format!("{request:?}").into(), request, change);
            }
            Change::Clear { path } if path.is_empty() => pending.fold(request),
            Change::Clear { path } => {
                let text = format!("n:{path}").into();
                pending.add(text, request, change);
                pending.forget_keys_below(path);
            }
            Change::Tags { fields } => pending.add(fields.join("\n").into(), request, change),
            _ => {}
        }
        let kept = pending.raises.len() <= RAISES;
        if !kept {
            pending.fold(&EVERYTHING);
        }
        self.update(&pending);
        kept
    }

    /// A change of the key, which gave its slot this generation, has succeeded: what was `missed` before is no more.
    pub fn changed(&self, namespace: &Namespace, key: &str, generation: u64, missed: Missed) {
        if self.is_pending() {
            self.remove_key(namespace, key, |item| {
                item.generation < generation && item.missed <= missed
            });
        }
    }

    /// Some of what is pending: clears first.
    pub fn page(&self, most: usize) -> Vec<Item> {
        let pending = self.pending.lock();
        let raises = pending.raises.values().map(|raise| Item::Raise {
            request: raise.request.clone(),
            change: raise.change.clone(),
            number: raise.number,
        });
        let keys = pending.keys.values().map(|item| Item::Key {
            namespace: Arc::clone(&item.namespace),
            key: item.key.clone(),
            missed: item.missed,
            number: item.number,
        });
        raises.chain(keys).take(most).collect()
    }

    /// It was made good, unless it was missed again meanwhile.
    pub fn made_good(&self, item: &Item) {
        match item {
            Item::Key {
                namespace, key, number, ..
            } => self.remove_key(namespace, key, |item| item.number == *number),
            Item::Raise { number, .. } => {
                let mut pending = self.pending.lock();
                // Before it is gone: who asks between the two finds one or the other.
                self.made_good.fetch_add(1, Ordering::SeqCst);
                pending.raises.retain(|_, raise| raise.number != *number);
                self.update(&pending);
            }
        }
    }

    /// To be asked before a read of the key is queued.
    pub fn before(&self, namespace: &Namespace, key: &str) -> Before {
        Before {
            key: self.is_pending() && self.pending.lock().has_key(namespace, key),
            made_good: self.made_good.load(Ordering::SeqCst),
        }
    }

    /// Whether what the remote tier has answered to the read may be what it would not say had it missed nothing.
    pub fn refuses(&self, before: Before, namespace: &Namespace, key: &str, tags: Option<&TagSet>) -> bool {
        if before.key || before.made_good != self.made_good.load(Ordering::SeqCst) {
            return true;
        }
        if !self.is_pending() {
            return false;
        }
        if self.doubts_all.load(Ordering::SeqCst) {
            return true;
        }
        let pending = self.pending.lock();
        pending.has_key(namespace, key) || pending.covers(namespace) || pending.touches(namespace, tags)
    }

    fn remove_key(&self, namespace: &Namespace, key: &str, matches: impl FnOnce(&Key) -> bool) {
        let mut pending = self.pending.lock();
        let pending = &mut *pending;
        with_memory_key(namespace, key, |memory_key| {
            if pending.keys.get(memory_key).is_some_and(matches) {
                pending.keys.remove(memory_key);
                pending.key_bytes -= memory_key.len();
            }
        });
        self.update(pending);
    }

    fn update(&self, pending: &Pending) {
        let doubt = usize::from(self.doubts_all.load(Ordering::SeqCst));
        self.count.store(pending.len() + doubt, Ordering::SeqCst);
    }
}

impl Pending {
    fn len(&self) -> usize {
        self.keys.len() + self.raises.len()
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn add(&mut self, text: Box<str>, request: &RemoteRequest, change: &Change) {
        let number = self.number();
        let (request, change) = (request.clone(), change.clone());
        let raise = Raise {
            request,
            change,
            number,
        };
        self.raises.insert(text, raise);
    }

    /// Everything is cleared instead.
    fn fold(&mut self, clear: &RemoteRequest) {
        self.keys.clear();
        self.key_bytes = 0;
        self.raises.clear();
        self.add("n:".into(), clear, &Change::Clear { path: "".into() });
    }

    fn forget_keys_below(&mut self, path: &str) {
        self.keys.retain(|_, item| !is_below(&item.namespace.path, path));
        self.key_bytes = self.keys.keys().map(|key| key.len()).sum();
    }

    fn has_key(&self, namespace: &Namespace, key: &str) -> bool {
        with_memory_key(namespace, key, |key| self.keys.contains_key(key))
    }

    /// Whether a clear is pending that makes good whatever was missed in the namespace. An incarnation that is to be abandoned may
    /// have ended before that was missed.
    fn includes(&self, namespace: &Namespace) -> bool {
        self.raises.values().any(|raise| {
            let clears = matches!(&raise.change, Change::Clear { path } if is_below(&namespace.path, path));
            clears && !matches!(raise.request, RemoteRequest::Abandon { .. })
        })
    }

    /// Whether a clear of the namespace is pending.
    fn covers(&self, namespace: &Namespace) -> bool {
        let clears = |change: &Change| matches!(change, Change::Clear { path } if is_below(&namespace.path, path));
        self.raises.values().any(|raise| clears(&raise.change))
    }

    /// Whether an invalidation is pending that may reach an entry with these tags.
    fn touches(&self, namespace: &Namespace, tags: Option<&TagSet>) -> bool {
        let has = |field: &str| tags.is_some_and(|tags| tags.floors.iter().any(|floor| *floor.field == *field));
        let carries = |tag: &str| tags.is_some_and(|tags| tags.names.iter().any(|name| **name == *tag));
        self.raises.values().any(|raise| match &raise.change {
            Change::Tags { fields } => fields.iter().any(|field| match Raised::read(field) {
                Some(Raised::Tag { field, .. }) => has(field),
                Some(Raised::Together { rule, .. }) => rule.tags.iter().all(|tag| carries(tag)),
                Some(Raised::SoftClear { path }) => is_below(&namespace.path, path),
                None => true,
            }),
            _ => false,
        })
    }
}

/// Whether the namespace of this path is the one above, or nested in it.
fn is_below(path: &str, above: &str) -> bool {
    above.is_empty()
        || path
            .strip_prefix(above)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::generation::GenerationTable;
    use crate::engine::namespaces::{Namespaces, tag_field};
    use crate::engine::raised::soft_field;

    struct World {
        recovery: Recovery,
        namespaces: Namespaces,
        table: GenerationTable,
    }

    impl World {
        fn new() -> Self {
            Self {
                recovery: Recovery::default(),
                namespaces: Namespaces::new("shop".into()),
                table: GenerationTable::new(1),
            }
        }

        fn space(&self, path: &str) -> Arc<Namespace> {
            self.namespaces.open(&self.table, path)
        }

        fn refuses(&self, path: &str, key: &str, tags: &[&str]) -> bool {
            let space = self.space(path);
            let tags = space.tag_set(&self.table, tags);
            let before = self.recovery.before(&space, key);
            self.recovery.refuses(before, &space, key, tags.as_deref())
        }

        fn clear(&self, path: &str) {
            let request = RemoteRequest::Raise {
                fields: vec![format!("n:{path}").into()],
            };
            self.recovery
                .missed_raise(&request, &Change::Clear { path: path.into() });
        }

        fn invalidate(&self, field: &str) {
            let fields: Vec<Box<str>> = vec![field.into()];
            let request = RemoteRequest::Raise { fields: fields.clone() };
            self.recovery.missed_raise(&request, &Change::Tags { fields });
        }
    }

    #[test]
    fn a_key_is_pending_once_and_refused_until_it_is_made_good() {
        let world = World::new();
        let space = world.space("");
        world.recovery.missed_key(&space, "k", 1, Missed::Expiry);
        world.recovery.missed_key(&space, "k", 2, Missed::Value);
        world.recovery.missed_key(&space, "k", 3, Missed::Expiry);
        assert!(world.refuses("", "k", &[]) && !world.refuses("", "other", &[]));
        let page = world.recovery.page(10);
        assert!(matches!(
            &page[..],
            [Item::Key {
                missed: Missed::Value,
                ..
            }]
        ));
        world.recovery.made_good(&page[0]);
        assert!(!world.refuses("", "k", &[]) && !world.recovery.is_pending());
    }

    #[test]
    fn what_is_missed_again_while_it_is_made_good_stays_pending() {
        let world = World::new();
        let space = world.space("");
        world.recovery.missed_key(&space, "k", 1, Missed::Value);
        let page = world.recovery.page(10);
        world.recovery.missed_key(&space, "k", 2, Missed::Value);
        world.recovery.made_good(&page[0]);
        assert!(world.refuses("", "k", &[]));
    }

    #[test]
    fn a_later_change_that_succeeds_makes_it_superfluous_and_an_earlier_one_does_not() {
        let world = World::new();
        let space = world.space("");
        world.recovery.missed_key(&space, "k", 5, Missed::Value);
        world.recovery.changed(&space, "k", 4, Missed::Value);
        assert!(world.recovery.is_pending());
        world.recovery.changed(&space, "k", 6, Missed::Expiry);
        assert!(
            world.recovery.is_pending(),
            "an old value that became stale is still an old value"
        );
        world.recovery.changed(&space, "k", 6, Missed::Value);
        assert!(!world.recovery.is_pending());
    }

    #[test]
    fn a_clear_takes_the_keys_below_it_along_and_refuses_all_of_them() {
        let world = World::new();
        for path in ["users", "users/admins", "users2"] {
            world.recovery.missed_key(&world.space(path), "k", 1, Missed::Value);
        }
        world.clear("users");
        assert_eq!(world.recovery.len(), 2, "the clear, and the key of users2");
        assert!(world.refuses("users/admins", "any", &[]) && !world.refuses("users2", "any", &[]));
        world.recovery.missed_key(&world.space("users"), "k", 2, Missed::Value);
        assert_eq!(world.recovery.len(), 2, "it is in the clear");
    }

    #[test]
    fn an_incarnation_that_is_to_be_abandoned_includes_nothing_that_was_missed() {
        let world = World::new();
        let space = world.space("");
        world.recovery.missed_key(&space, "before", 1, Missed::Value);
        let request = RemoteRequest::Abandon { incarnation: 1 };
        world
            .recovery
            .missed_raise(&request, &Change::Clear { path: "".into() });
        world.recovery.missed_key(&space, "after", 1, Missed::Value);
        assert!(world.refuses("", "any", &[]));
        let page = world.recovery.page(10);
        assert_eq!(page.len(), 3, "both keys, too");
        world.recovery.made_good(&page[0]);
        assert!(world.refuses("", "before", &[]) && world.refuses("", "after", &[]) && !world.refuses("", "any", &[]));
    }

    #[test]
    fn a_pending_invalidation_refuses_what_carries_the_tag() {
        let world = World::new();
        world.invalidate(&tag_field("users", "t"));
        assert!(world.refuses("users", "k", &["t", "u"]) && world.refuses("users/admins", "k", &["t"]));
        assert!(!world.refuses("users", "k", &["u"]) && !world.refuses("", "k", &["t"]));
        world.invalidate(&soft_field(&tag_field("users", "u")));
        assert!(world.refuses("users", "k", &["u"]));
        world.invalidate(r#"all::["a","b"]"#);
        assert!(world.refuses("", "k", &["a", "b"]) && !world.refuses("", "k", &["a"]));
        world.invalidate("sn:orders");
        assert!(world.refuses("orders", "k", &[]) && !world.refuses("", "k", &[]));
    }

    #[test]
    fn a_read_from_before_a_raise_was_made_good_is_refused() {
        let world = World::new();
        let space = world.space("");
        world.invalidate(&tag_field("", "t"));
        let before = world.recovery.before(&space, "k");
        world.recovery.made_good(&world.recovery.page(1)[0]);
        assert!(world.recovery.refuses(before, &space, "k", None));
        assert!(!world.refuses("", "k", &[]), "one from behind it is not");
    }

    #[test]
    fn a_read_from_before_a_doubt_that_has_ended_is_refused() {
        let world = World::new();
        let space = world.space("");
        let before = world.recovery.before(&space, "k");
        world.recovery.doubt_all();
        world.recovery.end_doubt();
        assert!(world.recovery.refuses(before, &space, "k", None) && !world.refuses("", "k", &[]));
    }

    #[test]
    fn more_than_can_be_remembered_becomes_a_clear_of_everything() {
        let world = World::new();
        let space = world.space("users");
        let missed = |n: usize| world.recovery.missed_key(&space, &n.to_string(), 1, Missed::Value);
        assert!((0..KEYS).all(missed));
        assert!(!missed(KEYS));
        assert!(world.refuses("", "any", &[]));
        let page = world.recovery.page(10);
        assert!(
            matches!(&page[..], [Item::Raise { request: RemoteRequest::Raise { fields }, .. }] if fields.is_empty())
        );
        assert!(missed(1) && world.recovery.len() == 1, "it is in there");
    }

    #[test]
    fn long_keys_are_bounded_in_bytes() {
        let world = World::new();
        let space = world.space("");
        let long = "x".repeat(60_000);
        let missed = |n: &usize| {
            world
                .recovery
                .missed_key(&space, &format!("{long}{n}"), 1, Missed::Value)
        };
        assert_eq!((0..100).take_while(missed).count(), KEY_BYTES / 60_000);
    }
}
