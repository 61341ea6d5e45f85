//! Names of things: namespaces, keys, and what they are called in Redis. All names are injective: two different
//! (namespace, key) pairs never share one.

use crate::error::{Error, ErrorKind, Result};
use std::fmt::Write;
use xxhash_rust::xxh3::xxh3_128;

/// Longest namespace path in bytes.
pub const MAX_NAMESPACE_BYTES: usize = 256;

/// Escapes one level of a namespace path, so that levels can be joined with `/` and the path can stand before `:`. A level
/// is never empty: the empty name is `%`, which no other name can become.
pub fn escape_level(name: &str) -> String {
    if name.is_empty() {
        return "%".to_owned();
    }
    let mut escaped = String::with_capacity(name.len());
    for char in name.chars() {
        match char {
            '%' | '/' | ':' | '{' | '}' | '@' | '\0'..='\x1f' | '\x7f' => {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "%{:02X}", char as u32);
            }
            _ => escaped.push(char),
        }
    }
    escaped
}

/// The root path of a cache: its namespace, and its version behind `@`.
pub fn root_path(namespace: Option<&str>, version: Option<&str>) -> Result<String> {
    let mut path = escape_level(namespace.unwrap_or("default"));
    if namespace == Some("") {
        return Err(Error::new(
            ErrorKind::Option,
            "namespace is empty: give a name, or leave the option out",
        )
        .with("option", "namespace"));
    }
    if let Some(version) = version {
        path.push('@');
        path.push_str(&escape_level(version));
    }
    if path.len() > MAX_NAMESPACE_BYTES {
        return Err(Error::new(
            ErrorKind::Option,
            format!(
                "namespace and version need {} bytes, at most {MAX_NAMESPACE_BYTES} are allowed",
                path.len()
            ),
        )
        .with("option", "namespace"));
    }
    Ok(path)
}

/// `root`, or `root/below`.
pub fn join_path(root: &str, below: &str) -> String {
    if below.is_empty() {
        root.to_owned()
    } else {
        format!("{root}/{below}")
    }
}

/// A path and its ancestors, nearest last: `""`, `"a"`, `"a/b"` for `"a/b"`.
pub fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let cuts = path
        .char_indices()
        .filter(|(_, char)| *char == '/')
        .map(|(index, _)| index);
    std::iter::once("")
        .chain(cuts.map(|cut| &path[..cut]))
        .chain((!path.is_empty()).then_some(path))
}

/// Where an entry lives in the remote tier. Value and lease share a hash tag, hence a Cluster slot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteKey {
    /// `<namespace path>:<key>`: what the digest of an envelope is made of.
    full: Box<str>,
}

impl RemoteKey {
    /// The key `key` of the namespace with this full path.
    pub fn new(path: &str, key: &str) -> Self {
        let mut full = String::with_capacity(path.len() + 1 + key.len());
        full.push_str(path);
        full.push(':');
        full.push_str(key);
        Self {
            full: full.into_boxed_str(),
        }
    }

    /// The key of this namespace whose value or lease has this name.
    pub fn of_name(path: &str, name: &str) -> Option<Self> {
        let full = name.strip_prefix("tc:{")?;
        let full = full.strip_suffix("}:v").or_else(|| full.strip_suffix("}:l"))?;
        let key = full.strip_prefix(path)?.strip_prefix(':')?;
        Some(Self::new(path, key))
    }

    /// The user's key, for the namespace path that it was made with.
    pub fn user_key(&self, path: &str) -> &str {
        self.full.get(path.len() + 1..).unwrap_or_default()
    }

    /// Name of the value: `tc:{<path>:<key>}:v`.
    pub fn value_name(&self) -> String {
        self.name('v')
    }

    /// Name of the lease: `tc:{<path>:<key>}:l`.
    pub fn lease_name(&self) -> String {
        self.name('l')
    }

    /// Name of a lock: `tc:{<path>:<key>}:k`.
    pub fn lock_name(&self) -> String {
        self.name('k')
    }

    /// Name of the last fencing token of a lock: `tc:{<path>:<key>}:f`.
    pub fn fence_name(&self) -> String {
        self.name('f')
    }

