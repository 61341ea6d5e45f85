//! What an invalidation by tags or a soft clear raises: the fields of the namespace state, as they stand in the remote tier
//! and as the others are told them. `docs/spec/envelope.md` describes them.

use crate::engine::namespaces::tag_field;
use crate::tier::rules::Place;

/// Which entries an invalidation by tags reaches, and what becomes of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TagOptions {
    /// Only entries that carry all of the tags; otherwise those that carry one of them.
    pub all: bool,
    /// They become stale, and their grace can still be served; otherwise they are gone.
    pub soft: bool,
}

/// One raise, as one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raised<'a> {
    /// `t:<path>:<tag>`, soft with an `s` in front: whatever carries the tag is old.
    Tag {
        /// The field of the hard floor.
        field: &'a str,
        /// It becomes stale.
        soft: bool,
    },
    /// `all:<path>:<rule>`: whatever carries all of these tags is old.
    Together {
        /// Where, and below.
        path: &'a str,
        /// Which.
        rule: Rule,
    },
    /// `sn:<path>`: the namespace and those nested in it are stale.
    SoftClear {
        /// Which.
        path: &'a str,
    },
}

impl<'a> Raised<'a> {
    /// Reads a text; `None` for anything else.
    pub fn read(text: &'a str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("sn:") {
            return Some(Self::SoftClear { path });
        }
        if let Some(rest) = text.strip_prefix("all:") {
            let (path, rule) = rest.split_once(':')?;
            let rule = Rule::read(rule)?;
            return Some(Self::Together { path, rule });
        }
        match text.strip_prefix('s') {
            Some(field) if field.starts_with("t:") => Some(Self::Tag { field, soft: true }),
            _ if text.starts_with("t:") => Some(Self::Tag {
                field: text,
                soft: false,
            }),
            _ => None,
        }
    }
}

/// The tags that an entry must all carry to be reached, sorted and without duplicates: two or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it reaches becomes stale.
    pub soft: bool,
    /// Which.
    pub tags: Vec<Box<str>>,
}

impl Rule {
    /// The rule for these tags.
    pub fn new(tags: &[&str], soft: bool) -> Self {
        let mut tags: Vec<Box<str>> = tags.iter().map(|tag| (*tag).into()).collect();
        tags.sort_unstable();
        tags.dedup();
        Self { soft, tags }
    }

    /// A JSON list of the tags, with an `s` in front when it is soft. There is no line break in it.
    pub fn text(&self) -> Box<str> {
        let tags = serde_json::Value::from_iter(self.tags.iter().map(|tag| &**tag));
        format!("{}{tags}", if self.soft { "s" } else { "" }).into()
    }

    /// The inverse.
    pub fn read(text: &str) -> Option<Self> {
        let (soft, json) = match text.strip_prefix('s') {
            Some(json) => (true, json),
            None => (false, text),
        };
        let tags: Vec<Box<str>> = serde_json::from_str(json).ok()?;
        (tags.len() > 1).then_some(Self { soft, tags })
    }

    /// Whether an entry with these tags, sorted, carries all of them.
    pub fn reaches(&self, names: &[Box<str>]) -> bool {
        self.tags.iter().all(|tag| names.binary_search(tag).is_ok())
    }

    /// Where it may stand in the namespace state.
    pub fn places(&self, path: &str) -> Vec<Place> {
        let place = |tag: &str| {
            let floor = tag_field(path, tag);
            Place {
                list: together_field(&floor),
                floor,
            }
        };
        self.tags.iter().map(|tag| place(tag)).collect()
    }
}

/// The soft floor beside the hard floor of a tag.
pub fn soft_field(tag_field: &str) -> Box<str> {
    format!("s{tag_field}").into()
}

/// The list of rules beside the hard floor of a tag: `all:<path>:<tag>`.
pub fn together_field(tag_field: &str) -> Box<str> {
    format!("all{}", &tag_field[1..]).into()
}

/// The floor of soft clears of a namespace.
pub fn soft_clear_field(path: &str) -> Box<str> {
    format!("sn:{path}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_rule_survives_its_text(tags in proptest::collection::vec(".{1,9}", 2..6), soft: bool) {
            let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
            let rule = Rule::new(&tags, soft);
            prop_assume!(rule.tags.len() > 1);
            let text = rule.text();
            prop_assert!(!text.contains('\n'));
            let told = format!("all:users:{text}");
            prop_assert_eq!(Raised::read(&told), Some(Raised::Together { path: "users", rule }));
        }

        #[test]
        fn a_text_that_is_none_is_nothing_and_no_panic(text in ".{0,20}") {
            let _ = Raised::read(&text);
        }
    }

    #[test]
    fn a_tag_is_told_from_its_soft_twin_whatever_it_is_called() {
        assert_eq!(
            Raised::read("t:users:st:x"),
            Some(Raised::Tag {
                field: "t:users:st:x",
                soft: false
            })
        );
        assert_eq!(
            Raised::read("st:users:all:x"),
            Some(Raised::Tag {
                field: "t:users:all:x",
                soft: true
            })
        );
        assert_eq!(Raised::read("sn:"), Some(Raised::SoftClear { path: "" }));
        assert_eq!(Raised::read("all:users:[\"a\"]"), None, "one tag is no rule");
    }
}