    /// Name under which a new value stands while a transaction writes it: `tc:{<path>:<key>}:n`.
    pub fn aside_name(&self) -> String {
        self.name('n')
    }

    /// Put together by hand: a batch makes hundreds of names, and formatting one costs as much as hashing it.
    fn name(&self, kind: char) -> String {
        let mut name = String::with_capacity(self.full.len() + 7);
        name.push_str("tc:{");
        name.push_str(&self.full);
        name.push_str("}:");
        name.push(kind);
        name
    }

    /// XXH3-128 of the full key: what an envelope must carry to be believed.
    pub fn digest(&self) -> u128 {
        xxh3_128(self.full.as_bytes())
    }
}

/// Path below the root, and key, of the value of this name; `None` for any other name.
pub fn of_value_name<'a>(root: &str, name: &'a str) -> Option<(&'a str, &'a str)> {
    let full = name.strip_prefix("tc:{")?.strip_suffix("}:v")?;
    let rest = full.strip_prefix(root)?;
    // A path holds no colon.
    match rest.strip_prefix('/') {
        Some(nested) => nested.split_once(':'),
        None => rest.strip_prefix(':').map(|key| ("", key)),
    }
}

/// Name of the hash that holds a root namespace's incarnation, counter and floors.
pub fn state_name(root: &str) -> String {
    format!("tc:{{{root}}}:g")
}

/// A name under which nothing is ever stored.
pub fn nothing_name(root: &str) -> String {
    format!("tc:{{{root}}}:n")
}

/// Name of the stream that holds what was told last.
pub fn log_name(root: &str) -> String {
    format!("tc:{{{root}}}:log")
}

/// Name of the mark that moves with each message that the log has refused: `tc:{<root>}:unlogged`.
pub fn mark_name(root: &str) -> String {
    format!("tc:{{{root}}}:unlogged")
}

/// Name of the key by which an owner of leases shows that he lives.
pub fn life_name(root: &str, owner: u64) -> String {
    format!("tc:{{{root}}}:p:{owner:x}")
}

/// Name of the channel on which a root namespace's invalidations are told.
pub fn channel_name(root: &str) -> String {
    format!("tc:{{{root}}}:bus")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_nested_namespace_without_a_name_is_not_the_one_above() {
        assert_ne!(join_path("shop", &escape_level("")), "shop");
        assert_ne!(escape_level(""), escape_level("%"));
    }

    #[test]
    fn ancestors_are_listed_from_the_root() {
        assert_eq!(ancestors("").collect::<Vec<_>>(), [""]);
        assert_eq!(ancestors("a").collect::<Vec<_>>(), ["", "a"]);
        assert_eq!(ancestors("a/b/c").collect::<Vec<_>>(), ["", "a", "a/b", "a/b/c"]);
    }

    #[test]
    fn a_name_is_no_key_of_another_namespace() {
        let name = RemoteKey::new("shop/users", "1").value_name();
        assert_eq!(RemoteKey::of_name("shop", &name), None);
        assert_eq!(RemoteKey::of_name("shop", "tc:{shop}:g"), None);
        assert_eq!(RemoteKey::of_name("shop", "tc:{shop:1}:x"), None);
    }

    proptest! {
        #[test]
        fn a_key_is_found_in_its_names(path in "[a-z%/]{1,6}", key in ".{0,9}") {
            let made = RemoteKey::new(&path, &key);
            let names = [made.value_name(), made.lease_name()];
            for name in names {
                let found = RemoteKey::of_name(&path, &name).unwrap();
                prop_assert_eq!(found.user_key(&path), key.as_str());
            }
        }

        #[test]
        fn two_different_pairs_never_share_a_redis_name(
            a in (".{0,6}", ".{0,6}", ".{0,6}"), b in (".{0,6}", ".{0,6}", ".{0,6}")
        ) {
            let name = |(root, below, key): &(String, String, String)| {
                let path = join_path(&escape_level(root), &escape_level(below));
                RemoteKey::new(&path, key).value_name()
            };
            prop_assume!(a != b);
            prop_assert_ne!(name(&a), name(&b));
        }
    }
}
